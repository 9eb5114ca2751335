"""A generator beside what it has to beat, in one table: consistency, diversity, distributions.

All rows are measured alike, on the same clips, with equal counts. The real test pictures are cut
in two: one half is the ruler, the other is what the baselines draw from, so that the row "real"
says what each number is for pictures that could not be better, with its noise. A row has

    agreement     of `noises` pictures of each clip with the digit said, its interval by clips
    per_clip      diversity over the `noises` pictures of a clip, mean over clips
    within_digit  the same over those of `count` pictures that show one digit
    lenet_fid, precision, recall, density, coverage
                  of `count` pictures against as many real ones of the same digits, on the judge's
                  84 features
    neighbour     "median" distance, of pixels in 0..1, to the nearest training picture,
                  "real_median", that of real test pictures, and "closer", the share that is nearer
                  than 1 in 20 real ones are: 0.05 is expected; more may be copies of training
                  pictures, or blur, which lies near everything

Diversity is `metrics.share` of real pictures of the digit, by pixel_std, pixel_distance and
feature_distance; and "vendi", the effective number of pictures by an rbf kernel as wide as real
pictures of a digit are apart in features, which has no share: its least is 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinya2i import metrics
from tinya2i.backend import array_module, to_numpy
from tinya2i.data import Mix, Pairs
from tinya2i.layer import Layer
from tinya2i.models import LeNet5
from tinya2i.streams import stream
from tinya2i.tasks.base import batches, pixels
from tinya2i.tasks.evaluation import table
from tinya2i.tasks.sources import Pool, Source, halves, nearest_centroid, sources

NEIGHBOURS = 5  # k of precision, recall, density and coverage
CLOSE = 0.05  # the quantile of real pictures' distances below which a picture is close to another


@dataclass(frozen=True)
class Seen:
    """Pictures of clips `which` (n,), as pixels P (n, 784) in 0..1 and as the judge sees them."""

    which: np.ndarray
    P: np.ndarray
    F: np.ndarray  # (n, 84) features
    Z: np.ndarray  # (n, 10) logits


def quality(
    model: Layer,
    judge: LeNet5,
    mix: Mix,
    *,
    seed: int,
    noises: int = 16,
    count: int = 2000,
    neighbours: int = 500,
    heard: np.ndarray | None = None,
) -> dict[str, Any]:
    """{"seed", "counts", "judge", "classifier", "rows": {name of a source: row}}, JSON-able.

    On mix.test; for the sources see `sources.sources`, for a row this module's text.
    noises: pictures of each clip. count: pictures compared with as many real ones, at most half of
    the test pictures. neighbours: so many of them are looked for among the training pictures.
    heard: the digits (m,) that an audio classifier hears in the test clips, for the baseline of
    that name; None takes `sources.nearest_centroid`.
    "judge": accuracy, ece, nll (nats) on all real test pictures. "classifier": how often it is
    right. Raises ValueError where there are too few pictures, for noises < 2 and another `heard`.
    """
    test, said = mix.test, mix.test.clip_digits
    sides = halves(test.digits, stream(seed, "quality", "halves"))
    ruler, others = (Pool(test.images[side], test.digits[side]) for side in sides)
    if noises < 2 or min(ruler.least(said), others.least(said)) < noises:
        raise ValueError(
            f"{noises} pictures of a clip: at least 2 are needed, and twice as many real test "
            "pictures of each digit"
        )
    heard = nearest_centroid(model, mix) if heard is None else np.asarray(heard)
    if heard.shape != said.shape:
        raise ValueError(f"heard has shape {heard.shape}, the test clips are {len(said)}")
    count = min(count, len(sides[0]))
    some = stream(seed, "quality", "count").choice(sides[0], count, replace=False)
    each = np.repeat(np.arange(len(said)), noises)
    bench = _Bench(judge, mix, ruler, test.clip_of[some], each, neighbours, seed)
    found = sources(model, mix, others, heard, seed=seed)
    return {
        "seed": seed,
        "counts": {"clips": len(said), "noises": noises, "pictures": count},
        "judge": _calibration(judge, test),
        "classifier": _brief(table(test, heard, np.arange(len(heard)))),
        "rows": {name: bench.row(name, source) for name, source in found.items()},
    }


def report(result: dict[str, Any]) -> str:
    """The rows of a `quality` as text, one line each, in per cent but for fid and distance."""
    titles = ("agreement", "per clip", "in digit", "precision", "recall", "density", "coverage")
    lines = [" " * 12 + "".join(f"{title:>11}" for title in (*titles, "LeNet-FID", "to train"))]
    for name, row in result["rows"].items():
        spread = [row[key]["feature_distance"]["share"] for key in ("per_clip", "within_digit")]
        shares = [row["agreement"]["rate"], *spread, *(row[title] for title in titles[3:])]
        ends = row["lenet_fid"], row["neighbour"]["median"]
        cells = [*(f"{100 * part:11.1f}" for part in shares), *(f"{end:11.2f}" for end in ends)]
        lines.append(f"{name:12}" + "".join(cells))
    return "\n".join(lines)


class _Bench:
    """The real pictures that every row is laid beside."""

    def __init__(self, judge, mix: Mix, ruler: Pool, which, each, neighbours: int, seed: int):
        self.judge, self.mix, self.seed = judge, mix, seed
        said = mix.test.clip_digits
        self.real = self.draw("ruler", lambda which, rng: ruler(said[which], rng), which, each)
        digits = said[which]
        groups = [np.flatnonzero(digits == digit) for digit in np.unique(digits)]
        self.by_digit = [group for group in groups if len(group) > 1]
        self.by_clip = np.arange(len(each)).reshape(len(said), -1)
        self.neighbours = neighbours
        self.near = self.distances(self.real[0])
        # The kernel's width is the same for all rows: how far apart real pictures of a digit are.
        features = self.real[1].F[self.by_clip]
        self.scale = float(np.median([metrics.pairwise(group) for group in features]))

    def draw(self, name: str, source: Source, *which: np.ndarray) -> list[Seen]:
        rng = stream(self.seed, "quality", name)
        return [look(self.judge, source(clips, rng), clips) for clips in which]

    def distances(self, seen: Seen) -> np.ndarray:
        """From the first pictures to the nearest training picture each, in pixels of 0..1."""
        T = self.mix.train.images
        return metrics.nearest(255 * seen.P[: self.neighbours], T.reshape(len(T), -1))[1] / 255

    def row(self, name: str, source: Source) -> dict[str, Any]:
        """All that is measured of one source."""
        real, real_each = self.real
        ours, each = self.draw(name, source, real.which, real_each.which)
        return {
            "agreement": _brief(table(self.mix.test, each.Z.argmax(axis=1), each.which)),
            "per_clip": self.spread(each, real_each, self.by_clip),
            "within_digit": self.spread(ours, real, self.by_digit),
            "lenet_fid": metrics.frechet(ours.F, real.F),
            **metrics.prdc(real.F, ours.F, NEIGHBOURS),
            "neighbour": self.neighbour(self.distances(ours)),
        }

    def spread(self, ours: Seen, real: Seen, groups: Sequence[np.ndarray]) -> dict[str, Any]:
        """The diversity of groups of pictures, given by their indices, beside the real ones'."""

        def sides(space: str) -> list[list[np.ndarray]]:
            return [[getattr(seen, space)[group] for group in groups] for seen in (ours, real)]

        pixel, feature = sides("P"), sides("F")
        kernel = {"kernel": "rbf", "scale": self.scale}
        vendi = [metrics.diversity(side, lambda X: metrics.vendi(X, **kernel)) for side in feature]
        return {
            "pixel_std": metrics.share(*pixel, metrics.deviation),
            "pixel_distance": metrics.share(*pixel),
            "feature_distance": metrics.share(*feature),
            "vendi": dict(zip(("generated", "real"), vendi, strict=True)),
        }

    def neighbour(self, distances: np.ndarray) -> dict[str, float]:
        return {
            "median": float(np.median(distances)),
            "real_median": float(np.median(self.near)),
            "closer": float((distances < np.quantile(self.near, CLOSE)).mean()),
        }


def look(judge: LeNet5, pictures: np.ndarray, which: np.ndarray) -> Seen:
    """pictures (n, 28, 28, 1) in 0..1 of clips `which`, with what the judge makes of them."""
    xp = array_module(next(judge.params()).data)
    F = [judge.features(xp.asarray(pictures[part])) for part in batches(len(which))]
    Z = [judge[-1](part) for part in F]
    F, Z = (np.concatenate([to_numpy(part) for part in parts]) for parts in (F, Z))
    return Seen(which, pictures.reshape(len(pictures), -1), F, Z)


def _calibration(judge: LeNet5, test: Pairs) -> dict[str, Any]:
    Z = look(judge, pixels(test.images), test.clip_of).Z
    result = metrics.agreement(test.digits, Z.argmax(axis=1))
    return {
        "accuracy": result["rate"],
        "interval": result["interval"],
        "count": result["count"],
        "ece": metrics.ece(Z, test.digits),
        "nll": metrics.nll(Z, test.digits),
    }


def _brief(result: dict[str, Any]) -> dict[str, Any]:
    """A table of `evaluation.table` without its groups."""
    return {key: result[key] for key in ("rate", "correct", "count", "clips", "interval")}
