"""Matrices column by column: sums over rows, bias and activation."""

import numpy as np

from tinya2i.backend import Array, array_module
from tinya2i.kernels.launch import launch, table

LANES = 1024  # threads in a block that adds up rows: the most there can be
PARTS = 128  # blocks that share the rows of one sum; a second kernel adds up their sums


def column_sum(X: Array) -> Array:
    """The sum over all axes but the last, in double: X (..., c) -> (c,); equals ops.column_sum."""
    X = array_module(X).ascontiguousarray(X).reshape(-1, X.shape[-1])
    return sums("column_sum", 1, X, X)[0]


def sums(name: str, count: int, M: Array, *arguments: Array | float) -> Array:
    """What the named kernel adds up over the rows of M (rows, c): `count` sums, (count, c)."""
    xp, (rows, c) = array_module(M), M.shape
    grid, block = table(rows, c, PARTS, LANES)
    partial = xp.empty((count, grid[0], c), np.float64)
    out = xp.empty((count, c), M.dtype)
    launch(name, M.dtype, grid, block, *arguments, partial, out, rows, c)
    if grid[0] > 1:
        (_, columns), block = table(grid[0], c, PARTS, LANES)
        launch("add_parts", M.dtype, (count, columns), block, partial, out, grid[0], c)
    return out


def bias_act(Y: Array, b: Array, slope: float) -> None:
    """Y = a(Y + b), in place, where a(x) = x for x > 0, else slope * x.

    Y (..., c) in C order, b (c,). slope 0: ReLU; 1: the bias alone; others: LeakyReLU.
    """
    c = len(b)
    rows = Y.size // c
    launch("bias_act", Y.dtype, *table(rows, c), Y, b, float(slope), rows, c)


def act_grad(dY: Array, Y: Array, slope: float) -> tuple[Array, Array]:
    """dX = dY where Y > 0, else slope * dY; db = sum of dX over all axes but the last.

    The gradients of Y = bias_act(X, b, slope): dY, Y (..., c) -> dX (..., c), db (c,). Raises
    ValueError for a negative slope, with which Y would not tell the sign of X.
    """
    if slope < 0:
        raise ValueError(f"slope is {slope}: below 0 the sign of X is not that of Y")
    xp = array_module(Y)
    dY, M = xp.ascontiguousarray(dY), xp.ascontiguousarray(Y).reshape(-1, Y.shape[-1])
    dX = xp.empty(Y.shape, Y.dtype)
    return dX, sums("act_grad", 1, M, dY, M, float(slope), dX)[0]
