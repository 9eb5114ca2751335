"""Checkers of chapter 15."""

from math import comb, sqrt

import numpy as np
from checking import compare


def check_agreement(answer) -> None:
    rng = np.random.default_rng(1)
    Z, digits = rng.standard_normal((40, 10)), rng.integers(0, 10, 40)
    Z[np.arange(30), digits[:30]] += 9
    digits[:4] = 0
    Z[:7] = np.nan  # all of these rows
    Z[7, 3] = np.nan  # and one number of this one
    fine = ~np.isnan(Z).any(axis=1)
    right = Z.argmax(axis=1) == digits
    ignoring = np.where(np.isnan(Z), -np.inf, Z).argmax(axis=1) == digits
    mistakes = {
        "argmax of a row with NaN is the place of the NaN, which is 0 where all of it is NaN: "
        "broken pictures count as read there": right.mean(),
        "broken pictures are left out, so a model gains by breaking": right[fine].mean(),
        "a row with one NaN is broken as well": ignoring.mean(),
        "that is the number of them, not the share": (right & fine).sum(),
    }
    compare("agreement", answer(Z, digits), (right & fine).mean(), mistakes)


def check_wilson(answer) -> None:
    for k, n, z in ((7, 9, 1.7), (3, 20, 2.2), (0, 12, 1.96)):
        p, w = k / n, z * z / n
        root = sqrt(p * (1 - p) / n + w / (4 * n))
        right = _ends(p + w / 2, z * root, 1 + w)
        mistakes = {
            "that is plus-minus, which believes the observed rate under the root": _ends(
                p, z * sqrt(p * (1 - p) / n), 1
            ),
            "all of it is divided by 1 + z^2 / n": _ends(p + w / 2, z * root, 1),
            "the centre moves towards one half: z^2 / 2n is missing": _ends(p, z * root, 1 + w),
            "under the root z^2 / 4n^2 is missing": _ends(
                p + w / 2, z * sqrt(p * (1 - p) / n), 1 + w
            ),
            "low comes first, then high": right[::-1],
            "w is z^2 / n, not z / n": _ends(
                p + z / n / 2, z * sqrt(p * (1 - p) / n + z / n / (4 * n)), 1 + z / n
            ),
        }
        found = answer(k, n, z)
        compare(f"interval of {k} out of {n}", np.round(found, 14), np.round(right, 14), mistakes)


def _ends(centre: float, half: float, by: float) -> np.ndarray:
    return np.array([(centre - half) / by, (centre + half) / by])


def check_coverage(answer) -> None:
    n, z = 11, 1.6
    k = np.arange(n + 1)
    low, high = np.array([_wilson(i, n, z) for i in k]).T
    for p in (0.83, 0.35):
        chance = np.array([comb(n, i) * p**i * (1 - p) ** (n - i) for i in k])
        inside = (low <= p) & (p <= high)
        bare = np.array([p**i * (1 - p) ** (n - i) for i in k])
        mistakes = {
            "outcomes are not equally likely: weigh each k by its probability": inside.mean(),
            "p must also be at most high": chance @ (low <= p),
            "p must also be at least low": chance @ (p <= high),
            "k right answers can fall on n over k sets of clips": bare @ inside,
            "that is how often it misses": chance @ ~inside,
            "success and failure are exchanged": chance[::-1] @ inside,
        }
        compare(f"coverage at p = {p}", answer(low, high, p), chance @ inside, mistakes)


def _wilson(k: int, n: int, z: float) -> np.ndarray:
    p, w = k / n, z * z / n
    return _ends(p + w / 2, z * sqrt(p * (1 - p) / n + w / (4 * n)), 1 + w)


def check_variety(answer) -> None:
    rng = np.random.default_rng(3)
    sizes = (2, 5, 3, 7)
    ours = [rng.standard_normal((n, 4)) * rng.uniform(0.2, 1) for n in sizes]
    real = [2 * rng.standard_normal((n, 4)) for n in sizes]

    def sums(measure) -> tuple[np.ndarray, np.ndarray]:
        return tuple(np.array([measure(X) for X in side]) for side in (ours, real))

    a, b = sums(_mean_distance)
    same, real_same = sums(lambda X: _mean_distance(X) * (len(X) - 1) / len(X))
    squared, real_squared = sums(lambda X: 2 * X.var(axis=0, ddof=1).sum())
    total, real_total = sums(lambda X: _mean_distance(X) * len(X) * (len(X) - 1) / 2)
    mistakes = {
        "that is the mean of quotients; the ruler is the quotient of sums": (a / b).mean(),
        "pairs of a picture with itself are counted, which shrinks small groups": same.sum()
        / real_same.sum(),
        "the distance is the root of the summed squares": squared.sum() / real_squared.sum(),
        "in each group take the mean over pairs, or the largest group outvotes all": total.sum()
        / real_total.sum(),
        "upside down: generated over real": b.sum() / a.sum(),
    }
    compare("variety", answer(ours, real), a.sum() / b.sum(), mistakes)


def _mean_distance(X: np.ndarray) -> float:
    n = len(X)
    pairs = [np.linalg.norm(X[i] - X[j]) for i in range(n) for j in range(i + 1, n)]
    return float(np.mean(pairs))
