"""Chapter 13: the best critic for three generators, and what its verdicts teach."""

import numpy as np
from figure import BLUE, GREEN, GREY, RED, main

from tinya2i import losses, ops

REAL, SPREAD = 2.0, 0.5
CENTRES = (-1.0, 1.0, 2.0)


def density(x: np.ndarray, centre: float) -> np.ndarray:
    return np.exp(-((x - centre) ** 2) / (2 * SPREAD**2)) / (SPREAD * np.sqrt(2 * np.pi))


def numbers() -> dict:
    """Densities and D* = p / (p + q) on a line; both gradients of one verdict by its logit."""
    x, a = np.linspace(-3, 4, 141), np.linspace(-10, 6, 129)
    p = density(x, REAL)
    V = a[:, None]
    towards_real = [losses.bce_with_logits(v[None], np.ones((1, 1)))[1].item() for v in V]
    minimax = [-losses.bce_with_logits(v[None], np.zeros((1, 1)))[1].item() for v in V]
    return {
        "x": x,
        "p": p,
        "q": [density(x, centre) for centre in CENTRES],
        # The logit of D* is log p - log q: a straight line, since both are as wide.
        "D": [ops.sigmoid(((x - c) ** 2 - (x - REAL) ** 2) / (2 * SPREAD**2)) for c in CENTRES],
        "a": a,
        "non-saturating": towards_real,
        "saturating": minimax,
    }


def draw(found: dict, plt) -> None:
    _, grid = plt.subplots(1, 4, figsize=(9.6, 2.5), width_ratios=[1, 1, 1, 1.5])
    for axes, centre, q, D in zip(grid, CENTRES, found["q"], found["D"], strict=False):
        axes.fill_between(found["x"], found["p"], color=GREEN, alpha=0.35, lw=0)
        axes.fill_between(found["x"], q, color=RED, alpha=0.35, lw=0)
        axes.plot(found["x"], D, color=BLUE)
        axes.set(title=f"fakes around {centre:g}", xlabel="a picture of one pixel, x")
        axes.set(ylim=(0, 1.05), xticks=[-2, 0, 2, 4])
    grid[0].set_ylabel("D*(x); densities")
    grid[0].text(2, 0.83, "real", color=GREEN, ha="center")
    grid[0].text(-1, 0.83, "fake", color=RED, ha="center")
    grid[0].text(0.62, 0.42, "D*", color=BLUE)
    for axes in grid[1:3]:
        axes.set_yticklabels([])
    axes = grid[3]
    axes.plot(found["a"], found["non-saturating"], color=BLUE)
    axes.plot(found["a"], found["saturating"], color=RED)
    axes.text(-9.7, -0.87, "of −log D:", color=BLUE)
    axes.text(-9.7, -0.95, "σ(b) − 1", color=BLUE)
    axes.text(-9.7, -0.17, "of log(1 − D):", color=RED)
    axes.text(-9.7, -0.25, "−σ(b)", color=RED)
    axes.axvline(0, color=GREY, lw=0.6)
    axes.set(title="what the generator is told", xlabel="b, the fake's logit: ← sure of a fake")
    axes.set(ylabel="gradient by b", ylim=(-1.05, 0.05))
    plt.tight_layout()


if __name__ == "__main__":
    main(__file__, numbers, draw)
