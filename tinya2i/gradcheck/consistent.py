"""Wrong models that agree with themselves: their gradients are true, of the wrong function.

No gradient check can see them; the value checks must.
"""

import math
from collections.abc import Callable

import numpy as np

from tinya2i import layers, losses, optim
from tinya2i.backend import Array
from tinya2i.gradcheck.cases import LinearVAE
from tinya2i.layer import Backprop


class VAEMutant(LinearVAE):
    """z = mu + std(logvar) * noise, and slope(logvar) taken for the derivative of std."""

    def __init__(self, rng: np.random.Generator, std: Callable, slope: Callable):
        super().__init__(rng)
        self.std, self.slope = std, slope

    def forward(self, X: Array, noise: Array, train: bool = True) -> tuple[tuple, Backprop]:
        H, back_encoder = self.encoder.forward(X, train)
        mu, logvar = np.split(H, 2, axis=1)
        Z, back_decoder = self.decoder.forward(mu + self.std(logvar) * noise, train)

        def backprop(
            dZ: Array, dmu: Array, dlogvar: Array, accumulate: bool = True, input_grad: bool = True
        ) -> Array:
            dz = back_decoder(dZ, accumulate)
            dH = [dmu + dz, dlogvar + dz * noise * self.slope(logvar)]
            return back_encoder(np.concatenate(dH, axis=1), accumulate, input_grad)

        return (Z, mu, logvar), backprop


class UncorrectedAdam(optim.Adam):
    """Far along, 1 - b^t is 1: what Adam is without its bias correction."""

    def _update(self, part: slice) -> None:
        t, self.t = self.t, 10**6
        super()._update(part)
        self.t = t


class EpsInsideRoot(optim.Adam):
    """sqrt(v + eps) for sqrt(v) + eps."""

    def _update(self, part: slice) -> None:
        (b1, b2), g = self.betas, self.grad[part]
        self.m[part] = b1 * self.m[part] + (1 - b1) * g
        self.v[part] = b2 * self.v[part] + (1 - b2) * g * g
        m, v = self.m[part] / (1 - b1**self.t), self.v[part] / (1 - b2**self.t)
        self.data[part] -= self.lr * m / np.sqrt(v + self.eps)


class SampleDeviation(layers.BatchNorm2d):
    """Divides by the square root of the unbiased variance, which is for the running one."""

    def forward(self, X: Array, train: bool = True) -> tuple[Array, Backprop]:
        Y, true_backprop = super().forward(X, train)
        m, beta = X[..., 0].size, self.beta
        c = math.sqrt((m - 1) / m) if train else 1.0

        def backprop(dY: Array, accumulate: bool = True, input_grad: bool = True) -> Array:
            if accumulate:
                beta.grad += (1 - c) * dY.reshape(-1, dY.shape[-1]).sum(axis=0)
            return true_backprop(c * dY, accumulate, input_grad)

        return (Y - beta.data) * c + beta.data, backprop


class BiasedRunningVariance(layers.BatchNorm2d):
    """Remembers the variance that it divided by."""

    def _batch_statistics(self, M: Array) -> tuple[Array, Array]:
        before = self.var.copy()
        mean, var = super()._batch_statistics(M)
        self.var[...] = before + self.momentum * (var - before)
        return mean, var


class UnscaledDropout(layers.Dropout):
    """Drops, but does not make up for it."""

    def forward(
        self, X: Array, train: bool = True, mask: Array | None = None
    ) -> tuple[Array, Backprop]:
        Y, true_backprop = super().forward(X, train, mask)
        c = 1 - self.p if train else 1.0

        def backprop(dY: Array, accumulate: bool = True, input_grad: bool = True) -> Array:
            return true_backprop(c * dY)

        return c * Y, backprop


def variance_for_deviation(rng: np.random.Generator) -> VAEMutant:
    """z = mu + exp(logvar) * noise, and its true gradient."""
    return VAEMutant(rng, np.exp, np.exp)


def kl_without_half(mu: Array, logvar: Array) -> tuple[Array, ...]:
    """Twice the divergence, and its true gradients."""
    return tuple(2 * part for part in losses.gaussian_kl(mu, logvar))


def bce_mean_of_pixels(Z: Array, T: Array) -> tuple[Array, ...]:
    """The mean over pixels, next to which a KL summed over latents is far too strong."""
    return tuple(part / Z[0].size for part in losses.bce_with_logits(Z, T))
