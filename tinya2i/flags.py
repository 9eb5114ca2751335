"""The flags of the command lines, and the types that check their values."""

import argparse
import contextlib
import math
import re
from collections.abc import Callable

DRY_STEPS = 3


def data_flags(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--data",
        choices=("mix", "toy"),
        default="toy",
        help="mix: MNIST and spoken digits (FSDD); toy: made by code, no download",
    )
    add("--data-dir", metavar="DIR", help="where the data sets are, or go to")
    add("--offline", action="store_true", help="never download")
    add("--speakers", default="talk", help="talk (four), all, or names with commas")
    add(
        "--split",
        type=_split,
        default="random",
        help="random (90/10), official (recordings 0-4 test), or speaker:NAME (NAME tests)",
    )
    add("--limit-train", type=integer(1), metavar="N", help="use only N training examples")


def training_flags(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--epochs", type=integer(0), metavar="N", help="passes over the data")
    add("--batch-size", type=integer(1), default=128, metavar="N", help="examples a step")
    add("--lr", type=positive, default=1e-3, metavar="X", help="learning rate")
    add(
        "--schedule",
        choices=("linear", "constant"),
        default="linear",
        help="the learning rate falls to 0 by the last epoch, or stays",
    )
    add("--seed", type=integer(0), default=0, metavar="N", help="of everything random")
    add(
        "--backend",
        choices=("auto", "numpy", "cupy"),
        default="auto",
        help="auto: cupy where it works, else numpy",
    )
    add(
        "--tf32",
        action="store_true",
        help="on a GPU: products from factors of 10 bits, several times as fast",
    )


def run_flags(group: argparse._ArgumentGroup) -> None:
    from tinya2i import __version__

    add = group.add_argument
    add("--out", metavar="DIR", help="folder of the run (default: a new one under runs/)")
    add("--resume", action="store_true", help="go on where the run in --out stopped")
    add("--overwrite", action="store_true", help="delete the run in --out first")
    add(
        "--samples-every",
        type=integer(0),
        default=1,
        metavar="N",
        help="draw samples every N epochs; 0: never",
    )
    add(
        "--checkpoint-every",
        type=integer(0),
        default=1,
        metavar="N",
        help="save every N epochs; 0: only at the end",
    )
    add("--dry-run", action="store_true", help=f"only {DRY_STEPS} steps, to see that all works")
    add("--quiet", action="store_true", help="no progress, only warnings and errors")
    add("--version", action="version", version=f"tinya2i {__version__}")


def integer(least: int) -> Callable[[str], int]:
    """A type for add_argument: whole numbers from `least` up."""

    def convert(text: str) -> int:
        with contextlib.suppress(ValueError):
            if (value := int(text)) >= least:
                return value
        raise argparse.ArgumentTypeError(f"must be a whole number, {least} or more, not {text!r}")

    return convert


def number(low: float, high: float = math.inf) -> Callable[[str], float]:
    """A type for add_argument: finite numbers from `low` to `high`."""

    def convert(text: str) -> float:
        with contextlib.suppress(ValueError):
            if math.isfinite(value := float(text)) and low <= value <= high:
                return value
        bounds = f"{low:g} or more" if high == math.inf else f"from {low:g} to {high:g}"
        raise argparse.ArgumentTypeError(f"must be a finite number, {bounds}, not {text!r}")

    return convert


def positive(text: str) -> float:
    """A type for add_argument: finite numbers above 0."""
    with contextlib.suppress(ValueError):
        if 0 < (value := float(text)) < math.inf:
            return value
    raise argparse.ArgumentTypeError(f"must be a finite number above 0, not {text!r}")


def _split(text: str) -> str:
    if re.fullmatch(r"random|official|speaker:\w+", text):
        return text
    raise argparse.ArgumentTypeError(f"must be random, official or speaker:NAME, not {text!r}")


def generator_flags(flags: argparse.ArgumentParser) -> None:
    """Add the flags of everything that draws what it hears."""
    group = flags.add_argument_group("model")
    group.add_argument(
        "--judge", metavar="DIR", help="run of train_lenet5 (default: runs/lenet5-DATA)"
    )
    group.add_argument(
        "--ear-from",
        metavar="DIR",
        help="run of train_correspondence --ear vae, with whose ear the encoder starts",
    )
    clip_flags(flags, group)


def clip_flags(flags: argparse.ArgumentParser, group: argparse._ArgumentGroup) -> None:
    """Add the flags of everything that learns from clips and pictures, most of them to `group`."""
    add = group.add_argument
    add(
        "--framing",
        choices=("stretched", "fixed"),
        default="stretched",
        help="48 frames evenly over the clip, or every 16 ms",
    )
    add(
        "--normalise",
        choices=("global", "band", "none"),
        default="global",
        help="standardise the log-mel as a whole, each band, or not",
    )
    add("--init", choices=("he", "torch", "dcgan"), default="he", help="starting weights")
    add("--repair", action="store_true", help="pair clips and pictures anew each epoch")
    augment_flags(flags)


def augment_flags(flags: argparse.ArgumentParser) -> None:
    """Add the flags of everything that can train on other versions of the clips."""
    add = flags.add_argument_group("augmentation").add_argument
    add(
        "--augment",
        type=integer(0),
        metavar="K",
        help="train on K fresh versions of each clip, others each epoch; 0, the default: on itself",
    )
    add(
        "--augment-kinds",
        metavar="A,B",
        help="of speed, shift, noise, vtlp, warp, tilt, mask; speed=1.3 for more (default: all)",
    )
