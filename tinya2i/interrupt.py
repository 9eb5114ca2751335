"""Ctrl-C as a request: finish the step, save, then stop."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import Any


@contextmanager
def interruptible() -> Iterator[SimpleNamespace]:
    """The first Ctrl-C sets `.requested`; the second raises KeyboardInterrupt at once.

    The former handler is back afterwards. Ctrl-C stays as it was where it is switched off (nohup)
    and outside the main thread, where Python forbids handlers.
    """
    stop = SimpleNamespace(requested=False)

    def handle(number: int, frame: Any) -> None:
        if stop.requested:
            raise KeyboardInterrupt("stopped at once; go on from the last checkpoint with --resume")
        stop.requested = True
        # print could find the stream's buffer locked by the line that the signal interrupted.
        with suppress(OSError):
            os.write(2, b"\nfinishing this step; Ctrl-C again stops at once\n")

    former = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or former is signal.SIG_IGN:
        yield stop
        return
    signal.signal(signal.SIGINT, handle)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, former)
