"""What a reader would say of a whole oncologic examination, and whether an analysis says it, is silent or objects.

A claim is contradicted when the analysis says the opposite: no height loss where there is one, the other side, a
compressed cord where it is free. Silence, or "not assessable", is absence.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from spinemri.assess.cord import COMPRESSION
from spinemri.assess.foramen import KIND as FORAMEN
from spinemri.assess.fracture import KIND as HEIGHT_LOSS
from spinemri.assess.stenosis import KIND as NARROWING
from spinemri.finding import Certainty
from spinemri.lesion import MarrowChange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from spinemri.analysis import Analysis
    from spinemri.anatomy import Level
    from spinemri.evaluate.examination import Examination
    from spinemri.finding import Finding
    from spinemri.lesion import Lesion

_SAID = (Certainty.PRESENT, Certainty.BORDERLINE)
_NUMEROUS = 3
_NEAR_MM = 10.0
_IN_CANAL_MM3 = 20.0
_TUMOUR = (MarrowChange.TUMOUR, MarrowChange.SCLEROTIC)


class Said(StrEnum):
    """What an analysis says of a claim."""

    PRESENT = "present"
    ABSENT = "absent"
    CONTRADICTED = "contradicted"


def claims(truth: Examination, analysis: Analysis) -> dict[str, Said]:
    """Every claim of the report that a reader would write, in its order, and what the analysis says of it."""
    return {claim: judge(truth, analysis) for claim, judge in _CLAIMS.items()}


def _levels(truth: Examination, analysis: Analysis) -> Said:
    """Every vertebra that is seen whole has its true name."""
    wrong = 0
    for vertebra in analysis.spine.vertebrae:
        nearest = min(truth.centres, key=lambda level: _away(truth, level, vertebra.centre))
        if _away(truth, nearest, vertebra.centre) < _NEAR_MM and nearest != vertebra.level and not vertebra.cut:
            wrong += 1
    return Said.CONTRADICTED if wrong else Said.PRESENT


def _away(truth: Examination, level: Level, centre: Sequence[float]) -> float:
    return float(np.linalg.norm(truth.centres[level] - np.asarray(centre)))


def _numerous(_: Examination, analysis: Analysis) -> Said:
    held = {level for lesion in _tumours(analysis) for level in lesion.levels}
    return Said.PRESENT if len(held) >= _NUMEROUS else Said.ABSENT


def _in_region(region: str) -> Callable[[Examination, Analysis], Said]:
    """Whether tumour is told in a vertebra of a region that holds it."""

    def judge(truth: Examination, analysis: Analysis) -> Said:
        true = {level for level in truth.involved if level.region == region}
        found = {level for lesion in _tumours(analysis) for level in lesion.levels}
        return Said.PRESENT if true & found or not true else Said.ABSENT

    return judge


def _signal(truth: Examination, analysis: Analysis) -> Said:
    """Dark on T1w and bright on STIR against marrow, for most lesions in vertebrae that hold tumour."""
    mine = [lesion for lesion in _tumours(analysis) if {*lesion.levels} & {*truth.involved}]
    ratios = [(_value(analysis, one, "t1_to_marrow"), _value(analysis, one, "stir_to_marrow")) for one in mine]
    known = [(t1, stir) for t1, stir in ratios if t1 is not None and stir is not None]
    if not known:
        return Said.ABSENT
    typical = sum(t1 < 1 < stir for t1, stir in known)
    return Said.PRESENT if 2 * typical > len(known) else Said.CONTRADICTED


def _height_loss(truth: Examination, analysis: Analysis) -> Said:
    return _judged(_of(analysis, HEIGHT_LOSS, (truth.broken,)))


def _no_other_fracture(truth: Examination, analysis: Analysis) -> Said:
    others = [f for f in analysis.findings if f.kind == HEIGHT_LOSS and truth.broken not in f.levels]
    if any(f.certainty is Certainty.PRESENT for f in others):
        return Said.CONTRADICTED
    return Said.PRESENT if others else Said.ABSENT


def _pedicles(truth: Examination, analysis: Analysis) -> Said:
    volumes = [
        _value(analysis, one, f"pedicle_{side}") or 0.0
        for one in _tumours(analysis)
        if truth.broken in one.levels
        for side in ("left", "right")
    ]
    return Said.PRESENT if any(v > 0 for v in volumes) else Said.ABSENT


def _into_canal(truth: Examination, analysis: Analysis) -> Said:
    mine = [one for one in _tumours(analysis) if truth.broken in one.levels]
    volumes = [_value(analysis, one, "epidural_volume") or 0.0 for one in mine]
    return Said.PRESENT if any(v >= _IN_CANAL_MM3 for v in volumes) else Said.ABSENT


def _narrowed(truth: Examination, analysis: Analysis) -> Said:
    """Narrowing of the sac at the broken body or a disc beside it."""
    near = [f for f in analysis.findings if f.kind == NARROWING and truth.broken in f.levels]
    return Said.PRESENT if any(f.certainty in _SAID for f in near) else Said.ABSENT


def _right_foramen(truth: Examination, analysis: Analysis) -> Said:
    near = [f for f in analysis.findings if f.kind == FORAMEN and truth.broken in f.levels and f.certainty in _SAID]
    if any(f.id.endswith("_right") for f in near):
        return Said.PRESENT
    return Said.CONTRADICTED if near else Said.ABSENT


def _cord_free(_: Examination, analysis: Analysis) -> Said:
    judged = [f for f in analysis.findings if f.kind == COMPRESSION]
    if any(f.certainty is Certainty.PRESENT for f in judged):
        return Said.CONTRADICTED
    return Said.PRESENT if any(f.certainty is Certainty.ABSENT for f in judged) else Said.ABSENT


def _judged(findings: Sequence[Finding]) -> Said:
    if any(f.certainty in _SAID for f in findings):
        return Said.PRESENT
    return Said.CONTRADICTED if any(f.certainty is Certainty.ABSENT for f in findings) else Said.ABSENT


def _of(analysis: Analysis, kind: str, levels: Iterable[Level]) -> list[Finding]:
    return [f for f in analysis.findings if f.kind == kind and {*f.levels} == {*levels}]


def _tumours(analysis: Analysis) -> list[Lesion]:
    """Lesions that are told to be tumour-like first."""
    return [one for one in analysis.lesions if max(one.shares, key=lambda kind: one.shares[kind]) in _TUMOUR]


def _value(analysis: Analysis, lesion: Lesion, name: str) -> float | None:
    found = analysis.measurement(f"{lesion.id}.lesion_{name}")
    return None if found is None else found.value


_CLAIMS: dict[str, Callable[[Examination, Analysis], Said]] = {
    "levels named right": _levels,
    "numerous marrow lesions": _numerous,
    "in the cervical spine": _in_region("C"),
    "in the thoracic spine": _in_region("T"),
    "in the lumbar spine": _in_region("L"),
    "T1w dark, STIR bright": _signal,
    "height loss of the broken lumbar body": _height_loss,
    "no other height loss": _no_other_fracture,
    "tumour in its pedicles": _pedicles,
    "bone and tumour expand into the canal": _into_canal,
    "the canal is narrowed there": _narrowed,
    "the right foramen is narrowed there": _right_foramen,
    "no compression of the cord": _cord_free,
}
