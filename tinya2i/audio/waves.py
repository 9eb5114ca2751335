"""Other recordings of the same word, made from its wave: faster, cut elsewhere, with noise.

Each function takes a wave, 1-D and of any length from one sample, and returns another one of its
dtype. Nothing random happens in them. Gain is not among them: log_mel takes it out.
"""

import functools

import numpy as np

SMOOTH = (2, 3, 5, 7, 11)  # the factors that NumPy's FFT is fast on
CANDIDATES = 16


def speed(wave: np.ndarray, factor: float) -> np.ndarray:
    """y(t) = x(factor t): a tape played faster. (m,) samples, m = n / factor, rounded, at least 1.

    Every frequency f becomes factor * f, pitch and formants alike, as in a smaller throat; what
    would lie above half the sample rate is left out. Interpolated by its Fourier series, as
    `scipy.signal.resample` does, the clip padded with zeros to a length for which that is fast;
    the factor is met within about a thousandth.
    Source: Ko, Peddinti, Povey and Khudanpur, Audio augmentation for speech recognition (2015).
    """
    if factor == 1:
        return wave
    n, m = _lengths(len(wave), factor)
    least = min(n, m)
    spectrum = np.fft.rfft(wave, n)[: least // 2 + 1]
    if n != m and least % 2 == 0:  # half the rate of either: its two signs meet, or part
        spectrum[-1] *= 2 if m < n else 0.5
    y = np.fft.irfft(spectrum, m) * wave.dtype.type(m / n)
    return y[: max(1, round(len(wave) / factor))]


def shift(wave: np.ndarray, start: int, stop: int) -> np.ndarray:
    """y[i] = x[start + i] for start <= start + i < stop, 0 where x has no such sample.

    start below 0 puts silence before the word, above 0 cuts into it; stop likewise at its end.
    A cut that would leave only silence is not made.
    """
    y = np.zeros(max(0, stop - start), wave.dtype)
    inside = wave[max(0, start) : max(0, stop)]
    first = max(0, -start)
    y[first : first + len(inside)] = inside
    return y if y.any() else wave


def add_noise(wave: np.ndarray, noise: np.ndarray, snr: float) -> np.ndarray:
    """y = x + g e,   g = sqrt(mean x^2 / (10^(snr / 10) mean e^2))

    noise e (n,) like the wave; snr: decibels between the powers of the whole clip and the noise.
    """
    power, of_noise = (float(np.mean(np.square(x), dtype=np.float64)) for x in (wave, noise))
    if not of_noise:
        return wave
    return wave + noise * wave.dtype.type(np.sqrt(power / (10 ** (snr / 10) * of_noise)))


def tilted(noise: np.ndarray, slope: float) -> np.ndarray:
    """y[i] = e[i] + slope e[i - 1],   |H(f)|^2 = 1 + slope^2 + 2 slope cos(2 pi f / rate)

    slope in -1..1: above 0 the noise is low, a rumble; 0 leaves it white; below 0 it hisses.
    """
    y = noise.copy()
    y[1:] += noise.dtype.type(slope) * noise[:-1]
    return y


def _lengths(n: int, factor: float) -> tuple[int, int]:
    """Two fast lengths, the first n or a little more, with a quotient close to factor."""
    table = _fast(1 << (4 * round(max(n, n / factor)) + 4 * CANDIDATES).bit_length())
    N = table[np.searchsorted(table, n) :][:CANDIDATES]
    right = np.searchsorted(table, N / factor)
    M = np.stack([table[np.maximum(right - 1, 0)], table[right]])
    best = np.abs(np.log(N / M / factor)).argmin()
    return int(N[best % len(N)]), int(M.flat[best])


@functools.cache
def _fast(limit: int) -> np.ndarray:
    """The numbers up to limit without a prime factor above 11, ascending."""
    found = np.ones(1, np.int64)
    for prime in SMOOTH:
        powers = prime ** np.arange(int(np.log(limit) / np.log(prime)) + 1)
        found = np.outer(found, powers).ravel()
        found = found[found <= limit]
    return np.sort(found)
