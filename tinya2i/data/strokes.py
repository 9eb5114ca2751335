"""Handwritten-looking digits, drawn: jittered control points, smooth strokes, an antialiased pen.

A digit is a few strokes through control points in the unit square (x to the right, y down). Each
picture moves every point a little, slants and turns the whole, fits it into 20 of the 28 pixels and
centres it by its mass, as MNIST's pictures were (LeCun, Bottou, Bengio and Haffner, "Gradient-based
learning applied to document recognition", 1998, section III.A), and traces it with a round pen.
"""

from typing import NamedTuple

import numpy as np

SIDE = 28  # pixels along an edge
BODY = 20.0  # pixels that the longer side of a digit may take
PIECES = 4  # straight pieces between two control points
CHUNK = 64  # pictures drawn together: few enough for the processor's cache


class Glyph(NamedTuple):
    """One way to write a digit: shared points, so that strokes which touch stay together."""

    points: tuple[tuple[float, float], ...]
    strokes: tuple[tuple[int, ...], ...]  # each a smooth curve through these points


def _line(*points: tuple[float, float]) -> Glyph:
    return Glyph(points, (tuple(range(len(points))),))


GLYPHS: dict[int, tuple[Glyph, ...]] = {
    0: (
        _line((0.66, 0.06), (0.3, 0.12), (0.12, 0.55), (0.3, 0.95), (0.62, 0.96), (0.86, 0.6),
              (0.78, 0.16), (0.5, 0.02), (0.36, 0.1)),
        Glyph(((0.52, 0), (0.25, 0.14), (0.13, 0.5), (0.26, 0.88), (0.52, 1), (0.78, 0.84),
               (0.88, 0.46), (0.76, 0.12)), ((0, 1, 2, 3, 4, 5, 6, 7, 0),)),
    ),
    1: (
        _line((0.5, 0), (0.5, 0.35), (0.49, 0.68), (0.5, 1)),
        Glyph(((0.28, 0.24), (0.54, 0), (0.53, 0.35), (0.52, 0.68), (0.52, 1)),
              ((0, 1), (1, 2, 3, 4))),
    ),
    2: (
        _line((0.14, 0.2), (0.42, 0.01), (0.76, 0.16), (0.7, 0.48), (0.42, 0.84), (0.16, 0.96),
              (0.12, 0.82), (0.34, 0.8), (0.6, 0.94), (0.94, 0.94)),
        Glyph(((0.12, 0.24), (0.32, 0.03), (0.66, 0.04), (0.8, 0.26), (0.66, 0.52), (0.38, 0.8),
               (0.1, 1), (0.5, 0.97), (0.92, 0.99)), ((0, 1, 2, 3, 4, 5, 6), (6, 7, 8))),
    ),
    3: (
        Glyph(((0.14, 0.12), (0.46, 0), (0.76, 0.16), (0.66, 0.4), (0.36, 0.48), (0.72, 0.56),
               (0.84, 0.78), (0.58, 0.99), (0.28, 0.98), (0.1, 0.86)),
              ((0, 1, 2, 3, 4), (4, 5, 6, 7, 8, 9))),
    ),
    4: (
        Glyph(((0.22, 0.02), (0.17, 0.28), (0.12, 0.54), (0.46, 0.57), (0.84, 0.52), (0.78, 0.04),
               (0.73, 0.5), (0.68, 1)), ((0, 1, 2), (2, 3, 4), (5, 6, 7))),
        Glyph(((0.66, 0), (0.36, 0.32), (0.08, 0.63), (0.5, 0.65), (0.92, 0.62), (0.64, 0.5),
               (0.62, 1)), ((0, 1, 2), (2, 3, 4), (0, 5, 6))),
    ),
    5: (
        Glyph(((0.86, 0), (0.56, 0.02), (0.26, 0.03), (0.22, 0.24), (0.18, 0.45), (0.52, 0.38),
               (0.8, 0.56), (0.76, 0.86), (0.44, 1), (0.12, 0.9)),
              ((0, 1, 2), (2, 3, 4), (4, 5, 6, 7, 8, 9))),
    ),
    6: (
        _line((0.68, 0), (0.42, 0.16), (0.22, 0.46), (0.17, 0.78), (0.4, 0.99), (0.7, 0.9),
              (0.76, 0.66), (0.52, 0.54), (0.22, 0.7)),
    ),
    7: (
        Glyph(((0.1, 0.08), (0.5, 0.05), (0.88, 0.04), (0.64, 0.46), (0.44, 1)),
              ((0, 1, 2), (2, 3, 4))),
        Glyph(((0.1, 0.08), (0.5, 0.05), (0.88, 0.04), (0.64, 0.46), (0.44, 1), (0.34, 0.5),
               (0.84, 0.48)), ((0, 1, 2), (2, 3, 4), (5, 6))),
    ),
    8: (
        Glyph(((0.76, 0.14), (0.48, 0), (0.24, 0.2), (0.5, 0.46), (0.78, 0.76), (0.5, 1),
               (0.2, 0.78), (0.5, 0.5)), ((0, 1, 2, 3, 4, 5, 6, 7, 0),)),
    ),
    9: (
        _line((0.78, 0.22), (0.5, 0.01), (0.22, 0.18), (0.26, 0.44), (0.58, 0.44), (0.8, 0.16),
              (0.8, 0.56), (0.62, 0.92), (0.22, 0.96)),
        Glyph(((0.8, 0.2), (0.52, 0), (0.22, 0.16), (0.22, 0.4), (0.52, 0.5), (0.76, 0.58),
               (0.66, 1)), ((0, 1, 2, 3, 4, 0), (0, 5, 6))),
    ),
}  # fmt: skip


def draw(digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A picture of each digit: white ink on black, no two alike.

    `digits` (n,) of 0..9; returns (n, 28, 28, 1) uint8, 0 black to 255 white.
    """
    digits = np.asarray(digits)
    X = np.zeros((len(digits), SIDE, SIDE, 1), dtype=np.uint8)
    for digit, glyphs in GLYPHS.items():
        choice = rng.integers(len(glyphs), size=len(digits))
        for i, glyph in enumerate(glyphs):
            rows = np.flatnonzero((digits == digit) & (choice == i))
            A, B = _segments(glyph, len(rows), rng)
            radius = rng.uniform(0.9, 1.5, len(rows)).astype(np.float32)
            X[rows, ..., 0] = np.rint(255 * render(A, B, radius))
    return X


def render(A: np.ndarray, B: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """ink = clip(radius + 1/2 − distance to the nearest segment, 0, 1), at each pixel's centre.

    The half pixel on either side of the pen's edge is the antialiasing. `A`, `B` (n, s, 2) are the
    ends of the segments in pixels and `radius` (n,) the pen's; returns (n, 28, 28) float32.
    """
    ink = np.empty((len(A), SIDE, SIDE), dtype=np.float32)
    for start in range(0, len(A), CHUNK):
        part = slice(start, start + CHUNK)
        squared = _squared_distance(A[part], B[part])
        ink[part] = np.clip(radius[part, None, None] + 0.5 - np.sqrt(squared), 0, 1)
    return ink


def _squared_distance(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """(n, 28, 28): the squared distance of each pixel's centre to the nearest of s segments."""
    centres = np.arange(SIDE, dtype=np.float32) + np.float32(0.5)
    dX, dY = centres[:, None, None] - A.T[:, None]  # each (28, s, n): pixels, segments
    length = np.maximum(np.linalg.norm(B - A, axis=2), 1e-6).T
    ux, uy = (B - A).T / length
    nearest = np.full((SIDE, SIDE, len(A)), np.inf, dtype=np.float32)
    for s, end in enumerate(length):
        along = (dY[:, None, s] * uy[s]) + (dX[None, :, s] * ux[s])
        across = (dY[:, None, s] * ux[s]) - (dX[None, :, s] * uy[s])
        along -= np.clip(along, 0, end)  # how far past either end
        np.minimum(nearest, along * along + across * across, out=nearest)
    return nearest.transpose(2, 0, 1)


def _segments(glyph: Glyph, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """n jittered copies of a glyph as straight segments: both ends (n, s, 2), in pixels."""
    C = np.array(glyph.points) + rng.normal(0, 0.025, (n, len(glyph.points), 2))
    starts, ends = _curves(glyph)
    C = C @ _slants(n, rng)
    A, B = _fit(starts @ C, ends @ C, rng)
    return A.astype(np.float32), B.astype(np.float32)


def _slants(n: int, rng: np.random.Generator) -> np.ndarray:
    """(n, 2, 2): widen, slant, then turn, for points as rows (x, y)."""
    turn = rng.normal(0, 0.07, n)  # radians
    cos, sin = np.cos(turn), np.sin(turn)
    R = np.array([[cos, sin], [-sin, cos]]).transpose(2, 0, 1)
    S = np.zeros((n, 2, 2))
    S[:, 0, 0] = rng.uniform(0.65, 0.95, n)
    S[:, 1, 0] = -rng.normal(0.12, 0.12, n)  # most hands lean to the right; y points down
    S[:, 1, 1] = 1
    return S @ R


def _fit(A: np.ndarray, B: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Into BODY pixels with the centre of the ink in the middle, give or take a pixel."""
    low, high = np.minimum(A, B).min(axis=1), np.maximum(A, B).max(axis=1)
    scale = (BODY - 2) * rng.uniform(0.88, 1.0, len(A)) / (high - low).max(axis=1)
    weight = np.linalg.norm(B - A, axis=2, keepdims=True)
    mass = ((A + B) / 2 * weight).sum(axis=1) / weight.sum(axis=1)
    scale = scale[:, None]
    shift = SIDE / 2 + rng.normal(0, 0.5, mass.shape) - scale * mass
    shift = np.clip(shift, 3 - scale * low, SIDE - 3 - scale * high)  # room for half a pen
    return tuple(V * scale[:, None] + shift[:, None] for V in (A, B))


def _curves(glyph: Glyph) -> tuple[np.ndarray, np.ndarray]:
    """Matrices (s, points) that turn control points into the two ends of every segment.

    A stroke is a Catmull-Rom spline, which passes through its points and is linear in them:
    p(t) = ½ [1 t t² t³] M [p₀ p₁ p₂ p₃]ᵀ between p₁ and p₂ (Catmull and Rom, 1974).
    """
    M = np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2
    T = np.linspace(0, 1, PIECES + 1)[:, None] ** np.arange(4) @ M
    unit = np.eye(len(glyph.points))
    starts, ends = [], []
    for stroke in glyph.strokes:
        P = unit[list(stroke)]
        closed = stroke[0] == stroke[-1]
        before = P[-2] if closed else 2 * P[0] - P[1]
        after = P[1] if closed else 2 * P[-1] - P[-2]
        P = np.vstack([before, P, after])
        for i in range(len(P) - 3):
            V = T @ P[i : i + 4]
            starts.append(V[:-1])
            ends.append(V[1:])
    return np.concatenate(starts), np.concatenate(ends)
