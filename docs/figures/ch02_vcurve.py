"""Chapter 2: the error of a difference against its step, in two precisions.

The function is the square root, at places and with steps that both precisions hold exactly: a
computer's root is right to the last digit, on every machine, so nothing but rounding and the
missing terms of Taylor's series is seen.
"""

import numpy as np
from figure import BLUE, GREEN, GREY, RED, main

POWERS = {"float32": range(1, 24), "float64": range(1, 43)}


def numbers() -> dict:
    """Mean relative error over 64 places, {precision: {step, forward, central}}, and its bound."""
    x = 1 + np.random.default_rng(0).integers(0, 1024, 64) / 1024
    slope, third = 0.5 / np.sqrt(x), 0.375 / (np.sqrt(x) * x * x)
    found = {}
    for precision, powers in POWERS.items():
        h = np.array([0.5**power for power in powers])
        values = x.astype(precision), h[:, None].astype(precision)
        found[precision] = {"step": h, **_errors(*values, slope)}
        unit = float(np.finfo(precision).eps) / 2
        bound = h[:, None] ** 2 * third / 6 + unit * np.sqrt(x) / h[:, None]
        found[precision]["bound"] = (bound / slope).mean(axis=1)
    return found


def _errors(x: np.ndarray, h: np.ndarray, slope: np.ndarray) -> dict:
    above, here, below = np.sqrt(x + h), np.sqrt(x), np.sqrt(x - h)
    kinds = {"forward": (above - here) / h, "central": (above - below) / (2 * h)}
    return {
        kind: (np.abs(slopes.astype(np.float64) - slope) / slope).mean(axis=1)
        for kind, slopes in kinds.items()
    }


def draw(found: dict, plt) -> None:
    _, axes = plt.subplots(figsize=(6.5, 3.9))
    styles = {
        ("float32", "forward"): (RED, "o", "white"),
        ("float32", "central"): (RED, "o", RED),
        ("float64", "forward"): (BLUE, "s", "white"),
        ("float64", "central"): (BLUE, "s", BLUE),
    }
    for (precision, kind), (colour, marker, face) in styles.items():
        part = found[precision]
        axes.loglog(
            part["step"], part[kind], marker, ls="-", lw=0.7, ms=3.5, color=colour,
            markerfacecolor=face, label=f"{kind}, {precision}",
        )  # fmt: skip
    for precision in found:
        label = "bound (2.3)" if precision == "float64" else None
        part = found[precision]
        axes.loglog(part["step"], part["bound"], "--", lw=0.9, color=GREY, label=label)
    axes.axvline(1e-6, color=GREEN, lw=0.9)
    axes.text(1.25e-6, 4e-13, "the library's step", color=GREEN, va="center")
    axes.set(xlabel="step h", ylabel="mean relative error of the slope", ylim=(1e-13, 10))
    axes.set_yticks([1e-12, 1e-9, 1e-6, 1e-3, 1])
    place = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0)}
    axes.legend(**place, ncols=3, fontsize=7.5, frameon=False)


if __name__ == "__main__":
    main(__file__, numbers, draw)
