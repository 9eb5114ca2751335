"""Exercises of chapter 5. Fill in, then run: python docs/exercises/ex05.py"""

import numpy as np
from checking import run


def transposed_conv(
    X: np.ndarray, W: np.ndarray, b: np.ndarray, stride: int, padding: int
) -> np.ndarray:
    """Y of one picture: X (h, w, d), W (kh, kw, c, d), b (c,), no output padding."""
    raise NotImplementedError


def transposed_conv_backward(
    dY: np.ndarray, X: np.ndarray, W: np.ndarray, stride: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(dX, dW, db) of one picture, not padded: dY (oh, ow, c), X (h, w, d), W (kh, kw, c, d)."""
    raise NotImplementedError


def doubling() -> tuple[int, int, int]:
    """(kernel, stride, padding) that take 7 to 14 and 14 to 28 pixels; stamps must overlap."""
    raise NotImplementedError


def overlaps(size: int, kernel: int, stride: int) -> list[int]:
    """How many stamps land on each pixel of the large row, for a row of `size`, not padded."""
    raise NotImplementedError


if __name__ == "__main__":
    run(globals())
