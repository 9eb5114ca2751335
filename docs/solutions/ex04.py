"""Solutions of chapter 4, and answers that the checkers must refuse, with what they must say."""

import numpy as np


def out_size(size, kernel, stride, padding):
    return (size + 2 * padding - kernel) // stride + 1


def kernel_matrix(W, h, w):
    kh, kw = W.shape
    oh, ow = h - kh + 1, w - kw + 1
    M = np.zeros((oh, ow, h, w))
    for y, x in np.ndindex(oh, ow):
        M[y, x, y : y + kh, x : x + kw] = W
    return M.reshape(oh * ow, h * w)


def input_grad(dY, W, h, w, stride):
    kh, kw, c, _ = W.shape
    dX = np.zeros((h, w, c))  # of the picture's size: what no window reached stays 0
    for y, x in np.ndindex(dY.shape[:2]):
        dX[y * stride : y * stride + kh, x * stride : x * stride + kw] += W @ dY[y, x]
    return dX


def weight_grad(dY, X, kh, kw, stride):
    dW = np.zeros((kh, kw, X.shape[2], dY.shape[2]))
    for y, x in np.ndindex(dY.shape[:2]):
        window = X[y * stride : y * stride + kh, x * stride : x * stride + kw]
        dW += window[..., None] * dY[y, x]
    return dW


def overwritten(dY, W, h, w, stride):
    kh, kw, c, _ = W.shape
    dX = np.zeros((h, w, c))
    for y, x in np.ndindex(dY.shape[:2]):
        dX[y * stride : y * stride + kh, x * stride : x * stride + kw] = W @ dY[y, x]
    return dX


def only_what_was_reached(dY, W, h, w, stride):
    kh, kw = W.shape[:2]
    oh, ow = dY.shape[:2]
    return input_grad(dY, W, (oh - 1) * stride + kh, (ow - 1) * stride + kw, stride)


def offset_by_the_kernel(W, h, w):
    """Each row moved on by one place, across the end of a line of the picture."""
    kh, kw = W.shape
    oh, ow = h - kh + 1, w - kw + 1
    first = kernel_matrix(W, h, w)[0]
    return np.array([np.roll(first, k) for k in range(oh * ow)])


WRONG = {
    "out_size": {
        "no last window": (lambda n, k, s, p: (n + 2 * p - k) // s, "is missing"),
        "padding on one side": (lambda n, k, s, p: (n + p - k) // s + 1, "either side"),
        "rounded up": (lambda n, k, s, p: -((k - n - 2 * p) // s) + 1, "half a stride"),
        "without the kernel": (lambda n, k, s, p: (n + 2 * p) // s, "last window begins"),
    },
    "kernel_matrix": {
        "turned": (lambda W, h, w: kernel_matrix(W[::-1, ::-1], h, w), "turned by 180"),
        "transposed": (lambda W, h, w: kernel_matrix(W, h, w).T, "the way back"),
        "moved over the end of a line": (offset_by_the_kernel, "next line"),
    },
    "input_grad": {
        "turned": (
            lambda dY, W, h, w, s: input_grad(dY, W[::-1, ::-1], h, w, s),
            "turned by 180",
        ),
        "what the floor dropped": (only_what_was_reached, "the shape of X"),
        "overwritten": (overwritten, "overlap"),
        "without stride": (
            lambda dY, W, h, w, s: input_grad(dY, W, h, w, 1),
            "stride",
        ),
    },
    "weight_grad": {
        "without stride": (lambda dY, X, kh, kw, s: weight_grad(dY, X, kh, kw, 1), "stride"),
        "turned": (
            lambda dY, X, kh, kw, s: weight_grad(dY, X, kh, kw, s)[::-1, ::-1],
            "turned by 180",
        ),
        "a mean over the places": (
            lambda dY, X, kh, kw, s: weight_grad(dY, X, kh, kw, s) / dY[..., 0].size,
            "sum over the places",
        ),
        "channels exchanged": (
            lambda dY, X, kh, kw, s: weight_grad(dY, X, kh, kw, s).swapaxes(2, 3),
            "channels are exchanged",
        ),
    },
}
