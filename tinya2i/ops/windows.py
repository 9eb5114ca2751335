"""Windows of images, as a view, as a matrix, and added back."""

from tinya2i import kernels
from tinya2i.backend import Array, array_module

Pair = tuple[int, int]


def pair(value: int | Pair) -> Pair:
    """3 -> (3, 3); (3, 5) -> (3, 5)."""
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))


def out_size(size: int, kernel: int, stride: int, padding: int) -> int:
    """floor((size + 2*padding - kernel) / stride) + 1: how many windows fit along one axis."""
    n = (size + 2 * padding - kernel) // stride + 1
    if n < 1:
        raise ValueError(
            f"a window of {kernel} does not fit into {size} pixels padded by {padding}: "
            "use a smaller kernel, more padding or a larger image"
        )
    return n


def out_sizes(sizes: Pair, kernel: Pair, stride: Pair, padding: Pair) -> Pair:
    """out_size along both axes of an image of these sizes."""
    oh, ow = map(out_size, sizes, kernel, stride, padding)
    return oh, ow


def pad(X: Array, padding: Pair) -> Array:
    """Zeros around the two image axes."""
    ph, pw = padding
    if ph == 0 and pw == 0:
        return X
    n, h, w, c = X.shape
    P = array_module(X).zeros((n, h + 2 * ph, w + 2 * pw, c), X.dtype)
    P[:, ph : ph + h, pw : pw + w] = X
    return P


def windows(X: Array, kernel: Pair, stride: Pair) -> Array:
    """A view (n, oh, ow, kh, kw, c) of every window of X; no copy.

    Write through it only where windows do not overlap.
    """
    n, h, w, c = X.shape
    (kh, kw), (sh, sw) = kernel, stride
    oh, ow = out_sizes((h, w), kernel, stride, (0, 0))
    a, b, d, e = X.strides
    shape, strides = (n, oh, ow, kh, kw, c), (a, b * sh, d * sw, b, d, e)
    return array_module(X).lib.stride_tricks.as_strided(X, shape, strides)


def im2col(X: Array, kernel: Pair, stride: Pair, padding: Pair) -> Array:
    """Every window of X as a row: (n*oh*ow, kh*kw*c), columns in the order kh, kw, c."""
    if kernels.usable(X):
        return kernels.im2col(X, kernel, stride, padding)
    V = windows(pad(X, padding), kernel, stride)
    n, oh, ow, kh, kw, c = V.shape
    if c > 1:
        return V.reshape(n * oh * ow, kh * kw * c)
    # One channel: rows would be copied kw numbers at a time. Taps first copies whole image rows,
    # and the transpose costs nothing, because BLAS reads either order.
    return V.transpose(3, 4, 0, 1, 2, 5).reshape(kh * kw, n * oh * ow).T


def col2im(cols: Array, shape: tuple[int, ...], kernel: Pair, stride: Pair, padding: Pair) -> Array:
    """The adjoint of im2col: add each row back onto the window that it was copied from.

    cols (n*oh*ow, kh*kw*c) -> image of the given shape (n, h, w, c).
    """
    if kernels.usable(cols):
        return kernels.col2im(cols, shape, kernel, stride, padding)
    X = array_module(cols).zeros(shape, cols.dtype)
    taps = cols.reshape(len(cols), kernel[0] * kernel[1], shape[-1]).swapaxes(0, 1)
    add_taps(X, taps, kernel, stride, padding)
    return X


def add_taps(X: Array, taps: Array, kernel: Pair, stride: Pair, padding: Pair) -> None:
    """X += col2im(cols), in place, from columns sorted by tap: (kh*kw, n*oh*ow, c).

    One strided addition for each tap: no pixel is written twice in one of them, so the sum is
    deterministic. What falls on the padding is left out.
    """
    n, h, w, c = X.shape
    (kh, kw), (sh, sw), (ph, pw) = kernel, stride, padding
    oh, ow = out_sizes((h, w), kernel, stride, padding)
    for i in range(kh):
        rows, ys = _inside(h, oh, i - ph, sh)
        for j in range(kw):
            columns, xs = _inside(w, ow, j - pw, sw)
            X[:, rows, columns] += taps[i * kw + j].reshape(n, oh, ow, c)[:, ys, xs]


def _inside(size: int, windows: int, shift: int, stride: int) -> tuple[slice, slice]:
    """Pixels window*stride + shift that lie in range(size), and the windows that they belong to."""
    first = max(0, -(shift // stride))  # the first window with a pixel at 0 or after
    count = max(0, min(windows, -((shift - size) // stride)) - first)
    start = first * stride + shift
    return slice(start, start + count * stride, stride), slice(first, first + count)
