"""Checkers of chapter 10."""

import numpy as np
from checking import Wrong, compare


def check_output_gradients(answer) -> None:
    rng = np.random.default_rng(1)
    Z, T = 2 * rng.standard_normal((5, 3)), rng.uniform(0, 1, (5, 3))
    Y = 1 / (1 + np.exp(-Z))
    D, slope = Y - T, Y * (1 - Y)
    mse, bce = answer(Z, T)
    averaged = "the loss is a sum over pixels: divide by n, not by n p"
    unshared = "the loss is a mean over the batch: divide by n"
    mistakes = {
        "that is the gradient by Y; it still has to go through the sigmoid": 2 * D / 5,
        "the derivative of a square has a factor 2": D * slope / 5,
        averaged: 2 * D * slope / 15,
        unshared: 2 * D * slope,
        "the sigmoid's slope is Y (1 - Y), not Z (1 - Z)": 2 * D * Z * (1 - Z) / 5,
    }
    compare("dZ of the squared error", mse, 2 * D * slope / 5, mistakes)
    mistakes = {
        "the sigmoid's slope cancels in the cross-entropy": D * slope / 5,
        averaged: D / 15,
        unshared: D,
        "the targets are compared with probabilities, not with logits": (Z - T) / 5,
    }
    compare("dZ of the cross-entropy", bce, D / 5, mistakes)


def check_linear_gradients(answer) -> None:
    rng = np.random.default_rng(2)
    X, A, B = (rng.standard_normal(shape) for shape in ((7, 4), (4, 2), (2, 4)))
    L, dA, dB = answer(X, A, B)
    D = X @ A @ B - X
    mistakes = {
        "the sum over pixels is missing: this is a mean over them": (D * D).mean(),
        "the loss is a mean over the batch": (D * D).sum(),
    }
    compare("L", L, (D * D).sum() / 7, mistakes)
    mistakes = {
        "dz is dY B^T: the way back through the decoder is missing": 2 / 7 * X.T @ X @ A,
        "the loss is a mean over the batch": 2 * X.T @ D @ B.T,
    }
    compare("dA", dA, 2 / 7 * X.T @ D @ B.T, mistakes)
    mistakes = {
        "the decoder's input is the code z = X A, not the picture": 2 / 7 * B @ X.T @ D,
        "the loss is a mean over the batch": 2 * A.T @ X.T @ D,
    }
    compare("dB", dB, 2 / 7 * A.T @ X.T @ D, mistakes)


def check_train_linear(answer) -> None:
    rng = np.random.default_rng(3)
    X = rng.standard_normal((60, 7)) * (3, 2, 1.2, 0.6, 0.4, 0.3, 0.2)
    X = (X - X.mean(axis=0)) @ np.linalg.qr(rng.standard_normal((7, 7)))[0]
    with np.errstate(all="ignore"):
        A, B = answer(X, 2)
        error = ((X @ A @ B - X) ** 2).sum() / 60
    for name, array, shape in (("A", A, (7, 2)), ("B", B, (2, 7))):
        if np.shape(array) != shape:
            raise Wrong(f"{name}: shape {np.shape(array)}, but {shape} is asked for")
    variances = np.linalg.eigvalsh(X.T @ X / 60)
    least, most = variances[:-2].sum(), variances.sum()
    if not error < 10 * most:
        raise Wrong("train_linear: the error grows: do the steps go uphill, or are they too long?")
    if abs(error - variances[2:].sum()) < 1e-6 * error:
        raise Wrong(
            "train_linear: these are the directions of the smallest variance, not the largest"
        )
    if abs(error - most) < 1e-6 * error:
        raise Wrong("train_linear: no better than the mean picture: did both start at zero?")
    if not error <= 1.01 * least:
        raise Wrong(f"train_linear: the error is {error:.4g}, that of PCA is {least:.4g}")


def check_best_width(answer) -> None:
    rng = np.random.default_rng(5)
    for sigma in (0.7, 1.4):
        # so spread that an answer that is one off is not taken for another mistake
        variances = rng.permutation(
            [4, 2.5, 1.7, 0.9, 0.8, 0.65, 0.6, 0.55, 0.38, 0.3, 0.2, 0.1, 0.05, 0.02]
        )
        mistakes = {
            "without noise in the price, the widest always wins": len(variances),
            "a direction costs the variance sigma^2, not the standard deviation": (
                (variances > sigma).sum()
            ),
            "a direction that is kept adds sigma^2 once, not twice": (
                (variances > 2 * sigma**2).sum()
            ),
            "these are the directions to leave out": (variances <= sigma**2).sum(),
            "the variances come in any order: sort them, the largest first": _unsorted(
                variances, sigma
            ),
        }
        compare("d", answer(variances, sigma), (variances > sigma**2).sum(), mistakes)


def _unsorted(variances: np.ndarray, sigma: float) -> int:
    left = variances.sum() - np.cumsum([0, *variances])
    return int(np.argmin(left + sigma**2 * np.arange(len(left))))
