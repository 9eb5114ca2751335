"""The networks of the talk: sizes, shapes, pictures, starting values, and that they learn."""

import itertools
import math

import numpy as np
import pytest

from tinya2i import init, layers, losses, models, optim
from tinya2i.models import autoencoder, lenet5, vae
from tinya2i.models.networks import LATENT, audio_encoder, image_decoder


@pytest.fixture(scope="module")
def the_vae():
    return models.VAE(np.random.default_rng(0))


@pytest.fixture(scope="module")
def the_autoencoder():
    return models.Autoencoder(np.random.default_rng(0))


def sounds(n, seed=0):
    return np.random.default_rng(seed).standard_normal((n, 48, 48, 1)).astype(np.float32)


def noises(n, seed=1):
    return np.random.default_rng(seed).standard_normal((n, LATENT)).astype(np.float32)


def pictures(n, seed=2):
    """Blocks of black and white, a different one each."""
    coarse = np.random.default_rng(seed).integers(0, 2, (n, 7, 7, 1))
    return np.kron(coarse, np.ones((1, 4, 4, 1))).astype(np.float32)


# Sizes


def test_parameter_counts(the_vae, the_autoencoder):
    assert models.LeNet5().count() == 61_706
    assert the_vae.count() == 20_950_529
    # The autoencoder is the VAE without logvar: 64 outputs of the encoder less.
    assert the_autoencoder.count() == 20_950_529 - (512 + 1) * 64


def test_shapes_of_lenet5():
    """28 padded to 32, 28, 14, 10, 5, 1; then 120, 84, 10."""
    model, X = models.LeNet5(), pictures(3)
    shapes = []
    for layer in model.layers:
        X = layer(X)
        shapes.append(X.shape[1:])
    assert shapes == [
        (28, 28, 6), (28, 28, 6), (14, 14, 6), (10, 10, 16), (10, 10, 16), (5, 5, 16),
        (1, 1, 120), (1, 1, 120), (120,), (84,), (84,), (10,),
    ]  # fmt: skip


def test_shapes_of_the_encoder_and_the_decoder(the_vae):
    images = {(23, 23, 64), (10, 10, 128), (7, 7, 128), (14, 14, 64), (28, 28, 1)}
    seen = set()
    for network, X in ((the_vae.encoder, sounds(2)), (the_vae.decoder, noises(2))):
        for layer in network.layers:
            X = layer(X)
            seen.add(X.shape[1:])
    assert {shape for shape in seen if len(shape) == 3} == images
    widths = {shape[0] for shape in seen if len(shape) == 1}
    assert widths == {10 * 10 * 128, 1024, 512, 128, 7 * 7 * 128}


@pytest.mark.parametrize("n", [1, 3])
def test_shapes_of_the_models(the_vae, the_autoencoder, n):
    (Z, mu, logvar), backprop = the_vae.forward(sounds(n), noises(n))
    assert (Z.shape, mu.shape, logvar.shape) == ((n, 28, 28, 1), (n, 64), (n, 64))
    assert backprop(Z, mu, logvar, accumulate=False).shape == (n, 48, 48, 1)
    assert backprop(Z, mu, logvar, accumulate=False, input_grad=False) is None
    assert the_autoencoder(sounds(n)).shape == (n, 28, 28, 1)
    for part in (the_vae.encode(sounds(n)), (mu, logvar)):
        np.testing.assert_allclose(part[0], mu, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(part[1], logvar, rtol=1e-4, atol=1e-4)


def test_predictions_do_not_depend_on_how_the_pictures_are_batched():
    model, X = models.LeNet5(), pictures(7)
    expected = model(X).argmax(axis=1)
    for batch in (1, 2, 3, 7, 500):
        np.testing.assert_array_equal(model.predict(X, batch), expected)


def test_what_is_no_number_is_not_read_as_a_zero():
    X = pictures(3)
    X[1, 5, 5] = np.nan
    digits = models.LeNet5().predict(X)
    assert digits[1] == -1
    assert (digits[[0, 2]] >= 0).all()


# Pictures


def test_without_noise_the_vae_draws_from_mu(the_vae):
    X = sounds(2)
    mu, logvar = the_vae.encode(X)
    from_mu = 1 / (1 + np.exp(-the_vae.decoder(mu)))
    np.testing.assert_allclose(the_vae.generate(X), from_mu, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(the_vae.generate(X), the_vae.generate(X, 0 * noises(2)))
    sampled = the_vae.generate(X, noises(2))
    z = mu + np.exp(logvar / 2) * noises(2)
    np.testing.assert_allclose(sampled, 1 / (1 + np.exp(-the_vae.decoder(z))), rtol=1e-3, atol=1e-5)
    assert np.abs(sampled - from_mu).max() > 0.01


def test_pictures_are_between_0_and_1(the_vae, the_autoencoder):
    for Y in (
        the_vae.generate(sounds(2)),
        the_vae.generate(10 * sounds(2), noises(2)),
        the_autoencoder.generate(1000 * sounds(2)),
    ):
        assert Y.shape == (2, 28, 28, 1)
        assert Y.dtype == np.float32
        assert 0 <= Y.min() <= Y.max() <= 1


def test_the_autoencoder_ignores_noise(the_autoencoder):
    X = sounds(2)
    Y = the_autoencoder.generate(X)
    np.testing.assert_array_equal(Y, the_autoencoder.generate(X, noises(2)))
    np.testing.assert_allclose(Y, 1 / (1 + np.exp(-the_autoencoder(X))), rtol=1e-4, atol=1e-6)


def test_inference_changes_nothing(the_vae):
    before = {name: array.copy() for name, array in the_vae.encoder[0].state().items()}
    the_vae.generate(sounds(1))
    the_vae.encode(sounds(1))
    for name, array in the_vae.encoder[0].state().items():
        np.testing.assert_array_equal(array, before[name])
    assert not any(param.grad.any() for param in the_vae.encoder[0].params())


def test_relu_behind_mu_and_logvar_forbids_negative_ones(the_vae):
    model = models.VAE(np.random.default_rng(0), latent_relu=True)
    assert model.count() == the_vae.count()
    (_, mu, logvar), _ = model.forward(sounds(2), noises(2))
    free = the_vae.encode(sounds(2))
    for ours, other in zip((mu, logvar), free, strict=True):
        assert ours.min() == 0
        assert other.min() < 0  # negative control
        np.testing.assert_allclose(ours, np.maximum(other, 0), rtol=1e-4, atol=1e-4)
    mu, logvar = model.encode(sounds(2))
    assert min(mu.min(), logvar.min()) == 0


# Learning


def test_lenet5_learns_eight_pictures_by_heart():
    model = models.LeNet5(np.random.default_rng(0))
    optimiser = optim.Adam(model.params())
    X, labels = pictures(8), np.array([3, 1, 4, 1, 5, 9, 2, 6])
    values = [float(lenet5.train_step(model, optimiser, X, labels)["loss"]) for _ in range(40)]
    assert values[0] > 1
    assert values[-1] < 0.05
    np.testing.assert_array_equal(model.predict(X), labels)


def test_a_frozen_lenet5_learns_nothing():
    """Negative control: without a step the loss stays."""
    model = models.LeNet5(np.random.default_rng(0))
    optimiser = optim.Adam(model.params(), lr=0.0)
    X, labels = pictures(8), np.arange(8)
    values = [float(lenet5.train_step(model, optimiser, X, labels)["loss"]) for _ in range(3)]
    assert len(set(values)) == 1


def test_the_vae_and_the_autoencoder_lower_their_losses():
    X, T, noise = sounds(8), pictures(8), noises(8)
    model = models.VAE(np.random.default_rng(0))
    optimiser = optim.Adam(model.params())
    steps = [vae.train_step(model, optimiser, X, T, noise, kl_weight=0.1) for _ in range(6)]
    assert float(steps[-1]["loss"]) < 0.9 * float(steps[0]["loss"])
    for step in steps:
        assert step.keys() == {"loss", "reconstruction", "kl"}
        total = float(step["reconstruction"]) + 0.1 * float(step["kl"])
        assert float(step["loss"]) == pytest.approx(total, rel=1e-5)
    model = models.Autoencoder(np.random.default_rng(0))
    optimiser = optim.Adam(model.params())
    values = [float(autoencoder.train_step(model, optimiser, X, T)["loss"]) for _ in range(6)]
    assert values[-1] < 0.9 * values[0]


def test_a_step_clears_the_gradients_and_moves_every_layer():
    model = models.LeNet5(np.random.default_rng(0))
    optimiser, before = optim.Adam(model.params()), model.state()
    lenet5.train_step(model, optimiser, pictures(8), np.arange(8))
    for name, array in model.state().items():
        assert not np.array_equal(array, before[name]), name
    assert not any(param.grad.any() for param in model.params())


@pytest.mark.parametrize("scale", [1e2, 1e4, 1e10, 1e30])
def test_the_loss_of_extreme_logits_is_finite(scale):
    Z = scale * np.random.default_rng(0).choice([-1, 0, 1], (2, 28, 28, 1)).astype(np.float32)
    for T in (pictures(2), 1 - pictures(2), np.full(Z.shape, 0.5, np.float32)):
        value, dZ = losses.bce_with_logits(Z, T)
        assert np.isfinite(value)
        assert value >= 0
        assert np.isfinite(dZ).all()
        assert value.dtype == dZ.dtype == np.float32


def test_a_vae_far_out_has_a_finite_loss_and_finite_gradients(the_vae):
    """A picture whose logits are in the hundred thousands: a sigmoid before the loss gives inf."""
    (Z, mu, logvar), backprop = the_vae.forward(sounds(2), 1e5 * noises(2))
    assert np.abs(Z).max() > 1e4
    assert Z.dtype == np.float32
    value, dZ = losses.bce_with_logits(Z, pictures(2))
    kl, dmu, dlogvar = losses.gaussian_kl(mu, logvar)
    assert np.isfinite(value)
    assert np.isfinite(kl)
    assert np.isfinite(backprop(dZ, dmu, dlogvar, accumulate=False)).all()
    with np.errstate(all="ignore"):  # negative control: the textbook's formula
        Y, T = 1 / (1 + np.exp(-Z)), pictures(2)
        assert not np.isfinite(T * np.log(Y) + (1 - T) * np.log(1 - Y)).all()


def test_losses_refuse_shapes_that_would_broadcast():
    for loss in (losses.mse, losses.bce_with_logits, losses.gaussian_kl):
        with pytest.raises(ValueError, match="must be equal"):
            loss(np.zeros((3, 4)), np.zeros((3, 1)))


# Starting values

SIZES = [(400, 900), (900, 400)]


def moments(W):
    """Mean, variance, and their standard errors under a normal distribution."""
    n = W.size
    return W.mean(), W.var(), W.std() / math.sqrt(n), W.var() * math.sqrt(2 / n)


@pytest.mark.parametrize(
    ("name", "variance"),
    [
        ("he", lambda fan_in, fan_out: 2 / fan_in),
        ("glorot", lambda fan_in, fan_out: 2 / (fan_in + fan_out)),
        ("dcgan", lambda fan_in, fan_out: 0.02**2),
        ("torch", lambda fan_in, fan_out: 1 / (3 * fan_in)),
    ],
)
@pytest.mark.parametrize(("fan_in", "fan_out"), SIZES)
def test_starting_weights_have_the_promised_variance(name, variance, fan_in, fan_out):
    W = init.BY_NAME[name](np.random.default_rng(0), (fan_in, fan_out), fan_in, fan_out)
    mean, var, mean_error, var_error = moments(W.astype(np.float64))
    assert W.dtype == np.float32
    assert abs(mean) < 5 * mean_error
    assert abs(var - variance(fan_in, fan_out)) < 5 * var_error


def test_the_four_ways_are_told_apart():
    """Negative control of the tolerance above."""
    drawn = [w(np.random.default_rng(0), (400, 900), 400, 900) for w in init.BY_NAME.values()]
    variances = sorted(float(W.var()) for W in drawn)
    assert all(b > 1.5 * a for a, b in itertools.pairwise(variances))


@pytest.mark.parametrize("name", ["glorot", "torch"])
def test_uniform_weights_are_uniform(name):
    W = init.BY_NAME[name](np.random.default_rng(0), (400, 900), 400, 900)
    bound = math.sqrt(6 / 1300) if name == "glorot" else 1 / 20
    assert 0.999 * bound < np.abs(W).max() <= bound * (1 + 1e-6)
    counts, _ = np.histogram(W, 10, (-bound, bound))
    assert counts.min() > 0.97 * W.size / 10


@pytest.mark.parametrize("name", ["he", "dcgan"])
def test_normal_weights_are_normal(name):
    W = init.BY_NAME[name](np.random.default_rng(0), (400, 900), 400, 900)
    within = (np.abs(W) < W.std()).mean()
    assert within == pytest.approx(0.6827, abs=0.005)
    assert np.abs(W).max() > 4 * W.std()


@pytest.mark.parametrize("name", init.BY_NAME)
def test_only_pytorchs_default_draws_biases(name):
    layer = layers.Linear(100, 50, np.random.default_rng(0), init.BY_NAME[name])
    assert bool(layer.b.data.any()) == (name == "torch")
    assert np.abs(layer.b.data).max() <= 0.1


@pytest.mark.parametrize(
    ("layer", "fan_in"),
    [
        (lambda r: layers.Linear(500, 300, r), 500),
        (lambda r: layers.Conv2d(20, 300, (3, 5), 2, rng=r), 3 * 5 * 20),
        (lambda r: layers.ConvTranspose2d(64, 50, 4, 2, 1, rng=r), 4 * 64),
    ],
    ids=["linear", "conv", "transposed"],
)
def test_the_fan_in_is_the_number_of_summands(layer, fan_in):
    W = layer(np.random.default_rng(0)).W.data.astype(np.float64)
    _, var, _, var_error = moments(W)
    assert abs(var - 2 / fan_in) < 5 * var_error


def test_he_keeps_the_signal_of_a_transposed_convolution(rng):
    """E[Y^2] = 2 E[X^2], of which the next ReLU takes half away; X is behind a ReLU, too."""
    layer = layers.ConvTranspose2d(64, 32, 4, 2, 1, rng=rng)
    X = np.maximum(rng.standard_normal((4, 12, 12, 64)), 0).astype(np.float32)
    Y = layer(X)[:, 2:-2, 2:-2]
    assert (Y * Y).mean() == pytest.approx(2 * (X * X).mean(), rel=0.1)


def test_logits_of_a_new_model_have_a_sensible_size(the_vae):
    """With He neither nothing arrives nor does anything explode; with DCGAN's 0.02 it fades."""
    X = sounds(4)
    H = the_vae.encoder(X)
    assert 0.3 < H.std() < 10
    faded = audio_encoder(2 * LATENT, np.random.default_rng(0), init.dcgan)(X)
    assert faded.std() < 0.3 * H.std()
    assert 0.1 < image_decoder(np.random.default_rng(0), init.he)(noises(4)).std() < 10


@pytest.mark.parametrize("make", [models.LeNet5, models.VAE])
def test_models_start_the_same_from_the_same_generator(make):
    a, b = (make(np.random.default_rng(7)) for _ in range(2))
    for p, q in zip(a.params(), b.params(), strict=True):
        np.testing.assert_array_equal(p.data, q.data)
        assert p.data.dtype == np.float32


def test_models_start_differently_from_different_generators():
    a, b = (models.LeNet5(np.random.default_rng(seed)) for seed in (0, 1))
    for (name, p), q in zip(a.named_params(), b.params(), strict=True):
        assert np.array_equal(p.data, q.data) == name.endswith("b")  # biases start at 0
