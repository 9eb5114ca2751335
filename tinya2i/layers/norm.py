"""Batch normalisation."""

import numpy as np

from tinya2i import kernels, ops
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
        else:  # copies, because a later call in training moves the running ones
            mean, var = self.mean.copy(), self.var.copy()
        if kernels.usable(M):
            return self._on_kernels(M, mean, var, X.shape, train)
        scale = 1 / xp.sqrt(var + self.eps)
        slope = gamma.data * scale

        def normalise(M: Array, out: Array | None) -> Array:
            Y = xp.subtract(M, mean, out=out)
            Y *= slope
            Y += beta.data
            return Y

        def backprop(dY: Array, accumulate: bool = True, input_grad: bool = True) -> Array:
            dM = dY.reshape(M.shape)
            # N = (M - mean) * scale is M normalised: mean 0, variance 1 in each column.
            dbeta, dgamma = ops.column_sums(lambda dM, M: (dM, (M - mean) * dM), dM, M)
            dgamma *= scale
            if accumulate:
                gamma.grad += dgamma
                beta.grad += dbeta
            if not input_grad:
                return None
            if not train:
                return (dM * slope).reshape(X.shape)
            per_n, per_row = scale * dgamma / len(M), dbeta / len(M)

            def input_gradient(dM: Array, M: Array, out: Array | None) -> Array:
                # Mean and variance depend on X too: take out what moves them.
                N = M - mean
                N *= per_n
                N += per_row
                D = xp.subtract(dM, N, out=out)
                D *= slope
                return D

            return ops.elementwise(input_gradient, dM, M).reshape(X.shape)

        return ops.elementwise(normalise, M).reshape(X.shape), backprop

    def _on_kernels(
        self, M: Array, mean: Array, var: Array, shape: tuple[int, ...], train: bool
    ) -> tuple[Array, Backprop]:
        """forward on a GPU: the same formulas, each in one pass over memory."""
        gamma, beta = self.gamma, self.beta

        def backprop(dY: Array, accumulate: bool = True, input_grad: bool = True) -> Array:
            given = (dY.reshape(M.shape), M, mean, var)
            grads = kernels.batchnorm_param_grads(*given, self.eps)
            if accumulate:
                beta.grad += grads[0]
                gamma.grad += grads[1]
            if not input_grad:
                return None
            dM = kernels.batchnorm_input_grad(*given, gamma.data, grads, self.eps, train)
            return dM.reshape(shape)

        Y = kernels.batchnorm(M, mean, var, gamma.data, beta.data, self.eps)
        return Y.reshape(shape), backprop

    def _batch_statistics(self, M: Array) -> tuple[Array, Array]:
        m = len(M)
        if m < 2:
            raise ValueError(
                "BatchNorm in training needs more than one value per channel: "
                "use a larger batch or train=False"
            )
        if kernels.usable(M):
            return kernels.batch_statistics(M, self.mean, self.var, self.momentum)
        mean = ops.column_sum(M) / m
        (squares,) = ops.column_sums(lambda M: ((M - mean) ** 2,), M)
        var = squares / m
        self.mean += self.momentum * (mean - self.mean)
        self.var += self.momentum * (var * (m / (m - 1)) - self.var)
        return mean, var


class BatchNorm1d(BatchNorm2d):
    """The same for vectors X (n, c): statistics over the batch alone."""
