"""Exercises of chapter 8. Fill in, then run: python docs/exercises/ex08.py"""

import numpy as np
from checking import run


def frame_count(samples: int, n_fft: int, hop: int, centred: bool) -> int:
    """How many frames a wave has: centred on 0, hop, 2 hop, ...; or lying inside it as a whole.

    Not centred, a wave may be shorter than one frame: then there are none.
    """
    raise NotImplementedError


def hann_window(length: int) -> np.ndarray:
    """The periodic Hann window, shape (length,)."""
    raise NotImplementedError


def amplitude(x: np.ndarray, w: np.ndarray, f: int) -> float:
    """A of x = A cos(2 pi f k / n + angle) + other tones far from bin f, seen through the window w.

    x, w: (n,). Bin f is not near 0 or n / 2.
    """
    raise NotImplementedError


def inverse_stft(S: np.ndarray, samples: int, hop: int, w: np.ndarray) -> np.ndarray:
    """The wave of a centred STFT, by weighted overlap-add; the window w is as long as n_fft.

    S: complex (n_fft // 2 + 1, frames), n_fft even; every sample lies under a window.
    Returns (samples,).
    """
    raise NotImplementedError


if __name__ == "__main__":
    run(globals())
