"""Layers of two inputs: how far apart two vectors are, and how alike all pairs of two batches."""

import math

import numpy as np

from tinya2i import ops
from tinya2i.backend import Array, array_module
from tinya2i.layer import BackpropTwo, Layer, Param


class PairwiseDistance(Layer):
    """D = sqrt(|U - V|^2 + eps^2);  dU = dD (U - V) / D,  dV = -dU        U, V (n, d) -> D (n, 1)

    The Euclidean distance is a cone: at 0 it has no gradient, and near 0 one of length 1, whatever
    direction rounding has left of U - V. eps rounds the tip off: below it the gradient goes to 0.
    Two equal unit vectors in float32 differ by 1e-7 or so in each number; 1e-4 is far above that,
    and far below the distances between unit vectors, up to 2, that anybody asks for.
    """

    def __init__(self, eps: float = 1e-4):
        self.eps = float(eps)

    def forward(self, U: Array, V: Array, train: bool = True) -> tuple[Array, BackpropTwo]:
        ops.same_shape(U, V)
        C = U - V
        D = array_module(U).sqrt((C * C).sum(axis=-1, keepdims=True) + self.eps**2)

        def backprop(
            dD: Array, accumulate: bool = True, input_grad: bool = True
        ) -> tuple[Array, Array]:
            dU = C * (dD / D)
            return dU, -dU

        return D, backprop


class Similarity(Layer):
    """S = U V^T / t,  t = exp(log_t)        U (n, d), V (m, d)  ->  S (n, m), all pairs

    dU = dS V / t,  dV = dS^T U / t,  dlog_t = -sum(dS * S). Cosines over t where U and V have
    length 1. The temperature t is learned, from 0.07 on; its logarithm, so that it stays positive
    (Radford et al. 2021, section 2.5).
    """

    def __init__(self, temperature: float = 0.07):
        self.log_t = Param(np.full(1, math.log(temperature), np.float32))

    def forward(self, U: Array, V: Array, train: bool = True) -> tuple[Array, BackpropTwo]:
        log_t = self.log_t
        sharpness = array_module(U).exp(-log_t.data)
        S = ops.matmul(U, V.T) * sharpness

        def backprop(
            dS: Array, accumulate: bool = True, input_grad: bool = True
        ) -> tuple[Array, Array] | None:
            if accumulate:
                log_t.grad -= (dS * S).sum()
            if not input_grad:
                return None
            dC = dS * sharpness
            return ops.matmul(dC, V), ops.matmul(dC.T, U)

        return S, backprop

    def limit(self, least: float = 0.01) -> None:
        """Put t back to `least` where a step took it below (CLIP's limit: logits up to 100)."""
        log_t = self.log_t.data
        array_module(log_t).maximum(log_t, math.log(least), out=log_t)
