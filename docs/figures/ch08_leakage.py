"""Chapter 8: a tone between two bins, with and without Hann; and windows that overlap."""

import numpy as np
from figure import BLUE, GREEN, GREY, RED, main

from tinya2i import audio

SIZE = 256  # of the transform
TONE = 40.5  # turns in the piece: half way between two bins
SHORT = 16  # of the windows that are added up


def numbers() -> dict:
    """Levels in dB relative to the largest, for every bin; and sums of shifted windows."""
    x = np.cos(2 * np.pi * TONE * np.arange(SIZE) / SIZE)
    found = {}
    for name, window in (("rectangle", np.ones(SIZE)), ("hann", audio.hann(SIZE))):
        S = np.abs(np.fft.rfft(window * x))
        found[name] = 20 * np.log10(S / S.max())
    k = np.arange(SHORT)
    symmetric = 0.5 - 0.5 * np.cos(2 * np.pi * k / (SHORT - 1))
    found["windows"] = [audio.hann(SHORT), symmetric]
    found["sums"] = [overlapped(window) for window in found["windows"]]
    return found


def overlapped(window: np.ndarray, times: int = 5) -> np.ndarray:
    """The sum of copies half a window apart."""
    hop = len(window) // 2
    total = np.zeros(hop * (times + 1))
    for t in range(times):
        total[t * hop : t * hop + len(window)] += window
    return total


def draw(found: dict, plt) -> None:
    _, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.1), width_ratios=(1.25, 1))
    for name, words, colour in (
        ("rectangle", "cut out (rectangle)", RED),
        ("hann", "cut out and faded (Hann)", BLUE),
    ):
        left.plot(found[name], ".-", ms=3, lw=0.8, color=colour, label=words)
    left.set(xlabel="bin f", ylabel="level (dB below the largest)", xlim=(0, 128), ylim=(-125, 5))
    left.set_title(f"one tone, {TONE} turns in {SIZE} samples", fontsize=9)
    left.legend(frameon=False, loc=(0.4, 0.74))
    hop = SHORT // 2
    for t in range(5):
        x = t * hop + np.arange(SHORT + 1)
        right.plot(x, [*found["windows"][0], 0], color=GREY, lw=0.7)
    names = ("periodic: 1", "symmetric: ripples")
    for total, name, colour in zip(found["sums"], names, (GREEN, RED), strict=True):
        inside = slice(hop, len(total) - hop)
        right.plot(np.arange(len(total))[inside], total[inside], ".-", color=colour, label=name)
    right.set(xlabel="sample", ylabel="sum of the windows", ylim=(0, 1.42))
    right.set_title(f"Hann windows of {SHORT} samples, {hop} apart", fontsize=9)
    right.legend(frameon=False, ncols=2, loc="upper center")
    plt.tight_layout()


if __name__ == "__main__":
    main(__file__, numbers, draw)
