"""Values against theory: a model that is wrong but consistent has perfectly right gradients.

Each check compares what our code computes with what its definition says, found in another way:
an integral, a textbook's loop, moments. Each has mutants that it must catch (`consistent`).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinya2i import layers, losses, optim
from tinya2i.backend import Array
from tinya2i.gradcheck import consistent
from tinya2i.gradcheck.cases import Errors, LinearVAE
from tinya2i.gradcheck.check import relative_error
from tinya2i.layer import Param, Sequential


def latent_moments(make_vae: Callable[[np.random.Generator], Any]) -> Errors:
    """Over noises of mean 0 and variance 1, z has mean mu and variance exp(logvar)."""
    rng = np.random.default_rng(0)
    vae = make_vae(rng).astype(np.float64)
    vae.decoder = Sequential()  # then the picture is z itself
    noise = rng.standard_normal((500, 64))
    noise = (noise - noise.mean(axis=0)) / noise.std(axis=0)
    X = np.tile(rng.standard_normal(6), (500, 1))
    z, mu, logvar = vae.forward(X, noise)[0]
    return {
        "mean": relative_error(z.mean(axis=0), mu[0]),
        "variance": relative_error(z.var(axis=0), np.exp(logvar[0])),
    }


def kl_integral(kl: Callable[[Array, Array], tuple]) -> Errors:
    """KL = integral of q(x) log(q(x) / p(x)), summed over latents, mean over the batch."""
    rng = np.random.default_rng(1)
    mu, logvar = rng.standard_normal((2, 3, 4))
    total = 0.0
    for m, s in zip(mu.ravel(), np.exp(logvar / 2).ravel(), strict=True):
        x = np.linspace(m - 12 * s, m + 12 * s, 4001)
        log_q = -(((x - m) / s) ** 2) / 2 - math.log(s * math.sqrt(2 * math.pi))
        log_p = -(x**2) / 2 - math.log(math.sqrt(2 * math.pi))
        total += (np.exp(log_q) * (log_q - log_p)).sum() * (x[1] - x[0])
    return {"value": relative_error(np.asarray(kl(mu, logvar)[0]), np.asarray(total / 3))}


def bce_likelihood(bce: Callable[[Array, Array], tuple]) -> Errors:
    """BCE = -log of the product of Y^T (1 - Y)^(1 - T) over pixels, mean over the batch."""
    rng = np.random.default_rng(2)
    Z, T = 2 * rng.standard_normal((3, 2, 4)), rng.random((3, 2, 4))
    Y = 1 / (1 + np.exp(-Z))
    likelihood = (Y**T * (1 - Y) ** (1 - T)).prod(axis=(1, 2))
    return {"value": relative_error(np.asarray(bce(Z, T)[0]), -np.log(likelihood).mean())}


def adam_loop(make_adam: Callable[[list[Param]], optim.Optimiser]) -> Errors:
    """Ten steps, number by number, as in algorithm 1 of Kingma and Ba (2015)."""
    rng = np.random.default_rng(3)
    gradients = rng.standard_normal((10, 6)) * [1e3, 1, 1e-3, 1e-6, 1e-7, 0]
    param = Param(np.zeros(6))
    adam = make_adam([param])
    for g in gradients:
        param.grad += g
        adam.step()
    expected = []
    for column in gradients.T:
        p = m = v = 0.0
        for t, g in enumerate(column, start=1):
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            p -= 1e-3 * (m / (1 - 0.9**t)) / (math.sqrt(v / (1 - 0.999**t)) + 1e-8)
        expected.append(p)
    return {"parameters": relative_error(param.data, np.array(expected))}


def batch_norm_moments(make_norm: Callable[[int], layers.BatchNorm2d]) -> Errors:
    """Y has mean beta and variance gamma^2; running statistics go to the unbiased moments of X."""
    rng = np.random.default_rng(4)
    norm = make_norm(3).astype(np.float64)
    norm.gamma.data[...], norm.beta.data[...] = (2.0, 0.5, -3.0), (1.0, -2.0, 0.3)
    X = 1e3 * rng.standard_normal((3, 2, 2, 3)) + [100, 0, -500]  # so wide that eps counts little
    for _ in range(300):  # 0.9^300 of the starting values is left: nothing
        Y = norm.forward(X)[0]
    return {
        "mean": relative_error(Y.mean(axis=(0, 1, 2)), norm.beta.data),
        "variance": relative_error(Y.var(axis=(0, 1, 2)), norm.gamma.data**2),
        "running mean": relative_error(norm.mean, X.mean(axis=(0, 1, 2))),
        "running variance": relative_error(norm.var, X.var(axis=(0, 1, 2), ddof=1)),
    }


def dropout_mean(make_dropout: Callable[[float], Any]) -> Errors:
    """With a share p dropped, the mean of Y over masks is X."""
    X = np.random.default_rng(5).standard_normal(7)
    mask = (np.arange(10) >= 4)[:, None] * np.ones_like(X)  # 4 of 10 masks drop a number
    Y = make_dropout(0.4).forward(np.tile(X, (10, 1)), mask=mask)[0]
    return {"mean": relative_error(Y.mean(axis=0), X)}


@dataclass(frozen=True)
class ValueCase:
    """A check, what it is to find right, and what it must find wrong."""

    name: str
    check: Callable[[Any], Errors]
    subject: Any
    mutants: dict[str, Any]


CASES = [
    ValueCase(
        "VAE: moments of z over noises",
        latent_moments,
        LinearVAE,
        {"exp(logvar) for exp(logvar / 2)": consistent.variance_for_deviation},
    ),
    ValueCase(
        "gaussian_kl: numerical integration",
        kl_integral,
        losses.gaussian_kl,
        {"KL without the half, consistently": consistent.kl_without_half},
    ),
    ValueCase(
        "bce_with_logits: likelihood of the pixels",
        bce_likelihood,
        losses.bce_with_logits,
        {"BCE averaged over pixels": consistent.bce_mean_of_pixels},
    ),
    ValueCase(
        "Adam: the textbook's loop",
        adam_loop,
        optim.Adam,
        {
            "Adam without bias correction": consistent.UncorrectedAdam,
            "Adam, eps in the root": consistent.EpsInsideRoot,
        },
    ),
    ValueCase(
        "BatchNorm2d: moments of Y, running moments of X",
        batch_norm_moments,
        layers.BatchNorm2d,
        {
            "BatchNorm divides by the unbiased deviation": consistent.SampleDeviation,
            "BatchNorm keeps the biased variance": consistent.BiasedRunningVariance,
        },
    ),
    ValueCase(
        "Dropout: mean of Y over masks",
        dropout_mean,
        layers.Dropout,
        {"Dropout without 1 / (1 - p), consistently": consistent.UnscaledDropout},
    ),
]


def rows() -> Iterator[tuple[str, Callable[[], Errors]]]:
    """(what, function that checks it)."""
    for case in CASES:
        yield case.name, lambda case=case: case.check(case.subject)


def mutant_rows() -> Iterator[tuple[str, Callable[[], Errors]]]:
    """(the mistake, function that checks the mutant): each must report a large error."""
    for case in CASES:
        for name, mutant in case.mutants.items():
            yield name, lambda case=case, mutant=mutant: case.check(mutant)
