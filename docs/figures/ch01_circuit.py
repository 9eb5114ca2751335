"""Chapter 1: a 2-3-1 network as a circuit: values in green, gradients in red, weights in grey."""

import numpy as np
from figure import GREEN, GREY, RED, main

from tinya2i import layers


def numbers() -> dict:
    """Values and gradients of every unit of X -> Linear -> ReLU -> Linear -> y, with L = y."""
    first, relu, last = layers.Linear(2, 3), layers.ReLU(), layers.Linear(3, 1)
    for layer in (first, last):
        layer.astype(np.float64)
    first.W.data[...] = [[1.0, -1.0, 2.0], [0.5, 1.0, -1.0]]
    last.W.data[...] = [[1.0], [2.0], [-1.0]]
    X = np.array([[2.0, 1.0]])
    A, back_first = first.forward(X)
    H, back_relu = relu.forward(A)
    Y, back_last = last.forward(H)
    dH = back_last(np.ones((1, 1)))
    dA = back_relu(dH)
    return {
        "values": [X[0], A[0], H[0], Y[0]],
        "gradients": [back_first(dA)[0], dA[0], dH[0], np.ones(1)],
        "weights": [first.W.data, last.W.data],
    }


def draw(found: dict, plt) -> None:
    _, axes = plt.subplots(figsize=(6.5, 2.8))
    heights = {1: [1.0], 2: [1.5, 0.5], 3: [2.0, 1.0, 0.0]}
    columns = [heights[len(values)] for values in found["values"]]
    for x, (values, gradients) in enumerate(zip(found["values"], found["gradients"], strict=True)):
        for y, value, gradient in zip(columns[x], values, gradients, strict=True):
            for y2 in columns[x + 1] if x < 3 and x != 1 else [y] if x == 1 else []:
                axes.plot([x, x + 1], [y, y2], color=GREY, lw=0.6, zorder=0)
            axes.scatter([x], [y], s=1100, color="white", edgecolor=GREY)
            axes.text(x, y + 0.02, f"{value:g}", color=GREEN, ha="center", va="bottom")
            axes.text(x, y - 0.04, f"{gradient:g}", color=RED, ha="center", va="top")
    for x, W in zip((0, 2), found["weights"], strict=True):
        for (i, j), weight in np.ndenumerate(W):
            y1, y2 = columns[x][i], columns[x + 1][j]
            at = 0.7 if x == 0 else 0.45  # beyond the crossings
            axes.text(
                x + at, y1 + at * (y2 - y1), f"{weight:g}", color=GREY, ha="center", va="center",
                bbox={"color": "white", "pad": 0.8}, fontsize=8,
            )  # fmt: skip
    for x, name in enumerate(("X", "X W + b", "ReLU", "y = L")):
        axes.text(x, 2.45, name, ha="center")
    axes.set(xlim=(-0.4, 3.4), ylim=(-0.5, 2.7))
    axes.axis("off")


if __name__ == "__main__":
    main(__file__, numbers, draw)
