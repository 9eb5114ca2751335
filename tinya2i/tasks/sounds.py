"""A user's own sound files, as a trained network hears them."""

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinya2i import audio
from tinya2i.tasks.saved import input_scale


def listen(paths: Sequence[Path], config: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """(S, X): log-mel (n, 48, 48) in 0..1, and (n, 48, 48, 1) scaled as the run of config.json is.

    What is odd about a file goes to stderr. Raises AudioError for the first file that cannot be
    used, CheckpointError as `input_scale`.
    """
    settings, mean, std = input_scale(config)
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always", audio.AudioWarning)
        waves = [audio.load(path, settings.rate) for path in paths]
    for note in notes:
        print(f"warning: {note.message}", file=sys.stderr)
    S = audio.log_mel(waves, settings)
    return S, ((S - mean) / std)[..., None]


def readable(name: str) -> str:
    """The name, shortened, without bytes that are no text."""
    name = name.encode("utf-8", "replace").decode()
    return name if len(name) <= 32 else f"{name[:20]}…{name[-11:]}"


def title(label: str) -> str:
    """A label for a picture, where dollars would begin a formula."""
    return label.replace("$", r"\$")
