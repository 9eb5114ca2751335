"""Exercises of chapter 16. Fill in, then run: python docs/exercises/ex16.py"""

import numpy as np
from checking import run


def head_backward(
    dA: np.ndarray, F: np.ndarray, G: np.ndarray, W: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(dF, dG, dW) of A = [F, G] W + b: (16.3) and the gradient of the weights.

    dA (n, h), features F (n, f) and G (n, g), W (f + g, h).
    """
    raise NotImplementedError


def oracle(
    p: np.ndarray, shown: np.ndarray, said: np.ndarray, same: np.ndarray
) -> tuple[float, float]:
    """(share read right, mean loss in nats) of who knows all digits, on balanced pairs.

    p (k,): how often each digit occurs; pairs of the digits shown and said (n,), same (n,) 1 or 0.
    Strangers are drawn as they come. The opinion is (16.6), its answer "together" above one half.
    """
    raise NotImplementedError


def probe_gradient(
    W: np.ndarray, b: np.ndarray, S: np.ndarray, labels: np.ndarray, l2: float
) -> tuple[float, np.ndarray, np.ndarray]:
    """(L, dW, db), L = the mean of -log softmax(S W + b)[label] + l2 / 2 |W|^2: (16.10).

    Features S (n, d), labels (n,), W (d, k), b (k,).
    """
    raise NotImplementedError


def leak(right: np.ndarray, wrong: np.ndarray) -> float:
    """(16.11): the most that can be right of balanced pairs by hearing the clip alone.

    right, wrong (m,): how many times clip c was counted among right pairs and among wrong ones.
    The two heaps need not be of one size; the pairs that are judged are half and half.
    """
    raise NotImplementedError


if __name__ == "__main__":
    run(globals())
