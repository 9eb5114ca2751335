"""What every task shares: its arrays by name, and an epoch's order."""

from types import ModuleType

import numpy as np

from tinya2i import plot
from tinya2i.backend import Array, array_module, to_device
from tinya2i.errors import RunError
from tinya2i.layer import Layer
from tinya2i.optim import Adam, Optimiser
from tinya2i.runs import Run
from tinya2i.streams import stream
from tinya2i.training import Task

BATCH = 500  # pictures at a time where nothing is learned


class ModelTask(Task):
    """A model, Adam, and n examples that are visited once an epoch in a random order.

    decay: the number of epochs over which the learning rate falls linearly to 0; None keeps it.
    """

    least = 1  # examples that a batch must have: 2 where one alone would have no variance

    def __init__(
        self,
        model: Layer,
        n: int,
        *,
        lr: float,
        batch_size: int,
        seed: int,
        xp: ModuleType,
        decay: int | None = None,
    ):
        self.lr, self.decay = lr, decay
        self.model, self.n, self.seed, self.xp = model.to(xp), n, seed, xp
        self.batch_size = min(batch_size, n)
        if self.batch_size < self.least:
            raise RunError(
                f"a batch of {self.batch_size} is too small for this model, which compares the "
                f"examples of a batch: at least {self.least}, in --batch-size and --limit-train"
            )
        self.optimisers = self.make_optimisers()

    def make_optimisers(self) -> dict[str, Optimiser]:
        """Under the names that their arrays have in a checkpoint."""
        return {"adam": Adam(self.model.params(), self.lr)}

    @property
    def adam(self) -> Optimiser:
        """The optimiser of a model that has only one."""
        return self.optimisers["adam"]

    @property
    def steps(self) -> int:
        """Steps in an epoch; the last one takes the examples that are left, if there are enough."""
        return -(-self.n // self.batch_size) - (0 < self.n % self.batch_size < self.least)

    def begin_epoch(self, epoch: int) -> int:
        self.epoch = epoch
        self.order = self.resident(stream(self.seed, "order", epoch).permutation(self.n))
        return self.steps

    def lr_at(self, index: int) -> float:
        """lr * (1 - steps done / steps of the decay), before step `index` of this epoch."""
        if self.decay is None:
            return self.lr
        return self.lr * max(0.0, 1 - (self.epoch * self.steps + index) / (self.decay * self.steps))

    def step(self, index: int) -> dict[str, Array]:
        for optimiser in self.optimisers.values():
            optimiser.lr = self.lr_at(index)
        return self.learn(index)

    def learn(self, index: int) -> dict[str, Array]:
        """One optimiser step on batch `index`; the losses by name."""
        raise NotImplementedError

    def part(self, index: int) -> slice:
        """Where batch `index` lies in this epoch's order."""
        return slice(index * self.batch_size, (index + 1) * self.batch_size)

    def resident(self, array: np.ndarray) -> Array:
        """The array where the model is."""
        return to_device(array, self.xp)

    def arrays(self) -> dict[str, np.ndarray]:
        parts = {"model": self.model, **self.optimisers}
        return {f"{p}.{name}": A for p, part in parts.items() for name, A in part.state().items()}

    def load_arrays(self, arrays: dict[str, np.ndarray]) -> None:
        self.model.load_state(with_prefix(arrays, "model."))
        for name, optimiser in self.optimisers.items():
            optimiser.load_state(with_prefix(arrays, f"{name}."))


def with_prefix(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """The entries whose names begin with prefix, under the rest of their names."""
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}


def batches(n: int) -> list[slice]:
    """slice(0, BATCH), slice(BATCH, ...), ...: range(n) in parts, where nothing is learned."""
    return [slice(i, i + BATCH) for i in range(0, n, BATCH)]


def pixels(images: Array) -> Array:
    """uint8 0..255 -> float32 0..1."""
    return array_module(images).divide(images, 255, dtype=np.float32)


def draw_curves(run: Run) -> None:
    """curves.png of the epochs that the run has had."""
    path = run.folder / "curves.png"
    if run.rows():
        with run.writing(path):
            plot.curves(run.rows(), path)
