"""The sweep over alpha: its runs, that each is trained once, and what a failure leaves."""

import json
import sys
from pathlib import Path

import pytest

from tinya2i import plot
from tinya2i.errors import RunError
from tinya2i.tasks import tradeoff

FAKE = """
import json, os, pathlib, sys
words = sys.argv[1:]
out = pathlib.Path(words[words.index("--out") + 1])
out.mkdir(exist_ok=True)
with (out / "calls.jsonl").open("a") as calls:
    calls.write(json.dumps([words, os.environ["OPENBLAS_NUM_THREADS"]]) + "\\n")
print("a line of the log")
if "--alpha 1.0" in " ".join(words) and not (out / "mended").exists():
    sys.exit("it diverged")
(out / "summary.json").write_text("{}")
"""


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "fake.py"
    path.write_text(FAKE)
    return path


def calls(cell):
    lines = (cell.folder / "calls.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_every_alpha_with_every_seed_one_seed_after_the_other(tmp_path):
    cells = tradeoff.cells(tmp_path, [0, 0.001, 5], [3, 4])
    assert [(cell.alpha, cell.seed) for cell in cells] == [
        (0, 3), (0.001, 3), (5, 3), (0, 4), (0.001, 4), (5, 4),
    ]  # fmt: skip
    assert cells[1].folder == tmp_path / "alpha-0.001-seed-3"
    assert len({cell.folder for cell in cells}) == 6


@pytest.mark.parametrize("jobs", [1, 2])
def test_each_run_is_trained_once_with_its_flags_and_its_share_of_cores(
    program, tmp_path, jobs, monkeypatch
):
    monkeypatch.setattr(tradeoff, "thread_count", lambda: 4)
    cells, said = tradeoff.cells(tmp_path / "sweep", [0.0, 0.25], [7]), []
    for _ in range(2):
        tradeoff.train_cells(cells, program, ["--epochs", "1"], jobs, said.append)
    assert [text for text in said if "runs are done" in text] == [
        "0 of 2 runs are done", "2 of 2 runs are done",
    ]  # fmt: skip
    for cell, alpha in zip(cells, ("0.0", "0.25"), strict=True):
        ((words, threads),) = calls(cell)
        assert words == [
            "--epochs",
            "1",
            "--alpha",
            alpha,
            "--seed",
            "7",
            "--out",
            str(cell.folder),
        ]
        assert threads == str(4 // jobs)
        assert Path(f"{cell.folder}.log").read_text() == "a line of the log\n"


def test_a_failed_run_is_named_after_the_others_are_done_and_goes_on(program, tmp_path):
    cells = tradeoff.cells(tmp_path / "sweep", [0.5, 1.0, 2.0], [0])
    with pytest.raises(RunError, match=r"1 of the runs failed.*alpha-1-seed-0\.log"):
        tradeoff.train_cells(cells, program, [], 1, print)
    assert [cell.done for cell in cells] == [True, False, True]
    assert "it diverged" in Path(f"{cells[1].folder}.log").read_text()
    (cells[1].folder / "mended").touch()
    tradeoff.train_cells(cells, program, [], 1, print)
    assert all(cell.done for cell in cells)
    assert [("--resume" in words) for words, _ in calls(cells[1])] == [False, True]
    assert len(calls(cells[0])) == 1


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"model": "vae"}, ("", "VAE, seed 3, 70 steps")),
        ({"model": "cvae", "hybrid": 0.05}, ("0.05", "CVAE, hybrid, seed 3, 70 steps")),
        ({"model": "vaegan", "alpha": 5.0}, ("5", "VAE-GAN, alpha, seed 3, 70 steps")),
        (
            {"model": "vaegan", "alpha": 5.0, "reconstruction": "features"},
            ("5", "VAE-GAN of features, alpha, seed 3, 70 steps"),
        ),
        (
            {"model": "vaegan", "alpha": 0.1, "reconstruction": "mse", "alpha_ramp": 1.25},
            ("0.1", "VAE-GAN of mse, rising alpha, seed 3, 70 steps"),
        ),
        (
            {"model": "cvae", "hybrid": 0.05, "ear_from": "runs/contrastive"},
            ("0.05", "CVAE with a taught ear, hybrid, seed 3, 70 steps"),
        ),
    ],
)
def test_what_a_run_is_called(tmp_path, flags, expected):
    config = {"flags": {**flags, "seed": 3}, "data": {}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "summary.json").write_text('{"steps": 70}')
    assert tradeoff.name_of(tmp_path) == expected


@pytest.mark.parametrize(
    ("flags", "summary"),
    [({"model": "vae", "seed": 0}, None), ({"seed": 0}, '{"steps": 1}'), ({"model": "vae"}, "{}")],
)
def test_an_unfinished_run_or_a_judges_is_refused(tmp_path, flags, summary):
    (tmp_path / "config.json").write_text(json.dumps({"flags": flags, "data": {}}))
    if summary:
        (tmp_path / "summary.json").write_text(summary)
    with pytest.raises(RunError, match="no finished run of a generator's trainer"):
        tradeoff.name_of(tmp_path)


def test_a_sweep_with_other_settings_is_refused(tmp_path):
    cells = tradeoff.cells(tmp_path, [0.2, 1.0], [0])
    cells[1].folder.mkdir()
    config = {"flags": {"lr": 1e-3, "arch": "bare", "alpha": 1.0}, "data": {}}
    (cells[1].folder / "config.json").write_text(json.dumps(config))
    tradeoff.check(cells, {"lr": 1e-3, "arch": "bare"})
    with pytest.raises(
        RunError, match="alpha-1-seed-0 was trained with another lr, reconstruction"
    ):
        tradeoff.check(cells, {"lr": 2e-4, "arch": "bare", "reconstruction": "pixels"})
    config["flags"]["alpha_ramp"] = 1.0
    (cells[1].folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(RunError, match=r"the alpha of .* has risen"):
        tradeoff.check(cells, {"lr": 1e-3, "arch": "bare"})


NUMBERS = ("agreement", "agreement_mu", "diversity", "within_digit", "precision", "recall")
POINT = {"group": "VAE", "label": "", "kl": None, "lenet_fid": 9.0} | dict.fromkeys(NUMBERS, 0.5)


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", '{"points": 3}', '{"points": []}', '{"points": {}}'),
        '{"points": [{"label": "x"}]}',
        json.dumps({"points": [POINT]}),
        json.dumps({"points": [POINT | {"interval": [0.5]}]}),
    ],
)
def test_a_file_without_points_is_refused(tmp_path, text):
    (tmp_path / "tradeoff.json").write_text(text)
    with pytest.raises(RunError, match="has no points to draw"):
        tradeoff.read_points(tmp_path / "tradeoff.json")
    with pytest.raises(RunError, match="has no points to draw"):
        tradeoff.read_points(tmp_path / "none.json")


def test_the_points_of_a_file(tmp_path):
    points = [POINT | {"interval": [0.4, 0.6]}]
    (tmp_path / "tradeoff.json").write_text(json.dumps({"points": points}))
    assert tradeoff.read_points(tmp_path / "tradeoff.json") == points


def test_the_picture_is_written(tmp_path):
    pytest.importorskip("matplotlib")
    point = {"label": "0.2", "diversity": 0.1, "agreement": 0.9, "interval": (0.8, 0.95)}
    points = [point | {"group": "seed 0"}, point | {"group": "VAE", "diversity": 0.3}]
    plot.tradeoff(points, tmp_path / "curve.png", {"the talk": 0.79})
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert "matplotlib.pyplot" not in sys.modules
