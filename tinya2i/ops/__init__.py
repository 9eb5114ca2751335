"""Pure array functions that the layers are made of; the same code on NumPy and CuPy."""

from tinya2i.ops.convolution import columns_by_tap
from tinya2i.ops.functions import elementwise, log_softmax, same_shape, sigmoid, softplus
from tinya2i.ops.products import add_matmul, column_sum, column_sums, matmul
from tinya2i.ops.ways import conv, conv_input_grad, conv_weight_grad
from tinya2i.ops.windows import (
    Pair,
    add_taps,
    col2im,
    im2col,
    out_size,
    out_sizes,
    pad,
    pair,
    windows,
)

__all__ = [
    "Pair", "add_matmul", "add_taps", "col2im", "column_sum", "column_sums", "columns_by_tap",
    "conv", "conv_input_grad", "conv_weight_grad", "elementwise", "im2col", "log_softmax", "matmul",
    "out_size", "out_sizes", "pad", "pair", "same_shape", "sigmoid", "softplus", "windows",
]  # fmt: skip
