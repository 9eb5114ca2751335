"""Exercises of chapter 13. Fill in, then run: python docs/exercises/ex13.py"""

import numpy as np
from checking import run

from tinya2i.layer import Layer


def best_critic(p: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, float]:
    """(D*, L_D*) for pictures that are real with probabilities p (k,), fakes with q (k,).

    D* (k,) is the best critic's opinion of each picture, L_D* what it pays. All p, q > 0.
    """
    raise NotImplementedError


def lesson(V: np.ndarray, kind: str) -> np.ndarray:
    """dV of what the generator pays for the logits V (n, 1) of its fakes, a mean over the batch.

    kind: "non-saturating" for -log D, "saturating" for log(1 - D).
    """
    raise NotImplementedError


def two_players(G: Layer, D: Layer, T: np.ndarray, noise: np.ndarray) -> tuple[float, float]:
    """(L_D, L_G) with L_G = -log D(G(noise)), each a mean over its batch.

    Leaves dL_D in the gradients of D (which are zero when you get it) and dL_G in those of G.
    Y = G.forward(noise)[0] are pictures like T (n, k); D's logits are (n, 1). No optimiser here.
    """
    raise NotImplementedError


if __name__ == "__main__":
    run(globals())
