"""Chapter 17: the same search by the features of a correspondence and by those of a retrieval."""

import numpy as np
from ch12_archetypes import toy_set
from ch17_matrix import CELLS, PIXELS, WIDTH, Small, searched, tower, trained
from figure import GREEN, RED, main

from tinya2i import metrics, models
from tinya2i.layer import Sequential
from tinya2i.layers import Linear, ReLU

VOICE, TOP = "olive", 3
NAMES = {"L3": "L3's features", "AVE": "AVE's vectors"}


class SmallL3(models.Correspondence):
    """L3-Net's algebra with the towers of ch17_matrix."""

    def __init__(self, rng: np.random.Generator):
        self.eye, self.ear = (Sequential(*tower(n, rng)) for n in (PIXELS, CELLS))
        self.head = Sequential(Linear(2 * WIDTH, WIDTH, rng), ReLU(), Linear(WIDTH, 2, rng))
        self.astype(np.float64)

    def verdicts(self, E: np.ndarray, A: np.ndarray) -> np.ndarray:
        """[word, picture] how much more "together" than "apart", by their features."""
        rows = (self.head(np.concatenate([E, np.tile(a, (len(E), 1))], axis=1)) for a in A)
        return np.stack([Z[:, 1] - Z[:, 0] for Z in rows])


def unit(F: np.ndarray) -> np.ndarray:
    return F / np.linalg.norm(F, axis=1, keepdims=True)


def judged(S: np.ndarray, found: dict) -> dict:
    """Of verdicts S [word, picture]: "right" about pairs of one digit and of two, a half each."""
    same = found["said_unheard"][:, None] == found["real_digits"]
    sides = (S > 0)[same].mean(), (S <= 0)[~same].mean()
    return {"recall@1": same[np.arange(len(S)), S.argmax(axis=1)].mean(), "right": sum(sides) / 2}


def numbers() -> dict:
    """Per model: what it finds; for a voice's ten words its first pictures, as hexadecimal bytes.

    "L3 by verdict" asks the head about every pair.
    """
    found = toy_set()
    asked = np.flatnonzero(found["voices"] == VOICE)
    asked = asked[found["said_unheard"][asked].argsort()]
    result = {}
    for name, kind in (("L3", SmallL3), ("AVE", Small)):
        model = trained(kind(np.random.default_rng(0)), found)
        E, A = model.eye(found["real"]), model.ear(found["U"])
        if name == "L3":
            result["L3 by verdict"] = judged(model.verdicts(E, A), found)
        E, A = unit(E), unit(A)
        first = metrics.nearest_k(A[asked], E, TOP).T
        result[name] = {
            **searched(E, A, found),
            "shown": found["real_digits"][first],
            "pictures": [[_hex(picture) for picture in found["real"][row]] for row in first],
        }
    return result


def _hex(picture: np.ndarray) -> str:
    return np.rint(255 * picture).astype(np.uint8).tobytes().hex()


def draw(found: dict, plt) -> None:
    figure, grid = plt.subplots(2 * TOP, 10, figsize=(8.6, 4.6))
    figure.subplots_adjust(left=0.2, wspace=0.08, hspace=0.08)
    for block, (name, words) in enumerate(NAMES.items()):
        row = found[name]
        for place in range(TOP):
            for said, axes in enumerate(grid[TOP * block + place]):
                byte = bytes.fromhex(row["pictures"][place][said])
                axes.imshow(np.frombuffer(byte, np.uint8).reshape(28, 28), cmap="gray")
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set(lw=2, color=GREEN if row["shown"][place][said] == said else RED)
        words += f"\nrecall@1 {100 * row['recall@1']:.0f} %\nnDCG@30 {row['nDCG@30']:.2f}"
        grid[TOP * block + 1][0].set_ylabel(words, rotation=0, ha="right", va="center", labelpad=8)
    for said, axes in enumerate(grid[0]):
        axes.set_title(f"“{said}”", fontsize=9)


if __name__ == "__main__":
    main(__file__, numbers, draw)
