"""A judge for free: whether a picture drawn for a sound leads back to it, without any label.

The eye and the ear of a Retrieval run, which learned from pairs alone, see the picture and hear
all test clips; the clips are put in order of their distance from it. The rank of the clip that it
was drawn for needs no label at all. The digit of the first clips does, as LeNet5's verdict does,
but nobody was trained on it. A row has

    own         "rank", the mean rank, from 1, of the picture's own clip; "chance", that of any;
                "digit", where all clips of the digit come first, in any order: what a picture that
                shows the digit and no more can hope for
    recall_1, recall_5, recall_10
                how often a clip of the digit is among the first so many; intervals count clips
    lenet5      how often LeNet5 reads the digit in the same pictures
    same        how often the first clip says the digit that LeNet5 reads

"mu" are the generator's pictures with z = mu, "drawn" DRAWS with z drawn for each clip, "real" real
test pictures of the digit, the most that can be had, and "shuffled" those that the generator drew
for another clip, the least.
"""

from typing import Any

import numpy as np

from tinya2i import metrics
from tinya2i.data import Mix
from tinya2i.errors import DataError
from tinya2i.layer import Layer
from tinya2i.metrics.retrieval import smallest
from tinya2i.models import LeNet5, Retrieval
from tinya2i.runs import without_sources
from tinya2i.streams import stream
from tinya2i.tasks.belonging import heard, in_batches
from tinya2i.tasks.evaluation import DRAWS, table
from tinya2i.tasks.search import FIRST
from tinya2i.tasks.sources import Pool, generator

KEPT = ("rate", "correct", "count", "clips", "interval")  # of a table


def rank_back(
    model: Layer, judge: LeNet5, mix: Mix, searcher: Retrieval, theirs: Mix, *, seed: int
) -> dict[str, Any]:
    """{name of a row: row}, JSON-able, for the generator `model` and the clips of mix.test

    searcher hears theirs.test, the same clips as its own run scales them; see `same_clips`.
    """
    test, each = mix.test, np.arange(len(mix.test.clips))
    draw, pool = generator(model, test.clips), Pool(test.images, test.digits)
    many, other = each.repeat(DRAWS), stream(seed, "ranking", "shuffled").permutation(len(each))
    at_mu = draw(each, None)
    pictures = {
        "mu": (at_mu, each),
        "drawn": (draw(many, stream(seed, "ranking", "drawn")), many),
        "real": (pool(test.clip_digits[many], stream(seed, "ranking", "real")), many),
        "shuffled": (at_mu[other], each),
    }
    S = heard(searcher, theirs.test.clips)
    return {
        name: _row(Y, which, mix, S, in_batches(searcher.eye, searcher, Y), judge)
        for name, (Y, which) in pictures.items()
    }


def _row(
    pictures: np.ndarray, which: np.ndarray, mix: Mix, S: np.ndarray, E: np.ndarray, judge: LeNet5
) -> dict[str, Any]:
    """One row: pictures (n, 28, 28, 1) of clips `which` (n,), embedded as E (n, d); S those."""
    test, said = mix.test, mix.test.clip_digits
    digits, count = said[which], np.bincount(said, minlength=10)
    D = metrics.squared_distances(E, S)
    first = said[smallest(D, min(max(FIRST), len(S)))]
    read = in_batches(judge.predict, judge, pictures)
    own = {
        "rank": float(metrics.rank_of(D, which).mean()),
        "chance": (len(S) + 1) / 2,
        "digit": float((count[digits] + 1).mean() / 2),
    }
    row = {"own": own, "lenet5": _brief(table(test, read, which))}
    for k in FIRST:
        depth = min(k, len(S))
        hit = metrics.recall_at(first == digits[:, None], depth)
        found = _brief(table(test, np.where(hit, digits, first[:, 0]), which))
        chance = metrics.recall_chance(count[digits], len(S), depth).mean()
        row[f"recall_{k}"] = {**found, "chance": float(chance)}
    return {**row, "same": float((first[:, 0] == read).mean())}


def _brief(result: dict[str, Any]) -> dict[str, Any]:
    return {key: result[key] for key in KEPT}


def same_clips(mix: Mix, theirs: Mix) -> None:
    """DataError unless both test on the same clips, so that neither has been trained on them."""
    clips = [without_sources(side.info["clips"]) for side in (mix, theirs)]
    made = [side.info["seed"] if side.info["name"] == "toy" else None for side in (mix, theirs)]
    if clips[0] != clips[1] or made[0] != made[1] or mix.test.names != theirs.test.names:
        raise DataError(
            "the run of train_correspondence has other test clips, and has learned from these: "
            "train one with the --data, --speakers, --split and --seed of the generator's run"
        )


def report(rows: dict[str, Any]) -> str:
    """The rows as text, a line each; in per cent but for the rank."""
    own = next(iter(rows.values()))["own"]
    best = f"{own['digit']:.1f} where the digit is all that it shows, {own['chance']:.1f} by chance"
    heads = "".join(f"{head:>11}" for head in ("own clip", *(f"recall@{k}" for k in FIRST)))
    lines = [f"rank of the own clip: {best}", f"{'':9}{heads}{'LeNet5':>11}{'the same':>11}"]
    for name, row in rows.items():
        shares = [*(row[f"recall_{k}"]["rate"] for k in FIRST), row["lenet5"]["rate"], row["same"]]
        cells = "".join(f"{100 * share:11.1f}" for share in shares)
        lines.append(f"{name:9}{row['own']['rank']:11.1f}{cells}")
    return "\n".join(lines)
