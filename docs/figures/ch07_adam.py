"""Chapter 7: Adam's first steps with and without its correction, for one number and for LeNet5."""

import numpy as np
from figure import BLUE, GREEN, RED, main

from tinya2i import models
from tinya2i.data import toy
from tinya2i.models.lenet5 import train_step
from tinya2i.optim import Adam

LR, STEPS, BATCH, SEEDS = 1e-2, 50, 32, 4
CURVE = 4000  # steps of the left panel


class Bare(Adam):
    """Adam without the correction: what it corrects becomes visible."""

    def _update(self, part: slice) -> None:
        b1, b2 = self.betas
        g, m, v = self.grad[part], self.m[part], self.v[part]
        m += (1 - b1) * (g - m)
        v += (1 - b2) * (g * g - v)
        self.data[part] -= self.lr * m / (np.sqrt(v) + self.eps)


def losses_of(kind: type[Adam]) -> list[list[float]]:
    """For each of four LeNet5s: the loss of 50 batches of toy digits, each before its step."""
    images, digits = toy.images(seed=0, train=STEPS * BATCH, test=10)[:2]
    found = []
    for seed in range(SEEDS):
        model = models.LeNet5(np.random.default_rng(seed)).astype(np.float64)
        optimiser = kind(model.params(), LR)
        found.append([])
        for start in range(0, STEPS * BATCH, BATCH):
            part = slice(start, start + BATCH)
            step = train_step(model, optimiser, images[part] / 255.0, digits[part])
            found[-1].append(float(step["loss"]))
    return found


def numbers() -> dict:
    t = np.unique(np.geomspace(1, CURVE, 60).astype(int))
    b1, b2 = 0.9, 0.999
    return {
        "t": t,
        "bare step": (1 - b1**t) / np.sqrt(1 - b2**t),
        "Adam": losses_of(Adam),
        "without correction": losses_of(Bare),
    }


def draw(found: dict, plt) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.1))
    left.semilogx(found["t"], found["bare step"], color=RED, label="without the correction")
    left.axhline(1, color=BLUE, label="Adam")
    left.set(xlabel="step t", ylabel="length of the step / lr", ylim=(0, 7))
    left.set_title("one number, the same gradient at every step", fontsize=9)
    left.legend(frameon=False, loc="upper right", fontsize=8)
    for name, colour in (("Adam", BLUE), ("without correction", RED)):
        for seed, curve in enumerate(found[name]):
            label = name if seed == 0 else None
            right.plot(range(1, STEPS + 1), curve, color=colour, lw=1, label=label)
    right.axhline(np.log(10), color=GREEN, lw=1.5, ls="--", label="ln 10: knows nothing")
    right.set(xlabel="step t", ylabel="cross-entropy of the batch (nats)", ylim=(-0.2, 9))
    right.set_title(f"four LeNet5s on drawn digits, batches of {BATCH}, lr = {LR:g}", fontsize=9)
    right.legend(frameon=False, loc="upper right", fontsize=8)
    figure.tight_layout()


if __name__ == "__main__":
    main(__file__, numbers, draw)
