"""Chapter 7: LeNet5's real training, and what a briefly trained one confuses."""

import json

import numpy as np
from figure import BLUE, GREEN, GREY, RESULTS, main

from tinya2i import metrics, models
from tinya2i.data import toy
from tinya2i.models.lenet5 import train_step
from tinya2i.optim import Adam

STEPS, BATCH, TEST = 15, 32, 400


def confusion() -> np.ndarray:
    """[digit drawn, digit read] after 15 steps on toy digits, of 400 others."""
    images, digits, others, truth = toy.images(seed=0, train=STEPS * BATCH, test=TEST)
    model = models.LeNet5(np.random.default_rng(0)).astype(np.float64)
    optimiser = Adam(model.params())
    for start in range(0, STEPS * BATCH, BATCH):
        part = slice(start, start + BATCH)
        train_step(model, optimiser, images[part] / 255.0, digits[part])
    return metrics.agreement(truth, model.predict(others / 255.0))["confusion"]


def numbers() -> dict:
    result = json.loads((RESULTS / "lenet5-mix.json").read_text(encoding="utf-8"))
    per_digit = result["summary"]["per_digit"].values()
    return {
        "loss": [row["loss"] for row in result["epochs"]],
        "accuracy": [row["test_accuracy"] for row in result["epochs"]],
        "rate": [each["rate"] for each in per_digit],
        "interval": [each["interval"] for each in per_digit],
        "confusion": confusion(),
    }


def draw(found: dict, plt) -> None:
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(10, 3.1))
    epochs = np.arange(1, len(found["loss"]) + 1)
    left.semilogy(epochs, found["loss"], "o-", ms=3, color=BLUE, label="mean loss of the epoch")
    wrong = 1 - np.array(found["accuracy"])
    left.semilogy(epochs, wrong, "s-", ms=3, color=GREEN, label="share of test digits misread")
    left.set_xticks(epochs)
    left.set(xlabel="epoch", ylim=(5e-3, 0.6))
    left.set_title("MNIST: ten epochs", fontsize=9)
    left.legend(frameon=False, fontsize=8)
    rate, interval = 100 * np.array(found["rate"]), 100 * np.array(found["interval"])
    middle.errorbar(
        range(10), rate, yerr=np.abs(interval.T - rate), fmt="o", ms=4, color=GREEN, ecolor=GREY
    )
    middle.set_xticks(range(10))
    middle.set(xlabel="digit", ylabel="read right (%)", ylim=(96, 100.2))
    middle.set_title("MNIST, test: each digit, 95 % intervals", fontsize=9)
    counts = np.array(found["confusion"])
    right.imshow(counts, cmap="Greens", vmax=counts.max() * 1.4)
    for i, row in enumerate(counts):
        for j, count in enumerate(row):
            if count:
                right.text(j, i, str(count), ha="center", va="center", fontsize=7)
    right.set_xticks(range(10))
    right.set_yticks(range(10))
    right.set(xlabel="read", ylabel="drawn")
    right.set_title("drawn digits, after 15 steps", fontsize=9)
    figure.tight_layout()


if __name__ == "__main__":
    main(__file__, numbers, draw)
