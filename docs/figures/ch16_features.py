"""Chapter 16: what eye and ear make of unseen pictures and clips, in the plane of most variance."""

import numpy as np
from ch16_ceiling import Small, toy_set, trained
from figure import main

from tinya2i.layer import Layer
from tinya2i.metrics.probe import linear_probe

KINDS = {  # how trained() trains each; with rate 0 only BatchNorm's statistics move
    "untrained": {"rate": 0.0},
    "do they belong together?": {},
    "the same, wrong pairs hum": {"hum": True},
}


def plane(F: np.ndarray) -> np.ndarray:
    """(n, 2) features F (n, d) along their two axes of most variance, from the mean."""
    _, _, axes = np.linalg.svd(F - F.mean(axis=0), full_matrices=False)
    axes = axes[:2] * np.sign(axes[:2, np.abs(axes[:2]).argmax(axis=1)].diagonal())[:, None]
    return (F - F.mean(axis=0)) @ axes.T


def panel(tower: Layer, learn: tuple, test: tuple) -> dict:
    """Of a frozen tower: inputs and digits to learn the probe from, and to test it on."""
    (X, digits), (U, said) = learn, test
    F = tower(U)
    return {
        "probe": linear_probe(tower(X), digits, F, said)["rate"],
        "digits": said[:200],
        "plane": plane(F)[:200],
    }


def panels(model: Small, train: dict, test: dict) -> dict:
    """The eye's panel and the ear's."""
    eye = [(part["T"], part["digits"]) for part in (train, test)]
    ear = [(part["X"], part["said"]) for part in (train, test)]
    return {"eye": panel(model.eye, *eye), "ear": panel(model.ear, *ear)}


def numbers() -> dict:
    train, test, _ = toy_set()
    return {
        kind: panels(trained(train, test, **how)[0], train, test) for kind, how in KINDS.items()
    }


def draw(found: dict, plt) -> None:
    _, grid = plt.subplots(2, 3, figsize=(8.6, 5.6))
    colours = plt.get_cmap("tab10").colors
    for column, (kind, both) in zip(grid.T, found.items(), strict=True):
        for axes, (tower, each) in zip(column, both.items(), strict=True):
            points = np.array(each["plane"])
            for (x, y), digit in zip(points, each["digits"], strict=True):
                axes.text(x, y, str(digit), color=colours[digit], fontsize=7, ha="center")
            low, high = points.min(axis=0), points.max(axis=0)
            (left, bottom), (right, top) = low - 0.08 * (high - low), high + 0.08 * (high - low)
            axes.set(xlim=(left, right), ylim=(bottom, top), xticks=[], yticks=[])
            axes.set_title(f"{tower}: the probe reads {each['probe']:.0%}", fontsize=9)
        column[0].annotate(
            kind, (0.5, 1.18), xycoords="axes fraction", ha="center", fontweight="bold"
        )
    plt.tight_layout()


if __name__ == "__main__":
    main(__file__, numbers, draw)
