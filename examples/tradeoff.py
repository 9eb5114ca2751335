"""The trade-off that the talk ends on: how well pictures follow the sound, and how much they vary.

python examples/tradeoff.py --data mix --references runs/vae-mix      hours: 14 runs of an epoch
python examples/tradeoff.py --data mix --alphas 0,0.001,0.2 --seeds 0 --limit-train 12800
python examples/tradeoff.py --data mix --alphas '' --references runs/vae-mix runs/cvae-mix
python examples/tradeoff.py --data mix --alphas '' --references runs/a runs/b --beside tradeoff.json
python examples/tradeoff.py --data toy --limit-train 640 --alphas 0.1,1 --seeds 0     to see it run

Trains a VAE-GAN for each weight alpha of the reconstruction and each seed, goes on where it was
stopped, and draws agreement against diversity. With few epochs the talk's learning rate, the
default of train_vaegan, teaches little: here it is one that teaches most in one.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from tinya2i import cli

ALPHAS = "0,0.00025,0.001,0.005,0.02,0.2,5"
SETTINGS = ("arch", "beta", "reconstruction", "lr", "schedule", "batch_size")
LINES = {"the talk's VAE, 93.7 %": 0.937, "the talk's VAE-GAN, 79 %": 0.79}


def parse() -> argparse.Namespace:
    flags = argparse.ArgumentParser(
        description="Agreement against diversity for many weights of the reconstruction.",
        allow_abbrev=False,
    )
    add, natural = flags.add_argument, cli.integer(1)
    add("--data", choices=("mix", "toy"), default="toy", help="default: toy")
    add("--alphas", type=numbers(cli.number(0)), default=ALPHAS, metavar="A,B", help=ALPHAS)
    add("--seeds", type=numbers(cli.integer(0)), default="0,1", metavar="A,B", help="0,1")
    add("--beta", type=cli.number(0), default=0.5, metavar="W", help="weight of KL (0.5)")
    kinds, schedules = ("pixels", "mse", "features"), ("linear", "constant")
    add("--reconstruction", default="pixels", choices=kinds, help="default: pixels")
    add("--lr", type=cli.positive, default=5e-4, metavar="X", help="learning rate (5e-4)")
    add("--schedule", default="constant", choices=schedules, help="default: constant")
    add("--batch-size", type=natural, default=128, metavar="N", help="examples a step (128)")
    add("--epochs", type=natural, default=1, metavar="N", help="of each run (1)")
    add("--limit-train", type=natural, metavar="N", help="use only N training examples")
    add("--arch", default="bare", choices=("talk", "b", "bare", "hidden"), help="default: bare")
    add(
        "--references", nargs="+", default=[], metavar="RUN", help="other runs, to draw beside them"
    )
    add(
        "--beside",
        nargs="+",
        default=[],
        metavar="FILE",
        help="tradeoff.json of other sweeps, whose points to draw, too",
    )
    add("--judge", metavar="DIR", help="run of train_lenet5 (default: runs/lenet5-DATA)")
    add("--jobs", type=natural, default=1, metavar="N", help="runs at once, sharing the cores (1)")
    add("--data-dir", metavar="DIR", help="where the data sets are, or go to")
    add("--offline", action="store_true", help="never download")
    add("--out", metavar="DIR", help="default: runs/tradeoff-DATA")
    return flags.parse_args()


def main() -> None:
    args = parse()

    import numpy as np

    from tinya2i import plot
    from tinya2i.environment import environment
    from tinya2i.tasks import find_judge, program, tradeoff

    out = Path(args.out or f"runs/tradeoff-{args.data}")
    with program.writing(out):
        out.mkdir(parents=True, exist_ok=True)
    judge = find_judge(args.judge, args.data, lambda: program.images(args), np, quiet=False)
    sweep = tradeoff.cells(out, args.alphas, args.seeds)
    settings = {name: getattr(args, name) for name in ("data", *SETTINGS, "epochs", "limit_train")}
    tradeoff.check(sweep, settings)
    names = [tradeoff.name_of(Path(run)) for run in args.references]  # before hours of training
    known = [point for file in args.beside for point in tradeoff.read_points(Path(file))]
    train_vaegan = Path(__file__).with_name("train_vaegan.py")
    tradeoff.train_cells(sweep, train_vaegan, words(args), args.jobs, print)
    runs = [(*tradeoff.name_of(cell.folder), cell.folder) for cell in sweep]
    runs += [(*name, Path(run)) for name, run in zip(names, args.references, strict=True)]
    points = known + [measured(*run, judge, args) for run in runs]
    print(tradeoff.table(points))
    result = {**settings, "environment": environment(), "points": points}
    program.write_json(out / "tradeoff.json", result)
    with program.writing(out / "tradeoff.png"):
        plot.tradeoff(points, out / "tradeoff.png", LINES)
    print(f"written: tradeoff.json and tradeoff.png in {out}")


def measured(label: str, group: str, folder: Path, judge, args) -> dict[str, Any]:
    """A run's point; from its tradeoff.json where it has been measured before, by this judge."""
    from tinya2i.tasks import evaluate, load_generator, program, tradeoff
    from tinya2i.tasks.quality import quality
    from tinya2i.tasks.saved import rebuild_mix
    from tinya2i.threads import own_cores

    path, who = folder / "tradeoff.json", {"group": group, "judge": args.judge}
    if path.exists():
        found = json.loads(path.read_text(encoding="utf-8"))
        if {name: found.get(name) for name in who} == who:
            return found
    model, config = load_generator(folder)
    mix = rebuild_mix(config, data_dir=args.data_dir, offline=args.offline)
    with own_cores():
        read = evaluate(model, judge, mix.test, seed=config["flags"]["seed"])
        qualities = quality(model, judge, mix, seed=config["flags"]["seed"])
    found = {**tradeoff.point(label, group, read, qualities), "judge": args.judge}
    program.write_json(path, found)
    return found


def words(args: argparse.Namespace) -> list[str]:
    """The flags that all runs of the sweep share."""
    names = ("data", *SETTINGS, "epochs", "limit_train", "judge", "data_dir")
    given = {name: getattr(args, name) for name in names}
    flags = [
        (f"--{name.replace('_', '-')}", str(value))
        for name, value in given.items()
        if value is not None
    ]
    flags += [("--offline",)] if args.offline else []
    return [word for flag in flags for word in flag] + ["--checkpoint-every", "0"]


def numbers(convert):
    """A type for add_argument: numbers with commas between, or none at all."""

    def split(text: str) -> list:
        return [convert(part) for part in text.split(",") if part]

    return split


if __name__ == "__main__":
    cli.main(main)
