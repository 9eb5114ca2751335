"""Exercises of chapter 18. Fill in, then run: python docs/exercises/ex18.py"""

from typing import Any

import numpy as np
from checking import run


def col2im_gather(
    cols: np.ndarray,
    shape: tuple[int, int, int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
) -> np.ndarray:
    """(18.5): an image of this shape (n, h, w, c), each pixel the sum of what comes to it.

    cols (n*oh*ow, kh*kw*c): rows in the order n, oy, ox, columns in the order i, j, c;
    oh = (h + 2 ph - kh) // sh + 1, ow likewise.
    """
    raise NotImplementedError


def intensity(
    shape: tuple[int, int, int, int],
    c_out: int,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    itemsize: int,
) -> float:
    """Operations a byte of a convolution as im2col and a product, without padding.

    shape: the image, (n, h, w, c). The image is read, the columns are written and read again, the
    weights are read, the output is written; a number has itemsize bytes. Only the product counts
    as arithmetic: a multiplication and an addition for each use of a weight.
    """
    raise NotImplementedError


def queue_times(d: np.ndarray, h: float) -> tuple[float, float]:
    """(when the host is back, when the queue is empty): kernels of d[0], d[1], ..., launches of h.

    Launch j = 1, 2, ... ends at j h. A kernel starts when it is launched and the one before it is
    done. Nobody waits for the queue.
    """
    raise NotImplementedError


def epoch_loss(losses: list[Any]) -> float:
    """The mean of 0-d arrays, which may be NumPy's or CuPy's; waits for the device once at most."""
    raise NotImplementedError


if __name__ == "__main__":
    run(globals())
