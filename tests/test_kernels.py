"""The GPU's kernels: compiled for a card, their source run on the CPU, and on a GPU where one is.

Without a GPU this shows that kernels.cu compiles for sm_90 and computes the right numbers where one
block follows another (cuda_on_cpu.h says what that leaves out).
"""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import cublas_on_cpu
import cuda_on_cpu
import kernel_cases
import numpy as np
import pytest
import strict_cupy
from kernel_cases import CASES
from test_gpu import check
from test_strict_cupy import (
    LAYER_CASES,
    OPTIMISERS,
    layer_id,
    layer_pass,
    make_mix,
    run,
    steps,
    training_step,
)

from tinya2i import backend, kernels, optim
from tinya2i.backend import to_device
from tinya2i.errors import BackendError
from tinya2i.kernels import launch
from tinya2i.layer import Param
from tinya2i.tasks import JudgeTask, VAETask

DTYPES = [np.float32, np.float64]
ROOT = Path(__file__).resolve().parents[1]
NAMES = [name for name, _ in cuda_on_cpu.SIGNATURE.findall(launch.SOURCE.read_text("utf-8"))]


@pytest.fixture
def xp(monkeypatch):
    """The stand-in for CuPy, with kernels."""
    strict_cupy.install(monkeypatch, kernels=True)
    forget()
    yield backend.get("cupy")
    forget()


def forget():
    for cached in (launch._kernel, launch._module):
        cached.cache_clear()


@pytest.fixture
def ran(monkeypatch):
    """The names of the kernels that a test starts."""
    names = set()
    true_call = cuda_on_cpu.RawKernel.__call__

    def call(self, *given):
        names.add(self.name)
        true_call(self, *given)

    monkeypatch.setattr(cuda_on_cpu.RawKernel, "__call__", call)
    return names


# The source


@pytest.mark.parametrize("real", launch.REAL.values())
def test_the_source_compiles_for_a_card(real, tmp_path):
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        pytest.skip("no nvcc: the kernels are not compiled for a GPU")
    command = [nvcc, "-arch=sm_90", "-cubin", "--resource-usage", "-std=c++17", "-Werror"]
    command += ["all-warnings", f"-DREAL={real}", "-o", tmp_path / "kernels.cubin", launch.SOURCE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert set(re.findall(r"Compiling entry function '(\w+)' for 'sm_90'", done.stderr)) == {*NAMES}
    assert set(re.findall(r"(\d+) bytes spill stores", done.stderr)) == {"0"}
    assert max(int(n) for n in re.findall(r"Used (\d+) registers", done.stderr)) <= 64  # of 65536
    assert (tmp_path / "kernels.cubin").stat().st_size > 1000


def test_the_source_belongs_to_the_package():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert setup["options.package_data"]["tinya2i.kernels"] == launch.SOURCE.name
    assert launch.SOURCE.is_file()


# The source, run on the CPU


@pytest.mark.parametrize(
    ("dtype", "backwards"), [(np.float32, False), (np.float32, True), (np.float64, False)]
)
@pytest.mark.parametrize("name", CASES)
def test_kernels_run_on_the_cpu(xp, monkeypatch, name, dtype, backwards):
    monkeypatch.setitem(cuda_on_cpu.order, "backwards", backwards)
    kernel_cases.check(name, xp, dtype)


def test_every_kernel_is_run(xp, monkeypatch):
    ran = set()
    monkeypatch.setattr(cuda_on_cpu.RawKernel, "__call__", lambda self, *_: ran.add(self.name))
    for case in CASES.values():
        list(case(xp, np.random.default_rng(0), np.float32))
    assert ran == {*NAMES}


# The library with them, and with cuBLAS's stand-in: as on a card


@pytest.fixture
def card(xp, monkeypatch):
    """The stand-in for CuPy with kernels and cuBLAS; its own matrix products are refused."""

    def product(*given, **named):
        raise AssertionError("a product of CuPy's own, which no graph can capture")

    cublas_on_cpu.install(monkeypatch)
    cublas_on_cpu.forget()
    for module in (xp, strict_cupy):
        monkeypatch.setattr(module, "matmul", product)
    yield xp
    cublas_on_cpu.forget()


@pytest.mark.parametrize(("case", "train", "n"), LAYER_CASES, ids=layer_id)
def test_layers_on_kernels(card, case, train, n):
    compare_layer(card, case, train, n)


def compare_layer(card, *case):
    theirs, ours = (layer_pass(*case, np.float32, module) for module in (card, np))
    check(theirs, ours, np.float32)


def test_a_training_step_on_kernels(card, ran):
    """Losses and gradients (Adam's m is a tenth of them); nothing waits."""
    theirs, _, their_adam, events = training_step("LeNet5", card)
    ours, _, our_adam, _ = training_step("LeNet5", np)
    assert events == []
    check(theirs, ours, np.float32)
    check(backend.to_numpy(their_adam.m), our_adam.m, np.float32)
    assert {"im2col", "col2im", "column_sum", "adam", "adam_tick"} <= ran


@pytest.mark.parametrize("name", OPTIMISERS)
def test_optimisers_on_kernels(card, name):
    compare_optimiser(card, OPTIMISERS[name])


def compare_optimiser(card, make):
    (theirs, _), (ours, _) = (steps(make, np.float32, m, count=5) for m in (card, np))
    check(theirs.state(), ours.state(), np.float32)


@pytest.mark.parametrize("kind", [JudgeTask, VAETask], ids=lambda kind: kind.__name__)
def test_a_run_on_kernels_and_its_resumption_on_the_other_backend(card, tmp_path, kind):
    mix = make_mix()
    whole, _, events = run(kind, mix, card, tmp_path / "whole", epochs=2)
    assert events == [[]] * 4
    ours, _, _ = run(kind, mix, np, tmp_path / "again", epochs=1)
    assert whole[0]["loss"] == pytest.approx(ours[0]["loss"], rel=1e-4)
    again, _, _ = run(kind, mix, card, tmp_path / "again", epochs=2, resume=True)
    assert again[1]["loss"] == pytest.approx(whole[1]["loss"], rel=1e-3)


def resumed_adam(xp, count):
    """The weights after `count` steps at learning rates that fall, begun anew before the last."""
    rng, weights = np.random.default_rng(0), np.linspace(-1, 1, 50, dtype=np.float32)
    adam = optim.Adam([Param(to_device(weights, xp))], 0.1)
    for t in range(count):
        if t == count - 1:
            again = optim.Adam([Param(adam.params[0].data.copy())], 0.1)
            again.load_state(adam.state())
            adam = again
        adam.lr = 0.1 / (t + 1)
        adam.params[0].grad += to_device(rng.standard_normal(50, np.float32), xp)
        with strict_cupy.watched() as events:
            adam.step()
        assert events == []  # no new learning rate is waited for
    return backend.to_numpy(adam.params[0].data)


def test_adam_goes_on_from_a_checkpoint_and_with_another_learning_rate(card):
    check(resumed_adam(card, 4), resumed_adam(np, 4), np.float32)


@pytest.mark.parametrize("place", [kernels.LR, kernels.T])
def test_negative_control_a_clock_that_stands_is_noticed(card, monkeypatch, place):
    """The mistake of writing only one of the two numbers that the host knows."""
    other = {kernels.LR: "LR", kernels.T: "T"}[place]
    monkeypatch.setattr(kernels, other, 5)  # a place that each step overwrites
    with pytest.raises(AssertionError, match="Not equal"):
        check(resumed_adam(card, 4), resumed_adam(np, 4), np.float32)


def scaled(true):
    return lambda *given: true(*given) * 1.01


def without_bias(true):
    return lambda *given: true(*given[:5])


def nothing(true):
    return lambda *given: None


def apart(true):
    """Statistics that do not move the running ones."""
    return lambda M, mean, var, momentum: true(M, mean.copy(), var.copy(), momentum)


WIRED = {  # a kernel's function, what is wrong with it, and a case that must notice
    ("im2col", scaled): "Conv2d",
    ("col2im", scaled): "Conv2d",
    ("col2im", without_bias): "ConvTranspose2d",
    ("column_sum", scaled): "Linear",
    ("batchnorm", scaled): "BatchNorm2d",
    ("batch_statistics", apart): "BatchNorm2d",
    ("batchnorm_param_grads", scaled): "BatchNorm2d",
    ("batchnorm_input_grad", scaled): "BatchNorm2d",
    ("adam", nothing): "Adam",
}


@pytest.mark.parametrize(("name", "wrong"), WIRED)
def test_negative_control_the_library_depends_on_its_kernels(card, monkeypatch, name, wrong):
    monkeypatch.setattr(kernels, name, wrong(getattr(kernels, name)))
    with pytest.raises(AssertionError):
        compare_all(card, WIRED[name, wrong])


def compare_all(card, what):
    """An optimiser, or the layers whose names begin so."""
    if what in OPTIMISERS:
        compare_optimiser(card, OPTIMISERS[what])
    for case in LAYER_CASES:
        if case[0].name.startswith(what):
            compare_layer(card, *case)


def test_kernels_are_offered_only_where_they_can_run(xp, monkeypatch):
    assert kernels.usable(xp.ones(3, np.float32))
    assert kernels.usable(xp.ones(3, np.float64))
    assert not kernels.usable(xp.arange(3))
    assert not kernels.usable(np.ones(3, np.float32))
    with monkeypatch.context() as patch:
        patch.setattr(launch, "ON", False)  # TINYA2I_KERNELS=off
        assert not kernels.usable(xp.ones(3, np.float32))
    monkeypatch.delattr(xp, "RawModule")
    assert not kernels.usable(xp.ones(3, np.float32))


# What would go wrong silently on a card is refused


def test_wrong_arrays_are_refused(xp):
    M, c = xp.ones((4, 3), np.float32), [xp.ones(3, np.float32)] * 4
    with pytest.raises(TypeError, match="float64 where float32"):
        kernels.batchnorm(M, *c[:3], xp.ones(3), 0.1)
    with pytest.raises(ValueError, match="C order"):
        kernels.batchnorm(M, *c[:3], xp.ones(6, np.float32)[::2], 0.1)
    with pytest.raises(ValueError, match="does not fit"):
        kernels.im2col(xp.ones((1, 2, 2, 1)), (4, 4), (1, 1), (0, 0))


def test_arrays_beyond_32_bits_are_refused(xp, monkeypatch):
    monkeypatch.setattr(launch, "LARGEST", 12)
    c = [xp.ones(3, np.float32)] * 4
    kernels.batchnorm(xp.ones((3, 3), np.float32), *c, 0.1)
    with pytest.raises(ValueError, match="below 12"):
        kernels.batchnorm(xp.ones((4, 3), np.float32), *c, 0.1)


SMALL = """
extern "C" __global__ void fill(REAL* X, int size, REAL value)
{
    if (threadIdx.x < size) X[threadIdx.x] = value;
}
extern "C" __global__ void beyond(REAL* X, const REAL* Y, int at)
{
    X[at] = 1;
}
extern "C" __global__ void turn(REAL* X)
{
    __shared__ REAL scratch[64];
    scratch[threadIdx.x] = X[threadIdx.x];
    __syncthreads();
    X[threadIdx.x] = scratch[blockDim.x - 1 - threadIdx.x];
}
extern "C" __global__ void divided(REAL* X)
{
    if (threadIdx.x == 1) return;
    __syncthreads();
    X[threadIdx.x] = 1;
}
"""


def small(xp, name):
    return xp.RawModule(code=SMALL, options=("-DREAL=float",)).get_function(name)


def test_the_stand_in_of_a_card_runs_threads_and_barriers(xp):
    X = xp.asarray(np.arange(5, dtype=np.float32))
    small(xp, "turn")((1,), (5,), (X,))
    assert np.array_equal(strict_cupy.host(X), [4, 3, 2, 1, 0])
    small(xp, "fill")((1,), (4,), (X, np.int32(3), np.float32(7)))
    assert np.array_equal(strict_cupy.host(X), [7, 7, 7, 1, 0])


def test_the_stand_in_of_a_card_refuses_what_a_card_does_not(xp):
    X = xp.ones((4, 4), np.float32)
    fill, beyond = small(xp, "fill"), small(xp, "beyond")
    for arguments in (
        (X, 3, np.float32(1)),  # CuPy passes 64 bits
        (X, np.int32(3), 1.0),  # and a double
        (X.astype(np.float64), np.int32(3), np.float32(1)),
        (strict_cupy.host(X), np.int32(3), np.float32(1)),
        (X, np.int32(3)),
    ):
        with pytest.raises(TypeError):
            fill((1,), (4,), arguments)
    with pytest.raises(ValueError, match="strides"):
        fill((1,), (4,), (X[:, :2], np.int32(3), np.float32(1)))
    with pytest.raises(RuntimeError, match="INVALID_VALUE"):
        fill((1,), (1025,), (X, np.int32(3), np.float32(1)))
    for at in (-1, 16):
        with pytest.raises(RuntimeError, match="wrote beyond"):
            beyond((1,), (1,), (X, X.copy(), np.int32(at)))
    with pytest.raises(RuntimeError, match="__syncthreads"):
        small(xp, "divided")((1,), (4,), (X,))
    broken = xp.RawModule(code=SMALL + "error", options=("-DREAL=float",))
    with pytest.raises(RuntimeError, match="refuses the source"):
        broken.get_function("fill")


# In each kernel, mistakes that the cases must notice. One round of builds takes one of each.
MUTANTS = {
    "im2col": [
        ("if (stretch >= stretches) return;", ""),
        ("left + t >= 0", "true"),
        ("on_row && ", ""),
        ("oy * sh + i", "oy + i"),
        ("t += blockDim.x", "t += 4096"),
        ("left + t < w * c", "left + t < w * c - 1"),
        ("REAL(0)", "REAL(1)"),
    ],
    "col2im": [
        ("if (pixel >= pixels) return;", ""),
        ("b ? b[channel] : REAL(0)", "0"),
        ("oy < 0 || ", ""),
        ("|| ox >= ow", ""),
        ("j = x % sw", "j = x % sh"),
        ("% w + pw", "% w"),
        ("sum += cols", "sum = cols"),
    ],
    "column_sum": [
        ("double sum", "float sum"),
        ("row += NEXT_ROW", "row += gridDim.x"),
        ("row < rows", "row < rows - 1"),
        ("FIRST_ROW", "threadIdx.y"),
    ],
    "add_parts": [
        ("threadIdx.y == 0 && ", ""),
        ("&& COLUMN < c", ""),
        ("partial, blockIdx.x", "partial, 0"),
    ],
    "moments": [
        ("squares += x * x", "squares += x"),
        ("double x", "float x"),
        ("{sum_of_lanes(sum), sum_of_lanes(squares)}", "{sum, squares}"),
        ("COLUMN >= c", "COLUMN > c"),
    ],
    "batch_statistics": [
        ("spread * rows / (rows - 1)", "spread"),
        ("if (spread < 0) spread = 0;", "spread = 0;"),
        ("squares - average * average", "squares"),
        ("var[COLUMN] = REAL(spread)", "var[COLUMN] = REAL(squares)"),
        ("+= momentum *", "+="),
        ("parts, c) / rows;", "parts, c);"),
    ],
    "batchnorm": [
        ("+ eps", ""),
        (" + shift", ""),
        ("* factor", ""),
        ("if (COLUMN >= c) return;", ""),
    ],
    "batchnorm_param_grads": [
        ("(X[k] - center)", "X[k]"),
        ("(dgamma, 1,", "(dbeta, 1,"),
        ("+ eps", ""),
    ],
    "batchnorm_input_grad": [
        (" - dmean", ""),
        ("sums[c + COLUMN]", "sums[COLUMN]"),
        ("train ? sums[COLUMN] / rows : REAL(0)", "sums[COLUMN] / rows"),
        ("factor = gamma[COLUMN] * scale", "factor = gamma[COLUMN]"),
    ],
    "adam_tick": [
        (" / (1 - pow(clock[B1], t))", ""),
        ("clock[T] = t;", ""),
        ("clock[T] + 1", "clock[T]"),
        ("clock[EPS] * scale", "clock[EPS]"),
        ("* (1 - clock[B1])", ""),
    ],
    "adam": [
        ("k < size", "true && k < size + 1"),
        ("g * g", "g"),
        ("v[k] = second;", ""),
        (" + shift", ""),
        ("k += step", "k += size"),
    ],
    "sum_of_lanes": [
        ("        __syncthreads();\n        if", "        if"),
        ("blockDim.y / 2", "blockDim.y / 4"),
        ("half > 0", "half > 1"),
    ],
    "leave_sum": [("gridDim.x == 1", "gridDim.x == 2"), ("threadIdx.y > 0 || ", "")],
    "sum_of_parts": [("part += blockDim.y", "part += 64"), ("(which * parts + part)", "part")],
}
SUMS = ("batchnorm_param_grads", "column_sum")
SEEN_BY = {  # the case that must notice, and others that might; without an entry its namesake
    "add_parts": SUMS,
    "moments": ("batch_statistics",),
    "adam_tick": ("adam", "adam_by_its_definition"),
    "adam": ("adam", "adam_by_its_definition"),
    "sum_of_lanes": ("column_sum", *SUMS, "batch_statistics"),
    "leave_sum": SUMS,
    "sum_of_parts": ("batch_statistics", *SUMS),
}


def mutate(source, function, old, new):
    """The source with `old` replaced by `new` in one function."""
    start = re.search(rf"__(global|device)__ \w+ {function}\(", source).start()
    end = source.index("\n}\n", start)
    assert old in source[start:end], f"{function} no longer holds {old!r}"
    return source[:start] + source[start:end].replace(old, new, 1) + source[end:]


def builds():
    """[{case: mutant of it, ...}, ...]: each mutant in one, and no two that one case might see."""
    found = []
    for function, changes in MUTANTS.items():
        cases = SEEN_BY.get(function, (function,))
        for change in changes:
            build = next((b for b in found if not {*cases} & {*b}), None)
            if build is None:
                found.append(build := {})
            build.update(dict.fromkeys(cases, (function, *change)))
    return found


BUILDS = builds()
ALL_MUTANTS = [(f, i) for f, changes in MUTANTS.items() for i in range(len(changes))]


def test_every_kernel_has_mutants():
    assert {*NAMES} <= {*MUTANTS}


@pytest.mark.parametrize(("function", "i"), ALL_MUTANTS)
def test_negative_control_mutants_are_noticed(xp, monkeypatch, function, i):
    mutant = (function, *MUTANTS[function][i])
    source = launch._source()
    build = next(build for build in BUILDS if mutant in build.values())
    for change in dict.fromkeys(build.values()):
        source = mutate(source, *change)
    monkeypatch.setattr(launch, "_source", lambda: source)
    with pytest.raises((AssertionError, RuntimeError)) as error:
        kernel_cases.check(SEEN_BY.get(function, (function,))[0], xp, np.float32)
    assert "refuses the source" not in str(error.value)


# On a GPU


@pytest.fixture
def gpu(monkeypatch):
    """CuPy on a real device; what `empty` gives holds NaN."""
    try:
        module = backend.get("cupy")
    except BackendError as error:
        pytest.skip(str(error))
    forget()
    true_empty = module.empty

    def empty(*given, **named):
        array = true_empty(*given, **named)
        if array.dtype.kind == "f":
            array.fill(np.nan)
        return array

    monkeypatch.setattr(module, "empty", empty)
    return module


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CASES)
def test_kernels_on_a_gpu(gpu, name, dtype):
    kernel_cases.check(name, gpu, dtype, on_gpu=True)


@pytest.mark.gpu
@pytest.mark.parametrize("name", CASES)
def test_kernels_on_a_gpu_are_repeatable_in_every_bit(gpu, name):
    first, second = (
        [
            backend.to_numpy(given).tobytes()
            for given, *_ in CASES[name](gpu, np.random.default_rng(0), np.float32)
        ]
        for _ in range(2)
    )
    assert first == second


@pytest.mark.gpu
def test_kernels_can_be_captured_in_a_graph(gpu):
    """im2col and Adam as one graph, launched three times: the clock moves each time."""
    X = gpu.asarray(np.arange(32, dtype=np.float32).reshape(1, 4, 4, 2))
    geometry = ((2, 2), (1, 1), (0, 0))
    data, grad, m, v = (gpu.ones(100, np.float32) for _ in range(4))
    clock = kernels.adam_clock(gpu, 0.1, (0.9, 0.999), 1e-8)
    kernels.adam(data.copy(), grad, m.copy(), v.copy(), clock.copy())  # compiled and loaded before
    expected = kernels.im2col(X, *geometry)
    stream, pool = gpu.cuda.Stream(non_blocking=True), gpu.cuda.MemoryPool()
    gpu.cuda.Device().synchronize()
    with stream, gpu.cuda.using_allocator(pool.malloc):  # what a graph uses belongs to it alone
        stream.begin_capture()
        cols = kernels.im2col(X, *geometry)
        kernels.adam(data, grad, m, v, clock)
        graph = stream.end_capture()
        for _ in range(3):
            graph.launch(stream)
    stream.synchronize()
    assert float(clock[4]) == 3
    assert bool((cols == expected).all())
    assert bool((data < 1).all())
