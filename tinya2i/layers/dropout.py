"""Dropout, with the mask as an argument: nothing random happens inside a layer."""

import numpy as np

from tinya2i.backend import Array
from tinya2i.layer import Backprop, Layer


class Dropout(Layer):
    """Y = X * mask / (1 - p) in training, Y = X in inference (Srivastava et al. 2014, section 10)

    p is the probability that an element is dropped, 0 <= p < 1. The mask (1 keeps, 0 drops, of X's
    shape) is drawn by `draw_mask` and given to forward; training without one is refused.
    """

    def __init__(self, p: float = 0.5):
        if not 0 <= p < 1:
            raise ValueError(f"dropout probability {p} must be at least 0 and below 1")
        self.p = float(p)

    def draw_mask(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """An array of 0 (with probability p) and 1, float32."""
        return (rng.random(shape) >= self.p).astype(np.float32)

    def forward(
        self, X: Array, train: bool = True, mask: Array | None = None
    ) -> tuple[Array, Backprop]:
        if train and mask is None:
            raise ValueError(
                "Dropout in training needs mask=; draw one with draw_mask(X.shape, rng)"
            )
        scale = mask.astype(X.dtype) / (1 - self.p) if train else None

        def backprop(dY: Array, accumulate: bool = True, input_grad: bool = True) -> Array:
            return dY * scale if train else dY

        return X * scale if train else X, backprop
