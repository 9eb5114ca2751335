"""Exercises of chapter 4. Fill in, then run: python docs/exercises/ex04.py"""

import numpy as np
from checking import run


def out_size(size: int, kernel: int, stride: int, padding: int) -> int:
    """How many windows fit along one axis of `size` pixels, `padding` zeros on either side."""
    raise NotImplementedError


def kernel_matrix(W: np.ndarray, h: int, w: int) -> np.ndarray:
    """M (oh*ow, h*w) with Y.ravel() = M @ X.ravel(), for W (kh, kw), X (h, w), stride 1."""
    raise NotImplementedError


def input_grad(dY: np.ndarray, W: np.ndarray, h: int, w: int, stride: int) -> np.ndarray:
    """dX (h, w, c) of one picture, not padded, for dY (oh, ow, d), W (kh, kw, c, d)."""
    raise NotImplementedError


def weight_grad(dY: np.ndarray, X: np.ndarray, kh: int, kw: int, stride: int) -> np.ndarray:
    """dW (kh, kw, c, d) of one picture X (h, w, c), not padded, for dY (oh, ow, d)."""
    raise NotImplementedError


if __name__ == "__main__":
    run(globals())
