"""Checkers of chapter 6."""

import numpy as np
from checking import compare

ALL = (0, 1, 2)  # the axes that share a mean: batch, height, width


def normalised(X: np.ndarray, axes: tuple[int, ...], eps: float, ddof: int = 0) -> np.ndarray:
    mean, var = X.mean(axis=axes, keepdims=True), X.var(axis=axes, keepdims=True, ddof=ddof)
    return (X - mean) / np.sqrt(var + eps)


def check_batchnorm_forward(answer) -> None:
    rng = np.random.default_rng(1)
    X, eps = rng.standard_normal((2, 3, 4, 5)) * 2 + 1, 0.1
    gamma, beta = rng.standard_normal(5), rng.standard_normal(5)
    centred = X - X.mean(axis=ALL)
    mistakes = {
        "the mean runs over batch, height and width, not over the batch alone": (
            gamma * normalised(X, (0,), eps) + beta
        ),
        "each picture was normalised for itself: the mean runs over the batch too": (
            gamma * normalised(X, (1, 2), eps) + beta
        ),
        "each channel has its own mean: not one for all channels": (
            gamma * normalised(X, (0, 1, 2, 3), eps) + beta
        ),
        "the batch normalises itself by the biased variance: divide by m, not by m - 1": (
            gamma * normalised(X, ALL, eps, ddof=1) + beta
        ),
        "eps stands under the root, beside the variance": (
            gamma * centred / (X.std(axis=ALL) + eps) + beta
        ),
        "divide by the root of the variance, not by the variance": (
            gamma * centred / (X.var(axis=ALL) + eps) + beta
        ),
        "gain and shift are missing": normalised(X, ALL, eps),
    }
    right = gamma * normalised(X, ALL, eps) + beta
    compare("Y", answer(X.copy(), gamma, beta, eps), right, mistakes)


def one_line(dY, N, s, gamma, axes=(0,), first=1.0, second=1.0) -> np.ndarray:
    """dX with the mean's term times `first` and the spread's times `second`."""
    mean, along = dY.mean(axis=axes, keepdims=True), (dY * N).mean(axis=axes, keepdims=True)
    return gamma / s * (dY - first * mean - second * N * along)


def gradient_mistakes(dY, N, s, gamma, m: int, axes: tuple[int, ...]) -> dict[str, np.ndarray]:
    def wrong(first: float, second: float) -> np.ndarray:
        return one_line(dY, N, s, gamma, axes, first, second)

    return {
        "mean and variance are not constants: they depend on X too": wrong(0, 0),
        "the mean depends on X: its term is missing": wrong(0, 1),
        "the variance depends on X: the term with N is missing": wrong(1, 0),
        "the term with N is twice too large: was the root's 1 / 2 forgotten?": (wrong(1, 2)),
        "the means divide by m, the number of rows, not by m - 1": wrong(m / (m - 1), m / (m - 1)),
        "means over the rows, not sums": wrong(m, m),
        "gamma is missing": wrong(1, 1) / gamma,
        "the division by s is missing": wrong(1, 1) * s,
    }


def check_batchnorm_backward(answer) -> None:
    rng = np.random.default_rng(2)
    X, dY, eps = rng.standard_normal((2, 3, 4, 5)) * 2 + 1, rng.standard_normal((2, 3, 4, 5)), 0.1
    gamma = rng.standard_normal(5)
    s, N = np.sqrt(X.var(axis=ALL) + eps), normalised(X, ALL, eps)
    dX, dgamma, dbeta = answer(dY.copy(), X.copy(), gamma, eps)
    mistakes = gradient_mistakes(dY, N, s, gamma, 24, ALL)
    s0 = np.sqrt(X.var(axis=0) + eps)
    mistakes["means run over batch, height and width, not over the batch alone"] = one_line(
        dY, normalised(X, (0,), eps), s0, gamma
    )
    mistakes["the statistics are right, but the two means run over the batch alone"] = one_line(
        dY, N, s, gamma
    )
    compare("dX", dX, one_line(dY, N, s, gamma, ALL), mistakes)
    for name, yours, each in (("dgamma", dgamma, dY * N), ("dbeta", dbeta, dY)):
        mistakes = {
            "sum over height and width too, not over the batch alone": each.sum(axis=0),
            "it was copied to every row, so its gradient is a sum, not a mean": each.mean(axis=ALL),
            "N is what gamma is multiplied with, not X": (dY * X).sum(axis=ALL),
        }
        compare(name, yours, each.sum(axis=ALL), mistakes)


def check_batchnorm_backward_alt(answer) -> None:
    rng = np.random.default_rng(3)
    X, dY, gamma = rng.standard_normal((7, 3)) * 2, rng.standard_normal((7, 3)), rng.random(3) + 0.5
    s, N = np.sqrt(X.var(axis=0) + 0.1), normalised(X, (0,), 0.1)
    mistakes = gradient_mistakes(dY, N, s, gamma, 7, (0,))
    mistakes["means over the rows, axis 0; not over the channels"] = one_line(
        dY, N, s, gamma, axes=(1,)
    )
    yours = answer(dY.copy(), N.copy(), s, gamma)
    compare("dX", yours, one_line(dY, N, s, gamma), mistakes)


def check_running(answer) -> None:
    rng = np.random.default_rng(4)
    X = rng.standard_normal((2, 3, 4, 5)) * 2 + 1
    mean, var, rho, m = rng.standard_normal(5), rng.random(5) + 0.5, 0.2, 24
    new_mean, new_var = X.mean(axis=ALL), X.var(axis=ALL)

    def moved(old: np.ndarray, new: np.ndarray, weight: float = rho) -> np.ndarray:
        return (1 - weight) * old + weight * new

    yours_mean, yours_var = answer(mean.copy(), var.copy(), X.copy(), rho)
    other = "momentum is the weight of the new batch here, not of the old value"
    plain = "the old value counts too: that is the batch's own"
    mistakes = {other: moved(mean, new_mean, 1 - rho), plain: new_mean}
    compare("mean", yours_mean, moved(mean, new_mean), mistakes)
    unbiased = new_var * m / (m - 1)
    mistakes = {
        "the running variance takes the unbiased variance: times m / (m - 1)": moved(var, new_var),
        "m counts the pixels of all examples, not the examples": moved(var, new_var * 2 / (2 - 1)),
        "standard deviations were averaged, not variances": moved(var, np.sqrt(unbiased)),
        "the factor is m / (m - 1), not (m - 1) / m": moved(var, new_var * (m - 1) / m),
        other: moved(var, unbiased, 1 - rho),
        plain: unbiased,
    }
    compare("var", yours_var, moved(var, unbiased), mistakes)
