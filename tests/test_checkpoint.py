"""Checkpoints: what goes in comes out, killing cannot spoil them, strangers' are refused."""

import contextlib
import errno
import io
import json
import os
import pickle
import resource
import struct
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinya2i import checkpoint
from tinya2i.errors import CheckpointError

ARRAYS = {
    "model.encoder.0.W": np.arange(12, dtype=np.float32).reshape(3, 4) / 7,
    "model.encoder.0.b": np.zeros((0, 4), np.float64),
    "adam.t": np.array(7),
    "mask": np.array([True, False]),
}
META = {"epoch": 3, "sums": {"kl": 0.1 + 0.2}, "name": "Żelaszczyk"}
EXPECT = {name: (A.shape, A.dtype) for name, A in ARRAYS.items()}


def same(arrays, others=None):
    others = ARRAYS if others is None else others
    return arrays.keys() == others.keys() and all(
        A.dtype == others[name].dtype
        and A.shape == others[name].shape
        and A.tobytes() == others[name].tobytes()
        for name, A in arrays.items()
    )


@pytest.fixture
def path(tmp_path):
    path = tmp_path / checkpoint.NAME
    checkpoint.save(path, ARRAYS, META)
    return path


@pytest.fixture(scope="module")
def valid(tmp_path_factory):
    path = tmp_path_factory.mktemp("valid") / "a.npz"
    checkpoint.save(path, ARRAYS, META)
    return path.read_bytes()


def numbered(n):
    return {"W": np.full(1000, float(n))}


# In and out


def test_what_goes_in_comes_out(path):
    arrays, meta = checkpoint.load(path, EXPECT)
    assert same(arrays)
    assert meta == META
    arrays["model.encoder.0.W"] += 1  # writable


def test_numpy_reads_it_too(path):
    with np.load(path, allow_pickle=False) as file:
        assert same({name: file[name] for name in ARRAYS})
        assert json.loads(file["meta"].tobytes())["meta"] == META


def test_equal_contents_give_equal_files(tmp_path, valid):
    checkpoint.save(tmp_path / "b.npz", ARRAYS, META)
    assert (tmp_path / "b.npz").read_bytes() == valid


def test_fortran_order_and_non_contiguous_arrays(tmp_path):
    arrays = {"F": np.asfortranarray(np.eye(3)[:2]), "T": np.arange(20).reshape(4, 5)[::2, ::-2]}
    checkpoint.save(tmp_path / "a.npz", arrays, {})
    loaded, _ = checkpoint.load(tmp_path / "a.npz")
    assert all(np.array_equal(loaded[name], A) for name, A in arrays.items())


def test_a_prefix_reads_a_part_and_cuts_it_off(path):
    expect = {"0.W": ((3, 4), np.float32), "0.b": ((0, 4), np.float64)}
    arrays, meta = checkpoint.load(path, expect, prefix="model.encoder.")
    assert arrays.keys() == expect.keys()
    assert meta == META


@pytest.mark.parametrize("name", ["../up", "a/b", "", "meta", ".hidden", "ü", "a" * 201, "a\n"])
def test_names_that_could_not_be_loaded_are_not_saved(tmp_path, name):
    with pytest.raises(ValueError, match="cannot hold"):
        checkpoint.save(tmp_path / "a.npz", {name: np.zeros(1)}, {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("A", [np.array([{}]), np.array(["text"]), np.zeros(1, "M8[s]")])
def test_arrays_without_numbers_are_not_saved(tmp_path, A):
    with pytest.raises(ValueError, match="cannot hold"):
        checkpoint.save(tmp_path / "a.npz", {"A": A}, {})


def test_find_takes_a_folder_or_a_file(path):
    assert checkpoint.find(path.parent) == checkpoint.find(path) == path
    path.rename(path.parent / checkpoint.PREVIOUS)
    assert checkpoint.find(path.parent).name == checkpoint.PREVIOUS
    for missing in (path, path.parent / "none"):
        with pytest.raises(CheckpointError, match="no checkpoint"):
            checkpoint.find(missing)


# Killed, full, damaged


class Killed(BaseException):
    pass


def kill_at(patch, moment, log=None):
    """Let the process die at its `moment`-th file operation: nothing works from then on."""
    calls = [] if log is None else log

    def dying(function):
        def call(*args, **kwargs):
            calls.append(function.__name__)
            if len(calls) > moment:
                raise Killed
            return function(*args, **kwargs)

        return call

    for name in ("replace", "fsync", "link", "unlink"):
        patch.setattr(os, name, dying(getattr(os, name)))
    patch.setattr(np.lib.format, "write_array", dying(np.lib.format.write_array))
    return calls


def test_killed_between_any_two_file_operations_a_good_checkpoint_is_left(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        log = kill_at(patch, 10**6)
        for n in range(3):
            log.clear()
            checkpoint.save(
                tmp_path / "log" / checkpoint.NAME if n > 5 else tmp_path / "x.npz",
                numbered(n),
                {"n": n},
            )
        operations = len(log)
    assert {"replace", "fsync", "link", "write_array"} <= set(log)
    seen = set()
    for moment in range(operations + 1):
        folder = tmp_path / str(moment)
        folder.mkdir()
        for n in range(2):
            checkpoint.save(folder / checkpoint.NAME, numbered(n), {"n": n})
        with monkeypatch.context() as patch:
            kill_at(patch, moment)
            if moment < operations:
                with pytest.raises(Killed):
                    checkpoint.save(folder / checkpoint.NAME, numbered(2), {"n": 2})
            else:
                checkpoint.save(folder / checkpoint.NAME, numbered(2), {"n": 2})
        arrays, meta, note = checkpoint.load_latest(folder)
        assert not note
        assert same(arrays, numbered(meta["n"]))
        seen.add(meta["n"])
        checkpoint.load(folder / checkpoint.PREVIOUS)
        checkpoint.save(folder / checkpoint.NAME, numbered(3), {"n": 3})
        names = sorted(path.name for path in folder.iterdir())
        assert names == [checkpoint.NAME, checkpoint.PREVIOUS]
        assert checkpoint.load(folder / checkpoint.PREVIOUS)[1]["n"] == meta["n"]
    assert seen == {1, 2}  # negative control: the moments lie on both sides of the rename


def test_killed_while_a_damaged_one_is_replaced_the_previous_one_is_left(tmp_path, monkeypatch):
    for moment in range(12):
        folder = tmp_path / str(moment)
        folder.mkdir()
        for n in range(2):
            checkpoint.save(folder / checkpoint.NAME, numbered(n), {"n": n})
        (folder / checkpoint.NAME).write_bytes(b"damaged")
        with monkeypatch.context() as patch:
            kill_at(patch, moment)
            with contextlib.suppress(Killed):
                checkpoint.save(folder / checkpoint.NAME, numbered(2), {"n": 2})
        arrays, meta, _ = checkpoint.load_latest(folder)
        assert same(arrays, numbered(meta["n"]))


def test_without_hard_links_the_previous_one_is_a_copy(tmp_path, monkeypatch):
    def refuse(*args):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    for n in range(3):
        checkpoint.save(tmp_path / checkpoint.NAME, numbered(n), {"n": n})
    assert checkpoint.load(tmp_path / checkpoint.NAME)[1]["n"] == 2
    assert checkpoint.load(tmp_path / checkpoint.PREVIOUS)[1]["n"] == 1


def test_a_disk_that_is_full_in_the_middle_leaves_all_as_it_was(path):
    before = {p.name: p.read_bytes() for p in path.parent.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            checkpoint.save(path, {"W": np.zeros(10_000)}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {p.name: p.read_bytes() for p in path.parent.iterdir()} == before


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_device_that_is_full():
    with pytest.raises(OSError, match="No space left"):
        checkpoint._write(Path("/dev/full"), numbered(0), {})


def test_load_latest_falls_back_and_says_so(tmp_path):
    for n in range(2):
        checkpoint.save(tmp_path / checkpoint.NAME, numbered(n), {"n": n})
    assert checkpoint.load_latest(tmp_path)[1:] == ({"n": 1}, "")
    (tmp_path / checkpoint.NAME).write_bytes(b"")
    _, meta, note = checkpoint.load_latest(tmp_path)
    assert meta == {"n": 0}
    assert checkpoint.PREVIOUS in note
    assert "damaged" in note
    (tmp_path / checkpoint.PREVIOUS).write_bytes(b"")
    with pytest.raises(CheckpointError, match=rf"{checkpoint.NAME}: damaged"):
        checkpoint.load_latest(tmp_path)


# Another model's


def test_every_difference_is_listed_before_data_is_read(path, monkeypatch):
    expect = {
        "model.encoder.0.W": ((4, 3), np.float32),
        "model.encoder.0.b": ((0, 4), np.float32),
        "adam.t": EXPECT["adam.t"],
        "model.decoder.W": ((1,), np.float32),
    }
    monkeypatch.setattr(np, "empty", pytest.fail)
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(path, expect)
    text = str(caught.value)
    for part in (
        "missing model.decoder.W",
        "surplus mask",
        "model.encoder.0.W has shape (3, 4) instead of (4, 3)",
        "model.encoder.0.b has dtype float64 instead of float32",
    ):
        assert part in text
    assert "adam.t" not in text


def test_a_long_list_of_differences_is_cut(path):
    with pytest.raises(CheckpointError, match="and 98 more"):
        checkpoint.load(path, {f"layer{i}.W": ((1,), np.float32) for i in range(100)})


# Strangers'


def npy(header, data=b"", version=(1, 0)):
    text = header.encode() if isinstance(header, str) else header
    size = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + size + text + data


def header(shape, descr="<f4", order=False):
    return f"{{'descr': {descr!r}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


def text_npy(wrapper):
    text = wrapper if isinstance(wrapper, bytes) else json.dumps(wrapper).encode()
    return npy(header((len(text),), "|u1"), text)


def archive(members, compression=zipfile.ZIP_STORED, meta=True):
    """A .npz by hand. meta: True for a good one, bytes for another, None for none."""
    stream = io.BytesIO()
    names = sorted(name.removesuffix(".npy") for name, _ in members)
    good = text_npy({"format": 1, "names": names, "meta": {}})
    first = [("meta.npy", good if meta is True else meta)] if meta else []
    with zipfile.ZipFile(stream, "w", compression) as file:
        for name, content in [*first, *members]:
            file.writestr(zipfile.ZipInfo(name), content, compression)
    return stream.getvalue()


class Bomb:
    def __reduce__(self):
        return os._exit, (66,)


def object_npy():
    stream = io.BytesIO()
    np.save(stream, np.array([Bomb()]), allow_pickle=True)
    return stream.getvalue()


def declare_sizes(content, size):
    """The same archive, its directory declaring `size` bytes for every member."""
    content, at = bytearray(content), 0
    while (at := content.find(b"PK\x01\x02", at)) >= 0:
        content[at + 20 : at + 28] = struct.pack("<II", size, size)
        at += 4
    return bytes(content)


LISTS_NONE = {"format": 1, "names": [], "meta": {}}
HUGE = header((65536, 65536, 8))
ONE = npy(header((1,)), bytes(4))
HOSTILE = {
    "empty": b"",
    "text": b"I am no checkpoint\n" * 50,
    "pickle": pickle.dumps(Bomb()),
    "a bare npy": ONE,
    "zip without members": archive([], meta=None),
    "no meta": archive([("a.npy", ONE)], meta=None),
    "terabytes declared": archive([("a.npy", npy(HUGE))]),
    "terabytes declared by meta": archive([], meta=npy(header((1 << 40,), "|u1"))),
    "terabytes by itemsize": archive([("a.npy", npy(header((1,), "|V1099511627776")))]),
    "terabytes in the directory": declare_sizes(archive([("a.npy", npy(HUGE))]), 0xFFFFFFF0),
    "one byte more than it has": archive([("a.npy", npy(header((2,)), bytes(7)))]),
    "one byte less than it has": archive([("a.npy", npy(header((2,)), bytes(9)))]),
    "negative shape": archive([("a.npy", npy(header((-1, -4)), bytes(16)))]),
    "shape of truths": archive([("a.npy", npy(header((True,)), bytes(4)))]),
    "zero times huge": archive([("a.npy", npy(header((0, 1 << 80))))]),
    "a hundred axes": archive([("a.npy", npy(header((1,) * 100), bytes(4)))]),
    "object dtype": archive([("a.npy", object_npy())]),
    "object dtype, empty": archive([("a.npy", npy(header((0,), "|O")))]),
    "text dtype": archive([("a.npy", npy(header((1,), "<U1"), bytes(4)))]),
    "structured dtype": archive([("a.npy", npy(header((1,), [("x", "<f4")]), bytes(4)))]),
    "header of nested brackets": archive([("a.npy", npy("(" * 3000))]),
    "header that computes": archive([("a.npy", npy(header("__import__('os')._exit(66)")))]),
    "header of a megabyte": archive([("a.npy", npy(" " * (1 << 20), version=(2, 0)))]),
    "header of Python 2": archive([("a.npy", npy(header("(1L,)"), bytes(4)))]),
    "version 9": archive([("a.npy", npy(header((1,)), bytes(4), version=(9, 0)))]),
    "bomb": archive([("a.npy", npy(header((1 << 24,)), bytes(1 << 26)))], zipfile.ZIP_DEFLATED),
    "up the tree": archive([("../../w.npy", ONE)]),
    "absolute": archive([("/w.npy", ONE)]),
    "backslash": archive([("..\\w.npy", ONE)]),
    "no npy": archive([("a.pkl", pickle.dumps(Bomb()))]),
    "meta is no JSON": archive([], meta=text_npy(b"{")),
    "meta is a list": archive([], meta=text_npy([1])),
    "meta is deep": archive([], meta=text_npy(b"[" * 100_000)),
    "meta of another format": archive([], meta=text_npy({"format": 2, "meta": {}})),
    "arrays that it does not list": archive([("a.npy", ONE)], meta=text_npy(LISTS_NONE)),
    "meta is floats": archive([], meta=ONE),
    "meta is no UTF-8": archive([], meta=text_npy(b"\xff\xfe")),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_files_are_refused_at_once(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    tracemalloc.start()
    began = time.perf_counter()
    try:
        with pytest.raises(CheckpointError) as caught:
            checkpoint.load(tmp_path / "a.npz")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert time.perf_counter() - began < 1
    assert peak < 8 << 20
    assert "a.npz" in str(caught.value)
    assert "allow_pickle" not in str(caught.value)
    assert len(str(caught.value)) < 500 + len(str(tmp_path))


def test_negative_control_the_same_builder_makes_a_file_that_is_read(tmp_path):
    (tmp_path / "a.npz").write_bytes(archive([("a.npy", ONE)]))
    arrays, meta = checkpoint.load(tmp_path / "a.npz", {"a": ((1,), np.float32)})
    assert arrays["a"] == 0
    assert meta == {}


def test_the_same_name_twice_is_refused(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate"):
        content = archive([("a.npy", ONE), ("a.npy", ONE)])
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(CheckpointError, match="twice"):
        checkpoint.load(tmp_path / "a.npz")


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in ("missing", "pipe", ""):
        with pytest.raises(CheckpointError, match="no such file"):
            checkpoint.load(tmp_path / name)


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_truncated_files_are_refused(tmp_path, valid, part):
    (tmp_path / "a.npz").write_bytes(valid[: int(part * len(valid))])
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoint.load(tmp_path / "a.npz")


def only_ours(path, content):
    """Load `content`; CheckpointError or the very arrays, nothing else."""
    path.write_bytes(content)
    try:
        arrays, _ = checkpoint.load(path)
    except CheckpointError:
        return False
    return arrays


quick = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150
)


@quick
@given(st.binary(max_size=400))
def test_random_bytes(tmp_path, content):
    assert only_ours(tmp_path / "a.npz", content) is False


@quick
@given(st.data())
def test_flipped_bits(tmp_path, valid, data):
    content = bytearray(valid)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(valid) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    arrays = only_ours(tmp_path / "a.npz", bytes(content))
    assert arrays is False or same(arrays)


def test_every_single_flipped_byte(tmp_path):
    expected, refused = {"a": np.ones(1), "b": np.zeros(0)}, 0
    checkpoint.save(tmp_path / "b.npz", expected, {})
    valid = (tmp_path / "b.npz").read_bytes()
    for at in range(len(valid)):
        content = valid[:at] + bytes([valid[at] ^ 0xFF]) + valid[at + 1 :]
        arrays = only_ours(tmp_path / "a.npz", content)
        refused += arrays is False
        assert arrays is False or same(arrays, expected)
    assert refused > len(valid) // 2


@quick
@given(
    st.one_of(
        st.binary(max_size=200),
        st.builds(
            header,
            shape=st.one_of(st.text(max_size=20), st.lists(st.integers(-5, 1 << 70)).map(tuple)),
            descr=st.one_of(st.text(max_size=8), st.sampled_from(["<f4", "|O", "|V0", ">i8"])),
            order=st.sampled_from([True, False, "maybe"]),
        ).map(lambda text: text.encode(errors="replace")),
    ),
    st.binary(max_size=32),
)
def test_random_headers(tmp_path, text, content):
    only_ours(tmp_path / "a.npz", archive([("a.npy", npy(text, content))]))
