"""The three ways to compute a convolution agree, and each is taken where it should be."""

import itertools

import numpy as np
import pytest

from tinya2i import models, ops
from tinya2i.layers import Conv2d, ConvTranspose2d
from tinya2i.ops import banded, convolution, ways, winograd

# (n, h, w, c_in), c_out, kernel, stride, padding
EVEN = [  # even outputs, and a kernel of twice the stride
    ((2, 23, 23, 3), 5, (4, 4), (2, 2), (0, 0)),
    ((3, 14, 10, 4), 2, (4, 4), (2, 2), (2, 2)),
    ((1, 9, 25, 2), 3, (2, 6), (1, 3), (0, 2)),
    ((2, 10, 9, 2), 2, (6, 2), (3, 1), (3, 0)),
    ((4, 6, 6, 1), 1, (4, 4), (2, 2), (0, 0)),
]
ROWS = [  # rows of more than one output
    ((2, 9, 11, 3), 5, (3, 5), (2, 2), (0, 0)),
    ((3, 14, 16, 4), 2, (5, 5), (1, 1), (1, 2)),
    ((1, 11, 16, 2), 3, (1, 3), (1, 3), (0, 2)),
    ((4, 8, 8, 2), 3, (5, 5), (3, 1), (1, 1)),
    ((5, 28, 28, 1), 6, (5, 5), (1, 1), (2, 2)),
    ((2, 5, 13, 2), 2, (3, 1), (1, 1), (0, 0)),
    ((3, 9, 9, 6), 4, (5, 5), (1, 1), (0, 0)),  # 5 and 7 outputs, in one tile
    ((3, 9, 11, 2), 4, (5, 5), (1, 1), (0, 0)),
]
CASES = [(winograd, *case) for case in EVEN] + [(banded, *case) for case in ROWS]
LAST = (1, 2, 3, 0)


def all_three(way, X, W, dY, kernel, stride, padding):
    """Y, dX and dW, with biases and on gradients that are there already."""
    b, a = np.linspace(1, 2, W.shape[1]), np.linspace(3, 4, X.shape[3])
    dW = np.ones_like(W)
    way.conv_weight_grad(dW, X, dY, kernel, stride, padding)
    return [
        way.conv(X, W, b.astype(X.dtype), kernel, stride, padding),
        way.conv_input_grad(dY, W, a.astype(X.dtype), X.shape, kernel, stride, padding),
        way.conv_input_grad(dY, W, None, X.shape, kernel, stride, padding),
        dW,
    ]


def inputs(shape, c_out, kernel, stride, padding, dtype=np.float64):
    rng = np.random.default_rng(0)
    sizes = zip(shape[1:3], kernel, stride, padding, strict=True)
    out = [ops.out_size(*size) for size in sizes]
    shapes = shape, (kernel[0] * kernel[1] * shape[3], c_out), (shape[0], *out, c_out)
    return [rng.standard_normal(each).astype(dtype) for each in shapes]


def agree(way, case, rtol=1e-12):
    X, W, dY = inputs(*case)
    expected = all_three(convolution, X, W, dY, *case[2:])
    for theirs, ours in zip(expected, all_three(way, X, W, dY, *case[2:]), strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol * np.abs(theirs).max())


@pytest.mark.parametrize(("way", "case"), [(case[0], case[1:]) for case in CASES])
def test_they_compute_the_same(way, case):
    agree(way, case)


@pytest.mark.parametrize(("way", "case"), [(case[0], case[1:]) for case in CASES])
def test_in_any_order_in_memory_and_without_touching_it(way, case):
    X, W, dY = inputs(*case)
    expected = all_three(way, X, W, dY, *case[2:])
    turned = [np.ascontiguousarray(A.transpose(LAST)).transpose(3, 0, 1, 2) for A in (X, dY)]
    again = all_three(way, turned[0], np.asfortranarray(W), turned[1], *case[2:])
    for theirs, ours in zip(expected, again, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12 * np.abs(theirs).max())
    for array, before in zip((X, W, dY), inputs(*case), strict=True):
        np.testing.assert_array_equal(array, before)


MUTANTS = [
    (winograd, "_weight_sums", lambda G: [G[0], G[0] - G[1], G[1]]),
    (winograd, "_sum_grads", lambda dY: [dY[:, 0::2], dY[:, 1::2] * 1, dY[:, 1::2]]),
    (winograd, "_differences", lambda D: [D[:, 0:-1:2], D[:, 1::2], D[:, 2::2] - D[:, 1::2]]),
    (winograd, "_sums", lambda M, Y: [np.add(M[0], M[i], out=Y[:, i - 1 :: 2]) for i in (1, 2)]),
    (winograd, "_difference_grads", lambda dV, dD: dD.fill(0)),
    (banded, "_add_columns", lambda P, cols, kernel, stride, ow: None),
    (banded, "_width", lambda tile, kernel, stride: (tile - 1) * stride + kernel[1] + 1),
    (banded, "add_matrix_grad", lambda dW, *rest: dW.fill(1)),
]


@pytest.mark.parametrize(("way", "name", "wrong"), MUTANTS)
def test_a_mistake_in_either_is_caught(monkeypatch, way, name, wrong):
    cases = [case[1:] for case in CASES if case[0] is way]
    monkeypatch.setattr(way, name, wrong)
    caught = 0
    for case in cases:
        try:
            agree(way, case)
        except (AssertionError, ValueError):
            caught += 1
    assert caught


def test_in_single_precision_the_sums_cost_little_accuracy():
    case = ((4, 23, 23, 64), 64, (4, 4), (2, 2), (0, 0))
    exact = all_three(convolution, *inputs(*case), *case[2:])
    errors = [
        [np.abs(ours - theirs).max() for ours, theirs in zip(results, exact, strict=True)]
        for results in (
            all_three(way, *inputs(*case, dtype=np.float32), *case[2:])
            for way in (winograd, convolution)
        )
    ]
    assert all(fast < 4 * plain for fast, plain in zip(*errors, strict=True))


def ways_of(*networks):
    """Which way each convolution of these networks takes, in order: its module's last name."""
    names = []
    for network, shape in networks:
        X = np.zeros((1, *shape), np.float32)
        for layer in network.layers:
            Y = layer(X)
            if isinstance(layer, (Conv2d, ConvTranspose2d)):
                ends = (X.shape, Y.shape) if isinstance(layer, Conv2d) else (Y.shape, X.shape)
                way = ways._way(X, *ends, layer.kernel, layer.stride)
                names.append(way.__name__.rsplit(".", 1)[1])
            X = Y
    return names


def test_each_layer_of_the_models_takes_the_fastest_way():
    assert ways_of((models.LeNet5(), (28, 28, 1))) == ["banded", "banded", "convolution"]
    model = models.VAE()
    assert set(ways_of((model.encoder, (48, 48, 1)), (model.decoder, (64,)))) == {"convolution"}
    X, ends = np.zeros((1, 23, 23, 64), np.float32), ((1, 23, 23, 64), (1, 10, 10, 128))
    dX_way = ways._way(X, *ends, (4, 4), (2, 2), winograd.LEAST_FOR_INPUT_GRAD)
    assert dX_way is winograd  # the VAE's second convolution, backward
    model = models.VAEGAN()
    found = ways_of((model.encoder, (48, 48, 1)), (model.decoder, (64,)))
    assert found == ["convolution", "winograd", "winograd", *["convolution"] * 5]


@pytest.mark.parametrize("kernel", [(1, 1), (4, 4)])
def test_layers_agree_with_the_plain_way_whichever_they_take(monkeypatch, kernel):
    rng = np.random.default_rng(0)
    for c_in, c_out in itertools.product((1, 20), (2, 40)):
        layer = Conv2d(c_in, c_out, kernel, 2, 1).astype(np.float64)
        X = rng.standard_normal((3, 10, 10, c_in))
        results = []
        for taken in (ways._way, lambda *shapes: convolution):
            with monkeypatch.context() as patch:
                patch.setattr(ways, "_way", taken)
                layer.zero_grad()
                Y, backprop = layer.forward(X)
                dX = backprop(np.cos(np.arange(Y.size)).reshape(Y.shape))
                results.append([Y, dX, layer.W.grad.copy(), layer.b.grad.copy()])
        for ours, plain in zip(*results, strict=True):
            np.testing.assert_allclose(ours, plain, rtol=1e-12, atol=1e-12)
