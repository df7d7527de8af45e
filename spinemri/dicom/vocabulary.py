"""Words that may stay in a text that was typed or coded by somebody: what is no such word is taken out.

A list of what is known to be harmless is safe where a list of what is known to be harmful is not: names are not
recognised, they are simply not in it; a person of such a name loses the word. Words of negation are in it: "without
contrast" must not become "contrast". ``terms.txt`` holds the coded strings that PS3.3 defines, ``vendor_terms.txt``
those that makers of scanners add, ``words.txt`` the words of descriptions.
"""

from __future__ import annotations

import re
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


def _lines(name: str) -> frozenset[str]:
    return frozenset(resources.files("spinemri.dicom").joinpath(name).read_text(encoding="utf-8").splitlines())


_TERMS = _lines("terms.txt") | _lines("vendor_terms.txt")
_WORDS = _lines("words.txt")
_WORD = re.compile(r"[^\W_]+")
_PIECE = re.compile(r"[A-Za-z]+|\d+|.")
_DIGITS = 3


def is_term(text: str) -> bool:
    """Whether a coded string is one that the standard or a vendor defines, or made of known words."""
    return text in _TERMS or (bool(text) and cleaned(text) == text)


def cleaned(text: str, names: Collection[str] = ()) -> str:
    """A short text without the words that are not known, and without numbers that are no part of a known word.

    Parameters
    ----------
    names : words in lower case that go although they are known: those of the patient's name
    """
    kept = _WORD.sub(lambda found: found[0] if _known(found[0], names) else "", text)
    return re.sub(r"\s+", " ", kept).strip(" ^,;:-._/\\()[]") if _WORD.search(kept) else ""


def words_of(name: str) -> frozenset[str]:
    """Words of a person's name in lower case; letters alone are none."""
    return frozenset(word.lower() for word in _WORD.findall(name) if len(word) > 2)


def _known(word: str, names: Collection[str]) -> bool:
    if word.lower() in names:
        return False
    if word.lower() in _WORDS:
        return True
    pieces = _PIECE.findall(word)
    letters = [piece for piece in pieces if piece.isalpha()]
    return bool(letters) and all(
        piece.lower() in _WORDS if piece.isalpha() else piece.isdecimal() and len(piece) <= _DIGITS for piece in pieces
    )
