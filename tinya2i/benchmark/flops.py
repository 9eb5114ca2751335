"""How much arithmetic a training step needs, counted from the shapes of its layers.

Only matrix products count, as is usual; of the rest, Adam is the most.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from tinya2i.layer import Layer, Sequential
from tinya2i.layers import Conv2d, ConvTranspose2d, Linear

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Pass:
    """A batch goes once through a network and back; which gradients the way back computes.

    item is the shape of one input. input_grad=False is the first layer's saving: nobody asks how
    the loss changes with the data. forward=False: a second way back of a pass that is counted.
    """

    network: Sequential
    item: Shape
    forward: bool = True
    weight_grad: bool = True
    input_grad: bool = True


def step_flops(passes: Iterable[Pass], n: int) -> int:
    """sum over passes and layers of n * product * ([forward] + [weight grad] + [input grad])

    Each of the three has as many multiplications and additions as the others.
    """
    total = 0
    for way in passes:
        for i, (layer, item_in, item_out) in enumerate(shapes(way.network, way.item)):
            products = way.forward + way.weight_grad + (way.input_grad or i > 0)
            total += n * products * forward_flops(layer, item_in, item_out)
    return total


def forward_flops(layer: Layer, item_in: Shape, item_out: Shape) -> int:
    """2 * pixels * W.size for one item: a multiplication and an addition for each use of a weight.

    A convolution uses all its weights at each output pixel, a transposed one at each input pixel,
    a linear layer once; other layers have no products.
    """
    if isinstance(layer, ConvTranspose2d):
        return 2 * math.prod(item_in[:-1]) * layer.W.data.size
    if isinstance(layer, (Conv2d, Linear)):
        return 2 * math.prod(item_out[:-1]) * layer.W.data.size
    return 0


def shapes(network: Sequential, item: Shape) -> Iterator[tuple[Layer, Shape, Shape]]:
    """(layer, shape of one input, shape of one output), ... found by sending one item through."""
    X = np.zeros((1, *item), np.float32)
    for layer in network.layers:
        Y = layer(X)
        yield layer, X.shape[1:], Y.shape[1:]
        X = Y
