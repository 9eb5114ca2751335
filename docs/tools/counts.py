"""The table at the end of docs/README.md: formulas, exercises and figures, counted in the files.

python docs/tools/counts.py --write     puts it there
"""

import importlib.util
import re
import sys
from pathlib import Path

import maths

DOCS = Path(__file__).resolve().parent.parent
PLACE = re.compile(r"(<!-- counts -->\n).*?(<!-- end -->)", re.DOTALL)
HEAD = (
    "chapter", "formulas", "of them executed", "exercises", "with solution",
    "wrong answers refused", "figures",
)  # fmt: skip


def rows() -> list[list]:
    """One line for each chapter, as in HEAD."""
    return [row(page) for page in sorted(DOCS.glob("[0-9][0-9]-*.md"))]


def row(page: Path) -> list:
    text, number = page.read_text(encoding="utf-8"), page.name[:2]
    numbered = [each for each in maths.formulas(text) if not each.prose]
    executed = [each for each in numbered if maths.ASSERTION.search(each.check)]
    solved, wrong = solutions(DOCS / "solutions" / f"ex{number}.py")
    figures = len(list(DOCS.glob(f"figures/ch{number}_*.py")))
    title = text.split("\n", 1)[0].removeprefix("# ")
    link = f"[{title}]({page.name})"
    return [link, len(numbered), len(executed), len(wrong), solved, sum(wrong), figures]


def solutions(path: Path) -> tuple[int, list[int]]:
    """How many exercises are solved, and how many wrong answers each refuses."""
    if not path.exists():
        return 0, []
    spec = importlib.util.spec_from_file_location("solutions", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    solved = sum(callable(getattr(module, name, None)) for name in module.WRONG)
    return solved, [len(wrong) for wrong in module.WRONG.values()]


def table() -> str:
    found = rows()
    found.append(["together", *(sum(column) for column in list(zip(*found, strict=True))[1:])])
    lines = [HEAD, ["---"] * len(HEAD), *found]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)


def filled(text: str) -> str:
    """A page with today's counts at their place."""
    return PLACE.sub(lambda match: match[1] + table() + match[2], text)


if __name__ == "__main__":
    page = DOCS / "README.md"
    text = page.read_text(encoding="utf-8")
    if "--write" in sys.argv:
        page.write_text(filled(text), encoding="utf-8")
    else:
        print(table())
