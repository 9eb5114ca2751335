"""The examples as a user runs them: what they write, what they say, and what a kill -9 leaves."""

import functools
import importlib.util
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tinya2i import checkpoint, cli
from tinya2i.data import toy
from tinya2i.files import read_rows
from tinya2i.runs import TIMES

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("matplotlib")
ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
TOY = {name: functools.cache(getattr(toy, name)) for name in ("clips", "images")}  # seconds each
JUDGE = (
    "train_lenet5",
    "--backend",
    "numpy",
    "--limit-train",
    "640",
    "--epochs",
    "4",
    "--batch-size",
    "32",
)


def start(cwd, name, *words, **options):
    """An example in a process of its own, on one core, in the folder `cwd`."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    environment.pop("TINYA2I_DATA", None)
    command = [sys.executable, str(ROOT / "examples" / f"{name}.py"), *map(str, words)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=cwd, env=environment, **pipes, **options)


def finish(process):
    """(exit code, stdout, stderr)."""
    output, errors = process.communicate(timeout=180)
    return process.returncode, output, errors


@pytest.fixture
def inside(monkeypatch, capsys):
    """Runs an example within this process, which is faster: (exit code, stdout, stderr)."""

    def run(name, *words):
        path = ROOT / "examples" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.setattr(sys, "argv", [str(path), *map(str, words)])
        for what, function in TOY.items():
            monkeypatch.setattr(toy, what, function)
        try:
            code = cli.exit_code(module.main)
        except SystemExit as leaving:  # argparse
            code = leaving.code
        return code, *capsys.readouterr()

    return run


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the sounds of a user, and the runs of all trainers under runs/."""
    folder = tmp_path_factory.mktemp("place")
    wave = toy.clips(train=1, test=1)[1].waves[7]
    stereo = np.repeat(wave, 6)[:, None] * (0.5, 0.25)
    soundfile.write(folder / "seven.wav", stereo, 44_100)
    soundfile.write(folder / "se$ven$ \u00fc.flac", wave, 8000)
    soundfile.write(folder / "loud.wav", 4 * wave, 8000, subtype="FLOAT")
    (folder / "text.wav").write_text("seven")
    soundfile.write(folder / "silent.wav", np.zeros(8000), 8000)
    yield folder
    shutil.rmtree(folder)  # half a gigabyte of checkpoints


@pytest.fixture(scope="module")
def judge(place):
    """(exit code, stdout, stderr) of the training of the judge in runs/lenet5-toy."""
    return finish(start(place, *JUDGE))


@pytest.fixture(scope="module")
def vae(place, judge):
    return finish(start(place, "train_vae", "--dry-run"))


@pytest.fixture(scope="module")
def autoencoder(place, judge):
    few = ("--samples-every", "0")
    return finish(start(place, "train_autoencoder", "--dry-run", "--quiet", *few))


@pytest.fixture(scope="module")
def cvae(place, judge):
    words = ("--hybrid", "0.25", "--hybrid-fall", "3", "--kl-weight", "0.5", "--kl-warmup", "4")
    return finish(start(place, "train_cvae", "--dry-run", *words))


def png(path):
    return path.read_bytes().startswith(b"\x89PNG")


# What they do


def test_train_lenet5(place, judge):
    code, output, errors = judge
    folder = place / "runs" / "lenet5-toy"
    assert code == 0, errors
    assert "runs/lenet5-toy" in output
    assert "epoch 4/4" in errors
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["test_accuracy"] > 0.3  # chance: 0.1
    assert summary["steps"] == 80
    assert png(folder / "confusion.png")
    assert png(folder / "curves.png")


@pytest.mark.parametrize("model", ["vae", "cvae", "autoencoder"])
def test_train_a_generator(place, model, request):
    code, output, errors = request.getfixturevalue(model)
    folder = place / "runs" / f"{model}-toy"
    assert code == 0, errors
    assert (output == "") == (model == "autoencoder")  # --quiet
    assert "training LeNet5" not in output  # the judge was there
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["steps"], summary["epochs"]) == (3, 1)
    assert summary.keys() >= {"agreement", "agreement_sampled_unique", "reconstruction"}
    assert ("kl" in summary) == (model == "vae")
    assert png(folder / "pictures.png")
    assert (folder / "samples" / "epoch_0001.png").exists() == (model != "autoencoder")


def test_train_on_fresh_versions_of_the_clips(place, vae, inside, monkeypatch):
    monkeypatch.chdir(place)
    words = ("train_vae", "--dry-run", "--augment", "2", "--out", "runs/augmented")
    code, output, errors = inside(*words, "--augment-kinds", "speed,noise=5")
    assert code == 0, errors
    assert "2 fresh versions of each clip an epoch: speed=1.25,noise=5\n" in output
    flags = json.loads(Path("runs/augmented/config.json").read_text())["flags"]
    assert (flags["augment"], flags["augment_kinds"]) == (2, "speed=1.25,noise=5")
    plain = json.loads(Path("runs/vae-toy/config.json").read_text())["flags"]
    assert (plain["augment"], plain["augment_kinds"]) == (None, None)  # as before there were any


def test_an_unknown_augmentation_is_refused_before_anything_is_loaded(inside, tmp_path):
    words = ("train_cvae", "--augment", "1", "--augment-kinds", "echo", "--out", tmp_path / "run")
    code, output, errors = inside(*words)
    assert (code, output) == (2, "")
    assert errors.startswith("error: no augmentation 'echo': choose from speed, ")
    assert not list(tmp_path.iterdir())


def test_the_flags_of_the_conditional_vae_reach_its_objective(cvae):
    assert (
        "objective: (1 - h) * (reconstruction + 0.5 * KL (its weight rising over 4 epochs)) "
        "+ h * reconstruction with noise from N(0, 1), h = 0.25 (falling from 1 over 3 epochs)"
    ) in cvae[1]


def test_a_run_of_the_conditional_vae_is_read_again(place, cvae, inside, monkeypatch, tmp_path):
    monkeypatch.chdir(place)
    code, _, errors = inside("evaluate", "runs/cvae-toy", "--out", tmp_path)
    assert (code, errors) == (0, "")
    found = json.loads((tmp_path / "evaluation.json").read_text())
    summary = json.loads((place / "runs" / "cvae-toy" / "summary.json").read_text())
    assert found["agreement_sampled"]["rate"] == pytest.approx(summary["agreement_sampled"])
    assert "kl" not in found


def test_evaluate(place, vae):
    code, output, errors = finish(start(place, "evaluate", "runs/vae-toy"))
    assert code == 0, errors
    folder = place / "runs" / "vae-toy"
    assert all(png(folder / f"{name}.png") for name in ("confusion", "pictures", "archetypes"))
    found = json.loads((folder / "evaluation.json").read_text())
    summary = json.loads((folder / "summary.json").read_text())
    for name in ("agreement", "agreement_unique", "agreement_sampled", "agreement_sampled_unique"):
        assert found[name]["rate"] == pytest.approx(summary[name])
        assert found[name]["interval"] == pytest.approx(summary[f"{name}_interval"])
        assert len(found[name]["per_digit"]) == 10
        assert set(found[name]["per_speaker"]) == set(toy.TEST_VOICES)
        assert f"{100 * found[name]['rate']:.2f} %" in output
    assert found["agreement"]["count"] == 1000
    assert found["agreement_unique"]["count"] == 150
    assert found["kl"] == pytest.approx(summary["kl"])
    assert 0 < found["archetypes"]["mean_drawn"] < found["archetypes"]["drawn"]
    accuracy = json.loads((place / "runs/lenet5-toy/summary.json").read_text())["test_accuracy"]
    assert found["judge"]["rate"] == accuracy  # the same test pictures
    assert found.keys() >= {"flags", "data", "environment", "run", "judge_run"}


def test_evaluate_elsewhere_and_quietly(place, autoencoder, inside, monkeypatch, tmp_path):
    monkeypatch.chdir(place)
    out = tmp_path / "new" / "results"
    answer = inside("evaluate", "runs/autoencoder-toy", "--out", out, "--quiet")
    assert answer == (0, "", "")
    files = sorted(path.name for path in out.iterdir())
    assert files == ["archetypes.png", "confusion.png", "evaluation.json", "pictures.png"]
    assert "kl" not in json.loads((out / "evaluation.json").read_text())
    assert not (place / "runs" / "autoencoder-toy" / "evaluation.json").exists()


def test_evaluate_with_quality(place, vae, inside, monkeypatch, tmp_path):
    monkeypatch.chdir(place)
    code, output, errors = inside("evaluate", "runs/vae-toy", "--quality", "--out", tmp_path)
    assert (code, errors) == (0, "")
    assert "LeNet-FID" in output
    found = json.loads((tmp_path / "quality.json").read_text())
    assert found["rows"].keys() == {"generated", "class_mean", "real", "shuffled", "classifier"}
    assert found.keys() >= {"flags", "data", "run", "judge", "counts"}


def test_evaluate_with_a_pupil(place, vae, inside, monkeypatch, tmp_path):
    monkeypatch.chdir(place)
    code, output, errors = inside("evaluate", "runs/vae-toy", "--cas", "2", "--out", tmp_path)
    assert (code, errors) == (0, "")
    assert output.count("real test pictures read after 2 steps on") == 2
    found = json.loads((tmp_path / "cas.json").read_text())
    assert found.keys() >= {"flags", "data", "run"}
    for name in ("generated", "real"):
        assert (found[name]["steps"], found[name]["count"]) == (2, 1000)


def test_tradeoff(place, vae, inside, monkeypatch, tmp_path):
    monkeypatch.chdir(place)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # for the processes that it starts
    words = ("--alphas", "0.1", "--seeds", "3", "--limit-train", "32", "--batch-size", "16")
    words = ("tradeoff", *words, "--references", "runs/vae-toy", "--out", tmp_path)
    code, output, errors = inside(*words)
    assert (code, errors) == (0, "")
    assert "0 of 1 runs are done" in output
    found = json.loads((tmp_path / "tradeoff.json").read_text())
    assert [(point["label"], point["group"]) for point in found["points"]] == [
        ("0.1", "VAE-GAN, alpha, seed 3, 2 steps"), ("", "VAE, seed 0, 3 steps"),
    ]  # fmt: skip
    assert found.keys() >= {"environment", "data", "lr", "batch_size", "limit_train"}
    flags = json.loads((tmp_path / "alpha-0.1-seed-3" / "config.json").read_text())["flags"]
    assert {name: flags[name] for name in ("arch", "lr", "schedule", "reconstruction")} == {
        "arch": "bare", "lr": 5e-4, "schedule": "constant", "reconstruction": "pixels",
    }  # fmt: skip
    assert png(tmp_path / "tradeoff.png")
    (tmp_path / "alpha-0.1-seed-3" / "checkpoint.npz").unlink()  # it was measured: not needed
    code, output, errors = inside(*words)
    assert (code, errors) == (0, "")
    assert "1 of 1 runs are done" in output
    elsewhere = tmp_path / "new"
    beside = ("--beside", tmp_path / "tradeoff.json")
    code, output, errors = inside("tradeoff", "--alphas", "", *words[9:-1], elsewhere, *beside)
    assert (code, errors) == (0, "")
    points = json.loads((elsewhere / "tradeoff.json").read_text())["points"]
    assert points == [*found["points"], found["points"][1] | {"judge": None}]
    code, output, errors = inside(*words, "--lr", "1e-3")
    assert (code, "another lr: choose another --out" in errors) == (2, True)
    (place / "runs/vae-toy/tradeoff.json").unlink()


def test_evaluate_refuses_other_data_and_writes_nothing(place, vae, inside, monkeypatch, tmp_path):
    monkeypatch.chdir(place)
    run = tmp_path / "run"
    run.mkdir()
    (run / "checkpoint.npz").symlink_to(place / "runs/vae-toy/checkpoint.npz")
    config = json.loads((place / "runs/vae-toy/config.json").read_text())
    config["data"]["mean"] += 0.01
    (run / "config.json").write_text(json.dumps(config))
    code, output, errors = inside("evaluate", run)
    assert (code, output) == (2, "")
    assert "these are not the data of the run: mean" in errors
    assert len(list(run.iterdir())) == 2


def test_generate(place, vae):
    sounds = ("seven.wav", "se$ven$ \u00fc.flac", "loud.wav")
    words = ("runs/vae-toy", *sounds, "--noises", "2", "--judge", "runs/lenet5-toy")
    code, output, errors = finish(start(place, "generate", *words))
    assert code == 0, errors
    assert png(place / "pictures.png")
    assert errors.startswith("warning: loud.wav: ")
    for sound, line in zip(sounds, output.splitlines(), strict=False):
        name, digits = line.split(": the judge reads ")
        assert name == sound
        assert len(digits.split()) == 3
    assert output.splitlines()[-1] == "pictures: pictures.png"


def test_generate_again_and_with_another_seed(place, vae, inside, monkeypatch, tmp_path):
    monkeypatch.chdir(place)
    pictures = []
    for seed in (0, 0, 1):
        out = tmp_path / f"{len(pictures)}.png"
        words = ("seven.wav", "--noises", "1", "--seed", seed, "--out", out)
        assert inside("generate", "runs/vae-toy", *words) == (0, f"pictures: {out}\n", "")
        pictures.append(out.read_bytes())
    assert pictures[0] == pictures[1]
    assert pictures[0] != pictures[2]


def test_generate_with_an_autoencoder_draws_one_picture(place, autoencoder, inside, monkeypatch):
    monkeypatch.chdir(place)
    words = ("runs/autoencoder-toy", "seven.wav", "--judge", "runs/lenet5-toy", "--out", "one.png")
    code, output, errors = inside("generate", *words)
    assert (code, errors) == (0, "")
    assert len(output.splitlines()[0].split(": the judge reads ")[1]) == 1


# What they refuse


@pytest.mark.parametrize(
    ("sounds", "message"),
    [
        (["seven.wav", "missing.wav"], "missing.wav: no such file"),
        (["seven.wav", "text.wav"], "text.wav: not readable as audio"),
        (["silent.wav"], "silent.wav: silent"),
        (["runs"], "runs: is a folder"),
    ],
)
def test_one_bad_sound_and_nothing_is_written(
    place, vae, sounds, message, inside, monkeypatch, tmp_path
):
    monkeypatch.chdir(place)
    out = tmp_path / "pictures.png"
    code, output, errors = inside("generate", "runs/vae-toy", *sounds, "--out", out)
    assert (code, output) == (2, "")
    assert f"error: {message}" in errors
    assert errors.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("out", ["seven.wav/pictures.png", "no/such/folder/x.png", "runs"])
def test_generate_into_what_cannot_be_written(place, vae, out, inside, monkeypatch):
    monkeypatch.chdir(place)
    before = sorted(place.rglob("*"))
    code, output, errors = inside("generate", "runs/vae-toy", "seven.wav", "--out", out)
    assert (code, output) == (2, "")
    assert f"error: cannot write {out}: " in errors
    assert "--out" in errors
    assert sorted(place.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "out"),
    [
        ("train_lenet5", "text.wav"),
        ("train_lenet5", "text.wav/run"),
        ("train_vae", "text.wav"),
        ("evaluate", "text.wav"),
        ("evaluate", "text.wav/run"),
    ],
)
def test_a_file_in_the_way_of_out(place, vae, name, out, inside, monkeypatch):
    monkeypatch.chdir(place)
    words = ("runs/vae-toy",) if name == "evaluate" else ("--dry-run",)
    code, output, errors = inside(name, *words, "--out", out)
    assert (code, output) == (2, "")
    assert f"error: cannot write {out}: " in errors
    assert (place / "text.wav").read_text() == "seven"


@pytest.mark.parametrize(("name", "words"), [("evaluate", ()), ("generate", ("seven.wav",))])
def test_a_run_that_is_none(place, judge, name, words, inside, monkeypatch, tmp_path):
    monkeypatch.chdir(place)
    for run, message in (
        ("runs", "is not the folder of a run"),
        ("missing", "is not the folder of a run"),
        ("text.wav", "is not the folder of a run"),
        ("runs/lenet5-toy", "a run of 'lenet5', not of a generator"),
    ):
        code, output, errors = inside(name, run, *words, "--out", tmp_path / "out")
        assert (code, output) == (2, "")
        assert message in errors
        assert errors.startswith("error: ")
    assert not list(tmp_path.iterdir())
    assert not (place / "missing").exists()


def test_a_checkpoint_of_another_model(place, vae, autoencoder, inside, monkeypatch, tmp_path):
    monkeypatch.chdir(place)
    (tmp_path / "checkpoint.npz").symlink_to(place / "runs/autoencoder-toy/checkpoint.npz")
    shutil.copy("runs/vae-toy/config.json", tmp_path)
    for name, *words in (("evaluate", tmp_path), ("generate", tmp_path, "seven.wav")):
        code, _, errors = inside(name, *words)
        assert code == 2
        assert "of another model" in errors
    words = ("runs/vae-toy", "seven.wav", "--judge", "runs/vae-toy", "--out", tmp_path / "x.png")
    code, _, errors = inside("generate", *words)
    assert code == 2
    assert "of another model" in errors
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("evaluate", ()),
        ("evaluate", ("a", "b")),
        ("evaluate", ("a", "--backend", "torch")),
        ("evaluate", ("a", "--epochs", "1")),
        ("evaluate", ("a", "--cas", "0")),
        ("generate", ("a",)),
        ("generate", ("a", "b.wav", "--noises", "-1")),
        ("generate", ("a", "b.wav", "--noises", "101")),
        ("generate", ("a", *["b.wav"] * 101)),
        ("generate", ("a", "b.wav", "--seed", "x")),
        ("train_vae", ("--kl-warmup", "-1")),
        ("train_vae", ("--kl-weight", "nan")),
        ("train_vae", ("--framing", "loose")),
        ("train_autoencoder", ("--kl-weight", "1")),
        ("train_cvae", ("--hybrid", "1.5")),
        ("train_lenet5", ("--epochs", "many")),
        ("train_lenet5", ("--framing", "fixed")),
    ],
)
def test_bad_flags(name, words, inside, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, output, errors = inside(name, *words)
    assert (code, output) == (2, "")
    assert errors.startswith("usage: ")
    assert "error: " in errors
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("train_*.py")), ids=lambda path: path.stem)
def test_tf32_without_a_gpu_is_an_error_of_every_trainer(path, inside, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, output, errors = inside(path.stem, "--tf32", "--backend", "numpy")
    assert (code, output) == (2, "")
    assert errors.endswith("it needs --backend cupy\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(importlib.util.find_spec("cupy") is not None, reason="CuPy is installed")
@pytest.mark.parametrize("name", ["train_lenet5", "train_vae", "train_autoencoder", "evaluate"])
def test_cupy_without_cupy(name, inside, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    words = ("run",) if name == "evaluate" else ()
    code, output, errors = inside(name, *words, "--backend", "cupy")
    assert (code, output) == (2, "")
    assert "error: --backend cupy: CuPy is not installed" in errors
    assert "pip install 'cupy-cuda13x[ctk]'" in errors
    assert not list(tmp_path.iterdir())


# Resume


def result(folder):
    """All that two equal runs share: arrays as bytes, and the metrics without the times."""
    arrays, meta = checkpoint.load(folder / checkpoint.NAME)
    rows = read_rows(folder / "metrics.jsonl")
    rows = [{k: v for k, v in row.items() if k not in TIMES} for row in rows]
    return {k: A.tobytes() for k, A in arrays.items()}, (meta["epoch"], meta["total"]), rows


def wait_for(path, process, seconds=60):
    end = time.monotonic() + seconds
    while not path.exists() and process.poll() is None:
        assert time.monotonic() < end, "timed out"
        time.sleep(0.002)


def test_kill_9_and_resume_ends_as_the_uninterrupted_run(tmp_path, place, judge):
    whole = result(place / "runs" / "lenet5-toy")
    rng = random.Random(0)
    folder = tmp_path / "runs" / "lenet5-toy"
    process = start(tmp_path, *JUDGE)
    wait_for(folder / checkpoint.NAME, process)  # the first epoch is saved
    time.sleep(rng.uniform(0, 0.1))
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (folder / "summary.json").exists()  # it was killed in its middle
    code, _, errors = finish(start(tmp_path, *JUDGE, "--resume"))
    assert code == 0, errors
    assert "going on after" in errors
    assert result(folder) == whole


def test_negative_control_another_seed_ends_elsewhere(place, judge, inside, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, _, errors = inside(*JUDGE, "--seed", "1")
    assert code == 0, errors
    arrays, position, rows = result(tmp_path / "runs" / "lenet5-toy")
    whole = result(place / "runs" / "lenet5-toy")
    assert position == whole[1]
    assert arrays.keys() == whole[0].keys()
    assert arrays != whole[0]
    assert rows != whole[2]


def test_resume_with_a_changed_flag(place, judge, inside, monkeypatch):
    monkeypatch.chdir(place)
    before = result(place / "runs" / "lenet5-toy")
    code, _, errors = inside(*JUDGE, "--resume", "--lr", "0.01")
    assert code == 2
    assert "--lr was 0.001, is 0.01" in errors
    code, _, errors = inside(*JUDGE, "--resume", "--out", "nowhere")
    assert code == 2
    assert "no run in nowhere to resume" in errors
    assert not (place / "nowhere").exists()
    assert result(place / "runs" / "lenet5-toy") == before
