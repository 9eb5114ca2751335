"""What the autoencoder and the VAEs share: ear and hand; and the eye of the conditional one."""

import numpy as np

from tinya2i import init
from tinya2i.layer import Sequential
from tinya2i.layers import Conv2d, ConvTranspose2d, Flatten, Linear, ReLU, Reshape

LATENT = 64


def audio_encoder(outputs: int, rng: np.random.Generator, weights: init.Init) -> Sequential:
    """H = encoder(X)        X (n, 48, 48, 1) standardised log-mel  ->  H (n, outputs)

    Unpadded convolutions: 48 -> 23 -> 10 pixels.
    """
    given = {"rng": rng, "weights": weights}
    return Sequential(
        Conv2d(1, 64, 4, stride=2, **given), ReLU(),
        Conv2d(64, 128, 4, stride=2, **given), ReLU(), Flatten(),
        Linear(10 * 10 * 128, 1024, **given), ReLU(),
        Linear(1024, 512, **given), ReLU(),
        Linear(512, outputs, **given),
    )  # fmt: skip


def image_decoder(rng: np.random.Generator, weights: init.Init) -> Sequential:
    """Z = decoder(z)        z (n, 64)  ->  Z (n, 28, 28, 1), logits of the pixels

    Transposed convolutions padded by 1: 7 -> 14 -> 28 pixels. The talk's last sigmoid is in the
    loss (`bce_with_logits`), where it cannot overflow.
    """
    given = {"rng": rng, "weights": weights}
    return Sequential(
        Linear(LATENT, 512, **given), ReLU(),
        Linear(512, 1024, **given), ReLU(),
        Linear(1024, 7 * 7 * 128, **given), Reshape(7, 7, 128),
        ConvTranspose2d(128, 64, 4, stride=2, padding=1, **given), ReLU(),
        ConvTranspose2d(64, 1, 4, stride=2, padding=1, **given),
    )  # fmt: skip


def image_encoder(outputs: int, rng: np.random.Generator, weights: init.Init) -> Sequential:
    """H = encoder(T)        T (n, 28, 28, 1) in 0..1  ->  H (n, outputs)

    Padded by 1, the decoder's sizes backwards: 28 -> 14 -> 7 pixels. The talk has no such network.
    """
    given = {"rng": rng, "weights": weights}
    return Sequential(
        Conv2d(1, 32, 4, stride=2, padding=1, **given), ReLU(),
        Conv2d(32, 64, 4, stride=2, padding=1, **given), ReLU(), Flatten(),
        Linear(7 * 7 * 64, 256, **given), ReLU(),
        Linear(256, outputs, **given),
    )  # fmt: skip
