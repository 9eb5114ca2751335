"""tinya2i: you say "seven", it draws a seven. Every gradient is written by hand.

A small NumPy/CuPy library (layers, losses, optimisers, sound, data) and, built on it, the
audio-to-image models of Zelaszczyk and Mandziuk (arXiv 2109.13354).
"""

from tinya2i import init, layers, losses, models, ops, optim
from tinya2i.backend import array_module, to_device, to_numpy
from tinya2i.layer import Layer, Param, Sequential

__version__ = "0.1.0"

__all__ = [
    "Layer",
    "Param",
    "Sequential",
    "array_module",
    "init",
    "layers",
    "losses",
    "models",
    "ops",
    "optim",
    "to_device",
    "to_numpy",
]
