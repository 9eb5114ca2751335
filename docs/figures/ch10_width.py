"""Chapter 10: how much error a bottleneck of d numbers leaves: in theory, trained, and curved."""

import numpy as np
from ch10_codes import SIDE, digits, network
from figure import BLUE, GREEN, GREY, RED, main

from tinya2i import losses, optim
from tinya2i.layer import Sequential

WIDTHS, MOST, NOISE = (1, 2, 4, 8), 40, 0.25  # std of the noise on each pixel


def trained(model: Sequential, T: np.ndarray, steps: int, rate: float) -> float:
    """The mean squared error of T through model after full-batch Adam with a falling rate."""
    optimiser = optim.Adam(model.params(), rate)
    for step in range(steps):
        optimiser.lr = rate * (1 - step / steps)
        Y, backprop = model.forward(T)
        _, dY = losses.mse(Y, T)
        backprop(dY, input_grad=False)
        optimiser.step()
    return losses.mse(model(T), T)[0]


def numbers() -> dict:
    """Errors in squared ink per picture, of 300 drawn digits minus their mean picture."""
    T, _ = digits(300)
    T = T - T.mean(axis=0)
    variances = np.linalg.eigvalsh(T.T @ T / len(T))[::-1]
    left = variances.sum() - np.cumsum([0, *variances[:MOST]])
    pixels = SIDE * SIDE
    straight = []
    for d in WIDTHS:
        model = Sequential(network(pixels, d, seed=1), network(d, pixels, seed=2))
        for param in model.params():
            param.data *= 0.1  # He's variance, 2 / fan-in, is large where the fan-in is d
        straight.append(trained(model, T, 300, 1e-2))
    curved = Sequential(network(pixels, 64, 2, seed=1), network(2, 64, pixels, seed=2))
    return {
        "error left": left,
        "with noise": left + NOISE**2 * np.arange(MOST + 1),
        "linear autoencoder": straight,
        "with ReLU, d = 2": trained(curved, T, 300, 1e-2),
    }


def draw(found: dict, plt) -> None:
    _, axes = plt.subplots(figsize=(6, 3.4))
    axes.plot(found["error left"], color=GREY, label="the best plane (10.10)")
    axes.plot(WIDTHS, found["linear autoencoder"], "o", color=BLUE, label="linear, trained")
    axes.plot([2], [found["with ReLU, d = 2"]], "s", color=GREEN, label="with ReLU, trained")
    noisy = found["with noise"]
    axes.plot(noisy, color=RED, label="the best plane, noisy pictures in (10.11)")
    best = int(np.argmin(noisy))
    axes.plot([best], [noisy[best]], "v", color=RED)
    axes.annotate(
        f"d = {best}", (best, noisy[best]), (0, 8), textcoords="offset points", ha="center"
    )
    axes.set(xlabel="numbers in the code, d", ylabel="squared error of a picture", ylim=(0, None))
    axes.legend(frameon=False)


if __name__ == "__main__":
    main(__file__, numbers, draw)
