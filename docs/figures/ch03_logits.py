"""Chapter 3: what is lost between a logit and its probability: the value, and the gradient."""

import numpy as np
from figure import BLUE, GREY, RED, main

from tinya2i import losses, ops


def numbers() -> dict:
    """Loss of a pixel whose target is 0 and gradients of one whose target is 1, by the logit.

    "rounded" is -log(1 - Y) with Y rounded to float32, computed in float64 around it; only where
    it is finite.
    """
    z = np.arange(-160, 161) / 4
    stable = [losses.bce_with_logits(np.array([[a]]), np.zeros((1, 1)))[0] for a in z]
    Y = ops.sigmoid(z).astype(np.float32).astype(np.float64)
    finite = Y < 1
    a = np.arange(-80, 81) / 8
    Z, T = a[:, None], np.ones((len(a), 1))
    S = ops.sigmoid(Z)
    dZ_mse = losses.mse(S, T)[1] * S * (1 - S) * len(a)
    dZ_bce = losses.bce_with_logits(Z, T)[1] * len(a)
    return {
        "logit": z,
        "stable": np.array(stable),
        "rounded at": z[finite],
        "rounded": -np.log(1 - Y[finite]),
        "slope at": a,
        "slope of mse": dZ_mse[:, 0],
        "slope of bce": dZ_bce[:, 0],
    }


def draw(found: dict, plt) -> None:
    _, (left, right) = plt.subplots(1, 2, figsize=(7.6, 3))
    left.plot(found["logit"], found["stable"], color=BLUE, lw=1.5, label="from the logit")
    x, y = found["rounded at"], found["rounded"]
    left.plot(x, y, color=RED, lw=1.5, ls="--", label="from Y in float32")
    left.plot(x[-1:], y[-1:], "x", color=RED, ms=7)
    left.annotate(
        f"infinite beyond z = {x[-1]:g}", (x[-1], y[-1]), (-34, 27), color=RED,
        arrowprops={"arrowstyle": "-", "color": RED, "lw": 0.6},
    )  # fmt: skip
    left.set(xlabel="logit z", title="BCE of a pixel whose target is 0", xlim=(-40, 40))
    left.legend(loc="upper left", fontsize=7.5)
    left.set_ylim(-2, 48)
    right.axhline(0, color=GREY, lw=0.6)
    right.plot(found["slope at"], found["slope of bce"], color=BLUE, lw=1.5, label="BCE")
    right.plot(
        found["slope at"], found["slope of mse"], color=RED, lw=1.5, ls="--", label="squared error"
    )
    right.set(xlabel="logit z", title="dz, where the target is 1", xlim=(-10, 10))
    right.legend(loc="lower right", fontsize=7.5)


if __name__ == "__main__":
    main(__file__, numbers, draw)
