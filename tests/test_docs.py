"""The course: quotes equal the library, formulas are numbered and asserted, figures stay true."""

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
CHAPTERS = sorted(DOCS.glob("[0-9][0-9]-*.md"))
PAGES = sorted(DOCS.glob("*.md"))
FIGURES = sorted(DOCS.glob("figures/ch*.py"))
PARTS = (  # of every chapter, in this order
    "The picture", "By hand", "Derivation", "The code", "Exercises", "Misconceptions",
    "What this chapter leaves out", "Where it comes from",
)  # fmt: skip


@pytest.fixture(autouse=True)
def on_path(monkeypatch):
    for folder in ("tools", "figures"):
        monkeypatch.syspath_prepend(DOCS / folder)


def tool(name):
    return importlib.import_module(name)


def by_name(path):
    return path.stem


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_quotes_are_the_librarys_code(page):
    assert tool("quotes").drifts(page) == []


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_formulas_show_on_github(page):
    assert tool("maths").lint(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", CHAPTERS, ids=by_name)
def test_every_formula_has_a_number_and_is_asserted(page):
    text = page.read_text(encoding="utf-8")
    assert tool("maths").numbering(text, int(page.name[:2])) == []


def test_formulas_that_are_mentioned_exist():
    maths = tool("maths")
    texts = {page.name: page.read_text(encoding="utf-8") for page in CHAPTERS}
    known = {each.number for text in texts.values() for each in maths.formulas(text)}
    for name, text in texts.items():
        for _, part in maths.prose(text):
            for number in maths.MENTION.findall(part):
                assert number in known, f"{name} speaks of ({number})"


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_links_and_pictures_are_there(page):
    text = page.read_text(encoding="utf-8")
    for _, part in tool("maths").prose(text):
        for target in re.findall(r"\]\(([^)#\s]+)", part):
            if not target.startswith("https://"):
                assert (page.parent / target).exists(), target
    assert "http://" not in text


@pytest.mark.parametrize("page", CHAPTERS, ids=by_name)
def test_chapters_have_the_same_parts_and_end_in_time(page):
    text = page.read_text(encoding="utf-8")
    assert text.count("\n") <= 420
    assert text.startswith(f"# {int(page.name[:2])}. ")
    assert "**The question.**" in text.split("## ")[0]
    if page.name[:2] != "00":
        heads = re.findall(r"^## (.*)$", text, re.MULTILINE)
        assert [head for head in heads if head in PARTS] == list(PARTS)


def spellings():
    """{wrong: right} from the table in notation.md."""
    table = (DOCS / "notation.md").read_text(encoding="utf-8").split("## Spelling")[1]
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", table, re.MULTILINE)[1:]
    return {w.strip(" `"): right for right, wrong in rows for w in wrong.split(",")}


def misspelt(text):
    return [w for w in spellings() if re.search(rf"(?<![\w-]){re.escape(w)}(?![\w-])", text)]


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_names_are_spelt_as_in_the_notation(page):
    text = page.read_text(encoding="utf-8").split("## Spelling")[0]
    found = misspelt(text)
    assert not found, {wrong: spellings()[wrong] for wrong in found}


def test_another_spelling_is_noticed():
    assert "log_var" in spellings()
    assert misspelt("so log_var is") == ["log_var"]
    assert misspelt("so `logvar` and my_log_var are") == []


@pytest.mark.parametrize("script", FIGURES, ids=by_name)
def test_figures_say_what_they_said(script):
    module = importlib.import_module(script.stem)
    kept = json.loads((DOCS / "img" / f"{script.stem}.json").read_text(encoding="utf-8"))
    same(tool("figure").plain(module.numbers()), kept)
    assert (DOCS / "img" / f"{script.stem}.png").stat().st_size < 300_000


def same(A, B):
    """Nested lists and dicts of numbers, equal but for rounding."""
    if isinstance(B, dict):
        assert A.keys() == B.keys()
        for name in B:
            same(A[name], B[name])
    elif isinstance(B, list) and B and isinstance(B[0], list | dict | str):
        assert len(A) == len(B)
        for a, b in zip(A, B, strict=True):
            same(a, b)
    elif isinstance(B, str | None | bool):
        assert A == B
    else:
        np.testing.assert_allclose(A, B, rtol=1e-5, atol=1e-8)


def test_every_picture_is_shown_and_has_a_script():
    shown = set(re.findall(r"img/(\w+)\.png", "".join(p.read_text("utf-8") for p in PAGES)))
    assert shown == {script.stem for script in FIGURES}
    assert shown == {path.stem for path in DOCS.glob("img/*.png")}


def test_the_contents_count_what_is_there():
    text = (DOCS / "README.md").read_text(encoding="utf-8")
    assert tool("counts").filled(text) == text, "run python docs/tools/counts.py --write"
    for page in CHAPTERS:
        assert f"]({page.name})" in text


# Negative controls: what must fail does, and says where


@pytest.fixture
def copy(tmp_path):
    """A folder with one chapter, changed, and what runs it."""

    def make(change):
        text = (DOCS / "01-layers.md").read_text(encoding="utf-8")
        changed = change(text)
        assert changed != text
        (tmp_path / "01-layers.md").write_text(changed, encoding="utf-8")
        (tmp_path / "conftest.py").write_bytes((DOCS / "conftest.py").read_bytes())
        return tmp_path / "01-layers.md"

    return make


def run(page):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(page)]
    command += ["--rootdir", str(page.parent), "-c", str(ROOT / "pyproject.toml")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    return done.returncode, done.stdout + done.stderr


def test_a_wrong_sign_in_a_formulas_check_fails_with_its_line(copy):
    page = copy(lambda text: text.replace("close(dX, dY @ W.T)", "close(dX, -dY @ W.T)"))
    code, said = run(page)
    line = page.read_text("utf-8").split("close(dX, -dY")[0].count("\n") + 1
    assert code == 1
    assert f"01-layers.md:{line}" in said


def test_a_wrong_output_fails_with_its_line(copy):
    page = copy(lambda text: text.replace("5.0 20.0 30.0 10.0", "5.0 20.0 30.0 11.0"))
    code, said = run(page)
    assert code == 1
    assert "but this is printed" in said
    assert "01-layers.md" in said


def test_a_changed_line_of_the_library_is_noticed_with_its_line(copy):
    page = copy(lambda text: text.replace("    Y += b.data\n", "    Y -= b.data\n"))
    (said,) = tool("quotes").drifts(page)
    assert re.match(r"01-layers.md:\d+: tinya2i.layers.Linear.forward has changed", said)
    assert "Y += b.data" in tool("quotes").fixed(page.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("# (1.3)", "# 1.3"), "(1.3) is not asserted"),
        (("**(1.4)**", "**(1.5)**"), "the numbers are"),
        (("**(1.4)** ", ""), "without a number"),
        (("close(linear.b.grad, dY.sum(axis=0))", "dY.sum(axis=0)"), "(1.4) is not asserted"),
    ],
)
def test_a_formula_that_nobody_checks_is_noticed(change, said):
    text = (DOCS / "01-layers.md").read_text(encoding="utf-8")
    changed = text.replace(*change, 1)
    assert changed != text
    assert any(said in line for line in tool("maths").numbering(changed, 1))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a $$ b", "instead of"),
        ("```math\n\\frac12\n```\n", "without braces"),
        ("so $\\{x\\}$ is", "eats the backslash"),
        ("so $a_{i} b_{j}$ is", "emphasis"),
        ("```math\n\\operatorname{x}\n```\n", "does not work"),
    ],
)
def test_maths_that_github_would_spoil_is_noticed(text, said):
    (line,) = tool("maths").lint(text)
    assert said in line


def test_good_maths_passes():
    text = "so $a_{i} b$ and $`\\{a_{i}, b_{j}\\}`$, `code $x$`\n\n```math\n\\frac{1}{2}\n```\n"
    assert tool("maths").lint(text) == []
