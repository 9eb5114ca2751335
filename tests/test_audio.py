"""Sound, from wave to picture: librosa and scipy as oracles, plain loops, both framings, cache."""

import io
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest

from tinya2i import audio, threads
from tinya2i.audio import cache
from tinya2i.errors import AudioError

HERE = Path(__file__).parent
FIXED = audio.LogMel(framing="fixed")
STRETCHED = audio.LogMel(framing="stretched")
BOTH = pytest.mark.parametrize("settings", [FIXED, STRETCHED], ids=lambda s: s.framing)


@pytest.fixture(scope="module")
def reference():
    with np.load(HERE / "data" / "librosa_reference.npz") as file:
        return dict(file)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture
def waves(rng):
    """More clips than one chunk holds, of many lengths."""
    lengths = [1, 2, 47, 48, 255, 256, 6015, 6016, 6017, *rng.integers(500, 9000, 36)]
    return [rng.standard_normal(n).astype(np.float32) for n in lengths]


def mel_power(wave, M, hop=128):
    return M @ np.abs(audio.stft(wave, hop=hop)) ** 2


# --- the mel scale and its filterbank -----------------------------------------------------------


def test_mel_scale():
    assert audio.hz_to_mel(1000) == pytest.approx(15)
    assert audio.hz_to_mel(6400) == pytest.approx(42)
    hz = np.linspace(0, 20_000, 999)
    np.testing.assert_allclose(audio.mel_to_hz(audio.hz_to_mel(hz)), hz, atol=1e-9)


def test_filterbank_equals_the_reference(reference):
    M = audio.mel_filterbank()
    np.testing.assert_allclose(M, reference["filterbank"], rtol=0, atol=1e-8)
    assert np.abs(audio.mel_filterbank(8001) - M).max() > 1e-8  # a rate off by 1 Hz would show


def test_each_mel_band_has_area_one():
    M = audio.mel_filterbank(n_fft=1 << 16)
    np.testing.assert_allclose(M.sum(axis=1) * 8000 / (1 << 16), 1, rtol=1e-3)


@pytest.mark.parametrize(("rate", "n_fft", "n_mels"), [(8000, 512, 48), (22050, 2048, 128)])
def test_filterbank_equals_librosa(rate, n_fft, n_mels):
    librosa = pytest.importorskip("librosa")
    theirs = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=n_mels, dtype=np.float64)
    ours = audio.mel_filterbank(rate, n_fft, n_mels)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-8)


# --- STFT and decibels --------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(512, 128, 256), (256, 64, 256), (512, 100, 301)])
def test_stft_equals_scipy(rng, sizes):
    from scipy.signal import ShortTimeFFT

    n_fft, hop, win_length = sizes
    x = rng.standard_normal(3001)
    w = np.zeros(n_fft)
    left = (n_fft - win_length) // 2
    w[left : left + win_length] = audio.hann(win_length)
    S = ShortTimeFFT(w, hop, fs=8000, phase_shift=None).stft(x, p0=0, p1=1 + len(x) // hop)
    np.testing.assert_allclose(audio.stft(x, *sizes), S, rtol=0, atol=1e-10)


def test_hann_is_periodic():
    from scipy.signal import get_window

    np.testing.assert_allclose(audio.hann(256), get_window("hann", 256, fftbins=True), atol=1e-15)
    assert np.abs(audio.hann(256) - get_window("hann", 256, fftbins=False)).max() > 1e-3


@pytest.mark.parametrize("samples", [1, 127, 128, 3001])
@pytest.mark.parametrize("sizes", [(512, 128, 256), (256, 128, 256), (512, 50, 301)])
def test_overlap_add_inverts_the_stft(rng, samples, sizes):
    n_fft, hop, win_length = sizes
    x = rng.standard_normal(samples)
    S = audio.stft(x, n_fft, hop, win_length)
    assert S.shape == (n_fft // 2 + 1, 1 + samples // hop)
    np.testing.assert_allclose(audio.istft(S, samples, hop, win_length), x, rtol=0, atol=1e-10)
    assert np.abs(audio.istft(S * 1.001, samples, hop, win_length) - x).max() > 1e-5


def test_stft_refuses_sizes_that_cannot_work(rng):
    S = audio.stft(rng.standard_normal(1000))
    with pytest.raises(AudioError, match="uncovered"):
        audio.istft(S, 1000, hop=200)
    with pytest.raises(AudioError, match="win_length"):
        audio.stft(np.ones(9), n_fft=256, win_length=512)
    with pytest.raises(AudioError, match="hop"):
        audio.stft(np.ones(9), hop=0)


def test_power_to_db_by_hand():
    dB = audio.power_to_db(np.array([[1.0, 100.0], [1e-3, 0.0]]))
    np.testing.assert_allclose(dB, [[-20, 0], [-50, -80]])
    # Each clip is measured against its own peak, amin is absolute, and top_db is the floor.
    np.testing.assert_allclose(audio.power_to_db(np.array([[[1.0]], [[9.0]]])), 0)
    np.testing.assert_allclose(audio.power_to_db(np.array([[1e-9, 0.0]])), [[0, -10]])
    np.testing.assert_allclose(audio.power_to_db(np.array([[1.0, 0.0]]), top_db=30), [[0, -30]])


# --- parity of the whole ------------------------------------------------------------------------


def test_mel_power_and_decibels_equal_the_reference(reference):
    M = audio.mel_filterbank()
    for wave, mel, dB in zip(reference["signals"], reference["mel"], reference["dB"], strict=True):
        ours = mel_power(np.pad(wave / 32768, (0, 6016 - len(wave))), M)
        np.testing.assert_allclose(ours, mel, rtol=1e-5, atol=1e-12 * mel.max())
        np.testing.assert_allclose(audio.power_to_db(ours), dB, rtol=0, atol=1e-4)


def test_log_mel_equals_the_reference(reference):
    X = audio.log_mel(reference["signals"], FIXED)
    np.testing.assert_allclose(80 * X - 80, reference["dB"], rtol=0, atol=1e-4)
    # Negative control: the tolerance tells a neighbouring window length from the right one.
    other = audio.log_mel(reference["signals"], audio.LogMel(framing="fixed", win_length=257))
    assert np.abs(80 * other - 80 - reference["dB"]).max() > 0.1


def librosa_db(librosa, wave):
    S = librosa.feature.melspectrogram(
        y=wave, sr=8000, n_fft=512, hop_length=128, win_length=256, n_mels=48, dtype=np.float64
    )
    return librosa.power_to_db(S, ref=np.max), S


def real_clips(count):
    """A few FSDD clips from an archive below TINYA2I_DATA, or a visible skip."""
    soundfile = pytest.importorskip("soundfile")
    found = sorted(Path(os.environ.get("TINYA2I_DATA", HERE / "none")).glob("fsdd/*.tar.gz"))
    if not found:
        pytest.skip("no fsdd/*.tar.gz below TINYA2I_DATA")
    clips = []
    with tarfile.open(found[0]) as archive:
        for member in archive:
            if member.name.endswith(".wav") and len(clips) < count:
                raw = io.BytesIO(archive.extractfile(member).read())
                clips.append(soundfile.read(raw, dtype="float64")[0])
    return clips


@pytest.mark.parametrize("source", ["synthetic", "fsdd"])
def test_log_mel_equals_librosa(source, rng):
    librosa = pytest.importorskip("librosa")
    t = np.arange(5000) / 8000
    clips = (
        real_clips(20)
        if source == "fsdd"
        else [rng.standard_normal(6016), np.sin(2 * np.pi * 440 * t), np.sin(3e4 * t**2)]
    )
    M = audio.mel_filterbank()
    for clip in clips:
        wave = np.pad(clip, (0, max(0, 6016 - len(clip))))[:6016] / np.abs(clip[:6016]).max()
        dB, mel = librosa_db(librosa, wave)
        np.testing.assert_allclose(mel_power(wave, M), mel, rtol=1e-5, atol=1e-10 * mel.max())
        X = audio.log_mel([wave], FIXED)[0]
        np.testing.assert_allclose(80 * X - 80, dB, rtol=0, atol=1e-4)


# --- framing ------------------------------------------------------------------------------------


def plain_log_mel(wave, settings):
    """One clip, one frame at a time, as the equation says it."""
    x = wave.astype(np.float64) / np.abs(wave.astype(np.float64)).max()
    if settings.framing == "stretched":
        centres = [round(c) for c in np.linspace(0, len(x) - 1, 48)]
    else:
        starts = range(max(1, len(x) - 6016 + 1))
        best = max(starts, key=lambda s: ((x[s : s + 6016] ** 2).sum(), s))
        x, centres = x[best : best + 6016], [128 * t for t in range(48)]
    M, w = audio.mel_filterbank(), audio.hann(256)
    mel = np.empty((48, 48))
    for t, centre in enumerate(centres):
        frame = np.zeros(512)
        for k in range(256):
            if 0 <= centre + k - 128 < len(x):
                frame[128 + k] = w[k] * x[centre + k - 128]
        mel[:, t] = M @ np.abs(np.fft.rfft(frame)) ** 2
    mel = np.maximum(mel, 1e-10)
    return np.maximum(10 * np.log10(mel / mel.max()), -80) / 80 + 1


@BOTH
def test_vectorised_equals_the_plain_loop(waves, settings):
    X = audio.log_mel(waves, settings)
    assert len(waves) > audio.features.CHUNK
    for i in [0, 1, 2, 3, 4, 6, 8, 30, 31, 32, 33, 44]:
        np.testing.assert_allclose(X[i], plain_log_mel(waves[i], settings), rtol=0, atol=1e-6)


@BOTH
def test_shape_range_and_determinism(waves, settings):
    waves.append(np.random.default_rng(0).standard_normal(60 * 8000).astype(np.float32))
    X = audio.log_mel(waves, settings)
    assert X.shape == (len(waves), 48, 48)
    assert X.dtype == np.float32
    assert X.min() >= 0
    np.testing.assert_array_equal(X.max(axis=(1, 2)), 1)
    np.testing.assert_array_equal(audio.log_mel(iter(waves), settings), X)
    alone = np.stack([audio.log_mel([wave], settings)[0] for wave in waves])
    np.testing.assert_allclose(alone, X, rtol=0, atol=1e-6)


@BOTH
def test_the_number_of_threads_changes_nothing(waves, settings, monkeypatch):
    monkeypatch.setattr(threads, "thread_count", lambda: 1)
    X = audio.log_mel(waves, settings)
    monkeypatch.setattr(threads, "thread_count", lambda: 3)
    np.testing.assert_array_equal(audio.log_mel(waves, settings), X)
    for i in (40, 20, 3):
        waves[i] = 0 * waves[i]
        with pytest.raises(AudioError, match=f"clip {i}: silent"):  # the first, always
            audio.log_mel(waves, settings)


def test_stretched_takes_out_the_speed_and_fixed_does_not(rng):
    tone = np.sin(2 * np.pi * 500 * np.arange(3000) / 8000) * np.hanning(3000)
    slow = np.sin(2 * np.pi * 500 * np.arange(6000) / 8000) * np.hanning(6000)
    middle = slice(4, 44)  # where the window's own length does not matter
    near, far = (
        np.abs(np.subtract(*audio.log_mel([tone, slow], s)))[:, middle].mean()
        for s in (STRETCHED, FIXED)
    )
    assert near < 0.02 < 0.06 < far


def test_fixed_finds_the_word_in_a_long_recording(rng):
    word = rng.standard_normal(4000)
    long = np.zeros(60 * 8000)
    long[200_000:204_000] = word
    short, found, lost = audio.log_mel([word, long, rng.standard_normal(4000)], FIXED)
    np.testing.assert_allclose(found, short, atol=1e-6)  # it starts where a tight clip starts
    assert np.abs(lost - short).max() > 0.05


def test_fixed_pads_on_the_right(rng):
    X = audio.log_mel([rng.standard_normal(2000)], FIXED)[0]
    last = (2000 + 128) // 128
    assert X[:, :last].min() > 0
    assert (X[:, last + 1 :] == 0).all()


def test_rows_run_from_low_to_high_and_columns_in_time():
    t = np.arange(4000) / 8000
    X = audio.log_mel([np.sin(2 * np.pi * (200 + 3000 * t) * t)])[0]
    peaks = X.argmax(axis=0)
    assert peaks[2] < 10
    assert peaks[-3] > 40
    assert (np.diff(peaks[2:-2]) >= 0).all()


@BOTH
def test_gain_does_not_matter(settings, waves):
    faint = [1e-4 * wave.astype(np.float64) for wave in waves]
    X = audio.log_mel([wave.astype(np.float64) for wave in waves], settings)
    np.testing.assert_allclose(audio.log_mel(faint, settings), X, rtol=0, atol=1e-6)


def test_integers_are_waves_too(rng):
    wave = rng.integers(-32768, 32767, 3000, dtype=np.int16, endpoint=True)
    as_float = audio.log_mel([wave.astype(np.float64)])
    np.testing.assert_array_equal(audio.log_mel([wave]), as_float)


def test_no_clips_give_no_pictures():
    assert audio.log_mel([]).shape == (0, 48, 48)


@pytest.mark.parametrize(
    ("bad", "cause"),
    [
        (np.zeros(900), "silent"),
        (np.zeros(0), "non-empty"),
        (np.array([1.0, np.nan]), "NaN"),
        (np.array([1.0, -np.inf]), "NaN"),
        (np.ones((900, 2)), "1-D"),
        (np.ones(9, complex), "real"),
        (np.array(["seven"]), "real"),
    ],
)
def test_unusable_waves_are_named(bad, cause):
    with pytest.raises(AudioError, match=f"clip 40: .*{cause}"):
        audio.log_mel([np.ones(10)] * 40 + [bad])


@pytest.mark.parametrize(
    "bad",
    [
        {"n_fft": 0},
        {"n_fft": 128},
        {"win_length": 1},
        {"win_length": 256.0},
        {"frames": 1},
        {"frames": True},
        {"n_mels": -1},
        {"n_mels": 400},
        {"rate": "8000"},
        {"top_db": 0},
        {"top_db": float("nan")},
        {"top_db": "80"},
        {"framing": "loose"},
    ],
)
def test_settings_are_checked(bad):
    with pytest.raises(AudioError, match=r"n_fft|win_length|frames|n_mels|mel|rate|top_db|framing"):
        audio.LogMel(**bad)


def test_other_sizes(waves):
    settings = audio.LogMel(n_fft=256, win_length=200, n_mels=20, frames=31, top_db=60)
    X = audio.log_mel(waves, settings)
    assert X.shape == (len(waves), 20, 31)
    assert X.max() == 1


def test_two_thousand_clips_in_a_moment(rng):
    waves = [rng.standard_normal(3300).astype(np.float32) for _ in range(2000)]
    start = time.process_time()
    audio.log_mel(waves)
    assert time.process_time() - start < 5  # about 0.6 s on one quiet core


def test_import_is_light():
    code = "import sys, tinya2i.audio; print(*{'scipy.signal', 'soundfile'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=HERE.parent, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


# --- cache --------------------------------------------------------------------------------------


@pytest.fixture
def computed(monkeypatch):
    """How often the features were really computed."""
    calls = []

    def counted(waves, settings):
        calls.append(settings)
        return audio.log_mel(waves, settings)

    monkeypatch.setattr(cache, "log_mel", counted)
    return calls


@pytest.fixture
def few(rng):
    return [rng.standard_normal(n).astype(np.float32) for n in (3000, 4000)]


def test_cache_hit(tmp_path, few, computed):
    folder = tmp_path / "made" / "here"
    first = audio.cached_log_mel(few, FIXED, folder)
    again = audio.cached_log_mel(few, FIXED, str(folder))
    np.testing.assert_array_equal(first, audio.log_mel(few, FIXED))
    np.testing.assert_array_equal(again, first)
    assert len(computed) == 1
    assert [p.suffix for p in folder.iterdir()] == [".npz"]  # no temporary file stays behind


def test_cache_misses_when_anything_differs(tmp_path, few, computed):
    changed = [few[0].copy(), few[1]]
    changed[0][17] += 1e-3
    joined = np.concatenate(few)
    questions = [
        (few, FIXED),
        (few, STRETCHED),
        (few, audio.LogMel(top_db=70)),
        (few, audio.LogMel(n_fft=1024)),
        (changed, FIXED),
        (few[::-1], FIXED),
        ([joined[:3500], joined[3500:]], FIXED),  # the same bytes, cut elsewhere
        ([wave.astype(np.float64) for wave in few], FIXED),
    ]
    for waves, settings in questions:
        X = audio.cached_log_mel(waves, settings, tmp_path)
        np.testing.assert_array_equal(X, audio.log_mel(waves, settings))
    assert len(computed) == len(list(tmp_path.iterdir())) == len(questions)


def test_a_new_version_finds_nothing_old(tmp_path, few, computed, monkeypatch):
    audio.cached_log_mel(few, FIXED, tmp_path)
    monkeypatch.setattr(cache, "VERSION", cache.VERSION + 1)
    audio.cached_log_mel(few, FIXED, tmp_path)
    assert len(computed) == 2


def saved(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("a cache file was unpickled",))


def flip(raw, at):
    return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]


DAMAGE = {
    "empty": lambda raw, X: b"",
    "cut": lambda raw, X: raw[:-700],
    "junk": lambda raw, X: b"junk" * (len(raw) // 4),
    "one bit": lambda raw, X: flip(raw, len(raw) // 2),
    "one bit of the header": lambda raw, X: flip(raw, 60),
    "other shape": lambda raw, X: saved(X=X.transpose(1, 0, 2)),
    "other type": lambda raw, X: saved(X=(X > 0.5).astype(np.int32)),
    "other name": lambda raw, X: saved(Y=X),
    "NaN": lambda raw, X: saved(X=np.full_like(X, np.nan)),
    "out of range": lambda raw, X: saved(X=X + 1),
    "pickle": lambda raw, X: saved(X=np.array([Trap()] + [0] * (X.size * 2), object)),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damaged_cache_is_computed_again(tmp_path, few, computed, kind):
    X = audio.cached_log_mel(few, FIXED, tmp_path)
    [path] = tmp_path.iterdir()
    path.write_bytes(DAMAGE[kind](path.read_bytes(), X))
    np.testing.assert_array_equal(audio.cached_log_mel(few, FIXED, tmp_path), X)
    assert len(computed) == 2
    np.testing.assert_array_equal(audio.cached_log_mel(few, FIXED, tmp_path), X)
    assert len(computed) == 2  # it was mended


def test_an_honest_cache_file_is_believed(tmp_path, few, computed):
    """Negative control: the checks above reject damage, not every file they did not write."""
    X = audio.cached_log_mel(few, FIXED, tmp_path)
    [path] = tmp_path.iterdir()
    path.write_bytes(saved(X=X / 2))
    np.testing.assert_array_equal(audio.cached_log_mel(few, FIXED, tmp_path), X / 2)
    assert len(computed) == 1


def test_unwritable_cache_still_answers(tmp_path, few):
    (tmp_path / "file").write_text("in the way")
    with pytest.warns(audio.AudioWarning, match="could not be kept") as seen:
        X = audio.cached_log_mel(few, FIXED, tmp_path / "file" / "cache")
    assert len(seen) == 1
    np.testing.assert_array_equal(X, audio.log_mel(few, FIXED))


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_full_disk_leaves_no_part_behind(tmp_path, few, monkeypatch, step):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.warns(audio.AudioWarning, match="No space left"):
        X = audio.cached_log_mel(few, FIXED, tmp_path)
    np.testing.assert_array_equal(X, audio.log_mel(few, FIXED))
    assert list(tmp_path.iterdir()) == []
