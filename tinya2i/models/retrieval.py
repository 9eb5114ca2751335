"""Find the picture for a sound by distance alone (AVE-Net; Arandjelovic and Zisserman 2018).

    U = eye(T),  V = ear(X)        unit vectors
    D = |U - V|,  Z = verdict(D)   one number decides whether they belong together

Unlike in `correspondence`, whatever the towers know about a pair must lie in how near they put it:
the objective asks for a common space, in which everything can be searched by everything. On the
unit sphere D^2 = 2 - 2 <U, V>, so distance and cosine put things in the same order.

The contrastive objective (InfoNCE; van den Oord et al. 2018, symmetric as in Radford et al. 2021)
asks which of a batch's sounds belongs to a picture, and which picture to a sound: each of the
batch's other pairs serves as a pair that does not belong together.
"""

import numpy as np

from tinya2i import init, losses
from tinya2i.backend import Array, array_module
from tinya2i.layer import BackpropTwo, Layer, Sequential
from tinya2i.layers import L2Normalize, Linear, PairwiseDistance, Similarity
from tinya2i.models import correspondence, towers
from tinya2i.optim import Optimiser

EMBEDDING = 64
train_step = correspondence.train_step  # on pairs that belong together and pairs that do not


class Retrieval(Layer):
    """Z = verdict(|U - V|),  U = eye(T), V = ear(X)        U, V (n, 64), logits Z (n, 2)

    T (n, 28, 28, 1) in 0..1, X (n, 48, 48, 1) standardised log-mel; Z: apart, together. ear
    "tower" is the audio tower, "vae" the encoder of the VAE; ValueError for another.
    verdict is the paper's Linear from 1 to 2. It starts at Z = (D - 1, 1 - D), near is together:
    from random numbers far could be, and a search for the nearest would find the least fitting.
    """

    def __init__(
        self,
        rng: np.random.Generator | None = None,
        weights: init.Init = init.he,
        ear: str = "tower",
    ):
        rng = np.random.default_rng(0) if rng is None else rng
        self.eye = _embedding(towers.image_tower(rng, weights), towers.WIDTH, rng, weights)
        self.ear = _embedding(towers.ear(ear, rng, weights), towers.EARS[ear], rng, weights)
        self.distance, self.similarity = PairwiseDistance(), Similarity()
        self.verdict = Linear(1, 2)
        self.verdict.W.data[...], self.verdict.b.data[...] = (1, -1), (-1, 1)

    def embed_pictures(self, T: Array) -> Array:
        """Unit vectors (n, 64) of pictures (n, 28, 28, 1), in inference mode."""
        return self.eye(T)

    def embed_sounds(self, X: Array) -> Array:
        """Unit vectors (n, 64) of sounds (n, 48, 48, 1), in inference mode."""
        return self.ear(X)

    def forward(self, T: Array, X: Array, train: bool = True) -> tuple[Array, BackpropTwo]:
        """Z, and backprop(dZ, accumulate, input_grad) -> (dT, dX), or None without input_grad."""
        (U, V), back_towers = self.embed(T, X, train)
        D, back_distance = self.distance.forward(U, V)
        Z, back_verdict = self.verdict.forward(D)

        def backprop(
            dZ: Array, accumulate: bool = True, input_grad: bool = True
        ) -> tuple[Array, Array] | None:
            dU, dV = back_distance(back_verdict(dZ, accumulate))
            return back_towers(dU, dV, accumulate, input_grad)

        return Z, backprop

    def embed(
        self, T: Array, X: Array, train: bool = True
    ) -> tuple[tuple[Array, Array], BackpropTwo]:
        """(U, V), and backprop(dU, dV, accumulate, input_grad) -> (dT, dX) or None."""
        U, back_eye = self.eye.forward(T, train)
        V, back_ear = self.ear.forward(X, train)

        def backprop(
            dU: Array, dV: Array, accumulate: bool = True, input_grad: bool = True
        ) -> tuple[Array, Array] | None:
            dT = back_eye(dU, accumulate, input_grad)
            dX = back_ear(dV, accumulate, input_grad)
            return (dT, dX) if input_grad else None

        return (U, V), backprop


def _embedding(
    tower: Sequential, width: int, rng: np.random.Generator, weights: init.Init
) -> Sequential:
    return Sequential(*tower.layers, Linear(width, EMBEDDING, rng, weights), L2Normalize())


def contrastive_step(
    model: Retrieval, optimiser: Optimiser, T: Array, X: Array
) -> dict[str, Array]:
    """One step on InfoNCE of pairs that belong together, T[i] with X[i]; temperature >= 0.01."""
    values = contrastive_gradients(model, T, X)
    optimiser.step()
    model.similarity.limit()
    return values


def contrastive_gradients(model: Retrieval, T: Array, X: Array) -> dict[str, Array]:
    """Adds dL to all gradients. Returns 0-d arrays: "loss" and "correct".

    L = info_nce(S), S = U V^T / temperature; "correct" is the share of pictures whose own sound is
    the nearest.
    """
    (U, V), back_towers = model.embed(T, X)
    S, back_similarity = model.similarity.forward(U, V)
    loss, dS = losses.info_nce(S)
    back_towers(*back_similarity(dS), input_grad=False)
    own = array_module(S).arange(len(S))
    return {"loss": loss, "correct": (S.argmax(axis=1) == own).astype(S.dtype).mean()}
