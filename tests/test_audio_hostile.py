"""Reading sound files: what must be read is read right, everything else is an `AudioError`."""

import os
import struct
import time
import tracemalloc
import warnings

import numpy as np
import pytest
import scipy.signal  # noqa: F401  (loaded here, so that no timed call pays for it)
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from tinya2i import audio
from tinya2i.errors import AudioError

PCM, FLOAT = 1, 3


def wav(data, rate=8000, channels=1, bits=16, code=PCM, claimed=None):
    """The bytes of a WAV file, honest or not."""
    frame = channels * bits // 8
    fmt = struct.pack("<HHIIHH", code, channels, rate, rate * frame % 2**32, frame % 2**16, bits)
    claimed = len(data) if claimed is None else claimed
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", claimed)
    return b"RIFF" + struct.pack("<I", min(len(body) + claimed, 2**32 - 1)) + body + data


def floats(X, **header):
    return wav(np.asarray(X, "<f4").tobytes(), bits=32, code=FLOAT, **header)


def ints(X, **header):
    return wav(np.asarray(X, "<i2").tobytes(), **header)


def tone(rate=8000, seconds=1.0, hz=440, amplitude=0.5):
    return amplitude * np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate)


@pytest.fixture
def put(tmp_path):
    def write(content, name="seven.wav"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


def pitch(wave, rate=8000):
    power = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), 8 * len(wave)))
    return power.argmax() * rate / (8 * len(wave))


# --- what must work -----------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [4000, 8000, 11025, 16000, 22050, 44100, 44101, 48000, 192000])
def test_a_tone_keeps_its_pitch_and_loudness(put, rate):
    wave = audio.load(put(floats(tone(rate), rate=rate)))
    assert wave.dtype == np.float32
    assert wave.ndim == 1
    assert len(wave) == pytest.approx(8000, abs=1)
    assert pitch(wave) == pytest.approx(440, abs=0.3)
    assert np.abs(wave[2000:6000]).max() == pytest.approx(0.5, rel=0.01)


def test_what_8_khz_cannot_hold_is_filtered_out_not_folded_back(put):
    path = put(floats(tone(48000) + tone(48000, hz=7000), rate=48000))
    wave = audio.load(path)[1000:-1000]
    assert pitch(wave) == pytest.approx(440, abs=0.3)
    folded = (tone(48000) + tone(48000, hz=7000))[::6][1000:-1000]
    level = [np.abs(np.fft.rfft(w * np.hanning(len(w))))[700:800].max() for w in (wave, folded)]
    assert level[0] < 0.01 * level[1]  # 7 kHz would come back as 1 kHz


def test_resample_to_another_rate(put):
    wave = audio.load(put(floats(tone())), rate=16000)
    assert len(wave) == 16000
    assert pitch(wave, 16000) == pytest.approx(440, abs=0.3)
    with pytest.raises(AudioError, match="positive"):
        audio.resample(wave, 8000, 0)


@pytest.mark.parametrize("channels", [2, 3, 8])
def test_channels_are_averaged(put, channels):
    rng = np.random.default_rng(channels)
    X = rng.uniform(-0.9, 0.9, (1000, channels)).astype(np.float32)
    X -= X.mean(axis=0)
    wave = audio.load(put(floats(X, channels=channels)))
    np.testing.assert_allclose(wave, X.mean(axis=1), atol=1e-6)


def test_the_mean_is_removed(put):
    wave = audio.load(put(floats(0.3 + tone(amplitude=0.2))))
    np.testing.assert_allclose(wave, tone(amplitude=0.2), atol=1e-3)
    assert abs(wave.mean()) < 1e-6


@pytest.mark.parametrize(
    ("name", "subtype"),
    [
        ("a.wav", "PCM_U8"),
        ("a.wav", "PCM_24"),
        ("a.wav", "ULAW"),
        ("a.wav", "DOUBLE"),
        ("a.flac", "PCM_16"),
        ("a.ogg", "VORBIS"),
        ("a.aiff", "PCM_16"),
        ("a.mp3", "MPEG_LAYER_III"),
    ],
)
def test_other_formats(tmp_path, name, subtype):
    if name.split(".")[1].upper() not in soundfile.available_formats():
        pytest.skip(f"this libsndfile has no {name}")
    soundfile.write(tmp_path / name, tone(), 8000, subtype=subtype)
    assert pitch(audio.load(tmp_path / name)) == pytest.approx(440, abs=1)


def test_content_counts_not_the_name(put):
    assert len(audio.load(put(floats(tone()), "seven.txt"))) == 8000


def test_shortest_and_longest(put):
    rng = np.random.default_rng(0)
    assert len(audio.load(put(ints([9000, -9000])))) == 2
    assert len(audio.load(put(ints(rng.integers(-9000, 9000, 60 * 8000))))) == 60 * 8000


def test_cut_off_in_the_middle_is_as_long_as_what_is_there(put):
    assert len(audio.load(put(floats(tone(), claimed=2**31)))) == 8000
    assert len(audio.load(put(floats(tone())[:-16001]))) == 8000 - 4001


def test_beyond_full_scale_is_clipped_with_a_warning(put):
    with pytest.warns(audio.AudioWarning, match="seven.wav.*clipped") as seen:
        wave = audio.load(put(floats(tone(amplitude=1.5))))
    assert len(seen) == 1
    assert seen[0].filename == __file__
    np.testing.assert_allclose(wave, np.clip(tone(amplitude=1.5), -1, 1), atol=1e-3)


def test_clipped_samples_are_counted_to_the_end(put):
    X = tone(seconds=10)  # more than one block of decoding
    X[[3, 5, -2]] = 1.25
    with pytest.warns(audio.AudioWarning, match="3 samples"):
        audio.load(put(floats(X)))


def test_huge_but_finite_samples_are_clipped_before_they_are_averaged(put):
    X = np.outer([1, -1, 1, -1], [1e300, 1.7e308])
    raw = wav(X.astype("<f8").tobytes(), channels=2, bits=64, code=FLOAT)
    with pytest.warns(audio.AudioWarning, match="8 samples"):
        np.testing.assert_array_equal(audio.load(put(raw)), [1, -1, 1, -1])


# --- plain WAV files, which do not go through libsndfile ------------------------------------------


def loaded(path):
    """The wave, or why there is none; without the warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", audio.AudioWarning)
        try:
            return audio.load(path).tolist()
        except AudioError as error:
            return str(error)


@pytest.fixture
def by_libsndfile(monkeypatch):
    """`loaded`, always by libsndfile."""

    def load(path):
        with monkeypatch.context() as patch:
            patch.setattr(audio.files, "_plain_wav", lambda path: None)
            return loaded(path)

    return load


@pytest.mark.parametrize("rate", [4000, 8000, 44_100, 192_000])
@pytest.mark.parametrize("count", [2, 3, 4097])
def test_plain_wav_files_are_read_as_by_libsndfile(put, by_libsndfile, rate, count):
    X = np.random.default_rng(count).integers(-(2**15), 2**15, count)
    X[:2] = -(2**15), 2**15 - 1
    path = put(ints(X, rate=rate))
    wave, own_rate = audio.files._plain_wav(path)
    assert own_rate == rate
    np.testing.assert_array_equal(wave, soundfile.read(path)[0])
    assert loaded(path) == by_libsndfile(path)


def test_every_other_header_is_left_to_libsndfile(put, by_libsndfile):
    content = ints([9000, -9000, 700, 30] * 50)
    assert audio.files._plain_wav(put(content)) is not None
    changed = [content[:n] for n in (0, 3, 43, 44, 45, len(content) - 1, len(content) - 2)]
    changed += [content + b"\0", content + b"\0\0", content + b"LIST\4\0\0\0abcd"]
    for i in range(44):
        for bit in (1, 2, 128):
            changed.append(content[:i] + bytes([content[i] ^ bit]) + content[i + 1 :])
    for i, other in enumerate(changed):
        path = put(other)
        assert not other or audio.files._plain_wav(path) is None, i
        assert loaded(path) == by_libsndfile(path), i


def test_a_plain_file_that_is_too_long_is_left_to_libsndfile(put, by_libsndfile):
    path = put(ints([9000, -9000] * 30 * 8000))
    assert len(audio.files._plain_wav(path)[0]) == 60 * 8000
    path = put(ints([9000, -9000] * 30 * 8000 + [1]))
    assert audio.files._plain_wav(path) is None
    assert "at most 60 s" in loaded(path) == by_libsndfile(path)


# --- what must be refused, by name --------------------------------------------------------------


HOSTILE = {
    "empty": (b"", "0 bytes"),
    "text": (b"I am not a sound.\n" * 50, "not readable"),
    "html": (b"<!doctype html><html>404</html>", "not readable"),
    "magic only": (b"RIFF", "not readable"),
    "cut in the header": (ints([1, 2, 3])[:30], "not readable"),
    "cut after the header": (ints([1, 2, 3])[:44], "0 frames"),
    "0 frames": (ints([]), "0 frames"),
    "half a frame": (ints([1, 2], channels=2)[:46], "0 frames"),
    "0 channels": (ints([1, 2, 3], channels=0), "not readable|channels"),
    "9 channels": (ints(range(90), channels=9), "9 channels"),
    "1000 channels": (ints(range(2000), channels=1000), "1000 channels"),
    "NaN": (floats([0.1, np.nan, 0.2]), "NaN"),
    "infinity": (floats([0.1, np.inf, 0.2]), "NaN or infinite"),
    "zeros": (ints(np.zeros(4000)), "silent"),
    "constant": (ints(np.full(4000, 77)), "silent"),
    "one sample": (ints([77]), "silent"),
    "opposite channels": (ints(np.outer(np.arange(99), [1, -1]), channels=2), "silent"),
    "0 Hz": (ints(range(99), rate=0), "not readable|0 Hz"),
    "1 Hz": (ints(range(99), rate=1), "rate 1 Hz"),
    "3999 Hz": (ints(range(99), rate=3999), "rate 3999 Hz"),
    "192001 Hz": (ints(range(99), rate=192001), "rate 192001 Hz"),
    "2^30 Hz": (ints(range(99), rate=2**30), "rate 1073741824 Hz"),
    "61 s": (ints(np.ones(61 * 8000)), "61 s long; at most 60 s"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_files(put, kind):
    content, cause = HOSTILE[kind]
    path = put(content)
    with pytest.raises(AudioError, match=f"seven.wav: .*({cause})") as caught:
        audio.load(path)
    assert ": " in str(caught.value).removeprefix(f"{path}: ")  # a cure follows the cause
    assert ("not readable" in str(caught.value)) <= ("not readable" in cause)


def test_what_is_not_a_file(tmp_path):
    with pytest.raises(AudioError, match=r"seven\.wav: no such file"):
        audio.load(tmp_path / "seven.wav")
    with pytest.raises(AudioError, match="no such file"):
        audio.load("no\0name")
    with pytest.raises(AudioError, match="no such file"):
        audio.load(tmp_path / ("seven" * 100))
    with pytest.raises(AudioError, match="is a folder"):
        audio.load(str(tmp_path))
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(AudioError, match="not a regular file"):
        audio.load(tmp_path / "pipe.wav")


def test_a_file_that_may_not_be_read(put, monkeypatch):
    path = put(floats(tone()))
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may read everything
    with pytest.raises(AudioError, match=r"seven\.wav: no permission"):
        audio.load(path)


def test_headerless_files_are_refused(put):
    with pytest.raises(AudioError, match="not readable"):
        audio.load(put(np.arange(999).tobytes(), "seven.raw"))


def test_ten_minutes_are_refused_unread(tmp_path, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("samples were read")

    path = tmp_path / "lecture.wav"
    size = 10 * 60 * 192_000 * 2 * 2
    path.write_bytes(wav(b"", rate=192_000, channels=2, claimed=size))
    os.truncate(path, 44 + size)  # sparse: it takes no room
    monkeypatch.setattr(soundfile.SoundFile, "read", never)
    with pytest.raises(AudioError, match=r"lecture.wav: 600 s long; at most 60 s"):
        audio.load(path)


def test_a_decoder_that_runs_dry_is_noticed(put, monkeypatch):
    """The header promises samples, and then there are fewer, or none."""
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda self, *a, **k: np.empty((0, 1)))
    with pytest.raises(AudioError, match="0 frames"):
        audio.load(put(floats(tone())))


def test_a_minute_of_eight_channels_fits_in_little_memory(put):
    """At 48 kHz the samples alone are 184 MB as float64."""
    path = put(wav(b"\1\2\3" * (60 * 48_000 * 8 // 3), rate=48_000, channels=8, bits=8))
    tracemalloc.start()
    audio.load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 80e6


# --- random bytes -------------------------------------------------------------------------------


def encoded(name):
    from io import BytesIO

    file = BytesIO()
    soundfile.write(file, tone(seconds=0.2), 8000, format=name)
    return file.getvalue()


SEEDS = [encoded(name) for name in ("WAV", "FLAC", "OGG", "AIFF", "AU", "W64", "CAF")]
MAGIC = [b"", b"RIFF\xff\0\0\0WAVE", b"RIFF\xff\0\0\0WAVEfmt ", b"fLaC", b"OggS", b"ID3", b"FORM"]


@st.composite
def broken(draw):
    """A good file, some bytes of which were overwritten, and which may have been cut."""
    raw = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, min(len(raw), draw(st.sampled_from([64, 10**6]))) - 1))
        raw[at] = draw(st.integers(0, 255))
    return bytes(raw[: draw(st.integers(1, len(raw)))]) if draw(st.booleans()) else bytes(raw)


junk = st.builds(bytes.__add__, st.sampled_from(MAGIC), st.binary(max_size=600))
headed = st.builds(
    wav,
    st.binary(max_size=600),
    rate=st.integers(0, 2**32 - 1) | st.integers(3_000, 200_000),
    channels=st.integers(0, 12) | st.integers(0, 2**16 - 1),
    bits=st.sampled_from([0, 8, 16, 24, 32, 64]),
    code=st.sampled_from([PCM, FLOAT]) | st.integers(0, 2**16 - 1),
    claimed=st.none() | st.integers(0, 2**32 - 1),
)


@pytest.fixture(scope="module")
def anywhere(tmp_path_factory):
    return tmp_path_factory.mktemp("junk") / "junk.wav"


@settings(max_examples=400, deadline=None)
@given(content=junk | headed | broken())
def test_whatever_the_bytes_only_our_error_escapes(anywhere, content):
    anywhere.write_bytes(content)
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", audio.AudioWarning)
        try:
            wave = audio.load(anywhere)
        except AudioError:
            pass
        else:
            assert wave.dtype == np.float32
            assert 0 < len(wave) <= 60 * 8000 + 1
            assert np.isfinite(wave).all()
            assert audio.log_mel([wave]).shape == (1, 48, 48)
    assert time.process_time() - start < 1
