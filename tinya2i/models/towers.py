"""Towers: an eye for pictures and an ear for sounds, small enough to train in minutes on a CPU.

Those of Arandjelovic and Zisserman (2017, 2018) at the size of digits: convolutions with BatchNorm
and ReLU that halve the picture until little is left of it.
"""

import numpy as np

from tinya2i import init
from tinya2i.layer import Layer, Sequential
from tinya2i.layers import BatchNorm1d, BatchNorm2d, Conv2d, Flatten, Linear, ReLU
from tinya2i.models.networks import audio_encoder

WIDTH = 128
EARS = {"tower": WIDTH, "vae": 512}  # which ears there are, and how many features each has


def image_tower(rng: np.random.Generator, weights: init.Init) -> Sequential:
    """F = tower(T)        T (n, 28, 28, 1) in 0..1  ->  F (n, 128), at least 0

    Padded by 1: 28 -> 14 -> 7 pixels.
    """
    return Sequential(
        *_halve(1, 32, rng, weights),
        *_halve(32, 64, rng, weights), Flatten(),
        Linear(7 * 7 * 64, WIDTH, rng, weights), BatchNorm1d(WIDTH), ReLU(),
    )  # fmt: skip


def audio_tower(rng: np.random.Generator, weights: init.Init) -> Sequential:
    """F = tower(X)        X (n, 48, 48, 1) standardised log-mel  ->  F (n, 128), at least 0

    Padded by 1: 48 -> 24 -> 12 -> 6 pixels.
    """
    return Sequential(
        *_halve(1, 32, rng, weights),
        *_halve(32, 64, rng, weights),
        *_halve(64, 128, rng, weights), Flatten(),
        Linear(6 * 6 * 128, WIDTH, rng, weights), BatchNorm1d(WIDTH), ReLU(),
    )  # fmt: skip


def ear(kind: str, rng: np.random.Generator, weights: init.Init) -> Sequential:
    """F = ear(X)        X (n, 48, 48, 1)  ->  F (n, EARS[kind]), at least 0

    "tower" is the audio tower. "vae" is the VAE's encoder without its last layer, whose parameters
    have the same names there: a VAE can start from what a "vae" ear has learned. ValueError for
    another kind.
    """
    if kind not in EARS:
        raise ValueError(f"no ear {kind!r}; there are {[*EARS]}")
    return audio_tower(rng, weights) if kind == "tower" else audio_encoder(1, rng, weights)[:-1]


def _halve(c_in: int, c_out: int, rng: np.random.Generator, weights: init.Init) -> list[Layer]:
    """3 x 3 with stride 2: half as many pixels along each axis."""
    conv = Conv2d(c_in, c_out, 3, stride=2, padding=1, rng=rng, weights=weights)
    return [conv, BatchNorm2d(c_out), ReLU()]
