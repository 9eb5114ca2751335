"""The gradient check itself: what it passes, what it catches, and what it cannot see."""

import numpy as np
import pytest

from tinya2i import gradcheck, layers, losses, optim
from tinya2i.gradcheck import __main__ as program
from tinya2i.gradcheck import cases, check, consistent, mutants, values
from tinya2i.gradcheck.check import TOLERANCE
from tinya2i.gradcheck.kinds import LayerCase, LossCase, idle, spread
from tinya2i.layer import Layer, Sequential

BY_NAME = {case.name: case for case in cases.LAYERS}
LOSSES = {case.name: case for case in cases.LOSSES}
ONE_SAMPLE = [(case, train) for case in cases.LAYERS for train in case.alone]

ASKED_FOR = {
    "BatchNorm drops the term of the variance",
    "BatchNorm drops the term of the mean",
    "BatchNorm drops both terms",
    "BatchNorm forgets 1/sigma",
    "BatchNorm twice too large",
    "BatchNorm returns zeros",
    "input gradient twice too large",
    "input gradient is zeros",
    "kernel flipped",
    "bias summed over one sample only",
    "KL without the half",
    "D steps before the generator's pass",
}
ASKED_FOR_BY_VALUE = {
    "exp(logvar) for exp(logvar / 2)",
    "KL without the half, consistently",
    "Adam without bias correction",
}


def worst(errors):
    assert errors
    return max(errors.values())


# What it passes


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("case", cases.LAYERS)
def test_every_layer(case, train, seed):
    assert worst(case.run(train, seed)) < TOLERANCE / 10


@pytest.mark.parametrize(("case", "train"), ONE_SAMPLE)
def test_every_layer_with_a_batch_of_1(case, train):
    assert worst(case.run(train, n=1)) < TOLERANCE / 10


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("case", cases.LOSSES)
def test_every_loss(case, seed):
    assert worst(case.run(seed)) < TOLERANCE / 10


@pytest.mark.parametrize(
    ("case", "train"), [(case, train) for case in cases.MODELS for train in case.modes]
)
def test_every_model(case, train):
    errors = case.run(train)
    assert worst(errors) < TOLERANCE
    model = case.make(np.random.default_rng(0))
    names = {name for name, _ in model.named_params()} - (set(idle(model)) if train else set())
    assert errors.keys() == names | {"X"}


def test_only_biases_before_batch_norm_are_left_out_in_training():
    """Nothing depends on them there: to the check, rounding errors are wrong gradients."""
    rng = np.random.default_rng(0)
    normed = Sequential(layers.Linear(3, 4, rng), layers.BatchNorm1d(4), layers.Tanh())
    case = LayerCase("normed", lambda r: normed, (5, 3))
    assert case.run(True).keys() == {"X", "0.W", "1.gamma", "1.beta"}
    assert case.run(False).keys() == {"X", "0.W", "0.b", "1.gamma", "1.beta"}
    assert worst(case.run(True)) < TOLERANCE
    assert gradcheck.check_layer(normed, rng.standard_normal((5, 3)))["0.b"] > TOLERANCE
    apart = Sequential(layers.Linear(3, 4, rng), layers.Tanh(), layers.BatchNorm1d(4))
    assert [*idle(apart)] == []
    assert [*idle(Sequential(normed, layers.Tanh()))] == ["0.0.b"]


def test_the_table_reaches_every_layer_loss_and_model():
    rng = np.random.default_rng(0)
    parts = [part for case in cases.LAYERS for _, part in case.make(rng).walk()]
    assert {getattr(layers, name) for name in layers.__all__} <= {type(part) for part in parts}
    public = {name for name, value in vars(losses).items() if name[0] != "_" and callable(value)}
    assert {case.name for case in cases.LOSSES} == public - {"array_module", "Array"}
    titles = [what for what, _ in cases.rows()]
    assert len(set(titles)) == len(titles)
    assert {"LeNet5", "Autoencoder", "VAE"} <= set(titles)
    assert {f"VAE-GAN's {part}" for part in ("encoder", "decoder", "discriminator")} <= set(titles)
    for kind in layers.__all__:
        rows = [case for case in cases.LAYERS if case.name.startswith(kind)]
        assert any(case.alone for case in rows), kind
        assert all(f"{case.name}, batch of 1" in titles for case in rows), kind


def test_batch_norm_of_one_vector_is_refused_in_training():
    with pytest.raises(ValueError, match="more than one value per channel"):
        BY_NAME["BatchNorm1d"].run(True, n=1)


# What it catches


def _mutants():
    return [(name, case, make) for name, case, make in mutants.layers_of_table()]


@pytest.mark.parametrize(
    ("name", "case", "make"), _mutants(), ids=[name for name, *_ in _mutants()]
)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_wrong_layer_is_caught(name, case, make, seed):
    layer = make(np.random.default_rng(seed))
    assert worst(BY_NAME[case].run(True, seed, layer=layer)) > 1e-2


@pytest.mark.parametrize("name", mutants.LOSSES)
def test_a_wrong_loss_is_caught(name):
    case, loss = mutants.LOSSES[name]
    assert worst(LOSSES[case].run(loss=loss)) > 1e-2


def test_the_mistakes_that_people_make_are_among_them():
    assert {name for name, _ in mutants.rows()} >= ASKED_FOR
    assert {name for name, _ in values.mutant_rows()} >= ASKED_FOR_BY_VALUE


def test_a_mutant_without_its_mistake_passes():
    """Negative control: it is not the wrapping that is caught."""
    linear = mutants.Spoilt(layers.Linear(5, 3))
    assert worst(BY_NAME["Linear"].run(True, layer=linear)) < TOLERANCE
    right = mutants.BatchNormMutant(3, lambda D, N, s, d, dn, g: (D - d - N * dn) * s * g)
    assert worst(BY_NAME["BatchNorm2d"].run(True, layer=right)) < TOLERANCE
    vae = consistent.VAEMutant(
        np.random.default_rng(0), lambda v: np.exp(v / 2), lambda v: np.exp(v / 2) / 2
    )
    assert worst(BY_NAME["VAE with linear halves"].run(True, layer=vae)) < TOLERANCE
    assert worst(values.latent_moments(lambda rng: vae)) < TOLERANCE


# Why the cotangent is random


def absolute_error(layer, cotangent):
    """max |dX - central difference of sum(Y * cotangent)| of BatchNorm in training."""
    rng = np.random.default_rng(0)
    spread(layer.astype(np.float64), rng)
    X = rng.standard_normal((2, 3, 2, 3))
    Y, backprop = layer.forward(X)
    R = cotangent(Y)
    axes = np.eye(X.size).reshape(X.size, *X.shape)
    numeric = check.numeric_gradient(lambda: float((layer.forward(X)[0] * R).sum()), X, axes)
    return np.abs(backprop(R).ravel() - numeric).max()


def random_cotangent(Y):
    return np.random.default_rng(1).standard_normal(Y.shape)


@pytest.mark.parametrize("name", mutants.BATCHNORM)
def test_a_cotangent_of_ones_is_blind(name):
    """The sum of normalised numbers is a constant: its true gradient is 0, and so is theirs.

    Only the mutant without the mean's term differs from 0 then.
    """
    formula = mutants.BATCHNORM[name]
    blind = absolute_error(mutants.BatchNormMutant(3, formula), np.ones_like)
    seeing = absolute_error(mutants.BatchNormMutant(3, formula), random_cotangent)
    assert seeing > 1e-2
    if name in {"BatchNorm drops the term of the mean", "BatchNorm drops both terms"}:
        assert blind > 1e-2
    else:
        assert blind < TOLERANCE
    for cotangent in (np.ones_like, random_cotangent):
        assert absolute_error(layers.BatchNorm2d(3), cotangent) < TOLERANCE


@pytest.mark.parametrize("name", ["BatchNorm twice too large", "BatchNorm forgets 1/sigma"])
def test_a_sum_of_squares_is_nearly_blind(name):
    """Normalised numbers have a constant sum of squares: the true gradient is of order eps."""
    layer = mutants.BatchNormMutant(3, mutants.BATCHNORM[name])
    assert absolute_error(layer, lambda Y: Y - layer.beta.data) < 1e-3


def test_softmax_with_a_cotangent_of_ones():
    """Probabilities sum to 1: a backward of zeros passes."""
    _, backprop = layers.Softmax().forward(np.random.default_rng(0).standard_normal((3, 7)))
    assert np.abs(backprop(np.ones((3, 7)))).max() < 1e-15
    assert np.abs(backprop(random_cotangent(np.ones((3, 7))))).max() > 0.1


# Directions


class HalfForgotten(layers.Linear):
    """Returns zeros for the gradient of half of its weights."""

    def forward(self, X, train=True):
        Y, true_backprop = super().forward(X, train)

        def backprop(dY, accumulate=True, input_grad=True):
            dX = true_backprop(dY, accumulate, input_grad)
            self.W.grad[::2] = 0
            return dX

        return Y, backprop


def test_a_gradient_that_is_half_zeros_is_caught_in_a_large_array(monkeypatch):
    """Along the gradient alone it would agree with itself: it is its own projection."""
    X = np.random.default_rng(0).standard_normal((2, 500))
    run = lambda: gradcheck.check_layer(wrong(), X, most=1)["W"]  # noqa: E731

    def wrong():
        return HalfForgotten(500, 300).astype(np.float64)

    assert run() > 100 * TOLERANCE
    monkeypatch.setattr(check, "directions", lambda A, g, rng, most: g[None] / np.linalg.norm(g))
    assert run() < TOLERANCE


def test_small_arrays_are_checked_number_by_number(rng):
    A = np.zeros((3, 4))
    np.testing.assert_array_equal(
        check.directions(A, A, rng, 12).reshape(12, 12), np.eye(12), strict=True
    )
    D = check.directions(A, np.ones((3, 4)), rng, 5)
    assert D.shape == (5, 3, 4)
    assert (np.linalg.norm(D.reshape(5, -1), axis=1) > 0.1).all()
    assert np.isfinite(check.directions(A, A, rng, 2)).all()


class Kink(Layer):
    """Y = X, but twice as steep from 1e-7 above where it starts."""

    def forward(self, X, train=True):
        X = X.copy()
        return X + np.maximum(X - 1e-7, 0), lambda dY, *_: dY * (1 + (X > 1e-7))


def test_a_kink_within_the_first_step_is_stepped_over():
    X = np.zeros(3)
    assert worst(gradcheck.check_layer(Kink(), X)) < TOLERANCE
    axes = np.eye(3)
    slope = check.numeric_gradient(lambda: Kink().forward(X)[0].sum(), X, axes, check.EPS)
    assert np.abs(slope - 1).min() > 0.1  # negative control: the first step alone is fooled


# What it leaves behind, and what it says


def test_a_check_changes_no_parameter_and_no_statistic():
    layer = BY_NAME["Sequential of ten"].make(np.random.default_rng(0)).astype(np.float64)
    before = layer.state()
    X = np.random.default_rng(1).standard_normal((3, 7, 8, 2))
    kept = X.copy()
    gradcheck.check_layer(layer, X)
    for name, array in layer.state().items():
        np.testing.assert_array_equal(array, before[name])
    np.testing.assert_array_equal(X, kept)
    assert not any(param.grad.any() for param in layer.params())
    layer.forward(X)  # negative control: a forward in training does move them
    assert not np.array_equal(layer.state()["2.mean"], before["2.mean"])


def test_relative_error():
    assert gradcheck.relative_error(np.zeros(3), np.zeros(3)) == 0
    assert gradcheck.relative_error(np.zeros(0), np.zeros(0)) == 0
    assert gradcheck.relative_error(np.array([1.0, 0]), np.array([1.0, 0.5])) == 0.5
    assert gradcheck.relative_error(np.array([1e-9]), np.zeros(1)) == 1
    for bad in (np.nan, np.inf):
        assert gradcheck.relative_error(np.array([1, bad]), np.array([1, bad])) == np.inf
        assert gradcheck.relative_error(np.zeros(2), np.array([1, bad])) == np.inf


def test_shapes_and_numbers_that_cannot_be_gradients_are_wrong():
    class Flat(layers.Tanh):
        def forward(self, X, train=True):
            Y, backprop = super().forward(X, train)
            return Y, lambda dY: backprop(dY).ravel()

    class NotANumber(layers.Tanh):
        def forward(self, X, train=True):
            Y, backprop = super().forward(X, train)
            return Y, lambda dY: backprop(dY) * np.nan

    X = np.random.default_rng(0).standard_normal((3, 4))
    for layer in (Flat(), NotANumber()):
        assert gradcheck.check_layer(layer, X) == {"X": np.inf}


def test_check_loss_leaves_its_inputs_alone():
    Y, T = np.random.default_rng(0).standard_normal((2, 3, 4))
    kept = Y.copy(), T.copy()
    assert worst(gradcheck.check_loss(losses.mse, Y, T)) < TOLERANCE
    np.testing.assert_array_equal((Y, T), kept)


# Values


@pytest.mark.parametrize("case", values.CASES)
def test_values_agree_with_theory(case):
    assert worst(case.check(case.subject)) < 1e-9


@pytest.mark.parametrize(
    ("case", "mutant"),
    [(case, mutant) for case in values.CASES for mutant in case.mutants],
    ids=[mutant for case in values.CASES for mutant in case.mutants],
)
def test_a_wrong_value_is_caught(case, mutant):
    assert worst(case.check(case.mutants[mutant])) > 1e-2


@pytest.mark.parametrize(
    ("case", "mutant"),
    [
        ("VAE with linear halves", consistent.variance_for_deviation),
        ("BatchNorm2d", lambda rng: consistent.SampleDeviation(3)),
        ("BatchNorm2d", lambda rng: consistent.BiasedRunningVariance(3)),
        ("Dropout", lambda rng: consistent.UnscaledDropout(0.4)),
    ],
)
def test_no_gradient_check_sees_a_consistent_mistake(case, mutant):
    layer = mutant(np.random.default_rng(0))
    assert worst(BY_NAME[case].run(True, layer=layer)) < TOLERANCE


@pytest.mark.parametrize(
    ("case", "mutant"),
    [
        ("gaussian_kl", consistent.kl_without_half),
        ("bce_with_logits", consistent.bce_mean_of_pixels),
    ],
)
def test_no_gradient_check_sees_a_consistent_mistake_of_a_loss(case, mutant):
    assert worst(LOSSES[case].run(loss=mutant)) < TOLERANCE


def test_every_value_check_has_a_mutant():
    assert all(case.mutants for case in values.CASES)


# The program


@pytest.fixture
def quick(monkeypatch):
    """The program without the large models."""
    monkeypatch.setattr(cases, "MODELS", [])


def test_the_program_prints_a_table_and_finds_all_right(quick, capsys):
    assert program.main() == 0
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert sum(line.endswith(" ok") for line in lines) == len([*cases.rows(), *values.rows()])
    caught = len([*mutants.rows(), *values.mutant_rows()])
    assert sum(line.endswith(" caught") for line in lines) == caught
    assert lines[-1].startswith("all right")
    for title in ("Linear, batch of 1", "BatchNorm2d", "kernel flipped", "Adam without bias"):
        assert any(line.startswith(title) for line in lines), title


def test_the_program_reports_a_wrong_layer(quick, monkeypatch, capsys):
    spoilt = mutants.Spoilt(layers.Tanh(), lambda dX, dY, Y: 2 * dX)
    wrong = LayerCase("Spoilt", lambda r: spoilt, (2, 3))
    monkeypatch.setattr(cases, "LAYERS", [*cases.LAYERS, wrong])
    assert program.main() == 1
    printed = capsys.readouterr().out
    assert "WRONG" in printed
    assert "2 wrong" in printed.splitlines()[-1]  # alone and in company


def test_the_program_reports_a_wrong_loss_and_a_missed_mutant(quick, monkeypatch, capsys):
    wrong = LossCase("bad", mutants.LOSSES["MSE without the two"][1], LOSSES["mse"].inputs)
    monkeypatch.setattr(cases, "LOSSES", [*cases.LOSSES, wrong])
    monkeypatch.setitem(mutants.INPUT_GRADIENTS, "none", ("ReLU", lambda dX, dY, Y: dX))
    assert program.main() == 1
    printed = capsys.readouterr().out
    assert "MISSED" in printed
    assert "2 wrong" in printed


def test_the_program_reports_a_wrong_value(quick, monkeypatch, capsys):
    uncorrected, right = consistent.UncorrectedAdam, optim.Adam
    wrong = values.ValueCase("Adam", values.adam_loop, uncorrected, {"no mutant": right})
    monkeypatch.setattr(values, "CASES", [wrong])
    assert program.main() == 1
    assert "2 wrong" in capsys.readouterr().out


def test_it_is_public():
    layer = Sequential(layers.Linear(3, 2), layers.Tanh()).astype(np.float64)
    errors = gradcheck.check_layer(layer, np.random.default_rng(0).standard_normal((4, 3)))
    assert errors.keys() == {"X", "0.W", "0.b"}
    assert worst(errors) < TOLERANCE
