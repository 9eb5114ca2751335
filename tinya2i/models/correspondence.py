"""Does this sound go with this picture? (L3-Net; Arandjelovic and Zisserman 2017)

    F = eye(T),  G = ear(X),  Z = head([F, G]),  L = cross-entropy of Z, 1: they belong together

No label is needed beyond that: that two things come from one place is what there is to learn. The
gradient splits where the features were put side by side, and each tower gets its half. Nothing
compares F with G as vectors: the towers need not agree on what a number in them means.
"""

import numpy as np

from tinya2i import init, losses
from tinya2i.backend import Array, array_module
from tinya2i.layer import BackpropTwo, Layer, Sequential
from tinya2i.layers import Linear, ReLU
from tinya2i.models import towers
from tinya2i.optim import Optimiser


class Correspondence(Layer):
    """Z = head([eye(T), ear(X)])        logits Z (n, 2): apart, together

    T (n, 28, 28, 1) in 0..1, X (n, 48, 48, 1) standardised log-mel. ear "tower" is the audio tower
    (128 features), "vae" the encoder of the VAE up to its 512 features; ValueError for another.
    """

    def __init__(
        self,
        rng: np.random.Generator | None = None,
        weights: init.Init = init.he,
        ear: str = "tower",
    ):
        rng = np.random.default_rng(0) if rng is None else rng
        self.eye = towers.image_tower(rng, weights)
        self.ear = towers.ear(ear, rng, weights)
        features = towers.WIDTH + towers.EARS[ear]
        self.head = Sequential(
            Linear(features, 128, rng, weights), ReLU(), Linear(128, 2, rng, weights)
        )

    def forward(self, T: Array, X: Array, train: bool = True) -> tuple[Array, BackpropTwo]:
        """Z, and backprop(dZ, accumulate, input_grad) -> (dT, dX), or None without input_grad."""
        F, back_eye = self.eye.forward(T, train)
        G, back_ear = self.ear.forward(X, train)
        Z, back_head = self.head.forward(array_module(T).concatenate([F, G], axis=1), train)

        def backprop(
            dZ: Array, accumulate: bool = True, input_grad: bool = True
        ) -> tuple[Array, Array] | None:
            dH, seen = back_head(dZ, accumulate), F.shape[1]
            dT = back_eye(dH[:, :seen], accumulate, input_grad)
            dX = back_ear(dH[:, seen:], accumulate, input_grad)
            return (dT, dX) if input_grad else None

        return Z, backprop


def train_step(
    model: Layer, optimiser: Optimiser, T: Array, X: Array, same: Array
) -> dict[str, Array]:
    """One step on pictures T and sounds X, of which same (n,) says 1: together, 0: apart."""
    values = gradients(model, T, X, same)
    optimiser.step()
    return values


def gradients(model: Layer, T: Array, X: Array, same: Array) -> dict[str, Array]:
    """Adds dL to all gradients. Returns 0-d arrays: "loss" and "correct", the share read right.

    For every model with forward(T, X) -> logits (n, 2).
    """
    Z, backprop = model.forward(T, X)
    loss, dZ = losses.cross_entropy(Z, same)
    backprop(dZ, input_grad=False)
    return {"loss": loss, "correct": (Z.argmax(axis=1) == same).astype(Z.dtype).mean()}
