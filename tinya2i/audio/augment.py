"""Fresh versions of the training clips: other voices, rooms and microphones say the same word.

    wave -> speed, shift, noise -> log_mel -> vtlp, warp, tilt -> standardised -> mask

What each kind does is in `waves` and `pictures`; here is how much of it, drawn for each version.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import AudioError
from ..threads import in_shares
from . import pictures, waves
from .features import LogMel, log_mel

LIMITS = {  # the kinds, as they follow each other, and between what their numbers lie
    "speed": (1, 2),
    "shift": (0, 0.4),  # cut at both ends, it must leave something
    "noise": (-20, 100),
    "vtlp": (1, 2),
    "warp": (0, 0.15),  # below 1 / (2 pi) time runs forward
    "tilt": (0, 40),
    "mask": (0, 24),
}
KINDS = tuple(LIMITS)
NOISE_RANGE = 30.0  # dB from the loudest noise to the faintest


@dataclass(frozen=True)
class Augment:
    """Which kinds of change are made to a clip, and how large each may be.

    speed   factor from 1 / speed to speed, its logarithm uniform: another voice, `waves.speed`
    shift   silence added or sound cut off at either end, up to this share of the clip's length
    noise   SNR from this many dB to 30 more, from rumble to hiss, `waves.add_noise`
    vtlp    factor from 1 / vtlp to vtlp, as speed: another throat, `pictures.vocal_tract`
    warp    share of the clip's length by which its middle moves at most, `pictures.warp`
    tilt    dB between both ends of the spectrum at most, and half of it as a ripple
    mask    bands, and frames, that are hidden at most, `pictures.mask`

    Raises `AudioError` for a kind that there is not, or a number outside its LIMITS.
    """

    kinds: tuple[str, ...] = KINDS
    speed: float = 1.25
    shift: float = 0.1
    noise: float = 10.0
    vtlp: float = 1.2
    warp: float = 0.08
    tilt: float = 12.0
    mask: int = 6

    def __post_init__(self):
        if unknown := [kind for kind in self.kinds if kind not in KINDS]:
            raise AudioError(f"no augmentation {unknown[0]!r}: choose from {', '.join(KINDS)}")
        for kind, (low, high) in LIMITS.items():
            if not low <= getattr(self, kind) <= high:
                raise AudioError(f"{kind}={getattr(self, kind):g}: it must be from {low} to {high}")

    @classmethod
    def of(cls, text: str) -> "Augment":
        """The kinds named in a text, each with its number or the default's: "speed=1.3,mask"."""
        given = dict(word.partition("=")[::2] for word in text.split(","))
        try:
            numbers = {kind: float(number) for kind, number in given.items() if number}
        except ValueError:
            raise AudioError(f"{text!r}: name kinds with commas between, or speed=1.3") from None
        return replace(cls(tuple(given)), **numbers)

    def __str__(self) -> str:
        """The text for `of`, all numbers in it."""
        return ",".join(f"{kind}={getattr(self, kind):g}" for kind in KINDS if kind in self.kinds)


def augmented(
    clips: Sequence[np.ndarray],
    rng: np.random.Generator,
    settings: Augment | None = None,
    features: LogMel | None = None,
    mean: np.ndarray | float = 0.0,
    std: np.ndarray | float = 1.0,
) -> np.ndarray:
    """One fresh version of every clip, (clips, n_mels, frames) float32: (log-mel - mean) / std.

    clips: waves as for `log_mel`; they are not touched. mean, std: of the training clips as they
    are, () or (n_mels, 1). Numbers are drawn from rng whether their kind is used or not: leaving
    one out leaves the others as they are. Raises `AudioError` for what log_mel refuses.
    """
    settings, features = settings or Augment(), features or LogMel()
    of_waves, of_pictures = rng.spawn(2)
    X = log_mel(_recorded(clips, of_waves, settings), features)
    drawn = _drawn(of_pictures, X.shape, settings)

    def work(parts: Iterable[slice]) -> None:
        for part in parts:
            numbers = {name: values[part] for name, values in drawn.items()}
            Y = _seen(X[part], numbers, settings.kinds, features)
            Y = (Y - mean) / std  # before the masks, of which 0 is to be the mean
            X[part] = _masked(Y, numbers) if "mask" in settings.kinds else Y

    in_shares(np, len(X), 8 * X[:1].nbytes, work)
    return X


def _recorded(
    clips: Sequence[np.ndarray], rng: np.random.Generator, settings: Augment
) -> list[np.ndarray]:
    """Other waves in float32, each from a generator of its own: threads come in any order."""
    made: list[np.ndarray] = [np.zeros(0)] * len(clips)
    rngs = rng.spawn(len(clips))

    def work(parts: Iterable[slice]) -> None:
        for i in itertools.chain.from_iterable(range(p.start, p.stop) for p in parts):
            made[i] = _wave(np.asarray(clips[i], np.float32), rngs[i], settings)

    in_shares(np, len(clips), 32 * max((len(clip) for clip in clips), default=1), work)
    return made


def _wave(wave: np.ndarray, rng: np.random.Generator, settings: Augment) -> np.ndarray:
    factor = settings.speed ** rng.uniform(-1, 1)
    first, last = settings.shift * rng.uniform(-1, 1, 2)
    snr, slope = settings.noise + NOISE_RANGE * rng.uniform(), rng.uniform(-1, 1)
    if "speed" in settings.kinds:
        wave = waves.speed(wave, factor)
    if "shift" in settings.kinds:
        n = len(wave)
        wave = waves.shift(wave, round(first * n), n + round(last * n))
    if "noise" in settings.kinds:
        noise = rng.standard_normal(len(wave), np.float32)
        wave = waves.add_noise(wave, waves.tilted(noise, slope), snr)
    return wave


def _drawn(
    rng: np.random.Generator, shape: tuple[int, ...], settings: Augment
) -> dict[str, np.ndarray]:
    """Numbers for n pictures under the names of their kinds, (n, ...) each."""
    n, bands, frames = shape
    sizes = np.minimum(rng.integers(int(settings.mask) + 1, size=(n, 2)), shape[1:])
    f = np.linspace(0, 1, bands)
    curves = np.stack([f - 0.5, np.cos(2 * np.pi * f) / 4, np.cos(3 * np.pi * f) / 4])
    return {
        "vtlp": settings.vtlp ** rng.uniform(-1, 1, n),
        "warp": settings.warp * (frames - 1) * rng.uniform(-1, 1, (n, 2)) / [1, 2],
        "tilt": settings.tilt * rng.uniform(-1, 1, (n, 3)) @ curves,
        "size": sizes,
        "first": rng.integers(np.array(shape[1:]) - sizes + 1),
    }


def _seen(X: np.ndarray, drawn: dict[str, np.ndarray], kinds: Sequence[str], features: LogMel):
    if "vtlp" in kinds:
        X = pictures.vocal_tract(X, drawn["vtlp"], features.rate)
    if "warp" in kinds:
        X = pictures.warp(X, drawn["warp"])
    if "tilt" in kinds:
        X = pictures.equalise(X, drawn["tilt"], features.top_db)
    return X


def _masked(X: np.ndarray, drawn: dict[str, np.ndarray]) -> np.ndarray:
    for axis, (first, size) in enumerate(zip(drawn["first"].T, drawn["size"].T, strict=True), 1):
        X = pictures.mask(X, first, size, axis)
    return X
