"""Solutions of chapter 17, and answers that the checkers must refuse, with what they must say."""

import numpy as np


def unit_backward(X, dU):
    r = np.linalg.norm(X, axis=1, keepdims=True)
    U = X / r
    return (dU - U * (U * dU).sum(axis=1, keepdims=True)) / r


def distance(U, V, dD, eps):
    C = U - V
    D = np.sqrt((C * C).sum(axis=1, keepdims=True) + eps**2)
    dU = dD * C / D
    return D, dU, -dU


def softmax(S, axis):
    E = np.exp(S - S.max(axis=axis, keepdims=True))
    return E / E.sum(axis=axis, keepdims=True)


def contrastive(X, Y, t):
    r = np.linalg.norm(X, axis=1, keepdims=True)
    return _contrastive(X / r, Y / np.linalg.norm(Y, axis=1, keepdims=True), t, r)


def _contrastive(U, V, t, r=None, axes=(1, 0), by=None):
    """InfoNCE of U and V with softmaxes over these axes; through the length if there is an r."""
    n, S = len(U), U @ V.T / t
    loss, dS = 0, np.zeros((n, n))
    for axis in axes:
        P = softmax(S, axis)
        loss -= np.log(P.diagonal()).sum() / (n * len(axes))
        dS += (P - np.eye(n)) / (n * len(axes))
    dU = dS @ V / (t if by is None else by)
    if r is not None:
        dU = (dU - U * (U * dU).sum(axis=1, keepdims=True)) / r
    return loss, dU


def search(D, asked, shown, k):
    return _search(D, asked, shown, k)


def _search(D, asked, shown, k, discount=None, ideal=True, hit=np.any):
    """search, with places for mistakes."""
    R = shown[D.argsort(axis=1, kind="stable")[:, :k]] == asked[:, None]
    discount = 1 / np.log2(np.arange(2, k + 2)) if discount is None else discount
    found = (shown == asked[:, None]).sum(axis=1)
    best = discount.cumsum()[np.minimum(found, k) - 1] if ideal else discount.sum()
    return hit(R, axis=1).mean(), (R @ discount / best).mean()


def _lengths(X):
    return np.linalg.norm(X, axis=1, keepdims=True)


def _normalised(answer):
    """A wrong answer that begins and ends as the right one does."""
    return lambda X, Y, t: answer(X / _lengths(X), Y / _lengths(Y), t, _lengths(X))


def _cone(U, V, dD, eps):
    D, dU, _ = distance(U, V, dD, 1e-150)
    return np.sqrt(D**2 + eps**2), dU, -dU


def _same_way(U, V, dD, eps):
    D, dU, _ = distance(U, V, dD, eps)
    return D, dU, dU


def _eps_beside(U, V, dD, eps):
    D, dU, dV = distance(U, V, dD, 1e-150)
    return D + eps, dU * D / (D + eps), dV * D / (D + eps)


WRONG = {
    "unit_backward": {
        "the term along U is dropped": (lambda X, dU: dU / _lengths(X), "along U must go"),
        "no 1/r": (lambda X, dU: unit_backward(X / _lengths(X), dU), "the longer X"),
        "X for U": (
            lambda X, dU: (dU - X * (X * dU).sum(axis=1, keepdims=True)) / _lengths(X),
            "unit vector, not X",
        ),
        "summed over the batch": (
            lambda X, dU: (dU - X / _lengths(X) * (X / _lengths(X) * dU).sum()) / _lengths(X),
            "row by row",
        ),
        "length of the batch": (
            lambda X, dU: unit_backward(X.reshape(1, -1), dU.reshape(1, -1)).reshape(X.shape),
            "one vector of length one",
        ),
    },
    "distance": {
        "the gradient has no eps": (_cone, "length 1 however near"),
        "of the square": (
            lambda U, V, dD, eps: (
                distance(U, V, dD, eps)[0],
                2 * dD * (U - V),
                -2 * dD * (U - V),
            ),
            "gradient of the square",
        ),
        "not divided": (
            lambda U, V, dD, eps: (distance(U, V, dD, eps)[0], dD * (U - V), dD * (V - U)),
            "divided by D",
        ),
        "eps not squared": (lambda U, V, dD, eps: distance(U, V, dD, eps**0.5), "eps^2"),
        "eps beside the root": (_eps_beside, "under the root"),
        "V goes with U": (_same_way, "pulled the other way"),
    },
    "contrastive": {
        "not normalised": (lambda X, Y, t: _contrastive(X, Y, t), "normalise"),
        "stops at the sphere": (
            lambda X, Y, t: _contrastive(X / _lengths(X), Y / _lengths(Y), t),
            "stops at U",
        ),
        "one way": (
            _normalised(lambda U, V, t, r: _contrastive(U, V, t, r, axes=(1,))),
            "each sound must find",
        ),
        "softmax over the wrong axis": (
            _normalised(lambda U, V, t, r: _contrastive(U, V, t, r, axes=(0,))),
            "wrong axis",
        ),
        "times t": (
            _normalised(lambda U, V, t, r: _contrastive(U, V, 1 / t, r)),
            "divided by t",
        ),
        "the gradient knows no t": (
            _normalised(lambda U, V, t, r: _contrastive(U, V, t, r, by=1)),
            "once more divided by t",
        ),
    },
    "search": {
        "the farthest": (lambda D, a, s, k: _search(-D, a, s, k), "farthest"),
        "precision": (lambda D, a, s, k: _search(D, a, s, k, hit=np.mean), "that is precision"),
        "ideal of k": (lambda D, a, s, k: _search(D, a, s, k, ideal=False), "fewer than k"),
        "no discount": (
            lambda D, a, s, k: _search(D, a, s, k, discount=np.ones(k)),
            "first place counts most",
        ),
        "by the rank alone": (
            lambda D, a, s, k: _search(D, a, s, k, discount=1 / np.arange(1, k + 1)),
            "logarithm",
        ),
    },
}
