"""What the report says, in a radiologist's order, before it is set as text or HTML.

Impression: the most urgent first, one line per problem, with level and number; then how far the absence of more was
measured; then what was not measured and what this version never looks at. Millimetres of the thecal sac never make a
stenosis: an absolute limit calls normal necks narrow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from spinemri.finding import Certainty, Urgency
from spinemri.language import in_its_language
from spinemri.norms import threshold
from spinemri.report.alignment import alignment_section, is_alignment
from spinemri.report.axial import axial_grades, axial_section, is_axial
from spinemri.report.cord import cord_absence, cord_section, is_cord
from spinemri.report.discs import disc_impression, disc_section, is_disc
from spinemri.report.examination import examination, technique
from spinemri.report.foramina import foramen_impression, foramen_section, is_foraminal
from spinemri.report.indication import indication
from spinemri.report.ligaments import is_ligament, ligament_impression, ligament_section
from spinemri.report.marrow import (
    is_marrow_finding,
    marrow_absence,
    marrow_not_assessed,
    marrow_section,
    said_by_involvement,
    uncertain_lesions,
    was_assessed,
)
from spinemri.report.oncology import (
    failures,
    fractures_judged,
    is_oncologic,
    oncology_impression,
    oncology_section,
    protocol_impression,
    urgent_section,
)
from spinemri.report.phrases import cord_phrases as words
from spinemri.report.phrases import phrases
from spinemri.report.reviewed import review_section, with_words
from spinemri.report.sentences import Section, Sentence, ids, level_ranges, place_ranges
from spinemri.report.statements import (
    HEIGHT_LOSS_KIND,
    NARROWING_KIND,
    finding_sentence,
    height_loss_text,
    missing_sentences,
    sac_place,
    said_with_height_loss,
)
from spinemri.report.tables import HEIGHT_LOSS, SAC_AP, measured, named, sac_losses
from spinemri.review import FINDING_REJECTED
from spinemri.terms import term

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from spinemri.analysis import Analysis
    from spinemri.finding import Finding
    from spinemri.measurement import Measurement

HEIGHT_LOSS_REPORTED_PCT = threshold("height_loss.fracture_from")
"""Loss from which a body counts as deformed (Genant 1993): the limit up to which absence is stated."""
NARROWING_REPORTED_PCT = threshold("narrowing.normal_up_to")
"""Narrowing of the sac up to which levels vary in health: the limit up to which absence is stated."""

_URGENCY_ORDER = (Urgency.CATEGORY_1, Urgency.CATEGORY_2, Urgency.CATEGORY_3, Urgency.NONE)
_CERTAINTY_ORDER = (Certainty.PRESENT, Certainty.BORDERLINE, Certainty.ABSENT, Certainty.NOT_ASSESSABLE)
_REPORTED = (Certainty.PRESENT, Certainty.BORDERLINE)
_NO_GRADE = "none"  # normal, though its interval reaches across the limit


@dataclass(frozen=True)
class Narrative:
    """The sections of a report; ``sections`` yields them in the order in which they are read.

    ``review`` says what a person changed; None where nobody did.
    """

    urgent: Section
    examination: Section
    indication: Section
    technique: Section
    comparison: Section
    findings: Section
    impression: Section
    not_assessed: Section
    review: Section | None = None

    @property
    def sections(self) -> tuple[Section, ...]:
        """Every section in order, those without data of ours (indication, comparison) included."""
        before = (self.urgent, self.examination, self.indication, self.technique, self.comparison)
        changed = (self.review,) if self.review else ()
        return (*before, self.findings, self.impression, *changed, self.not_assessed)


@in_its_language
def narrate(analysis: Analysis) -> Narrative:
    """The report in words. The same analysis gives the same words."""
    reported = reported_findings(analysis)
    nothing = phrases.URGENT_NONE_MARROW if was_assessed(analysis) else phrases.URGENT_NONE
    urgent = urgent_section(analysis, reported, nothing)
    urgent = replace(urgent, sentences=(*failures(analysis), *urgent.sentences))
    return Narrative(
        urgent=with_words(analysis, urgent),
        examination=examination(analysis),
        indication=indication(analysis),
        technique=technique(analysis),
        comparison=Section(phrases.COMPARISON, (Sentence(phrases.COMPARISON_NONE),)),
        findings=with_words(analysis, Section(phrases.FINDINGS, parts=tuple(_regions(analysis)))),
        impression=with_words(analysis, Section(phrases.IMPRESSION, tuple(_impression(analysis, reported)))),
        not_assessed=Section(phrases.NOT_ASSESSED, tuple(_not_assessed(analysis))),
        review=review_section(analysis),
    )


def is_reported(finding: Finding) -> bool:
    """Whether a finding is present or borderline, and not a measure that is normal."""
    return finding.certainty in _REPORTED and finding.grade != _NO_GRADE


def reported_findings(analysis: Analysis) -> tuple[Finding, ...]:
    """Findings that are present or borderline, as the impression orders them: urgency, certainty, kind, size, level.

    Those that judge others (flags, scores, causes) are told by ``oncology.py``, discs by ``discs.py``, foramina by
    ``foramina.py``, ligaments by ``ligaments.py``.
    """
    kinds = [*phrases["KINDS"]]
    worry = {f"{lesion.id}.": -n for n, lesion in enumerate(analysis.lesions)}

    def order(finding: Finding) -> tuple[int, int, int, float, int, str]:
        size = next((size for id_ in finding.evidence if (size := _size(analysis, id_)) is not None), 0.0)
        if is_marrow_finding(finding):  # lesions keep their order
            size = next((n for id_, n in worry.items() if finding.id.startswith(id_)), 0)
        rank = min((level.rank for level in finding.levels), default=0)
        urgency, certainty = _URGENCY_ORDER.index(finding.urgency), _CERTAINTY_ORDER.index(finding.certainty)
        kind = kinds.index(finding.kind) if finding.kind in kinds else len(kinds)
        return urgency, certainty, kind, -size, rank, finding.id

    worth = (f for f in analysis.findings if is_reported(f))
    elsewhere = (is_oncologic, is_disc, is_foraminal, is_ligament)
    own = (f for f in worth if not (any(told(f) for told in elsewhere) or said_with_height_loss(analysis, f)))
    return tuple(sorted(own, key=order))


def height_loss_absence(analysis: Analysis, region: str | None = None) -> Sentence | None:
    """How far a height loss was excluded: the vertebrae measured without one, by level; None when there are none."""
    losses = [m for m in measured(named(analysis, HEIGHT_LOSS)) if m.level and region in (None, m.level.region)]
    reported = {level for f in reported_findings(analysis) if f.kind == HEIGHT_LOSS_KIND for level in f.levels}
    normal = [m for m in losses if (m.value or 0.0) < HEIGHT_LOSS_REPORTED_PCT and m.level not in reported]
    if not normal:
        return None
    single, several = phrases.NO_HEIGHT_LOSS_ONE, phrases.NO_HEIGHT_LOSS
    if len(losses) > len(normal):
        single, several = phrases.NO_OTHER_HEIGHT_LOSS_ONE, phrases.NO_OTHER_HEIGHT_LOSS
    levels = level_ranges([m.level for m in normal if m.level], analysis.spine.levels)
    phrase = single if len(normal) == 1 else several
    text = phrase.format(threshold=HEIGHT_LOSS_REPORTED_PCT, count=len(normal), levels=levels)
    return Sentence(text, _absence_evidence(analysis, normal))


def _absence_evidence(analysis: Analysis, measurements: Sequence[Measurement]) -> tuple[str, ...]:
    """Ids of the findings that state the absence, or of the measurements where no rule has spoken."""
    own = (f for f in analysis.findings if f.evidence and not is_marrow_finding(f) and not is_oncologic(f))
    by_evidence = {f.evidence[0]: f.id for f in own}
    return tuple(by_evidence.get(m.id, m.id) for m in measurements)


def _size(analysis: Analysis, measurement_id: str) -> float | None:
    """A percentage; the first of a finding's evidence is what was graded."""
    measurement = analysis.measurement(measurement_id)
    return measurement.value if measurement and measurement.unit == "%" else None


def _regions(analysis: Analysis) -> Iterator[Section]:
    """Marrow, alignment, then per region: what was found, normal heights, the width of the sac, what is missing."""
    own = (is_marrow_finding, is_alignment, is_cord, is_axial)
    reported = [f for f in reported_findings(analysis) if not any(told(f) for told in own)]
    sections = (
        marrow_section,
        alignment_section,
        disc_section,
        cord_section,
        axial_section,
        foramen_section,
        ligament_section,
    )
    yield from (part for section in sections if (part := section(analysis)) is not None)
    for region, title in phrases["REGIONS"].items():
        here = [m for m in analysis.measurements if m.level and m.level.region == region]
        found = [f for f in reported if f.levels and min(f.levels).region == region]
        absence = height_loss_absence(analysis, region)
        sentences = [finding_sentence(analysis, f, detailed=True) for f in found]
        sentences += [absence] if absence else []
        sentences += _sac_range([m for m in here if m.name == SAC_AP])
        sentences += missing_sentences(here, analysis.spine.levels)
        if sentences:
            yield Section(title, tuple(sentences))
    judged = oncology_section(analysis)
    if judged is not None:
        yield judged


def _sac_range(widths: Iterable[Measurement]) -> list[Sentence]:
    found = sorted(measured(widths), key=lambda m: (m.value or 0.0, m.place))
    if not found:
        return []
    phrase = phrases.SAC_ONE if len(found) == 1 else phrases.SAC_RANGE
    text = phrase.format(low=found[0].value, high=found[-1].value, count=len(found), place=sac_place(found[0]))
    return [Sentence(text, ids(found))]


def _impression(analysis: Analysis, reported: Sequence[Finding]) -> Iterator[Sentence]:
    """Deformed bodies and the worst narrowing one line each, the lesser ones gathered, then what is normal."""
    narrowings = [f for f in reported if f.kind == NARROWING_KIND]
    gathered = {f.id: f for f in narrowings[1:] if f.urgency is Urgency.NONE}
    equivocal = {f.id: f for f in reported if f.kind == HEIGHT_LOSS_KIND and f.grade == "0"}
    lesions = said_by_involvement(analysis, reported)
    yield from (finding_sentence(analysis, f) for f in reported if f.id not in {*gathered, *equivocal, *lesions})
    yield from uncertain_lesions(analysis, lesions)
    yield from oncology_impression(analysis)
    yield from _ungraded(analysis, reported)
    if equivocal:
        items = [phrases.EQUIVOCAL_ITEM.format(level=m.level, value=m.value) for m in _deciding(analysis, equivocal)]
        yield Sentence(phrases.EQUIVOCAL.format(items=", ".join(items)), tuple(equivocal), "borderline")
    if gathered:
        items = [_lesser(m, f) for m, f in zip(_deciding(analysis, gathered), gathered.values(), strict=True)]
        yield Sentence(phrases.SAC_LESSER.format(items=", ".join(items)), tuple(gathered), "borderline")
    absence = height_loss_absence(analysis)
    if absence:
        yield absence
    elif not measured(named(analysis, HEIGHT_LOSS)):
        yield Sentence(phrases.HEIGHTS_NONE, ids(named(analysis, HEIGHT_LOSS)), "limit")
    yield from _sac_absence(analysis, narrowings)
    yield from disc_impression(analysis)
    yield from foramen_impression(analysis)
    yield from ligament_impression(analysis)
    yield from cord_absence(analysis)
    yield from marrow_absence(analysis)
    yield from protocol_impression(analysis)


def _deciding(analysis: Analysis, findings: Iterable[str]) -> list[Measurement]:
    """The percentage that each finding rests on."""
    evidence = {f.id: f.evidence for f in analysis.findings}
    deciding = [[analysis.measurement(id_) for id_ in evidence[finding]] for finding in findings]
    return [next(m for m in found if m is not None and m.unit == "%") for found in deciding]


def _lesser(compromise: Measurement, finding: Finding) -> str:
    borderline = finding.certainty is Certainty.BORDERLINE
    grade = term(finding.grade)
    grade = phrases.SAC_LESSER_BORDERLINE.format(grade=grade) if borderline else grade
    what = phrases["SAC_WHAT"][compromise.name]
    return phrases.SAC_LESSER_ITEM.format(place=sac_place(compromise), value=compromise.value, what=what, grade=grade)


def _ungraded(analysis: Analysis, reported: Sequence[Finding]) -> Iterator[Sentence]:
    """Deformed bodies that no rule has graded: nothing that was measured stays unsaid, unless a reader rejected it."""
    said = {id_ for f in reported if not is_marrow_finding(f) for id_ in f.evidence}
    for loss in measured(named(analysis, HEIGHT_LOSS)):
        rejected = FINDING_REJECTED in loss.flags
        if (loss.value or 0.0) >= HEIGHT_LOSS_REPORTED_PCT and loss.id not in said and not rejected:
            yield Sentence(height_loss_text(analysis, loss), (loss.id,), "abnormal")


def _sac_absence(analysis: Analysis, narrowings: Sequence[Finding]) -> Iterator[Sentence]:
    widths, compromises = measured(named(analysis, SAC_AP)), sac_losses(analysis)
    said = {id_ for f in narrowings for id_ in f.evidence}
    normal = [m for m in compromises if (m.value or 0.0) <= NARROWING_REPORTED_PCT and m.id not in said]
    if not widths:
        yield Sentence(phrases.SAC_NONE, ids(named(analysis, SAC_AP)), "limit")
    elif normal:
        others = [m.levels for m in named(analysis, SAC_AP)]
        levels = place_ranges([m.levels for m in normal], others, analysis.spine.levels)
        phrase = phrases.SAC_OTHERS if len(compromises) > len(normal) else phrases.SAC_NORMAL
        kinds = [*dict.fromkeys(m.name for m in normal)]
        what = phrases["SAC_WHAT"][kinds[0]] if len(kinds) == 1 else phrases.SAC_WHAT_BOTH
        text = phrase.format(limit=NARROWING_REPORTED_PCT, what=what, count=len(normal), levels=levels)
        yield Sentence(text, _absence_evidence(analysis, normal))
    elif not compromises:
        narrowest = min(widths, key=lambda m: (m.value or 0.0, m.place))
        text = phrases.SAC_NO_REFERENCE.format(value=narrowest.value, place=sac_place(narrowest))
        yield Sentence(text, (narrowest.id,))


def _one_sided(analysis: Analysis) -> Iterator[Sentence]:
    """Where the sac is narrower than on one side and that may be its usual course."""
    unknown = [f for f in analysis.findings if f.kind == NARROWING_KIND and f.certainty is Certainty.NOT_ASSESSABLE]
    for finding in unknown:
        graded = analysis.measurement(finding.evidence[0])
        if graded is not None and graded.value is not None:
            yield Sentence(finding.statement, (finding.id, *finding.evidence), "limit")


def _not_assessed(analysis: Analysis) -> Iterator[Sentence]:
    items = (*(() if cord_section(analysis) else (words.CORD_ITEM,)), *phrases["NOT_ASSESSED_ITEMS"].values())
    yield Sentence(phrases.NOT_ASSESSED_LINE.format(items="; ".join(items)), tone="limit")
    yield from axial_grades(analysis)
    yield from _one_sided(analysis)
    yield from marrow_not_assessed(analysis)
    if any(f.kind == HEIGHT_LOSS_KIND for f in reported_findings(analysis)):
        limits = phrases.HEIGHT_LOSS_SHAPE if fractures_judged(analysis) else phrases.HEIGHT_LOSS_LIMITS
        yield Sentence(limits, tone="limit")
    yield from missing_sentences(analysis.measurements, analysis.spine.levels)
