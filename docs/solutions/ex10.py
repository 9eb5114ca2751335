"""Solutions of chapter 10, and answers that the checkers must refuse, with what they must say."""

import numpy as np


def _sigmoid(Z):
    return 1 / (1 + np.exp(-Z))


def output_gradients(Z, T):
    Y = _sigmoid(Z)
    return 2 * (Y - T) * Y * (1 - Y) / len(Z), (Y - T) / len(Z)


def linear_gradients(X, A, B):
    z = X @ A
    D = z @ B - X
    dY = 2 * D / len(X)
    dz = dY @ B.T
    return (D * D).sum() / len(X), X.T @ dz, z.T @ dY


def train_linear(X, d, sign=1):
    rng = np.random.default_rng(0)
    p = X.shape[1]
    A, B = 0.1 * rng.standard_normal((p, d)), 0.1 * rng.standard_normal((d, p))
    for _ in range(2000):
        _, dA, dB = linear_gradients(X, A, B)
        A, B = A - sign * 0.01 * dA, B - sign * 0.01 * dB
    return A, B


def best_width(variances, sigma):
    return int((np.asarray(variances) > sigma**2).sum())  # each such direction lowers (10.11)


def _pca(X, d, which):
    V = np.linalg.eigh(X.T @ X)[1][:, which]
    return V[:, :d], V[:, :d].T


WRONG = {
    "output_gradients": {
        "not through the sigmoid": (
            lambda Z, T: (2 * (_sigmoid(Z) - T) / len(Z), (_sigmoid(Z) - T) / len(Z)),
            "through the sigmoid",
        ),
        "the slope kept in the cross-entropy": (
            lambda Z, T: (output_gradients(Z, T)[0], output_gradients(Z, T)[0] / 2),
            "cancels in the cross-entropy",
        ),
        "a mean over pixels": (
            lambda Z, T: tuple(dZ / Z.shape[1] for dZ in output_gradients(Z, T)),
            "divide by n, not by n p",
        ),
        "no mean over the batch": (
            lambda Z, T: tuple(dZ * len(Z) for dZ in output_gradients(Z, T)),
            "mean over the batch",
        ),
        "logits against targets": (
            lambda Z, T: (output_gradients(Z, T)[0], (Z - T) / len(Z)),
            "not with logits",
        ),
        "the sign": (lambda Z, T: tuple(-dZ for dZ in output_gradients(Z, T)), "sign"),
    },
    "linear_gradients": {
        "X for z": (
            lambda X, A, B: (
                *linear_gradients(X, A, B)[:2],
                2 / len(X) * B @ X.T @ (X @ A @ B - X),
            ),
            "the decoder's input is the code",
        ),
        "a mean over pixels": (
            lambda X, A, B: (
                ((X @ A @ B - X) ** 2).mean(),
                *linear_gradients(X, A, B)[1:],
            ),
            "sum over pixels",
        ),
        "no mean over the batch": (
            lambda X, A, B: tuple(len(X) * each for each in linear_gradients(X, A, B)),
            "mean over the batch",
        ),
        "not back through the decoder": (
            lambda X, A, B: (
                linear_gradients(X, A, B)[0],
                2 / len(X) * X.T @ X @ A,
                linear_gradients(X, A, B)[2],
            ),
            "way back through the decoder",
        ),
        "the factor 2": (
            lambda X, A, B: (
                linear_gradients(X, A, B)[0],
                *(each / 2 for each in linear_gradients(X, A, B)[1:]),
            ),
            "half of it",
        ),
    },
    "train_linear": {
        "uphill": (lambda X, d: train_linear(X, d, sign=-1), "uphill"),
        "the smallest directions": (
            lambda X, d: _pca(X, d, slice(None)),
            "smallest variance",
        ),
        "started at zero": (
            lambda X, d: (np.zeros((X.shape[1], d)), np.zeros((d, X.shape[1]))),
            "mean picture",
        ),
        "one direction too few": (
            lambda X, d: tuple(
                np.pad(each, pad)
                for each, pad in zip(
                    _pca(X, d - 1, slice(None, None, -1)),
                    (((0, 0), (0, 1)), ((0, 1), (0, 0))),
                    strict=True,
                )
            ),
            "that of PCA is",
        ),
        "too wide": (
            lambda X, d: _pca(X, d + 1, slice(None, None, -1)),
            "is asked for",
        ),
    },
    "best_width": {
        "sigma for sigma squared": (
            lambda variances, sigma: (variances > sigma).sum(),
            "not the standard deviation",
        ),
        "twice the price": (
            lambda variances, sigma: (variances > 2 * sigma**2).sum(),
            "not twice",
        ),
        "left out": (lambda variances, sigma: (variances <= sigma**2).sum(), "leave out"),
        "the widest": (lambda variances, sigma: len(variances), "always wins"),
        "not sorted": (
            lambda variances, sigma: int(
                np.argmin(
                    variances.sum()
                    - np.cumsum([0, *variances])
                    + sigma**2 * np.arange(len(variances) + 1)
                )
            ),
            "largest first",
        ),
    },
}
