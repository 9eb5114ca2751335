"""Solutions of chapter 8, and answers that the checkers must refuse, with what they must say."""

import numpy as np


def frame_count(samples, n_fft, hop, centred):
    if centred:
        return 1 + samples // hop
    return 1 + (samples - n_fft) // hop if samples >= n_fft else 0


def hann_window(length):
    return (1 - np.cos(2 * np.pi * np.arange(length) / length)) / 2


def amplitude(x, w, f):
    turns = np.exp(-2j * np.pi * f * np.arange(len(x)) / len(x))
    return 2 * abs((w * x) @ turns) / w.sum()


def inverse_stft(S, samples, hop, w, window_back=True, power=2, skip=None):
    n = len(w)
    above = np.zeros(n + hop * S.shape[1] + samples)
    below = np.zeros_like(above)
    for t, y in enumerate(np.fft.irfft(S.T, n)):
        above[t * hop : t * hop + n] += y * w if window_back else y
        below[t * hop : t * hop + n] += w**power
    first = n // 2 if skip is None else skip
    x = above / np.where(below > 0, below, 1)  # 0 / 0 only where no frame looks
    return x[first : first + samples]


def _undivided(S, samples, hop, w):
    n = len(w)
    x = np.zeros(n + hop * S.shape[1] + samples)
    for t, y in enumerate(np.fft.irfft(S.T, n)):
        x[t * hop : t * hop + n] += y * w
    return x[n // 2 : n // 2 + samples]


def _frames(centred, inside):
    """A frame_count of two formulas of (samples, n_fft, hop)."""
    return lambda J, N, H, c: centred(J, N, H) if c else inside(J, N, H)


def _right(centred):
    return lambda J, N, H: frame_count(J, N, H, centred)


WRONG = {
    "frame_count": {
        "never centred": (_frames(_right(False), _right(False)), "reach beyond both ends"),
        "always centred": (_frames(_right(True), _right(True)), "must lie inside"),
        "the first forgotten": (_frames(lambda J, N, H: J // H, _right(False)), "counts, too"),
        "rounded up": (_frames(lambda J, N, H: 1 + -(-J // H), _right(False)), "last centre"),
        "wrong padding": (
            _frames(lambda J, N, H: 1 + (J + N) // H, _right(False)),
            "a margin of n_fft / 2",
        ),
        "the last piece counted": (
            _frames(_right(True), lambda J, N, H: 1 + -(-(J - N) // H)),
            "do not fill a frame",
        ),
        "below zero": (_frames(_right(True), lambda J, N, H: 1 + (J - N) // H), "below zero"),
    },
    "hann_window": {
        "symmetric": (lambda n: np.hanning(n), "symmetric"),
        "the sign": (lambda n: (1 + np.cos(2 * np.pi * np.arange(n) / n)) / 2, "fade to 0"),
        "half a turn": (lambda n: (1 - np.cos(np.pi * np.arange(n) / n)) / 2, "fades in"),
        "the sine window": (lambda n: np.sin(np.pi * np.arange(n) / n), "sine window"),
        "without the half": (lambda n: 2 * hann_window(n), "twice too large"),
    },
    "amplitude": {
        "the bare sum": (lambda x, w, f: abs(np.fft.rfft(w * x)[f]), "a sum"),
        "without the window's share": (
            lambda x, w, f: 2 * abs(np.fft.rfft(w * x)[f]) / len(x),
            "its share",
        ),
        "one pointer": (lambda x, w, f: abs(np.fft.rfft(w * x)[f]) / w.sum(), "two pointers"),
        "the window's square": (
            lambda x, w, f: 2 * abs(np.fft.rfft(w * x)[f]) / (w**2).sum(),
            "not of its square",
        ),
        "no angle": (lambda x, w, f: 2 * np.fft.rfft(w * x)[f].real / w.sum(), "the angle"),
    },
    "inverse_stft": {
        "wrong padding, none": (lambda *a: inverse_stft(*a, skip=0), "cut it off"),
        "wrong padding, twice": (lambda *a: inverse_stft(*a, skip=len(a[3])), "not n_fft"),
        "not divided": (_undivided, "sum of the squared windows"),
        "divided by w": (lambda *a: inverse_stft(*a, power=1), "faded twice"),
        "not faded again": (lambda *a: inverse_stft(*a, window_back=False), "once more"),
        "exact, but not the best": (
            lambda *a: inverse_stft(*a, window_back=False, power=1),
            "not the least squares",
        ),
        "symmetric window": (
            lambda S, J, H, w: inverse_stft(S, J, H, np.hanning(len(w))),
            "the true value",
        ),
    },
}
