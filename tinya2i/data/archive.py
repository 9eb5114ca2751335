"""Folders and archives from strangers: read in memory, within limits, never unpacked to disk."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from tinya2i.errors import DataError

MAX_ARCHIVE = 64 * 2**20  # bytes, packed and unpacked; the six speakers need 23 MB
MAX_MEMBER = 2**20  # bytes; the longest clip has 36,568
MAX_ACCEPTED = 4096  # members taken
MAX_LISTED = 4 * MAX_ACCEPTED  # members looked at
MAX_RATIO = 200  # what a .zip packs better than this is no sound

FILE, FOLDER, OTHER = "a file", "a folder", "a link, a device, encrypted or oddly packed"
Entry = tuple[str, str, int, Callable[[], bytes]]  # name, kind, declared size, read


def members(path: Path, pattern: re.Pattern[str]) -> dict[str, bytes]:
    """{name without folders: content} of the files that match in a folder, .tar, .tar.gz or .zip.

    Archives are told apart by their first bytes. Nothing beyond the limits above is read, and
    an archive with a link, a device, a name that leads out of its folder, or a clip twice is
    refused as a whole. Raises DataError, which names the member.
    """
    found: dict[str, bytes] = {}
    total = 0
    try:
        for listed, (name, kind, size, read) in enumerate(_entries(path, pattern), 1):
            base = re.split(r"[/\\]", name)[-1]
            wanted = kind == FILE and pattern.fullmatch(base)
            total += size if wanted else 0
            if fault := _fault(name, kind, size if wanted else 0, total, listed):
                raise DataError(f"{path} is refused: {name!r}: {fault}")
            if wanted:
                _take(found, base, size, read, path)
    except DataError:
        raise
    except Exception as error:  # tarfile, zipfile and zlib raise a dozen kinds on damaged bytes
        raise DataError(f"{path} is damaged ({error}): delete it and get it again") from error
    return found


def folder_names(folder: Path, pattern: re.Pattern[str]) -> Iterator[str]:
    """The names of the regular files in a folder, sorted, that match; none where it is closed."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:  # somebody else's folder beside the data
        return
    yield from (name for name in names if pattern.fullmatch(name) and (folder / name).is_file())


def _fault(name: str, kind: str, size: int, total: int, listed: int) -> str | None:
    if kind == OTHER:
        return f"it is {OTHER}"
    if ".." in re.split(r"[/\\]", name) or re.match(r"[/\\]|[A-Za-z]:", name):
        return "its name leads out of the folder"
    if not 0 <= size <= MAX_MEMBER:
        return f"{size:,} bytes, {MAX_MEMBER:,} at most"
    if total > MAX_ARCHIVE:
        return f"more than {MAX_ARCHIVE:,} bytes in all"
    if listed > MAX_LISTED:
        return f"more than {MAX_LISTED:,} members"
    return None


def _take(found: dict[str, bytes], base: str, size: int, read: Callable, path: Path) -> None:
    if base in found:
        raise DataError(f"{path} is refused: {base!r} is in it twice")
    if len(found) == MAX_ACCEPTED:
        raise DataError(f"{path} is refused: {base!r} is one clip more than {MAX_ACCEPTED:,}")
    found[base] = read()
    if len(found[base]) != size:
        raise DataError(f"{path} is refused: {base!r} does not have the {size:,} bytes it claims")


def _entries(path: Path, pattern: re.Pattern[str]) -> Iterator[Entry]:
    if path.is_dir():
        for name in folder_names(path, pattern):
            yield name, FILE, (path / name).stat().st_size, (path / name).read_bytes
        return
    if path.stat().st_size > MAX_ARCHIVE:
        raise DataError(f"{path} is larger than {MAX_ARCHIVE:,} bytes: not this data set")
    with open(path, "rb") as file:
        start = file.read(2)
        file.seek(0)
        if start == b"PK":
            yield from _zip_entries(file.read())
        elif start == b"\x1f\x8b":
            import gzip

            yield from _tar_entries(_Capped(gzip.GzipFile(fileobj=file)))
        else:
            yield from _tar_entries(_Capped(file))


class _Capped:
    """A stream that ends in a DataError after MAX_ARCHIVE bytes, whatever a header claims.

    It is only asked for small pieces: tarfile's stream mode reads 10 KiB at a time.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.stream, self.left = stream, MAX_ARCHIVE

    def read(self, size: int) -> bytes:
        data = self.stream.read(size)
        self.left -= len(data)
        if self.left < 0:
            raise DataError(f"the archive swells to more than {MAX_ARCHIVE:,} bytes: refused")
        return data


def _tar_entries(stream: _Capped) -> Iterator[Entry]:
    import tarfile

    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            plain = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE)
            kind = FILE if plain else FOLDER if member.isdir() else OTHER
            yield member.name, kind, member.size, lambda m=member: archive.extractfile(m).read()
    while stream.read(2**16):  # what follows the last member, so that gzip checks its sum
        pass


def _zip_entries(data: bytes) -> Iterator[Entry]:
    import stat
    import zipfile

    # zipfile builds its whole list first, so the entries are counted before it may.
    if data.count(b"PK\x01\x02") > MAX_LISTED:
        raise DataError(f"the archive has more than {MAX_LISTED:,} members: refused")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            odd = (
                stat.S_ISLNK(info.external_attr >> 16)
                or info.flag_bits & 1  # encrypted
                or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
                or info.file_size > MAX_RATIO * (info.compress_size + 1)
            )
            kind = OTHER if odd else FOLDER if info.is_dir() else FILE
            yield info.filename, kind, info.file_size, lambda i=info: _inflate(archive, i)


def _inflate(archive, info) -> bytes:
    with archive.open(info) as member:
        return member.read(MAX_MEMBER + 1)
