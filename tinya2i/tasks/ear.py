"""An encoder that begins with the ear that correspondence has taught."""

from pathlib import Path

import numpy as np

from tinya2i.data import Mix
from tinya2i.errors import RunError
from tinya2i.layer import Layer, Sequential
from tinya2i.layers import Linear, ReLU
from tinya2i.tasks.ranking import same_clips
from tinya2i.tasks.saved import load_towers, rebuild_mix

HEARD = 1000  # training clips that the size of the features is taken from


def start_from(
    model: Layer,
    folder: str | Path,
    mix: Mix,
    *,
    data_dir: str | None = None,
    offline: bool = False,
) -> None:
    """encoder(X) = last(F / s),  F = ear(X),  s = sqrt(mean of F^2)        F (n, 512), in place

    All layers of model.encoder but the last get the weights of the ear of a run of
    train_correspondence --ear vae; the last keeps the random ones that it has. The ear's objective
    does not care how large its features are, the last layer's initialisation counts on a mean
    square of 1, and logvar stands in an exponent: with features twice as large the first KL is
    tens of thousands of nats. ReLU(s A) = s ReLU(A) for s > 0, so dividing the weights and biases
    before the last ReLU by s sets the size and changes nothing else.

    Raises RunError for an ear or a model of another shape, DataError where the ear has learned from
    this mix's test clips, CheckpointError.
    """
    towers, config = load_towers(folder)
    kept = Sequential(*getattr(model.encoder, "layers", [])[:-1])
    ear = towers.ear[: len(kept)]
    _check_shapes(kept, ear, folder)
    same_clips(mix, rebuild_mix(config, data_dir=data_dir, offline=offline))
    kept.load_state(ear.state())
    F = kept(mix.train.clips[:HEARD])
    for param in kept[-2].params():
        param.data /= np.sqrt((F * F).mean())


def _check_shapes(kept: Sequential, ear: Sequential, folder: str | Path) -> None:
    shapes = [
        [(name, param.data.shape) for name, param in part.named_params()] for part in (kept, ear)
    ]
    ends_well = len(kept) > 1 and isinstance(kept[-2], Linear) and isinstance(kept[-1], ReLU)
    if not ends_well or shapes[0] != shapes[1]:
        raise RunError(
            f"the ear of {folder} does not fit this model: take a run of train_correspondence "
            "--ear vae, for train_vae, train_cvae or train_autoencoder"
        )
