"""Work on slices of a batch, on all cores of a CPU; on a GPU in one piece.

NumPy's ufuncs and copies run on one core, and BLAS threads a product only after somebody has made
its operands. Here each thread takes a share of the batch through all of it, in slices small enough
that what one operation writes is still in the cache when the next one reads it. BLAS is held to one
thread meanwhile: two layers of threads on the same cores slow each other down several times.
"""

import contextlib
import contextvars
import ctypes
import functools
import itertools
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import TypeVar

import numpy as np
import threadpoolctl

from tinya2i import workers

SLICE_BYTES = 1 << 20  # what fits a core's own cache, with room for what it is made from
SLICE_ITEMS = 8  # but not so few that calling NumPy takes longer than the work
LARGE_BYTES = 4 << 20  # of simple work: below, waking a second thread takes longer than it saves
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # from malloc.h
R = TypeVar("R")


def in_shares(
    xp: ModuleType,
    n: int,
    item_bytes: int,
    work: Callable[[Iterable[slice]], R],
    fixed: bool = False,
    least: int = 0,
    fewest: int | None = None,
) -> list[R]:
    """Call work(slices) once per thread with slices that together cover range(n); the results.

    item_bytes is the scratch memory that one item needs, least what a slice should need; a slice
    has at least `fewest` items (SLICE_ITEMS), unless there are no more. Each thread takes the next
    slice when it is done with one, so a thread that wakes late or loses its core for a while does
    less; which slices one gets is chance. fixed: each gets its own consecutive ones, and results
    come in their order, so that sums over them are the same every time. Never call it from inside
    work.
    """
    if xp is not np:
        return [work([slice(0, n)])]
    count = max(1, min(thread_count(), n, n * item_bytes // (SLICE_BYTES // 2)))
    cut = functools.partial(slices, item_bytes=item_bytes, least=least, fewest=fewest)
    if count == 1:
        return [work(cut(0, n))]
    if fixed:
        bounds = [n * i // count for i in range(count + 1)]
        shares = [cut(*ends) for ends in itertools.pairwise(bounds)]
    else:
        shares = [iter(cut(0, n, multiple=count))] * count  # one, used by all
    # Workers get a copy of the caller's context, where NumPy keeps its error state.
    others = [
        functools.partial(contextvars.copy_context().run, work, share) for share in shares[1:]
    ]
    with _blas_on_one_thread:
        return workers.together(lambda: work(shares[0]), *others)


@contextlib.contextmanager
def own_cores() -> Iterator[None]:
    """For a training loop: BLAS keeps to one thread throughout, not only inside in_shares.

    OpenBLAS's threads keep a core busy for milliseconds after each product that they shared, in
    case another one comes; our own threads would have to wait for them. Freed memory is kept, too.
    """
    thread_count()  # asked before the limit, which it would see
    _keep_freed_memory()
    with _blas_on_one_thread:
        yield


def slices(
    start: int,
    stop: int,
    item_bytes: int,
    multiple: int = 1,
    least: int = 0,
    fewest: int | None = None,
) -> list[slice]:
    """[slice(start, ...), ..., slice(..., stop)], a multiple of `multiple`, as equal as can be.

    Of SLICE_BYTES or a little less; of `least` if that is more.
    """
    n = stop - start
    most = max(fewest or SLICE_ITEMS, max(SLICE_BYTES, least) // max(1, item_bytes))
    count = -(-n // (most * multiple)) * multiple
    step = max(1, -(-n // max(1, count)))
    return [slice(i, min(i + step, stop)) for i in range(start, stop, step)]


@functools.cache
def thread_count() -> int:
    """How many threads BLAS was given, which OPENBLAS_NUM_THREADS and the like decide."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max((library["num_threads"] for library in _blas().info()), default=cores or 1)


@functools.cache
def _keep_freed_memory() -> None:
    """Tell glibc not to give large freed arrays back to the system, where it is glibc.

    Otherwise each step asks for the same memory again, and the system clears every page of it:
    a fifth of the VAE's step.
    """
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, 32 << 20)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


class _BlasOnOneThread:
    """The first to enter limits BLAS, the last to leave gives it its threads back.

    Its number of threads belongs to the process, and to ask for it takes 0.02 ms.
    """

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._limit = _blas().limit(limits=1)
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._limit.restore_original_limits()


_blas_on_one_thread = _BlasOnOneThread()


@functools.cache
def _blas() -> threadpoolctl.ThreadpoolController:
    return threadpoolctl.ThreadpoolController().select(user_api="blas")
