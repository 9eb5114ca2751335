"""Clocks: contenders in turn within one process, and what the machine can do at all."""

import contextlib
import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import threadpoolctl

from tinya2i.threads import thread_count

TURN_SECONDS, TURN_CALLS = 0.5, 3  # a turn lasts at least so long, and has at least so many calls
SQUARES = (2048, 3072, 4096)


@dataclass(frozen=True)
class Contender:
    """What is called and clocked, and the context that each of its turns runs in."""

    call: Callable[[], object]
    context: Callable[[], AbstractContextManager] = nullcontext


def interleaved(
    contenders: Mapping[str, Contender],
    rounds: int,
    calls: int | None = None,
    announce: Callable[[str], None] = lambda text: None,
) -> dict[str, list[float]]:
    """Seconds of each clocked call, by contender; all contenders have a turn in each round.

    A machine that others share, or that grows hot, is slower for a while: taking turns spreads
    that over all contenders. calls: how many a turn has; None: TURN_SECONDS long.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for i in range(rounds):
        for name, contender in contenders.items():
            announce(f"round {i + 1}/{rounds}  {name}")
            with contender.context(), _no_garbage_collection():
                contender.call()  # fetches its own data and code back into the caches
                seconds[name] += _turn(contender.call, calls)
    return seconds


def _turn(call: Callable[[], object], calls: int | None) -> list[float]:
    seconds: list[float] = []
    while len(seconds) < (calls or TURN_CALLS) or (calls is None and sum(seconds) < TURN_SECONDS):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return seconds


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def sgemm_rate(squares: Sequence[int] = SQUARES, calls: int = 3) -> float:
    """max over n of 2 n^3 / seconds: FLOP/s of NumPy's float32 product of two n x n matrices.

    With all of BLAS's threads: do not call it inside `threads.own_cores`.
    """
    rng, best = np.random.default_rng(0), 0.0
    for n in squares:
        A, B = rng.random((2, n, n), np.float32)
        C = np.empty_like(A)
        np.matmul(A, B, out=C)
        start = [time.perf_counter()]
        for _ in range(calls):
            np.matmul(A, B, out=C)
            start.append(time.perf_counter())
        best = max(best, 2 * n**3 / float(np.diff(start).min()))
    return best


def set_threads(count: int | None) -> int:
    """Use `count` threads from now on, in BLAS and in ours; None: as many as BLAS was given.

    Call it first: whoever has asked `thread_count` before keeps that answer. Returns the number.
    """
    if count is not None:
        threadpoolctl.threadpool_limits(limits=count, user_api="blas")
        thread_count.cache_clear()
    return thread_count()
