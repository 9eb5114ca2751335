"""Checkers of chapter 4."""

import numpy as np
from checking import Wrong, compare

SIZES = [(7, 3, 1, 0), (8, 3, 2, 0), (9, 4, 2, 1), (23, 4, 2, 0), (11, 5, 3, 2), (6, 1, 4, 0)]


def check_out_size(answer) -> None:
    def sizes(rule):
        return [rule(*case) for case in SIZES]

    mistakes = {
        "the window at 0 is missing: + 1": sizes(lambda n, k, s, p: (n + 2 * p - k) // s),
        "zeros stand on either side: 2 * padding": sizes(lambda n, k, s, p: (n + p - k) // s + 1),
        "half a stride is no window: round down": sizes(
            lambda n, k, s, p: -((k - n - 2 * p) // s) + 1
        ),
        "the last window begins a kernel before the end": sizes(
            lambda n, k, s, p: (n + 2 * p) // s
        ),
    }
    right = sizes(lambda n, k, s, p: len(range(0, n + 2 * p - k + 1, s)))
    found = sizes(answer)
    for mistake, wrong in mistakes.items():
        if found == wrong:
            raise Wrong(f"out_size: {mistake}")
    for case, yours, true in zip(SIZES, found, right, strict=True):
        compare(f"out_size{case}", yours, true)


def check_kernel_matrix(answer) -> None:
    W = np.random.default_rng(1).standard_normal((2, 3))
    h, w = 5, 4  # four rows of windows, two in a row

    def matrix(W):
        M = np.zeros((8, 20))
        for y, x, i, j in np.ndindex(4, 2, 2, 3):
            M[2 * y + x, 4 * (y + i) + x + j] = W[i, j]
        return M

    right = matrix(W)
    mistakes = {
        "the kernel is turned by 180 degrees; on the way there it is not": matrix(W[::-1, ::-1]),
        "that is the transpose, the way back": right.T,
        "at the end of a line the window begins anew on the next line": [
            np.roll(right[0], k) for k in range(8)
        ],
    }
    compare("M", answer(W, h, w), right, mistakes)


def check_input_grad(answer) -> None:
    rng = np.random.default_rng(2)
    W, dY = rng.standard_normal((3, 2, 4, 5)), rng.standard_normal((3, 2, 5))
    h, w, stride = 8, 5, 2  # the last row and the last column are left over

    def stamps(W, stride, add=True):
        dX = np.zeros((h, w, 4))
        for y, x, i, j in np.ndindex(3, 2, 3, 2):
            old = dX[y * stride + i, x * stride + j] if add else 0
            dX[y * stride + i, x * stride + j] = old + W[i, j] @ dY[y, x]
        return dX

    right = stamps(W, stride)
    mistakes = {
        "the kernel is turned by 180 degrees; a stamp is not, only the sliding form (4.6) is": (
            stamps(W[::-1, ::-1], stride)
        ),
        "dX has the shape of X: what no window reached gets 0": right[:7, :4],
        "where stamps overlap they add": stamps(W, stride, add=False),
        "each window lies a stride after the one before": stamps(W, 1),
    }
    compare("dX", answer(dY, W, h, w, stride), right, mistakes)


def check_weight_grad(answer) -> None:
    rng = np.random.default_rng(3)
    X, dY = rng.standard_normal((8, 5, 4)), rng.standard_normal((3, 2, 6))

    def gradient(stride):
        dW = np.zeros((3, 2, 4, 6))
        for y, x, i, j in np.ndindex(3, 2, 3, 2):
            dW[i, j] += np.outer(X[y * stride + i, x * stride + j], dY[y, x])
        return dW

    right = gradient(2)
    mistakes = {
        "each window lies a stride after the one before": gradient(1),
        "the kernel is turned by 180 degrees": right[::-1, ::-1],
        "dW is a sum over the places, not a mean": right / 6,
        "the channels are exchanged: (kh, kw, c, d)": right.swapaxes(2, 3),
    }
    compare("dW", answer(dY, X, 3, 2, 2), right, mistakes)
