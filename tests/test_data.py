"""The mix: what is found, how it is split, paired and scaled. Most of it on small fake sets."""

import gzip
import hashlib
import io
import json
import os
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tinya2i import audio, data
from tinya2i.data import fetch, fsdd, mix, mnist
from tinya2i.errors import DataError

soundfile = pytest.importorskip("soundfile")

VOICES = ("ann", "bob", "cyd")
EACH = 45  # clips of a digit by a voice: enough that a tenth at random has every digit


def idx_bytes(array):
    header = struct.pack(f">I{array.ndim}I", 0x800 + array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


def wav_bytes(wave, rate=8000, **options):
    file = io.BytesIO()
    soundfile.write(file, wave, rate, format="WAV", **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def clips():
    """{name: WAV bytes} of short noises, different for every name."""
    rng = np.random.default_rng(1)
    return {
        f"{digit}_{voice}_{i}.wav": wav_bytes(0.5 * rng.uniform(-1, 1, 400 + 10 * i))
        for voice in VOICES
        for digit in range(10)
        for i in range(EACH)
    }


@pytest.fixture(scope="module")
def idx_files():
    """{MNIST's file name: idx bytes} of 300 and 50 images; image i is filled with i."""
    rng = np.random.default_rng(2)
    files = {}
    for side, n in (("train", 300), ("t10k", 50)):
        images = np.broadcast_to(np.arange(n)[:, None, None] % 256, (n, 28, 28))
        files[f"{side}-images-idx3-ubyte"] = idx_bytes(images)
        files[f"{side}-labels-idx1-ubyte"] = idx_bytes(rng.permutation(np.arange(n) % 10))
    return files


def pin(monkeypatch, idx_files, clips):
    """Make the fake sets the ones that the library vouches for."""
    pins = []
    for old in mnist.FILES:
        content = idx_files[old.name]
        n = int.from_bytes(content[4:8], "big")
        sha256 = hashlib.sha256(content).hexdigest()
        pins.append(mnist.Idx(old.name, (n, *old.shape[1:]), sha256, 10**6, "0" * 64))
    monkeypatch.setattr(mnist, "FILES", tuple(pins))
    monkeypatch.setattr(fsdd, "TALK", VOICES[:2])
    talk = {name: wav for name, wav in clips.items() if VOICES[2] not in name}
    known = {fsdd.digest(talk): "talk", fsdd.digest(clips): "all"}
    monkeypatch.setattr(fsdd, "KNOWN", known)


@pytest.fixture
def place(tmp_path, monkeypatch, idx_files, clips):
    """A folder with both fake sets, plain; the cache elsewhere; no way to the network."""
    pin(monkeypatch, idx_files, clips)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("TINYA2I_DATA", raising=False)
    monkeypatch.setenv("TINYA2I_OFFLINE", "1")
    folder = tmp_path / "sets"
    for name, content in idx_files.items():
        put(folder / "mnist" / name, content)
    for name, content in clips.items():
        put(folder / "fsdd" / "recordings" / name, content)
    return folder


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def tar_bytes(files, prefix="", mode="w:gz"):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(prefix + name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def zip_bytes(files, prefix=""):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(prefix + name, content)
    return packed.getvalue()


# --- the mix ---------------------------------------------------------------------------------


def test_mix_has_the_promised_shapes_types_and_pairs(place):
    both = data.load("mix", data_dir=place)
    assert both.train.images.shape == (300, 28, 28, 1)
    assert both.test.images.shape == (50, 28, 28, 1)
    for side, m in ((both.train, 810), (both.test, 90)):  # 2 voices x 450 clips, 90/10
        assert side.images.dtype == np.uint8
        assert side.digits.dtype == side.clip_digits.dtype == side.clip_of.dtype == np.int64
        assert side.clips.shape == (m, 48, 48, 1)
        assert side.clips.dtype == np.float32
        assert len(side.names) == len(side.speakers) == m
        np.testing.assert_array_equal(side.clip_digits[side.clip_of], side.digits)
        assert [int(name[0]) for name in side.names] == side.clip_digits.tolist()
        assert [name.split("_")[1] for name in side.names] == side.speakers.tolist()
    assert not set(both.train.names) & set(both.test.names)
    assert set(both.train.speakers) == set(VOICES[:2])
    assert json.loads(json.dumps(both.info)) == both.info
    assert both.info["clips"]["verified"]


def test_clips_row_belongs_to_its_name(place, clips):
    both = data.load("mix", data_dir=place, normalise="none")
    for side in (both.train, both.test):
        wave = fsdd.decode({side.names[3]: clips[side.names[3]]}).waves
        np.testing.assert_array_equal(side.clips[3, :, :, 0], audio.log_mel(wave)[0])


def test_the_seed_decides_and_nothing_else(place):
    first, again = data.load("mix", data_dir=place), data.load("mix", data_dir=place)
    other = data.load("mix", data_dir=place, seed=1)
    np.testing.assert_array_equal(first.train.clip_of, again.train.clip_of)
    assert first.test.names == again.test.names
    assert first.test.names != other.test.names
    assert (first.train.clip_of != other.train.clip_of).any()
    assert first.info["clips"] == other.info["clips"]


def test_limit_train_takes_a_seeded_few_and_leaves_the_test_side_whole(place):
    whole = data.load("mix", data_dir=place)
    few = data.load("mix", data_dir=place, limit_train=7)
    assert few.train.images.shape == (7, 28, 28, 1)
    kept = few.train.images[:, 0, 0, 0].astype(int)
    assert kept.tolist() != list(range(7))
    for image, digit in zip(few.train.images, few.train.digits, strict=True):
        same = (whole.train.images == image).all((1, 2, 3)) & (whole.train.digits == digit)
        assert same.any()
    np.testing.assert_array_equal(few.test.clip_of, whole.test.clip_of)
    assert len(data.load("mix", data_dir=place, limit_train=10**6).train.digits) == 300
    with pytest.raises(DataError, match="at least 1"):
        data.load("mix", data_dir=place, limit_train=0)


def test_load_images_needs_no_clips(place):
    for path in (place / "fsdd" / "recordings").iterdir():
        path.unlink()
    X, digits, test_X, test_digits = data.load_images("mix", data_dir=place)
    assert (X.shape, test_X.shape) == ((300, 28, 28, 1), (50, 28, 28, 1))
    np.testing.assert_array_equal(X[:, 5, 5, 0], np.arange(300) % 256)
    assert digits.dtype == test_digits.dtype == np.int64
    with pytest.raises(DataError, match="FSDD"):
        data.load("mix", data_dir=place)


@pytest.mark.parametrize("loader", [data.load, data.load_images])
def test_unknown_set_is_named(loader):
    with pytest.raises(DataError, match=r"'cifar'.*mix or toy"):
        loader("cifar")


def test_toy_needs_no_data_and_keeps_its_sides(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("TINYA2I_OFFLINE", "1")
    monkeypatch.delenv("TINYA2I_DATA", raising=False)
    both = data.load("toy", limit_train=20)
    assert not set(both.train.speakers) & set(both.test.speakers)
    np.testing.assert_array_equal(both.test.clip_digits[both.test.clip_of], both.test.digits)
    voice = str(both.train.speakers[0])
    held = data.load("toy", limit_train=20, split=f"speaker:{voice}")
    assert set(held.test.speakers) == {voice}
    with pytest.raises(DataError, match="voices of its own"):
        data.load("toy", speakers="theo")


# --- split, pair, standardise ------------------------------------------------------------------


def labels(voices=VOICES, each=EACH):
    names = tuple(f"{d}_{v}_{i}.wav" for v in voices for d in range(10) for i in range(each))
    digits = np.array([int(name[0]) for name in names])
    return digits, np.array([name.split("_")[1] for name in names]), names


def test_splits_are_disjoint_and_complete():
    digits, speakers, names = labels()
    for how in ("random", "official", "speaker:bob"):
        train, test = mix.split(digits, speakers, names, how, np.random.default_rng(0))
        np.testing.assert_array_equal(np.sort(np.r_[train, test]), np.arange(len(names)))
        assert (np.diff(train) > 0).all()
        assert (np.diff(test) > 0).all()


def test_each_split_does_what_it_says():
    digits, speakers, names = labels()
    _, test = mix.split(digits, speakers, names, "random", np.random.default_rng(0))
    assert len(test) == round(len(names) / 10)
    _, test = mix.split(digits, speakers, names, "official")
    assert {names[i].split("_")[2] for i in test} == {f"{i}.wav" for i in range(5)}
    assert len(test) == 5 * 10 * len(VOICES)
    train, test = mix.split(digits, speakers, names, "speaker:bob")
    assert set(speakers[test]) == {"bob"}
    assert set(speakers[train]) == {"ann", "cyd"}


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("half", "choose random, official or speaker:NAME"),
        ("speaker:eve", "the speakers are ann, bob, cyd"),
        ("random", "needs rng="),
    ],
)
def test_impossible_splits_say_what_is_possible(how, message):
    with pytest.raises(DataError, match=message):
        mix.split(*labels(), how)


def test_a_split_that_loses_a_digit_is_refused():
    with pytest.raises(DataError, match="no training clip of digit 0"):
        mix.split(*labels(voices=("ann",)), "speaker:ann")
    with pytest.raises(DataError, match="no test clip of digit"):
        mix.split(*labels(voices=("ann",), each=3), "random", np.random.default_rng(0))
    with pytest.raises(DataError, match="no index"):
        mix.split(np.arange(10), np.full(10, "a"), ("x",) * 10, "official")


def test_pairs_are_uniform_over_the_clips_of_the_digit():
    clip_digits = np.array([3, 1, 3, 2, 1, 3])
    image_digits = np.repeat([1, 2, 3], 3000)
    clip_of = mix.pair(image_digits, clip_digits, np.random.default_rng(0))
    np.testing.assert_array_equal(clip_digits[clip_of], image_digits)
    count = np.bincount(clip_of, minlength=6)
    expected = np.array([1000, 1500, 1000, 3000, 1500, 1000])
    assert (np.abs(count - expected) < 5 * np.sqrt(expected)).all()


def test_pairing_a_digit_that_nobody_says_is_refused():
    with pytest.raises(DataError, match="no clip says 4"):
        mix.pair(np.array([1, 4]), np.array([1, 2, 9]), np.random.default_rng(0))
    with pytest.raises(DataError, match="no clip says 9"):
        mix.pair(np.array([1, 9]), np.array([1, 2]), np.random.default_rng(0))
    assert mix.pair(np.array([], int), np.array([1]), np.random.default_rng(0)).shape == (0,)


def test_standardise_uses_the_training_side_only():
    rng = np.random.default_rng(0)
    train = rng.uniform(0, 1, (30, 48, 48)).astype(np.float32)
    train *= np.linspace(0.1, 1, 48, dtype=np.float32)[:, None]
    test = train[:5] + 1
    for how, axes, shape in (("global", (0, 1, 2), ()), ("band", (0, 2), (48, 1))):
        X, Y, mean, std = mix.standardise(train, test, how)
        assert mean.shape == std.shape == shape
        assert {array.dtype for array in (X, Y, mean, std)} == {np.dtype(np.float32)}
        np.testing.assert_allclose(X.mean(axes), 0, atol=1e-5)
        np.testing.assert_allclose(X.std(axes), 1, atol=1e-5)
        np.testing.assert_allclose(Y - X[:5], np.broadcast_to(1 / std, Y.shape), rtol=1e-4)
    X, Y, mean, std = mix.standardise(train, test, "none")
    np.testing.assert_array_equal(X, train)
    assert (mean, std, mean.shape) == (0, 1, ())
    with pytest.raises(DataError, match="none, global or band"):
        mix.standardise(train, test, "pixel")


def test_a_constant_band_is_centred_not_divided_by_zero():
    train = np.random.default_rng(0).uniform(0, 1, (4, 48, 48)).astype(np.float32)
    train[:, 7] = 0.25
    X = mix.standardise(train, train, "band")[0]
    assert np.isfinite(X).all()
    assert (X[:, 7] == 0).all()


# --- where data is found, and in which form ------------------------------------------------------


@pytest.mark.parametrize("folder", ["mnist", ".", "MNIST/raw"])
@pytest.mark.parametrize("dotted", [False, True])
@pytest.mark.parametrize("level", [None, 1, 9])
def test_mnist_in_every_honest_form(tmp_path, monkeypatch, idx_files, clips, folder, dotted, level):
    pin(monkeypatch, idx_files, clips)
    for name, content in idx_files.items():
        name = name.replace("-idx", ".idx") if dotted else name
        name, content = (
            (name, content) if level is None else (f"{name}.gz", gzip.compress(content, level))
        )
        put(tmp_path / folder / name, content)
    assert len(data.load_images("mix", data_dir=tmp_path)[0]) == 300


def test_gzip_in_several_members_is_honest(place, idx_files):
    name = "t10k-labels-idx1-ubyte"
    content = idx_files[name]
    (place / "mnist" / name).unlink()
    halves = gzip.compress(content[:20]) + gzip.compress(content[20:])
    put(place / "mnist" / f"{name}.gz", halves)
    assert len(data.load_images("mix", data_dir=place)[3]) == 50


def fsdd_forms(clips):
    odd = {"README.md": b"words", "utils/a.py": b"x = 1", **clips}
    return {
        "deep.tar.gz": tar_bytes(odd, "some-prefix/recordings/"),
        "flat.tgz": tar_bytes(odd, "./"),
        "plain.tar": tar_bytes(odd, mode="w:"),
        "deep.zip": zip_bytes(odd, "free-spoken-digit-dataset-1.0.10/recordings/"),
        "misnamed.tar": zip_bytes(odd),
    }


@pytest.mark.parametrize("form", list(fsdd_forms({})))
@pytest.mark.parametrize("folder", ["fsdd", "."])
def test_fsdd_in_every_archive(tmp_path, monkeypatch, idx_files, clips, form, folder):
    pin(monkeypatch, idx_files, clips)
    put(tmp_path / folder / form, fsdd_forms(clips)[form])
    found, info = fsdd.load("talk", data_dir=tmp_path)
    assert len(found.waves) == 2 * 10 * EACH
    assert info["verified"]
    assert info["source"].endswith(form)


@pytest.mark.parametrize("folder", [".", "recordings", "free-spoken-digit-dataset/recordings"])
def test_fsdd_in_every_folder(tmp_path, monkeypatch, idx_files, clips, folder):
    pin(monkeypatch, idx_files, clips)
    for name, content in clips.items():
        put(tmp_path / folder / name, content)
    found, info = fsdd.load("all", data_dir=tmp_path)
    assert found.names == tuple(sorted(clips))
    assert info["known_as"] == "all"


def test_the_verified_copy_wins_over_a_damaged_one(place, clips):
    damaged = dict(clips, **{"0_ann_0.wav": clips["0_ann_1.wav"]})
    put(place / "fsdd" / "a.tar.gz", tar_bytes(damaged))
    for path in (place / "fsdd" / "recordings").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="does not hold the talk's"):
        fsdd.load("talk", data_dir=place)
    put(place / "fsdd" / "b.zip", zip_bytes(clips))
    assert fsdd.load("talk", data_dir=place)[1]["source"].endswith("b.zip")


def test_speakers_can_be_named_and_strangers_are_flagged(place, clips):
    assert set(fsdd.load("bob", data_dir=place)[0].speakers) == {"bob"}
    assert fsdd.load("bob", data_dir=place)[1]["verified"]  # part of what is vouched for
    assert fsdd.load("cyd", data_dir=place)[1]["verified"]
    assert set(fsdd.load(["cyd", "ann"], data_dir=place)[0].speakers) == {"ann", "cyd"}
    assert fsdd.load("bob, ann", data_dir=place)[1]["speakers"] == ["ann", "bob"]
    put(place / "fsdd" / "recordings" / "7_me_0.wav", clips["7_ann_0.wav"])
    found, info = fsdd.load("all", data_dir=place)
    assert info["verified"] is False
    assert info["sha256"] == fsdd.digest(clips | {"7_me_0.wav": clips["7_ann_0.wav"]})
    assert found.names[-1] == "9_cyd_9.wav"
    assert "7_me_0.wav" in found.names
    assert fsdd.load("talk", data_dir=place)[1]["verified"]
    with pytest.raises(DataError, match=r"no clip of zoe, only .*ann"):
        fsdd.load("ann,zoe", data_dir=place)
    with pytest.raises(DataError, match="no speaker was named"):
        fsdd.load(" , ", data_dir=place)


def test_waves_are_what_audio_load_makes_of_the_file(tmp_path, clips):
    other_rate = wav_bytes(0.3 + 0.1 * np.sin(np.arange(3000)), 16_000, subtype="PCM_24")
    files = {"4_ann_2.wav": clips["4_ann_2.wav"], "5_me_0.wav": other_rate}
    found = fsdd.decode(files)
    for name, wave in zip(found.names, found.waves, strict=True):
        put(tmp_path / name, files[name])
        assert wave.dtype == np.float32
        np.testing.assert_allclose(wave, audio.load(tmp_path / name), atol=1e-6)


def test_look_up_order_is_argument_variable_cache(place, tmp_path, monkeypatch, idx_files):
    name = "train-images-idx3-ubyte"
    put(tmp_path / "cache" / "tinya2i" / "mnist" / f"{name}.gz", gzip.compress(idx_files[name]))
    source = mnist.FILES[0]

    def where(data_dir=None):
        return mnist.load(data_dir=data_dir, offline=True)[1]["source"][source.name]

    monkeypatch.setenv("TINYA2I_DATA", str(place))
    assert Path(where()).parent == place / "mnist"
    other = tmp_path / "other"
    for path in (place / "mnist").iterdir():
        put(other / path.name, path.read_bytes())
    assert Path(where(other)).parent == other
    (place / "mnist" / name).unlink()
    assert Path(where()).parent == tmp_path / "cache" / "tinya2i" / "mnist"
    with pytest.raises(DataError, match=name):
        where(place)  # a folder that was asked for is the only one looked into


def test_cache_folder_per_system(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert fetch.cache_dir() == tmp_path / "tinya2i"
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for system, parts in (
        ("linux", (".cache", "tinya2i")),
        ("darwin", ("Library", "Caches", "tinya2i")),
        ("win32", ("local", "tinya2i", "Cache")),
    ):
        monkeypatch.setattr("sys.platform", system)
        monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
        assert fetch.cache_dir() == tmp_path.joinpath(*parts)


# --- the real sets -------------------------------------------------------------------------------

REAL = os.environ.get("TINYA2I_DATA")


def real_set(load):
    if not REAL:
        pytest.skip("TINYA2I_DATA names no folder with MNIST and FSDD")
    try:
        return load()
    except DataError as error:
        pytest.skip(f"no real data: {error}")


@pytest.fixture(scope="module")
def real():
    return real_set(lambda: data.load("mix", data_dir=REAL))


def test_real_mix_is_the_talks(real):
    assert real.train.images.shape == (60_000, 28, 28, 1)
    assert real.test.images.shape == (10_000, 28, 28, 1)
    assert real.train.clips.shape == (1800, 48, 48, 1)
    assert real.test.clips.shape == (200, 48, 48, 1)
    assert np.bincount(real.test.digits).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
    assert set(real.train.speakers) == set(fsdd.TALK)
    assert not set(real.train.names) & set(real.test.names)
    for side in (real.train, real.test):
        np.testing.assert_array_equal(side.clip_digits[side.clip_of], side.digits)
    assert len(set(real.train.clip_of.tolist())) == 1800


def test_real_digests(real):
    known = "197e9c48c344955c5dfe4934070c99951896bb381fd9c9c78383fbe30eebba15"
    assert real.info["clips"]["sha256"] == known
    assert real.info["clips"]["verified"]
    assert real.info["images"]["sha256"]["t10k-labels-idx1-ubyte"].startswith("ff7bcfd4")


def test_real_scale(real):
    assert abs(real.train.clips.mean(dtype=np.float64)) < 1e-4
    assert abs(real.train.clips.std(dtype=np.float64) - 1) < 1e-4
    assert real.mean.shape == ()


def test_real_clips_split_officially_and_by_speaker():
    found, _ = real_set(lambda: fsdd.load("talk", data_dir=REAL))
    for how, n in (("official", 200), ("speaker:theo", 500), ("random", 200)):
        rng = np.random.default_rng(0)
        train, test = mix.split(found.digits, found.speakers, found.names, how, rng)
        assert (len(train), len(test)) == (2000 - n, n)
    assert {wave.dtype for wave in found.waves} == {np.dtype(np.float32)}
    assert min(map(len, found.waves)) == 1148
