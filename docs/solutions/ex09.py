"""Solutions of chapter 9, and answers that the checkers must refuse, with what they must say."""

import numpy as np

from tinya2i import audio


def filterbank(rate, n_fft, n_mels):
    h = audio.mel_to_hz(np.linspace(0, audio.hz_to_mel(rate / 2), n_mels + 2))
    return _triangles(h, rate, n_fft) * 2 / (h[2:] - h[:-2])[:, None]


def _triangles(h, rate, n_fft):
    f = np.fft.rfftfreq(n_fft, 1 / rate)
    rising = (f - h[:-2, None]) / np.diff(h)[:-1, None]
    falling = (h[2:, None] - f) / np.diff(h)[1:, None]
    return np.maximum(0, np.minimum(rising, falling))


def most_bands(rate, n_fft):
    bands = 1
    while audio.mel_filterbank(rate, n_fft, bands + 1).any(axis=1).all():
        bands += 1
    return bands


def decibels(P, amin, top_db):
    S = np.maximum(P, amin)
    peak = S.max(axis=(1, 2), keepdims=True)
    return np.maximum(10 * np.log10(S / peak), -top_db)


def standardise_bands(train, test):
    mean, std = train.mean(axis=(0, 2)), train.std(axis=(0, 2))
    return tuple((X - mean[:, None]) / std[:, None] for X in (train, test))


def _tips_at_one(rate, n_fft, n_mels):
    h = audio.mel_to_hz(np.linspace(0, audio.hz_to_mel(rate / 2), n_mels + 2))
    return _triangles(h, rate, n_fft)


def _even_in_hz(rate, n_fft, n_mels):
    h = np.linspace(0, rate / 2, n_mels + 2)
    return _triangles(h, rate, n_fft) * 2 / (h[2:] - h[:-2])[:, None]


def _htk(rate, n_fft, n_mels):
    top = np.log(1 + rate / 2 / 700)
    h = 700 * np.expm1(np.linspace(0, top, n_mels + 2))
    return _triangles(h, rate, n_fft) * 2 / (h[2:] - h[:-2])[:, None]


def _global_peak(P, amin, top_db):
    S = np.maximum(P, amin)
    return np.maximum(10 * np.log10(S / S.max()), -top_db)


def _peak_of_bands(P, amin, top_db):
    S = np.maximum(P, amin)
    return np.maximum(10 * np.log10(S / S.max(axis=2, keepdims=True)), -top_db)


def _added(P, amin, top_db):
    return decibels(P + amin, amin, top_db)


def _by(statistics):
    """An answer whose mean and deviation come from statistics(train, test), over axes 0 and 2."""

    def answer(train, test):
        mean, std = statistics(train, test)
        return (train - mean) / std, (test - mean) / std

    return answer


def _of(X, axes):
    return X.mean(axis=axes, keepdims=True), X.std(axis=axes, keepdims=True)


def _own(train, test):
    return standardise_bands(train, train)[0], standardise_bands(test, test)[0]


def _each_clip(train, test):
    return tuple(np.divide(X - _of(X, (1, 2))[0], _of(X, (1, 2))[1]) for X in (train, test))


def _variance(train, test):
    mean, std = _of(train, (0, 2))
    return (train - mean) / std**2, (test - mean) / std**2


WRONG = {
    "filterbank": {
        "tips at 1": (_tips_at_one, "divide each triangle by its area"),
        "area one half": (lambda *a: filterbank(*a) / 2, "half of width times height"),
        "HTK's scale": (_htk, "linear below 1 kHz"),
        "even in Hz": (_even_in_hz, "even in mel"),
        "the rate for its half": (
            lambda rate, n, B: filterbank(2 * rate, 2 * n, B)[:, : n // 2 + 1],
            "half of the rate",
        ),
        "transposed": (lambda *a: filterbank(*a).T, "one row per band"),
    },
    "most_bands": {
        "one too many": (lambda rate, n: most_bands(rate, n) + 1, "go back by one"),
        "as many as bins": (lambda rate, n: n // 2 + 1, "every band"),
        "even in Hz": (lambda rate, n: n // 2 - 1, "narrower than on average"),
        "tips on bins": (
            lambda rate, n: int(audio.hz_to_mel(rate / 2) / audio.hz_to_mel(rate / n)) - 1,
            "two steps wide",
        ),
    },
    "decibels": {
        "one peak for all clips": (_global_peak, "its own peak"),
        "a peak for each band": (_peak_of_bands, "all bands of a clip"),
        "amplitudes": (
            lambda P, a, top: np.maximum(2 * decibels(P, a, 1e9), -top),
            "for amplitudes",
        ),
        "no floor": (lambda P, a, top: decibels(P, a, 1e9), "below -top_db"),
        "no peak": (lambda P, a, top: np.maximum(10 * np.log10(np.maximum(P, a)), -top), "is 0 dB"),
        "added": (_added, "do not add"),
        "the floor's sign": (lambda P, a, top: decibels(P, a, -top), "the floor is at"),
    },
    "standardise_bands": {
        "each side its own": (_own, "not its own"),
        "both together": (_by(lambda a, b: _of(np.concatenate([a, b]), (0, 2))), "have a say"),
        "each clip": (_each_clip, "each clip by itself"),
        "all bands": (_by(lambda a, b: _of(a, (0, 1, 2))), "its own"),
        "each pixel": (_by(lambda a, b: _of(a, 0)), "sum over the frames"),
        "by the variance": (_variance, "not by the variance"),
    },
}
