"""What narrows the canal or a foramen at a place: named from what else was measured there, most dangerous first.

A lesion in the canal or a foramen is called tumour only where its differential holds one; infection, haemangioma, Paget
disease and cement are called what they are, and changes of marrow that do not leave the bone (Modic, fat, oedema ...)
are left out: there the masks overlap. Nothing is concluded from the narrowing's shape alone, except from which side it
comes: what pushes from behind, where nothing else was measured, is ligament or joint. Several causes may be named; none
is named when nothing speaks for one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.assess.alignment import slip_limit_mm
from spinemri.assess.lesion import may_be_tumour
from spinemri.lesion import MarrowChange as Kind
from spinemri.norms import threshold

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from spinemri.anatomy import Level
    from spinemri.assess.lesion import Entity, Signs
    from spinemri.lesion import Lesion
    from spinemri.measurement import Measurement

EPIDURAL_TUMOUR, EXPANSION = "epidural tumour", "bone expansion"
FORAMINAL_TUMOUR, LOW_DISC = "tumour in the foramen", "loss of disc height"
RETROPULSION, SLIP, DISC, LIGAMENT = "retropulsion", "slip", "disc", "ligament or joints"

UNJUDGED, IN_CANAL, IN_FORAMEN = "lesion", " in the canal", " in the foramen"

_KIND = "kind:"
_LEAVE_BONE = (Kind.DISCITIS, Kind.HAEMANGIOMA, Kind.ATYPICAL_HAEMANGIOMA, Kind.PAGET, Kind.HARDWARE)
_IN_CANAL_MM3, _EXPANSION_MM = threshold("cause.epidural_volume"), threshold("cause.expansion")
_RETROPULSION_MM = threshold("cause.retropulsion")
_BULGE_MM, _FROM_BEHIND = threshold("cause.disc_bulge"), threshold("cause.from_behind")
_IN_FORAMEN_MM3, LOW_DISC_MM = threshold("cause.foraminal_volume"), threshold("foramen.posterior_disc_up_to")


def with_kinds(
    measurements: Iterable[Measurement], judged: Sequence[tuple[Lesion, Signs, tuple[Entity, ...]]]
) -> tuple[Measurement, ...]:
    """The measurements, those of lesions with a flag that says what their lesion may be.

    The flag names tumour where any entity of the differential may be one, else the first entity.

    Parameters
    ----------
    judged : the lesions of the study with their differentials
    """

    def kind_of(lesion: Lesion, entities: tuple[Entity, ...]) -> Kind:
        tumour = any(may_be_tumour(entity, lesion.seen_in) for entity in entities)
        return Kind.TUMOUR if tumour else entities[0].kind

    kinds = {lesion.id: f"{_KIND}{kind_of(lesion, entities).value}" for lesion, _, entities in judged}
    owners = ((m, kinds.get(m.id.partition(".")[0])) for m in measurements)
    return tuple(m if kind is None else m.model_copy(update={"flags": (*m.flags, kind)}) for m, kind in owners)


def lies_in_canal(cause: str) -> bool:
    """Whether a cause is something in the canal that may press on the cord, tumour or not."""
    return cause == EPIDURAL_TUMOUR or cause.endswith(IN_CANAL)


def narrowing_causes(measurements: Mapping[str, Measurement], narrowed: Measurement) -> tuple[tuple[str, str], ...]:
    """Causes of narrowing at a place, each with the id of the measurement that speaks for it.

    Parameters
    ----------
    measurements : id -> measurement, those of lesions (``with_kinds``) among them; a lesion without a flag is 'lesion'
    narrowed : any measurement at the place; ``lower`` is its lower level at a disc
    """
    return tuple(_causes(measurements, narrowed))


def foraminal_causes(
    measurements: Mapping[str, Measurement], narrowed: Measurement, side: str
) -> tuple[tuple[str, str], ...]:
    """Causes of narrowing of one foramen, each with the id of the measurement that speaks for it.

    Tumour, and bone that it expands, are named on the side of the foramen or pedicle that they reach; what else was
    measured, was measured in the middle and counts for both sides.

    Parameters
    ----------
    measurements : id -> measurement, those of lesions (``with_kinds``) among them; a lesion without a flag is 'lesion'
    narrowed : any measurement of the foramen, with the levels above and below it
    side : 'left' or 'right'
    """
    return tuple(_foraminal(measurements, narrowed, side))


def _foraminal(measurements: Mapping[str, Measurement], narrowed: Measurement, side: str) -> Iterator[tuple[str, str]]:
    for lesion in _of_lesions(measurements, "lesion_foraminal_volume", narrowed.levels):
        cause = _called(lesion, FORAMINAL_TUMOUR, IN_FORAMEN)
        if cause and _value(lesion) >= _IN_FORAMEN_MM3 and {f"side:{side}", "side:both"} & {*lesion.flags}:
            yield cause, lesion.id
    for lesion in _of_lesions(measurements, "lesion_expansion", narrowed.levels):
        pedicle = measurements.get(f"{lesion.id.partition('.')[0]}.lesion_pedicle_{side}")
        if _value(lesion) >= _EXPANSION_MM and pedicle is not None and _value(pedicle) > 0:
            yield EXPANSION, lesion.id
    yield from _of_bone_and_disc(measurements, narrowed)
    height = measurements.get(f"{narrowed.place}.posterior_disc_height")
    if height is not None and height.value is not None and height.value <= LOW_DISC_MM:
        yield LOW_DISC, height.id


def _causes(measurements: Mapping[str, Measurement], narrowed: Measurement) -> Iterator[tuple[str, str]]:
    for lesion in _of_lesions(measurements, "lesion_epidural_volume", narrowed.levels):
        cause = _called(lesion, EPIDURAL_TUMOUR, IN_CANAL)
        if cause and _value(lesion) >= _IN_CANAL_MM3:
            yield cause, lesion.id
    for lesion in _of_lesions(measurements, "lesion_convex_posterior_border", narrowed.levels):
        if _value(lesion) >= _EXPANSION_MM:
            yield EXPANSION, lesion.id
    yield from _of_bone_and_disc(measurements, narrowed)
    yield from _from_behind(measurements, narrowed)


def _called(lesion: Measurement, tumour: str, where: str) -> str:
    """What a lesion outside the bone is called there; '' for a change that does not leave the bone."""
    kind = next((flag.removeprefix(_KIND) for flag in lesion.flags if flag.startswith(_KIND)), UNJUDGED)
    if kind == Kind.TUMOUR.value:
        return tumour
    return f"{kind}{where}" if kind in (UNJUDGED, *(one.value for one in _LEAVE_BONE)) else ""


def _of_bone_and_disc(measurements: Mapping[str, Measurement], narrowed: Measurement) -> Iterator[tuple[str, str]]:
    for level in narrowed.levels:
        yield from _if_reached(measurements, f"{level}.retropulsion_mm", (RETROPULSION, _RETROPULSION_MM))
    if narrowed.lower is not None:
        slip = f"{narrowed.place}.slip_mm"
        yield from _if_reached(measurements, slip, (SLIP, slip_limit_mm(narrowed)), either_way=True)
        yield from _if_reached(measurements, f"{narrowed.place}.disc_bulge_mm", (DISC, _BULGE_MM))


def _if_reached(
    measurements: Mapping[str, Measurement], id_: str, what: tuple[str, float], *, either_way: bool = False
) -> Iterator[tuple[str, str]]:
    cause, least = what
    if id_ not in measurements:
        return
    value = _value(measurements[id_])
    if (abs(value) if either_way else value) >= least:
        yield cause, id_


def _of_lesions(measurements: Mapping[str, Measurement], name: str, levels: tuple[Level, ...]) -> Iterator[Measurement]:
    return (m for m in measurements.values() if m.name == name and m.level in levels)


def _from_behind(measurements: Mapping[str, Measurement], narrowed: Measurement) -> Iterator[tuple[str, str]]:
    front, back = (measurements.get(f"{narrowed.place}.dural_sac_{side}_indent_mm") for side in ("front", "back"))
    if front is None or back is None or front.value is None or back.value is None:
        return
    lost = max(front.value, 0.0) + max(back.value, 0.0)
    sure = back.interval is not None and back.interval[0] > 0
    if lost > 0 and back.value / lost >= _FROM_BEHIND and sure:
        yield LIGAMENT, back.id


def _value(measurement: Measurement) -> float:
    return measurement.value or 0.0
