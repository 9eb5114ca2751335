"""Chapter 4: a drawn seven, two kernels of nine numbers, and the feature maps that they make."""

import numpy as np
from figure import main

from tinya2i import layers

SIDE = 16
STROKES = (((3.5, 3.5), (12.5, 3.5)), ((12.5, 3.5), (7.0, 13.0)))  # of a seven, as (x, y)
KERNELS = {
    "left to right": [[-1.0, 0.0, 1.0]] * 3,
    "top to bottom": [[-1.0] * 3, [0.0] * 3, [1.0] * 3],
}


def seven() -> np.ndarray:
    """(16, 16): 1 within a pixel of a stroke, falling to 0 over the next one."""
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    nearest = np.full((SIDE, SIDE), np.inf)
    for (x1, y1), (x2, y2) in STROKES:
        length = np.hypot(x2 - x1, y2 - y1)
        ux, uy = (x2 - x1) / length, (y2 - y1) / length
        along = np.clip((x - x1) * ux + (y - y1) * uy, 0, length)
        nearest = np.minimum(nearest, np.hypot(x - x1 - along * ux, y - y1 - along * uy))
    return np.clip(1.5 - nearest, 0, 1)


def numbers() -> dict:
    """The picture and its two feature maps, as Conv2d(1, 2, kernel=3, padding=1) makes them."""
    layer = layers.Conv2d(1, 2, kernel=3, padding=1).astype(np.float64)
    layer.W.data[...] = np.array(list(KERNELS.values())).reshape(2, 9).T
    X = seven()
    Y = layer(X[None, ..., None])
    return {"picture": X, "maps": Y[0].transpose(2, 0, 1)}


def draw(found: dict, plt) -> None:
    _, axes = plt.subplots(1, 5, figsize=(9, 2.1), width_ratios=[3, 1.3, 3, 1.3, 3])
    axes[0].imshow(found["picture"], cmap="gray")
    axes[0].set_title("picture, 16x16")
    largest = np.abs(found["maps"]).max()
    for k, (name, kernel) in enumerate(KERNELS.items()):
        small, large = axes[1 + 2 * k], axes[2 + 2 * k]
        small.imshow(kernel, cmap="RdBu_r", vmin=-1.6, vmax=1.6)
        for (i, j), value in np.ndenumerate(kernel):
            small.text(j, i, f"{value:g}", ha="center", va="center", fontsize=8)
        small.set_title("kernel")
        large.imshow(found["maps"][k], cmap="RdBu_r", vmin=-largest, vmax=largest)
        large.set_title(f"brighter, {name}?")
    for each in axes:
        each.set(xticks=[], yticks=[])


if __name__ == "__main__":
    main(__file__, numbers, draw)
