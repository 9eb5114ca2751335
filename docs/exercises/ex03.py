"""Exercises of chapter 3. Fill in, then run: python docs/exercises/ex03.py"""

import numpy as np
from checking import run


def bce(Z: np.ndarray, T: np.ndarray) -> tuple[float, np.ndarray]:
    """(L, dZ) of binary cross-entropy from logits, for Z and T (n, ...), T in 0..1.

    Sum over all axes but the first, mean over the first. No overflow, however large Z is.
    """
    raise NotImplementedError


def cross_entropy(Z: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """(L, dZ) for logits Z (n, k) and integer labels (n,), mean over the batch; no overflow."""
    raise NotImplementedError


def softmax_backward(dY: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """dX of Y = softmax(X) over the last axis, for dY and Y (n, k)."""
    raise NotImplementedError


def at_chance(k: int, pixels: int) -> tuple[float, float]:
    """(cross-entropy of k equal logits, BCE of a picture of so many pixels, all logits 0)."""
    raise NotImplementedError


if __name__ == "__main__":
    run(globals())
