"""The library on a stand-in for CuPy: the same numbers as NumPy, and nothing that CuPy refuses.

What it shows and what it cannot is written in strict_cupy.py; test_gpu.py runs on a real GPU.
"""

import copy
import inspect
import json
import operator
import sys
import types

import numpy as np
import pytest
import strict_cupy
from strict_cupy import watched

from tinya2i import backend, checkpoint, layers, losses, models, optim, threads
from tinya2i.audio import LogMel
from tinya2i.backend import array_module, to_device, to_numpy
from tinya2i.data import Mix, Pairs
from tinya2i.environment import environment
from tinya2i.errors import BackendError, CheckpointError
from tinya2i.gradcheck import cases
from tinya2i.kernels import cublas
from tinya2i.layer import Param, Sequential
from tinya2i.models.networks import LATENT
from tinya2i.ops import convolution, functions, products, ways
from tinya2i.runs import TIMES, Run
from tinya2i.tasks import AutoencoderTask, JudgeTask, VAETask, load_judge
from tinya2i.tasks.evaluation import evaluate
from tinya2i.training import train

DTYPES = [np.float32, np.float64]
LAYER_CASES = [(case, train, None) for case in cases.LAYERS for train in case.modes]
LAYER_CASES += [(case, train, 1) for case in cases.LAYERS for train in case.alone]


def layer_id(value):
    """What a parameter of LAYER_CASES is called in a test's name."""
    return getattr(value, "name", {True: "train", False: "eval", None: "batch"}.get(value, "one"))


@pytest.fixture
def xp(monkeypatch):
    strict_cupy.install(monkeypatch)
    return backend.get("cupy")


@pytest.fixture(autouse=True)
def _in_one_piece(monkeypatch):
    """NumPy works on a whole batch at once, and convolves in one way only, as on a GPU.

    Then equal means equal in every bit.
    """
    monkeypatch.setattr(ways, "fastest", lambda *shapes: convolution)
    monkeypatch.setattr(threads, "SLICE_BYTES", 1 << 60)
    for module in (functions, products):
        monkeypatch.setattr(module, "LARGE_BYTES", 1 << 60)
    with threads.own_cores():  # the system need not clear fresh pages for every large array
        yield


def same(a, b):
    """Whether two nests of dicts, lists and arrays agree in every bit, NaN equal to NaN."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    A, B = np.asarray(a), np.asarray(b)
    return A.dtype == B.dtype and np.array_equal(A, B, equal_nan=A.dtype.kind == "f")


# The stand-in itself: it must refuse, or the tests below show nothing.


def device(xp, *shape):
    return xp.asarray(np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape))


REFUSED = {
    "np.asarray": lambda xp, X: np.asarray(X),
    "np.array of a list of them": lambda xp, X: np.array([X, X]),
    "float32 + NumPy array": lambda xp, X: X + np.ones(3, np.float32),
    "NumPy array + float32": lambda xp, X: np.ones(3, np.float32) + X,
    "0-d NumPy array": lambda xp, X: X * np.array(2.0),
    "list as operand": lambda xp, X: operator.add(X, [1, 2, 3]),
    "None as operand": lambda xp, X: X * None,
    "comparison with a NumPy array": lambda xp, X: operator.eq(X, np.zeros(3)),
    "NumPy array += device array": lambda xp, X: np.add(np.ones(3), X, out=np.ones(3)),
    "+= NumPy array": lambda xp, X: X.__iadd__(np.ones(3)),
    "NumPy array @ device array": lambda xp, X: np.ones((2, 3)) @ X,
    "device array @ NumPy array": lambda xp, X: X @ np.ones((3, 2)),
    "ufunc of a NumPy array": lambda xp, X: xp.exp(np.ones(3)),
    "ufunc of a list": lambda xp, X: xp.maximum([1, 2], 0),
    "out= NumPy array": lambda xp, X: xp.exp(X, out=np.ones(3)),
    "sum of a NumPy array": lambda xp, X: xp.sum(np.ones(3)),
    "sum of a list": lambda xp, X: xp.sum([1, 2]),
    "concatenate NumPy arrays": lambda xp, X: xp.concatenate([X, np.ones(3)]),
    "where with a NumPy condition": lambda xp, X: xp.where(np.ones(3, bool), X, X),
    "matmul(out=) of another dtype": lambda xp, X: xp.matmul(
        X.reshape(1, 3), X.reshape(3, 1), out=xp.zeros((1, 1))
    ),
    "matmul(out=) of another shape": lambda xp, X: xp.matmul(
        device(xp, 1, 3), device(xp, 3, 4), out=device(xp, 2, 4)
    ),
    "matmul(out=) not contiguous": lambda xp, X: xp.matmul(
        device(xp, 4, 3), device(xp, 3, 4), out=device(xp, 4, 8)[:, ::2]
    ),
    "dot(out=) not contiguous": lambda xp, X: xp.dot(
        device(xp, 4, 3), device(xp, 3, 4), out=device(xp, 4, 4).T
    ),
    "assigned NumPy array": lambda xp, X: X.__setitem__(slice(None), np.ones(3)),
    "assigned list": lambda xp, X: X.__setitem__(slice(None), [1, 2, 3]),
    "duplicate indices": lambda xp, X: X.__setitem__(xp.asarray([0, 0]), X[:2]),
    "index out of bounds": lambda xp, X: X[xp.asarray([7])],
    "float as index": lambda xp, X: X[xp.asarray([0.5])],
    "as range()'s number": lambda xp, X: range(xp.asarray(3)),
    "iteration over a number": lambda xp, X: list(xp.asarray(3)),
    "bool of several": lambda xp, X: bool(X),
    "float of several": lambda xp, X: float(X),
    "as a dictionary's key": lambda xp, X: {X: 1},
    "text": lambda xp, X: xp.asarray(np.array(["jackson"])),
    "objects": lambda xp, X: xp.asarray(np.array([None])),
    "einsum_path, which CuPy has not": lambda xp, X: xp.einsum_path("i,i", X, X),
    "ndarray.itemset, which CuPy has not": lambda xp, X: X.itemset(0, 1),
    "ufunc.at": lambda xp, X: np.add.at(X, [0], 1),
    "ufunc.reduce": lambda xp, X: np.maximum.reduce(X),
    "sum(where=)": lambda xp, X: xp.sum(X, where=X > 0),
    "max(initial=)": lambda xp, X: X.max(initial=0),
    "as_strided beyond the end": lambda xp, X: xp.lib.stride_tricks.as_strided(X, (4,), (4,)),
    "writing through as_strided": lambda xp, X: xp.lib.stride_tricks.as_strided(
        X, (2, 2), (4, 4)
    ).__setitem__(0, 1),
    "float32 *= into integers": lambda xp, X: xp.arange(3).__imul__(X),
}
NUMPY_TOO = {
    "None as operand",
    "matmul(out=) of another shape",
    "dot(out=) not contiguous",
    "index out of bounds",
}
NUMPY_TOO |= {"float as index", "iteration over a number", "bool of several", "float of several"}
NUMPY_TOO |= {"as a dictionary's key", "ndarray.itemset, which CuPy has not"}
NUMPY_TOO |= {"float32 *= into integers"}


@pytest.mark.parametrize("what", REFUSED)
def test_the_stand_in_refuses_what_numpy_accepts(xp, what):
    errors = (TypeError, ValueError, AttributeError, IndexError)
    with pytest.raises(errors):
        REFUSED[what](xp, device(xp, 3))
    if what in NUMPY_TOO:
        with pytest.raises(errors):
            REFUSED[what](np, device(np, 3))
    else:
        REFUSED[what](np, device(np, 3))


WAITS = {
    "float": lambda xp, X: float(X.sum()),
    "int": lambda xp, X: int(X.sum()),
    "bool": lambda xp, X: bool((X > 0).all()),
    "if": lambda xp, X: 1 if X.max() > 1 else 0,
    "in": lambda xp, X: 2 in X,
    "item": lambda xp, X: X[0].item(),
    "get": lambda xp, X: X.get(),
    "asnumpy": lambda xp, X: xp.asnumpy(X),
    "tolist": lambda xp, X: X.tolist(),
    "print": lambda xp, X: f"{X}",
    "boolean mask": lambda xp, X: X[X > 1],
    "assignment by a mask": lambda xp, X: X.__setitem__(X > 1, 0),
    "nonzero": lambda xp, X: X.nonzero(),
    "where without values": lambda xp, X: xp.where(X > 1),
    "unique": lambda xp, X: xp.unique(X),
    "synchronize": lambda xp, X: xp.cuda.get_current_stream().synchronize(),
}


@pytest.mark.parametrize("what", WAITS)
def test_the_stand_in_notes_what_waits(xp, what):
    X = device(xp, 3)
    with watched() as events:
        WAITS[what](xp, X)
    assert events
    assert all(event.startswith("waits") for event in events)


UPLOADS = {
    "asarray": lambda xp, X: xp.asarray(np.ones(3)),
    "asarray of a number": lambda xp, X: xp.asarray(1.0),
    "NumPy index": lambda xp, X: X[np.array([0, 2])],
    "list as index": lambda xp, X: X[[0, 2]],
}


@pytest.mark.parametrize("what", UPLOADS)
def test_the_stand_in_notes_uploads(xp, what):
    X = device(xp, 3)
    with watched() as events:
        UPLOADS[what](xp, X)
    assert len(events) == 1
    assert events[0].startswith("uploads")


def test_the_stand_in_computes_without_events(xp):
    X = device(xp, 4, 3)
    index = xp.asarray([3, 1])
    with watched() as events:
        Y = xp.exp(-X) * 2 + X.max(axis=1, keepdims=True) - X[index].sum() / len(X)
        Y[1:, ::2] = 0
        Y[index] += X[:2]
        np.maximum(Y, np.float32(0), out=Y)
        Z = np.concatenate([X, np.zeros_like(X)]) @ Y.T
        copy.deepcopy(Z)
        list(Z)
    assert events == []
    A = strict_cupy.host(X)
    B = np.exp(-A) * 2 + A.max(axis=1, keepdims=True) - A[[3, 1]].sum() / 4
    B[1:, ::2] = 0
    B[[3, 1]] += A[:2]
    assert same(Z.get(), np.concatenate([A, 0 * A]) @ np.maximum(B, 0).T)


def test_the_stand_in_gives_arrays_for_numbers_in_c_order(xp):
    X = device(xp, 4, 3)
    for value in (X.sum(), X[0, 0], X.max() * 2, xp.exp(1.0), X.argmax(), xp.allclose(X, X)):
        assert isinstance(value, xp.ndarray)
        assert value.shape == ()
    assert (X.T + 1).flags.c_contiguous
    assert not X.T.flags.c_contiguous
    assert np.isnan(xp.empty(3, np.float32).get()).all()


def test_the_stand_in_promotes_as_numpy_2(xp):
    X = device(xp, 3)
    assert (X * 2.0).dtype == (X * 2).dtype == (2.0 * X).dtype == np.float32
    assert (X * np.float64(2)).dtype == (np.float64(2) * X).dtype == np.float64
    assert (X * xp.asarray(2.0)).dtype == np.float64
    assert X.sum().dtype == np.float32


def test_the_stand_in_keeps_views_and_copies_apart(xp):
    X, A = device(xp, 4, 3), np.zeros((4, 3), np.float32)
    for view in (X[1:], X.T, X.reshape(12), X[0, 0], xp.swapaxes(X, 0, 1), X.ravel()):
        view += 1
        assert X[0, 0] + X[1, 1] == strict_cupy.host(X)[0, 0] + strict_cupy.host(X)[1, 1]
    assert strict_cupy.host(X)[0, 0] == 5  # X[1:] does not hold it
    Y = xp.asarray(A)
    Y += 1
    assert not A.any()
    X[:].get()[...] = 0
    assert strict_cupy.host(X).any()


def test_the_tables_are_what_cupy_has():
    """Names and parameters against the real package, which can be imported without a GPU."""
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed", exc_type=ImportError)
    assert all(isinstance(getattr(cupy, name), cupy.ufunc) for name in strict_cupy.UFUNCS)
    for name, parameters in strict_cupy.parse(strict_cupy.FUNCTIONS).items():
        real = list(inspect.signature(getattr(cupy, name)).parameters)
        assert set(parameters) <= set(real), name
        assert parameters[:2] == real[: len(parameters[:2])], name
    for name, parameters in strict_cupy.parse(strict_cupy.METHODS).items():
        text = getattr(cupy.ndarray, name).__doc__.split("\n")[0]
        assert all(parameter in text for parameter in parameters), text
    theirs, ours = vars(strict_cupy.cupy), dir(strict_cupy.ndarray)
    assert not [name for name in theirs if not (hasattr(cupy, name) or name == "__getattr__")]
    ours = [name for name in ours if not hasattr(np.ndarray, name) and name[0] != "_"]
    assert not [name for name in ours if not hasattr(cupy.ndarray, name)]
    for name in ("__index__", "__contains__", "__array_interface__"):
        assert not hasattr(cupy.ndarray, name)
        assert not hasattr(strict_cupy.ndarray, name)
    for path in ("lib.stride_tricks.as_strided", "cuda.runtime.getDeviceCount"):
        module = cupy
        for part in path.split("."):
            module = getattr(module, part)


# backend


def test_arrays_decide_the_backend(xp):
    assert array_module(np.ones(3)) is array_module(np.float32(1)) is np
    assert array_module(xp.ones(3)) is xp
    assert array_module(xp.ones(3).sum()) is xp


@pytest.mark.parametrize("with_cupy", [False, True])
@pytest.mark.parametrize("what", [[1.0], (1.0,), 1.0, None, "text", memoryview(b"1")])
def test_other_things_have_no_backend(monkeypatch, with_cupy, what):
    monkeypatch.setitem(sys.modules, "cupy", strict_cupy.cupy if with_cupy else None)
    with pytest.raises(TypeError, match=type(what).__name__):
        array_module(what)


def no_driver():
    raise strict_cupy.CUDARuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected")


def pretend(count):
    return types.SimpleNamespace(
        cuda=types.SimpleNamespace(runtime=types.SimpleNamespace(getDeviceCount=count))
    )


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (None, "CuPy is not installed"),  # None in sys.modules makes the import fail
        (pretend(no_driver), "cudaErrorNoDevice"),
        (pretend(lambda: 0), "no NVIDIA GPU"),
        (types.SimpleNamespace(), "no usable GPU"),  # an empty folder called cupy
    ],
)
def test_without_a_usable_cupy(monkeypatch, module, words):
    monkeypatch.setitem(sys.modules, "cupy", module)
    with pytest.raises(BackendError, match=words) as error:
        backend.get("cupy")
    assert "pip install" in str(error.value)
    assert "--backend numpy" in str(error.value)
    assert backend.get("auto") is np


def test_with_a_usable_cupy(xp):
    assert backend.get("auto") is backend.get("cupy") is xp is strict_cupy.cupy
    assert backend.get("numpy") is np
    assert backend.device_name(xp) == "strict stand-in for a GPU"
    assert environment(xp)["cupy"] == xp.__version__
    with pytest.raises(BackendError, match="auto, numpy or cupy"):
        backend.get("torch")


def test_a_run_says_how_products_are_made_and_may_go_on_with_others(xp, monkeypatch, tmp_path):
    """A run from before --tf32 was there may, too."""
    assert "tf32" not in environment(np)
    monkeypatch.setattr(cublas, "allow_tf32", False)  # put back after the test
    Run(tmp_path, {"seed": 0}, xp=xp)
    for on in (True, False):
        cublas.set_tf32(on, xp)
        run = Run(tmp_path, {"seed": 0, "tf32": on}, resume=True, xp=xp)
        config = json.loads((tmp_path / "config.json").read_text())
        assert config["flags"]["tf32"] is config["resumed"][-1]["environment"]["tf32"] is on
        assert any("another tf32: not bit for bit" in note for note in run.notes) is on


def test_moving_arrays(xp):
    A = np.arange(6, dtype=np.float32).reshape(2, 3)
    X = to_device(A, xp)
    assert isinstance(X, xp.ndarray)
    assert same(to_numpy(X), A)
    assert to_device(X, xp) is X
    assert same(to_device(X, np), A)
    assert to_numpy(A) is A


# Layers, losses, optimisers: the same bits as NumPy


def layer_pass(case, train, n, dtype, xp):
    """Everything that a forward and a backward of a case give, as NumPy arrays."""
    rng = np.random.default_rng([0, *case.name.encode()])
    layer = case.make(rng).astype(dtype)
    # Away from 0 and 1, where a forgotten bias or running mean would not show.
    state = layer.state().items()
    layer.load_state({k: A + rng.uniform(0.1, 0.5, A.shape).astype(dtype) for k, A in state})
    layer.to(xp)
    X = to_device(case.input(rng, n).astype(dtype), xp)
    extra = case.extra(rng, X.shape)
    extra = {name: to_device(array.astype(dtype), xp) for name, array in extra.items()}
    with watched() as events:
        Y, backprop = layer.forward(X, train=train, **extra)
        outputs = Y if isinstance(Y, tuple) else (Y,)
    R = [to_device(rng.standard_normal(part.shape).astype(dtype), xp) for part in outputs]
    with watched() as more:
        layer.zero_grad()
        dX = backprop(*R)
        dX_alone = backprop(*R, accumulate=False)
        assert backprop(*R, input_grad=False) is None or not any(layer.params())
    assert events + more == []
    assert all(array_module(array) is xp for array in (*outputs, dX, dX_alone))
    grads = {name: to_numpy(param.grad) for name, param in layer.named_params()}
    arrays = [to_numpy(array) for array in (*outputs, dX, dX_alone)]
    return {"Y, dX": arrays, "gradients": grads, "state": layer.state()}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("case", "train", "n"), LAYER_CASES, ids=layer_id)
def test_layers_give_the_numbers_of_numpy(xp, case, train, n, dtype):
    theirs, ours = (layer_pass(case, train, n, dtype, module) for module in (xp, np))
    assert same(theirs, ours)
    arrays = [*theirs["Y, dX"], *theirs["gradients"].values(), *theirs["state"].values()]
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", cases.LOSSES, ids=lambda case: case.name)
def test_losses_give_the_numbers_of_numpy(xp, case, dtype):
    inputs = [
        A.astype(dtype) if A.dtype.kind == "f" else A for A in case.inputs(np.random.default_rng(0))
    ]
    moved = [to_device(A, xp) for A in inputs]
    with watched() as events:
        theirs = case.loss(*moved)
    assert events == []
    assert all(isinstance(array, xp.ndarray) for array in theirs)
    assert theirs[0].shape == ()
    assert same([to_numpy(array) for array in theirs], list(case.loss(*inputs)))
    assert {array.dtype for array in theirs} == {np.dtype(dtype)}


OPTIMISERS = {
    "Adam": lambda params: optim.Adam(params, 1e-2),
    "SGD": lambda params: optim.SGD(params, 1e-2),
    "SGD with momentum": lambda params: optim.SGD(params, 1e-2, 0.9),
}


def steps(make, dtype, xp, count=3):
    rng = np.random.default_rng(0)
    layer = layers.Linear(7, 5, rng).astype(dtype).to(xp)
    optimiser = make(layer.params())
    gradients = [
        [to_device(rng.standard_normal(p.data.shape).astype(dtype), xp) for p in layer.params()]
        for _ in range(count)
    ]
    with watched() as events:
        for step in gradients:
            for param, gradient in zip(layer.params(), step, strict=True):
                param.grad += gradient
            optimiser.step()
    assert events == []
    return layer, optimiser


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OPTIMISERS)
def test_optimisers_give_the_numbers_of_numpy(xp, name, dtype):
    (theirs, their_optimiser), (ours, our_optimiser) = (
        steps(OPTIMISERS[name], dtype, module) for module in (xp, np)
    )
    assert same(theirs.state(), ours.state())
    assert same(their_optimiser.state(), our_optimiser.state())
    fresh = OPTIMISERS[name](layers.Linear(7, 5).astype(dtype).to(xp).params())
    fresh.load_state(our_optimiser.state())
    assert same(fresh.state(), our_optimiser.state())
    for param in theirs.params():
        assert isinstance(param.data, xp.ndarray)
        assert not strict_cupy.host(param.grad).any()


def test_a_model_moves_there_and_back(xp):
    layer = Sequential(layers.Conv2d(1, 2, 3), layers.BatchNorm2d(2))
    state = layer.state()
    moved = layer.to(xp)
    assert moved is layer
    assert all(isinstance(p.data, xp.ndarray) for p in layer.params())
    assert all(isinstance(p.grad, xp.ndarray) for p in layer.params())
    assert isinstance(layer[1].mean, xp.ndarray)
    assert all(isinstance(A, np.ndarray) for A in layer.state().values())
    assert same(layer.state(), state)
    layer.load_state({name: A + 1 for name, A in state.items()})
    assert isinstance(layer[0].W.data, xp.ndarray)
    with pytest.raises(CheckpointError, match="missing"):
        layer.load_state({})
    assert same(layer.to(np).state(), {name: A + 1 for name, A in state.items()})
    assert all(isinstance(p.data, np.ndarray) for p in layer.params())


def test_a_batch_left_on_the_host_is_refused(xp):
    """The mistake that a GPU run would make first."""
    layer = layers.Linear(3, 2).to(xp)
    with pytest.raises(TypeError):
        layer(np.ones((4, 3), np.float32))
    with pytest.raises(TypeError):
        losses.mse(xp.ones((4, 3)), np.ones((4, 3)))
    with pytest.raises(TypeError):
        layers.Dropout(0.5).forward(xp.ones((4, 3)), mask=np.ones((4, 3)))


def test_params_are_made_on_the_device_they_are_given_on(xp):
    param = Param(xp.ones(3, np.float32))
    assert isinstance(param.grad, xp.ndarray)


# Whole steps of the real models


SIZES = {"LeNet5": (28, 28), "Autoencoder": (48, 48), "VAE": (48, 48), "CVAE": (48, 48)}
SIZES |= {"Correspondence": (48, 48), "Retrieval": (48, 48), "InfoNCE": (48, 48)}
DRAW = {"LeNet5": "predict", "Correspondence": "ear", "Retrieval": "ear", "InfoNCE": "embed_sounds"}


def training_step(name, xp, dtype=np.float32):
    """(losses, model, optimiser, events in the step) after one step of a model of the talk."""
    rng = np.random.default_rng(0)
    n = 2
    X = rng.standard_normal((n, 48, 48, 1)).astype(dtype)
    T = rng.random((n, 28, 28, 1)).astype(dtype)
    noise = rng.standard_normal((n, LATENT)).astype(dtype)
    kind, inputs = {
        "LeNet5": (models.LeNet5, (T, np.array([3, 8]))),
        "Autoencoder": (models.Autoencoder, (X, T)),
        "VAE": (models.VAE, (X, T, noise)),
        "CVAE": (models.CVAE, (X, T, np.concatenate([noise, -noise], axis=1))),
        "Correspondence": (models.Correspondence, (T, X, np.array([0, 1]))),
        "Retrieval": (models.Retrieval, (T, X, np.array([0, 1]))),
        "InfoNCE": (models.Retrieval, (T, X)),
    }[name]
    module = inspect.getmodule(kind)
    step = module.contrastive_step if name == "InfoNCE" else module.train_step
    model = kind(rng).astype(dtype).to(xp)
    adam = optim.Adam(model.params())
    inputs = [to_device(A, xp) for A in inputs]
    options = {"kl_weight": 0.3} if name == "VAE" else {}
    with watched() as events:
        values = step(model, adam, *inputs, **options)
    assert all(value.shape == () for value in values.values())
    assert all(isinstance(value, (xp.ndarray, np.generic)) for value in values.values())
    return {k: to_numpy(v) for k, v in values.items()}, model, adam, events


@pytest.mark.parametrize("name", SIZES)
def test_a_training_step_gives_the_numbers_of_numpy_and_waits_for_nothing(xp, name):
    theirs, model, adam, events = training_step(name, xp)
    assert events == []
    ours, our_model, our_adam, _ = training_step(name, np)
    assert same(theirs, ours)
    for array in ("data", "m", "v"):
        assert np.array_equal(strict_cupy.host(getattr(adam, array)), getattr(our_adam, array))
    assert not any(strict_cupy.host(param.grad).any() for param in model.params())
    X = np.random.default_rng(1).random((3, *SIZES[name], 1), np.float32)
    draw = DRAW.get(name, "generate")
    with watched() as events:
        Y = getattr(model, draw)(to_device(X, xp))
    assert events == ["uploads: asarray()"]
    assert same(to_numpy(Y), getattr(our_model, draw)(X))


def test_negative_control_a_waiting_step_is_noticed(xp, monkeypatch):
    true_loss = losses.bce_with_logits

    def peeking(Z, T):
        value, dZ = true_loss(Z, T)
        assert float(value) > 0
        return value, dZ

    monkeypatch.setattr(losses, "bce_with_logits", peeking)
    assert training_step("Autoencoder", xp)[3] == ["waits: float()"]


# Whole runs


def images(rng, n):
    digits = np.arange(n) % 10
    return rng.integers(0, 256, (n, 28, 28, 1), np.uint8), digits


def pairs(rng, n):
    pictures, digits = images(rng, n)
    clips = rng.standard_normal((20, 48, 48, 1), np.float32)
    clip_digits = np.arange(20) % 10
    speakers = np.array(["theo", "jackson"] * 10)
    names = tuple(f"{digit}_x_{i}.wav" for i, digit in enumerate(clip_digits))
    return Pairs(pictures, digits, clips, clip_digits, speakers, names, digits + 10)


def make_mix():
    rng = np.random.default_rng(0)
    zero, one = np.zeros((), np.float32), np.ones((), np.float32)
    return Mix(pairs(rng, 20), pairs(rng, 20), zero, one, LogMel(), {})


@pytest.fixture(scope="module")
def mix():
    return make_mix()


def small_generator(kind):
    """A generator of the right shapes with a thousandth of the weights."""
    rng = np.random.default_rng(0)
    outputs = 2 * LATENT if kind is models.VAE else LATENT
    model = kind.__new__(kind)
    model.encoder = Sequential(
        layers.Conv2d(1, 2, 4, 4, rng=rng), layers.ReLU(), layers.Flatten(),
        layers.Linear(12 * 12 * 2, outputs, rng),
    )  # fmt: skip
    model.decoder = Sequential(
        layers.Linear(LATENT, 49, rng), layers.Reshape(7, 7, 1),
        layers.ConvTranspose2d(1, 1, 4, 4, rng=rng),
    )  # fmt: skip
    return model


def make_task(kind, mix, xp):
    options = {"lr": 1e-3, "batch_size": 10, "seed": 0, "xp": xp}
    rng = np.random.default_rng(0)
    if kind is JudgeTask:
        return JudgeTask(models.LeNet5(rng), (*images(rng, 20), *images(rng, 10)), **options)
    judge = models.LeNet5(rng).to(xp)
    if kind is AutoencoderTask:
        return AutoencoderTask(small_generator(models.Autoencoder), mix, judge, **options)
    return VAETask(small_generator(models.VAE), mix, judge, repair=True, kl_warmup=2.0, **options)


def run(kind, mix, xp, folder, *, draw=False, **options):
    """(rows without times, checkpoint's arrays, events of each step) of a training run."""
    task = make_task(kind, mix, xp)
    events = []
    true_step = task.step

    def step(index):
        with watched() as seen:
            values = true_step(index)
        events.append(seen)
        return values

    task.step = step
    resume = options.pop("resume", False)
    place = Run(folder, {"seed": 0}, resume=resume, xp=xp)
    options = {"epochs": 1, "quiet": True, "samples_every": int(draw), "log_every": 2, **options}
    train(task, place, **options)
    rows = [{k: v for k, v in row.items() if k not in TIMES} for row in place.rows()]
    return rows, checkpoint.load(folder / checkpoint.NAME)[0], events


@pytest.mark.parametrize("kind", [JudgeTask, VAETask, AutoencoderTask], ids=lambda k: k.__name__)
def test_a_run_gives_the_numbers_of_numpy_and_no_step_waits(xp, mix, tmp_path, kind):
    theirs, their_arrays, events = run(kind, mix, xp, tmp_path / "cupy", draw=kind is VAETask)
    ours, our_arrays, _ = run(kind, mix, np, tmp_path / "numpy", draw=kind is VAETask)
    assert events == [[], []]
    assert theirs == ours
    assert ours[0]["step"] == 2
    assert same(their_arrays, our_arrays)
    if kind is VAETask:
        picture = tmp_path / "cupy/samples/epoch_0001.png"
        assert picture.read_bytes() == (tmp_path / "numpy/samples/epoch_0001.png").read_bytes()
    environment = json.loads((tmp_path / "cupy/config.json").read_text())["environment"]
    assert environment["device"] == "strict stand-in for a GPU"


def test_a_run_goes_on_on_the_other_backend(xp, mix, tmp_path):
    whole, arrays, _ = run(VAETask, mix, np, tmp_path / "whole", epochs=2)
    run(VAETask, mix, xp, tmp_path / "moved", epochs=1)
    moved, moved_arrays, _ = run(VAETask, mix, np, tmp_path / "moved", epochs=2, resume=True)
    assert moved == whole
    assert same(moved_arrays, arrays)
    run(VAETask, mix, np, tmp_path / "back", epochs=1)
    back, back_arrays, _ = run(VAETask, mix, xp, tmp_path / "back", epochs=2, resume=True)
    assert back == whole
    assert same(back_arrays, arrays)


def test_a_judge_is_loaded_onto_the_device(xp, mix, tmp_path):
    run(JudgeTask, mix, np, tmp_path)
    ours, theirs = load_judge(tmp_path), load_judge(tmp_path, xp)
    assert isinstance(theirs[0].W.data, xp.ndarray)
    assert same(theirs.state(), ours.state())


def test_evaluation_gives_the_numbers_of_numpy(xp, mix):
    results = []
    for module in (xp, np):
        judge = models.LeNet5().to(module)
        model = small_generator(models.VAE).to(module)
        results.append(evaluate(model, judge, mix.test, seed=0))
    assert results[0] == results[1]
    assert json.loads(json.dumps(results[0])) == json.loads(json.dumps(results[1]))
