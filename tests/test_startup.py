"""How fast it starts, what imports what, and how long files and functions are."""

import ast
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = sorted((ROOT / "tinya2i").rglob("*.py"))
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
BUSY = hasattr(os, "getloadavg") and os.getloadavg()[0] > (os.cpu_count() or 1)
# On a machine that is busy with other things, what they take is not ours: CPU time counts there.
CLOCK = "process_time" if BUSY else "perf_counter"
HEAVY = ("matplotlib", "soundfile", "cupy", "scipy", "torch", "librosa")
# Each may import what stands above it, and its own line.
ORDER = (
    ("errors", "workers"),
    ("backend", "threads", "streams", "files", "progress", "interrupt", "metrics"),
    ("ops", "kernels"),
    ("layer", "init"),
    ("layers",),
    ("losses", "optim"),
    ("models",),
    ("checkpoint", "environment", "runs", "loop", "training", "plot", "gradcheck"),
    ("tasks", "benchmark"),
)
APART = {  # beside that order: all that these may import
    "audio": {"errors", "threads"},
    "data": {"audio", "errors", "streams"},
    "flags": set(),
    "cli": {"errors", "flags"},
}
MAY_ALSO = {
    "tasks": {"audio", "data", "cli"},
    "benchmark": {"audio", "data"},
}  # beside what ORDER allows
SEES_NO_MODEL = ("loop", "training", "runs", "checkpoint", "plot", "environment", "metrics")


def python(*words, cwd=None, **environment):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(
        [sys.executable, *map(str, words)],
        env=environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# Start


def clock():
    """Seconds; where the machine is busy, those of CPU time that finished children took."""
    times = os.times()
    return times.children_user + times.children_system if BUSY else time.perf_counter()


def loaded_after(code):
    """(seconds that `code` took in a fresh interpreter, which heavy modules it loaded)."""
    program = (
        f"import sys\nfrom time import {CLOCK} as clock\nbegan = clock()\n{code}\n"
        "print(clock() - began)\n"
        f"print(*sorted({{name.partition('.')[0] for name in sys.modules}} & set({HEAVY})))"
    )
    result = python("-c", program)
    assert result.returncode == 0, result.stderr
    seconds, names = result.stdout.split("\n")[:2]
    return float(seconds), names.split()


def test_import_is_fast_and_loads_nothing_heavy():
    seconds, heavy = min(loaded_after("import tinya2i") for _ in range(5))
    assert heavy == []
    assert seconds < 0.3


@pytest.mark.parametrize("name", ["tinya2i.audio", "tinya2i.data", "tinya2i.plot", "tinya2i.tasks"])
def test_parts_load_nothing_heavy_before_they_are_used(name):
    assert loaded_after(f"import {name}")[1] == []


def test_negative_control_heavy_modules_and_slow_imports_are_noticed():
    pytest.importorskip("scipy")
    seconds, heavy = loaded_after("import tinya2i, scipy\nwhile clock() - began < 0.3: pass")
    assert heavy == ["scipy"]
    assert seconds > 0.3


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_help_is_instant_and_needs_no_data(path, tmp_path):
    times = []
    for _ in range(3):
        began = clock()
        result = python(path, "--help", cwd=tmp_path, TINYA2I_DATA=str(tmp_path / "missing"))
        times.append(clock() - began)
        assert result.returncode == 0, result.stderr
        assert path.name in result.stdout
        if min(times) < 0.5:
            break
    assert min(times) < 0.5
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_opens_with_the_command_lines_that_run_it(path):
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert f"python examples/{path.name}" in text


# Who imports whom


def part(path):
    """tinya2i/layers/conv.py -> layers; tinya2i/ops.py -> ops; tinya2i/__init__.py -> ''."""
    first = path.relative_to(ROOT / "tinya2i").parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


PARTS = {part(path) for path in PACKAGE} - {""}


def imports(source, path):
    """The parts of tinya2i that a file imports, wherever in it, however written."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{module}.{alias.name}" for alias in node.names}
    names = {name.split(".")[1] for name in found if name.startswith("tinya2i.")}
    return names & PARTS


def allowed(name):
    """The parts that part `name` may import."""
    if name in APART:
        return APART[name] | {name}
    rank = next((i for i, parts in enumerate(ORDER) if name in parts), None)
    assert rank is not None, f"say in ORDER where tinya2i/{name} belongs"
    return {other for parts in ORDER[: rank + 1] for other in parts} | MAY_ALSO.get(name, set())


@pytest.mark.parametrize("path", PACKAGE, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path):
    if name := part(path):
        assert imports(path.read_text(encoding="utf-8"), path) <= allowed(name)


def test_training_knows_no_model():
    models = {"ops", "layer", "layers", "losses", "optim", "models", "audio", "data", "init"}
    for path in PACKAGE:
        if part(path) in SEES_NO_MODEL:
            assert not imports(path.read_text(encoding="utf-8"), path) & models, path


def test_negative_control_every_way_of_importing_is_seen():
    path = ROOT / "tinya2i" / "layers" / "conv.py"
    for line in (
        "import tinya2i.models",
        "import tinya2i.models.vae as v",
        "from tinya2i import models",
        "from tinya2i.models import VAE",
        "from tinya2i.models.vae import VAE",
        "from .. import models",
        "from ..models import VAE",
        "def f():\n    from ..models.vae import VAE",
    ):
        assert imports(line, path) == {"models"}
        assert not {"models"} <= allowed("layers")
    assert imports("from . import pool\nimport numpy", path) == {"layers"}
    assert not allowed("audio") & {"layers", "models", "optim"}
    assert "tasks" not in allowed("training")


def test_only_backend_imports_cupy():
    paths = [path for path in (*PACKAGE, *EXAMPLES) if path.name != "backend.py"]
    assert "import cupy" in (ROOT / "tinya2i" / "backend.py").read_text(encoding="utf-8")
    for path in paths:
        assert not re.search(r"(import|from) cupy", path.read_text(encoding="utf-8")), path


def test_the_package_never_imports_the_examples():
    for path in PACKAGE:
        assert not re.search(r"(import|from) examples", path.read_text(encoding="utf-8")), path


# Style


def functions(source):
    """(name, lines) of every function; of a decorator nothing counts."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]
    return [(node.name, node.end_lineno - node.lineno + 1) for node in nodes]


@pytest.mark.parametrize("path", PACKAGE + EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_are_short(path):
    source = path.read_text(encoding="utf-8")
    length = source.count("\n")
    assert length <= 210
    assert [(name, lines) for name, lines in functions(source) if lines > 45] == []


def test_negative_control_a_long_function_is_noticed():
    source = "class A:\n    def f(self):\n" + "        pass\n" * 45
    assert functions(source) == [("f", 46)]


def test_no_path_of_one_machine():
    texts = [*PACKAGE, *EXAMPLES, *ROOT.glob("*.md"), *ROOT.glob("*.toml"), *ROOT.glob("*.cfg")]
    texts += (ROOT / "docs").rglob("*.md")
    pattern = re.compile(r"(?<![\w.~$}])/(home|Users|root|work|tmp|mnt)/\w|[A-Z]:\\\\?\w")
    assert pattern.search("open('/home/me/x')")
    assert not pattern.search("~/work/x and ./tmp/y and /proc/cpuinfo")
    for path in texts:
        found = pattern.search(path.read_text(encoding="utf-8"))
        assert found is None, f"{path}: {found[0]}"
