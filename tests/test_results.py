"""The pages say what the result files say."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results"


def script(name):
    spec = importlib.util.spec_from_file_location(name, RESULTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["README.md", "docs/results/README.md"])
def test_tables_are_those_of_the_result_files(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert script("tables").filled(text) == text, "run python docs/results/tables.py --write"


def test_a_changed_number_would_be_noticed():
    text = (ROOT / "docs/results/README.md").read_text(encoding="utf-8")
    cell = re.search(r"\| split \d+ \| (\d+\.\d) %", text)
    changed = text.replace(cell[1], "12.3")
    assert script("tables").filled(changed) != changed


@pytest.mark.parametrize("path", sorted(RESULTS.glob("**/*.json")), ids=lambda path: path.stem)
def test_result_files_name_no_place_on_a_machine(path):
    assert not re.search(r'"/|\\\\', json.dumps(json.loads(path.read_text(encoding="utf-8"))))


@pytest.mark.parametrize("page", ["README.md", "docs/README.md", "docs/results/README.md"])
def test_links_lead_somewhere(page):
    place = (ROOT / page).parent
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text(encoding="utf-8")):
        if not target.startswith("https://"):
            assert (place / target).exists(), target


def test_readme_python_runs():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    check, protocol = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict = {}
    exec(check, names)
    assert (
        max(names["gradcheck"].check_layer(names["layer"], names["np"].ones((1, 9, 7, 3))).values())
        < 1e-6
    )
    names["X"] = names["np"].ones((1, 9, 7, 3))
    names["dY"] = names["layer"](names["X"])
    exec(protocol, names)
    assert names["dX"].shape == (1, 9, 7, 3)
