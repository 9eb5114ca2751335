"""Matrix products and sums of columns, in shares of memory and cores."""

from collections.abc import Callable, Iterable

import numpy as np

from tinya2i import kernels
from tinya2i.backend import Array, array_module
from tinya2i.kernels import cublas
from tinya2i.threads import LARGE_BYTES, SLICE_BYTES, in_shares

COLUMNS = 512  # in a product: BLAS copies A once for each block of columns


def product(A: Array, B: Array, out: Array, add: bool = False) -> None:
    """out = A @ B, or out += A @ B where `add`, in place and in one piece."""
    if cublas.usable(A):
        cublas.matmul(A, B, out, add)
    elif add:
        out += A @ B
    else:
        array_module(A).matmul(A, B, out=out)


def matmul(A: Array, B: Array) -> Array:
    """A @ B for few rows and many columns, a block of columns to each thread."""
    xp = array_module(A)
    Y = xp.empty((len(A), B.shape[1]), A.dtype)
    if xp is not np:
        product(A, B, Y)
        return Y

    def work(parts: Iterable[slice]) -> None:
        for columns in parts:
            product(A, B[:, columns], Y[:, columns])

    in_shares(xp, B.shape[1], min(len(B) * B.itemsize, SLICE_BYTES // COLUMNS), work)
    return Y


def add_matmul(out: Array, add: bool, A: Array, B: Array) -> None:
    """out += A @ B in place, or where add is False out = A @ B; a block of rows at a time."""

    def work(parts: Iterable[slice]) -> None:
        for rows in parts:
            product(A[rows], B, out[rows], add)

    in_shares(array_module(A), len(out), max(1, out[:1].nbytes // 4), work)


def column_sum(X: Array) -> Array:
    """The sum over all axes but the last: X (..., c) -> (c,).

    Not by adding up all rows one by one, as both NumPy and CuPy do along the first axis: a product
    with ones is faster, and BLAS sums in blocks, which in float32 is more accurate; so are slices.
    """
    if kernels.usable(X):
        return kernels.column_sum(X)
    batch_last = X.transpose(*range(1, X.ndim), 0)
    if array_module(X) is np and X.ndim > 2 and len(X) and batch_last.flags.c_contiguous:
        sums = batch_last.reshape(-1, len(X)) @ np.ones(len(X), X.dtype)
        return column_sum(sums.reshape(-1, X.shape[-1]))
    X = X.reshape(-1, X.shape[-1])
    if X.nbytes >= LARGE_BYTES and array_module(X) is np:
        return column_sums(lambda X: (X,), X)[0]
    return array_module(X).ones(len(X), X.dtype) @ X


def column_sums(function: Callable[..., tuple[Array, ...]], *arrays: Array) -> list[Array]:
    """[column_sum(A), ...] of matrices (A, ...) = function(*arrays), made a slice at a time.

    arrays are matrices, too. Rows of a slice are added one by one: in a product with a vector NumPy
    keeps the interpreter's lock, and the other threads would wait.
    """
    X = arrays[0]
    xp = array_module(X)

    def work(parts: Iterable[slice]) -> list[Array]:
        sums = [
            [A.sum(axis=0) for A in function(*(array[part] for array in arrays))]
            for part in list(parts) or [slice(0)]  # of an empty batch: zeros
        ]
        return [sum(column) for column in zip(*sums, strict=True)]

    shares = in_shares(xp, len(X), X[:1].nbytes, work, fixed=True)
    return [sum(column) for column in zip(*shares, strict=True)]
