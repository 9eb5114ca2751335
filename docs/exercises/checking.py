"""What all checkers of exercises share. `python docs/exercises/ex01.py` runs those of a chapter."""

import importlib
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np


class Wrong(AssertionError):
    """An answer that is not right, with the likely mistake."""


def compare(
    name: str,
    yours: Any,
    right: Any,
    mistakes: Mapping[str, Any] | None = None,
    tol: float = 1e-8,
) -> None:
    """Wrong, unless yours is right, to a relative error of tol, in shape and values.

    mistakes: {what went wrong: the answer that comes of it}; the first that fits is named.
    """
    right = np.asarray(right)
    if yours is None:
        raise Wrong(f"{name}: you returned None; is there a return?")
    yours = np.asarray(yours)
    if not _same(yours, right, tol):
        for mistake, wrong in (mistakes or {}).items():
            if _same(yours, np.asarray(wrong), tol):
                raise Wrong(f"{name}: {mistake}")
    if yours.shape != right.shape:
        raise Wrong(f"{name}: shape {yours.shape}, but {right.shape} is asked for")
    if not _same(yours, right, tol):
        raise Wrong(f"{name}: {_hint(yours, right, tol)}")


def _same(A: np.ndarray, B: np.ndarray, tol: float) -> bool:
    if A.shape != B.shape:
        return False
    scale = max(1e-300, float(np.abs(B).max(initial=0)))
    return bool(np.abs(A - B).max(initial=0) <= tol * scale)


def _hint(yours: np.ndarray, right: np.ndarray, tol: float) -> str:
    for factor, words in ((-1, "the sign is wrong"), (2, "twice too large"), (0.5, "half of it")):
        if _same(yours, factor * right, tol):
            return f"{words}, otherwise it is right"
    worst = np.unravel_index(np.abs(yours - right).argmax(), right.shape)
    place = f" at {tuple(int(i) for i in worst)}" if worst else ""
    return f"your value{place} is {yours[worst]:.6g}, the true value is {right[worst]:.6g}"


def several(found: Any, count: int, words: str) -> Any:
    """found, if it is a tuple or list of `count` things; Wrong, with words, if it is not."""
    if not isinstance(found, tuple | list) or len(found) != count:
        raise Wrong(f"return {count} things, {words}")
    return found


def raises(name: str, error: type[Exception], call: Callable[[], Any], why: str) -> None:
    """Wrong, unless call() raises that error."""
    try:
        call()
    except error:
        return
    raise Wrong(f"{name}: no {error.__name__}, but {why}")


def run(answers: Mapping[str, Any]) -> None:
    """Check the answers of one chapter: run(globals()) at the end of its exercises."""
    chapter = Path(answers["__file__"]).stem
    failed = 0
    for name, check in checks(chapter).items():
        try:
            check(answers[name])
            print(f"{name}: right")
        except NotImplementedError:
            print(f"{name}: not done yet")
        except Wrong as error:
            failed += 1
            said = str(error)
            print(said if said.startswith(name) else f"{name}: {said}")
        except Exception as error:  # in the reader's own code: the other exercises go on
            failed += 1
            print(f"{name}: your function stopped with {type(error).__name__}: {error}")
            traceback.print_exc()
    sys.exit(bool(failed))


def checks(chapter: str) -> dict[str, Callable[[Callable], None]]:
    """{exercise: its checker}: check_NAME of checks/EXNN.py checks the function NAME."""
    module = importlib.import_module(f"checks.{chapter}")
    return {
        name.removeprefix("check_"): check
        for name, check in vars(module).items()
        if name.startswith("check_")
    }
