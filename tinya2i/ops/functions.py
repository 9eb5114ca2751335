"""Functions of every element, and of a row; none overflows."""

from collections.abc import Callable, Iterable

import numpy as np

from tinya2i.backend import Array, array_module
from tinya2i.threads import LARGE_BYTES, in_shares


def elementwise(function: Callable[..., Array], *arrays: Array) -> Array:
    """function(*arrays, out) of arrays of one shape; large ones in shares of one axis.

    That is the outermost in memory of the first array, so that each share is in one piece; never
    the last, along which function may broadcast. function writes into out and returns it, or makes
    an array of its own where out is None.
    """
    X = arrays[0]
    xp = array_module(X)
    if X.nbytes < LARGE_BYTES or xp is not np:
        return function(*arrays, None)
    Y = xp.empty_like(X)  # in the same order in memory
    outermost = max(range(max(1, X.ndim - 1)), key=lambda axis: X.strides[axis])
    *inputs, out = (A.swapaxes(0, outermost) for A in (*arrays, Y))

    def work(parts: Iterable[slice]) -> None:
        for part in parts:
            function(*(A[part] for A in inputs), out[part])

    in_shares(xp, len(out), out[:1].nbytes, work)
    return Y


def sigmoid(X: Array) -> Array:
    """1 / (1 + exp(-X)), without overflow for either sign."""
    xp = array_module(X)
    E = xp.exp(-xp.abs(X))
    return xp.where(X >= 0, 1, E) / (1 + E)


def softplus(X: Array) -> Array:
    """log(1 + exp(X)) = max(X, 0) + log1p(exp(-|X|)), without overflow."""
    xp = array_module(X)
    return xp.maximum(X, 0) + xp.log1p(xp.exp(-xp.abs(X)))


def log_softmax(X: Array) -> Array:
    """X - log(sum(exp(X))) over the last axis, shifted by the maximum so that nothing overflows."""
    xp = array_module(X)
    X = X - X.max(axis=-1, keepdims=True)
    return X - xp.log(xp.exp(X).sum(axis=-1, keepdims=True))


def same_shape(A: Array, B: Array) -> None:
    """ValueError where the shapes differ, which might broadcast."""
    if A.shape != B.shape:
        raise ValueError(f"shapes {A.shape} and {B.shape} must be equal: they would broadcast")
