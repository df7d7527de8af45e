"""One finding or one gap as a sentence with place, number, unit and reference.

Numbers come from the measurements that the finding names as evidence, so that text and table can not disagree.
A finding of a kind that has no wording here is given in its own ``statement``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.finding import Certainty, Urgency
from spinemri.language import number
from spinemri.measurement import deciding_loss
from spinemri.report.axial import NAMES as AXIAL_NAMES
from spinemri.report.cord import NAMES as CORD_NAMES
from spinemri.report.foramina import NAMES as FORAMEN_NAMES
from spinemri.report.lesion_values import is_marrow
from spinemri.report.ligaments import NAME as LIGAMENT_NAME
from spinemri.report.phrases import phrases
from spinemri.report.sentences import Sentence, ids, level_ranges
from spinemri.report.tables import (
    COLUMN_LOSSES,
    HEIGHT_LOSS,
    HEIGHTS,
    RATIOS,
    SAC_AP,
    SAC_COMPROMISE,
    position,
)
from spinemri.terms import kind_of, name_of, term

HEIGHT_LOSS_KIND = "vertebral_height_loss"
OF_KIND = "of_class"
NARROWING_KIND = "thecal_sac_narrowing"

_FOLLOWING = (  # missing where something else is, and said with it, or in a section of their own
    "wedge_angle", "local_kyphosis", "slip_pct", "dural_sac_area", "dural_sac_area_compromise_pct",
    "dural_sac_front_indent_mm", "dural_sac_back_indent_mm", *CORD_NAMES,
    "crush_ratio_above", "crush_ratio_below", "wedge_ratio_z", "volume_loss_pct", "retropulsion_mm",
    "posterior_wall_fraction", "endplate_depression_superior_mm", "endplate_depression_inferior_mm",
    "disc_height", "disc_height_index", "disc_bulge_mm", "posterior_disc_height", *FORAMEN_NAMES, LIGAMENT_NAME,
    *AXIAL_NAMES,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from spinemri.analysis import Analysis
    from spinemri.anatomy import Level
    from spinemri.finding import Finding
    from spinemri.measurement import Measurement


def finding_sentence(analysis: Analysis, finding: Finding, *, detailed: bool = False) -> Sentence:
    """The finding in words; its evidence is the finding's id followed by those of its measurements.

    ``detailed`` prefers the finding's own statement (norms, neighbouring grades) to the short wording.
    """
    tone = "borderline" if finding.certainty is Certainty.BORDERLINE else "abnormal"
    tone = tone if finding.urgency is Urgency.NONE else "urgent"
    own = finding.statement if detailed else ""
    text, evidence = own or _finding_text(analysis, finding), (finding.id, *finding.evidence)
    of_class = _of_class(analysis, finding)
    if of_class is not None:
        text, evidence = text + _of_text(of_class), (*evidence, of_class.id)
    return Sentence(text, evidence, tone)


def said_with_height_loss(analysis: Analysis, finding: Finding) -> bool:
    """Whether a finding is a class of osteoporotic fracture that is said with the height loss of the same body."""
    return finding.kind == OF_KIND and any(_of_class(analysis, f) is finding for f in analysis.findings)


def height_loss_text(analysis: Analysis, loss: Measurement, finding: Finding | None = None) -> str:
    """'L1: 35 % height loss of the anterior column (anterior 17.2, …), reference T12, L2; grade.'"""
    heights = [_sibling(analysis, loss, name) for name in HEIGHTS]
    values = [number(m.value, ".1f") for m in heights if m is not None and m.value is not None]
    column = _column(analysis, loss)
    return phrases.HEIGHT_LOSS.format(
        level=loss.place,
        value=loss.value,
        column=phrases.HEIGHT_LOSS_COLUMN.format(column=phrases["COLUMN"][str(column)]) if column is not None else "",
        interval=phrases.INTERVAL.format(low=loss.interval[0], high=loss.interval[1]) if loss.interval else "",
        heights=phrases.HEIGHTS.format(*values) if len(values) == len(HEIGHTS) else "",
        references=_references(loss),
        **_grading(finding),
    )


def sac_place(measurement: Measurement) -> str:
    """'L2-L3' at a disc, 'L2 mid-body' beside a body."""
    if measurement.lower is None and measurement.level is not None:
        return phrases.MID_BODY.format(level=measurement.level)
    return measurement.place


def sac_compromise_text(analysis: Analysis, width: Measurement) -> str:
    """', 42 % of its area lost against its reference (…)', or nothing when nothing was compared."""
    compromise = deciding_loss(lambda name: _sibling(analysis, width, name))
    if compromise is None or compromise.value is None:
        return ""
    what = phrases["SAC_WHAT"][compromise.name]
    return phrases.SAC_COMPROMISE.format(value=compromise.value, what=what, references=_references(compromise))


def missing_sentences(measurements: Iterable[Measurement], spine: Sequence[Level]) -> list[Sentence]:
    """What has no value and why: one sentence per reason for all places at which the same quantities are missing.

    What is missing of lesions and marrow is left to the table of lesions.
    """
    missing = [m for m in measurements if m.value is None and not _undefined(m) and not is_marrow(m)]
    missing = [m for m in missing if m.name not in _FOLLOWING]
    by_place: dict[tuple[str, str, tuple[int, bool]], list[Measurement]] = {}
    for m in sorted(missing, key=position):
        by_place.setdefault((m.status.value, m.reason, position(m)), []).append(m)
    groups: dict[tuple[str, str, str], list[Measurement]] = {}
    for (status, reason, _), gaps in by_place.items():
        groups.setdefault((status, reason, _quantities(gaps)), []).extend(gaps)
    sentences = []
    for (status, reason, names), gaps in groups.items():
        said = {"place": _places(gaps, spine), "names": names, "status": phrases["STATUS"].get(status, status)}
        text = phrases.MISSING.format(**said, reason=reason.rstrip("."))
        sentences.append(Sentence(text, ids(gaps), "limit"))
    return sentences


def _finding_text(analysis: Analysis, finding: Finding) -> str:
    evidence = [m for id_ in finding.evidence if (m := analysis.measurement(id_)) is not None and m.value is not None]
    loss = next((m for m in evidence if m.name == HEIGHT_LOSS), None)
    width = next((m for m in evidence if m.name == SAC_AP), None)
    if finding.kind == HEIGHT_LOSS_KIND and loss is not None:
        return height_loss_text(analysis, loss, finding)
    if finding.kind == NARROWING_KIND and width is not None:
        compromise = sac_compromise_text(analysis, width)
        return phrases.SAC.format(place=sac_place(width), value=width.value, compromise=compromise, **_grading(finding))
    if finding.statement:
        return finding.statement
    place = "-".join(str(level) for level in finding.levels) or phrases.EMPTY
    return phrases.UNKNOWN_FINDING.format(
        place=place,
        kind=phrases["KINDS"].get(finding.kind) or kind_of(finding.kind),
        grade=_grading(finding)["grade"],
    )


def _of_class(analysis: Analysis, finding: Finding) -> Finding | None:
    """The class of osteoporotic fracture of the body whose height loss a finding reports."""
    if finding.kind != HEIGHT_LOSS_KIND or finding.certainty not in (Certainty.PRESENT, Certainty.BORDERLINE):
        return None
    found = (f for f in analysis.findings if f.kind == OF_KIND and f.grade and f.levels == finding.levels)
    return next(found, None)


def _of_text(of_class: Finding) -> str:
    borderline = phrases.OF_BORDERLINE if of_class.certainty is Certainty.BORDERLINE else ""
    return phrases.OF_CLASS.format(grade=of_class.grade, borderline=borderline)


def _grading(finding: Finding | None) -> dict[str, str]:
    """The ends of a sentence: grade with its cause, and whether it is borderline."""
    if finding is None:
        return {"grade": "", "borderline": ""}
    grade = phrases["GRADES"].get(f"{finding.kind} {finding.grade}") or term(finding.grade)
    said = ", ".join(part for part in (grade, phrases["CAUSES"].get(finding.cause) or term(finding.cause)) if part)
    borderline = phrases.BORDERLINE if finding.certainty is Certainty.BORDERLINE else ""
    return {"grade": phrases.GRADE.format(grade=said) if said else "", "borderline": borderline}


def _sibling(analysis: Analysis, measurement: Measurement, name: str) -> Measurement | None:
    """The measurement of another name at the same place."""
    place = (measurement.level, measurement.lower)
    return next((m for m in analysis.measurements if m.name == name and (m.level, m.lower) == place), None)


def _column(analysis: Analysis, loss: Measurement) -> int | None:
    """0, 1 or 2: the column that lost most."""
    columns = [_sibling(analysis, loss, name) for name in COLUMN_LOSSES]
    values = {n: m.value for n, m in enumerate(columns) if m is not None and m.value is not None}
    return max(values, key=lambda n: values[n]) if values else None


def _references(measurement: Measurement) -> str:
    """Reference levels; at a disc they come in pairs, the upper and the lower level of each reference disc."""
    names = [str(level) for level in measurement.reference_levels]
    if measurement.lower is not None and len(names) % 2 == 0:
        names = [f"{upper}-{lower}" for upper, lower in zip(names[::2], names[1::2], strict=True)]
    return ", ".join(names) or phrases.NO_REFERENCE


def _undefined(measurement: Measurement) -> bool:
    """Whether nobody expects a value here: the sacrum has no body height and the sac ends beside it; so C1 and C2."""
    level = measurement.level
    axis_or_atlas = measurement.lower is None and level is not None and level.rank <= 2 and not level.is_relative
    return level is not None and (level.region == "S" or axis_or_atlas)


def _quantities(gaps: Sequence[Measurement]) -> str:
    """'body heights': the names of what is missing at one place, without what only follows from it."""
    names = [m.name for m in gaps]
    if set(HEIGHTS) & set(names):
        whole = set(HEIGHTS) <= set(names)
        columns = [phrases.BODY_HEIGHTS] if whole else [name for name in names if name in HEIGHTS]
        derived = (*RATIOS, *COLUMN_LOSSES, *([HEIGHT_LOSS] if whole else []))
        names = [*columns, *(name for name in names if name not in (*HEIGHTS, *derived))]
    elif HEIGHT_LOSS in names:
        names = [name for name in names if name not in COLUMN_LOSSES]
    if SAC_AP in names:
        names = [name for name in names if name != SAC_COMPROMISE]
    return ", ".join(dict.fromkeys(phrases["NAMES"].get(name) or name_of(name) for name in names))


def _places(measurements: Sequence[Measurement], spine: Sequence[Level]) -> str:
    bodies = level_ranges([m.level for m in measurements if m.level and not m.lower], spine)
    discs = dict.fromkeys(m.place for m in measurements if m.lower)
    return ", ".join([part for part in (bodies, *discs) if part]) or phrases.EMPTY
