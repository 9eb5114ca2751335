"""The deterministic audio-to-image autoencoder that the talk starts from: no noise, no KL."""

import numpy as np

from tinya2i import init, losses, ops
from tinya2i.backend import Array
from tinya2i.layer import Backprop, Layer
from tinya2i.models.networks import LATENT, audio_encoder, image_decoder
from tinya2i.optim import Optimiser


class Autoencoder(Layer):
    """Z = decoder(encoder(X))        X (n, 48, 48, 1)  ->  logits Z (n, 28, 28, 1)

    It learns the mean picture of what it hears: the minimiser of its loss is E[image | audio].
    """

    def __init__(self, rng: np.random.Generator | None = None, weights: init.Init = init.he):
        rng = np.random.default_rng(0) if rng is None else rng
        self.encoder = audio_encoder(LATENT, rng, weights)
        self.decoder = image_decoder(rng, weights)

    def forward(self, X: Array, train: bool = True) -> tuple[Array, Backprop]:
        z, back_encoder = self.encoder.forward(X, train)
        Z, back_decoder = self.decoder.forward(z, train)

        def backprop(dZ: Array, accumulate: bool = True, input_grad: bool = True) -> Array:
            return back_encoder(back_decoder(dZ, accumulate), accumulate, input_grad)

        return Z, backprop

    def generate(self, X: Array, noise: Array | None = None) -> Array:
        """Pictures (n, 28, 28, 1) in 0..1 for audio X; noise is ignored: there is no randomness."""
        return ops.sigmoid(self(X))


def train_step(model: Autoencoder, optimiser: Optimiser, X: Array, T: Array) -> dict[str, Array]:
    """One step on the summed binary cross-entropy of pictures T (n, 28, 28, 1) in 0..1."""
    Z, backprop = model.forward(X)
    reconstruction, dZ = losses.bce_with_logits(Z, T)
    backprop(dZ, input_grad=False)
    optimiser.step()
    return {"loss": reconstruction, "reconstruction": reconstruction}
