"""``comparison.html``: one file that opens offline, without scripts or requests; jinja2 escapes every text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.compare import words
from spinemri.compare.pictures import rows
from spinemri.compare.sentences import sections
from spinemri.report.page_parts import environment_of

if TYPE_CHECKING:
    from spinemri.compare.comparison import Change
    from spinemri.compare.study import Compared


def to_page(compared: Compared) -> str:
    """The page as text."""
    comparison = compared.comparison
    return (
        environment_of("spinemri.compare")
        .get_template("comparison.html")
        .render(
            comparison=comparison,
            words=words,
            dates=[words.when(one) for one in comparison.examinations],
            steps=[_step(compared, number) for number in range(len(comparison.steps))],
        )
    )


def _step(compared: Compared, number: int) -> dict[str, object]:
    comparison = compared.comparison
    step = comparison.steps[number]
    return {
        "title": f"Examination {step.later} against {words.when(comparison.examinations[step.earlier])}",
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
    place = f"{change.place}, lesion {change.lesion}" if change.lesion else change.place
    verdict = f"{change.verdict.value}, because {change.reason}" if change.reason else change.verdict.value
    moved = words.quantity(change.change, unit, change=True)
    return place, words.NAMES[change.name], *values, moved, words.detectable(change), verdict
