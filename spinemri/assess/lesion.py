"""What a marrow lesion may be: a differential with the evidence for and against each entity, never one verdict.

The network's shares come first; rules then weigh what it cannot see as a whole: a mirror pair across a disc speaks
for degenerative change, and for infection only beside a bright disc or with soft tissue beside it; disc involvement
never excludes tumour (a carcinoma may involve a disc), fat within a lesion speaks against tumour, a convex posterior
border, pedicle or soft tissue for it. What was not measured speaks neither for nor against anything and is listed.
Entities whose signal is the same on the sequences at hand are named as not distinguishable.
Source: review of malignant and benign signs in AJNR 2018;39:1584; Modic, Radiology 1988;166:193; KJR 2016;17:565.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spinemri.language import Phrases
from spinemri.lesion import MarrowChange as Kind
from spinemri.lesion import same_signal
from spinemri.terms import term

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from spinemri.lesion import Lesion
    from spinemri.measurement import Measurement

phrases = Phrases("assess.lesion")

SUSPICIOUS = (Kind.TUMOUR, Kind.SCLEROTIC)
DEGENERATIVE = (Kind.MODIC_1, Kind.MODIC_2, Kind.MODIC_3)
ENDPLATE = (*DEGENERATIVE, Kind.DISCITIS)
NAMED_FROM = 0.1  # share of the evidence from which an entity is named
T1_BRIGHT, T1_DARK = 1.08, 0.85  # of a lesion against unaffected marrow
STIR_BRIGHT, STIR_DARK = 1.3, 0.9
DISC_BRIGHT = 1.5  # of the touched disc against the others: involved
BULGE_MM, SPREAD_MM3 = 2.0, 60.0  # beyond the error of two masks
CONTACT_PCT = 20.0
WHOLE_PCT, LOSS_PCT = 10.0, 20.0  # height loss below which a body is whole, and from which it is fractured (Genant)
WHOLE_AGAINST = 0.3  # factor on a benign fracture: one without height loss is seen, but seldom
MIRROR_FOR, MIRROR_AGAINST = 4.0, 0.25  # factors of a mirror pair on degeneration, and on tumour
RULE = (
    "network's share of each kind; a mirror pair across a disc weighs degenerative change 4 times, tumour a quarter, "
    "infection 4 times beside a bright disc or with soft tissue beside it, a quarter where neither is; "
    "a bright disc weighs infection 3 times; a body without height loss weighs a fracture 0.3 times; "
    "T1w-bright signal without STIR signal weighs fat 3 times; named from 10 % "
    "(infection, and a tumour that the network names, always where the disc is bright); loss of endplates and "
    "enhancement of the disc are not measured; what was not measured counts neither for nor against"
)
SOURCE = "AJNR 2018;39:1584; Modic, Radiology 1988;166:193; Hong, Korean J Radiol 2016;17:565"

_HEIGHT_LOSS = "height_loss_pct"
_SIGNAL = {
    Kind.TUMOUR: ("dark", "bright"),
    Kind.SCLEROTIC: ("dark", "dark"),
    Kind.HAEMANGIOMA: ("bright", ""),
    Kind.ATYPICAL_HAEMANGIOMA: ("dark", "bright"),
    Kind.FAT: ("bright", "dark"),
    Kind.RED_MARROW: ("dark", ""),
    Kind.FRACTURE_OEDEMA: ("dark", "bright"),
    Kind.MODIC_1: ("dark", "bright"),
    Kind.MODIC_2: ("bright", ""),
    Kind.MODIC_3: ("dark", "dark"),
    Kind.CORNER: ("dark", "bright"),
    Kind.DISCITIS: ("dark", "bright"),
    Kind.RADIATION: ("bright", "dark"),
    Kind.HARDWARE: ("dark", "dark"),
}
"""Usual signal against marrow on T1w and on STIR; '' or no entry where it varies and so speaks neither way."""


@dataclass(frozen=True)
class Entity:
    """One entry of a differential: its weight (those of all kinds add up to 1), and what speaks for and against it."""

    kind: Kind
    weight: float
    speaks_for: tuple[str, ...]
    speaks_against: tuple[str, ...]
    not_distinguishable_from: tuple[Kind, ...]


@dataclass(frozen=True)
class Signs:
    """What was measured of a lesion, as signs; None where it was not measured, which speaks neither for nor against.

    ``mirror`` says whether it lies on both sides of a disc, or faces another lesion across one; ``touches_disc``
    whether it is known to reach one.
    """

    t1: float | None
    stir: float | None
    t2: float | None
    bulge_mm: float | None
    pedicle: bool | None
    epidural_mm3: float | None
    soft_tissue_mm3: float | None
    contact_pct: float | None
    disc_ratio: float | None
    mirror: bool | None
    others: int
    contrasts: tuple[str, ...]
    height_loss_pct: float | None = None
    touches_disc: bool = False

    @property
    def convex(self) -> bool | None:
        """Whether it bulges behind the posterior wall beyond the error of two masks."""
        return _reaches(self.bulge_mm, BULGE_MM)

    @property
    def epidural(self) -> bool | None:
        """Whether it reaches into the canal beyond the error of two masks."""
        return _reaches(self.epidural_mm3, SPREAD_MM3)

    @property
    def soft_tissue(self) -> bool | None:
        """Whether it reaches into soft tissue beside or before the spine."""
        return _reaches(self.soft_tissue_mm3, SPREAD_MM3)

    @property
    def endplate_based(self) -> bool | None:
        """Whether it takes up a fifth of an endplate."""
        return _reaches(self.contact_pct, CONTACT_PCT)

    @property
    def disc_involved(self) -> bool:
        """Whether the disc it touches is much brighter than the others."""
        return self.disc_ratio is not None and self.disc_ratio >= DISC_BRIGHT

    @property
    def disc_unknown(self) -> bool:
        """Whether it touches, or may face another lesion across, a disc whose signal was not measured."""
        return self.disc_ratio is None and (self.touches_disc or self.mirror is not False)

    @property
    def infection(self) -> bool | None:
        """Whether a bright disc, or soft tissue beside a mirror pair, tells infection from degeneration of a disc."""
        if self.disc_involved or (self.mirror and self.soft_tissue):
            return True
        beside = self.mirror is not False and self.soft_tissue is not False
        return None if self.disc_unknown or (beside and None in (self.mirror, self.soft_tissue)) else False

    @property
    def not_measured(self) -> tuple[str, ...]:
        """Extents that nobody knows, in a reader's words."""
        untold = phrases.SO_INFECTION_CANNOT_TOLD if self.mirror and self.infection is None else ""
        rows = (
            (phrases.POSTERIOR_BORDER, self.bulge_mm is None),
            (phrases.PEDICLES_ARCH, self.pedicle is None),
            (phrases.PART_CANAL, self.epidural_mm3 is None),
            (phrases.SOFT_TISSUE_BESIDE_SPINE, self.soft_tissue_mm3 is None),
            (phrases.ENDPLATE_CONTACT, self.contact_pct is None),
            (phrases.SIGNAL_DISC.format(untold=untold), self.disc_unknown),
        )
        return tuple(words for words, missing in rows if missing)


def signs_of(lesion: Lesion, lesions: Sequence[Lesion], measurements: Mapping[str, Measurement]) -> Signs:
    """The signs of one lesion among the others of a study; ``measurements`` by id."""

    def value(name: str) -> float | None:
        found = measurements.get(f"{lesion.id}.{name}")
        return None if found is None else found.value

    sides = [_reaches(value(f"lesion_pedicle_{side}"), SPREAD_MM3) for side in ("left", "right")]
    beside = [value(f"lesion_{name}_volume") for name in ("paraspinal", "prevertebral")]
    soft_tissue = sum(volume for volume in beside if volume is not None)
    return Signs(
        t1=value("lesion_t1_to_marrow"),
        stir=value("lesion_stir_to_marrow"),
        t2=value("lesion_t2_to_marrow"),
        bulge_mm=value("lesion_convex_posterior_border"),
        pedicle=_any(sides),
        epidural_mm3=value("lesion_epidural_volume"),
        soft_tissue_mm3=None if None in beside and soft_tissue < SPREAD_MM3 else soft_tissue,
        contact_pct=value("lesion_endplate_contact_pct"),
        disc_ratio=value("lesion_disc_signal_ratio"),
        mirror=_mirrored(lesion, lesions, measurements),
        others=sum(o.kind in SUSPICIOUS and o.level != lesion.level for o in lesions),
        contrasts=lesion.seen_in,
        height_loss_pct=loss.value if (loss := measurements.get(f"{lesion.level}.{_HEIGHT_LOSS}")) else None,
        touches_disc=bool(_disc_touched(lesion, measurements)),
    )


def _reaches(value: float | None, least: float) -> bool | None:
    return None if value is None else value >= least


def _any(signs: Sequence[bool | None]) -> bool | None:
    """True when one is; None when none is known to be and one is not known."""
    return True if True in signs else None if None in signs else False


def _mirrored(lesion: Lesion, lesions: Sequence[Lesion], measurements: Mapping[str, Measurement]) -> bool | None:
    """Whether a lesion lies on both sides of a disc, or touches the same disc as one of the neighbouring vertebra.

    One of the two has to take up a fifth of its endplate: a touch alone is no mirror. None where contact or disc were
    not measured.
    """

    def based(one: Lesion) -> bool | None:
        found = measurements.get(f"{one.id}.lesion_endplate_contact_pct")
        return None if found is None else _reaches(found.value, CONTACT_PCT)

    def faces(other: Lesion) -> bool | None:
        discs = [_disc_touched(one, measurements) for one in (lesion, other)]
        if "" in discs or (None not in discs and discs[0] != discs[1]):
            return False
        contact = _any([based(lesion), based(other)])
        return None if contact and None in discs else contact

    across = [based(lesion)] if len(lesion.levels) > 1 else []
    return _any(across + [faces(other) for other in lesions if other.id != lesion.id and _adjacent(lesion, other)])


def _disc_touched(lesion: Lesion, measurements: Mapping[str, Measurement]) -> str | None:
    """Name of the disc that a lesion touches, from the flag of its disc's signal; '' for none, None if not known."""
    found = measurements.get(f"{lesion.id}.lesion_disc_signal_ratio")
    return None if found is None else next((flag for flag in found.flags if flag.startswith("disc:")), "")


def _adjacent(one: Lesion, other: Lesion) -> bool:
    """Neighbours head to foot, the lesions' centres within the height of two bodies.

    T12 and L1, L5 and S1 are two ranks apart, as T13 or L6 may lie between them; then their distance tells.
    """
    if one.level.is_relative is not other.level.is_relative:
        return False
    apart, regions = abs(one.level.rank - other.level.rank), {one.level.region, other.level.region}
    beside = apart == 1 or (apart == 2 and regions in ({"T", "L"}, {"L", "S"}))
    return beside and abs(one.centre[2] - other.centre[2]) < 50


def may_be_tumour(entity: Entity, contrasts: Iterable[str]) -> bool:
    """Whether an entity counts as tumour-like: it is, or a sequence that would tell it from one is not there."""
    return entity.kind in SUSPICIOUS or Kind.TUMOUR in same_signal(entity.kind, contrasts, always=False)


def differential(lesion: Lesion, signs: Signs) -> tuple[Entity, ...]:
    """Entities from the most to the least likely, those below 10 % left out unless nothing else is there.

    When the disc is bright, infection and a tumour that the network names stay in however the weights fall.
    """
    weights = {kind: lesion.shares.get(kind, 0.0) for kind in Kind}
    if signs.mirror:
        for kind in ENDPLATE if signs.infection else DEGENERATIVE:
            weights[kind] = max(weights[kind], 0.03) * MIRROR_FOR
        weights[Kind.DISCITIS] *= MIRROR_AGAINST if signs.infection is False else 1
        for kind in SUSPICIOUS:
            weights[kind] *= MIRROR_AGAINST
    if signs.disc_involved:
        weights[Kind.DISCITIS] = max(weights[Kind.DISCITIS], 0.06) * 3
    if signs.height_loss_pct is not None and signs.height_loss_pct < WHOLE_PCT:
        weights[Kind.FRACTURE_OEDEMA] *= WHOLE_AGAINST
    if _is_fat(signs):
        weights[Kind.FAT] = max(weights[Kind.FAT], 0.06) * 3
    if signs.t1 is not None and signs.t1 >= T1_BRIGHT:
        for kind in SUSPICIOUS:
            weights[kind] *= 0.3
    total = sum(weights.values()) or 1.0
    ranked = sorted(((w / total, kind) for kind, w in weights.items()), key=lambda pair: -pair[0])
    tumours = {kind for kind in SUSPICIOUS if lesion.shares.get(kind, 0.0) >= NAMED_FROM}
    kept = {Kind.DISCITIS, *tumours} if signs.disc_involved else set()
    named = [pair for pair in ranked if pair[0] >= NAMED_FROM or pair[1] in kept] or ranked[:1]
    return tuple(Entity(k, round(w, 3), *_evidence(k, signs), same_signal(k, signs.contrasts)) for w, k in named)


def judge(
    lesions: Sequence[Lesion], measurements: Mapping[str, Measurement]
) -> tuple[tuple[Lesion, Signs, tuple[Entity, ...]], ...]:
    """Every lesion with its signs and its differential."""
    read = [(lesion, signs_of(lesion, lesions, measurements)) for lesion in lesions]
    return tuple((lesion, signs, differential(lesion, signs)) for lesion, signs in read)


def _is_fat(signs: Signs) -> bool:
    bright = signs.t1 is not None and signs.t1 >= T1_BRIGHT
    return bright and (signs.stir is None or signs.stir < STIR_BRIGHT)


def _evidence(kind: Kind, signs: Signs) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Signs for and against one entity, in a reader's words."""
    favours, against = _signal_words(kind, signs)
    if kind is Kind.FRACTURE_OEDEMA:
        more, less = _fracture_evidence(signs)
    elif kind in SUSPICIOUS:
        more, less = _tumour_evidence(signs)
    elif kind in ENDPLATE:
        more, less = _endplate_evidence(kind, signs)
    else:
        more, less = [], _beyond_bone(signs)
    return (*favours, *more), (*against, *less)


def _signal_words(kind: Kind, signs: Signs) -> tuple[list[str], list[str]]:
    """Signal that speaks for and against a kind; what one sequence contradicts, the other does not support."""
    found = (_grade(signs.t1, T1_DARK, T1_BRIGHT), _grade(signs.stir, STIR_DARK, STIR_BRIGHT))
    rows = list(zip(("T1w", "STIR"), found, _SIGNAL.get(kind, ("", "")), strict=True))
    against = [f"{name} {term(seen)}" for name, seen, usual in rows if seen and usual and seen != usual]
    return (
        [] if against else [f"{name} {term(seen)}" for name, seen, usual in rows if seen and seen == usual]
    ), against


def _grade(ratio: float | None, dark: float, bright: float) -> str:
    """'dark' or 'bright' against marrow; '' between them and where nothing was measured."""
    if ratio is None:
        return ""
    return "dark" if ratio <= dark else "bright" if ratio >= bright else ""


def _fracture_evidence(signs: Signs) -> tuple[list[str], list[str]]:
    loss = signs.height_loss_pct
    favours = [phrases.HEIGHT_LOSS] if loss is not None and loss >= LOSS_PCT else []
    against = [phrases.NO_HEIGHT_LOSS] if loss is not None and loss < WHOLE_PCT else []
    return favours, against + _beyond_bone(signs)


def _tumour_evidence(signs: Signs) -> tuple[list[str], list[str]]:
    beyond = _beyond_bone(signs)
    favours = [*([phrases.FURTHER_LESIONS] if signs.others else []), *beyond]
    against = [phrases.MIRROR_PAIR_ACROSS_DISC] if signs.mirror else []
    against += [phrases.BRIGHT_DISC_RAISES_INFECTION_DOES] if signs.disc_involved else []
    confined = all(seen is False for seen in (signs.convex, signs.pedicle, signs.epidural, signs.soft_tissue))
    return favours, against + ([phrases.NO_CONVEX_BORDER_PEDICLE_OR] if confined else [])


def _endplate_evidence(kind: Kind, signs: Signs) -> tuple[list[str], list[str]]:
    """What lies beyond the bone speaks against degeneration, not against infection: there are abscesses.

    A pair across a disc is typical of both; without a bright disc or soft tissue beside it speaks for degeneration.
    """
    infection = kind is Kind.DISCITIS
    dark = signs.disc_ratio is not None and not signs.disc_involved
    favours = [phrases.MIRROR_PAIR_ACROSS_DISC] if signs.mirror and (signs.infection or not infection) else []
    favours += [phrases.ENDPLATE_BASED] if signs.endplate_based else []
    against = [phrases.ONE_SIDE_DISC_ONLY] if signs.mirror is False else []
    if infection:
        bright = [phrases.DISC_BRIGHT] if signs.disc_involved else []
        return favours + bright, against + ([phrases.DISC_NOT_BRIGHT] if dark else [])
    favours += [phrases.DISC_NOT_BRIGHT] if signs.mirror and dark else []
    against += [phrases.DISC_BRIGHT] if signs.disc_involved else []
    return favours, against + _beyond_bone(signs)


def _beyond_bone(signs: Signs) -> list[str]:
    found = [phrases.CONVEX_POSTERIOR_BORDER] if signs.convex else []
    found += [phrases.PEDICLE_OR_ARCH_INVOLVED] if signs.pedicle else []
    found += [phrases.EPIDURAL_EXTENSION] if signs.epidural else []
    return found + ([phrases.SOFT_TISSUE_EXTENSION] if signs.soft_tissue else [])
