"""Exercises of chapter 2. Fill in, then run: python docs/exercises/ex02.py"""

from collections.abc import Callable, Mapping

import numpy as np
from checking import run


def slopes(f: Callable[[np.ndarray], float], X: np.ndarray, h: float = 1e-5) -> np.ndarray:
    """The slope of f(X), a number, by each number of X: central differences with step h.

    In the shape of X, whatever its number of axes. X is unchanged afterwards.
    """
    raise NotImplementedError


def same(A: np.ndarray, B: np.ndarray, tol: float = 1e-6) -> bool:
    """Whether two gradients are equal: same shape, all finite, relative error (2.4) at most tol.

    Two arrays of zeros are equal.
    """
    raise NotImplementedError


def wrong_ones(forwards: Mapping[str, Callable], X: np.ndarray) -> set[str]:
    """The names of the forwards whose backprop is wrong at X.

    Each is called as Y, backprop = forward(X) and dX = backprop(dY), like a layer's.
    """
    raise NotImplementedError


if __name__ == "__main__":
    run(globals())
