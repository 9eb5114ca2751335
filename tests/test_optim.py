"""Optimisers over one flat buffer: views, cleared gradients, refusals, state."""

import copy

import numpy as np
import pytest

from tinya2i import Sequential, layers, losses, optim, threads
from tinya2i.errors import CheckpointError
from tinya2i.layer import Param

BOTH = pytest.mark.parametrize(
    "make",
    [optim.Adam, lambda params, lr=1e-3: optim.SGD(params, lr, momentum=0.9)],
    ids=["adam", "sgd"],
)


def network(dtype=np.float32):
    rng = np.random.default_rng(0)
    return Sequential(
        layers.Conv2d(1, 3, 3, rng=rng), layers.BatchNorm2d(3), layers.ReLU(),
        layers.Flatten(), layers.Linear(3 * 4 * 4, 5, rng=rng),
    ).astype(dtype)  # fmt: skip


def batch(seed=0, dtype=np.float32):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((4, 6, 6, 1)).astype(dtype), rng.integers(0, 5, 4)


def backward(model, seed=0):
    X, labels = batch(seed)
    Z, backprop = model.forward(X)
    loss, dZ = losses.cross_entropy(Z, labels)
    backprop(dZ)
    return float(loss)


def train(model, optimiser, seeds):
    for seed in seeds:
        backward(model, seed)
        optimiser.step()


def same_state(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


# The flat buffer


@BOTH
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parameters_become_views_into_one_buffer(make, dtype):
    model = network(dtype)
    before = model.state()
    optimiser = make(model.params())
    assert same_state(model.state(), before)
    for param in model.params():
        assert np.shares_memory(param.data, optimiser.data)
        assert np.shares_memory(param.grad, optimiser.grad)
        assert param.data.flags.c_contiguous
        assert param.data.dtype == optimiser.data.dtype == dtype
    addresses = [param.data.ctypes.data for param in model.params()]
    assert all((address - addresses[0]) % 64 == 0 for address in addresses)
    assert optimiser.data.size >= model.count()


@BOTH
def test_parameters_do_not_overlap(make):
    model = network()
    optimiser = make(model.params())
    optimiser.data[...] = 0
    for i, param in enumerate(model.params(), start=1):
        param.data[...] = i
    for i, param in enumerate(model.params(), start=1):
        assert (param.data == i).all()
    assert np.count_nonzero(optimiser.data) == model.count()


@BOTH
def test_gradients_that_were_there_before_are_kept(make):
    model, other = network(), network()
    backward(model)
    optimiser = make(model.params())
    backward(other)
    for ours, theirs in zip(model.params(), other.params(), strict=True):
        np.testing.assert_array_equal(ours.grad, theirs.grad)
    twice = make(other.params())
    optimiser.step()
    twice.step()
    assert same_state(model.state(), other.state())


@BOTH
def test_a_step_moves_the_parameters_and_clears_the_gradients_in_place(make):
    model = network()
    optimiser = make(model.params())
    arrays = [(param.data, param.grad) for param in model.params()]
    before = [param.data.copy() for param in model.params()]
    backward(model)
    assert all(np.abs(param.grad).max() > 0 for param in model.params() if param is not bias(model))
    optimiser.step()
    for param, (data, grad), old in zip(model.params(), arrays, before, strict=True):
        assert param.data is data
        assert param.grad is grad
        assert not np.array_equal(param.data, old)
        assert not param.grad.any()
    assert not optimiser.grad.any()
    assert optimiser.t == 1


def bias(model):
    """The bias before BatchNorm, which takes it out again: its gradient is zero, or nearly."""
    return model[0].b


@BOTH
def test_training_lowers_the_loss(make):
    model = network()
    optimiser = make(model.params(), lr=0.01)
    first = backward(model)
    optimiser.step()
    train(model, optimiser, [0] * 40)
    assert backward(model) < 0.2 * first


def test_the_first_step_of_adam_is_the_learning_rate():
    """m^ = g and v^ = g^2 at t = 1, so each number moves by lr against its gradient's sign."""
    param = Param(np.zeros(4))
    optimiser = optim.Adam([param], lr=0.25)
    param.grad += [1e-3, -5.0, 1e5, 0.0]
    optimiser.step()
    np.testing.assert_allclose(param.data, [-0.25, 0.25, -0.25, 0], rtol=1e-4)


@BOTH
def test_without_gradients_nothing_moves(make):
    model = network()
    optimiser = make(model.params())
    before = model.state()
    optimiser.step()
    assert same_state(model.state(), before)


@BOTH
def test_the_learning_rate_can_change(make):
    moved = []
    for lr in (1e-3, 2e-3):
        param = Param(np.zeros(3))
        optimiser = make([param])
        optimiser.lr = lr
        param.grad += 1
        optimiser.step()
        moved.append(param.data.copy())
    np.testing.assert_allclose(moved[1], 2 * moved[0])


@BOTH
def test_chunks_do_not_change_a_step(make, monkeypatch):
    results = []
    for size in (threads.SLICE_BYTES, 256):
        model = network()
        optimiser = make(model.params())
        for seed in range(3):
            backward(model, seed)
            with monkeypatch.context() as patch:
                patch.setattr(threads, "SLICE_BYTES", size)
                optimiser.step()
        results.append(model.state())
    assert same_state(*results)


# What it refuses


@BOTH
def test_a_converted_model_is_refused(make):
    model = network()
    optimiser = make(model.params())
    backward(model)
    model.astype(np.float64)
    before, moments = model.state(), optimiser.state()
    with pytest.raises(RuntimeError, match="build the optimiser last"):
        optimiser.step()
    assert same_state(model.state(), before)
    assert same_state(optimiser.state(), moments)
    make(model.params()).step()


@BOTH
def test_a_moved_model_is_refused(make):
    model = network()
    optimiser = make(model.params())
    copied = [copy.copy(param) for param in model.params()]
    for param in model.params():
        param.convert(np.copy)  # what moving to a device and back does
    with pytest.raises(RuntimeError, match="call astype and to first"):
        optimiser.step()
    for param, old in zip(model.params(), copied, strict=True):
        param.data, param.grad = old.data, old.grad
    optimiser.step()  # negative control: with the views back it works


@BOTH
def test_a_model_with_a_second_optimiser_is_refused_by_the_first(make):
    model = network()
    first = make(model.params())
    second = make(model.params())
    with pytest.raises(RuntimeError, match="another optimiser"):
        first.step()
    second.step()


def test_moving_to_the_same_backend_keeps_an_optimiser_valid_or_is_refused():
    """Never a silent third way: a step that moves numbers which the model no longer looks at."""
    model = network()
    optimiser = optim.Adam(model.params())
    model.to(np)
    backward(model)
    before = model.state()
    try:
        optimiser.step()
    except RuntimeError:
        assert same_state(model.state(), before)
    else:
        assert not same_state(model.state(), before)


@BOTH
def test_no_parameters_and_mixed_dtypes_are_refused(make):
    with pytest.raises(ValueError, match="at least one parameter"):
        make([])
    with pytest.raises(ValueError, match="one dtype"):
        make([Param(np.zeros(3)), Param(np.zeros(3, np.float32))])


# State


@BOTH
def test_loading_a_state_goes_on_bit_for_bit(make):
    model = network()
    optimiser = make(model.params())
    train(model, optimiser, range(4))
    weights, state = model.state(), optimiser.state()
    train(model, optimiser, range(4, 8))

    again = network()
    resumed = make(again.params())
    again.load_state(weights)
    resumed.load_state(state)
    train(again, resumed, range(4, 8))
    assert same_state(again.state(), model.state())
    assert same_state(resumed.state(), optimiser.state())

    forgetful = network()  # negative control: the weights alone are not enough
    afresh = make(forgetful.params())
    forgetful.load_state(weights)
    train(forgetful, afresh, range(4, 8))
    assert not same_state(forgetful.state(), model.state())


@BOTH
def test_a_state_is_a_copy(make):
    model = network()
    optimiser = make(model.params())
    train(model, optimiser, range(2))
    state = optimiser.state()
    kept = {name: array.copy() for name, array in state.items()}
    train(model, optimiser, range(2))
    assert same_state(state, kept)
    assert not same_state(optimiser.state(), kept)
    optimiser.load_state(state)
    train(model, optimiser, range(2))
    assert same_state(state, kept)


def test_what_a_state_holds():
    model = network()
    adam, sgd = optim.Adam(model.params()).state(), optim.SGD(network().params()).state()
    assert adam.keys() == {"m", "v", "t"}
    assert sgd.keys() == {"velocity", "t"}
    assert all(isinstance(array, np.ndarray) for array in [*adam.values(), *sgd.values()])


def _spoilt():
    """(what is wrong, function that does it to the state of an Adam)."""
    yield "missing", lambda state: state.pop("v")
    yield "no t", lambda state: state.pop("t")
    yield "left over", lambda state: state.update(w=state["v"])
    yield "shape", lambda state: state.update(v=state["v"][:-1])
    yield "scalar", lambda state: state.update(v=np.float32(0) + state["v"][:1])
    yield "dtype", lambda state: state.update(v=state["v"].astype(np.float64))
    yield "t is an array", lambda state: state.update(t=np.array([1, 2]))
    yield "t is negative", lambda state: state.update(t=np.array(-1))
    yield "t is a fraction", lambda state: state.update(t=np.array(1.5))
    yield "t is a word", lambda state: state.update(t=np.array("three"))


@pytest.mark.parametrize(("what", "spoil"), list(_spoilt()), ids=[name for name, _ in _spoilt()])
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(what, spoil):
    model = network()
    optimiser = optim.Adam(model.params())
    train(model, optimiser, range(2))
    before = optimiser.state()
    state = {name: array + 1 for name, array in before.items()}
    spoil(state)
    with pytest.raises(CheckpointError):
        optimiser.load_state(state)
    assert same_state(optimiser.state(), before)


def test_the_state_of_another_optimiser_or_model_is_refused():
    adam = optim.Adam(network().params())
    with pytest.raises(CheckpointError, match="velocity"):
        adam.load_state(optim.SGD(network().params()).state())
    with pytest.raises(CheckpointError, match="another model"):
        adam.load_state(optim.Adam(layers.Linear(3, 2).params()).state())


def test_loading_weights_into_the_model_reaches_the_buffer():
    model = network()
    optimiser = optim.Adam(model.params())
    target = {name: array + 1 for name, array in model.state().items()}
    model.load_state(target)
    assert same_state(model.state(), target)
    assert all(np.shares_memory(param.data, optimiser.data) for param in model.params())
    backward(model)
    optimiser.step()
    assert not same_state(model.state(), target)
