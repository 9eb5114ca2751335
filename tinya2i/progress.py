"""The progress line: one line that rewrites itself on a terminal, a line now and then in a log."""

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Mapping
from typing import TextIO


class Progress:
    """epoch 3/10  step 120/469  loss 131.2  kl 6.41  2310/s  left 4:05      (on stderr)

    quiet leaves only warnings. Colour only on a terminal, and never where NO_COLOR is set.
    Losing the terminal does not end the run.
    """

    def __init__(self, quiet: bool = False, stream: TextIO | None = None):
        self.stream = sys.stderr if stream is None else stream
        self.quiet, self.terminal = quiet, self.stream.isatty()
        self.colour = self.terminal and "NO_COLOR" not in os.environ
        self.interval = 0.2 if self.terminal else 30.0  # seconds between two updates
        self._next, self._width = time.monotonic() + min(self.interval, 5.0), 0

    def update(self, text: str) -> None:
        """Show `text` as the current state, unless the last update is too recent."""
        if self.quiet or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self.interval
        if not self.terminal:
            return self._write(text + "\n")
        text = text[: shutil.get_terminal_size().columns - 1]
        self._write("\r" + text.ljust(self._width))
        self._width = len(text)

    def line(self, text: str) -> None:
        """A line that stays."""
        if not self.quiet:
            self._plain(text)

    def warn(self, text: str) -> None:
        """A line that stays, also in a quiet run."""
        label = "\x1b[33mwarning:\x1b[0m" if self.colour else "warning:"
        self._plain(f"{label} {text}")

    def _plain(self, text: str) -> None:
        blank = "\r" + " " * self._width + "\r" if self._width else ""
        self._width = 0
        self._write(f"{blank}{text}\n")

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(text)
            self.stream.flush()


def state(
    at: tuple[int, int, int, int], losses: Mapping[str, float], rate: float, left: float
) -> str:
    """The text of a progress line. at: epoch, epochs, step, steps; rate: examples/s; left: s."""
    epoch, epochs, step, steps = at
    values = "".join(f"  {name} {value:.4g}" for name, value in losses.items())
    speed = f"{rate:.0f}/s  left {duration(left)}"
    return f"epoch {epoch}/{epochs}  step {step}/{steps}{values}  {speed}"


def duration(seconds: float) -> str:
    """1:02:03, or 2:03 below an hour."""
    minutes, s = divmod(round(seconds), 60)
    h, m = divmod(minutes, 60)
    return f"{h}:{m:02}:{s:02}" if h else f"{m}:{s:02}"
