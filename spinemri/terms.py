"""The words for codes: a finding's grade, cause, side and certainty, a kind of marrow change, a verdict.

Documents hold the code, which is the same in every language; people read the word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.language import Phrases

if TYPE_CHECKING:
    from spinemri.anatomy import Structure

_WORDS = Phrases("terms")


def term(code: str) -> str:
    """The word for a code, or for each of several ('left, epidural tumour'); grades such as 'II' are their own word."""
    words = _WORDS["TERMS"]
    if code in words:
        return words[code]
    return ", ".join(words.get(part, part) for part in code.split(", "))


def name_of(quantity: str) -> str:
    """What a quantity is called, by the name of its measurements."""
    return _WORDS["QUANTITIES"].get(quantity) or quantity.replace("_", " ")


def kind_of(finding: str) -> str:
    """What a kind of finding is called."""
    return _WORDS["KINDS"].get(finding) or finding.replace("_", " ")


def source_text(source: str) -> str:
    """Where a norm was read, with the words that describe it in the language; a bare reference is the same in all."""
    return _WORDS["SOURCES"].get(source, source)


def score_text(grade: str) -> str:
    """'7-12 of 18, potentially unstable' in words, from the grade of a level's SINS."""
    points, _, rest = grade.removeprefix("interval ").partition(" of ")
    most, _, category = rest.partition(", ")
    if not category:
        return _WORDS.SCORE_OPEN.format(points=points.partition(":")[0])
    return _WORDS.SCORE.format(points=points, most=most, category=term(category))


def structure_name(structure: Structure) -> str:
    """'vertebral body L4', in words."""
    return f"{_WORDS['STRUCTURES'][structure.kind.value]} {structure.place}".strip()
