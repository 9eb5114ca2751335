"""Chapter 10: two-number codes of drawn digits, and what the decoder makes of other codes."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from figure import GREY, RED, main

from tinya2i import layers, losses, ops, optim
from tinya2i.data import strokes
from tinya2i.layer import Sequential

SIDE, TILES, FAR = 14, 11, 1.0  # pixels of a picture's edge; pictures of a grid's; a hole, in codes
STEPS, BATCH, RATE = 1000, 100, 5e-3


def digits(n: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """n drawn digits as rows of 14 x 14 pixels in 0..1 (means of 2 x 2), and which digits."""
    labels = np.arange(n) % 10
    P = strokes.draw(labels, np.random.default_rng(0))[..., 0] / 255
    return P.reshape(n, SIDE, 2, SIDE, 2).mean(axis=(2, 4)).reshape(n, SIDE * SIDE), labels


def network(*sizes: int, seed: int) -> Sequential:
    """Linear layers of these sizes with ReLU between them, float64."""
    rng, row = np.random.default_rng(seed), []
    for i, o in pairwise(sizes):
        row += [layers.Linear(i, o, rng), layers.ReLU()]
    return Sequential(*row[:-1]).astype(np.float64)


def batches(T: np.ndarray, optimiser: optim.Adam, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """A random batch for each step, the rate set to its place in the fall to 0."""
    for step in range(STEPS):
        optimiser.lr = RATE * (1 - step / STEPS)
        yield T[rng.permutation(len(T))[:BATCH]]


def train(T: np.ndarray) -> tuple[Sequential, Sequential]:
    """Encoder 196-64-2 and decoder 2-64-196 (logits), by Adam with a falling rate."""
    encoder = network(SIDE * SIDE, 64, 2, seed=1)
    decoder = network(2, 64, SIDE * SIDE, seed=2)
    optimiser = optim.Adam(Sequential(encoder, decoder).params(), RATE)
    rng = np.random.default_rng(3)
    for batch in batches(T, optimiser, rng):
        z, back_encoder = encoder.forward(batch)
        Z, back_decoder = decoder.forward(z)
        _, dZ = losses.bce_with_logits(Z, batch)
        back_encoder(back_decoder(dZ), input_grad=False)
        optimiser.step()
    return encoder, decoder


def montage(decoder: Sequential, codes: np.ndarray) -> list[str]:
    """Decoded pictures in TILES rows; each row of pixels as hexadecimal digits."""
    P = ops.sigmoid(decoder(codes)).reshape(TILES, -1, SIDE, SIDE).transpose(0, 2, 1, 3)
    P = np.rint(15 * P.reshape(TILES * SIDE, -1)).astype(int)
    return ["".join(f"{value:x}" for value in row) for row in P]


def judged(
    decoder: Sequential, codes: np.ndarray, T: np.ndarray, labels: np.ndarray
) -> tuple[float, list]:
    """Mean squared distance of decoded codes to the nearest picture of T; the digits' shares."""
    Y = ops.sigmoid(decoder(codes))
    D = (Y * Y).sum(axis=1)[:, None] - 2 * Y @ T.T + (T * T).sum(axis=1)
    shares = np.bincount(labels[D.argmin(axis=1)], minlength=10) / len(codes)
    return D.min(axis=1).mean(), shares


def numbers() -> dict:
    """Codes of 600 digits, pictures on a grid of codes and at codes from N(0, 1)."""
    T, labels = digits()
    encoder, decoder = train(T)
    z = encoder(T)
    low, high = z.min(axis=0), z.max(axis=0)
    x, y = np.linspace(low[0], high[0], TILES), np.linspace(high[1], low[1], TILES)
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    drawn = np.random.default_rng(4).standard_normal((1000, 2))
    reconstruction, _ = judged(decoder, z, T, labels)
    distance, shares = judged(decoder, drawn, T, labels)
    gaps = np.sqrt(((grid[:, None] - z) ** 2).sum(axis=2)).min(axis=1)
    return {
        "loss": losses.bce_with_logits(decoder(z), T)[0],
        "codes": z,
        "mean": z.mean(axis=0),
        "std": z.std(axis=0),
        "grid": grid,
        "gaps": gaps,
        "distance of codes": reconstruction,
        "distance in the holes": judged(decoder, grid[gaps > FAR], T, labels)[0],
        "distance of drawn": distance,
        "shares of drawn": shares,
        "decoded grid": montage(decoder, grid),
        "decoded draws": montage(decoder, drawn[: TILES * TILES]),
    }


def show(axes, rows: list[str], title: str) -> None:
    """A montage as a picture."""
    P = [[int(value, 16) for value in row] for row in rows]
    axes.imshow(P, cmap="gray", vmin=0, vmax=15, interpolation="nearest")
    axes.set(xticks=[], yticks=[], title=title)


def scatter(axes, codes: list, title: str) -> None:
    """Codes as points, coloured by digit, each digit's number at its median."""
    z = np.array(codes)
    for digit in range(10):
        mine = z[np.arange(len(z)) % 10 == digit]
        axes.scatter(*mine.T, s=5, color=f"C{digit}")
        axes.text(
            *np.median(mine, axis=0), digit, size=12, weight="bold", ha="center", va="center",
            bbox={"boxstyle": "circle,pad=0.1", "color": "white", "alpha": 0.75},
        )  # fmt: skip
    axes.set(xlabel="first number of the code", ylabel="second number", title=title)


def draw(found: dict, plt) -> None:
    _, (left, middle, right) = plt.subplots(1, 3, figsize=(10, 3.5), layout="constrained")
    scatter(left, found["codes"], "codes of 600 drawn digits")
    hole = np.array(found["gaps"]) > FAR
    left.scatter(*np.array(found["grid"]).T, s=3, color=GREY, zorder=0)
    left.scatter(*np.array(found["grid"])[hole].T, s=12, color=RED, marker="x", zorder=0)
    show(middle, found["decoded grid"], "decoded grid; red: no code within 1")
    for tile in np.flatnonzero(hole):
        y, x = divmod(int(tile), TILES)
        corner = (x * SIDE - 0.5, y * SIDE - 0.5)
        middle.add_patch(plt.Rectangle(corner, SIDE, SIDE, fill=False, color=RED, lw=0.7))
    show(right, found["decoded draws"], "decoded codes drawn from N(0, 1)")


if __name__ == "__main__":
    main(__file__, numbers, draw)
