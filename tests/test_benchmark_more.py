"""Beside the steps: features, the data, one picture; growth; ways to convolve."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinya2i import audio
from tinya2i.benchmark import convolutions, features, growth, process
from tinya2i.errors import RunError
from tinya2i.ops import banded

ROOT = Path(__file__).parents[1]
# librosa's readers import what this Python is about to drop.
LIBROSA = pytest.mark.filterwarnings("ignore::DeprecationWarning")
PNG = b"\x89PNG\r\n\x1a\n"


def program(*flags, **environment):
    """examples/benchmark.py with small squares, in a process of its own."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, ROOT / "examples" / "benchmark.py", "--squares", "64", *map(str, flags)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path, **environment},
    )


@pytest.fixture
def no_data(tmp_path, monkeypatch):
    """Neither folder nor cache holds a data set."""
    places = {"TINYA2I_DATA": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    for name, value in places.items():
        monkeypatch.setenv(name, value)
    return places


@pytest.fixture
def paths(tmp_path):
    """Four clips of other lengths and gains."""
    rng, result = np.random.default_rng(0), []
    for i, length in enumerate((900, 3000, 4001, 9000)):
        path = tmp_path / f"{i}.wav"
        path.write_bytes(features.wav(0.2 * (i + 1) * rng.uniform(-1, 1, length)))
        result.append(path)
    return result


# Features


def test_features_reports_all_of_it(no_data, tmp_path):
    path = tmp_path / "features.json"
    done = program("--features", "--clips", 6, "--rounds", 1, "--quiet", "--json", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "one clip to one picture" in done.stdout
    results = json.loads(path.read_text())
    assert results["settings"] == {"rounds": 1}
    measured = results["features"]
    assert (measured["source"], measured["clips"], measured["mix"]) == ("toy", 6, None)
    assert 0 < measured["picture"]["median"] <= measured["picture"]["maximum"]
    mel = measured["log_mel"]
    assert mel["ours"] > 0
    for name, seconds in mel["librosa"].items():
        assert mel["faster"][name] == pytest.approx(seconds / mel["ours"])


def test_without_librosa_it_shows_our_time_and_says_how_to_compare(no_data, paths, monkeypatch):
    monkeypatch.setitem(sys.modules, "librosa", None)
    mel = features.log_mel(paths, 1, lambda text: None)
    assert mel["ours"] > 0
    assert (mel["librosa"], mel["faster"], mel["difference"]) == ({}, {}, None)
    text = "\n".join(features.lines({
        "clips": 4, "source": "toy", "log_mel": mel, "mix": None,
        "picture": {"median": 1.0, "maximum": 1.0, "calls": 1},
    }))  # fmt: skip
    assert "pip install" in text


@LIBROSA
def test_both_loops_make_our_pictures(paths):
    pytest.importorskip("librosa")
    loops = features.librosa_side().LOOPS
    X = audio.log_mel([audio.load(path) for path in paths])
    for loop in loops.values():
        np.testing.assert_allclose([loop(path) for path in paths], X, rtol=0, atol=1e-4)
    assert len(loops) == 2


@LIBROSA
def test_other_pictures_are_not_timed(paths, monkeypatch):
    pytest.importorskip("librosa")
    loops = features.librosa_side().LOOPS
    loop = loops["melspectrogram"]
    monkeypatch.setitem(loops, "melspectrogram", lambda path: loop(path) + 0.002)
    with pytest.raises(RunError, match="differ"):
        features.log_mel(paths, 1, lambda text: None)


def test_the_mix_is_timed_in_fresh_processes_after_one_that_fills_the_cache(monkeypatch):
    clock, asked = iter([0, 90, 100, 101, 200, 203, 300, 302]), []
    monkeypatch.setattr(features.time, "perf_counter", lambda: float(next(clock)))
    monkeypatch.setattr(features.process, "answer", lambda module: asked.append(module) or 60_000)
    assert features.mix(lambda text: None) == {"pairs": 60_000, "median": 2.0, "maximum": 3.0}
    assert asked == ["tinya2i.benchmark.features"] * 4


def test_without_the_data_there_is_no_mix(no_data):
    assert features.mix(lambda text: None) is None


# Growth


def test_growth_reports_a_point_for_each_batch_and_thread_and_draws_it(tmp_path):
    table, plot = tmp_path / "growth.json", tmp_path / "growth.png"
    done = program(
        "--growth", "--steps", "lenet5", "--batch-sizes", "3", "--batch-size", "2", "--threads",
        "1", "--rounds", "1", "--calls", "1", "--quiet", "--json", table, "--plot", plot,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "lenet5, threads" in done.stdout
    assert plot.read_bytes().startswith(PNG)
    results = json.loads(table.read_text())
    assert results["settings"] == {"batch_size": 2, "rounds": 1, "calls": 1}
    measured = results["growth"]["lenet5"]
    sizes = {axis: [(p["batch_size"], p["threads"]) for p in measured[axis]] for axis in measured}
    assert sizes == {"batch": [(3, 1)], "threads": [(2, 1)]}
    for at in (*measured["batch"], *measured["threads"]):
        assert at["ours"] > 0
        if at["pytorch"]:
            best = min(at["pytorch"].values())
            assert at["pytorch"][at["best_pytorch"]] == best
            assert at["ratio"] == pytest.approx(at["ours"] / best)


def test_a_point_without_pytorch_is_ours_alone(monkeypatch, tmp_path):
    monkeypatch.setattr(growth, "pytorch_side", lambda: None)
    monkeypatch.setattr(growth, "set_threads", lambda count: None)
    at = growth.point("lenet5", 2, 1, 1, 1)
    assert at["ours"] > 0
    assert (at["pytorch"], at["best_pytorch"], at["ratio"]) == ({}, None, None)
    result = {"lenet5": {"batch": [at], "threads": [at]}}
    assert "ms" in growth.lines(result)[2]
    growth.plot(result, tmp_path / "alone.png")
    assert (tmp_path / "alone.png").read_bytes().startswith(PNG)


def test_threads_double_up_to_all_of_them():
    assert [growth.counts(most) for most in (1, 2, 6, 8)] == [
        [1],
        [1, 2],
        [1, 2, 4, 6],
        [1, 2, 4, 8],
    ]


# Ways to convolve


def test_each_convolution_is_timed_in_its_way_and_the_plain_one(tmp_path):
    table = tmp_path / "convolutions.json"
    done = program(
        "--convolutions", "--steps", "lenet5", "--batch-size", "9", "--rounds", "1", "--calls",
        "2", "--quiet", "--json", table,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    rows = json.loads(table.read_text())["convolutions"]
    assert [(row["x"], row["way"]) for row in rows] == [
        ([28, 28, 1], "banded"),
        ([14, 14, 6], "banded"),
        ([5, 5, 16], "single"),
    ]
    for row in rows:
        assert 0 <= row["difference"] < 1e-4
        for key in ("forward", "input_grad", "weight_grad"):
            assert min(row[key].values()) > 0
            plain_too = row["way"] == "single" and key == "forward"
            assert row[key].keys() == ({"plain"} if plain_too else {"plain", "way"})
    assert "14x14x6 -> 10x10x16" in done.stdout


def test_a_way_that_computes_something_else_is_not_timed(monkeypatch):
    monkeypatch.setattr(banded, "conv_weight_grad", lambda dW, *rest: dW.fill(1))
    with pytest.raises(RunError, match=r"weight_grad of .* differ"):
        convolutions.measure(["lenet5"], 4, 1, 1)


# Flags, processes


@pytest.mark.parametrize(
    ("flags", "cure"),
    [
        (("--features", "--growth"), "not allowed with"),
        (("--plot", "speed.png"), "--growth"),
        (("--growth", "--plot", "no/such/folder/speed.png"), "make the folder first"),
        (("--features", "--clips", "0"), "whole number"),
    ],
)
def test_bad_flags_end_it_at_once(flags, cure):
    done = program(*flags)
    assert done.returncode == 2
    assert cure in done.stderr
    assert "Traceback" not in done.stderr


def test_a_process_that_fails_is_an_error_of_ours():
    with pytest.raises(RunError, match="no_such_module"):
        process.answer("tinya2i.benchmark.no_such_module")
