"""The log-mel picture: 48 bands by 48 frames of a whole clip, many clips at a time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from ..errors import AudioError
from .mel import mel_filterbank
from .spectrum import hann, power_to_db

CHUNK = 32  # clips at a time: 1,536 frames of 512 float64 are 6 MiB, more is no faster


@dataclass(frozen=True)
class LogMel:
    """How a wave becomes a picture of n_mels bands (rows, low to high) by `frames` columns.

    framing "stretched": the frames' centres are spread evenly from the first to the last sample,
    so that every clip fills the picture and the speed of speech is taken out of it.
    framing "fixed": the frames are `hop` (half a window) apart, centred in a stretch of
    (frames - 1) * hop = 6,016 samples; a longer clip is cut to its loudest such stretch, a shorter
    one is padded with zeros on the right.
    """

    rate: int = 8000
    n_fft: int = 512
    win_length: int = 256
    n_mels: int = 48
    frames: int = 48
    top_db: float = 80.0
    framing: str = "stretched"

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type is int and (type(value) is not int or value < 2):
                raise AudioError(f"{field.name} is {value!r}: it must be a whole number from 2 on")
        if self.win_length > self.n_fft:
            raise AudioError(f"win_length {self.win_length} does not fit into n_fft {self.n_fft}")
        if type(self.top_db) not in (int, float) or not 0 < self.top_db < np.inf:
            raise AudioError(f"top_db is {self.top_db!r}: it must be a positive number, say 80")
        if self.framing not in ("stretched", "fixed"):
            raise AudioError(f"framing is {self.framing!r}: choose 'stretched' or 'fixed'")
        if not mel_filterbank(self.rate, self.n_fft, self.n_mels).any(axis=1).all():
            raise AudioError(
                f"{self.n_mels} mel bands are too narrow for n_fft {self.n_fft}: "
                "some hold no frequency at all; raise n_fft or lower n_mels"
            )

    @property
    def hop(self) -> int:
        """Samples between frames under fixed framing."""
        return self.win_length // 2


def log_mel(waves: Iterable[np.ndarray], settings: LogMel | None = None) -> np.ndarray:
    """X = (power_to_db(M |STFT|^2) + top_db) / top_db for every clip, relative to its own peak.

    waves: 1-D arrays at settings.rate, of any length from one sample, any gain (each is divided by
    its largest magnitude first: without that, a quiet recording sinks below power_to_db's amin).
    Returns float32 (clips, n_mels, frames) in 0..1. As librosa's melspectrogram (power 2, Hann,
    zero padding) and power_to_db(ref=np.max), which see one clip at a time.
    Raises `AudioError`, naming the clip, for one that is empty, silent or not finite.
    """
    settings = LogMel() if settings is None else settings
    waves = list(waves)
    M = mel_filterbank(settings.rate, settings.n_fft, settings.n_mels).T
    X = np.empty((len(waves), settings.n_mels, settings.frames), np.float32)
    for start in range(0, len(waves), CHUNK):
        frames = _frames(waves[start : start + CHUNK], start, settings)
        spectrum = np.fft.rfft(frames, settings.n_fft)
        power = spectrum.real**2 + spectrum.imag**2
        mel = (power.reshape(-1, len(M)) @ M).reshape(*power.shape[:2], -1)
        dB = power_to_db(mel, top_db=settings.top_db)
        X[start : start + CHUNK] = (dB / settings.top_db + 1).transpose(0, 2, 1)
    return X


def _frames(waves: Sequence[np.ndarray], first: int, settings: LogMel) -> np.ndarray:
    """The windowed frames of some clips, (clips, frames, win_length) float64.

    Only the window's own samples are gathered: zeros around them to fill up n_fft, and where
    among those zeros they stand, change the phase of the spectrum but not its power.
    """
    size = settings.win_length
    F = np.empty((len(waves), settings.frames, size))
    for i, wave in enumerate(waves):
        wave, centres = _lay_out(_checked(wave, first + i), settings)
        # Sample n of the wave is sample n + size // 2 here: frames start where they are centred.
        padded = np.zeros(max(len(wave), centres[-1]) + size)
        padded[size // 2 : size // 2 + len(wave)] = wave
        np.take(padded, centres[:, None] + np.arange(size), out=F[i])
    F *= hann(size)
    return F


def _lay_out(wave: np.ndarray, settings: LogMel) -> tuple[np.ndarray, np.ndarray]:
    """The part of a wave that is looked at, and the sample on which each frame is centred."""
    if settings.framing == "stretched":
        return wave, np.linspace(0, len(wave) - 1, settings.frames).round().astype(int)
    centres = np.arange(settings.frames) * settings.hop
    return _loudest(wave, centres[-1]), centres


def _loudest(wave: np.ndarray, length: int) -> np.ndarray:
    """wave[s : s + length] of the most energy; of equals the last, where the sound starts at once,
    as it does in a clip that was cut tightly."""
    if len(wave) <= length:
        return wave
    energy = np.concatenate(([0.0], np.cumsum(wave**2)))
    within = energy[length:] - energy[:-length]
    start = len(within) - 1 - within[::-1].argmax()
    return wave[start : start + length]


def _checked(wave: np.ndarray, index: int) -> np.ndarray:
    """The wave as float64 with a peak of 1."""
    wave = np.asarray(wave)
    if wave.ndim != 1 or wave.size == 0 or wave.dtype.kind not in "fiu":
        raise AudioError(
            f"clip {index}: a wave is a non-empty 1-D array of real numbers, "
            f"this is {wave.dtype} of shape {wave.shape}; give log_mel a list of waves"
        )
    wave = wave.astype(np.float64)
    peak = np.abs(wave).max()
    if not np.isfinite(peak):
        raise AudioError(f"clip {index}: holds NaN or infinite samples: leave it out or mend it")
    if peak == 0:
        raise AudioError(f"clip {index}: silent from end to end: leave it out or record it again")
    return wave / peak
