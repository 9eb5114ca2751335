"""Chapter 5: what decoders draw before they have learned anything, with kernels of 3 and of 4."""

from itertools import pairwise

import numpy as np
from figure import main

from tinya2i.layer import Sequential
from tinya2i.layers import ConvTranspose2d, ReLU

SHAPES = {  # three doublings, 4 -> 8 -> 16 -> 32 pixels
    "kernel 3": {"kernel": 3, "stride": 2, "padding": 1, "output_padding": 1},
    "kernel 4": {"kernel": 4, "stride": 2, "padding": 1},
}
CHANNELS = (16, 16, 8, 1)
NETWORKS = 300


def picture(seed: int, given: dict) -> np.ndarray:
    """(32, 32): a random input through a random decoder."""
    rng = np.random.default_rng(seed)
    parts = []
    for c_in, c_out in pairwise(CHANNELS):
        parts += [ConvTranspose2d(c_in, c_out, **given, rng=rng), ReLU()]
    decoder = Sequential(*parts[:-1]).astype(np.float64)
    return decoder(rng.standard_normal((1, 4, 4, CHANNELS[0])))[0, :, :, 0]


def numbers() -> dict:
    """For each kernel one picture, and the root mean square of each pixel over many networks."""
    found = {}
    for name, given in SHAPES.items():
        pictures = np.array([picture(seed, given) for seed in range(NETWORKS)])
        found[name] = {"one": pictures[1], "rms": np.sqrt((pictures**2).mean(axis=0))}
    return found


def draw(found: dict, plt) -> None:
    figure, axes = plt.subplots(1, 4, figsize=(9.6, 2.7), layout="constrained")
    largest = max(np.max(each["rms"]) for each in found.values())
    for k, (name, each) in enumerate(found.items()):
        one, rms = axes[k], axes[k + 2]
        bound = np.abs(each["one"]).max()
        one.imshow(each["one"], cmap="gray", vmin=-bound, vmax=bound)
        one.set_title(f"{name}: one network")
        shown = rms.imshow(each["rms"], cmap="viridis", vmin=0, vmax=largest)
        rms.set_title(f"{name}: rms of {NETWORKS}")
    figure.colorbar(shown, ax=axes[3], shrink=0.8)
    for ax in axes:
        ax.set(xticks=[], yticks=[])


if __name__ == "__main__":
    main(__file__, numbers, draw)
