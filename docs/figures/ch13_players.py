"""Chapter 13: a critic with a head start and both losses; two players that go round in circles."""

import numpy as np
from figure import BLUE, GREEN, GREY, RED, main

from tinya2i import layers, losses

REAL, SPREAD, START = 2.0, 0.5, -2.0
NOISE = np.linspace(-2.5, 2.5, 41)  # the same for reals and fakes: no chance in it
STEPS, LR_D, LR_G = 300, 0.5, 0.1
CIRCLE_LR, ROUNDS = 0.2, 160


def play(saturating: bool, head_start: int) -> np.ndarray:
    """Centre of the fakes after each step; D alone learns for the first head_start steps."""
    D, centre, centres = layers.Linear(1, 1).astype(np.float64), START, [START]
    D.W.data[...] = 0
    T = (REAL + SPREAD * NOISE)[:, None]
    for step in range(head_start + STEPS):
        Y = (centre + SPREAD * NOISE)[:, None]
        D.zero_grad()
        V, back = D.forward(T)
        back(losses.bce_with_logits(V, np.ones_like(V))[1])
        V, back = D.forward(Y)
        dV = losses.bce_with_logits(V, np.zeros_like(V))[1]
        back(dV)
        dV = -dV if saturating else losses.bce_with_logits(V, np.ones_like(V))[1]
        dY = back(dV, accumulate=False)
        for param in D.params():
            param.data -= LR_D * param.grad
        if step >= head_start:
            centre -= LR_G * float(dY.sum())  # every fake moves with the centre
            centres.append(centre)
    return np.array(centres)


def circle() -> dict:
    """All reals at 0, all fakes at theta, D's logit w x: (theta, w) and L_D after each step."""
    theta, w, path, L = 1.0, 0.0, [], []
    for _ in range(ROUNDS + 1):
        path.append((theta, w))
        L.append(np.log(2) + np.log1p(np.exp(w * theta)))
        s = 1 / (1 + np.exp(-w * theta))
        theta, w = theta + CIRCLE_LR * s * w, w - CIRCLE_LR * s * theta
    return {"path": np.array(path), "L_D": L}


def numbers() -> dict:
    runs = {
        f"{kind}, {head_start}": play(kind == "log(1 − D)", head_start)
        for kind in ("−log D", "log(1 − D)")
        for head_start in (0, 1000)
    }
    return {"runs": runs, **circle()}


def draw(found: dict, plt) -> None:
    _, (left, middle, right) = plt.subplots(1, 3, figsize=(9.6, 2.9), width_ratios=[1.5, 1, 1.2])
    for name, centres in found["runs"].items():
        kind, head_start = name.rsplit(", ", 1)
        style = "-" if head_start == "0" else "--"
        left.plot(centres, style, color=BLUE if kind == "−log D" else RED, label=name)
    left.axhline(REAL, color=GREEN, lw=0.8)
    left.text(300, REAL - 0.62, "reals", color=GREEN, ha="right")
    left.legend(
        title="generator's loss, critic's head start", fontsize=7, title_fontsize=7, ncols=2
    )
    left.set(xlabel="step of both", ylabel="centre of the fakes", ylim=(-2.4, 5.4))
    left.set_title("a head start of the critic")
    path = np.array(found["path"])
    middle.plot(path[:, 0], path[:, 1], color=BLUE, lw=0.9)
    middle.plot(*path[0], "o", color=RED, ms=4)
    middle.plot(0, 0, "+", color=GREEN, ms=9)
    middle.set(aspect="equal", xlabel="θ, where the fakes are", ylabel="w, D's slope")
    middle.set_title("nobody arrives")
    right.plot(found["L_D"], color=BLUE)
    right.axhline(2 * np.log(2), color=GREY, lw=0.8)
    right.text(0, 2.38, "grey: 2 log 2", color=GREY)
    right.set(xlabel="step", ylabel="critic's loss", title="of the middle picture")
    plt.tight_layout()


if __name__ == "__main__":
    main(__file__, numbers, draw)
