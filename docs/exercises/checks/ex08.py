"""Checkers of chapter 8."""

import numpy as np
from checking import compare


def check_frame_count(answer) -> None:
    for samples, n_fft, hop in ((8000, 256, 128), (6016, 512, 128), (61, 16, 5), (60, 16, 5)):
        whole = 1 + samples // hop
        inside = len([s for s in range(0, samples, hop) if s + n_fft <= samples])
        mistakes = {
            "that is the count without margins; centred frames reach beyond both ends": inside,
            "the frame on sample 0 counts, too": samples // hop,
            "there is no frame after the last centre within the wave": 1 + -(-samples // hop),
            "a margin of n_fft / 2 at both ends, not one of n_fft": 1 + (samples + n_fft) // hop,
        }
        case = f"{samples} samples, n_fft {n_fft}, hop {hop}"
        compare(f"{case}, centred", answer(samples, n_fft, hop, True), whole, mistakes)
        mistakes = {
            "that is the count of centred frames; these must lie inside": whole,
            "the first frame counts, too": (samples - n_fft) // hop,
            "the last samples do not fill a frame": 1 + -(-(samples - n_fft) // hop),
        }
        compare(f"{case}, inside", answer(samples, n_fft, hop, False), inside, mistakes)
    for samples in (3, 11, 15):
        yours = answer(samples, 16, 5, False)
        formula = {"the formula alone goes below zero here": 1 + (samples - 16) // 5}
        compare(f"{samples} samples, n_fft 16, inside", yours, 0, formula)


def check_hann_window(answer) -> None:
    for length in (4, 11, 256):
        k = np.arange(length)
        right = 0.5 - 0.5 * np.cos(2 * np.pi * k / length)
        symmetric = 0.5 - 0.5 * np.cos(2 * np.pi * k / (length - 1))
        mistakes = {
            "that is the symmetric window: shifted copies of it ripple": symmetric,
            "it must fade to 0 at the ends, not in the middle: look at the sign": 1 - right,
            "half a turn of the cosine fades in but not out": 0.5
            - 0.5 * np.cos(np.pi * k / length),
            "that is the sine window, whose square is Hann's": np.sqrt(right),
            "that is Hamming's window, which does not reach 0": 0.08 + 0.92 * right,
        }
        compare(f"length {length}", answer(length), right, mistakes)


def check_amplitude(answer) -> None:
    n, f, A = 96, 17, 0.7
    k = np.arange(n)
    x = A * np.cos(2 * np.pi * f * k / n + 1.1) + 1.9 * np.cos(2 * np.pi * 30 * k / n - 0.4)
    for name, w in (
        ("a rectangle", np.ones(n)),
        ("Hann", 0.5 - 0.5 * np.cos(2 * np.pi * k / n)),
        ("Hann squared", (0.5 - 0.5 * np.cos(2 * np.pi * k / n)) ** 2),
    ):
        S = np.fft.rfft(w * x)[f]
        mistakes = {
            "the transform is a sum, and a tone is two pointers: weigh it": abs(S),
            "the window takes its share: divide by its sum": 2 * abs(S) / n,
            "a real tone is two pointers, half of it at -f": abs(S) / w.sum(),
            "the sum of the window, not of its square": 2 * abs(S) / (w**2).sum(),
            "the window has to be multiplied in": 2 * abs(np.fft.rfft(x)[f]) / w.sum(),
            "the real part depends on the angle of the tone": 2 * S.real / w.sum(),
            "that is power": (2 * abs(S) / w.sum()) ** 2,
        }
        compare(f"under {name}", answer(x, w, f), A, mistakes)


def check_inverse_stft(answer) -> None:
    rng = np.random.default_rng(3)
    n, hop, samples = 16, 5, 61
    w = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)
    room = np.pad(rng.standard_normal(samples), n // 2)
    frames = np.lib.stride_tricks.sliding_window_view(room, n)[::hop]
    compare("of a wave", answer(np.fft.rfft(frames * w).T, samples, hop, w), room[8:-8], _wrong(
        np.fft.rfft(frames * w).T, samples, hop, w
    ))  # fmt: skip
    # An S that belongs to no wave: now it matters that the squares of the misfit are least.
    S = rng.standard_normal((n // 2 + 1, 13)) + 1j * rng.standard_normal((n // 2 + 1, 13))
    above, below, _ = _sums(S, hop, w)
    right = (above / np.where(below > 0, below, 1))[n // 2 : n // 2 + samples]
    compare("of a changed S", answer(S, samples, hop, w), right, _wrong(S, samples, hop, w))


def _sums(S: np.ndarray, hop: int, w: np.ndarray) -> list[np.ndarray]:
    """Overlapped: w y, w^2, y and w."""
    n = len(w)
    sums = [np.zeros(n + hop * (S.shape[1] - 1) + 4 * n) for _ in range(3)]
    for t, y in enumerate(np.fft.irfft(S.T, n)):
        for total, part in zip(sums, (w * y, w**2, y), strict=True):
            total[t * hop : t * hop + n] += part
    return sums


def _wrong(S: np.ndarray, samples: int, hop: int, w: np.ndarray) -> dict[str, np.ndarray]:
    n = len(w)
    above, below, bare = _sums(S, hop, w)
    weight = np.zeros_like(below)
    for t in range(S.shape[1]):
        weight[t * hop : t * hop + n] += w
    margin = slice(n // 2, n // 2 + samples)
    one = [np.where(total > 0, total, 1) for total in (below, weight)]
    return {
        "the margin in front is n_fft / 2 samples: cut it off": (above / one[0])[:samples],
        "the margin in front is n_fft / 2 samples, not n_fft": (above / one[0])[n : n + samples],
        "divide by the sum of the squared windows": above[margin],
        "faded twice, by w forward and w backward: divide by the squares": (above / one[1])[margin],
        "fade each frame by w once more before adding": (bare / one[0])[margin],
        "divided by w alone it is an inverse, but not the least squares": (bare / one[1])[margin],
    }
