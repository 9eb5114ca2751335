"""How the cost of a training step grows with the batch and with the threads, ours and PyTorch's."""

import json
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from tinya2i.benchmark import process
from tinya2i.benchmark.compare import pytorch_side, ratio
from tinya2i.benchmark.memory import OURS
from tinya2i.benchmark.steps import STEPS
from tinya2i.benchmark.timing import Contender, interleaved, set_threads
from tinya2i.threads import own_cores, thread_count


def measure(
    names: Iterable[str],
    batch_sizes: Iterable[int],
    batch_size: int,
    rounds: int,
    calls: int | None,
    announce: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """{step: {"batch": points, "threads": points}}, JSON-able; a point is what `point` returns.

    "batch": at all threads; "threads": 1, 2, 4, ... to all of them, at batch_size. Each point is
    measured in a process of its own, because libraries keep the threads that they once had.
    """
    most, results = thread_count(), {}
    for name in names:

        def at(size: int, threads: int, name: str = name) -> dict[str, Any]:
            announce(f"{name}  batch {size}  threads {threads}")
            return process.answer(__name__, name, size, threads, rounds, calls or 0)

        results[name] = {
            "batch": [at(size, most) for size in batch_sizes],
            "threads": [at(batch_size, threads) for threads in counts(most)],
        }
    return results


def counts(most: int) -> list[int]:
    """1, 2, 4, ... and most."""
    return sorted({*(2**i for i in range(most.bit_length())), most})


def point(
    name: str, batch_size: int, threads: int, rounds: int, calls: int | None
) -> dict[str, Any]:
    """Median seconds a step: "ours", of each of PyTorch's configurations, and the best of these.

    ratio = ours / best PyTorch. For a fresh process.
    """
    set_threads(threads)
    batch = STEPS[name].draw(batch_size)
    contenders = {OURS: Contender(STEPS[name].ours(batch).step, own_cores)}
    if (pytorch := pytorch_side()) is not None:
        for configuration, how in pytorch.CONFIGURATIONS.items():
            contenders[configuration] = Contender(pytorch.STEPS[name](batch, how).step)
    seconds = interleaved(contenders, rounds, calls)
    medians = {each: statistics.median(clocked) for each, clocked in seconds.items()}
    return {"batch_size": batch_size, "threads": threads, **ratio(medians)}


def lines(result: dict[str, Any]) -> list[str]:
    """The points for a person."""
    rows = []
    for name, step in result.items():
        head = f"{'ours':>12}{'an example':>13}{'PyTorch':>13}{'an example':>13}{'ratio':>8}"
        for axis, key in (("batch", "batch_size"), ("threads", "threads")):
            rows += ["", f"{f'{name}, {axis}':16}{head}"]
            rows += [_row(f"{at[key]}", at) for at in step[axis]]
    return rows


def _row(label: str, at: dict[str, Any]) -> str:
    best, n = at["pytorch"].get(at["best_pytorch"]), at["batch_size"]
    text = f"{label:>16}{at['ours'] * 1e3:9.2f} ms{at['ours'] / n * 1e6:10.1f} us"
    if best is None:
        return text
    return f"{text}{best * 1e3:10.2f} ms{best / n * 1e6:10.1f} us{at['ratio']:8.2f}"


def plot(result: dict[str, Any], path: str | Path) -> None:
    """A row for each step: time an example over the batch, time a step over the threads. A PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 2.7 * len(result)), dpi=135, layout="constrained")
    grid = figure.subplots(len(result), 2, squeeze=False)
    for (name, step), (left, right) in zip(result.items(), grid, strict=True):
        left.set(xscale="log", yscale="log")
        left.minorticks_off()
        left.set_title(f"{name}: ms an example", fontsize=9)
        _draw(left, step["batch"], "batch_size", lambda at: 1e3 / at["batch_size"])
        size = step["threads"][0]["batch_size"]
        right.set_title(f"{name}: ms a step of {size}", fontsize=9)
        _draw(right, step["threads"], "threads", lambda at: 1e3)
        right.set_ylim(0)
    figure.savefig(path, format="png", metadata={"Software": None})


def _draw(axes: Any, points: Sequence[dict[str, Any]], key: str, scale: Callable) -> None:
    sides = {"tinya2i": lambda at: at["ours"]}
    if points[0]["best_pytorch"]:
        sides["PyTorch, best of four"] = lambda at: at["pytorch"][at["best_pytorch"]]
    X = [at[key] for at in points]
    for label, seconds in sides.items():
        axes.plot(X, [seconds(at) * scale(at) for at in points], "o-", ms=3, label=label)
    axes.set_xticks(X, [str(x) for x in X])
    axes.set_xlabel(key.replace("_", " "), fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=7, frameon=False)


if __name__ == "__main__":
    step, *numbers = sys.argv[1:]
    size, threads, rounds, calls = map(int, numbers)
    print(json.dumps(point(step, size, threads, rounds, calls or None)))
