"""Do they belong together: gradients of the steps against differences of their losses.

Each loss is written here from its definition, pair by pair, and the values that a step returns must
be that: normalised towers, a plain Euclidean distance, a softmax over the right axis.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from tinya2i import models
from tinya2i.backend import Array
from tinya2i.gradcheck.check import compare, relative_error
from tinya2i.gradcheck.kinds import Errors, SideBySide, idle, spread
from tinya2i.layer import Layer, Sequential
from tinya2i.layers import L2Normalize, Linear, Tanh
from tinya2i.models import correspondence, retrieval

Batch = tuple[Array, ...]
Values = dict[str, Array]


class SmallCorrespondence(models.Correspondence):
    """Its own algebra, for pictures of 5 numbers and sounds of 6."""

    def __init__(self, rng: np.random.Generator):
        self.eye, self.ear = Linear(5, 3, rng), Linear(6, 3, rng)
        self.head = Sequential(Tanh(), Linear(6, 4, rng), Tanh(), Linear(4, 2, rng))


class SmallRetrieval(models.Retrieval):
    """Its own algebra, for pictures of 5 numbers and sounds of 6."""

    def __init__(self, rng: np.random.Generator):
        super().__init__(rng)
        self.eye = Sequential(Linear(5, 3, rng), L2Normalize())
        self.ear = Sequential(Linear(6, 3, rng), L2Normalize())


def correspondence_of_one(rng: np.random.Generator) -> Layer:
    """A small one as a layer of [T, X]."""
    return SideBySide(SmallCorrespondence(rng), 5)


def retrieval_of_one(rng: np.random.Generator) -> Layer:
    """A small one as a layer of [T, X]."""
    return SideBySide(SmallRetrieval(rng), 5)


def of_verdicts(Z: Array, same: Array) -> float:
    """-log of the probability of the truth, mean over pairs; Z (n, 2): apart, together."""
    together = 1 / (1 + np.exp(Z[:, 0] - Z[:, 1]))
    return -np.log(np.where(same == 1, together, 1 - together)).mean()


def own_correspondence(model: models.Correspondence, T: Array, X: Array, same: Array) -> float:
    """Its loss from the definition."""
    F, G = model.eye.forward(T)[0], model.ear.forward(X)[0]
    return of_verdicts(model.head.forward(np.hstack([F, G]))[0], same)


def unit(tower: Sequential, X: Array) -> Array:
    """What comes before a tower's last layer, each vector divided by its length."""
    F = tower[:-1].forward(X)[0]
    return np.array([f / np.sqrt(f @ f) for f in F])


def own_retrieval(model: models.Retrieval, T: Array, X: Array, same: Array) -> float:
    """Its loss from the definition."""
    D = [np.sqrt(((u - v) ** 2).sum()) for u, v in _embedded(model, T, X)]
    return of_verdicts(np.outer(D, model.verdict.W.data) + model.verdict.b.data, same)


def own_contrastive(model: models.Retrieval, T: Array, X: Array) -> float:
    """Its loss from the definition."""
    pairs = _embedded(model, T, X)
    t = np.exp(model.similarity.log_t.data[0])
    weight = np.array([[np.exp(u @ v / t) for _, v in pairs] for u, _ in pairs])
    found = weight.diagonal() / weight.sum(axis=1), weight.diagonal() / weight.sum(axis=0)
    return -np.log(found).mean()


def _embedded(model: models.Retrieval, T: Array, X: Array) -> list[tuple[Array, Array]]:
    return [*zip(unit(model.eye, T), unit(model.ear, X), strict=True)]


@dataclass(frozen=True)
class Objective:
    """A small model, its step without the optimiser, its loss, and whether it is told `same`."""

    small: Callable[[np.random.Generator], Layer]
    gradients: Callable[..., Values]
    own_loss: Callable[..., float]
    told: bool = True

    def case(self, seed: int = 0) -> tuple[Layer, Batch]:
        """A model with everything off its starting values, and a batch for it."""
        rng = np.random.default_rng(seed)
        model = self.small(rng).astype(np.float64)
        spread(model, rng)
        batch = rng.standard_normal((4, 5)), rng.standard_normal((4, 6)), np.array([1, 0, 0, 1])
        return model, batch if self.told else batch[:2]


OBJECTIVES = {
    "Correspondence": Objective(SmallCorrespondence, correspondence.gradients, own_correspondence),
    "Retrieval": Objective(SmallRetrieval, correspondence.gradients, own_retrieval),
    "InfoNCE": Objective(
        SmallRetrieval, retrieval.contrastive_gradients, own_contrastive, told=False
    ),
}


def check_objective(
    name: str,
    model: Layer,
    batch: Batch,
    gradients: Callable[..., Values] | None = None,
    most: int = 64,
) -> Errors:
    """Relative errors of the loss and of the gradients of all parameters, in float64.

    gradients: a mutant's. Without the `idle` biases; running statistics are left changed.
    """
    objective = OBJECTIVES[name]
    model.zero_grad()
    value = (gradients or objective.gradients)(model, *batch)["loss"]
    expected = objective.own_loss(model, *batch)
    unknowable = set(idle(model))
    arrays = {
        name: (param.data, param.grad.copy())
        for name, param in model.named_params()
        if name not in unknowable
    }
    rng = np.random.default_rng(0)
    errors = compare(lambda: objective.own_loss(model, *batch), arrays, rng, most)
    model.zero_grad()
    return {"loss": relative_error(np.asarray(value), np.asarray(expected)), **errors}


def rows() -> Iterator[tuple[str, Callable[[], Errors]]]:
    """(what, function that checks it)."""
    for name, objective in OBJECTIVES.items():
        yield f"{name}'s step", lambda n=name, o=objective: check_objective(n, *o.case())
