"""Files that are replaced whole or not at all, and JSON in and out."""

import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tinya2i.errors import RunError


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """`path` becomes what the caller writes to the yielded path, whole or not at all.

    Temporary file in the same folder, fsync, rename, fsync of the folder. On any error the
    temporary file is removed and `path` keeps what it had. Raises OSError.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.part")
    try:
        yield temporary
        sync(temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """What the system still holds in memory of a file, or of a folder's names, is on the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows has no handle on a folder to flush
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def duplicate(path: Path, copy: Path) -> None:
    """`copy`, which must not exist, holds what `path` holds, without reading it where possible."""
    try:
        os.link(path, copy)
    except OSError:  # a file system without hard links
        shutil.copyfile(path, copy)
        sync(copy)


def plain(value: Any) -> Any:
    """`value` as JSON can say it: arrays as lists, numbers as Python's, paths and others as text.

    Numbers that are not finite become None: JSON has no NaN.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in (sorted(value) if isinstance(value, Set) else value)]
    if hasattr(value, "tolist"):  # a NumPy or CuPy array or scalar
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def read_rows(path: str | Path) -> list[dict[str, Any]]:
    """The objects of a .jsonl file, up to the first line that is torn or no object; [] if none."""
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    except FileNotFoundError:
        return []
    rows = []
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            break
        if not isinstance(row, dict):
            break
        rows.append(row)
    return rows


@contextmanager
def locked(path: str | Path) -> Iterator[None]:
    """Only one process at a time gets past; RunError in the others. The lock dies with its holder.

    Does nothing where the system or the file system has no such locks.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunError(f"{Path(path).parent}: another process is writing there") from error
        except OSError:
            pass
        yield
