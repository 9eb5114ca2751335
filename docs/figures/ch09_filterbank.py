"""Chapter 9: two mel scales, the 48 triangles, and triangles that fall between two bins."""

import numpy as np
from figure import BLUE, GREEN, GREY, RED, main

from tinya2i import audio

HZ = np.linspace(0, 4000, 41)
FEW, MANY = 128, 90  # a short transform and more bands than it can feed


def numbers() -> dict:
    """Both scales as shares of 4 kHz's mels; M; corners of 90 bands and which are empty."""
    htk = np.log1p(HZ / 700)
    corners = audio.mel_to_hz(np.linspace(0, audio.hz_to_mel(4000), MANY + 2))
    return {
        "slaney": audio.hz_to_mel(HZ) / audio.hz_to_mel(4000),
        "htk": htk / htk[-1],
        "triangles": audio.mel_filterbank()[::3],
        "corners": corners[:12],
        "empty": ~audio.mel_filterbank(n_fft=FEW, n_mels=MANY).any(axis=1)[:10],
    }


def draw(found: dict, plt) -> None:
    _, axes = plt.subplots(1, 3, figsize=(9.5, 2.9))
    axes[0].plot(HZ, found["slaney"], color=BLUE, label="Slaney (ours, librosa's)")
    axes[0].plot(HZ, found["htk"], color=RED, ls="--", label="HTK, 2595 log10(1 + f/700)")
    axes[0].plot([0, 4000], [0, 1], color=GREY, lw=0.6, label="linear")
    axes[0].set(xlabel="frequency (Hz)", ylabel="mel, as a share of 4 kHz's", ylim=(0, 1.45))
    axes[0].legend(frameon=False, fontsize=7.5, loc="upper left")
    axes[0].set_title("two mel scales", fontsize=9)
    f = np.fft.rfftfreq(512, 1 / 8000)
    for triangle in found["triangles"]:
        axes[1].plot(f, triangle, color=GREEN, lw=0.8)
    axes[1].set(xlabel="frequency (Hz)", ylabel="weight (1/Hz)", ylim=(0, None))
    axes[1].set_title("every third row of M", fontsize=9)
    h = found["corners"]
    for i, empty in enumerate(found["empty"]):
        axes[2].plot(h[i : i + 3], [0, 1, 0], color=RED if empty else GREEN, lw=1)
    bins = np.arange(0, h[-1], 8000 / FEW)
    axes[2].vlines(bins, 0, 1.1, color=GREY, lw=0.7, ls=":")
    axes[2].set(xlabel="frequency (Hz)", ylabel="weight / its peak", ylim=(0, 1.2))
    axes[2].set_title(f"{MANY} bands, n_fft {FEW}: red meets no bin", fontsize=9)
    plt.tight_layout()


if __name__ == "__main__":
    main(__file__, numbers, draw)
