"""AO Spine-DGOU class of an osteoporotic fracture (OF1 to 5), as a candidate: only what a shape and STIR can tell.

OF1 oedema without deformity, OF2 one endplate with less than a fifth of the posterior wall, OF3 one endplate with more
of it, OF4 both endplates or collapse, OF5 distraction, rotation or translation: never inferred, and so never excluded.
A body is deformed from 20 % height loss on; it then has at least one endplate involved. Between 15 and 20 % it has no
class: healthy bodies differ that much. Without deformity there is a class only where the bright change is called a
fracture first: Modic changes and haemangiomas are bright too. An endplate is involved when it lies more than 2 mm, or a
tenth of the body's expected height, below its chord. Only T1 to L5, and only where no lesion
suggests tumour. Readers agree moderately (kappa 0.63). Source: Schnake et al., Global Spine J 2018;8(2S):46S.

Known failure: healthy lower endplates are up to 2 mm deep, so that OF4 is named too often where they are; ligaments are
not looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.assess.adult import CHILD, why_not
from spinemri.assess.fracture import EQUIVOCAL_FROM_PCT, FRACTURE_FROM_PCT, height_loss_certainty
from spinemri.finding import Certainty, Finding
from spinemri.language import Phrases
from spinemri.norms import source_of, threshold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from spinemri.anatomy import Level
    from spinemri.measurement import Measurement

phrases = Phrases("assess.of_class")

KIND = "of_class"
SEVERE = "OF >= 4"
OEDEMA_FROM = threshold("of.oedema_from")
DEPRESSED_FROM_MM = threshold("of.endplate_depressed_from")
DEPRESSED_FROM_PCT = threshold("of.endplate_depressed_from_pct")
WALL_FROM = threshold("of.wall_involved_from")
COLLAPSE_FROM_PCT = threshold("of.collapse_from")
RULE = (
    f"deformed from {FRACTURE_FROM_PCT:g} % height loss ({EQUIVOCAL_FROM_PCT:g} % to there equivocal, no class): OF2 "
    f"with less than {WALL_FROM:g} of the posterior wall displaced, OF3 from there on, OF >= 4 with both endplates "
    f"more than {DEPRESSED_FROM_MM:g} mm or {DEPRESSED_FROM_PCT:g} % of the height deep, or {COLLAPSE_FROM_PCT:g} % "
    "lost in every column; not deformed: OF1 "
    f"from STIR signal of {OEDEMA_FROM:g} times marrow on; T1 to L5 only; not where a lesion may be tumour"
)
SOURCE = f"{source_of('of.wall_involved_from')}; limits of depth, collapse and signal: own choice"
_SIDES = ("superior", "inferior")
_SIGNAL = "lesion_stir_to_marrow"
_COLUMNS = ("anterior", "middle", "posterior")


def of_class_finding(measurements: Mapping[str, Measurement], wall: Measurement) -> Finding | None:
    """The class of one body from T1 to L5; None elsewhere.

    Parameters
    ----------
    measurements : id -> measurement; height losses, depths of the endplates, and of lesions the STIR signal
    wall : the body's ``posterior_wall_fraction``
    """
    if wall.level is None or wall.level.region not in ("T", "L"):
        return None
    loss = measurements.get(f"{wall.place}.height_loss_pct")
    if CHILD in wall.flags:
        text = phrases.NO_CLASS_MADE_OSTEOPOROTIC_FRACTURES.format(place=wall.place, why=why_not(wall))
        return _made(wall, Certainty.NOT_ASSESSABLE, text)
    if loss is None or loss.value is None:
        return _made(wall, Certainty.NOT_ASSESSABLE, phrases.CLASS_NOT_ASSESSABLE_NO_HEIGHT.format(place=wall.place))
    if loss.value < EQUIVOCAL_FROM_PCT:
        return _without_deformity(measurements, wall)
    if loss.value < FRACTURE_FROM_PCT:
        text = phrases.NO_CLASS_HEIGHT_LOSS_EQUIVOCAL.format(place=wall.place, value=loss.value)
        return _made(wall, Certainty.NOT_ASSESSABLE, text, evidence=(loss.id,))
    if wall.value is None:
        text = phrases.CLASS_NOT_ASSESSABLE.format(place=wall.place, reason=wall.reason)
        return _made(wall, Certainty.NOT_ASSESSABLE, text, evidence=(loss.id,))
    depths = [measurements.get(f"{wall.place}.endplate_depression_{side}_mm") for side in _SIDES]
    limit = depression_limit(measurements, wall.place)
    involved = [d is not None and d.value is not None and d.value > limit for d in depths]
    collapsed = _collapsed(measurements, wall.place)
    grade = of_class(wall.value, both_endplates=all(involved), collapsed=collapsed)
    known = [d for d in depths if d is not None and d.value is not None]
    near = height_loss_certainty(loss) is not Certainty.PRESENT
    near = near or _unsure(grade, wall, known, limit, collapsed=collapsed)
    why = _why(wall.value, involved, collapsed=collapsed)
    text = phrases.CLASS.format(place=wall.place, said=_said(grade), why=why, limit=_limit_of(grade))
    evidence = (loss.id, *(d.id for d in known))
    return _made(wall, Certainty.BORDERLINE if near else Certainty.PRESENT, text, grade=grade, evidence=evidence)


def of_class(wall_share: float, *, both_endplates: bool, collapsed: bool) -> str:
    """Class of a deformed body: 'OF2', 'OF3' or 'OF >= 4'."""
    if both_endplates or collapsed:
        return SEVERE
    return "OF3" if wall_share >= WALL_FROM else "OF2"


def depression_limit(measurements: Mapping[str, Measurement], place: str) -> float:
    """Depth in mm above which an endplate is involved: 2 mm, or a tenth of the expected height where that is less."""
    height, loss = (measurements.get(f"{place}.{name}") for name in ("middle_height", "height_loss_middle_pct"))
    if height is None or height.value is None or loss is None or loss.value is None or loss.value >= 100:
        return DEPRESSED_FROM_MM
    return min(DEPRESSED_FROM_MM, DEPRESSED_FROM_PCT / 100 * height.value / (1 - loss.value / 100))


def without_tumour(findings: Iterable[Finding], suspected: Iterable[Level]) -> tuple[Finding, ...]:
    """The findings, with no OF class left at levels where a lesion may be tumour: the classification excludes them."""
    barred = set(suspected)
    return tuple(_barred(f) if f.kind == KIND and barred & set(f.levels) else f for f in findings)


def without_other_changes(findings: Iterable[Finding], explained: Iterable[Level]) -> tuple[Finding, ...]:
    """The findings, with no class by signal alone at levels where what is bright is not called a fracture first."""
    levels = set(explained)
    return tuple(_explained(f) if _by_signal(f) and levels & set(f.levels) else f for f in findings)


def _by_signal(finding: Finding) -> bool:
    """Whether a class rests on STIR signal: the body is not deformed."""
    signal = any(id_.endswith(f".{_SIGNAL}") for id_ in finding.evidence)
    return finding.kind == KIND and bool(finding.grade) and signal


def _explained(finding: Finding) -> Finding:
    place = ", ".join(str(level) for level in finding.levels)
    text = phrases.NO_DEFORMITY_CHANGE_BRIGHT_STIR.format(place=place)
    return finding.model_copy(update={"certainty": Certainty.ABSENT, "grade": "", "statement": text})


def _barred(finding: Finding) -> Finding:
    place = ", ".join(str(level) for level in finding.levels)
    text = phrases.CLASS_NOT_ASSESSABLE_LESION_HERE.format(place=place)
    return finding.model_copy(update={"certainty": Certainty.NOT_ASSESSABLE, "grade": "", "statement": text})


def _without_deformity(measurements: Mapping[str, Measurement], wall: Measurement) -> Finding:
    """OF1 by the STIR signal of what was found in the body; without it that class cannot be told."""
    signals = [m for m in measurements.values() if m.name == _SIGNAL and m.level == wall.level and m.value is not None]
    brightest = max(signals, key=lambda m: m.value or 0.0, default=None)
    if brightest is None or brightest.value is None:
        return _made(
            wall, Certainty.NOT_ASSESSABLE, phrases.NO_DEFORMITY.format(place=wall.place, no_stir=phrases.NO_STIR)
        )
    said = phrases.NO_DEFORMITY_STIR_SIGNAL_MARROW.format(value=brightest.value)
    if brightest.value < OEDEMA_FROM:
        return _made(
            wall, Certainty.ABSENT, phrases.NO_CLASS.format(place=wall.place, said=said), evidence=(brightest.id,)
        )
    depths = [measurements.get(f"{wall.place}.endplate_depression_{side}_mm") for side in _SIDES]
    limit = depression_limit(measurements, wall.place)
    deep = [d for d in depths if d is not None and d.value is not None and d.value > limit]
    grade = "OF2" if deep else "OF1"
    text = phrases.CLASS.format(
        place=wall.place,
        said=_said(grade),
        why=said + (phrases.DEEP_ENDPLATE if deep else ""),
        limit=_limit_of(grade),
    )
    evidence = (brightest.id, *(d.id for d in deep))
    return _made(wall, Certainty.BORDERLINE, text, grade=grade, evidence=evidence)


def _collapsed(measurements: Mapping[str, Measurement], place: str) -> bool:
    found = [measurements.get(f"{place}.height_loss_{column}_pct") for column in _COLUMNS]
    return all(m is not None and m.value is not None and m.value >= COLLAPSE_FROM_PCT for m in found)


def _unsure(grade: str, wall: Measurement, depths: list[Measurement], limit: float, *, collapsed: bool) -> bool:
    """Whether an interval reaches across the limit that decided, or an endplate that might decide was not measured."""
    if grade == SEVERE:
        return not collapsed and any(_reaches(depth, limit) for depth in depths)
    if len(depths) < len(_SIDES):
        return True
    deep = [d for d in depths if d.value is not None and d.value > limit]
    other = [d for d in depths if d not in deep]
    return _reaches(wall, WALL_FROM) or (bool(deep) and any(_reaches(d, limit) for d in other))


def _reaches(measurement: Measurement, limit: float) -> bool:
    return measurement.interval is not None and measurement.interval[0] <= limit <= measurement.interval[1]


def _why(share: float, involved: list[bool], *, collapsed: bool) -> str:
    named = [side for side, deep in zip(_SIDES, involved, strict=True) if deep]
    plates = phrases["ENDPLATES"][" and ".join(named) or "one"]
    return phrases.POSTERIOR_WALL.format(
        collapsed=phrases.COLLAPSE if collapsed else "", plates=plates, share=100 * share
    )


def _said(grade: str) -> str:
    return phrases.AO_SPINE_DGOU_CLASS_CANDIDATE.format(grade=grade)


def _limit_of(grade: str) -> str:
    return phrases.OF5_NOT_EXCLUDED if grade == SEVERE else phrases.OF5_DISTRACTION_ROTATION_TRANSLATION_NOT


def _made(
    wall: Measurement, certainty: Certainty, statement: str, *, grade: str = "", evidence: tuple[str, ...] = ()
) -> Finding:
    return Finding(
        id=f"{wall.place}.{KIND}",
        kind=KIND,
        levels=(wall.level,) if wall.level else (),
        grade=grade,
        certainty=certainty,
        statement=statement,
        evidence=(wall.id, *evidence),
        rule=RULE,
        source=SOURCE,
    )
