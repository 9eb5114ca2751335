"""The conditional VAE (Sohn, Lee and Yan 2015): many pictures for one sound.

Nothing in a sound says which of the data set's sevens is meant, and the VAE's noise knows nothing
of it either. Its best picture of a seven is therefore their mean, E[T | X], an archetype, however
the noise falls. Here, in training, a third network sees the picture and chooses the noise:

    e_q ~ q(e | T) = N(mu_q, exp(logvar_q)),   [mu_q, logvar_q] = recogniser(T)
    e_p ~ N(0, 1)
    z(e) = mu + exp(logvar / 2) * e,           [mu, logvar] = encoder(X), as in the VAE

    L_q = reconstruction(decoder(z(e_q)), T) + weight * KL(q || N(0, 1))
    L_p = reconstruction(decoder(z(e_p)), T)
    L = (1 - hybrid) * L_q + hybrid * L_p

To draw, it is a VAE. In L_q the noise says which seven it is, and mu only that it is one: whatever
e repeats of what the sound has said costs KL. So noise comes to mean style, and other noise is
another picture. But L_q looks at no noise that does not come from a picture; L_p looks at what
will be drawn, and pulls it to the mean. hybrid leads from variety (0) to archetypes (1, the VAE
without its KL); it is one minus the weight alpha of the paper's hybrid objective.

The digit, too, could be said in e, and copying it from the picture is easier than hearing it. So
hybrid starts at 1 and falls; see tasks.CVAETask and docs/decisions/005.

z(e) is affine in e. So KL(q(e | T) || N(0, 1)) is KL(q(z | X, T) || p(z | X)), where p(z | X) is
N(mu, exp(logvar)): the paper's conditional prior. Only that q(e | T) does not look at X is ours.
"""

from collections.abc import Callable

import numpy as np

from tinya2i import init, losses
from tinya2i.backend import Array, array_module
from tinya2i.models.networks import LATENT, image_encoder
from tinya2i.models.vae import VAE, reparameterise
from tinya2i.optim import Optimiser


class CVAE(VAE):
    """The VAE and, for training, [mu_q, logvar_q] (n, 128) = recogniser(T)

    21,819,873 parameters; all but the recogniser's 869,344 are the VAE's, and enough to draw.
    """

    def __init__(self, rng: np.random.Generator | None = None, weights: init.Init = init.he):
        rng = np.random.default_rng(0) if rng is None else rng
        super().__init__(rng, weights)
        self.recogniser = image_encoder(2 * LATENT, rng, weights)


def train_step(
    model: CVAE,
    optimiser: Optimiser,
    X: Array,
    T: Array,
    noise: Array,
    kl_weight: float = 1.0,
    hybrid: float = 0.035,
) -> dict[str, Array]:
    """One step on L for sounds X, pictures T (n, 28, 28, 1) in 0..1; see `gradients`."""
    values = gradients(model, X, T, noise, kl_weight, hybrid)
    optimiser.step()
    return values


def gradients(
    model: CVAE, X: Array, T: Array, noise: Array, kl_weight: float = 1.0, hybrid: float = 0.035
) -> dict[str, Array]:
    """Adds dL to all gradients. noise (n, 128) from N(0, 1): its left half for e_q, the other e_p.

    Returns 0-d arrays: "loss" (L), "reconstruction_q" and "kl_q" (in L_q), and "reconstruction"
    (in L_p, as an evaluation takes it), summed over pixels or latents, averaged over the batch.
    """
    n, share = len(X), 1 - hybrid
    Q, back_recogniser = model.recogniser.forward(T)
    (e_q, mu_q, logvar_q), back_e = reparameterise(Q, noise[:, :LATENT])
    Z, back_pictures = _pictures(model, X, e_q, noise[:, LATENT:])
    of_q, dZ_q = losses.bce_with_logits(Z[:n], T)
    of_p, dZ_p = losses.bce_with_logits(Z[n:], T)
    kl, dmu_q, dlogvar_q = losses.gaussian_kl(mu_q, logvar_q)
    weight = share * kl_weight

    de_q = back_pictures(share * dZ_q, hybrid * dZ_p)
    back_recogniser(back_e(de_q, weight * dmu_q, weight * dlogvar_q), input_grad=False)
    loss = share * of_q + weight * kl + hybrid * of_p
    return {"loss": loss, "reconstruction": of_p, "reconstruction_q": of_q, "kl_q": kl}


def _pictures(
    model: CVAE, X: Array, e_q: Array, e_p: Array
) -> tuple[Array, Callable[[Array, Array], Array]]:
    """Logits Z (2n, 28, 28, 1) of z(e_q), then of z(e_p); and backprop(dZ_q, dZ_p) -> de_q.

    One pass through the decoder for both.
    """
    xp, n = array_module(X), len(X)
    H, back_encoder = model.encoder.forward(X)
    (z, _, logvar), back_z = reparameterise(xp.concatenate([H, H]), xp.concatenate([e_q, e_p]))
    Z, back_decoder = model.decoder.forward(z)

    def backprop(dZ_q: Array, dZ_p: Array) -> Array:
        dz = back_decoder(xp.concatenate([dZ_q, dZ_p]))
        dH = back_z(dz, 0, 0)
        back_encoder(dH[:n] + dH[n:], input_grad=False)
        return dz[:n] * xp.exp(logvar[:n] / 2)

    return Z, backprop
