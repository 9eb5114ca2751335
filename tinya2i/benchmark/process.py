"""Measurements that need a process of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import tinya2i
from tinya2i.errors import RunError


def answer(module: str, *words: object) -> Any:
    """What `python -m module words` prints, as JSON. RunError, with its last line, if it fails."""
    root = str(Path(tinya2i.__file__).parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    child = subprocess.run(
        [sys.executable, "-m", module, *map(str, words)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    if child.returncode != 0:
        reason = (child.stderr.strip().splitlines() or [f"exit code {child.returncode}"])[-1]
        raise RunError(
            f"{module} {' '.join(map(str, words))} failed in its own process ({reason}): "
            "if memory ran out, try a smaller --batch-size"
        )
    return json.loads(child.stdout)
