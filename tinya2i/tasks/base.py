"""What every task shares: its arrays by name, and an epoch's order."""

from types import ModuleType

import numpy as np

from tinya2i.backend import Array, to_device
from tinya2i.layer import Layer
from tinya2i.optim import Adam
from tinya2i.streams import stream
from tinya2i.training import Task

BATCH = 500  # pictures at a time where nothing is learned


class ModelTask(Task):
    """A model, Adam, and n examples that are visited once an epoch in a random order.

    decay: the number of epochs over which the learning rate falls linearly to 0; None keeps it.
    """

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
        self.adam = Adam(model.params(), lr)

    @property
    def steps(self) -> int:
        """Steps in an epoch; the last one takes the examples that are left."""
        return -(-self.n // self.batch_size)

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
        self.adam.lr = self.lr_at(index)
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
        model = {f"model.{name}": array for name, array in self.model.state().items()}
        return model | {f"adam.{name}": array for name, array in self.adam.state().items()}

    def load_arrays(self, arrays: dict[str, np.ndarray]) -> None:
        self.model.load_state(with_prefix(arrays, "model."))
        self.adam.load_state(with_prefix(arrays, "adam."))


def with_prefix(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """The entries whose names begin with prefix, under the rest of their names."""
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}


def pixels(images: Array) -> Array:
    """uint8 0..255 -> float32 0..1."""
    return images.astype("float32") / 255
