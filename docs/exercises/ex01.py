"""Exercises of chapter 1. Fill in, then run: python docs/exercises/ex01.py"""

import numpy as np
from checking import run


def linear_backward(
    dY: np.ndarray, X: np.ndarray, W: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(dX, dW, db) of Y = X W + b, for X (n, i), W (i, o), dY (n, o)."""
    raise NotImplementedError


def broadcast_backward(
    dY: np.ndarray, X: np.ndarray, s: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(dX, ds) of Y = X * s, for X (n, k), s (k,)."""
    raise NotImplementedError


def twice(dy: float, x: float, w: float) -> float:
    """dw of y = w * (w * x): the same weight, used two times."""
    raise NotImplementedError


if __name__ == "__main__":
    run(globals())
