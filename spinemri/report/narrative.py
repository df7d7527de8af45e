"""What the report says, in a radiologist's order, before it is set as text or HTML.

Impression: the most urgent first, one line per problem, with level and number; then how far the absence of more was
measured; then what was not measured and what this version never looks at. Thecal sac widths are never called a
stenosis: an absolute limit in millimetres calls normal necks narrow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spinemri.finding import Certainty, Urgency
from spinemri.report import phrases
from spinemri.report.examination import examination, technique
from spinemri.report.sentences import Section, Sentence, ids, level_ranges
from spinemri.report.statements import finding_sentence, height_loss_text, missing_sentences, sac_compromise_text
from spinemri.report.tables import HEIGHT_LOSS, SAC_AP, measured, named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from spinemri.analysis import Analysis
    from spinemri.finding import Finding
    from spinemri.measurement import Measurement

HEIGHT_LOSS_REPORTED_PCT = 20.0
"""Loss from which a body counts as deformed (Genant 1993): the limit up to which absence is stated."""

_URGENCY_ORDER = (Urgency.CATEGORY_1, Urgency.CATEGORY_2, Urgency.CATEGORY_3, Urgency.NONE)
_CERTAINTY_ORDER = (Certainty.PRESENT, Certainty.BORDERLINE, Certainty.ABSENT, Certainty.NOT_ASSESSABLE)
_REPORTED = (Certainty.PRESENT, Certainty.BORDERLINE)


@dataclass(frozen=True)
class Narrative:
    """The sections of a report; ``sections`` yields them in the order in which they are read."""

    urgent: Section
    examination: Section
    technique: Section
    findings: Section
    impression: Section
    not_assessed: Section

    @property
    def sections(self) -> tuple[Section, ...]:
        """Every section in order, those without data of ours (indication, comparison) included."""
        indication = Section(phrases.INDICATION, (Sentence(phrases.INDICATION_NONE),))
        comparison = Section(phrases.COMPARISON, (Sentence(phrases.COMPARISON_NONE),))
        before = (self.urgent, self.examination, indication, self.technique, comparison)
        return (*before, self.findings, self.impression, self.not_assessed)


def narrate(analysis: Analysis) -> Narrative:
    """The report in words. The same analysis gives the same words."""
    reported = reported_findings(analysis)
    return Narrative(
        urgent=_urgent(analysis, reported),
        examination=examination(analysis),
        technique=technique(analysis),
        findings=Section(phrases.FINDINGS, parts=tuple(_regions(analysis))),
        impression=Section(phrases.IMPRESSION, tuple(_impression(analysis, reported))),
        not_assessed=Section(phrases.NOT_ASSESSED, tuple(_not_assessed(analysis))),
    )


def reported_findings(analysis: Analysis) -> tuple[Finding, ...]:
    """Findings that are present or borderline, as the impression orders them: urgency, certainty, kind, size, level."""
    kinds = [*phrases.KINDS]

    def order(finding: Finding) -> tuple[int, int, int, float, int, str]:
        size = max((_size(analysis, id_) for id_ in finding.evidence), default=0.0)
        rank = min((level.rank for level in finding.levels), default=0)
        urgency, certainty = _URGENCY_ORDER.index(finding.urgency), _CERTAINTY_ORDER.index(finding.certainty)
        kind = kinds.index(finding.kind) if finding.kind in kinds else len(kinds)
        return urgency, certainty, kind, -size, rank, finding.id

    return tuple(sorted((f for f in analysis.findings if f.certainty in _REPORTED), key=order))


def height_loss_absence(analysis: Analysis, region: str | None = None) -> Sentence | None:
    """How far a height loss was excluded: the vertebrae measured without one, by level; None when there are none."""
    losses = [m for m in named(analysis, HEIGHT_LOSS) if m.level and region in (None, m.level.region)]
    reported = {level for f in reported_findings(analysis) if f.kind == "vertebral_height_loss" for level in f.levels}
    below = [m for m in measured(losses) if m.value is not None and m.value < HEIGHT_LOSS_REPORTED_PCT]
    normal = [m for m in below if m.level not in reported]
    if not normal:
        return None
    others = len(measured(losses)) > len(normal)
    single, several = phrases.NO_HEIGHT_LOSS_ONE, phrases.NO_HEIGHT_LOSS
    if others:
        single, several = phrases.NO_OTHER_HEIGHT_LOSS_ONE, phrases.NO_OTHER_HEIGHT_LOSS
    levels = level_ranges([m.level for m in normal if m.level], analysis.spine.levels)
    phrase = single if len(normal) == 1 else several
    text = phrase.format(threshold=HEIGHT_LOSS_REPORTED_PCT, count=len(normal), levels=levels)
    return Sentence(text, ids(normal))


def _size(analysis: Analysis, measurement_id: str) -> float:
    measurement = analysis.measurement(measurement_id)
    return measurement.value or 0.0 if measurement and measurement.unit == "%" else 0.0


def _urgent(analysis: Analysis, reported: Sequence[Finding]) -> Section:
    urgent = [f for f in reported if f.urgency is not Urgency.NONE]
    if not urgent:
        return Section(phrases.URGENT, (Sentence(phrases.URGENT_NONE),))
    sentences = []
    for finding in urgent:
        said = finding_sentence(analysis, finding)
        urgency = phrases.URGENCY.get(finding.urgency.value, finding.urgency.value)
        text = phrases.URGENT_ITEM.format(urgency=urgency, text=said.text)
        sentences.append(Sentence(text, said.evidence, "urgent"))
    return Section(phrases.URGENT, tuple(sentences))


def _regions(analysis: Analysis) -> Iterator[Section]:
    """Per region: what was found, how far heights are normal, the width of the sac, what is missing."""
    reported = reported_findings(analysis)
    for region, title in phrases.REGIONS.items():
        here = [m for m in analysis.measurements if m.level and m.level.region == region]
        found = [f for f in reported if f.levels and min(f.levels).region == region]
        absence = height_loss_absence(analysis, region)
        sentences = [finding_sentence(analysis, f) for f in found]
        sentences += [absence] if absence else []
        sentences += _sac_range([m for m in here if m.name == SAC_AP])
        sentences += missing_sentences(here, analysis.spine.levels)
        if sentences:
            yield Section(title, tuple(sentences))


def _sac_range(widths: Iterable[Measurement]) -> list[Sentence]:
    values = sorted(((m.value, m.place, m) for m in measured(widths) if m.value is not None), key=lambda v: v[:2])
    if not values:
        return []
    low, place, _ = values[0]
    phrase = phrases.SAC_ONE if len(values) == 1 else phrases.SAC_RANGE
    text = phrase.format(low=low, high=values[-1][0], count=len(values), place=place)
    return [Sentence(text, ids([m for _, _, m in values]))]


def _impression(analysis: Analysis, reported: Sequence[Finding]) -> Iterator[Sentence]:
    yield from (finding_sentence(analysis, finding) for finding in reported)
    heights = named(analysis, HEIGHT_LOSS)
    absence = height_loss_absence(analysis)
    said = {id_ for f in reported for id_ in f.evidence}
    if absence:
        yield absence
    elif not measured(heights):
        yield Sentence(phrases.HEIGHTS_NONE, ids(heights), "limit")
    deformed = [m for m in measured(heights) if (m.value or 0) >= HEIGHT_LOSS_REPORTED_PCT and m.id not in said]
    for m in deformed:  # nothing measured stays unsaid, even when no rule has graded it
        yield Sentence(height_loss_text(analysis, m), (m.id,), "abnormal")
    yield from _sac_impression(analysis, reported)


def _sac_impression(analysis: Analysis, reported: Sequence[Finding]) -> Iterator[Sentence]:
    widths = named(analysis, SAC_AP)
    if not measured(widths):
        yield Sentence(phrases.SAC_NONE, ids(widths), "limit")
    elif not any(f.kind == "thecal_sac_narrowing" for f in reported):
        narrowest = min(measured(widths), key=lambda m: (m.value or 0.0, m.place))
        compromise = sac_compromise_text(analysis, narrowest)
        text = phrases.SAC_NARROWEST.format(value=narrowest.value, place=narrowest.place, compromise=compromise)
        yield Sentence(text, (narrowest.id,))


def _not_assessed(analysis: Analysis) -> Iterator[Sentence]:
    yield Sentence(phrases.NOT_ASSESSED_LINE.format(items="; ".join(phrases.NOT_ASSESSED_ITEMS)), tone="limit")
    if any(f.kind == "vertebral_height_loss" for f in reported_findings(analysis)):
        yield Sentence(phrases.AGE_OF_LOSS, tone="limit")
    yield from missing_sentences(analysis.measurements, analysis.spine.levels)
