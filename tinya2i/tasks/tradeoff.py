"""Consistency against diversity: the same VAE-GAN with many weights of the reconstruction."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinya2i.errors import RunError
from tinya2i.tasks.saved import read_config
from tinya2i.threads import thread_count

# model: its name, and the flag that leads it from variety to consistency
KNOBS = {"cvae": ("CVAE", "hybrid"), "vaegan": ("VAE-GAN", "alpha")}


@dataclass(frozen=True)
class Cell:
    """One training run of the sweep, and its folder."""

    alpha: float
    seed: int
    folder: Path

    @property
    def done(self) -> bool:
        """Whether it has been trained to its end."""
        return (self.folder / "summary.json").exists()


def cells(folder: Path, alphas: Sequence[float], seeds: Sequence[int]) -> list[Cell]:
    """Every alpha with every seed: all alphas of the first seed first, so a curve is soon there."""
    return [
        Cell(alpha, seed, folder / f"alpha-{alpha:g}-seed-{seed}")
        for seed, alpha in itertools.product(seeds, alphas)
    ]


def train_cells(
    cells: Sequence[Cell],
    program: Path,
    words: Sequence[str],
    jobs: int,
    say: Callable[[str], None],
) -> None:
    """Train what is not done, `jobs` processes at once that share the cores, each with a log.

    program: examples/train_vaegan.py; words: the flags that all have in common. A run that was
    interrupted goes on. RunError, once all others have finished, if one failed; call it again to
    go on.
    """
    todo = [cell for cell in cells if not cell.done]
    say(f"{len(cells) - len(todo)} of {len(cells)} runs are done")
    threads = max(1, thread_count() // jobs)
    command = [sys.executable, str(program), *words]
    with ThreadPoolExecutor(jobs) as pool:
        codes = list(pool.map(lambda cell: _train(cell, command, threads, say), todo))
    if bad := [cell.folder for cell, code in zip(todo, codes, strict=True) if code]:
        raise RunError(
            f"{len(bad)} of the runs failed, the first in {bad[0]}: read {bad[0]}.log, "
            "and start the same command again to go on"
        )


def _train(cell: Cell, command: list[str], threads: int, say: Callable[[str], None]) -> int:
    """One training process; its exit code."""
    command = [*command, "--alpha", repr(cell.alpha), "--seed", str(cell.seed)]
    command += ["--out", str(cell.folder), *(["--resume"] if cell.folder.exists() else [])]
    cell.folder.parent.mkdir(parents=True, exist_ok=True)
    with cell.folder.with_name(cell.folder.name + ".log").open("a", encoding="utf-8") as log:
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": str(threads)}
        code = subprocess.call(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
    say(f"{cell.folder}: {'trained' if code == 0 else f'exit code {code}'}")
    return code


def check(cells: Sequence[Cell], settings: dict[str, Any]) -> None:
    """RunError where a run that is there was trained with other settings than these."""
    for cell in cells:
        if not (cell.folder / "config.json").exists():
            continue
        flags = read_config(cell.folder)["flags"]
        if flags.get("alpha_ramp"):
            raise RunError(f"the alpha of {cell.folder} has risen: choose another --out")
        if differ := [name for name, value in settings.items() if flags.get(name) != value]:
            raise RunError(
                f"{cell.folder} was trained with another {', '.join(differ)}: "
                "choose another --out, or remove it"
            )


def name_of(run: Path) -> tuple[str, str]:
    """(label, group) of a generator's finished run: its knob's value; its model, seed and steps.

    RunError where it is none.
    """
    flags = read_config(run)["flags"]
    try:
        steps = json.loads((run / "summary.json").read_text(encoding="utf-8"))["steps"]
        kind = flags["model"]
        name, knob = KNOBS.get(kind, (kind.upper(), None))
        if (of := flags.get("reconstruction", "pixels")) != "pixels":
            name += f" of {of}"
        rising = "rising " if flags.get("alpha_ramp") else ""
        if flags.get("ear_from"):
            name += " with a taught ear"
        after = f", seed {flags['seed']}, {steps} steps"
        if knob is None:
            return "", name + after
        return f"{flags[knob]:g}", f"{name}, {rising}{knob}{after}"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{run} is no finished run of a generator's trainer: {error!r}") from error


def point(label: str, group: str, agreement: dict[str, Any], quality: dict[str, Any]) -> dict:
    """One place on the curve, JSON-able, for `plot.tradeoff` and the table.

    agreement: of `tasks.evaluate`; quality: of `tasks.quality.quality`. "diversity" is the mean
    distance of two pictures of a clip, in pixels, as a share of that of real pictures.
    """
    row, sampled = quality["rows"]["generated"], agreement["agreement_sampled_unique"]
    return {
        "label": label,
        "group": group,
        "agreement": sampled["rate"],
        "interval": sampled["interval"],
        "agreement_mu": agreement["agreement_unique"]["rate"],
        "diversity": row["per_clip"]["pixel_distance"]["share"],
        "diversity_features": row["per_clip"]["feature_distance"]["share"],
        "within_digit": row["within_digit"]["pixel_distance"]["share"],
        **{name: row[name] for name in ("lenet_fid", "precision", "recall")},
        "kl": agreement.get("kl"),
    }


def read_points(path: Path) -> list[dict[str, Any]]:
    """The points that a sweep has left in its tradeoff.json. RunError where there are none."""
    try:
        points = json.loads(path.read_text(encoding="utf-8"))["points"]
        table(points)  # fails where something is missing, as drawing would
        if not points or not all(len([*map(float, point["interval"])]) == 2 for point in points):
            raise ValueError("no points, or one without its interval")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path} has no points to draw: {error!r}; take a tradeoff.json of examples/tradeoff.py"
        ) from error
    return points


def table(points: Sequence[dict[str, Any]]) -> str:
    """The points as text, one line each, in per cent but for LeNet-FID and KL."""
    names = ("agreement", "agreement_mu", "diversity", "within_digit", "precision", "recall")
    heads = ("z drawn", "z = mu", "per clip", "in digit", "precision", "recall", "FID", "KL")
    lines = [f"{'':44}" + "".join(f"{head:>10}" for head in heads)]
    for each in points:
        cells = "".join(f"{100 * each[name]:10.1f}" for name in names)
        kl = "" if each["kl"] is None else f"{each['kl']:.1f}"
        ends = f"{each['lenet_fid']:10.1f}{kl:>10}"
        lines.append(f"{each['group'] + '  ' + each['label']:44}{cells}{ends}")
    return "\n".join(lines)
