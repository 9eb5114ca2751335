"""The fully connected layer."""

import numpy as np

from tinya2i import init, ops
from tinya2i.backend import Array
from tinya2i.layer import Backprop, Layer, Param


class Linear(Layer):
    """Y = X W + b        X (n, i), W (i, o), b (o,)  ->  Y (n, o)

    dX = dY W^T,  dW = X^T dY,  db = sum of dY over the batch.
    rng draws W (a fixed seed without one); weights is one of the functions in `tinya2i.init`.
    """

    def __init__(
        self, i: int, o: int, rng: np.random.Generator | None = None, weights: init.Init = init.he
    ):
        rng = np.random.default_rng(0) if rng is None else rng
        self.W = Param(weights(rng, (i, o), i, o))
        self.b = Param(init.bias(rng, o, i, weights))

    def forward(self, X: Array, train: bool = True) -> tuple[Array, Backprop]:
        W, b = self.W, self.b

        def backprop(dY: Array, accumulate: bool = True, input_grad: bool = True) -> Array:
            if accumulate:
                ops.add_matmul(*W.open_grad(), X.T, dY)
                b.grad += ops.column_sum(dY)
            return ops.matmul(dY, W.data.T) if input_grad else None

        Y = ops.matmul(X, W.data)
        Y += b.data
        return Y, backprop
