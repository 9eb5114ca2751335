"""How different the pictures of one group are: of one clip, or of one digit.

None of these numbers means anything by itself. The same measure of as many real pictures is the
ruler, and `share` lays it beside them.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinya2i.metrics.distances import points, squared_distances

Measure = Callable[[np.ndarray], float]


def pairwise(X: np.ndarray, squared: bool = False) -> float:
    """2 / (n (n-1)) * sum_(i<j) |x_i - x_j|        X (n, ...), n >= 2

    The mean Euclidean distance of two different samples, or with squared=True that of its square,
    which is twice the sum of the coordinates' variances (with n - 1). 0 where all are equal.
    Unbiased: its expectation does not depend on n. Raises ValueError, see `distances.points`.
    """
    X = points(X, least=2)
    D = squared_distances(X, X)
    return float((D if squared else np.sqrt(D)).sum() / (len(X) * (len(X) - 1)))


def deviation(X: np.ndarray) -> float:
    """1/d * sum_j sqrt(1/n sum_i (x_ij - mean_j)^2)        X (n, ...), n >= 2

    The standard deviation of a pixel over the samples, averaged over the pixels. It grows with n:
    compare equal n only. Raises ValueError, see `distances.points`.
    """
    X = points(X, least=2)
    return float((X - X[0]).std(axis=0).mean())  # X - X[0] is exact where all samples are equal


def vendi(X: np.ndarray, kernel: str = "cosine", scale: float | None = None) -> float:
    """exp(-sum_i w_i log w_i),  w the eigenvalues of K / n        X (n, ...)

    The effective number of different samples, 1 (all equal) to n (all orthogonal, or far apart).
    kernel: "cosine", K_ij = x_i x_j / |x_i| |x_j|, or "rbf", exp(-|x_i - x_j|^2 / (2 scale^2)).
    Raises ValueError for another kernel, for "rbf" without a positive scale, for "cosine" of a
    point at the origin, which has no direction; and see `distances.points`.
    Source: Friedman and Dieng 2023 (TMLR), definition 3.1.
    """
    X = points(X)
    if kernel == "cosine":
        sizes = np.linalg.norm(X, axis=1, keepdims=True)
        if not sizes.all():
            raise ValueError("a point at the origin has no direction: take the rbf kernel")
        X = X / sizes
        K = X @ X.T if len(X) <= X.shape[1] else X.T @ X  # the same eigenvalues but for zeros
    elif kernel == "rbf":
        if scale is None or not 0 < scale < np.inf:
            raise ValueError(f"the rbf kernel needs a positive scale, not {scale}")
        K = np.exp(-squared_distances(X, X) / (2 * scale * scale))
    else:
        raise ValueError(f"no kernel {kernel!r}: choose cosine or rbf")
    w = np.linalg.eigvalsh(K / len(X))
    w = w[w > 0]
    return float(np.clip(np.exp(-(w * np.log(w)).sum()), 1, len(X)))


def diversity(groups: Sequence[np.ndarray], measure: Measure = pairwise) -> float:
    """1/g * sum_i measure(group_i): the mean over groups (n_i, ...); ValueError for no group."""
    if not len(groups):
        raise ValueError("no groups")
    return float(np.mean([measure(group) for group in groups]))


def share(
    generated: Sequence[np.ndarray], real: Sequence[np.ndarray], measure: Measure = pairwise
) -> dict[str, Any]:
    """s = sum_i measure(generated_i) / sum_i measure(real_i)

    Groups (n_i, ...), i = 1..g, the same count n_i on both sides. Returns "generated" and "real",
    the means over groups, "share", s, and "interval", 95 % of it,
    s ± 1.96 sqrt(1/(g-1) sum (generated_i - s real_i)^2 / g) / mean real, no lower than 0, where
    they are independent; None for one group. Raises ValueError for other counts and where the real
    ones do not differ.
    Source: the ratio estimator, Cochran 1977, Sampling Techniques, section 6.3.
    """
    if [np.shape(a)[:1] for a in generated] != [np.shape(b)[:1] for b in real]:
        raise ValueError("generated and real groups must have the same counts")
    if not len(real):
        raise ValueError("no groups")
    ours, theirs = (np.array([measure(group) for group in side]) for side in (generated, real))
    if not theirs.mean() > 0:
        raise ValueError("the real pictures do not differ: there is nothing to take a share of")
    s, interval = float(ours.mean() / theirs.mean()), None
    if len(real) > 1:
        error = np.sqrt(np.square(ours - s * theirs).sum() / ((len(real) - 1) * len(real)))
        half = float(1.96 * error / theirs.mean())
        interval = [max(0.0, s - half), s + half]
    mean = {"generated": float(ours.mean()), "real": float(theirs.mean())}
    return {**mean, "share": s, "interval": interval}
