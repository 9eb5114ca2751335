"""The site from the same Markdown files: sphinx-build -n -W docs site; also -b epub.

Pages are plain Markdown that GitHub shows. The one thing they lack, a table of contents for the
site's margin, is added to README.md as it is read.
"""

import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS / "_ext"))

project, author, html_title = "tinya2i", "tinya2i", "tinya2i, the course"
extensions = ["myst_parser", "mathml"]
root_doc, language = "README", "en"
source_suffix = {".md": "markdown"}
exclude_patterns = ["exercises", "solutions", "figures", "tools", "_ext", "_extra"]
myst_enable_extensions = ["dollarmath", "alert"]
myst_fence_as_directive = ["math"]
myst_heading_anchors = 3
suppress_warnings = ["epub.unknown_project_files"]

html_theme = "furo"
html_math_renderer = "mathml"
html_copy_source = html_show_sourcelink = html_show_copyright = False
html_static_path, html_css_files = ["_static"], ["course.css"]
html_extra_path = ["_extra"]  # index.html, which leads to README.html
epub_show_urls = "no"

DECISIONS = sorted(f"decisions/{path.stem}" for path in DOCS.glob("decisions/0*.md"))
PARTS = {
    "The course": sorted(path.stem for path in DOCS.glob("[0-9][0-9]-*.md")),
    "Appendices": [
        "notation",
        "glossary",
        "from-pytorch",
        "paper-map",
        "further-reading",
        "errata",
    ],
    "Evidence": ["results/README", "results/gpu", "decisions/README", *DECISIONS],
}


def with_contents(app, name: str, source: list[str]) -> None:
    """README.md, as Sphinx reads it, ends with the contents for the margin."""
    if name == root_doc:
        for caption, pages in PARTS.items():
            tree = "\n".join(pages)
            source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{tree}\n```\n"


def setup(app) -> None:
    app.connect("source-read", with_contents)
