"""The data sets: MNIST's pictures and FSDD's spoken digits, mixed by digit; and a drawn toy set.

Labels serve twice only: to give each picture a clip of its own digit, and to judge the result.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from tinya2i.audio import LogMel
from tinya2i.data import fetch
from tinya2i.errors import DataError
from tinya2i.streams import stream

Found = TypeVar("Found")
Images = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Clips:
    """Spoken digits: waves are mono float32 at 8 kHz, a list because their lengths differ."""

    waves: list[np.ndarray]
    digits: np.ndarray  # (m,) int64
    speakers: np.ndarray  # (m,) str
    names: tuple[str, ...]  # "{digit}_{speaker}_{index}.wav"


@dataclass(frozen=True)
class Pairs:
    """One side of the mix: picture i goes with clip clip_of[i], which says the same digit."""

    images: np.ndarray  # (n, 28, 28, 1) uint8
    digits: np.ndarray  # (n,) int64
    clips: np.ndarray  # (m, 48, 48, 1) float32, standardised log-mel
    clip_digits: np.ndarray  # (m,) int64
    speakers: np.ndarray  # (m,) str
    names: tuple[str, ...]
    clip_of: np.ndarray  # (n,) int64, into clips
    waves: tuple[np.ndarray, ...] = ()  # of the clips, mono float32 at 8 kHz; () if not kept


@dataclass(frozen=True)
class Mix:
    """Both sides, what was subtracted and divided by, and where everything came from."""

    train: Pairs
    test: Pairs
    mean: np.ndarray  # of the 0..1 log-mel of the training clips: () or (48, 1)
    std: np.ndarray
    features: LogMel
    info: dict  # JSON-able


def load(
    name: str,
    *,
    data_dir: str | os.PathLike | None = None,
    offline: bool = False,
    speakers: str | Sequence[str] = "talk",
    split: str = "random",
    seed: int = 0,
    features: LogMel | None = None,
    normalise: str = "global",
    limit_train: int | None = None,
) -> Mix:
    """Pictures with a random clip of their own digit, train with train and test with test.

    name: "mix" (MNIST and FSDD: 60,000 and 10,000 pairs) or "toy" (made by code, no download).
    data_dir: where to look, and nowhere else; else $TINYA2I_DATA, then the user's cache, into
        which the sets are downloaded unless `offline` or TINYA2I_OFFLINE=1 forbids it.
    speakers: "talk" (the talk's four), "all" (those that are there), or names: "theo,nicolas".
    split: "random" (90/10 of the clips), "official" (index 0 to 4 is test), "speaker:NAME".
        The toy set has fixed sides of its own, which "random" keeps.
    normalise: "global", "band" or "none", see `mix.standardise`.
    limit_train: so many training pictures, chosen by the seed. The test side stays whole.
    The same seed gives the same mix. Raises DataError, which says what to do.
    """
    from tinya2i.data import mix

    _check_name(name)
    clips, sides, clip_info = _clips(name, speakers, data_dir, offline, seed)
    images, image_info = _images(name, data_dir, offline, seed)
    if sides is None or split != "random":
        rng = stream(seed, "split")
        sides = mix.split(clips.digits, clips.speakers, clips.names, split, rng)
    return mix.build(
        images,
        clips,
        sides,
        seed=seed,
        features=features or LogMel(),
        normalise=normalise,
        limit_train=limit_train,
        cache=fetch.cache_dir() / "features",
        info={"name": name, "images": image_info, "clips": clip_info, "split": split},
    )


def load_images(
    name: str,
    *,
    data_dir: str | os.PathLike | None = None,
    offline: bool = False,
    seed: int = 0,
) -> Images:
    """(train images, train digits, test images, test digits), for the judge, who needs no sound.

    Images (n, 28, 28, 1) uint8, digits (n,) int64. name: "mix" (MNIST) or "toy"; see `load`.
    """
    _check_name(name)
    return _images(name, data_dir, offline, seed)[0]


def _check_name(name: str) -> None:
    if name not in ("mix", "toy"):
        raise DataError(f"there is no data set {name!r}: choose mix or toy.")


def _images(name: str, data_dir, offline: bool, seed: int) -> tuple[Images, dict]:
    if name == "toy":
        from tinya2i.data import toy

        return toy.images(seed), {"source": "toy"}
    from tinya2i.data import mnist

    return mnist.load(data_dir=data_dir, offline=offline)


def _clips(name: str, speakers, data_dir, offline: bool, seed: int) -> tuple:
    """(clips, their sides where the set has fixed ones, where they came from)."""
    if name == "mix":
        from tinya2i.data import fsdd

        clips, info = fsdd.load(speakers, data_dir=data_dir, offline=offline)
        return clips, None, info
    from tinya2i.data import toy

    if speakers not in ("talk", "all"):
        raise DataError("the toy set has voices of its own: leave --speakers out.")
    train, test = toy.clips(seed)
    clips = Clips(
        [*train.waves, *test.waves],
        np.concatenate([train.digits, test.digits]),
        np.concatenate([train.speakers, test.speakers]),
        (*train.names, *test.names),
    )
    sides = np.split(np.arange(len(clips.names)), [len(train.names)])
    return clips, sides, {"source": "toy", "clips": len(clips.names)}


def look_up(
    find: Callable[[Path], Found | None],
    source: fetch.Source,
    check: Callable[[Path], object],
    *,
    data_dir: str | os.PathLike | None,
    offline: bool,
) -> Found:
    """The first that is there: data_dir (and then nothing else), $TINYA2I_DATA, cache, download.

    find(folder) returns the data, or None where there is nothing, or raises DataError where
    there is something that is not right. check(file) raises DataError for a wrong download.
    """
    given = data_dir or os.environ.get("TINYA2I_DATA")
    places = [Path(given).expanduser()] if given else []
    if places and (found := find(places[0])) is not None:
        return found
    if data_dir:
        raise _absent(source, places)
    places.append(fetch.cache_dir())
    wrong = None
    try:
        if (found := find(places[-1])) is not None:
            return found
    except DataError as error:
        wrong = error
    folder = places[-1] / source.folder
    if offline or os.environ.get("TINYA2I_OFFLINE", "0") not in ("", "0"):
        raise wrong or _absent(source, places)
    if wrong and _passes(check, folder / source.name):
        raise wrong  # another download would bring the same
    fetch.download(source, folder, check)
    return find(places[-1])


def _absent(source: fetch.Source, places: list[Path]) -> DataError:
    listed = " or ".join(f"{place} or {place / source.folder}" for place in places)
    return DataError(
        f"no {source.forms} in {listed}. " + fetch.by_hand(source, places[-1] / source.folder)
    )


def _passes(check: Callable[[Path], object], path: Path) -> bool:
    try:
        check(path)
    except DataError:
        return False
    return True
