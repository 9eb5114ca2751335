"""Spoken digit words from a small formant synthesiser: two sources, a chain of resonators.

Voice and breath pass through a cascade of resonators (the vocal tract), the hiss of s, f or a burst
through one beside it: D. H. Klatt, "Software for a cascade/parallel formant synthesizer", JASA 67
(1980) 971-995. All utterances advance together, sample by sample: the recursions are vectorised.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

RATE = 8000
STEP = 40  # samples for which the resonators stand still: 5 ms, as in Klatt (1980)


class Phone(NamedTuple):
    """Targets of one sound: formants in Hz, duration in ms, levels from 0 to 1."""

    formants: tuple[float, float, float] | None  # None: whatever the neighbours make of it
    widths: tuple[float, float, float] = (60, 90, 150)
    ms: float = 80
    voice: float = 0.0
    breath: float = 0.0
    hiss: float = 0.0
    band: tuple[float, float] = (3000, 2000)  # of the hiss: centre and width
    nasal: float = 0.0  # 1 lowers the velum
    glide: tuple[float, float, float] | None = None  # where a diphthong ends


class Voice(NamedTuple):
    """A speaker."""

    tract: float = 1.0  # length of the vocal tract: 1 is 17.5 cm, a man's
    pitch: float = 120.0  # Hz, in the middle of the word
    fall: float = 0.3  # octaves from the start to the end
    speed: float = 1.0
    breath: float = 0.05


# Plain vowels: the men's means of Peterson and Barney, JASA 24 (1952) 175-184, table II; EY and AY
# glide between two of them. OW, UW's beginning and the consonants: Klatt (1980), tables II and III.
# Durations, levels and bands were set until classifiers of real speech (FSDD) understood the words.
PHONES = {
    "IY": Phone((270, 2290, 3010), (45, 90, 200), 190, 0.9),
    "IH": Phone((390, 1990, 2550), (50, 100, 140), 90, 0.9),
    "EH": Phone((530, 1840, 2480), (60, 90, 200), 100, 1.0),
    "AH": Phone((640, 1190, 2390), (80, 60, 140), 130, 1.0),
    "AO": Phone((570, 840, 2410), (80, 80, 100), 150, 1.0),
    "UW": Phone((350, 1250, 2200), (65, 110, 140), 200, 0.9, glide=(300, 870, 2240)),
    "AX": Phone((500, 1400, 2400), (70, 90, 150), 70, 0.7),
    "EY": Phone((530, 1840, 2480), (70, 100, 200), 210, 1.0, glide=(270, 2290, 3010)),
    "AY": Phone((730, 1090, 2440), (100, 80, 200), 250, 1.0, glide=(390, 1990, 2550)),
    "OW": Phone((540, 1100, 2300), (80, 70, 110), 200, 1.0, glide=(450, 900, 2300)),
    "W": Phone((290, 610, 2150), (50, 80, 110), 80, 0.6),
    "R": Phone((310, 1060, 1380), (70, 100, 120), 80, 0.6),
    "N": Phone((480, 1340, 2470), (60, 300, 300), 90, 0.6, nasal=1),
    "Z": Phone((240, 1390, 2530), (70, 90, 180), 90, 0.25, 0, 0.12, (3700, 500)),
    "V": Phone((220, 1100, 2080), (60, 90, 120), 50, 0.12, 0, 0.02, (2500, 3000)),
    "S": Phone((320, 1390, 2530), (200, 100, 200), 120, 0, 0, 0.3, (3700, 500)),
    "F": Phone((340, 1100, 2080), (200, 120, 150), 65, 0, 0, 0.02, (2500, 3000)),
    "TH": Phone((320, 1290, 2540), (200, 90, 200), 100, 0, 0, 0.03, (3400, 1500)),
    "T": Phone((400, 1600, 2600), (300, 120, 250), 20, 0, 0, 0.2, (3500, 900)),
    "K": Phone((300, 1990, 2850), (250, 160, 330), 30, 0, 0, 0.4, (2000, 300)),
    "H": Phone(None, ms=40, breath=0.05),  # the breath between a burst and the voice
    "-": Phone(None, ms=60),  # a stop's closure
}

WORDS = (
    "Z IH R OW", "W AH N", "T H UW", "TH R IY", "F AO R",
    "F AY V", "S IH - K S", "S EH V AX N", "EY - T H", "N AY N",
)  # fmt: skip

# Columns of a score, in which each row holds for 5 ms; first F1 F2 F3 in Hz and their widths.
NASAL, VOICE, BREATH, HISS, CENTRE, WIDTH, PITCH = range(6, 13)


def speak(
    digits: Sequence[int], voices: Sequence[Voice], rng: np.random.Generator
) -> list[np.ndarray]:
    """One spoken word for each digit, by the voice beside it, timed a little differently each time.

    Returns float64 waves at 8 kHz of about 0.25 to 0.8 s, at no level in particular.
    """
    scores = [score(WORDS[d], v, rng) for d, v in zip(digits, voices, strict=True)]
    longest = max(map(len, scores))
    S = np.stack([np.pad(s, ((0, longest - len(s)), (0, 0)), "edge") for s in scores], axis=-1)
    Y = synthesise(S, np.array([v.tract for v in voices]), rng)
    return [y[: len(s) * STEP].copy() for y, s in zip(Y.T, scores, strict=True)]


def score(word: str, voice: Voice, rng: np.random.Generator) -> np.ndarray:
    """(frames, 13): the targets of a word's sounds, joined by straight transitions."""
    phones = [PHONES[name] for name in word.split()]
    ms = np.array([p.ms for p in phones]) / voice.speed * np.exp(rng.normal(0, 0.1, len(phones)))
    ends = rng.uniform(5, 25) + np.cumsum(ms)
    t = np.arange(0, ends[-1] + rng.uniform(20, 50), 1000 * STEP / RATE)
    S = np.empty((len(t), PITCH + 1))
    S[:, :VOICE] = _interpolate(t, _tract_knots(phones, ends - ms, ends))
    S[:, VOICE:PITCH] = _interpolate(t, _source_knots(phones, ends - ms, ends))
    S[:, :3] *= np.exp(rng.normal(0, 0.02, 3))
    S[:, BREATH] += voice.breath * S[:, VOICE]
    S[:, VOICE] *= np.linspace(1, 0.4, len(t))  # the lungs run out of air
    wander = 0.015 * rng.standard_normal(len(t))  # a voice's period is never quite steady
    S[:, PITCH] = voice.pitch * 2 ** (voice.fall * (0.5 - t / t[-1]) + wander)
    return S


def _tract_knots(phones: list[Phone], starts: np.ndarray, ends: np.ndarray) -> list[tuple]:
    """(ms, formants, widths, nasal): tongue and lips take about 60 ms from sound to sound."""
    knots = []
    for phone, start, end in zip(phones, starts, ends, strict=True):
        first, last = phone.formants, phone.glide or phone.formants
        third = 0.3 * (end - start)
        rest = third if phone.glide else min(third, 30)  # a diphthong dwells on its first vowel
        if first:
            knots.append((start + rest, *first, *phone.widths, phone.nasal))
            knots.append((end - min(third, 30), *last, *phone.widths, phone.nasal))
    return knots


def _source_knots(phones: list[Phone], starts: np.ndarray, ends: np.ndarray) -> list[tuple]:
    """(ms, levels, band): the sources change within 15 ms; the last sound dies away."""
    knots = [(starts[0], 0, 0, 0, *phones[0].band)]
    for phone, start, end in zip(phones, starts, ends, strict=True):
        ramp = min(0.3 * (end - start), 8)
        source = (phone.voice, phone.breath, phone.hiss, *phone.band)
        knots += [(start + ramp, *source), (end - ramp, *source)]
    knots[-1] = (0.6 * ends[-1] + 0.4 * starts[-1], *knots[-1][1:])
    return [*knots, (ends[-1], 0, 0, 0, *phones[-1].band)]


def _interpolate(t: np.ndarray, knots: list[tuple]) -> np.ndarray:
    times, *values = np.array(knots).T
    return np.stack([np.interp(t, times, v) for v in values], axis=1)


def synthesise(S: np.ndarray, tract: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """cascade(nasal pair, F4 ... F1)(voice + breath) + parallel branch(hiss).

    `S` (frames, 13, n) are the scores of n utterances and `tract` (n,) the lengths of their
    speakers' vocal tracts; returns (40 frames, n).
    """
    levels = _every_sample(S[:, [VOICE, BREATH, HISS, PITCH]])
    voice, breath, hiss, pitch = levels.transpose(1, 0, 2)
    X = voice * _pulses(pitch, rng) + breath * rng.standard_normal(breath.shape)
    X = _nasal(X, S[:, NASAL])
    X = _resonate(X, np.minimum(3500 / tract, 3900), 350)  # F4 of a 17.5 cm tube: 7 · 500 Hz
    for i in (2, 1, 0):
        X = _resonate(X, np.minimum(S[:, i] / tract, 3900), S[:, 3 + i])
    noise = hiss * rng.standard_normal(hiss.shape)
    centre = np.minimum(S[:, CENTRE] / np.sqrt(tract), 3800)  # the front cavity varies less
    return X + 0.03 * noise + _resonate(noise, centre, S[:, WIDTH], peak=True)


def resonator(frequency: np.ndarray, width: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """r = exp(−π·width/rate), b = 2 r cos(2π·frequency/rate), c = −r²: Klatt (1980), eq. 2.

    Returns (b, c) of y[n] = (1 − b − c) x[n] + b y[n−1] + c y[n−2], which passes DC unchanged.
    """
    frequency, width = np.broadcast_arrays(frequency, width)
    r = np.exp(-np.pi * width / RATE)
    return 2 * r * np.cos(2 * np.pi * frequency / RATE), -r * r


def _resonate(X: np.ndarray, frequency: np.ndarray, width: np.ndarray, peak=False) -> np.ndarray:
    """The resonator of each frame over its samples; gain one at DC, or at the peak."""
    shape = (len(X) // STEP, X.shape[1])
    b, c = (np.broadcast_to(v, shape) for v in resonator(frequency, width))
    r = np.sqrt(-c)  # in `a`: |1 − b z⁻¹ − c z⁻²| where z has the pole's angle, or z = 1
    a = (1 - r) * np.sqrt((1 + r) ** 2 - b * b / r) if peak else 1 - b - c
    Y = np.repeat(a, STEP, axis=0) * X
    before, last = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    for n, y in enumerate(Y):
        y += b[n // STEP] * last
        y += c[n // STEP] * before
        before, last = last, y
    return Y


def _nasal(X: np.ndarray, amount: np.ndarray) -> np.ndarray:
    """A pole at 270 Hz and a zero that leaves it for 450 Hz as the velum falls (Klatt, II.B)."""
    b, c = (np.repeat(v, STEP, axis=0) for v in resonator(270 + 180 * amount, 100))
    X = np.concatenate([np.zeros((2, X.shape[1])), X])
    return _resonate((X[2:] - b * X[1:-1] - c * X[:-2]) / (1 - b - c), 270, 100)


def _pulses(pitch: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Differences of the glottal flow x²(1 − x), x = phase / open quotient: KLGLOTT88's pulse.

    (D. H. Klatt and L. C. Klatt, JASA 87 (1990) 820-857.) The difference is the lips' radiation;
    over two samples it averages the pulse, which tilts its spectrum and keeps its aliases down.
    """
    phase = rng.uniform(size=pitch.shape[1]) + np.cumsum(pitch / RATE, axis=0)
    x = np.minimum(phase % 1 / 0.6, 1)
    flow = x * x * (1 - x)
    return (flow - np.concatenate([flow[:2], flow[:-2]])) * (RATE / 2 / pitch)


def _every_sample(V: np.ndarray) -> np.ndarray:
    """(frames, c, n) to (40 frames, c, n), on straight lines."""
    after = np.concatenate([V[1:], V[-1:]])
    part = np.arange(STEP)[:, None, None] / STEP
    return (V[:, None] + part * (after - V)[:, None]).reshape(-1, *V.shape[1:])
