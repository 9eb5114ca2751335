"""Writes librosa_reference.npz: what librosa makes of four synthetic signals.

Run with librosa 0.11 installed: `python tests/data/make_librosa_reference.py`. The tests read the
file, so that parity is checked where librosa is not installed. No recorded sound is in it.

filterbank       (48, 257) float64
signals          (4, 1536) int16: a voice, a burst of noise, a chirp, a click in a faint hiss
mel, dB          (4, 48, 48) float64, float32: of each signal, padded on the right to 6,016 samples
"""

from pathlib import Path

import librosa
import numpy as np

RATE, N_FFT, WINDOW, HOP, BANDS, SAMPLES = 8000, 512, 256, 128, 48, 6016


def signals() -> np.ndarray:
    rng = np.random.default_rng(7)
    t = np.arange(1536) / RATE
    voice = sum(np.sin(2 * np.pi * 130 * k * t) / k for k in range(1, 25)) * np.sin(16 * t) ** 2
    noise = rng.standard_normal(len(t)) * np.exp(-20 * t)
    chirp = np.sin(2 * np.pi * (100 + 9500 * t) * t)
    click = 1e-3 * rng.standard_normal(len(t))
    click[700:705] = 1
    X = np.stack([voice, noise, chirp, click])
    return np.round(X / np.abs(X).max(axis=1, keepdims=True) * 20_000).astype(np.int16)


def mel(wave: np.ndarray) -> np.ndarray:
    return librosa.feature.melspectrogram(
        y=np.pad(wave / 32768, (0, SAMPLES - len(wave))),
        sr=RATE,
        n_fft=N_FFT,
        hop_length=HOP,
        win_length=WINDOW,
        n_mels=BANDS,
        dtype=np.float64,
    )


if __name__ == "__main__":
    waves = signals()
    power = np.stack([mel(wave) for wave in waves])
    np.savez_compressed(
        Path(__file__).with_name("librosa_reference.npz"),
        filterbank=librosa.filters.mel(sr=RATE, n_fft=N_FFT, n_mels=BANDS, dtype=np.float64),
        signals=waves,
        mel=power,
        dB=np.stack([librosa.power_to_db(S, ref=np.max) for S in power]).astype(np.float32),
    )
