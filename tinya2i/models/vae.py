"""The audio-to-image variational autoencoder (Zelaszczyk and Mandziuk 2021)."""

from collections.abc import Callable

import numpy as np

from tinya2i import init, losses, ops
from tinya2i.backend import Array, array_module
from tinya2i.layer import Layer
from tinya2i.layers import ReLU
from tinya2i.models.networks import LATENT, audio_encoder, image_decoder
from tinya2i.optim import Optimiser


class VAE(Layer):
    """z = mu(X) + exp(logvar(X) / 2) * noise;  Z = decoder(z)        20,950,529 parameters

    X (n, 48, 48, 1), noise (n, 64) from N(0, 1)  ->  logits Z (n, 28, 28, 1), mu, logvar (n, 64):
    the reparameterisation of Kingma and Welling (2014, section 2.4).
    latent_relu=True is the talk's slide to the letter: a ReLU behind mu and logvar, which forbids
    every negative mean and every standard deviation below 1.
    """

    def __init__(
        self,
        rng: np.random.Generator | None = None,
        weights: init.Init = init.he,
        latent_relu: bool = False,
    ):
        rng = np.random.default_rng(0) if rng is None else rng
        self.encoder = audio_encoder(2 * LATENT, rng, weights)  # mu and logvar side by side
        if latent_relu:
            self.encoder.layers.append(ReLU())
        self.decoder = image_decoder(rng, weights)

    def encode(self, X: Array) -> tuple[Array, Array]:
        """mu and logvar (n, 64) of the audio X, in inference mode."""
        H = self.encoder(X)
        return H[:, :LATENT], H[:, LATENT:]

    def forward(
        self, X: Array, noise: Array, train: bool = True
    ) -> tuple[tuple[Array, Array, Array], Callable[..., Array]]:
        """(Z, mu, logvar) and backprop(dZ, dmu, dlogvar, accumulate, input_grad) -> dX.

        dmu and dlogvar are the gradients that arrive beside the decoder's: those of the KL term.
        """
        H, back_encoder = self.encoder.forward(X, train)
        (z, mu, logvar), back_z = reparameterise(H, noise)
        Z, back_decoder = self.decoder.forward(z, train)

        def backprop(
            dZ: Array, dmu: Array, dlogvar: Array, accumulate: bool = True, input_grad: bool = True
        ) -> Array:
            dH = back_z(back_decoder(dZ, accumulate), dmu, dlogvar)
            return back_encoder(dH, accumulate, input_grad)

        return (Z, mu, logvar), backprop

    def generate(self, X: Array, noise: Array | None = None) -> Array:
        """Pictures (n, 28, 28, 1) in 0..1 for audio X; without noise from z = mu."""
        mu, logvar = self.encode(X)
        z = mu if noise is None else mu + array_module(X).exp(logvar / 2) * noise
        return ops.sigmoid(self.decoder(z))


def reparameterise(
    H: Array, noise: Array
) -> tuple[tuple[Array, Array, Array], Callable[[Array, Array | float, Array | float], Array]]:
    """z = mu + exp(logvar / 2) * noise        H = [mu, logvar] (n, 2d), noise (n, d)

    ((z, mu, logvar), backprop(dz, dmu, dlogvar) -> dH): dmu and dlogvar are those of the KL term,
    which the decoder's are added to, or 0.
    Source: Kingma and Welling 2014, section 2.4.
    """
    xp, d = array_module(H), noise.shape[1]
    mu, logvar = H[:, :d], H[:, d:]
    std = xp.exp(logvar / 2)

    def backprop(dz: Array, dmu: Array | float, dlogvar: Array | float) -> Array:
        return xp.concatenate([dmu + dz, dlogvar + dz * noise * (std / 2)], axis=1)

    return (mu + std * noise, mu, logvar), backprop


def train_step(
    model: VAE, optimiser: Optimiser, X: Array, T: Array, noise: Array, kl_weight: float = 1.0
) -> dict[str, Array]:
    """One step on L = reconstruction + kl_weight * KL, pictures T (n, 28, 28, 1) in 0..1.

    Both terms are summed over pixels or latents and averaged over the batch: with kl_weight 1, L is
    minus the evidence lower bound (Kingma and Welling 2014, eq. 7).
    """
    (Z, mu, logvar), backprop = model.forward(X, noise)
    reconstruction, dZ = losses.bce_with_logits(Z, T)
    kl, dmu, dlogvar = losses.gaussian_kl(mu, logvar)
    backprop(dZ, dmu * kl_weight, dlogvar * kl_weight, input_grad=False)
    optimiser.step()
    return {"loss": reconstruction + kl_weight * kl, "reconstruction": reconstruction, "kl": kl}
