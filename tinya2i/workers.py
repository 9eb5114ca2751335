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
    """A thread. `start` gives it a job; `wait` returns what came of it, before the next `start`."""

    def __init__(self) -> None:
        self._go, self._done = threading.Lock(), threading.Lock()
        self._go.acquire()
        self._done.acquire()
        self._busy, self._job = False, None
        self._outcome: tuple[Any, BaseException | None] | None = None
        threading.Thread(target=self._work, name="tinya2i", daemon=True).start()

    def start(self, job: Callable[[], Any]) -> None:
        """Begin job() in this worker's thread, and return at once."""
        self._job = job
        self._busy = True
        self._go.release()

    def wait(self) -> tuple[Any, BaseException | None] | None:
        """(what the job returned, None) or (None, what it raised), when it is done; None: no job.

        An interrupt may end the waiting; then call it again.
        """
        while self._busy and self._outcome is None:
            self._done.acquire()  # also returns where the last job's end was not waited for
        return self._outcome

    def forget(self) -> None:
        """Keep nothing of a job that is done: its arrays are the caller's."""
        self._busy, self._job, self._outcome = False, None, None

    def _work(self) -> None:
        while True:
            self._go.acquire()
            job, self._job = self._job, None
            try:
                self._outcome = job(), None
            except BaseException as error:  # whatever it is, the caller waits for it
                self._outcome = None, error
            del job
            if self._done.locked():
                self._done.release()


def together(own: Callable[[], Any], *others: Callable[[], Any]) -> list[Any]:
    """[own(), ...]: own in the calling thread, each other in a worker.

    When it returns or raises, none is running, even if an interrupt came while it waited: nobody
    writes any more to arrays that the caller believes are his again.
    """
    started: list[Worker] = []
    try:
        for job in others:
            worker = take()
            started.append(worker)
            worker.start(job)
        result = own()
    finally:
        outcomes = _finish(started)
    for _, error in outcomes:
        if error is not None:
            raise error
    return [result, *(result for result, _ in outcomes)]


def _finish(started: list[Worker]) -> list[Any]:
    """What `wait` returns, when all are done. Workers go back, then an interrupt is raised."""
    outcomes: dict[Worker, Any] = {}
    interrupt = None
    while len(outcomes) < len(started):
        try:
            for worker in started[len(outcomes) :]:
                outcomes[worker] = worker.wait()
        except KeyboardInterrupt as error:
            interrupt = error
    for worker in started:
        worker.forget()
        _idle.append(worker)
    if interrupt is not None:
        raise interrupt
    return list(outcomes.values())


def take() -> Worker:
    """A worker that nobody else has."""
    try:
        return _idle.pop()
    except IndexError:
        return Worker()


if hasattr(os, "register_at_fork"):  # threads do not survive a fork: the child makes its own
    os.register_at_fork(after_in_child=_idle.clear)
