"""Solutions of chapter 2, and answers that the checkers must refuse, with what they must say."""

import numpy as np


def slopes(f, X, h=1e-5):
    found = np.empty_like(X)
    for place in np.ndindex(X.shape):
        kept = X[place]
        X[place] = kept + h
        above = f(X)
        X[place] = kept - h
        found[place] = (above - f(X)) / (2 * h)
        X[place] = kept
    return found


def same(A, B, tol=1e-6):
    if A.shape != B.shape or not (np.isfinite(A).all() and np.isfinite(B).all()):
        return False
    return np.abs(A - B).max() <= tol * max(np.abs(A).max(), np.abs(B).max())


def wrong_ones(forwards, X):
    rng, found = np.random.default_rng(0), set()
    for name, forward in forwards.items():
        Y, backprop = forward(X)
        R = rng.standard_normal(Y.shape)  # a random cotangent: no flaw is blind to it
        measured = slopes(lambda A, forward=forward, R=R: (forward(A)[0] * R).sum(), X)
        if not same(backprop(R), measured):
            found.add(name)
    return found


def _steps(X, h):
    for place in np.ndindex(X.shape):
        step = np.zeros_like(X)
        step[place] = h
        yield step


def _forward_differences(f, X, h):
    return np.array([(f(X + step) - f(X)) / h for step in _steps(X, h)]).reshape(X.shape)


def _one_h(f, X, h):
    return np.array([(f(X + s) - f(X - s)) / h for s in _steps(X, h)]).reshape(X.shape)


def _not_put_back(f, X, h):
    found = np.empty_like(X)
    for place in np.ndindex(X.shape):
        X[place] += h
        above = f(X)
        X[place] -= 2 * h
        found[place] = (above - f(X)) / (2 * h)
    return found


def _relative(A, B):
    return np.abs(A - B).max() / max(np.abs(A).max(), np.abs(B).max())


def _found(probe, equal):
    """wrong_ones with a cotangent probe(Y) of the loss value(Y), and another idea of equality."""
    make, value = probe

    def answer(forwards, X):
        found = set()
        for name, forward in forwards.items():
            Y, backprop = forward(X)
            measured = slopes(lambda A, forward=forward: value(forward(A)[0]), X)
            if not equal(backprop(make(Y)), measured):
                found.add(name)
        return found

    return answer


def _near(tol):
    return lambda A, B: A.shape == B.shape and np.abs(A - B).max() < tol


WEIGHTS = np.random.default_rng(7).standard_normal((5, 3))
ONES = (np.ones_like, np.sum)
SQUARES = (lambda Y: 2 * Y, lambda Y: (Y * Y).sum())
RANDOM = (lambda Y: WEIGHTS, lambda Y: (Y * WEIGHTS).sum())

WRONG = {
    "slopes": {
        "forward differences": (_forward_differences, "forward difference"),
        "divided by h": (_one_h, "2 h apart"),
        "not put back": (_not_put_back, "X has changed"),
        "all moved together": (
            lambda f, X, h: np.full(X.shape, (f(X + h) - f(X - h)) / (2 * h)),
            "one at a time",
        ),
        "flat": (lambda f, X, h: slopes(f, X, h).ravel(), "not in the shape of X"),
    },
    "same": {
        "shapes that stretch": (lambda A, B, tol: np.allclose(A, B, rtol=tol), "stretches"),
        "an absolute error": (
            lambda A, B, tol: A.shape == B.shape and np.abs(A - B).max() <= tol,
            "tiny gradient",
        ),
        "nan gets past": (
            lambda A, B, tol: A.shape == B.shape and not _relative(A, B) > tol,
            "nan",
        ),
        "one by one": (
            lambda A, B, tol: (
                A.shape == B.shape
                and bool((np.abs(A - B) <= tol * np.maximum(np.abs(A), np.abs(B))).all())
            ),
            "largest of the array",
        ),
        "zero by zero": (
            lambda A, B, tol: A.shape == B.shape and bool(_relative(A, B) <= tol),
            "0 / 0",
        ),
    },
    "wrong_ones": {
        "a cotangent of ones": (_found(ONES, _near(1e-10)), "a dY of ones"),
        "the sum of squares": (_found(SQUARES, _near(1e-8)), "mean term is missing"),
        "shapes that stretch": (_found(RANDOM, np.allclose), "axis too many"),
        "an absolute error": (_found(RANDOM, _near(1e-7)), "compare relatively"),
        "relative, and ones": (_found(ONES, same), "rounding with rounding"),
        "all of them": (lambda forwards, X: set(forwards), "tanh, and right"),
    },
}
