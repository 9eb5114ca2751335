"""Converters between our layouts and PyTorch's, and PyTorch twins of our networks.

    images             (n, h, w, c)              <->  (n, c, h, w)
    convolution        (kh*kw*c_in, c_out)       <->  (c_out, c_in, kh, kw)
    its transpose      (kh*kw*c_out, c_in)       <->  (c_in, c_out, kh, kw)
    linear             (i, o)                    <->  (o, i)
    flattened image    in the order h, w, c      <->  in the order c, h, w

Both convolutions are one pair of functions: a matrix (kh*kw*a, b) is a tensor (b, a, kh, kw).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn.utils import skip_init

from tinya2i import layers
from tinya2i.layer import Layer, Param, Sequential

Function = Callable[[np.ndarray], np.ndarray]


def images_to_torch(X):
    """(n, h, w, c) -> (n, c, h, w); anything that is not a picture stays as it is."""
    return np.ascontiguousarray(X.transpose(0, 3, 1, 2)) if X.ndim == 4 else X


def images_from_torch(X):
    """(n, c, h, w) -> (n, h, w, c); anything that is not a picture stays as it is."""
    return np.ascontiguousarray(X.transpose(0, 2, 3, 1)) if X.ndim == 4 else X


def kernel_to_torch(W, kernel):
    """(kh*kw*a, b) -> (b, a, kh, kw): a convolution's weights, or a transposed one's."""
    kh, kw = kernel
    return W.reshape(kh, kw, -1, W.shape[1]).transpose(3, 2, 0, 1)


def kernel_from_torch(weight):
    """(b, a, kh, kw) -> (kh*kw*a, b): a convolution's weights, or a transposed one's."""
    b, a, kh, kw = weight.shape
    return weight.transpose(2, 3, 1, 0).reshape(kh * kw * a, b)


def flat_to_torch(A, axis, shape):
    """Put one axis, a flattened image (h, w, c), into PyTorch's order c, h, w."""
    h, w, c = shape
    return np.take(A, np.arange(h * w * c).reshape(h, w, c).transpose(2, 0, 1).ravel(), axis)


def flat_from_torch(A, axis, shape):
    """Put one axis, a flattened image of PyTorch's (c, h, w), into our order h, w, c."""
    h, w, c = shape
    return np.take(A, np.arange(h * w * c).reshape(c, h, w).transpose(1, 2, 0).ravel(), axis)


def linear_to_torch(W, inputs=None, outputs=None):
    """(i, o) -> (o, i); inputs, outputs: the shape (h, w, c) where that side is an image."""
    W = W if inputs is None else flat_to_torch(W, 0, inputs)
    W = W if outputs is None else flat_to_torch(W, 1, outputs)
    return W.T


def linear_from_torch(weight, inputs=None, outputs=None):
    """(o, i) -> (i, o), undoing linear_to_torch."""
    W = weight.T
    W = W if inputs is None else flat_from_torch(W, 0, inputs)
    return W if outputs is None else flat_from_torch(W, 1, outputs)


@dataclass(frozen=True)
class Link:
    """One of our parameters, PyTorch's tensor for it, and the way from our layout to that one."""

    name: str
    param: Param
    tensor: torch.Tensor
    to_torch: Function

    def copy(self):
        """Give PyTorch our numbers."""
        with torch.no_grad():
            self.tensor.copy_(torch.from_numpy(np.array(self.to_torch(self.param.data))))

    def data_error(self):
        return error(self.to_torch(self.param.data), self.tensor)

    def grad_error(self):
        return error(self.to_torch(self.param.grad), self.tensor.grad)


def error(ours, theirs):
    """max |a - b| / (1 + |b|): below t, a and b agree to t, absolute plus relative."""
    theirs = np.asarray(theirs.detach() if isinstance(theirs, torch.Tensor) else theirs)
    assert np.shape(ours) == theirs.shape
    assert ours.dtype == theirs.dtype
    worst = 0.0
    for a, b in _blocks(ours, theirs):  # in the cache; whole arrays would be ten times slower
        assert np.isfinite(a).all()
        assert np.isfinite(b).all()
        worst = max(worst, float((np.abs(a - b) / (1 + np.abs(b))).max(initial=0)))
    return worst


def _blocks(A, B, numbers=1 << 17):
    """(part of A, the same part of B), ..., cut along the first axis."""
    A, B = np.atleast_1d(A), np.atleast_1d(B)
    rows = max(8, numbers * len(A) // max(1, A.size))
    return ((A[i : i + rows], B[i : i + rows]) for i in range(0, len(A), rows))


def _plain(A):
    return A


def _convolution(layer, kind):
    """kind(...) of PyTorch for a convolution of ours, plain or transposed."""
    a, b = layer.W.data.shape[0] // np.prod(layer.kernel), layer.W.data.shape[1]
    extra = {}
    if kind is nn.ConvTranspose2d:
        extra["output_padding"] = layer.output_padding
        channels = (b, a)
    else:
        channels = (a, b)
    shape = (*map(int, channels), layer.kernel, layer.stride, layer.padding)
    module = skip_init(kind, *shape, dtype=torch.float64, **extra)
    links = [
        Link("W", layer.W, module.weight, lambda W: kernel_to_torch(W, layer.kernel)),
        Link("b", layer.b, module.bias, _plain),
    ]
    return module, links


def _linear(layer, inputs=None, outputs=None):
    module = skip_init(nn.Linear, *layer.W.data.shape, dtype=torch.float64)
    links = [
        Link("W", layer.W, module.weight, lambda W: linear_to_torch(W, inputs, outputs)),
        Link(
            "b",
            layer.b,
            module.bias,
            _plain if outputs is None else lambda b: flat_to_torch(b, 0, outputs),
        ),
    ]
    return module, links


def _batch_norm(layer):
    kind = nn.BatchNorm1d if isinstance(layer, layers.BatchNorm1d) else nn.BatchNorm2d
    module = kind(len(layer.mean), layer.eps, layer.momentum, dtype=torch.float64)
    with torch.no_grad():
        module.running_mean.copy_(torch.from_numpy(layer.mean))
        module.running_var.copy_(torch.from_numpy(layer.var))
    links = [
        Link("gamma", layer.gamma, module.weight, _plain),
        Link("beta", layer.beta, module.bias, _plain),
    ]
    return module, links


class _Unflatten(nn.Module):
    """(n, c*h*w) -> (n, c, h, w)."""

    def __init__(self, shape):
        super().__init__()
        self.shape = shape

    def forward(self, X):
        h, w, c = self.shape
        return X.reshape(len(X), c, h, w)


class _Normalize(nn.Module):
    """X / sqrt(|X|^2 + eps^2)."""

    def __init__(self, eps):
        super().__init__()
        self.eps = eps

    def forward(self, X):
        return X / torch.sqrt((X * X).sum(dim=-1, keepdim=True) + self.eps**2)


def module_of(layer: Layer, inputs=None, outputs=None):
    """(PyTorch's module for one layer of ours with anything in it, its links)."""
    if isinstance(layer, layers.Conv2d):
        return _convolution(layer, nn.Conv2d)
    if isinstance(layer, layers.ConvTranspose2d):
        return _convolution(layer, nn.ConvTranspose2d)
    if isinstance(layer, layers.Linear):
        return _linear(layer, inputs, outputs)
    if isinstance(layer, layers.BatchNorm2d):
        return _batch_norm(layer)
    make = {
        layers.MaxPool2d: lambda: nn.MaxPool2d(layer.kernel, layer.stride),
        layers.AvgPool2d: lambda: nn.AvgPool2d(layer.kernel, layer.stride),
        layers.ReLU: nn.ReLU,
        layers.LeakyReLU: lambda: nn.LeakyReLU(layer.slope),
        layers.Sigmoid: nn.Sigmoid,
        layers.Tanh: nn.Tanh,
        layers.Softmax: lambda: nn.Softmax(dim=-1),
        layers.Flatten: nn.Flatten,
        layers.L2Normalize: lambda: _Normalize(layer.eps),
        layers.Reshape: lambda: _Unflatten(layer.shape),
    }
    return make[type(layer)](), []


def twin(network: Sequential, X: np.ndarray):
    """(nn.Sequential equal to a float64 network of ours, its links), for inputs like X.

    A Linear behind Flatten or before Reshape has one side in the order h, w, c: such weights are
    permuted.
    """
    modules, links, flattened = [], [], None
    for i, layer in enumerate(network.layers):
        after = network.layers[i + 1] if i + 1 < len(network) else None
        outputs = after.shape if isinstance(after, layers.Reshape) else None
        module, new = module_of(layer, flattened, outputs)
        modules.append(module)
        links += [Link(f"{i}.{n.name}", n.param, n.tensor, n.to_torch) for n in new]
        flattened = X.shape[1:] if isinstance(layer, layers.Flatten) else None
        X = layer(X)
    for link in links:
        link.copy()
    return nn.Sequential(*modules), links
