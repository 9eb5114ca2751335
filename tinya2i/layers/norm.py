"""Batch normalisation."""

import numpy as np

from tinya2i import ops
from tinya2i.backend import Array, array_module
from tinya2i.layer import Backprop, Layer, Param


class BatchNorm2d(Layer):
    """Y = gamma * (X - mean) / sqrt(var + eps) + beta, for each channel (Ioffe and Szegedy 2015)

    X (..., c): (n, h, w, c) images or (n, c) vectors; mean and biased variance over all axes but
    the last. Training uses the batch's statistics and moves the running ones by `momentum`
    (PyTorch's sense: running = 0.9 running + 0.1 batch, with the unbiased variance); inference uses
    the running ones. A batch of one value per channel has no variance and is refused in training.
    """

    buffers = ("mean", "var")

    def __init__(self, c: int, eps: float = 1e-5, momentum: float = 0.1):
        self.gamma, self.beta = Param(np.ones(c, np.float32)), Param(np.zeros(c, np.float32))
        self.mean, self.var = np.zeros(c, np.float32), np.ones(c, np.float32)
        self.eps, self.momentum = eps, momentum

    def forward(self, X: Array, train: bool = True) -> tuple[Array, Backprop]:
        xp = array_module(X)
        gamma, beta = self.gamma, self.beta
        M = X.reshape(-1, X.shape[-1])  # rows are samples, columns channels
        if train:
            mean, var = self._batch_statistics(M)
        else:
            mean, var = self.mean, self.var
        scale = 1 / xp.sqrt(var + self.eps)
        N = (M - mean) * scale  # normalised: mean 0, variance 1 in each column

        def backprop(dY: Array, accumulate: bool = True, input_grad: bool = True) -> Array:
            dM = dY.reshape(M.shape)
            dgamma, dbeta = ops.column_sum(dM * N), ops.column_sum(dM)
            if accumulate:
                gamma.grad += dgamma
                beta.grad += dbeta
            if not input_grad:
                return None
            if train:  # mean and variance depend on X too: take out what moves them
                dM = dM - dbeta / len(M) - N * (dgamma / len(M))
            return (dM * (gamma.data * scale)).reshape(X.shape)

        return (N * gamma.data + beta.data).reshape(X.shape), backprop

    def _batch_statistics(self, M: Array) -> tuple[Array, Array]:
        m = len(M)
        if m < 2:
            raise ValueError(
                "BatchNorm in training needs more than one value per channel: "
                "use a larger batch or train=False"
            )
        mean = ops.column_sum(M) / m
        var = ops.column_sum((M - mean) ** 2) / m
        self.mean += self.momentum * (mean - self.mean)
        self.var += self.momentum * (var * (m / (m - 1)) - self.var)
        return mean, var


class BatchNorm1d(BatchNorm2d):
    """The same for vectors X (n, c): statistics over the batch alone."""
