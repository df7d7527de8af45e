"""Narrowing of a lumbar neural foramen: a category per level and side, never from one number alone.

Three criteria may speak: little fat around the root on T1w, a low foramen, a shallow one. Readers grade by the fat and
agreed not to report diameters (Andreisek 2014), so fat decides the category and millimetres stand beside it. Narrowing
is present from two criteria that speak with their whole 95 % interval, where the fat was seen; from one alone, where an
interval reaches its limit, or from two sizes without a look at the fat, it is borderline. A foramen of usual size with
little fat is not called narrow, unless tumour has taken its place, or is so large that it must: then it is at least
mild, and borderline, even where its sizes could not be measured. With fewer than two criteria measured nothing else is
said. A disc that is low behind is evidence beside a narrow foramen, and a cause of it, but makes none: it is one number
for both sides. The limits are those of lumbar spines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from spinemri.assess.cause import FORAMINAL_TUMOUR, LIGAMENT, LOW_DISC_MM, foraminal_causes
from spinemri.assess.places import why_missing
from spinemri.finding import Certainty, Finding
from spinemri.language import Phrases
from spinemri.norms import source_of, threshold
from spinemri.terms import term

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spinemri.measurement import Measurement

phrases = Phrases("assess.foramen")

KIND = "foraminal_narrowing"
HEIGHT_UP_TO_MM, AP_BELOW_MM = threshold("foramen.height_up_to"), threshold("foramen.ap_below")
TUMOUR_FROM_MM3 = threshold("foramen.tumour_from")
PRESERVED_FROM, LOST_BELOW = threshold("foramen.fat_preserved_from"), threshold("foramen.fat_lost_below")
RULE = (
    f"criteria: perineural fat on T1w partly lost below {100 * PRESERVED_FROM:g} % of the area, lost below "
    f"{100 * LOST_BELOW:g} %; height up to {HEIGHT_UP_TO_MM:g} mm; AP below {AP_BELOW_MM:g} mm. None: no criterion, or "
    "fat partly lost alone; severe: fat lost and a size; moderate: fat partly lost and a size, or fat lost alone; "
    "mild: a size alone. Present when two criteria speak with their whole 95 % interval and fat was seen, borderline "
    f"otherwise; with tumour in it and no fat preserved, or {TUMOUR_FROM_MM3:g} mm³ of it, at least mild, then "
    "borderline, also where it could not be measured; else not assessable with fewer than two measured. A "
    f"posterior disc height up to {LOW_DISC_MM:g} mm is evidence beside it"
)
SOURCE = (
    f"height: {source_of('foramen.height_up_to')}; AP: {source_of('foramen.ap_below')}; "
    f"fat: {source_of('foramen.fat_lost_below')}; disc: {source_of('foramen.posterior_disc_up_to')}; categories: "
    "Andreisek et al. 2014"
)


class _Criterion(NamedTuple):
    """Whether a measurement speaks for narrowing, and whether its whole interval does."""

    speaks: bool
    surely: bool


def foraminal_finding(measurements: Mapping[str, Measurement], height: Measurement) -> Finding:
    """The finding at one foramen.

    Parameters
    ----------
    measurements : id -> measurement
    height : the place's ``foraminal_height_left`` or ``foraminal_height_right``
    """
    side = height.name.rsplit("_", 1)[1]
    ap, fat = (
        measurements.get(f"{height.place}.{name}_{side}") for name in ("foraminal_ap", "perineural_fat_fraction")
    )
    known = [m for m in (height, ap, fat) if m is not None and m.value is not None]
    reason = _not_assessable(height, len(known))
    certainty = Certainty.NOT_ASSESSABLE if reason else foraminal_certainty(height, ap, fat)
    grade = "" if reason else foraminal_grade(height, ap, fat)
    preserved = _fat_seen(fat) and not _fat(fat).speaks
    enough = TUMOUR_FROM_MM3 if reason or preserved else 0.0
    silent = certainty is Certainty.ABSENT or (certainty is Certainty.NOT_ASSESSABLE and _lumbar(height))
    if silent and _tumour_mm3(measurements, height, side) >= enough:
        certainty, grade = Certainty.BORDERLINE, "mild"
    narrowed = certainty in (Certainty.PRESENT, Certainty.BORDERLINE)
    low = [m for m in (_low_disc(measurements, height),) if m is not None and narrowed]
    causes = _causes(measurements, (height, ap), side) if narrowed else ()
    named = tuple(dict.fromkeys(cause for cause, _ in causes))
    where = f"{height.place} {term(side)}"
    return Finding(
        id=f"{height.place}.{KIND}_{side}",
        kind=KIND,
        levels=height.levels,
        at_disc=True,
        side=side,
        grade=grade,
        cause=", ".join(named),
        certainty=certainty,
        statement=phrases.NARROWING_NEURAL_FORAMEN.format(where=where, reason=reason)
        if reason and not narrowed
        else phrases.NARROW_UNMEASURED.format(where=where, what=_what(grade, certainty), why=_why(named), reason=reason)
        if reason
        else f"{where}: {_what(grade, certainty)}; {_seen((height, ap), fat, low)}"
        f"{_limit(grade, fat)}{_why(named) if narrowed else ''}.",
        evidence=tuple(dict.fromkeys((height.id, *(m.id for m in (*known, *low)), *(id_ for _, id_ in causes)))),
        rule=RULE,
        source=SOURCE,
    )


def foraminal_grade(height: Measurement, ap: Measurement | None, fat: Measurement | None) -> str:
    """'none', 'mild', 'moderate' or 'severe'."""
    sizes, lost = _low(height).speaks or _shallow(ap).speaks, _below(fat, LOST_BELOW).speaks
    if lost:
        return "severe" if sizes else "moderate"
    if not sizes:
        return "none"
    return "moderate" if _fat(fat).speaks else "mild"


def foraminal_certainty(height: Measurement, ap: Measurement | None, fat: Measurement | None) -> Certainty:
    """Whether a foramen with two criteria measured is narrow; ABSENT and the grade 'none' always go together.

    Where nobody saw the fat around the root, two small sizes are not enough to be sure.
    """
    if foraminal_grade(height, ap, fat) == "none":
        return Certainty.ABSENT
    criteria = (_low(height), _shallow(ap), _fat(fat))
    sure = _fat_seen(fat) and sum(c.surely for c in criteria) >= 2
    return Certainty.PRESENT if sure else Certainty.BORDERLINE


def _lumbar(height: Measurement) -> bool:
    """Whether this is a foramen whose limits are known, though it could not be measured."""
    return any(level.region == "L" for level in height.levels)


def _fat_seen(fat: Measurement | None) -> bool:
    return fat is not None and fat.value is not None


def _low_disc(measurements: Mapping[str, Measurement], height: Measurement) -> Measurement | None:
    """The posterior height of the disc in front of a foramen, where it is small."""
    disc = measurements.get(f"{height.place}.posterior_disc_height")
    return disc if disc is not None and disc.value is not None and disc.value <= LOW_DISC_MM else None


def _low(height: Measurement) -> _Criterion:
    if height.value is None:
        return _Criterion(speaks=False, surely=False)
    speaks = height.value <= HEIGHT_UP_TO_MM
    return _Criterion(speaks, speaks and _highest(height) <= HEIGHT_UP_TO_MM)


def _shallow(ap: Measurement | None) -> _Criterion:
    return _below(ap, AP_BELOW_MM)


def _fat(fat: Measurement | None) -> _Criterion:
    return _below(fat, PRESERVED_FROM)


def _below(measurement: Measurement | None, limit: float) -> _Criterion:
    if measurement is None or measurement.value is None:
        return _Criterion(speaks=False, surely=False)
    return _Criterion(measurement.value < limit, _highest(measurement) < limit)


def _highest(measurement: Measurement) -> float:
    return measurement.interval[1] if measurement.interval else measurement.value or 0.0


def _not_assessable(height: Measurement, known: int) -> str:
    """Why a foramen is not graded, as the end of a sentence; '' where it is."""
    if "thoracic_foramen" in height.flags:
        return phrases.NOT_ASSESSABLE_NO_ACCEPTED_LIMITS
    if known >= 2:
        return ""
    why = why_missing(height)
    return f"{why}: {height.reason or phrases.FEWER_THAN_TWO_HEIGHT_AP}"


def _causes(
    measurements: Mapping[str, Measurement], sizes: tuple[Measurement, Measurement | None], side: str
) -> tuple[tuple[str, str], ...]:
    """What narrows it; where nothing else does and it is shallow, ligament or joints behind it."""
    height, ap = sizes
    found = foraminal_causes(measurements, height, side)
    behind = ((LIGAMENT, ap.id),) if ap is not None and _shallow(ap).speaks else ()
    return found or behind


def _tumour_mm3(measurements: Mapping[str, Measurement], height: Measurement, side: str) -> float:
    """Volume of the largest tumour that is a cause of narrowing on a side; -1 where there is none."""
    causes = foraminal_causes(measurements, height, side)
    volumes = (measurements[id_].value or 0.0 for cause, id_ in causes if cause == FORAMINAL_TUMOUR)
    return max(volumes, default=-1.0)


def _what(grade: str, certainty: Certainty) -> str:
    if grade == "none":
        return phrases.NO_NARROWING_NEURAL_FORAMEN
    return phrases.GRADED.format(what=phrases.PERHAPS if certainty is Certainty.BORDERLINE else "", grade=term(grade))


def _seen(
    sizes: tuple[Measurement, Measurement | None], fat: Measurement | None, low_disc: Sequence[Measurement]
) -> str:
    """'perineural fat lost (4 % of its area), height 13.2 mm, antero-posterior 2.1 mm, disc behind 3.1 mm high'."""
    if fat is None or fat.value is None:
        words = [phrases.PERINEURAL_FAT_NOT_ASSESSED]
    else:
        lost = phrases.LOST if fat.value < LOST_BELOW else phrases.PARTLY_LOST
        state = lost if _fat(fat).speaks else phrases.PRESERVED
        words = [phrases.PERINEURAL_FAT_AREA.format(state=state, value=100 * fat.value)]
    for name, size in zip((phrases.HEIGHT, phrases.DEPTH), sizes, strict=True):
        words += [] if size is None or size.value is None else [phrases.SIZE.format(name=name, value=size.value)]
    words += [phrases.POSTERIOR_DISC_HEIGHT_MM.format(value=disc.value) for disc in low_disc]
    return ", ".join(words)


def _limit(grade: str, fat: Measurement | None) -> str:
    return "" if grade == "none" or _fat_seen(fat) else phrases.NO_MORE_THAN_POSSIBLE_PERINEURAL


def _why(causes: tuple[str, ...]) -> str:
    return phrases.NARROWED.format(items=", ".join(map(term, causes))) if causes else phrases.UNDETERMINED
