"""Reading audio files: whatever libsndfile opens becomes one mono wave, or an `AudioError`."""

import os
import stat
import struct
import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..errors import AudioError

MIN_RATE, MAX_RATE = 4_000, 192_000
MAX_CHANNELS = 8
MAX_SECONDS = 60
SILENCE = 1e-6  # -120 dB of full scale: a thirtieth of the smallest step of a 16-bit file
WAV_HEADER = struct.Struct("<4sI 4s4sIHHIIHH 4sI")  # RIFF, its size; the format; data, its size
BLOCK = 65_536  # frames decoded at a time: eight channels of float64 are 4 MiB


class AudioWarning(UserWarning):
    """The sound can be used, but not quite as it is."""


def load(path: str | os.PathLike, rate: int = 8000) -> np.ndarray:
    """One audio file as a mono wave at `rate` samples a second, its mean removed.

    Any format that soundfile reads: 1 to 8 channels (averaged), 4 to 192 kHz, at most 60 s.
    Samples beyond ±1 are clipped, with an `AudioWarning`.

    Returns float32, shape (samples,), within about ±1.
    Raises `AudioError` for a file that is missing, unreadable, empty, silent, too long, of an
    absurd rate or number of channels, or that holds NaN or infinity. The length is judged from
    the header, so that a ten-minute file costs nothing.
    """
    path = _existing(path)
    wave, own_rate, clipped = _decode(path)
    if clipped:
        warnings.warn(
            f"{path}: {clipped} samples beyond full scale were clipped: record it more quietly",
            AudioWarning,
            stacklevel=2,
        )
    wave -= wave.mean()
    wave = resample(wave, own_rate, rate)
    if np.abs(wave).max() < SILENCE:
        raise AudioError(f"{path}: silent from end to end: check the microphone and record again")
    return wave.astype(np.float32)


def resample(wave: np.ndarray, rate_in: int, rate_out: int) -> np.ndarray:
    """y = (x upsampled by p, low-pass filtered, every q-th sample), p / q = rate_out / rate_in.

    wave: (samples,); returns float64, (ceil(samples * p / q),), band-limited to the lower of the
    two Nyquist frequencies. Polyphase form: `scipy.signal.resample_poly`.
    """
    if min(rate_in, rate_out) < 1:
        raise AudioError(f"cannot resample from {rate_in} to {rate_out} Hz: rates are positive")
    if rate_in == rate_out:
        return np.asarray(wave, np.float64)
    from scipy.signal import resample_poly

    # An odd rate such as 44,101 Hz would ask for a filter of 900,000 taps; the nearest ratio of
    # small numbers is wrong by less than one part in 10,000, which no ear and no mel band notices.
    ratio = Fraction(rate_out, rate_in).limit_denominator(1000)
    return resample_poly(np.asarray(wave, np.float64), ratio.numerator, ratio.denominator)


def _existing(path: str | os.PathLike) -> Path:
    """The path of a regular, non-empty file. Asked first: libsndfile calls all of it the same."""
    path = Path(path)
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # names too long, folders locked, names no file can have
        raise AudioError(f"{path}: no such file: check the spelling and the folder") from None
    if stat.S_ISDIR(status.st_mode):
        raise AudioError(f"{path}: is a folder: name an audio file inside it")
    if not stat.S_ISREG(status.st_mode):
        raise AudioError(f"{path}: not a regular file: save the sound to a file first")
    if not os.access(path, os.R_OK):
        raise AudioError(f"{path}: no permission to read it: `chmod +r` it, or ask its owner")
    if status.st_size == 0:
        raise AudioError(f"{path}: empty (0 bytes): record or download it again")
    return path


def _decode(path: Path) -> tuple[np.ndarray, int, int]:
    """The mono wave (float64) at the file's own rate, that rate, how many samples were clipped."""
    import soundfile

    try:
        if (plain := _plain_wav(path)) is not None:
            return *plain, 0
        with soundfile.SoundFile(path) as file:
            _check_header(path, file.samplerate, file.channels, file.frames)
            wave, clipped = _read_mono(path, file)
            return wave, file.samplerate, clipped
    except AudioError:
        raise
    except Exception as error:  # a decoder fed with junk fails in more ways than it documents
        raise AudioError(
            f"{path}: not readable as audio ({error}): convert it, for example with "
            f"`ffmpeg -i INPUT -ac 1 -ar 8000 OUTPUT.wav`"
        ) from error


def _plain_wav(path: Path) -> tuple[np.ndarray, int] | None:
    """(sample / 2^15, rate) of a mono 16-bit WAV file that holds nothing else; None for any other.

    Most recorded words are such files. libsndfile reads the same from them, but through its wrapper
    in several times the time: over thousands of short files that is most of the work.
    """
    with open(path, "rb") as file:
        head = file.read(WAV_HEADER.size)
        rate, size = (int.from_bytes(head[i : i + 4], "little") for i in (24, 40))
        if not MIN_RATE <= rate <= MAX_RATE or not 0 < size <= 2 * MAX_SECONDS * rate or size % 2:
            return None
        form = (b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)  # PCM, channels, ..., bits
        if head != WAV_HEADER.pack(b"RIFF", 36 + size, *form, b"data", size):
            return None
        samples = file.read(size + 1)
    return (np.frombuffer(samples, "<i2") / 32768, rate) if len(samples) == size else None


def _check_header(path: Path, rate: int, channels: int, frames: int) -> None:
    if not MIN_RATE <= rate <= MAX_RATE:
        raise AudioError(
            f"{path}: sample rate {rate} Hz is outside {MIN_RATE} to {MAX_RATE}: "
            "the header is damaged, or convert it to 8000 Hz"
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise AudioError(
            f"{path}: {channels} channels; 1 to {MAX_CHANNELS} can be averaged: mix it down first"
        )
    if frames > MAX_SECONDS * rate:
        raise AudioError(
            f"{path}: {frames / rate:.0f} s long; at most {MAX_SECONDS} s: cut out the one word"
        )
    if frames < 1:
        raise AudioError(
            f"{path}: a header without samples (0 frames): the recording was cut off, repeat it"
        )


def _read_mono(path: Path, file) -> tuple[np.ndarray, int]:
    """Average the channels block by block: eight channels of 60 s never lie in memory at once."""
    wave, total, clipped = np.empty(file.frames), 0, 0
    equal = np.full(file.channels, 1 / file.channels)
    while total < len(wave):
        block = file.read(min(BLOCK, len(wave) - total), dtype="float64", always_2d=True)
        if len(block) == 0:  # the file ends before its header says so
            break
        peak = np.abs(block).max()
        if not np.isfinite(peak):
            raise AudioError(f"{path}: holds NaN or infinite samples: export it again")
        if peak > 1:
            clipped += np.count_nonzero(np.abs(block) > 1)
            np.clip(block, -1, 1, out=block)
        np.matmul(block, equal, out=wave[total : total + len(block)])
        total += len(block)
    _check_header(path, file.samplerate, file.channels, total)
    return wave[:total], clipped
