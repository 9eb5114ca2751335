"""Distances between many points, by blocks: 10,000 to 10,000 of them need no gigabyte.

A point is a picture, or the features of one: an array (n, ...) is n points, whatever stands behind
its first axis.
"""

from collections.abc import Iterator
from math import prod

import numpy as np

BLOCK = 1 << 20  # distances at a time: 8 MiB
SAME = 1e-12  # of their size: rounding leaves 1e-14 of the squared distance of equal points


def points(X: np.ndarray, least: int = 1) -> np.ndarray:
    """X (n, ...) as (n, d) float64.

    Raises ValueError for fewer than `least` points, for points without a coordinate, and for
    numbers that are not real and finite.
    """
    X = np.asarray(X)
    if X.dtype.kind not in "biuf" or X.ndim < 2 or 0 in X.shape[1:]:
        raise ValueError(f"{X.dtype}{X.shape} is not n points of d real coordinates")
    if len(X) < least:
        raise ValueError(f"{len(X)} points where at least {least} are needed")
    X = X.reshape(len(X), prod(X.shape[1:])).astype(np.float64)
    if not np.isfinite(X).all():
        raise ValueError("a coordinate is not finite")
    return X


def squared_distances(X: np.ndarray, T: np.ndarray) -> np.ndarray:
    """D[i, j] = |x_i - t_j|^2 = |x_i|^2 + |t_j|^2 - 2 x_i t_j

    X (n, ...), T (m, ...)  ->  (n, m) float64, at least 0. The mean of T is the origin, so that
    little cancels; what is left for two equal points is set to 0, and with it the distance of
    points that differ by less than a millionth of their own. Raises ValueError, see `points`, and
    where x and t have not equally many coordinates.
    """
    X, T = points(X), points(T)
    if X.shape[1] != T.shape[1]:
        raise ValueError(f"points of {X.shape[1]} and of {T.shape[1]} coordinates")
    origin = T.mean(axis=0)
    X, T = X - origin, T - origin
    sizes = np.einsum("nd,nd->n", X, X)[:, None] + np.einsum("md,md->m", T, T)
    D, rounding = sizes - 2 * (X @ T.T), SAME * sizes
    return np.where(rounding < D, D, 0.0)


def nearest(X: np.ndarray, T: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """j_i = argmin_j |x_i - t_j|, and these distances

    X (n, ...), T (m, ...)  ->  indices (n,) int64 of the first nearest one, Euclidean distances
    (n,). T is converted by blocks and may be the bytes of a large data set. Raises ValueError, see
    `squared_distances`.
    """
    X, T = points(X), np.asarray(T)
    best, index = np.full(len(X), np.inf), np.zeros(len(X), np.int64)
    for part in blocks(len(T), len(X)):
        D = squared_distances(X, T[part])
        j = D.argmin(axis=1)
        found = D[np.arange(len(X)), j]
        closer = found < best
        best[closer], index[closer] = found[closer], j[closer] + part.start
    return index, np.sqrt(best)


def blocks(n: int, m: int) -> Iterator[slice]:
    """Slices of n rows of m numbers each, BLOCK numbers or one row at a time; one empty if n = 0.

    The empty one goes to `points`, which says what is missing.
    """
    rows = max(1, BLOCK // max(1, m))
    return (slice(i, min(i + rows, n)) for i in range(0, max(n, 1), rows))
