"""The benchmark's side for a GPU, as far as it shows without one: on the stand-in for CuPy.

What is not shown: PyTorch on CUDA, torch.compile there, and every time.
"""

import json
import runpy
import subprocess
import sys
import types
from pathlib import Path

import pytest
import strict_cupy
from strict_cupy import watched

from tinya2i import backend
from tinya2i.benchmark import compare, cuda, report
from tinya2i.errors import RunError
from tinya2i.kernels import cublas

ROOT = Path(__file__).parents[1]
KEYS = {"rounds": 1, "calls": 2, "rate": 1e9}


@pytest.fixture
def xp(monkeypatch):
    strict_cupy.install(monkeypatch)
    monkeypatch.setattr(cuda, "BURST", 2)
    monkeypatch.setattr(cublas, "allow_tf32", False)  # put back after the test
    return backend.get("cupy")


@pytest.fixture
def pytorch(monkeypatch):
    """PyTorch on the CPU, where its waiting for CUDA is only counted."""
    torch = pytest.importorskip("torch")
    module = compare.pytorch_side()
    waited = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: waited.append(tf32s(torch)))
    on_cpu = {
        "eager": module.Configuration(torch.contiguous_format, True),
        "channels_last": module.Configuration(torch.channels_last, False),
    }
    monkeypatch.setattr(cuda, "configurations", lambda pytorch: dict(on_cpu))
    before = tf32s(torch)[1:]
    yield types.SimpleNamespace(module=module, waited=waited, on_cpu=on_cpu)
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before
    torch.backends.cudnn.benchmark = False


def tf32s(torch):
    """Whether our products, PyTorch's and its convolutions are in TF32."""
    backends = torch.backends
    return cublas.allow_tf32, backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32


def table(step, **settings):
    versions = {
        "tinya2i": "0",
        "pytorch": "2",
        "cupy": "14",
        "numpy": "2",
        "blas": "",
        "python": "",
    }
    machine = {"device": "", "cores": 1, "threads": 1, "system": "", "sgemm_flops_per_second": 1e9}
    return report.table(
        {
            "date": "",
            "machine": machine,
            "versions": versions,
            "settings": {"batch_size": 2, "rounds": 1, **settings},
            "steps": {"lenet5": step},
        }
    )


def test_a_burst_waits_once_at_its_end(xp):
    steps = []
    with watched() as events:
        cuda.burst(lambda: steps.append(len(events)), xp.cuda.Device().synchronize)()
    assert steps == [0] * cuda.BURST
    assert events == ["waits: synchronize()"]


def test_ours_alone(xp, monkeypatch):
    monkeypatch.setattr(cuda, "pytorch_side", lambda: None)
    step = cuda.compare("lenet5", 2, **KEYS, xp=xp, tf32=True)
    assert step["ours"] > 0
    assert step["calls"] == {"ours": 2}
    assert step["pytorch"] == step["left_out"] == {}
    assert step["ratio"] is step["loss_difference"] is None
    text = table(step, tf32=True)
    assert "batch 2, TF32, 1 rounds" in text
    assert "GFLOP/s with cuBLAS" in text


def test_both_sides_are_compared_in_float32_and_timed_as_asked(xp, pytorch):
    """Seconds are those of a step, not of a burst of them."""
    step = cuda.compare("lenet5", 2, **KEYS, xp=xp, tf32=True)
    assert step["pytorch"].keys() == pytorch.on_cpu.keys()
    assert 0 <= step["loss_difference"] <= compare.LOSS_TOLERANCE
    assert step["ratio"] == step["ours"] / min(step["pytorch"].values())
    assert pytorch.waited == [(True,) * 3] * 2 * 3  # two configurations, a warm-up and two calls
    assert "ours / best PyTorch" in table(step)
    cuda.compare("lenet5", 2, **KEYS, xp=xp)
    assert pytorch.waited[6:] == [(False,) * 3] * 2 * 3


def test_losses_are_compared_before_tf32_is_on(xp, pytorch, monkeypatch):
    seen, true = [], cuda.loss_difference

    def noted(*given):
        seen.append(tf32s(pytorch.module.torch))
        return true(*given)

    monkeypatch.setattr(cuda, "loss_difference", noted)
    cublas.set_tf32(True, xp)
    cuda.compare("lenet5", 2, **KEYS, xp=xp, tf32=True)
    assert seen == [(False,) * 3] * 2  # for each configuration


def test_seconds_are_those_of_one_step(xp, monkeypatch):
    monkeypatch.setattr(cuda, "pytorch_side", lambda: None)
    monkeypatch.setattr(cuda, "interleaved", lambda *given: {"ours": [8.0, 4.0, 2.0]})
    step = cuda.compare("lenet5", 2, **KEYS, xp=xp)
    assert (step["ours"], step["minimum"]["ours"]) == (2.0, 1.0)


def test_what_pytorch_cannot_compile_is_left_out_and_named(xp, pytorch, monkeypatch):
    def broken(*given, **named):
        raise RuntimeError("no Triton\nmore of it")

    monkeypatch.setattr(pytorch.module.torch, "compile", broken)
    torch = pytorch.module.torch
    pytorch.on_cpu["compile"] = pytorch.module.Configuration(
        torch.contiguous_format, True, mode="default"
    )
    step = cuda.compare("lenet5", 2, **KEYS, xp=xp)
    assert step["left_out"] == {"compile": "RuntimeError: no Triton"}
    assert "PyTorch compile: RuntimeError: no Triton" in table(step)


def test_what_is_compiled_wrongly_is_left_out_but_our_own_mistake_ends_it(xp, pytorch, monkeypatch):
    torch = pytorch.module.torch
    monkeypatch.setattr(torch, "compile", lambda loss, mode: lambda: 2 * loss())
    pytorch.on_cpu["compile"] = pytorch.module.Configuration(
        torch.contiguous_format, True, mode="default"
    )
    step = cuda.compare("lenet5", 2, **KEYS, xp=xp)
    assert step["pytorch"].keys() == {"eager", "channels_last"}
    assert "the two do not compute the same" in step["left_out"]["compile"]
    monkeypatch.setattr(pytorch.module, "copy_weights", lambda passes, theirs: None)
    with pytest.raises(RunError, match="do not compute the same"):
        cuda.compare("lenet5", 2, **KEYS, xp=xp)


def test_pytorch_is_offered_its_default_and_what_is_faster():
    pytest.importorskip("torch")
    found = cuda.configurations(compare.pytorch_side())
    assert {how.device for how in found.values()} == {"cuda"}
    assert {how.mode for how in found.values()} == {None, "default", "reduce-overhead"}
    assert {how.fused for how in found.values()} == {False, True}


def test_the_rate_is_that_of_the_fastest_square(xp, monkeypatch):
    clock = iter([0, 4, 10, 12])
    monkeypatch.setattr(cuda.time, "perf_counter", lambda: next(clock))
    assert cuda.sgemm_rate(xp, (10, 20)) == 2 * 2 * 20**3 / 2


# The program


def test_the_program_on_the_stand_in(xp, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(cuda, "pytorch_side", lambda: None)
    path = tmp_path / "gpu.json"
    small = ["--batch-size", "2", "--rounds", "1", "--calls", "1", "--squares", "8", "--quiet"]
    flags = ["--backend", "cupy", "--tf32", "--steps", "lenet5", "--json", str(path)]
    monkeypatch.setattr(sys, "argv", ["benchmark.py", *small, *flags])
    runpy.run_path(str(ROOT / "examples" / "benchmark.py"))["main"]()
    assert "strict stand-in for a GPU" in capsys.readouterr().out
    results = json.loads(path.read_text())
    assert (results["settings"]["backend"], results["settings"]["tf32"]) == ("cupy", True)
    assert results["versions"]["cupy"] == xp.__version__
    assert results["steps"]["lenet5"]["ours"] > 0


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--backend", "cupy"), "pip install"),
        (("--backend", "cupy", "--tf32"), "pip install"),
        (("--tf32",), "it needs --backend cupy"),
        (("--backend", "cupy", "--growth"), "leave out --growth"),
        (("--backend", "cupy", "--features"), "leave out --features"),
        (("--backend", "torch"), "invalid choice"),
    ],
)
def test_bad_flags_end_it_at_once(flags, words):
    program = ROOT / "examples" / "benchmark.py"
    code = (
        "import runpy, sys; sys.modules['cupy'] = None; "
        f"sys.path.insert(0, {str(ROOT)!r}); sys.argv = {['benchmark.py', *flags]}; "
        f"runpy.run_path({str(program)!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
