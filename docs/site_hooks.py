"""What mkdocs needs to make a site of these pages, which are read in the repository too.

Pages link to files outside docs/ (model cards, the table of norms). Each such file that a page names comes along under
``source/``, text pages as pages; a link to a folder becomes plain text, for a site cannot show one.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"(?<=\]\()[^)\s]+(?=\))")
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)
OUTSIDE = "source"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add every file outside docs/ that a page links to, and those that these link to."""
    waiting = [ROOT / "docs" / file.src_uri for file in files.documentation_pages()]
    while waiting:
        for path in _linked(waiting.pop()):
            uri = f"{OUTSIDE}/{path.relative_to(ROOT).as_posix()}"
            if path.is_file() and files.get_file_from_path(uri) is None:
                files.append(File.generated(config, uri, abs_src_path=str(path)))
                waiting += [path] if path.suffix == ".md" else []
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Turn links that leave docs/ towards what ``on_files`` added."""
    here = page.file.src_uri
    source = ROOT / here.removeprefix(f"{OUTSIDE}/") if here.startswith(f"{OUTSIDE}/") else ROOT / "docs" / here
    text = re.sub(r"\[([^\]]+)\]\(([^)\s]+/)\)", lambda m: m[1] if (source.parent / m[2]).is_dir() else m[0], markdown)
    return LINK.sub(lambda m: _turned(m[0], source, here), text)


def _linked(page: Path) -> Iterator[Path]:
    """Files of the repository outside docs/ that a page links to."""
    for target in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
        path = _file_of(target, page)
        if path is not None and not path.is_relative_to(ROOT / "docs"):
            yield path


def _file_of(target: str, page: Path) -> Path | None:
    """The file of the repository that a link means; None for an address, an anchor, or what lies elsewhere."""
    name = target.partition("#")[0]
    if not name or re.match(r"[a-z]+:", name):
        return None
    path = (page.parent / name).resolve()
    return path if path.is_relative_to(ROOT) and path.exists() else None


def _turned(target: str, source: Path, here: str) -> str:
    path = _file_of(target, source)
    if path is None:
        return target
    inside = path.is_relative_to(ROOT / "docs")
    uri = path.relative_to(ROOT / "docs").as_posix() if inside else f"{OUTSIDE}/{path.relative_to(ROOT).as_posix()}"
    return posixpath.relpath(uri, posixpath.dirname(here) or ".") + "".join(target.partition("#")[1:])
