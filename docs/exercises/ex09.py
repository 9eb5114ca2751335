"""Exercises of chapter 9. Fill in, then run: python docs/exercises/ex09.py"""

import numpy as np
from checking import run


def filterbank(rate: int, n_fft: int, n_mels: int) -> np.ndarray:
    """M: triangles of area 1, even on Slaney's scale; rows are bands, columns the bins of an rfft.

    Returns (n_mels, n_fft // 2 + 1). `audio.hz_to_mel` and `audio.mel_to_hz` are yours to use.
    """
    raise NotImplementedError


def most_bands(rate: int, n_fft: int) -> int:
    """The largest B such that a filterbank of B bands, or of fewer, has no empty band.

    Use `audio.mel_filterbank`.
    """
    raise NotImplementedError


def decibels(P: np.ndarray, amin: float, top_db: float) -> np.ndarray:
    """dB below the loudest point of each clip, at least -top_db; powers below amin count as amin.

    P: (clips, bands, frames), all >= 0. Returns the same shape.
    """
    raise NotImplementedError


def standardise_bands(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both sides, each band with the mean 0 and the standard deviation 1 of the training side.

    train, test: (clips, bands, frames). Returns them in the same shapes.
    """
    raise NotImplementedError


if __name__ == "__main__":
    run(globals())
