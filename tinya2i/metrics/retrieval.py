"""Finding by distance: how many of the nearest are what was looked for, and what chance would find.

All is counted on R (n, k), the relevance, True or False, of the k items found for each of n
queries, nearest first; here an item is relevant that shows or says the query's digit.
"""

import numpy as np

from tinya2i.metrics.distances import blocks, squared_distances


def nearest_k(Q: np.ndarray, X: np.ndarray, k: int, own: bool = False) -> np.ndarray:
    """j_1, ..., j_k with |q - x_j1| <= |q - x_j2| <= ... <= all others        (n, k) int64

    Q (n, ...) queries, X (m, ...) what is searched, by blocks. Of equally near ones the first in X
    comes first. own: query i is X's item i, and does not find itself. Raises ValueError unless
    1 <= k <= m (k < m with own); and see `distances.squared_distances`.
    """
    if not 1 <= k <= len(X) - own:
        raise ValueError(f"the {k} nearest of {len(X) - own}")
    parts = []
    for part in blocks(len(Q), len(X)):
        D = squared_distances(Q[part], X)
        if own:
            D[np.arange(len(D)), np.arange(len(Q))[part]] = np.inf
        parts.append(smallest(D, k))
    return np.concatenate(parts)


def smallest(D: np.ndarray, k: int) -> np.ndarray:
    """The places (n, k) of the k smallest numbers in each row of D (n, m), the smallest first.

    Of equal ones the first. The same as a stable argsort's first k, without sorting the rest.
    """
    last = np.partition(D, k - 1, axis=1)[:, k - 1 : k]
    below, equal = last > D, last == D
    room = k - below.sum(axis=1, keepdims=True)
    found = below | (equal & (equal.cumsum(axis=1) <= room))
    places = found.nonzero()[1].reshape(len(D), k)
    order = np.take_along_axis(D, places, axis=1).argsort(axis=1, kind="stable")
    return np.take_along_axis(places, order, axis=1)


def recall_at(R: np.ndarray, k: int) -> np.ndarray:
    """hit_i = whether R[i, j] for some j < k        (n,) bool; its mean is recall@k

    R (n, K). Raises ValueError unless 1 <= k <= K.
    """
    return _first(R, k).any(axis=1)


def ndcg_at(R: np.ndarray, relevant: np.ndarray, k: int) -> np.ndarray:
    """sum_(i=1..k) r_i / log2(i + 1) / ideal,  ideal = sum_(i=1..min(k, t)) 1 / log2(i + 1)

    Normalised discounted cumulative gain, (n,) in 0..1, 1 where nothing irrelevant stands before
    anything relevant. R (n, K), relevant t (n,): how many there are in all for each query. (The
    gain 2^r - 1 is the same as r, where r is 0 or 1.) Raises ValueError unless 1 <= k <= K, and
    where a query has nothing relevant.
    Source: Jarvelin and Kekalainen 2002; with k = 30, Arandjelovic and Zisserman 2018 ("Objects
    that Sound"), section 3.2.
    """
    return _first(R, k) @ _discounts(k) / _ideal(relevant, k)


def recall_chance(relevant: np.ndarray, m: int, k: int) -> np.ndarray:
    """1 - C(m - t, k) / C(m, k) = 1 - prod_(i=0..k-1) (m - t - i) / (m - i)        (n,)

    The expectation of `recall_at` where m items come in random order: one minus the probability
    that none of the first k is among the t = relevant. ValueError unless 1 <= k <= m.
    """
    if not 1 <= k <= m:
        raise ValueError(f"the {k} nearest of {m}")
    i, t = np.arange(k), np.asarray(relevant)[:, None]
    return 1 - (np.maximum(m - t - i, 0) / (m - i)).prod(axis=1)


def ndcg_chance(relevant: np.ndarray, m: int, k: int) -> np.ndarray:
    """(t / m) * sum_(i=1..k) 1 / log2(i + 1) / ideal        (n,)

    The expectation of `ndcg_at` where m items come in random order: each place then holds a
    relevant one with probability t / m. Raises ValueError, see `ndcg_at`.
    """
    return np.asarray(relevant) / m * _discounts(k).sum() / _ideal(relevant, k)


def rank_of(D: np.ndarray, which: np.ndarray) -> np.ndarray:
    """1 + #(j: D_ij < D_iw) + #(j != w: D_ij = D_iw) / 2,  w = which_i        (n,) float64

    The rank, from 1, of item `which` (n,) by the distances D (n, m); equally near ones share the
    mean of their ranks, so that a constant D has the (m + 1) / 2 of a random order.
    """
    own = D[np.arange(len(D)), which][:, None]
    return 1 + (own > D).sum(axis=1) + ((own == D).sum(axis=1) - 1) / 2


def _first(R: np.ndarray, k: int) -> np.ndarray:
    R = np.asarray(R)
    if R.ndim != 2 or not 1 <= k <= R.shape[1]:
        raise ValueError(f"the first {k} of each row of {R.shape}")
    return R[:, :k] != 0


def _discounts(k: int) -> np.ndarray:
    """1 / log2(i + 1),  i = 1..k"""
    return 1 / np.log2(np.arange(2, k + 2))


def _ideal(relevant: np.ndarray, k: int) -> np.ndarray:
    """What the first k places hold at the most, where `relevant` (n,) items could stand there."""
    relevant = np.asarray(relevant)
    if (relevant < 1).any():
        raise ValueError("a query has nothing relevant to find")
    return _discounts(k).cumsum()[np.minimum(relevant, k) - 1]
