"""The towers of `correspondence` as labels teach them: what learning without labels is held to."""

import numpy as np

from tinya2i import init
from tinya2i.backend import Array
from tinya2i.layer import Layer, Sequential
from tinya2i.layers import Linear
from tinya2i.models import lenet5
from tinya2i.models.correspondence import Correspondence
from tinya2i.models.towers import EARS, WIDTH
from tinya2i.optim import Optimiser


class Labelled(Layer):
    """Z = reader(T),  Z = listener(X)        logits (n, 10) of the digit shown and the digit said

    T (n, 28, 28, 1) in 0..1, X (n, 48, 48, 1) standardised log-mel. Eye and ear are those of
    `Correspondence` with the same rng, each with a Linear behind it; neither knows of the other.
    """

    def __init__(
        self,
        rng: np.random.Generator | None = None,
        weights: init.Init = init.he,
        ear: str = "tower",
    ):
        rng = np.random.default_rng(0) if rng is None else rng
        both = Correspondence(rng, weights, ear)
        self.eye, self.ear = both.eye, both.ear
        self.reader = Sequential(self.eye, Linear(WIDTH, 10, rng, weights))
        self.listener = Sequential(self.ear, Linear(EARS[ear], 10, rng, weights))


def train_step(
    model: Labelled, adam_eye: Optimiser, adam_ear: Optimiser, T: Array, X: Array, digits: Array
) -> dict[str, Array]:
    """A step of the reader on pictures T and one of the listener on sounds X of the same digits."""
    seen = lenet5.train_step(model.reader, adam_eye, T, digits)["loss"]
    heard = lenet5.train_step(model.listener, adam_ear, X, digits)["loss"]
    return {"loss": seen + heard, "loss_eye": seen, "loss_ear": heard}
