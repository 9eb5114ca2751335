"""What can be checked, a layer or a loss, together with how inputs for it are drawn."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from tinya2i.backend import Array, array_module
from tinya2i.gradcheck.check import check_layer, check_loss
from tinya2i.layer import Backprop, Layer, Sequential
from tinya2i.layers import BatchNorm2d

Errors = dict[str, float]
BOTH = (True, False)


def _nothing(rng: np.random.Generator, shape: tuple[int, ...]) -> dict[str, Array]:
    return {}


def _as_drawn(X: Array) -> Array:
    return X


@dataclass(frozen=True)
class LayerCase:
    """A layer (made anew by each call of `make`) and the shape of an input for it."""

    name: str
    make: Callable[[np.random.Generator], Layer]
    shape: tuple[int, ...]
    distinct: bool = False  # all values far apart: no ties for max pooling
    extra: Callable[[np.random.Generator, tuple[int, ...]], dict[str, Array]] = _nothing
    modes: tuple[bool, ...] = BOTH
    alone: tuple[bool, ...] = BOTH  # the modes in which a batch of 1 makes sense
    most: int = 64  # directions for each large array
    corner: Callable[[Array], Array] = _as_drawn  # where an input is to go

    def input(self, rng: np.random.Generator, n: int | None = None) -> np.ndarray:
        """n samples (default: as in `shape`), at least 1e-3 away from ReLU's kink at 0."""
        shape = (self.shape[0] if n is None else n, *self.shape[1:])
        if self.distinct:
            size = int(np.prod(shape))
            return ((rng.permutation(size) - size / 2 + 0.3) / size).reshape(shape) * 3
        X = rng.standard_normal(shape)
        return self.corner(X + np.copysign(1e-3, X))

    def run(
        self, train: bool, seed: int = 0, layer: Layer | None = None, n: int | None = None
    ) -> Errors:
        """Relative errors in one mode; another layer (a mutant) may stand in for the case's own.

        In training without the `idle` biases: both their gradients are rounding errors.
        """
        rng = np.random.default_rng([seed, *self.name.encode()])
        layer = (self.make(rng) if layer is None else layer).astype(np.float64)
        spread(layer, rng)
        X = self.input(rng, n)
        errors = check_layer(layer, X, train, seed, self.most, **self.extra(rng, X.shape))
        unknowable = set(idle(layer)) if train else set()
        return {name: error for name, error in errors.items() if name not in unknowable}

    def run_modes(self, modes: tuple[bool, ...], n: int | None = None) -> Errors:
        """Relative errors of several modes, {"X, eval": error, ...}."""
        names = {True: "train", False: "eval"}
        runs = {names[train]: self.run(train, n=n) for train in modes}
        return {f"{what}, {mode}": e for mode, run in runs.items() for what, e in run.items()}


def idle(layer: Layer) -> Iterator[str]:
    """Names of the biases right before a BatchNorm, which takes out of the batch what they add.

    Nothing depends on them in training; in inference, with running statistics, everything does.
    """
    for prefix, part in layer.walk():
        if isinstance(part, Sequential):
            for i, (before, after) in enumerate(itertools.pairwise(part.layers)):
                if isinstance(after, BatchNorm2d) and hasattr(before, "b"):
                    yield f"{prefix}{i}.b"


def spread(layer: Layer, rng: np.random.Generator) -> None:
    """Move biases, gains and running statistics off 0 and 1, where mistakes in them hide."""
    for _, part in layer.walk():
        for name in ("b", "gamma", "beta", "log_t"):
            if hasattr(part, name):
                array = getattr(part, name).data
                array += rng.uniform(0.1, 0.5, array.shape)
        for name in part.buffers:
            array = getattr(part, name)
            array += rng.uniform(0.1, 0.5, array.shape)


@dataclass(frozen=True)
class LossCase:
    """A loss and inputs; the first `learned` inputs have gradients."""

    name: str
    loss: Callable[..., tuple]
    inputs: Callable[[np.random.Generator], tuple[np.ndarray, ...]]
    learned: int = 1

    def run(self, seed: int = 0, loss: Callable[..., tuple] | None = None) -> Errors:
        rng = np.random.default_rng([seed, *self.name.encode()])
        return check_loss(loss or self.loss, *self.inputs(rng), learned=self.learned, seed=seed)


class SideBySide(Layer):
    """layer(U, V) as a layer of one input, X = [U, V], of which U has the first `width` columns."""

    def __init__(self, layer: Layer, width: int):
        self.layer, self.width = layer, width

    def forward(self, X: Array, train: bool = True) -> tuple[Array, Backprop]:
        Y, back_two = self.layer.forward(X[:, : self.width], X[:, self.width :], train)

        def backprop(dY: Array, accumulate: bool = True, input_grad: bool = True) -> Array:
            both = back_two(dY, accumulate, input_grad)
            return None if both is None else array_module(X).concatenate(both, axis=1)

        return Y, backprop


class Spoilt(Layer):
    """A layer whose dX goes through spoil(dX, dY, Y); spoil_grads(layer, dY) spoils the rest."""

    def __init__(
        self,
        layer: Layer,
        spoil: Callable[[Array, Array, Array], Array] = lambda dX, dY, Y: dX,
        spoil_grads: Callable[[Layer, Array], None] = lambda layer, dY: None,
    ):
        self.layer, self.spoil, self.spoil_grads = layer, spoil, spoil_grads

    def forward(self, X: Array, train: bool = True, **more: Array) -> tuple[Array, Backprop]:
        Y, true_backprop = self.layer.forward(X, train, **more)

        def backprop(dY: Array, accumulate: bool = True, input_grad: bool = True) -> Array:
            dX = self.spoil(true_backprop(dY, accumulate), dY, Y)
            self.spoil_grads(self.layer, dY)
            return dX

        return Y, backprop
