"""Solutions of chapter 15, and answers that the checkers must refuse, with what they must say."""

from math import comb, sqrt

import numpy as np


def agreement(Z, digits):
    broken = np.isnan(Z).any(axis=1)
    return float(((Z.argmax(axis=1) == digits) & ~broken).mean())


def wilson(k, n, z):
    p, w = k / n, z * z / n
    centre, half = p + w / 2, z * sqrt(p * (1 - p) / n + w / (4 * n))
    return (centre - half) / (1 + w), (centre + half) / (1 + w)


def coverage(low, high, p):
    n = len(low) - 1
    return sum(
        comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1) if low[k] <= p <= high[k]
    )


def mean_distance(X):
    n = len(X)
    D = np.linalg.norm(X[:, None] - X, axis=2)
    return D.sum() / (n * (n - 1))


def variety(generated, real):
    return sum(map(mean_distance, generated)) / sum(map(mean_distance, real))


def plus_minus(k, n, z):
    p = k / n
    half = z * sqrt(p * (1 - p) / n)
    return p - half, p + half


def wilson_without_division(k, n, z):
    p, w = k / n, z * z / n
    half = z * sqrt(p * (1 - p) / n + w / (4 * n))
    return p + w / 2 - half, p + w / 2 + half


def wilson_around_the_rate(k, n, z):
    p, w = k / n, z * z / n
    half = z * sqrt(p * (1 - p) / n + w / (4 * n))
    return (p - half) / (1 + w), (p + half) / (1 + w)


def wilson_with_z_over_n(k, n, z):
    p, w = k / n, z / n
    half = z * sqrt(p * (1 - p) / n + w / (4 * n))
    return (p + w / 2 - half) / (1 + w), (p + w / 2 + half) / (1 + w)


def coverage_without_binomial(low, high, p):
    n = len(low) - 1
    return sum(p**k * (1 - p) ** (n - k) for k in range(n + 1) if low[k] <= p <= high[k])


WRONG = {
    "agreement": {
        "argmax takes NaN for the largest": (
            lambda Z, digits: (Z.argmax(axis=1) == digits).mean(),
            "place of the NaN",
        ),
        "NaN rows are dropped": (
            lambda Z, digits: (Z.argmax(axis=1) == digits)[~np.isnan(Z).any(axis=1)].mean(),
            "gains by breaking",
        ),
        "NaN replaced by something small": (
            lambda Z, digits: (np.nan_to_num(Z, nan=-1e9).argmax(axis=1) == digits).mean(),
            "one NaN is broken",
        ),
    },
    "wilson": {
        "plus-minus": (plus_minus, "believes the observed rate"),
        "not divided": (wilson_without_division, "divided by 1 + z^2 / n"),
        "around the observed rate": (wilson_around_the_rate, "towards one half"),
        "z instead of its square": (wilson_with_z_over_n, "not z / n"),
    },
    "coverage": {
        "all outcomes alike": (
            lambda low, high, p: ((low <= p) & (p <= high)).mean(),
            "not equally likely",
        ),
        "no binomial coefficient": (coverage_without_binomial, "n over k"),
        "how often it misses": (lambda low, high, p: 1 - coverage(low, high, p), "misses"),
        "one end only": (
            lambda low, high, p: coverage(low, np.ones_like(high), p),
            "at most high",
        ),
    },
    "variety": {
        "mean of quotients": (
            lambda ours, real: np.mean(
                [mean_distance(A) / mean_distance(B) for A, B in zip(ours, real, strict=True)]
            ),
            "quotient of sums",
        ),
        "pairs with themselves": (
            lambda ours, real: (
                sum(mean_distance(A) * (len(A) - 1) / len(A) for A in ours)
                / sum(mean_distance(B) * (len(B) - 1) / len(B) for B in real)
            ),
            "with itself",
        ),
        "squares": (
            lambda ours, real: (
                sum(A.var(axis=0, ddof=1).sum() for A in ours)
                / sum(B.var(axis=0, ddof=1).sum() for B in real)
            ),
            "root of the summed squares",
        ),
        "sums over pairs": (
            lambda ours, real: (
                sum(mean_distance(A) * len(A) * (len(A) - 1) for A in ours)
                / sum(mean_distance(B) * len(B) * (len(B) - 1) for B in real)
            ),
            "outvotes",
        ),
    },
}
