"""Matrices column by column: sums over rows."""

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
