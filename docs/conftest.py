"""Runs the chapters: every Python block, the hidden checks under the formulas, what is printed."""

import contextlib
import io
import re
from collections.abc import Iterator

import numpy as np
from sybil import Document, Example, Region, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser

OUTPUT = re.compile(r"<!-- output -->\n```text\n(.*?)^```", re.DOTALL | re.MULTILINE)


class Run(PythonEvaluator):
    """Runs a block in its chapter's namespace and keeps what it prints."""

    def __call__(self, example: Example) -> None:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            super().__call__(example)
        if printed.getvalue():
            example.namespace["_printed"] = printed.getvalue()


def outputs(document: Document) -> Iterator[Region]:
    """The texts under `<!-- output -->`: exactly what the block before them prints."""
    for match in OUTPUT.finditer(document.text):
        yield Region(match.start(), match.end(), match.group(1), compare)


def compare(example: Example) -> str | None:
    printed = example.namespace.get("_printed", "")
    if printed.split() == example.parsed.split():
        return None
    return f"the chapter says\n{example.parsed}\nbut this is printed:\n{printed}"


def close(A, B, tol: float = 1e-10) -> None:
    """Same shape, and max |A - B| <= tol * max(1, max |B|): for the hidden checks."""
    A, B = np.asarray(A, float), np.asarray(B, float)
    assert A.shape == B.shape, f"shapes {A.shape} and {B.shape}"
    error = np.abs(A - B).max(initial=0) / max(1, np.abs(B).max(initial=0))
    assert error <= tol, f"differ by {error:.1e}"


pytest_collect_file = Sybil(
    parsers=[CodeBlockParser("python", Run()), outputs],
    patterns=["*.md"],
    excludes=["results/*", "decisions/*"],
    setup=lambda namespace: namespace.update(close=close),
).pytest()
