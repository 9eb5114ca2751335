"""The loop: resume bit for bit after anything, Ctrl-C, divergence, full disks, run folders."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tiny_run import Tiny, run

from tinya2i import checkpoint, progress
from tinya2i.errors import CheckpointError, RunError
from tinya2i.files import read_rows
from tinya2i.interrupt import interruptible
from tinya2i.runs import TIMES, Run
from tinya2i.training import Diverged, stream, train

SCRIPT = Path(__file__).with_name("tiny_run.py")


def start(folder, *options):
    root = str(SCRIPT.parents[1])
    environment = {**os.environ, "PYTHONPATH": root, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, str(SCRIPT), str(folder), *options]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def wait_for(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.005)


def result(folder):
    """Everything that two equal runs share: arrays as bytes, position, metrics but for times."""
    arrays, meta = checkpoint.load(checkpoint.find(folder))
    rows = read_rows(Path(folder) / "metrics.jsonl")
    rows = [{k: v for k, v in row.items() if k not in TIMES} for row in rows]
    position = {k: v for k, v in meta.items() if k != "seconds"}
    return {name: A.tobytes() for name, A in arrays.items()}, position, rows


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted run of three epochs."""
    folder = tmp_path_factory.mktemp("whole")
    run(folder)
    return folder


# Streams


def test_streams_depend_on_seed_and_every_key_and_on_nothing_else():
    keys = [(0,), (1,), (0, "order"), (0, "order", 1), (0, "order", 2), (0, "o", "rder"), (0, "1")]
    keys += [(0, 1), (1, 0), (0, "order", 1, 1), (0, "order", 11)]
    draws = {key: stream(*key).integers(1 << 62) for key in keys}
    assert len(set(draws.values())) == len(keys)
    stream(0, "order").random(1000)
    assert all(stream(*key).integers(1 << 62) == value for key, value in draws.items())
    assert stream(np.int64(0), "order", np.int32(1)).integers(1 << 62) == draws[0, "order", 1]


def test_streams_stay_what_they_are():
    """Recorded: a changed stream would silently change every published figure."""
    draw = stream(0, "order", 3).integers(1 << 30, size=3).tolist()
    assert draw == [740947628, 299902178, 379315385]


# What a run leaves


def test_a_run_leaves_its_files(whole):
    config = json.loads((whole / "config.json").read_text())
    assert config["flags"]["seed"] == 0
    assert {"python", "numpy", "scipy", "device", "commit"} <= config["environment"].keys()
    rows = read_rows(whole / "metrics.jsonl")
    assert [(row["epoch"], row["step"]) for row in rows] == [(1, 12), (2, 24), (3, 36)]
    assert rows[0].keys() >= {"loss", "size", "test_loss", "warnings", *TIMES}
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert sorted(p.name for p in (whole / "samples").iterdir()) == [
        f"epoch_{n:04}.png" for n in (1, 2, 3)
    ]
    assert checkpoint.load(whole / checkpoint.PREVIOUS)[1]["epoch"] == 2
    assert not [p for p in whole.rglob(".*") if p.name != ".lock"]


def test_losses_are_means_over_the_epoch(tmp_path):
    class Counting(Tiny):
        def step(self, index):
            super().step(index)
            return {"loss": np.float32(index)}

    run(tmp_path, task=Counting(), epochs=1)
    assert read_rows(tmp_path / "metrics.jsonl")[0]["loss"] == np.arange(12).mean()


def test_returned_numbers(tmp_path):
    values = train(Tiny(), Run(tmp_path, {"seed": 7}), epochs=2, quiet=True)
    assert (values["epochs"], values["steps"], values["seed"]) == (2, 24, 7)
    assert values["seconds_per_step"] == pytest.approx(values["seconds"] / 24)


def test_cadence(tmp_path):
    run(tmp_path, epochs=5, samples_every=2, checkpoint_every=0)
    names = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert names == ["epoch_0002.png", "epoch_0004.png", "epoch_0005.png"]
    assert not (tmp_path / checkpoint.PREVIOUS).exists()


def test_limit_steps_is_a_short_run_of_one_epoch(tmp_path):
    run(tmp_path, epochs=3, limit_steps=2)
    assert [row["step"] for row in read_rows(tmp_path / "metrics.jsonl")] == [2]


def test_no_epochs_saves_the_untrained_model(tmp_path):
    run(tmp_path, epochs=0)
    arrays, _ = checkpoint.load(checkpoint.find(tmp_path))
    np.testing.assert_array_equal(arrays["model.fc.W"], Tiny().W)


# Resume


@pytest.mark.parametrize("options", [{}, {"checkpoint_steps": 5}, {"checkpoint_every": 2}])
def test_resume_to_more_epochs_equals_the_whole_run(tmp_path, whole, options):
    run(tmp_path, epochs=2, **options)
    run(tmp_path, epochs=3, resume=True, **options)
    assert result(tmp_path) == result(whole)


class OnDevice:
    """A stand-in for a GPU's 0-d array, which counts how often somebody waits for it."""

    waits = 0

    def __init__(self, value):
        self.value = value

    def __radd__(self, other):
        return OnDevice(other + self.value)

    def __add__(self, other):
        return OnDevice(self.value + other.value)

    def __float__(self):
        OnDevice.waits += 1
        return float(self.value)


class Device:
    @staticmethod
    def asarray(value, dtype):
        return OnDevice(np.asarray(value, dtype))


@pytest.fixture
def device(monkeypatch):
    monkeypatch.setattr("tinya2i.loop.array_module", lambda X: Device)
    monkeypatch.setattr(OnDevice, "waits", 0)


def test_a_device_is_waited_for_at_looks_only_and_gives_the_same_numbers(tmp_path, whole, device):
    waits = {}
    for log_every in (6, 1000):
        before = OnDevice.waits
        run(tmp_path, log_every=log_every, overwrite=True)
        assert result(tmp_path) == result(whole)
        waits[log_every] = OnDevice.waits - before
    assert waits[6] - waits[1000] == 3 * 2 * 2  # epochs, looks, losses
    assert waits[1000] <= 3 * 2 * 2


def test_a_device_loss_that_is_not_finite_is_noticed_at_the_next_look(tmp_path, device):
    with pytest.raises(Diverged, match="epoch 2, step 6: "):
        run(tmp_path, task=Tiny(poison=(1, 3)), log_every=6)


class Stop(Exception):
    pass


@pytest.mark.parametrize("at", [(0, 1), (0, 7), (1, 0), (1, 11), (2, 5)])
def test_resume_after_a_crash_in_any_step_equals_the_whole_run(tmp_path, whole, at):
    class Crashing(Tiny):
        def step(self, index):
            if (self.epoch, index) == at:
                raise Stop
            return super().step(index)

    with pytest.raises(Stop):
        run(tmp_path, task=Crashing(), checkpoint_steps=3)
    run(tmp_path, resume=True)
    assert result(tmp_path) == result(whole)


def test_metrics_written_after_the_checkpoint_are_dropped(tmp_path, whole):
    run(tmp_path, epochs=2)
    with open(tmp_path / "metrics.jsonl", "a") as lines:
        lines.write('{"epoch": 3, "loss": 1}\n{"epoch": 4, "lo')
    run(tmp_path, resume=True)
    assert result(tmp_path) == result(whole)


@pytest.mark.parametrize("task", [Tiny(seed=1), Tiny(shift=1)])
def test_negative_control_another_stream_or_position_is_noticed(tmp_path, whole, task):
    run(tmp_path, epochs=2)
    run(tmp_path, resume=True, task=task)
    arrays, position, rows = result(tmp_path)
    good_arrays, good_position, good_rows = result(whole)
    assert (position["epoch"], rows[:2]) == (good_position["epoch"], good_rows[:2])
    assert arrays != good_arrays
    assert rows[2] != good_rows[2]


def test_negative_control_lost_loss_sums_are_noticed(tmp_path, whole, monkeypatch):
    class Crashing(Tiny):
        def step(self, index):
            if (self.epoch, index) == (1, 7):
                raise Stop
            return super().step(index)

    with pytest.raises(Stop):
        run(tmp_path, task=Crashing(), checkpoint_steps=3)
    arrays, meta = checkpoint.load(checkpoint.find(tmp_path))
    assert meta["step"] == 6
    checkpoint.save(tmp_path / checkpoint.NAME, arrays, {**meta, "sums": {}})
    run(tmp_path, resume=True)
    assert result(tmp_path)[0] == result(whole)[0]
    assert result(tmp_path)[2] != result(whole)[2]


@pytest.mark.parametrize("seed", range(3))
def test_kill_9_at_a_random_moment(tmp_path, whole, seed):
    rng = random.Random(seed)
    options = ["--slow", "0.004"]
    for attempt in range(3):
        process = start(tmp_path, *options, *(["--resume"] if attempt else []))
        first = tmp_path / (checkpoint.NAME if attempt == 0 else "config.json")
        wait_for(lambda first=first, process=process: first.exists() or process.poll() is not None)
        time.sleep(rng.uniform(0.0, 0.12 if attempt == 0 else 0.6))
        process.kill()
        process.communicate()
    process = start(tmp_path, "--resume")
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert result(tmp_path) == result(whole)


def test_ctrl_c_finishes_the_step_saves_and_leaves_with_130(tmp_path, whole):
    process = start(tmp_path, "--slow", "0.02")
    wait_for((tmp_path / checkpoint.NAME).exists)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "--resume" in errors
    assert "Traceback" not in errors
    assert checkpoint.load(tmp_path / checkpoint.NAME)[1]["total"] < 36
    run(tmp_path, resume=True)
    assert result(tmp_path) == result(whole)


def test_second_ctrl_c_stops_at_once_and_the_handler_comes_back(capfd):
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with interruptible() as stop:
            os.kill(os.getpid(), signal.SIGINT)
            assert stop.requested
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, former)
    assert "again" in capfd.readouterr().err


def test_a_damaged_checkpoint_is_said_and_the_previous_one_used(tmp_path, whole, capsys):
    run(tmp_path, epochs=2)
    path = tmp_path / checkpoint.NAME
    path.write_bytes(path.read_bytes()[:-30])
    run(tmp_path, resume=True)
    assert "checkpoint.previous.npz" in capsys.readouterr().err
    assert result(tmp_path) == result(whole)


def test_resume_without_a_checkpoint_begins_again(tmp_path, whole):
    class Crashing(Tiny):
        def begin_epoch(self, epoch):
            raise Stop

    with pytest.raises(Stop):
        run(tmp_path, task=Crashing())
    run(tmp_path, resume=True)
    assert result(tmp_path) == result(whole)


@pytest.mark.parametrize(
    "change", [{"epoch": "x"}, {"step": -1}, {"sums": 3}, {"rows": None}, {"seconds": []}]
)
def test_a_checkpoint_with_a_bad_position_is_refused(tmp_path, change):
    run(tmp_path, epochs=1)
    arrays, meta = checkpoint.load(checkpoint.find(tmp_path))
    checkpoint.save(tmp_path / checkpoint.NAME, arrays, {**meta, **change})
    with pytest.raises(CheckpointError, match="position"):
        run(tmp_path, resume=True)


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    class Other(Tiny):
        def arrays(self):
            return {**super().arrays(), "model.extra.b": np.zeros(3)}

    run(tmp_path, epochs=1)
    with pytest.raises(CheckpointError, match=r"missing model\.extra\.b"):
        run(tmp_path, resume=True, task=Other())


# Numbers that are no numbers, disks that are full


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint(tmp_path):
    with pytest.raises(Diverged, match=r"epoch 2, step 4: .*model\.fc\.W"):
        run(tmp_path, task=Tiny(poison=(1, 3)))
    arrays, meta = checkpoint.load(checkpoint.find(tmp_path))
    assert (meta["epoch"], meta["step"]) == (1, 0)
    assert all(np.isfinite(A).all() for A in arrays.values())


def test_a_parameter_that_is_not_finite_is_never_saved(tmp_path):
    class Spoiling(Tiny):
        def evaluate(self):
            if self.epoch == 1:
                self.V[0] = np.inf
            return {}

        def health(self, metrics):
            return []

    with pytest.raises(Diverged, match=r"momentum\.v"):
        run(tmp_path, task=Spoiling())
    assert np.isfinite(checkpoint.load(checkpoint.find(tmp_path))[0]["momentum.v"]).all()


def full(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    "what", [(np.lib.format, "write_array"), (os, "replace"), (os, "fsync"), (Tiny, "draw")]
)
def test_a_full_disk_is_a_run_error_that_says_what_is_safe(tmp_path, monkeypatch, what, whole):
    class Filling(Tiny):
        def begin_epoch(self, epoch):
            if epoch == 1:
                patch.setattr(*what, full)
            return super().begin_epoch(epoch)

    with (
        monkeypatch.context() as patch,
        pytest.raises(RunError, match=r"No space left on device\. .*checkpoint\.npz is whole"),
    ):
        run(tmp_path, task=Filling())
    assert checkpoint.load(checkpoint.find(tmp_path))[1]["epoch"] == 1
    run(tmp_path, resume=True)
    assert result(tmp_path) == result(whole)


def test_a_full_disk_before_the_first_checkpoint(tmp_path, monkeypatch):
    folder = Run(tmp_path, {})
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(RunError, match=r"summary\.json: No space .* Nothing is saved yet"):
        folder.summary({})


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_metrics_file_on_a_full_device(tmp_path):
    folder = Run(tmp_path, {})
    (tmp_path / "metrics.jsonl").symlink_to("/dev/full")
    with pytest.raises(RunError, match="No space left"):
        folder.log({"epoch": 1})


# Run folders


def test_a_folder_with_a_run_is_refused_resumed_or_overwritten(tmp_path):
    run(tmp_path, epochs=2)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match=r"--resume .* --overwrite"):
        run(tmp_path)
    with pytest.raises(RunError, match="one of them"):
        run(tmp_path, resume=True, overwrite=True)
    run(tmp_path, epochs=1, overwrite=True)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert len(read_rows(tmp_path / "metrics.jsonl")) == 1
    assert not (tmp_path / checkpoint.PREVIOUS).exists()
    assert not (tmp_path / "samples" / "epoch_0002.png").exists()


def test_overwrite_never_touches_a_folder_without_a_run(tmp_path):
    (tmp_path / "config.json").write_text('{"somebody": "else"}')
    with pytest.raises(RunError, match="choose another --out"):
        run(tmp_path, overwrite=True)
    assert "somebody" in (tmp_path / "config.json").read_text()


def test_a_dry_run_makes_room_by_itself(tmp_path):
    run(tmp_path, flags={"dry_run": True}, limit_steps=2)
    run(tmp_path, flags={"dry_run": False}, epochs=1)
    assert read_rows(tmp_path / "metrics.jsonl")[0]["step"] == 12


def test_resume_of_nothing_is_refused(tmp_path):
    with pytest.raises(RunError, match="no run"):
        Run(tmp_path / "none", {}, resume=True)
    assert not (tmp_path / "none").exists()


def test_resume_refuses_decisive_flags_by_name_and_takes_the_others(tmp_path):
    flags = {"seed": 0, "lr": 0.1, "epochs": 2, "quiet": True, "batch_size": 4}
    Run(tmp_path, flags, data={"digest": "a"})
    with pytest.raises(RunError, match=r"--batch-size was 4, is 8; --lr was 0\.1, is 0\.2\. "):
        Run(tmp_path, {**flags, "lr": 0.2, "batch_size": 8}, resume=True, data={"digest": "a"})
    with pytest.raises(RunError, match="data info"):
        Run(tmp_path, flags, resume=True, data={"digest": "b"})
    free = {"epochs": 9, "quiet": False, "out": "elsewhere"}
    resumed = Run(tmp_path, {**flags, **free}, resume=True, data={"digest": "a"})
    assert resumed.config["flags"]["epochs"] == 9
    assert len(resumed.config["resumed"]) == 1


def test_resume_elsewhere_warns_that_bits_may_differ(tmp_path):
    Run(tmp_path, {})
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    config["environment"]["numpy"] = "1.0"
    path.write_text(json.dumps(config))
    assert Run(tmp_path, {}, resume=True).notes == [
        "resumed with another numpy: not bit for bit the same"
    ]


def test_a_folder_that_cannot_be_written_is_a_run_error(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "run", "/proc/none/run"):
        with pytest.raises(RunError, match="cannot write"):
            Run(folder, {})


def test_two_processes_cannot_train_in_one_folder(tmp_path):
    first = Run(tmp_path, {})
    with first.locked(), pytest.raises(RunError, match="another process"):
        train(Tiny(), Run(tmp_path, {}, resume=True), epochs=1)


def test_metrics_are_json_even_where_numbers_are_not(tmp_path):
    folder = Run(tmp_path, {"path": tmp_path, "split": ("a", 1)})
    folder.log({"a": np.float32(0.5), "b": float("nan"), "c": np.arange(3), "d": np.bool_(True)})
    text = (tmp_path / "metrics.jsonl").read_text()
    assert json.loads(text, parse_constant=pytest.fail) == {
        "a": 0.5,
        "b": None,
        "c": [0, 1, 2],
        "d": True,
    }


# Progress


class Screen:
    def __init__(self, terminal):
        self.terminal, self.text = terminal, ""

    def isatty(self):
        return self.terminal

    def write(self, text):
        self.text += text

    def flush(self):
        pass


def test_progress_rewrites_a_line_on_a_terminal_only(monkeypatch):
    for terminal in (True, False):
        lines = progress.Progress(stream=(screen := Screen(terminal)))
        for step in range(3):
            monkeypatch.setattr(lines, "_next", 0.0)
            lines.update(f"step {step}")
        lines.update("too soon")
        lines.line("epoch 1")
        assert ("\r" in screen.text) is terminal
        assert "step 2" in screen.text
        assert "too soon" not in screen.text
        assert screen.text.endswith("epoch 1\n")


@pytest.mark.parametrize(("terminal", "no_color"), [(True, False), (True, True), (False, False)])
def test_colour_only_where_wanted(monkeypatch, terminal, no_color):
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    lines = progress.Progress(stream=(screen := Screen(terminal)))
    lines.warn("collapse")
    assert ("\x1b" in screen.text) is (terminal and not no_color)


def test_quiet_leaves_only_warnings(tmp_path, capsys):
    run(tmp_path, epochs=2, quiet=True)
    assert set(capsys.readouterr().err.splitlines()) <= {"warning: hardly learning"}
    run(tmp_path, epochs=2, quiet=False, overwrite=True)
    errors = capsys.readouterr().err
    assert errors.count("epoch 1/2") == 1
    assert "warning: hardly learning" in errors


def test_a_lost_terminal_does_not_end_the_run():
    class Lost(Screen):
        def write(self, text):
            raise OSError(errno.EIO, "gone")

    progress.Progress(stream=Lost(True)).line("still here")


def test_the_text_of_a_progress_line():
    text = progress.state((3, 10, 120, 469), {"loss": 131.23, "kl": 6.411}, 2310.4, 245)
    assert text == "epoch 3/10  step 120/469  loss 131.2  kl 6.411  2310/s  left 4:05"
    assert progress.duration(3723) == "1:02:03"
