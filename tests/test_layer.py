"""Parameters, state and conversion: what a layer is besides its forward."""

import sys
import types

import numpy as np
import pytest

from tinya2i import Sequential, layers, losses, models, optim
from tinya2i.errors import CheckpointError, Tinya2iError
from tinya2i.gradcheck import cases
from tinya2i.gradcheck.kinds import LayerCase, spread
from tinya2i.layer import Layer, Param

STATEFUL = [case for case in cases.LAYERS if case.make(np.random.default_rng(0)).state()]


def network(seed=0):
    rng = np.random.default_rng(seed)
    return Sequential(
        layers.Conv2d(2, 3, 3, rng=rng), layers.BatchNorm2d(3), layers.ReLU(),
        Sequential(layers.Flatten(), layers.Linear(12, 5, rng), layers.Tanh()),
    )  # fmt: skip


class Two(Layer):
    """A layer with attributes of every kind, set in an order that is not alphabetical."""

    def __init__(self, shared):
        self.z = layers.Linear(3, 4)
        self.scale = Param(np.ones(2, np.float32))
        self.name, self.steps = "two", [1, 2]
        self.a = Sequential(shared, layers.Tanh(), shared)
        self.again = shared


NAMES = ["0.W", "0.b", "1.gamma", "1.beta", "3.1.W", "3.1.b"]


def different(case, seed=3):
    """The case's layer with other numbers in it."""
    rng = np.random.default_rng(seed)
    layer = case.make(rng)
    spread(layer, rng)
    return layer


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


# Names and order


def test_parameters_have_dotted_names_in_a_stable_order():
    model = network()
    assert [name for name, _ in model.named_params()] == NAMES
    assert [name for name, _ in network(1).named_params()] == NAMES
    for (name, param), other in zip(model.named_params(), model.params(), strict=True):
        assert param is other
        *path, attribute = name.split(".")
        layer = model
        for step in path:
            layer = layer[int(step)]
        assert getattr(layer, attribute) is param


def test_order_is_that_in_which_attributes_were_set():
    names = [name for name, _ in Two(layers.Linear(4, 4)).named_params()]
    assert names == ["scale", "z.W", "z.b", "a.0.W", "a.0.b"]


def test_using_a_layer_does_not_change_names_or_order():
    model = network()
    before = [(name, id(param)) for name, param in model.named_params()]
    Y, backprop = model.forward(np.ones((3, 4, 4, 2), np.float32))
    backprop(Y)
    optim.Adam(model.params()).step()
    model.astype(np.float64)
    model.load_state(model.state())
    assert [(name, id(param)) for name, param in model.named_params()] == before


def test_a_shared_layer_is_listed_once():
    shared = layers.Linear(4, 4)
    model = Two(shared)
    params = list(model.params())
    assert len({id(param) for param in params}) == len(params) == 5
    assert sum(param is shared.W for param in params) == 1
    assert sum(layer is shared for _, layer in model.walk()) == 1
    assert model.count() == 2 + 3 * 4 + 4 + 4 * 4 + 4
    assert len(model.state()) == 5


def test_a_shared_layer_gets_the_gradients_of_both_uses(rng):
    shared = layers.Linear(4, 4, rng).astype(np.float64)
    X = rng.standard_normal((3, 4))
    twin = layers.Linear(4, 4).astype(np.float64)
    twin.load_state(shared.state())
    once, both = Sequential(shared, layers.Tanh(), shared), Sequential(shared, layers.Tanh(), twin)
    Y, backprop = both.forward(X)
    backprop(np.ones_like(Y))
    expected = shared.W.grad + twin.W.grad
    shared.zero_grad()
    again, backprop = once.forward(X)
    np.testing.assert_array_equal(again, Y)
    backprop(np.ones_like(Y))
    np.testing.assert_allclose(shared.W.grad, expected, rtol=1e-12)


def test_count_and_zero_grad():
    model = network()
    assert model.count() == (9 * 2 * 3 + 3) + (3 + 3) + (12 * 5 + 5)
    assert layers.ReLU().count() == 0
    arrays = [param.grad for param in model.params()]
    for array in arrays:
        array += 1
    model.zero_grad()
    assert not any(array.any() for array in arrays)
    assert all(p.grad is array for p, array in zip(model.params(), arrays, strict=True))


def test_a_param_has_a_gradient_of_its_own_shape_and_dtype():
    data = np.arange(6, dtype=np.float32).reshape(2, 3)
    param = Param(data)
    assert param.data is data
    assert param.grad.shape == (2, 3)
    assert param.grad.dtype == np.float32
    assert not param.grad.any()


def test_sequential_is_a_list_of_layers():
    model = network()
    assert len(model) == 4
    assert [name for name, _ in model.children()] == ["0", "1", "2", "3"]
    assert isinstance(model[1], layers.BatchNorm2d)
    X = np.ones((2, 3))
    empty = Sequential()
    Y, backprop = empty.forward(X)
    np.testing.assert_array_equal(Y, X)
    np.testing.assert_array_equal(backprop(2 * X), 2 * X)
    assert list(empty.params()) == []


def test_sequential_hands_the_mode_to_every_layer():
    model = network()
    X = np.random.default_rng(0).standard_normal((3, 4, 4, 2)).astype(np.float32)
    before = model[1].mean.copy()
    model.forward(X, train=False)
    model(X)
    np.testing.assert_array_equal(model[1].mean, before)
    model.forward(X)
    assert not np.array_equal(model[1].mean, before)


def test_sequential_asks_only_its_first_layer_to_skip_dx():
    asked = []

    class Spy(layers.Tanh):
        def forward(self, X, train=True):
            Y, backprop = super().forward(X, train)

            def spied(dY, accumulate=True, input_grad=True):
                asked.append((accumulate, input_grad))
                return backprop(dY, accumulate, input_grad)

            return Y, spied

    X = np.ones((1, 2))
    Sequential(Spy(), Spy(), Spy()).forward(X)[1](X, accumulate=False, input_grad=False)
    assert asked == [(False, True), (False, True), (False, False)]


def test_the_base_class_has_no_forward():
    with pytest.raises(NotImplementedError):
        Layer().forward(np.ones((1, 2)))


# State


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", STATEFUL)
def test_a_state_goes_into_a_new_layer(case, dtype):
    layer, other = different(case, 3).astype(dtype), different(case, 4).astype(dtype)
    X = case.input(np.random.default_rng(0)).astype(dtype)
    extra = case.extra(np.random.default_rng(1), X.shape)

    def output(layer):
        Y = layer.forward(X, train=False, **extra)[0]
        return Y[0] if isinstance(Y, tuple) else Y

    assert not np.array_equal(output(layer), output(other))
    other.load_state(layer.state())
    np.testing.assert_array_equal(output(layer), output(other))
    assert same(layer.state(), other.state())


@pytest.mark.parametrize("case", STATEFUL)
def test_a_state_is_a_copy_and_loading_copies(case):
    layer, other = different(case, 3), different(case, 4)
    state = layer.state()
    kept = {name: array.copy() for name, array in state.items()}
    for array in state.values():
        array += 1
    assert same(layer.state(), kept)
    other.load_state(state)
    for array in state.values():
        array += 1
    assert same(other.state(), {name: array + 1 for name, array in kept.items()})


def test_a_state_holds_parameters_and_running_statistics():
    state = network().state()
    assert sorted(state) == sorted([*NAMES, "1.mean", "1.var"])
    assert all(type(array) is np.ndarray for array in state.values())


def test_loading_keeps_the_arrays():
    """They may be views into an optimiser's buffer."""
    model = network()
    arrays = [param.data for param in model.params()] + [model[1].mean, model[1].var]
    model.load_state(network(1).state())
    now = [param.data for param in model.params()] + [model[1].mean, model[1].var]
    assert all(a is b for a, b in zip(arrays, now, strict=True))


def missing(state):
    del state["0.W"], state["1.mean"]
    return ["0.W is missing", "1.mean is missing"]


def surplus(state):
    state["9.W"] = state["encoder.b"] = np.zeros(3, np.float32)
    return ["9.W is not part of it", "encoder.b is not part of it"]


def wrong_shape(state):
    state["3.1.W"], state["0.b"] = state["3.1.W"].T, state["0.b"][:1]
    return [
        "3.1.W is float32(5, 12), expected float32(12, 5)",
        "0.b is float32(1,), expected float32(3,)",
    ]


def wrong_dtype(state):
    state["1.var"] = state["1.var"].astype(np.float64)
    state["0.b"] = state["0.b"].astype(np.int32)
    return [
        "1.var is float64(3,), expected float32(3,)",
        "0.b is int32(3,), expected float32(3,)",
    ]


def everything(state):
    problems = surplus(state) + wrong_dtype(state)
    state["3.1.W"] = state["3.1.W"].T
    del state["0.W"]
    return [*problems, "0.W is missing", "3.1.W is float32(5, 12), expected float32(12, 5)"]


@pytest.mark.parametrize("spoil", [missing, surplus, wrong_shape, wrong_dtype, everything])
def test_a_state_that_does_not_fit_is_refused_with_every_name(spoil):
    model = network()
    before, state = model.state(), network(1).state()
    problems = spoil(state)
    with pytest.raises(CheckpointError) as caught:
        model.load_state(state)
    assert isinstance(caught.value, Tinya2iError)
    assert isinstance(caught.value, ValueError)
    for problem in problems:
        assert problem in str(caught.value)
    assert str(caught.value).count("; ") == len(problems) - 1
    assert same(model.state(), before)
    model.load_state(network(1).state())  # negative control: unspoilt, it fits
    assert not same(model.state(), before)


def test_a_number_where_an_array_of_one_is_expected_is_refused():
    """NumPy would broadcast it without a word."""
    layer = layers.Linear(1, 1)
    with pytest.raises(CheckpointError, match="W is float32"):
        layer.load_state({"W": np.float32(3), "b": np.zeros(1, np.float32)})


# Conversion


@pytest.mark.parametrize("case", cases.LAYERS)
def test_conversions_return_the_layer_itself(case):
    layer = case.make(np.random.default_rng(0))
    assert layer.astype(np.float64) is layer
    assert layer.to(np) is layer


def test_astype_converts_parameters_gradients_and_statistics():
    model = network()
    for param in model.params():
        param.grad += 1.5
    params, before = list(model.params()), model.state()
    model.astype(np.float64)
    assert all(a is b for a, b in zip(model.params(), params, strict=True))  # the same Params
    assert {p.data.dtype for p in params} == {p.grad.dtype for p in params} == {np.dtype(float)}
    assert {array.dtype for array in model.state().values()} == {np.dtype(float)}
    assert all((param.grad == 1.5).all() for param in params)
    assert same(model.astype("float32").state(), before)


def test_astype_converts_a_shared_layer_once():
    calls = []
    model = Two(layers.Linear(4, 4))
    for param in model.params():
        param.convert = lambda function, plain=param.convert: calls.append(1) or plain(function)
    model.astype(np.float64)
    assert len(calls) == 5


def test_moving_copies_everything_to_the_other_module(monkeypatch):
    """A stand-in for CuPy: a subclass of ndarray that only its own functions make."""
    device = types.ModuleType("cupy")
    device.ndarray = type("ndarray", (np.ndarray,), {})
    device.asarray = lambda X: np.array(X).view(device.ndarray)
    device.asnumpy = lambda X: np.array(X)
    model, before = network(), network().state()
    assert model.to(device) is model
    arrays = [array for param in model.params() for array in (param.data, param.grad)]
    arrays += [model[1].mean, model[1].var]
    assert all(type(array) is device.ndarray for array in arrays)
    monkeypatch.setitem(sys.modules, "cupy", device)
    assert same(model.to(np).state(), before)


def test_an_optimiser_refuses_a_model_converted_after_it_was_built():
    model = network()
    optimiser = optim.Adam(model.params())
    model.astype(np.float64)
    before = model.state()
    with pytest.raises(RuntimeError, match="build the optimiser last"):
        optimiser.step()
    assert same(model.state(), before)
    optim.Adam(model.params()).step()  # negative control: in the right order it steps


def test_no_step_between_forward_and_backprop_is_the_users_part(rng):
    """The one thing that closures do not protect from: weights that move in between."""
    layer = layers.Linear(3, 2, rng).astype(np.float64)
    X = rng.standard_normal((4, 3))
    Y, backprop = layer.forward(X)
    right = backprop(np.ones_like(Y))
    optim.SGD(layer.params(), lr=0.1).step()
    assert not np.allclose(backprop(np.ones_like(Y)), right)


# A generator that learns through a frozen judge


def test_learning_through_a_frozen_layer(rng):
    """accumulate=False: the judge passes the gradient on and keeps none of it."""
    generator = Sequential(layers.Linear(3, 6, rng), layers.Tanh()).astype(np.float64)
    judge = Sequential(layers.Linear(6, 4, rng), layers.BatchNorm1d(4)).astype(np.float64)
    X, labels = rng.standard_normal((5, 3)), np.array([0, 1, 2, 3, 0])
    together = Sequential(generator, judge)
    Z, backprop = together.forward(X, train=False)
    backprop(losses.cross_entropy(Z, labels)[1])
    expected = [param.grad.copy() for param in generator.params()]
    together.zero_grad()
    Y, back_generator = generator.forward(X)
    Z, back_judge = judge.forward(Y, train=False)
    back_generator(back_judge(losses.cross_entropy(Z, labels)[1], accumulate=False))
    for param, gradient in zip(generator.params(), expected, strict=True):
        np.testing.assert_allclose(param.grad, gradient, rtol=1e-12)
    assert not any(param.grad.any() for param in judge.params())


# What layers refuse


@pytest.mark.parametrize(
    ("layer", "shape", "words"),
    [
        (layers.Conv2d(1, 1, 5), (1, 4, 9, 1), "window of 5 does not fit into 4 pixels"),
        (layers.MaxPool2d(3), (1, 2, 2, 1), "window of 3 does not fit"),
        (layers.AvgPool2d(3), (1, 2, 2, 1), "window of 3 does not fit"),
        (layers.ConvTranspose2d(1, 1, 2, padding=1), (1, 1, 1, 1), "leaves no output"),
        (layers.BatchNorm2d(1), (1, 1, 1, 1), "more than one value per channel"),
        (layers.Dropout(0.5), (2, 3), "needs mask="),
    ],
)
def test_what_cannot_work_is_refused_with_the_cause(layer, shape, words):
    with pytest.raises(ValueError, match=words):
        layer.forward(np.ones(shape, np.float32))


@pytest.mark.parametrize("p", [-0.1, 1, 1.5, float("nan")])
def test_a_dropout_probability_is_below_one(p):
    with pytest.raises(ValueError, match="probability"):
        layers.Dropout(p)


def test_a_dropout_mask_drops_its_share():
    layer = layers.Dropout(0.3)
    mask = layer.draw_mask((200, 500), np.random.default_rng(0))
    assert set(np.unique(mask)) == {0, 1}
    assert mask.mean() == pytest.approx(0.7, abs=0.01)  # 7 standard deviations of such a mean
    np.testing.assert_array_equal(layer.draw_mask((200, 500), np.random.default_rng(0)), mask)


def test_a_refused_batch_leaves_no_statistics():
    layer = layers.BatchNorm1d(3)
    before = layer.state()
    with pytest.raises(ValueError, match="larger batch"):
        layer.forward(np.ones((1, 3), np.float32))
    assert same(layer.state(), before)


@pytest.mark.parametrize("kind", layers.__all__)
def test_layers_without_rng_always_start_the_same(kind):
    """Nothing is drawn from a global state."""
    case = next(case for case in cases.LAYERS if case.name.startswith(kind))
    assert isinstance(case, LayerCase)
    a, b = (case.make(None) for _ in range(2))
    assert same(a.state(), b.state())
    c = case.make(np.random.default_rng(5))
    assert same(a.state(), c.state()) == (not hasattr(a, "W"))


def test_two_layers_from_one_generator_differ(rng):
    a, b = layers.Linear(3, 2, rng), layers.Linear(3, 2, rng)
    assert not np.array_equal(a.W.data, b.W.data)


def test_models_are_layers():
    assert all(issubclass(getattr(models, name), Layer) for name in models.__all__)


def test_a_slice_of_a_sequential_is_its_own_layers():
    rng = np.random.default_rng(0)
    whole = Sequential(layers.Linear(3, 4, rng), layers.Tanh(), layers.Linear(4, 2, rng))
    first, last, X = whole[:2], whole[2:], rng.standard_normal((5, 3)).astype(np.float32)
    np.testing.assert_array_equal(last(first(X)), whole(X))
    assert [name for name, _ in first.named_params()] == ["0.W", "0.b"]
    assert first[0] is whole[0]
    assert last[0].W is whole[2].W
    Y, backprop = last.forward(first(X))
    backprop(np.ones_like(Y))
    assert whole[2].W.grad.any()
    assert not whole[0].W.grad.any()
    assert len(whole[1:1]) == 0
