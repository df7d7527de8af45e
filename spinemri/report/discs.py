"""Abnormal discs in one short paragraph: dark or collapsed ones, and bulges. Normal discs are in the tables only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.finding import Certainty
from spinemri.report.phrases import phrases
from spinemri.report.sentences import Section, Sentence
from spinemri.terms import term

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spinemri.analysis import Analysis
    from spinemri.finding import Finding

DEGENERATION_KIND, BULGE_KIND = "disc_degeneration", "disc_bulge"
_STATED = (Certainty.PRESENT, Certainty.BORDERLINE)


def is_disc(finding: Finding) -> bool:
    """Whether a finding is said here and nowhere else."""
    return finding.kind in (DEGENERATION_KIND, BULGE_KIND)


def disc_section(analysis: Analysis) -> Section | None:
    """Degenerated discs and bulges, present or borderline; None when there are none."""
    sentences = tuple(_sentences(analysis, _STATED))
    return Section(phrases.DISCS, sentences) if sentences else None


def disc_impression(analysis: Analysis) -> Iterator[Sentence]:
    """The same, without what is borderline."""
    return _sentences(analysis, _STATED[:1])


def _sentences(analysis: Analysis, certainties: Sequence[Certainty]) -> Iterator[Sentence]:
    said = ((DEGENERATION_KIND, phrases.DISCS_DEGENERATED, _grade), (BULGE_KIND, phrases.DISCS_BULGING, _bulge))
    for kind, phrase, item in said:
        found = [f for f in analysis.findings if f.kind == kind and f.certainty in certainties]
        if not found:
            continue
        items = ", ".join(_borderline(f, item(analysis, f)) for f in sorted(found, key=_from_the_head))
        tone = "abnormal" if any(f.certainty is Certainty.PRESENT for f in found) else "borderline"
        evidence = tuple(id_ for f in found for id_ in (f.id, *f.evidence))
        yield Sentence(phrase.format(items=items), evidence, tone)


def _grade(_: Analysis, finding: Finding) -> str:
    return f"{_place(finding)} {term(finding.grade)}"


def _bulge(analysis: Analysis, finding: Finding) -> str:
    bulge = analysis.measurement(finding.evidence[0])
    value = bulge.value if bulge is not None and bulge.value is not None else float("nan")
    return phrases.DISC_BULGE.format(place=_place(finding), value=value)


def _borderline(finding: Finding, text: str) -> str:
    return phrases.DISC_BORDERLINE.format(item=text) if finding.certainty is Certainty.BORDERLINE else text


def _place(finding: Finding) -> str:
    return "-".join(str(level) for level in finding.levels)


def _from_the_head(finding: Finding) -> int:
    return min((level.rank for level in finding.levels), default=0)
