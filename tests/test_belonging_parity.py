"""PyTorch as oracle for correspondence and retrieval, in float64: layers, losses, Adam's steps."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import parity  # noqa: E402  (it needs torch)
from parity import Link, error, images_to_torch  # noqa: E402
from test_parity import AFTER_TEN_STEPS, agrees, loss_errors, tensor  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from tinya2i import layers, losses, models, optim  # noqa: E402
from tinya2i.models import correspondence, retrieval  # noqa: E402

EPS = layers.PairwiseDistance().eps
STEPS = 5


def two_errors(layer, theirs, U, V, seed=0):
    """{what: difference} of output and both input gradients, for a layer of two inputs."""
    Y, backprop = layer.forward(U, V)
    dY = np.random.default_rng(seed).standard_normal(Y.shape)
    A, B = tensor(U, requires_grad=True), tensor(V, requires_grad=True)
    Y_torch = theirs(A, B)
    Y_torch.backward(tensor(dY))
    dU, dV = backprop(dY)
    return {"Y": error(Y, Y_torch), "dU": error(dU, A.grad), "dV": error(dV, B.grad)}


def draw(seed):
    """(rng, shape (n, d), U, V), V as near to U as 1, 1e-3 or not at all."""
    rng = np.random.default_rng([31, seed])
    shape = tuple(int(size) for size in rng.integers(1, 9, 2))
    U = rng.standard_normal(shape)
    return rng, shape, U, U + rng.choice([1, 1e-3, 0]) * rng.standard_normal(shape)


# Layers and losses


@pytest.mark.parametrize("seed", range(25))
def test_l2_normalize(seed):
    """With hardly any eps it is PyTorch's `normalize`; with it, the formula, at zero, too."""
    rng, shape, X, _ = draw(seed)
    for eps, theirs in ((1e-12, F.normalize), (EPS, parity.module_of(layers.L2Normalize())[0])):
        X = X if eps < EPS else X * rng.choice([1, 1e-3, 0], (len(X), 1))
        U, backprop = layers.L2Normalize(eps).forward(X)
        dU = rng.standard_normal(shape)
        X_torch = tensor(X, requires_grad=True)
        U_torch = theirs(X_torch)
        U_torch.backward(tensor(dU))
        agrees({"U": error(U, U_torch), "dX": error(backprop(dU), X_torch.grad)})


@pytest.mark.parametrize("seed", range(25))
def test_pairwise_distance(seed):
    U, V = draw(seed)[2:]
    rounded = lambda A, B: torch.sqrt(((A - B) ** 2).sum(1, keepdim=True) + EPS**2)  # noqa: E731
    agrees(two_errors(layers.PairwiseDistance(), rounded, U, V))
    plain = lambda A, B: F.pairwise_distance(A, B, eps=0, keepdim=True)  # noqa: E731
    if (U != V).all():
        agrees(two_errors(layers.PairwiseDistance(eps=1e-12), plain, U, V))


@pytest.mark.parametrize("seed", range(25))
def test_similarity(seed):
    rng, (_, d), U, _ = draw(seed)
    V = rng.standard_normal((int(rng.integers(1, 9)), d))
    layer = layers.Similarity(temperature=0.3).astype(np.float64)
    log_t = tensor(layer.log_t.data, requires_grad=True)
    agrees(two_errors(layer, lambda A, B: A @ B.T / torch.exp(log_t), U, V))
    agrees({"dlog_t": error(layer.log_t.grad, log_t.grad)})


def clip_loss(S):
    """As in figure 3 of Radford et al. 2021."""
    own = torch.arange(len(S))
    return (F.cross_entropy(S, own) + F.cross_entropy(S.T, own)) / 2


@pytest.mark.parametrize("seed", range(25))
def test_info_nce(seed):
    rng, (n, _), *_ = draw(seed)
    S = rng.choice([1e-3, 1, 30, 1000]) * rng.standard_normal((n, n))
    agrees(loss_errors(losses.info_nce(S), clip_loss, S))


def test_a_loss_that_looks_one_way_is_seen():
    """Negative control."""
    S = np.random.default_rng(0).standard_normal((4, 4))
    one_way = losses.cross_entropy(S, np.arange(4))
    assert min(loss_errors(one_way, clip_loss, S).values()) > 1e-3


# Steps


class Twin:
    """A model's towers and whatever else it learns, in PyTorch, with an Adam for all of it."""

    def __init__(self, model, *more):
        inputs = [np.zeros((2, 28, 28, 1)), np.zeros((2, 48, 48, 1))]
        inputs += [np.zeros((2, len(network[0].W.data))) for network in more]
        networks = zip((model.eye, model.ear, *more), inputs, strict=True)
        twins = [parity.twin(network, X) for network, X in networks]
        self.networks = [module for module, _ in twins]
        self.links = [link for _, links in twins for link in links]

    def own(self, name, param):
        """A tensor of its own for a parameter that is in no network."""
        array = tensor(param.data, requires_grad=True)
        self.links.append(Link(name, param, array, lambda A: A))
        return array

    def step(self, loss):
        """One step of Adam on a loss, and the loss before it."""
        if not hasattr(self, "adam"):
            self.adam = torch.optim.Adam([link.tensor for link in self.links])
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        return loss

    def seen_and_heard(self, T, X):
        eye, ear = self.networks[:2]
        return eye(tensor(images_to_torch(T))), ear(tensor(images_to_torch(X)))


class OfCorrespondence(Twin):
    def __init__(self, model):
        super().__init__(model, model.head)

    def loss(self, T, X, same):
        H = torch.cat(self.seen_and_heard(T, X), dim=1)
        return F.cross_entropy(self.networks[2](H), tensor(same))


class OfRetrieval(Twin):
    def __init__(self, model):
        super().__init__(model)
        self.W = self.own("verdict.W", model.verdict.W)
        self.b = self.own("verdict.b", model.verdict.b)

    def loss(self, T, X, same):
        U, V = self.seen_and_heard(T, X)
        D = torch.sqrt(((U - V) ** 2).sum(1, keepdim=True) + EPS**2)
        return F.cross_entropy(D @ self.W + self.b, tensor(same))


class OfInfoNCE(Twin):
    def __init__(self, model):
        super().__init__(model)
        self.log_t = self.own("log_t", model.similarity.log_t)

    def loss(self, T, X):
        U, V = self.seen_and_heard(T, X)
        return clip_loss(U @ V.T / torch.exp(self.log_t))


OBJECTIVES = {
    "Correspondence": (models.Correspondence, OfCorrespondence, correspondence.train_step),
    "Retrieval": (models.Retrieval, OfRetrieval, retrieval.train_step),
    "InfoNCE": (models.Retrieval, OfInfoNCE, retrieval.contrastive_step),
}


def batches(name, steps=STEPS, n=4):
    rng = np.random.default_rng(32)
    for _ in range(steps):
        T, X = rng.random((n, 28, 28, 1)), rng.standard_normal((n, 48, 48, 1))
        yield (T, X) if name == "InfoNCE" else (T, X, rng.integers(0, 2, n))


def differences(name, spoil=lambda *batch: batch):
    """({link: difference} after a few steps, {step: difference of the losses}).

    spoil changes what PyTorch gets.
    """
    kind, twin, step = OBJECTIVES[name]
    model = kind(np.random.default_rng(33)).astype(np.float64)
    oracle = twin(model)
    adam, found, start = optim.Adam(model.params()), {}, oracle.links[0].param.data.copy()
    for i, batch in enumerate(batches(name)):
        value = step(model, adam, *batch)["loss"]
        loss = oracle.step(oracle.loss(*spoil(*batch)))
        found[f"loss {i}"] = error(np.asarray(value), loss)
    assert np.abs(oracle.links[0].param.data - start).max() > 1e-3
    names = {id(link.param) for link in oracle.links}
    unused = {"Retrieval": 1, "InfoNCE": 2}.get(name, 0)
    assert len(names) == len(oracle.links) == len(list(model.params())) - unused
    return {str(i): link.data_error() for i, link in enumerate(oracle.links)}, found


@pytest.mark.parametrize("name", OBJECTIVES)
def test_steps_of_adam_are_pytorchs(name):
    parameters, values = differences(name)
    agrees(values, AFTER_TEN_STEPS)
    agrees(parameters, AFTER_TEN_STEPS)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_another_batch_is_seen(name):
    """Negative control: sounds a thousandth louder in PyTorch."""
    parameters, _ = differences(name, lambda T, X, *same: (T, X * (1 + 1e-3), *same))
    assert max(parameters.values()) > 10 * AFTER_TEN_STEPS


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_gradient(name):
    kind, twin, _ = OBJECTIVES[name]
    model = kind(np.random.default_rng(34)).astype(np.float64)
    oracle, batch = twin(model), next(batches(name))
    step = retrieval.contrastive_gradients if name == "InfoNCE" else correspondence.gradients
    value = step(model, *batch)["loss"]
    loss = oracle.loss(*batch)
    loss.backward()
    errors = {str(i): link.grad_error() for i, link in enumerate(oracle.links)}
    agrees({"loss": error(np.asarray(value), loss), **errors})
