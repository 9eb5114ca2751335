"""Wrong backwards, each a mistake that somebody made: a check that passes one proves nothing."""

from collections.abc import Callable, Iterator

import numpy as np

from tinya2i import layers, losses
from tinya2i.backend import Array
from tinya2i.gradcheck import cases, conditional, pairs, players
from tinya2i.gradcheck.consistent import VAEMutant
from tinya2i.gradcheck.kinds import Spoilt
from tinya2i.layer import Backprop, Layer


class BatchNormMutant(layers.BatchNorm2d):
    """BatchNorm whose input gradient is computed by a wrong formula of its parts."""

    def __init__(self, c: int, formula: Callable[..., Array]):
        super().__init__(c)
        self.formula = formula

    def forward(self, X: Array, train: bool = True) -> tuple[Array, Backprop]:
        Y, true_backprop = super().forward(X, train)
        M = X.reshape(-1, X.shape[-1])
        scale = 1 / np.sqrt(M.var(axis=0) + self.eps)
        N = (M - M.mean(axis=0)) * scale

        def backprop(dY: Array, accumulate: bool = True, input_grad: bool = True) -> Array:
            true_backprop(dY, accumulate)
            D = dY.reshape(M.shape)
            dM = self.formula(D, N, scale, D.mean(axis=0), (D * N).mean(axis=0), self.gamma.data)
            return dM.reshape(X.shape)

        return Y, backprop


class PoolToLast(layers.MaxPool2d):
    """Sends the gradient of a window to its last pixel."""

    def forward(self, X: Array, train: bool = True) -> tuple[Array, Backprop]:
        def backprop(dY: Array, accumulate: bool = True, input_grad: bool = True) -> Array:
            dX = np.zeros_like(X)
            *_, last = self.taps(dX)
            last += dY
            return dX

        return super().forward(X, train)[0], backprop


def _flip_kernel(layer: Layer, dY: Array) -> None:
    W = layer.W.grad
    taps = layer.kernel[0] * layer.kernel[1]
    W[...] = W.reshape(taps, -1, W.shape[1])[::-1].reshape(W.shape)


def _bias_of_first_sample(layer: Layer, dY: Array) -> None:
    layer.b.grad[...] = dY[0].reshape(-1, dY.shape[-1]).sum(axis=0)


def _mean_for_bias(layer: Layer, dY: Array) -> None:
    layer.b.grad /= len(dY)


def _double_grads(layer: Layer, dY: Array) -> None:
    for param in layer.params():
        param.grad *= 2


def _kl_without_half(mu: Array, logvar: Array) -> tuple[Array, Array, Array]:
    value, dmu, dlogvar = losses.gaussian_kl(mu, logvar)
    return value, 2 * dmu, 2 * dlogvar


def _kl_of_std(mu: Array, logvar: Array) -> tuple[Array, Array, Array]:
    value, dmu, _ = losses.gaussian_kl(mu, logvar)
    return value, dmu, (np.exp(logvar / 2) - 1) / (2 * len(mu))


def _bce_of_sum(Z: Array, T: Array) -> tuple[Array, Array]:
    value, dZ = losses.bce_with_logits(Z, T)
    return value, dZ * len(Z)


def _centred_over_batch(Z: Array, labels: Array) -> tuple[Array, Array]:
    value, dZ = losses.cross_entropy(Z, labels)
    return value, dZ - dZ.mean(axis=0)


def _mse_without_two(Y: Array, T: Array) -> tuple[Array, Array]:
    value, dY = losses.mse(Y, T)
    return value, dY / 2


# Arguments: D = dY, N = normalised X, s = 1/sigma, d = mean of D, dn = mean of D N, g = gamma.
BATCHNORM: dict[str, Callable[..., Array]] = {
    "BatchNorm drops the term of the variance": lambda D, N, s, d, dn, g: (D - d) * s * g,
    "BatchNorm drops the term of the mean": lambda D, N, s, d, dn, g: (D - N * dn) * s * g,
    "BatchNorm drops both terms": lambda D, N, s, d, dn, g: D * s * g,
    "BatchNorm forgets 1/sigma": lambda D, N, s, d, dn, g: (D - d - N * dn) * g,
    "BatchNorm forgets gamma": lambda D, N, s, d, dn, g: (D - d - N * dn) * s,
    "BatchNorm twice too large": lambda D, N, s, d, dn, g: 2 * (D - d - N * dn) * s * g,
    "BatchNorm returns zeros": lambda D, N, s, d, dn, g: 0 * D,
}

INPUT_GRADIENTS: dict[str, tuple[str, Callable[[Array, Array, Array], Array]]] = {
    "input gradient twice too large": ("Linear", lambda dX, dY, Y: 2 * dX),
    "input gradient is zeros": ("Conv2d", lambda dX, dY, Y: 0 * dX),
    "input gradient has the wrong sign": ("ConvTranspose2d", lambda dX, dY, Y: -dX),
    "ReLU passes everything": ("ReLU", lambda dX, dY, Y: dY),
    "LeakyReLU forgets its slope": ("LeakyReLU", lambda dX, dY, Y: dX * (Y > 0)),
    "Sigmoid forgets 1 - Y": ("Sigmoid", lambda dX, dY, Y: dY * Y),
    "Tanh takes 1 - Y for 1 - Y^2": ("Tanh", lambda dX, dY, Y: dY * (1 - Y)),
    "Softmax treated as independent": ("Softmax", lambda dX, dY, Y: dY * Y * (1 - Y)),
    "Dropout forgets 1 / (1 - p)": ("Dropout", lambda dX, dY, Y: dX * 0.6),
    "AvgPool2d forgets to divide": ("AvgPool2d", lambda dX, dY, Y: 4 * dX),
}

PARAMETER_GRADIENTS: dict[str, tuple[str, Callable[[Layer, Array], None]]] = {
    "kernel flipped": ("Conv2d", _flip_kernel),
    "transposed kernel flipped": ("ConvTranspose2d", _flip_kernel),
    "bias summed over one sample only": ("Conv2d", _bias_of_first_sample),
    "bias averaged instead of summed": ("Linear", _mean_for_bias),
    "gradients added twice": ("Conv2d", _double_grads),
}

OTHERS: dict[str, tuple[str, Callable[[np.random.Generator], Layer]]] = {
    "MaxPool2d gives all to the last pixel": ("MaxPool2d", lambda r: PoolToLast(2)),
    "VAE without the path through the noise": (
        "VAE with linear halves", lambda r: VAEMutant(r, lambda v: np.exp(v / 2), np.zeros_like)
    ),
    "VAE forgets the half of logvar / 2": (
        "VAE with linear halves",
        lambda r: VAEMutant(r, lambda v: np.exp(v / 2), lambda v: np.exp(v / 2)),
    ),
}  # fmt: skip

LOSSES: dict[str, tuple[str, Callable[..., tuple]]] = {
    "KL without the half": ("gaussian_kl", _kl_without_half),
    "KL with logvar taken for log of the deviation": ("gaussian_kl", _kl_of_std),
    "BCE not averaged over the batch": ("bce_with_logits", _bce_of_sum),
    "cross-entropy centred over the batch": ("cross_entropy", _centred_over_batch),
    "MSE without the two": ("mse", _mse_without_two),
}


def layers_of_table() -> Iterator[tuple[str, str, Callable[[np.random.Generator], Layer]]]:
    """(the mistake, the case that must notice it, function that makes the mutant)."""
    make = {case.name: case.make for case in cases.LAYERS}
    for name, formula in BATCHNORM.items():
        yield name, "BatchNorm2d", lambda r, f=formula: BatchNormMutant(3, f)
    for name, (case, spoil) in INPUT_GRADIENTS.items():
        yield name, case, lambda r, c=case, s=spoil: Spoilt(make[c](r), s)
    for name, (case, spoil) in PARAMETER_GRADIENTS.items():
        yield name, case, lambda r, c=case, s=spoil: Spoilt(make[c](r), spoil_grads=s)
    for name, (case, mutant) in {**OTHERS, **pairs.LAYERS}.items():
        yield name, case, mutant


def rows() -> Iterator[tuple[str, Callable[[], cases.Errors]]]:
    """(the mistake, function that checks the mutant): each must report a large error."""
    by_name = {case.name: case for case in [*cases.LAYERS, *cases.LOSSES]}
    for name, case, make in layers_of_table():
        rng = np.random.default_rng(0)
        yield name, lambda c=by_name[case], m=make, r=rng: c.run(True, layer=m(r))
    for name, (case, loss) in {**LOSSES, **pairs.LOSSES}.items():
        yield name, lambda c=by_name[case], f=loss: c.run(loss=f)
    yield from players.mutant_rows()
    yield from conditional.mutant_rows()
    yield from pairs.mutant_rows()
