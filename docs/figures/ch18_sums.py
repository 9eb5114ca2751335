"""Chapter 18: how far a float32 sum is from the true one, for three orders of adding."""

import math

import numpy as np
from figure import BLUE, GREEN, GREY, RED, main

U = 2.0**-24  # half a unit in the last place of 1
SEEDS = 24
POWERS = range(4, 19, 2)


def one_by_one(X: np.ndarray) -> float:
    """Each number added to all before it, in float32."""
    return float(np.add.accumulate(X)[-1])


def tree(X: np.ndarray) -> float:
    """Neighbours first, then their sums, and so on, in float32."""
    while len(X) > 1:
        X = X[::2] + X[1::2]
    return float(X[0])


def in_double(X: np.ndarray) -> float:
    """Added in float64, rounded once: what the kernels do."""
    return float(np.float32(np.add.accumulate(X.astype(np.float64))[-1]))


WAYS = {"one by one": one_by_one, "tree": tree, "in double, then rounded": in_double}


def numbers() -> dict:
    """Root mean square over seeds of the relative error in units of u, for n numbers in 0..1."""
    found = {"n": [2**power for power in POWERS], **{name: [] for name in WAYS}}
    for n in found["n"]:
        errors = {name: [] for name in WAYS}
        for seed in range(SEEDS):
            X = np.random.default_rng(seed).random(n, dtype=np.float32)
            true = math.fsum(X.tolist())
            for name, way in WAYS.items():
                errors[name].append((way(X) / true - 1) / U)
        for name, each in errors.items():
            found[name].append(float(np.sqrt(np.mean(np.square(each)))))
    return found


def draw(found: dict, plt) -> None:
    _, axes = plt.subplots(figsize=(6, 3.3))
    n = np.array(found["n"], float)
    for name, colour in zip(WAYS, (RED, BLUE, GREEN), strict=True):
        axes.loglog(n, found[name], "o-", color=colour, ms=4, label=name)
    axes.loglog(n, np.sqrt(n) / 4, "--", color=RED, lw=0.8, label="√n / 4")
    axes.loglog(n, n - 1, ":", color=GREY, lw=1, label="bound, n − 1")
    axes.set(xlabel="numbers added, n", ylabel="relative error, in units of $u = 2^{-24}$")
    axes.set_xscale("log", base=2)
    axes.set_ylim(0.3, 1000)
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main(__file__, numbers, draw)
