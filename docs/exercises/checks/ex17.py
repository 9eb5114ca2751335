"""Checkers of chapter 17."""

from typing import Any

import numpy as np
from checking import compare, several


def check_unit_backward(answer) -> None:
    rng = np.random.default_rng(1)
    X, dU = 3 * rng.standard_normal((4, 5)), rng.standard_normal((4, 5))
    r = np.linalg.norm(X, axis=1, keepdims=True)
    U = X / r
    along = (U * dU).sum(axis=1, keepdims=True)
    whole = X / np.linalg.norm(X)
    mistakes = {
        "what goes along U must go: it changes the length only": dU / r,
        "that is what goes along U, which is to be taken away": U * along / r,
        "divide by |X|: the longer X, the less it turns": dU - U * along,
        "<U, dU> is taken with the unit vector, not X, and so is what it multiplies": (
            (dU - X * (X * dU).sum(axis=1, keepdims=True)) / r
        ),
        "<U, dU> is taken row by row, not over the batch": (dU - U * along.sum()) / r,
        "the batch is not one vector of length one: each row is": (
            (dU - whole * (whole * dU).sum()) / np.linalg.norm(X)
        ),
    }
    compare("unit_backward", answer(X, dU), (dU - U * along) / r, mistakes)


def check_distance(answer) -> None:
    rng = np.random.default_rng(2)
    V, C = rng.standard_normal((3, 4)), rng.standard_normal((3, 4))
    C *= np.array([[1], [1e-9], [0]]) / np.linalg.norm(C, axis=1, keepdims=True)
    U, eps = V + C, 1e-4
    C, dD = U - V, rng.standard_normal((3, 1))
    bare = np.linalg.norm(C, axis=1, keepdims=True)
    right = np.sqrt(bare**2 + eps**2)
    D, dU, dV = several(answer(U, V, dD, eps), 3, "D, dU and dV")
    mistakes = {
        "eps^2 stands under the root, not eps": np.sqrt(bare**2 + eps),
        "eps^2 stands under the root, with the squares, not beside it": bare + eps,
        "that is the square": right**2,
        "eps is missing": bare,
    }
    compare("D", D, right, mistakes)
    tip = C / np.maximum(bare, 1e-300)
    mistakes = {
        "it has length 1 however near the two are: divide by D, which knows eps": dD * tip,
        "that is the gradient of the square": 2 * dD * C,
        "U - V must be divided by D": dD * C,
        "the other way round: a longer distance moves U away from V": -dD * C / right,
    }
    # Near zero the rows would drown in the first one's size.
    for row, words in enumerate(("at distance 1", "at distance 1e-9", "at distance 0")):
        wrong = {mistake: value[row] for mistake, value in mistakes.items()}
        compare(f"dU {words}", np.asarray(dU)[row], (dD * C / right)[row], wrong)
    mistakes = {"V is pulled the other way: dV = -dU": dD * C / right}
    compare("dV", dV, -dD * C / right, mistakes)


def check_contrastive(answer) -> None:
    rng = np.random.default_rng(3)
    X, Y, t = rng.standard_normal((5, 3)), 2 * rng.standard_normal((5, 3)), 0.6
    loss, dX = several(answer(X, Y, t), 2, "L and dX")
    right, gradient = _info_nce(X, Y, t)
    forms = {
        "normalise: these are not cosines": {"lengths": False},
        "only the pictures find their sounds; each sound must find its picture, too": {"axes": [1]},
        "the softmax runs over the wrong axis, or only the sounds find their pictures": {
            "axes": [0]
        },
        "cosines are divided by t": {"power": -1},
    }
    wrong = {words: _info_nce(X, Y, t, **form) for words, form in forms.items()}
    losses: dict[str, Any] = {words: found[0] for words, found in wrong.items()}
    losses |= {"that is the sum over the batch; take the mean": 5 * right}
    losses |= {"both directions count a half": 2 * right}
    compare("L", loss, right, losses)
    r = np.linalg.norm(X, axis=1, keepdims=True)
    gradients = {
        "the way back stops at U; go through the normalisation, (17.1)": _info_nce(
            X, Y, t, back=False
        )[1],
        "dS V is once more divided by t": gradient * t,
        "divide by |X|": gradient * r,
        "the mean over the batch is missing": 5 * gradient,
    }
    compare("dX", dX, gradient, gradients)


def _info_nce(
    X: np.ndarray, Y: np.ndarray, t: float, lengths: bool = True, axes=(0, 1), power=1, back=True
) -> tuple[float, np.ndarray]:
    """(L, dX), right or with one mistake."""
    r, s = (np.linalg.norm(A, axis=1, keepdims=True) for A in (X, Y))
    U, V = (X / r, Y / s) if lengths else (X, Y)
    W = np.exp(U @ V.T / t**power)
    P = [W / W.sum(axis=axis, keepdims=True) for axis in axes]
    n = len(X)
    loss = -np.mean([np.log(each.diagonal()) for each in P])
    dU = (sum(P) / len(P) - np.eye(n)) / n @ V / t**power
    if not (back and lengths):
        return loss, dU
    return loss, (dU - U * (U * dU).sum(axis=1, keepdims=True)) / r


def check_search(answer) -> None:
    rng = np.random.default_rng(4)
    shown, asked = np.array([0, 1, 2, 0, 1, 0, 0, 1, 0, 0]), np.array([0, 1, 2, 2, 1, 0])
    D, k = rng.random((6, 10)), 4
    words = "recall@k and nDCG@k"
    found = several(answer(D, asked, shown, k), 2, words)
    R, relevant = _relevance(D, asked, shown, k)
    far, _ = _relevance(-D, asked, shown, k)
    steps = 1 / np.log2(1 + np.arange(1, k + 1))
    mistakes = {
        "these are the farthest items": far.any(axis=1).mean(),
        "that is precision: recall@k asks whether there is any among the first k": R.mean(),
        "that is the share of all items of the digit; here one is enough": (
            (R.sum(axis=1) / relevant).mean()
        ),
        "that is recall@1": R[:, 0].mean(),
    }
    compare("recall@k", found[0], R.any(axis=1).mean(), mistakes)
    ideal = np.array([steps[: min(t, k)].sum() for t in relevant])
    places, late = 1 / np.arange(1, k + 1), 1 / np.log2(2 + np.arange(1, k + 1))
    mistakes = {
        "where there are fewer than k items of a digit, the ideal has fewer places": (
            (R @ steps).mean() / steps.sum()
        ),
        "the first place counts most: divide by log2(place + 1)": _share(R, relevant, np.ones(k)),
        "divide by the logarithm of the place + 1, not by the place": _share(R, relevant, places),
        "the first place is 1, and counts 1 / log2(2)": _share(R, relevant, late),
        "divide by the ideal": (R @ steps).mean(),
    }
    compare("nDCG@k", found[1], (R @ steps / ideal).mean(), mistakes)


def _relevance(D, asked, shown, k) -> tuple[np.ndarray, np.ndarray]:
    R = shown[D.argsort(axis=1, kind="stable")[:, :k]] == asked[:, None]
    return R, (shown == asked[:, None]).sum(axis=1)


def _share(R: np.ndarray, relevant: np.ndarray, weights: np.ndarray) -> float:
    ideal = np.array([weights[: min(t, len(weights))].sum() for t in relevant])
    return float((R @ weights / ideal).mean())
