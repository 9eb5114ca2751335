"""Data from strangers: damaged files, archives that attack, servers that lie. Only DataError."""

import contextlib
import gzip
import hashlib
import http.server
import io
import os
import stat
import struct
import tarfile
import tempfile
import threading
import time
import tracemalloc
import urllib.error
import urllib.request
import urllib.response
import zipfile
from email.message import Message
from itertools import chain, repeat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinya2i import data
from tinya2i.data import archive, fetch, fsdd, mnist
from tinya2i.errors import DataError

soundfile = pytest.importorskip("soundfile")

LABELS = struct.pack(">2I", 2049, 10) + bytes(range(10))
PIN = mnist.Idx("t10k-labels-idx1-ubyte", (10,), hashlib.sha256(LABELS).hexdigest(), 99, "0" * 64)


def wav_bytes(wave=None, **options):
    file = io.BytesIO()
    wave = 0.5 * np.sin(np.arange(800) / 3) if wave is None else wave
    soundfile.write(file, wave, 8000, **{"format": "WAV", **options})
    return file.getvalue()


WAV = wav_bytes()


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """No data but what a test makes, no network, no proxy."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("TINYA2I_DATA", "TINYA2I_OFFLINE", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)


class Frugal:
    """with Frugal(): quick, and without much memory, whatever the content claims to be."""

    def __init__(self, megabytes=150, seconds=5.0):
        self.megabytes, self.seconds = megabytes, seconds

    def __enter__(self):
        tracemalloc.start()
        self.start = time.perf_counter()

    def __exit__(self, *_):
        seconds = time.perf_counter() - self.start
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert seconds < self.seconds
        assert peak < self.megabytes * 2**20


# --- idx -----------------------------------------------------------------------------------------


def test_parse_reads_what_is_right():
    np.testing.assert_array_equal(mnist.parse(LABELS), np.arange(10))
    cube = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    X = mnist.parse(struct.pack(">4I", 2051, 2, 3, 4) + cube.tobytes())
    np.testing.assert_array_equal(X, cube)
    assert X.flags.writeable


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no idx file"),
        (b"\0\0\x08", "no idx file"),
        (b"\0\0\x0d\x01" + LABELS[4:], "no idx file of bytes: it begins with 00000d01"),
        (b"\0\0\x08\x00", "no idx file"),
        (b"\0\0\x08\xff", "no idx file"),
        (b"<html>403", "no idx file"),
        (LABELS[:6], "cut off"),
        (LABELS[:-1], "cut off"),
        (LABELS + b"\0", "does not fit"),
        (struct.pack(">4I", 2051, 2**32 - 1, 2**32 - 1, 2**32 - 1), "does not fit"),
    ],
)
def test_parse_refuses_what_is_not(content, message):
    with pytest.raises(DataError, match=message):
        mnist.parse(content)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (LABELS[:-1] + b"\7", "content is not that of t10k-labels-idx1-ubyte"),
        (struct.pack(">2I", 2049, 9) + bytes(9), r"holds \(9,\), not \(10,\)"),
        (LABELS + bytes(50), "does not fit"),
    ],
)
def test_a_wrong_file_is_named_with_its_fault(tmp_path, pack, content, message):
    path = tmp_path / "file"
    path.write_bytes(pack(LABELS))
    assert mnist.read(path, PIN).shape == (10,)
    path.write_bytes(pack(content))
    with pytest.raises(DataError, match=message) as caught:
        mnist.read(path, PIN)
    assert str(path) in str(caught.value)


def test_damaged_gzip(tmp_path):
    path = tmp_path / "file.gz"
    good = gzip.compress(LABELS)
    for bad in (good[:-3], good[:9], good[:-8] + bytes(8), b"\x1f\x8b" + bytes(30)):
        path.write_bytes(bad)
        with pytest.raises(DataError):
            mnist.read(path, PIN)


def swelling(size):
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as file:
        for _ in range(size >> 20):
            file.write(bytes(2**20))
    return packed.getvalue()


def test_gzip_bomb_is_not_unpacked(tmp_path):
    path = tmp_path / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(swelling(300 * 2**20))
    assert path.stat().st_size < 2 * 2**20
    with Frugal(megabytes=8, seconds=1), pytest.raises(DataError):
        mnist.read(path, PIN)


def test_a_damaged_file_in_the_folder_says_what_to_do(tmp_path):
    path = tmp_path / "mnist" / "train-images-idx3-ubyte.gz"
    path.parent.mkdir()
    path.write_bytes(b"<html>Forbidden</html>")
    with pytest.raises(DataError) as caught:
        data.load_images("mix", data_dir=tmp_path)
    for word in (str(path), "no idx file", "Delete it", "https://ossci-datasets"):
        assert word in str(caught.value)


# --- archives ------------------------------------------------------------------------------------


def tar_of(*members, mode="w:gz", **options):
    """Members are (name, content) or TarInfo."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode, **options) as file:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                file.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                file.addfile(info, io.BytesIO(member[1]))
    return packed.getvalue()


def zip_of(*members, method=zipfile.ZIP_DEFLATED):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as file:
        for name, content in members:
            file.writestr(name, content)
    return packed.getvalue()


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zip_link():
    info = zipfile.ZipInfo("0_ann_0.wav")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


GOOD = ("r/0_ann_0.wav", WAV)
BIG = bytes(archive.MAX_MEMBER + 1)
NOISE = np.random.default_rng(0).bytes(archive.MAX_MEMBER + 1)
ATTACKS = {
    "up": (tar_of(GOOD, ("../0_ann_1.wav", WAV)), "../0_ann_1.wav"),
    "up, other file": (tar_of(GOOD, ("a/../../passwd", WAV)), "a/../../passwd"),
    "absolute": (tar_of(GOOD, ("/tmp/0_ann_1.wav", WAV)), "/tmp/0_ann_1.wav"),
    "drive": (tar_of(GOOD, ("C:\\0_ann_1.wav", WAV)), "0_ann_1.wav"),
    "symlink": (tar_of(special("0_ann_0.wav", tarfile.SYMTYPE, "/etc/passwd")), "0_ann_0.wav"),
    "hard link": (tar_of(GOOD, special("0_ann_1.wav", tarfile.LNKTYPE, "r/0_ann_0.wav")), "_1"),
    "device": (tar_of(special("0_ann_0.wav", tarfile.CHRTYPE)), "0_ann_0.wav"),
    "fifo": (tar_of(special("pipe", tarfile.FIFOTYPE)), "pipe"),
    "twice": (tar_of(GOOD, ("other/0_ann_0.wav", WAV)), "0_ann_0.wav"),
    "too big": (tar_of(("0_ann_0.wav", BIG)), "0_ann_0.wav"),
    "zip up": (zip_of(GOOD, ("../0_ann_1.wav", WAV)), "../0_ann_1.wav"),
    "zip up, backslash": (zip_of(GOOD, ("..\\0_ann_1.wav", WAV)), "0_ann_1.wav"),
    "zip absolute": (zip_of(GOOD, ("/0_ann_1.wav", WAV)), "/0_ann_1.wav"),
    "zip symlink": (zip_of((zip_link(), b"/etc/passwd")), "0_ann_0.wav"),
    "zip twice": (zip_of(GOOD, ("other/0_ann_0.wav", WAV)), "0_ann_0.wav"),
    "zip too big": (zip_of(("0_ann_0.wav", NOISE)), "0_ann_0.wav"),
    "zip packed too well": (zip_of(("0_ann_0.wav", BIG)), "0_ann_0.wav"),
    "zip bzip2": (zip_of(GOOD, method=zipfile.ZIP_BZIP2), "r/0_ann_0.wav"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_archives_that_attack_are_refused_and_the_member_named(tmp_path, attack):
    content, member = ATTACKS[attack]
    path = tmp_path / "set"
    path.write_bytes(content)
    with Frugal(), pytest.raises(DataError, match="refused") as caught:
        archive.members(path, fsdd.NAME)
    assert member in str(caught.value).replace("\\\\", "\\")
    assert list(tmp_path.iterdir()) == [path]


def test_a_good_archive_passes_the_same_checks(tmp_path):
    path = tmp_path / "set"
    for pack in (tar_of, zip_of):
        path.write_bytes(pack(GOOD, ("r/README", BIG), ("x/1_bob_1.wav.txt", b"")))
        if pack is zip_of:
            path.write_bytes(pack(GOOD, ("r/README", NOISE), ("x/1_bob_1.wav.txt", b"")))
        assert archive.members(path, fsdd.NAME) == {"0_ann_0.wav": WAV}


@pytest.mark.parametrize("pack", [tar_of, zip_of])
def test_too_many_members(tmp_path, monkeypatch, pack):
    monkeypatch.setattr(archive, "MAX_ACCEPTED", 5)
    monkeypatch.setattr(archive, "MAX_LISTED", 9)
    path = tmp_path / "set"
    for name, n, limit in (("0_ann_{}.wav", 5, None), ("0_ann_{}.wav", 6, "more than 5")):
        path.write_bytes(pack(*((name.format(i), WAV) for i in range(n))))
        if limit is None:
            assert len(archive.members(path, fsdd.NAME)) == n
        else:
            with pytest.raises(DataError, match=limit):
                archive.members(path, fsdd.NAME)
    path.write_bytes(pack(*((f"note{i}", b"") for i in range(10))))
    with pytest.raises(DataError, match="more than 9 members"):
        archive.members(path, fsdd.NAME)


@pytest.mark.parametrize("pack", [tar_of, zip_of])
def test_too_much_in_all(tmp_path, monkeypatch, pack):
    monkeypatch.setattr(archive, "MAX_ARCHIVE", 3 * len(NOISE))
    path = tmp_path / "set"
    path.write_bytes(pack(*((f"0_ann_{i}.wav", NOISE[:-1]) for i in range(4))))
    with pytest.raises(DataError, match="bytes"):
        archive.members(path, fsdd.NAME)


def pax_bomb():
    """A tar whose header of headers claims, and has, 300 MiB."""
    info = special("PaxHeaders/0_ann_0.wav", tarfile.XHDTYPE)
    info.size = 300 * 2**20
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as file:
        file.write(info.tobuf(tarfile.USTAR_FORMAT))
        for _ in range(300):
            file.write(bytes(2**20))
    return packed.getvalue()


@pytest.mark.parametrize("bomb", [pax_bomb, lambda: swelling(300 * 2**20)])
def test_tar_bombs_stop_at_the_limit(tmp_path, bomb):
    path = tmp_path / "bomb.tar.gz"
    path.write_bytes(bomb())
    assert path.stat().st_size < 2 * 2**20
    with Frugal(), pytest.raises(DataError, match=r"swells|damaged"):
        archive.members(path, fsdd.NAME)


def test_a_bomb_in_a_file_that_nobody_wants(tmp_path):
    info = tarfile.TarInfo("README")
    info.size = 300 * 2**20
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as file:
        for block in chain([info.tobuf()], repeat(bytes(2**20), 300)):
            file.write(block)
    (tmp_path / "bomb.tgz").write_bytes(packed.getvalue())
    with Frugal(), pytest.raises(DataError, match="swells"):
        archive.members(tmp_path / "bomb.tgz", fsdd.NAME)


@pytest.mark.parametrize("claimed", [10, len(WAV) - 1, len(WAV) + 1, 10**6])
def test_zip_with_lying_sizes(tmp_path, claimed):
    content = zip_of(GOOD, method=zipfile.ZIP_STORED)
    size = struct.pack("<I", len(WAV))
    assert content.count(size + size) == 2  # packed and plain, in both headers
    path = tmp_path / "set.zip"
    path.write_bytes(content.replace(size + size, size + struct.pack("<I", claimed)))
    with Frugal(), pytest.raises(DataError):
        archive.members(path, fsdd.NAME)


def test_damaged_archives(tmp_path):
    path = tmp_path / "set"
    tar, packed = tar_of(GOOD), zip_of(GOOD)
    flipped = bytearray(tar)
    flipped[-6] ^= 1  # the check sum at the end of the .gz
    for bad in (b"", tar[:-20], bytes(flipped), packed[:-30], packed[60:], b"text", b"PK\3\4"):
        path.write_bytes(bad)
        with pytest.raises(DataError, match="damaged"):
            archive.members(path, fsdd.NAME)


def test_archive_of_another_order_of_size_is_not_opened(tmp_path):
    path = tmp_path / "holiday.zip"
    with open(path, "wb") as file:
        file.truncate(archive.MAX_ARCHIVE + 1)
    with Frugal(megabytes=1, seconds=0.5), pytest.raises(DataError, match="larger than"):
        archive.members(path, fsdd.NAME)


def test_folder_with_traps(tmp_path):
    (tmp_path / "0_ann_0.wav").write_bytes(WAV)
    os.mkfifo(tmp_path / "0_ann_1.wav")  # opening it would wait for ever
    (tmp_path / "0_ann_2.wav").mkdir()
    assert archive.members(tmp_path, fsdd.NAME) == {"0_ann_0.wav": WAV}
    (tmp_path / "0_ann_3.wav").write_bytes(BIG)
    with pytest.raises(DataError, match=r"0_ann_3\.wav"):
        archive.members(tmp_path, fsdd.NAME)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text, not sound",
        WAV[:44],
        wav_bytes(np.zeros(800)),
        wav_bytes(np.full(800, np.nan), subtype="FLOAT"),
        wav_bytes(np.full(800, np.inf), subtype="FLOAT"),
        wav_bytes(format="FLAC"),
        wav_bytes(np.sin(np.arange(8000) / 3), subtype="GSM610"),  # five samples in a byte
        WAV[:24] + struct.pack("<I", 1) + WAV[28:],
        WAV[:22] + b"\0\0" + WAV[24:],
    ],
)
def test_clips_that_are_no_sound_are_named(content):
    with pytest.raises(DataError, match=r"3_ann_4\.wav"):
        fsdd.decode({"3_ann_4.wav": content})


def test_flac_that_swells_is_not_decoded():
    content = wav_bytes(np.zeros(4_000_000), format="FLAC")
    assert len(content) < 2**20
    with Frugal(megabytes=4, seconds=1), pytest.raises(DataError):
        fsdd.decode({"3_ann_4.wav": content})


# --- any bytes at all ----------------------------------------------------------------------------

ANY = settings(max_examples=150, deadline=None)


def only_data_error(function, *arguments):
    with contextlib.suppress(DataError):
        function(*arguments)


@st.composite
def mutations(draw, originals):
    content = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 6))):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(content[: draw(st.integers(0, len(content)))] if draw(st.booleans()) else content)


def in_a_file(content, function, *arguments):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        path.write_bytes(content)
        only_data_error(function, path, *arguments)


@ANY
@given(st.binary(max_size=64) | st.binary(max_size=64).map(lambda tail: b"\0\0\x08" + tail))
def test_any_bytes_as_idx(content):
    only_data_error(mnist.parse, content)


@ANY
@given(st.binary(max_size=200) | mutations([LABELS, gzip.compress(LABELS)]))
def test_any_bytes_as_mnist_file(content):
    in_a_file(content, mnist.read, PIN)


SMALL = [
    pack(("r/0_ann_0.wav", WAV[:200]), ("1_bob_2.wav", b"x"))
    for pack in (tar_of, zip_of, lambda *m: tar_of(*m, mode="w:"))
] + [tar_of(("x" * 150 + "/0_ann_0.wav", b"x"), mode="w:", format=tarfile.PAX_FORMAT)]


@ANY
@given(st.binary(max_size=2000) | mutations(SMALL))
def test_any_bytes_as_archive(content):
    in_a_file(content, archive.members, fsdd.NAME)


@ANY
@given(mutations([WAV[:120], wav_bytes(subtype="FLOAT")[:160], wav_bytes(subtype="ULAW")[:120]]))
def test_any_bytes_as_clip(content):
    only_data_error(fsdd.decode, {"0_ann_0.wav": content})


# --- downloads -----------------------------------------------------------------------------------

BODY = b"the right content" * 1000
ONE, TWO = "https://one.example/file", "https://two.example/file"
SOURCE = fetch.Source(
    "file", "mnist", "file (plain or .gz)", (ONE, TWO), len(BODY), hashlib.sha256(BODY).hexdigest()
)


class Servers(urllib.request.BaseHandler):
    """Every HTTPS server there is: {url: answers}, an answer (code, headers, body) or an error."""

    def __init__(self, answers):
        self.answers = {url: iter(these) for url, these in answers.items()}
        self.asked = []

    def https_open(self, request):
        self.asked.append(request.full_url)
        answer = next(self.answers[request.full_url])
        if isinstance(answer, BaseException):
            raise answer
        code, headers, body = answer
        message = Message()
        for name, value in headers.items():
            message[name] = value
        body = io.BytesIO(body) if isinstance(body, bytes) else body
        response = urllib.response.addinfourl(body, message, request.full_url, code)
        response.msg = "said so"
        return response


def ok(body=BODY, **headers):
    return 200, {"Content-Length": str(len(body)), **headers}, body


def to(url):
    return 302, {"Location": url}, b""


def refuse(path):
    raise DataError("other content")


def fetched(folder, answers, check=refuse):
    servers, waits = Servers(answers), []
    try:
        path = fetch.download(
            SOURCE, folder, check, opener=fetch.https_opener(servers), sleep=waits.append
        )
    finally:
        left = [file.name for file in folder.iterdir()]
        assert left in ([], ["file"])  # nothing half-done
    assert path.read_bytes() == BODY
    return servers.asked, waits


def test_download_puts_the_file_in_place(tmp_path):
    assert fetched(tmp_path / "new", {ONE: [ok()]}) == ([ONE], [])


@pytest.mark.parametrize(
    "trouble",
    [
        ConnectionResetError("reset"),
        TimeoutError("timed out"),
        urllib.error.URLError("no route"),
        (503, {}, b""),
        (200, {"Content-Length": str(len(BODY))}, BODY[:100]),
        http.client.IncompleteRead(b""),
    ],
    ids=repr,
)
def test_passing_trouble_is_tried_again_with_patience(tmp_path, trouble):
    asked, waits = fetched(tmp_path, {ONE: [trouble, trouble, ok()]})
    assert asked == [ONE] * 3
    assert waits == [1.0, 4.0]
    asked, waits = fetched(tmp_path, {ONE: [trouble] * 3, TWO: [ok()]})
    assert asked == [ONE] * 3 + [TWO]


class Endless:
    """A body without an end."""

    closed = False

    def __init__(self):
        self.given = 0

    def read(self, size):
        self.given += size
        return bytes(size)

    def close(self):
        pass


@pytest.mark.parametrize(
    "lasting",
    [
        (404, {}, b""),
        (403, {}, b""),
        ok(b"<html>a login page</html>"),
        to("http://two.example/file"),
        to("file:///etc/passwd"),
        to("ftp://two.example/file"),
    ],
    ids=lambda answer: f"{answer[0]} {answer[1].get('Location', '')}",
)
def test_lasting_trouble_leads_to_the_next_mirror(tmp_path, lasting):
    asked, _ = fetched(tmp_path, {ONE: repeat(lasting), TWO: [ok()]})
    assert set(asked) == {ONE, TWO}


def test_a_redirect_within_https_is_followed(tmp_path):
    moved = "https://three.example/there"
    assert fetched(tmp_path, {ONE: [to(moved)], moved: [ok()]})[0] == [ONE, moved]


def test_an_opener_that_leaves_https_is_caught(tmp_path):
    class Lax:
        def open(self, url, timeout):
            return urllib.response.addinfourl(io.BytesIO(BODY), Message(), "http://x.example")

    with pytest.raises(DataError, match="not HTTPS"):
        fetch.download(SOURCE, tmp_path, refuse, opener=Lax(), sleep=id)


def test_an_endless_body_is_cut(tmp_path):
    body = Endless()
    with Frugal(megabytes=4, seconds=2):
        fetched(tmp_path, {ONE: [(200, {}, body)], TWO: [ok()]})
    assert body.given < 3 * len(BODY) + 2**17


def test_the_same_content_packed_anew_is_accepted(tmp_path):
    seen = []
    servers = Servers({ONE: [ok(b"packed anew")]})
    path = fetch.download(
        SOURCE,
        tmp_path,
        lambda part: seen.append(part.read_bytes()),
        opener=fetch.https_opener(servers),
    )
    assert path.read_bytes() == b"packed anew"
    assert seen == [b"packed anew"]


def test_when_nothing_helps_the_message_does(tmp_path):
    with pytest.raises(DataError) as caught:
        fetched(tmp_path, {ONE: repeat((404, {}, b"")), TWO: repeat(OSError("no network"))})
    for word in (ONE, "404", TWO, "no network", str(tmp_path), "file", "--data toy"):
        assert word in str(caught.value)


def test_an_interrupt_leaves_nothing_behind(tmp_path):
    class Interrupted(Endless):
        def read(self, size):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetched(tmp_path, {ONE: [(200, {}, Interrupted())]})


def test_an_old_file_stays_until_the_new_one_is_right(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(DataError):
        fetched(tmp_path, {ONE: repeat(ok(b"bad")), TWO: repeat(ok(b"bad"))})
    assert (tmp_path / "file").read_bytes() == b"old"


def test_a_folder_in_the_place_of_the_file_is_named(tmp_path):
    (tmp_path / "file").mkdir()
    with pytest.raises(DataError, match=r"directory.*put it in"):
        fetched(tmp_path, {ONE: [ok()]})


@pytest.fixture
def plain_server():
    """A real server on this machine that speaks HTTP without the S; and who asked it."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(BODY)

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"127.0.0.1:{server.server_port}/file", asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_real_server_without_tls_gets_nowhere(tmp_path, plain_server, scheme):
    place, asked = plain_server
    source = fetch.Source("file", "mnist", "file", (f"{scheme}://{place}",), 10**6, SOURCE.sha256)
    with pytest.raises(DataError, match="could not download"):
        fetch.download(source, tmp_path, refuse, sleep=id)
    assert asked == []
    with urllib.request.urlopen(f"http://{place}") as response:  # the server itself is fine
        assert response.read() == BODY


def test_a_cache_that_cannot_be_written_says_what_to_set(tmp_path, monkeypatch):
    (tmp_path / "taken").write_text("a file where the folder should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "taken"))
    with pytest.raises(DataError, match=r"cannot write to .*XDG_CACHE_HOME.*TINYA2I_DATA"):
        data.load_images("mix")


@pytest.mark.parametrize("by_variable", [False, True])
def test_offline_names_file_address_and_folder(tmp_path, monkeypatch, by_variable):
    if by_variable:
        monkeypatch.setenv("TINYA2I_OFFLINE", "1")
    with pytest.raises(DataError) as caught:
        data.load_images("mix", offline=not by_variable)
    folder = tmp_path / "cache" / "tinya2i" / "mnist"
    for word in ("train-images-idx3-ubyte.gz", mnist.MIRRORS[0], str(folder), "--data toy"):
        assert word in str(caught.value)
    with pytest.raises(DataError, match=r"free-spoken-digit-dataset-1\.0\.10\.tar\.gz"):
        data.load("mix", offline=not by_variable)
    assert not folder.exists()


def test_a_folder_without_the_set_says_what_was_looked_for(tmp_path):
    with pytest.raises(DataError) as caught:
        data.load("mix", data_dir=tmp_path / "nowhere")
    for word in ("{digit}_{speaker}_{index}.wav", ".zip", str(tmp_path / "nowhere" / "fsdd")):
        assert word in str(caught.value)


# --- the whole way, from an empty cache ----------------------------------------------------------


@pytest.fixture
def world(monkeypatch):
    """Servers that have a small MNIST and FSDD, pinned; returns who was asked."""
    rng = np.random.default_rng(0)
    names = [f"{digit}_{voice}_{i}.wav" for digit in range(10) for voice in "ab" for i in range(80)]
    clips = {name: wav_bytes(0.5 * rng.uniform(-1, 1, 300)) for name in names}
    packed = tar_of(*((f"fsdd-1.0.10/recordings/{name}", clips[name]) for name in names))
    monkeypatch.setattr(fsdd, "TALK", ("a",))
    known = {"talk": {name: clips[name] for name in names if "_a_" in name}, "all": clips}
    monkeypatch.setattr(fsdd, "KNOWN", {fsdd.digest(files): key for key, files in known.items()})
    answers, pins = {fsdd.SOURCE.urls[0]: repeat(ok(packed))}, []
    for old in mnist.FILES:
        shape = (20, *old.shape[1:])
        content = struct.pack(f">I{len(shape)}I", 0x800 + len(shape), *shape)
        content += bytes(i % 10 for i in range(int(np.prod(shape))))
        sha256 = hashlib.sha256(content).hexdigest()
        pins.append(mnist.Idx(old.name, shape, sha256, 10**5, "0" * 64))
        for url in old.source.urls[1:]:  # the first mirror is down
            answers[url] = repeat(ok(gzip.compress(content)))
        answers[old.source.urls[0]] = repeat((404, {}, b""))
    monkeypatch.setattr(mnist, "FILES", tuple(pins))
    servers = Servers(answers)
    opener = fetch.https_opener(servers)
    monkeypatch.setattr(fetch, "https_opener", lambda: opener)
    return servers.asked


def test_first_use_downloads_later_use_does_not(tmp_path, world):
    first = data.load("mix")
    assert len(world) == 1 + 2 * 4
    again = data.load("mix", offline=True)
    assert len(world) == 9
    np.testing.assert_array_equal(first.train.clip_of, again.train.clip_of)
    cache = tmp_path / "cache" / "tinya2i"
    assert sorted(path.name for path in (cache / "mnist").iterdir()) == sorted(
        f"{idx.name}.gz" for idx in mnist.FILES
    )
    assert first.info["clips"]["source"] == str(cache / "fsdd" / fsdd.SOURCE.name)


def test_damage_in_the_cache_heals_online_and_is_named_offline(tmp_path, world):
    data.load("mix")
    cache = tmp_path / "cache" / "tinya2i"
    for path in (cache / "mnist" / "t10k-labels-idx1-ubyte.gz", cache / "fsdd" / fsdd.SOURCE.name):
        path.write_bytes(path.read_bytes()[:-9])
        with pytest.raises(DataError, match=path.name):
            data.load("mix", offline=True)
        data.load("mix")
        data.load("mix", offline=True)


def test_an_unknown_speaker_is_no_reason_to_download_again(world):
    data.load("mix")
    asked = len(world)
    with pytest.raises(DataError, match="no clip of zoe, only a, b"):
        data.load("mix", speakers="zoe")
    assert len(world) == asked
