"""Who goes with whom: the split of the clips, the pairing by digit, and the scale of the input."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import numpy as np

from tinya2i.audio import LogMel, cached_log_mel
from tinya2i.data import Clips, Images, Mix, Pairs
from tinya2i.errors import DataError
from tinya2i.streams import stream

TEST_SHARE = 0.1  # the talk's 90/10
OFFICIAL_TEST = range(5)  # the test clips by FSDD's README: index 0 to 4
Sides = tuple[np.ndarray, np.ndarray]


def split(
    digits: np.ndarray,
    speakers: np.ndarray,
    names: tuple[str, ...],
    how: str = "random",
    rng: np.random.Generator | None = None,
) -> Sides:
    """(train, test), indices into the clips: disjoint, complete, ascending.

    how: "random" puts a tenth of the clips, drawn with `rng`, on the test side, as the talk
    does; "official" those with index 0 to 4 in their name; "speaker:NAME" everything NAME says.
    Raises DataError for another `how`, an unknown speaker, and sides that lack a digit.
    """
    if how == "random":
        if rng is None:
            raise DataError("a random split needs rng=, a numpy Generator.")
        test = np.zeros(len(digits), bool)
        test[rng.permutation(len(digits))[: round(TEST_SHARE * len(digits))]] = True
    elif how == "official":
        test = np.array([_index(name) in OFFICIAL_TEST for name in names])
    elif how.startswith("speaker:"):
        test = np.asarray(speakers) == how.removeprefix("speaker:")
        if not test.any():
            voices = ", ".join(sorted(set(np.asarray(speakers).tolist())))
            raise DataError(f"--split {how}: the speakers are {voices}.")
    else:
        raise DataError(f"--split {how}: choose random, official or speaker:NAME.")
    for side, chosen in (("training", ~test), ("test", test)):
        if lacking := sorted(set(digits.tolist()) - set(digits[chosen].tolist())):
            raise DataError(
                f"--split {how} leaves no {side} clip of digit {lacking[0]}: "
                "take more clips, another seed or another split."
            )
    return np.flatnonzero(~test), np.flatnonzero(test)


def _index(name: str) -> int:
    if match := re.search(r"_([0-9]+)(\.wav)?$", name):
        return int(match[1])
    raise DataError(f"clip {name!r} has no index in its name: use another split than official.")


def pair(image_digits: np.ndarray, clip_digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """clip_of, with clip_digits[clip_of] == image_digits: a random clip of each one's digit.

    Uniform and with replacement. (n,) int64. Raises DataError for a digit that has no clip.
    """
    if not len(image_digits):
        return np.zeros(0, np.int64)
    order = np.argsort(clip_digits, kind="stable")
    count = np.bincount(clip_digits, minlength=image_digits.max() + 1)
    if not count[image_digits].all():
        missing = image_digits[count[image_digits] == 0][0]
        raise DataError(f"no clip says {missing}, but there are images of it.")
    first = np.cumsum(count) - count  # where each digit's clips begin in `order`
    return order[first[image_digits] + rng.integers(count[image_digits])]


def standardise(
    train: np.ndarray, test: np.ndarray, how: str = "global"
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(X - mean) / std for both sides, with the mean and std of the training side alone.

    train, test: (m, 48, 48). how: "global" one mean and std, shape (); "band" one per mel band,
    shape (48, 1); "none" 0 and 1. Returns train, test, mean, std in float32. A band that never
    changes is only centred. Raises DataError for another `how`.
    """
    axes = {"global": (0, 1, 2), "band": (0, 2)}
    if how == "none":
        mean, std = np.zeros((), np.float32), np.ones((), np.float32)
    elif how in axes:
        shape = () if how == "global" else (-1, 1)
        mean = train.mean(axes[how], dtype=np.float64).reshape(shape).astype(np.float32)
        std = train.std(axes[how], dtype=np.float64).reshape(shape).astype(np.float32)
        std = np.where(std < 1e-6, np.float32(1), std)
    else:
        raise DataError(f"normalise is {how!r}: choose none, global or band.")
    return (train - mean) / std, (test - mean) / std, mean, std


def build(
    images: Images,
    clips: Clips,
    sides: Sides,
    *,
    seed: int,
    features: LogMel,
    normalise: str,
    limit_train: int | None,
    cache: Path,
    info: dict,
) -> Mix:
    """The mix of these images and clips: features, scale, pairing; see `tinya2i.data.load`."""
    train_images, train_digits, test_images, test_digits = images
    if limit_train is not None:
        if limit_train < 1:
            raise DataError(f"--limit-train {limit_train}: at least 1 image is needed.")
        kept = stream(seed, "limit").permutation(len(train_digits))[:limit_train]
        train_images, train_digits = train_images[kept], train_digits[kept]
    # All clips at once and before the split: one cache entry serves every seed and split.
    X = cached_log_mel(clips.waves, features, cache)
    train_X, test_X, mean, std = standardise(X[sides[0]], X[sides[1]], normalise)
    info = {
        **info,
        "seed": seed,
        "speakers": sorted(set(clips.speakers.tolist())),
        "features": asdict(features),
        "normalise": normalise,
        "limit_train": limit_train,
        "mean": mean.tolist(),
        "std": std.tolist(),
    }
    return Mix(
        _side(train_images, train_digits, train_X, clips, sides[0], stream(seed, "pairing-train")),
        _side(test_images, test_digits, test_X, clips, sides[1], stream(seed, "pairing-test")),
        mean,
        std,
        features,
        info,
    )


def _side(images, digits, X, clips: Clips, chosen: np.ndarray, rng: np.random.Generator) -> Pairs:
    clip_digits = clips.digits[chosen]
    return Pairs(
        images,
        digits,
        X[..., None],
        clip_digits,
        clips.speakers[chosen],
        tuple(clips.names[i] for i in chosen),
        pair(digits, clip_digits, rng),
        tuple(clips.waves[i] for i in chosen),
    )
