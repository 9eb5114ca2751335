"""What must not happen in the process that runs the tests, in a forked one."""

import os
import select
import signal
import warnings
from collections.abc import Callable

import pytest


def in_child(function: Callable[[], bytes], seconds: float = 20.0) -> bytes | None:
    """function()'s bytes; None where the child dies of it, or does not answer in time."""
    if not hasattr(os, "fork"):
        pytest.skip("needs os.fork")
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
        return (os.read(reader, 1 << 16) or None) if ready else None
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reader)


def noticed(function: Callable[[], object], *errors: type[BaseException]) -> bool:
    """Whether function() raises one of these errors, or dies, or hangs.

    For mutants that write where nothing of theirs is: afterwards memory may be in any state.
    """

    def answer() -> bytes:
        try:
            function()
        except errors:
            return b"noticed"
        return b"not noticed"

    return in_child(answer, seconds=60.0) != b"not noticed"
