"""Batches out of data that are on the device, by index."""

import numpy as np

from tinya2i.backend import Array, array_module
from tinya2i.kernels.launch import THREADS, launch


def gather_batch(X: Array, index: Array) -> Array:
    """Y[i] = X[index[i]]: X (m, ...), index (n,) int64 -> (n, ...).

    An index out of range is not noticed: looking would make the host wait.
    """
    return _gather("gather_batch", X, index, X.dtype)


def gather_pixels(images: Array, index: Array) -> Array:
    """Y[i] = images[index[i]] / 255 in float32: images (m, ...) uint8, index (n,) int64."""
    return _gather("gather_pixels", images, index, np.dtype(np.float32))


def _gather(name: str, X: Array, index: Array, dtype: np.dtype) -> Array:
    Y = array_module(X).empty((len(index), *X.shape[1:]), dtype)
    size = Y.size // max(1, len(index))
    launch(name, dtype, (len(index), 1), (THREADS, 1), X, index, Y, size)
    return Y
