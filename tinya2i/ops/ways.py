"""Four ways to compute the same convolution; the fastest is taken.

`convolution` is the plain way and can do everything; `winograd` needs fewer products, `banded`
makes fewer and larger ones, `single` is for one window. All have the same functions, which this
module has, too.
"""

from types import ModuleType

import numpy as np

from tinya2i.backend import Array, array_module
from tinya2i.ops import banded, convolution, single, winograd
from tinya2i.ops.windows import Pair, out_sizes


def conv(X: Array, W: Array, b: Array | None, kernel: Pair, stride: Pair, padding: Pair) -> Array:
    """Y = im2col(X) @ W + b: X (n, h, w, c_in), W (kh*kw*c_in, c_out) -> Y (n, oh, ow, c_out)."""
    shape = (len(X), *out_sizes(X.shape[1:3], kernel, stride, padding), W.shape[1])
    return fastest(X, X.shape, shape, kernel, stride).conv(X, W, b, kernel, stride, padding)


def conv_input_grad(
    dY: Array, W: Array, b: Array | None, shape: tuple[int, ...], kernel: Pair, stride: Pair,
    padding: Pair,
) -> Array:  # fmt: skip
    """dX = col2im(dY @ W.T) + b, of the given shape (n, h, w, c_in); a transposed convolution."""
    way = fastest(dY, shape, dY.shape, kernel, stride)
    return way.conv_input_grad(dY, W, b, shape, kernel, stride, padding)


def conv_weight_grad(
    dW: Array, add: bool, X: Array, dY: Array, kernel: Pair, stride: Pair, padding: Pair
) -> None:
    """dW += im2col(X).T @ dY in place, or dW = ... without add: dW (kh*kw*c_in, c_out)."""
    way = fastest(X, X.shape, dY.shape, kernel, stride)
    way.conv_weight_grad(dW, add, X, dY, kernel, stride, padding)


def fastest(
    A: Array, x: tuple[int, ...], y: tuple[int, ...], kernel: Pair, stride: Pair
) -> ModuleType:
    """The module for a convolution of shape x to shape y, A being one of the two."""
    if array_module(A) is not np:
        return convolution
    if single.pays(y[1:3]):
        return single
    if winograd.pays(x, y, kernel, stride):
        return winograd
    return banded if banded.pays(x[3], y[3], y[2], kernel) else convolution
