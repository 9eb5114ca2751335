"""Windows of images as rows of a matrix, and added back."""

from tinya2i.backend import Array, array_module
from tinya2i.kernels.launch import launch, lines

Pair = tuple[int, int]


def im2col(X: Array, kernel: Pair, stride: Pair, padding: Pair) -> Array:
    """Every window of X as a row: (n*oh*ow, kh*kw*c), always in C order; equals ops.im2col."""
    xp, (n, h, w, c) = array_module(X), X.shape
    oh, ow = _windows((h, w), kernel, stride, padding)
    cols = xp.empty((n * oh * ow, kernel[0] * kernel[1] * c), X.dtype)
    stretches = n * oh * ow * kernel[0]
    geometry = (stretches, h, w, c, *kernel, *stride, *padding, oh, ow)
    X = xp.ascontiguousarray(X)
    launch("im2col", X.dtype, *lines(stretches, kernel[1] * c), X, cols, *geometry)
    return cols


def col2im(
    cols: Array, shape: tuple[int, ...], kernel: Pair, stride: Pair, padding: Pair,
    b: Array | None = None,
) -> Array:  # fmt: skip
    """Each row added back onto the window that it was copied from, + b; equals ops.col2im + b.

    cols (n*oh*ow, kh*kw*c), b (c,) -> image of the given shape (n, h, w, c).
    """
    xp, (n, h, w, c) = array_module(cols), shape
    oh, ow = _windows((h, w), kernel, stride, padding)
    X = xp.empty(shape, cols.dtype)
    geometry = (n * h * w, h, w, c, *kernel, *stride, *padding, oh, ow)
    cols = xp.ascontiguousarray(cols)
    launch("col2im", cols.dtype, *lines(n * h * w, c), cols, b, X, *geometry)
    return X


def _windows(sizes: Pair, kernel: Pair, stride: Pair, padding: Pair) -> Pair:
    """ops.out_size along both axes."""
    axes = zip(sizes, kernel, stride, padding, strict=True)
    oh, ow = ((size + 2 * p - k) // s + 1 for size, k, s, p in axes)
    if oh < 1 or ow < 1:
        raise ValueError(f"a window of {kernel} does not fit into {sizes} pixels and {padding}")
    return oh, ow
