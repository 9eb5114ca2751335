"""Plain loops as oracle: the sums of the textbooks, one number at a time. Needs no PyTorch."""

import itertools
import math

import numpy as np
import pytest

from tinya2i import layers, ops, optim
from tinya2i.layer import Param

CASES = range(12)


def close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-11, strict=True)


def draw_geometry(seed):
    """(rng, shape (n, h, w, c), kernel, stride, padding): not square, with gaps, much padded."""
    rng = np.random.default_rng([23, seed])
    n, c = rng.integers(1, 4, 2)
    kernel, stride, padding = (
        tuple(int(a) for a in rng.integers(low, high, 2)) for low, high in ((1, 4), (1, 5), (0, 4))
    )
    sizes = [max(1, k - 2 * p) + rng.integers(0, 5) for k, p in zip(kernel, padding, strict=True)]
    return rng, tuple(map(int, (n, *sizes, c))), kernel, stride, padding


def out_sizes(shape, kernel, stride, padding):
    """How many windows fit along each axis, found by laying them down one by one."""
    sizes = []
    for size, k, s, p in zip(shape[1:3], kernel, stride, padding, strict=True):
        starts = [start for start in range(-p, size + p, s) if start + k <= size + p]
        sizes.append(len(starts))
    return sizes


def taps(shape, kernel, stride, padding):
    """(image index n, y, x; output row, column; kernel row, column) of each pixel that is read."""
    n, h, w, _ = shape
    oh, ow = out_sizes(shape, kernel, stride, padding)
    for index in itertools.product(*map(range, (n, oh, ow, *kernel))):
        k, oy, ox, i, j = index
        y, x = oy * stride[0] + i - padding[0], ox * stride[1] + j - padding[1]
        if 0 <= y < h and 0 <= x < w:
            yield k, y, x, oy, ox, i, j


def plain_layer(layer, rng):
    layer.astype(np.float64)
    for param in layer.params():
        param.data[...] = rng.standard_normal(param.data.shape)
    return layer


# Windows


@pytest.mark.parametrize("seed", CASES)
def test_out_size_counts_the_windows(seed):
    _, shape, kernel, stride, padding = draw_geometry(seed)
    sizes = zip(shape[1:3], kernel, stride, padding, strict=True)
    assert [ops.out_size(*size) for size in sizes] == out_sizes(shape, kernel, stride, padding)


@pytest.mark.parametrize("size", [(1, 2, 1, 0), (4, 7, 1, 1), (2, 3, 5, 0)])
def test_a_window_that_does_not_fit_is_refused(size):
    with pytest.raises(ValueError, match="does not fit"):
        ops.out_size(*size)


@pytest.mark.parametrize("seed", CASES)
def test_im2col(seed):
    rng, shape, kernel, stride, padding = draw_geometry(seed)
    X = rng.standard_normal(shape)
    oh, ow = out_sizes(shape, kernel, stride, padding)
    expected = np.zeros((shape[0], oh, ow, *kernel, shape[3]))
    for n, y, x, oy, ox, i, j in taps(shape, kernel, stride, padding):
        expected[n, oy, ox, i, j] = X[n, y, x]
    before = X.copy()
    cols = ops.im2col(X, kernel, stride, padding)
    close(cols, expected.reshape(shape[0] * oh * ow, -1))
    close(X, before)


@pytest.mark.parametrize("seed", range(40))
def test_col2im_is_the_adjoint_of_im2col(seed):
    """<im2col(X), cols> = <X, col2im(cols)>, whatever the geometry."""
    rng, shape, kernel, stride, padding = draw_geometry(100 + seed)
    X = rng.standard_normal(shape)
    taken = ops.im2col(X, kernel, stride, padding)
    cols = rng.standard_normal(taken.shape)
    back = ops.col2im(cols, shape, kernel, stride, padding)
    assert back.shape == shape
    assert (taken * cols).sum() == pytest.approx((X * back).sum(), rel=1e-11, abs=1e-11)
    flipped = ops.col2im(cols[:, ::-1], shape, kernel, stride, padding)  # negative control
    if cols.shape[1] > 1 and np.abs(taken).max() > 0:
        assert (taken * cols).sum() != pytest.approx((X * flipped).sum(), rel=1e-11, abs=1e-11)


@pytest.mark.parametrize("order", ["F", "sliced", "transposed"])
@pytest.mark.parametrize("c", [1, 3])
def test_im2col_of_any_memory_order(order, c):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2, 6, 5, c))
    odd = {
        "F": lambda: np.asfortranarray(X),
        "sliced": lambda: np.repeat(X, 2, axis=1)[:, ::2],
        "transposed": lambda: np.ascontiguousarray(X.transpose(0, 3, 2, 1)).transpose(0, 3, 2, 1),
    }[order]()
    assert odd.strides != X.strides
    for padding in ((0, 0), (1, 2)):
        expected = ops.im2col(X, (3, 2), (2, 1), padding)
        close(ops.im2col(odd, (3, 2), (2, 1), padding), expected)


# Convolutions


@pytest.mark.parametrize("seed", CASES)
def test_conv2d(seed):
    """Y = b + sum of X W; dX, dW, db by going through the same products again."""
    rng, shape, kernel, stride, padding = draw_geometry(seed)
    c_in, c_out = shape[3], int(rng.integers(1, 4))
    layer = plain_layer(layers.Conv2d(c_in, c_out, kernel, stride, padding), rng)
    X = rng.standard_normal(shape)
    Y, backprop = layer.forward(X)
    dY = rng.standard_normal(Y.shape)
    dX = backprop(dY)

    W = layer.W.data.reshape(*kernel, c_in, c_out)
    oh, ow = out_sizes(shape, kernel, stride, padding)
    Y_loop = np.zeros((shape[0], oh, ow, c_out)) + layer.b.data
    dX_loop, dW_loop = np.zeros(shape), np.zeros_like(W)
    for n, y, x, oy, ox, i, j in taps(shape, kernel, stride, padding):
        for c, d in itertools.product(range(c_in), range(c_out)):
            Y_loop[n, oy, ox, d] += X[n, y, x, c] * W[i, j, c, d]
            dX_loop[n, y, x, c] += dY[n, oy, ox, d] * W[i, j, c, d]
            dW_loop[i, j, c, d] += dY[n, oy, ox, d] * X[n, y, x, c]
    close(Y, Y_loop)
    close(dX, dX_loop)
    close(layer.W.grad, dW_loop.reshape(layer.W.data.shape))
    close(layer.b.grad, dY.sum(axis=(0, 1, 2)))


@pytest.mark.parametrize("seed", CASES)
def test_conv_transpose2d(seed):
    """Every input pixel adds its stamp to the output: the loops of a convolution, the other way."""
    rng, (n, h, w, c_in), kernel, stride, padding = draw_geometry(seed)
    extra = tuple(int(rng.integers(0, s)) for s in stride)
    sizes = [
        (size - 1) * s - 2 * p + k + e
        for size, s, p, k, e in zip((h, w), stride, padding, kernel, extra, strict=True)
    ]
    c_out = int(rng.integers(1, 4))
    layer = layers.ConvTranspose2d(c_in, c_out, kernel, stride, padding, extra)
    plain_layer(layer, rng)
    X = rng.standard_normal((n, h, w, c_in))
    if min(sizes) < 1:
        with pytest.raises(ValueError, match="no output"):
            layer.forward(X)
        return
    Y, backprop = layer.forward(X)
    dY = rng.standard_normal(Y.shape)
    dX = backprop(dY)

    W = layer.W.data.reshape(*kernel, c_out, c_in)
    Y_loop = np.zeros((n, *sizes, c_out)) + layer.b.data
    dX_loop, dW_loop = np.zeros(X.shape), np.zeros_like(W)
    for m, y, x, i, j in itertools.product(*map(range, (n, h, w, *kernel))):
        oy, ox = y * stride[0] + i - padding[0], x * stride[1] + j - padding[1]
        if 0 <= oy < sizes[0] and 0 <= ox < sizes[1]:
            for c, d in itertools.product(range(c_out), range(c_in)):
                Y_loop[m, oy, ox, c] += X[m, y, x, d] * W[i, j, c, d]
                dX_loop[m, y, x, d] += dY[m, oy, ox, c] * W[i, j, c, d]
                dW_loop[i, j, c, d] += dY[m, oy, ox, c] * X[m, y, x, d]
    close(Y, Y_loop)
    close(dX, dX_loop)
    close(layer.W.grad, dW_loop.reshape(layer.W.data.shape))
    close(layer.b.grad, dY.sum(axis=(0, 1, 2)))


def test_most_drawn_transposed_convolutions_have_an_output():
    fit = 0
    for seed in CASES:
        _, shape, *geometry = draw_geometry(seed)
        axes = zip(shape[1:3], *geometry, strict=True)
        fit += all((size - 1) * s - 2 * p + k >= 1 for size, k, s, p in axes)
    assert fit >= 6


@pytest.mark.parametrize("extra", [2, (0, 2), 5])
def test_output_padding_must_stay_below_the_stride(extra):
    with pytest.raises(ValueError, match="below the stride"):
        layers.ConvTranspose2d(1, 1, 3, 2, output_padding=extra)


@pytest.mark.parametrize("seed", CASES)
def test_the_convolution_ops_are_adjoint(seed):
    """<conv(X, W), dY> = <X, conv_input_grad(dY, W)> = <W, conv_weight_grad(X, dY)>.

    And a bias is added to every pixel of what the first two return.
    """
    rng, shape, kernel, stride, padding = draw_geometry(200 + seed)
    geometry = (kernel, stride, padding)
    X = rng.standard_normal(shape)
    W = rng.standard_normal((kernel[0] * kernel[1] * shape[3], 3))
    Y = ops.conv(X, W, None, *geometry)
    dY = rng.standard_normal(Y.shape)
    dW = np.ones_like(W)  # it is added to
    ops.conv_weight_grad(dW, True, X, dY, *geometry)
    product = pytest.approx((Y * dY).sum(), rel=1e-11, abs=1e-11)
    dX = ops.conv_input_grad(dY, W, None, shape, *geometry)
    assert (X * dX).sum() == product
    assert (W * (dW - 1)).sum() == product
    b, c = rng.standard_normal(3), rng.standard_normal(shape[3])
    close(ops.conv(X, W, b, *geometry), Y + b)
    close(ops.conv_input_grad(dY, W, c, shape, *geometry), dX + c)


@pytest.mark.parametrize("seed", CASES)
def test_add_taps_is_col2im_of_columns_sorted_by_tap(seed):
    """And it adds to what is there, padding left out."""
    rng, shape, kernel, stride, padding = draw_geometry(400 + seed)
    oh, ow = out_sizes(shape, kernel, stride, padding)
    count, c = kernel[0] * kernel[1], shape[3]
    cols = rng.standard_normal((shape[0] * oh * ow, count * c))
    by_tap = cols.reshape(-1, count, c).transpose(1, 0, 2)
    expected = np.ones(shape)
    values = cols.reshape(shape[0], oh, ow, *kernel, c)
    for n, y, x, oy, ox, i, j in taps(shape, kernel, stride, padding):
        expected[n, y, x] += values[n, oy, ox, i, j]
    X, before = np.ones(shape), cols.copy()
    ops.add_taps(X, by_tap, kernel, stride, padding)
    close(X, expected)
    close(1 + ops.col2im(cols, shape, kernel, stride, padding), expected)
    close(cols, before)


@pytest.mark.parametrize("c", [1, 2, 15, 16, 20])
def test_columns_by_tap(c):
    """dY W^T with its columns sorted by tap, in each of its three ways."""
    rng = np.random.default_rng(c)
    dY, W = rng.standard_normal((7, 3)), rng.standard_normal((6 * c, 3))
    expected = (dY @ W.T).reshape(7, 6, c).transpose(1, 0, 2)
    close(ops.columns_by_tap(dY, W, 6), expected)


# Pooling


def windows(shape, kernel, stride):
    """(output index, [index of each pixel of its window]) over the batch and the channels."""
    n, _, _, c = shape
    oh, ow = out_sizes(shape, kernel, stride, (0, 0))
    for m, y, x, d in itertools.product(*map(range, (n, oh, ow, c))):
        offsets = itertools.product(range(kernel[0]), range(kernel[1]))
        yield (m, y, x, d), [(m, y * stride[0] + i, x * stride[1] + j, d) for i, j in offsets]


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", CASES)
def test_pooling(seed, ties):
    rng, shape, kernel, stride, _ = draw_geometry(300 + seed)
    shape = (shape[0], shape[1] + kernel[0], shape[2] + kernel[1], shape[3])
    stride = kernel if seed % 3 == 0 else stride
    X = rng.integers(0, 2, shape).astype(float) if ties else rng.standard_normal(shape)
    Y_max, back_max = layers.MaxPool2d(kernel, stride).forward(X)
    Y_avg, back_avg = layers.AvgPool2d(kernel, stride).forward(X)
    dY = rng.standard_normal(Y_max.shape)

    maxima, means = np.zeros_like(dY), np.zeros_like(dY)
    d_max, d_avg = np.zeros(shape), np.zeros(shape)
    for out, pixels in windows(shape, kernel, stride):
        values = [X[pixel] for pixel in pixels]
        maxima[out], means[out] = max(values), sum(values) / len(values)
        d_max[pixels[values.index(max(values))]] += dY[out]  # index: the first of equals
        for pixel in pixels:
            d_avg[pixel] += dY[out] / len(pixels)
    close(Y_max, maxima)
    close(back_max(dY), d_max)
    close(Y_avg, means)
    close(back_avg(dY), d_avg)


def test_max_pooling_hands_every_gradient_on_exactly_once():
    """Among equals too, as after a ReLU, which makes most pixels zero."""
    rng = np.random.default_rng(0)
    X = np.maximum(rng.standard_normal((4, 8, 8, 3)) - 1, 0)
    assert (X == 0).mean() > 0.7
    Y, backprop = layers.MaxPool2d(2).forward(X)
    dY = rng.integers(1, 5, Y.shape).astype(float)
    dX = backprop(dY)
    assert np.count_nonzero(dX) == dY.size
    assert dX.sum() == dY.sum()


def test_max_pooling_shows_nan():
    X = np.zeros((1, 4, 4, 1))
    X[0, 3, 1, 0] = np.nan
    assert np.isnan(layers.MaxPool2d(2)(X)).sum() == 1


# Batch normalisation


def test_batch_norm():
    rng = np.random.default_rng(1)
    X = 3 * rng.standard_normal((2, 3, 2, 2)) + 1
    layer = plain_layer(layers.BatchNorm2d(2), rng)
    Y, Y_loop = layer.forward(X)[0], np.zeros(X.shape)
    for c in range(2):
        values = [float(x) for x in X[..., c].ravel()]
        m = len(values)
        mean = math.fsum(values) / m
        squares = math.fsum((x - mean) ** 2 for x in values)
        normal = (X[..., c] - mean) / math.sqrt(squares / m + 1e-5)
        Y_loop[..., c] = layer.gamma.data[c] * normal + layer.beta.data[c]
        assert layer.mean[c] == pytest.approx(0.1 * mean, rel=1e-12)
        assert layer.var[c] == pytest.approx(0.9 + 0.1 * squares / (m - 1), rel=1e-12)
    close(Y, Y_loop)


# Functions that must not overflow


def test_stable_functions_against_python():
    for x in (-1e4, -745.0, -40.0, -1.0, -1e-9, 0.0, 1e-9, 1.0, 40.0, 745.0, 1e4):
        X = np.array([x])
        e = math.exp(-abs(x))
        assert ops.sigmoid(X)[0] == pytest.approx((1 if x >= 0 else e) / (1 + e), rel=1e-15)
        assert ops.softplus(X)[0] == pytest.approx(max(x, 0) + math.log1p(e), rel=1e-15)
        row = ops.log_softmax(np.array([[x, 0.0]]))[0]
        expected = [min(x, 0) - math.log1p(e), -max(x, 0) - math.log1p(e)]
        assert row == pytest.approx(expected, rel=1e-14)


# Optimisers


def gradients(steps, size, seed=0):
    """Gradients of very different sizes, some of them zero."""
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.integers(-6, 4, size)
    return scale * rng.standard_normal((steps, size)) * (rng.random((steps, size)) < 0.8)


def run(make, start, steps):
    """Where an optimiser of ours takes two parameters, of which the second is a matrix."""
    params = [Param(start[:3].copy()), Param(start[3:].reshape(2, -1).copy())]
    optimiser = make(params)
    for g in steps:
        params[0].grad += g[:3]
        params[1].grad += g[3:].reshape(2, -1)
        optimiser.step()
    return np.concatenate([param.data.ravel() for param in params])


@pytest.mark.parametrize(
    ("lr", "betas", "eps"),
    [(1e-3, (0.9, 0.999), 1e-8), (0.1, (0.5, 0.9), 1e-3), (0.01, (0, 0.99), 1)],
)
def test_adam(lr, betas, eps):
    start, steps = np.arange(9) - 4.0, gradients(10, 9)
    expected = []
    for k, p in enumerate(start):
        m = v = 0.0
        for t, g in enumerate(steps[:, k], start=1):
            m = betas[0] * m + (1 - betas[0]) * g
            v = betas[1] * v + (1 - betas[1]) * g * g
            m_hat, v_hat = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
            p -= lr * m_hat / (math.sqrt(v_hat) + eps)
        expected.append(p)
    close(run(lambda params: optim.Adam(params, lr, betas, eps), start, steps), np.array(expected))


@pytest.mark.parametrize(("lr", "momentum"), [(0.1, 0.0), (0.01, 0.9), (1.0, 0.5)])
def test_sgd(lr, momentum):
    start, steps = np.arange(9) - 4.0, gradients(10, 9) * 1e-3
    expected = []
    for k, p in enumerate(start):
        v = 0.0
        for g in steps[:, k]:
            v = momentum * v + g
            p -= lr * v
        expected.append(p)
    close(run(lambda params: optim.SGD(params, lr, momentum), start, steps), np.array(expected))
