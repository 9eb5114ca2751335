"""Checkers of chapter 9."""

from pathlib import Path

import numpy as np
from checking import compare, several

from tinya2i import audio

REFERENCE = Path(__file__).resolve().parents[3] / "tests" / "data" / "librosa_reference.npz"


def check_filterbank(answer) -> None:
    with np.load(REFERENCE) as file:
        stored = file["filterbank"]  # librosa.filters.mel(sr=8000, n_fft=512, n_mels=48)
    mistakes = _wrong_banks(8000, 512, 48)
    compare("librosa's numbers", answer(8000, 512, 48), stored, mistakes, tol=1e-6)
    right = _bank(_even(22050, 13, audio.hz_to_mel, audio.mel_to_hz), 22050, 1024)
    compare("22,050 Hz", answer(22050, 1024, 13), right, _wrong_banks(22050, 1024, 13))


def _even(rate: int, n_mels: int, there, back, extra: int = 2) -> np.ndarray:
    return back(np.linspace(there(0.0), there(rate / 2), n_mels + extra))


def _bank(corners: np.ndarray, rate: int, n_fft: int, height=lambda width: 2 / width):
    f = np.arange(n_fft // 2 + 1) * rate / n_fft
    rows = []
    for left, tip, right in zip(corners, corners[1:], corners[2:], strict=False):
        triangle = np.clip(np.minimum((f - left) / (tip - left), (right - f) / (right - tip)), 0, 1)
        rows.append(triangle * height(right - left))
    return np.array(rows)


def _wrong_banks(rate: int, n_fft: int, n_mels: int) -> dict[str, np.ndarray]:
    slaney = audio.hz_to_mel, audio.mel_to_hz
    right = _even(rate, n_mels, *slaney)
    htk = _even(
        rate,
        n_mels,
        lambda f: 2595 * np.log10(1 + f / 700),
        lambda m: 700 * (10 ** (m / 2595) - 1),
    )
    linear = np.linspace(0, rate / 2, n_mels + 2)
    few = _even(rate, n_mels, *slaney, extra=1)
    return {
        "tips at 1: divide each triangle by its area": _bank(right, rate, n_fft, lambda w: 1),
        "a triangle's area is half of width times height": _bank(
            right, rate, n_fft, lambda w: 1 / w
        ),
        "that is HTK's scale; Slaney's is linear below 1 kHz": _bank(htk, rate, n_fft),
        "even in Hz; the corners are even in mel": _bank(linear, rate, n_fft),
        "n_mels bands have n_mels + 2 corners": _bank(few, rate, n_fft),
        "the highest corner is half of the rate": _bank(
            _even(2 * rate, n_mels, *slaney), rate, n_fft
        ),
        "one row per band, one column per bin": _bank(right, rate, n_fft).T,
    }


def check_most_bands(answer) -> None:
    for rate, n_fft in ((8000, 128), (8000, 256), (16000, 128), (8000, 100)):
        count = 1
        while audio.mel_filterbank(rate, n_fft, count + 1).any(axis=1).all():
            count += 1
        empty = audio.mel_filterbank(rate, n_fft, count + 1)
        assert not empty.any(axis=1).all()
        per_hz = int((rate / 2) / (rate / n_fft)) - 1
        mistakes = {
            "that many bands already have an empty one: go back by one": count + 1,
            "not one band for each bin: below 1 kHz the bands are narrower than on average": per_hz,
            "two tips may lie between the same two bins: a band is two steps wide": _tips(
                rate, n_fft
            ),
            "look at every band, not at the sum of all": n_fft // 2 + 1,
        }
        compare(f"{rate} Hz, n_fft {n_fft}", answer(rate, n_fft), count, mistakes)


def _tips(rate: int, n_fft: int) -> int:
    """The largest B whose lowest triangle is two bins wide on each side."""
    return int(audio.hz_to_mel(rate / 2) / audio.hz_to_mel(rate / n_fft)) - 1


def check_decibels(answer) -> None:
    rng = np.random.default_rng(4)
    amin, top = 1e-6, 47.0
    P = 10 ** rng.uniform(-9, 2, (3, 5, 4))
    P[1] *= 1e-4  # a faint clip
    P[2, 0, 0] = 0
    S = np.maximum(P, amin)
    D = 10 * np.log10(S / S.max(axis=(1, 2), keepdims=True))

    def of(peak):
        return np.maximum(10 * np.log10(S / peak), -top)

    mistakes = {
        "each clip has its own peak, not one for all": of(S.max()),
        "one peak for all bands of a clip, not one for each": of(S.max(axis=2, keepdims=True)),
        "one peak for all frames of a clip, not one for each": of(S.max(axis=1, keepdims=True)),
        "20 log10 is for amplitudes; P is power": np.maximum(2 * D, -top),
        "that is the natural logarithm": np.maximum(D * np.log(10), -top),
        "bels, not decibels": np.maximum(D / 10, -top),
        "nothing lies below -top_db": D,
        "the loudest point is 0 dB": np.maximum(10 * np.log10(S), -top),
        "powers below amin count as amin, they do not add to it": np.maximum(
            10 * np.log10((P + amin) / (P + amin).max(axis=(1, 2), keepdims=True)), -top
        ),
        "what falls below 0 dB is all of it: the floor is at -top_db": np.maximum(D, top),
    }
    compare("dB", answer(P, amin, top), np.maximum(D, -top), mistakes)


def check_standardise_bands(answer) -> None:
    rng = np.random.default_rng(5)
    train = rng.standard_normal((6, 4, 5)) * [[1.0], [2.0], [3.0], [0.5]] + [[1.0], [0], [4], [2]]
    test = 1.3 * rng.standard_normal((3, 4, 5)) + 0.7
    both = np.concatenate([train, test])

    def by(source, axes, power=1):
        mean, std = (f(axis=axes, keepdims=True) for f in (source.mean, source.std))
        return [(X - mean) / std**power for X in (train, test)]

    right = by(train, (0, 2))
    own = [
        (X - X.mean((0, 2), keepdims=True)) / X.std((0, 2), keepdims=True) for X in (train, test)
    ]
    clip = [
        (X - X.mean((1, 2), keepdims=True)) / X.std((1, 2), keepdims=True) for X in (train, test)
    ]
    wrong = {
        "the test side takes the training side's mean and deviation, not its own": own,
        "the test clips have a say in the training: leave them out of the mean": by(both, (0, 2)),
        "each clip by itself: use one mean for all training clips": clip,
        "one mean for all bands; each band should have its own": by(train, (0, 1, 2)),
        "one mean for each band and frame; sum over the frames, too": by(train, 0),
        "divide by the standard deviation, not by the variance": by(train, (0, 2), power=2),
    }
    found = several(answer(train, test), 2, "train and test")
    # The test side first: there the mistakes differ that look alike on the other one.
    for i, side in ((1, "test"), (0, "train")):
        compare(side, found[i], right[i], {name: sides[i] for name, sides in wrong.items()})
