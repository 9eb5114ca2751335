"""A tiny run in NumPy, for tests that must kill it: python tiny_run.py FOLDER [options]."""

import argparse
import os
import signal
import time

import numpy as np

from tinya2i import cli
from tinya2i.runs import Run
from tinya2i.training import Task, stream, train


class Tiny(Task):
    """Linear regression by momentum, with a random order and random noise in every epoch."""

    batch_size = 4

    def __init__(self, seed=0, shift=0, poison=None, slow=0.0, steps=12):
        self.seed, self.shift, self.poison, self.slow = seed, shift, poison, slow
        rng = stream(seed, "data")
        self.X = rng.standard_normal((4 * steps, 6)).astype(np.float32)
        self.Y = self.X @ rng.standard_normal((6, 2)).astype(np.float32)
        self.W = stream(seed, "init").standard_normal((6, 2)).astype(np.float32)
        self.V = np.zeros_like(self.W)

    def begin_epoch(self, epoch):
        self.epoch = epoch
        self.order = stream(self.seed, "order", epoch + self.shift).permutation(len(self.X))
        return len(self.X) // self.batch_size

    def step(self, index):
        time.sleep(self.slow)
        rows = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        noise = stream(self.seed, "noise", self.epoch, index).standard_normal((4, 6))
        X = self.X[rows] + 0.1 * noise.astype(np.float32)
        E = X @ self.W - self.Y[rows]
        self.V = np.float32(0.9) * self.V + X.T @ E / np.float32(4)
        self.W -= np.float32(0.01) * self.V
        if self.poison == (self.epoch, index):
            E = E * np.float32(np.nan)
            self.W[0] = np.nan
        return {"loss": (E * E).sum() / 4, "size": np.abs(E).mean()}

    def arrays(self):
        return {"model.fc.W": self.W.copy(), "momentum.v": self.V.copy()}

    def load_arrays(self, arrays):
        self.W[...], self.V[...] = arrays["model.fc.W"], arrays["momentum.v"]

    def evaluate(self):
        return {"test_loss": float(np.square(self.X @ self.W - self.Y).mean())}

    def health(self, metrics):
        return ["hardly learning"] if metrics["test_loss"] > 1 else []

    def draw(self, path):
        path.write_bytes(b"picture")


def run(folder, *, seed=0, resume=False, overwrite=False, flags=None, task=None, **options):
    """Train a Tiny in `folder` and return it."""
    task = Tiny(seed) if task is None else task
    options = {"epochs": 3, "quiet": True, **options}
    flags = {"seed": seed, "epochs": options["epochs"], **(flags or {})}
    train(task, Run(folder, flags, resume=resume, overwrite=overwrite), **options)
    return task


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--slow", type=float, default=0.0)
    parser.add_argument("--epochs", type=int, default=3)
    args = parser.parse_args()
    # Under nohup or a shell's &, children are born with Ctrl-C switched off.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    task = Tiny(slow=args.slow)
    run(args.folder, resume=args.resume, task=task, epochs=args.epochs, checkpoint_steps=2)
    os.write(1, b"done\n")


if __name__ == "__main__":
    cli.main(main)
