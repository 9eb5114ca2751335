"""What each kernel must equal, on whatever stands for CuPy: its stand-in, or a GPU.

CASES maps a name to case(xp, rng, dtype), which yields (what the kernel gave, what it must be,
tolerance): arrays of NumPy, the tolerance in roundings
of dtype, relative to the largest number or to 1.
"""

import numpy as np

from tinya2i import kernels, layers, ops, optim
from tinya2i.backend import to_numpy
from tinya2i.kernels.adam import LR, T
from tinya2i.layer import Param

SHAPES = [(1, 1), (2, 1), (1, 7), (5, 3), (1030, 1), (130, 33), (700, 32), (300, 70), (2500, 6)]
GEOMETRIES = [  # (n, h, w, c), kernel, stride, padding
    ((1, 5, 5, 1), (1, 1), (1, 1), (0, 0)),
    ((2, 7, 9, 5), (3, 2), (2, 1), (1, 1)),
    ((1, 6, 6, 3), (4, 4), (2, 2), (0, 0)),
    ((3, 7, 7, 1), (5, 5), (1, 1), (2, 2)),
    ((2, 5, 4, 70), (2, 3), (3, 2), (0, 1)),  # rows that no window reaches; a long line of threads
    ((1, 3, 3, 2), (3, 3), (1, 1), (2, 2)),  # windows wholly outside
    ((2, 9, 3, 33), (1, 3), (2, 3), (0, 0)),
]


def normal(rng, shape, dtype):
    return rng.standard_normal(shape).astype(dtype)


def im2col(xp, rng, dtype):
    """In every bit; also of an image that is not contiguous."""
    for shape, *geometry in GEOMETRIES:
        X = normal(rng, shape, dtype)
        yield kernels.im2col(xp.asarray(X), *geometry), ops.im2col(X, *geometry), 0
    turned = xp.asarray(X.swapaxes(1, 2)).swapaxes(1, 2)
    yield kernels.im2col(turned, *geometry), ops.im2col(X, *geometry), 0


def col2im(xp, rng, dtype):
    """With and without a bias."""
    for shape, *geometry in GEOMETRIES:
        cols = normal(rng, ops.im2col(np.zeros(shape, dtype), *geometry).shape, dtype)
        b = normal(rng, shape[-1], dtype)
        expected = ops.col2im(cols, shape, *geometry)
        yield kernels.col2im(xp.asarray(cols), shape, *geometry), expected, 8
        given = kernels.col2im(xp.asarray(cols), shape, *geometry, xp.asarray(b))
        yield given, expected + b, 8


def column_sum(xp, rng, dtype):
    """To the last rounding, because it adds in double: large numbers that cancel."""
    for shape in [*SHAPES, (5000, 33)]:
        X = normal(rng, shape, dtype)
        half = len(X) // 2
        if dtype == np.float32:
            large = 1e6 * normal(rng, (half, shape[1]), dtype)
            X[:half] += large
            X[half : 2 * half] -= large
        expected = X.sum(axis=0, dtype=np.float64)
        yield kernels.column_sum(xp.asarray(X)), expected, 1 if dtype == np.float32 else 100
    for shape in ((3, 2, 5, 4), (130, 33)):
        X = normal(rng, shape, dtype)
        yield kernels.column_sum(xp.asarray(X)), ops.column_sum(X), 400


EPS = 0.1  # large enough to show


def norm_layer(rng, c, dtype):
    """A BatchNorm2d whose parameters and running statistics are none of them 0 or 1."""
    layer = layers.BatchNorm2d(c, EPS).astype(dtype)
    layer.load_state({k: rng.uniform(0.5, 1.5, c).astype(dtype) for k in layer.state()})
    return layer


def batch_statistics(xp, rng, dtype):
    """Also where the mean is large against the spread, and of a column that never changes."""
    bits = 10 if dtype == np.float32 else 1e7
    for rows, c in ((2, 3), (5, 1), (5000, 33)):
        layer = norm_layer(rng, c, dtype)
        X = normal(rng, (rows, c), dtype) * ([1, 0.1, 0] * 11)[:c] + ([1000, -100, 7] * 11)[:c]
        X = X.astype(dtype)
        running = [xp.asarray(layer.mean), xp.asarray(layer.var)]
        mean, var = kernels.batch_statistics(xp.asarray(X), *running, 0.1)
        wide = X.astype(np.float64)
        yield mean, wide.mean(axis=0), 100
        yield var, wide.var(axis=0), bits
        yield running[0], 0.9 * layer.mean + 0.1 * wide.mean(axis=0), 100
        yield running[1], 0.9 * layer.var + 0.1 * wide.var(axis=0, ddof=1), bits
        layer.forward(X)
        yield running[0], layer.mean, 1000


def norm_inputs(xp, rng, dtype):
    """(layer, X, dY, [X, mean, var on the device], training or not)"""
    for rows, c in [shape for shape in SHAPES if shape[0] > 1]:
        for train in (True, False):
            layer = norm_layer(rng, c, dtype)
            X, dY = normal(rng, (rows, c), dtype) * 2 + 5, normal(rng, (rows, c), dtype)
            moments = [X.mean(axis=0), X.var(axis=0)] if train else [layer.mean, layer.var]
            yield layer, X, dY, [xp.asarray(A) for A in (X, *moments)], train


def batchnorm(xp, rng, dtype):
    """The layer's forward."""
    for layer, X, _, given, train in norm_inputs(xp, rng, dtype):
        gamma, beta = xp.asarray(layer.gamma.data), xp.asarray(layer.beta.data)
        yield kernels.batchnorm(*given, gamma, beta, EPS), layer.forward(X, train)[0], 100


def batchnorm_param_grads(xp, rng, dtype):
    """The layer's dbeta and dgamma."""
    for layer, X, dY, given, train in norm_inputs(xp, rng, dtype):
        layer.forward(X, train)[1](dY)
        sums = kernels.batchnorm_param_grads(xp.asarray(dY), *given, EPS)
        yield sums[0], layer.beta.grad, 1000
        yield sums[1], layer.gamma.grad, 1000


def batchnorm_input_grad(xp, rng, dtype):
    """The layer's dX."""
    for layer, X, dY, given, train in norm_inputs(xp, rng, dtype):
        dX = layer.forward(X, train)[1](dY)
        sums = xp.asarray(np.stack([layer.beta.grad, layer.gamma.grad]))
        arrays = (xp.asarray(dY), *given, xp.asarray(layer.gamma.data), sums)
        yield kernels.batchnorm_input_grad(*arrays, EPS, train), dX, 200


def adam(xp, rng, dtype):
    """optim.Adam over several steps while the learning rate changes."""
    for size in (1, 1000, 1003, 300_000 if dtype == np.float32 else 5):
        param = Param(normal(rng, size, dtype))
        adam = optim.Adam([param], 0.1, (0.8, 0.99), 1e-3)
        adam.load_state(
            {
                "t": np.array(2),
                "m": normal(rng, adam.m.shape, dtype),
                "v": rng.random(adam.v.shape).astype(dtype),
            }
        )
        data, m, v = (xp.asarray(A) for A in (adam.data, adam.m, adam.v))
        clock = kernels.adam_clock(xp, adam.lr, adam.betas, adam.eps, 2)
        for lr in (0.1, 0.02):
            adam.lr = lr
            clock[LR] = lr
            param.grad[...] = normal(rng, size, dtype)
            kernels.adam(data, xp.asarray(adam.grad), m, v, clock)
            adam.step()
        yield data, adam.data, 20
        yield m, adam.m, 4
        yield v, adam.v, 4
        yield clock[T], np.array(4.0), 0


def adam_by_its_definition(xp, rng, dtype):
    """Kingma and Ba's algorithm 1 as printed, in double, from the start."""
    p, m, v = normal(rng, 50, np.float64), np.zeros(50), np.zeros(50)
    ours = [xp.asarray(A.astype(dtype)) for A in (p, m, v)]
    clock = kernels.adam_clock(xp, 0.01, (0.9, 0.999), 1e-8)
    for t in range(1, 6):
        g = normal(rng, 50, dtype)
        kernels.adam(ours[0], xp.asarray(g), *ours[1:], clock)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g.astype(np.float64) ** 2
        p = p - 0.01 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    yield ours[0], p, 20 if dtype == np.float32 else 1000


CASES = {
    case.__name__: case
    for case in (
        im2col, col2im, column_sum, batch_statistics, batchnorm, batchnorm_param_grads,
        batchnorm_input_grad, adam, adam_by_its_definition,
    )
}  # fmt: skip


def check(name, xp, dtype, on_gpu=False):
    """Run a case; AssertionError where numbers or shapes differ.

    A GPU multiplies and adds with one rounding instead of two, and may divide by another path.
    """
    for given, expected, roundings in CASES[name](xp, np.random.default_rng(0), dtype):
        given = to_numpy(given)
        assert given.shape == expected.shape
        unit = np.finfo(dtype).eps * np.abs(expected[np.isfinite(expected)]).max(initial=1)
        atol = roundings * unit * (4 if on_gpu else 1)
        np.testing.assert_allclose(given, expected, rtol=0, atol=atol)
