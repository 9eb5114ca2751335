"""A run's folder: config.json, metrics.jsonl, samples/, checkpoint.npz, summary.json."""

import datetime
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import tinya2i
from tinya2i import checkpoint
from tinya2i.environment import environment
from tinya2i.errors import RunError
from tinya2i.files import locked, plain, read_rows, replacing

# Flags that may change on resume: they decide how far and how loud, not what is computed.
FREE = frozenset(("epochs", "out", "resume", "overwrite", "quiet", "samples_every"))
FREE |= {"checkpoint_every", "data_dir", "offline", "backend", "tf32"}
# Entries of a metrics row that two equal runs do not share.
TIMES = frozenset(("seconds", "seconds_evaluating", "examples_per_second"))
# All that a run writes, and so all that --overwrite deletes.
WRITES = (
    *("config.json", "metrics.jsonl", "summary.json", "curves.png", "samples/epoch_*.png"),
    *(checkpoint.NAME, checkpoint.PREVIOUS, ".*.part", ".*.spare", "samples/.*.part"),
)
LOCK = ".lock"


class Run:
    """The folder of one run. flags: what it was asked to do; data: what it was given.

    A new run needs a folder that is missing or empty; `overwrite` deletes the run in it first (only
    files that a run writes), `resume` goes on with it and refuses flags that would make it another
    run. A finished dry run is overwritten without asking. Raises RunError.
    """

    def __init__(
        self,
        folder: str | Path,
        flags: Mapping[str, Any],
        *,
        resume: bool = False,
        overwrite: bool = False,
        data: Mapping[str, Any] | None = None,
        xp: ModuleType = np,
    ):
        self.folder, self.resumed = Path(folder), resume
        self.notes: list[str] = []  # what the user should know; training prints it
        self.safe = "Nothing is saved yet."
        config = plain({"tinya2i": tinya2i.__version__, "flags": dict(flags), "data": data or {}})
        config["environment"] = environment(xp)
        if resume and overwrite:
            raise RunError("--resume keeps the run, --overwrite deletes it: give one of them")
        if resume:
            self.safe = "What it holds is as it was."
            self.config = self._resumed(config)
        else:
            with self.writing(self.folder):
                self.folder.mkdir(parents=True, exist_ok=True)
                self._make_room(overwrite)
            self.config = {**config, "started": _now()}
        self._write_json("config.json", self.config)

    @contextmanager
    def writing(self, path: Path) -> Iterator[None]:
        """Turns an OSError into a RunError that says what could not be written and what is safe."""
        try:
            yield
        except OSError as error:
            raise RunError(
                f"cannot write {path}: {error.strerror or error}. {self.safe} "
                "Make room or choose another --out; --resume goes on from what is saved"
            ) from error

    def locked(self) -> AbstractContextManager[None]:
        """Keeps other processes from training in this folder."""
        return locked(self.folder / LOCK)

    def save(self, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> None:
        """Replace checkpoint.npz; the one before it is kept as checkpoint.previous.npz."""
        path = self.folder / checkpoint.NAME
        with self.writing(path):
            checkpoint.save(path, arrays, meta)
        self.safe = f"{path} is whole."

    def latest(self, expect: checkpoint.Expected) -> tuple[dict[str, np.ndarray], dict] | None:
        """(arrays, meta) of the newest good checkpoint, or None if there is none yet."""
        names = (checkpoint.NAME, checkpoint.PREVIOUS)
        if not any((self.folder / name).exists() for name in names):
            return None
        arrays, meta, note = checkpoint.load_latest(self.folder, expect)
        self.notes += [note] if note else []
        self.safe = f"The checkpoint in {self.folder} is whole."
        return arrays, meta

    def log(self, row: Mapping[str, Any]) -> None:
        """Append one line to metrics.jsonl; numbers that are not finite become null."""
        path = self.folder / "metrics.jsonl"
        with self.writing(path), open(path, "a", encoding="utf-8") as lines:
            lines.write(json.dumps(plain(row), allow_nan=False) + "\n")
            lines.flush()
            os.fsync(lines.fileno())  # before the checkpoint that counts this line

    def rows(self) -> list[dict[str, Any]]:
        """The rows of metrics.jsonl so far."""
        return read_rows(self.folder / "metrics.jsonl")

    def keep_rows(self, count: int) -> None:
        """Drop the rows of metrics.jsonl after the first `count`, and a torn last line."""
        path, rows = self.folder / "metrics.jsonl", self.rows()
        if len(rows) < count:
            self.notes.append(f"{path} has {len(rows)} of the {count} rows it had: going on")
        if path.exists():
            with self.writing(path), replacing(path) as temporary:
                temporary.write_text("".join(json.dumps(row) + "\n" for row in rows[:count]))

    def summary(self, values: Mapping[str, Any]) -> None:
        """Write summary.json."""
        self._write_json("summary.json", plain(values))

    def sample_path(self, epoch: int) -> Path:
        """samples/epoch_0007.png, in a folder that exists."""
        path = self.folder / "samples" / f"epoch_{epoch:04}.png"
        with self.writing(path):
            path.parent.mkdir(exist_ok=True)
        return path

    def _make_room(self, overwrite: bool) -> None:
        files = [path for path in self.folder.iterdir() if not path.name.startswith(".")]
        if not files:
            return
        old = self._old_config()
        if old is None:
            raise RunError(f"{self.folder} has files in it, but no run: choose another --out")
        if not overwrite and not old["flags"].get("dry_run"):
            raise RunError(
                f"{self.folder} holds a run: --resume goes on with it, --overwrite deletes it, "
                "--out NAME leaves it alone"
            )
        with self.locked():
            for pattern in WRITES:
                for path in self.folder.glob(pattern):
                    path.unlink()

    def _old_config(self) -> dict[str, Any] | None:
        try:
            config = json.loads((self.folder / "config.json").read_text(encoding="utf-8"))
            ours = "tinya2i" in config and isinstance(config["flags"], dict)
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return config if ours else None

    def _resumed(self, config: dict[str, Any]) -> dict[str, Any]:
        """The old config with the new free flags, if `config` goes on with the same run."""
        old = self._old_config()
        if old is None:
            raise RunError(f"there is no run in {self.folder} to resume: leave --resume out")
        before, now = (
            {**c["flags"], "data info": without_sources(c.get("data"))} for c in (old, config)
        )
        differ = [
            f"--{name.replace('_', '-')} "
            + (f"was {before[name]!r:.60}, " if name in before else "did not exist then, ")
            + f"is {now.get(name)!r:.60}"
            for name in sorted(before.keys() | now.keys())
            if name not in FREE and before.get(name) != now.get(name)
        ]
        if differ:
            raise RunError(
                f"--resume would change the run in {self.folder}: {'; '.join(differ)}. "
                "Give the old values, or start another run with another --out"
            )
        changed = [k for k, v in config["environment"].items() if v != old["environment"].get(k)]
        if changed:
            what = ", ".join(changed)
            self.notes.append(f"resumed with another {what}: not bit for bit the same")
        again = {"time": _now(), "environment": config["environment"]}
        return {**old, "flags": config["flags"], "resumed": [*old.get("resumed", []), again]}

    def _write_json(self, name: str, values: Mapping[str, Any]) -> None:
        path = self.folder / name
        with self.writing(path), replacing(path) as temporary:
            temporary.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def without_sources(value: Any) -> Any:
    """The same without entries called "source": where data lie is no part of what they are."""
    if not isinstance(value, dict):
        return value
    return {k: without_sources(v) for k, v in value.items() if k != "source"}


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
