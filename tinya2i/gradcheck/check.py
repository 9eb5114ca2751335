"""Central differences against a closure's answer, in float64."""

from collections.abc import Callable

import numpy as np

from tinya2i.layer import Layer

EPS = 1e-6  # truncation error ~ EPS^2 / 6, near 1e-13; rounding error ~ 1e-16 / EPS, near 1e-10
STEPS = (EPS, EPS / 5, EPS / 25)  # the smaller ones only where the first one disagrees
TOLERANCE = 1e-6


def relative_error(a: np.ndarray, b: np.ndarray) -> float:
    """max |a - b| / max(max |a|, max |b|)

    0 where both are zero everywhere, infinite where a number is not finite.
    """
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return np.inf
    scale = max(np.abs(a).max(initial=0), np.abs(b).max(initial=0))
    return float(np.abs(a - b).max(initial=0) / scale) if scale > 0 else 0.0


def numeric_gradient(
    function: Callable[[], float], A: np.ndarray, directions: np.ndarray, eps: float = EPS
) -> np.ndarray:
    """(f(A + eps D) - f(A - eps D)) / (2 eps) for each direction D; A is restored.

    function takes no argument and reads A; directions (k, *A.shape) -> slopes (k,).
    """
    saved, slopes = A.copy(), np.empty(len(directions))
    for i, D in enumerate(directions):
        np.multiply(D, eps, out=A)
        A += saved
        above = function()
        np.multiply(D, -eps, out=A)
        A += saved
        slopes[i] = (above - function()) / (2 * eps)
    A[...] = saved
    return slopes


def directions(
    A: np.ndarray, gradient: np.ndarray, rng: np.random.Generator, most: int
) -> np.ndarray:
    """Every axis of a small array; of a large one `most` directions, gradient plus random.

    Along a random direction alone, the slope of a million numbers is a thousandth of their
    gradient's norm and drowns in rounding. Along the gradient alone, a backward that returns zeros
    for half of the numbers would agree with itself. Their sum has neither fault.
    """
    if A.size <= most:
        return np.eye(A.size).reshape(A.size, *A.shape)
    D = rng.standard_normal((most, A.size))
    D /= np.sqrt(np.einsum("ij,ij->i", D, D))[:, None]
    g = gradient.ravel()
    D += g / max(np.sqrt(g @ g), 1e-300)
    return D.reshape(most, *A.shape)


def compare(
    function: Callable[[], float],
    arrays: dict[str, tuple[np.ndarray, np.ndarray]],
    rng: np.random.Generator,
    most: int = 64,
) -> dict[str, float]:
    """{name: relative error} of analytic slopes <gradient, D> against numeric ones.

    arrays: {name: (array that function reads, its analytic gradient)}. In a network with thousands
    of ReLUs a step may carry one of them over its kink; where slopes disagree, smaller steps are
    tried and the best counts. A wrong gradient is wrong with every step.
    """
    errors = {}
    for name, (A, gradient) in arrays.items():
        errors[name] = np.inf
        if gradient.shape != A.shape:
            continue
        D = directions(A, gradient, rng, most)
        analytic = D.reshape(len(D), -1) @ gradient.ravel()
        for eps in STEPS:
            error = relative_error(analytic, numeric_gradient(function, A, D, eps))
            errors[name] = min(errors[name], error)
            if error < TOLERANCE:
                break
    return errors


def check_layer(
    layer: Layer,
    X: np.ndarray,
    train: bool = True,
    seed: int = 0,
    most: int = 64,
    **arguments: np.ndarray,
) -> dict[str, float]:
    """Relative errors of dX ("X") and of every parameter gradient of a layer or network.

    The scalar that is differentiated is sum(Y * R), R random normal. layer and X must be float64.
    Arrays of up to `most` numbers are checked number by number, larger ones along `most`
    directions. Further arguments (a mask, noise) go to forward. Keep X away from kinks (0 for
    ReLU, ties for max pooling): there the two-sided difference is no derivative. Parameters and
    running statistics are as before afterwards, gradients are cleared.
    """
    rng = np.random.default_rng(seed)
    X = np.array(X, np.float64)
    buffers = [array.copy() for array in _buffers(layer)]
    Y, backprop = layer.forward(X, train=train, **arguments)
    outputs = Y if isinstance(Y, tuple) else (Y,)
    R = [rng.standard_normal(part.shape) for part in outputs]
    layer.zero_grad()
    dX = backprop(*R)

    def scalar() -> float:
        restore(layer, buffers)
        Y = layer.forward(X, train=train, **arguments)[0]
        parts = Y if isinstance(Y, tuple) else (Y,)
        return float(sum((part * r).sum() for part, r in zip(parts, R, strict=True)))

    arrays = {"X": (X, dX)}
    arrays |= {name: (p.data, p.grad.copy()) for name, p in layer.named_params()}
    errors = compare(scalar, arrays, rng, most)
    restore(layer, buffers)
    layer.zero_grad()
    return errors


def restore(layer: Layer, buffers: list[np.ndarray]) -> None:
    """Undo what a forward in training did to the running statistics."""
    for array, saved in zip(_buffers(layer), buffers, strict=True):
        array[...] = saved


def _buffers(layer: Layer) -> list[np.ndarray]:
    return [getattr(part, name) for _, part in layer.walk() for name in part.buffers]


def check_loss(
    loss: Callable[..., tuple], *inputs: np.ndarray, learned: int = 1, seed: int = 0, most: int = 64
) -> dict[str, float]:
    """Relative errors of the gradients that a loss returns beside its value.

    loss(*inputs) -> (value, gradient of input 0, ..., gradient of input learned-1).
    """
    rng = np.random.default_rng(seed)
    inputs = tuple(np.array(A) for A in inputs)
    gradients = loss(*inputs)[1:]
    arrays = {f"input {i}": (inputs[i], gradients[i]) for i in range(learned)}
    return compare(lambda: float(loss(*inputs)[0]), arrays, rng, most)
