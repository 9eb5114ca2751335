"""Chapter 5: how many stamps land on each pixel, in one dimension and in two."""

import numpy as np
from figure import BLUE, GREY, RED, main

from tinya2i import layers

CASES = ((3, 2), (4, 2), (2, 2))  # kernel, stride
PIXELS = 5  # of the small picture, along each axis


def numbers() -> dict:
    """What a kernel of ones makes of a picture of ones: its values count the stamps."""
    found = {}
    for kernel, stride in CASES:
        layer = layers.ConvTranspose2d(1, 1, kernel, stride).astype(np.float64)
        layer.W.data[...] = 1
        row = layers.ConvTranspose2d(1, 1, (1, kernel), (1, stride)).astype(np.float64)
        row.W.data[...] = 1
        found[f"kernel {kernel}, stride {stride}"] = {
            "row": row(np.ones((1, 1, PIXELS, 1)))[0, 0, :, 0],
            "map": layer(np.ones((1, PIXELS, PIXELS, 1)))[0, :, :, 0],
        }
    return found


def draw(found: dict, plt) -> None:
    _, axes = plt.subplots(2, 3, figsize=(9, 5), height_ratios=[1, 2.2], layout="constrained")
    for k, (name, counts) in enumerate(found.items()):
        row, plane = np.array(counts["row"]), np.array(counts["map"])
        bars, image = axes[:, k]
        colours = [(GREY, BLUE, RED)[int(value)] for value in row]
        bars.bar(range(len(row)), row, color=colours, width=0.8)
        bars.set(title=name, ylim=(0, 2.4), yticks=[0, 1, 2], xticks=range(0, len(row), 2))
        bars.set_xlabel("pixel of the large row")
        image.imshow(plane, cmap="Blues", vmin=0, vmax=5)
        for (i, j), value in np.ndenumerate(plane):
            image.text(
                j, i, f"{value:g}", ha="center", va="center", fontsize=7,
                color="white" if value > 2.5 else "black",
            )  # fmt: skip
        image.set(xticks=[], yticks=[])
    axes[0, 0].set_ylabel("stamps")


if __name__ == "__main__":
    main(__file__, numbers, draw)
