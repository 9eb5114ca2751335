"""Wrong backwards of what compares (normalisation, distance, similarity), and wrong steps."""

import copy
from collections.abc import Callable, Iterator

import numpy as np

from tinya2i import layers, losses, models, ops
from tinya2i.backend import Array
from tinya2i.gradcheck.belonging import OBJECTIVES, Values, check_objective
from tinya2i.gradcheck.kinds import Errors, SideBySide, Spoilt
from tinya2i.layer import Backprop, Layer
from tinya2i.models import correspondence, retrieval


class NormalizeMutant(layers.L2Normalize):
    """L2Normalize whose gradient is computed by a wrong formula of its parts."""

    def __init__(self, formula: Callable[..., Array]):
        super().__init__()
        self.formula = formula

    def forward(self, X: Array, train: bool = True) -> tuple[Array, Backprop]:
        U, _ = super().forward(X, train)
        r = np.sqrt((X * X).sum(axis=-1, keepdims=True) + self.eps**2)

        def backprop(dU: Array, accumulate: bool = True, input_grad: bool = True) -> Array:
            return self.formula(dU, U, (U * dU).sum(axis=-1, keepdims=True), r)

        return U, backprop


# Arguments: D = dU, U the unit vectors, c = <U, D>, r = |X|.
NORMALIZE: dict[str, Callable[..., Array]] = {
    "L2Normalize drops the term along U": lambda D, U, c, r: D / r,
    "L2Normalize keeps the term along U alone": lambda D, U, c, r: U * c / r,
    "L2Normalize forgets 1/|X|": lambda D, U, c, r: D - U * c,
    "L2Normalize takes X for U": lambda D, U, c, r: (D - U * r * c) / r,
    "L2Normalize sums <U, dU> over the batch": lambda D, U, c, r: (D - U * c.sum(axis=0)) / r,
}


def _without_eps(dX: Array, dD: Array, D: Array) -> Array:
    """(U - V) / |U - V|, which is of length 1 however near they are."""
    return dX * D / np.sqrt(np.maximum(D * D - layers.PairwiseDistance().eps ** 2, 1e-300))


def _one_way(dX: Array, dD: Array, D: Array) -> Array:
    dU = np.split(dX, 2, axis=1)[0]
    return np.concatenate([dU, dU], axis=1)


DISTANCE: dict[str, tuple[str, Callable[[Array, Array, Array], Array]]] = {
    "distance's gradient without 1/D": ("PairwiseDistance", lambda dX, dD, D: dX * D),
    "distance's gradient is that of its square": ("PairwiseDistance", lambda dX, dD, D: 2 * dX * D),
    "distance: V is pulled the way of U": ("PairwiseDistance", _one_way),
    "distance's gradient has length 1 down to zero": ("PairwiseDistance near zero", _without_eps),
}


def _no_temperature(layer: Layer, dS: Array) -> None:
    layer.layer.log_t.grad[...] = 0


def _of_temperature_itself(layer: Layer, dS: Array) -> None:
    layer.layer.log_t.grad /= np.exp(layer.layer.log_t.data)  # dt for dlog_t


def _not_sharpened() -> Layer:
    similarity = layers.Similarity()
    two = SideBySide(similarity, 4)
    return Spoilt(two, lambda dX, dS, S: dX * np.exp(similarity.log_t.data))


SIMILARITY = {
    "Similarity: the temperature learns nothing": _no_temperature,
    "Similarity: gradient of t for that of log t": _of_temperature_itself,
}

LAYERS: dict[str, tuple[str, Callable[[np.random.Generator], Layer]]] = {
    **{
        name: ("L2Normalize", lambda r, f=formula: NormalizeMutant(f))
        for name, formula in NORMALIZE.items()
    },
    **{
        name: (
            case,
            lambda r, s=spoil: Spoilt(SideBySide(layers.PairwiseDistance(), 4), s),
        )
        for name, (case, spoil) in DISTANCE.items()
    },
    **{
        name: (
            "Similarity",
            lambda r, s=spoil: Spoilt(SideBySide(layers.Similarity(), 4), spoil_grads=s),
        )
        for name, spoil in SIMILARITY.items()
    },
    "Similarity's gradients without 1/t": ("Similarity", lambda r: _not_sharpened()),
}


def _not_turned_back(S: Array) -> tuple[Array, Array]:
    own = np.arange(len(S))
    of_columns = losses.cross_entropy(S.T, own)[1]
    return losses.info_nce(S)[0], (losses.cross_entropy(S, own)[1] + of_columns) / 2


def _rows_twice(S: Array) -> tuple[Array, Array]:
    return losses.info_nce(S)[0], losses.cross_entropy(S, np.arange(len(S)))[1]


def _over_all(S: Array) -> tuple[Array, Array]:
    P = np.exp(ops.log_softmax(S.ravel())).reshape(S.shape)
    return losses.info_nce(S)[0], P - np.eye(len(S)) / len(S)


LOSSES: dict[str, tuple[str, Callable[..., tuple]]] = {
    "InfoNCE: softmax over rows both times": ("info_nce", _rows_twice),
    "InfoNCE: softmax over the whole matrix": ("info_nce", _over_all),
    "InfoNCE: columns not turned back": ("info_nce", _not_turned_back),
}


# Steps with a mistake


def _halves_swapped(model: models.Correspondence, *batch: Array) -> Values:
    model.head = Spoilt(model.head, lambda dX, dY, Y: np.roll(dX, dX.shape[1] // 2, axis=1))
    return correspondence.gradients(model, *batch)


def _deaf(model: models.Correspondence, *batch: Array) -> Values:
    values = correspondence.gradients(model, *batch)
    model.ear.zero_grad()
    return values


def _over_the_batch(model: Layer, T: Array, X: Array, same: Array) -> Values:
    Z, backprop = model.forward(T, X)
    loss, dZ = losses.cross_entropy(Z.T, np.array([np.argmin(same), np.argmax(same)]))
    backprop(dZ.T)
    return {"loss": loss}


def _mixed_up(model: Layer, T: Array, X: Array, same: Array) -> Values:
    return correspondence.gradients(model, T, X, 1 - same)


def _any_length(model: models.Retrieval, *batch: Array) -> Values:
    """The towers of the step are not normalised; those that it is compared with are."""
    plain = copy.copy(model)
    plain.eye, plain.ear = model.eye[:-1], model.ear[:-1]
    return OBJECTIVES["Retrieval" if len(batch) == 3 else "InfoNCE"].gradients(plain, *batch)


class SquaredDistance(layers.PairwiseDistance):
    """|U - V|^2, and its true gradient."""

    def forward(self, U: Array, V: Array, train: bool = True) -> tuple[Array, Backprop]:
        D, back = super().forward(U, V, train)
        return D * D, lambda dY, *_: back(2 * D * dY)


def _squared(model: models.Retrieval, *batch: Array) -> Values:
    model.distance = SquaredDistance()
    return correspondence.gradients(model, *batch)


def _one_way(model: models.Retrieval, T: Array, X: Array) -> Values:
    (U, V), back_towers = model.embed(T, X)
    S, back_similarity = model.similarity.forward(U, V)
    loss, dS = losses.cross_entropy(S, np.arange(len(S)))
    back_towers(*back_similarity(dS))
    return {"loss": loss}


def _blind(model: models.Retrieval, *batch: Array) -> Values:
    values = retrieval.contrastive_gradients(model, *batch)
    model.eye.zero_grad()
    return values


STEPS: dict[str, tuple[str, Callable[..., Values]]] = {
    "Correspondence: halves swapped on the way back": ("Correspondence", _halves_swapped),
    "Correspondence: the ear's gradient is forgotten": ("Correspondence", _deaf),
    "Correspondence: softmax over the batch": ("Correspondence", _over_the_batch),
    "Correspondence: together taken for apart": ("Correspondence", _mixed_up),
    "Retrieval: towers not normalised": ("Retrieval", _any_length),
    "Retrieval: distance not rooted": ("Retrieval", _squared),
    "InfoNCE: towers not normalised": ("InfoNCE", _any_length),
    "InfoNCE: pictures find sounds, not the other way": ("InfoNCE", _one_way),
    "InfoNCE: the eye's gradient is forgotten": ("InfoNCE", _blind),
}


def mutant_rows() -> Iterator[tuple[str, Callable[[], Errors]]]:
    """(the mistake, function that checks the mutant): each must report a large error."""
    for mistake, (name, mutant) in STEPS.items():
        case = OBJECTIVES[name].case
        yield mistake, lambda n=name, c=case, m=mutant: check_objective(n, *c(), m)
