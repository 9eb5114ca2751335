"""The three networks of the VAE-GAN: ear, hand and eye, with no fully connected layer anywhere.

The talk's slide says which convolutions there are and that BatchNorm goes with them, but not
behind which it stands. Its number of parameters, 7,909,382, does not settle it either: with all
biases it leaves out BatchNorm at 640 channels, and more than one set of layers has 640.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinya2i import init
from tinya2i.layer import Layer, Sequential
from tinya2i.layers import BatchNorm2d, Conv2d, ConvTranspose2d, Flatten, LeakyReLU, ReLU, Reshape
from tinya2i.models.networks import LATENT

# The layers without BatchNorm. On mu it keeps the latent from collapsing: the batch mean of mu^2
# is gamma^2 + beta^2, half of which is KL at least (Zhu et al. 2020). On an output of one channel
# it decides mean and spread of all logits of the batch, whatever the layers before it say.
ARCHITECTURES: dict[str, frozenset[str]] = {
    "talk": frozenset({"decoder 1", "discriminator 1"}),  # 7,909,382 parameters
    "b": frozenset({"decoder 1", "latent"}),  # 7,909,382
    "bare": frozenset({"decoder 1", "discriminator 1", "picture", "verdict"}),  # 7,909,378
    "hidden": frozenset({"latent", "picture", "verdict"}),  # 7,910,402
}


@dataclass(frozen=True)
class Blocks:
    """Builds convolution, BatchNorm (unless named in `without`), activation, in this order."""

    rng: np.random.Generator
    weights: init.Init
    without: frozenset[str]

    def block(
        self,
        name: str,
        kind: Callable[..., Layer],
        c_in: int,
        c_out: int,
        kernel: int,
        stride: int,
        activation: Layer | None = None,
    ) -> list[Layer]:
        """The layers of one row of the slide."""
        block = [kind(c_in, c_out, kernel, stride, rng=self.rng, weights=self.weights)]
        if name not in self.without:
            block.append(self._batch_norm(c_out))
        return block if activation is None else [*block, activation]

    def _batch_norm(self, c: int) -> BatchNorm2d:
        """gamma ~ N(1, 0.02^2) with DCGAN's weights, as in that paper's code; else 1."""
        norm = BatchNorm2d(c)
        if self.weights is init.dcgan:
            norm.gamma.data[...] = self.rng.normal(1.0, 0.02, c)
        return norm


def audio_encoder(blocks: Blocks) -> Sequential:
    """H = encoder(X)        X (n, 48, 48, 1)  ->  H (n, 128), mu and logvar side by side

    Unpadded: 48 -> 23 -> 10 -> 4 -> 1 pixels. One convolution to 128 channels is two to 64.
    """
    block = blocks.block
    return Sequential(
        *block("encoder 1", Conv2d, 1, 128, 4, 2, LeakyReLU(0.2)),
        *block("encoder 2", Conv2d, 128, 256, 4, 2, LeakyReLU(0.2)),
        *block("encoder 3", Conv2d, 256, 512, 4, 2, LeakyReLU(0.2)),
        *block("latent", Conv2d, 512, 2 * LATENT, 4, 2),
        Flatten(),
    )


def image_decoder(blocks: Blocks) -> Sequential:
    """Z = decoder(z)        z (n, 64)  ->  Z (n, 28, 28, 1), logits of the pixels

    Unpadded: 1 -> 3 -> 7 -> 14 -> 28 pixels.
    """
    block = blocks.block
    return Sequential(
        Reshape(1, 1, LATENT),
        *block("decoder 1", ConvTranspose2d, LATENT, 512, 3, 2, ReLU()),
        *block("decoder 2", ConvTranspose2d, 512, 256, 3, 2, ReLU()),
        *block("decoder 3", ConvTranspose2d, 256, 128, 2, 2, ReLU()),
        *block("picture", ConvTranspose2d, 128, 1, 2, 2),
    )


def discriminator(blocks: Blocks) -> Sequential:
    """V = discriminator(Y)        Y (n, 28, 28, 1) in 0..1  ->  V (n, 1, 1, 1), logits of "real"

    Unpadded: 28 -> 13 -> 5 -> 1 pixels. At 13 and at 5 the stride leaves a row and a column over,
    so that a verdict depends on the first 22 x 22 pixels only; the next 4 reach it through the
    statistics of BatchNorm in training, and the last 2 not at all: nothing but reconstruction
    keeps them black.
    """
    block = blocks.block
    return Sequential(
        *block("discriminator 1", Conv2d, 1, 128, 4, 2, LeakyReLU(0.2)),
        *block("discriminator 2", Conv2d, 128, 256, 4, 2, LeakyReLU(0.2)),
        *block("discriminator 3", Conv2d, 256, 512, 4, 2, LeakyReLU(0.2)),
        *block("verdict", Conv2d, 512, 1, 1, 1),
    )
