"""python -m tinya2i.gradcheck: check everything, print a table, exit 1 if anything is wrong."""

import sys
from collections.abc import Callable, Iterable

from tinya2i.gradcheck import cases, mutants, values
from tinya2i.gradcheck.check import TOLERANCE

Rows = Iterable[tuple[str, Callable[[], dict[str, float]]]]


def main() -> int:
    wrong = _table("gradients of, in float64", cases.rows(), wanted=True)
    wrong += _table("values of", values.rows(), wanted=True)
    wrong += _table("gradient mutants, which must be caught", mutants.rows(), wanted=False)
    wrong += _table("value mutants, which must be caught", values.mutant_rows(), wanted=False)
    print(f"{wrong} wrong" if wrong else f"all right: errors below {TOLERANCE:g}, mutants above")
    return 1 if wrong else 0


def _table(title: str, rows: Rows, wanted: bool) -> int:
    """Check and print the rows; how many verdicts were not the wanted ones."""
    print(f"{title:52s} {'worst error':>11s}  at")
    wrong = sum(_row(what, check(), wanted) for what, check in rows)
    print()
    return wrong


def _row(what: str, errors: dict[str, float], wanted: bool) -> bool:
    """Print one line; True if the verdict is not the wanted one."""
    where = max(errors, key=errors.__getitem__)
    right = errors[where] < TOLERANCE
    verdict = {True: "ok", False: "WRONG"}[right] if wanted else ("MISSED" if right else "caught")
    print(f"{what:52s} {errors[where]:11.1e}  {where:22s} {verdict}", flush=True)
    return right != wanted


if __name__ == "__main__":
    sys.exit(main())
