"""What the command lines of all examples share: flags, error messages, exit codes."""

import argparse
import contextlib
import itertools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from tinya2i.flags import (
    DRY_STEPS,
    clip_flags,
    data_flags,
    generator_flags,
    integer,
    number,
    positive,
    run_flags,
    training_flags,
)

__all__ = [
    "clip_flags",
    "decay",
    "exit_code",
    "folder",
    "generator_flags",
    "integer",
    "loop_options",
    "main",
    "number",
    "parser",
    "positive",
]


def parser(description: str, **defaults: Any) -> argparse.ArgumentParser:
    """A parser with the flags that every trainer has; `defaults` replace theirs.

    Add the trainer's own flags with add_argument. Names of defaults as in Python: batch_size=64.
    """
    flags = argparse.ArgumentParser(
        description=description, formatter_class=_Help, allow_abbrev=False
    )
    data_flags(flags.add_argument_group("data"))
    training_flags(flags.add_argument_group("training"))
    run_flags(flags.add_argument_group("run"))
    surplus = defaults.keys() - vars(flags.parse_args([])).keys()
    if surplus:
        raise TypeError(f"no common flag is called {', '.join(sorted(surplus))}")
    flags.set_defaults(**defaults)
    return flags


def decay(args: argparse.Namespace) -> int | None:
    """Over how many epochs the learning rate falls, for tasks.ModelTask."""
    return args.epochs if args.schedule == "linear" else None


def loop_options(args: argparse.Namespace) -> dict[str, Any]:
    """The keyword arguments of training.train that the common flags decide."""
    return {
        "epochs": args.epochs,
        "samples_every": args.samples_every,
        "checkpoint_every": args.checkpoint_every,
        "limit_steps": DRY_STEPS if args.dry_run else None,
        "quiet": args.quiet,
    }


def folder(args: argparse.Namespace, name: str) -> Path:
    """The run's folder: --out, or else runs/NAME, or the next free one of NAME-2, NAME-3, ...

    With --resume or --overwrite and no --out, the last of them that is there.
    """
    if args.out is None:
        places = [Path("runs") / (name if i == 1 else f"{name}-{i}") for i in range(1, 1000)]
        taken = sum(1 for _ in itertools.takewhile(Path.exists, places))
        last = args.resume or args.overwrite
        args.out = str(places[max(taken - 1, 0) if last else taken])
    return Path(args.out)


def main(function: Callable[[], Any]) -> NoReturn:
    """Run a program and leave Python with its exit code."""
    sys.exit(exit_code(function))


def exit_code(function: Callable[[], Any]) -> int:
    """0: done; 1: the training diverged; 2: an error that the user can mend; 130: Ctrl-C; 141:
    nobody reads our output any more. What a user can mend is one line on stderr, no traceback.
    """
    from tinya2i.errors import Tinya2iError

    try:
        function()
        sys.stdout.flush()  # a broken pipe must show here, not after the last handler
        return 0
    except Tinya2iError as error:
        _say(f"error: {error}")
        return getattr(error, "exit_code", 2)
    except KeyboardInterrupt as stop:
        _say(str(stop) or "interrupted")
        return 130
    except BrokenPipeError:
        # Python flushes stdout once more at its end, and would complain about the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _say(text: str) -> None:
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


class _Help(argparse.HelpFormatter):
    """Shows the default of every flag that has one worth showing."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or action.default is False or action.default == argparse.SUPPRESS:
            return action.help
        return f"{action.help} (default: %(default)s)"
