"""Vectors of length one."""

from tinya2i.backend import Array, array_module
from tinya2i.layer import Backprop, Layer


class L2Normalize(Layer):
    """U = X / r,  r = sqrt(|X|^2 + eps^2);  dX = (dU - U <U, dU>) / r        X (..., d) -> (..., d)

    Length and <,> are over the last axis. U has length 1 but for eps^2 / 2|X|^2; a zero vector has
    no direction: it stays zero, with dX = dU / eps. eps 1e-4 is less than float32 sees where |X| is
    1 or more, and keeps the gradient of a zero vector, which Adam would remember for a thousand
    steps, at 1e4. PyTorch's `normalize` divides by max(|X|, eps) instead: a kink, and 1e12 there.
    """

    def __init__(self, eps: float = 1e-4):
        self.eps = float(eps)

    def forward(self, X: Array, train: bool = True) -> tuple[Array, Backprop]:
        xp = array_module(X)
        r = xp.sqrt((X * X).sum(axis=-1, keepdims=True) + self.eps**2)
        U = X / r

        def backprop(dU: Array, accumulate: bool = True, input_grad: bool = True) -> Array:
            # X along U only changes r, and U not at all.
            return (dU - U * (U * dU).sum(axis=-1, keepdims=True)) / r

        return U, backprop
