"""Archetypes: how near a model's pictures are to the mean picture of the digit that was said.

For any sound X, one picture Y that shall stand for all pictures T of its digit is best where
d/dY E[-T log Y - (1 - T) log(1 - Y)] = 0, that is at Y = E[T | X], pixel by pixel; and the same
holds of E[(Y - T)^2]. A model that cannot tell the digit's pictures apart should draw that mean.
"""

from pathlib import Path

import numpy as np

from tinya2i import plot
from tinya2i.data import Mix
from tinya2i.layer import Layer
from tinya2i.streams import stream
from tinya2i.tasks.base import pixels
from tinya2i.tasks.sources import class_means, generator

DRAWS = 16  # pictures of each test clip
SHOWN = 3  # pictures of each kind in a row of the figure


def archetypes(model: Layer, mix: Mix, path: str | Path, *, seed: int) -> dict[str, float]:
    """|Y - M_d| / |T - M_d|,  M_d the mean training picture of digit d, T real test pictures of d

    0 is the archetype itself, 1 is as far from it as a real picture. |.| is the root of the summed
    squares of the pixels, averaged over pictures. Of the pictures of the test clips: "mu" with
    z = mu, "drawn" with DRAWS draws of z each, and "mean_drawn" of the mean of each clip's draws.
    Writes the PNG `path`, a row a digit: M_d, the mean of all that was drawn for it, some with
    z = mu, some drawn, some real. Raises ValueError as `class_means`, OSError for the disk.
    """
    test, means = mix.test, class_means(mix.train)
    draw, each = generator(model, test.clips), np.arange(len(test.clips))
    at_mu = draw(each, None)
    drawn = draw(each.repeat(DRAWS), stream(seed, "archetypes"))
    drawn = drawn.reshape(len(each), DRAWS, *at_mu.shape[1:])
    digits, real = test.clip_digits, pixels(test.images)
    unit = _distance(real, means[test.digits])
    _draw(mix, means, at_mu, drawn, path)
    return {
        "mu": _distance(at_mu, means[digits]) / unit,
        "drawn": _distance(drawn, means[digits][:, None]) / unit,
        "mean_drawn": _distance(drawn.mean(axis=1), means[digits]) / unit,
    }


def _draw(
    mix: Mix, means: np.ndarray, at_mu: np.ndarray, drawn: np.ndarray, path: str | Path
) -> None:
    test, rows = mix.test, []
    for digit in np.unique(test.clip_digits):
        of = test.clip_digits == digit
        row = [means[digit], drawn[of].mean(axis=(0, 1))]
        for pictures in (at_mu[of], drawn[of][0], test.images[test.digits == digit]):
            row += [*pictures[:SHOWN], *[None] * (SHOWN - len(pictures))]
        rows.append(row)
    heads = [head for head in ("z=μ", "z drawn", "real") for _ in range(SHOWN)]
    labels = [str(digit) for digit in np.unique(test.clip_digits)]
    plot.grid(rows, path, rows=labels, columns=["mean real", "mean drawn", *heads])


def _distance(Y: np.ndarray, M: np.ndarray) -> float:
    """Mean over pictures of |Y - M|."""
    return float(np.sqrt(((Y - M) ** 2).sum(axis=(-3, -2, -1))).mean())
