"""``make docs`` makes a whole site, and opening a page of it asks nothing of any other host."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from spinemri.measure.catalogue import LESION_MEASURES, MARROW_MEASURES, MEASURES

ROOT = Path(__file__).resolve().parents[1]
IMAGES = sorted((ROOT / "docs" / "images").glob("*.png"))
FETCHED = re.compile(r"""(?:src=|<link[^>]*href=|@import |url\()["']?(?:https?:)?//[^"')\s>]+""")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, as ``make docs`` builds it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    here = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=here, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_there_and_no_script_is(site):
    made = {path.relative_to(site).with_suffix("").as_posix() for path in site.rglob("*.html")}
    pages = {path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert pages <= made
    assert not list(site.rglob("*.py"))


def test_what_pages_link_to_outside_docs_comes_along(site):
    for name in ("source/CONTRIBUTING.html", "source/models/spine_anatomy/docs/index.html"):
        assert (site / name).is_file(), name


def test_no_page_fetches_anything_from_another_host(site):
    texts = [path for path in site.rglob("*") if path.suffix in {".html", ".css"}]
    assert len(texts) > 20
    found = {path.name: FETCHED.findall(path.read_text(encoding="utf-8")) for path in texts}
    assert {name: urls for name, urls in found.items() if urls} == {}


@pytest.mark.parametrize(
    "text",
    ['<script src="https://unpkg.com/x"></script>', '<link rel="x" href="https://fonts.gstatic.com">', "url(//a.b)"],
)
def test_a_fetch_would_be_noticed(text):
    assert FETCHED.search(text)


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.stem)
def test_a_picture_is_shown_on_a_page_and_small(path):
    pages = [*(ROOT / "docs").glob("*.md"), ROOT / "README.md"]
    assert any(f"images/{path.name})" in page.read_text(encoding="utf-8") for page in pages)
    assert path.stat().st_size < 150_000 or path.stem == "report"


def test_drawings_are_of_measurements_that_exist():
    source = (ROOT / "docs" / "make_drawings.py").read_text(encoding="utf-8")
    drawn = set(re.findall(r"""["}\w-]\.([a-z]+_[a-z_]+)["']""", source))
    names = {measure.name for measure in (*MEASURES, *LESION_MEASURES, *MARROW_MEASURES)}
    assert len(drawn & names) >= 15
    told = {name for name in drawn if name.startswith(("disc", "dural", "cord", "foram", "slip", "wedge", "retro"))}
    assert told <= names
