"""Convolution as a matrix product, and its two adjoints.

Images are (n, h, w, c): channels last. A convolution's weights are stored as the matrix
(kh*kw*c_in, c_out), so that `im2col(X) @ W` already is the next feature map.

The three convolution functions are one linear map and its two adjoints:

    conv(X, W, b)           Y  = im2col(X) @ W + b
    conv_input_grad(dY, W)  dX = col2im(dY @ W.T)      the transpose in X
    conv_weight_grad(X, dY) dW = im2col(X).T @ dY      the transpose in W

A transposed convolution is the same three with the roles of X and Y exchanged; so both of the first
two can add a bias b to what they return (None: no bias).

Each slice of the batch reads all weights, so it should be no smaller than they are. A GPU takes the
batch in one piece.
"""

from collections.abc import Iterable

import numpy as np

from tinya2i import kernels
from tinya2i.backend import Array, array_module
from tinya2i.ops.products import matmul, product
from tinya2i.ops.windows import Pair, add_taps, im2col, out_sizes
from tinya2i.threads import in_shares


def conv(X: Array, W: Array, b: Array | None, kernel: Pair, stride: Pair, padding: Pair) -> Array:
    """Y = im2col(X) @ W + b: X (n, h, w, c_in), W (kh*kw*c_in, c_out) -> Y (n, oh, ow, c_out)."""
    xp = array_module(X)
    n = len(X)
    oh, ow = out_sizes(X.shape[1:3], kernel, stride, padding)
    Y = xp.empty((n, oh, ow, W.shape[1]), X.dtype)

    def work(parts: Iterable[slice]) -> None:
        for part in parts:
            cols = im2col(X[part], kernel, stride, padding)
            product(cols, W, Y[part].reshape(-1, W.shape[1]))
            if b is not None:
                Y[part] += b

    in_shares(xp, n, oh * ow * max(W.shape) * X.itemsize, work, least=W.nbytes)
    return Y


def conv_input_grad(
    dY: Array, W: Array, b: Array | None, shape: tuple[int, ...], kernel: Pair, stride: Pair,
    padding: Pair,
) -> Array:  # fmt: skip
    """dX = col2im(dY @ W.T) + b, of the given shape (n, h, w, c_in); a transposed convolution."""
    xp = array_module(dY)
    n, oh, ow, c_out = dY.shape
    if kernels.usable(dY):
        cols = matmul(dY.reshape(-1, c_out), W.T)
        return kernels.col2im(cols, shape, kernel, stride, padding, b)
    dX = xp.empty(shape, dY.dtype)

    def work(parts: Iterable[slice]) -> None:
        for part in parts:
            taps = columns_by_tap(dY[part].reshape(-1, c_out), W, kernel[0] * kernel[1])
            dX[part] = 0 if b is None else b
            add_taps(dX[part], taps, kernel, stride, padding)

    in_shares(xp, n, oh * ow * max(W.shape) * dY.itemsize, work, least=W.nbytes)
    return dX


def columns_by_tap(dY: Array, W: Array, taps: int) -> Array:
    """dY @ W.T with the columns sorted by tap: dY (m, d), W (taps*c, d) -> (taps, m, c).

    Then what belongs to one tap is contiguous, which is how `add_taps` reads it.
    """
    c = len(W) // taps
    if c == 1:
        return (W @ dY.T)[..., None]
    if c >= 16:
        return (dY @ W.T).reshape(len(dY), taps, c).swapaxes(0, 1)
    return array_module(dY).matmul(dY, W.reshape(taps, c, -1).swapaxes(1, 2))


def conv_weight_grad(
    dW: Array, add: bool, X: Array, dY: Array, kernel: Pair, stride: Pair, padding: Pair
) -> None:
    """dW += im2col(X).T @ dY in place, or dW = ... without add: dW (kh*kw*c_in, c_out)."""
    xp = array_module(X)
    n, oh, ow, c_out = dY.shape
    if xp is not np:
        product(im2col(X, kernel, stride, padding).T, dY.reshape(-1, c_out), dW, add)
        return

    def work(parts: Iterable[slice]) -> Array:
        return sum(
            im2col(X[part], kernel, stride, padding).T @ dY[part].reshape(-1, c_out)
            for part in parts
        )

    item_bytes = oh * ow * max(dW.shape) * X.itemsize
    for share in in_shares(xp, n, item_bytes, work, fixed=True, least=dW.nbytes):
        np.add(dW, share, out=dW) if add else np.copyto(dW, share)
        add = True
