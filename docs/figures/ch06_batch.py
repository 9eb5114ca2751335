"""Chapter 6: how large activations are, layer by layer, and who hears whom in a batch."""

import numpy as np
from figure import BLUE, GREEN, RED, main

from tinya2i import layers

DEPTH, WIDTH, BATCH = 20, 100, 200
SCALES = (0.07, 0.28)  # standard deviations of the weights: about half and about double of steady
COLUMN = [1.0, 7.0, 7.0, 9.0]  # the example by hand


def sizes(scale: float, normalised: bool) -> list[float]:
    """Root of the mean square of X and of what each of 20 layers gives."""
    rng = np.random.default_rng(0)
    H = rng.standard_normal((BATCH, WIDTH))
    found = [np.sqrt(np.mean(H**2))]
    for _ in range(DEPTH):
        linear, norm = layers.Linear(WIDTH, WIDTH).astype(np.float64), layers.BatchNorm1d(WIDTH)
        linear.W.data[...] = scale * rng.standard_normal((WIDTH, WIDTH))
        H = linear(H)
        if normalised:
            H, _ = norm.astype(np.float64).forward(H)
        H = layers.ReLU()(H)
        found.append(np.sqrt(np.mean(H**2)))
    return found


def jacobian(train: bool) -> np.ndarray:
    """J[q, r] = how output r changes with input q, for one column of four examples."""
    norm = layers.BatchNorm1d(1).astype(np.float64)
    X = np.array(COLUMN)[:, None]
    norm.mean[...], norm.var[...] = X.mean(), X.var()
    _, backprop = norm.forward(X, train=train)
    return np.stack([backprop(np.eye(4)[:, r : r + 1])[:, 0] for r in range(4)], axis=1)


def numbers() -> dict:
    return {
        "plain": [sizes(scale, False) for scale in SCALES],
        "normalised": [sizes(scale, True) for scale in SCALES],
        "training": jacobian(True),
        "inference": jacobian(False),
    }


def draw(found: dict, plt) -> None:
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(9.4, 3.0), width_ratios=(1.6, 1, 1))
    for curve, scale, colour in zip(found["plain"], SCALES, (BLUE, RED), strict=True):
        left.semilogy(curve, color=colour, label=f"weights of std {scale}")
    for curve, style in zip(found["normalised"], ("-", ":"), strict=True):
        label = "either, with BatchNorm" if style == "-" else None
        left.semilogy(curve, color=GREEN, ls=style, lw=2, label=label)
    left.set(xlabel="layer (0 is the input)", ylabel="root mean square", ylim=(1e-8, 1e9))
    left.set_xticks(range(0, DEPTH + 1, 5))
    left.set_title("what each layer gives", fontsize=9)
    left.legend(fontsize=8, frameon=False, loc="upper left")
    for axes, name in ((middle, "training"), (right, "inference")):
        axes.imshow(found[name], cmap="RdBu_r", vmin=-0.4, vmax=0.4)
        for q, row in enumerate(found[name]):
            for r, value in enumerate(row):
                text = f"{value:.3f}" if abs(value) > 1e-6 else "0"
                axes.text(r, q, text.replace("-", "\u2212"), ha="center", va="center", fontsize=8)
        ticks = [f"x = {x:g}" for x in COLUMN]
        axes.set_xticks(range(4), ["1", "2", "3", "4"])
        axes.set_yticks(range(4), ticks if axes is middle else [])
        axes.set_xlabel("output of example")
        axes.set_title(f"d output / d input, {name}", fontsize=9)
    figure.tight_layout()


if __name__ == "__main__":
    main(__file__, numbers, draw)
