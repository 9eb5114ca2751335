"""Our training steps that the benchmark times, each on one batch of noise in the right shapes."""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from tinya2i import models
from tinya2i.backend import Array, to_device
from tinya2i.benchmark.flops import Pass
from tinya2i.models import lenet5, vae, vaegan
from tinya2i.optim import Adam

Batch = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Ours:
    """A model in training: step() is one training step on its batch and returns the loss.

    passes says which networks the batch goes through, for the FLOPs; the networks among them, each
    once and in this order, are those whose weights PyTorch's side gets.
    """

    step: Callable[[], Array]
    passes: list[Pass]


@dataclass(frozen=True)
class Step:
    """A row of the benchmark: batch(rng, n) draws the data, ours(batch) builds model and step.

    ours(batch, xp) builds both on the device of xp.
    """

    batch: Callable[[np.random.Generator, int], Batch]
    ours: Callable[..., Ours]

    def draw(self, n: int, seed: int = 0) -> Batch:
        """The batch of n items that both sides get."""
        return self.batch(np.random.default_rng(seed), n)


def _digits(rng: np.random.Generator, n: int) -> Batch:
    return rng.random((n, 28, 28, 1), np.float32), rng.integers(0, 10, n)


def _sounds_pictures_noise(rng: np.random.Generator, n: int) -> Batch:
    sounds = rng.standard_normal((n, 48, 48, 1), np.float32)
    pictures = rng.random((n, 28, 28, 1), np.float32)
    return sounds, pictures, rng.standard_normal((n, models.networks.LATENT), np.float32)


def _moved(batch: Batch, xp: ModuleType) -> tuple[Array, ...]:
    return tuple(to_device(array, xp) for array in batch)


def _lenet5(batch: Batch, xp: ModuleType = np) -> Ours:
    batch, model = _moved(batch, xp), models.LeNet5().to(xp)
    adam = Adam(model.params())
    return Ours(
        step=lambda: lenet5.train_step(model, adam, *batch)["loss"],
        passes=[Pass(model, (28, 28, 1), input_grad=False)],
    )


def _vae(batch: Batch, xp: ModuleType = np) -> Ours:
    batch, model = _moved(batch, xp), models.VAE().to(xp)
    adam = Adam(model.params())
    return Ours(
        step=lambda: vae.train_step(model, adam, *batch)["loss"],
        passes=[
            Pass(model.encoder, (48, 48, 1), input_grad=False),
            Pass(model.decoder, (models.networks.LATENT,)),
        ],
    )


def _vaegan(batch: Batch, xp: ModuleType = np) -> Ours:
    batch, model, picture = _moved(batch, xp), models.VAEGAN().to(xp), (28, 28, 1)
    adams = vaegan.optimisers(model)

    def step() -> Array:
        values = vaegan.train_step(model, *adams, *batch)
        return values["discriminator"] + values["generator"]

    judged = Pass(model.discriminator, picture, input_grad=False)
    through_it = Pass(model.discriminator, picture, forward=False, weight_grad=False)
    return Ours(
        step=step,
        passes=[
            Pass(model.encoder, (48, 48, 1), input_grad=False),
            Pass(model.decoder, (models.networks.LATENT,)),
            judged,  # real
            judged,  # fake
            through_it,
        ],
    )


STEPS = {
    "lenet5": Step(_digits, _lenet5),
    "vae": Step(_sounds_pictures_noise, _vae),
    "vaegan": Step(_sounds_pictures_noise, _vaegan),
}
