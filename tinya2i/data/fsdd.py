"""FSDD, the Free Spoken Digit Dataset: short WAV files named {digit}_{speaker}_{index}.wav.

Z. Jackson and others, CC BY-SA 4.0, doi:10.5281/zenodo.1342401. What counts is the content of
the clips: GitHub makes its archives on demand and promises nothing about their bytes.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinya2i.audio import resample
from tinya2i.data import Clips, look_up
from tinya2i.data.archive import folder_names, members
from tinya2i.data.fetch import Source
from tinya2i.errors import DataError

TALK = ("jackson", "nicolas", "theo", "yweweler")
NAME = re.compile(r"([0-9])_([a-z]+)_([0-9]+)\.wav", re.ASCII)
SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip")
KNOWN = {
    "197e9c48c344955c5dfe4934070c99951896bb381fd9c9c78383fbe30eebba15": "the talk's four speakers",
    "45a9b976ba3397a2fd5c70a9f2e43c34f442a3a6be47392ecfc41174b678f37e": "v1.0.10, six speakers",
}
PROJECT = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/"
SOURCE = Source(
    "free-spoken-digit-dataset-1.0.10.tar.gz",
    "fsdd",
    "FSDD clip {digit}_{speaker}_{index}.wav (in a folder, .tar.gz, .tar or .zip)",
    (
        f"{PROJECT}refs/tags/v1.0.10.tar.gz",
        f"{PROJECT}d6938f9bf1545aa66d8489fc9f1385a7abd64282.tar.gz",  # should the tag ever go
    ),
    15_602_882,
    "feb479fad3a37883c3d21ed7f982281c2dd1c18d5aefd7e8a5d50f58023392aa",
)


@dataclass(frozen=True)
class Recordings:
    """The chosen speakers' files in one place, in the order of their names."""

    files: dict[str, bytes]
    speakers: tuple[str, ...]
    path: Path
    sha256: str
    known_as: str | None  # None: nobody has vouched for this content


def load(
    speakers: str | Sequence[str] = "talk",
    *,
    data_dir: str | os.PathLike | None = None,
    offline: bool = False,
) -> tuple[Clips, dict]:
    """(the clips sorted by name, where they came from).

    speakers: "talk", "all", or names in a sequence or with commas between.
    info["verified"] is False where the content is not known by a digest; for the talk's four
    speakers that is a DataError instead.
    """
    found = look_up(
        lambda folder: find(folder, speakers),
        SOURCE,
        lambda path: choose(members(path, NAME), path, "talk"),
        data_dir=data_dir,
        offline=offline,
    )
    return decode(found.files), {
        "source": str(found.path),
        "sha256": found.sha256,
        "verified": found.known_as is not None,
        "known_as": found.known_as,
        "clips": len(found.files),
        "speakers": list(found.speakers),
    }


def find(folder: Path, speakers: str | Sequence[str] = "talk") -> Recordings | None:
    """The recordings in folder/fsdd or folder: a folder of WAV files, or an archive of them.

    The first whose content is known, else the first that will do. None where there is none;
    DataError where none of those that are there will do.
    """
    usable, faults = None, []
    for path in _candidates(folder):
        try:
            files = members(path, NAME)
            found = choose(files, path, speakers) if files else None
        except DataError as fault:
            faults.append(str(fault))
            continue
        if found and found.known_as:
            return found
        usable = usable or found
    if faults and not usable:
        raise DataError(f"{'; '.join(faults)}. The whole set is at {SOURCE.urls[0]}.")
    return usable


def choose(files: Mapping[str, bytes], path: Path, speakers: str | Sequence[str]) -> Recordings:
    """Those of the speakers wanted, and by which known digest they are right, if any."""
    there = {NAME.fullmatch(name)[2] for name in files}
    wanted = _wanted(speakers, there)
    if missing := sorted(set(wanted) - there):
        raise DataError(
            f"{path} has no clip of {', '.join(missing)}, only {', '.join(sorted(there))}"
        )
    chosen = _only(files, wanted)
    sha256 = digest(chosen)
    known = KNOWN.get(sha256) or KNOWN.get(digest(files))
    if known is None and set(wanted) <= set(TALK):
        known = KNOWN.get(digest(_only(files, TALK)))
    if known is None and speakers == "talk":
        raise DataError(
            f"{path} does not hold the talk's 2,000 clips but {len(chosen):,} others or damaged "
            f"ones (digest {sha256[:12]}): get them anew, or take them as they are with "
            f"--speakers {','.join(TALK)}"
        )
    return Recordings(chosen, wanted, path, sha256, known)


def digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 over name + content of every file, in the order of the names."""
    state = hashlib.sha256()
    for name in sorted(files):
        state.update(name.encode())
        state.update(files[name])
    return state.hexdigest()


def _wanted(speakers: str | Sequence[str], there: set[str]) -> tuple[str, ...]:
    if speakers == "talk":
        return TALK
    if speakers == "all":
        return tuple(sorted(there))
    names = speakers.split(",") if isinstance(speakers, str) else speakers
    if wanted := sorted({name.strip() for name in names} - {""}):
        return tuple(wanted)
    raise DataError("no speaker was named: choose talk, all, or names with commas between.")


def _only(files: Mapping[str, bytes], speakers: Sequence[str]) -> dict[str, bytes]:
    return {name: files[name] for name in sorted(files) if NAME.fullmatch(name)[2] in speakers}


def _candidates(folder: Path) -> Iterator[Path]:
    for place in (folder / "fsdd", folder):
        # The WAV files lie here, in recordings/, or in a checkout's recordings/.
        for path in (place, *sorted(place.glob("*")), *sorted(place.glob("*/*"))):
            if path.is_dir() and next(folder_names(path, NAME), None):
                yield path
        for path in sorted(place.glob("*")):
            if path.name.lower().endswith(SUFFIXES) and path.is_file():
                yield path


def decode(files: Mapping[str, bytes]) -> Clips:
    """The waves as `audio.load` would give them: mono, 8 kHz, mean removed."""
    names = tuple(sorted(files))
    parts = [NAME.fullmatch(name).groups() for name in names]
    return Clips(
        [_wave(name, files[name]) for name in names],
        np.array([int(digit) for digit, _, _ in parts], np.int64),
        np.array([speaker for _, speaker, _ in parts]),
        names,
    )


def _wave(name: str, content: bytes) -> np.ndarray:
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            # Packed sound (FLAC, ADPCM) can swell from a megabyte to gigabytes.
            plain = file.format.startswith("WAV") and 0 < file.frames <= len(content)
            if not plain or not 4000 <= file.samplerate <= 192_000:
                raise DataError(f"{name} is empty or no plain WAV of 4 to 192 kHz: convert it")
            wave = file.read(frames=file.frames, always_2d=True).mean(axis=1)
            # The mean goes first: filtering a constant leaves a bump at either end.
            wave = resample(wave - wave.mean(), file.samplerate, 8000)
    except DataError:
        raise
    except Exception as error:  # libsndfile's errors, and its wrapper's on absurd headers
        raise DataError(f"{name} is no WAV file ({error}): take it out or replace it") from error
    if not np.isfinite(wave).all() or not np.ptp(wave):
        raise DataError(f"{name} is silent or not finite: take it out or replace it")
    return wave.astype(np.float32)
