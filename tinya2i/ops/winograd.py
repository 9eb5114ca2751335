"""Convolution with 36 multiplications where 100 seem necessary, for kernels of twice the stride.

Cut the image into blocks of stride x stride pixels and call a block one pixel with more channels:
a 4x4 kernel with stride 2 becomes a 2x2 kernel with stride 1. Cut the outputs into tiles. `toom`
has, for each axis, small matrices A, G and B with which a tile of outputs Y of weights g on blocks
D (one more than the tile along each axis) is

    U = G g G^T        V = B D B^T        M = U * V        Y = A M A^T

Blocks and weights are matrices here, so each of the products in * is a matrix product over the
channels, and nearly all of the work; for 10 outputs, in two tiles of 5, there are 12 * 12 of them
instead of 20 * 20. The sums around them are matrix products, too, of a few rows each.

The three functions equal those of the same names in `convolution`. Gradients run the same four
steps backwards, and the adjoint of a matrix is its transpose:

    dM = A^T dY A      dV = dM U^T,  dD = B^T dV B      dU = V^T dM,  dg = G^T dU G

Of float32's seven digits it loses up to one more than a plain convolution (docs/decisions/004).
"""

import itertools
import math
from collections.abc import Callable, Iterable

import numpy as np

from tinya2i.backend import Array
from tinya2i.ops.products import matmul, product
from tinya2i.ops.tiles import Tiles, back, blocks, cheapest, forth, outputs, plain_cost
from tinya2i.ops.windows import Pair, out_sizes, pad
from tinya2i.threads import in_shares, slices

PORTION_BYTES = 64 << 20  # scratch memory for a portion of the batch


def pays(x: tuple[int, ...], y: tuple[int, ...], kernel: Pair, stride: Pair) -> bool:
    """Whether this module can do a convolution of shape x to y, and faster than `convolution`."""
    n, oh, ow, c_out = y
    if any(k != 2 * s for k, s in zip(kernel, stride, strict=True)):
        return False
    cost, _ = cheapest(n, (oh, ow), math.prod(stride) * x[3], c_out)
    return cost < plain_cost(n, (oh, ow), c_out)


def conv(X: Array, W: Array, b: Array | None, kernel: Pair, stride: Pair, padding: Pair) -> Array:
    """Y = im2col(X) @ W + b: X (n, h, w, c_in), W (kh*kw*c_in, c_out) -> Y (n, oh, ow, c_out)."""
    Y = np.empty((len(X), *out_sizes(X.shape[1:3], kernel, stride, padding), W.shape[1]), X.dtype)
    tiles = _tiles(W, Y, stride)
    U = _weights(W, tiles, stride)
    for part in _portions(W, Y, tiles):
        M = _products(_pixels(X[part], tiles, stride, padding), U, W.shape[1])
        _write_outputs(Y[part], M, b, tiles)
    return Y


def conv_input_grad(
    dY: Array, W: Array, b: Array | None, shape: tuple[int, ...], kernel: Pair, stride: Pair,
    padding: Pair,
) -> Array:  # fmt: skip
    """dX = col2im(dY @ W.T) + b, of the given shape (n, h, w, c_in)."""
    dX = np.empty(shape, dY.dtype)
    tiles = _tiles(W, dY, stride)
    U = _weights(W, tiles, stride)
    for part in _portions(W, dY, tiles):
        dV = _products(_output_grads(dY[part], tiles), lambda i: U(i).T, len(W) // 4)
        _write_pixel_grads(dX[part], dV, b, tiles, stride, padding)
    return dX


def conv_weight_grad(
    dW: Array, add: bool, X: Array, dY: Array, kernel: Pair, stride: Pair, padding: Pair
) -> None:
    """dW += im2col(X).T @ dY in place, or dW = ... without add: dW (kh*kw*c_in, c_out)."""
    tiles = _tiles(dW, dY, stride)
    dU = None
    for part in _portions(dW, dY, tiles):
        V, dM = _pixels(X[part], tiles, stride, padding), _output_grads(dY[part], tiles)
        dU = _products(V.swapaxes(1, 2), dM.__getitem__, dM.shape[2], dU)
    _write_weight_grads(dW, add, dU, tiles, stride)


def _tiles(W: Array, Y: Array, stride: Pair) -> Tiles:
    return cheapest(len(Y), Y.shape[1:3], len(W) // 4, W.shape[1])[1]


def _portions(W: Array, Y: Array, tiles: Tiles) -> list[slice]:
    """Slices of the batch whose V and M take PORTION_BYTES."""
    numbers = tiles.products * tiles.count * (len(W) // 4 + W.shape[1])
    return slices(0, len(Y), numbers * Y.itemsize, least=PORTION_BYTES)


def _weights(W: Array, tiles: Tiles, stride: Pair) -> Callable[[int], Array]:
    """U = G g G^T of W (2*sh*2*sw*c, c_out), a matrix at a time: U(i) (sh*sw*c, c_out), i < q.

    All of them are larger than W: each is made when it is used, and does not leave the cache.
    """
    G = np.kron(tiles.y.G, tiles.x.G).astype(W.dtype)
    taps = np.ascontiguousarray(_taps(W, stride)).reshape(4, -1)
    return lambda i: (G[i] @ taps).reshape(-1, W.shape[1])


def _write_weight_grads(dW: Array, add: bool, dU: Array | None, tiles: Tiles, stride: Pair) -> None:
    """dg += G^T dU G in place, or dg = ... without add; no dU: no batch."""
    G = np.kron(tiles.y.G, tiles.x.G).astype(dW.dtype)
    taps = _taps(dW, stride)
    dg = 0 if dU is None else matmul(G.T, dU.reshape(len(dU), -1)).reshape(taps.shape)
    np.add(taps, dg, out=taps) if add else np.copyto(taps, dg)


def _taps(W: Array, stride: Pair) -> Array:
    """A view (2, 2, sh, sw, c_in, c_out): the weights of the 2x2 kernel on blocks."""
    return W.reshape(2, stride[0], 2, stride[1], -1, W.shape[1]).swapaxes(1, 2)


def _products(A: Array, B: Callable[[int], Array], columns: int, C: Array | None = None) -> Array:
    """A (q, m, k) @ B(i) (k, columns), for each i < q; added to C, if that is there."""
    (q, m, _), add = A.shape, C is not None
    C = C if add else np.empty((q, m, columns), A.dtype)

    def work(parts: Iterable[slice]) -> None:
        for i in itertools.chain.from_iterable(range(q)[part] for part in parts):
            product(A[i], B(i), C[i], add)

    in_shares(np, q, A[0].nbytes + C[0].nbytes, work, fewest=1)
    return C


def _pixels(X: Array, tiles: Tiles, stride: Pair, padding: Pair) -> Array:
    """V = B D B^T: X (n, h, w, c) -> (q, n*tiles, sh*sw*c)."""

    def view(part: slice) -> Array:
        return blocks(pad(X[part], padding), tiles, stride)

    c = math.prod(stride) * X.shape[3]
    return forth(tiles.y.B, tiles.x.B, view, len(X), tiles.count, c, X.dtype)


def _write_pixel_grads(
    dX: Array, dV: Array, b: Array | None, tiles: Tiles, stride: Pair, padding: Pair
) -> None:
    """dD = B^T dV B, added up where tiles share a block: dX = dP without the padding, + b."""
    (_, h, w, c), (ph, pw) = dX.shape, padding

    def write(part: slice, R: Array) -> None:
        P = np.zeros((part.stop - part.start, h + 2 * ph, w + 2 * pw, c), dX.dtype)
        D = blocks(P, tiles, stride)
        R = R.reshape(D.shape)
        for y, x in np.ndindex(D.shape[3:5]):
            D[:, :, :, y, x] += R[:, :, :, y, x]
        np.add(P[:, ph : ph + h, pw : pw + w], 0 if b is None else b, out=dX[part])

    back(tiles.y.B.T, tiles.x.B.T, dV, len(dX), write)


def _write_outputs(Y: Array, M: Array, b: Array | None, tiles: Tiles) -> None:
    """Y = A M A^T + b: M (q, n*tiles, c_out) -> Y (n, oh, ow, c_out)."""

    def write(part: slice, R: Array) -> None:
        D = outputs(Y[part], tiles)
        np.add(R.reshape(D.shape), 0 if b is None else b, out=D)

    back(tiles.y.A, tiles.x.A, M, len(Y), write)


def _output_grads(dY: Array, tiles: Tiles) -> Array:
    """dM = A^T dY A: dY (n, oh, ow, c_out) -> (q, n*tiles, c_out)."""

    def view(part: slice) -> Array:
        return outputs(dY[part], tiles)

    return forth(tiles.y.A.T, tiles.x.A.T, view, len(dY), tiles.count, dY.shape[3], dY.dtype)
