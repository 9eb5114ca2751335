"""Towers: an eye for pictures and an ear for sounds, small enough to train in minutes on a CPU.

Those of Arandjelovic and Zisserman (2017, 2018) at the size of digits: convolutions with BatchNorm
and ReLU that halve the picture until little is left of it.
"""

import numpy as np

from tinya2i import init
from tinya2i.layer import Layer, Sequential
from tinya2i.layers import BatchNorm2d, Conv2d, Flatten, Linear, ReLU
from tinya2i.models.networks import audio_encoder

WIDTH = 128
EARS = ("tower", "vae")


def image_tower(outputs: int, rng: np.random.Generator, weights: init.Init) -> Sequential:
    """F = tower(T)        T (n, 28, 28, 1) in 0..1  ->  F (n, outputs)

    Padded by 1: 28 -> 14 -> 7 pixels.
    """
    return Sequential(
        *_halve(1, 32, rng, weights),
        *_halve(32, 64, rng, weights), Flatten(),
        Linear(7 * 7 * 64, outputs, rng=rng, weights=weights),
    )  # fmt: skip


def audio_tower(outputs: int, rng: np.random.Generator, weights: init.Init) -> Sequential:
    """F = tower(X)        X (n, 48, 48, 1) standardised log-mel  ->  F (n, outputs)

    Padded by 1: 48 -> 24 -> 12 -> 6 pixels.
    """
    return Sequential(
        *_halve(1, 32, rng, weights),
        *_halve(32, 64, rng, weights),
        *_halve(64, 128, rng, weights), Flatten(),
        Linear(6 * 6 * 128, outputs, rng=rng, weights=weights),
    )  # fmt: skip


def ear(kind: str, outputs: int, rng: np.random.Generator, weights: init.Init) -> Sequential:
    """The audio tower, or with kind "vae" the encoder of the VAE; ValueError for another kind.

    All but the last layer of either encoder have the same names and shapes, so that a VAE can start
    from an ear.
    """
    if kind not in EARS:
        raise ValueError(f"no ear {kind!r}; there are {[*EARS]}")
    return {"tower": audio_tower, "vae": audio_encoder}[kind](outputs, rng, weights)


def _halve(c_in: int, c_out: int, rng: np.random.Generator, weights: init.Init) -> list[Layer]:
    conv = Conv2d(c_in, c_out, 4, stride=2, padding=1, rng=rng, weights=weights)
    return [conv, BatchNorm2d(c_out), ReLU()]
