"""Batch normalisation of a matrix M (rows, c): what layers.BatchNorm2d computes."""

import numpy as np

from tinya2i.backend import Array, array_module
from tinya2i.kernels.columns import LANES, PARTS, sums
from tinya2i.kernels.launch import launch, table


def batch_statistics(
    M: Array, running_mean: Array, running_var: Array, momentum: float
) -> tuple[Array, Array]:
    """mean = 1/rows sum M,  var = 1/rows sum M^2 - mean^2, of each column, added up in double.

    And in place running += momentum * (batch - running), for the variance with the unbiased one,
    as BatchNorm2d does in training. rows > 1. Returns mean (c,), var (c,).
    """
    xp, (rows, c) = array_module(M), M.shape
    grid, block = table(rows, c, PARTS, LANES)
    partial = xp.empty((2, grid[0], c), np.float64)
    launch("moments", M.dtype, grid, block, xp.ascontiguousarray(M), partial, rows, c)
    mean, var = xp.empty(c, M.dtype), xp.empty(c, M.dtype)
    (_, columns), block = table(grid[0], c, PARTS, LANES)
    arrays = (partial, mean, var, running_mean, running_var)
    numbers = (float(momentum), grid[0], rows, c)
    launch("batch_statistics", M.dtype, (1, columns), block, *arrays, *numbers)
    return mean, var


def batchnorm(M: Array, mean: Array, var: Array, gamma: Array, beta: Array, eps: float) -> Array:
    """Y = gamma * (M - mean) / sqrt(var + eps) + beta: M, Y (rows, c), the others (c,)."""
    xp, (rows, c) = array_module(M), M.shape
    Y = xp.empty(M.shape, M.dtype)
    arrays = (xp.ascontiguousarray(M), mean, var, gamma, beta, Y)
    launch("batchnorm", M.dtype, *table(rows, c), *arrays, float(eps), rows, c)
    return Y


def batchnorm_param_grads(dY: Array, M: Array, mean: Array, var: Array, eps: float) -> Array:
    """dbeta = sum of dY, dgamma = sum of dY * N over rows, N = (M - mean) / sqrt(var + eps).

    dY, M (rows, c) -> (2, c): dbeta, dgamma.
    """
    xp = array_module(M)
    arrays = (xp.ascontiguousarray(dY), xp.ascontiguousarray(M), mean, var)
    return sums("batchnorm_param_grads", 2, M, *arrays, float(eps))


def batchnorm_input_grad(
    dY: Array,
    M: Array,
    mean: Array,
    var: Array,
    gamma: Array,
    grads: Array,
    eps: float,
    train: bool,
) -> Array:
    """dM = gamma / sqrt(var + eps) * (dY - dbeta / rows - N * dgamma / rows).

    dY, M (rows, c), grads from batchnorm_param_grads. Without `train`, where mean and var do not
    depend on M, only the first of the three terms.
    """
    xp, (rows, c) = array_module(M), M.shape
    dM = xp.empty(M.shape, M.dtype)
    arrays = (xp.ascontiguousarray(dY), xp.ascontiguousarray(M), mean, var, gamma, grads, dM)
    numbers = (float(eps), int(train), rows, c)
    launch("batchnorm_input_grad", M.dtype, *table(rows, c), *arrays, *numbers)
    return dM
