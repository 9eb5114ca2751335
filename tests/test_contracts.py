"""What every layer promises beside right numbers, and layers that break each promise.

A contract is a function of a Subject (a layer, an input, a mode) that asserts. Each must pass for
every layer of the table, and each must fail for at least one layer made to break it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from tinya2i import layers
from tinya2i.gradcheck import cases
from tinya2i.gradcheck.kinds import LayerCase, spread
from tinya2i.layer import Layer, Param, Sequential


def _flat_first(rng):
    """A network whose first layer has nothing to learn, so dX comes out of it whatever is asked."""
    return Sequential(layers.Flatten(), layers.BatchNorm1d(6), layers.Linear(6, 2, rng))


CASES = [*cases.LAYERS, LayerCase("Flatten first", _flat_first, (4, 3, 2), alone=(False,))]
BY_NAME = {case.name: case for case in CASES}


@dataclass(frozen=True)
class Subject:
    """A case in one mode; `wrap` makes a layer of the case break a contract."""

    case: LayerCase
    train: bool
    wrap: Callable[[Layer], Layer] = lambda layer: layer

    def layer(self, dtype=np.float64):
        """The layer, every time with the same numbers."""
        rng = np.random.default_rng(1)
        layer = self.case.make(rng).astype(dtype)
        spread(layer, rng)
        return self.wrap(layer)

    def input(self, seed=0, n=None, dtype=np.float64):
        return self.case.input(np.random.default_rng([2, seed]), n).astype(dtype)

    def forward(self, layer, X, seed=0, train=None):
        """layer.forward with the mask or noise that it needs, in X's dtype."""
        extra = self.case.extra(np.random.default_rng([3, seed]), X.shape)
        extra = {name: array.astype(X.dtype) for name, array in extra.items()}
        return layer.forward(X, train=self.train if train is None else train, **extra)


def parts(Y):
    return Y if isinstance(Y, tuple) else (Y,)


def cotangents(Y, seed=0):
    rng = np.random.default_rng([4, seed])
    return [rng.standard_normal(part.shape).astype(part.dtype) for part in parts(Y)]


def grads(layer):
    return [param.grad.copy() for param in layer.params()]


def equal(As, Bs):
    for A, B in zip(parts(As), parts(Bs), strict=True):
        np.testing.assert_array_equal(A, B, strict=True)


def close(As, Bs):
    for A, B in zip(parts(As), parts(Bs), strict=True):
        np.testing.assert_allclose(A, B, rtol=1e-10, atol=1e-12, strict=True)


def one_pass(subject, layer, X, seed=0, **options):
    """(Y, dX, gradients) of one forward and backprop that start from zero gradients."""
    layer.zero_grad()
    Y, backprop = subject.forward(layer, X, seed)
    dX = backprop(*cotangents(Y, seed), **options)
    return Y, dX, grads(layer)


# The contracts


def input_and_cotangent_are_only_read(subject):
    layer, X = subject.layer(), subject.input()
    Y, backprop = subject.forward(layer, X)
    R = cotangents(Y)
    before = X.copy(), [part.copy() for part in parts(Y)], [r.copy() for r in R]
    backprop(*R)
    assert np.array_equal(X, before[0])
    assert np.array_equal(X, subject.input())
    equal(parts(Y), tuple(before[1]))
    equal(tuple(R), tuple(before[2]))


def read_only_arrays_are_enough(subject):
    """Nobody even borrows them."""
    layer, X = subject.layer(), subject.input()
    X.flags.writeable = False
    try:
        Y, backprop = subject.forward(layer, X)
        R = cotangents(Y)
        for r in R:
            r.flags.writeable = False
        backprop(*R)
    except ValueError as error:
        raise AssertionError("writes into an array of its caller") from error


def a_closure_can_be_called_again(subject):
    layer, X = subject.layer(), subject.input()
    Y, backprop = subject.forward(layer, X)
    R = cotangents(Y)
    first, once = backprop(*R), grads(layer)
    kept = first.copy()
    second, twice = backprop(*R), grads(layer)
    equal(second, kept)
    equal(first, kept)  # and what it returned before is still that
    close(tuple(twice), tuple(2 * g for g in once))
    others = [-2 * r for r in R]
    close(backprop(*others, accumulate=False), -2 * kept)


def gradients_are_added(subject):
    layer, X = subject.layer(), subject.input()
    _, _, alone = one_pass(subject, layer, X)
    start = [np.random.default_rng(5).standard_normal(g.shape) for g in alone]
    for param, array in zip(layer.params(), start, strict=True):
        param.grad[...] = array
    Y, backprop = subject.forward(layer, X)
    backprop(*cotangents(Y), accumulate=True)
    close(tuple(grads(layer)), tuple(a + b for a, b in zip(start, alone, strict=True)))


def accumulate_false_only_passes_through(subject):
    layer, X = subject.layer(), subject.input()
    _, dX, _ = one_pass(subject, layer, X)
    Y, backprop = subject.forward(layer, X)
    for param in layer.params():
        param.grad[...] = 7
    equal(backprop(*cotangents(Y), accumulate=False), dX)
    assert all((param.grad == 7).all() for param in layer.params())


def input_grad_false_skips_only_dx(subject):
    layer, X = subject.layer(), subject.input()
    _, dX, full = one_pass(subject, layer, X)
    _, skipped, rest = one_pass(subject, layer, X, input_grad=False)
    equal(tuple(rest), tuple(full))
    first = layer[0] if isinstance(layer, Sequential) else layer
    if list(first.params()):
        assert skipped is None
    else:
        equal(skipped, dX)


def passes_do_not_disturb_each_other(subject):
    """Two passes, one inside the other, against one after the other; statistics included."""
    X = [subject.input(seed) for seed in (0, 1)]
    apart, expected = subject.layer(), []
    for seed in (0, 1):
        Y, backprop = subject.forward(apart, X[seed], seed)
        expected.append((Y, backprop(*cotangents(Y, seed))))

    for order in ((0, 1), (1, 0)):
        layer = subject.layer()
        passes = [subject.forward(layer, X[seed], seed) for seed in (0, 1)]
        for seed in order:
            Y, backprop = passes[seed]
            close(Y, expected[seed][0])
            close(backprop(*cotangents(Y, seed)), expected[seed][1])
        close(tuple(grads(layer)), tuple(grads(apart)))
        close(tuple(layer.state().values()), tuple(apart.state().values()))


def the_other_mode_in_between_changes_nothing(subject):
    X, other = subject.input(), subject.input(1)
    Y, dX, expected = one_pass(subject, subject.layer(), X)
    layer = subject.layer()
    again, backprop = subject.forward(layer, X)
    subject.forward(layer, other, 1, train=not subject.train)[1](*cotangents(Y, 1))
    layer.zero_grad()
    equal(again, Y)
    equal(backprop(*cotangents(Y)), dX)
    equal(tuple(grads(layer)), tuple(expected))


def the_dtype_is_kept(subject):
    for dtype in (np.float32, np.float64):
        layer, X = subject.layer(dtype), subject.input(dtype=dtype)
        Y, dX, gradients = one_pass(subject, layer, X)
        arrays = [*parts(Y), dX, *gradients, *layer.state().values()]
        assert {A.dtype for A in arrays} == {np.dtype(dtype)}


def float32_is_close_to_float64(subject):
    results = []
    for dtype in (np.float32, np.float64):
        X = subject.input(dtype=np.float32).astype(dtype)
        Y, dX, gradients = one_pass(subject, subject.layer(dtype), X)
        results.append([*parts(Y), dX, *gradients])
    for A, B in zip(*results, strict=True):
        np.testing.assert_allclose(A, B, rtol=1e-4, atol=1e-5)


def memory_order_does_not_matter(subject):
    layer, X = subject.layer(), subject.input()
    Y, dX, gradients = one_pass(subject, layer, X)
    for odd in (np.asfortranarray, every_second, backwards):
        layer = subject.layer()
        Y_odd, backprop = subject.forward(layer, odd(X))
        close(Y_odd, Y)
        close(backprop(*map(odd, cotangents(Y))), dX)
        close(tuple(grads(layer)), tuple(gradients))


def every_second(A):
    return np.repeat(np.repeat(A, 2, axis=0), 2, axis=-1)[::2, ..., ::2]


def backwards(A):
    return np.flip(np.flip(A).copy())


def a_sample_alone_gives_the_same(subject):
    """In inference no sample knows of the others; in training a batch of 1 still has gradients.

    A case without inference in `alone` compares samples with each other: that is what it is for.
    """
    X = subject.input()
    if not subject.train:
        if False not in subject.case.alone:
            return
        layer = subject.layer()
        extra = subject.case.extra(np.random.default_rng(0), X.shape)
        Y, backprop = layer.forward(X, train=False, **extra)
        R = cotangents(Y)
        dX = backprop(*R)
        for i in range(len(X)):
            own = {name: array[i : i + 1] for name, array in extra.items()}
            Y_i, backprop = layer.forward(X[i : i + 1], train=False, **own)
            close(Y_i, tuple(part[i : i + 1] for part in parts(Y)))
            close(backprop(*(r[i : i + 1] for r in R)), dX[i : i + 1])
    elif True in subject.case.alone:
        X = X[:1]
        Y, dX, gradients = one_pass(subject, subject.layer(), X)
        assert dX.shape == X.shape
        assert all(len(part) == 1 and np.isfinite(part).all() for part in parts(Y))
        assert all(np.isfinite(A).all() for A in (dX, *gradients))


def nothing_stays_behind(subject):
    """No attribute comes, goes or changes but the running statistics, and those in training only.

    Gradients change, in place.
    """
    layer, X = subject.layer(), subject.input()
    before = belongings(layer, buffers=not subject.train)
    Y, backprop = subject.forward(layer, X)
    assert belongings(layer, buffers=not subject.train) == before
    after_forward = belongings(layer)
    backprop(*cotangents(Y))
    assert belongings(layer) == after_forward


def belongings(layer, buffers=True):
    """Everything on the layer and below it: which objects, and the numbers in them."""
    found = []
    for prefix, part in layer.walk():
        for name, value in vars(part).items():
            found.append(
                (prefix + name, id(value), *contents(value, buffers, name in part.buffers))
            )
    return found


def contents(value, buffers, is_buffer):
    if isinstance(value, Param):
        return id(value.data), id(value.grad), value.data.tobytes()
    if isinstance(value, np.ndarray):
        return (value.tobytes(),) if buffers or not is_buffer else ()
    if isinstance(value, list):
        return tuple(map(id, value))
    return () if isinstance(value, Layer) else (repr(value),)


def the_same_input_gives_the_same_output(subject):
    """Nothing random inside; and each call has an output of its own."""
    layer, X = subject.layer(), subject.input()
    Y, dX, gradients = one_pass(subject, layer, X)
    kept = [part.copy() for part in parts(Y)]
    again, dX_again, gradients_again = one_pass(subject, layer, X.copy())
    equal(again, tuple(kept))
    equal(dX_again, dX)
    equal(tuple(gradients_again), tuple(gradients))
    one_pass(subject, layer, subject.input(1), 1)
    equal(Y, tuple(kept))


def a_call_is_inference(subject):
    layer, X = subject.layer(), subject.input()
    before = layer.state()
    if isinstance(layer, cases.LinearVAE):  # it cannot be called without noise, but asked
        (Z, *_), _ = layer.forward(X, np.zeros((len(X), 64)), train=False)
        return close(layer.generate(X), 1 / (1 + np.exp(-Z)))
    equal(layer(X), subject.layer().forward(X, train=False)[0])
    equal(tuple(layer.state().values()), tuple(before.values()))


def gradients_are_updated_in_place(subject):
    """They may be views into one flat buffer."""
    layer, X = subject.layer(), subject.input()
    params = list(layer.params())
    flat = np.zeros(sum(param.grad.size for param in params))
    start = 0
    for param in params:
        param.grad = flat[start : start + param.grad.size].reshape(param.grad.shape)
        start += param.grad.size
    Y, backprop = subject.forward(layer, X)
    for _ in range(2):
        backprop(*cotangents(Y))
    expected = one_pass(subject, subject.layer(), X)[2]
    close(flat, np.concatenate([np.zeros(0), *(2 * g.ravel() for g in expected)]))


CONTRACTS = {
    function.__name__: function
    for function in (
        input_and_cotangent_are_only_read,
        read_only_arrays_are_enough,
        a_closure_can_be_called_again,
        gradients_are_added,
        accumulate_false_only_passes_through,
        input_grad_false_skips_only_dx,
        passes_do_not_disturb_each_other,
        the_other_mode_in_between_changes_nothing,
        the_dtype_is_kept,
        float32_is_close_to_float64,
        memory_order_does_not_matter,
        a_sample_alone_gives_the_same,
        nothing_stays_behind,
        the_same_input_gives_the_same_output,
        a_call_is_inference,
        gradients_are_updated_in_place,
    )
}


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)
@pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("case", CASES)
def test_every_layer_keeps(case, train, contract):
    contract(Subject(case, train))


# Layers that break them


class Breaker(Layer):
    """A layer around another; a subclass changes what goes in, what comes out, and the closure."""

    def __init__(self, layer):
        self.layer = layer

    def forward(self, X, train=True, **more):
        Y, true_backprop = self.layer.forward(self.on_input(X), train, **more)

        def backprop(dY, accumulate=True, input_grad=True):
            return self.back(true_backprop, dY, accumulate, input_grad)

        return self.on_output(Y), backprop

    def on_input(self, X):
        return X

    def on_output(self, Y):
        return Y

    def back(self, true_backprop, dY, accumulate, input_grad):
        return true_backprop(dY, accumulate, input_grad)


class WritesIntoX(Breaker):
    def on_input(self, X):
        X *= 1.5
        return X


class BorrowsDY(Breaker):
    """Writes, and puts everything back."""

    def back(self, true_backprop, dY, accumulate, input_grad):
        dY *= 2
        dX = true_backprop(dY, accumulate, input_grad)
        dY /= 2
        return dX / 2


class WritesIntoDY(Breaker):
    def back(self, true_backprop, dY, accumulate, input_grad):
        dX = true_backprop(dY, accumulate, input_grad)
        dY[...] = 0
        return dX


class FreesItsMemory(Breaker):
    """Works once: what was kept for backprop is gone afterwards."""

    def forward(self, X, train=True):
        X = X.copy()
        Y, true_backprop = self.layer.forward(X, train)

        def backprop(dY, accumulate=True, input_grad=True):
            dX = true_backprop(dY, accumulate, input_grad)
            X[...] = 0
            return dX

        return Y, backprop


class ReusesItsAnswer(Breaker):
    """One array for every dX that a closure returns."""

    def forward(self, X, train=True):
        Y, true_backprop = self.layer.forward(X, train)
        dX = np.zeros_like(X)

        def backprop(dY, accumulate=True, input_grad=True):
            dX[...] += true_backprop(dY, accumulate)
            return dX

        return Y, backprop


class OverwritesGradients(Breaker):
    def back(self, true_backprop, dY, accumulate, input_grad):
        if accumulate:
            self.zero_grad()
        return true_backprop(dY, accumulate, input_grad)


class AlwaysAccumulates(Breaker):
    def back(self, true_backprop, dY, accumulate, input_grad):
        return true_backprop(dY, True, input_grad)


class NothingUnlessAccumulating(Breaker):
    def back(self, true_backprop, dY, accumulate, input_grad):
        dX = true_backprop(dY, accumulate, input_grad)
        return dX if accumulate else 0 * dX


class AlwaysReturnsDX(Breaker):
    def back(self, true_backprop, dY, accumulate, input_grad):
        return true_backprop(dY, accumulate, True)


class SkipsTooMuch(Breaker):
    """Without dX, no parameter gradients either."""

    def back(self, true_backprop, dY, accumulate, input_grad):
        return true_backprop(dY, accumulate and input_grad, input_grad)


class KeepsItOnSelf(Breaker):
    """The design of most hand-written libraries: backprop belongs to the last forward."""

    def forward(self, X, train=True, **more):
        Y, self.last_backprop = self.layer.forward(X, train, **more)

        def backprop(dY, accumulate=True, input_grad=True):
            return self.last_backprop(dY, accumulate, input_grad)

        return Y, backprop


class RebindsGradients(Breaker):
    def back(self, true_backprop, dY, accumulate, input_grad):
        dX = true_backprop(dY, accumulate, input_grad)
        for param in self.params():
            param.grad = param.grad.copy()
        return dX


class CountsCalls(Breaker):
    def __init__(self, layer):
        super().__init__(layer)
        self.calls = 0

    def on_output(self, Y):
        self.calls += 1
        return Y


class AlwaysUpdatesStatistics(Breaker):
    """Inference moves the running mean, too."""

    def on_output(self, Y):
        self.layer.mean += 0.1
        return Y


class StatisticsMoveInBackprop(Breaker):
    def back(self, true_backprop, dY, accumulate, input_grad):
        self.layer.mean += 0.1
        return true_backprop(dY, accumulate, input_grad)


class ReadsStatisticsInBackprop(Breaker):
    """Its gradient depends on what the running mean is by then."""

    def back(self, true_backprop, dY, accumulate, input_grad):
        return true_backprop(dY, accumulate, input_grad) + self.layer.mean


class Upcasts(Breaker):
    def on_output(self, Y):
        return Y * np.ones(1)


class UpcastsDX(Breaker):
    def back(self, true_backprop, dY, accumulate, input_grad):
        dX = true_backprop(dY, accumulate, input_grad)
        return dX * np.ones(1)


class ThroughFloat16(Breaker):
    """Single precision in the end, but less on the way."""

    def on_input(self, X):
        return X.astype(np.float16).astype(X.dtype) if X.dtype == np.float32 else X


class ReadsXAsItLies(Breaker):
    def on_input(self, X):
        return X.ravel(order="K").reshape(X.shape)


class ReadsDYAsItLies(Breaker):
    def back(self, true_backprop, dY, accumulate, input_grad):
        return true_backprop(dY.ravel(order="K").reshape(dY.shape), accumulate, input_grad)


class CentresTheBatch(Breaker):
    """A batch statistic at the wrong time."""

    def on_input(self, X):
        return X - X.mean(axis=0)


class SqueezesOneSample(Breaker):
    """numpy.squeeze without an axis: one sample loses its batch axis."""

    def on_output(self, Y):
        return np.squeeze(Y)


class DrawsItsOwnNoise(Breaker):
    noise = np.random.default_rng(0)

    def on_output(self, Y):
        return Y + self.noise.standard_normal(Y.shape).astype(Y.dtype)


class OneOutputForAll(Breaker):
    """Every call writes its output into the same array."""

    def __init__(self, layer):
        super().__init__(layer)
        self.workspace = {}

    def on_output(self, Y):
        kept = self.workspace.setdefault(Y.shape, Y)
        kept[...] = Y
        return kept


class TrainsWhenCalled(Breaker):
    def __call__(self, X):
        return self.forward(X, train=True)[0]


BROKEN = [
    (input_and_cotangent_are_only_read, WritesIntoX, "Linear", True),
    (input_and_cotangent_are_only_read, WritesIntoDY, "Conv2d", False),
    (read_only_arrays_are_enough, BorrowsDY, "Linear", True),
    (a_closure_can_be_called_again, FreesItsMemory, "Conv2d", True),
    (a_closure_can_be_called_again, ReusesItsAnswer, "ReLU", True),
    (a_closure_can_be_called_again, OverwritesGradients, "Sequential of ten", True),
    (gradients_are_added, OverwritesGradients, "Linear", True),
    (accumulate_false_only_passes_through, AlwaysAccumulates, "BatchNorm2d", True),
    (accumulate_false_only_passes_through, NothingUnlessAccumulating, "ReLU", False),
    (input_grad_false_skips_only_dx, AlwaysReturnsDX, "ConvTranspose2d", True),
    (input_grad_false_skips_only_dx, SkipsTooMuch, "Linear", False),
    (passes_do_not_disturb_each_other, KeepsItOnSelf, "Linear", True),
    (passes_do_not_disturb_each_other, KeepsItOnSelf, "Dropout", True),
    (passes_do_not_disturb_each_other, ReadsStatisticsInBackprop, "BatchNorm2d", True),
    (the_other_mode_in_between_changes_nothing, KeepsItOnSelf, "ReLU", True),
    (the_other_mode_in_between_changes_nothing, ReadsStatisticsInBackprop, "BatchNorm1d", False),
    (the_dtype_is_kept, Upcasts, "ReLU", True),
    (the_dtype_is_kept, UpcastsDX, "Flatten", False),
    (float32_is_close_to_float64, ThroughFloat16, "Linear", True),
    (memory_order_does_not_matter, ReadsXAsItLies, "Tanh", True),
    (memory_order_does_not_matter, ReadsDYAsItLies, "Conv2d", False),
    (a_sample_alone_gives_the_same, CentresTheBatch, "Linear", False),
    (a_sample_alone_gives_the_same, SqueezesOneSample, "Tanh", True),
    (nothing_stays_behind, KeepsItOnSelf, "ReLU", True),
    (nothing_stays_behind, CountsCalls, "Sigmoid", False),
    (nothing_stays_behind, AlwaysUpdatesStatistics, "BatchNorm2d", False),
    (nothing_stays_behind, StatisticsMoveInBackprop, "BatchNorm2d", True),
    (nothing_stays_behind, RebindsGradients, "Linear", True),
    (the_same_input_gives_the_same_output, DrawsItsOwnNoise, "Tanh", True),
    (the_same_input_gives_the_same_output, OneOutputForAll, "Linear", False),
    (a_call_is_inference, TrainsWhenCalled, "BatchNorm2d", True),
    (a_call_is_inference, TrainsWhenCalled, "Sequential of ten", False),
    (gradients_are_updated_in_place, RebindsGradients, "Sequential of ten", True),
]


@pytest.mark.parametrize(
    ("contract", "breaker", "name", "train"),
    BROKEN,
    ids=[f"{contract.__name__}-{breaker.__name__}-{name}" for contract, breaker, name, _ in BROKEN],
)
def test_a_layer_that_breaks_it_is_caught(contract, breaker, name, train):
    contract(Subject(BY_NAME[name], train))
    with pytest.raises(AssertionError):
        contract(Subject(BY_NAME[name], train, breaker))


def test_every_contract_is_broken_by_somebody():
    assert {contract for contract, *_ in BROKEN} == set(CONTRACTS.values())


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)
@pytest.mark.parametrize("name", ["Linear", "BatchNorm2d", "Sequential of ten"])
def test_a_wrapper_that_breaks_nothing_passes(name, contract):
    """Negative control of the mutants: it is not the wrapping that is caught."""
    contract(Subject(BY_NAME[name], True, Breaker))


def test_only_what_compares_samples_need_not_give_the_same_for_one_alone():
    assert [case.name for case in CASES if False not in case.alone] == ["Similarity"]


def test_the_table_has_every_layer():
    found = {type(part) for case in CASES for _, part in case.make(np.random.default_rng(0)).walk()}
    assert {getattr(layers, name) for name in layers.__all__} <= found
