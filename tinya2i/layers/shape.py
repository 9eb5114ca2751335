"""Layers that only rearrange."""

import math

from tinya2i.backend import Array
from tinya2i.layer import Backprop, Layer


class Reshape(Layer):
    """Y = X with each sample in the given shape; dX = dY in X's shape. The batch axis stays."""

    def __init__(self, *shape: int):
        self.shape = shape

    def forward(self, X: Array, train: bool = True) -> tuple[Array, Backprop]:
        def backprop(dY: Array, accumulate: bool = True, input_grad: bool = True) -> Array:
            return dY.reshape(X.shape)

        return X.reshape(len(X), *self.shape), backprop


class Flatten(Layer):
    """Y = X with each sample as one row: (n, h, w, c) -> (n, h*w*c), in the order h, w, c."""

    def forward(self, X: Array, train: bool = True) -> tuple[Array, Backprop]:
        def backprop(dY: Array, accumulate: bool = True, input_grad: bool = True) -> Array:
            return dY.reshape(X.shape)

        return X.reshape(len(X), math.prod(X.shape[1:])), backprop
