"""MNIST: 60,000 and 10,000 handwritten digits of 28 by 28 pixels, in idx files.

Y. LeCun, C. Cortes; to be treated as CC BY-SA 3.0. A file is judged by the SHA-256 of its
uncompressed content, because the same content is about in many compressions.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinya2i.data import Images, look_up
from tinya2i.data.fetch import Source
from tinya2i.errors import DataError

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
)


@dataclass(frozen=True)
class Idx:
    """What one idx file must be; packed_* describe the usual .gz and are only hints."""

    name: str
    shape: tuple[int, ...]
    sha256: str
    packed_size: int
    packed_sha256: str

    @property
    def size(self) -> int:
        """4 + 4 d + product of the d dimensions, in bytes."""
        return 4 + 4 * len(self.shape) + math.prod(self.shape)

    @property
    def source(self) -> Source:
        """Where to download it."""
        urls = tuple(f"{mirror}{self.name}.gz" for mirror in MIRRORS)
        forms = f"{self.name} (plain or .gz)"
        return Source(f"{self.name}.gz", "mnist", forms, urls, self.packed_size, self.packed_sha256)


FILES = (
    Idx(
        "train-images-idx3-ubyte",
        (60_000, 28, 28),
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        9_912_422,
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    ),
    Idx(
        "train-labels-idx1-ubyte",
        (60_000,),
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        28_881,
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    ),
    Idx(
        "t10k-images-idx3-ubyte",
        (10_000, 28, 28),
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        1_648_877,
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    ),
    Idx(
        "t10k-labels-idx1-ubyte",
        (10_000,),
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        4_542,
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
)


def load(
    *, data_dir: str | os.PathLike | None = None, offline: bool = False
) -> tuple[Images, dict]:
    """((train images, train digits, test images, test digits), where they came from).

    Images (n, 28, 28, 1) uint8, digits (n,) int64. Raises DataError.
    """
    arrays, sources = [], {}
    for idx in FILES:
        array, path = look_up(
            lambda folder, idx=idx: find(folder, idx),
            idx.source,
            lambda path, idx=idx: read(path, idx),
            data_dir=data_dir,
            offline=offline,
        )
        arrays.append(array[..., None] if array.ndim == 3 else array.astype(np.int64))
        sources[idx.name] = str(path)
    digests = {idx.name: idx.sha256 for idx in FILES}
    return tuple(arrays), {"source": sources, "sha256": digests, "verified": True}


def find(folder: Path, idx: Idx) -> tuple[np.ndarray, Path] | None:
    """The first right one among {folder, mnist, MNIST/raw} / {name, na.me} / {idx, .gz}.

    None where there is no such file; DataError where none of those that are there is right.
    """
    faults = []
    stem, _, kind = idx.name.rpartition("-idx")
    for place in (folder / "mnist", folder, folder / "MNIST" / "raw"):
        for name in (idx.name, f"{stem}.idx{kind}"):
            for path in (place / name, place / f"{name}.gz"):
                if path.is_file():
                    try:
                        return read(path, idx), path
                    except DataError as fault:
                        faults.append(str(fault))
    if faults:
        raise DataError(f"{'; '.join(faults)}. Delete it and get {idx.source.urls[0]} anew.")
    return None


def read(path: Path, idx: Idx) -> np.ndarray:
    """The array of an idx file, packed or not, that has exactly the content it must have.

    Never holds more than one byte beyond the size expected, whatever a .gz swells to.
    """
    try:
        with open(path, "rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            data = (gzip.GzipFile(fileobj=file) if packed else file).read(idx.size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error})") from error
    array = parse(data, str(path))
    if array.shape != idx.shape:
        raise DataError(f"{path} holds {array.shape}, not {idx.shape}")
    if hashlib.sha256(data).hexdigest() != idx.sha256:
        raise DataError(f"{path} is damaged: its content is not that of {idx.name}")
    return array


def parse(data: bytes, name: str = "data") -> np.ndarray:
    """The array in idx bytes: 0, 0, 8 (unsigned bytes), d, d big-endian uint32, the elements.

    Source: the format's description on MNIST's home page. Raises DataError.
    """
    if len(data) < 4 or data[:3] != b"\0\0\x08" or not 1 <= data[3] <= 3:
        raise DataError(f"{name} is no idx file of bytes: it begins with {data[:4].hex()}")
    start = 4 + 4 * data[3]
    shape = tuple(int.from_bytes(data[i : i + 4], "big") for i in range(4, start, 4))
    if len(data) != start + math.prod(shape):
        raise DataError(f"{name} has {len(data):,} bytes, which does not fit {shape} or is cut off")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape).copy()
