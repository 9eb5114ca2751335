"""Adam over flat arrays, in one pass over memory."""

from types import ModuleType

import numpy as np

from tinya2i.backend import Array
from tinya2i.kernels.launch import BLOCKS, THREADS, launch

LR, T = 0, 4  # places in the clock


def adam_clock(
    xp: ModuleType, lr: float, betas: tuple[float, float], eps: float, t: int = 0
) -> Array:
    """[lr, b1, b2, eps, t, ., .] in float64: what a step reads from the device; t steps are done.

    A CUDA graph repeats the arguments of its kernels, so what changes must lie in memory:
    `clock[LR] = lr` moves the learning rate, and each step moves t.
    """
    return xp.asarray(np.array([lr, *betas, eps, t, 0, 0], np.float64))


def adam(data: Array, grad: Array, m: Array, v: Array, clock: Array) -> None:
    """m = b1 m + g;  v = b2 v + g^2;  p = p - rate * m / (sqrt(v) + shift), in place.

    t = t + 1 in the clock first, then rate and shift from it: optim.Adam's step, with m and v as
    kept there, m / (1 - b1) and v / (1 - b2). data, grad, m, v (n,).
    """
    launch("adam_tick", data.dtype, (1, 1), (1, 1), clock)
    grid = (max(1, min(BLOCKS, -(-data.size // THREADS))), 1)
    launch("adam", data.dtype, grid, (THREADS, 1), data, grad, m, v, clock, data.size)
