"""Functions of one number, applied to every element; and softmax, of a row."""

from tinya2i import ops
from tinya2i.backend import Array, array_module
from tinya2i.layer import Backprop, Layer

# Below, maxima are of two arrays even where one of them is full of the same number: for an array
# and a number NumPy takes three times as long.


class ReLU(Layer):
    """Y = max(X, 0);  dX = dY where X > 0, else 0 (the slope at 0 is taken as 0)"""

    def forward(self, X: Array, train: bool = True) -> tuple[Array, Backprop]:
        xp = array_module(X)
        Y = ops.elementwise(lambda X, out: xp.maximum(X, xp.zeros_like(X), out=out), X)

        def backprop(dY: Array, accumulate: bool = True, input_grad: bool = True) -> Array:
            return ops.elementwise(lambda dY, Y, out: xp.multiply(dY, Y > 0, out=out), dY, Y)

        return Y, backprop


class LeakyReLU(Layer):
    """Y = max(X, slope * X);  dX = dY where X > 0, else slope * dY        slope in 0..1"""

    def __init__(self, slope: float = 0.01):
        if not 0 <= slope <= 1:
            raise ValueError(f"LeakyReLU's slope must be between 0 and 1, not {slope}")
        self.slope = float(slope)

    def forward(self, X: Array, train: bool = True) -> tuple[Array, Backprop]:
        xp = array_module(X)

        def leak(X: Array, out: Array | None) -> Array:
            return xp.maximum(X, X * self.slope, out=out)

        def unleak(dY: Array, Y: Array, out: Array | None) -> Array:
            factor = (Y > 0).astype(dY.dtype)  # 1 or 0; where X > 0, so is Y
            xp.maximum(factor, xp.full_like(factor, self.slope), out=factor)
            return xp.multiply(dY, factor, out=out)

        Y = ops.elementwise(leak, X)

        def backprop(dY: Array, accumulate: bool = True, input_grad: bool = True) -> Array:
            return ops.elementwise(unleak, dY, Y)

        return Y, backprop


class Sigmoid(Layer):
    """Y = 1 / (1 + exp(-X));  dX = dY * Y * (1 - Y)"""

    def forward(self, X: Array, train: bool = True) -> tuple[Array, Backprop]:
        Y = ops.sigmoid(X)

        def backprop(dY: Array, accumulate: bool = True, input_grad: bool = True) -> Array:
            return dY * Y * (1 - Y)

        return Y, backprop


class Tanh(Layer):
    """Y = tanh(X);  dX = dY * (1 - Y^2)"""

    def forward(self, X: Array, train: bool = True) -> tuple[Array, Backprop]:
        Y = array_module(X).tanh(X)

        def backprop(dY: Array, accumulate: bool = True, input_grad: bool = True) -> Array:
            return dY * (1 - Y * Y)

        return Y, backprop


class Softmax(Layer):
    """Y = exp(X) / sum(exp(X)) over the last axis;  dX = Y * (dY - sum(dY * Y))

    For probabilities to look at. A loss is computed from logits instead: `losses.cross_entropy`.
    """

    def forward(self, X: Array, train: bool = True) -> tuple[Array, Backprop]:
        Y = array_module(X).exp(ops.log_softmax(X))

        def backprop(dY: Array, accumulate: bool = True, input_grad: bool = True) -> Array:
            return Y * (dY - (dY * Y).sum(axis=-1, keepdims=True))

        return Y, backprop
