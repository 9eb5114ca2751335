"""Work on all cores: every item once, results in order, the same numbers, also after a fork."""

import concurrent.futures
import os
import select
import signal
import threading
import time
import warnings

import numpy as np
import pytest
import threadpoolctl

from tinya2i import layers, ops, optim, threads
from tinya2i.layer import Param
from tinya2i.layers import pool
from tinya2i.ops import convolution, functions, products

SIZES = (0, 1, 2, 3, 5, 7, 64, 127, 128, 1000)
BYTES = (0, 1, 100, 1000, 1 << 16, 1 << 20, 5 << 20, 1 << 40)


@pytest.fixture
def set_threads(monkeypatch):
    """set_threads(2): two threads, whatever this machine has and its environment says."""

    def set_count(count):
        close_pool()
        monkeypatch.setattr(threads, "thread_count", lambda: count)

    yield set_count
    close_pool()


def close_pool():
    if threads._pool.cache_info().currsize:
        threads._pool().shutdown()
    threads._pool.cache_clear()


def covered(shares):
    """Every index that the slices of all shares name, in order."""
    return [i for share in shares for part in share for i in range(part.start, part.stop)]


# Shares


@pytest.mark.parametrize("count", [1, 2, 3, 4, 8])
def test_every_index_is_in_exactly_one_slice(set_threads, count):
    set_threads(count)
    for n in SIZES:
        for item_bytes in BYTES:
            shares = threads.in_shares(np, n, item_bytes, list)
            assert covered(shares) == list(range(n)), (n, item_bytes)
            assert 1 <= len(shares) <= count
            assert all(part.stop > part.start for share in shares for part in share)


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


def test_large_work_is_shared_and_small_work_is_not(set_threads):
    set_threads(4)
    assert len(threads.in_shares(np, 128, 1 << 20, list)) == 4
    assert len(threads.in_shares(np, 128, 1, list)) == 1
    lengths = [len(covered([share])) for share in threads.in_shares(np, 130, 1 << 20, list)]
    assert max(lengths) - min(lengths) <= 1


def test_each_thread_gets_half_a_slice_or_more(set_threads):
    """Less scratch than that is done before another thread has woken up."""
    set_threads(4)
    half = threads.SLICE_BYTES // 2
    counts = {
        total: len(threads.in_shares(np, 64, total // 64, list))
        for total in (0, half, 2 * half - 64, 2 * half, 3 * half, 4 * half, 100 * half)
    }
    assert list(counts.values()) == [1, 1, 1, 2, 3, 4, 4]


def test_another_array_module_gets_everything_in_one_piece(set_threads):
    set_threads(4)
    assert threads.in_shares(threading, 128, 1 << 20, list) == [[slice(0, 128)]]


# Threads


def test_shares_run_at_the_same_time(set_threads):
    """Each waits for the other: one after the other would never get through the barrier."""
    set_threads(2)
    barrier = threading.Barrier(2, timeout=20)

    def work(parts):
        barrier.wait()
        return threading.get_ident()

    idents = threads.in_shares(np, 128, 1 << 20, work)
    assert len(set(idents)) == 2
    assert idents[0] == threading.get_ident()


def test_results_come_in_order_however_long_they_take(set_threads):
    set_threads(4)

    def work(parts):
        time.sleep(0.05 * (parts[0].start == 0) + 0.03 * (parts[0].start < 64))
        return parts[0].start

    starts = threads.in_shares(np, 128, 1 << 20, work)
    assert starts == sorted(starts)
    assert len(starts) == 4


@pytest.mark.parametrize("culprit", [0, 32, 96])
def test_an_exception_in_any_share_reaches_the_caller(set_threads, culprit):
    set_threads(4)
    done = []

    def work(parts):
        if parts[0].start == culprit:
            raise ZeroDivisionError(f"share from {culprit}")
        done.append(parts[0].start)

    with pytest.raises(ZeroDivisionError, match=f"share from {culprit}"):
        threads.in_shares(np, 128, 1 << 20, work)
    assert covered(threads.in_shares(np, 128, 1 << 20, list)) == list(range(128))


@pytest.mark.parametrize("culprit", [0, 32])
def test_nobody_is_still_working_when_the_exception_arrives(set_threads, culprit):
    """A share that went on would write into arrays that the caller believes are his again."""
    set_threads(4)
    started, finished = [], []

    def work(parts):
        started.append(parts)
        if parts[0].start == culprit:
            raise ZeroDivisionError
        time.sleep(0.1)
        finished.append(parts)

    with pytest.raises(ZeroDivisionError):
        threads.in_shares(np, 128, 1 << 20, work)
    assert len(started) == len(finished) + 1


def test_every_share_treats_overflow_as_the_caller_asked(set_threads):
    set_threads(3)
    with np.errstate(over="ignore", divide="raise"):
        settings = threads.in_shares(np, 128, 1 << 20, lambda parts: np.geterr())
    assert [(each["over"], each["divide"]) for each in settings] == [("ignore", "raise")] * 3


@pytest.mark.parametrize("fails", [False, True])
def test_blas_has_one_thread_meanwhile_and_its_own_number_afterwards(set_threads, fails):
    set_threads(2)

    def blas_threads():
        return {library["num_threads"] for library in threads._blas().info()}

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


def convolve(seed=0):
    """Everything that a convolution and its transpose compute, forward and backward."""
    rng = np.random.default_rng(seed)
    results = []
    for layer in (layers.Conv2d(8, 6, 3, 2, 1), layers.ConvTranspose2d(8, 6, 3, 2, 1, 1)):
        layer.astype(np.float64)
        X = rng.standard_normal((24, 24, 20, 8))
        Y, backprop = layer.forward(X)
        results += [Y, backprop(rng.standard_normal(Y.shape)), layer.W.grad, layer.b.grad]
    return results


def multiply():
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((1000, 40)), rng.standard_normal((40, 800))
    out = np.ones((1000, 800))
    ops.add_matmul(out, A, B)
    np.testing.assert_allclose(out, 1 + A @ B, rtol=1e-12, atol=1e-12)
    return [out]


def few_rows():
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((3, 400)), rng.standard_normal((400, 601))
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
        params = [Param(rng.standard_normal(size)) for size in (60_000, 7, 1000)]
        optimiser = make(params)
        for _ in range(3):
            for param in params:
                param.grad += rng.standard_normal(param.data.shape)
            optimiser.step()
        results += [param.data.copy() for param in params]
    return results


ALL = [convolve, multiply, few_rows, activate_and_pool, optimise]


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("compute", ALL)
def test_one_thread_and_several_give_the_same(set_threads, monkeypatch, compute, count):
    set_threads(1)
    alone = compute()
    set_threads(count)
    shared, plain = [], threads.in_shares

    def counted(*arguments):
        results = plain(*arguments)
        shared.append(len(results))
        return results

    for module in (convolution, functions, products, optim, pool):
        monkeypatch.setattr(module, "in_shares", counted)
    together = compute()
    assert max(shared) == count  # the work really was shared
    for A, B in zip(alone, together, strict=True):
        np.testing.assert_allclose(A, B, rtol=1e-12, atol=1e-12, strict=True)
    for A, B in zip(together, compute(), strict=True):  # and the same bits every time
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


def test_one_sample_or_none(set_threads):
    """Fewer samples than threads: no share is empty."""
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
    """A long row to one number, as at the end of a discriminator: some shares are empty."""
    set_threads(3)
    A, B = np.ones((2, 300_000)), np.ones((300_000, columns))
    np.testing.assert_array_equal(ops.matmul(A, B), np.full((2, columns), 300_000.0))


# Forks


def in_child(function, seconds=20.0):
    """function()'s bytes, computed in a forked child; None where it does not answer in time."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        # Python warns, rightly, that a child must not rely on its parent's threads.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            os.write(writer, function())
        finally:
            os._exit(0)
    os.close(writer)
    try:
        ready, _, _ = select.select([reader], [], [], seconds)
        return os.read(reader, 1 << 16) if ready else None
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reader)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_forked_child_can_still_compute(set_threads):
    set_threads(2)
    expected = convolve()
    old = threads._pool()
    assert old._threads  # the parent has used its pool

    def compute():
        results = convolve()
        same = all(np.array_equal(A, B) for A, B in zip(expected, results, strict=True))
        return b"same" if same and threads._pool() is not old else b"different"

    assert in_child(compute) == b"same"
    for A, B in zip(convolve(), expected, strict=True):  # and the parent is as before
        np.testing.assert_array_equal(A, B)
    assert threads._pool() is old


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_the_parents_pool_is_dead_in_a_child(set_threads):
    """Negative control: this is what the child would wait for without its own pool."""
    set_threads(2)
    convolve()
    old = threads._pool()

    def ask_the_dead():
        try:
            old.submit(int).result(timeout=0.5)
        except concurrent.futures.TimeoutError:
            return b"no answer"
        return b"answered"

    assert in_child(ask_the_dead) == b"no answer"
