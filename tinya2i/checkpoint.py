"""Safe .npz in and out: a checkpoint is replaced whole or not at all, and read without trust."""

import json
import math
import os
import re
import zipfile
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

import numpy as np

from tinya2i.errors import CheckpointError
from tinya2i.files import duplicate, replacing, sync

NAME = "checkpoint.npz"
PREVIOUS = "checkpoint.previous.npz"
FORMAT = 1
KINDS = "biufc"  # booleans and numbers; objects would need pickle, which can run code
MAX_HEADER = 4096  # an honest header has about a hundred bytes
MAX_META = 1 << 20
_NAMES = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,199}")

Expected = Mapping[str, tuple[tuple[int, ...], Any]]


def save(path: str | Path, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> None:
    """`path` holds `arrays` and `meta`; what it held before moves to `*.previous.npz`.

    arrays: name -> NumPy array of booleans or numbers; names of letters, digits and `_ . -`.
    meta: JSON-able. The file is an uncompressed .npz, `meta` being JSON text in a uint8 array.
    At every instant `path` or its previous one is whole, also if the process is killed.
    Raises ValueError for names or dtypes that could not be loaded again, OSError for the disk.
    """
    path = Path(path)
    for name, A in arrays.items():
        if not _NAMES.fullmatch(name) or name == "meta" or A.dtype.kind not in KINDS:
            raise ValueError(f"a checkpoint cannot hold {name!r} of dtype {A.dtype}")
    spare = path.with_name(f".{path.name}.spare")
    with replacing(path) as temporary:
        _write(temporary, arrays, meta)
        # Never straight over the previous one: were `path` damaged, no good file would be left.
        spare.unlink(missing_ok=True)
        if path.exists():
            duplicate(path, spare)
    if spare.exists():
        os.replace(spare, path.with_suffix(".previous.npz"))
        spare.unlink(missing_ok=True)  # rename does nothing between two links to one file
        sync(path.parent)


def load(
    path: str | Path, expect: Expected | None = None, prefix: str = ""
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """(arrays, meta) of a checkpoint, or CheckpointError: nothing else can come out.

    expect: name -> (shape, dtype); every difference is listed before any data is read.
    prefix: read only the names that begin with it, and cut it off ("model." for a model alone).
    A stranger's file may be refused, never executed: no pickle, no compression, no name with a
    slash, and no member may declare more bytes than the file has, so memory is bounded by its size.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such file; give a run folder or a checkpoint")
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive, path.stat().st_size)
            meta = _meta(_read(archive, members.pop("meta")), members.keys())
            wanted = {n.removeprefix(prefix): i for n, i in members.items() if n.startswith(prefix)}
            headers = {name: _header(archive, info) for name, info in wanted.items()}
            if expect is not None:
                _compare(headers, expect)
            return {name: _read(archive, info) for name, info in wanted.items()}, meta
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except Exception as error:  # a hostile file can make zipfile and NumPy raise almost anything
        reason = error.strerror if isinstance(error, OSError) else None
        raise CheckpointError(
            f"{path}: damaged, cut short, or no checkpoint at all "
            f"({reason or type(error).__name__}); use another one"
        ) from error


def find(path: str | Path) -> Path:
    """The checkpoint that `path` names: itself, or the newest one in a run folder."""
    path = Path(path)
    candidates = [path / NAME, path / PREVIOUS] if path.is_dir() else [path]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise CheckpointError(f"{path}: no checkpoint there (looked for {candidates[0]})")


def load_latest(
    folder: str | Path, expect: Expected | None = None
) -> tuple[dict[str, np.ndarray], dict[str, Any], str]:
    """(arrays, meta, note) of the newest good checkpoint in a run folder.

    note is empty, or says that checkpoint.npz could not be used and the previous one was.
    Raises CheckpointError, that of the newest, if neither can be used.
    """
    newest, previous = find(folder), Path(folder) / PREVIOUS
    try:
        return *load(newest, expect), ""
    except CheckpointError as error:
        if newest == previous or not previous.is_file():
            raise
        try:
            arrays, meta = load(previous, expect)
        except CheckpointError:
            raise error from None
        return arrays, meta, f"{error}. Going on from {previous.name} instead."


def _write(path: Path, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> None:
    # The names too: a zip's directory has no checksum, and damage there can hide members.
    text = json.dumps({"format": FORMAT, "names": sorted(arrays), "meta": meta}).encode()
    if len(text) > MAX_META:
        raise ValueError(f"meta of {len(text)} bytes; a checkpoint takes {MAX_META}")
    with zipfile.ZipFile(path, "w") as archive:
        for name, A in {"meta": np.frombuffer(text, np.uint8), **arrays}.items():
            # ZipInfo's fixed date: equal arrays give equal files.
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, A, allow_pickle=False)


def _members(archive: zipfile.ZipFile, file_size: int) -> dict[str, zipfile.ZipInfo]:
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        name = info.filename.removesuffix(".npy")
        if name == info.filename or not _NAMES.fullmatch(name):
            raise CheckpointError(f"refused: a member is called {info.filename[:80]!r}")
        if name in members:
            raise CheckpointError(f"refused: {name!r} is in it twice")
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise CheckpointError(
                f"refused: {name!r} is compressed; a checkpoint is stored plainly"
            )
        members[name] = info
    if sum(info.file_size for info in members.values()) > file_size:
        raise CheckpointError("refused: it declares more bytes than it has")
    if "meta" not in members:
        raise CheckpointError("not a checkpoint of tinya2i: it has no 'meta'")
    return members


def _header(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[tuple[int, ...], np.dtype]:
    """(shape, dtype) that a member declares, checked against the bytes that it has."""
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        readers = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        shape, _, dtype = readers[version](member, max_header_size=MAX_HEADER)
        size = info.file_size - member.tell()
    if dtype.kind not in KINDS or dtype.subdtype is not None:
        raise CheckpointError(f"refused: {info.filename!r} holds objects or text, not numbers")
    if any(type(n) is not int or n < 0 for n in shape) or math.prod(shape) * dtype.itemsize != size:
        raise CheckpointError(f"refused: {info.filename!r} declares shape {shape} in {size} bytes")
    return shape, dtype


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    _header(archive, info)
    with archive.open(info) as member:
        A = np.lib.format.read_array(member, allow_pickle=False, max_header_size=MAX_HEADER)
        member.read(1)  # the end of the member is where zipfile checks the CRC
    return A


def _meta(text: np.ndarray, names: Set[str]) -> dict[str, Any]:
    if text.dtype != np.uint8 or text.ndim != 1 or text.size > MAX_META:
        raise CheckpointError("refused: its 'meta' is not a text")
    wrapper = json.loads(text.tobytes().decode())
    if not isinstance(wrapper, dict) or not isinstance(wrapper.get("meta"), dict):
        raise CheckpointError("refused: its 'meta' has no content")
    if wrapper.get("format") != FORMAT:
        raise CheckpointError(
            f"format {wrapper.get('format')!r:.20}; this tinya2i reads format {FORMAT}: update it"
        )
    if wrapper.get("names") != sorted(names):
        raise CheckpointError("damaged: it does not hold the arrays that it lists")
    return wrapper["meta"]


def _compare(headers: Mapping[str, tuple[tuple[int, ...], np.dtype]], expect: Expected) -> None:
    """CheckpointError naming what is missing, surplus, or of another shape or dtype."""
    lines = [f"missing {name}" for name in expect if name not in headers]
    lines += [f"surplus {name}" for name in headers if name not in expect]
    for name in headers.keys() & expect.keys():
        (shape, dtype), (want_shape, want_dtype) = headers[name], expect[name]
        if shape != tuple(want_shape):
            lines.append(f"{name} has shape {shape} instead of {tuple(want_shape)}")
        if dtype != np.dtype(want_dtype):
            lines.append(f"{name} has dtype {dtype} instead of {np.dtype(want_dtype)}")
    if lines:
        more = f"; and {len(lines) - 6} more" if len(lines) > 6 else ""
        raise CheckpointError(f"of another model: {'; '.join(lines[:6])}{more}")
