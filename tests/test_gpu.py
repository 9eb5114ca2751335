"""The library on a real GPU: the same numbers as NumPy, within what float32 allows.

Skipped without CuPy and a GPU. Only a run of this file on one says that the library works there;
what test_strict_cupy.py can show without is written in strict_cupy.py. TF32 must be off, as it
is by default.
"""

import os

import numpy as np
import pytest
from test_strict_cupy import (
    LAYER_CASES,
    OPTIMISERS,
    SIZES,
    layer_id,
    layer_pass,
    make_mix,
    run,
    steps,
    training_step,
)

from tinya2i import backend, layers, losses
from tinya2i.backend import to_device, to_numpy
from tinya2i.environment import environment
from tinya2i.errors import BackendError
from tinya2i.gradcheck import cases
from tinya2i.layer import Sequential
from tinya2i.tasks import JudgeTask, VAETask

pytestmark = pytest.mark.gpu

# Relative, and absolute in units of the array's largest number (of 1, if that is smaller).
TOLERANCES = {np.float32: (1e-4, 1e-5), np.float64: (1e-10, 1e-11)}
DTYPES = list(TOLERANCES)
MODELS = list(SIZES)


@pytest.fixture(scope="module")
def xp():
    try:
        module = backend.get("cupy")
    except BackendError as error:
        pytest.skip(str(error))
    if os.environ.get("CUPY_TF32", "0") not in ("", "0"):
        pytest.skip("CUPY_TF32 is set: products have 10 bits, and these tolerances are too tight")
    return module


def check(theirs, ours, dtype, what=""):
    """Compare two nests of dicts, lists and arrays; the message says where they differ."""
    if isinstance(ours, dict):
        assert theirs.keys() == ours.keys()
        for name in ours:
            check(theirs[name], ours[name], dtype, f"{what} {name}")
    elif isinstance(ours, (list, tuple)):
        assert len(theirs) == len(ours)
        for i, (a, b) in enumerate(zip(theirs, ours, strict=True)):
            check(a, b, dtype, f"{what} [{i}]")
    else:
        relative, absolute = TOLERANCES[dtype]
        assert np.shape(theirs) == np.shape(ours), what
        assert np.asarray(theirs).dtype == np.asarray(ours).dtype, what
        scale = max(1.0, np.abs(ours).max(initial=0))
        np.testing.assert_allclose(theirs, ours, relative, absolute * scale, err_msg=what)


def test_the_device_has_a_name(xp):
    assert xp.__name__ == "cupy"
    assert backend.device_name(xp)
    assert environment(xp)["cupy"] == xp.__version__
    assert backend.get("auto") is xp


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("case", "train", "n"), LAYER_CASES, ids=layer_id)
def test_layers(xp, case, train, n, dtype):
    theirs, ours = (layer_pass(case, train, n, dtype, module) for module in (xp, np))
    check(theirs, ours, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", cases.LOSSES, ids=lambda case: case.name)
def test_losses(xp, case, dtype):
    inputs = [
        A.astype(dtype) if A.dtype.kind == "f" else A for A in case.inputs(np.random.default_rng(0))
    ]
    theirs = case.loss(*(to_device(A, xp) for A in inputs))
    assert all(isinstance(array, xp.ndarray) for array in theirs)
    check([to_numpy(array) for array in theirs], list(case.loss(*inputs)), dtype)


def test_losses_of_extreme_logits_are_finite(xp):
    Z = xp.asarray([[-1e4, 1e4, 0.0, -90.0, 90.0]], dtype=np.float32)
    value, dZ = losses.bce_with_logits(Z, xp.asarray([[0.0, 1.0, 0.5, 0.0, 1.0]], np.float32))
    assert float(value) == pytest.approx(np.log(2), rel=1e-5)
    assert np.isfinite(to_numpy(dZ)).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OPTIMISERS)
def test_optimisers(xp, name, dtype):
    (theirs, their_optimiser), (ours, our_optimiser) = (
        steps(OPTIMISERS[name], dtype, module, count=20) for module in (xp, np)
    )
    check(theirs.state(), ours.state(), dtype)
    check(their_optimiser.state(), our_optimiser.state(), dtype)


@pytest.mark.parametrize("name", MODELS)
def test_a_training_step_in_float32(xp, name):
    """Losses and gradients (Adam's m is a tenth of them).

    Not the weights: Adam divides a gradient by its own size, so one that is rounding alone moves a
    weight by the whole learning rate, up or down.
    """
    theirs, _, their_adam, _ = training_step(name, xp)
    ours, _, our_adam, _ = training_step(name, np)
    check(theirs, ours, np.float32)
    check(to_numpy(their_adam.m), our_adam.m, np.float32)
    assert np.abs(to_numpy(their_adam.data) - our_adam.data).max() < 2.1 * our_adam.lr


@pytest.mark.parametrize("name", MODELS)
def test_a_training_step_in_float64(xp, name):
    """The weights too: what is left of rounding is far below Adam's eps."""
    theirs, _, their_adam, _ = training_step(name, xp, np.float64)
    ours, _, our_adam, _ = training_step(name, np, np.float64)
    check(theirs, ours, np.float64)
    check(to_numpy(their_adam.m), our_adam.m, np.float64)
    np.testing.assert_allclose(to_numpy(their_adam.data), our_adam.data, rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", MODELS)
def test_a_training_step_is_repeatable_in_every_bit(xp, name):
    (a, _, a_adam, _), (b, _, b_adam, _) = (training_step(name, xp) for _ in range(2))
    assert a == b
    assert bool((a_adam.data == b_adam.data).all())


@pytest.mark.parametrize("name", MODELS)
def test_inference(xp, name):
    X = np.random.default_rng(1).random((3, *SIZES[name], 1), np.float32)
    outputs = []
    for module in (xp, np):
        model = training_step(name, np)[1].to(module)
        draw = model if name == "LeNet5" else model.generate
        outputs.append(draw(to_device(X, module)))
    check(to_numpy(outputs[0]), outputs[1], np.float32)


def test_a_model_moves_there_and_back(xp):
    layer = Sequential(layers.Conv2d(1, 2, 3), layers.BatchNorm2d(2))
    state = layer.state()
    assert all(isinstance(A, np.ndarray) for A in layer.to(xp).state().values())
    assert isinstance(layer[0].W.data, xp.ndarray)
    assert isinstance(layer[1].mean, xp.ndarray)
    layer.load_state({name: A + 1 for name, A in state.items()})
    moved = layer.to(np).state()
    assert all(np.array_equal(moved[name], state[name] + 1) for name in state)


@pytest.mark.parametrize("kind", [JudgeTask, VAETask], ids=lambda kind: kind.__name__)
def test_a_run_and_its_resumption_on_the_other_backend(xp, tmp_path, kind):
    mix = make_mix()
    whole, arrays, _ = run(kind, mix, xp, tmp_path / "whole", epochs=2, draw=True)
    run(kind, mix, xp, tmp_path / "again", epochs=1)
    again, again_arrays, _ = run(kind, mix, xp, tmp_path / "again", epochs=2, resume=True)
    assert again == whole  # on one GPU, in every bit
    assert all(np.array_equal(again_arrays[name], A) for name, A in arrays.items())
    ours, _, _ = run(kind, mix, np, tmp_path / "numpy", epochs=1)
    assert whole[0]["loss"] == pytest.approx(ours[0]["loss"], rel=1e-3)
    moved, _, _ = run(kind, mix, np, tmp_path / "again", epochs=3, resume=True)
    assert len(moved) == 3
