"""What an eye and an ear have learned about each other, and of the digits that nobody told them.

A model here has `eye` and `ear`, and is a Correspondence, a Retrieval or a Labelled. Features are
taken once for each picture and each clip; a verdict on a pair of them costs little.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tinya2i import metrics, ops, plot
from tinya2i.backend import Array, array_module, to_numpy
from tinya2i.data import Mix, Pairs
from tinya2i.data.negatives import ceiling, correspond
from tinya2i.layer import Layer
from tinya2i.metrics.retrieval import smallest
from tinya2i.models import Retrieval
from tinya2i.models.labelled import Labelled
from tinya2i.streams import stream
from tinya2i.tasks import search
from tinya2i.tasks.base import batches, pixels
from tinya2i.tasks.generator import to_scale

QUICK = 1000  # test pictures that are looked at after each epoch
PROBED = 10_000  # training pictures that a probe learns from
SHOWN = 8  # pictures in a row of samples


def seen(model: Layer, images: np.ndarray) -> np.ndarray:
    """F (n, d): what the eye makes of uint8 images (n, 28, 28, 1), in inference mode."""
    return in_batches(lambda part: model.eye(pixels(part)), model, images)


def heard(model: Layer, clips: np.ndarray) -> np.ndarray:
    """G (m, d): what the ear makes of clips (m, 48, 48, 1), in inference mode."""
    return in_batches(model.ear, model, clips)


def in_batches(function: Callable[..., Array], model: Layer, *arrays: np.ndarray) -> np.ndarray:
    """function(*arrays) where the model is, BATCH rows at a time, back as a NumPy array."""
    xp = array_module(next(model.params()).data)
    parts = ([xp.asarray(A[part]) for A in arrays] for part in batches(len(arrays[0])))
    return np.concatenate([to_numpy(function(*part)) for part in parts])


def verdicts(model: Layer, F: np.ndarray, G: np.ndarray) -> np.ndarray:
    """s (n,), above 0 where the model says that picture i goes with sound i, by their features

    F (n, d), G (n, e). Correspondence and Retrieval: the difference of the two logits. Labelled,
    which was never asked: how probable it is that both are one digit, -1/2.
    """
    return in_batches(lambda F, G: _verdicts(model, F, G), model, F, G)


def _verdicts(model: Layer, F: Array, G: Array) -> Array:
    xp = array_module(F)
    if isinstance(model, Labelled):
        log_p, log_q = ops.log_softmax(model.reader[-1](F)), ops.log_softmax(model.listener[-1](G))
        return xp.exp(log_p + log_q).sum(axis=1) - 0.5
    if isinstance(model, Retrieval):
        Z = model.verdict(model.distance.forward(F, G, train=False)[0])
    else:
        Z = model.head(xp.concatenate([F, G], axis=1))
    return Z[:, 1] - Z[:, 0]


def best_pictures(model: Layer, F: np.ndarray, G: np.ndarray, k: int) -> np.ndarray:
    """(m, k): the pictures that go best with each sound, the best first, by their features

    F (n, d) of pictures, G (m, e) of sounds: by distance where the model is a Retrieval, else by
    verdict on every pair. Of equally good ones the first.
    """
    if isinstance(model, Retrieval):
        return metrics.nearest_k(G, F, k)
    rows = (verdicts(model, F, np.broadcast_to(g, (len(F), len(g)))) for g in G)
    return np.concatenate([smallest(-row[None], k) for row in rows])


def pictures_for_sounds(model: Layer, test: Pairs, F: np.ndarray, G: np.ndarray) -> dict[str, Any]:
    """`search.table` of all test clips, each with its `best_pictures` of all test pictures."""
    relevant = np.bincount(test.digits, minlength=10)[test.clip_digits]
    places = best_pictures(model, F, G, min(search.DEEP, len(F)))
    return search.table(test.digits[places], test.clip_digits, relevant, len(F))


# Right and wrong pairs


def balanced(test: Pairs, *, seed: int, aware: bool = False) -> tuple[np.ndarray, ...]:
    """(pictures, clips, same) (2n,): each test picture with its own clip, and with a stranger's.

    aware: the stranger says another digit.
    """
    pictures = np.repeat(np.arange(len(test.images)), 2)
    rng = stream(seed, "evaluation", "strangers", int(aware))
    return pictures, *correspond(pictures, test.clip_of, rng, test.digits if aware else None)


def accuracy(model: Layer, test: Pairs, F: np.ndarray, G: np.ndarray, **which) -> dict[str, Any]:
    """How often the verdict is right on `balanced` pairs, by their features; its interval counts
    clips, because pairs of one clip are not independent. "oracle": how often one is right who
    knows both digits, and says "same" where they are equal.
    """
    pictures, clips, same = balanced(test, **which)
    right = (verdicts(model, F[pictures], G[clips]) > 0) == same
    rate, independent = float(right.mean()), len(np.unique(clips))
    oracle = (test.digits[pictures] == test.clip_digits[clips]) == same
    return {
        "rate": rate,
        "count": len(right),
        "clips": independent,
        "interval": list(metrics.wilson(rate * independent, independent)),
        "oracle": float(oracle.mean()),
    }


def glance(model: Layer, test: Pairs, *, seed: int, decides: bool = True) -> dict[str, float]:
    """After an epoch: "recall_1" of test clips among QUICK test pictures; "test_correct" on pairs.

    The latter where the model `decides`: where its verdict is trained.
    """
    few = {name: getattr(test, name)[:QUICK] for name in ("images", "digits", "clip_of")}
    test = replace(test, **few)
    F, G = seen(model, test.images), heard(model, test.clips)
    shown = test.digits[best_pictures(model, F, G, 1)[:, 0]]
    found = {"recall_1": float((shown == test.clip_digits).mean())}
    if decides:
        found["test_correct"] = accuracy(model, test, F, G, seed=seed)["rate"]
    return found


def assess(
    model: Layer, fresh: Layer, mix: Mix, *, seed: int, decides: bool = True
) -> dict[str, Any]:
    """For summary.json: what was learned, beside what is possible and what was there before.

    "accuracy"          on balanced pairs of unseen pictures and unseen clips, see `accuracy`
    "ceiling"           the best that is to be expected there, from the digits' frequencies
    "ceiling_measured"  what an oracle that knows the digits gets on the same pairs
    "accuracy_class_aware"  where no stranger says the picture's digit: the ceiling is 1
    "recall_1", "ndcg_30"   of test clips among the test pictures, see `search.table`
    "probe_eye", "probe_ear"  of a linear classifier on features of test pictures and test clips
    ..._untrained       the same of `fresh`, the model as it was before training

    fresh: with the weights that training began with. decides: see `glance`.
    """
    test = mix.test
    F, G = seen(model, test.images), heard(model, test.clips)
    result = dict(probes(model, mix, F, G, seed=seed))
    first = probes(fresh, mix, seen(fresh, test.images), heard(fresh, test.clips), seed=seed)
    result |= {f"{name}_untrained": row for name, row in first.items()}
    found = pictures_for_sounds(model, test, F, G)
    result |= {"recall_1": found["recall_1"], "ndcg_30": found["ndcg_30"]["rate"]}
    if decides:
        result["accuracy"] = accuracy(model, test, F, G, seed=seed)
        result["accuracy_class_aware"] = accuracy(model, test, F, G, seed=seed, aware=True)
        result["ceiling"] = ceiling(test.digits)
        result["ceiling_measured"] = result["accuracy"]["oracle"]
    return result


def probes(model: Layer, mix: Mix, F: np.ndarray, G: np.ndarray, *, seed: int) -> dict[str, Any]:
    """{"probe_eye", "probe_ear"}: what a plane reads in the features, tables of `agreement`.

    F, G: of the test pictures and the test clips. It learns from at most PROBED training pictures,
    and from all training clips: labels, which serve here to measure.
    """
    train, test = mix.train, mix.test
    some = stream(seed, "probe").permutation(len(train.images))[:PROBED]
    eye = seen(model, train.images[some]), train.digits[some], F, test.digits
    ear = heard(model, train.clips), train.clip_digits, G, test.clip_digits
    return {"probe_eye": metrics.linear_probe(*eye), "probe_ear": metrics.linear_probe(*ear)}


def draw_matches(
    model: Layer, test: Pairs, path: Path, among: int = QUICK, count: int = SHOWN
) -> None:
    """A test clip of each digit and, of the first test pictures, those that go best with it."""
    clips = np.unique(test.clip_digits, return_index=True)[1]
    F, G = seen(model, test.images[:among]), heard(model, test.clips[clips])
    places = best_pictures(model, F, G, min(count, len(F)))
    labels = [str(digit) for digit in test.clip_digits[clips]]
    draw_found(path, test.images[places], labels, list(to_scale(test.clips[clips])))


def draw_found(
    path: str | Path, found: np.ndarray, labels: list[str], spectrograms: list[np.ndarray]
) -> None:
    """A row for each sound: its label, its spectrogram and the pictures found (m, k, 28, 28, 1)."""
    columns = [str(place + 1) for place in range(found.shape[1])]
    plot.grid(found, path, rows=labels, columns=columns, spectrograms=spectrograms)
