"""What a run's numbers depend on beside its flags: versions, device, threads, commit."""

import functools
import importlib.metadata
import platform
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import tinya2i
from tinya2i.backend import device_name
from tinya2i.kernels import cublas
from tinya2i.threads import thread_count


def environment(xp: ModuleType = np) -> dict[str, Any]:
    """JSON-able description of this process; xp is the array module that the run computes with."""
    products = {} if xp is np else {"tf32": cublas.allow_tf32}
    return {
        "tinya2i": tinya2i.__version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": importlib.metadata.version("scipy"),
        "cupy": None if xp is np else xp.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "device": device_name(xp),
        "threads": thread_count(),
        **products,
    }


@functools.cache
def _commit() -> str | None:
    """The commit of the checkout that this package is imported from, if it is one."""
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():  # installed: a repository further up is somebody else's
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None
