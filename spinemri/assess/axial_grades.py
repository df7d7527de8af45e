"""Grades of the canal that axial T2w slices allow: Schizas as far as fluid tells it, and Kang.

Schizas (lumbar) tells A and B, where fluid is seen among the roots, from C and D, where none is. A from B and C from D
need the texture of the roots and the fat behind the sac: that is left to a reader. Kang (cervical) is told at every
disc that axial slices cross: 3 with raised T2w signal of the cord, 2 with a cord that lost depth, 1 where more than
half of the space around the cord is lost, else 0; the cord's depth and signal come from sagittal series. The worst
place is reported. An input that is missing leaves "at least".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from spinemri.assess.cord import EQUIVOCAL_FROM_PCT, RAISED_FROM
from spinemri.finding import Certainty, Finding
from spinemri.language import Phrases
from spinemri.norms import source_of, threshold
from spinemri.terms import term

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spinemri.measurement import Measurement

phrases = Phrases("assess.axial_grades")

AT_LEAST = "at least "  # before a grade that something that is not known could raise
SCHIZAS, KANG = "schizas_grade", "kang_grade"
FLUID, SPACE = "axial_csf_fraction", "axial_sas_obliteration"
FLUID_SEEN, FLUID_GONE, OBLITERATED = map(threshold, ("schizas.fluid_seen", "schizas.fluid_gone", "kang.obliterated"))
SCHIZAS_RULE = (
    f"share of the sac's section as bright as fluid, on axial T2w slices at the worst disc: A or B from {FLUID_SEEN:g},"
    f" C or D up to {FLUID_GONE:g}, not told between; its 95 % interval must not reach the other"
)
KANG_RULE = (
    "at the worst disc on axial T2w slices: 3 when the cord's T2w signal is raised, 2 when it lost 10 % of its depth, "
    "1 when more than half of the space around it is lost, else 0"
)
_INPUTS = ((3, "cord_t2_ratio", RAISED_FROM), (2, "cord_compression_pct", EQUIVOCAL_FROM_PCT), (1, SPACE, OBLITERATED))


class _Kang(NamedTuple):
    """The grade at a place, what it rests on, what is missing that could raise it, and whether an interval may."""

    grade: int
    evidence: tuple[Measurement, ...]
    missing: tuple[str, ...]
    doubtful: bool


def schizas_from_axial(measurements: Sequence[Measurement]) -> Finding | None:
    """The finding at the lumbar disc with the least fluid; None when no axial slice tells of any."""
    known = [m for m in measurements if m.name == FLUID and m.value is not None and m.lower and _region(m) == "L"]
    if not known:
        return None
    worst = min(known, key=lambda m: m.value or 0.0)
    share, (low, high) = worst.value or 0.0, worst.interval or (worst.value or 0.0, worst.value or 0.0)
    seen, gone = share >= FLUID_SEEN and low > FLUID_GONE, share <= FLUID_GONE and high < FLUID_SEEN
    said = phrases.SAC_AS_BRIGHT_AS_FLUID.format(share=100 * share, place=worst.place)
    text = phrases.SCHIZAS_GRADE_LUMBAR_CANAL.format(
        seen=term("A or B" if seen else "C or D"), said=said, reader=phrases.READER
    )
    if not (seen or gone):
        text = phrases.SCHIZAS_GRADE_LUMBAR_CANAL_NOT.format(said=said)
    return Finding(
        id=SCHIZAS,
        kind=SCHIZAS,
        levels=worst.levels,
        grade="A or B" if seen else "C or D" if gone else "",
        certainty=Certainty.ABSENT if seen else Certainty.PRESENT if gone else Certainty.NOT_ASSESSABLE,
        statement=text,
        evidence=(worst.id,),
        rule=SCHIZAS_RULE,
        source=source_of("schizas.fluid_seen"),
    )


def kang_from_axial(measurements: Sequence[Measurement]) -> Finding | None:
    """The finding at the worst cervical disc that an axial slice crosses; None when there is none."""
    by_id = {m.id: m for m in measurements}
    places = [m for m in measurements if m.name == SPACE and m.value is not None and m.lower and _region(m) == "C"]
    if not places:
        return None
    graded = [(_kang(by_id, space), space) for space in places]
    worst, space = max(graded, key=lambda one: (one[0].grade, len(one[0].missing)))
    lost = phrases.SPACE_AROUND_CORD_LOST.format(value=100 * max(space.value or 0.0, 0.0))
    least = phrases.LEAST if worst.missing else ""
    unknown = phrases.NOT_KNOWN_CORD.format(items=", ".join(worst.missing)) if worst.missing else ""
    unsure = worst.doubtful or bool(worst.missing)
    present = Certainty.BORDERLINE if unsure else Certainty.PRESENT
    return Finding(
        id=KANG,
        kind=KANG,
        levels=space.levels,
        grade=f"{AT_LEAST if worst.missing else ''}{worst.grade}",
        certainty=present if worst.grade else Certainty.NOT_ASSESSABLE if worst.missing else Certainty.ABSENT,
        statement=phrases.KANG_GRADE_CERVICAL_CANAL.format(
            least=least, grade=worst.grade, place=space.place, lost=lost, unknown=unknown
        ),
        evidence=tuple(m.id for m in worst.evidence),
        rule=KANG_RULE,
        source=source_of("kang.obliterated"),
    )


def _kang(by_id: Mapping[str, Measurement], space: Measurement) -> _Kang:
    """The grade at one place."""
    found = [(grade, name, by_id.get(f"{space.place}.{name}"), limit) for grade, name, limit in _INPUTS]
    known = [(grade, m, m.value, limit) for grade, _, m, limit in found if m is not None and m.value is not None]
    reached = [(grade, m, limit) for grade, m, value, limit in known if value >= limit]
    top, deciding, limit = reached[0] if reached else (0, space, OBLITERATED)
    missing = [
        phrases["MISSING"][name] for grade, name, m, _ in found if grade > top and (m is None or m.value is None)
    ]
    low = deciding.interval[0] if deciding.interval else limit
    return _Kang(top, tuple(m for _, m, _, _ in known), tuple(missing), top > 0 and low < limit)


def _region(measurement: Measurement) -> str:
    return measurement.level.region if measurement.level else ""
