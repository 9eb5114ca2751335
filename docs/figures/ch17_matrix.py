"""Chapter 17: mean distances of unseen words and pictures by digit, untrained and trained."""

from collections.abc import Callable, Iterator

import numpy as np
from ch12_archetypes import toy_set
from figure import main

from tinya2i import metrics, models, optim
from tinya2i.data import mix
from tinya2i.data.negatives import correspond
from tinya2i.layer import Layer, Sequential
from tinya2i.layers import BatchNorm1d, Flatten, L2Normalize, Linear, ReLU
from tinya2i.models.retrieval import train_step

STEPS, BATCH, RATE = 200, 100, 3e-3
PIXELS, CELLS, WIDTH = 784, 144, 64  # of a picture; of a word, seen from afar; of a tower


def tower(numbers: int, rng: np.random.Generator) -> list[Layer]:
    return [Flatten(), Linear(numbers, WIDTH, rng), BatchNorm1d(WIDTH), ReLU()]


class Small(models.Retrieval):
    """AVE-Net's algebra with an eye and an ear that train in a second."""

    def __init__(self, rng: np.random.Generator):
        super().__init__(rng)
        self.eye, self.ear = (
            Sequential(*tower(numbers, rng), Linear(WIDTH, 32, rng), L2Normalize())
            for numbers in (PIXELS, CELLS)
        )
        self.astype(np.float64)


def batches(
    adam: optim.Adam, found: dict, steps: int = STEPS, repair: bool = False
) -> Iterator[tuple[np.ndarray, np.ndarray, np.random.Generator]]:
    """(pictures, the clip of each training picture, rng) for each step; the rate falls to 0.

    repair: each picture gets another clip of its digit, step by step.
    """
    rng = np.random.default_rng(1)
    clip_of = mix.pair(found["digits"], found["said"], rng)
    for step in range(steps):
        adam.lr = RATE * (1 - step / steps)
        if repair:
            clip_of = mix.pair(found["digits"], found["said"], rng)
        yield rng.permutation(len(clip_of))[:BATCH], clip_of, rng


def trained(model: Layer, found: dict) -> Layer:
    """model, which was told of pairs whether they came together; nothing of digits."""
    adam = optim.Adam(model.params())
    for i, clip_of, rng in batches(adam, found):
        clips, same = correspond(i, clip_of, rng)
        train_step(model, adam, found["T"][i], found["X"][clips], same)
    return model


def searched(E: np.ndarray, A: np.ndarray, found: dict) -> dict:
    """What words A find among pictures E, all unseen: recall@1 and nDCG@30 by digit."""
    shown, said = found["real_digits"], found["said_unheard"]
    R = shown[metrics.nearest_k(A, E, 30)] == said[:, None]
    relevant = np.bincount(shown)[said]
    return {
        "recall@1": metrics.recall_at(R, 1).mean(),
        "nDCG@30": metrics.ndcg_at(R, relevant, 30).mean(),
        "pictures found first": len(np.unique(metrics.nearest_k(A, E, 1))),
    }


def by_digit(E: np.ndarray, A: np.ndarray, found: dict) -> np.ndarray:
    """[said, shown] mean distance."""
    D = np.sqrt(metrics.squared_distances(A, E))
    said, shown = (np.eye(10)[found[name]] for name in ("said_unheard", "real_digits"))
    return (said / said.sum(axis=0)).T @ D @ (shown / shown.sum(axis=0))


def numbers() -> dict:
    found, result = toy_set(), {}
    make: dict[str, Callable[[Layer], Layer]] = {
        "untrained": lambda model: model,
        "after 200 steps": lambda model: trained(model, found),
    }
    for name, learn in make.items():
        model = learn(Small(np.random.default_rng(0)))
        E, A = model.embed_pictures(found["real"]), model.embed_sounds(found["U"])
        W, b = model.verdict.W.data[0], model.verdict.b.data
        result[name] = {
            "distance": by_digit(E, A, found),
            "threshold": (b[0] - b[1]) / (W[1] - W[0]),
            **searched(E, A, found),
        }
    return result


def draw(found: dict, plt) -> None:
    figure, both = plt.subplots(1, 2, figsize=(7.4, 3.5), layout="constrained")
    for axes, (name, row) in zip(both, found.items(), strict=True):
        image = axes.imshow(row["distance"], cmap="viridis", vmin=0, vmax=1.8)
        for i, line in enumerate(row["distance"]):
            for j, value in enumerate(line):
                colour = "white" if value < 1.1 else "black"
                axes.text(j, i, f"{value:.1f}", ha="center", va="center", fontsize=7, color=colour)
        axes.set(xlabel="digit shown", ylabel="digit said")
        axes.set(xticks=range(10), yticks=range(10))
        axes.set_title(f"{name}: recall@1 {100 * row['recall@1']:.0f} %", fontsize=9)
    figure.colorbar(image, ax=both, label="mean distance", shrink=0.9)


if __name__ == "__main__":
    main(__file__, numbers, draw)
