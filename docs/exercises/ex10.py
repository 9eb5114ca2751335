"""Exercises of chapter 10. Fill in, then run: python docs/exercises/ex10.py"""

import numpy as np
from checking import run


def output_gradients(Z: np.ndarray, T: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """dZ of the squared error of sigmoid(Z), and dZ of the cross-entropy, for Z, T (n, p).

    Both losses are summed over pixels and averaged over the batch.
    """
    raise NotImplementedError


def linear_gradients(
    X: np.ndarray, A: np.ndarray, B: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """(L, dA, dB) of L = 1/n sum (X A B - X)^2, for X (n, p), A (p, d), B (d, p)."""
    raise NotImplementedError


def train_linear(X: np.ndarray, d: int) -> tuple[np.ndarray, np.ndarray]:
    """(A, B) of a linear autoencoder of width d, trained or computed, for centred X (n, p).

    Its error 1/n sum (X A B - X)^2 must be within 1 % of the least possible.
    """
    raise NotImplementedError


def best_width(variances: np.ndarray, sigma: float) -> int:
    """The d that makes (10.11) smallest: pixels' noise has the standard deviation sigma.

    variances (p,) of the pictures along their principal directions, in any order.
    """
    raise NotImplementedError


if __name__ == "__main__":
    run(globals())
