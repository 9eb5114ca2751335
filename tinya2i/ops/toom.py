"""Fewer products for a short convolution: multiply polynomials by their values at a few points.

Along one axis, t outputs of a kernel (g0, g1) on the pixels d0 ... dt are

    y_i = d_i g0 + d_{i+1} g1,  i < t            2 t products, but t + 1 are enough:

    y = A [(G g) * (B d)]       A (t, t+1), G (t+1, 2), B (t+1, t+1), * number by number

(Toom 1963; Winograd 1980; F(t, 2) in Lavin and Gray 2016, whose A^T and B^T are our A and B).
Several such pieces can make one longer tile, with a product more for each. For t = 2:

    m0 = (d0 - d1) g0           y0 = m0 + m1
    m1 = d1 (g0 + g1)           y1 = m1 + m2
    m2 = (d2 - d1) g1

Where A, G and B come from. A polynomial of degree t is known when its values at t + 1 points are,
and the values of a product are the products of the values. So with E_k, which evaluates a
polynomial of k coefficients at these points, E_{t+1}^-1 [(E_2 g) * (E_t a)] are the coefficients of
g times a. As a linear map from a to them this is the matrix whose transpose maps d to y: read
backwards, diag(E_2 g) stays and the other two are transposed:

    A = E_t^T,  G = E_2,  B = (E_{t+1}^-1)^T

One of the points is infinity, where a polynomial's value is its highest coefficient. The more
points, the larger their powers and the more of float32's digits the sums lose.
"""

import functools
from dataclasses import dataclass

import numpy as np

POINTS = (0.0, 1.0, -1.0, -0.5, 2.0)  # and infinity: of those tried the ones that lose least
PIECES = ((2,), (3,), (4,), (5,), (4, 3))  # outputs: 7 = 4 + 3 with 9 products, because 8 lose more


@dataclass(frozen=True, eq=False)
class Axis:
    """The three matrices for tiles of t outputs: A (t, q), G (q, 2), B (q, t + 1).

    Then `count` tiles lie side by side, and neighbours share a pixel.
    """

    A: np.ndarray
    G: np.ndarray
    B: np.ndarray
    count: int

    @property
    def tile(self) -> int:
        """t, the outputs of one tile."""
        return len(self.A)

    @property
    def products(self) -> int:
        """q, the products of one tile."""
        return len(self.B)


@functools.cache
def axes(size: int) -> list[Axis]:
    """One Axis for each way to cut `size` outputs into equal tiles."""
    return [
        Axis(*matrices(pieces), size // sum(pieces)) for pieces in PIECES if size % sum(pieces) == 0
    ]


def matrices(pieces: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A, G, B in float64, of tiles made of these pieces: each uses its own products."""
    t, q = sum(pieces), sum(pieces) + len(pieces)
    A, G, B = np.zeros((t, q)), np.zeros((q, 2)), np.zeros((q, t + 1))
    y = m = 0
    for piece in pieces:
        outputs, products = slice(y, y + piece), slice(m, m + piece + 1)
        A[outputs, products] = evaluation(piece, piece).T
        G[products] = evaluation(2, piece)
        B[products, y : y + piece + 1] = np.linalg.inv(evaluation(piece + 1, piece)).T
        y, m = outputs.stop, products.stop
    return A, G, B


def evaluation(k: int, points: int) -> np.ndarray:
    """E_k (points + 1, k): the values of x^0 ... x^(k-1) at the points and at infinity."""
    powers = np.vander(POINTS[:points], k, increasing=True)
    return np.vstack([powers, np.eye(k)[-1]])
