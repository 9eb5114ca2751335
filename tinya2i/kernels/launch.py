"""Compiling kernels.cu, packing arguments, and how many threads a kernel is started with."""

import functools
import os
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from tinya2i.backend import Array, array_module

SOURCE = Path(__file__).with_name("kernels.cu")
REAL = {"f": "float", "d": "double"}  # the dtypes that the kernels are compiled for
THREADS = 256  # in a block, where they do not wait for one another
WARP = 32  # threads that read memory together
BLOCKS = 1024  # fills any card of today; a constant, so that no sum depends on the card
LARGEST = 1 << 30  # numbers in an array: the kernels count in 32 bits, and one stride further
# Off: CuPy's own array code takes their place, to compare with, or where they cannot be compiled.
ON = os.environ.get("TINYA2I_KERNELS", "on") != "off"
NULL = np.uint64(0)  # a pointer to nothing; None would leave out the argument
TYPES = {"int": np.int32, "double": np.float64}
Grid = tuple[int, int]


def usable(X: Array) -> bool:
    """Whether the kernels take X: a CuPy array of float32 or float64, and they are not off."""
    xp = array_module(X)
    return ON and xp is not np and X.dtype.char in REAL and hasattr(xp, "RawModule")


def launch(name: str, dtype: np.dtype, grid: Grid, block: Grid, *arguments: Any) -> None:
    """Start the kernel of that name, compiled for REAL = dtype, on the current stream.

    Arguments are packed as the source declares them, arrays as pointers and None as NULL. Raises
    TypeError and ValueError for arrays of another dtype, in another order than C, or too large for
    32-bit indices: CuPy itself passes on the bytes of whatever it is given.
    """
    xp = array_module(next(value for value in arguments if hasattr(value, "size")))
    kernel, parameters = _kernel(name, xp, dtype.char)
    packed = []
    for (kind, is_pointer), value in zip(parameters, arguments, strict=True):
        if not is_pointer:
            value = kind(value)
        elif value is None:
            value = NULL
        elif value.dtype != kind:
            raise TypeError(f"{name}: an array of {value.dtype} where {kind.__name__} is expected")
        elif not value.flags.c_contiguous or value.size >= LARGEST:
            raise ValueError(
                f"{name}: {value.shape} must be in C order and below {LARGEST} numbers"
            )
        packed.append(value)
    kernel(grid, block, tuple(packed))


@functools.cache
def _kernel(name: str, xp: ModuleType, char: str) -> tuple[Any, list[tuple[type, bool]]]:
    """The compiled kernel, and for each parameter its type and whether it is a pointer."""
    types = {**TYPES, "REAL": np.dtype(char).type}
    declared = re.search(rf"__global__ void {name}\(([^)]*)\)", _source())[1].split(",")
    words = [re.match(r"\s*(?:const )?([\w ]+?)(\*?) \w+$", text) for text in declared]
    return _module(xp, char).get_function(name), [(types[w[1]], bool(w[2])) for w in words]


@functools.cache
def _module(xp: ModuleType, char: str) -> Any:
    return xp.RawModule(code=_source(), options=(f"-DREAL={REAL[char]}",))


@functools.cache
def _source() -> str:
    return SOURCE.read_text(encoding="utf-8")


def lines(count: int, width: int) -> tuple[Grid, Grid]:
    """(grid, block) for `count` lines of `width` numbers: x along a line, y and blocks over lines.

    A thread may take several numbers of its line, which share the arithmetic of where it lies.
    """
    x = min(2 * WARP, power_of_two(width))
    y = THREADS // x
    return (-(-count // y), 1), (x, y)


def table(rows: int, c: int, blocks: int = BLOCKS, threads: int = THREADS) -> tuple[Grid, Grid]:
    """(grid, block) for a matrix: x along columns, y and at most `blocks` blocks over rows.

    Where there are few columns, more threads share the rows; each takes at least four of them.
    """
    x = min(WARP, power_of_two(c))
    y = min(threads // x, power_of_two(rows))
    return (max(1, min(blocks, rows // (4 * y))), -(-c // x)), (x, y)


def power_of_two(size: int) -> int:
    """The smallest power of two that is at least `size`."""
    return 1 << max(0, size - 1).bit_length()
