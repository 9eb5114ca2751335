"""Threads that sleep until they get a job: `threads.in_shares` gives them their shares.

`concurrent.futures` does the same and more, and takes 0.05 ms longer each time, which a training
step pays for each of its layers (docs/decisions/002).
"""

import os
import threading
from collections.abc import Callable
from typing import Any

_idle: list["Worker"] = []


class Worker:
    """A thread. `start` gives it a job, `wait` returns what came of it; by turns, nothing else."""

    def __init__(self) -> None:
        self._go, self._done = threading.Lock(), threading.Lock()
        self._go.acquire()
        self._done.acquire()
        threading.Thread(target=self._work, name="tinya2i", daemon=True).start()

    def start(self, job: Callable[[], Any]) -> None:
        """Begin job() in this worker's thread, and return at once."""
        self._job = job
        self._go.release()

    def wait(self) -> tuple[Any, BaseException | None]:
        """(what the job returned, None) or (None, what it raised), when it is done."""
        self._done.acquire()
        outcome, self._outcome = self._outcome, None  # its arrays are the caller's now
        return outcome

    def _work(self) -> None:
        while True:
            self._go.acquire()
            job, self._job = self._job, None
            try:
                self._outcome = job(), None
            except BaseException as error:  # whatever it is, the caller waits for it
                self._outcome = None, error
            del job
            self._done.release()


def take() -> Worker:
    """A worker that nobody else has, until `give_back`."""
    try:
        return _idle.pop()
    except IndexError:
        return Worker()


def give_back(worker: Worker) -> None:
    """For the next one who takes a worker; it must not have a job."""
    _idle.append(worker)


if hasattr(os, "register_at_fork"):  # threads do not survive a fork: the child makes its own
    os.register_at_fork(after_in_child=_idle.clear)
