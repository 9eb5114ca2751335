"""Chapter 9: a spoken seven as power, decibels and log-mel; and the ten digits as log-mel."""

import numpy as np
from figure import main

from tinya2i import audio
from tinya2i.data.formants import RATE, speak
from tinya2i.data.toy import TRAIN_VOICES

LETTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDE"


def numbers() -> dict:
    """A letter for each number, a row per frequency or band: steps of 2.5 % of the peak or 2 dB."""
    rng = np.random.default_rng(7)
    seven = speak([7], [TRAIN_VOICES["alder"]], rng)[0]
    waves = [seven, *speak(range(10), [TRAIN_VOICES["birch"]] * 10, rng)]
    power = np.abs(audio.stft(seven / np.abs(seven).max())) ** 2
    pictures = audio.log_mel(waves).astype(float)
    return {
        "seconds": len(seven) / RATE,
        "power": rows(power / power.max()),
        "decibels": rows(1 + audio.power_to_db(power) / 80),
        "pictures": [rows(X) for X in pictures],
    }


def rows(A: np.ndarray) -> list[str]:
    """Numbers 0 to 1 as one of 41 letters each."""
    return ["".join(LETTERS[step] for step in row) for row in (40 * A).round().astype(int)]


def array(rows: list[str]) -> np.ndarray:
    return np.array([[LETTERS.index(letter) / 40 for letter in row] for row in rows])


def draw(found: dict, plt) -> None:
    figure = plt.figure(figsize=(8.5, 5.8), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=(1.1, 1))
    plain = {"origin": "lower", "aspect": "auto", "interpolation": "nearest", "cmap": "magma"}
    time = {"extent": (0, found["seconds"], 0, RATE / 2), **plain}
    first, second, third = top.subplots(1, 3)
    shown = first.imshow(100 * array(found["power"]), vmin=0, vmax=100, **time)
    top.colorbar(shown, ax=first, label="power (% of the peak)")
    shown = second.imshow(80 * array(found["decibels"]) - 80, vmin=-80, vmax=0, **time)
    top.colorbar(shown, ax=second, label="power (dB, the peak is 0)")
    pictures = [array(picture) for picture in found["pictures"]]
    shown = third.imshow(pictures[0], vmin=0, vmax=1, **plain)
    top.colorbar(shown, ax=third, label="0: -80 dB, 1: the peak")
    for axis in (first, second):
        axis.set(xlabel="time (s)")
    first.set(ylabel="frequency (Hz)")
    third.set(xlabel="frame", ylabel="mel band")
    for axis, words in zip(
        (first, second, third), ("power", "decibels", "log-mel, 48 x 48"), strict=True
    ):
        axis.set_title(words, fontsize=9)
    for digit, axis in enumerate(bottom.subplots(2, 5).flat):
        axis.imshow(pictures[digit + 1], vmin=0, vmax=1, **{**plain, "aspect": "equal"})
        axis.set_title(f"“{WORDS[digit]}”", fontsize=9)
        axis.set(xticks=[], yticks=[])


WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


if __name__ == "__main__":
    main(__file__, numbers, draw)
