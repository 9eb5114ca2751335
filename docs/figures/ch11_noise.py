"""Chapter 11: which latents live, and how noisy two estimators of the same gradient are."""

import numpy as np
from figure import BLUE, GREY, RED, main

from tinya2i import layers, losses, optim
from tinya2i.layer import Sequential
from tinya2i.models.vae import reparameterise

VARIANCES = np.array([4, 2, 1, 0.7, 0.3, 0.1])  # of the data, along six directions
N, STEPS, RATE, EVERY = 256, 3000, 2e-2, 50
WIDTHS, DRAWS = (1, 2, 4, 8, 16, 32, 64), 20_000


def data() -> np.ndarray:
    """N examples in six dimensions with exactly these variances, turned at random."""
    rng = np.random.default_rng(0)
    centred = rng.standard_normal((N, 6))
    scaled = orthonormal(centred - centred.mean(axis=0)) * np.sqrt(N * VARIANCES)
    return scaled @ orthonormal(rng.standard_normal((6, 6)))


def orthonormal(A: np.ndarray) -> np.ndarray:
    """A's columns made orthonormal from left to right, each on its own side."""
    Q, R = np.linalg.qr(A)
    return Q * np.sign(np.diag(R))


def kl_of_each(H: np.ndarray) -> np.ndarray:
    """The mean KL of each of six latents, in nats."""
    return np.array([losses.gaussian_kl(H[:, [j]], H[:, [6 + j]])[0] for j in range(6)])


def training() -> np.ndarray:
    """KL of six latents during the training of a linear VAE on squared error (s^2 = 1/2)."""
    T, rng = data(), np.random.default_rng(1)
    encoder = layers.Linear(6, 12, rng).astype(np.float64)
    decoder = layers.Linear(6, 6, rng).astype(np.float64)
    encoder.W.data[:, 6:] *= 0.1
    optimiser = optim.Adam(Sequential(encoder, decoder).params(), RATE)
    curves = []
    for step in range(STEPS):
        optimiser.lr = RATE * min(1, 2 * (1 - step / STEPS))
        if step % EVERY == 0:
            curves.append(kl_of_each(encoder(T)))
        H, back_encoder = encoder.forward(T)
        (z, mu, logvar), back_z = reparameterise(H, rng.standard_normal((N, 6)))
        Y, back_decoder = decoder.forward(z)
        _, dY = losses.mse(Y, T)
        _, dmu, dlogvar = losses.gaussian_kl(mu, logvar)
        back_encoder(back_z(back_decoder(dY), dmu, dlogvar), input_grad=False)
        optimiser.step()
    return np.array([*curves, kl_of_each(encoder(T))])


def variances() -> tuple[list, list]:
    """Of the path and of the score estimate of d/dmu_1 E[sum z^2], z from N(0, 1) in d latents."""
    rng, path, score = np.random.default_rng(2), [], []
    for d in WIDTHS:
        z = rng.standard_normal((DRAWS, d))
        path.append((2 * z[:, 0]).var())
        score.append(((z * z).sum(axis=1) * z[:, 0]).var())
    return path, score


def numbers() -> dict:
    """KL curves (checks, latents) and what theory says of their ends; variances over d."""
    path, score = variances()
    return {
        "kl": training(),
        "kl in theory": np.maximum(0, np.log(2 * VARIANCES) / 2),
        "path": path,
        "score": score,
    }


def draw(found: dict, plt) -> None:
    _, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.3), layout="constrained")
    steps = np.minimum(EVERY * np.arange(len(found["kl"])), STEPS)
    left.plot(steps, found["kl"], lw=1.2)
    for value in sorted(set(found["kl in theory"])):
        left.axhline(value, color=GREY, ls=":", lw=1)
    left.set(
        xlabel="steps", ylabel="KL (nats)", title="KL of each of six latents", ylim=(-0.03, 1.3)
    )
    d = np.array(WIDTHS)
    right.loglog(d, (d + 2) * (d + 4), color=RED, lw=1, label="score function: (d + 2)(d + 4)")
    right.loglog(d, found["score"], "o", color=RED)
    right.loglog(d, np.full(len(d), 4.0), color=BLUE, lw=1, label="through the sample: 4")
    right.loglog(d, found["path"], "o", color=BLUE)
    right.set(
        xlabel="latents, d", ylabel="variance of one draw", title="two estimates of one gradient"
    )
    right.legend(frameon=False, loc="upper left")


if __name__ == "__main__":
    main(__file__, numbers, draw)
