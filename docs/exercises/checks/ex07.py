"""Checkers of chapter 7."""

import numpy as np
from checking import Wrong, compare

from tinya2i import losses, models
from tinya2i.data import toy


def adam(p, gradients, lr, betas, eps, *, first=1, m_hat=None, v_hat=None, step=None, square=None):
    """Adam, with parts that can be replaced: t of the first step, the corrections, the step."""
    m_hat = m_hat or (lambda m, t: m / (1 - betas[0] ** t))
    v_hat = v_hat or (lambda v, t: v / (1 - betas[1] ** t))
    step = step or (lambda m, v, t: m / (np.sqrt(v) + eps))
    square = square or np.square
    m = v = np.zeros_like(p)
    seen = []
    for t, g in enumerate(gradients, start=first):
        m, v = betas[0] * m + (1 - betas[0]) * g, betas[1] * v + (1 - betas[1]) * square(g)
        p = p - lr * step(m_hat(m, t), v_hat(v, t), t)
        seen.append(p)
    return np.array(seen)


def check_adam_steps(answer) -> None:
    rng = np.random.default_rng(1)
    given = rng.standard_normal(4), rng.standard_normal((3, 4)), 0.1, (0.9, 0.99), 0.1
    _, _, lr, (b1, b2), eps = given
    mistakes = {
        "m and v start at 0 and are too small at first: the correction is missing": adam(
            *given, m_hat=lambda m, t: m, v_hat=lambda v, t: v
        ),
        "v is corrected, m is not": adam(*given, m_hat=lambda m, t: m),
        "m is corrected, v is not": adam(*given, v_hat=lambda v, t: v),
        "the correction divides by 1 - beta^t: you multiply": adam(
            *given, m_hat=lambda m, t: m * (1 - b1**t), v_hat=lambda v, t: v * (1 - b2**t)
        ),
        "t counts from 1: yours is one too large": adam(*given, first=2),
        "eps is added to the root of the corrected v, not before the correction": adam(
            *given,
            v_hat=lambda v, t: v,
            step=lambda m, v, t: m / ((np.sqrt(v) + eps) / np.sqrt(1 - b2**t)),
        ),
        "eps stands outside the root": adam(*given, step=lambda m, v, t: m / np.sqrt(v + eps)),
        "the step divides by the root of v, not by v": adam(
            *given, step=lambda m, v, t: m / (v + eps)
        ),
        "v averages the squares of the gradients": adam(*given, square=np.abs),
        "that is uphill: the step is subtracted": adam(*given[:2], -lr, (b1, b2), eps),
        "the betas are swapped": adam(*given[:3], (b2, b1), eps),
    }
    with np.errstate(all="ignore"):
        try:
            yours = answer(given[0].copy(), given[1].copy(), *given[2:])
        except ZeroDivisionError:
            yours = np.nan
    if yours is not None and not np.isfinite(yours).all():
        raise Wrong("adam_steps: not finite: does t start at 0? Then 1 - beta^t is 0; count from 1")
    compare("adam_steps", yours, adam(*given), mistakes, tol=1e-12)


def check_he_std(answer) -> None:
    kh, kw, c_in, c_out = 5, 4, 3, 7
    fan_in, fan_out = kh * kw * c_in, kh * kw * c_out
    mistakes = {
        "that is the variance; its root is asked for": 2 / fan_in,
        "the ReLU halves the mean square: 2 / fan_in, not 1 / fan_in": fan_in**-0.5,
        "count what one output sums over, the inputs; not the outputs": (2 / fan_out) ** 0.5,
        "each of the kh kw places of the window is an input too": (2 / c_in) ** 0.5,
        "one output sums over all c_in channels": (2 / (kh * kw)) ** 0.5,
        "that is Glorot's rule, for layers without ReLU": (2 / (fan_in + fan_out)) ** 0.5,
    }
    compare("he_std", answer(kh, kw, c_in, c_out), (2 / fan_in) ** 0.5, mistakes)


def pooled_gradient(dY, X, weights) -> np.ndarray:
    """dX, where weights(window) (2, 2) says what part of dY each pixel of a window gets."""
    dX = np.zeros_like(X)
    for n, y, x, c in np.ndindex(*dY.shape):
        window = (n, slice(2 * y, 2 * y + 2), slice(2 * x, 2 * x + 2), c)
        dX[window] = weights(X[window]) * dY[n, y, x, c]
    return dX


def one_place(window: np.ndarray, place: int) -> np.ndarray:
    return (np.arange(4) == place).reshape(2, 2).astype(float)


def check_maxpool_backward(answer) -> None:
    rng = np.random.default_rng(2)
    X = rng.integers(0, 4, (2, 7, 4, 3)).astype(np.float64)  # ties, and a row that no window has
    dY = rng.standard_normal((2, 3, 2, 3))
    right = pooled_gradient(dY, X, lambda w: one_place(w, int(w.argmax())))
    mistakes = {
        "of several equal pixels only the first gets the gradient: yours goes to all": (
            pooled_gradient(dY, X, lambda w: w == w.max())
        ),
        "of several equal pixels the first gets all: yours share it": (
            pooled_gradient(dY, X, lambda w: (w == w.max()) / (w == w.max()).sum())
        ),
        "of several equal pixels the first, not the last": (
            pooled_gradient(dY, X, lambda w: one_place(w, 3 - int(w.ravel()[::-1].argmax())))
        ),
        "of several equal pixels the first row by row, not column by column": (
            pooled_gradient(dY, X, lambda w: one_place(w.T, int(w.T.argmax())).T)
        ),
        "that is average pooling: here the largest pixel gets all": (
            pooled_gradient(dY, X, lambda w: np.full((2, 2), 0.25))
        ),
        "the gradient goes to the largest pixel, not to all four": (
            pooled_gradient(dY, X, lambda w: np.ones((2, 2)))
        ),
        "the pixel's value is no factor: a maximum passes dY on as it is": right * X,
        "dX has the shape of X: the odd row gets zeros": right[:, :6],
    }
    compare("maxpool_backward", answer(dY.copy(), X.copy()), right, mistakes)


def check_overfit(answer) -> None:
    images, digits, _, _ = toy.images(seed=3, train=20, test=10)
    X = images / 255.0
    model = models.LeNet5(np.random.default_rng(0)).astype(np.float64)
    before = float(losses.cross_entropy(model(X), digits)[0])
    untrained = model.state()
    answer(model, X.copy(), digits.copy())
    if model.count() != 61706:
        raise Wrong("overfit: train the model that is given, as it is")
    loss = float(losses.cross_entropy(model(X), digits)[0])
    said = f"the loss was {before:.3g} and is {loss:.3g}"
    if all((value == untrained[name]).all() for name, value in model.state().items()):
        raise Wrong(f"overfit: {said}: no weight has moved; was step called, on an optimiser?")
    if not loss < before:
        raise Wrong(f"overfit: {said}: it went up; is the rate too large, or the sign wrong?")
    if loss > 2:
        raise Wrong(f"overfit: {said}: hardly learned; does every picture keep its own label?")
    if loss >= 1e-3:
        raise Wrong(f"overfit: {said}: on the way, but 0.001 is asked for; take more steps")
