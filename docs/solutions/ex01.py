"""Solutions of chapter 1, and answers that the checkers must refuse, with what they must say."""

import numpy as np


def linear_backward(dY, X, W):
    return dY @ W.T, X.T @ dY, dY.sum(axis=0)


def broadcast_backward(dY, X, s):
    return dY * s, (dY * X).sum(axis=0)


def twice(dy, x, w):
    inner = w * x
    return dy * inner + dy * w * x  # outer use: y = w * inner; inner use: inner = w * x


WRONG = {
    "linear_backward": {
        "the bias is not summed": (
            lambda dY, X, W: (dY @ W.T, X.T @ dY, dY),
            "sum over the rows",
        ),
        "averaged over the batch": (
            lambda dY, X, W: (dY @ W.T, X.T @ dY / len(X), dY.mean(axis=0)),
            "belongs to the loss",
        ),
        "summed over the outputs": (
            lambda dY, X, W: (dY @ W.T, X.T @ dY, dY.sum(axis=1)),
            "sum over the outputs",
        ),
        "the sign of the input's gradient": (
            lambda dY, X, W: (-dY @ W.T, X.T @ dY, dY.sum(axis=0)),
            "sign",
        ),
    },
    "broadcast_backward": {
        "not summed": (lambda dY, X, s: (dY * s, dY * X), "sum over the rows"),
        "without X": (lambda dY, X, s: (dY * s, dY.sum(axis=0)), "is missing"),
        "dY goes past s": (lambda dY, X, s: (dY, np.sum(dY * X, axis=0)), "through s"),
    },
    "twice": {
        "one use": (lambda dy, x, w: dy * w * x, "one of the two"),
        "a sign": (lambda dy, x, w: -2 * dy * w * x, "sign"),
        "twice too large": (lambda dy, x, w: 4 * dy * w * x, "twice too large"),
    },
}
