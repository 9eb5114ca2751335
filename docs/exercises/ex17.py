"""Exercises of chapter 17. Fill in, then run: python docs/exercises/ex17.py"""

import numpy as np
from checking import run


def unit_backward(X: np.ndarray, dU: np.ndarray) -> np.ndarray:
    """dX (n, d) of U = X / |X|, row by row, from the gradient dU (n, d). No row of X is zero."""
    raise NotImplementedError


def distance(
    U: np.ndarray, V: np.ndarray, dD: np.ndarray, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(D, dU, dV) of D = sqrt(|U - V|^2 + eps^2), (n, 1), for U, V (n, d) and dD (n, 1).

    The checker asks at distances of 1, of 1e-9, and of 0.
    """
    raise NotImplementedError


def contrastive(X: np.ndarray, Y: np.ndarray, t: float) -> tuple[float, np.ndarray]:
    """(L, dX): InfoNCE of pictures X (n, d) and sounds Y (n, d), of which X[i] belongs to Y[i].

    X and Y are what the towers give: of any length. Normalise, take all cosines over t, let each
    picture find its sound and each sound its picture (17.6), and go back to X.
    """
    raise NotImplementedError


def search(D: np.ndarray, asked: np.ndarray, shown: np.ndarray, k: int) -> tuple[float, float]:
    """(recall@k, nDCG@k), means over queries, from distances D (n, m).

    asked (n,) are the digits of the queries, shown (m,) those of the items; what is found counts
    if it is of the query's digit. An item of each digit there is; of some there may be less than k.
    """
    raise NotImplementedError


if __name__ == "__main__":
    run(globals())
