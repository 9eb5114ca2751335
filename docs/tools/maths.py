r"""Formulas of the chapters: they must show on GitHub, be numbered, and be executed.

A displayed formula stands in a fence of the kind ```math, under a line that begins with its number:

    **(4.1)** the size of the output:

and over an invisible block that names the number and asserts the formula. A formula that only
restates words is marked `<!-- prose -->` above the fence and has no number.
"""

import re
from dataclasses import dataclass

FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"^\*\*\((\d+\.\d+)\)\*\*", re.MULTILINE)
HIDDEN = re.compile(r"\s*<!-- invisible-code-block: python\n(.*?)-->", re.DOTALL)
MENTION = re.compile(r"\((\d+\.\d+)\)")
FORBIDDEN = ("operatorname", "newcommand", "label", "mbox", "bm", "tag", "def", "hspace")
ASSERTION = re.compile(r"\bassert\b|\bclose\(")


@dataclass(frozen=True)
class Formula:
    """A displayed formula: its line, LaTeX, number ("" for prose), and the check under it."""

    line: int
    latex: str
    number: str
    check: str
    prose: bool


def line_of(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def formulas(text: str) -> list[Formula]:
    """All displayed formulas of a page."""
    found = []
    for fence in FENCE.finditer(text):
        if fence[1] != "math":
            continue
        above = text[: fence.start()].rstrip().rsplit("\n\n", 1)[-1]
        number, hidden = NUMBER.search(above), HIDDEN.match(text, fence.end())
        found.append(
            Formula(
                line_of(text, fence.start()),
                fence[2],
                number[1] if number else "",
                hidden[1] if hidden else "",
                above.endswith("<!-- prose -->"),
            )
        )
    return found


def numbering(text: str, chapter: int) -> list[str]:
    """What is wrong with the numbers of a page and with the checks under its formulas."""
    wrong, numbers = [], []
    for each in formulas(text):
        if each.prose:
            continue
        numbers.append(each.number)
        if not each.number:
            wrong.append(f"{each.line}: a formula without a number and without <!-- prose -->")
        elif f"({each.number})" not in each.check or not ASSERTION.search(each.check):
            wrong.append(f"{each.line}: ({each.number}) is not asserted under its formula")
    expected = [f"{chapter}.{i + 1}" for i in range(len(numbers))]
    if all(numbers) and numbers != expected:
        wrong.append(f"1: the numbers are {numbers}, not {expected}")
    return wrong


def lint(text: str) -> list[str]:
    """LaTeX that GitHub's Markdown or a MathML renderer would spoil, as "line: what"."""
    wrong = [
        f"{line_of(text, m.start())}: $$ instead of ```math" for m in re.finditer(r"\$\$", text)
    ]
    for start, latex, inline in _latex(text):
        line = line_of(text, start)
        for name in re.findall(r"\\([A-Za-z]+)", latex):
            if name in FORBIDDEN:
                wrong.append(f"{line}: \\{name} does not work on GitHub")
        if re.search(r"\\frac(?!\{)", latex):
            wrong.append(f"{line}: \\frac without braces")
        if inline and not latex.startswith("`"):
            if re.search(r"\\[^A-Za-z\s]", latex):
                wrong.append(f"{line}: Markdown eats the backslash in ${latex}$: write $`...`$")
            if latex.count("_{") > 1:
                wrong.append(f"{line}: Markdown sees emphasis in ${latex}$: write $`...`$")
    return wrong


def _latex(text: str):
    """(position, LaTeX, whether it is within a line) of every formula."""
    for fence in FENCE.finditer(text):
        if fence[1] == "math":
            yield fence.start(), fence[2], False
    for position, part in prose(text):
        for match in re.finditer(r"(?<!\$)\$(`[^`]*`|[^$\n]+)\$(?!\$)", part):
            yield position + match.start(), match[1], True


def prose(text: str) -> list[tuple[int, str]]:
    """(position, text) of what is neither in a fence, nor hidden, nor inline code."""
    blank = re.compile(
        r"^```.*?^```|<!--.*?-->|(?<![$`])`[^`$\n]+`(?!\$)", re.DOTALL | re.MULTILINE
    )
    parts, start = [], 0
    for match in blank.finditer(text):
        parts.append((start, text[start : match.start()]))
        start = match.end()
    return [*parts, (start, text[start:])]
