"""Matrix products by cuBLAS through ctypes: C = A B or C = C + A B.

CuPy's own products refuse to be captured in a CUDA graph, cannot add to their output, and take TF32
from an environment variable. Here each stream has a handle of its own, whose stream is set once and
whose workspace after it (setting the stream takes the workspace away), so that a product during
capture allocates nothing. cuBLAS documentation, sections 2.1.12, 2.4.7, 2.4.8 and 2.8.12.
"""

import ctypes
import functools
from types import ModuleType
from typing import Any

import numpy as np

from tinya2i.backend import Array, array_module
from tinya2i.errors import BackendError
from tinya2i.kernels import launch

allow_tf32 = False  # see set_tf32

WORKSPACE = 32 << 20  # bytes: what NVIDIA recommends for Hopper
NO_TRANSPOSE, TRANSPOSE = 0, 1
DEFAULT_ALGORITHM = -1
FAST_TF32 = 77
# dtype: cudaDataType_t, cublasComputeType_t, and the type of alpha and beta.
TYPES = {"f": (0, 68, ctypes.c_float), "d": (1, 70, ctypes.c_double)}
FACTORS = {
    char: (ctypes.byref(kind(0)), ctypes.byref(kind(1))) for char, (*_, kind) in TYPES.items()
}


def set_tf32(on: bool, xp: ModuleType) -> None:
    """From now on float32 products on a GPU round their factors to 10 bits, or do not.

    Hopper multiplies such numbers (TF32) several times as fast. The sums are float32 either way,
    and float64 stays as it is. Raises BackendError where it is asked for without a GPU.
    """
    global allow_tf32
    if on and xp is np:
        raise BackendError("--tf32 is a way in which a GPU multiplies: it needs --backend cupy")
    allow_tf32 = on


def usable(X: Array) -> bool:
    """Whether products of X can be computed here: a CuPy array of float32 or float64."""
    xp = array_module(X)
    return launch.ON and xp is not np and X.dtype.char in TYPES and hasattr(xp.cuda, "alloc")


def matmul(A: Array, B: Array, out: Array | None = None, add: bool = False) -> Array:
    """out = A @ B, or out += A @ B where `add`: A (m, k), B (k, n) -> (m, n), float32 or float64.

    A and B may be transposed or have any distance between rows; others are copied first. `out` has
    neighbouring columns side by side. Raises ValueError for what does not fit together and
    BackendError where cuBLAS is not found.
    """
    xp, (m, k), n = array_module(A), A.shape, B.shape[-1]
    out = xp.empty((m, n), A.dtype) if out is None else out
    fits = B.shape == (k, n) and out.shape == (m, n) and A.dtype == B.dtype == out.dtype
    if fits and 0 in (m, k, n):
        if not add:
            out[...] = 0
        return out
    layout = _layout(out)
    if not fits or layout is None or layout[0]:
        raise ValueError(f"matmul of {A.shape}, {B.shape} into {out.shape} {out.strides}")
    A, (a_turned, a_step) = _addressable(xp, A)
    B, (b_turned, b_step) = _addressable(xp, B)
    data, compute, _ = TYPES[A.dtype.char]
    compute = FAST_TF32 if allow_tf32 and A.dtype.char == "f" else compute
    zero, one = FACTORS[A.dtype.char]
    handle = _handle(xp, xp.cuda.runtime.getDevice(), xp.cuda.get_current_stream().ptr)
    # cuBLAS stores columns one after another, so it sees every matrix transposed: C' = B' A'.
    _call(
        "cublasGemmEx", handle.pointer, b_turned, a_turned, n, m, k, one, B.data.ptr, data, b_step,
        A.data.ptr, data, a_step, one if add else zero, out.data.ptr, data, layout[1], compute,
        DEFAULT_ALGORITHM,
    )  # fmt: skip
    return out


def _layout(A: Array) -> tuple[int, int] | None:
    """(transposed or not, numbers from one row to the next, or column), None where it has none."""
    for turned, (rows, columns), (far, near) in (
        (NO_TRANSPOSE, A.shape, A.strides),
        (TRANSPOSE, A.shape[::-1], A.strides[::-1]),
    ):
        # Along an axis of one number strides mean nothing.
        step, rest = divmod(far, A.itemsize) if rows > 1 else (max(1, columns), 0)
        if rest == 0 and step >= max(1, columns) and (columns <= 1 or near == A.itemsize):
            return turned, step
    return None


def _addressable(xp: ModuleType, A: Array) -> tuple[Array, tuple[int, int]]:
    """A, or a copy of it, and its layout."""
    layout = _layout(A)
    if layout is None:
        A = xp.ascontiguousarray(A)
        layout = _layout(A)
    return A, layout


class _Handle:
    """cuBLAS's own memory for one stream; it lives as long as the program."""

    def __init__(self, xp: ModuleType, stream: int):
        self.pointer = ctypes.c_void_p()
        self.workspace = xp.cuda.alloc(WORKSPACE)
        _call("cublasCreate_v2", ctypes.byref(self.pointer))
        _call("cublasSetStream_v2", self.pointer, stream)
        _call("cublasSetWorkspace_v2", self.pointer, self.workspace.ptr, WORKSPACE)


@functools.cache
def _handle(xp: ModuleType, device: int, stream: int) -> _Handle:
    return _Handle(xp, stream)


def _call(name: str, *arguments: Any) -> None:
    status = getattr(_library(), name)(*arguments)
    if status:
        raise RuntimeError(f"{name} gives status {status} for {arguments}")


@functools.cache
def _library() -> ctypes.CDLL:
    try:
        from cuda.pathfinder import load_nvidia_dynamic_lib

        library = ctypes.CDLL(load_nvidia_dynamic_lib("cublas").abs_path)
    except (ImportError, RuntimeError, OSError) as error:
        raise BackendError(f"cuBLAS is not found ({error}): install CuPy with [ctk]") from error
    number, pointer = ctypes.c_int, ctypes.c_void_p
    matrix = [pointer, number, number]
    library.cublasCreate_v2.argtypes = [pointer]
    library.cublasSetStream_v2.argtypes = [pointer, pointer]
    library.cublasSetWorkspace_v2.argtypes = [pointer, pointer, ctypes.c_size_t]
    library.cublasGemmEx.argtypes = [
        pointer, *[number] * 5, pointer, *matrix, *matrix, pointer, *matrix, number, number,
    ]  # fmt: skip
    return library
