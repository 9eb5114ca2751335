"""Verified downloads into a cache folder: HTTPS only, several mirrors, all or nothing."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from tinya2i.errors import DataError

TIMEOUT = 30.0  # seconds without a byte
WAITS = (0.0, 1.0, 4.0)  # seconds before the first, second and third try at a mirror


@dataclass(frozen=True)
class Source:
    """One file to download: where from, where to, and what it usually is.

    The size and SHA-256 are hints: servers pack the same content anew.
    """

    name: str
    folder: str  # inside the cache
    forms: str  # in which the content is accepted, for error messages
    urls: tuple[str, ...]
    size: int
    sha256: str


def cache_dir() -> Path:
    """$XDG_CACHE_HOME/tinya2i, else what the system calls its cache (Linux: ~/.cache/tinya2i)."""
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(xdg):  # the XDG specification: a relative path is to be ignored
        return Path(xdg) / "tinya2i"
    if sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
        return Path(os.environ["LOCALAPPDATA"]) / "tinya2i" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "tinya2i"
    return Path.home() / ".cache" / "tinya2i"


def by_hand(source: Source, folder: Path) -> str:
    """What to do without a network, as the end of an error message."""
    return (
        f"Get {source.urls[0]} by other means and put it in {folder} as {source.name}, "
        "or use --data toy, which needs no download."
    )


def https_opener(transport: Any = None) -> Any:
    """An opener that speaks HTTPS and nothing else: a redirect to http:// or file:// must fail."""
    from urllib import request

    opener = request.OpenerDirector()  # build_opener would add http, ftp and file
    proxies = {kind: url for kind, url in request.getproxies().items() if kind in ("https", "no")}
    for handler in (
        transport or request.HTTPSHandler(),
        request.ProxyHandler(proxies),
        request.HTTPRedirectHandler(),
        request.HTTPDefaultErrorHandler(),
        request.HTTPErrorProcessor(),
        request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    opener.addheaders = [("User-Agent", "tinya2i")]
    return opener


def download(
    source: Source,
    folder: Path,
    check: Callable[[Path], object],
    *,
    opener: Any = None,
    sleep: Callable[[float], object] = time.sleep,
) -> Path:
    """folder/source.name, there only once it is complete and right.

    Mirrors are tried in order, each up to three times; an answer with the wrong content, or
    one that a second try will not change (HTTP 4xx), sends us to the next mirror at once.
    A file with another SHA-256 than the usual one is good if check(path) raises no DataError,
    because servers pack the same content anew. Raises DataError with every mirror's answer.
    """
    part = folder / f"{source.name}.{os.getpid()}.part"
    _make_writable(folder, part)
    print(f"downloading {source.name} ({source.size / 1e6:.1f} MB) to {folder}", file=sys.stderr)
    try:
        _first_good(source, part, check, opener or https_opener(), sleep)
        return part.replace(folder / source.name)
    except (DataError, OSError) as error:
        raise DataError(f"{error} {by_hand(source, folder)}") from error
    finally:
        part.unlink(missing_ok=True)


def _first_good(source: Source, part: Path, check: Callable, opener: Any, sleep: Callable) -> None:
    from http.client import HTTPException

    answers: dict[str, str] = {}
    hopeless: set[str] = set()
    for url, wait in product(source.urls, WAITS):
        if url in hopeless:
            continue
        if wait:
            sleep(wait)
        try:
            if _transfer(opener, url, part, source.size + source.size // 4) != source.sha256:
                check(part)
            return
        except (OSError, HTTPException, DataError) as error:
            answers[url] = f"{url}: {error or type(error).__name__}"
            if isinstance(error, DataError) or 400 <= getattr(error, "code", 0) < 500:
                hopeless.add(url)
    raise DataError(f"could not download {source.name} ({'; '.join(answers.values())}).")


def _make_writable(folder: Path, part: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part.touch()
    except OSError as error:
        raise DataError(
            f"cannot write to {folder} ({error.strerror}): set XDG_CACHE_HOME to a folder that "
            "you may write to, or TINYA2I_DATA (or --data-dir) to one that has the data."
        ) from error


def _transfer(opener: Any, url: str, part: Path, limit: int) -> str:
    """The SHA-256 of what was written to `part`, computed on the way."""
    digest, total = hashlib.sha256(), 0
    with opener.open(url, timeout=TIMEOUT) as response, open(part, "wb") as file:
        if not response.geturl().startswith("https://"):
            raise DataError(f"led to {response.geturl()}, which is not HTTPS")
        while chunk := response.read(2**16):
            total += len(chunk)
            if total > limit:
                raise DataError(f"sent more than the {limit:,} bytes that this file can have")
            digest.update(chunk)
            file.write(chunk)
        if response.headers.get("Content-Length", str(total)) != str(total):
            raise ConnectionError(f"the connection ended after {total:,} bytes")
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()
