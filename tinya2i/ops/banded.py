"""Convolution for images with few channels: a few outputs of a row at a time.

With c_out = 6 a product im2col(X) @ W has 6 columns, too few for BLAS, and im2col copies windows in
runs of kw*c_in numbers, too short for a fast copy. Here a window is as wide as `tile` outputs of a
row need, and its product with a banded matrix B (a block Toeplitz matrix: W again for each output,
moved by one step, zeros elsewhere) gives all of them. This is more arithmetic, and yet faster.

Pictures are stored with the batch as the last axis, (h, w, c, n), so that everything is done in
runs of n numbers: results have the usual shape (n, h, w, c), as a view. Functions of every element
keep that order in memory without knowing it. Each row of pixels is copied once, into strips as wide
as a tile's windows; the strips of kh rows, one behind the other, then are a window's matrix without
another copy. Threads share rows of outputs, which leaves the runs whole; only windows that are
added up where they overlap are shared by examples.
"""

from collections.abc import Iterable

import numpy as np

from tinya2i.backend import Array
from tinya2i.ops.windows import Pair, out_sizes
from tinya2i.threads import SLICE_BYTES, in_shares, slices

MOST_CHANNELS = 16
BEST_TILE, MOST_TILE = 4, 7  # outputs: with more, products with zeros outweigh all the rest


def pays(c_in: int, c_out: int, width: int, kernel: Pair) -> bool:
    """Whether this module is faster than `convolution`, for a row of `width` outputs."""
    return max(c_in, c_out) <= MOST_CHANNELS and kernel[1] > 1 and tile(width) > 1


def tile(width: int) -> int:
    """How many outputs of a row are computed in one product: a divisor of width."""
    divisors = [t for t in range(1, MOST_TILE + 1) if width % t == 0]
    small = [t for t in divisors if 1 < t <= BEST_TILE]
    return max(small or divisors)


def conv(X: Array, W: Array, b: Array | None, kernel: Pair, stride: Pair, padding: Pair) -> Array:
    """Y = im2col(X) @ W + b: X (n, h, w, c_in), W (kh*kw*c_in, c_out) -> Y (n, oh, ow, c_out)."""
    n = len(X)
    oh, ow = out_sizes(X.shape[1:3], kernel, stride, padding)
    Y = np.empty((oh, ow // tile(ow), tile(ow) * W.shape[1], n), X.dtype)
    B = matrix(W, tile(ow), kernel, stride[1])
    R = _strips(X, kernel, stride, padding, ow)
    bias = 0 if b is None else np.tile(b, tile(ow))[:, None]

    def work(parts: Iterable[slice]) -> None:
        for part in parts:
            np.matmul(B.T, _windows(R, kernel, stride, part), out=Y[part])
            Y[part] += bias

    in_shares(np, oh, R[0].nbytes + Y[0].nbytes, work)
    return Y.reshape(oh, ow, W.shape[1], n).transpose(3, 0, 1, 2)


def conv_input_grad(
    dY: Array, W: Array, b: Array | None, shape: tuple[int, ...], kernel: Pair, stride: Pair,
    padding: Pair,
) -> Array:  # fmt: skip
    """dX = col2im(dY @ W.T) + b, of the given shape (n, h, w, c_in)."""
    (n, h, w, c), (ph, pw) = shape, padding
    ow = dY.shape[2]
    dX = np.empty((h, w, c, n), dY.dtype)
    B = matrix(W, tile(ow), kernel, stride[1])
    D = _tiles(dY)

    def work(parts: Iterable[slice]) -> None:
        for part in parts:
            m = part.stop - part.start
            R = np.zeros((D.shape[1], h + 2 * ph, len(B) // kernel[0], m), dY.dtype)
            for rows in slices(0, len(D), D.shape[1] * len(B) * m * dY.itemsize, fewest=1):
                _add_windows(R, np.matmul(B, D[rows, ..., part]), kernel, stride, rows)
            P = np.zeros((h + 2 * ph, w + 2 * pw, c, m), dY.dtype)
            _add_strips(P, R, tile(ow) * stride[1])
            bias = 0 if b is None else b[:, None]
            np.add(P[ph : ph + h, pw : pw + w], bias, out=dX[..., part])

    item = (h + 2 * ph) * D.shape[1] * len(B) // kernel[0] * dY.itemsize
    least = min(n * item, 8 * SLICE_BYTES)  # long runs before little memory, within reason
    in_shares(np, n, item, work, least=least)
    return dX.transpose(3, 0, 1, 2)


def conv_weight_grad(
    dW: Array, add: bool, X: Array, dY: Array, kernel: Pair, stride: Pair, padding: Pair
) -> None:
    """dW += im2col(X).T @ dY in place, or dW = ... without add: dW (kh*kw*c_in, c_out)."""
    oh, ow = dY.shape[1:3]
    R, D = _strips(X, kernel, stride, padding, ow), _tiles(dY)
    R = R.reshape(*R.shape[:2], 1, -1)  # all tiles of a row as one
    zero = np.zeros_like(matrix(dW, tile(ow), kernel, stride[1]))

    def work(parts: Iterable[slice]) -> Array:
        dB = zero
        for part in parts:  # a product for each row: its inner axis are tiles and examples
            windows = _windows(R, kernel, stride, part)[:, 0]
            rows = D[part].swapaxes(1, 2).reshape(len(windows), D.shape[2], -1)
            dB = dB + np.matmul(windows, rows.swapaxes(1, 2)).sum(axis=0)
        return dB

    if not add:
        dW[...] = 0
    for dB in in_shares(np, oh, R[0].nbytes + D[0].nbytes, work, fixed=True):
        add_matrix_grad(dW, dB, tile(ow), kernel, stride[1])


def matrix(W: Array, tile: int, kernel: Pair, stride: int) -> Array:
    """B (kh*width*c_in, tile*c_out): W once for each output; width pixels see all of them."""
    taps = W.reshape(*kernel, -1, W.shape[1])
    B = np.zeros(
        (kernel[0], _width(tile, kernel, stride), taps.shape[2], tile, W.shape[1]), W.dtype
    )
    for t in range(tile):
        B[:, t * stride : t * stride + kernel[1], :, t] = taps
    return B.reshape(-1, tile * W.shape[1])


def add_matrix_grad(dW: Array, dB: Array, tile: int, kernel: Pair, stride: int) -> None:
    """dW += dB summed over all places at which `matrix` puts W, in place."""
    taps = dW.reshape(*kernel, -1, dW.shape[1])
    dB = dB.reshape(kernel[0], _width(tile, kernel, stride), -1, tile, dW.shape[1])
    for t in range(tile):
        taps += dB[:, t * stride : t * stride + kernel[1], :, t]


def _width(tile: int, kernel: Pair, stride: int) -> int:
    return (tile - 1) * stride + kernel[1]


def _batch_last(X: Array, padding: Pair) -> Array:
    """X (n, h, w, c) as (h + 2ph, w + 2pw, c, n) with runs of n numbers, zeros around."""
    X, (ph, pw) = X.transpose(1, 2, 3, 0), padding
    if ph == 0 and pw == 0:
        return X if X.strides[3] == X.itemsize else np.ascontiguousarray(X)
    h, w, c, n = X.shape
    P = np.zeros((h + 2 * ph, w + 2 * pw, c, n), X.dtype)
    P[ph : ph + h, pw : pw + w] = X
    return P


def _strips(X: Array, kernel: Pair, stride: Pair, padding: Pair, ow: int) -> Array:
    """X (n, h, w, c) as what tiles see of each row of pixels: (h + 2ph, width*c, tiles, n).

    Where tiles overlap, pixels are there twice. The rows under a window are one matrix.
    """
    P, t = _batch_last(X, padding), tile(ow)
    row, pixel, channel, item = P.strides
    shape = (len(P), _width(t, kernel, stride[1]), P.shape[2], ow // t, len(X))
    strides = (row, pixel, channel, pixel * stride[1] * t, item)
    R = np.lib.stride_tricks.as_strided(P, shape, strides, writeable=False)
    return np.ascontiguousarray(R).reshape(len(P), shape[1] * shape[2], *shape[3:])


def _windows(R: Array, kernel: Pair, stride: Pair, part: slice) -> Array:
    """A view (rows, tiles, kh*width*c, n) of strips: the windows of these rows of outputs."""
    _, width, tiles, n = R.shape
    row, pixel, tile, item = R.strides
    shape = (part.stop - part.start, tiles, kernel[0] * width, n)
    strides = (row * stride[0], tile, pixel, item)
    R = R[part.start * stride[0] :]
    return np.lib.stride_tricks.as_strided(R, shape, strides, writeable=False)


def _tiles(dY: Array) -> Array:
    """dY (n, oh, ow, c_out) as (oh, ow // tile, tile*c_out, n)."""
    n, oh, ow, c = dY.shape
    return _batch_last(dY, (0, 0)).reshape(oh, ow // tile(ow), tile(ow) * c, n)


def _add_windows(R: Array, windows: Array, kernel: Pair, stride: Pair, part: slice) -> None:
    """The adjoint of `_windows`, in place, for strips R (tiles, h + 2ph, width*c, n)."""
    rows, tiles, _, n = windows.shape
    taps = windows.reshape(rows, tiles, kernel[0], -1, n).swapaxes(0, 1)
    first = part.start * stride[0]
    for i in range(kernel[0]):
        R[:, first + i : first + i + rows * stride[0] : stride[0]] += taps[:, :, i]


def _add_strips(P: Array, R: Array, step: int) -> None:
    """The adjoint of `_strips`: P (h + 2ph, w + 2pw, c, n) += R, in place; a tile each step."""
    R = R.reshape(*R.shape[:2], -1, *P.shape[2:])
    for x, tile in enumerate(R):
        P[:, x * step : x * step + R.shape[2]] += tile
