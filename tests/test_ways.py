"""The four ways to compute a convolution agree, and each is taken where it should be."""

import numpy as np
import pytest

from tinya2i import models, ops
from tinya2i.layers import Conv2d, ConvTranspose2d
from tinya2i.ops import banded, convolution, single, tiles, toom, ways, winograd

# (n, h, w, c_in), c_out, kernel, stride, padding
TILED = [  # a kernel of twice the stride, and outputs that tiles fit
    ((2, 23, 23, 3), 5, (4, 4), (2, 2), (0, 0)),
    ((3, 14, 10, 4), 2, (4, 4), (2, 2), (2, 2)),
    ((1, 9, 25, 2), 3, (2, 6), (1, 3), (0, 2)),
    ((2, 10, 9, 2), 2, (6, 2), (3, 1), (3, 0)),
    ((4, 6, 6, 1), 1, (4, 4), (2, 2), (0, 0)),
    ((3, 13, 13, 2), 3, (4, 4), (2, 2), (0, 0)),  # 5 outputs, pixels left over
    ((2, 14, 22, 2), 3, (4, 4), (2, 2), (1, 0)),  # 7 outputs and 10
    ((2, 10, 9, 3), 2, (2, 2), (1, 1), (0, 0)),  # 9 and 8
    ((0, 10, 10, 2), 3, (4, 4), (2, 2), (0, 0)),  # no picture
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
    ((0, 9, 9, 2), 4, (5, 5), (1, 1), (0, 0)),
]
ONE = [  # one output
    ((5, 5, 4, 3), 6, (4, 4), (2, 2), (0, 0)),
    ((3, 3, 3, 2), 4, (3, 3), (1, 1), (0, 0)),
    ((2, 2, 3, 3), 2, (3, 5), (3, 1), (1, 1)),
    ((4, 1, 1, 5), 3, (1, 1), (1, 1), (0, 0)),
    ((0, 5, 4, 3), 6, (4, 4), (2, 2), (0, 0)),
]
CASES = [
    (way, *case)
    for way, cases in ((winograd, TILED), (banded, ROWS), (single, ONE))
    for case in cases
]
LAST = (1, 2, 3, 0)


def everything(way, X, W, dY, kernel, stride, padding):
    """Y, dX and dW, with and without biases and gradients that are there already."""
    b, a = np.linspace(1, 2, W.shape[1]), np.linspace(3, 4, X.shape[3])
    dW, fresh = np.ones_like(W), np.full_like(W, np.nan)
    way.conv_weight_grad(dW, True, X, dY, kernel, stride, padding)
    way.conv_weight_grad(fresh, False, X, dY, kernel, stride, padding)
    return [
        way.conv(X, W, b.astype(X.dtype), kernel, stride, padding),
        way.conv_input_grad(dY, W, a.astype(X.dtype), X.shape, kernel, stride, padding),
        way.conv_input_grad(dY, W, None, X.shape, kernel, stride, padding),
        dW,
        fresh,
    ]


def inputs(shape, c_out, kernel, stride, padding, dtype=np.float64):
    rng = np.random.default_rng(0)
    sizes = zip(shape[1:3], kernel, stride, padding, strict=True)
    out = [ops.out_size(*size) for size in sizes]
    shapes = shape, (kernel[0] * kernel[1] * shape[3], c_out), (shape[0], *out, c_out)
    return [rng.standard_normal(each).astype(dtype) for each in shapes]


def agree(way, case, rtol=1e-12):
    X, W, dY = inputs(*case)
    expected = everything(convolution, X, W, dY, *case[2:])
    for theirs, ours in zip(expected, everything(way, X, W, dY, *case[2:]), strict=True):
        assert ours.shape == theirs.shape
        largest = np.abs(theirs).max(initial=0)
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol * largest)


@pytest.mark.parametrize(("way", "case"), [(case[0], case[1:]) for case in CASES])
def test_they_compute_the_same(way, case):
    agree(way, case)


@pytest.mark.parametrize(("way", "case"), [(case[0], case[1:]) for case in CASES])
def test_in_any_order_in_memory_and_without_touching_it(way, case):
    X, W, dY = inputs(*case)
    expected = everything(way, X, W, dY, *case[2:])
    turned = [np.ascontiguousarray(A.transpose(LAST)).transpose(3, 0, 1, 2) for A in (X, dY)]
    again = everything(way, turned[0], np.asfortranarray(W), turned[1], *case[2:])
    for theirs, ours in zip(expected, again, strict=True):
        largest = np.abs(theirs).max(initial=0)
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12 * largest)
    for array, before in zip((X, W, dY), inputs(*case), strict=True):
        np.testing.assert_array_equal(array, before)


@pytest.fixture
def fresh_tiles():
    """Tiles are chosen anew, before the test and after it."""

    def clear():
        toom.axes.cache_clear()
        tiles.cheapest.cache_clear()

    clear()
    yield
    clear()


@pytest.mark.parametrize("pieces", toom.PIECES)
@pytest.mark.parametrize("portion", [1, winograd.PORTION_BYTES])
def test_every_tile_does_and_in_portions_of_the_batch(monkeypatch, fresh_tiles, pieces, portion):
    monkeypatch.setattr(toom, "PIECES", (pieces,))
    monkeypatch.setattr(winograd, "PORTION_BYTES", portion)
    size = 4 * sum(pieces) + 2  # two tiles of outputs
    agree(winograd, ((19, size, size + 1, 2), 3, (4, 4), (2, 2), (0, 0)))


def test_a_tile_is_one_short_convolution():
    d, g = np.random.default_rng(0).standard_normal((2, 8))
    for pieces in toom.PIECES:
        A, G, B = toom.matrices(pieces)
        t = sum(pieces)
        assert A.shape == (t, t + len(pieces))
        expected = [d[i] * g[0] + d[i + 1] * g[1] for i in range(t)]
        np.testing.assert_allclose(A @ ((G @ g[:2]) * (B @ d[: t + 1])), expected, rtol=1e-12)


both_axes, whole_matrix, small_matrices = tiles._both, banded.matrix, toom.matrices


def one_sign_wrong(pieces):
    A, G, B = small_matrices(pieces)
    B[1] *= -1
    return A, G, B


MUTANTS = [
    (toom, "matrices", one_sign_wrong),
    (tiles, "_both", lambda Ty, Tx, D, out=None: both_axes(Ty[::-1], Tx, D, out)),
    (tiles, "_both", lambda Ty, Tx, D, out=None: both_axes(Ty, Tx[::-1], D, out)),
    (winograd, "_products", lambda A, B, columns, C=None: A @ B(0)),
    (winograd, "_taps", lambda W, stride: W.reshape(2, 2, *stride, -1, W.shape[1])),
    (winograd, "_write_weight_grads", lambda dW, add, *rest: dW.fill(1)),
    (winograd, "_write_pixel_grads", lambda dX, *rest: dX.fill(0)),
    (single, "matmul", lambda A, B: A @ B[::-1]),
    (single, "add_matmul", lambda out, add, A, B: np.matmul(A, B, out=out)),
    (banded, "_add_windows", lambda R, windows, kernel, stride, part: None),
    (banded, "_add_strips", lambda P, R, step: None),
    (banded, "matrix", lambda *arguments: whole_matrix(*arguments)[::-1]),
    (banded, "add_matrix_grad", lambda dW, *rest: dW.fill(1)),
]


@pytest.mark.parametrize(("module", "name", "wrong"), MUTANTS)
def test_a_mistake_in_either_is_caught(monkeypatch, fresh_tiles, module, name, wrong):
    way = module if module in (banded, single) else winograd
    monkeypatch.setattr(module, name, wrong)
    caught = 0
    for case in (case[1:] for case in CASES if case[0] is way):
        try:
            agree(way, case)
        except AssertionError:
            caught += 1
    assert caught


@pytest.mark.parametrize(
    ("pieces", "times"), [((2,), 5), ((3,), 5), ((4,), 20), ((5,), 20), ((4, 3), 20)]
)
def test_in_single_precision_larger_tiles_cost_a_digit(monkeypatch, fresh_tiles, pieces, times):
    monkeypatch.setattr(toom, "PIECES", (pieces,))
    size = 4 * sum(pieces) + 2
    case = ((4, size, size, 64), 64, (4, 4), (2, 2), (0, 0))
    exact = everything(convolution, *inputs(*case), *case[2:])
    errors = [
        [np.abs(ours - theirs).max() for ours, theirs in zip(results, exact, strict=True)]
        for results in (
            everything(way, *inputs(*case, dtype=np.float32), *case[2:])
            for way in (winograd, convolution)
        )
    ]
    assert all(fast < times * plain for fast, plain in zip(*errors, strict=True))


def ways_of(n, *networks):
    """Which way each convolution takes for a batch of n, in order: its module's last name."""
    names = []
    for network, shape in networks:
        X = np.zeros((1, *shape), np.float32)
        for layer in network.layers:
            Y = layer(X)
            if isinstance(layer, (Conv2d, ConvTranspose2d)):
                x, y = (n, *X.shape[1:]), (n, *Y.shape[1:])
                ends = (x, y) if isinstance(layer, Conv2d) else (y, x)
                way = ways.fastest(X, *ends, layer.kernel, layer.stride)
                names.append(way.__name__.rsplit(".", 1)[1])
            X = Y
    return names


def test_each_layer_of_the_models_takes_the_fastest_way():
    assert ways_of(128, (models.LeNet5(), (28, 28, 1))) == ["banded", "banded", "single"]
    model = models.VAE()
    networks = (model.encoder, (48, 48, 1)), (model.decoder, (64,))
    assert ways_of(128, *networks) == ["convolution", "winograd", "winograd", "convolution"]
    # Of one picture, the sums would be those of the weights.
    assert ways_of(1, *networks) == ["convolution"] * 4
    model = models.VAEGAN()
    ear = ways_of(128, (model.encoder, (48, 48, 1)))
    assert ear == ["convolution", "winograd", "winograd", "single"]
    assert ways_of(128, (model.decoder, (64,))) == ["single", *["convolution"] * 3]
    eye = ways_of(128, (model.discriminator, (28, 28, 1)))
    assert eye == ["convolution", "winograd", "single", "single"]


@pytest.mark.parametrize(
    ("layer", "shape", "way"),
    [
        (Conv2d(20, 40, 3, 2, 1), (3, 10, 10, 20), convolution),
        (ConvTranspose2d(20, 40, 4, 2, 1), (3, 5, 5, 20), convolution),
        (Conv2d(64, 64, 4, 2, 1), (64, 10, 10, 64), winograd),
        (ConvTranspose2d(64, 64, 4, 2, 1), (64, 5, 5, 64), winograd),
        (Conv2d(2, 4, 4, 2, 1), (3, 10, 10, 2), banded),
        (ConvTranspose2d(2, 4, 4, 2, 1), (3, 5, 5, 2), banded),
        (Conv2d(20, 40, 4, 2, 1), (3, 3, 2, 20), single),
        (ConvTranspose2d(20, 40, 3, 2), (3, 1, 1, 20), single),
    ],
)
def test_layers_agree_with_the_plain_way_whichever_they_take(monkeypatch, layer, shape, way):
    layer.astype(np.float64)
    X, taken, results = np.random.default_rng(0).standard_normal(shape), [], []
    fastest = ways.fastest
    for choose in (lambda *shapes: taken.append(fastest(*shapes)) or taken[-1],
                   lambda *shapes: convolution):  # fmt: skip
        monkeypatch.setattr(ways, "fastest", choose)
        layer.zero_grad()
        Y, backprop = layer.forward(X)
        dX = backprop(np.cos(np.arange(Y.size)).reshape(Y.shape))
        results.append([Y, dX, layer.W.grad.copy(), layer.b.grad.copy()])
    assert set(taken) == {way}
    for ours, plain in zip(*results, strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("size", [3, 5])
def test_no_picture_has_gradients_of_zero(size):
    layer = Conv2d(3, 4, 3)
    layer.W.clear()
    Y, backprop = layer.forward(np.zeros((0, size, size, 3), np.float32))
    assert backprop(Y).shape == (0, size, size, 3)
    assert not layer.W.grad.any()
    assert not layer.b.grad.any()
