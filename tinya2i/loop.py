"""What a training run does between two decisions of training.train: steps, sums, saving."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tinya2i import progress
from tinya2i.backend import array_module
from tinya2i.errors import CheckpointError, RunError
from tinya2i.runs import Run

if TYPE_CHECKING:
    from tinya2i.training import Task


class Diverged(RunError):
    """The loss or a parameter is no longer finite."""

    exit_code = 1


@dataclass
class Loop:
    """The position of a run, and the sums of its losses since the epoch began."""

    task: "Task"
    run: Run
    lines: progress.Progress
    epochs: int
    checkpoint_steps: int | None
    limit_steps: int | None
    log_every: int
    epoch: int = 0  # epochs done
    step: int = 0  # steps done in this epoch
    total: int = 0  # steps done in all
    seconds: float = 0.0  # spent on steps in this epoch
    sums: dict[str, Any] = field(default_factory=dict)
    stop: Any = None

    def __post_init__(self) -> None:
        if self.limit_steps is not None:
            self.epochs = min(self.epochs, 1)

    def restore(self) -> None:
        """Take position and arrays from the run's checkpoint, if there is one to resume."""
        found = self.run.latest(self.task.expected()) if self.run.resumed else None
        if found:
            arrays, meta = found
            rows = self._take_position(meta)
            self.task.load_arrays(arrays)
            self.run.keep_rows(rows)
        else:
            self.run.keep_rows(0)
        for note in self.run.notes:
            self.lines.warn(note)
        if self.run.resumed:
            self.lines.line(self._where())

    def _where(self) -> str:
        if self.epoch >= self.epochs:
            return f"nothing left to train: {self.epoch} epochs are done; raise --epochs for more"
        return f"going on after {self.epoch} epochs and {self.step} steps in {self.run.folder}"

    def _take_position(self, meta: Mapping[str, Any]) -> int:
        try:
            position = [int(meta[name]) for name in ("epoch", "step", "total", "rows")]
            self.seconds = float(meta["seconds"])
            self.sums = {name: float(value) for name, value in meta["sums"].items()}
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise CheckpointError(f"{self.run.folder}: its checkpoint has no position") from error
        self.epoch, self.step, self.total, rows = position
        if min(position) < 0:
            raise CheckpointError(f"{self.run.folder}: its checkpoint has a negative position")
        return rows

    def run_steps(self) -> None:
        """The steps of this epoch that are still to do."""
        steps = self.task.begin_epoch(self.epoch)
        steps = steps if self.limit_steps is None else min(steps, self.limit_steps)
        if steps < 1:
            raise RunError("an epoch without a step: too few training examples for one batch")
        began = time.perf_counter() - self.seconds
        while self.step < steps:
            losses = self.task.step(self.step)
            self.step, self.total = self.step + 1, self.total + 1
            on_host = self._add(losses)
            if on_host or self.step % self.log_every == 0:
                means = self.means()
                self.seconds = time.perf_counter() - began
                self.lines.update(self._state(steps, means))
            due = self.checkpoint_steps and self.step % self.checkpoint_steps == 0
            if due and self.step < steps:
                self.save()
            self.leave_if_asked(save=True)
        self.means()  # waits for the device, so that the time is true
        self.seconds = time.perf_counter() - began

    def _add(self, losses: Mapping[str, Any]) -> bool:
        """Add to the sums, in float64 and on the device; whether that is the CPU."""
        on_host = True
        for name, value in losses.items():
            xp = array_module(value)
            on_host &= xp is np
            self.sums[name] = self.sums.get(name, 0.0) + xp.asarray(value, dtype=np.float64)
        return on_host

    def means(self) -> dict[str, float]:
        """The losses' means over this epoch so far; Diverged if one is not finite."""
        means = {name: float(value) / max(self.step, 1) for name, value in self.sums.items()}
        bad = [name for name, value in means.items() if not math.isfinite(value)]
        if bad:
            self._diverged(f"the loss is not finite ({', '.join(bad)})", self.task.arrays())
        return means

    def _diverged(self, what: str, arrays: Mapping[str, np.ndarray]) -> None:
        first = _first_not_finite(arrays)
        where = f"first parameter that is not: {first}" if first else "all parameters still are"
        raise Diverged(
            f"epoch {self.epoch + 1}, step {self.step}: {what}; {where}. {self.run.safe} "
            "Start again with a lower --lr"
        )

    def finish_epoch(self) -> None:
        """Evaluate, append the row to metrics.jsonl, and go to the next epoch."""
        losses, began = self.means(), time.perf_counter()
        metrics = self.task.evaluate()
        if clash := losses.keys() & metrics.keys():
            raise ValueError(f"evaluate() returns {sorted(clash)}, which are names of losses")
        row = {"epoch": self.epoch + 1, "step": self.total, **losses, **metrics}
        if warnings := self.task.health({**losses, **metrics}):
            row["warnings"] = list(warnings)
        row["seconds"] = self.seconds
        row["seconds_evaluating"] = time.perf_counter() - began
        row["examples_per_second"] = self._rate()
        self.run.log(row)
        self._announce({**losses, **metrics}, warnings)
        self.epoch, self.step, self.seconds, self.sums = self.epoch + 1, 0, 0.0, {}

    def _announce(self, values: Mapping[str, float], warnings: list[str]) -> None:
        text = "".join(f"  {name} {float(value):.4g}" for name, value in values.items())
        speed = f"{self._rate():.0f}/s  {progress.duration(self.seconds)}"
        self.lines.line(f"epoch {self.epoch + 1}/{self.epochs}{text}  {speed}")
        for warning in warnings:
            self.lines.warn(warning)

    def draw(self) -> None:
        """The samples after this epoch."""
        path = self.run.sample_path(self.epoch)
        with self.run.writing(path):
            self.task.draw(path)

    def save(self) -> None:
        """A checkpoint of this position; Diverged rather than one that is not finite."""
        self.means()
        arrays = self.task.arrays()
        if _first_not_finite(arrays):
            self._diverged("a parameter is not finite", arrays)
        position = {"epoch": self.epoch, "step": self.step, "total": self.total}
        sums = {name: float(value) for name, value in self.sums.items()}
        rows = len(self.run.rows())
        self.run.save(arrays, {**position, "seconds": self.seconds, "sums": sums, "rows": rows})

    def leave_if_asked(self, save: bool = False) -> None:
        """KeyboardInterrupt, after saving, if Ctrl-C was pressed."""
        if self.stop.requested:
            if save:
                self.save()
            cure = f"go on with --resume --out {self.run.folder}"
            raise KeyboardInterrupt(f"stopped and saved; {cure}")

    def summary(self) -> dict[str, Any]:
        """What training.train returns."""
        seconds = sum(row.get("seconds") or 0.0 for row in self.run.rows())
        return {
            "epochs": self.epoch,
            "steps": self.total,
            "seconds": seconds,
            "seconds_per_step": seconds / self.total if self.total else None,
            "seed": self.run.config["flags"].get("seed"),
        }

    def _rate(self) -> float:
        return self.step * self.task.batch_size / max(self.seconds, 1e-9)

    def _state(self, steps: int, means: Mapping[str, float]) -> str:
        left = (self.epochs - self.epoch) * steps - self.step
        at = (self.epoch + 1, self.epochs, self.step, steps)
        return progress.state(at, means, self._rate(), left * self.seconds / self.step)


def _first_not_finite(arrays: Mapping[str, np.ndarray]) -> str | None:
    floats = ((name, A) for name, A in arrays.items() if A.dtype.kind in "fc")
    return next((name for name, A in floats if not np.isfinite(A).all()), None)
