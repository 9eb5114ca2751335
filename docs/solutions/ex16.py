"""Solutions of chapter 16, and answers that the checkers must refuse, with what they must say."""

import numpy as np


def head_backward(dA, F, G, W):
    dH, width = dA @ W.T, F.shape[1]
    return dH[:, :width], dH[:, width:], np.hstack([F, G]).T @ dA


def oracle(p, shown, said, same):
    agree = shown == said
    opinion = np.where(agree, 1 / (1 + p[shown]), 0)
    truth = np.where(same == 1, opinion, 1 - opinion)
    return float(((opinion > 0.5) == same).mean()), float(-np.log(truth).mean())


def probe_gradient(W, b, S, labels, l2):
    n = len(S)
    P = softmax(S @ W + b)
    L = -np.log(P[np.arange(n), labels]).mean() + l2 / 2 * (W**2).sum()
    P[np.arange(n), labels] -= 1
    return L, S.T @ P / n + l2 * W, P.mean(axis=0)


def leak(right, wrong):
    r, w = right / right.sum(), wrong / wrong.sum()
    return 0.5 + np.abs(r - w).sum() / 4


def softmax(Z):
    E = np.exp(Z - Z.max(axis=1, keepdims=True))
    return E / E.sum(axis=1, keepdims=True)


def head_exchanged(dA, F, G, W):
    dH, width = dA @ W.T, G.shape[1]
    return dH[:, width:], dH[:, :width], np.vstack([F.T @ dA, G.T @ dA])


def head_halved(dA, F, G, W):
    dH = dA @ W.T
    half = (dH.shape[1] + 1) // 2
    return dH[:, :half], dH[:, half:], np.vstack([F.T @ dA, G.T @ dA])


def head_uncut(dA, F, G, W):
    dH = dA @ W.T
    return dH, dH, np.vstack([F.T @ dA, G.T @ dA])


def head_rows_exchanged(dA, F, G, W):
    dF, dG, _ = head_backward(dA, F, G, W)
    return dF, dG, np.hstack([G, F]).T @ dA


def oracle_of(opinion_of):
    """An oracle with another opinion where the digits agree: opinion_of(p, p of the digit)."""

    def answer(p, shown, said, same):
        opinion = np.where(shown == said, opinion_of(p, p[shown]), 0)
        truth = np.where(same == 1, opinion, 1 - opinion)
        with np.errstate(divide="ignore"):
            return float(((shown == said) == same).mean()), float(-np.log(truth).mean())

    return answer


def oracle_of_the_world(p, shown, said, same):
    return 1 - p @ p / 2, oracle(p, shown, said, same)[1]


def oracle_of_wrong_pairs(p, shown, said, same):
    apart = same == 0
    return float((shown != said)[apart].mean()), oracle(p, shown, said, same)[1]


def _probe(half=1.0, mean=True, sign=1, bias=0.0):
    """probe_gradient, with places for mistakes."""

    def answer(W, b, S, labels, l2):
        n = len(S)
        P = softmax(S @ W + b)
        L = -np.log(P[np.arange(n), labels]).mean() + l2 / 2 * (W**2).sum()
        P[np.arange(n), labels] -= 1
        by = n if mean else 1
        return L, sign * S.T @ P / by + half * l2 * W, P.sum(axis=0) / by + bias * l2 * b

    return answer


def probe_without_penalty(W, b, S, labels, l2):
    return probe_gradient(W, b, S, labels, 0.0)


WRONG = {
    "head_backward": {
        "exchanged": (head_exchanged, "F stands first"),
        "cut in the middle": (head_halved, "not in the middle"),
        "not cut": (head_uncut, "cut it where it was put together"),
        "rows of W exchanged": (head_rows_exchanged, "rows of W come first"),
    },
    "oracle": {
        "certain": (oracle_of(lambda p, own: 1.0), "pays infinitely"),
        "q for every digit": (oracle_of(lambda p, own: 1 / (1 + p @ p)), "not q"),
        "all digits alike": (oracle_of(lambda p, own: 1 / (1 + 1 / len(p))), "not 1 / (1 + 1/k)"),
        "not counted": (oracle_of_the_world, "count what it gets right"),
        "wrong pairs alone": (oracle_of_wrong_pairs, "half of all"),
    },
    "probe_gradient": {
        "no penalty": (probe_without_penalty, "penalty is missing"),
        "half of the penalty": (_probe(half=0.5), "goes with the square"),
        "a sum": (_probe(mean=False), "divide by n"),
        "the other sign": (_probe(sign=-1), "other way round"),
        "b punished": (_probe(bias=1.0), "b is not punished"),
    },
    "leak": {
        "counts": (
            lambda right, wrong: (
                0.5 + np.abs(right - wrong).sum() / (right.sum() + wrong.sum()) / 2
            ),
            "divide each by its own sum",
        ),
        "no absolute value": (
            lambda right, wrong: 0.5 + (right / right.sum() - wrong / wrong.sum()).sum() / 4,
            "without the absolute value",
        ),
        "half of the sum": (
            lambda right, wrong: 2 * leak(right, wrong) - 0.5,
            "a quarter of the sum",
        ),
        "the wrong answers": (lambda right, wrong: 1 - leak(right, wrong), "best answer is wrong"),
    },
}
