"""Chapter 8: one spoken seven, as a wave and through windows of three lengths."""

import numpy as np
from figure import BLUE, RED, main

from tinya2i import audio
from tinya2i.data.formants import RATE, speak
from tinya2i.data.toy import TRAIN_VOICES

WINDOWS = (64, 256, 1024)  # samples: 8, 32 and 128 ms
RANGE = 60  # dB below the loudest point that are shown


def numbers() -> dict:
    """As words: the wave in % of its peak; power in whole dB above -60, a row per frequency."""
    rng = np.random.default_rng(7)
    wave = speak([7], [TRAIN_VOICES["alder"]], rng)[0]
    percent = (100 * wave / np.abs(wave).max()).round().astype(int)
    found = {"wave": " ".join(map(str, percent))}
    for size in WINDOWS:
        power = np.abs(audio.stft(wave, size, size // 4, size)) ** 2
        above = RANGE + audio.power_to_db(power, amin=1e-30, top_db=RANGE)
        found[str(size)] = [" ".join(map(str, row)) for row in above.round().astype(int)]
    return found


def draw(found: dict, plt) -> None:
    wave = np.array(found["wave"].split(), float)
    seconds = len(wave) / RATE
    sizes = {"height_ratios": (0.7, 1, 1, 1), "hspace": 0.28}
    figure, axes = plt.subplots(4, 1, figsize=(7, 7.4), sharex=True, gridspec_kw=sizes)
    axes[0].plot(np.arange(len(wave)) / RATE, wave, color=BLUE, lw=0.5)
    axes[0].axvspan(0.2, 0.21, color=RED, alpha=0.35, lw=0)
    axes[0].text(0.205, 115, "10 ms", color=RED, ha="center")
    axes[0].set(ylabel="pressure\n(% of the peak)", ylim=(-110, 160))
    for axis, size in zip(axes[1:], WINDOWS, strict=True):
        dB = np.array([row.split() for row in found[str(size)]], float) - RANGE
        hop, step = size // 4, RATE / size
        # One tile per number: frame t is centred on t * hop, bin f on f * rate / size.
        t = (np.arange(dB.shape[1] + 1) - 0.5) * hop / RATE
        f = (np.arange(dB.shape[0] + 1) - 0.5) * step
        shown = axis.pcolormesh(t, f, dB, cmap="magma", vmin=-RANGE, vmax=0, rasterized=True)
        top = RATE / 2 if size < WINDOWS[-1] else 1500  # or the overtones would lie too close
        axis.set(ylabel="frequency (Hz)", ylim=(0, top), xlim=(0, seconds))
        axis.set_title(
            f"window {1000 * size / RATE:.0f} ms = {size} samples: bins {step:.0f} Hz apart"
            + ("" if size < WINDOWS[-1] else "; the lowest 1,500 Hz only"),
            fontsize=9,
        )
    axes[-1].set(xlabel="time (s)")
    bar = figure.colorbar(shown, ax=axes, fraction=0.03, pad=0.02)
    bar.set_label("power (dB below the loudest point)")


if __name__ == "__main__":
    main(__file__, numbers, draw)
