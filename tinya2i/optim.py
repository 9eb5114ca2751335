"""Optimisers over one flat buffer: all parameters side by side in memory, updated in few passes."""

import math
from collections.abc import Iterable

import numpy as np

from tinya2i import kernels
from tinya2i.backend import Array, array_module, to_device, to_numpy
from tinya2i.errors import CheckpointError
from tinya2i.layer import Param
from tinya2i.threads import in_shares

SLICE_WEIGHT = 2  # a slice is this part of threads.SLICE_BYTES: five arrays are read at a time
ALIGN = 16  # numbers: each parameter starts on a 64-byte cache line, as BLAS likes it


class Optimiser:
    """Base: gathers parameters and gradients into two flat arrays, which the Params then view.

    Build it last, after `model.astype` and `model.to`, which would cut the views off; a step
    refuses to run then. `step` also clears the gradients. slots: names of further flat arrays.
    """

    slots: tuple[str, ...] = ()

    def __init__(self, params: Iterable[Param], lr: float):
        self.params = list(params)
        if not self.params:
            raise ValueError("an optimiser needs at least one parameter")
        if len({param.data.dtype for param in self.params}) > 1:
            raise ValueError("all parameters must have one dtype: call model.astype first")
        self.lr, self.t = lr, 0
        self.data, self.grad = self._flatten("data"), self._flatten("grad")
        self._views = [param.data for param in self.params]
        for name in self.slots:
            setattr(self, name, array_module(self.data).zeros_like(self.data))

    def _flatten(self, attribute: str) -> Array:
        first = getattr(self.params[0], attribute)
        sizes = [math.ceil(param.data.size / ALIGN) * ALIGN for param in self.params]
        flat = array_module(first).zeros(sum(sizes), first.dtype)
        start = 0
        for param, size in zip(self.params, sizes, strict=True):
            array = getattr(param, attribute)
            view = flat[start : start + array.size].reshape(array.shape)
            view[...] = array
            setattr(param, attribute, view)
            start += size
        return flat

    def step(self) -> None:
        """Move every parameter once, against its gradient; then set the gradients to zero."""
        if any(p.data is not view for p, view in zip(self.params, self._views, strict=True)):
            raise RuntimeError(
                "the model was converted or given to another optimiser after this one was built: "
                "call astype and to first, and build the optimiser last"
            )
        self.t += 1

        def work(parts: Iterable[slice]) -> None:
            for part in parts:
                self._update(part)

        for param in self.params:
            param.settle()
        # A slice of all arrays fits into the cache: one pass over memory, not thirty.
        in_shares(array_module(self.data), len(self.data), SLICE_WEIGHT * self.data.itemsize, work)
        for param in self.params:
            param.clear()

    def _update(self, part: slice) -> None:
        raise NotImplementedError

    def state(self) -> dict[str, np.ndarray]:
        """{"t": steps taken, ...}: what a later step depends on beside the parameters."""
        arrays = {name: to_numpy(getattr(self, name)).copy() for name in self.slots}
        return {**arrays, "t": np.array(self.t)}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Copy what `state` returned back in; CheckpointError where it is of another model."""
        if set(state) != {*self.slots, "t"}:
            raise CheckpointError(f"optimiser state has {sorted(state)}, not {[*self.slots, 't']}")
        for name in self.slots:
            if state[name].shape != self.data.shape or state[name].dtype != self.data.dtype:
                raise CheckpointError(f"optimiser state {name!r} belongs to another model")
        t = state["t"]
        if t.shape != () or t.dtype.kind not in "iu" or t < 0:
            raise CheckpointError("optimiser state 't' is not a number of steps")
        for name in self.slots:
            getattr(self, name)[...] = to_device(state[name], array_module(self.data))
        self.t = int(t)


class SGD(Optimiser):
    """v = momentum * v + g;  p = p - lr * v        (PyTorch's SGD, no dampening)"""

    slots = ("velocity",)

    def __init__(self, params: Iterable[Param], lr: float = 1e-3, momentum: float = 0.0):
        super().__init__(params, lr)
        self.momentum = momentum

    def _update(self, part: slice) -> None:
        v = self.velocity[part]
        v *= self.momentum
        v += self.grad[part]
        self.data[part] -= self.lr * v


class Adam(Optimiser):
    """m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2;  p = p - lr * m^ / (sqrt(v^) + eps)

    with m^ = m / (1 - b1^t) and v^ = v / (1 - b2^t), t counting from 1 (Kingma and Ba 2015,
    algorithm 1; eps stands outside the root, as in PyTorch). `self.m` is m / (1 - b1), `self.v` is
    v / (1 - b2).
    """

    slots = ("m", "v")

    def __init__(
        self,
        params: Iterable[Param],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ):
        super().__init__(params, lr)
        self.betas, self.eps = betas, eps
        if kernels.usable(self.data):
            self.clock = kernels.adam_clock(array_module(self.data), lr, betas, eps)

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        super().load_state(state)
        if kernels.usable(self.data):
            self.clock[kernels.T] = self.t

    def _update(self, part: slice) -> None:
        if kernels.usable(self.data):  # there the one part is all of it
            self.clock[kernels.LR] = self.lr
            kernels.adam(self.data, self.grad, self.m, self.v, self.clock)
            return
        xp = array_module(self.data)
        b1, b2 = self.betas
        # With m and v without their factors (1-b1) and (1-b2), what the definition does to whole
        # arrays is left to two numbers, which saves passes over memory.
        scale = math.sqrt((1 - b2**self.t) / (1 - b2))  # the root of v^ is sqrt(v) / scale
        rate = self.lr * scale * (1 - b1) / (1 - b1**self.t)
        g, m, v = self.grad[part], self.m[part], self.v[part]
        m *= b1
        m += g
        v *= b2
        A = g * g
        v += A
        xp.sqrt(v, out=A)
        A += self.eps * scale
        xp.divide(m, A, out=A)
        A *= rate
        self.data[part] -= A
