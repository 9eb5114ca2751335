"""One training step, ours and PyTorch's: are they the same, how fast, how much memory."""

import statistics
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from tinya2i.benchmark.flops import step_flops
from tinya2i.benchmark.memory import OURS, peak_memory
from tinya2i.benchmark.steps import STEPS, Ours
from tinya2i.benchmark.timing import Contender, interleaved
from tinya2i.errors import RunError
from tinya2i.threads import own_cores, thread_count

LOSS_TOLERANCE = 1e-4  # relative
# Of what one step changes the loss by. Adam divides each gradient by its own size, so where one is
# nothing but rounding errors the two sides move apart.
CHANGE_TOLERANCE = 0.05


def pytorch_side() -> ModuleType | None:
    """`tinya2i.benchmark.pytorch`, set to as many threads as we use; None without PyTorch."""
    try:
        import torch
    except ImportError:
        return None
    from tinya2i.benchmark import pytorch

    torch.set_num_threads(thread_count())
    return pytorch


def compare(
    name: str,
    batch_size: int,
    rounds: int,
    calls: int | None,
    rate: float,
    announce: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """What is known of one step, JSON-able: seconds are medians, but those under "minimum".

    rate is the machine's sgemm FLOP/s, of which "sgemm_fraction" is our part and
    "pytorch_sgemm_fraction" that of PyTorch's best configuration. ratio = ours / best PyTorch.
    RunError where the two sides do not compute the same. That `own_cores` keeps freed memory
    holds for all of the process, so for PyTorch's turns too.
    """
    step, pytorch = STEPS[name], pytorch_side()
    batch = step.draw(batch_size)
    ours = step.ours(batch)
    theirs = {}
    if pytorch is not None:
        for configuration, how in pytorch.CONFIGURATIONS.items():
            theirs[configuration] = pytorch.STEPS[name](batch, how)
            pytorch.copy_weights(ours.passes, theirs[configuration])
    announce("the same losses?")
    difference = loss_difference(name, ours, theirs)
    contenders = {OURS: Contender(ours.step, own_cores)}
    contenders |= {configuration: Contender(side.step) for configuration, side in theirs.items()}
    seconds = interleaved(contenders, rounds, calls, announce)
    flops = step_flops(ours.passes, batch_size)
    result = summary(seconds, flops, rate)
    announce("peak memory")
    sides = {"ours": OURS, "pytorch": result["best_pytorch"]}
    result["peak_memory"] = {
        key: side and peak_memory(name, side, batch_size, thread_count())
        for key, side in sides.items()
    }
    return {**result, "loss_difference": difference}


def loss_difference(name: str, ours: Ours, theirs: Mapping[str, Any]) -> float | None:
    """max |ours - PyTorch's| / |PyTorch's| over the losses of the first step; None without it.

    RunError above LOSS_TOLERANCE, or where the second step's loss, which has felt the first one's
    gradients and Adam, has changed by something else. It takes these steps: call it first.
    """
    with own_cores():
        mine = [float(ours.step()) for _ in range(2)]
    worst = None
    for configuration, side in theirs.items():
        losses = [float(side.step()) for _ in range(2)]
        error = abs(mine[0] - losses[0]) / abs(losses[0])
        change = losses[1] - losses[0]
        drift = abs(mine[1] - mine[0] - change) / abs(change or 1)
        # "not <=" rather than ">", which NaN would pass.
        if not (error <= LOSS_TOLERANCE and drift <= CHANGE_TOLERANCE):
            raise RunError(
                f"{name}: from equal weights our losses are {mine}, PyTorch's ({configuration}) "
                f"{losses}: the two do not compute the same, so nothing was timed"
            )
        worst = max(error, worst or 0.0)
    return worst


def summary(seconds: Mapping[str, list[float]], flops: int, rate: float) -> dict[str, Any]:
    """Medians, minima, ratios, and parts of the sgemm rate, from all clocked calls."""
    medians = ratio({name: statistics.median(s) for name, s in seconds.items()})
    best = medians["best_pytorch"]
    return {
        **medians,
        "minimum": ratio({name: min(s) for name, s in seconds.items()}),
        "flops": flops,
        "sgemm_fraction": flops / medians["ours"] / rate,
        "pytorch_sgemm_fraction": best and flops / medians["pytorch"][best] / rate,
        "calls": {name: len(s) for name, s in seconds.items()},
    }


def ratio(times: dict[str, float]) -> dict[str, Any]:
    """{"ours", "pytorch", "best_pytorch", "ratio"} of seconds by contender; ratio = ours / best."""
    pytorch = {name: value for name, value in times.items() if name != OURS}
    best = min(pytorch, key=pytorch.__getitem__, default=None)
    quotient = best and times[OURS] / pytorch[best]
    return {"ours": times[OURS], "pytorch": pytorch, "best_pytorch": best, "ratio": quotient}
