"""The protocol: forward returns its own backprop.

    Y, backprop = layer.forward(X, train=True)
    dX = backprop(dY, accumulate=True, input_grad=True)
    Y = layer(X)                                            # inference

Nothing about a call lives on the layer: the closure keeps what it needs, so two passes (a real
batch and a fake one) never overwrite each other. A closure changes nothing but `Param.grad`,
may be called again, and works in both modes. `accumulate=False` skips the parameter gradients and
their matrix products; `input_grad=False` skips dX, which nobody asks a first layer for: it is None.
"""

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import overload

import numpy as np

from tinya2i.backend import Array, array_module, to_device, to_numpy
from tinya2i.errors import CheckpointError

Backprop = Callable[..., Array]
BackpropTwo = Callable[..., tuple[Array, Array]]  # of a layer of two inputs: (dU, dV)


class Param:
    """A learned array and the gradient of the loss with respect to it, updated in place.

    `clear` sets the gradient to zero without writing the zeros: most often the next thing to
    happen is that a layer writes all of it (`open_grad`), and zeros would only cost time.
    """

    def __init__(self, data: Array):
        self.data = data
        self.grad = np.zeros_like(data)

    @property
    def grad(self) -> Array:
        """The gradient, to read and to add to."""
        self.settle()
        return self._grad

    @grad.setter
    def grad(self, array: Array) -> None:
        self._grad, self._cleared = array, False

    def clear(self) -> None:
        """Set the gradient to zero."""
        self._cleared = True

    def settle(self) -> None:
        """Write the zeros, where nothing else has been written since `clear`."""
        if self._cleared:
            self._grad[...] = 0
            self._cleared = False

    def open_grad(self) -> tuple[Array, bool]:
        """The gradient's array and whether it counts: to be added to if True, overwritten if not.

        Whoever calls this writes every number.
        """
        counts, self._cleared = not self._cleared, False
        return self._grad, counts

    def convert(self, function: Callable[[Array], Array]) -> None:
        """Replace both arrays by function(array): how a model changes its dtype or its device."""
        self.data, self.grad = function(self.data), function(self.grad)


class Layer:
    """Base of everything with a forward. A subclass writes `forward` and sets Params as attributes.

    buffers: the names of array attributes that are state but not learned (running statistics).
    """

    buffers: tuple[str, ...] = ()

    def forward(self, X: Array, train: bool = True) -> tuple[Array, Backprop]:
        """Y and the closure that turns dY into dX; see this module's text."""
        raise NotImplementedError

    def __call__(self, X: Array) -> Array:
        """Y in inference mode."""
        return self.forward(X, train=False)[0]

    def children(self) -> Iterator[tuple[str, "Layer"]]:
        """The layers that are attributes of this one, by name, in the order they were set."""
        return ((name, value) for name, value in vars(self).items() if isinstance(value, Layer))

    def walk(self, prefix: str = "", seen: set[int] | None = None) -> Iterator[tuple[str, "Layer"]]:
        """This layer and all below it, once each even where one is shared, with dotted names."""
        seen = set() if seen is None else seen
        if id(self) in seen:
            return
        seen.add(id(self))
        yield prefix, self
        for name, child in self.children():
            yield from child.walk(f"{prefix}{name}.", seen)

    def named_params(self) -> Iterator[tuple[str, Param]]:
        """("encoder.0.W", Param), ... in a stable order, each once."""
        for prefix, layer in self.walk():
            for name, value in vars(layer).items():
                if isinstance(value, Param):
                    yield prefix + name, value

    def params(self) -> Iterator[Param]:
        """Every Param once, in the same order as named_params."""
        return (param for _, param in self.named_params())

    def count(self) -> int:
        """How many numbers are learned."""
        return sum(param.data.size for param in self.params())

    def zero_grad(self) -> None:
        """Set every gradient to zero."""
        for param in self.params():
            param.grad[...] = 0

    def astype(self, dtype: np.dtype | type | str) -> "Layer":
        """Convert parameters and buffers in place. Do it before an optimiser is built."""
        return self._convert(lambda array: array.astype(dtype))

    def to(self, xp: ModuleType) -> "Layer":
        """Move parameters and buffers to array module xp. Do it before an optimiser is built."""
        return self._convert(lambda array: to_device(array, xp))

    def _convert(self, function: Callable[[Array], Array]) -> "Layer":
        for _, layer in self.walk():
            for value in vars(layer).values():
                if isinstance(value, Param):
                    value.convert(function)
            for name in layer.buffers:
                setattr(layer, name, function(getattr(layer, name)))
        return self

    def _arrays(self) -> Iterator[tuple[str, Array]]:
        for name, param in self.named_params():
            yield name, param.data
        for prefix, layer in self.walk():
            for name in layer.buffers:
                yield prefix + name, getattr(layer, name)

    def state(self) -> dict[str, np.ndarray]:
        """{"encoder.0.W": array, ...}: copies of all parameters and buffers, as NumPy arrays."""
        return {name: to_numpy(array).copy() for name, array in self._arrays()}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Copy a state into this layer, in place.

        Every name, shape and dtype is checked before the first number is written; CheckpointError
        lists all that differ.
        """
        mine = dict(self._arrays())
        problems = state_differences({k: (v.shape, v.dtype) for k, v in mine.items()}, state)
        if problems:
            raise CheckpointError("the state does not fit this model: " + "; ".join(problems))
        for name, array in mine.items():
            array[...] = to_device(state[name], array_module(array))


def state_differences(
    expected: dict[str, tuple[tuple[int, ...], np.dtype]], state: dict[str, np.ndarray]
) -> list[str]:
    """What is missing, left over, or of another shape or dtype, a short sentence each."""
    problems = [f"{name} is missing" for name in expected.keys() - state.keys()]
    problems += [f"{name} is not part of it" for name in state.keys() - expected.keys()]
    for name in expected.keys() & state.keys():
        (shape, dtype), array = expected[name], state[name]
        if array.shape != shape or array.dtype != dtype:
            problems.append(f"{name} is {array.dtype}{array.shape}, expected {dtype}{shape}")
    return sorted(problems)


class Sequential(Layer):
    """Y = f_k(... f_2(f_1(X))): layers one after the other, backprop in reverse.

    The layers are named by position, "0", "1", ...; sequential[2:5] is those of them, shared.
    """

    def __init__(self, *layers: Layer):
        self.layers = list(layers)

    def children(self) -> Iterator[tuple[str, Layer]]:
        return ((str(i), layer) for i, layer in enumerate(self.layers))

    @overload
    def __getitem__(self, i: int) -> Layer: ...

    @overload
    def __getitem__(self, i: slice) -> "Sequential": ...

    def __getitem__(self, i: int | slice) -> Layer:
        return Sequential(*self.layers[i]) if isinstance(i, slice) else self.layers[i]

    def __len__(self) -> int:
        return len(self.layers)

    def forward(self, X: Array, train: bool = True) -> tuple[Array, Backprop]:
        backprops = []
        for layer in self.layers:
            X, backprop = layer.forward(X, train)
            backprops.append(backprop)

        def backprop_all(dY: Array, accumulate: bool = True, input_grad: bool = True) -> Array:
            for i in range(len(backprops) - 1, -1, -1):
                dY = backprops[i](dY, accumulate, input_grad or i > 0)
            return dY

        return X, backprop_all
