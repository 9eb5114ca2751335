"""Formulas as MathML, rendered while the site is built: no script, no font, no request.

docutils' own conversion misreads some LaTeX silently (\\frac12 \\sum becomes 12 over a sum);
latex2mathml does not. It leaves out the thin space beside a function's name, as in log p.
"""

import re
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert

FUNCTION = r"<mi>(?:log|ln|exp|sin|cos|tanh)</mi>"
SPACE = '<mspace width="0.17em"/>'
BEFORE = re.compile(rf"(</(?:mi|mn|msub|msup|msubsup|mfrac|mrow)>)({FUNCTION})")
AFTER = re.compile(rf"(?<!<msub>)(?<!<msup>)({FUNCTION})(?=<m(?:i|n|sub|sup|subsup|frac|row)>)")


def rendered(latex: str, display: str = "inline") -> str:
    mathml = BEFORE.sub(rf"\1{SPACE}\2", convert(latex, display=display))
    return AFTER.sub(rf"\1{SPACE}", mathml)


def inline(self: Any, node: nodes.math) -> None:
    self.body.append(rendered(node.astext().strip("`")))  # GitHub's form is $`...`$
    raise nodes.SkipNode


def block(self: Any, node: nodes.math_block) -> None:
    self.body.append(f'<div class="math">{rendered(node.astext(), "block")}</div>')
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
