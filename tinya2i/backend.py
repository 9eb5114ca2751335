"""Which array module an array belongs to, and moving arrays between them.

The array decides: code asks `array_module(X)` and never a global switch, so two backends can be
used side by side. This is the only file that imports cupy.
"""

import sys
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

from tinya2i.errors import BackendError

Array: TypeAlias = Any  # numpy.ndarray or cupy.ndarray

INSTALL = (
    "install it with  pip install 'cupy-cuda13x[ctk]'  (CUDA 13 drivers) or  "
    "pip install 'cupy-cuda12x[ctk]'  (CUDA 12), or use --backend numpy"
)


def array_module(X: Array) -> ModuleType:
    """numpy for a NumPy array or scalar, cupy for a CuPy array; TypeError for anything else."""
    if isinstance(X, (np.ndarray, np.generic)):
        return np
    cupy = sys.modules.get("cupy")  # a CuPy array cannot exist before somebody imported cupy
    if cupy is not None and isinstance(X, cupy.ndarray):
        return cupy
    raise TypeError(f"expected a NumPy or CuPy array, got {type(X).__name__}")


def get(name: str) -> ModuleType:
    """The array module called "numpy", "cupy", or "auto" (cupy where it works, else numpy).

    Raises BackendError where "cupy" is asked for and CuPy or a GPU is missing.
    """
    if name == "numpy":
        return np
    if name == "cupy":
        return _usable_cupy()
    if name == "auto":
        try:
            return _usable_cupy()
        except BackendError:
            return np
    raise BackendError(f"no backend is called {name!r}: use auto, numpy or cupy")


def _usable_cupy() -> ModuleType:
    try:
        import cupy
    except ImportError as error:
        raise BackendError(f"--backend cupy: CuPy is not installed; {INSTALL}") from error
    try:
        devices = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # CuPy raises CUDARuntimeError, which cannot be named without it
        cause = f"CuPy finds no usable GPU ({error})"
        raise BackendError(f"--backend cupy: {cause}; {INSTALL}") from error
    if devices == 0:
        raise BackendError(f"--backend cupy: this machine has no NVIDIA GPU; {INSTALL}")
    return cupy


def to_numpy(X: Array) -> np.ndarray:
    """The same numbers as a NumPy array (a copy from the device; the array itself on the CPU)."""
    xp = array_module(X)
    return np.asarray(X) if xp is np else xp.asnumpy(X)


def to_device(X: Array, xp: ModuleType) -> Array:
    """The same numbers as an array of module xp."""
    return to_numpy(X) if xp is np else xp.asarray(X)


def device_name(xp: ModuleType) -> str:
    """What the arrays of xp are computed on, in words, for logs."""
    if xp is np:
        return _cpu_name()
    properties = xp.cuda.runtime.getDeviceProperties(xp.cuda.runtime.getDevice())
    return properties["name"].decode()


def _cpu_name() -> str:
    import platform

    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
