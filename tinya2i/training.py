"""The run: a loop that can be interrupted anywhere and resumed bit for bit."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tinya2i.interrupt import interruptible
from tinya2i.loop import Diverged, Loop
from tinya2i.progress import Progress
from tinya2i.runs import Run
from tinya2i.streams import stream
from tinya2i.threads import own_cores

__all__ = ["Diverged", "Run", "Task", "stream", "train"]


class Task(Protocol):
    """What is trained. Inherit from it, and write the first four methods.

    Everything random in them comes from `stream(seed, name, epoch, step)`.
    """

    batch_size: int  # for the rate

    def begin_epoch(self, epoch: int) -> int:
        """Prepare epoch 0, 1, ...; returns its number of steps. Also called on resume."""
        ...

    def step(self, index: int) -> Mapping[str, Any]:
        """One optimiser step on batch `index` of this epoch; name -> loss, 0-d arrays.

        Mean over the batch. Nothing in it waits for the device.
        """
        ...

    def arrays(self) -> dict[str, np.ndarray]:
        """All that later steps depend on: parameters, buffers, optimiser; as NumPy arrays."""
        ...

    def load_arrays(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back what `arrays` returned."""
        ...

    def expected(self) -> dict[str, tuple[tuple[int, ...], Any]]:
        """name -> (shape, dtype) of `arrays`; a checkpoint that differs is refused."""
        return {name: (A.shape, A.dtype) for name, A in self.arrays().items()}

    def evaluate(self) -> dict[str, float]:
        """Metrics after an epoch, under names that no loss has."""
        return {}

    def health(self, metrics: Mapping[str, float]) -> list[str]:
        """Warnings about an epoch's losses and metrics."""
        return []

    def draw(self, path: Path) -> None:
        """Write a picture of samples to `path`, the same inputs and noise every time."""


def train(
    task: Task,
    run: Run,
    *,
    epochs: int,
    samples_every: int = 1,
    checkpoint_every: int = 1,
    checkpoint_steps: int | None = None,
    limit_steps: int | None = None,
    log_every: int = 50,
    quiet: bool = False,
) -> dict[str, Any]:
    """Train `task` up to `epochs` epochs in all, from the run's checkpoint if it is resumed.

    After each epoch: a row in metrics.jsonl, samples every `samples_every` and a checkpoint every
    `checkpoint_every` epochs (0: only at the end) and every `checkpoint_steps` steps within one.
    limit_steps: at most one epoch of so many steps. log_every: steps between two looks at a
    GPU's losses, each of which waits for the GPU; on the CPU every step is looked at.
    Returns {"epochs", "steps", "seconds", "seconds_per_step", "seed"}, for summary.json.
    Raises Diverged if a loss is not finite, RunError if the folder cannot be written, and
    KeyboardInterrupt after Ctrl-C, when the step is finished and saved.
    """
    loop = Loop(task, run, Progress(quiet), epochs, checkpoint_steps, limit_steps, log_every)
    with run.locked(), own_cores():
        loop.restore()
        with interruptible() as loop.stop:
            while loop.epoch < loop.epochs:
                loop.run_steps()
                loop.finish_epoch()
                last = loop.epoch == loop.epochs
                if samples_every and (last or loop.epoch % samples_every == 0):
                    loop.draw()
                due = checkpoint_every and loop.epoch % checkpoint_every == 0
                if last or due or loop.stop.requested:
                    loop.save()
                loop.leave_if_asked()
        if not loop.total:
            loop.save()  # no epochs: the untrained model, for whatever reads checkpoints
    return loop.summary()
