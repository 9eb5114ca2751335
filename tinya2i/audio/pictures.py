"""Other pictures of the same word, made from its log-mel: another throat, rhythm, microphone.

X (n, bands, frames) is n pictures; each has its own numbers in arrays (n,) or (n, ...). New arrays
of the same shape and dtype come back. Nothing random happens in them.
"""

import numpy as np

from .mel import hz_to_mel, mel_to_hz

KNEE = 0.8  # of half the sample rate: below it frequencies are multiplied, above it they catch up


def vocal_tract(X: np.ndarray, factors: np.ndarray, rate: int = 8000) -> np.ndarray:
    """X'(G(f)) = X(f),   G(f) = a f up to h / max(a, 1), then on a straight line to G(r/2) = r/2

    The formants of a vocal tract a times as short: factors a (n,), 0.8 to 1.25 say, and 1 changes
    nothing. h = 0.8 * r/2, r the sample rate. Between bands the decibels are interpolated on
    straight lines. The inverse of G for a is G for 1 / a.
    Source: Jaitly and Hinton, Vocal Tract Length Perturbation improves speech recognition (2013),
    the equation of section 2, where h is 4800 Hz of 8000.
    """
    bands = X.shape[1]
    top = float(hz_to_mel(rate / 2))
    centres = mel_to_hz(np.linspace(0, top, bands + 2)[1:-1])
    h, a = KNEE * rate / 2, np.asarray(factors, np.float64)[:, None]
    knee = h * np.minimum(a, 1)  # of the inverse, by which each new band finds its old place
    above = rate / 2 - (rate / 2 - centres) * (rate / 2 - knee / a) / (rate / 2 - knee)
    places = np.where(centres <= knee, centres / a, above)
    return _at(X, hz_to_mel(places) * (bands + 1) / top - 1, 1)


def warp(X: np.ndarray, A: np.ndarray) -> np.ndarray:
    """X'(t) = X(t + sum_k A_k sin(pi k t / (frames - 1))),   k = 1, 2, ..., t in frames

    Another rhythm: some of the word faster, some slower, both ends where they were. A (n, waves) in
    frames; time runs forward everywhere if sum_k pi k |A_k| < frames - 1.
    Source: the time warping of Park et al., SpecAugment (2019), section 2, with a smooth bend.
    """
    t = np.arange(X.shape[2])
    k = np.arange(1, A.shape[1] + 1)
    return _at(X, t + A @ np.sin(np.pi * np.outer(k, t / max(1, len(t) - 1))), 2)


def equalise(X: np.ndarray, gains: np.ndarray, top_db: float = 80.0) -> np.ndarray:
    """X' = max(Y - max Y + 1, 0),   Y = X + gains / top_db

    Another microphone: a filter of `gains` (n, bands) in dB, smooth enough to be constant within a
    band. X in 0..1 as log_mel makes it, where 1 is the loudest and 0 is top_db below; so is X'.
    """
    Y = X + (gains / top_db).astype(X.dtype)[..., None]
    return np.maximum(Y + (1 - Y.max(axis=(1, 2), keepdims=True)), 0)


def mask(X: np.ndarray, first: np.ndarray, size: np.ndarray, axis: int) -> np.ndarray:
    """X' = 0 where first <= i < first + size, X elsewhere; i counts along `axis`

    Something not heard: bands (axis 1) or frames (axis 2). first, size (n,) whole numbers, size 0
    masks nothing. Of a standardised picture 0 is the mean.
    Source: Park et al., SpecAugment (2019), section 2, time and frequency masking.
    """
    i = np.arange(X.shape[axis])
    hidden = (first[:, None] <= i) & (i < (first + size)[:, None])
    return np.where(np.expand_dims(hidden, 3 - axis), X.dtype.type(0), X)


def _at(X: np.ndarray, places: np.ndarray, axis: int) -> np.ndarray:
    """X'_i = sum_j max(0, 1 - |p_i - j|) X_j,   places p (n, size) between the entries along `axis`

    Straight lines from one entry to the next; held at both ends.
    """
    size = X.shape[axis]
    places = np.clip(places, 0, size - 1)[..., None]
    W = np.maximum(0, 1 - np.abs(places - np.arange(size))).astype(X.dtype)
    return W @ X if axis == 1 else X @ W.transpose(0, 2, 1)
