"""The log-mel picture: 48 bands by 48 frames of a whole clip, many clips at a time."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from ..errors import AudioError
from ..threads import in_shares
from .mel import mel_filterbank
from .spectrum import hann, power_to_db

CHUNK = 16  # clips at a time: fewer are calls too small to share the cores, more leave the cache


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
    waves = [np.asarray(wave) for wave in waves]
    peaks = [_peak(wave, i) for i, wave in enumerate(waves)]
    M = mel_filterbank(settings.rate, settings.n_fft, settings.n_mels).T
    X = np.empty((len(waves), settings.n_mels, settings.frames), np.float32)

    def work(chunks: Iterable[slice]) -> None:
        for i in itertools.chain.from_iterable(range(c.start, c.stop) for c in chunks):
            part = slice(i * CHUNK, (i + 1) * CHUNK)
            spectrum = np.fft.rfft(_frames(waves[part], peaks[part], settings), settings.n_fft)
            power = spectrum.real**2 + spectrum.imag**2
            mel = (power.reshape(-1, len(M)) @ M).reshape(*power.shape[:2], -1)
            dB = power_to_db(mel, top_db=settings.top_db)
            X[part] = (dB / settings.top_db + 1).transpose(0, 2, 1)

    frame_bytes = 8 * (settings.win_length + 3 * len(M))  # the samples, the spectrum, its power
    in_shares(np, -(-len(waves) // CHUNK), CHUNK * settings.frames * frame_bytes, work)
    return X


def _frames(waves: Sequence[np.ndarray], peaks: Sequence[float], settings: LogMel) -> np.ndarray:
    """The windowed frames of some clips, (clips, frames, win_length) float64.

    Only the window's own samples are gathered: zeros around them to fill up n_fft, and where
    among those zeros they stand, change the phase of the spectrum but not its power.
    """
    size = settings.win_length
    waves = [
        _part(wave.astype(np.float64) / peak, settings)
        for wave, peak in zip(waves, peaks, strict=True)
    ]
    lengths = np.array([len(wave) for wave in waves])
    centres = _centres(lengths, settings)
    # All waves in one array, each with zeros around it. Sample n of a wave is sample
    # n + size // 2 of its room, so that a frame starts there where it is centred.
    rooms = np.maximum(lengths, centres[:, -1]) + size
    starts = np.cumsum(rooms) - rooms
    line = np.zeros(rooms.sum())
    for wave, first in zip(waves, starts + size // 2, strict=True):
        line[first : first + len(wave)] = wave
    F = np.lib.stride_tricks.sliding_window_view(line, size)[starts[:, None] + centres]
    F *= hann(size)
    return F


def _centres(lengths: np.ndarray, settings: LogMel) -> np.ndarray:
    """(clips, frames): the sample on which each frame is centred, of parts of these lengths."""
    if settings.framing == "stretched":
        return np.linspace(0, lengths - 1, settings.frames, axis=1).round().astype(int)
    return np.tile(np.arange(settings.frames) * settings.hop, (len(lengths), 1))


def _part(wave: np.ndarray, settings: LogMel) -> np.ndarray:
    """The part of a wave that is looked at."""
    if settings.framing == "stretched":
        return wave
    return _loudest(wave, (settings.frames - 1) * settings.hop)


def _loudest(wave: np.ndarray, length: int) -> np.ndarray:
    """wave[s : s + length] of the most energy; of equals the last, where the sound starts at once,
    as it does in a clip that was cut tightly."""
    if len(wave) <= length:
        return wave
    energy = np.concatenate(([0.0], np.cumsum(wave**2)))
    within = energy[length:] - energy[:-length]
    start = len(within) - 1 - within[::-1].argmax()
    return wave[start : start + length]


def _peak(wave: np.ndarray, index: int) -> float:
    """The largest magnitude in a wave that can be used."""
    if wave.ndim != 1 or wave.size == 0 or wave.dtype.kind not in "fiu":
        raise AudioError(
            f"clip {index}: a wave is a non-empty 1-D array of real numbers, "
            f"this is {wave.dtype} of shape {wave.shape}; give log_mel a list of waves"
        )
    peak = max(float(wave.max()), -float(wave.min()))
    if not np.isfinite(peak):
        raise AudioError(f"clip {index}: holds NaN or infinite samples: leave it out or mend it")
    if peak == 0:
        raise AudioError(f"clip {index}: silent from end to end: leave it out or record it again")
    return peak
