"""Starting values of weights, each drawn from one numpy Generator.

They are drawn on the CPU in float64 and stored in float32, so both backends start from the same
bits. `fan_in` is the number of inputs that one output sums over.
"""

import math
from collections.abc import Callable

import numpy as np

Init = Callable[[np.random.Generator, tuple[int, ...], int, int], np.ndarray]


def he(rng: np.random.Generator, shape: tuple[int, ...], fan_in: int, fan_out: int) -> np.ndarray:
    """W ~ N(0, 2 / fan_in): keeps a ReLU layer's variance (He et al. 2015, eq. 10)."""
    return rng.normal(0.0, math.sqrt(2 / fan_in), shape).astype(np.float32)


def glorot(
    rng: np.random.Generator, shape: tuple[int, ...], fan_in: int, fan_out: int
) -> np.ndarray:
    """W ~ U(-a, a), a = sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, eq. 16)."""
    a = math.sqrt(6 / (fan_in + fan_out))
    return rng.uniform(-a, a, shape).astype(np.float32)


def dcgan(
    rng: np.random.Generator, shape: tuple[int, ...], fan_in: int, fan_out: int
) -> np.ndarray:
    """W ~ N(0, 0.02^2), whatever the layer's size (Radford et al. 2016, section 4)."""
    return rng.normal(0.0, 0.02, shape).astype(np.float32)


def torch_uniform(
    rng: np.random.Generator, shape: tuple[int, ...], fan_in: int, fan_out: int
) -> np.ndarray:
    """W ~ U(-1/sqrt(fan_in), 1/sqrt(fan_in)): the default of PyTorch's Linear and Conv2d."""
    a = 1 / math.sqrt(fan_in)
    return rng.uniform(-a, a, shape).astype(np.float32)


def bias(rng: np.random.Generator, n: int, fan_in: int, weights: Init) -> np.ndarray:
    """Zeros; but PyTorch's default draws biases as it draws weights."""
    if weights is torch_uniform:
        return torch_uniform(rng, (n,), fan_in, n)
    return np.zeros(n, np.float32)


BY_NAME: dict[str, Init] = {"he": he, "glorot": glorot, "dcgan": dcgan, "torch": torch_uniform}
