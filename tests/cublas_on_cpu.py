"""cuBLAS for strict_cupy: fake_cublas.c, compiled, to be found where CuPy's own would be.

    cublas_on_cpu.install(monkeypatch)   # beside strict_cupy.install, which it needs

fake_cublas.c checks arguments as the documentation says and multiplies on the CPU.
"""

import ctypes
import functools
import shutil
import subprocess
import sys
import tempfile
import types
from pathlib import Path

import pytest
import strict_cupy

from tinya2i.kernels import cublas

SOURCE = Path(__file__).with_name("fake_cublas.c")


def install(monkeypatch) -> None:
    """For the rest of the test; it is skipped where there is no C compiler."""
    path = library()
    monkeypatch.setattr(strict_cupy.cupy.cuda, "alloc", allocate, raising=False)
    found = types.ModuleType("cuda.pathfinder")
    found.load_nvidia_dynamic_lib = lambda name: types.SimpleNamespace(
        abs_path={"cublas": str(path)}[name]
    )
    monkeypatch.setitem(sys.modules, "cuda", types.ModuleType("cuda"))
    monkeypatch.setitem(sys.modules, "cuda.pathfinder", found)


@functools.cache
def _folder() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="cublas_on_cpu")


@functools.cache
def library() -> Path:
    """The path of the stand-in, compiled."""
    compiler = next(filter(None, map(shutil.which, ("gcc", "clang", "cc"))), None)
    if compiler is None:
        pytest.skip("no C compiler: cuBLAS's interface is not tested")
    path = Path(_folder().name) / "libcublas.so"
    options = ["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run([compiler, *options, "-o", path, SOURCE], check=True, timeout=60)
    return path


def allocate(size):
    """cupy.cuda.alloc: memory that begins where a card's would."""
    memory = ctypes.create_string_buffer(size + 512)
    address = ctypes.addressof(memory)
    return types.SimpleNamespace(ptr=address + -address % 512, mem=memory)


def forget() -> None:
    """What tinya2i has found of cuBLAS, so that it looks again."""
    cublas._library.cache_clear()
    cublas._handle.cache_clear()
