"""The exercises: every solution passes its checker, every named mistake is refused by name."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parent.parent
CHAPTERS = sorted(path.stem for path in (DOCS / "exercises").glob("ex*.py"))


@pytest.fixture(autouse=True)
def on_path(monkeypatch):
    monkeypatch.syspath_prepend(DOCS / "exercises")


def load(folder, chapter):
    spec = importlib.util.spec_from_file_location(
        f"{folder}_{chapter}", DOCS / folder / f"{chapter}.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def checking():
    return importlib.import_module("checking")


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_exercise_has_a_checker_a_solution_and_three_wrong_answers(chapter):
    names = set(checking().checks(chapter))
    tasks, solutions = load("exercises", chapter), load("solutions", chapter)
    stubs = {n for n, f in vars(tasks).items() if getattr(f, "__module__", "") == tasks.__name__}
    assert stubs == names == set(solutions.WRONG)
    assert names
    for wrong in solutions.WRONG.values():
        assert len(wrong) >= 3


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_solutions_pass(chapter):
    solutions = load("solutions", chapter)
    for name, check in checking().checks(chapter).items():
        check(getattr(solutions, name))


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_wrong_answers_are_refused_by_name(chapter):
    checks, wrong = checking().checks(chapter), load("solutions", chapter).WRONG
    for exercise, answers in wrong.items():
        for mistake, (answer, said) in answers.items():
            with pytest.raises(checking().Wrong) as info:
                checks[exercise](answer)
            assert said in str(info.value), f"{exercise}, {mistake}"


def test_an_answer_that_stops_does_not_hide_the_others(capsys):
    def stops(*arguments):
        raise ZeroDivisionError("by hand")

    solutions = load("solutions", "ex01")
    answers = {**vars(solutions), "linear_backward": stops, "__file__": "ex01.py"}
    with pytest.raises(SystemExit) as info:
        checking().run(answers)
    said = capsys.readouterr().out
    assert info.value.code == 1
    assert "linear_backward: your function stopped with ZeroDivisionError: by hand" in said
    assert "broadcast_backward: right" in said


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_who_has_not_begun_is_told_so(chapter):
    command = [sys.executable, str(DOCS / "exercises" / f"{chapter}.py")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(load("solutions", chapter).WRONG)
    assert all(line.endswith("not done yet") for line in lines)
