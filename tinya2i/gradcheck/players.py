"""Two players, two losses: each one's gradients against the differences of its own loss.

The sum of both losses has other gradients: what the generator gains, the discriminator loses. So
each parameter is moved while the loss of its owner is watched. The losses are written here from
their definitions, and the values that the training step returns must be those, too.
"""

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from tinya2i import models
from tinya2i.backend import Array
from tinya2i.gradcheck.check import compare, relative_error
from tinya2i.gradcheck.kinds import Errors, idle, spread
from tinya2i.layer import Backprop, Layer, Sequential
from tinya2i.layers import BatchNorm1d, LeakyReLU, Linear, Tanh
from tinya2i.models import vaegan
from tinya2i.models.networks import LATENT

ALPHA, BETA = 0.3, 0.7
OWNED = {"discriminator": ("discriminator",), "generator": ("encoder", "decoder")}


class SmallVAEGAN(models.VAEGAN):
    """The VAE-GAN's own algebra, for sounds of 6 numbers and pictures of 5."""

    def __init__(self, rng: np.random.Generator):
        self.encoder = Linear(6, 2 * LATENT, rng)
        self.decoder = Linear(LATENT, 5, rng)
        self.discriminator = Sequential(
            Linear(5, 7, rng), LeakyReLU(0.2), BatchNorm1d(7), Linear(7, 3, rng), Tanh(),
            Linear(3, 1, rng),
        )  # fmt: skip
        self.eye_depth = 3


def own_losses(
    model: models.VAEGAN, X: Array, T: Array, noise: Array, adversarial: str, reconstruction: str
) -> dict[str, float]:
    """{"discriminator": L_D, "generator": L_G} as `models.vaegan` defines them, in plain NumPy."""
    (Z, mu, logvar), _ = model.forward(X, noise)
    n, Y = len(X), 1 / (1 + np.exp(-Z))
    real, fake = (1 / (1 + np.exp(-model.discriminator.forward(A)[0])) for A in (T, Y))
    fool = {"non-saturating": -np.log(fake), "saturating": np.log(1 - fake)}[adversarial]
    if reconstruction == "features":
        likeness = ((model.eye.forward(Y)[0] - model.eye.forward(T)[0]) ** 2).sum() / 2
    elif reconstruction == "mse":
        likeness = ((Y - T) ** 2).sum()
    else:
        likeness = -(T * np.log(Y) + (1 - T) * np.log(1 - Y)).sum()
    kl = (mu**2 + np.exp(logvar) - 1 - logvar).sum() / 2
    return {
        "discriminator": -(np.log(real) + np.log(1 - fake)).sum() / n,
        "generator": (fool.sum() + ALPHA * likeness + BETA * kl) / n,
    }


def check_players(
    model: models.VAEGAN,
    X: Array,
    T: Array,
    noise: Array,
    adversarial: str = "non-saturating",
    reconstruction: str = "pixels",
    played: str | None = None,
    most: int = 64,
    only: Callable[[str], bool] = lambda name: True,
) -> Errors:
    """Relative errors of both players' losses and of the gradients of all their parameters.

    model and arrays in float64. played: the adversarial loss that the step is told to take, where
    that is not the one it is compared with. only(name): which parameters to move; running
    statistics are left changed, gradients cleared.
    """
    model.zero_grad()
    values = vaegan.gradients(
        model, X, T, noise, ALPHA, BETA, played or adversarial, reconstruction
    )
    expected = own_losses(model, X, T, noise, adversarial, reconstruction)
    errors = {
        f"loss of the {player}": relative_error(np.asarray(values[player]), np.asarray(value))
        for player, value in expected.items()
    }
    unknowable = set(idle(model))
    for player, networks in OWNED.items():
        arrays = {
            name: (param.data, param.grad.copy())
            for name, param in model.named_params()
            if name.startswith(networks) and name not in unknowable and only(name)
        }

        def loss(player: str = player) -> float:
            return float(own_losses(model, X, T, noise, adversarial, reconstruction)[player])

        errors |= compare(loss, arrays, np.random.default_rng(0), most)
    model.zero_grad()
    return errors


class Meddling(Layer):
    """D whose way back for the generator is meddle(backprop, dV, Y, D), not a plain pass."""

    def __init__(self, D: Layer, meddle: Callable[[Backprop, Array, Array, Layer], Array]):
        self.D, self.meddle = D, meddle

    def forward(self, X: Array, train: bool = True) -> tuple[Array, Backprop]:
        V, true_backprop = self.D.forward(X, train)

        def backprop(dV: Array, accumulate: bool = True, input_grad: bool = True) -> Array:
            if accumulate:
                return true_backprop(dV, accumulate, input_grad)
            return self.meddle(true_backprop, dV, X, self.D)

        return V, backprop

    def __getitem__(self, part: slice) -> Layer:
        """The eye meddles, too; the verdict only where the mistake concerns all of D."""
        whole = self.meddle in (_learns, _steps)
        return Meddling(self.D[part], self.meddle) if whole or not part.start else self.D[part]


def _learns(backprop: Backprop, dV: Array, Y: Array, D: Layer) -> Array:
    return backprop(dV)


def _no_sigmoid(backprop: Backprop, dV: Array, Y: Array, D: Layer) -> Array:
    return backprop(dV, accumulate=False) / (Y * (1 - Y))


def _steps(backprop: Backprop, dV: Array, Y: Array, D: Layer) -> Array:
    for param in D.params():
        param.data -= param.grad
    dY = backprop(dV, accumulate=False)
    for param in D.params():
        param.data += param.grad
    return dY


def _detached(backprop: Backprop, dV: Array, Y: Array, D: Layer) -> Array:
    return 0 * Y


MUTANTS = {
    "D learns from the generator's pass, too": _learns,
    "D steps before the generator's pass": _steps,
    "the generator forgets its sigmoid": _no_sigmoid,
    "the fake is cut off from the generator": _detached,
}


def small(seed: int = 0) -> tuple[SmallVAEGAN, Array, Array, Array]:
    """A small model with everything off its starting values, and a batch for it."""
    rng = np.random.default_rng(seed)
    model = SmallVAEGAN(rng).astype(np.float64)
    spread(model, rng)
    return model, rng.standard_normal((4, 6)), rng.random((4, 5)), rng.standard_normal((4, LATENT))


def check_mutant(meddle: Callable[..., Array], seed: int = 0, **objective: str) -> Errors:
    """Errors of a small VAE-GAN whose discriminator is meddled with."""
    model, *batch = small(seed)
    model.discriminator = Meddling(model.discriminator, meddle)
    return check_players(model, *batch, **objective)


def rows() -> Iterator[tuple[str, Callable[[], Errors]]]:
    """(what, function that checks it)."""
    for kind in itertools.product(vaegan.ADVERSARIAL, vaegan.RECONSTRUCTION):
        name = f"VAE-GAN's two players, {kind[0]}, {kind[1]}"
        yield name, lambda kind=kind: check_players(*small(), *kind)


def mutant_rows() -> Iterator[tuple[str, Callable[[], Errors]]]:
    """(the mistake, function that checks the mutant): each must report a large error."""
    for name, meddle in MUTANTS.items():
        yield name, lambda meddle=meddle: check_mutant(meddle)
    name = "saturating gradient of the non-saturating loss"
    yield name, lambda: check_players(*small(), "non-saturating", played="saturating")
