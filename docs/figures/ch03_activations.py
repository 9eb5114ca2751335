"""Chapter 3: four activations and their slopes, as the library computes both."""

import numpy as np
from figure import BLUE, GREEN, RED, main

from tinya2i import layers

KINDS = {
    "ReLU": layers.ReLU(),
    "LeakyReLU(0.2)": layers.LeakyReLU(0.2),
    "Sigmoid": layers.Sigmoid(),
    "Tanh": layers.Tanh(),
}


def numbers() -> dict:
    """{"x": places, name: {"value": Y, "slope": dX for dY = 1}}."""
    X = np.linspace(-4, 4, 65)  # 0 is one of them
    found = {"x": X}
    for name, layer in KINDS.items():
        Y, backprop = layer.forward(X)
        found[name] = {"value": Y, "slope": backprop(np.ones_like(X))}
    return found


def draw(found: dict, plt) -> None:
    _, axes = plt.subplots(1, 2, figsize=(7.2, 2.7))
    styles = {  # colour, width; the wide one lies below
        "LeakyReLU(0.2)": ("#bbbbbb", 4),
        "ReLU": (RED, 1.4),
        "Sigmoid": (BLUE, 1.4),
        "Tanh": (GREEN, 1.4),
    }
    x = np.array(found["x"])
    for axis, what, title in zip(axes, ("value", "slope"), ("Y", "dX for dY = 1"), strict=True):
        for name, (colour, lw) in styles.items():
            y = np.array(found[name][what])
            if what == "slope" and "ReLU" in name:  # a jump is not a steep line
                axis.plot(x[x <= 0], y[x <= 0], color=colour, lw=lw, label=name)
                axis.plot(x[x > 0], y[x > 0], color=colour, lw=lw)
            else:
                axis.plot(x, y, color=colour, lw=lw, label=name)
        axis.set(xlabel="X", title=title, xlim=(-4, 4))
        axis.grid(color="#dddddd", lw=0.5)
    axes[0].set_ylim(-1.3, 2)
    axes[1].set_ylim(-0.05, 1.15)
    axes[0].legend(loc="upper left", fontsize=7.5)


if __name__ == "__main__":
    main(__file__, numbers, draw)
