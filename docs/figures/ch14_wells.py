"""Chapter 14: the adversarial loss has four equal wells, only one of which listens."""

import numpy as np
from figure import BLUE, GREEN, GREY, RED, main

WIDTH, ALPHA, LR, STEPS, STARTS = 0.5, 0.1, 0.5, 120, 60
X = np.linspace(-6, 6, 481)


def bells(centre: np.ndarray) -> np.ndarray:
    """Densities of width WIDTH around each centre, at all of X."""
    return np.exp(-((X - centre[..., None]) ** 2) / (2 * WIDTH**2)) / (WIDTH * np.sqrt(2 * np.pi))


def mean(F: np.ndarray) -> np.ndarray:
    return F.sum(axis=-1) * (X[1] - X[0])


REAL = (bells(np.array(1.0)) + bells(np.array(-1.0))) / 2


def adversarial(w: np.ndarray, u: np.ndarray) -> np.ndarray:
    """JS of the real pictures and of y = w a + u e + noise, a and e fair coins of -1 and 1."""
    q = sum(bells(s * w + t * u) for s in (-1, 1) for t in (-1, 1)) / 4
    m = (REAL + q) / 2
    return (mean(REAL * np.log(REAL / m)) + mean(q * np.log(q / m))) / 2


def reconstruction(w: np.ndarray, u: np.ndarray) -> np.ndarray:
    """E (x - y)^2, where x is the picture that belongs to the sound a."""
    return (1 - w) ** 2 + u**2 + 2 * WIDTH**2


def descend(alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """(starts, ends) of plain gradient descent, all (STARTS, 2)."""
    P = starts = np.random.default_rng(0).normal(0, 0.6, (STARTS, 2))
    h = 1e-4
    for _ in range(STEPS):
        slopes = []
        for axis in np.eye(2):
            (w, u), (v, t) = (P + h * axis).T, (P - h * axis).T
            rise = adversarial(w, u) - adversarial(v, t)
            rise += alpha * (reconstruction(w, u) - reconstruction(v, t))
            slopes.append(rise / (2 * h))
        P = P - LR * np.stack(slopes, axis=1)
    return starts, P


def numbers() -> dict:
    grid = np.linspace(-1.6, 1.6, 33)
    w, u = np.meshgrid(grid, grid)
    found = {"grid": grid, "panels": {}}
    for alpha in (0.0, ALPHA):
        starts, ends = descend(alpha)
        listens = (ends[:, 0] > 0.5) & (np.abs(ends[:, 1]) < 0.5)
        found["panels"][f"{alpha:g}"] = {
            "loss": adversarial(w, u) + alpha * reconstruction(w, u),
            "starts": starts,
            "ends": ends,
            "listens": [bool(each) for each in listens],
        }
    return found


def draw(found: dict, plt) -> None:
    _, grid = plt.subplots(1, 2, figsize=(8.6, 3.9), sharey=True)
    for axes, (alpha, panel) in zip(grid, found["panels"].items(), strict=True):
        loss = np.array(panel["loss"])
        levels = loss.min() + (loss.max() - loss.min()) * np.linspace(0, 1, 13) ** 1.6
        axes.contourf(found["grid"], found["grid"], loss, levels=levels, cmap="Greys")
        for start, end, listens in zip(
            panel["starts"], panel["ends"], panel["listens"], strict=True
        ):
            color = GREEN if listens else RED
            axes.plot(*zip(start, end, strict=True), color=color, lw=0.3, alpha=0.6)
            axes.plot(*end, "o", color=color, ms=4)
        axes.plot(*np.array(panel["starts"]).T, ".", color=BLUE, ms=2.5)
        count = sum(panel["listens"])
        axes.set(
            xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), aspect="equal", xlabel="w, weight of the sound"
        )
        objective = (
            "adversarial alone" if alpha == "0" else f"adversarial + {alpha} · squared error"
        )
        axes.set_title(f"{objective}: {count} of {len(panel['listens'])} listen", fontsize=9)
    box = {"facecolor": "white", "edgecolor": GREY, "pad": 1.5, "lw": 0.5}
    for axes in grid:
        axes.text(1, 0.14, "listens", ha="center", fontsize=8, bbox=box)
    for w, u, words in ((-1, 0, "contrary"), (0, 1, "deaf"), (0, -1, "deaf")):
        grid[0].text(w, u + 0.14, words, ha="center", fontsize=8, bbox=box)
    grid[0].set_ylabel("u, weight of a coin")
    plt.tight_layout()


if __name__ == "__main__":
    main(__file__, numbers, draw)
