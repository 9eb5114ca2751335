"""Log-mel pictures kept on disk, found again by the content of the waves and the settings."""

import hashlib
import json
import os
import tempfile
import warnings
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from .features import LogMel, log_mel
from .files import AudioWarning

VERSION = 1  # raise it whenever log_mel's numbers change: older files are then never found


def cached_log_mel(
    waves: Iterable[np.ndarray], settings: LogMel | None, cache_dir: str | os.PathLike
) -> np.ndarray:
    """`log_mel(waves, settings)`, from cache_dir if it is there, else computed and put there.

    The file's name is the SHA-256 of the waves, the settings and a version, so that it can only
    hold the answer to this question. A damaged file is computed anew and replaced. Where the
    folder cannot be written, the result still comes back, with an `AudioWarning`.
    """
    settings = LogMel() if settings is None else settings
    waves = [np.asarray(wave) for wave in waves]
    path = Path(cache_dir) / f"logmel-{_key(waves, settings)}.npz"
    X = _read(path, (len(waves), settings.n_mels, settings.frames))
    if X is None:
        X = log_mel(waves, settings)
        _write(path, X)
    return X


def _key(waves: list[np.ndarray], settings: LogMel) -> str:
    digest = hashlib.sha256(json.dumps([VERSION, asdict(settings)]).encode())
    for wave in waves:
        # Type and shape first: the same bytes cut elsewhere are other waves.
        digest.update(f"{wave.dtype.str}{wave.shape}".encode())
        digest.update(np.ascontiguousarray(wave))
    return digest.hexdigest()


def _read(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """The pictures in a cache file, or None where it is missing or not what it should be."""
    try:
        # Written uncompressed: a file of another size is cut off, or would unfold into more.
        if abs(path.stat().st_size - 4 * np.prod(shape)) > 1024:
            return None
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            X = arrays["X"]  # the archive's own check sum catches flipped bits
    except Exception:  # whatever is wrong with a copy, the original can be computed
        return None
    good = X.shape == shape and X.dtype == np.float32 and ((X >= 0) & (X <= 1)).all()
    return X if good else None


def _write(path: Path, X: np.ndarray) -> None:
    """All or nothing: a reader sees the old file or the whole new one, never a part."""
    part = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            part = Path(file.name)
            np.savez(file, X=X)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        warnings.warn(
            f"{path.parent}: the features could not be kept ({error}) and will be computed again "
            "next time: choose a folder that can be written",
            AudioWarning,
            stacklevel=3,
        )
    finally:
        if part is not None:
            part.unlink(missing_ok=True)
