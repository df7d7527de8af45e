"""Every finding of a study: heights and canal, marrow, then the oncologic judgement that rests on both.

Urgent flags come first among the latter, then stability, fractures, causes, counts, and what the study lacks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spinemri.assess.cause import with_kinds
from spinemri.assess.counting import count_finding
from spinemri.assess.evidence import Evidence
from spinemri.assess.fracture_cause import fracture_cause_findings
from spinemri.assess.infection import cause_finding
from spinemri.assess.lesion import judge, may_be_tumour
from spinemri.assess.marrow import assess_marrow
from spinemri.assess.of_class import without_other_changes
from spinemri.assess.protocol import protocol_findings
from spinemri.assess.stability import sins_findings
from spinemri.assess.study import assess
from spinemri.assess.urgency import urgent_flags
from spinemri.clinical import Clinical
from spinemri.faults import attempt
from spinemri.finding import Finding
from spinemri.language import Phrases
from spinemri.lesion import MarrowChange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from spinemri.anatomy import Level
    from spinemri.assess.lesion import Entity, Signs
    from spinemri.lesion import Lesion, MarrowScreen
    from spinemri.measurement import Measurement
    from spinemri.series import Series
    from spinemri.spine import Spine

    Judged = tuple[Lesion, Signs, tuple[Entity, ...]]

phrases = Phrases("assess.case")


@dataclass(frozen=True)
class Facts:
    """What is known of a study besides its measurements.

    Parameters
    ----------
    spine : level names and what they rest on
    used, refused : series that were read, and the others
    clinical : what the user says of the patient; None when nothing was said
    """

    spine: Spine
    used: Sequence[Series] = ()
    refused: Sequence[Series] = ()
    clinical: Clinical | None = None


def assess_case(
    measurements: Sequence[Measurement], lesions: Sequence[Lesion], screen: MarrowScreen, facts: Facts
) -> tuple[Finding, ...]:
    """Findings of a study, the oncologic ones last.

    Parameters
    ----------
    measurements : of the study, those of marrow and lesions among them
    lesions, screen : marrow changes, and which marrow was looked at
    facts : level names, series, and what the user said
    """
    judged = judge(lesions, {m.id: m for m in measurements})
    told = with_kinds(measurements, judged)
    bodies = without_other_changes(assess(told, _suspected(judged)), _no_fracture(judged))
    first = (*bodies, *attempt(phrases.FINDINGS_MARROW, (), assess_marrow, measurements, lesions, screen))
    evidence = Evidence(
        measurements={m.id: m for m in measurements},
        lesions=tuple(lesions),
        screen=screen,
        findings=first,
        clinical=facts.clinical or Clinical(),
        series=(*facts.used, *facts.refused),
        used=tuple(facts.used),
        spine=facts.spine,
    )
    return (*first, *assess_oncology(evidence))


def _suspected(judged: Sequence[Judged]) -> set[Level]:
    """Levels of lesions that may be tumour: they are not classed as osteoporotic fractures."""
    return {
        level
        for lesion, _, entities in judged
        if any(may_be_tumour(entity, lesion.seen_in) for entity in entities)
        for level in lesion.levels
    }


def _no_fracture(judged: Sequence[Judged]) -> set[Level]:
    """Levels with lesions none of which is called a fracture first."""
    broken = {lesion.level for lesion, _, entities in judged if entities[0].kind is MarrowChange.FRACTURE_OEDEMA}
    return {lesion.level for lesion, _, _ in judged} - broken


def assess_oncology(evidence: Evidence) -> tuple[Finding, ...]:
    """Findings on urgency, stability, fractures, their cause, the number of lesions, and what the study lacks."""
    return tuple(finding for part, rule in _ONCOLOGIC for finding in _tried(part, rule, evidence))


_ONCOLOGIC: tuple[tuple[str, Callable[[Evidence], Iterable[Finding] | Finding]], ...] = (
    ("flags", urgent_flags),
    ("sins", sins_findings),
    ("fractures", fracture_cause_findings),
    ("cause", cause_finding),
    ("count", count_finding),
    ("protocol", protocol_findings),
)


def _tried(
    part: str, rule: Callable[[Evidence], Iterable[Finding] | Finding], evidence: Evidence
) -> tuple[Finding, ...]:
    """Findings of one rule; none when the program fails in it, which the report tells."""

    def made() -> tuple[Finding, ...]:
        found = rule(evidence)
        return (found,) if isinstance(found, Finding) else tuple(found)

    return attempt(phrases["PARTS"][part], (), made)
