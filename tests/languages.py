"""The words of the language files: which of them are English alone and must not stand in a report in another one."""

from __future__ import annotations

import re

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


def english_left(text, language):
    """Words of the English file in a text that the other language's file does not use itself."""
    english, own = (set().union(*map(words_of, texts(code).values())) for code in (ENGLISH, language))
    return words_of(text) & (english - own)
