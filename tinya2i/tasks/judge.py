"""LeNet5 on pictures of digits: the judge that says later which digit a generator drew."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from tinya2i import data, metrics, plot
from tinya2i.backend import Array, to_numpy
from tinya2i.models.lenet5 import LeNet5, train_step
from tinya2i.runs import Run
from tinya2i.streams import stream
from tinya2i.tasks.base import ModelTask, batches, draw_curves, pixels
from tinya2i.tasks.saved import load_judge
from tinya2i.training import train

EPOCHS = {"mix": 10, "toy": 4}


class JudgeTask(ModelTask):
    """LeNet5 on cross-entropy; images are data.load_images' four arrays."""

    def __init__(self, model: LeNet5, images: data.Images, **options):
        X, digits, test_X, test_digits = images
        super().__init__(model, len(X), **options)
        self.X, self.digits = self.resident(X), self.resident(digits)
        self.test_X, self.test_digits = self.resident(test_X), test_digits

    def learn(self, index: int) -> dict[str, Array]:
        chosen = self.order[self.part(index)]
        return train_step(self.model, self.adam, pixels(self.X[chosen]), self.digits[chosen])

    def predictions(self) -> np.ndarray:
        """What the model reads in the test images (n,)."""
        return read(self.model, self.test_X)

    def evaluate(self) -> dict[str, float]:
        return {"test_accuracy": float((self.predictions() == self.test_digits).mean())}


def read(judge: LeNet5, images: Array) -> np.ndarray:
    """The digits (n,) that the judge reads in uint8 images (n, 28, 28, 1)."""
    parts = [judge.predict(pixels(images[part])) for part in batches(len(images))]
    return np.concatenate([to_numpy(part) for part in parts])


def train_judge(images: data.Images, run: Run, options: dict[str, Any], **loop) -> JudgeTask:
    """Train a judge in `run`, with its summary, curves and confusion matrix beside it."""
    model = LeNet5(stream(options["seed"], "init"))
    task = JudgeTask(model, images, **options)
    summary = train(task, run, **loop)
    result = metrics.agreement(task.test_digits, task.predictions())
    accuracy = {"test_accuracy": result["rate"], "test_interval": result["interval"]}
    run.summary({**summary, **accuracy, "per_digit": result["per_digit"]})
    draw_curves(run)
    confusion = run.folder / "confusion.png"
    with run.writing(confusion):
        plot.confusion(result["confusion"], confusion, "the judge on real pictures")
    return task


def find_judge(
    folder: str | None,
    name: str,
    images: Callable[[], data.Images],
    xp: ModuleType,
    *,
    quiet: bool = False,
    dry: bool = False,
) -> LeNet5:
    """The trained judge in `folder`; without a folder that in runs/lenet5-NAME, trained if need be.

    name: "mix" or "toy"; images() gives what it is trained on. It is always trained with a seed of
    its own and never sees a generated picture. dry: an untrained one will do. Raises
    CheckpointError if `folder` holds none.
    """
    place = Path(folder or f"runs/lenet5-{name}")
    if folder or (place / "summary.json").exists():
        return load_judge(place, xp)
    if dry:  # a few steps see whether all works; what the judge says means nothing
        return LeNet5(stream(0, "init")).to(xp)
    epochs = EPOCHS[name]
    if not quiet:
        print(f"no judge in {place} yet: training LeNet5 there, {epochs} epochs", flush=True)
    flags = {"model": "lenet5", "data": name, "epochs": epochs, "seed": 0}
    run = Run(place, flags, overwrite=place.exists(), xp=xp)
    options = {"lr": 1e-3, "batch_size": 128, "seed": 0, "xp": xp, "decay": epochs}
    return train_judge(images(), run, options, epochs=epochs, samples_every=0, quiet=quiet).model
