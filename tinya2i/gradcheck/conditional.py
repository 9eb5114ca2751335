"""The conditional VAE's step: gradients of all three networks against differences of its loss.

The loss is written here from its definition, and the values that the step returns must be that.
"""

from collections.abc import Callable, Iterator

import numpy as np

from tinya2i import models
from tinya2i.backend import Array
from tinya2i.gradcheck.check import compare, relative_error
from tinya2i.gradcheck.kinds import Errors, spread
from tinya2i.layers import Linear
from tinya2i.models import cvae
from tinya2i.models.networks import LATENT

KL_WEIGHT, HYBRIDS = 0.7, (0.0, 0.3, 1.0)


class SmallCVAE(models.CVAE):
    """The conditional VAE's own algebra, for sounds of 6 numbers and pictures of 5."""

    def __init__(self, rng: np.random.Generator):
        self.encoder = Linear(6, 2 * LATENT, rng)
        self.decoder = Linear(LATENT, 5, rng)
        self.recogniser = Linear(5, 2 * LATENT, rng)


def own_loss(model: models.CVAE, X: Array, T: Array, noise: Array, hybrid: float) -> float:
    """L as `models.cvae` defines it, in plain NumPy."""
    H, Q = model.encoder.forward(X)[0], model.recogniser.forward(T)[0]
    mu, mu_q = H[:, :LATENT], Q[:, :LATENT]
    std, std_q = np.exp(H[:, LATENT:] / 2), np.exp(Q[:, LATENT:] / 2)

    def reconstruction(e: Array) -> float:
        Z = model.decoder.forward(mu + std * e)[0]
        return (np.logaddexp(0, Z) - T * Z).sum()  # -T log Y - (1 - T) log(1 - Y)

    kl = (std_q**2 + mu_q**2 - 1) / 2 - np.log(std_q)
    of_q = reconstruction(mu_q + std_q * noise[:, :LATENT]) + KL_WEIGHT * kl.sum()
    of_p = reconstruction(noise[:, LATENT:])
    return ((1 - hybrid) * of_q + hybrid * of_p) / len(X)


def check_conditional(
    model: models.CVAE,
    X: Array,
    T: Array,
    noise: Array,
    hybrid: float,
    gradients: Callable[..., dict[str, Array]] = cvae.gradients,
    most: int = 64,
) -> Errors:
    """Relative errors of the loss and of the gradients of all parameters, all in float64."""
    model.zero_grad()
    value = gradients(model, X, T, noise, KL_WEIGHT, hybrid)["loss"]
    expected = own_loss(model, X, T, noise, hybrid)
    arrays = {name: (p.data, p.grad.copy()) for name, p in model.named_params()}
    silent = {}
    if hybrid == 1:  # nobody asks for q: its gradients are zeros, which have no relative error
        names = [name for name in arrays if name.startswith("recogniser")]
        silent = {name: float(np.abs(arrays.pop(name)[1]).max()) for name in names}
    rng = np.random.default_rng(0)
    errors = compare(lambda: own_loss(model, X, T, noise, hybrid), arrays, rng, most)
    model.zero_grad()
    return {"loss": relative_error(np.asarray(value), np.asarray(expected)), **errors, **silent}


def small(seed: int = 0) -> tuple[SmallCVAE, Array, Array, Array]:
    """A small model with everything off its starting values, and a batch for it."""
    rng = np.random.default_rng(seed)
    model = SmallCVAE(rng).astype(np.float64)
    spread(model, rng)
    X, T, noise = rng.standard_normal((4, 6)), rng.random((4, 5)), rng.standard_normal((4, 128))
    return model, X, T, noise


def _shared_noise(model: models.CVAE, X: Array, T: Array, noise: Array, *weights: float) -> dict:
    left = noise[:, :LATENT]
    return cvae.gradients(model, X, T, np.concatenate([left, left], axis=1), *weights)


def _hears_p_only(
    model: models.CVAE, X: Array, T: Array, noise: Array, weight: float, hybrid: float
) -> dict:
    values = cvae.gradients(model, X, T, noise, weight, hybrid)
    kept = {name: param.grad.copy() for name, param in model.named_params()}
    model.zero_grad()
    cvae.gradients(model, X, T, noise, weight, 0.0)  # all of it, for the encoder, is that of L_q
    for name, param in model.named_params():
        of_q = (1 - hybrid) * param.grad if name.startswith("encoder") else 0
        param.grad[...] = kept[name] - of_q
    return values


def _all_of_q(
    model: models.CVAE, X: Array, T: Array, noise: Array, weight: float, hybrid: float
) -> dict:
    cvae.gradients(model, X, T, noise, weight, 0.0)
    kept = {name: param.grad.copy() for name, param in model.recogniser.named_params()}
    model.zero_grad()
    values = cvae.gradients(model, X, T, noise, weight, hybrid)
    for name, param in model.recogniser.named_params():
        param.grad[...] = kept[name]
    return values


MUTANTS = {
    "CVAE: both draws with one noise": _shared_noise,
    "CVAE: the encoder gets nothing of L_q": _hears_p_only,
    "CVAE: the recogniser's share is not weighed": _all_of_q,
}


def rows() -> Iterator[tuple[str, Callable[[], Errors]]]:
    """(what, function that checks it)."""
    for hybrid in HYBRIDS:
        name = f"CVAE's step, hybrid {hybrid:g}"
        yield name, lambda hybrid=hybrid: check_conditional(*small(), hybrid)


def mutant_rows() -> Iterator[tuple[str, Callable[[], Errors]]]:
    """(the mistake, function that checks the mutant): each must report a large error."""
    for name, mutant in MUTANTS.items():
        yield name, lambda mutant=mutant: check_conditional(*small(), 0.3, mutant)
