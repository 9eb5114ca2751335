"""Pooling: a window becomes its largest or its average pixel."""

from collections.abc import Iterable, Iterator

from tinya2i import ops
from tinya2i.backend import Array, array_module
from tinya2i.layer import Backprop, Layer
from tinya2i.ops import Pair
from tinya2i.threads import in_shares


class _Pool2d(Layer):
    """Windows of `kernel` pixels every `stride` pixels (the kernel, unless given), no padding."""

    def __init__(self, kernel: int | Pair, stride: int | Pair | None = None):
        self.kernel = ops.pair(kernel)
        self.stride = self.kernel if stride is None else ops.pair(stride)

    def taps(self, X: Array) -> Iterator[Array]:
        """For each position in the window, the view (n, oh, ow, c) of that pixel of all windows."""
        (kh, kw), (sh, sw) = self.kernel, self.stride
        oh, ow = ops.out_sizes(X.shape[1:3], self.kernel, self.stride, (0, 0))
        for i in range(kh):
            for j in range(kw):
                yield X[:, i : i + sh * oh : sh, j : j + sw * ow : sw]


class MaxPool2d(_Pool2d):
    """Y[n,y,x,c] = max over i,j of X[n, y*s+i, x*s+j, c]

    X (n, h, w, c) -> (n, oh, ow, c). The gradient goes to the largest pixel, the first one of
    several equals, as in PyTorch. NaN in gives NaN out.
    """

    def _part(self, part: slice, by_rows: bool) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
        """Where these examples, or rows of outputs, and the pixels that they see are."""
        if not by_rows:
            return (part,), (part,)
        s, k = self.stride[0], self.kernel[0]
        return (slice(None), part), (slice(None), slice(part.start * s, (part.stop - 1) * s + k))

    def forward(self, X: Array, train: bool = True) -> tuple[Array, Backprop]:
        xp = array_module(X)
        taps = self.taps(X)
        Y = next(taps).copy(order="K")
        for tap in taps:
            xp.maximum(Y, tap, out=Y)

        def backprop(dY: Array, accumulate: bool = True, input_grad: bool = True) -> Array:
            tiles = self.stride == self.kernel and not any(
                size % k for size, k in zip(X.shape[1:3], self.kernel, strict=True)
            )  # every pixel is in one window, and will be written to
            dX = xp.empty_like(X) if tiles else xp.zeros_like(X)
            disjoint = all(s >= k for s, k in zip(self.stride, self.kernel, strict=True))
            # Where the batch is innermost in memory, slices of it would be short runs.
            by_rows = disjoint and X.strides[0] < X.strides[1]

            def work(parts: Iterable[slice]) -> None:
                for part in parts:
                    outputs, inputs = self._part(part, by_rows)
                    dy = xp.empty_like(Y[outputs])  # in Y's order in memory
                    dy[...] = dY[outputs]
                    free = xp.ones_like(dy, dtype=bool)  # windows that have not found their pixel
                    taps = zip(self.taps(X[inputs]), self.taps(dX[inputs]), strict=True)
                    for tap, d_tap in taps:
                        here = (tap == Y[outputs]) & free
                        free ^= here
                        if disjoint:
                            xp.multiply(dy, here, out=d_tap)
                        else:
                            d_tap += dy * here

            n = Y.shape[1] if by_rows else len(X)
            in_shares(xp, n, X.nbytes // max(1, n), work)
            return dX

        return Y, backprop


class AvgPool2d(_Pool2d):
    """Y[n,y,x,c] = 1/(kh kw) * sum over i,j of X[n, y*s+i, x*s+j, c]

    X (n, h, w, c) -> (n, oh, ow, c); each pixel of a window receives an equal share of dY.
    """

    def forward(self, X: Array, train: bool = True) -> tuple[Array, Backprop]:
        xp = array_module(X)
        share = 1 / (self.kernel[0] * self.kernel[1])

        def backprop(dY: Array, accumulate: bool = True, input_grad: bool = True) -> Array:
            dX = xp.zeros_like(X)
            for d_tap in self.taps(dX):
                d_tap += dY * share
            return dX

        return sum(self.taps(X)) * share, backprop
