"""What a reader can judge in the page: every level name, every lesion, every finding that the report states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spinemri.anatomy import STANDARD_LEVELS, Level
from spinemri.report.lesion_values import DIAMETER, LESION_KIND, place_text, quantity, values_of
from spinemri.report.narrative import is_reported
from spinemri.report.page_places import finding_place
from spinemri.report.phrases import marrow_phrases, phrases
from spinemri.report.phrases import page_phrases as words
from spinemri.report.statements import finding_sentence
from spinemri.review import REVIEW_VERSION, ReviewedAnalysis, Target
from spinemri.terms import kind_of, term

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spinemri.analysis import Analysis
from spinemri.review import Point

_NOT_JUDGED = (LESION_KIND, "protocol_gap", "lesion_count")  # the lesion itself is judged; the others are no findings


@dataclass(frozen=True)
class ReviewItem:
    """One thing to judge: id, short title, what the software says, and where it lies in the images ('' nowhere)."""

    id: str
    title: str
    text: str
    place: str


@dataclass(frozen=True)
class ReviewGroup:
    """Things of one kind; ``levels`` are those that a correction may choose from, none where it takes no level."""

    target: str
    title: str
    items: tuple[ReviewItem, ...]
    levels: tuple[str, ...]


def review_groups(analysis: Analysis) -> tuple[ReviewGroup, ...]:
    """Levels, lesions and findings, each in the order of the report; kinds of which there is nothing are left out."""
    levels = _all_levels(analysis)
    groups = (
        ReviewGroup(Target.LEVEL, words["REVIEW"]["levels"], tuple(_levels(analysis)), levels),
        ReviewGroup(Target.LESION, words["REVIEW"]["lesions"], tuple(_lesions(analysis)), levels),
        ReviewGroup(Target.FINDING, words["REVIEW"]["findings"], tuple(_findings(analysis)), ()),
    )
    return tuple(group for group in groups if group.items)


def review_identity(analysis: Analysis) -> dict[str, object]:
    """The beginning of an exported review: which analysis was read, and the review that had been applied to it."""
    made = analysis.provenance
    identity = ReviewedAnalysis(
        study=analysis.study,
        software=made.software,
        version=made.version,
        created=made.created,
        input_sha256=made.input_sha256,
        made_with=made.made_with,
        levels={str(v.level): _rounded(v.centre) for v in analysis.spine.vertebrae},
        lesions={lesion.id: _rounded(lesion.centre) for lesion in analysis.lesions},
    )
    earlier = analysis.review.review.model_dump(mode="json") if analysis.review else None
    return {"review_version": REVIEW_VERSION, "analysis": identity.model_dump(mode="json"), "earlier": earlier}


def _rounded(point: Point) -> Point:
    """To a tenth of a millimetre."""
    x, y, z = (round(mm, 1) for mm in point)
    return x, y, z


def _all_levels(analysis: Analysis) -> tuple[str, ...]:
    """Every level that a vertebra may have: the standard ones, the variants, and what this spine has."""
    true = [level for level in analysis.spine.levels if not level.is_relative]
    return tuple(str(level) for level in sorted({*STANDARD_LEVELS, Level("T13"), Level("L6"), Level("S2"), *true}))


def _levels(analysis: Analysis) -> Iterator[ReviewItem]:
    for vertebra in analysis.spine.vertebrae:
        basis = phrases["BASIS"].get(vertebra.assignment.basis.value, vertebra.assignment.basis.value)
        text = words["REVIEW"]["level_text"].format(basis=basis, confidence=100 * vertebra.assignment.confidence)
        yield ReviewItem(str(vertebra.level), str(vertebra.level), text, str(vertebra.level))


def _lesions(analysis: Analysis) -> Iterator[ReviewItem]:
    for lesion in analysis.lesions:
        size = quantity(values_of(analysis, lesion).get(DIAMETER))
        text = words["REVIEW"]["lesion_text"].format(
            place=place_text(analysis, lesion),
            size=marrow_phrases.LESION_SIZE.format(size=size) if size else "",
            probability=100 * lesion.probability,
        )
        yield ReviewItem(lesion.id, lesion.id, text, lesion.id)


def _findings(analysis: Analysis) -> Iterator[ReviewItem]:
    for finding in analysis.findings:
        if not is_reported(finding) or finding.kind in _NOT_JUDGED:
            continue
        kind = words["FINDING_KINDS"].get(finding.kind) or phrases["KINDS"].get(finding.kind) or kind_of(finding.kind)
        where = "-".join(map(str, finding.levels)) if len(finding.levels) <= 2 else ""
        title = f"{where} {kind} {term(finding.side)}".strip()
        text = finding_sentence(analysis, finding, detailed=True).text
        yield ReviewItem(finding.id, title, text, finding_place(analysis, finding))
