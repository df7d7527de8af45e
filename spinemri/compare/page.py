"""``comparison.html``: one file that opens offline and asks for nothing; jinja2 escapes every text.

The report's viewer shows both dates linked; without scripts the pictures of each place stand side by side.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

from spinemri.compare import words
from spinemri.compare.curves import curves
from spinemri.compare.overlays import step_of
from spinemri.compare.pictures import rows
from spinemri.compare.sentences import sections
from spinemri.compare.viewer import linked_viewer
from spinemri.language import Phrases, in_its_language, number, spoken
from spinemri.report.page_parts import POLICY, checksum, embedded, environment_of, source
from spinemri.report.phrases import page_phrases
from spinemri.terms import term

if TYPE_CHECKING:
    from spinemri.compare.comparison import Change, Comparison
    from spinemri.compare.study import Compared

phrases = Phrases("compare.page")


_OWN, _REPORT = "spinemri.compare", "spinemri.report"
_STYLES = ("report.css", "spine.css", "viewer.css")


@in_its_language
def to_page(compared: Compared) -> str:
    """The page as text."""
    comparison = compared.comparison
    style = "".join([*(source(_REPORT, name) for name in _STYLES), source(_OWN, "comparison.css")])
    script = source(_REPORT, "report.js")
    return (
        environment_of(_OWN)
        .get_template("comparison.html")
        .render(
            comparison=comparison,
            words=words.phrases,
            quantity=words.quantity,
            number=number,
            head=phrases["HEAD"],
            page=phrases["PAGE"],
            language=spoken(),
            dates=[words.when(one) for one in comparison.examinations],
            policy=POLICY.format(script=checksum(script), style=checksum(style)),
            style=style,
            script=script,
            data=embedded(linked_viewer(compared)),
            viewer=_viewer(comparison),
            curves=curves(comparison),
            places=places(compared),
            key={term(verdict.value): colour for verdict, colour in words.VERDICT_COLOURS.items()},
            steps=[_step(compared, number) for number in range(len(comparison.steps))],
        )
    )


def _viewer(comparison: Comparison) -> str:
    """The report's viewer with the words of this page."""
    said = SimpleNamespace(VIEWER=words.viewer(comparison.examinations), LINE_MODES=page_phrases["LINE_MODES"])
    return environment_of(_REPORT).get_template("viewer.html").render(page_words=said)


def places(compared: Compared) -> list[tuple[str, list[tuple[str, str]]]]:
    """Vertebrae of the baseline with what became of lesions and height there: (class, text), against the last date."""
    at = step_of(compared, 0)
    step = compared.comparison.steps[at] if at is not None else None
    found: dict[str, list[tuple[str, str]]] = {str(v): [] for v in compared.cases[0].analysis.spine.levels}
    for lesion in step.lesions if step else ():
        told = phrases.LESION.format(id=lesion.id, verdict=term(lesion.verdict.value))
        found.setdefault(lesion.place, []).append(("lesion", told))
    for fracture in step.fractures if step else ():
        found.setdefault(fracture.place, []).append(("fracture", words.phrases["FRACTURE"][fracture.verdict.value]))
    return list(found.items())


def _step(compared: Compared, number: int) -> dict[str, object]:
    comparison = compared.comparison
    step = comparison.steps[number]
    return {
        "title": phrases.EXAMINATION_AGAINST.format(
            later=step.later, when=words.when(comparison.examinations[step.earlier])
        ),
        "sections": sections(step),
        "lesions": [change for lesion in step.lesions for change in step.of_lesion(lesion.id)],
        "changes": [change for change in step.changes if not change.lesion],
        "matches": step.matches,
        "rows": rows(compared, number),
        "cells": _cells,
    }


def _cells(change: Change) -> tuple[str, ...]:
    """Place, quantity, both values with their intervals, change, MDC, verdict with its reason."""
    unit = change.unit
    values = [
        f"{words.quantity(value, unit)} ({words.interval(limits, unit)})" if limits else words.quantity(value, unit)
        for value, limits in ((change.baseline, change.baseline_interval), (change.later, change.later_interval))
    ]
    place = phrases.PLACE_AND_LESION.format(place=change.place, lesion=change.lesion) if change.lesion else change.place
    verdict = (
        phrases.BECAUSE.format(verdict=term(change.verdict.value), reason=change.reason)
        if change.reason
        else term(change.verdict.value)
    )
    moved = words.quantity(change.change, unit, change=True)
    return place, words.phrases["NAMES"][change.name], *values, moved, words.detectable(change), verdict
