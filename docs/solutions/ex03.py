"""Solutions of chapter 3, and answers that the checkers must refuse, with what they must say."""

import math

import numpy as np


def bce(Z, T):
    E = np.exp(-np.abs(Z))  # in 0..1
    L = (np.maximum(Z, 0) + np.log1p(E) - T * Z).sum() / len(Z)
    Y = np.where(Z >= 0, 1, E) / (1 + E)
    return L, (Y - T) / len(Z)


def cross_entropy(Z, labels):
    Z = Z - Z.max(axis=1, keepdims=True)
    log_p = Z - np.log(np.exp(Z).sum(axis=1, keepdims=True))
    rows = np.arange(len(Z))
    dZ = np.exp(log_p)
    dZ[rows, labels] -= 1
    return -log_p[rows, labels].mean(), dZ / len(Z)


def softmax_backward(dY, Y):
    return Y * (dY - (dY * Y).sum(axis=-1, keepdims=True))


def at_chance(k, pixels):
    return math.log(k), pixels * math.log(2)


def _naive_bce(Z, T):
    Y = 1 / (1 + np.exp(-Z))
    return -(T * np.log(Y) + (1 - T) * np.log(1 - Y)).sum() / len(Z), (Y - T) / len(Z)


def _clipped_bce(Z, T):
    dZ = bce(Z, T)[1]
    Y = np.clip(dZ * len(Z) + T, 1e-7, 1 - 1e-7)
    return -(T * np.log(Y) + (1 - T) * np.log(1 - Y)).sum() / len(Z), dZ


def _quiet(answer):
    def quiet(Z, *rest):
        with np.errstate(all="ignore"):
            return answer(Z, *rest)

    return quiet


def _with(answer, value=lambda L, dZ: L, gradient=lambda dZ, Z, rest: dZ):
    """answer, its value and its gradient changed."""

    def changed(Z, rest):
        L, dZ = answer(Z, rest)
        return value(L, dZ), gradient(dZ, Z, rest)

    return changed


def _unshifted(Z, labels):
    P = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
    return -np.log(P[np.arange(len(Z)), labels]).mean(), (P - np.eye(Z.shape[1])[labels]) / len(Z)


def _over_the_batch(Z, labels):
    P = np.exp(Z) / np.exp(Z).sum(axis=0)
    return -np.log(P[np.arange(len(Z)), labels]).mean(), (P - np.eye(Z.shape[1])[labels]) / len(Z)


def _sigmoid_twice(Z, T):
    return bce(1 / (1 + np.exp(-Z)), T)


def _softmax_bce(Z, T):
    P = np.exp(Z) / np.exp(Z).sum(axis=-1, keepdims=True)
    return -(T * np.log(P)).sum() / len(Z), (P - T) / len(Z)


WRONG = {
    "bce": {
        "from the probability": (_naive_bce, "what is exp of that"),
        "from the probability, warnings off": (_quiet(_naive_bce), "for logits of 10000"),
        "clipped": (_clipped_bce, "clipping"),
        "a mean over pixels": (
            _with(bce, lambda L, dZ: L * len(dZ) / dZ.size),
            "mean over the pixels",
        ),
        "the gradient is not a mean over the batch": (
            _with(bce, gradient=lambda dZ, Z, T: dZ * len(Z)),
            "so the gradient is, too",
        ),
        "the gradient by Y": (
            _with(bce, gradient=lambda dZ, Z, T: dZ * (2 + 2 * np.cosh(Z))),
            "goes on through the sigmoid",
        ),
        "the sigmoid's slope once more": (
            _with(bce, gradient=lambda dZ, Z, T: dZ / (2 + 2 * np.cosh(Z))),
            "has cancelled",
        ),
        "the sigmoid twice": (_sigmoid_twice, "twice"),
        "softmax for sigmoid": (_softmax_bce, "pixels do not compete"),
    },
    "cross_entropy": {
        "not shifted": (_unshifted, "what is exp of that"),
        "not shifted, warnings off": (_quiet(_unshifted), "10000"),
        "over the batch": (_over_the_batch, "over the batch"),
        "a sum over the batch": (_with(cross_entropy, lambda L, dZ: L * len(dZ)), "take the mean"),
        "the label is not subtracted": (
            lambda Z, labels: (
                cross_entropy(Z, labels)[0],
                cross_entropy(Z, labels)[1] + np.eye(Z.shape[1])[labels] / len(Z),
            ),
            "1 at the label",
        ),
        "only the label's logit": (
            _with(cross_entropy, gradient=lambda dZ, Z, labels: dZ * np.eye(Z.shape[1])[labels]),
            "others are in the sum",
        ),
    },
    "softmax_backward": {
        "as a sigmoid": (lambda dY, Y: dY * Y * (1 - Y), "share a sum"),
        "one path": (lambda dY, Y: dY * Y, "other paths"),
        "over the batch": (lambda dY, Y: Y * (dY - (dY * Y).sum(axis=0)), "over the last axis"),
        "the sum of dY": (lambda dY, Y: Y * (dY - dY.sum(axis=1, keepdims=True)), "not of dY"),
        "without Y": (lambda dY, Y: dY - (dY * Y).sum(axis=1, keepdims=True), "in front"),
        "a sign": (lambda dY, Y: -softmax_backward(dY, Y), "sign"),
    },
    "at_chance": {
        "bits": (lambda k, d: (math.log2(k), float(d)), "in bits"),
        "the probability": (lambda k, d: (1 / k, d * math.log(2)), "the probability"),
        "one pixel": (lambda k, d: (math.log(k), math.log(2)), "sum over them"),
        "pixels with k cases": (lambda k, d: (math.log(k), d * math.log(k)), "two cases"),
        "one number": (lambda k, d: math.log(k), "two things"),
    },
}
