"""Degeneration of lumbar discs, like Pfirrmann's grades, and bulges beyond the endplate line.

Pfirrmann (Spine 2001;26:1873) grades a lumbar disc by eye on sagittal T2w: signal and homogeneity of the nucleus, its
distinction from the annulus, and height. Here the signal of the middle of the disc against CSF stands for all of what
is seen, and the height index for collapse: I or II (which differ in homogeneity only) from half of CSF on, III down to
a quarter, IV below, V when the disc is collapsed too. No publication gives such limits, and they hold for T2w TSE
without fat suppression at an echo time near 100 ms; within 0.05, with an interval that reaches across, or of a disc
too thin to leave its edge out, a grade is borderline. The scale was made for lumbar discs: others are not graded.

A bulge is stated above 1 mm; it is no herniation, and a bulge of a few millimetres is common in people without pain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.assess.certainty import reached
from spinemri.assess.places import located
from spinemri.finding import Certainty, Finding
from spinemri.language import Phrases
from spinemri.norms import source_of, threshold
from spinemri.terms import term

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spinemri.measurement import Measurement

phrases = Phrases("assess.disc")

DEGENERATION, BULGE = "disc_degeneration", "disc_bulge"
HEALTHY_FROM = threshold("disc.signal_healthy_from")
DARK_BELOW = threshold("disc.signal_dark_below")
ERROR = threshold("disc.signal_error")
COLLAPSED_BELOW = threshold("disc.collapsed_below")
BULGE_ABOVE_MM = threshold("disc.bulge_above")
GRADES = ("I or II", "III", "IV", "V")
DEGENERATION_RULE = (
    f"T2w signal of the middle of a lumbar disc / CSF: I or II from {HEALTHY_FROM:g}, III from {DARK_BELOW:g}, IV or V "
    f"below, V with a height index below {COLLAPSED_BELOW:g}; borderline within {ERROR:g} or when the 95 % interval "
    "reaches a limit; homogeneity and the border of the nucleus are not looked at"
)
DEGENERATION_SOURCE = (
    f"after Pfirrmann et al., Spine 2001;26:1873; signal: {source_of('disc.signal_healthy_from')}; "
    f"collapse: {source_of('disc.collapsed_below')}"
)
BULGE_RULE = (
    f"posterior margin of the disc more than {BULGE_ABOVE_MM:g} mm behind the line of the posterior endplate corners; "
    "borderline when the 95 % interval reaches that limit"
)
BULGE_SOURCE = source_of("disc.bulge_above")
THIN = "thin_disc"
"""Flag of a signal that endplates and annulus are part of."""


def pfirrmann_like(signal: float, index: float | None) -> str:
    """Grade of a disc by its signal against CSF and its height index; without an index IV and V are not told apart."""
    if signal >= HEALTHY_FROM:
        return GRADES[0]
    if signal >= DARK_BELOW:
        return GRADES[1]
    if index is None:
        return f"{GRADES[2]} or {GRADES[3]}"
    return GRADES[3] if index < COLLAPSED_BELOW else GRADES[2]


def degeneration_finding(measurements: Mapping[str, Measurement], signal: Measurement) -> Finding | None:
    """The grade of one lumbar disc (L1-L2 to L5-S1, T12-L1 too); None for discs that the scale was not made for.

    Grades I to III are ABSENT, as common in healthy adults. Without T2w the grade is not assessable.

    Parameters
    ----------
    measurements : id -> measurement
    signal : the disc's ``disc_signal_to_csf``
    """
    if "L" not in {level.region for level in (signal.level, signal.lower) if level is not None}:
        return None
    index = measurements.get(f"{signal.place}.disc_height_index")
    known = index if index is not None and index.value is not None else None
    if signal.value is None:
        text = phrases.DISC_DEGENERATION_NOT_ASSESSABLE.format(place=signal.place, reason=signal.reason)
        return _degeneration(signal, Certainty.NOT_ASSESSABLE, text, evidence=(signal.id,))
    grade = pfirrmann_like(signal.value, known.value if known else None)
    height = phrases.HEIGHT_INDEX.format(value=known.value) if known and known.value is not None else ""
    certainty = _degeneration_certainty(grade, signal, known)
    word = phrases.BORDERLINE if certainty is Certainty.BORDERLINE else ""
    text = phrases.PFIRRMANN_LIKE_GRADE_T2W_SIGNAL.format(
        place=signal.place, word=word, grade=term(grade), value=signal.value, height=height, limits=phrases.LIMITS
    )
    evidence = (signal.id, *((known.id,) if known else ()))
    return _degeneration(signal, certainty, text, grade=grade, evidence=evidence)


def bulge_finding(_: Mapping[str, Measurement], bulge: Measurement) -> Finding:
    """Whether one disc bulges beyond the endplate line.

    Parameters
    ----------
    bulge : the disc's ``disc_bulge_mm``
    """
    certainty = reached(bulge, BULGE_ABOVE_MM, above=True)
    if bulge.value is None:
        text = phrases.DISC_BULGE_NOT_ASSESSABLE.format(place=bulge.place, reason=bulge.reason)
    elif certainty is Certainty.ABSENT:
        text = phrases.NO_DISC_BULGE_ABOVE_MM.format(place=bulge.place, limit=BULGE_ABOVE_MM)
    else:
        word = phrases.BORDERLINE if certainty is Certainty.BORDERLINE else ""
        text = phrases.BULGE_DISC_MM_BEYOND_ENDPLATE.format(place=bulge.place, word=word, value=bulge.value)
    return Finding(
        **located(bulge, BULGE),
        certainty=certainty,
        statement=text,
        evidence=(bulge.id,),
        rule=BULGE_RULE,
        source=BULGE_SOURCE,
    )


def _degeneration_certainty(grade: str, signal: Measurement, index: Measurement | None) -> Certainty:
    near_dark = _near(signal, DARK_BELOW, ERROR)
    if grade in GRADES[:2]:
        return Certainty.BORDERLINE if grade == GRADES[1] and near_dark else Certainty.ABSENT
    unsure = index is None or _near(index, COLLAPSED_BELOW, 0.0) or THIN in signal.flags
    return Certainty.BORDERLINE if near_dark or unsure else Certainty.PRESENT


def _near(measurement: Measurement, limit: float, error: float) -> bool:
    """Whether a value is within an error of a limit, or its interval reaches across."""
    if measurement.value is None:
        return False
    low, high = measurement.interval or (measurement.value, measurement.value)
    return min(low, measurement.value - error) <= limit <= max(high, measurement.value + error)


def _degeneration(
    signal: Measurement, certainty: Certainty, statement: str, *, grade: str = "", evidence: tuple[str, ...] = ()
) -> Finding:
    return Finding(
        **located(signal, DEGENERATION),
        grade=grade,
        certainty=certainty,
        statement=statement,
        evidence=evidence,
        rule=DEGENERATION_RULE,
        source=DEGENERATION_SOURCE,
    )
