"""Exercises of chapter 15. Fill in, then run: python docs/exercises/ex15.py"""

from collections.abc import Sequence

import numpy as np
from checking import run


def agreement(Z: np.ndarray, digits: np.ndarray) -> float:
    """The share of pictures that are read as the digit said, from the judge's logits Z (n, 10).

    digits (n,). A row of Z with a NaN in it is a broken picture: it counts, as not read.
    """
    raise NotImplementedError


def wilson(k: int, n: int, z: float) -> tuple[float, float]:
    """(low, high): all rates p with (k/n - p)^2 <= z^2 p (1 - p) / n."""
    raise NotImplementedError


def coverage(low: np.ndarray, high: np.ndarray, p: float) -> float:
    """How often [low[k], high[k]] holds p, exactly, when k of n are right with probability p each.

    low, high (n + 1,): the interval for k = 0, 1, ..., n.
    """
    raise NotImplementedError


def variety(generated: Sequence[np.ndarray], real: Sequence[np.ndarray]) -> float:
    """(15.7): the summed mean distances of generated groups over those of real groups.

    Groups (n_c, d), n_c >= 2, as many samples in generated[c] as in real[c].
    """
    raise NotImplementedError


if __name__ == "__main__":
    run(globals())
