"""Solutions of chapter 6, and answers that the checkers must refuse, with what they must say."""

import numpy as np


def batchnorm_forward(X, gamma, beta, eps):
    mean, var = X.mean(axis=(0, 1, 2)), X.var(axis=(0, 1, 2))  # NumPy's var is the biased one
    return gamma * (X - mean) / np.sqrt(var + eps) + beta


def batchnorm_backward(dY, X, gamma, eps):
    axes, m = (0, 1, 2), X.size // X.shape[-1]
    D = X - X.mean(axis=axes)
    s = np.sqrt((D**2).mean(axis=axes) + eps)
    N = D / s
    dN = dY * gamma
    dvar = -(dN * D).sum(axis=axes) / (2 * s**3)
    dD = dN / s + 2 * D * dvar / m
    return dD - dD.mean(axis=axes), (dY * N).sum(axis=axes), dY.sum(axis=axes)


def batchnorm_backward_alt(dY, N, s, gamma):
    return gamma / s * (dY - dY.mean(axis=0) - N * (dY * N).mean(axis=0))


def running(mean, var, X, momentum):
    m = X.size // X.shape[-1]
    new_mean, new_var = X.mean(axis=(0, 1, 2)), X.var(axis=(0, 1, 2)) * m / (m - 1)
    return mean + momentum * (new_mean - mean), var + momentum * (new_var - var)


def _forward(axes, ddof=0, inside=True):
    """A forward over other axes, with another variance, or with eps outside the root."""

    def answer(X, gamma, beta, eps):
        var = X.var(axis=axes, ddof=ddof, keepdims=True)
        s = np.sqrt(var + eps) if inside else np.sqrt(var) + eps
        return gamma * (X - X.mean(axis=axes, keepdims=True)) / s + beta

    return answer


def _backward(first=1.0, second=1.0, less=0, axes=(0, 1, 2)):
    """A backward with the mean's and the spread's term so many times, over m - less rows."""

    def answer(dY, X, gamma, eps):
        m = np.prod([X.shape[axis] for axis in axes])
        s = np.sqrt(X.var(axis=axes) + eps)
        N = (X - X.mean(axis=axes)) / s
        mean, along = dY.sum(axis=axes) / (m - less), (dY * N).sum(axis=axes) / (m - less)
        dX = gamma / s * (dY - first * mean - second * N * along)
        return dX, (dY * N).sum(axis=axes), dY.sum(axis=axes)

    return answer


def _parts(gamma_axes=(0, 1, 2), mean=False):
    """The right dX, but sums over other axes, or means."""

    def answer(dY, X, gamma, eps):
        N = (X - X.mean(axis=(0, 1, 2))) / np.sqrt(X.var(axis=(0, 1, 2)) + eps)
        add = np.mean if mean else np.sum
        dX, _, dbeta = batchnorm_backward(dY, X, gamma, eps)
        return dX, add(dY * N, axis=gamma_axes), dbeta

    return answer


WRONG = {
    "batchnorm_forward": {
        "the batch alone": (_forward((0,)), "not over the batch alone"),
        "each picture alone": (_forward((1, 2)), "for itself"),
        "one mean for all channels": (_forward((0, 1, 2, 3)), "its own mean"),
        "the unbiased variance": (_forward((0, 1, 2), ddof=1), "biased variance"),
        "eps outside the root": (_forward((0, 1, 2), inside=False), "under the root"),
    },
    "batchnorm_backward": {
        "no mean term": (_backward(first=0), "the mean depends on X"),
        "no term with N, the variance a constant": (_backward(second=0), "variance depends on X"),
        "both constants": (_backward(first=0, second=0), "not constants"),
        "the root's half forgotten": (_backward(second=2), "twice too large"),
        "N - 1 for N": (_backward(less=1), "not by m - 1"),
        "axis 0 alone": (_backward(axes=(0,)), "not over the batch alone"),
        "a sign": (_backward(first=-1), "your value"),
        "gamma's sum over the batch alone": (_parts(gamma_axes=0), "height and width too"),
        "gamma's mean": (_parts(mean=True), "a sum, not a mean"),
    },
    "batchnorm_backward_alt": {
        "no mean term": (
            lambda dY, N, s, gamma: gamma / s * (dY - N * (dY * N).mean(axis=0)),
            "the mean depends on X",
        ),
        "no term with N": (
            lambda dY, N, s, gamma: gamma / s * (dY - dY.mean(axis=0)),
            "variance depends on X",
        ),
        "both constants": (lambda dY, N, s, gamma: gamma / s * dY, "not constants"),
        "sums": (
            lambda dY, N, s, gamma: gamma / s * (dY - dY.sum(axis=0) - N * (dY * N).sum(axis=0)),
            "not sums",
        ),
        "gamma forgotten": (
            lambda dY, N, s, gamma: (dY - dY.mean(axis=0) - N * (dY * N).mean(axis=0)) / s,
            "gamma is missing",
        ),
        "over the channels": (
            lambda dY, N, s, gamma: (
                gamma
                / s
                * (dY - dY.mean(axis=1, keepdims=True) - N * (dY * N).mean(axis=1, keepdims=True))
            ),
            "not over the channels",
        ),
    },
    "running": {
        "the biased variance": (
            lambda mean, var, X, r: (
                mean + r * (X.mean(axis=(0, 1, 2)) - mean),
                var + r * (X.var(axis=(0, 1, 2)) - var),
            ),
            "unbiased",
        ),
        "the other convention": (
            lambda mean, var, X, r: running(mean, var, X, 1 - r),
            "weight of the new batch",
        ),
        "examples counted, not pixels": (
            lambda mean, var, X, r: (
                mean + r * (X.mean(axis=(0, 1, 2)) - mean),
                var + r * (X.var(axis=(0, 1, 2)) * len(X) / (len(X) - 1) - var),
            ),
            "pixels of all examples",
        ),
        "nothing remembered": (lambda mean, var, X, r: running(mean, var, X, 1), "old value"),
    },
}
