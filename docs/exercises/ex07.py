"""Exercises of chapter 7. Fill in, then run: python docs/exercises/ex07.py"""

import numpy as np
from checking import run

from tinya2i import models


def adam_steps(
    p: np.ndarray, gradients: np.ndarray, lr: float, betas: tuple[float, float], eps: float
) -> np.ndarray:
    """Where p (k,) is after each of Adam's steps with gradients (steps, k): (steps, k)."""
    raise NotImplementedError


def he_std(kh: int, kw: int, c_in: int, c_out: int) -> float:
    """The standard deviation of He's weights for a kh x kw convolution of c_in to c_out maps."""
    raise NotImplementedError


def maxpool_backward(dY: np.ndarray, X: np.ndarray) -> np.ndarray:
    """dX of max pooling with windows of 2 x 2, stride 2: X (n, h, w, c), dY (n, h//2, w//2, c).

    Of several equal pixels the first, row by row, gets the gradient. h and w may be odd.
    """
    raise NotImplementedError


def overfit(model: models.LeNet5, X: np.ndarray, labels: np.ndarray) -> None:
    """Train model in place until its loss on X (20, 28, 28, 1), labels (20,) is below 0.001."""
    raise NotImplementedError


if __name__ == "__main__":
    run(globals())
