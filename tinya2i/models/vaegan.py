"""The audio-to-image VAE-GAN (Zelaszczyk and Mandziuk 2021): a VAE whose pictures are judged.

Two players. The discriminator D learns to tell pictures T of the data set from fakes Y:

    L_D = -log D(T) - log(1 - D(Y)),        Y = sigmoid(decoder(z))

The generator, encoder and decoder together, learns to draw fakes that pass (the non-saturating
loss of Goodfellow et al. 2014), and, so that they follow the sound, to draw T:

    L_G = -log D(Y) + alpha * reconstruction + beta * KL

                             its gradient reaches
    -log D(T)                D
    -log(1 - D(Y))           D
    -log D(Y)                decoder and encoder, through D, whose weights it leaves alone
    reconstruction (Y, T)    decoder, encoder; with features through D, as above
    KL                       encoder

The talk does not say how it compares pixels: here by their binary cross-entropy ("pixels", as the
VAE), or by squared differences ("mse"), which cost a sharp stroke in a wrong place less: at most 1
a pixel. Larsen et al. 2016 (equations 6 to 8) reconstruct what D makes of
them: 1/2 |F(Y) - F(T)|^2, where F is the first part of D, up to its second activation. Only this
term of their method is here: their encoder gets nothing of -log D(Y), their weight counts for the
decoder alone, and their D also sees pictures of z ~ N(0, 1). F(Y) and F(T) are each normalised by
their own batch, so contrast hardly counts; and F has 6,400 numbers, not 784: alpha means
something else.

alpha = beta = 0 is the plain GAN. It need not listen: D sees no sound, so L_D and -log D(Y) are
the same for any assignment of the same pictures to the sounds.

All gradients are taken at the same weights; only then do both step. D's BatchNorm sees T and Y in
two passes, each normalised by its own statistics. Its running statistics, which nothing here
reads, move twice a step, first towards T's, then towards Y's. A loop that runs D a third time for
the generator, as DCGAN's does, moves them towards Y's twice, and is otherwise the same.
"""

import numpy as np

from tinya2i import init, losses, ops
from tinya2i.backend import Array, array_module
from tinya2i.layer import Backprop, Layer, Sequential
from tinya2i.layers import LeakyReLU
from tinya2i.models import convnets
from tinya2i.models.vae import VAE
from tinya2i.optim import Adam, Optimiser

ADVERSARIAL = ("non-saturating", "saturating")
RECONSTRUCTION = ("pixels", "mse", "features")


class VAEGAN(VAE):
    """The VAE's z and Z, from convolutions alone, and V = discriminator(Y)

    X (n, 48, 48, 1), noise (n, 64)  ->  logits Z (n, 28, 28, 1), mu, logvar (n, 64)
    Y (n, 28, 28, 1) in 0..1  ->  V (n, 1, 1, 1), logits of "real"

    arch: which layers have BatchNorm, a key of `convnets.ARCHITECTURES`. "talk" is behind every
    convolution but the decoder's and the discriminator's first: the talk's 7,909,382 parameters.
    "b" has as many: without it on mu, logvar and the decoder's first. "bare" is "talk" without it
    on the two outputs of one channel (7,909,378), "hidden" has it behind every hidden layer and no
    output (7,910,402). ValueError for another arch, and, in training, for a batch of one, which
    has no variance.
    """

    def __init__(
        self,
        arch: str = "talk",
        rng: np.random.Generator | None = None,
        weights: init.Init = init.dcgan,
    ):
        if arch not in convnets.ARCHITECTURES:
            raise ValueError(f"no arch {arch!r}; there are {[*convnets.ARCHITECTURES]}")
        rng = np.random.default_rng(0) if rng is None else rng
        blocks = convnets.Blocks(rng, weights, convnets.ARCHITECTURES[arch])
        self.encoder = convnets.audio_encoder(blocks)
        self.decoder = convnets.image_decoder(blocks)
        self.discriminator = convnets.discriminator(blocks)
        activations = [
            i for i, layer in enumerate(self.discriminator.layers) if isinstance(layer, LeakyReLU)
        ]
        self.eye_depth = activations[1] + 1

    @property
    def eye(self) -> Sequential:
        """D's first `eye_depth` layers, features F = eye(Y)        Y  ->  F (n, 5, 5, 256)"""
        return self.discriminator[: self.eye_depth]

    @property
    def verdict(self) -> Sequential:
        """D's other layers, V = verdict(F)        F (n, 5, 5, 256)  ->  V (n, 1, 1, 1)"""
        return self.discriminator[self.eye_depth :]


def optimisers(
    model: VAEGAN, lr: float = 2e-4, betas: tuple[float, float] = (0.5, 0.999)
) -> tuple[Adam, Adam]:
    """(adam_d, adam_g): the discriminator's, and that of encoder and decoder.

    lr is the talk's; a first beta of 0.5 is DCGAN's (Radford et al. 2016, section 4).
    """
    generator = [*model.encoder.params(), *model.decoder.params()]
    return Adam(model.discriminator.params(), lr, betas), Adam(generator, lr, betas)


def train_step(
    model: VAEGAN,
    adam_d: Optimiser,
    adam_g: Optimiser,
    X: Array,
    T: Array,
    noise: Array,
    alpha: float = 0.2,
    beta: float = 0.5,
    adversarial: str = "non-saturating",
    reconstruction: str = "pixels",
) -> dict[str, Array]:
    """One step of both players on sounds X, pictures T (n, 28, 28, 1) in 0..1; see `gradients`."""
    values = gradients(model, X, T, noise, alpha, beta, adversarial, reconstruction)
    adam_d.step()
    adam_g.step()
    return values


def gradients(
    model: VAEGAN,
    X: Array,
    T: Array,
    noise: Array,
    alpha: float = 0.2,
    beta: float = 0.5,
    adversarial: str = "non-saturating",
    reconstruction: str = "pixels",
) -> dict[str, Array]:
    """Adds dL_D to the discriminator's gradients, dL_G to those of encoder and decoder.

    Reconstruction and KL are summed over pixels, features or latents, and averaged over the batch.
    adversarial="saturating" is the minimax game's log(1 - D(Y)) in place of -log D(Y). Returns 0-d
    arrays: "discriminator" (L_D), "generator" (L_G) and its "adversarial", "reconstruction" and
    "kl"; and the means of D's verdicts, "d_real" and "d_fake": 1 and 0 where D has won, both 1/2
    where it cannot tell. The other reconstructions are "reconstruction_mse" and
    "reconstruction_features" instead.
    ValueError for another name than those in ADVERSARIAL and RECONSTRUCTION.
    """
    if adversarial not in ADVERSARIAL:
        raise ValueError(f"no adversarial loss {adversarial!r}; there are {[*ADVERSARIAL]}")
    if reconstruction not in RECONSTRUCTION:
        raise ValueError(f"no reconstruction {reconstruction!r}; there are {[*RECONSTRUCTION]}")
    (Z, mu, logvar), back_generator = model.forward(X, noise)
    Y = ops.sigmoid(Z)
    judged, dY = _judge(model, T, Y, adversarial, alpha if reconstruction == "features" else None)
    if reconstruction == "features":
        likeness, dZ = judged["reconstruction_features"], dY * Y * (1 - Y)
    elif reconstruction == "mse":
        likeness, dL = losses.mse(Y, T)
        judged["reconstruction_mse"], dZ = likeness, (dY + alpha * dL) * Y * (1 - Y)
    else:
        likeness, dZ = losses.bce_with_logits(Z, T)
        judged["reconstruction"], dZ = likeness, dY * Y * (1 - Y) + alpha * dZ
    kl, dmu, dlogvar = losses.gaussian_kl(mu, logvar)
    back_generator(dZ, beta * dmu, beta * dlogvar, input_grad=False)
    generator = judged["adversarial"] + alpha * likeness + beta * kl
    return {**judged, "generator": generator, "kl": kl}


def _judge(
    model: VAEGAN, T: Array, Y: Array, kind: str, alpha: float | None = None
) -> tuple[dict[str, Array], Array]:
    """(losses and verdicts, dY) after D has the gradients of L_D; dY is for the generator.

    With alpha dY is that of alpha * the difference of features, too. A function of its own, so
    that the memory of D's passes is free when it returns.
    """
    F_real, back_eye = model.eye.forward(T)
    V_real, real, dF, _ = _learn(model.verdict, F_real, 1)
    back_eye(dF, input_grad=False)
    F_fake, back_eye = model.eye.forward(Y)
    V_fake, fake, dF, back_verdict = _learn(model.verdict, F_fake, 0)
    back_eye(dF, input_grad=False)
    fool, dV = _adversarial(V_fake, kind)
    dF = back_verdict(dV, accumulate=False)  # only passes through D: nothing for D in it
    values = {"discriminator": real + fake, "adversarial": fool}
    if alpha is not None:
        likeness, dL = losses.mse(F_fake, F_real)
        values["reconstruction_features"] = likeness / 2
        dF = dF + alpha / 2 * dL
    dY = back_eye(dF, accumulate=False)
    for name, V in (("d_real", V_real), ("d_fake", V_fake)):
        values[name] = ops.sigmoid(V).mean()
    return values, dY


def _learn(verdict: Layer, F: Array, label: int) -> tuple[Array, Array, Array, Backprop]:
    """(logits, loss, dF, backprop) of D's verdict on F, after it has its gradients of that loss."""
    V, backprop = verdict.forward(F)
    value, dV = _against(V, label)
    return V, value, backprop(dV), backprop


def _against(V: Array, label: int) -> tuple[Array, Array]:
    """-log D for label 1, -log(1 - D) for label 0, D = sigmoid(V); and the gradient of V."""
    return losses.bce_with_logits(V, array_module(V).full_like(V, label))


def _adversarial(V: Array, kind: str) -> tuple[Array, Array]:
    """What the generator pays for verdicts V on its fakes, and the gradient of V."""
    if kind == "non-saturating":
        return _against(V, 1)
    value, dV = _against(V, 0)
    return -value, -dV
