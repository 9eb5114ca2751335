"""Time our training steps against PyTorch's and our features against librosa's, on this machine.

python examples/benchmark.py                             some minutes
python examples/benchmark.py --steps vae --rounds 20
python examples/benchmark.py --json docs/results/cpu.json
python examples/benchmark.py --backend cupy --tf32       on a GPU; PyTorch eager and compiled
python examples/benchmark.py --features                  sound, data, one picture: a minute
python examples/benchmark.py --growth --plot growth.png  over batch and threads: ten minutes
python examples/benchmark.py --convolutions              our ways to convolve: two minutes
"""

import argparse
import functools
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from tinya2i import cli

STEPS = ["lenet5", "vae", "vaegan"]
ROUNDS = {"steps": 8, "features": 5, "growth": 2, "convolutions": 3}
SETTINGS = {
    "steps": ("batch_size", "rounds", "calls", "backend", "tf32"),
    "features": ("rounds",),
    "growth": ("batch_size", "rounds", "calls"),
    "convolutions": ("batch_size", "rounds", "calls"),
}


def main() -> None:
    args = parse()

    from tinya2i import backend
    from tinya2i.benchmark import cuda, growth, report, timing
    from tinya2i.files import plain
    from tinya2i.kernels import cublas
    from tinya2i.progress import Progress

    for flag in ("json", "plot"):
        if given := getattr(args, flag):
            check_place(flag, Path(given))
    xp = backend.get(args.backend)
    cublas.set_tf32(args.tf32, xp)
    progress = Progress(args.quiet)
    timing.set_threads(args.threads)
    progress.update("the machine's sgemm rate")
    on_gpu = args.backend == "cupy"
    rate = cuda.sgemm_rate(xp, args.squares) if on_gpu else timing.sgemm_rate(args.squares)
    results = {
        **report.surroundings(rate, xp),
        "settings": {key: getattr(args, key) for key in SETTINGS[args.what]},
        args.what: measured(args, xp, rate, progress.update),
    }
    progress.line("")
    print(report.table(results))
    if args.json:
        text = json.dumps(plain(results), indent=2) + "\n"
        write("json", args.json, lambda part: part.write_text(text, encoding="utf-8"))
    if args.plot:
        write("plot", args.plot, lambda part: growth.plot(results["growth"], part))


def measured(
    args: argparse.Namespace, xp: ModuleType, rate: float, announce: Callable[[str], None]
) -> Any:
    """What --features, --growth or neither of them asks for."""
    from tinya2i.benchmark import compare, convolutions, cuda, features, growth

    if args.what == "features":
        return features.measure(args.rounds, args.clips, announce)
    rest = (args.rounds, args.calls)
    if args.what == "growth":
        return growth.measure(args.steps, args.batch_sizes, args.batch_size, *rest, announce)
    if args.what == "convolutions":
        return convolutions.measure(args.steps, args.batch_size, *rest, announce)
    one = compare.compare
    if args.backend == "cupy":
        one = functools.partial(cuda.compare, xp=xp, tf32=args.tf32)
    return {
        name: one(
            name, args.batch_size, *rest, rate, lambda text, name=name: announce(f"{name}  {text}")
        )
        for name in args.steps
    }


def check_place(flag: str, path: Path) -> None:
    """RunError where no file can be put: minutes before it is written."""
    from tinya2i.errors import RunError

    if not path.absolute().parent.is_dir():
        raise RunError(f"--{flag} {path}: make the folder first")
    if path.is_dir():
        raise RunError(f"--{flag} {path} is a folder: name a file in it")


def write(flag: str, path: str, put: Callable[[Path], object]) -> None:
    """The file that `put` writes, whole or not at all."""
    from tinya2i.errors import RunError
    from tinya2i.files import replacing

    try:
        with replacing(path) as part:
            put(part)
    except OSError as error:
        raise RunError(f"--{flag} {path}: cannot be written ({error})") from error


def parse() -> argparse.Namespace:
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    modes(flags)
    add, natural = flags.add_argument, cli.integer(1)
    add(
        "--steps",
        type=steps,
        metavar="A,B",
        help="what to time (lenet5,vae,vaegan; --growth without the last)",
    )
    add(
        "--batch-size", type=natural, default=128, metavar="N", help="examples a step (%(default)s)"
    )
    add("--rounds", type=natural, metavar="N",
        help="turns of each contender (8; --features 5, --growth 2, --convolutions 3)")  # fmt: skip
    add(
        "--calls",
        type=natural,
        metavar="N",
        help="timed calls in a turn (as many as take half a second)",
    )
    add("--backend", choices=("numpy", "cupy"), default="numpy",
        help="cupy: the steps on a GPU (%(default)s)")  # fmt: skip
    add("--tf32", action="store_true", help="with cupy: products from factors of 10 bits")
    add("--threads", type=natural, metavar="N", help="on both sides (as many as BLAS uses)")
    add("--squares", type=sizes, default="2048,3072,4096", metavar="N,M",
        help="sizes of the square products that measure the machine (%(default)s)")  # fmt: skip
    add("--json", metavar="FILE", help="write all numbers there, too")
    add("--quiet", action="store_true", help="no progress, only the table")
    args = flags.parse_args()
    args.rounds = args.rounds or ROUNDS[args.what]
    args.steps = args.steps or STEPS[: 2 if args.what == "growth" else 3]
    if args.plot and args.what != "growth":
        flags.error("--plot draws what --growth measures: add --growth")
    if args.backend == "cupy" and args.what != "steps":
        flags.error(f"--backend cupy measures steps: leave out --{args.what}")
    return args


def modes(flags: argparse.ArgumentParser) -> None:
    """Flags for what is measured instead of the steps at one batch size."""
    flags.set_defaults(what="steps")
    what, natural = flags.add_mutually_exclusive_group(), cli.integer(1)
    for name, text in (
        ("features", "log-mel of many files against librosa, the mix's start, one picture"),
        ("growth", "steps over batch sizes at all threads, over threads at --batch-size"),
        ("convolutions", "each convolution in our plain way and in the one that is taken"),
    ):
        what.add_argument(f"--{name}", dest="what", action="store_const", const=name, help=text)
    add = flags.add_argument
    add("--clips", type=natural, metavar="N", help="for --features: at most so many (all)")
    add("--batch-sizes", type=sizes, default="1,4,16,64,128,256,512,1024", metavar="N,M",
        help="for --growth (%(default)s)")  # fmt: skip
    add("--plot", metavar="FILE", help="for --growth: draw it there, as PNG")


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
