"""PyTorch as oracle, in float64: every layer, every loss, whole models, ten optimiser steps."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import parity  # noqa: E402  (it needs torch)
from parity import error, images_from_torch, images_to_torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from tinya2i import Sequential, init, layers, losses, models, optim  # noqa: E402
from tinya2i.models import autoencoder, lenet5, vae  # noqa: E402

TOLERANCE = 1e-10  # absolute plus relative
AFTER_TEN_STEPS = 1e-8
MANY = range(30)


def tensor(X, requires_grad=False):
    return torch.tensor(np.ascontiguousarray(X), requires_grad=requires_grad)


def spread(layer, rng):
    """Float64, with every parameter and running statistic off its starting value."""
    layer.astype(np.float64)
    for param in layer.params():
        param.data[...] = rng.standard_normal(param.data.shape)
    for name in layer.buffers:
        getattr(layer, name)[...] = rng.uniform(0.5, 2, getattr(layer, name).shape)
    return layer


def layer_errors(layer, X, train=True, seed=0, **arguments):
    """{what: difference to PyTorch} of the output and of every gradient, for one layer.

    Flattened images are in another order there; the shapes of X and Y say which.
    """
    rng = np.random.default_rng(seed)
    spread(layer, rng)
    module, links = parity.module_of(layer)
    for link in links:
        link.copy()
    module.train(train)
    Y, backprop = layer.forward(X, train=train)
    dY = rng.standard_normal(Y.shape)
    X_torch = tensor(images_to_torch(X), requires_grad=True)
    Y_torch = module(X_torch)
    Y_torch.backward(tensor(images_to_torch(dY)))
    errors = {
        "Y": error(images_to_torch(Y), Y_torch),
        "dX": error(images_to_torch(backprop(dY)), X_torch.grad),
    }
    errors |= {f"d{link.name}": link.grad_error() for link in links}
    if isinstance(layer, layers.BatchNorm2d):
        errors["mean"] = error(layer.mean, module.running_mean)
        errors["var"] = error(layer.var, module.running_var)
    return errors


def agrees(errors, tolerance=TOLERANCE):
    assert errors
    assert max(errors.values()) <= tolerance, errors


# Layouts


@pytest.mark.parametrize("seed", range(5))
def test_converters_are_each_others_inverse(seed):
    rng = np.random.default_rng(seed)
    n, h, w, a, b = rng.permutation([2, 3, 4, 5, 6])  # different, so a swapped axis shows
    images = rng.standard_normal((n, h, w, a))
    there = images_to_torch(images)
    assert there.shape == (n, a, h, w)
    np.testing.assert_array_equal(images_from_torch(there), images)

    W = rng.standard_normal((h * w * a, b))
    there = parity.kernel_to_torch(W, (h, w))
    assert there.shape == (b, a, h, w)
    assert there[1, 0, h - 1, 1] == W[((h - 1) * w + 1) * a, 1]
    np.testing.assert_array_equal(parity.kernel_from_torch(there), W)

    for sides in ({"inputs": (h, w, a)}, {"outputs": (h, w, a)}, {}):
        M = rng.standard_normal((h * w * a, h * w * a))
        there = parity.linear_to_torch(M, **sides)
        assert np.array_equal(there, M.T) == (not sides)
        np.testing.assert_array_equal(parity.linear_from_torch(there, **sides), M)


def test_flattened_images_are_reordered_as_torch_flattens_them():
    X = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    theirs = nn.Flatten()(tensor(images_to_torch(X))).numpy()
    ours = layers.Flatten()(X)
    assert not np.array_equal(ours, theirs)
    np.testing.assert_array_equal(parity.flat_to_torch(ours, 1, (3, 4, 5)), theirs)
    np.testing.assert_array_equal(parity.flat_from_torch(theirs, 1, (3, 4, 5)), ours)
    back = layers.Reshape(3, 4, 5).forward(ours)[0]
    np.testing.assert_array_equal(back, X)


# Layers


def draw_convolution(seed):
    """(n, c_in, c_out, kernel, stride, padding, rng), anything small, not square."""
    rng = np.random.default_rng([17, seed])
    n, c_in, c_out = rng.integers(1, 5, 3)
    kernel = tuple(int(k) for k in rng.integers(1, 6, 2))
    stride = tuple(int(s) for s in rng.integers(1, 5, 2))
    padding = tuple(int(p) for p in rng.integers(0, 4, 2))
    return int(n), int(c_in), int(c_out), kernel, stride, padding, rng


def test_the_drawn_convolutions_reach_the_odd_corners():
    cases = [draw_convolution(seed) for seed in MANY]
    corners = {
        "batch of 1": lambda n, ci, co, k, s, p, _: n == 1,
        "one channel in": lambda n, ci, co, k, s, p, _: ci == 1,
        "one channel out": lambda n, ci, co, k, s, p, _: co == 1,
        "kernel not square": lambda n, ci, co, k, s, p, _: k[0] != k[1],
        "stride not square": lambda n, ci, co, k, s, p, _: s[0] != s[1],
        "stride above kernel": lambda n, ci, co, k, s, p, _: s[0] > k[0] or s[1] > k[1],
        "padding at least kernel": lambda n, ci, co, k, s, p, _: p[0] >= k[0] or p[1] >= k[1],
        "no padding": lambda n, ci, co, k, s, p, _: p[0] == 0 or p[1] == 0,
    }
    missed = [name for name, test in corners.items() if sum(test(*case) for case in cases) < 2]
    assert not missed


@pytest.mark.parametrize("seed", MANY)
def test_conv2d(seed):
    n, c_in, c_out, kernel, stride, padding, rng = draw_convolution(seed)
    h, w = (
        int(max(1, k - 2 * p) + rng.integers(0, 8)) for k, p in zip(kernel, padding, strict=True)
    )
    layer = layers.Conv2d(c_in, c_out, kernel, stride, padding)
    agrees(layer_errors(layer, rng.standard_normal((n, h, w, c_in)), seed=seed))


@pytest.mark.parametrize("seed", MANY)
def test_conv_transpose2d(seed):
    n, c_in, c_out, kernel, stride, padding, rng = draw_convolution(seed)
    extra = tuple(int(rng.integers(0, s)) for s in stride)
    sizes = []
    for k, s, p, e in zip(kernel, stride, padding, extra, strict=True):
        smallest = next(h for h in range(1, 20) if (h - 1) * s - 2 * p + k + e >= 1)
        sizes.append(int(smallest + rng.integers(0, 4)))
    layer = layers.ConvTranspose2d(c_in, c_out, kernel, stride, padding, extra)
    agrees(layer_errors(layer, rng.standard_normal((n, *sizes, c_in)), seed=seed))


def test_the_drawn_transposed_convolutions_use_output_padding():
    strides = [draw_convolution(seed)[4] for seed in MANY]
    assert sum(max(stride) > 1 for stride in strides) > len(strides) / 2


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "size"),
    [(5, 1, 2, 28), (5, 1, 0, 14), (5, 1, 0, 5), (4, 2, 0, 48), (4, 2, 1, 14), (1, 1, 0, 1)],
)
def test_the_convolutions_of_the_models(kernel, stride, padding, size):
    X = np.random.default_rng(size).standard_normal((3, size, size, 2))
    agrees(layer_errors(layers.Conv2d(2, 3, kernel, stride, padding), X))
    agrees(layer_errors(layers.ConvTranspose2d(2, 3, kernel, stride, padding), X[:, :7, :7]))


@pytest.mark.parametrize("seed", range(25))
def test_linear(seed):
    rng = np.random.default_rng(seed)
    n, i, o = (int(size) for size in rng.integers(1, 40, 3))
    agrees(layer_errors(layers.Linear(i, o), rng.standard_normal((n, i)), seed=seed))


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("seed", range(25))
def test_batch_norm(seed, train):
    rng = np.random.default_rng([3, seed])
    n, h, w, c = (int(size) for size in rng.integers(1, 6, 4))
    kind = layers.BatchNorm1d if seed % 2 else layers.BatchNorm2d
    shape = (n + 1, c) if seed % 2 else (n, h + 1, w, c)
    layer = kind(c, eps=float(rng.choice([1e-5, 1e-3])), momentum=float(rng.choice([0.1, 0.3])))
    X = rng.uniform(0.5, 3, c) * rng.standard_normal(shape) + rng.standard_normal(c)
    agrees(layer_errors(layer, X, train, seed))


@pytest.mark.parametrize("shape", [(6, 3), (2, 3, 4, 3)])
def test_batch_norm_after_three_batches(shape):
    """The running statistics that training leaves behind, and inference with them."""
    rng = np.random.default_rng(5)
    kind = layers.BatchNorm1d if len(shape) == 2 else layers.BatchNorm2d
    layer = kind(3).astype(np.float64)
    module, _ = parity.module_of(layer)
    for i in range(3):
        X = (i + 1) * rng.standard_normal(shape) + i
        Y = layer.forward(X)[0]
        agrees({"Y": error(images_to_torch(Y), module(tensor(images_to_torch(X))))})
    agrees({"mean": error(layer.mean, module.running_mean)})
    agrees({"var": error(layer.var, module.running_var)})
    assert np.abs(layer.var - 1).min() > 0.01
    X = rng.standard_normal(shape)
    module.eval()
    agrees({"Y": error(images_to_torch(layer(X)), module(tensor(images_to_torch(X))))})


def draw_pool(seed, rng):
    """(kernel, stride, shape): overlapping, with gaps, and sizes that do not divide."""
    kernel = tuple(int(k) for k in rng.integers(1, 4, 2))
    stride = tuple(int(s) for s in rng.integers(1, 5, 2))
    n, h, w, c = (int(size) for size in rng.integers([1, 3, 3, 1], [4, 10, 10, 5]))
    return kernel, None if seed % 3 == 0 else stride, (n, h, w, c)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(25))
def test_max_pool2d(seed, ties):
    rng = np.random.default_rng([7, seed])
    kernel, stride, shape = draw_pool(seed, rng)
    X = rng.integers(0, 3, shape).astype(float) if ties else rng.standard_normal(shape)
    agrees(layer_errors(layers.MaxPool2d(kernel, stride), X, seed=seed))


@pytest.mark.parametrize("value", [0.0, -0.0, -3.0])
def test_max_pool2d_of_a_constant_picture_gives_the_gradient_to_the_first_pixel(value):
    agrees(layer_errors(layers.MaxPool2d(2), np.full((2, 5, 6, 3), value)))
    agrees(layer_errors(layers.MaxPool2d(3, 1), np.full((2, 5, 6, 3), value)))


@pytest.mark.parametrize("seed", range(25))
def test_avg_pool2d(seed):
    rng = np.random.default_rng([8, seed])
    kernel, stride, shape = draw_pool(seed, rng)
    agrees(layer_errors(layers.AvgPool2d(kernel, stride), rng.standard_normal(shape), seed=seed))


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (2, 3, 4, 5)])
@pytest.mark.parametrize(
    "layer",
    [layers.ReLU(), layers.LeakyReLU(), layers.LeakyReLU(0.2), layers.Sigmoid(), layers.Tanh()],
    ids=["relu", "leaky", "leaky 0.2", "sigmoid", "tanh"],
)
def test_activations(layer, shape, train):
    X = 3 * np.random.default_rng(len(shape)).standard_normal(shape)
    agrees(layer_errors(layer, X, train))
    agrees(layer_errors(layer, np.round(X), train))  # with zeros: the slope at the kink
    agrees(layer_errors(layer, 1000 * X, train))


@pytest.mark.parametrize("seed", range(25))
def test_softmax(seed):
    rng = np.random.default_rng(seed)
    X = rng.choice([1, 30, 1000]) * rng.standard_normal(rng.integers(1, 12, 2))
    agrees(layer_errors(layers.Softmax(), X))


@pytest.mark.parametrize("p", [0.0, 0.3, 0.9])
def test_dropout_with_a_given_mask(p):
    rng = np.random.default_rng(9)
    X, dY = rng.standard_normal((2, 6, 5, 4))
    layer = layers.Dropout(p)
    mask = layer.draw_mask(X.shape, rng)
    Y, backprop = layer.forward(X, mask=mask)
    X_torch = tensor(X, requires_grad=True)
    # PyTorch draws its own mask; where it keeps a number it divides by the same 1 - p.
    kept = F.dropout(torch.ones(100, dtype=torch.float64), p).max()
    Y_torch = X_torch * tensor(mask) * kept
    Y_torch.backward(tensor(dY))
    agrees({"Y": error(Y, Y_torch), "dX": error(backprop(dY), X_torch.grad)})
    Y, backprop = layer.forward(X, train=False)
    agrees({"Y": error(Y, F.dropout(tensor(X), p, training=False)), "dX": error(backprop(dY), dY)})


def test_flatten_and_reshape():
    """Whole networks, because only there the other order of a flattened image means something."""
    rng = np.random.default_rng(10)
    net = models_in_one(rng).astype(np.float64)
    agrees(network_errors(net, rng.standard_normal((3, 7, 8, 2)), rng))
    wrong, _ = parity.twin(net, rng.standard_normal((3, 7, 8, 2)))
    with torch.no_grad():  # negative control: without the other order the outputs differ
        wrong[4].weight.copy_(tensor(net[4].W.data.T))
    X = rng.standard_normal((3, 7, 8, 2))
    assert error(images_to_torch(net.forward(X)[0]), wrong(tensor(images_to_torch(X)))) > 1e-3


def models_in_one(rng):
    """Images to a vector and back to images of another size, with every kind of layer."""
    return Sequential(
        layers.Conv2d(2, 3, 3, padding=1, rng=rng), layers.BatchNorm2d(3), layers.LeakyReLU(0.2),
        layers.Flatten(), layers.Linear(7 * 8 * 3, 9, rng=rng), layers.BatchNorm1d(9),
        layers.Tanh(), layers.Linear(9, 4 * 3 * 5, rng=rng), layers.Reshape(4, 3, 5),
        layers.ConvTranspose2d(5, 2, (3, 2), 2, 1, (1, 0), rng=rng), layers.Sigmoid(),
    )  # fmt: skip


def network_errors(network, X, rng):
    """As layer_errors, for a network with Flatten and Reshape in it."""
    module, links = parity.twin(network, X)
    network.zero_grad()
    Y, backprop = network.forward(X)
    dY = rng.standard_normal(Y.shape)
    X_torch = tensor(images_to_torch(X), requires_grad=True)
    Y_torch = module(X_torch)
    Y_torch.backward(tensor(images_to_torch(dY)))
    errors = {
        "Y": error(images_to_torch(Y), Y_torch),
        "dX": error(images_to_torch(backprop(dY)), X_torch.grad),
    }
    assert len(links) == len(list(network.params()))
    return errors | {link.name: link.grad_error() for link in links}


# Losses


def loss_errors(ours, theirs, *inputs):
    """{what: difference}; ours: (value, gradients...); theirs: a function of tensors."""
    tensors = [tensor(A, requires_grad=True) for A in inputs]
    value = theirs(*tensors)
    value.backward()
    errors = {"value": error(np.asarray(ours[0]), value)}
    for i, (gradient, A) in enumerate(zip(ours[1:], tensors, strict=True)):
        errors[f"gradient {i}"] = error(gradient, A.grad)
    return errors


def draw_inputs(seed):
    """(rng, shape (n, ...), scale): from tiny numbers to ones whose exp overflows."""
    rng = np.random.default_rng([11, seed])
    shape = tuple(int(size) for size in rng.integers(1, 6, rng.integers(2, 5)))
    return rng, shape, float(rng.choice([1e-3, 1, 30, 1000]))


@pytest.mark.parametrize("seed", range(25))
def test_mse(seed):
    rng, shape, _ = draw_inputs(seed)
    Y, T = rng.standard_normal((2, *shape))
    theirs = lambda A: F.mse_loss(A, tensor(T), reduction="sum") / shape[0]  # noqa: E731
    agrees(loss_errors(losses.mse(Y, T), theirs, Y))


@pytest.mark.parametrize("seed", range(25))
def test_bce_with_logits(seed):
    rng, shape, scale = draw_inputs(seed)
    Z, T = scale * rng.standard_normal(shape), rng.random(shape)
    T = np.round(T) if seed % 2 else T
    bce = F.binary_cross_entropy_with_logits
    theirs = lambda A: bce(A, tensor(T), reduction="sum") / shape[0]  # noqa: E731
    agrees(loss_errors(losses.bce_with_logits(Z, T), theirs, Z))


@pytest.mark.parametrize("seed", range(25))
def test_cross_entropy(seed):
    rng, (n, k, *_), scale = draw_inputs(seed)
    Z, labels = scale * rng.standard_normal((n, k)), rng.integers(0, k, n)
    theirs = lambda A: F.cross_entropy(A, tensor(labels))  # noqa: E731
    agrees(loss_errors(losses.cross_entropy(Z, labels), theirs, Z))


def kl_torch(mu, logvar):
    """PyTorch's own KL between two normal distributions, summed over latents, mean over batch."""
    posterior = torch.distributions.Normal(mu, torch.exp(logvar / 2))
    prior = torch.distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu))
    return torch.distributions.kl_divergence(posterior, prior).sum() / len(mu)


@pytest.mark.parametrize("seed", range(25))
def test_gaussian_kl(seed):
    rng, (n, d, *_), scale = draw_inputs(seed)
    mu, logvar = rng.standard_normal((2, n, d)) * min(scale, 3)
    agrees(loss_errors(losses.gaussian_kl(mu, logvar), kl_torch, mu, logvar))


def test_a_wrong_loss_is_seen():
    """Negative control: KL without its half, BCE averaged over pixels."""
    rng = np.random.default_rng(0)
    mu, logvar = rng.standard_normal((2, 4, 3))
    wrong = [2 * part for part in losses.gaussian_kl(mu, logvar)]
    assert min(loss_errors(wrong, kl_torch, mu, logvar).values()) > 1e-3
    T = rng.random((4, 3))
    theirs = lambda A: F.binary_cross_entropy_with_logits(A, tensor(T))  # noqa: E731
    assert min(loss_errors(losses.bce_with_logits(mu, T), theirs, mu).values()) > 1e-3


# Models


@pytest.fixture(scope="module")
def digits():
    """Ten batches of four: pictures in 0..1, half of each of them background, and labels."""
    rng = np.random.default_rng(12)
    X = rng.random((10, 4, 28, 28, 1))
    X[..., :9, :, :] = 0
    X[..., :, 23:, :] = 0
    return X, rng.integers(0, 10, (10, 4))


@pytest.fixture(scope="module")
def sounds():
    """Ten batches of four standardised spectrograms, and the noise for each."""
    rng = np.random.default_rng(13)
    return rng.standard_normal((10, 4, 48, 48, 1)), rng.standard_normal((10, 4, 64))


def test_lenet5(digits):
    model = models.LeNet5(np.random.default_rng(1)).astype(np.float64)
    agrees(network_errors(model, digits[0][0], np.random.default_rng(2)))


def lenet5_twin(digits, seed=1):
    model = models.LeNet5(np.random.default_rng(seed)).astype(np.float64)
    module, links = parity.twin(model, digits[0][0])
    return model, module, links


def train_lenet5_torch(module, optimiser, digits, steps=10):
    for X, labels in zip(*(part[:steps] for part in digits), strict=True):
        optimiser.zero_grad()
        F.cross_entropy(module(tensor(images_to_torch(X))), tensor(labels)).backward()
        optimiser.step()


def train_lenet5(model, optimiser, digits, steps=10):
    return [
        float(lenet5.train_step(model, optimiser, X, labels)["loss"])
        for X, labels in zip(*(part[:steps] for part in digits), strict=True)
    ]


def test_ten_adam_steps_of_lenet5(digits):
    model, module, links = lenet5_twin(digits)
    before = [link.param.data.copy() for link in links]
    train_lenet5(model, optim.Adam(model.params()), digits)
    train_lenet5_torch(module, torch.optim.Adam(module.parameters()), digits)
    agrees({link.name: link.data_error() for link in links}, AFTER_TEN_STEPS)
    for link, start in zip(links, before, strict=True):
        assert np.abs(link.param.data - start).max() > 1e-3


@pytest.mark.parametrize(
    "wrong",
    [
        {"eps": 1e-7},
        {"betas": (0.91, 0.999)},
        {"betas": (0.9, 0.998)},
        {"lr": 1.0001e-3},
        {"t": 1000},
    ],
    ids=["eps", "first beta", "second beta", "lr", "no bias correction"],
)
def test_ten_steps_of_another_adam_differ(digits, wrong):
    model, module, links = lenet5_twin(digits)
    options = {name: value for name, value in wrong.items() if name != "t"}
    optimiser = optim.Adam(model.params(), **options)
    optimiser.t = wrong.get("t", 0)  # far along, both corrections are practically 1
    train_lenet5(model, optimiser, digits)
    train_lenet5_torch(module, torch.optim.Adam(module.parameters()), digits)
    assert max(link.data_error() for link in links) > 10 * AFTER_TEN_STEPS


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_ten_sgd_steps_of_lenet5(digits, momentum):
    model, module, links = lenet5_twin(digits)
    train_lenet5(model, optim.SGD(model.params(), lr=0.01, momentum=momentum), digits)
    theirs = torch.optim.SGD(module.parameters(), lr=0.01, momentum=momentum)
    train_lenet5_torch(module, theirs, digits)
    agrees({link.name: link.data_error() for link in links}, AFTER_TEN_STEPS)
    model, module, links = lenet5_twin(digits)
    train_lenet5(model, optim.SGD(model.params(), lr=0.01, momentum=momentum + 0.01), digits)
    train_lenet5_torch(module, torch.optim.SGD(module.parameters(), 0.01, momentum), digits)
    assert max(link.data_error() for link in links) > 10 * AFTER_TEN_STEPS


def vae_twin(X, model):
    """(encoder, decoder, links) of PyTorch for the VAE."""
    encoder, links = parity.twin(model.encoder, X)
    decoder, more = parity.twin(model.decoder, np.zeros((1, 64)))
    return encoder, decoder, links + more


def vae_loss_torch(encoder, decoder, X, T, noise, kl_weight=1.0):
    H = encoder(X)
    mu, logvar = H[:, :64], H[:, 64:]
    Z = decoder(mu + torch.exp(logvar / 2) * noise)
    bce = F.binary_cross_entropy_with_logits(Z, T, reduction="sum") / len(X)
    return Z, bce + kl_weight * kl_torch(mu, logvar), (mu, logvar)


@pytest.fixture(scope="module")
def vaes(sounds):
    """The VAE, and the same in PyTorch; a fixture, because it takes seconds to make."""
    model = models.VAE(np.random.default_rng(3)).astype(np.float64)
    return model, *vae_twin(sounds[0][0], model)


def test_vae_forward_and_every_gradient(vaes, sounds, digits):
    model, encoder, decoder, links = vaes
    X, noise, T = sounds[0][0], sounds[1][0], digits[0][0]
    for link in links:
        link.copy()
    model.zero_grad()
    (Z, mu, logvar), backprop = model.forward(X, noise)
    kl, dmu, dlogvar = losses.gaussian_kl(mu, logvar)
    bce, dZ = losses.bce_with_logits(Z, T)
    dX = backprop(dZ, dmu * 0.3, dlogvar * 0.3)
    X_torch = tensor(images_to_torch(X), requires_grad=True)
    Z_torch, loss, latent = vae_loss_torch(
        encoder, decoder, X_torch, tensor(images_to_torch(T)), tensor(noise), 0.3
    )
    loss.backward()
    assert len(links) == len(list(model.params()))
    agrees(
        {
            "Z": error(images_to_torch(Z), Z_torch),
            "mu": error(mu, latent[0]),
            "logvar": error(logvar, latent[1]),
            "loss": error(np.asarray(bce + 0.3 * kl), loss),
            "dX": error(images_to_torch(dX), X_torch.grad),
            **{link.name: link.grad_error() for link in links},
        }
    )


def vae_step_torch(encoder, decoder, optimiser, X, T, noise):
    """One step of PyTorch; the loss before it."""
    optimiser.zero_grad()
    X, T, noise = (tensor(images_to_torch(A)) for A in (X, T, noise))
    loss = vae_loss_torch(encoder, decoder, X, T, noise)[1]
    loss.backward()
    optimiser.step()
    return loss


def test_ten_adam_steps_of_the_vae(vaes, sounds, digits):
    model, encoder, decoder, links = vaes
    for link in links:
        link.copy()
    model.zero_grad()
    ours = optim.Adam(model.params())
    theirs = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], fused=True)
    start = links[0].param.data.copy()
    for X, noise, T in zip(*sounds, digits[0], strict=True):
        values = vae.train_step(model, ours, X, T, noise)
        loss = vae_step_torch(encoder, decoder, theirs, X, T, noise)
        agrees({"loss": error(np.asarray(values["loss"]), loss)}, AFTER_TEN_STEPS)
    agrees({link.name: link.data_error() for link in links}, AFTER_TEN_STEPS)
    assert np.abs(links[0].param.data - start).max() > 1e-3

    # Negative control: one more step, with noise that is a thousandth larger in PyTorch.
    vae.train_step(model, ours, X, T, noise)
    vae_step_torch(encoder, decoder, theirs, X, T, noise * (1 + 1e-3))
    assert any(link.data_error() > 10 * AFTER_TEN_STEPS for link in links)


# Initialisation


@pytest.mark.parametrize(
    ("make", "theirs"),
    [
        (lambda **g: layers.Linear(30, 4000, **g), lambda: nn.Linear(30, 4000)),
        (lambda **g: layers.Linear(1000, 2000, **g), lambda: nn.Linear(1000, 2000)),
        (lambda **g: layers.Conv2d(2, 3000, (3, 2), **g), lambda: nn.Conv2d(2, 3000, (3, 2))),
        (lambda **g: layers.Conv2d(5, 3000, 4, 2, 1, **g), lambda: nn.Conv2d(5, 3000, 4, 2, 1)),
        (
            lambda **g: layers.ConvTranspose2d(6, 3000, (3, 2), **g),
            lambda: nn.ConvTranspose2d(6, 3000, (3, 2)),
        ),
        (
            lambda **g: layers.ConvTranspose2d(7, 2500, 4, 2, 1, **g),
            lambda: nn.ConvTranspose2d(7, 2500, 4, 2, 1),
        ),
    ],
    ids=["linear", "wide linear", "conv", "strided conv", "transposed", "strided transposed"],
)
def test_torch_uniform_has_the_bounds_of_torchs_default(make, theirs):
    """Thousands of uniform numbers come within a percent of the bound that they were drawn from."""
    torch.manual_seed(0)
    layer, module = make(rng=np.random.default_rng(0), weights=init.torch_uniform), theirs()
    for ours, other in ((layer.W, module.weight), (layer.b, module.bias)):
        bounds = [np.abs(ours.data).max(), float(other.detach().abs().max())]
        assert bounds[0] == pytest.approx(bounds[1], rel=0.01)
        assert ours.data.std() == pytest.approx(bounds[1] / np.sqrt(3), rel=0.05)
    assert np.abs(make(rng=np.random.default_rng(0)).W.data).max() > 1.2 * bounds[1]  # He differs


# float32


def watch(model, seen):
    """Note the dtype of every number that passes through a layer of the model, either way."""
    for name, layer in model.walk():

        def forward(X, *args, name=name, plain=layer.forward, **arguments):
            Y, backprop = plain(X, *args, **arguments)
            outputs = Y if isinstance(Y, tuple) else (Y,)
            seen.update((name, "Y", A.dtype) for A in (X, *outputs))

            def watched(*gradients, **arguments):
                dX = backprop(*gradients, **arguments)
                arrays = [A for A in (*gradients, dX) if isinstance(A, np.ndarray)]
                seen.update((name, "dX", A.dtype) for A in arrays)
                return dX

            return Y, watched

        layer.forward = forward


def training_step(name, dtype):
    """(what one training step of a model returned, the optimiser, the dtypes seen on the way)."""
    rng = np.random.default_rng(0)
    X, T, noise = (
        rng.random(shape).astype(dtype) for shape in ((2, 48, 48, 1), (2, 28, 28, 1), (2, 64))
    )
    model = {"lenet5": models.LeNet5, "vae": models.VAE, "autoencoder": models.Autoencoder}[name]()
    model.astype(dtype)
    optimiser, seen = optim.Adam(model.params()), set()
    watch(model, seen)
    if name == "lenet5":
        values = lenet5.train_step(model, optimiser, T, np.array([3, 1]))
    elif name == "vae":
        values = vae.train_step(model, optimiser, X, T, noise, kl_weight=0.5)
    else:
        values = autoencoder.train_step(model, optimiser, X, T)
    return model, values, optimiser, seen


@pytest.mark.parametrize("name", ["lenet5", "vae", "autoencoder"])
def test_float32_in_float32_everywhere(name):
    model, values, optimiser, seen = training_step(name, np.float32)
    layers_with_outputs = {layer for layer, kind, _ in seen if kind == "Y"}
    assert layers_with_outputs == {layer for layer, _ in model.walk()}
    assert {kind for _, kind, _ in seen} == {"Y", "dX"}
    assert {dtype for *_, dtype in seen} == {np.dtype(np.float32)}
    arrays = [A for param in model.params() for A in (param.data, param.grad)]
    arrays += [optimiser.data, optimiser.grad, optimiser.m, optimiser.v, *values.values()]
    assert {np.asarray(A).dtype for A in arrays} == {np.dtype(np.float32)}
    assert all(A.dtype == np.float32 for A in model.state().values())


def test_the_watch_sees_float64():
    """Negative control, and float64 in, float64 everywhere."""
    _, values, optimiser, seen = training_step("lenet5", np.float64)
    assert {dtype for *_, dtype in seen} == {np.dtype(np.float64)}
    assert optimiser.m.dtype == values["loss"].dtype == np.float64


@pytest.mark.parametrize(
    "layer",
    [
        layers.BatchNorm2d(3), layers.AvgPool2d(2), layers.MaxPool2d(2), layers.LeakyReLU(0.2),
        layers.Sigmoid(), layers.Tanh(), layers.Softmax(), layers.Dropout(0.3),
        layers.ConvTranspose2d(3, 2, 3, 2, 1, 1), layers.Conv2d(3, 2, 3, 2, 1),
        layers.L2Normalize(),
    ],
    ids=lambda layer: type(layer).__name__,
)  # fmt: skip
@pytest.mark.parametrize("train", [True, False])
def test_every_other_layer_keeps_float32(layer, train):
    X = np.random.default_rng(0).standard_normal((2, 5, 4, 3)).astype(np.float32)
    mask = {"mask": np.ones(X.shape, bool)} if isinstance(layer, layers.Dropout) else {}
    Y, backprop = layer.forward(X, train=train, **mask)
    dX = backprop(np.ones_like(Y))
    assert Y.dtype == dX.dtype == np.float32
    assert all(p.grad.dtype == np.float32 for p in layer.params())
    assert all(getattr(layer, name).dtype == np.float32 for name in layer.buffers)


def test_losses_keep_float32():
    rng = np.random.default_rng(0)
    A, B = rng.random((2, 4, 3)).astype(np.float32)
    calls = (
        losses.mse(A, B), losses.bce_with_logits(A, B), losses.gaussian_kl(A, B),
        losses.cross_entropy(A, np.array([0, 1, 2, 0])), losses.info_nce(A @ B.T),
    )  # fmt: skip
    for parts in calls:
        assert {np.asarray(part).dtype for part in parts} == {np.dtype(np.float32)}
        assert np.ndim(parts[0]) == 0
