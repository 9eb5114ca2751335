"""Chapter 17: InfoNCE over the steps, with the pairs of one drawing and with new ones each step."""

import numpy as np
from ch12_archetypes import toy_set
from ch17_matrix import BATCH, Small, batches, searched
from figure import BLUE, GREY, RED, main
from scipy.stats import binom

from tinya2i import optim
from tinya2i.models.retrieval import contrastive_step

STEPS, EVERY = 300, 10


def numbers() -> dict:
    """Means over EVERY steps of the loss and of "correct"; what is found; the lines in between."""
    found, result = toy_set(), {}
    for name, repair in (("pairs drawn once", False), ("new pairs each step", True)):
        model = Small(np.random.default_rng(0))
        adam = optim.Adam(model.params())
        rows = []
        for i, clip_of, _ in batches(adam, found, STEPS, repair):
            values = contrastive_step(model, adam, found["T"][i], found["X"][clip_of[i]])
            rows.append([float(values["loss"]), float(values["correct"])])
        loss, correct = np.array(rows).reshape(-1, EVERY, 2).mean(axis=1).T
        E, A = model.embed_pictures(found["real"]), model.embed_sounds(found["U"])
        result[name] = {"loss": loss, "correct": correct, **searched(E, A, found)}
    others = np.arange(BATCH)
    floor = binom.pmf(others, BATCH - 1, 0.1) @ np.log(1 + others)
    return {"runs": result, "floor": floor, "blind": np.log(BATCH)}


def draw(found: dict, plt) -> None:
    _, axes = plt.subplots(figsize=(6, 2.9))
    for (name, run), colour in zip(found["runs"].items(), (RED, BLUE), strict=True):
        steps = EVERY * (0.5 + np.arange(len(run["loss"])))
        label = f"{name}: unseen, nDCG@30 {run['nDCG@30']:.2f}"
        axes.plot(steps, run["loss"], color=colour, label=label)
    for level, words in ((found["blind"], "log n: blind"), (found["floor"], "digits, no more")):
        axes.axhline(level, color=GREY, lw=0.8, ls="--")
        axes.text(STEPS, level - 0.05, words, ha="right", va="top", fontsize=8, color=GREY)
    axes.set(xlabel="step", ylabel="InfoNCE, batches of 100", xlim=(0, STEPS), ylim=(0, 5.2))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="lower left")


if __name__ == "__main__":
    main(__file__, numbers, draw)
