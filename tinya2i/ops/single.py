"""Convolution where there is one window: the way back without adding up, and without reading twice.

No windows overlap, so dX needs no col2im. And a row of weights has as much to do as any other, so
threads share the weights' rows instead of the batch: none of them reads or writes all. The forward
is the plain one, which is as fast.
"""

import numpy as np

from tinya2i.backend import Array
from tinya2i.ops.convolution import conv
from tinya2i.ops.products import add_matmul, matmul
from tinya2i.ops.windows import Pair, im2col

__all__ = ["conv", "conv_input_grad", "conv_weight_grad", "pays"]


def pays(out: Pair) -> bool:
    """Whether this module can do a convolution to `out` pixels; then it is the fastest."""
    return out == (1, 1)


def conv_input_grad(
    dY: Array, W: Array, b: Array | None, shape: tuple[int, ...], kernel: Pair, stride: Pair,
    padding: Pair,
) -> Array:  # fmt: skip
    """dX = col2im(dY @ W.T) + b, of the given shape (n, h, w, c_in)."""
    (n, h, w, c), (kh, kw), (ph, pw) = shape, kernel, padding
    P = np.zeros((n, h + 2 * ph, w + 2 * pw, c), dY.dtype)
    P[:, :kh, :kw] = matmul(dY.reshape(n, W.shape[1]), W.T).reshape(n, kh, kw, c)
    if b is not None:
        P += b
    return P[:, ph : ph + h, pw : pw + w]


def conv_weight_grad(
    dW: Array, add: bool, X: Array, dY: Array, kernel: Pair, stride: Pair, padding: Pair
) -> None:
    """dW += im2col(X).T @ dY in place, or dW = ... without add: dW (kh*kw*c_in, c_out)."""
    add_matmul(dW, add, im2col(X, kernel, stride, padding).T, dY.reshape(len(dY), dW.shape[1]))
