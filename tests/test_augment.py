"""Other versions of a clip: each change against its equation, and all of them by the seed."""

import numpy as np
import pytest

from tinya2i import audio, threads
from tinya2i.audio import Augment, augmented, pictures, waves
from tinya2i.audio.augment import KINDS, LIMITS
from tinya2i.errors import AudioError

RATE = 8000
LENGTHS = (1, 2, 3, 7, 47, 256, 3119)  # 3119 is prime
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def tone(hz, seconds=0.5, dtype=np.float32):
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE).astype(dtype)


def loudest_hz(wave):
    """Where its spectrum has its peak, to a tenth of a Hz."""
    return np.abs(np.fft.rfft(wave * np.hanning(len(wave)), 10 * RATE)).argmax() / 10


def decibels(ratio):
    return 10 * np.log10(ratio)


@pytest.fixture
def clips(rng):
    """Words of many lengths: noise that rises and falls."""
    lengths = [1, 2, 300, *rng.integers(1500, 5000, 37)]
    return [(rng.standard_normal(n) * np.hanning(n + 2)[1:-1]).astype(np.float32) for n in lengths]


# --- waves --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("factor", "hz"), [(1.25, 550), (0.8, 352), (1.1, 484)])
def test_speed_moves_a_tone_and_shortens_it(factor, hz):
    wave = tone(440)
    faster = waves.speed(wave, factor)
    assert len(faster) == round(len(wave) / factor)
    assert loudest_hz(faster) == pytest.approx(hz, rel=1e-3)
    assert loudest_hz(wave) == pytest.approx(440, rel=1e-3)
    inside = slice(100, -100)
    assert np.abs(faster[inside]).max() == pytest.approx(1, abs=0.01)  # as loud as before


def test_speed_equals_scipy(rng):
    from scipy.signal import resample

    for n, factor in ((3119, 1.17), (1000, 0.83), (47, 1.25)):
        wave = rng.standard_normal(n)
        N, m = waves._lengths(n, factor)
        assert n <= N
        assert N / m == pytest.approx(factor, rel=3e-3)
        expected = resample(np.pad(wave, (0, N - n)), m)[: round(n / factor)]
        np.testing.assert_allclose(waves.speed(wave, factor), expected, atol=1e-12)


def test_speed_leaves_out_what_would_lie_above_half_the_rate():
    high, inside = tone(3600), slice(100, -100)
    assert np.abs(waves.speed(high, 1.25)[inside]).max() < 0.02
    assert np.abs(waves.speed(high, 1.05)[inside]).max() > 0.9  # 3780 Hz


@DTYPES
@pytest.mark.parametrize("n", LENGTHS)
def test_waves_of_any_length_keep_their_dtype_and_are_not_touched(rng, n, dtype):
    wave, noise = rng.standard_normal((2, n)).astype(dtype)
    before = wave.copy(), noise.copy()
    changed = [
        *(waves.speed(wave, factor) for factor in (0.8, 0.97, 1.0, 1.25)),
        *(waves.shift(wave, *ends) for ends in ((-3, n + 2), (n // 3, n), (0, n - n // 3))),
        waves.add_noise(wave, noise, 10.0),
        waves.tilted(noise, 0.5),
    ]
    for other in changed:
        assert other.dtype == dtype
        assert len(other) >= 1
        assert np.isfinite(other).all()
    np.testing.assert_array_equal(wave, before[0])
    np.testing.assert_array_equal(noise, before[1])


def test_factor_one_gives_the_wave_itself(rng):
    wave = rng.standard_normal(500)
    np.testing.assert_array_equal(waves.speed(wave, 1.0), wave)
    np.testing.assert_array_equal(waves.shift(wave, 0, 500), wave)


def test_fast_lengths_are_all_there_and_have_no_large_factor():
    def smooth(n):
        for prime in waves.SMOOTH:
            while n % prime == 0:
                n //= prime
        return n == 1

    assert waves._fast(512).tolist() == [n for n in range(1, 513) if smooth(n)]


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ((-2, 4), [0, 0, 1, 2, 3, 4]),
        ((1, 6), [2, 3, 4, 0, 0]),
        ((1, 3), [2, 3]),
        ((-1, 2), [0, 1, 2]),
        ((4, 6), [1, 2, 3, 4]),  # nothing would be left of it
        ((-3, -1), [1, 2, 3, 4]),
        ((3, 1), [1, 2, 3, 4]),
    ],
)
def test_shift_by_hand(ends, expected):
    np.testing.assert_array_equal(waves.shift(np.array([1.0, 2, 3, 4]), *ends), expected)


@pytest.mark.parametrize("snr", [-6.0, 0.0, 20.0])
def test_the_noise_is_as_faint_as_was_asked(rng, snr):
    wave, noise = tone(300, dtype=np.float64), 7 * rng.standard_normal(4000)
    added = waves.add_noise(wave, noise, snr) - wave
    assert decibels((wave**2).mean() / (added**2).mean()) == pytest.approx(snr, abs=1e-6)
    np.testing.assert_allclose(added / added[0], noise / noise[0])  # it is this noise
    np.testing.assert_array_equal(waves.add_noise(wave, 0 * noise, snr), wave)


@pytest.mark.parametrize("slope", [-0.9, 0.0, 0.6])
def test_the_tilt_of_noise_is_that_of_the_equation(slope):
    impulse = np.zeros(RATE)
    impulse[0] = 1
    power = np.abs(np.fft.rfft(waves.tilted(impulse, slope))) ** 2
    hz = np.arange(RATE // 2 + 1)
    expected = 1 + slope**2 + 2 * slope * np.cos(2 * np.pi * hz / RATE)
    np.testing.assert_allclose(power, expected, atol=1e-12)
    assert (power[0] > power[-1]) == (slope > 0)


# --- pictures -----------------------------------------------------------------------------------


def row_of(hz, X):
    """The band in which a picture's tone is loudest, the tone at hz."""
    return int(X[:, 20:28].mean(axis=1).argmax())


@pytest.mark.parametrize(("factor", "hz"), [(1.2, 1200), (1 / 1.2, 833), (1.0, 1000)])
def test_a_vocal_tract_moves_a_tone_as_its_factor_says(factor, hz):
    X = audio.log_mel([tone(1000), tone(hz)])
    moved = pictures.vocal_tract(X[:1], np.array([factor]))
    assert row_of(hz, moved[0]) == row_of(hz, X[1])
    assert (row_of(1000, X[0]) == row_of(hz, X[1])) == (factor == 1)


def jaitly_and_hinton(hz, a, rate=RATE):
    """G(f) of their section 2, one frequency at a time; h = 0.8 of half the rate."""
    h = 0.8 * rate / 2 * min(a, 1)
    if hz <= h / a:
        return a * hz
    return rate / 2 - (rate / 2 - h) / (rate / 2 - h / a) * (rate / 2 - hz)


@pytest.mark.parametrize("a", [0.8, 0.93, 1.0, 1.13, 1.25])
def test_a_vocal_tract_follows_the_equation_of_the_paper(a):
    """A picture that says of each band where it lies: after G, what is at G(f) says f."""
    centres = audio.mel_to_hz(np.linspace(0, audio.hz_to_mel(RATE / 2), 50)[1:-1])
    X = np.repeat(audio.hz_to_mel(centres)[None, :, None], 3, axis=2)
    moved = pictures.vocal_tract(X, np.array([a]))[0, :, 0]
    G = [jaitly_and_hinton(hz, a) for hz in audio.mel_to_hz(moved)]
    inside = slice(1, -1)  # at the ends it is held
    np.testing.assert_allclose(G[inside], centres[inside], rtol=1e-9)


def test_the_inverse_of_a_vocal_tract_has_the_inverse_factor():
    smooth = np.sin(np.linspace(0, 5, 48))[None, :, None] * np.ones((1, 1, 4))
    a = np.array([1.15])
    back = pictures.vocal_tract(pictures.vocal_tract(smooth, a), 1 / a)
    inside = slice(2, -2)
    np.testing.assert_allclose(back[:, inside], smooth[:, inside], atol=0.01)
    assert np.abs(pictures.vocal_tract(smooth, a) - smooth).max() > 0.2


def test_warp_by_its_equation_with_the_ends_where_they_were():
    t = np.arange(48.0)
    X = np.broadcast_to(t, (3, 5, 48))  # each column says when it is
    A = np.array([[0.0, 0.0], [4.0, -2.0], [-6.0, 0.0]])
    warped = pictures.warp(X, A)
    for i, (a, b) in enumerate(A):
        expected = t + a * np.sin(np.pi * t / 47) + b * np.sin(2 * np.pi * t / 47)
        np.testing.assert_allclose(warped[i], np.broadcast_to(expected, (5, 48)), atol=1e-9)
    np.testing.assert_array_equal(warped[0], X[0])
    assert (np.diff(warped, axis=2) > 0).all()  # time runs forward
    most = LIMITS["warp"][1] * 47
    assert (np.diff(pictures.warp(X[:1], np.array([[most, most / 2]]))) > 0).all()


def test_equalise_is_a_filter_of_the_wave(rng):
    """A filter of few samples, so a smooth one, against its decibels added to the picture."""
    from scipy.signal import lfilter

    wave = rng.standard_normal(4000)
    centres = audio.mel_to_hz(np.linspace(0, audio.hz_to_mel(RATE / 2), 50)[1:-1])
    gains = decibels(np.abs(1 - 0.7 * np.exp(-2j * np.pi * centres / RATE)) ** 2)
    X, filtered = audio.log_mel([wave, lfilter([1, -0.7], 1, wave)])
    ours = pictures.equalise(X[None], gains[None])[0]
    assert np.abs(80 * (ours - filtered)).mean() < 0.2  # dB
    assert np.abs(80 * (X - filtered)).mean() > 3


def test_equalise_keeps_the_range_and_ignores_gain(clips):
    X = audio.log_mel(clips)
    flat = np.full((len(X), 48), 9.0)
    np.testing.assert_allclose(pictures.equalise(X, flat), X, atol=1e-6)
    Y = pictures.equalise(X, flat * np.linspace(-2, 2, 48))
    np.testing.assert_array_equal(Y.max(axis=(1, 2)), 1)
    assert Y.min() == 0


@pytest.mark.parametrize("axis", [1, 2])
def test_a_mask_covers_what_it_says_and_nothing_else(axis):
    X = np.ones((3, 6, 8), np.float32)
    first, size = np.array([0, 2, 5]), np.array([2, 0, 1])
    hidden = np.moveaxis(pictures.mask(X, first, size, axis), axis, 1)
    for i, rows in enumerate([{0, 1}, set(), {5}]):
        for j, row in enumerate(hidden[i]):
            np.testing.assert_array_equal(row, 0 if j in rows else 1)
    assert (X == 1).all()


@DTYPES
@pytest.mark.parametrize("shape", [(5, 48, 48), (2, 1, 1), (0, 48, 48), (3, 20, 31)])
def test_pictures_keep_shape_and_dtype_and_are_not_touched(rng, shape, dtype):
    X = rng.uniform(size=shape).astype(dtype)
    before, n = X.copy(), shape[0]
    one, none = np.ones(n), np.zeros(n, int)
    same = [
        pictures.vocal_tract(X, one),
        pictures.warp(X, np.zeros((n, 2))),
        pictures.equalise(X, np.zeros((n, shape[1]))) + (X.max((1, 2), keepdims=True) - 1)
        if n and X.size > n else X,
        pictures.mask(X, none, none, 1),
        pictures.mask(X, none, none, 2),
    ]  # fmt: skip
    for Y in same:
        assert Y.dtype == dtype
        assert Y.shape == shape
    for Y in (same[0], same[1], same[3], same[4]):
        np.testing.assert_allclose(Y, X, atol=1e-6)
    np.testing.assert_array_equal(X, before)


# --- all together -------------------------------------------------------------------------------


def version(clips, seed=0, **given):
    return augmented(clips, np.random.default_rng(seed), Augment(**given))


def test_nothing_changed_is_the_standardised_log_mel(clips):
    mean, std = np.float32(0.3), np.float32(0.2)
    X = augmented(clips, np.random.default_rng(0), Augment(()), None, mean, std)
    np.testing.assert_array_equal(X, (audio.log_mel(clips) - mean) / std)
    band = np.linspace(0.1, 0.5, 48, dtype=np.float32)[:, None]
    X = augmented(clips, np.random.default_rng(0), Augment(()), None, band, band)
    np.testing.assert_array_equal(X, (audio.log_mel(clips) - band) / band)


def test_versions_follow_the_seed_alone(clips, monkeypatch):
    before = [clip.copy() for clip in clips]
    X = version(clips)
    assert X.dtype == np.float32
    assert X.shape == (len(clips), 48, 48)
    assert np.isfinite(X).all()
    np.testing.assert_array_equal(version(clips), X)
    assert (version(clips, seed=1) != X).any(axis=(1, 2)).all()
    for count in (1, 3):
        monkeypatch.setattr(threads, "thread_count", lambda count=count: count)
        np.testing.assert_array_equal(version(clips), X)
    for clip, old in zip(clips, before, strict=True):
        np.testing.assert_array_equal(clip, old)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_changes_nearly_every_clip_and_each_in_its_own_way(clips, kind):
    words = [clips[-1]] * 20
    plain, X = audio.log_mel(words), version(words, kinds=(kind,))
    changed = (plain != X).any(axis=(1, 2))
    assert changed.sum() >= 18  # a mask may have no size
    assert len({x.tobytes() for x in X}) >= 18
    none = {"speed": 1, "shift": 0, "vtlp": 1, "warp": 0, "tilt": 0, "mask": 0, "noise": 100}
    np.testing.assert_allclose(
        version(words, kinds=(kind,), **{kind: none[kind]}), plain, atol=0.02
    )


def test_leaving_a_kind_out_leaves_the_others_as_they_are(clips):
    noise = audio.log_mel(clips)  # masks come last, and hide: where they do not, all is equal
    masked = version(clips, kinds=("vtlp", "mask"))
    without = version(clips, kinds=("vtlp",))
    assert ((masked == without) | (masked == 0)).all()
    assert (masked != without).any()
    assert (without != noise).any()
    order = version(clips, kinds=("mask", "vtlp"))
    np.testing.assert_array_equal(order, masked)


def test_masks_have_all_sizes_up_to_the_largest(clips):
    X = augmented(clips * 20, np.random.default_rng(0), Augment(("mask",), mask=3), None, -1.0)
    for hidden in ((X == 0).all(axis=2).sum(axis=1), (X == 0).all(axis=1).sum(axis=1)):
        np.testing.assert_array_equal(np.unique(hidden), [0, 1, 2, 3])


def test_other_features_and_no_clips(clips):
    small = audio.LogMel(n_mels=20, frames=31, framing="fixed", n_fft=256, win_length=200)
    X = augmented(clips, np.random.default_rng(0), Augment(mask=24), small)
    assert X.shape == (len(clips), 20, 31)
    assert np.isfinite(X).all()
    assert version([]).shape == (0, 48, 48)
    with pytest.raises(AudioError, match="clip 0: silent"):
        version([np.zeros(100, np.float32)])


# --- settings -----------------------------------------------------------------------------------


def test_settings_from_a_text_and_back():
    assert Augment.of("speed=1.3,mask") == Augment(("speed", "mask"), speed=1.3)
    every = Augment.of(",".join(KINDS))
    assert every == Augment()
    assert Augment.of(str(Augment(tilt=3, noise=-5))) == Augment(tilt=3, noise=-5)
    assert str(Augment(("tilt", "speed"))) == "speed=1.25,tilt=12"


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("speed,echo", "no augmentation 'echo': choose from speed, shift"),
        ("", "no augmentation ''"),
        ("speed=fast", "with commas between"),
        ("speed=0.5", "speed=0.5: it must be from 1 to 2"),
        ("noise=nan", "noise=nan"),
        ("shift=1", "shift=1"),
        ("mask=-1", "mask=-1"),
    ],
)
def test_settings_that_cannot_work(text, cause):
    with pytest.raises(AudioError, match=cause):
        Augment.of(text)
