"""The table: every layer, loss and model, with inputs that reach its odd corners."""

from collections.abc import Callable, Iterator

import numpy as np

from tinya2i import losses, models
from tinya2i.backend import Array
from tinya2i.gradcheck import belonging, conditional, players
from tinya2i.gradcheck.kinds import Errors, LayerCase, LossCase, SideBySide
from tinya2i.layer import Layer, Sequential
from tinya2i.layers import (
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    Flatten,
    L2Normalize,
    LeakyReLU,
    Linear,
    MaxPool2d,
    PairwiseDistance,
    ReLU,
    Reshape,
    Sigmoid,
    Similarity,
    Softmax,
    Tanh,
)
from tinya2i.models.networks import LATENT


def _mask(rng: np.random.Generator, shape: tuple[int, ...]) -> dict[str, Array]:
    return {"mask": (rng.random(shape) < 0.6).astype(np.float64)}


def _noise(rng: np.random.Generator, shape: tuple[int, ...]) -> dict[str, Array]:
    return {"noise": rng.standard_normal((shape[0], LATENT))}


def _small_net(rng: np.random.Generator) -> Layer:
    return Sequential(
        Conv2d(2, 3, 3, stride=2, padding=1, rng=rng), LeakyReLU(0.2),
        BatchNorm2d(3), Flatten(), Linear(48, 8, rng=rng), Tanh(),
        Linear(8, 18, rng=rng), Reshape(3, 3, 2),
        ConvTranspose2d(2, 1, 3, stride=2, rng=rng), Sigmoid(),
    )  # fmt: skip


def _shared_twice(rng: np.random.Generator) -> Layer:
    shared = Linear(4, 4, rng)
    return Sequential(shared, Tanh(), shared)


def _to_zero(X: Array) -> Array:
    """Rows of the length they had, of 1e-9 of it, and of none."""
    return X * np.array([1, 1e-9, 0])[: len(X), None]


def _nearly_equal(X: Array) -> Array:
    """[U, V] with U - V as far apart as they were, 1e-9 of it, and not at all."""
    U, V = np.split(X, 2, axis=1)
    return np.concatenate([V + _to_zero(U - V), V], axis=1)


class LinearVAE(models.VAE):
    """The VAE's own algebra, with one matrix for each of its halves."""

    def __init__(self, rng: np.random.Generator):
        self.encoder = Linear(6, 2 * LATENT, rng)
        self.decoder = Linear(LATENT, 5, rng)


LAYERS = [
    LayerCase("Linear", lambda r: Linear(5, 3, r), (4, 5)),
    LayerCase("Linear to one", lambda r: Linear(7, 1, r), (3, 7)),
    LayerCase("Conv2d", lambda r: Conv2d(2, 3, 3, rng=r), (2, 5, 6, 2)),
    LayerCase("Conv2d 4x4 s2, one channel", lambda r: Conv2d(1, 3, 4, 2, rng=r), (2, 8, 7, 1)),
    LayerCase("Conv2d 2x3, 16 channels", lambda r: Conv2d(16, 2, (2, 3), rng=r), (2, 3, 4, 16)),
    LayerCase(
        "Conv2d 3x2 s(2,1) p(1,2)",
        lambda r: Conv2d(2, 3, (3, 2), (2, 1), (1, 2), rng=r),
        (2, 6, 5, 2),
    ),
    LayerCase("Conv2d 1x1", lambda r: Conv2d(3, 2, 1, rng=r), (2, 3, 4, 3)),
    LayerCase("Conv2d 2x2 s3 (gaps)", lambda r: Conv2d(2, 2, 2, 3, rng=r), (2, 7, 8, 2)),
    LayerCase("ConvTranspose2d", lambda r: ConvTranspose2d(2, 3, 3, rng=r), (2, 3, 4, 2)),
    LayerCase(
        "ConvTranspose2d 4x4 s2 p1, to one channel",
        lambda r: ConvTranspose2d(3, 1, 4, 2, 1, rng=r),
        (2, 4, 3, 3),
    ),
    LayerCase(
        "ConvTranspose2d 3x2 s(2,3) p(1,0) o(1,2)",
        lambda r: ConvTranspose2d(2, 2, (3, 2), (2, 3), (1, 0), (1, 2), rng=r),
        (2, 3, 2, 2),
    ),
    LayerCase("BatchNorm2d", lambda r: BatchNorm2d(3), (2, 3, 2, 3)),
    LayerCase("BatchNorm1d", lambda r: BatchNorm1d(3), (5, 3), alone=(False,)),
    LayerCase("MaxPool2d", lambda r: MaxPool2d(2), (2, 5, 4, 3), distinct=True),
    LayerCase("MaxPool2d 3x2 s(1,2)", lambda r: MaxPool2d((3, 2), (1, 2)), (2, 5, 7, 2), True),
    LayerCase("AvgPool2d", lambda r: AvgPool2d(2), (2, 5, 4, 3)),
    LayerCase("AvgPool2d 3x2 s(1,2)", lambda r: AvgPool2d((3, 2), (1, 2)), (2, 5, 7, 2)),
    LayerCase("ReLU", lambda r: ReLU(), (3, 7)),
    LayerCase("LeakyReLU", lambda r: LeakyReLU(0.2), (3, 7)),
    LayerCase("Sigmoid", lambda r: Sigmoid(), (2, 3, 1, 2)),
    LayerCase("Tanh", lambda r: Tanh(), (3, 7)),
    LayerCase("Softmax", lambda r: Softmax(), (2, 3, 5)),
    LayerCase("Dropout", lambda r: Dropout(0.4), (3, 7), extra=_mask),
    LayerCase("L2Normalize", lambda r: L2Normalize(), (2, 3, 5)),
    LayerCase("L2Normalize near zero", lambda r: L2Normalize(), (3, 5), corner=_to_zero),
    LayerCase("PairwiseDistance", lambda r: SideBySide(PairwiseDistance(), 4), (3, 8)),
    LayerCase(
        "PairwiseDistance near zero",
        lambda r: SideBySide(PairwiseDistance(), 4),
        (3, 8),
        corner=_nearly_equal,
    ),
    # Alone in training only: in company a row of S is longer.
    LayerCase("Similarity", lambda r: SideBySide(Similarity(), 4), (3, 8), alone=(True,)),
    LayerCase("Flatten", lambda r: Flatten(), (2, 3, 1, 2)),
    LayerCase("Reshape", lambda r: Reshape(3, 2, 2), (2, 12)),
    LayerCase("a layer used twice", _shared_twice, (3, 4)),
    LayerCase("Sequential of ten", _small_net, (3, 7, 8, 2)),
    LayerCase("Correspondence with linear towers", belonging.correspondence_of_one, (4, 11)),
    LayerCase("Retrieval with linear towers", belonging.retrieval_of_one, (4, 11)),
    LayerCase("VAE with linear halves", LinearVAE, (3, 6), extra=_noise),
]

_LARGE = {"modes": (True,), "alone": (), "most": 1}  # no layer in these models knows modes
_NORMED = {"alone": (False,), "most": 1}
# Batches of four: two values, normalised, are -1 and 1, whatever they were.
_VAEGAN_PARTS = {
    "encoder": (4, 48, 48, 1),
    "decoder": (4, LATENT),
    "discriminator": (4, 28, 28, 1),
}


def _vaegan_part(part: str, shape: tuple[int, ...]) -> LayerCase:
    def make(rng: np.random.Generator) -> Layer:
        return getattr(models.VAEGAN(rng=rng), part)

    return LayerCase(f"VAE-GAN's {part}", make, shape, **_NORMED)


MODELS = [
    LayerCase("LeNet5", lambda r: models.LeNet5(r), (2, 28, 28, 1), **_LARGE),
    LayerCase("Autoencoder", lambda r: models.Autoencoder(r), (2, 48, 48, 1), **_LARGE),
    LayerCase("VAE", lambda r: models.VAE(r), (2, 48, 48, 1), extra=_noise, **_LARGE),
    LayerCase("CVAE's recogniser", lambda r: models.CVAE(r).recogniser, (2, 28, 28, 1), **_LARGE),
    LayerCase(
        "VAE with ReLU behind mu and logvar",
        lambda r: models.VAE(r, latent_relu=True),
        (2, 48, 48, 1),
        extra=_noise,
        **_LARGE,
    ),
    *(_vaegan_part(*row) for row in _VAEGAN_PARTS.items()),
    LayerCase("Retrieval's eye", lambda r: models.Retrieval(r).eye, (4, 28, 28, 1), **_NORMED),
    LayerCase("Retrieval's ear", lambda r: models.Retrieval(r).ear, (4, 48, 48, 1), **_NORMED),
]


def _normal(*shapes: tuple[int, ...]) -> Callable[[np.random.Generator], tuple[np.ndarray, ...]]:
    return lambda rng: tuple(2 * rng.standard_normal(shape) for shape in shapes)


def _bce_inputs(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return 3 * rng.standard_normal((3, 4, 2)), rng.random((3, 4, 2))


def _cross_entropy_inputs(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return 3 * rng.standard_normal((5, 10)), rng.integers(0, 10, 5)


def _similarities(rng: np.random.Generator) -> tuple[np.ndarray]:
    return (3 * rng.standard_normal((5, 5)),)


LOSSES = [
    LossCase("mse", losses.mse, _normal((3, 4, 2), (3, 4, 2))),
    LossCase("bce_with_logits", losses.bce_with_logits, _bce_inputs),
    LossCase("cross_entropy", losses.cross_entropy, _cross_entropy_inputs),
    LossCase("gaussian_kl", losses.gaussian_kl, _normal((3, 4), (3, 4)), learned=2),
    LossCase("info_nce", losses.info_nce, _similarities),
]


def rows() -> Iterator[tuple[str, Callable[[], Errors]]]:
    """(what, function that checks it) for the whole table."""
    for case in [*LAYERS, *MODELS]:
        yield case.name, lambda case=case: case.run_modes(case.modes)
        if case.alone:
            yield f"{case.name}, batch of 1", lambda case=case: case.run_modes(case.alone, n=1)
    for case in LOSSES:
        yield case.name, case.run
    yield from players.rows()
    yield from conditional.rows()
    yield from belonging.rows()
