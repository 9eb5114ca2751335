"""Chapter 14: three generators, and what a critic and a reconstruction have to say about each."""

import numpy as np
from figure import main

from tinya2i import losses
from tinya2i.data.strokes import draw as draw_digits
from tinya2i.layer import Sequential
from tinya2i.layers import Conv2d, Flatten, LeakyReLU, Linear
from tinya2i.optim import SGD

N, STEPS, LR = 200, 80, 0.02


def pictures(seed: int) -> np.ndarray:
    """N drawn digits 0, 1, ..., 9, 0, ... in 0..1."""
    return draw_digits(np.arange(N) % 10, np.random.default_rng(seed)) / 255.0


def trained_critic(T: np.ndarray, Y: np.ndarray) -> Sequential:
    """A small D after some steps on real pictures T and fakes Y."""
    rng = np.random.default_rng(0)
    D = Sequential(
        Conv2d(1, 6, 5, 2, rng=rng), LeakyReLU(0.2), Flatten(), Linear(6 * 12 * 12, 1, rng)
    ).astype(np.float64)
    optimiser = SGD(D.params(), LR)
    for _ in range(STEPS):
        for batch, label in ((T, 1), (Y, 0)):
            V, backprop = D.forward(batch)
            backprop(losses.bce_with_logits(V, np.full_like(V, label))[1], input_grad=False)
        optimiser.step()
    return D


def coded(Y: np.ndarray) -> list[list[str]]:
    """The first ten pictures, a row of pixels as 28 hexadecimal digits: 0 is black, f is white."""
    return [["".join(f"{round(15 * v):x}" for v in row) for row in A[..., 0]] for A in Y[:10]]


def numbers() -> dict:
    wanted, own = pictures(1), pictures(2)  # of the same digits, by two hands
    archetypes = np.stack([wanted[d::10].mean(axis=0) for d in range(10)])[np.arange(N) % 10]
    order = np.random.default_rng(3).permutation(N)
    drawn = {"listens": own, "deaf: the same, shuffled": own[order], "archetype": archetypes}
    D = trained_critic(wanted, archetypes)
    found = {"wanted": coded(wanted), "rows": {}}
    for name, Y in drawn.items():
        V = D(Y)
        found["rows"][name] = {
            "adversarial": losses.bce_with_logits(V, np.ones_like(V))[0],
            "reconstruction": losses.mse(Y, wanted)[0],
            "pictures": coded(Y),
        }
    return found


def draw(found: dict, plt) -> None:
    rows = [("wanted", {"pictures": found["wanted"]}), *found["rows"].items()]
    figure, grid = plt.subplots(4, 10, figsize=(9.2, 3.3))
    figure.subplots_adjust(left=0.27, wspace=0.06, hspace=0.06)
    for (name, row), cells in zip(rows, grid, strict=True):
        for axes, picture in zip(cells, row["pictures"], strict=True):
            levels = [[int(level, 16) for level in line] for line in picture]
            axes.imshow(levels, cmap="gray", vmin=0, vmax=15)
            axes.set(xticks=[], yticks=[])
        words = name
        if "adversarial" in row:
            words += f"\n−log D = {row['adversarial']:.2f}"
            words += f"\nsquared error {row['reconstruction']:.1f}"
        cells[0].set_ylabel(words, rotation=0, ha="right", va="center", labelpad=6)
    for d, axes in enumerate(grid[0]):
        axes.set_title(f"“{d}”", fontsize=9)


if __name__ == "__main__":
    main(__file__, numbers, draw)
