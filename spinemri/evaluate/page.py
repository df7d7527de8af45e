"""Sections of the accuracy page, each written by its own command."""

from __future__ import annotations


def with_section(page: str, title: str, section: str) -> str:
    """The page with the section of a title ('## ...') replaced, or added at the end.

    Parameters
    ----------
    page : Markdown
    title : first line of the section
    section : Markdown from the title on
    """
    before, found, after = page.partition(title)
    rest = after.partition("\n## ")
    tail = f"\n## {rest[2]}" if found and rest[1] else ""
    return before.rstrip() + "\n\n" + section.rstrip() + "\n" + tail
