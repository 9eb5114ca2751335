"""The layers, one idea per file."""

from tinya2i.layers.activations import LeakyReLU, ReLU, Sigmoid, Softmax, Tanh
from tinya2i.layers.compare import PairwiseDistance, Similarity
from tinya2i.layers.conv import Conv2d, ConvTranspose2d
from tinya2i.layers.dropout import Dropout
from tinya2i.layers.linear import Linear
from tinya2i.layers.norm import BatchNorm1d, BatchNorm2d
from tinya2i.layers.normalize import L2Normalize
from tinya2i.layers.pool import AvgPool2d, MaxPool2d
from tinya2i.layers.shape import Flatten, Reshape

__all__ = [
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv2d",
    "ConvTranspose2d",
    "Dropout",
    "Flatten",
    "L2Normalize",
    "LeakyReLU",
    "Linear",
    "MaxPool2d",
    "PairwiseDistance",
    "ReLU",
    "Reshape",
    "Sigmoid",
    "Similarity",
    "Softmax",
    "Tanh",
]
