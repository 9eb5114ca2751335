"""The toy set: drawn digits that differ, words whose formants are where the phoneticians say."""

import numpy as np
import pytest
from scipy import signal

from tinya2i.audio import log_mel
from tinya2i.data import Clips, formants, strokes, toy


@pytest.fixture(scope="module")
def pictures():
    return toy.images(0, train=1000, test=300)


@pytest.fixture(scope="module")
def spoken():
    return toy.clips(0, train=3, test=2)


def ridge(X, digits, Y, strength):
    """The digits that a linear classifier trained on X reads in Y."""
    X, Y = (np.asarray(V, float).reshape(len(V), -1) for V in (X, Y))
    mean = X.mean(axis=0)
    X, Y = X - mean, Y - mean
    W = X.T @ np.linalg.solve(X @ X.T + strength * np.eye(len(X)), np.eye(10)[digits] - 0.1)
    return (Y @ W).argmax(axis=1)


# Pictures


def test_images_have_the_shape_of_mnist(pictures):
    X, x, Y, y = pictures
    assert X.shape == (1000, 28, 28, 1)
    assert Y.shape == (300, 28, 28, 1)
    assert X.dtype == Y.dtype == np.uint8
    assert x.dtype == y.dtype == np.int64
    assert np.array_equal(np.bincount(x), [100] * 10)
    assert np.array_equal(np.bincount(y), [30] * 10)


def test_default_sizes():
    assert [len(part) for part in toy.images()] == [4000, 4000, 1000, 1000]


def test_images_follow_the_seed():
    once, again, other = (toy.images(seed, train=50, test=20) for seed in (0, 0, 1))
    for a, b in zip(once, again, strict=True):
        assert np.array_equal(a, b)
    assert not np.array_equal(once[0], other[0])
    assert not np.array_equal(once[0][:20], once[2])


def test_no_picture_is_drawn_twice(pictures):
    X, _, Y, _ = pictures
    every = np.concatenate([X, Y]).reshape(1300, -1)
    assert len(np.unique(every, axis=0)) == 1300


def test_pen_is_antialiased(pictures):
    X = pictures[0]
    grey = (X > 0) & (X < 255)
    assert 0.05 < grey.mean() < 0.2
    assert (X.max(axis=(1, 2, 3)) == 255).all()


def test_ink_is_as_much_as_in_mnist_centred_and_off_the_edge(pictures):
    X = pictures[0][..., 0] / 255.0
    assert 0.09 < X.mean() < 0.16  # MNIST: 0.131
    assert X.mean(axis=(1, 2)).min() > 0.015
    assert X[:, [0, -1]].max() == X[:, :, [0, -1]].max() == 0
    column = (X.sum(axis=1) * np.arange(28)).sum(axis=1) / X.sum(axis=(1, 2))
    row = (X.sum(axis=2) * np.arange(28)).sum(axis=1) / X.sum(axis=(1, 2))
    assert abs(column.mean() - 13.5) < 0.2
    assert abs(row.mean() - 13.5) < 0.2


def test_mean_pictures_differ(pictures):
    X, x = pictures[:2]
    X = X.reshape(len(X), -1) / 255.0
    means = np.stack([X[x == d].mean(axis=0) for d in range(10)])
    halves = np.stack([X[x == d][::2].mean(axis=0) for d in range(10)])
    apart = np.linalg.norm(means[:, None] - means, axis=2)[~np.eye(10, dtype=bool)].min()
    noise = np.linalg.norm(means - halves, axis=1).max()
    assert apart > 3 * noise


def test_a_linear_classifier_reads_the_pictures(pictures):
    X, x, Y, y = pictures
    assert (ridge(X / 255.0, x, Y / 255.0, 30) == y).mean() > 0.9
    shuffled = np.random.default_rng(0).permutation(x)
    assert (ridge(X / 255.0, shuffled, Y / 255.0, 30) == y).mean() < 0.3


def test_every_way_to_write_a_digit_is_used():
    rng = np.random.default_rng(0)
    for digit, glyphs in strokes.GLYPHS.items():
        assert strokes.draw(np.full(20, digit), rng).any(axis=(1, 2, 3)).all()
        for glyph in glyphs:
            used = {i for stroke in glyph.strokes for i in stroke}
            assert used == set(range(len(glyph.points)))


def test_render_against_the_distance_to_a_line():
    A, B = np.array([[[8.0, 14.0]]]), np.array([[[20.0, 14.0]]])
    ink = strokes.render(A, B, np.array([1.25]))[0]
    assert ink.dtype == np.float32
    np.testing.assert_allclose(ink[10:18, 14], [0, 0, 0.25, 1, 1, 0.25, 0, 0], atol=1e-5)
    past = np.hypot(6.5 - 8, 13.5 - 14)  # pixel (13, 6) lies beyond the round end
    np.testing.assert_allclose(ink[13, 6], 1.75 - past, atol=1e-5)


def test_draw_nothing():
    assert strokes.draw(np.array([], dtype=int), np.random.default_rng(0)).shape == (0, 28, 28, 1)


# Words


def test_clips_are_whole(spoken):
    expected = ((toy.TRAIN_VOICES, 3), (toy.TEST_VOICES, 2))
    for side, (voices, times) in zip(spoken, expected, strict=True):
        assert isinstance(side, Clips)
        n = len(voices) * 10 * times
        assert len(side.waves) == len(side.digits) == len(side.speakers) == len(side.names) == n
        assert side.digits.dtype == np.int64
        assert np.array_equal(np.bincount(side.digits), [n // 10] * 10)
        assert set(side.speakers) == set(voices)
        assert len(set(side.names)) == n
        for i, name in enumerate(side.names):
            digit, speaker, index = name.removesuffix(".wav").split("_")
            assert (int(digit), speaker) == (side.digits[i], side.speakers[i])
            assert 0 <= int(index) < times


def test_test_voices_are_strangers(spoken):
    train, test = spoken
    assert not set(train.speakers) & set(test.speakers)
    assert not set(toy.TRAIN_VOICES.values()) & set(toy.TEST_VOICES.values())
    voices = [*toy.TRAIN_VOICES.values(), *toy.TEST_VOICES.values()]
    assert all(0.85 <= v.tract <= 1.15 and 90 <= v.pitch <= 250 for v in voices)
    assert np.ptp([v.pitch for v in voices]) > 100
    assert np.ptp([v.tract for v in voices]) > 0.2


def test_waves_are_sound(spoken):
    for side in spoken:
        for wave in side.waves:
            assert wave.dtype == np.float32
            assert wave.ndim == 1
            assert np.isfinite(wave).all()
            assert 0.2 < len(wave) / formants.RATE < 0.9
            assert 0.39 < np.abs(wave).max() < 0.91
            assert abs(wave.mean()) < 0.05
    lengths = [len(wave) / formants.RATE for wave in spoken[0].waves]
    assert 0.35 < np.mean(lengths) < 0.55


def test_clips_follow_the_seed():
    once, again, other = (toy.clips(seed, train=1, test=1) for seed in (0, 0, 1))
    for a, b, c in zip(once, again, other, strict=True):
        assert all(np.array_equal(v, w) for v, w in zip(a.waves, b.waves, strict=True))
        assert not any(np.array_equal(v, w) for v, w in zip(a.waves, c.waves, strict=True))


def test_no_two_utterances_are_alike(spoken):
    waves = [wave for side in spoken for wave in side.waves]
    assert len({wave.tobytes() for wave in waves}) == len(waves)


def test_a_linear_classifier_hears_strangers(spoken):
    train, test = spoken
    X, Y = log_mel(train.waves), log_mel(test.waves)
    assert (ridge(X, train.digits, Y, 30) == test.digits).mean() > 0.9
    wrong = (train.digits + np.arange(len(train.digits))) % 10
    assert (ridge(X, wrong, Y, 30) == test.digits).mean() < 0.4


def steady(phone, nasal=0.0):
    """Two seconds of a sound's own formants, breathed: its spectrum is the tract's alone."""
    S = np.zeros((400, 13, 1))
    S[:, :6, 0] = (*phone.formants, *phone.widths)
    S[:, formants.BREATH] = 1
    S[:, formants.NASAL] = nasal
    S[:, [formants.CENTRE, formants.WIDTH]] = 1000
    S[:, formants.PITCH] = 100
    wave = formants.synthesise(S, np.ones(1), np.random.default_rng(0))[:, 0]
    return signal.welch(wave, formants.RATE, nperseg=256, nfft=4096)


# Peterson and Barney (1952), table II, men: typed in again, so that the table has a second witness.
@pytest.mark.parametrize(
    ("name", "f1", "f2"),
    [
        ("IY", 270, 2290),
        ("IH", 390, 1990),
        ("EH", 530, 1840),
        ("AH", 640, 1190),
        ("AO", 570, 840),
    ],
)
def test_vowels_resonate_where_they_should(name, f1, f2):
    f, power = steady(formants.PHONES[name])
    peaks = f[signal.argrelmax(power, order=30)[0]]
    assert np.abs(peaks - f1).min() < 50
    assert np.abs(peaks - f2).min() < 80


def test_lowered_velum_cuts_a_hole_at_450_hz():
    f, closed = steady(formants.PHONES["N"])
    _, lowered = steady(formants.PHONES["N"], nasal=1)
    gain = 10 * np.log10(lowered / closed)
    assert abs(f[:600][gain[:600].argmin()] - 450) < 40
    assert gain[np.searchsorted(f, 450)] < -8


def loudest(wave, low, high):
    """The frequency between low and high Hz that is loudest in the last half of a wave."""
    f, power = signal.welch(wave[len(wave) // 2 :], formants.RATE, nperseg=256, nfft=2048)
    inside = (f > low) & (f < high)
    return f[inside][power[inside].argmax()]


def test_three_ends_bright_and_two_ends_dark():
    """F2 of /i/ is 2290 Hz and of /u/ 870 Hz: the tongue is far forward and far back."""
    rng = np.random.default_rng(0)
    voices = [formants.Voice(pitch=p) for p in (95, 110, 130)]
    three, two = (formants.speak([d] * 3, voices, rng) for d in (3, 2))
    assert all(2050 < loudest(wave, 700, 2700) < 2550 for wave in three)
    assert all(700 < loudest(wave, 700, 2700) < 1250 for wave in two)


def test_a_longer_tract_lowers_the_formants():
    def second_formant(tract):
        voice = formants.Voice(tract=tract)
        return loudest(*formants.speak([3], [voice], np.random.default_rng(0)), 1500, 2800)

    assert second_formant(0.9) / second_formant(1.15) == pytest.approx(1.15 / 0.9, rel=0.1)


def test_voice_has_its_pitch():
    for pitch in (95, 160, 240):
        voice = formants.Voice(pitch=pitch, fall=0, breath=0)
        (wave,) = formants.speak([1], [voice], np.random.default_rng(0))
        middle = wave[len(wave) // 3 : 2 * len(wave) // 3]
        echo = np.correlate(middle, middle, "full")[len(middle) - 1 :]
        lag = 25 + echo[25:120].argmax()  # 67 to 320 Hz
        assert formants.RATE / lag == pytest.approx(pitch, rel=0.06)


def test_s_hisses_high_and_a_vowel_does_not():
    (six,) = formants.speak([6], [formants.Voice()], np.random.default_rng(0))
    f, power = signal.welch(six[160:800], formants.RATE, nperseg=256)
    assert power[f > 2800].sum() > 3 * power[f < 2800].sum()
    (one,) = formants.speak([1], [formants.Voice()], np.random.default_rng(0))
    f, power = signal.welch(one, formants.RATE, nperseg=256)
    assert power[f > 2800].sum() < 0.1 * power[f < 2800].sum()


def test_resonator_peaks_at_its_frequency_with_its_width():
    b, c = (float(v) for v in formants.resonator(1500, 100))
    f, H = signal.freqz([1 - b - c], [1, -b, -c], worN=1 << 16, fs=formants.RATE)
    power = np.abs(H) ** 2
    assert f[power.argmax()] == pytest.approx(1500, abs=3)
    assert np.ptp(f[power > power.max() / 2]) == pytest.approx(100, rel=0.02)
    assert power[0] == pytest.approx(1)


def test_every_sound_is_used_and_known():
    said = {sound for word in formants.WORDS for sound in word.split()}
    assert said - set(formants.PHONES) == set()
