"""Checkers of chapter 16."""

import numpy as np
from checking import Wrong, compare, several


def check_head_backward(answer) -> None:
    rng = np.random.default_rng(1)
    F, G = rng.standard_normal((6, 3)), rng.standard_normal((6, 4))
    W, dA = rng.standard_normal((7, 5)), rng.standard_normal((6, 5))
    dF, dG, dW = several(answer(dA, F, G, W), 3, "dF, dG and dW")
    dH, parts = dA @ W.T, (F.T @ dA, G.T @ dA)
    mistakes = {
        "F stands first in [F, G]: its gradient is the first three columns, not the last": dH[
            :, 4:
        ],
        "that is the gradient of all of [F, G]; cut it where it was put together": dH,
        "cut after F's own width, not in the middle; F and G need not be equally wide": dH[:, :4],
    }
    compare("dF", dF, dH[:, :3], mistakes)
    mistakes = {
        "G stands last in [F, G]: its gradient is the last four columns": dH[:, :4],
        "that is the gradient of all of [F, G]; cut it where it was put together": dH,
        "cut after F's own width, not in the middle; F and G need not be equally wide": dH[:, 3:6],
    }
    compare("dG", dG, dH[:, 3:], mistakes)
    mistakes = {
        "F's rows of W come first, as F comes first in [F, G]": np.vstack(parts[::-1]),
        "a mean over the batch: the 1 / n is already in dA": np.vstack(parts) / 6,
        "only F's rows; W has rows for G, too": parts[0],
    }
    compare("dW", dW, np.vstack(parts), mistakes)


def check_oracle(answer) -> None:
    p = np.array([0.5, 0.25, 0.15, 0.1])
    rng = np.random.default_rng(2)
    shown, said = rng.choice(4, (2, 400), p=p)
    said[:200] = shown[:200]
    same = np.repeat([1, 0], 200)
    yours = several(answer(p, shown, said, same), 2, "the share read right and the loss")
    agree, own = shown == said, p[shown]

    def loss(opinion: np.ndarray) -> float:
        truth = np.where(same == 1, opinion, 1 - opinion)
        with np.errstate(divide="ignore"):
            return float(-np.log(truth).mean())

    opinion = np.where(agree, 1 / (1 + own), 0)
    rate = (agree == same).mean()
    mistakes = {
        "accidents exist among wrong pairs only, and these are half of all": 1 - 2 * (1 - rate),
        "that is the share that it reads wrong": 1 - rate,
        "that is (16.6) for the world; count what it gets right on these pairs": 1 - p @ p / 2,
        "that is 1 - q / 2 as if all digits were equally frequent; count on these pairs": 1 - 1 / 8,
    }
    compare("the share read right", yours[0], rate, mistakes)
    q = p @ p
    mistakes = {
        "the opinion where digits agree is 1 / (1 + p_d) with the digit's own p_d, not q": loss(
            np.where(agree, 1 / (1 + q), 0)
        ),
        "digits are not equally frequent: 1 / (1 + p_d), not 1 / (1 + 1/k)": loss(
            np.where(agree, 1 / 1.25, 0)
        ),
        "in bits; log is the natural logarithm": loss(opinion) / np.log(2),
        "that is (16.7) for the world; take the mean over these pairs": _floor(p),
        "the sum over the pairs; the loss is their mean": 400 * loss(opinion),
    }
    if np.isinf(yours[1]):  # and inf - inf compares with nothing
        raise Wrong("whoever is certain where digits agree pays infinitely for the first accident")
    compare("the loss", yours[1], loss(opinion), mistakes)


def _floor(p: np.ndarray) -> float:
    return float((p * (np.log(1 + p) + p * np.log((1 + p) / p))).sum() / 2)


def check_probe_gradient(answer) -> None:
    rng = np.random.default_rng(3)
    n, l2 = 9, 0.4
    S, labels = rng.standard_normal((n, 4)), rng.integers(0, 3, n)
    W, b = rng.standard_normal((4, 3)), rng.standard_normal(3)
    L, dW, db = several(answer(W, b, S, labels, l2), 3, "L, dW and db")
    E = np.exp(S @ W + b)
    P, Y = E / E.sum(axis=1, keepdims=True), np.eye(3)[labels]
    data, penalty = -np.log(P[np.arange(n), labels]).mean(), l2 / 2 * (W**2).sum()
    mistakes = {
        "the penalty is missing": data,
        "the penalty is l2 / 2 |W|^2: the half is missing": data + 2 * penalty,
        "the penalty is of W alone, not of b": data + penalty + l2 / 2 * (b**2).sum(),
        "the first term is a mean over the examples": data * n + penalty,
    }
    compare("L", L, data + penalty, mistakes)
    slope = S.T @ (P - Y) / n
    mistakes = {
        "the penalty's gradient, l2 W, is missing": slope,
        "the penalty's gradient is l2 W: the half goes with the square": slope + l2 * W / 2,
        "the mean over the examples is missing: divide by n": slope * n + l2 * W,
        "truth minus probability: that is the other way round": -slope + l2 * W,
    }
    compare("dW", dW, slope + l2 * W, mistakes)
    bias = (P - Y).mean(axis=0)
    mistakes = {
        "b is not punished": bias + l2 * b,
        "the mean over the examples is missing: divide by n": bias * n,
    }
    compare("db", db, bias, mistakes)


def check_leak(answer) -> None:
    right, wrong = np.array([40, 10, 25, 0, 5]), np.array([10, 30, 50, 20, 50])
    r, w = right / right.sum(), wrong / wrong.sum()
    distance = np.abs(r - w).sum()
    both = np.abs(right - wrong).sum() / (right.sum() + wrong.sum())
    mistakes = {
        "the heaps differ in size: divide each by its own sum first": 0.5 + both / 2,
        "probabilities sum to 1, so without the absolute value nothing is left": 0.5,
        "a quarter of the sum: one half for balanced pairs, one half from the maximum": 0.5
        + distance / 2,
        "guessing is right in one half of the cases; add it": distance / 4,
        "that is how often the best answer is wrong": 0.5 - distance / 4,
        "one half of each maximum: right and wrong pairs are half of all": np.maximum(r, w).sum(),
    }
    compare("leak", answer(right, wrong), 0.5 + distance / 4, mistakes)
    same = answer(3 * right, right)
    compare(
        "leak of two heaps alike", same, 0.5, {"clips that are equally likely say nothing": same}
    )
