"""Chapter 4: a 2x2 kernel on a 3x3 picture as a matrix of 4 rows and 9 columns; its transpose."""

import numpy as np
from figure import main

from tinya2i import ops

KERNEL = [[1.0, 2.0], [-1.0, 3.0]]


def numbers() -> dict:
    """Column k of M is the feature map of the picture whose pixel k is 1 and whose rest is 0."""
    W = np.array(KERNEL).reshape(4, 1)
    unit = np.eye(9).reshape(9, 3, 3, 1)
    return {"M": ops.conv(unit, W, None, (2, 2), (1, 1), (0, 0)).reshape(9, 4).T}


def draw(found: dict, plt) -> None:
    M = np.array(found["M"])
    inputs = [f"$X_{{{k // 3}{k % 3}}}$" for k in range(9)]
    outputs = [f"$Y_{{{k // 2}{k % 2}}}$" for k in range(4)]
    gradients = [f"$d{name[1:]}" for name in outputs], [f"$d{name[1:]}" for name in inputs]
    _, axes = plt.subplots(1, 2, figsize=(8.4, 4), width_ratios=[9, 5.5])
    for ax, A, columns, rows, title in (
        (axes[0], M, inputs, outputs, "forward: Y = M X"),
        (axes[1], M.T, *gradients, "backward: dX = M$^T$ dY"),
    ):
        ax.imshow(A, cmap="RdBu_r", vmin=-4.5, vmax=4.5)
        ax.set_anchor("N")
        for (i, j), value in np.ndenumerate(A):
            ax.text(j, i, f"{value:g}" if value else "", ha="center", va="center")
        ax.set(xticks=range(A.shape[1]), yticks=range(A.shape[0]), title=title)
        ax.set_xticklabels(columns, fontsize=8)
        ax.set_yticklabels(rows)
        ax.set_xticks(np.arange(A.shape[1] + 1) - 0.5, minor=True)
        ax.set_yticks(np.arange(A.shape[0] + 1) - 0.5, minor=True)
        ax.grid(which="minor", color="#dddddd", lw=0.6)
        ax.tick_params(which="both", length=0)


if __name__ == "__main__":
    main(__file__, numbers, draw)
