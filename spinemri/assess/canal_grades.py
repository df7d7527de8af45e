"""Grades of the canal that are read on axial T2w slices: named once per region, not assessable where these are missing.

Schizas and Lee (lumbar) rest on the fluid and the roots in the axial section of the sac, Kang (cervical) on the space
around the cord, the cord's shape and its signal. What axial slices allow is told by ``axial_grades``; without them the
worst values of Kang's three inputs on sagittal images stand beside it, and together they are no grade. Lee's asks how
far the roots can be told apart, which is not measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.assess.axial_grades import KANG, SCHIZAS, kang_from_axial, schizas_from_axial
from spinemri.finding import Certainty, Finding
from spinemri.language import Phrases

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spinemri.measurement import Measurement

phrases = Phrases("assess.canal_grades")

LEE = "lee_grade"
_SAC, _SPACE, _SECTION = "dural_sac_area", "sas_obliteration", "axial_sac_area"
_KANG_PARTS = {
    _SPACE: 100.0,
    "cord_compression_pct": 1.0,
    "cord_t2_ratio": 1.0,
}
"""What Kang's grade rests on, and by what it is multiplied where it is told."""
_OF = {
    SCHIZAS: ("L", "Schizas et al., Spine 2010;35:1919"),
    LEE: ("L", "Lee et al., Skeletal Radiol 2011;40:1033"),
    KANG: ("C", "Kang et al., AJR 2011;197:W134"),
}
RULE = "read on axial T2w images: without them not assessable, never a grade from sagittal ones"


def canal_grade_findings(measurements: Mapping[str, Measurement]) -> tuple[Finding, ...]:
    """One finding per system whose region is seen: from axial slices, or not assessable, with what was measured."""
    known = [*measurements.values()]
    graded = {SCHIZAS: schizas_from_axial(known), KANG: kang_from_axial(known)}
    made = (graded.get(kind) or _finding(kind, known) for kind in _OF)
    return tuple(finding for finding in made if finding is not None)


def _finding(kind: str, measurements: Sequence[Measurement]) -> Finding | None:
    region, source = _OF[kind]
    here = [m for m in measurements if m.level is not None and m.level.region == region]
    sac = [m for m in here if m.name == _SAC]
    if not sac:
        return None
    worst = [m for part in _KANG_PARTS if (m := _most(here, part)) is not None] if kind == KANG else []
    said = "; ".join(_part(m) for m in worst)
    why = phrases.NO_ROOTS if kind == LEE and any(m.name == _SECTION for m in here) else phrases.NO_AXIAL_T2
    return Finding(
        id=kind,
        kind=kind,
        levels=tuple(dict.fromkeys(m.level for m in sac if m.level is not None)),
        certainty=Certainty.NOT_ASSESSABLE,
        statement=phrases.NOT_ASSESSABLE.format(
            name=phrases["GRADES"][kind], why=why, said=phrases.AT_MOST.format(said=said) if said else ""
        ),
        evidence=tuple(m.id for m in (worst or _narrowest(sac))),
        rule=RULE,
        source=source,
    )


def _most(measurements: Sequence[Measurement], name: str) -> Measurement | None:
    known = [m for m in measurements if m.name == name and m.value is not None]
    return max(known, key=lambda m: m.value or 0.0, default=None)


def _part(measurement: Measurement) -> str:
    value = max((measurement.value or 0.0) * _KANG_PARTS[measurement.name], 0.0)
    return phrases["KANG_PARTS"][measurement.name].format(value=value, place=measurement.place)


def _narrowest(sac: Sequence[Measurement]) -> list[Measurement]:
    """The smallest section of the sac, else the first place of the region."""
    known = [m for m in sac if m.value is not None]
    return [min(known, key=lambda m: m.value or 0.0)] if known else [sac[0]]
