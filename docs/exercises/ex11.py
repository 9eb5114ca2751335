"""Exercises of chapter 11. Fill in, then run: python docs/exercises/ex11.py"""

import numpy as np
from checking import run


def sample(mu: np.ndarray, logvar: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One draw z (n, d) from N(mu, exp(logvar)) for each number of mu, logvar (n, d).

    Take the dice from rng.standard_normal.
    """
    raise NotImplementedError


def sample_backward(
    dz: np.ndarray, noise: np.ndarray, logvar: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(dmu, dlogvar) of z = mu + exp(logvar / 2) * noise, all (n, d)."""
    raise NotImplementedError


def kl(mu: np.ndarray, logvar: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """(L, dmu, dlogvar): the KL to N(0, 1), summed over latents, averaged over the batch."""
    raise NotImplementedError


def largest_weight(variances: np.ndarray, s2: float, k: int) -> float:
    """The weight of the KL below which at least k latents live, by (11.12).

    variances (p,) of the data along its directions, in any order; s2 is the s^2 of the pixels.
    """
    raise NotImplementedError


if __name__ == "__main__":
    run(globals())
