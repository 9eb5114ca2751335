"""Trained models, and the data that they were trained on, back from the folders of their runs."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from tinya2i import checkpoint, data
from tinya2i.audio import LogMel
from tinya2i.errors import CheckpointError, DataError
from tinya2i.files import plain
from tinya2i.layer import Layer
from tinya2i.models import CVAE, VAE, VAEGAN, Autoencoder, Correspondence, LeNet5, Retrieval
from tinya2i.models.labelled import Labelled
from tinya2i.runs import without_sources

SCALES = ((), (48, 1))  # of mean and std: of all pixels, or of each band
SHARED = ("speakers", "split", "seed", "normalise", "limit_train")  # flags that data.load takes


def load_judge(folder: str | Path, xp: ModuleType = np) -> LeNet5:
    """The LeNet5 in a run's folder or checkpoint. Raises CheckpointError."""
    return _fill(LeNet5(), folder, xp)


def load_generator(folder: str | Path, xp: ModuleType = np) -> tuple[Layer, dict[str, Any]]:
    """(model, config.json) of a run of a generator's trainer. Raises CheckpointError."""
    kinds = {
        "vae": lambda flags: VAE(latent_relu=bool(flags.get("latent_relu"))),
        "cvae": lambda flags: CVAE(),
        "vaegan": lambda flags: VAEGAN(flags.get("arch", "talk")),
        "autoencoder": lambda flags: Autoencoder(),
    }
    return _load(folder, kinds, "a generator", xp)


def load_towers(folder: str | Path, xp: ModuleType = np) -> tuple[Layer, dict[str, Any]]:
    """(model, config.json) of any run of train_correspondence. Raises CheckpointError."""
    kinds = {"correspondence": Correspondence, "retrieval": Retrieval, "labelled": Labelled}
    make = {name: lambda flags, kind=kind: kind(ear=flags["ear"]) for name, kind in kinds.items()}
    return _load(folder, make, "an eye and an ear (train_correspondence)", xp)


def load_retrieval(folder: str | Path, xp: ModuleType = np) -> tuple[Retrieval, dict[str, Any]]:
    """(model, config.json) of a run that learned to compare. Raises CheckpointError."""
    make = {"retrieval": lambda flags: Retrieval(ear=flags["ear"])}
    what = "a retrieval (train_correspondence --objective distance or contrastive)"
    return _load(folder, make, what, xp)


def _load(
    folder: str | Path, kinds: dict[str, Callable], what: str, xp: ModuleType
) -> tuple[Any, dict[str, Any]]:
    config = read_config(folder)
    name = config["flags"].get("model")
    if not isinstance(name, str) or name not in kinds:
        raise CheckpointError(f"{folder} holds a run of {name!r}, not of {what}")
    try:
        model = kinds[name](config["flags"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{folder}/config.json names no model: {error!r}") from error
    return _fill(model, folder, xp), config


def read_config(folder: str | Path) -> dict[str, Any]:
    """config.json of a run's folder, with "flags" and "data" in it. Raises CheckpointError."""
    path = Path(folder) / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(config["flags"], dict) and isinstance(config["data"], dict):
            return config
    except OSError as error:
        raise CheckpointError(f"{folder} is not the folder of a run: no {path}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
    raise CheckpointError(f"{path} is damaged: its flags or data are no objects")


def input_scale(config: dict[str, Any]) -> tuple[LogMel, np.ndarray, np.ndarray]:
    """(settings, mean, std): how the run turned a sound into the network's input.

    mean and std are float32, () or (48, 1). Raises CheckpointError.
    """
    info = config["data"]
    try:
        settings = LogMel(**info["features"])
        mean, std = (np.array(info[name], np.float32) for name in ("mean", "std"))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"config.json does not say how sounds were scaled: {error}"
        ) from error
    usable = mean.shape in SCALES and std.shape in SCALES and np.isfinite(mean).all()
    if not usable or not (std > 0).all() or (settings.n_mels, settings.frames) != (48, 48):
        raise CheckpointError("config.json scales sounds to what no network here takes")
    return settings, mean, std


def rebuild_mix(
    config: dict[str, Any], *, data_dir: str | Path | None = None, offline: bool = False
) -> data.Mix:
    """The data of a run, from its config.json: same sources, split, pairing and scale.

    Raises DataError where the data found are not those of the run, CheckpointError for a config
    that does not name any.
    """
    flags = config["flags"]
    settings, mean, std = input_scale(config)
    try:
        name, given = flags["data"], {key: flags[key] for key in SHARED}
    except KeyError as error:
        raise CheckpointError(f"config.json is damaged: its flags lack {error}") from error
    mix = data.load(name, data_dir=data_dir, offline=offline, features=settings, **given)
    now, before = _identity(plain(mix.info)), _identity(config["data"])
    differ = [key for key in sorted(now.keys() | before.keys()) if now.get(key) != before.get(key)]
    for key, old, new in (("mean", mean, mix.mean), ("std", std, mix.std)):
        if old.shape != new.shape or not np.allclose(old, new, rtol=1e-4):
            differ.append(key)
    if differ:
        raise DataError(
            f"these are not the data of the run: {', '.join(differ)} differ. Name the folder of "
            "the data that it was trained on with --data-dir"
        )
    return mix


def _identity(info: dict[str, Any]) -> dict[str, Any]:
    """What two runs on equal data share to the letter; mean and std may differ by rounding."""
    return {k: v for k, v in without_sources(info).items() if k not in ("mean", "std")}


def _fill(model: Layer, folder: str | Path, xp: ModuleType) -> Layer:
    expect = {name: (array.shape, array.dtype) for name, array in model.state().items()}
    arrays, _ = checkpoint.load(checkpoint.find(folder), expect, prefix="model.")
    model.load_state(arrays)
    return model.to(xp)
