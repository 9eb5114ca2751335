"""Chapter 15: how often a 95 % interval holds the true rate, exactly, for two recipes."""

import numpy as np
from figure import BLUE, GREY, RED, main
from scipy.stats import binom

from tinya2i import metrics

COUNTS = (20, 200)


def numbers() -> dict:
    """Coverage over the true rate p, for n = 20 (one digit's test clips) and 200 (all)."""
    # both sides of the last jump too: Wilson's worst place
    last = [metrics.wilson(n - 1, n)[1] + side for n in COUNTS for side in (-1e-6, 1e-6)]
    p = np.sort([*np.linspace(0.5, 0.9975, 200), *last])
    found = {"p": p}
    for n in COUNTS:
        k = np.arange(n + 1)
        chance = binom.pmf(k, n, p[:, None])
        half = 1.96 * np.sqrt(k / n * (1 - k / n) / n)
        ends = {
            "plus-minus": np.stack([k / n - half, k / n + half], axis=1),
            "Wilson": np.array([metrics.wilson(int(i), n) for i in k]),
        }
        for name, (low, high) in ((name, each.T) for name, each in ends.items()):
            holds = (low <= p[:, None]) & (p[:, None] <= high)
            found[f"{name}, n = {n}"] = (chance * holds).sum(axis=1)
    return found


def draw(found: dict, plt) -> None:
    _, both = plt.subplots(1, 2, figsize=(7.5, 2.9), sharey=True)
    for axes, n in zip(both, COUNTS, strict=True):
        axes.axhline(95, color=GREY, lw=0.8, ls="--")
        for name, colour in (("plus-minus", RED), ("Wilson", BLUE)):
            y = 100 * np.array(found[f"{name}, n = {n}"])
            axes.plot(found["p"], y, color=colour, lw=1, label=name)
        axes.set(title=f"{n} clips", xlabel="true rate p", xlim=(0.5, 1), ylim=(40, 101))
        axes.spines[["top", "right"]].set_visible(False)
    both[0].set_ylabel("intervals that hold p, %")
    both[0].legend(frameon=False, loc="lower left")


if __name__ == "__main__":
    main(__file__, numbers, draw)
