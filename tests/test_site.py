"""The site: builds without a warning, asks nobody for anything, shows every formula."""

import importlib
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytest.importorskip("sphinx")
pytest.importorskip("furo")

DOCS = Path(__file__).resolve().parent.parent / "docs"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
MOST_BYTES = 5_000_000  # without the pictures of results


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-n", "-W", "--keep-going"]
    command += ["-d", str(folder / "trees"), str(DOCS), str(folder / "site")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "site"


def pages(site):
    return sorted(site.rglob("*.html"))


class Addresses(HTMLParser):
    """What a page loads (links, scripts, pictures), and what it leads to."""

    def __init__(self):
        super().__init__()
        self.loaded, self.linked, self.ids = [], [], set()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids.add(attrs.get("id"))
        if tag == "a":
            self.linked.append(attrs.get("href") or "")
        for name in ("src", "href"):
            if tag != "a" and attrs.get(name) and attrs.get("rel") not in ("canonical",):
                self.loaded.append(attrs[name])


def addresses(page):
    parser = Addresses()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser


def test_a_page_loads_nothing_from_elsewhere(site):
    for page in pages(site):
        for address in addresses(page).loaded:
            if address.startswith(("#", "data:")):
                continue
            assert "//" not in address, (page.name, address)
            target = address.split("?")[0].split("#")[0]
            assert (page.parent / target).exists(), (page.name, address)
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//", style.read_text(encoding="utf-8"))


def test_links_within_the_site_lead_somewhere(site):
    ids = {page: addresses(page).ids for page in pages(site)}
    for page in pages(site):
        for link in addresses(page).linked:
            if link.startswith(("https://", "mailto:")) or not link:
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), (page.name, link)
            if anchor and target in ids:
                assert anchor in ids[target], (page.name, link)


def test_every_formula_is_shown_as_mathml(site, monkeypatch):
    monkeypatch.syspath_prepend(DOCS / "tools")
    maths = importlib.import_module("maths")
    for page in sorted(DOCS.glob("*.md")):
        text = (site / f"{page.stem}.html").read_text(encoding="utf-8")
        displayed = len(maths.formulas(page.read_text(encoding="utf-8")))
        assert text.count('<div class="math">') == displayed, page.name
        assert text.count("<math") >= displayed
        assert "merror" not in text
        assert "`<math" not in text  # the backticks of GitHub's form are gone


def test_it_is_small_and_can_be_searched(site):
    sizes = {path: path.stat().st_size for path in site.rglob("*") if path.is_file()}
    course = {path.name for path in DOCS.glob("img/*.png")}
    small = [
        size for path, size in sizes.items() if path.parent.name != "_images" or path.name in course
    ]
    assert sum(small) < MOST_BYTES
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    assert "cotang" in index  # words are kept by their stem
    assert (site / "index.html").exists()


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_browser_shows_every_page_without_an_error(site, tmp_path):
    for page in sorted(site.glob("*.html")):
        command = [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
        ]
        command += [f"--user-data-dir={tmp_path}", "--enable-logging=stderr", "--dump-dom"]
        done = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0
        assert "CONSOLE" not in done.stderr, (page.name, done.stderr)
        assert "</html>" in done.stdout


def test_a_book_can_be_made_of_it(tmp_path):
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-b",
        "epub",
        str(DOCS),
        str(tmp_path / "epub"),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (book,) = (tmp_path / "epub").glob("*.epub")
    assert book.stat().st_size > 50_000


def test_a_functions_name_has_room_beside_it(monkeypatch):
    monkeypatch.syspath_prepend(DOCS / "_ext")
    rendered = importlib.import_module("mathml").rendered
    space = "<mspace"
    assert rendered(r"T \log p").count(space) == 2
    assert rendered(r"\log(p)").count(space) == 0
    assert rendered(r"\log_2(x) + \log^2 x").count(space) == 0
