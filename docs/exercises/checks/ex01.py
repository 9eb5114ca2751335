"""Checkers of chapter 1."""

import numpy as np
from checking import compare, several

ORDER = "in the order that the docstring names"


def check_linear_backward(answer) -> None:
    rng = np.random.default_rng(1)
    X, W, dY = (rng.standard_normal(shape) for shape in ((5, 3), (3, 2), (5, 2)))
    found = several(answer(dY, X, W), 3, ORDER)
    for name, yours, right, mistakes in zip(
        ("dX", "dW", "db"),
        found,
        (dY @ W.T, X.T @ dY, dY.sum(axis=0)),
        (
            {},
            {"a mean over the batch belongs to the loss, not here": X.T @ dY / 5},
            {
                "the bias was copied to every row, so its gradient is a sum over the rows": dY,
                "a mean over the batch belongs to the loss, not here": dY.mean(axis=0),
                "that is the sum over the outputs; the bias has one number for each": dY.sum(
                    axis=1
                ),
            },
        ),
        strict=True,
    ):
        compare(name, yours, right, mistakes)


def check_broadcast_backward(answer) -> None:
    rng = np.random.default_rng(2)
    X, s, dY = (rng.standard_normal(shape) for shape in ((4, 3), (3,), (4, 3)))
    dX, ds = several(answer(dY, X, s), 2, ORDER)
    compare("dX", dX, dY * s, {"dY passes through s on its way back": dY})
    mistakes = {
        "s was copied to every row: sum over the rows": dY * X,
        "what s is multiplied with is missing": dY.sum(axis=0),
    }
    compare("ds", ds, (dY * X).sum(axis=0), mistakes)


def check_twice(answer) -> None:
    x, w, dy = 3.0, 0.7, 1.3
    mistakes = {"only one of the two uses of w counts": dy * w * x}
    compare("dw", answer(dy, x, w), dy * 2 * w * x, mistakes)
