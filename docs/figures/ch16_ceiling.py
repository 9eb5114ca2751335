"""Chapter 16: a small correspondence on the toy set beside the ceilings; an oracle at them."""

import numpy as np
from ch12_archetypes import heard
from figure import BLUE, GREEN, GREY, RED, main

from tinya2i import optim
from tinya2i.data import mix, negatives, toy
from tinya2i.layer import Sequential
from tinya2i.layers import BatchNorm1d, Linear, ReLU
from tinya2i.models import Correspondence
from tinya2i.models.correspondence import train_step

STEPS, BATCH, RATE, EVERY, WIDTH = 500, 100, 3e-3, 20, 8
HUM = np.repeat([1.0, 0.0], [12, 132])  # the lowest of twelve bands, at all times


class Small(Correspondence):
    """The library's, with towers small enough for a figure: 196 pixels, 144 cells of sound."""

    def __init__(self, rng: np.random.Generator):
        self.eye, self.ear = tower(196, rng), tower(144, rng)
        self.head = Sequential(Linear(2 * WIDTH, 64, rng), ReLU(), Linear(64, 2, rng))
        self.astype(np.float64)


def tower(pixels: int, rng: np.random.Generator) -> Sequential:
    """F = tower(X)        (n, pixels) -> (n, WIDTH), at least 0"""
    return Sequential(
        Linear(pixels, 64, rng), BatchNorm1d(64), ReLU(),
        Linear(64, WIDTH, rng), BatchNorm1d(WIDTH), ReLU(),
    )  # fmt: skip


def toy_set() -> tuple[dict, dict, dict]:
    """(train, test, strangers): 180 words of six voices, 60 others of these, 30 of three others."""
    images, digits, test_images, test_digits = toy.images(0, train=2000, test=500)
    clips, strange = toy.clips(0, train=4, test=1)
    X, U = heard(clips.waves), heard(strange.waves)
    kept = np.arange(len(X)) % 4 == 3  # every word's last take
    scale = X[~kept].mean(), X[~kept].std()
    return (
        side(images, digits, X[~kept], clips.digits[~kept], *scale),
        side(test_images, test_digits, X[kept], clips.digits[kept], *scale),
        side(test_images, test_digits, U, strange.digits, *scale),
    )


def side(
    images: np.ndarray, digits: np.ndarray, X: np.ndarray, said: np.ndarray, mean: float, std: float
) -> dict:
    """Pictures as 14 x 14 means of 2 x 2 pixels, standardised sounds, and who goes with whom."""
    T = images.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(-1, 196) / 255
    clip_of = mix.pair(digits, said, np.random.default_rng(1))
    return {"T": T, "digits": digits, "X": (X - mean) / std, "said": said, "clip_of": clip_of}


def pairs(
    found: dict, rng: np.random.Generator, n: int, aware: bool = False, hum: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(T, X, same) of n pairs; hum: the wrong pairs' clips come from a recorder that hums."""
    chosen = rng.integers(len(found["T"]), size=n)
    clips, same = negatives.correspond(
        chosen, found["clip_of"], rng, found["digits"] if aware else None
    )
    X = found["X"][clips] + (HUM * (1 - same[:, None]) if hum else 0)
    return found["T"][chosen], X, same


def correct(model: Correspondence, found: dict, **how) -> float:
    """The share of 2,000 pairs that model reads right."""
    T, X, same = pairs(found, np.random.default_rng(2), 2000, **how)
    return float((model.forward(T, X, train=False)[0].argmax(axis=1) == same).mean())


def trained(train: dict, test: dict, rate: float = RATE, **how) -> tuple[Small, list[list[float]]]:
    """Small after STEPS steps on pairs made `how`; on the way, test pairs of that kind and honest
    ones, with strangers as they come and of other digits."""
    rng = np.random.default_rng(0)
    model, curves = Small(rng), []
    adam = optim.Adam(model.params(), rate)
    for step in range(STEPS + 1):
        if step % EVERY == 0:
            each = (how, {}, {"aware": True})
            curves.append([correct(model, test, **kind) for kind in each])
        adam.lr = rate * (1 - step / (STEPS + 1))
        train_step(model, adam, *pairs(train, rng, BATCH, **how))
    return model, curves


def oracle(classes: int) -> float:
    """How often "same digit: together" is right, of 20,000 pairs of equally frequent digits."""
    digits = np.arange(1000 * classes) % classes
    rng = np.random.default_rng(classes)
    chosen = rng.integers(len(digits), size=20_000)
    other, same = negatives.correspond(chosen, np.arange(len(digits)), rng)
    return float(((digits[chosen] == digits[other]) == same).mean())


def numbers() -> dict:
    train, test, strangers = toy_set()
    model, curves = trained(train, test)
    _, aware = trained(train, test, aware=True)
    _, hum = trained(train, test, hum=True)
    classes = [2, 3, 4, 5, 7, 10, 15, 20]
    return {
        "steps": np.arange(0, STEPS + 1, EVERY),
        "random": np.array(curves)[:, 1:].T,
        "class-aware": np.array(aware)[:, 1:].T,
        "hum": np.array(hum).T,
        "strangers": [correct(model, strangers, aware=kind) for kind in (False, True)],
        "classes": classes,
        "oracle": [oracle(n) for n in classes],
    }


def draw(found: dict, plt) -> None:
    _, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.3), width_ratios=(3, 2))
    for height in (95, 100):
        left.axhline(height, color=GREY, lw=0.8, ls="--")
    lines = (
        (found["hum"][0], RED, "-", "wrong pairs hum, and so in the test"),
        (found["random"][1], GREEN, "-", "strangers of other digits only"),
        (found["random"][0], BLUE, "-", "strangers as they come"),
        (found["hum"][1], RED, ":", "trained with the hum, test without"),
    )
    for share, colour, style, label in lines:
        left.plot(found["steps"], 100 * np.array(share), style, color=colour, label=label)
    left.set(xlabel="steps of 100 pairs", ylabel="test pairs read right, %", ylim=(38, 102))
    left.legend(frameon=False, fontsize=8, loc=(0.42, 0.26))
    n = np.arange(2, 21)
    right.plot(n, 100 * (1 - 1 / (2 * n)), color=GREY, label="1 − 1/2K")
    right.plot(found["classes"], 100 * np.array(found["oracle"]), "o", color=BLUE, label="oracle")
    right.set(xlabel="digits, K", ylabel="the most that can be right, %", ylim=(70, 102))
    right.set(xticks=[2, 5, 10, 15, 20])
    right.legend(frameon=False, loc="lower right")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    plt.tight_layout()


if __name__ == "__main__":
    main(__file__, numbers, draw)
