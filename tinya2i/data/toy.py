"""The embedded data set: drawn digits and synthesised digit words, made by code from a seed.

Nothing is downloaded and nothing is real. The test words are spoken by voices that the training
words never use.
"""

from typing import TYPE_CHECKING

import numpy as np

from tinya2i.data.formants import Voice, speak
from tinya2i.data.strokes import draw

if TYPE_CHECKING:
    from tinya2i.data import Clips

# Shorter tracts go with higher voices: Peterson and Barney's women lie 15 to 20 % above the men.
TRAIN_VOICES = {
    "alder": Voice(tract=1.14, pitch=92, fall=0.25, speed=0.9, breath=0.03),
    "birch": Voice(tract=1.05, pitch=118, fall=0.4, speed=1.1, breath=0.06),
    "cedar": Voice(tract=0.99, pitch=140, fall=0.2, speed=1.0, breath=0.1),
    "elm": Voice(tract=0.94, pitch=185, fall=0.5, speed=1.15, breath=0.04),
    "hazel": Voice(tract=0.89, pitch=215, fall=0.3, speed=0.95, breath=0.08),
    "rowan": Voice(tract=0.86, pitch=245, fall=-0.2, speed=1.05, breath=0.05),
}
TEST_VOICES = {
    "maple": Voice(tract=1.09, pitch=104, fall=0.35, speed=1.0, breath=0.05),
    "olive": Voice(tract=0.96, pitch=165, fall=0.1, speed=1.1, breath=0.08),
    "willow": Voice(tract=0.88, pitch=228, fall=0.4, speed=0.9, breath=0.04),
}


def images(
    seed: int = 0, train: int = 4000, test: int = 1000
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(train images, train digits, test images, test digits): each digit as often, in any order.

    Images (n, 28, 28, 1) uint8, digits (n,) int64.
    """
    rng = np.random.default_rng([seed, 0])
    sides = []
    for n in (train, test):
        digits = rng.permutation(np.arange(n) % 10)
        sides += [draw(digits, rng), digits]
    return tuple(sides)


def clips(seed: int = 0, train: int = 8, test: int = 5) -> tuple["Clips", "Clips"]:
    """(train clips, test clips): every voice says every digit `train` or `test` times.

    Six voices train (480 clips), three others test (150). Waves are float32 at 8 kHz with a peak
    between 0.4 and 0.9; names are "{digit}_{voice}_{index}.wav".
    """
    rng = np.random.default_rng([seed, 1])
    return _spoken(TRAIN_VOICES, train, rng), _spoken(TEST_VOICES, test, rng)


def _spoken(voices: dict[str, Voice], times: int, rng: np.random.Generator) -> "Clips":
    from tinya2i.data import Clips  # the package imports this module

    said = [(digit, name, i) for name in voices for digit in range(10) for i in range(times)]
    digits = np.array([digit for digit, _, _ in said], dtype=np.int64)
    moods = [_vary(voices[name], rng) for _, name, _ in said]
    return Clips(
        waves=[_recorded(wave, rng) for wave in speak(digits, moods, rng)],
        digits=digits,
        speakers=np.array([name for _, name, _ in said]),
        names=tuple(f"{digit}_{name}_{i}.wav" for digit, name, i in said),
    )


def _vary(voice: Voice, rng: np.random.Generator) -> Voice:
    """The same speaker, another time."""
    factors = np.exp(rng.normal(0, (0.01, 0.06, 0.3, 0.1, 0.3)))
    return Voice(*(float(v * f) for v, f in zip(voice, factors, strict=True)))


def _recorded(wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """In a room that is never quite silent (50 to 70 dB below), at some level."""
    room = 10 ** rng.uniform(-3.5, -2.5) * np.abs(wave).max()
    wave = wave + room * rng.standard_normal(len(wave))
    return (rng.uniform(0.4, 0.9) / np.abs(wave).max() * wave).astype(np.float32)
