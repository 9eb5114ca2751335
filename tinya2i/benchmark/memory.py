"""What a training step needs at most, measured in a process that does nothing else.

In one process the larger side would hide the smaller one, and each would find memory that the
other has left behind.
"""

import contextlib
import json
import sys
from pathlib import Path

from tinya2i.benchmark import process
from tinya2i.benchmark.steps import STEPS
from tinya2i.benchmark.timing import set_threads
from tinya2i.threads import own_cores

CALLS = 3
OURS = "ours"


def peak_memory(step: str, side: str, batch_size: int, threads: int) -> int | None:
    """Bytes at the peak of building a model and CALLS steps, above those of the bare imports.

    That includes the code which the first step makes the system read from the libraries' files.
    side is OURS or one of PyTorch's configurations. None where the system does not say; RunError
    where the process fails.
    """
    return process.answer(__name__, step, side, batch_size, threads)


def measure(step: str, side: str, batch_size: int, threads: int) -> int | None:
    """The same for this process, which must be a fresh one."""
    set_threads(threads)
    context = own_cores if side == OURS else contextlib.nullcontext
    if side == OURS:
        before = _resident()
        call = STEPS[step].ours(STEPS[step].draw(batch_size)).step
    else:
        import torch

        from tinya2i.benchmark import pytorch

        torch.set_num_threads(threads)
        before = _resident()
        batch, how = STEPS[step].draw(batch_size), pytorch.CONFIGURATIONS[side]
        call = pytorch.STEPS[step](batch, how).step
    with context():
        for _ in range(CALLS):
            call()
    after = _resident()
    return None if before is None or after is None else after["VmHWM"] - before["VmRSS"]


def _resident() -> dict[str, int] | None:
    """{"VmRSS": bytes in memory now, "VmHWM": at most so far} of this process.

    Linux's own file, because getrusage's maximum there begins at the size of the parent process;
    getrusage elsewhere, which only knows the maximum.
    """
    with contextlib.suppress(OSError, KeyError):
        lines = dict(
            line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines()
        )
        return {name: int(lines[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM")}
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return {"VmRSS": peak, "VmHWM": peak}


if __name__ == "__main__":
    step, side, batch_size, threads = sys.argv[1:]
    print(json.dumps(measure(step, side, int(batch_size), int(threads))))
