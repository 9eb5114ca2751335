"""Our log-mel as a user of librosa would write it, clip by clip. Importing this needs librosa."""

import functools
from pathlib import Path

import librosa
import numpy as np

from tinya2i.audio import LogMel

S = LogMel()


def melspectrogram(path: Path) -> np.ndarray:
    """(48, 48) in 0..1, by the one function of librosa that does it all."""
    mel = librosa.feature.melspectrogram(
        y=frames(path), sr=S.rate, n_fft=S.n_fft, hop_length=S.n_fft, win_length=S.win_length,
        n_mels=S.n_mels, center=False,
    )  # fmt: skip
    return librosa.power_to_db(mel, ref=np.max, top_db=S.top_db) / S.top_db + 1


def stft(path: Path) -> np.ndarray:
    """The same with the filterbank built once: melspectrogram builds it anew for each clip."""
    spectrum = librosa.stft(
        frames(path), n_fft=S.n_fft, hop_length=S.n_fft, win_length=S.win_length, center=False
    )
    mel = filterbank() @ np.abs(spectrum) ** 2
    return librosa.power_to_db(mel, ref=np.max, top_db=S.top_db) / S.top_db + 1


LOOPS = {"melspectrogram": melspectrogram, "stft, filterbank kept": stft}


@functools.cache
def filterbank() -> np.ndarray:
    return librosa.filters.mel(sr=S.rate, n_fft=S.n_fft, n_mels=S.n_mels)


def frames(path: Path) -> np.ndarray:
    """The stretches of n_fft samples around 48 centres spread evenly over the clip, end to end.

    librosa itself only knows frames that are equally many samples apart in every clip.
    """
    wave, _ = librosa.load(path, sr=S.rate)
    wave = wave - wave.mean()
    centres = np.linspace(0, len(wave) - 1, S.frames).round().astype(int)
    padded = np.pad(wave / np.abs(wave).max(), S.n_fft // 2)
    return padded[centres[:, None] + np.arange(S.n_fft)].ravel()
