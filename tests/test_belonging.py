"""Correspondence and retrieval: what they compare, their steps, and that they learn."""

import functools

import numpy as np
import pytest

from tinya2i import layers, losses, models, optim
from tinya2i.gradcheck import belonging, check_layer, pairs
from tinya2i.gradcheck.belonging import OBJECTIVES, check_objective
from tinya2i.gradcheck.check import TOLERANCE
from tinya2i.gradcheck.kinds import SideBySide, Spoilt, idle, spread
from tinya2i.models import correspondence, retrieval, towers

STEPS = {
    "Correspondence": (models.Correspondence, correspondence.train_step, True),
    "Retrieval": (models.Retrieval, retrieval.train_step, True),
    "InfoNCE": (models.Retrieval, retrieval.contrastive_step, False),
}
KINDS = [models.Correspondence, models.Retrieval]


def worst(errors):
    assert errors
    return max(errors.values())


def batch(n, seed=0, dtype=np.float32):
    """(T, X, same), noise everywhere."""
    rng = np.random.default_rng(seed)
    T, X = rng.random((n, 28, 28, 1)), rng.standard_normal((n, 48, 48, 1))
    return T.astype(dtype), X.astype(dtype), np.arange(n) % 2


def arguments(name, n, seed=0, dtype=np.float32):
    T, X, same = batch(n, seed, dtype)
    return (T, X, same) if STEPS[name][2] else (T, X)


# Normalisation


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_vectors_come_to_length_one_whatever_their_length(dtype):
    X = np.random.default_rng(0).standard_normal((5, 3, 64)).astype(dtype)
    for scale in (1, 1e-1, 1e4):
        U = layers.L2Normalize()(X * dtype(scale))
        np.testing.assert_allclose((U * U).sum(axis=-1), 1, atol=1e-6)
        np.testing.assert_allclose(U, layers.L2Normalize()(X), atol=1e-6)
    assert ((layers.L2Normalize()(X * dtype(1e-5)) ** 2).sum(axis=-1) < 0.7).all()  # eps shows


def test_a_zero_vector_stays_zero_and_has_a_gradient_that_ends():
    U, backprop = layers.L2Normalize().forward(np.zeros((2, 4), np.float32))
    dU = np.random.default_rng(1).standard_normal((2, 4)).astype(np.float32)
    assert not U.any()
    np.testing.assert_allclose(backprop(dU), dU * 1e4, rtol=1e-6)
    U, backprop = layers.L2Normalize(eps=1e-2).forward(np.zeros((2, 4), np.float32))
    np.testing.assert_allclose(backprop(dU), dU * 1e2, rtol=1e-6)


def test_what_only_makes_a_vector_longer_changes_nothing():
    """dX is at right angles to X, and 1/|X| of what arrives there."""
    rng = np.random.default_rng(2)
    X, dU = rng.standard_normal((2, 6, 8))
    U, backprop = layers.L2Normalize().forward(X)
    assert np.abs((backprop(dU) * X).sum(axis=1)).max() < 1e-6
    assert np.abs(backprop(3 * U)).max() < 1e-6
    np.testing.assert_allclose(layers.L2Normalize().forward(2 * X)[1](dU), backprop(dU) / 2, 1e-6)


# Distance


def test_the_distance_is_the_euclidean_one_but_for_eps():
    U, V = np.random.default_rng(3).standard_normal((2, 5, 7))
    D = layers.PairwiseDistance().forward(U, V)[0]
    assert D.shape == (5, 1)
    np.testing.assert_allclose(D[:, 0], np.linalg.norm(U - V, axis=1), rtol=1e-7)
    np.testing.assert_allclose(layers.PairwiseDistance().forward(U, U)[0], 1e-4, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_at_distance_zero_the_gradient_is_zero_and_near_it_small(dtype):
    U = np.random.default_rng(4).standard_normal((3, 8)).astype(dtype)
    one = np.ones((3, 1), dtype)
    for dU in layers.PairwiseDistance().forward(U, U)[1](one):
        assert not dU.any()
    near = np.nextafter(U, dtype(9))  # as near as numbers get
    dU, dV = layers.PairwiseDistance().forward(U, near)[1](one)
    assert 0 < np.abs(dU).max() < 0.01
    np.testing.assert_array_equal(dU, -dV)
    far = layers.PairwiseDistance().forward(U, -U)[1](one)[0]
    np.testing.assert_allclose(np.linalg.norm(far, axis=1), 1, rtol=1e-6)


def test_a_distance_of_shapes_that_would_broadcast_is_refused():
    with pytest.raises(ValueError, match="must be equal"):
        layers.PairwiseDistance().forward(np.ones((3, 4)), np.ones((1, 4)))


def test_without_eps_distance_zero_has_no_gradient():
    """What eps is for: with none, the check at 0 and 1e-9 fails."""
    U = np.random.default_rng(5).standard_normal((3, 4))
    V = U + np.array([1, 1e-9, 0])[:, None] * np.ones(4)
    X = np.concatenate([U, V], axis=1)
    assert worst(check_layer(SideBySide(layers.PairwiseDistance(), 4), X)) < TOLERANCE
    with np.errstate(invalid="ignore", divide="ignore"):
        assert worst(check_layer(SideBySide(layers.PairwiseDistance(eps=0), 4), X)) > 1e-2
        assert worst(check_layer(SideBySide(layers.PairwiseDistance(eps=0), 4), X[:2])) > 1e-2


def test_on_the_sphere_distance_and_cosine_order_alike():
    A, B = np.random.default_rng(6).standard_normal((2, 20, 16))
    U, V = layers.L2Normalize()(A), layers.L2Normalize()(B)
    D = np.array([layers.PairwiseDistance().forward(u + 0 * V, V)[0][:, 0] for u in U])
    S = layers.Similarity(temperature=0.5).forward(U, V)[0]
    np.testing.assert_array_equal(D.argsort(axis=1), (-S).argsort(axis=1))
    np.testing.assert_allclose(D**2, 2 - S, atol=1e-6)  # 2 - 2 cos, and S = cos / 0.5


def test_the_temperature_is_held_from_below():
    similarity = layers.Similarity()
    assert np.exp(similarity.log_t.data) == pytest.approx(0.07)
    kept = similarity.log_t.data
    for start, end in ((0.02, 0.02), (0.009, 0.01), (5.0, 5.0)):
        similarity.log_t.data[...] = np.log(start)
        similarity.limit()
        assert np.exp(similarity.log_t.data) == pytest.approx(end)
    assert similarity.log_t.data is kept


# InfoNCE


def test_info_nce_of_blind_guessing_is_the_logarithm_of_the_choice():
    for n in (1, 2, 7):
        value, dS = losses.info_nce(np.zeros((n, n)))
        assert value == pytest.approx(np.log(n))
        np.testing.assert_allclose(dS, (1 / n - np.eye(n)) / n)
    value, dS = losses.info_nce(1000 * np.eye(5, dtype=np.float32))
    assert value == 0
    assert not dS.any()


def test_info_nce_looks_both_ways():
    """A column that is large everywhere costs the rows only; its transpose is as dear."""
    S = np.zeros((4, 4))
    S[:, 2] = 5
    assert losses.info_nce(S)[0] == pytest.approx(losses.info_nce(S.T)[0])
    rows = losses.cross_entropy(S, np.arange(4))[0]
    columns = losses.cross_entropy(S.T, np.arange(4))[0]
    assert columns == pytest.approx(np.log(4))
    assert rows > 3
    assert losses.info_nce(S)[0] == pytest.approx((rows + columns) / 2)


@pytest.mark.parametrize("shape", [(3, 4), (4, 3), (3,)])
def test_info_nce_of_what_is_no_square_is_refused(shape):
    with pytest.raises(ValueError, match="as many of one kind as of the other"):
        losses.info_nce(np.zeros(shape))


# Gradients of the steps


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_gradient_of_a_small_one(name, seed):
    model, given = OBJECTIVES[name].case(seed)
    errors = check_objective(name, model, given)
    assert errors.keys() == {what for what, _ in model.named_params()} | {"loss"}
    assert worst(errors) < TOLERANCE


@pytest.mark.parametrize("name", OBJECTIVES)
def test_some_gradients_of_a_whole_one(name):
    rng = np.random.default_rng(0)
    model = STEPS[name][0](rng).astype(np.float64)
    spread(model, rng)
    errors = check_objective(name, model, arguments(name, 4, 1, np.float64), most=1)
    names = {what for what, _ in model.named_params()} - set(idle(model))
    assert errors.keys() == names | {"loss"}
    assert worst(errors) < TOLERANCE


WRONG = {
    "Correspondence: halves swapped on the way back": {"eye", "ear"},
    "Correspondence: the ear's gradient is forgotten": {"ear"},
    "Correspondence: softmax over the batch": {"loss", "eye", "ear", "head"},
    "Correspondence: together taken for apart": {"loss", "eye", "ear", "head"},
    "Retrieval: towers not normalised": {"loss", "eye", "ear", "verdict"},
    "Retrieval: distance not rooted": {"loss", "eye", "ear", "verdict"},
    "InfoNCE: towers not normalised": {"loss", "eye", "ear", "similarity"},
    "InfoNCE: pictures find sounds, not the other way": {"loss", "eye", "ear", "similarity"},
    "InfoNCE: the eye's gradient is forgotten": {"eye"},
}


@pytest.mark.parametrize("mistake", pairs.STEPS)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_wrong_step_is_caught_where_it_is_wrong(mistake, seed):
    name, mutant = pairs.STEPS[mistake]
    errors = check_objective(name, *OBJECTIVES[name].case(seed), mutant)
    wrong = {what.split(".")[0] for what, error in errors.items() if error > TOLERANCE}
    assert wrong == WRONG[mistake]
    assert worst(errors) > 1e-2


def test_a_step_through_a_wrapper_without_a_mistake_passes():
    """Negative control: it is not the wrapping that is caught."""
    model, given = OBJECTIVES["Correspondence"].case()
    model.head = Spoilt(model.head)
    assert worst(check_objective("Correspondence", model, given)) < TOLERANCE
    model, given = OBJECTIVES["Retrieval"].case()
    plain = lambda model, *given: correspondence.gradients(model, *given)  # noqa: E731
    assert worst(check_objective("Retrieval", model, given, plain)) < TOLERANCE


def test_a_normalisation_with_the_right_formula_passes():
    """Negative control of its mutants."""
    right = pairs.NormalizeMutant(lambda D, U, c, r: (D - U * c) / r)
    assert worst(check_layer(right, np.random.default_rng(1).standard_normal((3, 5)))) < TOLERANCE


def test_equal_vectors_leave_a_finite_step():
    """Both towers say the same: distance zero."""
    model, (T, X, same) = OBJECTIVES["Retrieval"].case()
    for param in (model.eye[0].W, model.ear[0].W):
        param.data[...] = 0
    model.ear[0].b.data[...] = model.eye[0].b.data
    values = correspondence.gradients(model, T, X, same)
    assert np.isfinite(values["loss"])
    assert all(np.isfinite(param.grad).all() for param in model.params())
    assert not model.eye[0].W.grad.any()
    assert model.verdict.b.grad.any()


# Models


def test_sizes():
    model, other = models.Correspondence(), models.Retrieval()
    assert model.eye.count() == other.eye[:-2].count() == 420_800
    assert model.ear.count() == other.ear[:-2].count() == 683_328
    assert other.eye.count() - model.eye.count() == (128 + 1) * 64
    assert model.count() == 420_800 + 683_328 + (256 + 1) * 128 + (128 + 1) * 2
    assert other.count() == 420_800 + 683_328 + 2 * 129 * 64 + 4 + 1
    X = batch(2)[1]
    sides = [X.shape[1] for layer in model.ear.layers if (X := layer(X)).ndim == 4]
    assert sides == [24] * 3 + [12] * 3 + [6] * 3


@pytest.mark.parametrize("ear", towers.EARS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 3])
def test_shapes_in_inference(kind, ear, n):
    model, (T, X, _) = kind(ear=ear), batch(n)
    Z, backprop = model.forward(T, X, train=False)
    assert Z.shape == (n, 2)
    assert Z.dtype == np.float32
    dT, dX = backprop(np.ones_like(Z), accumulate=False)
    assert (dT.shape, dX.shape) == (T.shape, X.shape)
    assert not any(param.grad.any() for param in model.params())
    assert backprop(np.ones_like(Z), accumulate=False, input_grad=False) is None
    if kind is models.Retrieval:
        U, V = model.embed_pictures(T), model.embed_sounds(X)
        assert U.shape == V.shape == (n, 64)
        np.testing.assert_allclose((U * U).sum(axis=1), 1, rtol=1e-6)
        D = np.linalg.norm(U - V, axis=1)
        np.testing.assert_allclose(Z, np.stack([D - 1, 1 - D], axis=1), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_of_one_has_no_variance_to_train_on(kind):
    with pytest.raises(ValueError, match="more than one value per channel"):
        kind().forward(*batch(1)[:2])


@pytest.mark.parametrize("kind", KINDS)
def test_an_ear_that_is_none(kind):
    with pytest.raises(ValueError, match="no ear 'nose'; there are \\['tower', 'vae'\\]"):
        kind(ear="nose")


@pytest.mark.parametrize("kind", KINDS)
def test_a_vae_can_start_from_an_ear(kind):
    ear = kind(np.random.default_rng(5), ear="vae").ear
    vae = models.VAE()
    theirs = vae.encoder.state()
    shared = {name: A for name, A in ear.state().items() if int(name.split(".")[0]) < 9}
    assert theirs.keys() - shared.keys() == {"9.W", "9.b"}
    vae.encoder.load_state({**theirs, **shared})
    X = batch(2)[1]
    np.testing.assert_array_equal(vae.encoder[:9](X), ear[:9](X))


@pytest.mark.parametrize("ear", towers.EARS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_state_goes_into_a_new_model(kind, ear):
    model, other = (kind(np.random.default_rng(seed), ear=ear) for seed in (1, 2))
    T, X, _ = batch(3)
    model.forward(T, X)  # statistics, too
    spread(model, np.random.default_rng(3))
    expected = model.forward(T, X, train=False)[0]
    assert not np.allclose(other.forward(T, X, train=False)[0], expected)
    other.load_state(model.state())
    np.testing.assert_array_equal(other.forward(T, X, train=False)[0], expected)


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_step_keeps_the_dtype_and_moves_what_it_is_about(name, dtype):
    kind, step, _ = STEPS[name]
    model = kind(np.random.default_rng(0)).astype(dtype)
    optimiser, before = optim.Adam(model.params()), model.state()
    values = step(model, optimiser, *arguments(name, 6, dtype=dtype))
    assert values.keys() == {"loss", "correct"}
    arrays = [optimiser.data, optimiser.grad, optimiser.m, optimiser.v, *values.values()]
    arrays += model.state().values()
    assert {np.asarray(A).dtype for A in arrays} == {np.dtype(dtype)}
    assert all(np.ndim(value) == 0 for value in values.values())
    still = {what for what, A in model.state().items() if np.array_equal(A, before[what])}
    unused = {"Retrieval": {"similarity.log_t"}, "InfoNCE": {"verdict.W", "verdict.b"}}
    assert still - set(idle(model)) == unused.get(name, set())
    assert not any(param.grad.any() for param in model.params())


def test_the_share_read_right_is_counted():
    class Fixed(layers.Linear):
        def forward(self, T, X, train=True):
            return np.array([[2.0, 1], [0, 1], [5, 5.5], [1, 0]]), lambda dZ, **options: None

    values = correspondence.gradients(Fixed(1, 1), None, None, np.array([0, 1, 0, 1]))
    assert values["correct"] == 0.5


# That they learn


def things(n, seed):
    """(T, X, kind): four kinds of pictures, dark in one quarter, with sounds dark in as many."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 4, n)
    quarters = np.eye(4, dtype=np.float32)[kind].reshape(n, 2, 2, 1)
    T = np.kron(quarters, np.ones((1, 14, 14, 1), np.float32))
    X = np.kron(quarters[:, ::-1], np.ones((1, 24, 24, 1), np.float32))
    noise = [rng.standard_normal(A.shape).astype(np.float32) / 2 for A in (T, X)]
    return T + noise[0], X + noise[1], kind


@functools.cache
def trained(name, steps=40, n=24):
    """(model, values of its last step)."""
    kind, step, told = STEPS[name]
    model = kind(np.random.default_rng(0))
    optimiser = optim.Adam(model.params())
    for i in range(steps):
        T, X, digit = things(n, i)
        if told:
            turned = np.roll(np.arange(n), 1)
            same = (np.arange(n) % 2) | (digit == digit[turned])
            X = np.where(same[:, None, None, None], X, X[turned])
            values = step(model, optimiser, T, X, same)
        else:
            values = step(model, optimiser, T, X)
    return model, values


def test_correspondence_learns_who_belongs_together():
    model, values = trained("Correspondence")
    assert values["loss"] < 0.3
    T, X, kind = things(200, 99)
    other = np.roll(np.arange(200), 1)
    for sound, same in ((X, np.ones(200)), (X[other], kind == kind[other])):
        Z = model.forward(T, sound, train=False)[0]
        assert (Z.argmax(axis=1) == same).mean() > 0.9


@pytest.mark.parametrize("name", ["Retrieval", "InfoNCE"])
def test_a_sound_finds_its_pictures_by_distance(name):
    model, _ = trained(name)
    T, X, kind = things(200, 99)
    U, V = model.embed_pictures(T), model.embed_sounds(X)
    D = ((V[:, None] - U) ** 2).sum(axis=2)
    assert (kind[D.argmin(axis=1)] == kind).mean() > 0.9
    fresh = models.Retrieval(np.random.default_rng(0))
    U, V = fresh.embed_pictures(T), fresh.embed_sounds(X)
    D = ((V[:, None] - U) ** 2).sum(axis=2)
    assert (kind[D.argmin(axis=1)] == kind).mean() < 0.7  # chance is 1/4


def test_near_means_together_from_the_start():
    model = models.Retrieval()
    Z = model.verdict(np.array([[0.2], [1.8]], np.float32))
    assert Z.argmax(axis=1).tolist() == [1, 0]
    after = trained("Retrieval")[0].verdict(np.array([[0.2], [1.8]], np.float32))
    assert after.argmax(axis=1).tolist() == [1, 0]


def test_the_temperature_stays_above_its_limit_in_training():
    model, (T, X, _) = models.Retrieval(), batch(4)
    model.similarity.log_t.data[...] = np.log(0.01)

    class Sharpens(optim.SGD):
        def step(self):
            model.similarity.log_t.data[...] -= 0.5

    retrieval.contrastive_step(model, Sharpens(model.params(), lr=0.1), T, X)
    assert np.exp(model.similarity.log_t.data) == pytest.approx(0.01)


def test_the_small_ones_are_the_real_algebra():
    """What is checked number by number is the code of the models, but for the towers."""
    for small, kind in (
        (belonging.SmallCorrespondence, models.Correspondence),
        (belonging.SmallRetrieval, models.Retrieval),
    ):
        assert small.forward is kind.forward
    assert belonging.SmallRetrieval.embed is models.Retrieval.embed
    assert belonging.OBJECTIVES["InfoNCE"].gradients is retrieval.contrastive_gradients
