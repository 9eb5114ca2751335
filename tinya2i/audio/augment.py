"""Fresh versions of the training clips: other voices, rooms and microphones say the same word.

    wave -> speed, shift, noise -> log_mel -> vtlp, warp, tilt -> standardised -> mask

Of every clip as many as are asked for, each drawn from the generator that is given.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import AudioError
from ..threads import in_shares
from . import pictures, waves
from .features import LogMel, log_mel

KINDS = ("speed", "shift", "noise", "vtlp", "warp", "tilt", "mask")


@dataclass(frozen=True)
class Augment:
    """What is done to a clip, and how much of it at most; every number is drawn for each version.

    speed, vtlp: factors from 1 / x to x, their logarithms uniform. shift: silence before or behind
    the clip, or a cut into it, up to this share of its length at either end. noise: SNR in dB, from
    and to, its spectrum between low and high. warp: frames by which the rhythm bends. tilt: dB
    between the ends of the spectrum, and half of it for a ripple. mask: bands and frames.
    """

    kinds: tuple[str, ...] = KINDS
    speed: float = 1.25
    shift: float = 0.1
    noise: tuple[float, float] = (10.0, 40.0)
    vtlp: float = 1.2
    warp: float = 4.0
    tilt: float = 12.0
    mask: tuple[int, int] = (6, 6)

    def __post_init__(self):
        if unknown := [kind for kind in self.kinds if kind not in KINDS]:
            raise AudioError(f"no augmentation {unknown[0]!r}: choose from {', '.join(KINDS)}")


def augmented(
    clips: Sequence[np.ndarray],
    rng: np.random.Generator,
    settings: Augment | None = None,
    features: LogMel | None = None,
    mean: np.ndarray | float = 0.0,
    std: np.ndarray | float = 1.0,
) -> np.ndarray:
    """One fresh version of every clip, (clips, n_mels, frames) float32, standardised.

    clips: waves as for `log_mel`; they are not touched. mean, std: those of the training clips as
    they are, () or (n_mels, 1). All numbers are drawn from rng, whether their kind is used or not,
    so that leaving one kind out leaves the others as they are. Raises `AudioError`.
    """
    settings, features = settings or Augment(), features or LogMel()
    of_waves, of_pictures = rng.spawn(2)
    X = log_mel(_waves(clips, of_waves, settings), features)
    return _pictures(X, of_pictures, settings, features, mean, std)


def _waves(
    clips: Sequence[np.ndarray], rng: np.random.Generator, settings: Augment
) -> list[np.ndarray]:
    made: list[np.ndarray] = [np.zeros(0)] * len(clips)
    rngs = rng.spawn(len(clips))  # one each: which thread is first does not matter

    def work(parts: Iterable[slice]) -> None:
        for part in parts:
            for i in range(part.start, part.stop):
                made[i] = _wave(np.asarray(clips[i], np.float32), rngs[i], settings)

    in_shares(np, len(clips), 32 * max((len(clip) for clip in clips), default=1), work)
    return made


def _wave(wave: np.ndarray, rng: np.random.Generator, settings: Augment) -> np.ndarray:
    factor = settings.speed ** rng.uniform(-1, 1)
    ends = rng.uniform(-settings.shift, settings.shift, 2)
    snr, slope = rng.uniform(*settings.noise), rng.uniform(-1, 1)
    if "speed" in settings.kinds:
        wave = waves.speed(wave, factor)
    if "shift" in settings.kinds:
        start, more = (round(len(wave) * end) for end in ends)
        wave = waves.shift(wave, start, max(start + 1, len(wave) + more))
    if "noise" in settings.kinds:
        noise = rng.standard_normal(len(wave), np.float32)
        wave = waves.add_noise(wave, waves.tilted(noise, slope), snr)
    return wave


def _pictures(X, rng: np.random.Generator, settings: Augment, features: LogMel, mean, std):
    n, bands = X.shape[:2]
    factors = settings.vtlp ** rng.uniform(-1, 1, n)
    bends = settings.warp * rng.uniform(-1, 1, (n, 2)) / [1, 2]
    gains = settings.tilt * _curves(rng.uniform(-1, 1, (n, 3)), bands)
    places = rng.uniform(size=(4, n))
    if "vtlp" in settings.kinds:
        X = pictures.vocal_tract(X, factors, features.rate)
    if "warp" in settings.kinds:
        X = pictures.warp(X, bends)
    if "tilt" in settings.kinds:
        X = pictures.equalise(X, gains, features.top_db)
    X = (X - np.float32(mean)) / np.float32(std)
    if "mask" in settings.kinds:
        for axis, most, (size, place) in zip(
            (1, 2), settings.mask, places.reshape(2, 2, n), strict=True
        ):
            size = (size * (most + 1)).astype(int)
            X = pictures.mask(X, (place * (X.shape[axis] - size + 1)).astype(int), size, axis)
    return X


def _curves(A: np.ndarray, bands: int) -> np.ndarray:
    """A straight line from -A_0 / 2 to A_0 / 2, and ripples of half a wave and more: (n, bands)."""
    f = np.linspace(0, 1, bands)
    return A @ np.stack([f - 0.5, np.cos(2 * np.pi * f) / 4, np.cos(3 * np.pi * f) / 4])
