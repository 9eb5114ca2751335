"""Exercises of chapter 14. Fill in, then run: python docs/exercises/ex14.py"""

import numpy as np
from checking import run

from tinya2i.layer import Layer
from tinya2i.models import VAEGAN


def marginal(P: np.ndarray, K: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(q, deaf) for sounds of probability P (s,) and pictures K (s, k), K[a, k] = P(k | a).

    q (k,) is the marginal of the pictures; deaf (s, k) the P'(k | a) of the deaf generator, which
    draws pictures as often as K does, but without regard to the sound.
    """
    raise NotImplementedError


def shuffled(
    model: VAEGAN, X: np.ndarray, T: np.ndarray, noise: np.ndarray, order: np.ndarray
) -> tuple[float, float]:
    """(adversarial loss, reconstruction) when sound order[i], not i, is paired with picture i.

    A sound keeps its noise. `vaegan.gradients` returns both numbers; leave no gradients behind.
    """
    raise NotImplementedError


def three_way(
    networks: tuple[Layer, Layer, Layer],
    X: np.ndarray,
    T: np.ndarray,
    noise: np.ndarray,
    alpha: float,
    beta: float,
) -> None:
    """Leaves in encoder, decoder and D, networks in this order, the gradients of their losses.

    encoder(X) (n, 2d) is mu and logvar side by side, decoder(z) (n, k) are logits of pixels,
    D(Y) (n, 1) logits of "real". L_G = -log D(Y) + alpha * BCE + beta * KL, the last two summed
    over pixels and latents, all averaged over the batch; L_D as in chapter 13. All gradients are
    zero when you get them. Use (14.7), chapter 13, and no `vaegan.gradients`.
    """
    raise NotImplementedError


if __name__ == "__main__":
    run(globals())
