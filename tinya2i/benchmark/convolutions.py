"""Each convolution of the models in the way that `ops` takes, and in the plain way beside it."""

import statistics
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np

from tinya2i.benchmark.flops import shapes
from tinya2i.benchmark.steps import STEPS
from tinya2i.benchmark.timing import Contender, interleaved
from tinya2i.errors import RunError
from tinya2i.layers import Conv2d, ConvTranspose2d
from tinya2i.ops import banded, convolution, ways
from tinya2i.threads import own_cores

TOLERANCE = 1e-3  # of the largest number: float32 and other sums
Shape = tuple[int, ...]


def measure(
    names: list[str],
    batch_size: int,
    rounds: int,
    calls: int | None,
    announce: Callable[[str], None] = lambda text: None,
) -> list[dict[str, Any]]:
    """A row for each convolution of these steps that has a way of its own, JSON-able.

    {"step", "x", "y": the shapes that it maps from and to (a transposed one maps back), "way",
    "difference": the largest between the two, relative, and median seconds of "forward",
    "input_grad" and "weight_grad", each {"plain", "way"}, without "way" where that is the plain
    one}. RunError where the two differ.
    """
    rows = []
    for name in names:
        for layer, x, y in _convolutions(name):
            X, Y = np.empty((batch_size, *x), np.float32), np.empty((batch_size, *y), np.float32)
            way = ways.fastest(X, X.shape, Y.shape, layer.kernel, layer.stride)
            if way is convolution:
                continue
            row = {"step": name, "x": x, "y": y, "way": way.__name__.rsplit(".", 1)[1]}
            announce(f"{name}  {x} to {y}")
            rows.append({**row, **_compare(layer, X.shape, Y.shape, way, rounds, calls)})
    return rows


def _convolutions(name: str) -> Iterator[tuple[Conv2d | ConvTranspose2d, Shape, Shape]]:
    """(layer, x, y) of a step's networks, each of them once; x and y without the batch."""
    step = STEPS[name]
    passes = {id(way.network): way for way in step.ours(step.draw(2)).passes}.values()
    for way in passes:
        for layer, item_in, item_out in shapes(way.network, way.item):
            if isinstance(layer, Conv2d):
                yield layer, item_in, item_out
            elif isinstance(layer, ConvTranspose2d):
                yield layer, item_out, item_in


def _compare(
    layer: Conv2d | ConvTranspose2d,
    x: Shape,
    y: Shape,
    way: ModuleType,
    rounds: int,
    calls: int | None,
) -> dict[str, Any]:
    plain, its = _functions(layer, x, y, convolution), _functions(layer, x, y, way)
    result: dict[str, Any] = {"difference": 0.0}
    for name in plain:
        expected = plain[name]().copy()
        difference = float(np.abs(its[name]() - expected).max() / np.abs(expected).max())
        if not difference <= TOLERANCE:
            raise RunError(f"{name} of {x} to {y}: the two ways differ by {difference:.1e}")
        result["difference"] = max(difference, result["difference"])
        contenders = {"plain": Contender(plain[name], own_cores)}
        if name != "forward" or way.conv is not convolution.conv:
            contenders["way"] = Contender(its[name], own_cores)
        seconds = interleaved(contenders, rounds, calls)
        result[name] = {key: statistics.median(clocked) for key, clocked in seconds.items()}
    return result


def _functions(
    layer: Conv2d | ConvTranspose2d, x: Shape, y: Shape, module: ModuleType
) -> dict[str, Callable[[], np.ndarray]]:
    """The three functions of this module on the same numbers, in the order in memory it gets."""
    rng = np.random.default_rng(0)
    X, dY = (rng.standard_normal(shape, np.float32) for shape in (x, y))
    if module is banded:  # its own kind leaves the batch innermost, data comes as it is
        X, dY = (A if A.shape[3] == 1 else _batch_last(A) for A in (X, dY))
    W, geometry = layer.W.data, (layer.kernel, layer.stride, layer.padding)
    dW, b = np.empty_like(W), np.zeros(W.shape[1], W.dtype)

    def weight_grad() -> np.ndarray:
        module.conv_weight_grad(dW, False, X, dY, *geometry)
        return dW

    return {
        "forward": lambda: module.conv(X, W, b, *geometry),
        "input_grad": lambda: module.conv_input_grad(dY, W, None, x, *geometry),
        "weight_grad": weight_grad,
    }


def _batch_last(A: np.ndarray) -> np.ndarray:
    return A.transpose(1, 2, 3, 0).copy().transpose(3, 0, 1, 2)


def lines(rows: list[dict[str, Any]]) -> list[str]:
    """The rows for a person: milliseconds, plain and in its way."""
    text = [f"{'milliseconds: plain, its way':54}{'forward':>16}{'dX':>16}{'dW':>16}"]
    for row in rows:
        ends = " -> ".join("x".join(map(str, row[end])) for end in ("x", "y"))
        times = (row[key] for key in ("forward", "input_grad", "weight_grad"))
        cells = (f"{1e3 * t['plain']:8.2f}{_way(t):>8}" for t in times)
        text.append(f"{row['step']:9}{ends:31}{row['way']:14}{''.join(cells)}")
    return text


def _way(seconds: dict[str, float]) -> str:
    return f"{1e3 * seconds['way']:.2f}" if "way" in seconds else "-"
