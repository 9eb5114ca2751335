"""Products through cuBLAS's interface, on a stand-in written in C, and on a GPU where one is.

The stand-in checks arguments as the documentation says and multiplies on the CPU: it shows that
transposes, steps between rows and the order of arguments are right, not that cuBLAS is.
"""

import ctypes
import itertools
import sys
import types
from pathlib import Path

import child
import cublas_on_cpu
import numpy as np
import pytest
import strict_cupy
from cublas_on_cpu import forget

from tinya2i import backend
from tinya2i.backend import to_numpy
from tinya2i.errors import BackendError
from tinya2i.kernels import cublas, launch

DTYPES = [np.float32, np.float64]
SHAPES = [(1, 1, 1), (2, 3, 4), (5, 1, 3), (1, 7, 2), (6, 4, 1), (17, 9, 33)]  # m, k, n
ROUNDINGS = 1000  # on a GPU; relative to sums of k products of numbers near 1


@pytest.fixture
def xp(monkeypatch):
    """The stand-in for CuPy, with memory for a workspace, and cuBLAS's stand-in to be found."""
    strict_cupy.install(monkeypatch)
    cublas_on_cpu.install(monkeypatch)
    forget()
    yield backend.get("cupy")
    forget()


def normal(rng, shape, dtype):
    return rng.standard_normal(shape).astype(dtype)


def plain(xp, A):
    return xp.asarray(A)


def turned(xp, A):
    """The same numbers, columns one after another in memory."""
    return xp.asarray(np.ascontiguousarray(A.T)).T


def stepped(xp, A):
    """Rows of a wider matrix."""
    return xp.asarray(np.pad(A, ((0, 1), (2, 3))))[:-1, 2:-3]


def turned_and_stepped(xp, A):
    return stepped(xp, np.ascontiguousarray(A.T)).T


def scattered(xp, A):
    """Every other column: no layout that cuBLAS knows."""
    return xp.asarray(np.repeat(A, 2, axis=1))[:, ::2]


LAYOUTS = [plain, turned, stepped, turned_and_stepped, scattered]


def products(xp, dtype):
    """(given, expected) for every layout of both factors and of the output, with and without add"""
    rng = np.random.default_rng(0)
    for (m, k, n), a, b in itertools.product(SHAPES, LAYOUTS, LAYOUTS):
        A, B = normal(rng, (m, k), dtype), normal(rng, (k, n), dtype)
        for add, place in itertools.product((False, True), (plain, stepped)):
            C = normal(rng, (m, n), dtype) if add else np.full((m, n), np.nan, dtype)
            out = place(xp, C)
            given = cublas.matmul(a(xp, A), b(xp, B), out, add)
            assert given is out
            yield given, A @ B + C if add else A @ B
        yield cublas.matmul(a(xp, A), b(xp, B)), A @ B


def compare(xp, dtype, roundings):
    for given, expected in products(xp, dtype):
        atol = roundings * np.finfo(dtype).eps
        np.testing.assert_allclose(to_numpy(given), expected, rtol=0, atol=atol)


@pytest.mark.parametrize("dtype", DTYPES)
def test_products(xp, dtype):
    compare(xp, dtype, 50)


@pytest.mark.parametrize("dtype", DTYPES)
def test_nothing_beside_the_output_is_written(xp, dtype):
    rng = np.random.default_rng(0)
    whole = xp.asarray(np.full((6, 9), 7, dtype))
    cublas.matmul(
        plain(xp, normal(rng, (4, 3), dtype)),
        plain(xp, normal(rng, (3, 5), dtype)),
        whole[1:5, 2:7],
    )
    outside = np.ones((6, 9), bool)
    outside[1:5, 2:7] = False
    assert (strict_cupy.host(whole)[outside] == 7).all()
    assert not (strict_cupy.host(whole)[~outside] == 7).any()


def test_tf32_is_off_unless_asked_for(xp, monkeypatch):
    rng = np.random.default_rng(0)
    A, B = normal(rng, (20, 30), np.float32), normal(rng, (30, 10), np.float32)
    X, Y = xp.asarray(A), xp.asarray(B)
    exact = A.astype(np.float64) @ B

    def error(X, Y):
        return np.abs(to_numpy(cublas.matmul(X, Y)) - exact).max()

    assert error(X, Y) < 1e-5
    monkeypatch.setattr(cublas, "allow_tf32", False)  # put back after the test
    cublas.set_tf32(True, xp)
    assert 1e-4 < error(X, Y) < 1e-1
    assert error(X.astype(np.float64), Y.astype(np.float64)) < 1e-12


def test_tf32_without_a_gpu_is_an_error(monkeypatch):
    monkeypatch.setattr(cublas, "allow_tf32", True)
    with pytest.raises(BackendError, match=r"--tf32 .* --backend cupy"):
        cublas.set_tf32(True, np)
    cublas.set_tf32(False, np)
    assert cublas.allow_tf32 is False


def test_one_handle_for_each_stream(xp, monkeypatch):
    fake = ctypes.CDLL(str(cublas_on_cpu.library()))
    before = ctypes.c_int.in_dll(fake, "created").value
    X = xp.asarray(np.ones((2, 2), np.float32))
    for stream in (0, 0, 512, 512, 0):
        at = types.SimpleNamespace(ptr=stream)
        monkeypatch.setattr(xp.cuda, "get_current_stream", lambda at=at: at)
        cublas.matmul(X, X)
    assert ctypes.c_int.in_dll(fake, "created").value == before + 2
    assert ctypes.c_void_p.in_dll(fake, "last_stream").value == 512


@pytest.mark.parametrize(
    ("a", "b", "out"),
    [
        ((2, 3), (4, 5), (2, 5)),
        ((2, 3), (3, 5), (5, 2)),
        ((2, 3), (3, 5), (1, 5)),
    ],
)
def test_what_does_not_fit_is_refused(xp, a, b, out):
    arrays = [xp.asarray(np.ones(shape, np.float32)) for shape in (a, b, out)]
    with pytest.raises(ValueError, match="matmul"):
        cublas.matmul(*arrays)


def test_outputs_and_dtypes_that_cublas_cannot_take_are_refused(xp):
    X, Y = xp.asarray(np.ones((4, 4), np.float32)), xp.asarray(np.ones((4, 4)))
    for arrays in ((X, Y, X), (X, X, Y), (X, X, scattered(xp, np.ones((4, 4), np.float32)))):
        with pytest.raises(ValueError, match="matmul"):
            cublas.matmul(*arrays)
    with pytest.raises(ValueError, match="matmul"):
        cublas.matmul(X, X, turned(xp, np.ones((4, 4), np.float32)))


@pytest.mark.parametrize(("m", "k", "n"), [(0, 3, 2), (2, 3, 0), (2, 0, 3)])
def test_empty_matrices(xp, m, k, n):
    A, B = xp.asarray(np.ones((m, k), np.float32)), xp.asarray(np.ones((k, n), np.float32))
    assert np.array_equal(to_numpy(cublas.matmul(A, B)), np.zeros((m, n)))


def test_a_status_is_an_error(xp):
    with pytest.raises(RuntimeError, match="cublasSetWorkspace_v2 gives status 1"):
        cublas._call("cublasSetWorkspace_v2", None, 0, 0)


def test_without_cublas(xp, monkeypatch):
    X = xp.asarray(np.ones((2, 2), np.float32))
    monkeypatch.setitem(sys.modules, "cuda.pathfinder", None)
    with pytest.raises(BackendError, match="cuBLAS is not found"):
        cublas.matmul(X, X)


def test_it_is_offered_only_where_there_is_a_device(xp, monkeypatch):
    assert cublas.usable(xp.asarray(np.ones((2, 2), np.float32)))
    assert not cublas.usable(xp.arange(3))
    assert not cublas.usable(np.ones((2, 2), np.float32))
    with monkeypatch.context() as patch:
        patch.setattr(launch, "ON", False)  # TINYA2I_KERNELS=off
        assert not cublas.usable(xp.asarray(np.ones((2, 2), np.float32)))
    monkeypatch.delattr(xp.cuda, "alloc")
    assert not cublas.usable(xp.asarray(np.ones((2, 2), np.float32)))


# Mistakes that the comparison must notice.
MUTANTS = {
    "the factors change places": ("B.data.ptr, data, b_step,\n        A.data", "A.data"),
    "transposes change places": ("b_turned, a_turned", "a_turned, b_turned"),
    "m and n change places": ("n, m, k", "m, n, k"),
    "add is ignored": ("one if add else zero", "zero"),
    "always adds": ("one if add else zero", "one"),
    "the output's step is its width": ("layout[1], compute", "n, compute"),
    "a factor's step is its width": ("data, b_step", "data, n"),
    "copies are forgotten": ("if layout is None:\n        A =", "if layout is None:\n        _ ="),
    "the workspace before the stream": (
        '        _call("cublasSetStream_v2", self.pointer, stream)\n', "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS)
def test_negative_control_mutants_are_noticed(xp, monkeypatch, mutant):
    old, new = MUTANTS[mutant]
    source = Path(cublas.__file__).read_text("utf-8")
    assert source.count(old) == 1
    if mutant == "the factors change places":
        start = source.index(old)
        source = source[:start] + source[start:].replace("B.data.ptr", "?", 1)
        source = source.replace("A.data.ptr", "B.data.ptr").replace("?", "A.data.ptr")
    elif mutant == "the workspace before the stream":
        source = source.replace(old, "").replace(
            "self.workspace.ptr, WORKSPACE)\n", "self.workspace.ptr, WORKSPACE)\n" + old
        )
    else:
        source = source.replace(old, new)
    mutated = types.ModuleType("mutated")
    exec(compile(source, "mutated", "exec"), mutated.__dict__)
    for name in ("matmul", "_handle", "_library"):
        monkeypatch.setattr(cublas, name, getattr(mutated, name))
    # Some of them write beside the output, into whatever lies there.
    errors = AssertionError, RuntimeError, TypeError
    assert child.noticed(lambda: compare(xp, np.float32, 50), *errors)


def test_without_a_mutant_nothing_is_noticed_in_a_child(xp):
    assert not child.noticed(lambda: compare(xp, np.float32, 50), AssertionError)


@pytest.fixture(scope="module")
def gpu():
    try:
        return backend.get("cupy")
    except BackendError as error:
        pytest.skip(str(error))


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", DTYPES)
def test_products_on_a_gpu(gpu, dtype):
    forget()
    compare(gpu, dtype, ROUNDINGS)


@pytest.mark.gpu
def test_a_captured_product_gives_the_same_bits(gpu):
    """CuPy's own products refuse to be captured."""
    forget()
    rng = np.random.default_rng(0)
    A, B = (gpu.asarray(normal(rng, (64, 64), np.float32)) for _ in range(2))
    eager, captured = cublas.matmul(A, B), gpu.zeros((64, 64), np.float32)
    stream = gpu.cuda.Stream(non_blocking=True)
    with stream:
        cublas.matmul(A, B, captured)
        captured.fill(0)
        stream.synchronize()
        stream.begin_capture()
        cublas.matmul(A, B, captured)
        graph = stream.end_capture()
        assert not bool(captured.any())  # nothing has run yet
        graph.launch(stream)
    stream.synchronize()
    assert bool((eager == captured).all())
