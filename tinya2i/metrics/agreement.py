"""How often the judge reads the digit that was said: rates, intervals, confusion."""

from collections.abc import Mapping
from math import sqrt
from typing import Any

import numpy as np


def wilson(k: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """(p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n),  p = k/n

    The score interval (low, high), within 0..1, of a rate of k successes out of n; z = 1.96 gives
    95 %. Unlike p ± z sqrt(p(1-p)/n) it keeps its coverage near 0 and 1, and has a width there.
    n = 0 gives (0, 1). Raises ValueError unless 0 <= k <= n. Source: Wilson 1927, JASA 22, 209-212.
    """
    if not 0 <= k <= n:
        raise ValueError(f"{k} successes out of {n}")
    if n == 0:
        return 0.0, 1.0
    p, w = k / n, z * z / n
    centre, half = p + w / 2, z * sqrt(p * (1 - p) / n + w / (4 * n))
    # At p = 0 and 1 the exact ends are 0 and 1; rounding may miss them by an ulp.
    low = 0.0 if k == 0 else (centre - half) / (1 + w)
    high = 1.0 if k == n else (centre + half) / (1 + w)
    return low, high


def confusion(digits: np.ndarray, predicted: np.ndarray, classes: int = 10) -> np.ndarray:
    """C[i, j] = number of examples of digit i that were read as j

    digits, predicted: (n,) integers in 0..classes-1. Returns (classes, classes) int64.
    Raises ValueError for other lengths or labels.
    """
    digits, predicted = np.asarray(digits), np.asarray(predicted)
    if digits.shape != predicted.shape or digits.ndim != 1:
        raise ValueError(f"digits {digits.shape} and predicted {predicted.shape} are not (n,) both")
    for labels in (digits, predicted):
        if labels.dtype.kind not in "iu" or np.any((labels < 0) | (labels >= classes)):
            raise ValueError(f"labels must be integers from 0 to {classes - 1}")
    cells = digits.astype(np.int64) * classes + predicted
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def agreement(
    digits: np.ndarray, predicted: np.ndarray, groups: Mapping[str, np.ndarray] | None = None
) -> dict[str, Any]:
    """rate = (number of predicted == digits) / n, with its Wilson interval

    digits, predicted: (n,) integers in 0..9. groups: e.g. {"speaker": (n,) names}.
    Returns a JSON-able dict: rate, correct, count, interval, per_digit, per_speaker (one table
    for each group, value -> rate, correct, count, interval) and confusion (rows: said, columns:
    read). With n = 0 the rate is None.
    """
    matrix = confusion(digits, predicted)
    right = np.asarray(digits) == np.asarray(predicted)
    tables = {"digit": np.asarray(digits), **(groups or {})}
    return {
        **_rate(right),
        **{f"per_{name}": _table(right, np.asarray(values)) for name, values in tables.items()},
        "confusion": matrix.tolist(),
    }


def table(result: Mapping[str, Any]) -> str:
    """The rates of an `agreement` as text, one line each: all, then every group."""
    lines = [_line("all", result)]
    for key, group in result.items():
        if key.startswith("per_"):
            name = key.removeprefix("per_")
            lines += [_line(f"{name} {value}", row) for value, row in group.items()]
    return "\n".join(lines)


def _rate(right: np.ndarray) -> dict[str, Any]:
    k, n = int(right.sum()), len(right)
    return {"rate": k / n if n else None, "correct": k, "count": n, "interval": list(wilson(k, n))}


def _table(right: np.ndarray, values: np.ndarray) -> dict[str, Any]:
    if values.shape != right.shape:
        raise ValueError(f"a group has shape {values.shape}, the examples {right.shape}")
    return {str(value): _rate(right[values == value]) for value in np.unique(values)}


def _line(name: str, row: Mapping[str, Any]) -> str:
    rate = "      -" if row["rate"] is None else f"{100 * row['rate']:6.2f}%"
    low, high = (100 * end for end in row["interval"])
    return f"{name:20} {rate}  [{low:6.2f}, {high:6.2f}]  {row['correct']}/{row['count']}"
