"""train_correspondence and retrieve as a user runs them, and evaluate with a judge for free."""

# ruff: noqa: F811, the fixtures of test_examples

import json

import pytest
from test_examples import (  # noqa: F401
    finish,
    inside,
    judge,
    place,
    png,
    result,
    start,
    vae,
)

from tinya2i.data import toy

FEW = ("--limit-train", "96", "--batch-size", "32", "--quiet", "--samples-every", "0")
WAYS = {"audio_to_image", "image_to_audio", "image_to_image", "audio_to_audio"}


def train(place, objective, *words):
    """(exit code, stdout, stderr) of a run of some steps."""
    return finish(start(place, "train_correspondence", "--objective", objective, *words))


@pytest.fixture(scope="module")
def correspondence(place):
    return train(place, "correspondence", "--dry-run", "--negatives", "class-aware")


@pytest.fixture(scope="module")
def contrastive(place):
    words = ("--limit-train", "1280", "--batch-size", "64", "--epochs", "2")
    return train(place, "contrastive", *words)


def read(path):
    return json.loads(path.read_text())


# Training


def test_train_correspondence(place, correspondence):
    code, output, errors = correspondence
    assert code == 0, errors
    folder = place / "runs" / "correspondence-toy"
    assert (
        "objective: cross-entropy of: is this clip the picture's own, or another digit's?" in output
    )
    assert "at the most, because of accidents" in output
    summary, flags = read(folder / "summary.json"), read(folder / "config.json")["flags"]
    assert (summary["steps"], summary["epochs"], summary["seed"]) == (3, 1, 0)
    names = ("accuracy", "accuracy_class_aware", "recall_1", "probe_eye", "probe_ear_untrained")
    for name in names:
        low, high = summary[f"{name}_interval"]
        assert 0 <= low <= summary[name] <= high <= 1
    assert summary["ceiling"] == pytest.approx(1 - 99 / 999 / 2)  # of 1,000 balanced digits
    assert summary["ceiling_measured"] == pytest.approx(summary["ceiling"], abs=0.01)
    assert {"seconds", "seconds_per_step", "ndcg_30"} <= summary.keys()
    assert (flags["model"], flags["ear"]) == ("correspondence", "tower")
    (row,) = (json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines())
    assert {"loss", "correct", "test_correct", "recall_1"} <= row.keys()
    pictures = ("matches.png", "curves.png", "samples/epoch_0001.png")
    assert all(png(folder / name) for name in pictures)


def test_a_contrastive_run_learns(place, contrastive):
    code, output, errors = contrastive
    assert code == 0, errors
    assert "InfoNCE" in output
    assert "at the most" not in output  # no verdict, no ceiling
    summary = read(place / "runs" / "contrastive-toy" / "summary.json")
    assert summary["recall_1"] > 0.4  # chance: 0.1
    assert "accuracy" not in summary


@pytest.mark.parametrize(("objective", "ear"), [("distance", "vae"), ("labels", "tower")])
def test_other_objectives_and_ears(place, objective, ear, inside, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    words = ("--objective", objective, "--ear", ear, "--epochs", "1", "--augment", "1", *FEW)
    code, output, errors = inside("train_correspondence", *words)
    assert (code, output) == (0, ""), errors
    assert "nothing is learned yet" in errors or objective == "labels"
    folder = tmp_path / "runs" / f"{objective}-toy"
    flags = read(folder / "config.json")["flags"]
    assert flags["model"] == {"distance": "retrieval", "labels": "labelled"}[objective]
    assert flags["ear"] == ear
    assert flags["augment"] == 1
    assert flags["augment_kinds"]  # named, whatever they are by default
    assert "accuracy" in read(folder / "summary.json")
    assert png(folder / "matches.png")


def test_resume_ends_as_the_uninterrupted_run(inside, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    words = ("train_correspondence", "--schedule", "constant", *FEW)
    assert inside(*words, "--epochs", "2", "--out", "whole")[0] == 0
    assert inside(*words, "--epochs", "1", "--out", "parts")[0] == 0
    assert result(tmp_path / "whole") != result(tmp_path / "parts")
    assert inside(*words, "--epochs", "2", "--out", "parts", "--resume")[0] == 0
    assert result(tmp_path / "whole") == result(tmp_path / "parts")
    code, _, errors = inside(*words, "--out", "parts", "--resume", "--objective", "distance")
    assert code == 2
    assert "--objective was 'correspondence', is 'distance'" in errors


@pytest.mark.parametrize(
    "words",
    [
        ("train_correspondence", "--objective", "guessing"),
        ("train_correspondence", "--negatives", "none"),
        ("train_correspondence", "--ear", "runs/x"),
        ("train_correspondence", "--objective", "contrastive", "--negatives", "class-aware"),
        ("train_correspondence", "--objective", "labels", "--negatives", "class-aware"),
        ("train_correspondence", "--judge", "runs/x"),
        ("retrieve",),
        ("retrieve", "a", "--top", "0"),
        ("retrieve", "a", "--top", "101"),
        ("retrieve", "a", *["b.wav"] * 101),
        ("retrieve", "a", "--backend", "torch"),
    ],
)
def test_bad_flags(words, inside, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, output, errors = inside(*words)
    assert (code, output) == (2, "")
    assert errors.startswith("usage: ")
    assert "error: " in errors
    assert not list(tmp_path.iterdir())


# Search


def test_retrieve(place, contrastive):
    code, output, errors = finish(start(place, "retrieve", "runs/contrastive-toy"))
    assert code == 0, errors
    folder = place / "runs" / "contrastive-toy"
    found, summary = read(folder / "retrieval.json"), read(folder / "summary.json")
    assert found.keys() >= {"run", "flags", "data", "environment"}
    assert found["tables"].keys() == WAYS
    row = found["tables"]["audio_to_image"]
    assert (row["queries"], row["database"]) == (150, 1000)
    assert row["recall_1"]["rate"] == summary["recall_1"]
    assert row["recall_1"]["chance"] == pytest.approx(0.1)
    assert row["ndcg_30"]["rate"] == pytest.approx(summary["ndcg_30"])
    assert len(row["recall_1"]["per_digit"]) == 10
    assert f"{100 * row['recall_1']['rate']:.1f} (10.0)" in output
    assert png(folder / "retrieval.png")


def test_retrieve_for_one_s_own_sounds(place, contrastive, inside, monkeypatch, tmp_path):
    monkeypatch.chdir(place)
    sounds = ("seven.wav", "se$ven$ \u00fc.flac", "loud.wav")
    words = ("runs/contrastive-toy", *sounds, "--top", "5", "--out", tmp_path)
    code, output, errors = inside("retrieve", *words)
    assert code == 0
    assert errors.startswith("warning: loud.wav: ")
    *lines, last = output.splitlines()
    for sound, line in zip(sounds, lines, strict=True):
        name, digits = line.split(": the nearest pictures show ")
        assert name == sound
        assert len(digits.split()) == 5
    assert last == f"pictures: {tmp_path / 'found.png'}"
    assert [path.name for path in tmp_path.iterdir()] == ["found.png"]
    assert inside("retrieve", *words, "--quiet")[1] == ""


def test_a_correspondence_searches_by_verdict(
    place,
    correspondence,
    inside,
    monkeypatch,
    tmp_path,
):
    monkeypatch.chdir(place)
    code, output, errors = inside("retrieve", "runs/correspondence-toy", "--out", tmp_path / "x")
    assert (code, errors) == (0, "")
    found = read(tmp_path / "x" / "retrieval.json")["tables"]
    assert found.keys() == WAYS | {"by_verdict"}
    summary = read(place / "runs" / "correspondence-toy" / "summary.json")
    assert found["by_verdict"]["recall_1"]["rate"] == summary["recall_1"]
    assert "by_verdict" in output


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ("runs", "is not the folder of a run"),
        ("missing", "is not the folder of a run"),
        ("text.wav", "is not the folder of a run"),
        ("runs/lenet5-toy", "a run of 'lenet5', not of an eye and an ear"),
        ("runs/vae-toy", "a run of 'vae', not of an eye and an ear"),
    ],
)
def test_retrieve_with_a_run_of_another_kind(
    place,
    vae,
    run,
    message,
    inside,
    monkeypatch,
    tmp_path,
):
    monkeypatch.chdir(place)
    code, output, errors = inside("retrieve", run, "--out", tmp_path / "out")
    assert (code, output) == (2, "")
    assert errors.startswith("error: ")
    assert message in errors
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("sounds", "message"),
    [
        (["seven.wav", "missing.wav"], "missing.wav: no such file"),
        (["text.wav"], "text.wav: not readable as audio"),
        (["silent.wav"], "silent.wav: silent"),
    ],
)
def test_one_bad_sound_and_nothing_is_written(
    place,
    contrastive,
    sounds,
    message,
    inside,
    monkeypatch,
    tmp_path,
):
    monkeypatch.chdir(place)
    words = ("runs/contrastive-toy", *sounds, "--out", tmp_path / "out")
    code, output, errors = inside("retrieve", *words)
    assert (code, output) == (2, "")
    assert f"error: {message}" in errors
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_way_of_out(place, contrastive, inside, monkeypatch):
    monkeypatch.chdir(place)
    for out in ("text.wav", "text.wav/run"):
        code, output, errors = inside("retrieve", "runs/contrastive-toy", "--out", out)
        assert (code, output) == (2, "")
        assert f"error: cannot write {out}: " in errors
    assert (place / "text.wav").read_text() == "seven"


# A judge for free


def test_evaluate_with_a_retrieval(place, vae, contrastive, inside, monkeypatch, tmp_path):
    monkeypatch.chdir(place)
    words = ("runs/vae-toy", "--retrieval", "runs/contrastive-toy", "--out", tmp_path)
    code, output, errors = inside("evaluate", *words)
    assert (code, errors) == (0, "")
    assert (
        "rank of the own clip: 8.0 where the digit is all that it shows, 75.5 by chance" in output
    )
    found = read(tmp_path / "retrieval.json")
    assert found.keys() >= {"run", "retrieval_run", "judge_run", "flags", "data"}
    assert found["rows"].keys() == {"mu", "drawn", "real", "shuffled"}
    agreement = read(tmp_path / "evaluation.json")["agreement_unique"]["rate"]
    assert found["rows"]["mu"]["lenet5"]["rate"] == pytest.approx(agreement)
    assert found["rows"]["real"]["recall_1"]["rate"] > 0.4
    assert found["rows"]["real"]["own"]["rank"] < found["rows"]["shuffled"]["own"]["rank"]
    assert "retrieval.json" in output.splitlines()[-1]


def test_evaluate_with_what_is_no_retrieval_or_heard_other_clips(
    place,
    vae,
    correspondence,
    inside,
    monkeypatch,
    tmp_path,
):
    monkeypatch.chdir(place)
    out = ("--out", tmp_path / "out")
    for run, message in (
        ("runs/correspondence-toy", "a run of 'correspondence', not of a retrieval"),
        ("missing", "is not the folder of a run"),
    ):
        code, output, errors = inside("evaluate", "runs/vae-toy", "--retrieval", run, *out)
        assert (code, output) == (2, "")
        assert message in errors
    other = ("--objective", "contrastive", "--seed", "1", "--out", tmp_path / "run")
    assert inside("train_correspondence", *other, "--epochs", "0", *FEW)[0] == 0
    words = ("runs/vae-toy", "--retrieval", tmp_path / "run", *out)
    code, output, errors = inside("evaluate", *words)
    assert (code, output) == (2, "")
    assert "has other test clips" in errors
    assert not any((tmp_path / "out").iterdir())


def test_the_voices_that_it_is_tested_on_are_new():
    assert not toy.TEST_VOICES.keys() & toy.TRAIN_VOICES.keys()
