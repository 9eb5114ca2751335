"""Solutions of chapter 5, and answers that the checkers must refuse, with what they must say."""

import numpy as np


def canvas(X, W, stride, add=True):
    """All stamps, before anything is cut off."""
    h, w, _ = X.shape
    kh, kw, c, _ = W.shape
    Y = np.zeros(((h - 1) * stride + kh, (w - 1) * stride + kw, c))
    for y, x in np.ndindex(h, w):
        at = slice(y * stride, y * stride + kh), slice(x * stride, x * stride + kw)
        Y[at] = Y[at] * add + W @ X[y, x]
    return Y


def transposed_conv(X, W, b, stride, padding):
    Y = canvas(X, W, stride)
    oh, ow, _ = Y.shape
    return Y[padding : oh - padding, padding : ow - padding] + b


def transposed_conv_backward(dY, X, W, stride):
    kh, kw = W.shape[:2]
    dX, dW = np.zeros_like(X), np.zeros_like(W)
    for y, x in np.ndindex(X.shape[:2]):
        window = dY[y * stride : y * stride + kh, x * stride : x * stride + kw]
        dX[y, x] = np.einsum("ijc,ijcd->d", window, W)
        dW += window[..., None] * X[y, x]
    return dX, dW, dY.sum(axis=(0, 1))


def doubling():
    # (h - 1) s - 2p + k = 2h for h = 7 and h = 14 asks for s = 2 and k = 2 + 2p. So k is even, and
    # stride 2 divides it: the counts cannot be uneven.
    return 4, 2, 1


def overlaps(size, kernel, stride):
    counts = [0] * ((size - 1) * stride + kernel)
    for y in range(size):
        for i in range(kernel):
            counts[y * stride + i] += 1
    return counts


def overwritten(X, W, b, stride, padding):
    Y = canvas(X, W, stride, add=False)
    return Y[padding:-padding, padding:-padding] + b


def bias_with_each_tap(X, W, b, stride, padding):
    ones = canvas(np.ones((*X.shape[:2], 1)), np.ones((*W.shape[:2], 1, 1)), stride)
    Y = canvas(X, W, stride) + b * ones
    return Y[padding:-padding, padding:-padding]


def backward_but(dX=None, dW=None, db=None):
    """The right answer with one part replaced by what a function of (dY, X, W, stride) says."""

    def answer(*given):
        parts = zip((dX, dW, db), transposed_conv_backward(*given), strict=True)
        return tuple(right if wrong is None else wrong(*given) for wrong, right in parts)

    return answer


WRONG = {
    "transposed_conv": {
        "overwritten": (overwritten, "they add"),
        "the bias with each tap": (bias_with_each_tap, "once to each large pixel"),
        "turned": (
            lambda X, W, b, s, p: transposed_conv(X, W[::-1, ::-1], b, s, p),
            "turned by 180",
        ),
        "cut off at -0": (
            lambda X, W, b, s, p: canvas(X, W, s)[p:-p, p:-p] + b,
            "size - padding",
        ),
        "not cut off": (lambda X, W, b, s, p: canvas(X, W, s) + b, "is cut off here"),
        "padded with zeros": (
            lambda X, W, b, s, p: np.pad(canvas(X, W, s), ((p, p), (p, p), (0, 0))) + b,
            "it adds nothing",
        ),
    },
    "transposed_conv_backward": {
        "turned": (
            backward_but(
                dX=lambda dY, X, W, s: transposed_conv_backward(dY, X, W[::-1, ::-1], s)[0]
            ),
            "a plain convolution",
        ),
        "dX without stride": (
            backward_but(dX=lambda dY, X, W, s: transposed_conv_backward(dY, X, W, 1)[0]),
            "steps through dY",
        ),
        "dW without stride": (
            backward_but(dW=lambda dY, X, W, s: transposed_conv_backward(dY, X, W, 1)[1]),
            "read with the stride",
        ),
        "roles exchanged": (
            backward_but(
                dW=lambda dY, X, W, s: transposed_conv_backward(dY, X, W, s)[1].swapaxes(2, 3)
            ),
            "channels are exchanged",
        ),
        "the bias averaged": (
            backward_but(db=lambda dY, X, W, s: dY.mean(axis=(0, 1))),
            "it is a sum",
        ),
        "the bias of the small picture": (
            backward_but(db=lambda dY, X, W, s: X.sum(axis=(0, 1))),
            "belongs to the large",
        ),
    },
    "doubling": {
        "kernel 3 without output padding": (lambda: (3, 2, 1), "become 13, not 14"),
        "right for 7 only": (lambda: (2, 3, 3), "14 pixels become 35, not 28"),
        "no overlap": (lambda: (2, 2, 0), "do not overlap"),
    },
    "overlaps": {
        "no margin": (
            lambda n, k, s: [-((u % s - k) // s) for u in range((n - 1) * s + k)],
            "near the margin",
        ),
        "without stride": (lambda n, k, s: overlaps(n, k, 1), "a stride after"),
        "cut short": (lambda n, k, s: overlaps(n, k, s)[: n * s], "as long as the others"),
    },
}
