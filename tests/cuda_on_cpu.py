"""cupy.RawModule for strict_cupy: compiles CUDA source with g++ and runs it on the host's arrays.

    strict_cupy.install(monkeypatch, kernels=True)
    xp.RawModule(code=source, options=("-DREAL=float",)).get_function("name")(grid, block, args)

A launch is stricter than CuPy's, which passes on the bytes of whatever it is given: arguments must
be what the kernel declares, arrays C-contiguous, the grid within a card's limits. Every array is
copied between walls of NaN (0 for integers) and back: a number read beyond an array spoils the
result, one written beyond raises an error. cuda_on_cpu.h says what this cannot show.
"""

import ctypes
import functools
import hashlib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

HEADER = Path(__file__).with_name("cuda_on_cpu.h")
COMPILER = next(filter(None, map(shutil.which, ("g++", "clang++", "c++"))), None)
FLAGS = ("-std=c++20", "-O2", "-ffp-contract=off", "-fPIC", "-shared", "-w")
WALL = 1 << 14  # numbers on either side of an array
SIGNATURE = re.compile(r'extern "C" __global__ void (\w+)\(([^)]*)\)')
TYPES = {"int": np.int32, "float": np.float32, "double": np.float64}
# Signalling NaN: arithmetic makes it a quiet one, so that not even its own NaN hides a write.
WALLS = {"f": np.uint32(0x7FA00000), "d": np.uint64(0x7FF4000000000000)}
order = {"backwards": False}  # which thread of a block comes first


def signatures(source: str, real: str) -> dict[str, list[tuple[str, np.dtype, bool, bool]]]:
    """{kernel: [(parameter, dtype, is it a pointer, is it const), ...]}"""
    found = {}
    for name, parameters in SIGNATURE.findall(source):
        found[name] = []
        for text in parameters.split(","):
            words = re.fullmatch(r"\s*(const )?([\w ]+?)(\*?) (\w+)", text)
            kind = np.dtype(TYPES[real if words[2] == "REAL" else words[2]])
            found[name].append((words[4], kind, bool(words[3]), bool(words[1])))
    return found


@functools.cache
def _folder() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="cuda_on_cpu")


@functools.cache
def build(source: str, options: tuple[str, ...]) -> ctypes.CDLL:
    """The source as a library with a function launch_NAME for each kernel."""
    glue = "".join(
        f'extern "C" const char* launch_{name}(const unsigned* grid, const unsigned* block, '
        f"void** arguments, int backwards)\n"
        f"{{ return cuda_on_cpu::launch({name}, grid, block, arguments, backwards); }}\n"
        for name, _ in SIGNATURE.findall(source)
    )
    path = Path(_folder().name) / hashlib.sha256(f"{source}{options}".encode()).hexdigest()[:16]
    path.with_suffix(".cpp").write_text(f'#include "{HEADER}"\n{source}\n{glue}', "utf-8")
    command = [COMPILER, *FLAGS, *options, "-o", f"{path}.so", f"{path}.cpp"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise RuntimeError(f"{COMPILER} refuses the source:\n{done.stderr}")
    return ctypes.CDLL(f"{path}.so")


class RawModule:
    """cupy.RawModule, as far as it is used."""

    def __init__(self, code=None, *, options=()):
        if not isinstance(code, str) or not isinstance(options, tuple):
            raise TypeError("code must be a str and options a tuple")
        self.code, self.options = code, options

    def get_function(self, name: str) -> "RawKernel":
        real = next(o.removeprefix("-DREAL=") for o in self.options if o.startswith("-DREAL="))
        parameters = signatures(self.code, real)
        if name not in parameters:
            raise RuntimeError(f"CUDA_ERROR_NOT_FOUND: named symbol not found: {name}")
        return RawKernel(name, build(self.code, self.options), parameters[name])


class RawKernel:
    """cupy.RawKernel: call it with grid, block and arguments."""

    def __init__(self, name, library, parameters):
        self.name, self.parameters = name, parameters
        self.function = getattr(library, f"launch_{name}")
        self.function.restype = ctypes.c_char_p

    def __call__(self, grid, block, args, *, shared_mem=0):
        grid, block = _dims(grid), _dims(block)
        if np.prod(block) > 1024 or grid[1] > 65535 or grid[2] > 65535 or grid[0] >= 1 << 31:
            raise RuntimeError(f"CUDA_ERROR_INVALID_VALUE: grid {grid}, block {block}")
        if len(args) != len(self.parameters):
            raise TypeError(f"{self.name} takes {len(self.parameters)} arguments, not {len(args)}")
        walled: dict[int, Walled] = {}
        pairs = zip(self.parameters, args, strict=True)
        packed = [self._pack(parameter, value, walled) for parameter, value in pairs]
        pointers = (ctypes.c_void_p * len(packed))(*(value.ctypes.data for value in packed))
        c_grid, c_block = (np.array(dims, np.uint32) for dims in (grid, block))
        problem = self.function(
            ctypes.c_void_p(c_grid.ctypes.data), ctypes.c_void_p(c_block.ctypes.data), pointers,
            int(order["backwards"]),
        )  # fmt: skip
        if problem:
            raise RuntimeError(f"{self.name}: {problem.decode()}")
        for array in walled.values():
            array.check(self.name)

    def _pack(self, parameter, value, walled) -> np.ndarray:
        """The value, or the address, as an array of one number that stays alive for the call."""
        name, kind, is_pointer, is_const = parameter
        what = f"{self.name}({name})"
        if isinstance(value, (np.generic, int, float)):
            value = np.asarray(value)  # a Python int is 64 bits wide, a float a double
            if value.dtype != (np.dtype(np.uint64) if is_pointer else kind):
                raise TypeError(f"{what} wants {kind}, not {value.dtype}")
            if is_pointer and value:
                raise TypeError(f"{what} is a pointer to {value}")
            return value.reshape(1)
        A = getattr(value, "_host", None)
        if not is_pointer or A is None or A.dtype != kind:
            raise TypeError(f"{what} wants {kind}{'*' * is_pointer}, not {type(value)}")
        if not A.flags.c_contiguous:
            raise ValueError(f"{what}: RawKernel ignores strides, and these are {A.strides}")
        array = walled.setdefault(A.ctypes.data, Walled(A))
        array.written |= not is_const
        return np.array([array.inside.ctypes.data], np.uint64)


class Walled:
    """A copy of a host array between walls."""

    def __init__(self, A: np.ndarray):
        self.A, self.written = A, False
        self.wall = np.full(WALL, WALLS.get(A.dtype.char, 0)).view(A.dtype)[:WALL]
        self.whole = np.concatenate([self.wall, np.empty(A.size, A.dtype), self.wall])
        self.inside = self.whole[WALL : WALL + A.size]
        self.inside[...] = A.ravel()

    def check(self, kernel: str) -> None:
        """Complain of a broken wall; put the numbers back where the kernel may write."""
        walls = (self.whole[:WALL], self.whole[WALL + self.A.size :])
        if any(wall.tobytes() != self.wall.tobytes() for wall in walls):
            raise RuntimeError(f"{kernel} wrote beyond an array of shape {self.A.shape}")
        if self.written:
            self.A[...] = self.inside.reshape(self.A.shape)


def _dims(dims) -> tuple[int, int, int]:
    if not isinstance(dims, tuple) or not all(type(d) is int for d in dims) or len(dims) > 3:
        raise TypeError(f"a grid or block is a tuple of up to three ints, not {dims!r}")
    return tuple(max(1, d) for d in (*dims, 1, 1)[:3])
