"""The same comparison on a GPU: ours on CuPy against PyTorch on CUDA, eager and compiled.

A GPU works through a queue, and whoever adds to it goes on before the work is done. So what is
clocked is a burst of steps with an empty queue at both ends.
"""

import functools
import time
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any

import numpy as np

from tinya2i import ops
from tinya2i.benchmark.compare import loss_difference, pytorch_side, summary
from tinya2i.benchmark.flops import step_flops
from tinya2i.benchmark.memory import OURS
from tinya2i.benchmark.steps import STEPS, Batch, Ours
from tinya2i.benchmark.timing import SQUARES, Contender, interleaved
from tinya2i.kernels import cublas

BURST = 25  # steps


def compare(
    name: str,
    batch_size: int,
    rounds: int,
    calls: int | None,
    rate: float,
    announce: Callable[[str], None] = lambda text: None,
    *,
    xp: ModuleType,
    tf32: bool = False,
) -> dict[str, Any]:
    """As `compare.compare`, on the GPU of xp, where a call is a burst; memory is not measured.

    Both sides multiply in float32, or in TF32 where tf32. That they compute the same is checked in
    float32 first, where it shows best. "left_out" says which configurations PyTorch cannot run.
    """
    step, pytorch = STEPS[name], pytorch_side()
    batch = step.draw(batch_size)
    known, ours = step.ours(batch), step.ours(batch, xp)  # the same weights; one on the CPU
    set_tf32(False, xp, pytorch)
    announce("the same losses?")
    theirs, left_out, difference = {}, {}, None
    if pytorch is not None:
        theirs, left_out, difference = _theirs(name, batch, known, pytorch, xp)
    set_tf32(tf32, xp, pytorch)
    contenders = {OURS: Contender(burst(ours.step, xp.cuda.Device().synchronize))}
    for configuration, side in theirs.items():
        contenders[configuration] = Contender(burst(side.step, pytorch.torch.cuda.synchronize))
    bursts = interleaved(contenders, rounds, calls, announce)
    seconds = {side: [clocked / BURST for clocked in each] for side, each in bursts.items()}
    return {
        **summary(seconds, step_flops(known.passes, batch_size), rate),
        "peak_memory": {"ours": None, "pytorch": None},
        "left_out": left_out,
        "loss_difference": difference,
    }


def burst(step: Callable[[], object], wait: Callable[[], object]) -> Callable[[], None]:
    """BURST steps, and then wait until the GPU has done them."""

    def call() -> None:
        for _ in range(BURST):
            step()
        wait()

    return call


def sgemm_rate(xp: ModuleType, squares: Iterable[int] = SQUARES) -> float:
    """max over n of 2 n^3 / seconds: FLOP/s of the library's product of two n x n matrices."""
    rng, best = np.random.default_rng(0), 0.0
    for n in squares:
        A, B = (xp.asarray(rng.random((n, n), np.float32)) for _ in range(2))
        call = burst(functools.partial(ops.matmul, A, B), xp.cuda.Device().synchronize)
        call()
        start = time.perf_counter()
        call()
        best = max(best, BURST * 2 * n**3 / (time.perf_counter() - start))
    return best


def set_tf32(on: bool, xp: ModuleType, pytorch: ModuleType | None) -> None:
    """Products and convolutions of float32 on both sides in TF32, or in float32."""
    cublas.set_tf32(on, xp)
    if pytorch is not None:
        pytorch.torch.backends.cuda.matmul.allow_tf32 = on
        pytorch.torch.backends.cudnn.allow_tf32 = on


def configurations(pytorch: ModuleType) -> Mapping[str, Any]:
    """What PyTorch is given to choose from: its default, and what is recommended for speed."""
    layouts = pytorch.torch.contiguous_format, pytorch.torch.channels_last
    on_gpu = functools.partial(pytorch.Configuration, device="cuda")
    return {
        "eager, plain Adam": on_gpu(layouts[0], fused=False),
        "eager, fused Adam": on_gpu(layouts[0], fused=True),
        "eager, channels_last, fused Adam": on_gpu(layouts[1], fused=True),
        "compile, fused Adam": on_gpu(layouts[0], fused=True, mode="default"),
        "compile, CUDA graph, fused Adam": on_gpu(layouts[0], fused=True, mode="reduce-overhead"),
    }


def _theirs(
    name: str, batch: Batch, known: Ours, pytorch: ModuleType, xp: ModuleType
) -> tuple[dict[str, Any], dict[str, str], float]:
    """PyTorch's steps from our weights, why others are left out, and the largest loss_difference.

    torch.compile needs more than PyTorch alone, and a step may be beyond it.
    """
    theirs, left_out, worst = {}, {}, 0.0
    pytorch.torch.backends.cudnn.benchmark = True  # look for the fastest convolutions
    for configuration, how in configurations(pytorch).items():
        ours = STEPS[name].ours(batch, xp)
        try:
            side = pytorch.STEPS[name](batch, how)
            pytorch.copy_weights(known.passes, side)
            worst = max(worst, loss_difference(name, ours, {configuration: side}))
            theirs[configuration] = side
        except Exception as error:  # of any library that compiles, or another result
            if not how.mode:
                raise
            left_out[configuration] = f"{type(error).__name__}: {error}".splitlines()[0]
    return theirs, left_out, worst
