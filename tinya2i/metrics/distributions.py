"""Whether two sets of pictures could come from one distribution, by their features."""

import numpy as np

from tinya2i.metrics.distances import blocks, points, squared_distances


def frechet(A: np.ndarray, B: np.ndarray) -> float:
    """|a - b|^2 + tr(S + R - 2 (S R)^(1/2)),  a, b the means and S, R the covariances of A, B

    A (n, d), B (m, d), n, m >= 2: the squared Frechet distance of the two normal distributions, at
    least 0. On a classifier's features it is that classifier's FID, to be compared only at equal
    n and m: it falls as they grow. Covariances with n - 1, singular ones too.
    Raises ValueError, see `distances.points`. Source: Dowson and Landau 1982; Heusel et al. 2017,
    section 2.
    """
    A, B = points(A, least=2), points(B, least=2)
    if A.shape[1] != B.shape[1]:
        raise ValueError(f"points of {A.shape[1]} and of {B.shape[1]} coordinates")
    a, b = A.mean(axis=0), B.mean(axis=0)
    # S = P'P and R = Q'Q with triangles P, Q: the singular values of PQ' are the roots of the
    # eigenvalues of SR. No covariance is multiplied out or rooted, which would cost half the digits
    # where it is singular.
    P, Q = (np.linalg.qr(X, mode="r") / np.sqrt(len(X) - 1) for X in (A - a, B - b))
    roots = np.linalg.svd(P @ Q.T, compute_uv=False)
    spread = np.square(P).sum() + np.square(Q).sum() - 2 * roots.sum()
    return float(np.square(a - b).sum() + max(0.0, spread))


def prdc(real: np.ndarray, generated: np.ndarray, k: int = 5) -> dict[str, float]:
    """Precision, recall, density and coverage, by balls up to the k-th neighbour of each point

        precision = 1/m  sum_j 1[g_j in the ball of some r_i]
        recall    = 1/n  sum_i 1[r_i in the ball of some g_j]
        density   = 1/km sum_j sum_i 1[g_j in the ball of r_i]
        coverage  = 1/n  sum_i 1[some g_j in the ball of r_i]

    real r (n, ...), generated g (m, ...); the ball of a point reaches to the k-th nearest other
    point of its own set, and includes its surface. All lie in 0..1, but density in 0..n/k. Of two
    equally large samples of one distribution density has the expectation 1, coverage 1 - 2^-k.
    Raises ValueError unless n, m > k >= 1; and see `distances.points`.
    Source: Kynkaanniemi et al. 2019, eq. 1 and 2 (precision, recall); Naeem et al. 2020, section 3
    (density, coverage).
    """
    if k < 1:
        raise ValueError(f"k is {k}: at least one neighbour is needed")
    real, generated = points(real, least=k + 1), points(generated, least=k + 1)
    of_real, of_generated = _radii(real, k), _radii(generated, k)
    counts = np.zeros(len(generated), np.int64)  # for each g_j, in how many balls of real it lies
    recalled = covered = 0
    for part in blocks(len(real), len(generated)):
        D = squared_distances(real[part], generated)
        inside = of_real[part, None] >= D
        counts += inside.sum(axis=0)
        covered += int(inside.any(axis=1).sum())
        recalled += int((of_generated >= D).any(axis=1).sum())
    return {
        "precision": float((counts > 0).mean()),
        "recall": recalled / len(real),
        "density": float(counts.mean() / k),
        "coverage": covered / len(real),
    }


def _radii(X: np.ndarray, k: int) -> np.ndarray:
    """The squared distance of each point to its k-th nearest other point."""
    rows = (squared_distances(X[part], X) for part in blocks(len(X), len(X)))
    # In order, place 0 is the point itself. A view of place k would keep its whole block alive.
    return np.concatenate([np.partition(D, k, axis=1)[:, k].copy() for D in rows])
