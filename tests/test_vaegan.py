"""The VAE-GAN: its size, each player's gradients by its own loss, and what its step must not do."""

import itertools

import numpy as np
import pytest
import strict_cupy
from strict_cupy import watched

from tinya2i import backend, init, layers, losses, models, optim
from tinya2i.backend import to_device, to_numpy
from tinya2i.data import Pairs
from tinya2i.gradcheck import players
from tinya2i.gradcheck.check import TOLERANCE
from tinya2i.gradcheck.kinds import idle, spread
from tinya2i.layer import Sequential
from tinya2i.models import vaegan
from tinya2i.models.convnets import ARCHITECTURES
from tinya2i.models.networks import LATENT
from tinya2i.ops import functions
from tinya2i.tasks.evaluation import evaluate

N = 4
COUNTS = {"talk": 7_909_382, "b": 7_909_382, "bare": 7_909_378, "hidden": 7_910_402}
GENERATOR = ("encoder", "decoder")


def batch(dtype=np.float64, n=N, seed=0):
    """(X, T, noise): sounds, pictures in 0..1 with black and white in them, noise."""
    rng = np.random.default_rng(seed)
    T = np.clip(rng.uniform(-0.5, 1.5, (n, 28, 28, 1)), 0, 1)
    arrays = rng.standard_normal((n, 48, 48, 1)), T, rng.standard_normal((n, LATENT))
    return tuple(A.astype(dtype) for A in arrays)


def make(arch="talk", dtype=np.float64):
    return models.VAEGAN(arch, np.random.default_rng(0)).astype(dtype)


@pytest.fixture(scope="module")
def model():
    """The talk's model in float64, for tests that do not change it."""
    return make()


def grads(model):
    return {name: param.grad.copy() for name, param in model.named_params()}


def gradients_of(model, *arguments, **options):
    """(values, gradients by name) of one call; the model is as before, but for statistics."""
    model.zero_grad()
    values = vaegan.gradients(model, *arguments, **options)
    taken = grads(model)
    model.zero_grad()
    return values, taken


def worst(errors):
    assert errors
    return max(errors.values())


# Sizes


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_parameter_counts(arch):
    assert models.VAEGAN(arch).count() == COUNTS[arch]


def test_the_count_of_the_talk_is_the_default():
    assert models.VAEGAN().count() == 7_909_382
    weights = sum(p.data.size for name, p in models.VAEGAN().named_params() if name.endswith("W"))
    assert weights == 7_902_208


def normed_channels(network):
    return [len(layer.mean) for layer in network.layers if isinstance(layer, layers.BatchNorm2d)]


@pytest.mark.parametrize(
    ("arch", "encoder", "decoder", "discriminator"),
    [
        ("talk", [128, 256, 512, 128], [256, 128, 1], [256, 512, 1]),
        ("b", [128, 256, 512], [256, 128, 1], [128, 256, 512, 1]),
        ("bare", [128, 256, 512, 128], [256, 128], [256, 512]),
        ("hidden", [128, 256, 512], [512, 256, 128], [128, 256, 512]),
    ],
)
def test_where_batch_norm_stands(arch, encoder, decoder, discriminator):
    model = models.VAEGAN(arch)
    assert normed_channels(model.encoder) == encoder
    assert normed_channels(model.decoder) == decoder
    assert normed_channels(model.discriminator) == discriminator
    # No network has a fully connected layer; an activation follows the normalisation.
    for network in (model.encoder, model.decoder, model.discriminator):
        kinds = [type(layer) for layer in network.layers]
        assert layers.Linear not in kinds
        for kind, after in itertools.pairwise(kinds):
            if after is layers.BatchNorm2d:
                assert kind in (layers.Conv2d, layers.ConvTranspose2d)


def test_an_unknown_architecture_is_refused():
    with pytest.raises(ValueError, match="'c'; there are"):
        models.VAEGAN("c")


@pytest.mark.parametrize(
    ("part", "shape", "sizes"),
    [
        ("encoder", (2, 48, 48, 1), [(23, 128), (10, 256), (4, 512), (1, 128)]),
        ("decoder", (2, 64), [(1, 64), (3, 512), (7, 256), (14, 128), (28, 1)]),
        ("discriminator", (2, 28, 28, 1), [(13, 128), (5, 256), (1, 512), (1, 1)]),
    ],
)
def test_shapes_within_the_networks(part, shape, sizes):
    X, seen = np.zeros(shape, np.float32), []
    for layer in getattr(models.VAEGAN(), part).layers:
        X = layer(X)
        if X.ndim == 4 and X.shape[1:] not in seen:
            seen.append(X.shape[1:])
    assert seen == [(size, size, channels) for size, channels in sizes]


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_eye_ends_behind_the_second_activation(arch):
    model, (_, T, _) = models.VAEGAN(arch), batch(np.float32)
    F = model.eye(T)
    assert F.shape == (N, 5, 5, 256)
    assert isinstance(model.eye[-1], layers.LeakyReLU)
    np.testing.assert_array_equal(model.verdict(F), model.discriminator(T))


@pytest.mark.parametrize(("train", "seen"), [(False, 22), (True, 26)])
def test_the_discriminator_does_not_see_the_last_rows_and_columns(train, seen):
    """Strides leave them over; in training BatchNorm's statistics reach a little further."""
    discriminator = models.VAEGAN("bare").astype(np.float64).discriminator
    X = np.random.default_rng(0).random((3, 28, 28, 1))
    V, backprop = discriminator.forward(X, train)
    dX = np.abs(backprop(np.random.default_rng(1).standard_normal(V.shape))).sum(axis=(0, 3))
    assert (dX[:seen, :seen].sum(axis=0) > 0).all()
    assert (dX[:seen, :seen].sum(axis=1) > 0).all()
    assert not dX[seen:].any()
    assert not dX[:, seen:].any()


def test_shapes_of_the_model(model):
    X, _, noise = batch()
    (Z, mu, logvar), backprop = model.forward(X, noise)
    assert (Z.shape, mu.shape, logvar.shape) == ((N, 28, 28, 1), (N, 64), (N, 64))
    assert backprop(Z, mu, logvar, accumulate=False).shape == X.shape
    assert model.discriminator(Z).shape == (N, 1, 1, 1)


# Starting values


def test_weights_and_gains_start_as_in_dcgan():
    model, n = models.VAEGAN(rng=np.random.default_rng(1)), 0
    for name, param in model.named_params():
        mean, std = {"W": (0, 0.02), "gamma": (1, 0.02)}.get(name.rsplit(".")[-1], (0, 0))
        size = param.data.size
        if size >= 256:
            assert param.data.mean() == pytest.approx(mean, abs=5 * std / np.sqrt(size)), name
            assert param.data.std() == pytest.approx(std, rel=5 / np.sqrt(2 * size)), name
            n += 1
        elif std == 0:
            assert not param.data.any(), name
        assert param.data.dtype == np.float32
    assert n > 20
    he = models.VAEGAN(rng=np.random.default_rng(1), weights=init.he)
    assert he.encoder[0].W.data.std() > 0.3
    assert (he.encoder[1].gamma.data == 1).all()


def test_it_starts_the_same_from_the_same_generator_only():
    a, b, c = (models.VAEGAN(rng=np.random.default_rng(seed)) for seed in (7, 7, 8))
    for (name, p), q, r in zip(a.named_params(), b.params(), c.params(), strict=True):
        np.testing.assert_array_equal(p.data, q.data)
        assert np.array_equal(p.data, r.data) == (name[-2:] in (".b", "ta")), name


# As a VAE


def test_without_noise_it_draws_from_mu(model):
    X, _, noise = batch()
    model.forward(X, noise)  # running statistics that are not the starting ones
    mu, logvar = model.encode(X)
    drawn = model.generate(X)
    np.testing.assert_allclose(drawn, 1 / (1 + np.exp(-model.decoder(mu))), rtol=1e-12)
    z = mu + np.exp(logvar / 2) * noise
    np.testing.assert_allclose(model.generate(X, noise), 1 / (1 + np.exp(-model.decoder(z))))
    assert np.abs(model.generate(X, noise) - drawn).max() > 0
    assert 0 <= drawn.min() <= drawn.max() <= 1


def test_inference_changes_nothing(model):
    X, T, noise = batch()
    before = model.state()
    model.generate(X, noise)
    model.encode(X)
    model.discriminator(T)
    assert all(np.array_equal(A, before[name]) for name, A in model.state().items())
    model.forward(X, noise)  # negative control
    assert not np.array_equal(model.state()["encoder.1.mean"], before["encoder.1.mean"])


def test_it_is_evaluated_as_a_vae():
    rng, (X, _, _) = np.random.default_rng(0), batch(np.float32, 10)
    digits, images = np.arange(10), rng.integers(0, 256, (10, 28, 28, 1), np.uint8)
    names, speakers = tuple(f"{d}_theo_0.wav" for d in digits), np.array(["theo"] * 10)
    pairs = Pairs(images, digits, X, digits, speakers, names, digits)
    result = evaluate(models.VAEGAN(), models.LeNet5(), pairs, seed=0, quick=True)
    assert result["kl"] > 0
    assert result["reconstruction"] == pytest.approx(784 * np.log(2), rel=0.01)
    assert 0 <= result["agreement_sampled_unique"]["rate"] <= 1


# Each player by its own loss


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("adversarial", vaegan.ADVERSARIAL)
@pytest.mark.parametrize("reconstruction", vaegan.RECONSTRUCTION)
def test_every_gradient_of_a_small_one(reconstruction, adversarial, seed):
    model, *arrays = players.small(seed)
    errors = players.check_players(model, *arrays, adversarial, reconstruction)
    names = {name for name, _ in model.named_params()}
    assert errors.keys() == names | {"loss of the discriminator", "loss of the generator"}
    assert worst(errors) < TOLERANCE


@pytest.mark.parametrize(
    "objective",
    [("non-saturating", "pixels"), ("saturating", "pixels"), ("saturating", "features")],
    ids=" ".join,
)
def test_some_gradients_of_the_whole_one(objective):
    """Random parameters of each player, with biases and gains off their starting values."""
    model, rng = make(), np.random.default_rng(len(objective[0]))
    spread(model, rng)
    names = [name for name, _ in model.named_params() if name not in set(idle(model))]
    chosen = set()
    for part in ("encoder", "decoder", "discriminator"):
        chosen |= {*rng.choice([name for name in names if name.startswith(part)], 3, False)}
    errors = players.check_players(
        model, *batch(), *objective, most=1, only=lambda name: name in chosen
    )
    assert chosen <= errors.keys()
    assert len(chosen) == 9
    assert worst(errors) < TOLERANCE


@pytest.mark.parametrize("name", players.MUTANTS)
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("reconstruction", vaegan.RECONSTRUCTION)
def test_a_wrong_step_is_caught(name, seed, reconstruction):
    meddle = players.MUTANTS[name]
    assert worst(players.check_mutant(meddle, seed, reconstruction=reconstruction)) > 1e-2


def test_a_discriminator_that_does_not_meddle_passes():
    """Negative control: it is not the wrapping that is caught."""
    plain = players.check_mutant(lambda backprop, dV, Y, D: backprop(dV, accumulate=False))
    assert worst(plain) < TOLERANCE


def test_the_mutants_are_in_the_table_of_the_program():
    rows = dict(players.mutant_rows())
    assert {*players.MUTANTS, "saturating gradient of the non-saturating loss"} == rows.keys()
    assert worst(rows["saturating gradient of the non-saturating loss"]()) > 1e-2
    assert all(worst(check()) < TOLERANCE for _, check in players.rows())


def test_biases_before_batch_norm_get_rounding_errors_only(model):
    """Why the gradient check leaves them out in training."""
    taken = gradients_of(model, *batch())[1]
    found = set(idle(model))
    assert len(found) == 10  # all 12 convolutions but the decoder's and D's first
    assert "decoder.1.b" not in found
    for name, dA in taken.items():
        size = np.abs(taken[name[:-1] + "W"]).max() if name.endswith(".b") else np.abs(dA).max()
        assert size > 1e-12, name
        if name.endswith(".b"):
            assert (np.abs(dA).max() < 1e-9 * size) == (name in found), name


# Whose gradients, from what


def test_the_discriminators_gradients_are_those_of_its_own_loss_alone(model):
    """Bit for bit, whatever the generator is after: its pass through D leaves nothing there."""
    X, T, noise = batch()
    Y = functions.sigmoid(model.forward(X, noise)[0][0])
    model.zero_grad()
    for pictures, label in ((T, 1.0), (Y, 0.0)):
        V, backprop = model.discriminator.forward(pictures)
        backprop(losses.bce_with_logits(V, np.full_like(V, label))[1])
    expected = {f"discriminator.{k}": p.grad.copy() for k, p in model.discriminator.named_params()}
    others = [{"reconstruction": of} for of in vaegan.RECONSTRUCTION]
    for options in ({"adversarial": "saturating"}, {"alpha": 0, "beta": 0}, *others):
        taken = gradients_of(model, X, T, noise, **options)[1]
        for name, dA in expected.items():
            assert dA.any()
            np.testing.assert_array_equal(taken[name], dA)


def test_the_discriminators_loss_leaves_nothing_in_the_generator():
    model, *arrays = players.small()
    cut = players.MUTANTS["the fake is cut off from the generator"]
    model.discriminator = players.Meddling(model.discriminator, cut)
    values, taken = gradients_of(model, *arrays, alpha=0, beta=0)
    assert values["discriminator"] > 0
    assert all(not dA.any() for name, dA in taken.items() if name.startswith(GENERATOR))
    model.discriminator = model.discriminator.D  # negative control
    taken = gradients_of(model, *arrays, alpha=0, beta=0)[1]
    assert all(dA.any() for name, dA in taken.items() if name.startswith(GENERATOR))


def test_the_weights_multiply_their_terms():
    """L_G is linear in alpha and beta, and so are its gradients."""
    model, *arrays = players.small()
    terms = [gradients_of(model, *arrays, alpha=a, beta=b) for a, b in ((0, 0), (1, 0), (0, 1))]
    values, taken = gradients_of(model, *arrays, alpha=0.2, beta=0.5)
    (zero, no_terms), (_, pictures), (_, latents) = terms
    total = zero["adversarial"] + 0.2 * zero["reconstruction"] + 0.5 * zero["kl"]
    assert values["generator"] == pytest.approx(total, rel=1e-12)
    for name, dA in taken.items():
        expected = 0.3 * no_terms[name] + 0.2 * pictures[name] + 0.5 * latents[name]
        np.testing.assert_allclose(dA, expected, rtol=1e-9, atol=1e-12)
        # KL is the encoder's alone.
        assert np.allclose(latents[name], no_terms[name]) == (not name.startswith("encoder"))
    defaults = gradients_of(model, *arrays)[1]
    assert all(np.array_equal(defaults[name], dA) for name, dA in taken.items())


def test_the_two_adversarial_losses():
    model, *arrays = players.small()
    kinds = {kind: gradients_of(model, *arrays, adversarial=kind) for kind in vaegan.ADVERSARIAL}
    fake = kinds["saturating"][0]["adversarial"]  # log(1 - D)
    assert fake < 0 < kinds["non-saturating"][0]["adversarial"]
    real = -np.log(1 / (1 + np.exp(-model.discriminator.forward(arrays[1])[0]))).mean()
    assert kinds["saturating"][0]["discriminator"] == pytest.approx(real - fake, rel=1e-12)
    with pytest.raises(ValueError, match="no adversarial loss 'hinge'"):
        vaegan.gradients(model, *arrays, adversarial="hinge")
    with pytest.raises(ValueError, match="no reconstruction 'sounds'"):
        vaegan.gradients(model, *arrays, reconstruction="sounds")


def test_a_losing_generator_still_learns_with_the_non_saturating_loss():
    """Where D is sure of its fakes, V = -20: the reason for that loss."""
    model, *arrays = players.small()
    last = model.discriminator[-1]
    last.b.data[...] -= 20 + last(model.discriminator[-2](np.zeros((1, 3)))).max()
    norms = {}
    for kind in vaegan.ADVERSARIAL:
        values, taken = gradients_of(model, *arrays, alpha=0, beta=0, adversarial=kind)
        norms[kind] = np.linalg.norm(taken["decoder.W"])
        assert values["d_fake"] < 1e-7
    assert norms["non-saturating"] > 1e-3
    assert norms["saturating"] < 1e-6 * norms["non-saturating"]


# BatchNorm


def test_real_and_fake_have_statistics_of_their_own():
    model = make()
    X, T, noise = batch()
    norm = model.discriminator[3]
    head = Sequential(*model.discriminator.layers[:3])
    Y = functions.sigmoid(model.forward(X, noise)[0][0])
    real, fake = (head(pictures).reshape(-1, 256) for pictures in (T, Y))
    mean, var = norm.mean.copy(), norm.var.copy()
    values = vaegan.gradients(model, X, T, noise)
    for H in (real, fake):
        mean, var = 0.9 * mean + 0.1 * H.mean(axis=0), 0.9 * var + 0.1 * H.var(axis=0, ddof=1)
    np.testing.assert_allclose(norm.mean, mean, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(norm.var, var, rtol=1e-9)
    # Negative control: normalised together they would leave, and say, something else.
    together = np.concatenate([real, fake])
    assert np.abs(norm.mean - (0.9 * 0 + 0.1 * together.mean(axis=0))).max() > 1e-4
    apart = losses.bce_with_logits(model.discriminator.forward(T)[0], np.ones((N, 1, 1, 1)))[0]
    V = model.discriminator.forward(np.concatenate([T, Y]))[0]
    mixed = losses.bce_with_logits(V[:N], np.ones((N, 1, 1, 1)))[0]
    total = values["discriminator"] + model_log_fake(model, Y)
    assert apart == pytest.approx(total, rel=1e-9)
    assert abs(mixed - apart) > 1e-3


def model_log_fake(model, Y):
    """mean log(1 - D(Y)), Y normalised by itself."""
    V = model.discriminator.forward(Y)[0]
    return -losses.bce_with_logits(V, np.zeros_like(V))[0]


def test_a_batch_of_one_is_refused():
    with pytest.raises(ValueError, match="more than one value per channel"):
        vaegan.gradients(make(dtype=np.float32), *batch(np.float32, 1))


def test_batch_norm_on_the_verdict_hides_how_sure_the_discriminator_is():
    """Behind it the mean logit of every batch is beta; without it, it tells real from fake."""
    _, T, _ = batch()
    means = {}
    for arch in ("talk", "bare"):
        D = make(arch).discriminator
        means[arch] = [D.forward(pictures)[0].mean() for pictures in (T, 0 * T + 0.5 * (T > 0.9))]
    assert means["talk"] == pytest.approx([0, 0], abs=1e-12)
    assert abs(means["bare"][0] - means["bare"][1]) > 1e-6


# Blindness


def test_the_plain_gan_does_not_hear_which_sound_belongs_to_which_picture(model):
    """Permuting the sounds, with their noise, permutes the fakes: a set of pictures has no order.

    D judges that set; only the reconstruction knows which picture was wanted.
    """
    X, T, noise = batch()
    order = np.array([2, 0, 3, 1])
    plain, taken = gradients_of(model, X, T, noise, alpha=0, beta=0)
    moved, taken_moved = gradients_of(model, X[order], T, noise[order], alpha=0, beta=0)
    for name in ("discriminator", "generator", "adversarial", "kl", "d_real", "d_fake"):
        assert moved[name] == pytest.approx(plain[name], rel=1e-9), name
    for name, dA in taken.items():  # so it learns nothing about it either
        np.testing.assert_allclose(taken_moved[name], dA, atol=1e-9 * np.abs(dA).max() + 1e-14)
    assert abs(moved["reconstruction"] - plain["reconstruction"]) > 1e-4 * plain["reconstruction"]
    heard = gradients_of(model, X, T, noise)[1]
    heard_moved = gradients_of(model, X[order], T, noise[order])[1]
    difference = np.abs(heard_moved["decoder.1.W"] - heard["decoder.1.W"]).max()
    assert difference > 0.01 * np.abs(heard["decoder.1.W"]).max()


# The step


def test_a_step_is_the_gradients_and_then_both_optimisers():
    arrays = batch(np.float32)
    ours, by_hand = make(dtype=np.float32), make(dtype=np.float32)
    adams, hand = vaegan.optimisers(ours), vaegan.optimisers(by_hand)
    before = ours.state()
    for _ in range(2):
        values = vaegan.train_step(ours, *adams, *arrays)
        expected = vaegan.gradients(by_hand, *arrays)
        for adam in hand:
            adam.step()
        assert values == expected
    for name, A in ours.state().items():
        np.testing.assert_array_equal(A, by_hand.state()[name])
        if not name.endswith(".b"):  # idle ones may stay
            assert not np.array_equal(A, before[name]), name
    assert not any(param.grad.any() for param in ours.params())
    assert {A.dtype for A in ours.state().values()} == {np.dtype(np.float32)}
    assert {value.dtype for value in values.values()} == {np.dtype(np.float32)}
    assert all(value.shape == () for value in values.values())


def test_a_step_of_the_discriminator_in_between_leaves_other_weights():
    """What a loop does that steps D first: the generator answers a D that its pass did not see."""
    weights = {}
    for name in ("right", "D steps before the generator's pass"):
        model, *arrays = players.small()
        if name in players.MUTANTS:
            model.discriminator = players.Meddling(model.discriminator, players.MUTANTS[name])
        generator = [*model.encoder.params(), *model.decoder.params()]
        steps = [optim.SGD(part, lr=0.1) for part in (model.discriminator.params(), generator)]
        vaegan.train_step(model, *steps, *arrays)
        weights[name] = {
            k.replace("discriminator.D.", "discriminator."): p.data.copy()
            for k, p in model.named_params()
        }
    right, wrong = weights.values()
    assert right.keys() == wrong.keys()
    for name in right:
        same = np.allclose(right[name], wrong[name], rtol=0, atol=1e-9)
        assert same == name.startswith("discriminator"), name


def test_the_optimisers_have_the_talks_and_dcgans_settings():
    model = players.small()[0]
    adam_d, adam_g = vaegan.optimisers(model)
    for adam in (adam_d, adam_g):
        assert (adam.lr, adam.betas, adam.eps) == (2e-4, (0.5, 0.999), 1e-8)
    assert [id(p) for p in adam_d.params] == [id(p) for p in model.discriminator.params()]
    assert len(adam_d.params) + len(adam_g.params) == len([*model.params()])


def test_it_learns_four_pictures():
    model, arrays = make(dtype=np.float32), batch(np.float32)
    adams = vaegan.optimisers(model, lr=1e-3)
    values = [vaegan.train_step(model, *adams, *arrays) for _ in range(8)]
    assert values[-1]["reconstruction"] < 0.8 * values[0]["reconstruction"]
    for v in values:
        total = v["adversarial"] + 0.2 * v["reconstruction"] + 0.5 * v["kl"]
        assert v["generator"] == pytest.approx(total, rel=1e-5)
        assert 0 < v["d_fake"] < 1
        assert 0 < v["d_real"] < 1


# On the stand-in for CuPy


@pytest.mark.parametrize("of", vaegan.RECONSTRUCTION)
def test_a_step_gives_the_numbers_of_numpy_and_waits_for_nothing(monkeypatch, of):
    """In float64, where another way to the same convolution is another rounding at most."""
    strict_cupy.install(monkeypatch)
    results = []
    for xp in (np, backend.get("cupy")):
        model = make().to(xp)
        adams = vaegan.optimisers(model)
        arrays = [to_device(A, xp) for A in batch(n=3)]
        with watched() as events:
            values = vaegan.train_step(model, *adams, *arrays, reconstruction=of)
        assert events == []
        assert all(isinstance(value, (xp.ndarray, np.generic)) for value in values.values())
        results.append(({k: float(to_numpy(v)) for k, v in values.items()}, model.state()))
    (ours, our_state), (theirs, their_state) = results
    assert theirs == pytest.approx(ours, rel=1e-10)
    # Features: biases before BatchNorm have rounding errors for gradients, 1e-12, which Adam
    # divides by its eps of 1e-8: a ten-thousandth of a step.
    rounding = set(idle(make())) if of == "features" else set()
    for name, A in our_state.items():
        atol = 1e-6 if name in rounding else 1e-8
        np.testing.assert_allclose(their_state[name], A, rtol=1e-8, atol=atol, err_msg=name)


# PyTorch


class Oracle:
    """The same model and step in PyTorch, by automatic differentiation."""

    def __init__(self, model, torch):
        import parity

        self.torch, self.links, self.norms, self.nets = torch, [], [], []
        self.eye_depth = model.eye_depth
        shapes = {
            "encoder": (2, 48, 48, 1),
            "decoder": (2, LATENT),
            "discriminator": (2, 28, 28, 1),
        }
        for part, shape in shapes.items():
            network = getattr(model, part)
            net, links = parity.twin(network, np.zeros(shape))
            self.nets.append(net)
            self.links += links
            self.norms += [
                (ours, theirs)
                for ours, theirs in zip(network.layers, net, strict=True)
                if isinstance(ours, layers.BatchNorm2d)
            ]
        encoder, decoder, discriminator = self.nets
        self.judges = [*discriminator.parameters()]
        self.draws = [*encoder.parameters(), *decoder.parameters()]
        adam = {"lr": 2e-4, "betas": (0.5, 0.999)}
        self.adam_d = torch.optim.Adam(self.judges, **adam)
        self.adam_g = torch.optim.Adam(self.draws, **adam)

    def fakes(self, X, noise):
        encoder, decoder, _ = self.nets
        H = encoder(X)
        mu, logvar = H[:, :LATENT], H[:, LATENT:]
        return decoder(mu + self.torch.exp(logvar / 2) * noise), mu, logvar

    def step(self, X, T, noise, adversarial="non-saturating", of="pixels", between=False):
        """One step; the losses. between: D steps first, and judges the fakes again."""
        torch, D = self.torch, self.nets[2]
        log_sigmoid = torch.nn.functional.logsigmoid
        X, T = (torch.tensor(A.transpose(0, 3, 1, 2).copy()) for A in (X, T))
        Z, mu, logvar = self.fakes(X, torch.tensor(noise))
        Y = torch.sigmoid(Z)
        eye, verdict = D[: self.eye_depth], D[self.eye_depth :]
        features_real, features_fake = eye(T), eye(Y)
        real, fake = verdict(features_real), verdict(features_fake)
        loss_d = -(log_sigmoid(real) + log_sigmoid(-fake)).mean()
        self.learn(self.judges, loss_d)
        if between:
            self.adam_d.step()
            fake = D(Y)
        saturating = adversarial == "saturating"
        fool = log_sigmoid(-fake).mean() if saturating else -log_sigmoid(fake).mean()
        if of == "features":
            likeness = ((features_fake - features_real) ** 2).sum() / (2 * len(X))
        elif of == "mse":
            likeness = torch.nn.functional.mse_loss(Y, T, reduction="sum") / len(X)
        else:
            likeness = torch.nn.functional.binary_cross_entropy(Y, T, reduction="sum") / len(X)
        kl = (mu**2 + torch.exp(logvar) - 1 - logvar).sum() / (2 * len(X))
        self.learn(self.draws, fool + 0.2 * likeness + 0.5 * kl)
        if not between:
            self.adam_d.step()
        self.adam_g.step()
        values = {"discriminator": loss_d, "adversarial": fool, "kl": kl}
        values["reconstruction" + ("" if of == "pixels" else f"_{of}")] = likeness
        return {name: value.detach().numpy() for name, value in values.items()}

    def learn(self, params, loss):
        for param, grad in zip(
            params, self.torch.autograd.grad(loss, params, retain_graph=True), strict=True
        ):
            param.grad = grad

    def difference(self):
        """max |a - b| / (1 + |b|) over all parameters."""
        return max(link.data_error() for link in self.links)


@pytest.mark.parametrize(
    ("arch", "adversarial", "of"),
    [
        ("talk", "non-saturating", "pixels"),
        ("talk", "saturating", "pixels"),
        ("hidden", "non-saturating", "pixels"),
        ("talk", "non-saturating", "mse"),
        ("talk", "non-saturating", "features"),
    ],
)
def test_three_steps_are_pytorchs(arch, adversarial, of):
    torch = pytest.importorskip("torch")
    from parity import error

    model = make(arch)
    start = model.state()
    oracle, adams = Oracle(model, torch), vaegan.optimisers(model)
    for seed in range(3):
        arrays = batch(seed=seed)
        objective = {"adversarial": adversarial, "reconstruction": of}
        ours = vaegan.train_step(model, *adams, *arrays, **objective)
        for name, value in oracle.step(*arrays, adversarial, of).items():
            assert error(np.asarray(ours[name]), value) < 1e-10, name
    assert oracle.difference() < 1e-8
    assert len(oracle.links) == len([*model.params()])
    for norm, theirs in oracle.norms:
        assert error(norm.mean, theirs.running_mean) < 1e-8
        assert error(norm.var, theirs.running_var) < 1e-8
    moved = {k: np.abs(A - start[k]).max() for k, A in model.state().items()}
    assert min(moved[k] for k in moved if k.endswith(("W", "gamma"))) > 1e-4


def test_one_step_is_not_pytorchs_with_a_step_in_between():
    """Negative control, and the reason for the order of our step."""
    torch = pytest.importorskip("torch")
    model = make()
    oracle, adams, arrays = Oracle(model, torch), vaegan.optimisers(model), batch()
    vaegan.train_step(model, *adams, *arrays)
    oracle.step(*arrays, between=True)
    errors = {id(link.param): link.data_error() for link in oracle.links}
    assert max(errors[id(param)] for param in model.discriminator.params()) < 1e-8
    assert max(errors[id(param)] for param in model.decoder.params()) > 1e-6
