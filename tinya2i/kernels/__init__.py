"""Fused kernels for arrays on a GPU: each does in one pass what plain array code does in several.

Each function equals the one of `ops`, or the layer's formula, that its docstring names. The CUDA
source is kernels.cu, compiled at the first launch for float32 and for float64. The caller asks
`usable` and keeps its plain code below, as the definition of what the kernel must do:

    if kernels.usable(X):
        return kernels.column_sum(X)

Nothing here makes the host wait or copies from it, except `adam_clock`.
"""

from tinya2i.kernels.adam import LR, T, adam, adam_clock
from tinya2i.kernels.columns import column_sum
from tinya2i.kernels.launch import usable
from tinya2i.kernels.norm import (
    batch_statistics,
    batchnorm,
    batchnorm_input_grad,
    batchnorm_param_grads,
)
from tinya2i.kernels.windows import col2im, im2col

__all__ = [
    "LR", "T", "adam", "adam_clock", "batch_statistics", "batchnorm", "batchnorm_input_grad",
    "batchnorm_param_grads", "col2im", "column_sum", "im2col", "usable",
]  # fmt: skip
