"""The benchmark counts, clocks and compares what it says, with PyTorch and without."""

import gc
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tinya2i import layers
from tinya2i.benchmark import compare, flops, memory, timing
from tinya2i.benchmark.flops import Pass
from tinya2i.benchmark.steps import STEPS
from tinya2i.errors import RunError
from tinya2i.layer import Sequential

ROOT = Path(__file__).parents[1]
PROGRAM = ROOT / "examples" / "benchmark.py"
TINY = ("--batch-size", "4", "--rounds", "1", "--calls", "1", "--squares", "64", "--quiet")
CONFIGURATIONS = {
    "contiguous, plain Adam",
    "contiguous, fused Adam",
    "channels_last, plain Adam",
    "channels_last, fused Adam",
}


def run(*flags, blocked=()):
    """The program in a process of its own, in which some modules cannot be imported."""
    code = (
        f"import runpy, sys; sys.modules.update(dict.fromkeys({list(blocked)})); "
        f"sys.argv = {['benchmark.py', *map(str, flags)]}; "
        f"runpy.run_path({str(PROGRAM)!r}, run_name='__main__')"
    )
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )


# FLOPs


def test_the_vae_takes_31_gflop_a_step():
    passes = STEPS["vae"].ours(STEPS["vae"].draw(1)).passes
    assert flops.step_flops(passes, 128) == pytest.approx(31.3e9, rel=0.01)


def test_lenet5_takes_what_a_hand_counts():
    first = 28 * 28 * (5 * 5 * 1) * 6
    second = 10 * 10 * (5 * 5 * 6) * 16
    third = 1 * 1 * (5 * 5 * 16) * 120
    multiplications = first + second + third + 120 * 84 + 84 * 10
    passes = STEPS["lenet5"].ours(STEPS["lenet5"].draw(1)).passes
    expected = 128 * 2 * (3 * multiplications - first)  # nobody needs the pictures' gradient
    assert flops.step_flops(passes, 128) == expected


def test_the_vae_gan_takes_108_gflop_a_step():
    """Its discriminator goes forward twice, back twice for itself and once for the generator."""
    passes = STEPS["vaegan"].ours(STEPS["vaegan"].draw(1)).passes
    first, second, third, fourth = 13**2 * 16 * 128, 5**2 * 16 * 128 * 256, 16 * 256 * 512, 512
    forward = first + second + third + fourth
    judging = sum(flops.step_flops([way], 1) for way in passes[2:])
    assert judging == 2 * (2 * (3 * forward - first) + forward)
    assert flops.step_flops(passes, 128) == pytest.approx(108.5e9, rel=0.01)


def test_a_transposed_convolution_counts_its_input_pixels_and_only_gradients_that_are_taken():
    network = Sequential(layers.ConvTranspose2d(3, 5, 4, stride=2), layers.ReLU())
    forward = 2 * (6 * 7) * (4 * 4 * 3 * 5)

    def count(**gradients):
        return flops.step_flops([Pass(network, (6, 7, 3), **gradients)], 10) / 10

    assert count() == 3 * forward
    assert count(input_grad=False) == count(weight_grad=False) == 2 * forward
    assert count(weight_grad=False, input_grad=False) == forward
    assert count(forward=False, weight_grad=False) == forward


# Clocks


def test_contenders_take_turns_warm_up_and_run_in_their_context_without_garbage_collection():
    log = []

    @contextmanager
    def context():
        log.append("(")
        yield
        log.append(")")

    def call(name):
        assert not gc.isenabled()
        log.append(name)

    contenders = {
        "a": timing.Contender(lambda: call("a"), context),
        "b": timing.Contender(lambda: call("b")),
    }
    seconds = timing.interleaved(contenders, rounds=3, calls=2)
    assert "".join(log) == "(aaa)bbb" * 3  # the first of each three is not clocked
    assert {name: len(s) for name, s in seconds.items()} == {"a": 6, "b": 6}
    assert all(s >= 0 for each in seconds.values() for s in each)
    assert gc.isenabled()


def test_without_a_number_of_calls_a_turn_lasts_its_time(monkeypatch):
    clock = iter(np.arange(0, 100, 0.05))
    monkeypatch.setattr(timing.time, "perf_counter", lambda: float(next(clock)))
    monkeypatch.setattr(timing, "TURN_SECONDS", 0.48)
    assert len(timing._turn(lambda: None, None)) == 10
    monkeypatch.setattr(timing, "TURN_SECONDS", 0.01)
    assert len(timing._turn(lambda: None, None)) == timing.TURN_CALLS


def test_the_sgemm_rate_is_that_of_the_fastest_square(monkeypatch):
    clock = iter([0, 4, 5, 10, 12, 13])  # two products of each square: 4 s and 1 s, 2 s and 1 s
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))
    assert timing.sgemm_rate((10, 20), calls=2) == 2 * 20**3 / 1


def test_ratio_and_fractions_are_of_medians_and_minima():
    seconds = {"ours": [3.0, 1.0, 8.0], "x": [2.0, 2.0, 9.0], "y": [0.5, 4.0, 4.0]}
    result = compare.summary(seconds, flops=60, rate=100.0)
    assert (result["ours"], result["pytorch"]) == (3.0, {"x": 2.0, "y": 4.0})
    assert (result["best_pytorch"], result["ratio"]) == ("x", 1.5)
    assert result["sgemm_fraction"] == pytest.approx(0.2)
    assert result["pytorch_sgemm_fraction"] == pytest.approx(0.3)
    least = {"ours": 1.0, "pytorch": {"x": 2.0, "y": 0.5}, "best_pytorch": "y", "ratio": 2.0}
    assert result["minimum"] == least


# The same computation on both sides


@pytest.fixture
def pytorch():
    pytest.importorskip("torch")
    return compare.pytorch_side()


def build(pytorch, name, copy=True):
    """(ours, {configuration: PyTorch's}) on a batch of 4."""
    batch = STEPS[name].draw(4)
    ours = STEPS[name].ours(batch)
    how = next(iter(pytorch.CONFIGURATIONS.values()))
    theirs = pytorch.STEPS[name](batch, how)
    if copy:
        pytorch.copy_weights(ours.passes, theirs)
    return ours, {"contiguous": theirs}


def test_every_step_has_its_pytorch_side(pytorch):
    assert pytorch.STEPS.keys() == STEPS.keys()
    assert pytorch.CONFIGURATIONS.keys() == CONFIGURATIONS


@pytest.mark.parametrize("name", STEPS)
def test_losses_agree_from_equal_weights(pytorch, name):
    error = compare.loss_difference(name, *build(pytorch, name))
    assert 0 <= error <= compare.LOSS_TOLERANCE


def test_losses_do_not_agree_from_different_weights(pytorch):
    with pytest.raises(RunError, match="do not compute the same"):
        compare.loss_difference("lenet5", *build(pytorch, "lenet5", copy=False))


def test_a_gradient_that_is_missing_shows_in_the_second_loss(pytorch):
    ours, theirs = build(pytorch, "lenet5")
    theirs["contiguous"].networks[0][3].weight.requires_grad_(False)  # the first loss stays
    with pytest.raises(RunError, match="do not compute the same"):
        compare.loss_difference("lenet5", ours, theirs)


def test_a_loss_that_is_not_a_number_agrees_with_nothing(pytorch):
    ours, theirs = build(pytorch, "lenet5")
    next(ours.passes[0].network.params()).data[...] = np.nan
    with pytest.raises(RunError, match="nan"):
        compare.loss_difference("lenet5", ours, theirs)


def test_weights_of_every_kind_of_layer_are_copied(pytorch):
    nn, rng = pytorch.torch.nn, np.random.default_rng(0)
    ours = Sequential(
        layers.Conv2d(3, 4, (3, 2)), layers.BatchNorm2d(4), layers.Flatten(),
        layers.Linear(3 * 5 * 4, 7), layers.Linear(7, 2 * 3 * 5), layers.Reshape(2, 3, 5),
        layers.ConvTranspose2d(5, 2, (2, 3), stride=2),
    )  # fmt: skip
    module = nn.Sequential(
        nn.Conv2d(3, 4, (3, 2)), nn.BatchNorm2d(4), nn.Flatten(),
        nn.Linear(3 * 5 * 4, 7), nn.Linear(7, 2 * 3 * 5), nn.Unflatten(1, (5, 2, 3)),
        nn.ConvTranspose2d(5, 2, (2, 3), stride=2),
    )  # fmt: skip
    for param in ours.params():
        param.data[...] = rng.standard_normal(param.data.shape)
    X = rng.standard_normal((6, 5, 6, 3), np.float32)

    def difference():
        X_torch = pytorch.torch.tensor(X.transpose(0, 3, 1, 2))
        Y = module(X_torch).detach().numpy().transpose(0, 2, 3, 1)
        return np.abs(ours.forward(X)[0] - Y).max()

    assert difference() > 0.1
    theirs = pytorch.Theirs(lambda: None, nn.ModuleList([module]))
    pytorch.copy_weights([Pass(ours, (5, 6, 3))] * 2, theirs)  # twice through one network
    assert difference() < 1e-4


# The program


def test_its_json_says_all_of_both_sides(pytorch, tmp_path):
    path = tmp_path / "speed.json"
    done = run(*TINY, "--steps", "lenet5", "--json", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "ours / best PyTorch" in done.stdout
    results = json.loads(path.read_text())
    assert results["machine"]["sgemm_flops_per_second"] > 0
    assert results["versions"]["pytorch"] == pytorch.torch.__version__
    settings = {"batch_size": 4, "rounds": 1, "calls": 1, "backend": "numpy", "tf32": False}
    assert results["settings"] == settings
    assert results["steps"].keys() == {"lenet5"}
    step = results["steps"]["lenet5"]
    for times in (step, step["minimum"]):
        assert times["pytorch"].keys() == CONFIGURATIONS
        best = min(times["pytorch"].values())
        assert times["pytorch"][times["best_pytorch"]] == best
        assert times["ratio"] == pytest.approx(times["ours"] / best)
    assert step["peak_memory"].keys() == {"ours", "pytorch"}
    assert all(peak > 0 for peak in step["peak_memory"].values())
    assert step["loss_difference"] <= compare.LOSS_TOLERANCE
    rate = results["machine"]["sgemm_flops_per_second"]
    assert step["sgemm_fraction"] == pytest.approx(step["flops"] / step["ours"] / rate)


def test_without_pytorch_it_shows_our_times_and_says_how_to_compare(tmp_path):
    path = tmp_path / "speed.json"
    done = run(*TINY, "--steps", "lenet5", "--json", path, blocked=["torch"])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("pip install") == 1
    results = json.loads(path.read_text())
    step = results["steps"]["lenet5"]
    assert results["versions"]["pytorch"] is None
    assert step["ours"] > 0
    assert step["peak_memory"]["ours"] > 0
    for key in ("best_pytorch", "ratio", "pytorch_sgemm_fraction", "loss_difference"):
        assert step[key] is None
    assert step["pytorch"] == {}


@pytest.mark.parametrize(
    ("flags", "cure"),
    [
        (("--steps", "vae,vqvae"), "vqvae"),
        (("--batch-size", "0"), "whole number"),
        (("--squares", "many"), "whole number"),
        (("--json", "no/such/folder/speed.json"), "make the folder first"),
        (("--json", str(ROOT)), "is a folder"),
    ],
)
def test_bad_flags_end_it_at_once(flags, cure):
    done = run(*flags)
    assert done.returncode == 2
    assert cure in done.stderr
    assert "Traceback" not in done.stderr


def test_the_vae_holds_at_least_weights_gradients_and_two_averages():
    here = np.ones(1 << 28, np.uint8)  # not part of it: this process is another one
    peak = memory.peak_memory("vae", "ours", 1, 1)
    assert 4 * 4 * 20_950_529 <= peak < 4 * 4 * 20_950_529 + len(here) // 2


def test_a_failing_memory_process_is_an_error_of_ours():
    with pytest.raises(RunError, match="no such step"):
        memory.peak_memory("no such step", "ours", 1, 1)
