"""Time the training steps of our models against PyTorch's, on this machine's CPU.

python examples/benchmark.py                             about two minutes
python examples/benchmark.py --steps vae --rounds 20
python examples/benchmark.py --json docs/results/cpu.json
"""

import argparse
import json
from pathlib import Path
from typing import Any

from tinya2i import cli


def main() -> None:
    args = parser().parse_args()

    from tinya2i.benchmark import compare, report, timing
    from tinya2i.progress import Progress

    if args.json:
        check_place(Path(args.json))
    progress = Progress(args.quiet)
    timing.set_threads(args.threads)
    progress.update("the machine's sgemm rate")
    rate = timing.sgemm_rate(args.squares)
    results = {
        **report.surroundings(rate),
        "settings": {key: getattr(args, key) for key in ("batch_size", "rounds", "calls")},
        "steps": {},
    }
    for name in args.steps:
        results["steps"][name] = compare.compare(
            name, args.batch_size, args.rounds, args.calls, rate,
            lambda text, name=name: progress.update(f"{name}  {text}"),
        )  # fmt: skip
    progress.line("")
    print(report.table(results))
    if args.json:
        write(Path(args.json), results)


def check_place(path: Path) -> None:
    """RunError where no file can be put: minutes before it is written."""
    from tinya2i.errors import RunError

    if not path.absolute().parent.is_dir():
        raise RunError(f"--json {path}: make the folder first")
    if path.is_dir():
        raise RunError(f"--json {path} is a folder: name a file in it")


def write(path: Path, results: dict[str, Any]) -> None:
    """The results as JSON, whole or not at all."""
    from tinya2i.errors import RunError
    from tinya2i.files import plain, replacing

    try:
        with replacing(path) as part:
            part.write_text(json.dumps(plain(results), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise RunError(f"--json {path}: cannot be written ({error})") from error


def parser() -> argparse.ArgumentParser:
    flags = argparse.ArgumentParser(
        description="Time our training steps against PyTorch's, in turn in one process.",
        allow_abbrev=False,
    )
    add, natural = flags.add_argument, cli.integer(1)
    add(
        "--steps",
        type=steps,
        default="lenet5,vae",
        metavar="A,B",
        help="what to time (%(default)s)",
    )
    add(
        "--batch-size", type=natural, default=128, metavar="N", help="examples a step (%(default)s)"
    )
    add(
        "--rounds",
        type=natural,
        default=8,
        metavar="N",
        help="turns of each contender (%(default)s)",
    )
    add(
        "--calls",
        type=natural,
        metavar="N",
        help="timed calls in a turn (as many as take half a second)",
    )
    add("--threads", type=natural, metavar="N", help="on both sides (as many as BLAS uses)")
    add("--squares", type=sizes, default="2048,3072,4096", metavar="N,M",
        help="sizes of the square products that measure the machine (%(default)s)")  # fmt: skip
    add("--json", metavar="FILE", help="write all numbers there, too")
    add("--quiet", action="store_true", help="no progress, only the table")
    return flags


def steps(text: str) -> list[str]:
    from tinya2i.benchmark.steps import STEPS

    names = text.split(",")
    if unknown := [name for name in names if name not in STEPS]:
        raise argparse.ArgumentTypeError(f"no step {', '.join(unknown)}; there are {[*STEPS]}")
    return names


def sizes(text: str) -> list[int]:
    return [cli.integer(1)(size) for size in text.split(",")]


if __name__ == "__main__":
    cli.main(main)
