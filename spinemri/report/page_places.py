"""Where in the patient a sentence of the report looks to, so that the page can show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.report.narrative import narrate

if TYPE_CHECKING:
    from spinemri.analysis import Analysis
    from spinemri.finding import Finding
    from spinemri.report.sentences import Sentence

_SHOWN = ("urgent", "abnormal", "borderline")


def place_of(analysis: Analysis, sentence: Sentence) -> str:
    """The viewer's name of the place of the first finding that a sentence rests on; '' for none or what is normal."""
    if sentence.tone not in _SHOWN:
        return ""
    findings = {finding.id: finding for finding in analysis.findings}
    found = (finding_place(analysis, findings[id_]) for id_ in sentence.evidence if id_ in findings)
    return next((place for place in found if place), "")


def finding_place(analysis: Analysis, finding: Finding) -> str:
    """'L4', 'L4-L5' at a disc, 'lesion-1' for a lesion, '' for what is said of the whole spine."""
    lesion = finding.id.split(".")[0]
    if any(lesion == known.id for known in analysis.lesions):
        return lesion
    levels = [level for level in finding.levels if level in analysis.spine.levels]
    if not levels:
        return ""
    return "-".join(map(str, levels)) if finding.at_disc and len(levels) == 2 else str(levels[0])


def start(analysis: Analysis) -> str:
    """What the viewer shows first: the first finding of the impression that has a place."""
    places = (place_of(analysis, sentence) for sentence in narrate(analysis).impression.sentences)
    return next((place for place in places if place), "")
