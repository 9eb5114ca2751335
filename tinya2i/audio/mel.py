"""The mel scale (Slaney's) and its triangular filterbank."""

import numpy as np

HZ_PER_MEL = 200 / 3  # below 1 kHz the scale is linear ...
BEND_HZ = 1000.0
BEND_MEL = BEND_HZ / HZ_PER_MEL
LOG_STEP = np.log(6.4) / 27  # ... above it logarithmic: 27 mels multiply the frequency by 6.4


def hz_to_mel(hz: np.ndarray | float) -> np.ndarray:
    """m = 3 f / 200 below 1 kHz, 15 + 27 log(f / 1000) / log(6.4) above.

    Slaney, Auditory Toolbox (1998); `librosa.hz_to_mel(htk=False)`. Any shape, float64.
    """
    hz = np.asarray(hz, np.float64)
    above = BEND_MEL + np.log(np.maximum(hz, BEND_HZ) / BEND_HZ) / LOG_STEP
    return np.where(hz < BEND_HZ, hz / HZ_PER_MEL, above)


def mel_to_hz(mel: np.ndarray | float) -> np.ndarray:
    """f = 200 m / 3 below 15 mel, 1000 * 6.4^((m - 15) / 27) above: the inverse of `hz_to_mel`."""
    mel = np.asarray(mel, np.float64)
    above = BEND_HZ * np.exp(LOG_STEP * (np.maximum(mel, BEND_MEL) - BEND_MEL))
    return np.where(mel < BEND_MEL, mel * HZ_PER_MEL, above)


def mel_filterbank(rate: int = 8000, n_fft: int = 512, n_mels: int = 48) -> np.ndarray:
    """M[i, f] = 2 / (h_{i+2} - h_i) * max(0, min((f - h_i) / (h_{i+1} - h_i),
                                                   (h_{i+2} - f) / (h_{i+2} - h_{i+1})))

    Triangles between n_mels + 2 corners h, evenly spaced in mel from 0 Hz to rate / 2, each of
    area 1 over f in Hz (Slaney's norm), sampled at the n_fft // 2 + 1 frequencies of an rfft.
    Returns float64 (n_mels, n_fft // 2 + 1), per Hz. `librosa.filters.mel`.
    """
    corners = mel_to_hz(np.linspace(0, hz_to_mel(rate / 2), n_mels + 2))[:, None]
    f = np.fft.rfftfreq(n_fft, 1 / rate)
    left, centre, right = corners[:-2], corners[1:-1], corners[2:]
    rising = (f - left) / (centre - left)
    falling = (right - f) / (right - centre)
    return np.maximum(0, np.minimum(rising, falling)) * (2 / (right - left))
