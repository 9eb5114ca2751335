"""Work on all cores: every item once, whoever is slow; the same numbers, also after a fork."""

import copy
import functools
import itertools
import operator
import os
import signal
import sys
import threading
import time
import weakref

import child
import numpy as np
import pytest
import threadpoolctl

from tinya2i import layers, ops, optim, threads, workers
from tinya2i.layer import Param
from tinya2i.layers import pool
from tinya2i.ops import banded, convolution, functions, products, single, tiles, ways, winograd

SIZES = (0, 1, 2, 3, 5, 7, 64, 127, 128, 1000)
BYTES = (0, 1, 100, 1000, 1 << 16, 1 << 20, 5 << 20, 1 << 40)


@pytest.fixture
def set_threads(monkeypatch):
    """set_threads(2): two threads, whatever this machine has and its environment says."""

    def set_count(count):
        monkeypatch.setattr(threads, "thread_count", lambda: count)

    met.clear()
    return set_count


def covered(shares):
    """Every index that the slices of all shares name, in order."""
    return [i for share in shares for part in share for i in range(part.start, part.stop)]


def threads_for(n, item_bytes, count):
    """No thread without an item, and none with less than half a slice to do."""
    return max(1, min(count, n, n * item_bytes // (threads.SLICE_BYTES // 2)))


def take(parts):
    """list(parts), but others get a chance to take a slice between any two."""
    taken = []
    for part in parts:
        taken.append(part)
        time.sleep(0)
    return taken


def meeting(count, work):
    """work(first slice, the others) in `count` threads at once, each of which has a slice."""
    barrier = threading.Barrier(count, timeout=20)

    def meet(parts):
        rest = iter(parts)
        first = next(rest)
        barrier.wait()
        return work(first, rest)

    return meet


met_lock = threading.Lock()
met = []  # the workers that this test has seen


def thread_name():
    """MainThread, or tinya2i_0, tinya2i_1, ... in the order in which they first ask."""
    thread = threading.current_thread()
    if thread is threading.main_thread():
        return "MainThread"
    assert thread.name == "tinya2i"
    with met_lock:
        if thread not in met:
            met.append(thread)
        return f"tinya2i_{met.index(thread)}"


# Shares


@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 8])
def test_every_index_is_in_exactly_one_slice(set_threads, count, fixed):
    set_threads(count)
    for n in SIZES:
        for item_bytes in BYTES:
            shares = threads.in_shares(np, n, item_bytes, take, fixed)
            assert sorted(covered(shares)) == list(range(n)), (n, item_bytes)
            assert len(shares) == threads_for(n, item_bytes, count), (n, item_bytes)
            for share in shares:
                assert covered([share]) == sorted(covered([share]))
                assert all(part.stop > part.start for part in share)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 8])
def test_fixed_shares_are_consecutive_equal_and_never_empty(set_threads, count):
    set_threads(count)
    for n in SIZES:
        for item_bytes in BYTES:
            given = threads.in_shares(np, n, item_bytes, lambda parts: parts, fixed=True)
            assert all(isinstance(share, list) for share in given)
            assert covered(given) == list(range(n)), (n, item_bytes)
            lengths = [len(covered([share])) for share in given]
            assert max(lengths) - min(lengths) <= 1
            assert min(lengths) > 0 or n == 0
            assert given == threads.in_shares(np, n, item_bytes, take, fixed=True)


def test_threads_that_compete_for_slices_get_each_one_once(set_threads):
    """Each has one before any takes a second, and all change places as often as they can."""
    set_threads(4)
    n, interval = 4000, sys.getswitchinterval()
    cuts = threads.slices(0, n, 1 << 20)
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(5):
            work = meeting(4, lambda first, rest: [first, *take(rest)])
            shares = threads.in_shares(np, n, 1 << 20, work)
            assert len(shares) == 4
            assert sorted(covered(shares)) == list(range(n))
            assert all(covered([share]) == sorted(covered([share])) for share in shares)
            # Chance decides who gets a slice, not where it is cut.
            taken = [part for share in shares for part in share]
            assert sorted(taken, key=lambda part: part.start) == cuts
    finally:
        sys.setswitchinterval(interval)


@pytest.mark.parametrize("start", [0, 5])
@pytest.mark.parametrize("item_bytes", BYTES)
def test_slices_are_as_large_as_the_cache_allows(start, item_bytes):
    parts = threads.slices(start, start + 1000, item_bytes)
    assert covered([parts]) == list(range(start, start + 1000))
    lengths = {part.stop - part.start for part in parts[:-1]}
    assert len(lengths) <= 1
    for length in lengths:
        assert length == threads.SLICE_ITEMS or length * item_bytes <= threads.SLICE_BYTES
        assert length >= threads.SLICE_ITEMS
        assert (length + 1) * item_bytes > threads.SLICE_BYTES


@pytest.mark.parametrize("fixed", [False, True])
def test_large_work_is_shared_and_small_work_is_not(set_threads, fixed):
    set_threads(4)
    work = meeting(4, lambda first, rest: (thread_name(), first))
    shares = threads.in_shares(np, 130, 1 << 20, work, fixed)
    assert len({name for name, _ in shares}) == 4
    assert len({first.start for _, first in shares}) == 4
    assert threads.in_shares(np, 130, 1, lambda parts: thread_name(), fixed) == ["MainThread"]


@pytest.mark.parametrize("fixed", [False, True])
def test_each_thread_gets_half_a_slice_or_more(set_threads, fixed):
    """Less scratch than that is done before another thread has woken up."""
    set_threads(4)
    half = threads.SLICE_BYTES // 2
    counts = {
        total: len(threads.in_shares(np, 64, total // 64, list, fixed))
        for total in (0, half, 2 * half - 64, 2 * half, 3 * half, 4 * half, 100 * half)
    }
    assert list(counts.values()) == [1, 1, 1, 2, 3, 4, 4]


@pytest.mark.parametrize("fixed", [False, True])
def test_another_array_module_gets_everything_in_one_piece(set_threads, fixed):
    set_threads(4)
    assert threads.in_shares(threading, 128, 1 << 20, list, fixed) == [[slice(0, 128)]]


# Threads


@pytest.mark.parametrize("fixed", [False, True])
def test_shares_run_at_the_same_time(set_threads, fixed):
    """Each waits for the other: one after the other would never get through the barrier."""
    set_threads(2)
    work = meeting(2, lambda first, rest: threading.get_ident())
    idents = threads.in_shares(np, 128, 1 << 20, work, fixed)
    assert len(set(idents)) == 2
    assert idents[0] == threading.get_ident()


def test_fixed_results_come_in_order_however_long_they_take(set_threads):
    set_threads(4)
    ended = []

    def work(parts):
        start = parts[0].start
        time.sleep(0.05 * (start == 0) + 0.03 * (start < 64))
        ended.append(start)
        return start

    assert threads.in_shares(np, 128, 1 << 20, work, fixed=True) == [0, 32, 64, 96]
    assert ended[-1] == 0  # the first was the last


@pytest.mark.parametrize(("fixed", "of_the_slow", "of_the_late"), [(False, 1, 0), (True, 4, 4)])
@pytest.mark.parametrize("who", ["MainThread", "tinya2i_0", "tinya2i_2"])
def test_a_slow_or_late_thread_does_less(set_threads, who, fixed, of_the_slow, of_the_late):
    """It does not go on before the others have ended; with fixed shares nobody helps it out."""
    set_threads(4)

    def shares_when(late):
        began = threading.Barrier(4, timeout=20)
        others_ended = threading.Barrier(4, timeout=20)

        def work(parts):
            taken, rest, held_up = [], iter(parts), thread_name() == who
            if not (late and held_up):
                taken.append(next(rest))
            began.wait()
            if held_up:
                others_ended.wait()
            taken += rest
            if not held_up:
                others_ended.wait()
            return thread_name(), taken

        results = threads.in_shares(np, 128, 1 << 20, work, fixed)
        assert sorted(covered(taken for _, taken in results)) == list(range(128))
        assert len(dict(results)) == 4
        return {name: len(taken) for name, taken in results}

    for late, expected in ((False, of_the_slow), (True, of_the_late)):
        counts = shares_when(late)
        assert counts.pop(who) == expected
        assert sum(counts.values()) == 16 - expected
        assert min(counts.values()) >= 1


@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize("culprit", ["MainThread", "tinya2i_0", "tinya2i_2"])
@pytest.mark.parametrize("later", [False, True])
def test_an_exception_in_any_thread_reaches_the_caller(set_threads, culprit, later, fixed):
    """From its first slice or a later one; what the others have taken gets done."""
    set_threads(4)
    taken, done, raised = [], [], threading.Event()

    def work(first, rest):
        if later and thread_name() == culprit:
            done.append(first)
            first = next(rest)
        elif later:  # leave it one
            raised.wait(20)
        taken.append(first)
        if thread_name() == culprit:
            raised.set()
            raise ZeroDivisionError(f"{culprit} from {first.start}")
        done.append(first)
        done.extend(rest)

    with pytest.raises(ZeroDivisionError, match=f"{culprit} from") as info:
        threads.in_shares(np, 128, 1 << 20, meeting(4, work), fixed)
    lost = int(str(info.value).split()[-1])
    missing = sorted(set(range(128)) - set(covered([done])))
    # The fixed share of the culprit is lost from there on, of a common one a single slice.
    assert missing == list(range(lost, (lost // 32 + 1) * 32 if fixed else lost + 8))
    assert len(covered([done])) == len(set(covered([done])))
    for again in (False, True):
        shares = threads.in_shares(np, 128, 1 << 20, take, again)
        assert sorted(covered(shares)) == list(range(128))


@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
@pytest.mark.parametrize("culprit", ["MainThread", "tinya2i_0"])
def test_nobody_is_still_working_when_the_exception_arrives(set_threads, culprit, error, fixed):
    """A thread that went on would write into arrays that the caller believes are his again."""
    set_threads(4)
    started, finished = [], []

    def work(first, rest):
        started.append(first)
        if thread_name() == culprit:
            raise error
        time.sleep(0.05)
        finished.append(first)
        for part in rest:
            started.append(part)
            time.sleep(0.005)
            finished.append(part)

    with pytest.raises(error):
        threads.in_shares(np, 128, 1 << 20, meeting(4, work), fixed)
    counts = len(started), len(finished)
    assert counts == ((13, 12) if fixed else (16, 15))
    time.sleep(0.05)
    assert (len(started), len(finished)) == counts


@pytest.mark.parametrize("fixed", [False, True])
def test_every_thread_treats_overflow_as_the_caller_asked(set_threads, fixed):
    """Also threads that have worked before, for a caller who wanted something else."""
    set_threads(3)
    for over, divide in (("ignore", "raise"), ("raise", "ignore"), ("ignore", "raise")):
        work = meeting(3, lambda first, rest: (thread_name(), np.geterr()))
        with np.errstate(over=over, divide=divide):
            settings = dict(threads.in_shares(np, 128, 1 << 20, work, fixed))
        assert len(settings) == 3
        assert [(each["over"], each["divide"]) for each in settings.values()] == [
            (over, divide)
        ] * 3

    def overflow(first, rest):
        return np.float64(1e308) * np.float64(10)

    with np.errstate(over="ignore"):
        assert threads.in_shares(np, 128, 1 << 20, meeting(3, overflow), fixed) == [np.inf] * 3
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        threads.in_shares(np, 128, 1 << 20, meeting(3, overflow), fixed)


def blas_threads():
    return {library["num_threads"] for library in threads._blas().info()}


@pytest.mark.parametrize("fails", [False, True])
def test_blas_has_one_thread_meanwhile_and_its_own_number_afterwards(set_threads, fails):
    set_threads(2)

    def work(parts):
        if fails:
            raise ZeroDivisionError
        return blas_threads()

    with threadpoolctl.threadpool_limits(limits=2, user_api="blas"):
        before = blas_threads()
        if not before:
            pytest.skip("this BLAS lets nobody set its threads")
        try:
            inside = threads.in_shares(np, 128, 1 << 20, work)
        except ZeroDivisionError:
            assert fails
        else:
            assert inside == [{1}, {1}]
        assert blas_threads() == before == {2}


# The same numbers


CONVOLUTIONS = [  # each way to compute one, both directions
    (convolution, layers.Conv2d(20, 6, 3, 2, 1), (24, 20, 20)),
    (convolution, layers.ConvTranspose2d(20, 6, 3, 2, 1, 1), (24, 20, 20)),
    (banded, layers.Conv2d(8, 6, 3, 2, 1), (24, 20, 8)),
    (banded, layers.ConvTranspose2d(8, 6, 3, 2, 1, 1), (24, 20, 8)),
    (winograd, layers.Conv2d(128, 256, 4, 2, 1), (20, 20, 128)),
    (winograd, layers.ConvTranspose2d(256, 128, 4, 2, 1, 1), (10, 10, 256)),
    (single, layers.Conv2d(256, 128, 5), (5, 5, 256)),
    (single, layers.ConvTranspose2d(128, 256, 5), (1, 1, 128)),
]


def ends(layer, X):
    """The shapes that the layer's convolution maps from and to; a transposed one maps back."""
    shapes = X.shape, (len(X), *layer(X[:1]).shape[1:])
    return shapes if isinstance(layer, layers.Conv2d) else shapes[::-1]


def convolve(seed=0):
    """Everything that a convolution and its transpose compute, forward and backward."""
    rng = np.random.default_rng(seed)
    results = []
    for way, layer, shape in CONVOLUTIONS:
        layer.astype(np.float64).zero_grad()
        X = rng.standard_normal((24, *shape))
        assert ways.fastest(X, *ends(layer, X), layer.kernel, layer.stride) is way
        Y, backprop = layer.forward(X)
        results += [Y, backprop(rng.standard_normal(Y.shape)), layer.W.grad, layer.b.grad]
    return results


def multiply():
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((1000, 40)), rng.standard_normal((40, 800))
    out = np.ones((1000, 800))
    ops.add_matmul(out, True, A, B)
    np.testing.assert_allclose(out, 1 + A @ B, rtol=1e-12, atol=1e-12)
    return [out]


def few_rows():
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((3, 400)), rng.standard_normal((400, 1101))
    assert B.shape[1] > 2 * products.COLUMNS
    Y = ops.matmul(A, B)
    np.testing.assert_allclose(Y, A @ B, rtol=1e-12, atol=1e-12)
    return [Y, ops.matmul(A, np.asfortranarray(B))]


def activate_and_pool():
    """Layers that work element by element, with more elements than LARGE_BYTES."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 48, 50, 8))
    assert X.nbytes > functions.LARGE_BYTES
    results = []
    for layer in (layers.ReLU(), layers.MaxPool2d(2)):
        Y, backprop = layer.forward(X)
        results += [Y, backprop(rng.standard_normal(Y.shape))]
    np.testing.assert_array_equal(results[0], np.maximum(X, 0))
    assert not results[1][X < 0].any()
    return results


def optimise():
    rng = np.random.default_rng(0)
    results = []
    for make in (optim.Adam, optim.SGD):
        params = [Param(rng.standard_normal(size)) for size in (300_000, 7, 1000)]
        optimiser = make(params)
        for _ in range(3):
            for param in params:
                param.grad += rng.standard_normal(param.data.shape)
            optimiser.step()
        results += [param.data.copy() for param in params]
    return results


ALL = [convolve, multiply, few_rows, activate_and_pool, optimise]


MODULES = (convolution, winograd, tiles, banded, functions, products, optim, pool)


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("compute", ALL)
def test_one_thread_and_several_give_the_same(set_threads, monkeypatch, compute, count):
    set_threads(1)
    alone = compute()
    set_threads(count)
    shared, plain = [], threads.in_shares

    def counted(*arguments, **options):
        results = plain(*arguments, **options)
        shared.append(len(results))
        return results

    for module in MODULES:
        monkeypatch.setattr(module, "in_shares", counted)
    together = compute()
    assert max(shared) == count  # the work really was shared
    for A, B in zip(alone, together, strict=True):
        np.testing.assert_allclose(A, B, rtol=1e-12, atol=1e-12, strict=True)
    for A, B in zip(together, compute(), strict=True):  # and the same bits every time
        np.testing.assert_array_equal(A, B)


def unfair_shares(caller, taken, xp, n, item_bytes, work, fixed=False, **sizes):
    """in_shares, where the caller's thread does as much as possible ("first") or little ("last").

    taken receives (is it the caller's thread, is it one of several, fixed) for each slice.
    """
    several = threads_for(n, item_bytes, threads.thread_count()) > 1
    ended = threading.Event()  # one thread has: where slices are common, none is left

    def unfair(parts):
        is_caller = thread_name() == "MainThread"
        if several and is_caller == (caller == "last"):
            assert ended.wait(20)

        def noted():
            for part in parts:
                taken.append((is_caller, several, fixed))
                yield part

        try:
            return work(noted())
        finally:
            ended.set()

    return threads.in_shares(xp, n, item_bytes, unfair, fixed, **sizes)


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("compute", ALL)
def test_who_takes_a_slice_does_not_change_a_bit(set_threads, monkeypatch, compute, count):
    set_threads(count)
    expected = compute()
    for caller in ("first", "last", "first"):
        taken = []
        shares = functools.partial(unfair_shares, caller, taken)
        with monkeypatch.context() as patch:
            for module in MODULES:
                patch.setattr(module, "in_shares", shares)
            results = compute()
        common = {is_caller for is_caller, several, fixed in taken if several and not fixed}
        assert common == {caller == "first"}  # one got everything, or nothing
        own = {is_caller for is_caller, several, fixed in taken if several and fixed}
        assert own == ({True, False} if compute is convolve else set())
        for A, B in zip(expected, results, strict=True):
            np.testing.assert_array_equal(A, B)


@pytest.mark.parametrize("items", [1, threads.SLICE_ITEMS])
def test_slices_do_not_change_the_numbers(set_threads, monkeypatch, items):
    set_threads(1)
    whole = [A for compute in ALL for A in compute()]
    monkeypatch.setattr(threads, "SLICE_BYTES", 1 << 12)
    monkeypatch.setattr(threads, "SLICE_ITEMS", items)
    assert len(threads.slices(0, 24, 24 * 20 * 8)) == 24 // items
    sliced = [A for compute in ALL for A in compute()]
    for A, B in zip(whole, sliced, strict=True):
        np.testing.assert_allclose(A, B, rtol=1e-12, atol=1e-12, strict=True)


LAYERS = {
    "ReLU": layers.ReLU(),
    "LeakyReLU": layers.LeakyReLU(0.2),
    "BatchNorm2d": layers.BatchNorm2d(6),
    "MaxPool2d": layers.MaxPool2d(2),
    "MaxPool2d with gaps": layers.MaxPool2d(2, 3),
    "MaxPool2d that overlap": layers.MaxPool2d(3, 2),
    "Conv2d": layers.Conv2d(6, 8, 5, padding=2),
}


def batch_innermost(A):
    return A.transpose(1, 2, 3, 0).copy().transpose(3, 0, 1, 2)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("name", LAYERS)
def test_the_order_in_memory_changes_nothing(set_threads, monkeypatch, name, count):
    """With the batch innermost, shares are rows of the picture instead of examples."""
    set_threads(count)
    monkeypatch.setattr(functions, "LARGE_BYTES", 0)
    layer, rng = copy.deepcopy(LAYERS[name]).astype(np.float64), np.random.default_rng(0)
    X = rng.integers(-9, 9, (48, 30, 31, 6)) / 4  # with equals, among which pooling must choose
    dY, results = rng.standard_normal(layer(X).shape), []
    for turn in (np.ascontiguousarray, batch_innermost):
        Y, backprop = layer.forward(turn(X))
        layer.zero_grad()
        results.append([Y, backprop(turn(dY)), *(param.grad.copy() for param in layer.params())])
    for A, B in zip(*results, strict=True):
        np.testing.assert_allclose(A, B, rtol=1e-12, atol=1e-11, strict=True)


@pytest.mark.parametrize("shape", [(5, 3), (7, 4, 6), (4, 3, 5, 2)])
def test_a_sum_of_columns_in_any_order_in_memory(shape):
    X = np.random.default_rng(0).standard_normal(shape)
    expected = X.sum(axis=tuple(range(X.ndim - 1)))
    for axes in itertools.permutations(range(X.ndim)):
        turned = X.transpose(axes).copy().transpose(np.argsort(axes))
        np.testing.assert_allclose(ops.column_sum(turned), expected, rtol=1e-12)


def test_one_sample_or_none(set_threads):
    """Fewer samples than threads: no thread is without one."""
    set_threads(3)
    layer = layers.Conv2d(8, 6, 3).astype(np.float64)
    X = np.random.default_rng(0).standard_normal((2, 56, 56, 8))
    both = layer(X)
    assert len(threads.in_shares(np, 1, 54 * 54 * 72 * 8, list)) == 1
    for i in range(2):
        Y, backprop = layer.forward(X[i : i + 1])
        np.testing.assert_allclose(Y, both[i : i + 1], rtol=1e-12, atol=1e-12)
        assert backprop(np.ones_like(Y)).shape == (1, 56, 56, 8)
    assert np.abs(layer.W.grad).max() > 0
    assert layer(X[:0]).shape == (0, 54, 54, 6)


@pytest.mark.parametrize("columns", [1, 2])
def test_fewer_columns_than_threads(set_threads, columns):
    """A long row to one number, as at the end of a discriminator."""
    set_threads(3)
    A, B = np.ones((2, 300_000)), np.ones((300_000, columns))
    np.testing.assert_array_equal(ops.matmul(A, B), np.full((2, columns), 300_000.0))


# Forks


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_forked_child_can_still_compute(set_threads):
    set_threads(2)
    expected = convolve()
    old = list(workers._idle)
    assert old  # the parent has used its workers

    def compute():
        results = convolve()
        same = all(np.array_equal(A, B) for A, B in zip(expected, results, strict=True))
        return b"same" if same and not set(old) & set(workers._idle) else b"different"

    assert child.in_child(compute) == b"same"
    for A, B in zip(convolve(), expected, strict=True):  # and the parent is as before
        np.testing.assert_array_equal(A, B)
    assert set(workers._idle) == set(old)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_the_parents_workers_are_dead_in_a_child(set_threads):
    """Negative control: this is what the child would wait for without its own workers."""
    set_threads(2)
    convolve()
    old = workers._idle[0]

    def ask_the_dead():
        old.start(int)
        time.sleep(0.5)
        return b"no answer" if old._outcome is None else b"answered"

    assert child.in_child(ask_the_dead) == b"no answer"


def test_a_worker_keeps_nothing_of_its_job():
    """What was computed, or what it was computed from, would stay in memory."""

    class Large:
        pass

    given, made = Large(), Large()
    gone = [weakref.ref(given), weakref.ref(made)]
    job = functools.partial(lambda given, made: made, given, made)
    assert workers.together(int, job) == [0, made]
    with pytest.raises(ZeroDivisionError):
        workers.together(int, functools.partial(operator.truediv, 1, 0))
    del given, made, job
    assert [ref() for ref in gone] == [None, None]


def test_callers_at_the_same_time_have_workers_of_their_own(set_threads):
    set_threads(2)
    work = meeting(6, lambda first, rest: (threading.current_thread(), [first, *rest]))
    shares = {}

    def call(name):
        shares[name] = threads.in_shares(np, 64, 1 << 20, work, fixed=True)

    callers = [threading.Thread(target=call, args=(name,)) for name in "abc"]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    for each in shares.values():
        assert covered([parts for _, parts in each]) == list(range(64))
    assert len({thread for each in shares.values() for thread, _ in each}) == 6


@pytest.mark.parametrize("fixed", [False, True])
def test_an_interrupt_while_it_waits_comes_when_all_are_done(set_threads, fixed):
    set_threads(3)
    done = []

    def work(first, rest):
        list(rest)
        if thread_name() == "MainThread":
            return
        if thread_name() == "tinya2i_0":
            signal.raise_signal(signal.SIGINT)
        time.sleep(0.1)
        done.append(first)

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            threads.in_shares(np, 96, 1 << 20, meeting(3, work), fixed)
        assert len(done) == 2
        idle = len(workers._idle)
        done.clear()
    shares = threads.in_shares(np, 96, 1 << 20, take, fixed)
    assert sorted(covered(shares)) == list(range(96))
    assert len(workers._idle) == idle  # none was lost


def test_blas_has_one_thread_until_the_last_has_left_own_cores(set_threads):
    set_threads(2)
    with threadpoolctl.threadpool_limits(limits=2, user_api="blas"):
        if not blas_threads():
            pytest.skip("this BLAS lets nobody set its threads")
        first, second = threads.own_cores(), threads.own_cores()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert blas_threads() == {1}
        second.__exit__(None, None, None)
        assert blas_threads() == {2}


def test_blas_gets_its_threads_back_after_own_cores(set_threads):
    set_threads(2)
    work = meeting(2, lambda first, rest: blas_threads())
    with threadpoolctl.threadpool_limits(limits=2, user_api="blas"):
        if not blas_threads():
            pytest.skip("this BLAS lets nobody set its threads")
        with threads.own_cores():
            assert threads.in_shares(np, 64, 1 << 20, work) == [{1}, {1}]
            assert blas_threads() == {1}
        assert blas_threads() == {2}
        with pytest.raises(ZeroDivisionError), threads.own_cores():
            raise ZeroDivisionError
        assert blas_threads() == {2}
        assert threads.in_shares(np, 64, 1 << 20, work) == [{1}, {1}]
