"""The conditional VAE: its size, its step, and that noise decides between pictures of a sound."""

import numpy as np
import pytest
from test_tasks import mix  # noqa: F401

from tinya2i import losses, models, tasks
from tinya2i.gradcheck import conditional
from tinya2i.gradcheck.check import TOLERANCE
from tinya2i.gradcheck.kinds import spread
from tinya2i.layer import Sequential
from tinya2i.layers import Flatten, Linear
from tinya2i.models import cvae, vae
from tinya2i.models.networks import LATENT
from tinya2i.optim import Adam
from tinya2i.streams import stream


def worst(errors):
    assert errors
    return max(errors.values())


def gradients_of(model, *arguments, step=cvae.gradients):
    model.zero_grad()
    values = step(model, *arguments)
    return values, {name: param.grad.copy() for name, param in model.named_params()}


# Sizes


def test_all_but_the_recogniser_is_the_vae():
    model, plain = models.CVAE(np.random.default_rng(3)), models.VAE(np.random.default_rng(3))
    assert model.count() == 21_819_873
    assert model.recogniser.count() == 869_344
    ours = dict(model.named_params())
    for name, param in plain.named_params():
        np.testing.assert_array_equal(ours[name].data, param.data)


def test_it_draws_as_a_vae_does():
    model, rng = models.CVAE(), np.random.default_rng(0)
    X = rng.standard_normal((3, 48, 48, 1)).astype(np.float32)
    noise = rng.standard_normal((3, LATENT)).astype(np.float32)
    plain = models.VAE()
    plain.load_state({k: v for k, v in model.state().items() if not k.startswith("recogniser")})
    np.testing.assert_array_equal(model.generate(X, noise), plain.generate(X, noise))


# Its step


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("hybrid", conditional.HYBRIDS)
def test_every_gradient_of_a_small_one(hybrid, seed):
    errors = conditional.check_conditional(*conditional.small(seed), hybrid)
    names = {name for name, _ in conditional.small()[0].named_params()}
    assert errors.keys() == names | {"loss"}
    assert worst(errors) < TOLERANCE


@pytest.mark.parametrize("n", [1, 3])
def test_some_gradients_of_the_whole_one(n):
    rng = np.random.default_rng(n)
    model = models.CVAE(rng).astype(np.float64)
    spread(model, rng)
    shapes = (n, 48, 48, 1), (n, 2 * LATENT)
    X, noise = (rng.standard_normal(shape) for shape in shapes)
    T = rng.random((n, 28, 28, 1))
    assert worst(conditional.check_conditional(model, X, T, noise, 0.3, most=1)) < TOLERANCE


WRONG = {
    "CVAE: both draws with one noise": {"loss", "encoder", "decoder"},
    "CVAE: the encoder gets nothing of L_q": {"encoder"},
    "CVAE: the recogniser's share is not weighed": {"recogniser"},
}


@pytest.mark.parametrize("name", conditional.MUTANTS)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_wrong_step_is_caught_where_it_is_wrong(name, seed):
    mutant = conditional.MUTANTS[name]
    errors = conditional.check_conditional(*conditional.small(seed), 0.3, mutant)
    wrong = {what for what, error in errors.items() if error > TOLERANCE}
    assert {what.split(".")[0] for what in wrong} == WRONG[name]
    assert worst(errors) > 1e-2


def test_all_of_hybrid_is_the_vaes_reconstruction():
    """hybrid 1 asks q for nothing: the talk's VAE without its KL term."""
    model, X, T, noise = conditional.small()
    values, taken = gradients_of(model, X, T, noise, 1.0, 1.0)

    def plain(model, X, T, noise):
        (Z, mu, _), backprop = model.forward(X, noise[:, LATENT:])
        value, dZ = losses.bce_with_logits(Z, T)
        backprop(dZ, 0 * mu, 0 * mu)
        return {"loss": value}

    expected, theirs = gradients_of(model, X, T, noise, step=plain)
    assert values["loss"] == pytest.approx(expected["loss"], rel=1e-12)
    for name, dA in theirs.items():
        np.testing.assert_allclose(taken[name], dA, rtol=1e-9, atol=1e-14)
    assert not taken["recogniser.W"].any()
    assert not np.allclose(
        gradients_of(model, X, T, noise, 1.0, 0.5)[1]["decoder.W"], taken["decoder.W"]
    )


def test_a_sound_that_says_nothing_leaves_the_vae_of_pictures():
    """Where the sound says z = e, what is left is the VAE of pictures, in loss and gradients."""
    model, X, T, noise = conditional.small()
    model.encoder.W.data[...], model.encoder.b.data[...] = 0, 0
    plain = models.VAE.__new__(models.VAE)
    plain.encoder, plain.decoder = model.recogniser, model.decoder
    values, taken = gradients_of(model, X, T, noise, 0.7, 0.0)

    def step(plain, T, noise):
        (Z, mu, logvar), backprop = plain.forward(T, noise[:, :LATENT])
        value, dZ = losses.bce_with_logits(Z, T)
        kl, dmu, dlogvar = losses.gaussian_kl(mu, logvar)
        backprop(dZ, 0.7 * dmu, 0.7 * dlogvar)
        return {"loss": value + 0.7 * kl}

    expected, theirs = gradients_of(plain, T, noise, step=step)
    assert values["loss"] == pytest.approx(expected["loss"], rel=1e-12)
    np.testing.assert_allclose(taken["recogniser.W"], theirs["encoder.W"], rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(taken["decoder.W"], theirs["decoder.W"], rtol=1e-9, atol=1e-14)


# What it is for


class Small(models.CVAE):
    """Linear halves, for one sound with two pictures."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.encoder = Linear(2, 2 * LATENT, rng)
        self.decoder = Sequential(Linear(LATENT, 4, rng))
        self.recogniser = Sequential(Flatten(), Linear(4, 2 * LATENT, rng))


def spread_of_pictures(model, step):
    """Mean over pixels of the deviation of pictures of one sound, after 400 steps."""
    pictures = np.array([[1, 1, 0, 0], [0, 0, 1, 1]], np.float32)
    adam, rng = Adam(model.params(), 0.02), np.random.default_rng(1)
    X = np.ones((32, 2), np.float32)
    for _ in range(400):
        T = pictures[rng.integers(0, 2, 32)]
        step(model, adam, X, T, rng.standard_normal((32, 2 * LATENT)).astype(np.float32))
    noise = rng.standard_normal((500, LATENT)).astype(np.float32)
    return model.generate(np.ones((500, 2), np.float32), noise).std(axis=0).mean()


def of_vae(model, adam, X, T, noise):
    vae.train_step(model, adam, X, T, noise[:, :LATENT])


def of_variety(*given):
    cvae.train_step(*given, hybrid=0.01)


def of_archetypes(*given):
    cvae.train_step(*given, hybrid=1.0)


def test_two_pictures_of_one_sound_stay_two_where_a_vae_draws_their_mean():
    assert spread_of_pictures(Small(), of_variety) > 0.4  # 0.5: each is one or the other
    assert spread_of_pictures(Small(), of_vae) < 0.15
    assert spread_of_pictures(Small(), of_archetypes) < 0.15


# As a task, and as a program


def cvae_task(mix, **options):  # noqa: F811
    options = {"lr": 1e-3, "batch_size": 16, "seed": 0, "xp": np, **options}
    return tasks.CVAETask(models.CVAE(stream(0, "init")), mix, None, **options)


def test_its_weights_reach_the_loss(mix):  # noqa: F811
    task = cvae_task(mix, kl_weight=0.5, hybrid=0.25, hybrid_fall=0.0)
    task.begin_epoch(0)
    values = task.step(0)
    assert set(values) == {"loss", "reconstruction", "reconstruction_q", "kl_q"}
    assert all(value.shape == () and value.dtype == np.float32 for value in values.values())
    of_q = values["reconstruction_q"] + 0.5 * values["kl_q"]
    assert values["loss"] == pytest.approx(0.75 * of_q + 0.25 * values["reconstruction"], rel=1e-5)
    assert task.objective == (
        "(1 - h) * (reconstruction + 0.5 * KL) "
        "+ h * reconstruction with noise from N(0, 1), h = 0.25"
    )


@pytest.mark.parametrize(("fall", "expected"), [(2, [1, 0.9, 0.8, 0.4, 0.2]), (0, [0.2] * 5)])
def test_hybrid_falls_from_one(mix, fall, expected):  # noqa: F811
    task = cvae_task(mix, hybrid=0.2, hybrid_fall=fall, batch_size=10)  # epochs of four steps
    found = []
    for epoch, index in ((0, 0), (0, 1), (0, 2), (1, 2), (3, 1)):
        task.begin_epoch(epoch)
        found.append(task.hybrid_at(index))
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("kl", "read", "hybrid", "epoch", "sick"),
    [
        (0.5, 0.9, 0.1, 1, ["noise says nothing"]),
        (1.5, 0.9, 0.1, 1, []),
        (0.5, 0.9, 1.0, 1, []),
        (0.5, 0.1, 0.1, 0, []),
        (1.5, 0.1, 0.1, 1, ["do not follow the sound"]),
        (0.5, 0.1, 0.1, 1, ["do not follow the sound", "noise says nothing"]),
    ],
)
def test_what_is_sick_is_reported(mix, kl, read, hybrid, epoch, sick):  # noqa: F811
    task = cvae_task(mix, hybrid=hybrid)  # hybrid falls in epoch 0
    task.begin_epoch(epoch)
    warnings = task.health({"kl_q": kl, "agreement_unique": read})
    assert len(warnings) == len(sick)
    assert all(words in text for words, text in zip(sick, warnings, strict=True))


def test_a_saved_task_goes_on_in_every_bit(mix):  # noqa: F811
    """Across the fall of hybrid: epoch 1 after epoch 0."""
    whole, first, second = (cvae_task(mix, lr=1e-5, hybrid_fall=1.5) for _ in range(3))
    for task, epochs in ((whole, (0, 1)), (first, (0,))):
        for epoch in epochs:
            for index in range(task.begin_epoch(epoch)):
                task.step(index)
    second.load_arrays({name: array.copy() for name, array in first.arrays().items()})
    for index in range(second.begin_epoch(1)):
        second.step(index)
    ours, theirs = second.arrays(), whole.arrays()
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    other = first.arrays()
    assert not all(np.array_equal(other[name], theirs[name]) for name in theirs)


# PyTorch's opinion


@pytest.mark.parametrize("hybrid", conditional.HYBRIDS)
def test_gradients_equal_those_of_autograd(hybrid):
    torch = pytest.importorskip("torch")
    model, X, T, noise = conditional.small(3)
    values, taken = gradients_of(model, X, T, noise, 0.7, hybrid)
    params = {n: torch.tensor(p.data, requires_grad=True) for n, p in model.named_params()}

    def linear(name, A):
        return A @ params[f"{name}.W"] + params[f"{name}.b"]

    X, T, noise = map(torch.tensor, (X, T, noise))
    mu, logvar = linear("encoder", X).chunk(2, dim=1)
    mu_q, logvar_q = linear("recogniser", T).chunk(2, dim=1)
    noise_q, noise_p = noise.chunk(2, dim=1)

    def reconstruction(e):
        Z = linear("decoder", mu + torch.exp(logvar / 2) * e)
        total = torch.nn.functional.binary_cross_entropy_with_logits(Z, T, reduction="sum")
        return total / len(T)

    q = torch.distributions.Normal(mu_q, torch.exp(logvar_q / 2))
    p = torch.distributions.Normal(torch.zeros_like(mu_q), torch.ones_like(mu_q))
    kl = torch.distributions.kl_divergence(q, p).sum() / len(T)
    of_q = reconstruction(q.loc + q.scale * noise_q) + 0.7 * kl
    loss = (1 - hybrid) * of_q + hybrid * reconstruction(noise_p)
    loss.backward()
    assert values["loss"] == pytest.approx(loss.item(), rel=1e-12)
    assert values["kl_q"] == pytest.approx(kl.item(), rel=1e-12)
    for name, param in params.items():
        np.testing.assert_allclose(taken[name], param.grad.numpy(), rtol=1e-10, atol=1e-12)
