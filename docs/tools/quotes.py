"""Code in the chapters that is quoted from the library: it must be what stands there today.

    <!-- quote: tinya2i.layers.Linear.forward -->          over a fence of the kind ```py
    <!-- quote: tinya2i.losses.mse, no docstring -->       without what it says about itself

python docs/tools/quotes.py          names what differs
python docs/tools/quotes.py --fix    writes the library's code into the chapters
"""

import ast
import importlib
import inspect
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

from maths import line_of

DOCS = Path(__file__).resolve().parent.parent
QUOTE = re.compile(
    r"(<!-- quote: ([\w.]+)(, no docstring)? -->\n```py\n)(.*?)(^```)", re.DOTALL | re.MULTILINE
)


def pages() -> list[Path]:
    """All pages of the course."""
    return sorted(DOCS.glob("*.md"))


def find(symbol: str) -> Any:
    """What a dotted name stands for: a module's function, class or method. ImportError if none."""
    parts = symbol.split(".")
    for n in range(len(parts) - 1, 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:n]))
        except ModuleNotFoundError:
            continue
        try:
            for name in parts[n:]:
                found = getattr(found, name)
        except AttributeError:
            break
        return found
    raise ImportError(f"there is no {symbol} in the library")


def source(symbol: str, docstring: bool = True) -> str:
    """The code of a symbol as it stands in the library, moved to the left."""
    text = textwrap.dedent(inspect.getsource(find(symbol)))
    return text if docstring else without_docstring(text)


def without_docstring(code: str) -> str:
    """code of one function or class without its docstring."""
    (node,) = ast.parse(code).body
    first = node.body[0]
    if ast.get_docstring(node) is None:
        return code
    lines = code.splitlines(keepends=True)
    rest = lines[first.end_lineno :]
    while rest and not rest[0].strip():
        del rest[0]
    return "".join(lines[: first.lineno - 1] + rest)


def fixed(text: str) -> str:
    """A page with the library's code in all its quotes."""
    return QUOTE.sub(lambda m: m[1] + source(m[2], not m[3]) + m[5], text)


def drifts(page: Path) -> list[str]:
    """file:line and symbol of each quote that is not what the library says."""
    text = page.read_text(encoding="utf-8")
    return [
        f"{page.name}:{line_of(text, m.start())}: {m[2]} has changed: "
        "run python docs/tools/quotes.py --fix"
        for m in QUOTE.finditer(text)
        if m[4] != source(m[2], not m[3])
    ]


def main() -> int:
    if "--fix" in sys.argv:
        for page in pages():
            text = page.read_text(encoding="utf-8")
            page.write_text(fixed(text), encoding="utf-8")
        return 0
    found = [line for page in pages() for line in drifts(page)]
    print("\n".join(found) or "all quotes are the library's code")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
