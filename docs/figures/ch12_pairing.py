"""Chapter 12: one picture a clip for ever is learned by heart, another each epoch is averaged."""

import numpy as np
from ch12_archetypes import distance, toy_set
from figure import BLUE, GREEN, GREY, RED, main

from tinya2i import losses, ops, optim
from tinya2i.data import mix
from tinya2i.layer import Sequential
from tinya2i.layers import Linear, ReLU, Reshape

EPOCHS, EVERY, RATE = 300, 10, 1e-2
COUNTS = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89)


def numbers() -> dict:
    """|Y - M| and |Y - T| over |T - M| as a network without noise trains; means of m pictures."""
    found = toy_set()
    curves = {name: train(found, redraw) for name, redraw in (("fixed", False), ("redrawn", True))}
    return {"curves": curves, "counts": COUNTS, "averages": averages(found)}


def train(found: dict, redraw: bool) -> dict:
    """One network on 120 pairs, one for each clip; T0 are the pairs of epoch 0."""
    rng = np.random.default_rng(0)
    X, said, M, unit = (found[name] for name in ("X", "said", "M", "unit"))
    model = Sequential(
        Linear(144, 100, rng), ReLU(), Linear(100, 784, rng), Reshape(28, 28, 1)
    ).astype(np.float64)
    adam = optim.Adam(model.params(), RATE)
    T = T0 = found["T"][mix.pair(said, found["digits"], rng)]  # a picture for each clip
    curves = {"to the mean": [], "to its first picture": []}
    for epoch in range(EPOCHS + 1):
        if epoch % EVERY == 0:
            Y = ops.sigmoid(model(X))
            curves["to the mean"].append(distance(Y, M[said]) / unit)
            curves["to its first picture"].append(distance(Y, T0) / unit)
        adam.lr = RATE * (1 - epoch / (EPOCHS + 1))
        Z, backprop = model.forward(X)
        backprop(losses.bce_with_logits(Z, T)[1], input_grad=False)
        adam.step()
        if redraw:
            T = found["T"][mix.pair(said, found["digits"], rng)]
    return curves


def averages(found: dict) -> list[float]:
    """sqrt of the mean |mean of m pictures - M|^2 over that of one picture, 50 times each digit."""
    T, digits, M = found["T"], found["digits"], found["M"]
    rng, said = np.random.default_rng(1), np.repeat(np.arange(10), 50)
    V = np.square(T - M[digits]).sum() / len(T)
    squares = []
    for count in COUNTS:
        means = np.zeros((len(said), *T.shape[1:]))
        for _ in range(count):
            means += T[mix.pair(said, digits, rng)] / count
        squares.append(np.square(means - M[said]).sum() / len(said))
    return list(np.sqrt(np.array(squares) / V))


def draw(found: dict, plt) -> None:
    _, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.2))
    epochs = np.arange(0, EPOCHS + 1, EVERY)
    for name, colour in (("fixed", RED), ("redrawn", GREEN)):
        for style, (to, values) in zip("-:", found["curves"][name].items(), strict=True):
            left.plot(epochs, values, style, color=colour, label=f"{name}: {to}")
    left.set(xlabel="epoch", ylabel="distance / that of a real picture", ylim=(0, 1.9))
    left.legend(fontsize=7.5, frameon=False)
    counts = np.array(found["counts"])
    right.plot(counts, counts**-0.5, color=GREY, label="$1 / \\sqrt{m}$")
    right.plot(counts, found["averages"], "o", ms=4, color=BLUE, label="mean of m drawn pictures")
    right.axvline(100 / 3, color=GREY, lw=0.7, ls="--")
    right.text(36, 0.85, "60,000 pictures,\n1,800 clips", color=GREY)
    right.set(xlabel="m, pictures for one clip", ylim=(0, 1.1), xlim=(0, 92))
    right.legend(fontsize=7.5, frameon=False, loc="center right")


if __name__ == "__main__":
    main(__file__, numbers, draw)
