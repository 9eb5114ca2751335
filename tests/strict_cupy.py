"""A stand-in for CuPy that computes with NumPy and refuses what CuPy 14 refuses.

    strict_cupy.install(monkeypatch)        # `import cupy` gives the stand-in, for this test
    xp = backend.get("cupy")
    with strict_cupy.watched() as events:   # what waited for the "device", what was copied to it
        step()
    assert events == []

With install(monkeypatch, kernels=True) it has RawModule as well, which compiles kernels.cu with a
C++ compiler and runs it (cuda_on_cpu.py); without, the library uses its plain code.

Its ndarray wraps a NumPy array and is none, so nothing slips through by inheritance:

- no implicit conversion to NumPy; `float`, `int`, `bool`, `.get()`, `.item()`, boolean masks,
  `nonzero` ... work, and are noted in `watched` because they make the host wait for a GPU;
- operands of ufuncs and operators, `out=` and assigned values are device arrays or scalars
  (Python's or NumPy's); a NumPy array, even a 0-d one, or a list is refused;
- only functions, methods and parameters that CuPy 14.2.0 has: UFUNCS, FUNCTIONS and METHODS, which
  test_strict_cupy.py compares with CuPy itself wherever it can be imported (that takes no GPU);
- ufuncs and reductions give C-contiguous arrays, 0-d ones too, never NumPy scalars;
- arrays of numbers only, always copied from the host.

In places it is stricter than CuPy, where CuPy would be slow or silent: `matmul(out=)` wants a
C-contiguous array of the exact dtype (in CuPy `dot` does, `matmul` copies); indices out of bounds
and assignment to duplicate indices raise (CuPy wraps the first and leaves the second undefined);
`as_strided` may not leave its array nor be written through; `empty` holds NaN; host arrays are
refused wherever CuPy would quietly copy them, except as indices, which are noted as an upload.

What it cannot show: speed, memory, the numbers of real kernels (rounding, TF32, order of sums,
atomics), real cuBLAS, races between streams, whether a step can be captured in a CUDA graph (no
events are necessary, not sufficient), raw kernels on a card, several devices, and CuPy's own
mistakes. That is what test_gpu.py is for.
"""

import operator
import re
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager

import cuda_on_cpu
import numpy as np
import pytest

UFUNCS = re.findall(
    r"\w+",
    """
abs absolute add arctan arctan2 bitwise_and bitwise_or bitwise_xor cbrt ceil conj copysign cos cosh
divide equal exp exp2 expm1 fabs floor floor_divide fmax fmin fmod greater greater_equal hypot
invert isfinite isinf isnan left_shift less less_equal log log10 log1p log2 logaddexp logical_and
logical_not logical_or logical_xor maximum minimum mod multiply negative not_equal positive power
reciprocal remainder right_shift rint sign signbit sin sinh sqrt square subtract tan tanh
true_divide trunc
""",
)

FUNCTIONS = """
all(a, axis, out, keepdims) any(a, axis, out, keepdims) max(a, axis, out, keepdims)
min(a, axis, out, keepdims) amax(a, axis, out, keepdims) amin(a, axis, out, keepdims)
sum(a, axis, dtype, out, keepdims) prod(a, axis, dtype, out, keepdims)
mean(a, axis, dtype, out, keepdims) var(a, axis, dtype, out, ddof, keepdims)
std(a, axis, dtype, out, ddof, keepdims) cumsum(a, axis, dtype, out) cumprod(a, axis, dtype, out)
argmax(a, axis) argmin(a, axis) argsort(a, axis, kind) sort(a, axis, kind) count_nonzero(a, axis)
arange(start, stop, step, dtype) linspace(start, stop, num, endpoint, retstep, dtype, axis)
zeros(shape, dtype, order) ones(shape, dtype, order) empty(shape, dtype, order)
full(shape, fill_value, dtype, order) eye(N, M, k, dtype, order) identity(n, dtype)
zeros_like(a, dtype, order) ones_like(a, dtype, order) empty_like(prototype, dtype, order)
full_like(a, fill_value, dtype, order) ascontiguousarray(a, dtype) copy(a, order)
broadcast_to(array, shape) expand_dims(a, axis) flip(a, axis) moveaxis(a, source, destination)
ravel(a, order) reshape(a) roll(a, shift, axis) squeeze(a, axis) swapaxes(a, axis1, axis2)
transpose(a, axes) repeat(a, repeats, axis) tile(A, reps) diag(v, k) tril(m, k) triu(m, k)
trace(a, offset, axis1, axis2, dtype, out) split(ary, indices_or_sections, axis)
concatenate(tup, axis, out, dtype, casting) stack(tup, axis, out, dtype, casting)
hstack(tup, dtype, casting) vstack(tup, dtype, casting) take(a, indices, axis, out)
take_along_axis(a, indices, axis) searchsorted(a, v, side, sorter) where(condition, x, y)
clip(a, a_min, a_max, out) round(a, decimals, out) nan_to_num(x, copy, nan, posinf, neginf)
inner(a, b) outer(a, b, out) tensordot(a, b, axes) vdot(a, b)
isclose(a, b, rtol, atol, equal_nan) allclose(a, b, rtol, atol, equal_nan)
array_equal(a1, a2, equal_nan) nonzero(a) argwhere(a) flatnonzero(a)
unique(ar, return_index, return_inverse, return_counts, axis, equal_nan)
bincount(x, weights, minlength)
"""

METHODS = """
all(axis, out, keepdims) any(axis, out, keepdims) max(axis, out, keepdims) min(axis, out, keepdims)
sum(axis, dtype, out, keepdims) prod(axis, dtype, out, keepdims) mean(axis, dtype, out, keepdims)
var(axis, dtype, out, ddof, keepdims) std(axis, dtype, out, ddof, keepdims)
cumsum(axis, dtype, out) cumprod(axis, dtype, out) argmax(axis, out) argmin(axis, out)
argsort(axis, kind) sort(axis, kind) clip(min, max, out) round(decimals, out) conj()
astype(dtype, order, casting, subok, copy) copy(order) fill(value) flatten(order) ravel(order)
repeat(repeats, axis) squeeze(axis) swapaxes(axis1, axis2) take(indices, axis, out)
diagonal(offset, axis1, axis2) trace(offset, axis1, axis2, dtype, out) view(dtype)
nonzero()
"""

ATTRIBUTES = ("dtype", "shape", "strides", "ndim", "size", "itemsize", "nbytes", "flags")
TRANSPOSES = ("T", "mT", "real", "imag")
BINARY = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "lshift", "rshift")
BINARY += ("and", "or", "xor")
COMPARISONS = ("lt", "le", "eq", "ne", "gt", "ge")
ALIASES = ("bool_", "uint8", "int32", "int64", "float16", "float32", "float64", "dtype")
ALIASES += ("newaxis", "pi", "inf", "nan", "generic")
# Functions and methods whose result is a view where NumPy's is.
VIEWING = {"broadcast_to", "diagonal", "expand_dims", "flip", "moveaxis", "ravel", "split"}
VIEWING |= {"squeeze", "swapaxes", "transpose", "view"}
# Those that need a number on the host: a shape, or the result of a check.
WAITING = {"nonzero", "argwhere", "flatnonzero", "unique", "bincount"}
LISTS_REFUSED = {"a", "b", "x", "y", "v", "m", "A", "a1", "a2", "ar", "indices", "condition"}
SCALARS = (bool, int, float, complex, np.number, np.bool_)
HOST = "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct one."

_watchers: list[list[str]] = []


@contextmanager
def watched() -> Iterator[list[str]]:
    """A list that grows with every "waits: ..." and every "uploads: ..." inside the block."""
    events: list[str] = []
    _watchers.append(events)
    try:
        yield events
    finally:
        _watchers.pop()


def install(monkeypatch, kernels: bool = False) -> types.ModuleType:
    """Make `import cupy` give the stand-in for the rest of the test, with or without RawModule.

    With it the test is skipped where there is no C++ compiler.
    """
    if kernels and cuda_on_cpu.COMPILER is None:
        pytest.skip("no C++ compiler: the kernels' source is not run")
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    if kernels:
        monkeypatch.setattr(cupy, "RawModule", cuda_on_cpu.RawModule, raising=False)
    return cupy


def parse(table: str) -> dict[str, list[str]]:
    """{"sum": ["a", "axis", ...], ...} from a table like FUNCTIONS."""
    found = re.findall(r"(\w+)\(([^)]*)\)", table)
    return {name: [p for p in re.split(r",\s*", parameters) if p] for name, parameters in found}


def _note(event: str) -> None:
    for events in _watchers:
        events.append(event)


class CUDARuntimeError(RuntimeError):
    """What CuPy raises without a device."""


class ndarray:
    """An array on the pretended device."""

    __slots__ = ("_host",)
    __array_priority__ = 100

    def __init__(self, *_):
        raise TypeError("the stand-in makes arrays with empty, zeros, asarray, ...")

    def __array__(self, dtype=None, copy=None):
        raise TypeError(HOST)

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        if method != "__call__" or not (ufunc.__name__ in UFUNCS or ufunc is np.matmul):
            return NotImplemented
        if "out" in options:
            (options["out"],) = options["out"]
        return getattr(cupy, ufunc.__name__)(*inputs, **options)

    def __array_function__(self, function, kinds, given, named):
        known = function.__module__ == "numpy" and hasattr(cupy, function.__name__)
        if not known or not all(kind in (ndarray, np.ndarray) for kind in kinds):
            return NotImplemented
        return getattr(cupy, function.__name__)(*given, **named)

    def __len__(self):
        return len(self._host)

    def __iter__(self):
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __getitem__(self, key):
        key, advanced = _key(key)
        if advanced:
            return _device(self._host[key])
        return _view(self._host[(*key, ...)] if _full(key, self.ndim) else self._host[key])

    def __setitem__(self, key, value):
        key, advanced = _key(key)
        if isinstance(value, np.ndarray) and value.ndim:
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        value = value.item() if isinstance(value, np.ndarray) else _operand(value)
        if advanced and isinstance(value, np.ndarray):
            _refuse_duplicates(key, self._host)
        self._host[key] = value

    def __matmul__(self, other):
        return matmul(self, other)

    def __neg__(self):
        return _device(-self._host)

    def __pos__(self):
        return self

    def __abs__(self):
        return _device(abs(self._host))

    def __invert__(self):
        return _device(~self._host)

    def __bool__(self):
        return self._scalar(bool)

    def __int__(self):
        return self._scalar(int)

    def __float__(self):
        return self._scalar(float)

    def __complex__(self):
        return self._scalar(complex)

    def _scalar(self, kind):
        _note(f"waits: {kind.__name__}()")
        if self.ndim and kind is not bool:
            raise TypeError("only 0-dimensional arrays can be converted to Python scalars")
        return kind(self._host)

    def __repr__(self):
        _note("waits: repr()")
        return repr(self._host)

    def __format__(self, specification):
        _note("waits: format()")
        return format(self._host, specification)

    def __copy__(self):
        return _device(self._host.copy())

    def __deepcopy__(self, memo):
        return _device(self._host.copy())

    @property
    def data(self):
        return types.SimpleNamespace(ptr=self._host.ctypes.data)

    def reshape(self, *shape, order="C"):
        return _view(self._host.reshape(*shape, order=order))

    def transpose(self, *axes):
        return _view(self._host.transpose(*axes))

    def get(self, stream=None, order="C", out=None, blocking=True):
        _note("waits: get()")
        if out is None:
            return self._host.copy(order=order)
        out[...] = self._host
        return out

    def item(self):
        _note("waits: item()")
        return self._host.item()

    def tolist(self):
        _note("waits: tolist()")
        return self._host.tolist()

    def tobytes(self, order="C"):
        _note("waits: tobytes()")
        return self._host.tobytes(order)

    def dot(self, b, out=None):
        return cupy.dot(self, b, out=out)


def _view(host: np.ndarray) -> ndarray:
    """A device array of this very memory."""
    X = object.__new__(ndarray)
    X._host = host
    return X


def _device(host) -> ndarray:
    """A C-contiguous device array of a result of NumPy's, also of a scalar."""
    return _view(np.asarray(host, order="C"))


def host(X: ndarray) -> np.ndarray:
    """What X holds, for a test to look at; not noted. Never write to it."""
    return X._host


def _operand(value):
    """What NumPy may compute with for `value`, or CuPy's TypeError."""
    if isinstance(value, ndarray):
        return value._host
    if isinstance(value, SCALARS):
        return value
    raise TypeError(f"Unsupported type {type(value)}")


def _array(value, what: str) -> np.ndarray:
    if not isinstance(value, ndarray):
        raise TypeError(f"{what} must be a cupy.ndarray, not {type(value)}")
    return value._host


def _key(key) -> tuple[tuple, bool]:
    """The index as NumPy wants it, and whether arrays are in it."""
    parts, advanced = [], False
    for part in key if isinstance(key, tuple) else (key,):
        plain = part is None or part is Ellipsis or isinstance(part, slice)
        if not plain and not (isinstance(part, (int, np.integer)) and not isinstance(part, bool)):
            if not isinstance(part, ndarray):
                _note("uploads: index")
            part = part._host if isinstance(part, ndarray) else np.asarray(part)
            if part.dtype.kind == "b":
                _note("waits: boolean mask")
            elif part.dtype.kind not in "iu":
                raise IndexError("arrays used as indices must be of integer or boolean type")
            advanced = True
        parts.append(part)
    return tuple(parts), advanced


def _full(key: tuple, ndim: int) -> bool:
    """Whether every axis has a number: then NumPy would give a scalar and CuPy a 0-d view."""
    return len(key) == ndim and all(isinstance(part, (int, np.integer)) for part in key)


def _refuse_duplicates(key: tuple, target: np.ndarray) -> None:
    if not any(isinstance(part, np.ndarray) and part.dtype.kind == "b" for part in key):
        places = np.arange(target.size).reshape(target.shape)[key]
        if np.unique(places).size < places.size:
            raise ValueError("assignment to duplicate indices is undefined in CuPy")


def _result(value, view: bool = False):
    """NumPy's result on the device: arrays and scalars, also in tuples and lists."""
    if isinstance(value, (tuple, list)):
        return type(value)(_result(part, view) for part in value)
    return _view(value) if view else _device(value)


def _ufunc(name: str):
    numpy_ufunc = getattr(np, name)

    def call(*operands, out=None, dtype=None, casting="same_kind"):
        if len(operands) > numpy_ufunc.nin:
            *operands, out = operands
        operands = [_operand(value) for value in operands]
        if out is None:
            return _device(numpy_ufunc(*operands, dtype=dtype, casting=casting))
        numpy_ufunc(*operands, out=_array(out, "out"), dtype=dtype, casting=casting)
        return out

    return call


def matmul(a, b, out=None):
    """a @ b; out must be C-contiguous and of the exact dtype."""
    return _product(np.matmul, a, b, out)


def _product(function, a, b, out=None):
    A, B = _array(a, "an operand of matmul or dot"), _array(b, "an operand of matmul or dot")
    if out is None:
        return _device(function(A, B))
    C = _array(out, "out")
    if C.dtype != np.result_type(A, B):
        raise ValueError("Not supported dtype combination.")
    if not C.flags.c_contiguous:
        raise ValueError("Output array must be C-contiguous")
    product = function(A, B)
    if C.shape != product.shape:
        raise ValueError("Output array has an invalid size")
    C[...] = product
    return out


def _function(name: str, parameters: list[str], target=None):
    numpy_function = target or getattr(np, name)

    def call(*given, **named):
        if len(given) > len(parameters) or not named.keys() <= set(parameters):
            raise TypeError(f"{name}({', '.join(parameters)}) got {len(given)} and {[*named]}")
        out = {**dict(zip(parameters, given, strict=False)), **named}.get("out")
        if name in WAITING or (name == "where" and len(given) + len(named) == 1):
            _note(f"waits: {name}()")
        pairs = zip(parameters, given, strict=False)
        plain = [_argument(name, parameter, value) for parameter, value in pairs]
        options = {p: _argument(name, p, value) for p, value in named.items()}
        result = numpy_function(*plain, **options)
        return out if out is not None else _result(result, name in VIEWING)

    return call


def _argument(function: str, parameter: str, value):
    if isinstance(value, ndarray):
        return value._host
    if parameter == "tup":
        return [_array(part, f"an argument of {function}") for part in value]
    listed = isinstance(value, (list, tuple)) and parameter in LISTS_REFUSED
    if isinstance(value, np.ndarray) or listed:
        raise TypeError(f"{function}: {parameter} must be a cupy.ndarray, not {type(value)}")
    if parameter == "out" and value is not None:
        raise TypeError(f"{function}: out must be a cupy.ndarray, not {type(value)}")
    return value


def _reshape(a, shape, order="C"):
    return _view(_array(a, "an argument of reshape").reshape(shape, order=order))


def _method(name: str, parameters: list[str]):
    checked = _function(name, ["self", *parameters], lambda A, *g, **n: getattr(A, name)(*g, **n))

    def in_place(self, *given, **named):
        checked(self, *given, **named)

    return in_place if name in ("fill", "sort") else checked


def _asarray(a, dtype=None, order=None, *, copy=None, blocking=False):
    if isinstance(a, ndarray):
        same = dtype is None or a.dtype == np.dtype(dtype)
        return a if same and not copy else _device(a._host.astype(dtype or a.dtype))
    _note("uploads: asarray()")
    A = np.array(a, dtype=dtype)  # always a copy, as from the host to the device
    if A.dtype.kind not in "biufc":
        raise ValueError(f"Unsupported dtype {A.dtype}")
    return _device(A)


def _asnumpy(a, stream=None, order="C", out=None, *, blocking=True):
    return a.get(stream, order, out) if isinstance(a, ndarray) else np.asarray(a, order=order)


def _empty(shape, dtype=float, order="C"):
    """Filled with NaN, or the largest integer: whoever reads it before writing is found out."""
    dtype = np.dtype(dtype)
    poison = np.nan if dtype.kind in "fc" else True if dtype.kind == "b" else np.iinfo(dtype).max
    return _view(np.full(shape, poison, dtype, order=order))


def _as_strided(x, shape=None, strides=None):
    A = _array(x, "x")
    view = np.lib.stride_tricks.as_strided(A, shape, strides, writeable=False)
    bounds = np.lib.array_utils.byte_bounds
    if view.size and (bounds(view)[0] < bounds(A)[0] or bounds(view)[1] > bounds(A)[1]):
        raise ValueError("as_strided leaves its array: CuPy would read whatever is there")
    return _view(view)


def _fill_class() -> None:
    """Operators, methods and attributes of ndarray, from the tables."""

    def binary(name, reflected):
        function = getattr(operator, f"__{name}__")
        if reflected:
            return lambda self, other: _device(function(_operand(other), self._host))
        return lambda self, other: _device(function(self._host, _operand(other)))

    def in_place(name):
        function = getattr(operator, f"__i{name}__")

        def call(self, other):
            function(self._host, _operand(other))
            return self

        return call

    for name in BINARY:
        setattr(ndarray, f"__{name}__", binary(name, False))
        setattr(ndarray, f"__r{name}__", binary(name, True))
        setattr(ndarray, f"__i{name}__", in_place(name))
    for name in COMPARISONS:
        setattr(ndarray, f"__{name}__", binary(name, False))
    for name in ATTRIBUTES:
        setattr(ndarray, name, property(operator.attrgetter(f"_host.{name}")))
    for name in TRANSPOSES:
        get = operator.attrgetter(f"_host.{name}")
        setattr(ndarray, name, property(lambda self, get=get: _view(get(self))))
    for name, parameters in parse(METHODS).items():
        if name not in vars(ndarray):
            setattr(ndarray, name, _method(name, parameters))
    ndarray.__hash__ = None
    ndarray.__module__ = "cupy"


def _module() -> types.ModuleType:
    module = types.ModuleType("cupy")
    vars(module).update({name: _ufunc(name) for name in UFUNCS})
    vars(module).update({name: _function(name, p) for name, p in parse(FUNCTIONS).items()})
    vars(module).update(array=_asarray_copy, asarray=_asarray, asnumpy=_asnumpy, empty=_empty)
    vars(module).update(matmul=matmul, reshape=_reshape, ndarray=ndarray)
    module.empty_like = lambda prototype, dtype=None, order="K": _empty(
        prototype.shape, prototype.dtype if dtype is None else dtype
    )
    module.dot = lambda a, b, out=None: _product(np.dot, a, b, out)
    module.get_array_module = lambda *args: (
        module if any(isinstance(X, ndarray) for X in args) else np
    )
    for name in ALIASES:
        setattr(module, name, getattr(np, name))
    module.lib = types.SimpleNamespace(
        stride_tricks=types.SimpleNamespace(as_strided=_as_strided),
    )
    module.cuda = _cuda()
    module.__version__ = "14.2.0 (strict stand-in)"

    def missing(name):
        raise AttributeError(f"cupy has no {name!r}, or its stand-in does not know it", name=name)

    module.__getattr__ = missing
    return module


def _asarray_copy(obj, dtype=None, copy=True, *, blocking=False):
    return _asarray(obj, dtype, copy=copy)


def _cuda() -> types.SimpleNamespace:
    def wait():
        _note("waits: synchronize()")

    runtime = types.SimpleNamespace(
        getDeviceCount=lambda: 1,
        getDevice=lambda: 0,
        getDeviceProperties=lambda device: {"name": b"strict stand-in for a GPU"},
        deviceSynchronize=wait,
        CUDARuntimeError=CUDARuntimeError,
    )
    stream = types.SimpleNamespace(ptr=0, synchronize=wait)
    return types.SimpleNamespace(
        runtime=runtime,
        Stream=types.SimpleNamespace(null=stream),
        Device=lambda device=0: types.SimpleNamespace(id=device, synchronize=wait),
        get_current_stream=lambda device_id=-1: stream,
        is_available=lambda: True,
    )


_fill_class()
cupy = _module()
