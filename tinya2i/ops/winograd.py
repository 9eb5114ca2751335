"""Convolution with 9 multiplications where 16 seem necessary, for kernels of twice the stride.

Cut the image into blocks of stride x stride pixels and call a block one pixel with more channels:
a 4x4 kernel with stride 2 becomes a 2x2 kernel with stride 1. Along one axis, two outputs of such a
kernel (g0, g1) on the pixels d0, d1, d2 are

    y0 = d0 g0 + d1 g1        m0 = (d0 - d1) g0        y0 = m0 + m1
    y1 = d1 g0 + d2 g1        m1 = d1 (g0 + g1)        y1 = m1 + m2
                              m2 = (d2 - d1) g1

with three products instead of four (Winograd 1980; F(2, 2) in Lavin and Gray 2016). Pixels and
weights are matrices here, so a product is a matrix product, and the sums around it cost little.
Along both axes 3 * 3 products replace 4 * 4. The sums have no factors but 1 and -1, so hardly any
accuracy is lost.

The three functions equal those of the same names in `convolution`, for even numbers of outputs;
gradients run the same steps backwards. The nine products come in three rows, made one after the
other, so that a row is still in the cache when it is used. Helpers work along axis 1 alone; the
other axis has its turn after `swapaxes(1, 2)`.
"""

import math
import operator
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from tinya2i.backend import Array
from tinya2i.ops.windows import Pair, out_sizes, pad, windows
from tinya2i.threads import in_shares

LEAST_WEIGHTS = 128 * 256  # c_in * c_out: with fewer, the sums take longer than they save
LEAST_FOR_INPUT_GRAD = 64 * 128  # there they spare col2im, which adds up all windows
Rows = Iterable[list[Array]]  # three times three


def pays(
    c_in: int, c_out: int, out: Pair, kernel: Pair, stride: Pair, least: int = LEAST_WEIGHTS
) -> bool:
    """Whether this module can do a convolution to `out` pixels, and faster than `convolution`."""
    fits = all(k == 2 * s and o % 2 == 0 for k, s, o in zip(kernel, stride, out, strict=True))
    return fits and c_in * c_out >= least


def conv(X: Array, W: Array, b: Array | None, kernel: Pair, stride: Pair, padding: Pair) -> Array:
    """Y = im2col(X) @ W + b: X (n, h, w, c_in), W (kh*kw*c_in, c_out) -> Y (n, oh, ow, c_out)."""
    out = out_sizes(X.shape[1:3], kernel, stride, padding)
    Y = np.empty((len(X), *out, W.shape[1]), X.dtype)
    U = _weights(W, stride)

    def work(parts: Iterable[slice]) -> None:
        for part in parts:
            V = _tiles(_blocks(pad(X[part], padding), stride, Y.shape))
            _outputs(_each(operator.matmul, V, U), Y[part])
            if b is not None:
                Y[part] += b

    _in_shares(W, Y, work)
    return Y


def conv_input_grad(
    dY: Array, W: Array, b: Array | None, shape: tuple[int, ...], kernel: Pair, stride: Pair,
    padding: Pair,
) -> Array:  # fmt: skip
    """dX = col2im(dY @ W.T) + b, of the given shape (n, h, w, c_in)."""
    (_, h, w, c), (ph, pw) = shape, padding
    dX = np.empty(shape, dY.dtype)
    U = _weights(W, stride)

    def work(parts: Iterable[slice]) -> None:
        for part in parts:
            dV = _each(lambda S, U: S @ U.T, _output_grads(dY[part]), U)
            P = np.empty((len(dY[part]), h + 2 * ph, w + 2 * pw, c), dY.dtype)
            D = _blocks(P, stride, dY.shape)
            _tile_grads(dV, D)
            P[:, D.shape[1] * stride[0] :] = 0  # pixels behind the last window
            P[:, :, D.shape[2] * stride[1] :] = 0
            np.add(P[:, ph : ph + h, pw : pw + w], 0 if b is None else b, out=dX[part])

    _in_shares(W, dY, work)
    return dX


def conv_weight_grad(
    dW: Array, X: Array, dY: Array, kernel: Pair, stride: Pair, padding: Pair
) -> None:
    """dW += im2col(X).T @ dY, in place: dW (kh*kw*c_in, c_out)."""

    def work(parts: Iterable[slice]) -> Rows:
        total = None
        for part in parts:
            V = _tiles(_blocks(pad(X[part], padding), stride, dY.shape))
            dU = _each(lambda V, S: V.T @ S, V, _output_grads(dY[part]))
            total = list(dU if total is None else _each(operator.iadd, total, dU))
        return total

    for dU in _in_shares(dW, dY, work, fixed=True):
        _add_weight_grads(dW, dU, stride)


def _in_shares(W: Array, Y: Array, work: Callable, fixed: bool = False) -> list:
    """Slices whose tiles and products take as much memory as the weights, or more.

    Each slice reads all weights, which are most of the traffic where images are small.
    """
    tiles = Y[0, ..., 0].size // 4
    item = tiles * 9 * (len(W) // 4 + W.shape[1]) * Y.itemsize
    return in_shares(np, len(Y), item, work, fixed, least=W.nbytes)


def _each(function: Callable[[Array, Array], Array], A: Rows, B: Rows) -> Iterator[list[Array]]:
    for rows in zip(A, B, strict=True):
        yield [function(a, b) for a, b in zip(*rows, strict=True)]


def _blocks(X: Array, stride: Pair, out: tuple[int, ...]) -> Array:
    """A view (n, oh + 1, ow + 1, sh, sw, c) of all blocks that outputs (n, oh, ow, ...) see."""
    return windows(X, stride, stride)[:, : out[1] + 1, : out[2] + 1]


def _tiles(D: Array) -> Rows:
    """The pixels' side of the products: matrices (n*tiles, sh*sw*c) from blocks D."""
    width = math.prod(D.shape[3:])
    for R in _differences(D):
        yield [V.reshape(-1, width) for V in _differences(R.swapaxes(1, 2))]


def _differences(D: Array) -> list[Array]:
    """d0 - d1, d1, d2 - d1: a tile begins at every other block and shares its last one."""
    even, odd = D[:, 0::2], D[:, 1::2]
    return [
        np.subtract(even[:, :-1], odd, order="C"), odd, np.subtract(even[:, 1:], odd, order="C")
    ]  # fmt: skip


def _tile_grads(dV: Rows, dD: Array) -> None:
    """The adjoint of `_tiles`, written into the blocks dD."""
    n, y, x, *block = dD.shape
    rows = []
    for row in dV:
        R = np.empty((n, x, y // 2, *block), dD.dtype)
        _difference_grads([V.reshape(n, x // 2, y // 2, *block) for V in row], R)
        rows.append(R.swapaxes(1, 2))
    _difference_grads(rows, dD)


def _difference_grads(dV: list[Array], dD: Array) -> None:
    """dd0 = dv0, dd1 = dv1 - dv0 - dv2, dd2 = dv2, added up where tiles meet."""
    even, odd = dD[:, 0::2], dD[:, 1::2]
    even[:, :-1] = dV[0]
    even[:, -1:] = 0
    even[:, 1:] += dV[2]
    np.subtract(dV[1], dV[0], out=odd)
    odd -= dV[2]


def _outputs(M: Rows, Y: Array) -> None:
    """The sums behind the products, written into Y (n, oh, ow, c_out)."""
    n, oh, ow, c = Y.shape
    rows = []
    for row in M:
        R = np.empty((n, ow, oh // 2, c), Y.dtype)
        _sums([m.reshape(n, ow // 2, oh // 2, c) for m in row], R)
        rows.append(R.swapaxes(1, 2))
    _sums(rows, Y)


def _sums(M: list[Array], Y: Array) -> None:
    """y0 = m0 + m1, y1 = m1 + m2."""
    np.add(M[0], M[1], out=Y[:, 0::2])
    np.add(M[1], M[2], out=Y[:, 1::2])


def _output_grads(dY: Array) -> Rows:
    """The adjoint of `_outputs`: matrices (n*tiles, c_out)."""
    for R in _sum_grads(dY):
        yield [S.reshape(-1, dY.shape[-1]) for S in _sum_grads(R.swapaxes(1, 2))]


def _sum_grads(dY: Array) -> list[Array]:
    """dm0 = dy0, dm1 = dy0 + dy1, dm2 = dy1."""
    even, odd = dY[:, 0::2], dY[:, 1::2]
    return [even, even + odd, odd]


def _weights(W: Array, stride: Pair) -> Rows:
    """The weights' side of the products: g0, g0 + g1, g1 along both axes, (sh*sw*c_in, c_out)."""
    return [
        [U.reshape(-1, W.shape[1]) for U in _weight_sums(R)]
        for R in _weight_sums(_taps(W, stride))
    ]  # fmt: skip


def _weight_sums(G: Array) -> list[Array]:
    return [G[0], G[0] + G[1], G[1]]


def _add_weight_grads(dW: Array, dU: Rows, stride: Pair) -> None:
    """The adjoint of `_weights`: dg0 = du0 + du1, dg1 = du1 + du2 along both axes."""
    dG = _taps(dW, stride)
    for y, x, i, j in np.ndindex(2, 2, 2, 2):
        dG[y, x] += dU[y + i][x + j].reshape(dG.shape[2:])


def _taps(W: Array, stride: Pair) -> Array:
    """A view (2, 2, sh, sw, c_in, c_out): the weights of the 2x2 kernel on blocks."""
    return W.reshape(2, stride[0], 2, stride[1], -1, W.shape[1]).swapaxes(1, 2)
