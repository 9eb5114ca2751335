"""Pictures cut into tiles, for `winograd`: which tiles, views of them, and sums along both axes."""

import functools
import itertools
import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from tinya2i.backend import Array
from tinya2i.ops.toom import Axis, axes
from tinya2i.ops.windows import Pair, windows
from tinya2i.threads import in_shares

# What else takes time, in multiplications: a number of im2col, of V, of M and of U.
PER_COLUMN, PER_PIXEL, PER_OUTPUT, PER_WEIGHT = 25, 80, 50, 60


class Tiles(NamedTuple):
    """How the outputs are cut into tiles, along both axes."""

    y: Axis
    x: Axis

    @property
    def count(self) -> int:
        """The tiles of one picture."""
        return self.y.count * self.x.count

    @property
    def products(self) -> int:
        """The products of one tile."""
        return self.y.products * self.x.products


def plain_cost(n: int, out: Pair, c_out: int) -> float:
    """What im2col and its product cost, as `cheapest` counts."""
    return 4 * n * math.prod(out) * (1 + PER_COLUMN / c_out)


@functools.lru_cache(1000)
def cheapest(n: int, out: Pair, c_in: int, c_out: int) -> tuple[float, Tiles | None]:
    """(cost, tiles): the best for n pictures and blocks of c_in numbers; (infinity, None) if none.

    The cost is in multiplications for each of c_in * c_out weights.
    """

    def cost(tiles: Tiles) -> float:
        rows = n * tiles.count * (1 + PER_PIXEL / c_out + PER_OUTPUT / c_in)
        return tiles.products * (rows + PER_WEIGHT)

    ways = itertools.starmap(Tiles, itertools.product(*map(axes, out)))
    costs = ((cost(tiles), tiles) for tiles in ways)
    return min(costs, key=lambda way: way[0], default=(math.inf, None))


def blocks(X: Array, tiles: Tiles, stride: Pair) -> Array:
    """A view (ty + 1, tx + 1, n, tiles_y, tiles_x, sh, sw, c) of the blocks that tiles see."""
    D = windows(X, stride, stride)
    n, y, x, *block = D.strides
    shape = (tiles.y.tile + 1, tiles.x.tile + 1, len(X), tiles.y.count, tiles.x.count)
    strides = (y, x, n, y * tiles.y.tile, x * tiles.x.tile, *block)
    return np.lib.stride_tricks.as_strided(D, (*shape, *D.shape[3:]), strides)


def outputs(Y: Array, tiles: Tiles) -> Array:
    """Y (n, oh, ow, c) as (ty, tx, n, tiles_y, tiles_x, c)."""
    (y, x), (n, _, _, c) = tiles, Y.shape
    return Y.reshape(n, y.count, y.tile, x.count, x.tile, c).transpose(2, 4, 0, 1, 3, 5)


def forth(
    Ty: Array, Tx: Array, view: Callable[[slice], Array], n: int, count: int, c: int,
    dtype: np.dtype,
) -> Array:  # fmt: skip
    """Ty D Tx^T of tiles D = view(images) (a, b, images, ...), as matrices (q, n*count, c)."""
    V = np.empty((len(Ty), len(Tx), n * count * c), dtype)
    item = count * c

    def work(parts: Iterable[slice]) -> None:
        for part in parts:
            D = view(part)
            columns = slice(part.start * item, part.stop * item)
            _both(Ty, Tx, D.reshape(*D.shape[:2], -1), V[..., columns])

    in_shares(np, n, V[..., :item].nbytes, work)
    return V.reshape(-1, n * count, c)


def back(Ty: Array, Tx: Array, M: Array, n: int, write: Callable[[slice, Array], None]) -> None:
    """write(images, Ty M Tx^T) of matrices M (q, n*count, c), some images at a time."""
    M = M.reshape(Ty.shape[1], Tx.shape[1], -1)
    item = M.shape[2] // n

    def work(parts: Iterable[slice]) -> None:
        for part in parts:
            write(part, _both(Ty, Tx, M[..., part.start * item : part.stop * item]))

    in_shares(np, n, M[..., :item].nbytes, work)


def _both(Ty: Array, Tx: Array, D: Array, out: Array | None = None) -> Array:
    """Ty along the first axis of D (a, b, k), Tx along the second."""
    Ty, Tx = Ty.astype(D.dtype), Tx.astype(D.dtype)
    rows = np.matmul(Ty, D.swapaxes(0, 1))
    return np.matmul(Tx, rows.swapaxes(0, 1), out=out)
