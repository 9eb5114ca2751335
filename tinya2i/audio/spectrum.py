"""The short-time Fourier transform, its inverse, and decibels. librosa's conventions."""

import numpy as np

from ..errors import AudioError


def hann(length: int) -> np.ndarray:
    """w[k] = (1 - cos(2 pi k / length)) / 2, the *periodic* Hann window, float64 (length,).

    Periodic: the missing last zero is the next period's first, so that shifted copies add up to a
    constant. `scipy.signal.get_window("hann", length, fftbins=True)`.
    """
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)


def stft(wave: np.ndarray, n_fft: int = 512, hop: int = 128, win_length: int = 256) -> np.ndarray:
    """S[f, t] = sum_k w[k] x[t hop + k - n_fft/2] exp(-2 pi i f k / n_fft).

    wave: (samples,). Frame t is centred on sample t * hop; beyond its ends the wave is zero. The
    periodic Hann window of win_length samples sits in the middle of the n_fft.
    Returns complex128 (n_fft // 2 + 1, 1 + samples // hop). `librosa.stft(center=True,
    pad_mode="constant")`.
    """
    _check(n_fft, hop, win_length)
    x = np.pad(np.asarray(wave, np.float64), n_fft // 2)
    frames = np.lib.stride_tricks.sliding_window_view(x, n_fft)[::hop]
    return np.fft.rfft(frames * _window(n_fft, win_length)).T


def istft(S: np.ndarray, samples: int, hop: int = 128, win_length: int = 256) -> np.ndarray:
    """x[n] = sum_t w[n - t hop] y_t[n - t hop] / sum_t w[n - t hop]^2, y_t = irfft(S[:, t]).

    Weighted overlap-add: the least-squares inverse of `stft` (Griffin and Lim 1984, eq. 6), exact
    where the windows cover every sample, that is for hop <= win_length / 2.
    S: (n_fft // 2 + 1, frames) with an even n_fft; returns float64 (samples,).
    """
    n_fft = 2 * (S.shape[0] - 1)
    _check(n_fft, hop, win_length)
    if 2 * hop > win_length:
        raise AudioError(f"hop {hop} leaves samples uncovered: use at most {win_length // 2}")
    w = _window(n_fft, win_length)
    Y = np.fft.irfft(S.T, n_fft) * w
    x = np.zeros(max(n_fft + hop * (len(Y) - 1), samples + n_fft // 2))
    weight = np.zeros_like(x)
    for t, y in enumerate(Y):
        x[t * hop : t * hop + n_fft] += y
        weight[t * hop : t * hop + n_fft] += w**2
    inside = slice(n_fft // 2, n_fft // 2 + samples)
    # Without a frame near it (samples longer than S covers) a sample stays zero.
    return x[inside] / np.where(weight[inside] > 0, weight[inside], 1)


def power_to_db(S: np.ndarray, amin: float = 1e-10, top_db: float = 80.0) -> np.ndarray:
    """dB = max(10 log10(max(S, amin) / max(peak, amin)), -top_db), peak = the clip's largest S.

    S: powers >= 0, (..., bands, frames); each leading index is one clip with its own peak.
    Returns -top_db..0, the same shape. `librosa.power_to_db(S, ref=np.max)` of 0.11, one clip
    at a time.
    """
    S = np.maximum(S, amin)
    dB = 10 * np.log10(S / S.max(axis=(-2, -1), keepdims=True))
    return np.maximum(dB, -top_db)


def _window(n_fft: int, win_length: int) -> np.ndarray:
    """The Hann window of win_length in the middle of n_fft zeros."""
    w = np.zeros(n_fft)
    left = (n_fft - win_length) // 2
    w[left : left + win_length] = hann(win_length)
    return w


def _check(n_fft: int, hop: int, win_length: int) -> None:
    if not 2 <= win_length <= n_fft:
        raise AudioError(f"win_length is {win_length}: it must lie in 2..n_fft, here {n_fft}")
    if hop < 1:
        raise AudioError(f"hop is {hop}: frames must move on by at least one sample")
