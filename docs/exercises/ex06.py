"""Exercises of chapter 6. Fill in, then run: python docs/exercises/ex06.py"""

import numpy as np
from checking import run


def batchnorm_forward(X: np.ndarray, gamma: np.ndarray, beta: np.ndarray, eps: float) -> np.ndarray:
    """Y of BatchNorm in training, for images X (n, h, w, c), gamma and beta (c,)."""
    raise NotImplementedError


def batchnorm_backward(
    dY: np.ndarray, X: np.ndarray, gamma: np.ndarray, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(dX, dgamma, dbeta) of BatchNorm in training, for images dY, X (n, h, w, c)."""
    raise NotImplementedError


def batchnorm_backward_alt(
    dY: np.ndarray, N: np.ndarray, s: np.ndarray, gamma: np.ndarray
) -> np.ndarray:
    """dX in one line: dY (m, c); N = (X - mean) / s (m, c), s = sqrt(var + eps) (c,) are given."""
    raise NotImplementedError


def running(
    mean: np.ndarray, var: np.ndarray, X: np.ndarray, momentum: float
) -> tuple[np.ndarray, np.ndarray]:
    """The running mean and variance (c,) after one more batch X (n, h, w, c) in training."""
    raise NotImplementedError


if __name__ == "__main__":
    run(globals())
