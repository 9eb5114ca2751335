"""Chapter 11: the network of chapter 10 with noise on its codes and a KL term on its loss."""

import numpy as np
from ch10_codes import (
    BATCH,
    RATE,
    SIDE,
    TILES,
    batches,
    digits,
    judged,
    montage,
    network,
    scatter,
    show,
)
from figure import GREY, main
from scipy.stats import norm

from tinya2i import losses, optim
from tinya2i.layer import Sequential
from tinya2i.models.vae import reparameterise


def train(T: np.ndarray, kl_weight: float = 1.0) -> tuple[Sequential, Sequential]:
    """Encoder 196-64-4 (mu and logvar of two latents) and decoder 2-64-196."""
    encoder = network(SIDE * SIDE, 64, 4, seed=1)
    decoder = network(2, 64, SIDE * SIDE, seed=2)
    optimiser = optim.Adam(Sequential(encoder, decoder).params(), RATE)
    rng = np.random.default_rng(3)
    for batch in batches(T, optimiser, rng):
        H, back_encoder = encoder.forward(batch)
        (z, mu, logvar), back_z = reparameterise(H, rng.standard_normal((BATCH, 2)))
        Z, back_decoder = decoder.forward(z)
        _, dZ = losses.bce_with_logits(Z, batch)
        _, dmu, dlogvar = losses.gaussian_kl(mu, logvar)
        dH = back_z(back_decoder(dZ), kl_weight * dmu, kl_weight * dlogvar)
        back_encoder(dH, input_grad=False)
        optimiser.step()
    return encoder, decoder


def numbers() -> dict:
    """mu of 600 digits, pictures at the normal distribution's quantiles and at codes from it."""
    T, labels = digits()
    encoder, decoder = train(T)
    H = encoder(T)
    mu, logvar = H[:, :2], H[:, 2:]
    x = norm.ppf((np.arange(TILES) + 0.5) / TILES)
    grid = np.stack(np.meshgrid(x, -x), axis=-1).reshape(-1, 2)
    drawn = np.random.default_rng(4).standard_normal((1000, 2))
    distance, shares = judged(decoder, drawn, T, labels)
    return {
        "reconstruction at mu": losses.bce_with_logits(decoder(mu), T)[0],
        "kl": losses.gaussian_kl(mu, logvar)[0],
        "codes": mu,
        "mean": mu.mean(axis=0),
        "std": np.sqrt((mu**2 + np.exp(logvar)).mean(axis=0) - mu.mean(axis=0) ** 2),
        "typical std of one": np.exp(logvar / 2).mean(axis=0),
        "distance of codes": judged(decoder, mu, T, labels)[0],
        "distance of drawn": distance,
        "shares of drawn": shares,
        "decoded grid": montage(decoder, grid),
        "decoded draws": montage(decoder, drawn[: TILES * TILES]),
    }


def draw(found: dict, plt) -> None:
    _, (left, middle, right) = plt.subplots(1, 3, figsize=(10, 3.5), layout="constrained")
    scatter(left, found["codes"], "mu of 600 drawn digits")
    angle = np.linspace(0, 2 * np.pi, 100)
    for radius, style in ((1, "-"), (2, "--")):
        left.plot(radius * np.cos(angle), radius * np.sin(angle), style, color=GREY, lw=0.8)
    left.set(aspect="equal")
    show(middle, found["decoded grid"], "decoded grid: quantiles of N(0, 1)")
    show(right, found["decoded draws"], "decoded codes drawn from N(0, 1)")


if __name__ == "__main__":
    main(__file__, numbers, draw)
