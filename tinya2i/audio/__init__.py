"""Sound: from any audio file to the 48x48 log-mel picture that the models see.

    file -> load -> wave (8 kHz, mono) -> log_mel -> (48, 48) in 0..1

The steps between (resampling, STFT, mel filterbank, decibels) follow librosa's conventions and
are public, so that each can be looked at and checked alone. All arithmetic is float64 on the CPU
and the result is stored as float32: the features are the same whichever backend trains on them.
"""

from .augment import KINDS, Augment, augmented
from .cache import cached_log_mel
from .features import LogMel, log_mel
from .files import AudioWarning, load, resample
from .mel import hz_to_mel, mel_filterbank, mel_to_hz
from .spectrum import hann, istft, power_to_db, stft

__all__ = [
    "KINDS",
    "AudioWarning",
    "Augment",
    "LogMel",
    "augmented",
    "cached_log_mel",
    "hann",
    "hz_to_mel",
    "istft",
    "load",
    "log_mel",
    "mel_filterbank",
    "mel_to_hz",
    "power_to_db",
    "resample",
    "stft",
]
