"""Convolution and transposed convolution: one linear map and its adjoint.

Both keep their weights as the matrix of the convolution, (kh*kw*c, d): Conv2d maps c channels to d,
ConvTranspose2d runs the same map backwards, from d channels to c. So the forward of one is the
input gradient of the other (Dumoulin and Visin 2016, chapter 4).
"""

import numpy as np

from tinya2i import init, ops
from tinya2i.backend import Array
from tinya2i.layer import Backprop, Layer, Param
from tinya2i.ops import Pair


class Conv2d(Layer):
    """Y[n,y,x,d] = b[d] + sum over i,j,c of X[n, y*s+i-p, x*s+j-p, c] W[i,j,c,d]

    X (n, h, w, c_in) -> Y (n, oh, ow, c_out), oh = floor((h + 2p - k) / s) + 1. W is stored as
    (kh*kw*c_in, c_out). kernel, stride and padding are a number or a pair (height, width).
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int | Pair,
        stride: int | Pair = 1,
        padding: int | Pair = 0,
        rng: np.random.Generator | None = None,
        weights: init.Init = init.he,
    ):
        rng = np.random.default_rng(0) if rng is None else rng
        self.kernel, self.stride, self.padding = map(ops.pair, (kernel, stride, padding))
        taps = self.kernel[0] * self.kernel[1]
        self.W = Param(weights(rng, (taps * c_in, c_out), taps * c_in, taps * c_out))
        self.b = Param(init.bias(rng, c_out, taps * c_in, weights))

    def forward(self, X: Array, train: bool = True) -> tuple[Array, Backprop]:
        W, b = self.W, self.b
        geometry = (self.kernel, self.stride, self.padding)

        def backprop(dY: Array, accumulate: bool = True, input_grad: bool = True) -> Array:
            if accumulate:
                ops.conv_weight_grad(*W.open_grad(), X, dY, *geometry)
                b.grad += ops.column_sum(dY)
            if not input_grad:
                return None
            return ops.conv_input_grad(dY, W.data, None, X.shape, *geometry)

        return ops.conv(X, W.data, b.data, *geometry), backprop


class ConvTranspose2d(Layer):
    """Y[n, y*s+i-p, x*s+j-p, c] += X[n,y,x,d] W[i,j,c,d] over all y,x,i,j,d;  then + b[c]

    X (n, h, w, c_in) -> Y (n, oh, ow, c_out), oh = (h - 1) s - 2p + k + output_padding. W is stored
    as (kh*kw*c_out, c_in), the matrix of the convolution whose adjoint this is. output_padding
    (below the stride) chooses among the output sizes that such a convolution maps to h.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int | Pair,
        stride: int | Pair = 1,
        padding: int | Pair = 0,
        output_padding: int | Pair = 0,
        rng: np.random.Generator | None = None,
        weights: init.Init = init.he,
    ):
        rng = np.random.default_rng(0) if rng is None else rng
        self.kernel, self.stride, self.padding = map(ops.pair, (kernel, stride, padding))
        self.output_padding = ops.pair(output_padding)
        if any(extra >= s for extra, s in zip(self.output_padding, self.stride, strict=True)):
            raise ValueError(f"output_padding {output_padding} must be below the stride {stride}")
        kh, kw = self.kernel
        # An output pixel sums over about taps / stride^2 of the windows that reach it.
        fan_in = max(1, kh * kw * c_in // (self.stride[0] * self.stride[1]))
        if weights is init.torch_uniform:
            fan_in = kh * kw * c_out  # PyTorch takes the fan of the stored (c_in, c_out, kh, kw)
        self.W = Param(weights(rng, (kh * kw * c_out, c_in), fan_in, kh * kw * c_out))
        self.b = Param(init.bias(rng, c_out, fan_in, weights))

    def output_size(self, h: int, w: int) -> Pair:
        """(h - 1) s - 2p + k + output_padding, along both axes."""
        geometry = zip(
            (h, w), self.kernel, self.stride, self.padding, self.output_padding, strict=True
        )
        oh, ow = ((size - 1) * s - 2 * p + k + extra for size, k, s, p, extra in geometry)
        if oh < 1 or ow < 1:
            raise ValueError(f"padding {self.padding} leaves no output of {h} x {w} pixels")
        return oh, ow

    def forward(self, X: Array, train: bool = True) -> tuple[Array, Backprop]:
        W, b = self.W, self.b
        geometry = (self.kernel, self.stride, self.padding)
        n, h, w, _ = X.shape

        def backprop(dY: Array, accumulate: bool = True, input_grad: bool = True) -> Array:
            if accumulate:
                ops.conv_weight_grad(*W.open_grad(), dY, X, *geometry)
                b.grad += ops.column_sum(dY)
            return ops.conv(dY, W.data, None, *geometry) if input_grad else None

        shape = (n, *self.output_size(h, w), len(b.data))
        return ops.conv_input_grad(X, W.data, b.data, shape, *geometry), backprop
