"""Solutions of chapter 7, and answers that the checkers must refuse, with what they must say."""

import math

import numpy as np

from tinya2i.models.lenet5 import train_step
from tinya2i.optim import SGD, Adam


def adam_steps(p, gradients, lr, betas, eps):
    b1, b2 = betas
    m, v, seen = 0, 0, []
    for t, g in enumerate(gradients, start=1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        m_hat, v_hat = m / (1 - b1**t), v / (1 - b2**t)
        p = p - lr * m_hat / (np.sqrt(v_hat) + eps)
        seen.append(p)
    return np.array(seen)


def he_std(kh, kw, c_in, c_out):
    return math.sqrt(2 / (kh * kw * c_in))


def maxpool_backward(dY, X):
    dX = np.zeros_like(X)
    for n, y, x, c in np.ndindex(*dY.shape):
        window = X[n, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2, c]
        i, j = divmod(int(window.argmax()), 2)  # argmax takes the first of equals
        dX[n, 2 * y + i, 2 * x + j, c] += dY[n, y, x, c]
    return dX


def overfit(model, X, labels):
    optimiser = Adam(model.params(), lr=3e-3)
    for _ in range(200):
        if train_step(model, optimiser, X, labels)["loss"] < 5e-4:
            return


def _adam(correct=lambda a, b, t: a / (1 - b**t), late=0, root_first=False, sign=1):
    """Adam with another correction, another count of steps, eps added before the correction."""

    def answer(p, gradients, lr, betas, eps):
        b1, b2 = betas
        m, v, seen = 0, 0, []
        with np.errstate(all="ignore"):
            for t, g in enumerate(gradients, start=1 + late):
                m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
                if root_first:
                    divisor = (np.sqrt(v) + eps) / np.sqrt(1 - b2**t)
                else:
                    divisor = np.sqrt(correct(v, b2, t)) + eps
                p = p - sign * lr * correct(m, b1, t) / divisor
                seen.append(p)
        return np.array(seen)

    return answer


def _pool(chosen):
    """A backward in which chosen(window) says what part each pixel of a window gets."""

    def answer(dY, X):
        dX = np.zeros_like(X)
        for n, y, x, c in np.ndindex(*dY.shape):
            window = (n, slice(2 * y, 2 * y + 2), slice(2 * x, 2 * x + 2), c)
            dX[window] = chosen(X[window]) * dY[n, y, x, c]
        return dX

    return answer


def _train(make, steps=60, labels_of=lambda labels, step: labels, move=True):
    """A training with another optimiser, fewer steps, other labels, or no step."""

    def answer(model, X, labels):
        optimiser = make(model.params())
        for step in range(steps):
            if move:
                train_step(model, optimiser, X, labels_of(labels, step))

    return answer


WRONG = {
    "adam_steps": {
        "no correction": (_adam(correct=lambda a, b, t: a), "correction is missing"),
        "t starts at 0": (_adam(late=-1), "count from 1"),
        "t starts at 2": (_adam(late=1), "one too large"),
        "sqrt(v) + eps before the correction": (_adam(root_first=True), "not before"),
        "multiplied": (_adam(correct=lambda a, b, t: a * (1 - b**t)), "you multiply"),
        "uphill": (_adam(sign=-1), "uphill"),
    },
    "he_std": {
        "the variance": (lambda kh, kw, c_in, c_out: 2 / (kh * kw * c_in), "its root"),
        "without the 2": (lambda kh, kw, c_in, c_out: (kh * kw * c_in) ** -0.5, "halves"),
        "the outputs": (lambda kh, kw, c_in, c_out: (2 / (kh * kw * c_out)) ** 0.5, "not the out"),
        "the channels alone": (lambda kh, kw, c_in, c_out: (2 / c_in) ** 0.5, "places of the win"),
    },
    "maxpool_backward": {
        "to all equals": (_pool(lambda w: w == w.max()), "goes to all"),
        "shared among equals": (_pool(lambda w: (w == w.max()) / (w == w.max()).sum()), "share it"),
        "average": (_pool(lambda w: np.full((2, 2), 0.25)), "average pooling"),
        "to all four": (_pool(lambda w: np.ones((2, 2))), "not to all four"),
        "the odd row lost": (lambda dY, X: maxpool_backward(dY, X)[:, :6], "odd row gets zeros"),
    },
    "overfit": {
        "never steps": (_train(Adam, move=False), "no weight has moved"),
        "uphill": (_train(lambda params: SGD(params, -0.01), steps=5), "it went up"),
        "other labels each step": (
            _train(Adam, labels_of=lambda labels, step: np.roll(labels, step)),
            "its own label",
        ),
        "twelve steps": (_train(Adam, steps=12), "take more steps"),
    },
}
