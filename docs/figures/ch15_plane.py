"""Chapter 15: agreement against variety, for a generator and for what it has to beat."""

import json

import numpy as np
from figure import BLUE, GREEN, GREY, RED, RESULTS, main

NAMES = {
    "generated": "the VAE",
    "class_mean": "class mean",
    "real": "real pictures",
    "shuffled": "the VAE, another clip",
    "classifier": "a classifier's lookup",
}


def numbers() -> dict:
    """Per row of quality-mix-seed0.json: agreement and variety with 95 %, in per cent."""
    result = json.loads((RESULTS / "quality-mix-seed0.json").read_text(encoding="utf-8"))
    rows = {}
    for name, label in NAMES.items():
        row = result["rows"][name]
        spread = row["per_clip"]["pixel_distance"]
        rows[label] = {
            "agreement": 100 * row["agreement"]["rate"],
            "agreement_interval": [100 * end for end in row["agreement"]["interval"]],
            "variety": 100 * spread["share"],
            "variety_interval": [100 * end for end in spread["interval"]],
        }
    return {"rows": rows, "chance": 100 / 10}


def draw(found: dict, plt) -> None:
    _, axes = plt.subplots(figsize=(6.6, 4))
    colours = dict(zip(NAMES.values(), (BLUE, RED, GREEN, GREY, "#b5782a"), strict=True))
    places = {
        "the VAE": (8, -3, "left"),
        "class mean": (8, 1, "left"),
        "real pictures": (-8, 3, "right"),
        "the VAE, another clip": (8, -3, "left"),
        "a classifier's lookup": (-8, -9, "right"),
    }
    for label, row in found["rows"].items():
        x, y, colour = row["variety"], row["agreement"], colours[label]
        low, high = row["agreement_interval"]
        axes.errorbar(x, y, [[y - low], [high - y]], fmt="o", color=colour, capsize=3, ms=6)
        dx, dy, side = places[label]
        axes.annotate(label, (x, y), (dx, dy), textcoords="offset points", ha=side, color=colour)
    axes.plot(100, found["chance"], "o", mfc="white", color=GREEN, ms=6)
    axes.annotate(
        "real pictures of a random digit\n(not measured: one in ten)",
        (100, found["chance"]), (-8, -3), textcoords="offset points", ha="right", color=GREEN,
    )  # fmt: skip
    axes.set(
        xlim=(-4, 108), ylim=(0, 106), yticks=np.arange(0, 101, 20),
        xlabel="variety: distance of two pictures of one clip, % of the real pictures'",
        ylabel="agreement: read as the digit said, %",
    )  # fmt: skip
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main(__file__, numbers, draw)
