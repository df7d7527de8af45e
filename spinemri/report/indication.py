"""Why the examination was made: the question in the words of who asked it, and what the user stated of the patient.

Nothing of it comes from the images. What was not answered is left out; it is never printed as 'no'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.report.phrases import oncology_phrases as words
from spinemri.report.phrases import phrases
from spinemri.report.sentences import Section, Sentence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spinemri.analysis import Analysis
    from spinemri.clinical import Clinical

_CLINICAL = ("clinical",)
_UNANSWERED = ("", "unknown")  # answers that are not printed: they say nothing


def indication(analysis: Analysis) -> Section:
    """The section; 'not given' when nothing was said."""
    said = tuple(_sentences(analysis.clinical)) if analysis.clinical else ()
    return Section(phrases.INDICATION, said or (Sentence(phrases.INDICATION_NONE),))


def _sentences(clinical: Clinical) -> Iterator[Sentence]:
    if clinical.indication:
        yield Sentence(clinical.indication, _CLINICAL)
    if clinical.question:
        items = ", ".join(_plain(question.value) for question in clinical.question)
        yield Sentence(words.ASKED.format(items=items), _CLINICAL)
    answers = {name: str(getattr(clinical, name) or "") for name in words["ANSWERS"]}
    stated = [
        words.ANSWER.format(name=words["ANSWERS"][name], value=f"{_plain(value)}{_places(clinical, name)}")
        for name, value in answers.items()
        if value not in _UNANSWERED
    ]
    if stated:
        yield Sentence(words.STATED.format(items=", ".join(stated)), _CLINICAL)


def _places(clinical: Clinical, name: str) -> str:
    """' (L1, L2)': the levels that the user named for an answer."""
    levels = clinical.levels_of(name)
    return f" ({', '.join(map(str, levels))})" if levels else ""


def _plain(value: str) -> str:
    """'occasional, not mechanical': a value as people write it."""
    return words["VALUES"].get(value, value)
