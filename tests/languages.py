"""The words of the language files: which of them are English alone and must not stand in a report in another one."""

from __future__ import annotations

import re
from functools import cache

from spinemri.language import ENGLISH, catalogue

_WORD = re.compile(r"[^\W\d_]{3,}")


def texts(language):
    """Every text of a language by its place: section, name, and key in a table."""
    return {
        (section, name, key): text
        for section, names in catalogue(language).items()
        for name, entry in names.items()
        for key, text in (entry.items() if isinstance(entry, dict) else [("", entry)])
    }


def words_of(text):
    return {word.lower() for word in _WORD.findall(text)}


@cache
def words_in(language):
    """All words of a language's file."""
    return frozenset().union(*map(words_of, texts(language).values()))


def english_left(text, language):
    """Words of the English file in a text that the other language's file does not use itself."""
    return words_of(text) & (words_in(ENGLISH) - words_in(language))
