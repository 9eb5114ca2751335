"""Checkers of chapter 2."""

import warnings

import numpy as np
from checking import Wrong, compare


def check_slopes(answer) -> None:
    rng = np.random.default_rng(1)
    for shape in ((3,), (2, 3, 4)):
        X, R = rng.standard_normal(shape), rng.standard_normal(shape)
        given, h = X.copy(), 0.01  # a long step, so that the kinds of differences differ
        found = answer(lambda A, R=R: float((np.sin(A) * R).sum()), given, h)
        if not (given == X).all():
            raise Wrong(
                "X has changed: keep each number and put it back before you move the next one "
                "(adding h and subtracting it again leaves a rounding error)"
            )
        above, here, below = np.sin(X + h) * R, np.sin(X) * R, np.sin(X - h) * R
        right = (above - below) / (2 * h)
        mistakes = {
            "that is the forward difference; step to both sides": (above - here) / h,
            "that is the backward difference; step to both sides": (here - below) / h,
            "the two places are 2 h apart, not h": 2 * right,
            "all numbers were moved together; move one at a time": np.full(shape, right.sum()),
            "one slope for all numbers; move one at a time": right.sum(),
            "the slopes are right, but not in the shape of X": right.ravel(),
        }
        compare("slopes", found, right, mistakes)


def check_same(answer) -> None:
    A = np.random.default_rng(2).standard_normal((4, 3))
    holed, far = A.copy(), A.copy()
    holed[1, 2], far[1, 2] = np.nan, np.inf
    mixed = np.array([1e3, 1e-9])
    for one, two, right, words in (
        (A, A.copy(), True, "an array equals itself"),
        (A, A + 1e-3, False, "an error of 0.001 is far above tol"),
        (A[:1], A[0], False, "shapes (1, 3) and (3,) differ: NumPy stretches one to the other"),
        (A[:, :1], A, False, "shapes (4, 1) and (4, 3) differ: NumPy stretches one to the other"),
        (1e-9 * A, 2e-9 * A, False, "twice a tiny gradient is wrong: the error must be relative"),
        (1e9 * A, 1e9 * A + 1, True, "1 beside a gradient of 1e9 is little: it must be relative"),
        (mixed, np.array([1e3, 2e-9]), True, "divide by the largest of the array, not one by one"),
        (A, -A, False, "the sign differs"),
        (0 * A, 0 * A, True, "zeros equal zeros; 0 / 0 has to be thought of"),
        (A, holed, False, "a gradient with nan in it is wrong; every comparison with nan is False"),
        (holed, holed, False, "a gradient with nan in it is wrong, also beside another"),
        (far, far, False, "a gradient that is infinite is wrong"),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found = answer(one, two, 1e-6)
            except (ValueError, ZeroDivisionError) as error:
                raise Wrong(f"same: {error}; but {words}") from error
        if found is None or bool(found) != right:
            raise Wrong(f"same: you say {found}, but {words}")


def _tanh(X):
    Y = np.tanh(X)
    return Y, lambda dY: dY * (1 - Y * Y)


def _one_axis_more(X):
    Y = np.sin(X)
    return Y, lambda dY: (dY * np.cos(X))[None]


def _tiny_and_double(X):
    return 1e-9 * X, lambda dY: 2e-9 * dY


def _normalise(mean_term: int, N_term: int):
    def forward(X):
        s = X.std(axis=0)
        N = (X - X.mean(axis=0)) / s

        def backprop(dY):
            return (dY - mean_term * dY.mean(axis=0) - N_term * N * (dY * N).mean(axis=0)) / s

        return N, backprop

    return forward


FORWARDS = {
    "first": _tanh,
    "second": _normalise(0, 1),
    "third": _tiny_and_double,
    "fourth": _normalise(1, 1),
    "fifth": _one_axis_more,
    "sixth": _normalise(1, 0),
}
MISSED = {
    "second": "its mean term is missing, which no dY of mean 0 shows (2 Y is one)",
    "third": "its gradient is twice too large; it is tiny, so compare relatively",
    "fifth": "its gradient has an axis too many; compare shapes",
    "sixth": "its term of N is missing, which a dY of ones does not show",
}
ACCUSED = {
    "first": "it is tanh, and right",
    "fourth": "it normalises, and is right; if dY makes its true gradient zero, "
    "you compare rounding with rounding",
}


def check_wrong_ones(answer) -> None:
    found = answer(FORWARDS, np.random.default_rng(3).standard_normal((5, 3)))
    if not isinstance(found, set | frozenset | list | tuple):
        raise Wrong(f"wrong_ones: a set of names is asked for, not {found!r}")
    said = [f"{name} is wrong: {why}" for name, why in MISSED.items() if name not in found]
    said += [f"{name} is not: {why}" for name, why in ACCUSED.items() if name in found]
    if said:
        raise Wrong("wrong_ones: " + "; ".join(said))
