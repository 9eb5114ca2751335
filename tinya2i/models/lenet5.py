"""The judge: a small classifier of digits (LeCun et al. 1998, with ReLU and max pooling)."""

import numpy as np

from tinya2i import init, losses
from tinya2i.backend import Array, array_module
from tinya2i.layer import Sequential
from tinya2i.layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU
from tinya2i.optim import Optimiser


class LeNet5(Sequential):
    """Z = logits of ten digits        X (n, 28, 28, 1) in 0..1  ->  Z (n, 10); 61,706 parameters

    Padding 2 in the first convolution makes the 32 x 32 input of the paper.
    """

    def __init__(self, rng: np.random.Generator | None = None, weights: init.Init = init.he):
        rng = np.random.default_rng(0) if rng is None else rng
        given = {"rng": rng, "weights": weights}
        super().__init__(
            Conv2d(1, 6, 5, padding=2, **given), ReLU(), MaxPool2d(2),  # 28, 14
            Conv2d(6, 16, 5, **given), ReLU(), MaxPool2d(2),  # 10, 5
            Conv2d(16, 120, 5, **given), ReLU(), Flatten(),  # 1
            Linear(120, 84, **given), ReLU(),
            Linear(84, 10, **given),
        )  # fmt: skip

    def predict(self, X: Array, batch: int = 500) -> Array:
        """argmax of the logits: digits (n,) for pictures (n, 28, 28, 1) in 0..1; -1 for NaN."""
        xp = array_module(X)
        parts = [self(X[i : i + batch]) for i in range(0, len(X), batch)]
        # argmax takes the first NaN for the largest, so it would read a 0.
        return xp.concatenate(
            [xp.where(xp.isnan(Z).any(axis=1), -1, Z.argmax(axis=1)) for Z in parts]
        )

    def features(self, X: Array) -> Array:
        """F (n, 84), at least 0: what the last layer, Z = self[-1](F), decides by; inference."""
        for layer in self.layers[:-1]:
            X = layer(X)
        return X


def train_step(model: LeNet5, optimiser: Optimiser, X: Array, labels: Array) -> dict[str, Array]:
    """One step on cross-entropy; its locals are the tape. Returns {"loss": 0-d array}."""
    Z, backprop = model.forward(X)
    loss, dZ = losses.cross_entropy(Z, labels)
    backprop(dZ, input_grad=False)
    optimiser.step()
    return {"loss": loss}
