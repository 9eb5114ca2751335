"""Matrix products in shares of memory and cores."""

from collections.abc import Iterable

import numpy as np

from tinya2i.backend import Array, array_module
from tinya2i.threads import SLICE_BYTES, in_shares

COLUMNS = 512  # in a product: BLAS copies A once for each block of columns


def matmul(A: Array, B: Array) -> Array:
    """A @ B for few rows and many columns, a block of columns to each thread."""
    xp = array_module(A)
    if xp is not np:
        return A @ B
    Y = np.empty((len(A), B.shape[1]), A.dtype)

    def work(parts: Iterable[slice]) -> None:
        for columns in parts:
            Y[:, columns] = A @ B[:, columns]

    in_shares(xp, B.shape[1], min(len(B) * B.itemsize, SLICE_BYTES // COLUMNS), work)
    return Y


def add_matmul(out: Array, A: Array, B: Array) -> None:
    """out += A @ B, in place, a block of rows at a time, so that the product stays in cache."""

    def work(parts: Iterable[slice]) -> None:
        for rows in parts:
            out[rows] += A[rows] @ B

    in_shares(array_module(A), len(out), max(1, out[:1].nbytes // 4), work)


def column_sum(X: Array) -> Array:
    """X.sum(axis=0) of a matrix, as a product with ones.

    BLAS sums in blocks: faster, and in float32 more accurate, than adding up the rows one by one,
    which is what both NumPy and CuPy do along the first axis.
    """
    return array_module(X).ones(len(X), X.dtype) @ X
