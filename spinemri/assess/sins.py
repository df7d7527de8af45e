"""The six components of the Spinal Instability Neoplastic Score, each with its points, its source and its reason.

MR cannot fill all of them: pain and the bone lesion on CT come from the clinician, a new deformity needs an earlier
study. An answer of the clinician that names levels counts at those only; without levels it counts everywhere, and its
reason says so. What is unknown counts from its least to its most points. A loss of exactly half the height counts as
more than half (own choice: the table leaves it open). Supine images underestimate malalignment; sagittal slices show
arches weakly.
Source: Fisher et al., Spine 2010;35:E1221; table as in ACR/RSNA RDES21.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from spinemri.assess.alignment import slip_certainty
from spinemri.assess.fracture import BORDERLINE_WITHIN, EQUIVOCAL_FROM_PCT, FRACTURE_FROM_PCT
from spinemri.assess.lesion import SPREAD_MM3
from spinemri.clinical import Answer
from spinemri.finding import Certainty
from spinemri.language import Phrases, listed
from spinemri.norms import NORMS, norm, threshold
from spinemri.terms import term

if TYPE_CHECKING:
    from spinemri.anatomy import Level
    from spinemri.assess.evidence import Evidence
    from spinemri.clinical import Clinical
    from spinemri.lesion import Lesion

phrases = Phrases("assess.sins")

HALF_COLLAPSED_FROM_PCT = threshold("sins.collapse_half")
HALF_INVOLVED_ABOVE_PCT = threshold("sins.body_half")
_TRANSITIONAL = ("T13", "L6")  # no row of the table
_ONE_DISC = ("C2", "S1")  # one mobile disc beside it only
_SIDES = ("left", "right")


class Source(StrEnum):
    """Where the points of a component come from."""

    MEASURED = "measured"
    USER = "user"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Component:
    """Points of one component, from the least to the most, where they come from, and why."""

    name: str
    low: int
    high: int
    source: Source
    reason: str
    evidence: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """'location 2 (measured: mobile spine)'."""
        return phrases.COMPONENT.format(
            name=phrases["COMPONENTS"][self.name],
            points=points_range(self.low, self.high),
            source=phrases["SOURCES"][self.source.value],
            reason=self.reason,
        )


def location(level: Level) -> Component:
    """Points of a level's place in the spine; unknown for transitional vertebrae and for relative names."""
    row = None if str(level) in _TRANSITIONAL else norm("sins.location", str(level))
    if row is None:
        most = int(max(row.value for row in NORMS.values() if row.name == "sins.location"))
        why = phrases.NAME_RELATIVE if level.is_relative else phrases.TRANSITIONAL_VERTEBRA_HAS_NO_ROW
        return Component("location", 0, most, Source.UNKNOWN, why)
    return _exact(
        "location", int(row.value), Source.MEASURED, phrases["LOCATIONS"][row.meaning.removeprefix("points: ")]
    )


def pain(clinical: Clinical) -> Component:
    """Points of the pain that the clinician states."""
    rows = {"mechanical": "pain_mechanical", "occasional_not_mechanical": "pain_occasional", "pain_free": "pain_free"}
    if clinical.pain is None:
        return Component("pain", 0, _points("pain_mechanical"), Source.UNKNOWN, phrases.NOT_STATED)
    return _exact("pain", _points(rows[clinical.pain]), Source.USER, phrases["PAIN"][clinical.pain])


def bone_lesion(clinical: Clinical, level: Level) -> Component:
    """Points of the lesion on CT that the clinician states for a level; MR only hints at them."""
    quality, scope = clinical.bone_quality_at(level), clinical.scope_of("bone_quality")
    if quality is None:
        elsewhere = (
            ""
            if clinical.bone_quality is None
            else phrases.ELSEWHERE.format(quality=term(clinical.bone_quality), scope=scope)
        )
        return Component(
            "bone lesion", 0, _points("bone_lytic"), Source.UNKNOWN, phrases.NEEDS_CT.format(elsewhere=elsewhere)
        )
    return _exact(
        "bone lesion", _points(f"bone_{quality}"), Source.USER, phrases.ON_CT.format(quality=term(quality), scope=scope)
    )


def alignment(evidence: Evidence, level: Level) -> Component:
    """Points of slips at the discs beside a level, and of a new deformity that the clinician states."""
    name, most, deformity = "alignment", _points("subluxation"), _points("deformity")
    beside = [m for m in evidence.named("slip_mm") if level in (m.level, m.lower)]
    ids = tuple(m.id for m in beside)
    slipped = ", ".join(m.place for m in beside if slip_certainty(m) is Certainty.PRESENT)
    if slipped:
        return Component(name, most, most, Source.MEASURED, phrases.SLIP.format(slipped=slipped), ids)
    clinical = evidence.clinical
    new, scope = clinical.deformity_at(level), clinical.scope_of("de_novo_deformity")
    least, stated = (deformity, phrases.STATED_DEFORMITY.format(scope=scope)) if new is Answer.YES else (0, "")
    if clinical.translation_at(level) is Answer.YES:
        still = beside and all(slip_certainty(m) is Certainty.ABSENT for m in beside)
        if still and not clinical.new_translation_levels:
            why = phrases.NEW_TRANSLATION_STATED_WITHOUT_LEVEL.format(stated=stated)
            return Component(name, least, most, Source.UNKNOWN, why, ids)
        return _exact(
            name, most, Source.USER, phrases.NEW_TRANSLATION.format(scope=clinical.scope_of("new_translation"))
        )
    if any(slip_certainty(m) is Certainty.BORDERLINE for m in beside):
        return Component(name, least, most, Source.UNKNOWN, phrases.SLIP_BORDERLINE.format(stated=stated), ids)
    if len(beside) < (1 if str(level) in _ONE_DISC else 2):
        return Component(
            name, least, most, Source.UNKNOWN, phrases.SLIP_NOT_MEASURED_BOTH_SIDES.format(stated=stated), ids
        )
    if new is Answer.UNKNOWN:
        elsewhere = phrases.ANOTHER_LEVEL.format(scope=scope) if clinical.de_novo_deformity_levels else ""
        why = phrases.NO_SLIP_WHETHER_DEFORMITY_NEW.format(elsewhere=elsewhere)
        return Component(name, 0, deformity, Source.UNKNOWN, why, ids)
    deformed = phrases.DEFORMED if new is Answer.YES else phrases.NO_SLIP_NO_NEW_DEFORMITY
    why = f"{deformed}, {scope}"
    return Component(name, least, least, Source.USER, why, ids)


def collapse(evidence: Evidence, level: Level, own: tuple[Lesion, ...]) -> Component:
    """Points of height loss, or of the share of the body that lesions have replaced where there is none."""
    id_ = f"{level}.height_loss_pct"
    loss = evidence.value(id_)
    above, below = _points("collapse_above_half"), _points("collapse_below_half")
    least, most = _whole(evidence, level, own)
    shares = tuple(f"{lesion.id}.lesion_body_share_pct" for lesion in own if lesion.level == level)
    if loss is None:
        return Component("collapse", least, above, Source.UNKNOWN, phrases.HEIGHT_LOSS_NOT_MEASURED, shares)
    said = phrases.HEIGHT_LOSS.format(loss=max(loss, 0.0))
    if abs(loss - HALF_COLLAPSED_FROM_PCT) <= BORDERLINE_WITHIN:
        said += phrases.WITHIN_READER_ERROR.format(limit=HALF_COLLAPSED_FROM_PCT)
    if loss >= FRACTURE_FROM_PCT:
        points = above if loss >= HALF_COLLAPSED_FROM_PCT else below
        return Component("collapse", points, points, Source.MEASURED, said, (id_,))
    if loss >= EQUIVOCAL_FROM_PCT:
        return Component("collapse", least, below, Source.UNKNOWN, phrases.EQUIVOCAL.format(said=said), (id_, *shares))
    if least != most:
        why = phrases.SHARE_BODY_NOT_MEASURED.format(said=said)
        return Component("collapse", least, most, Source.UNKNOWN, why, (id_, *shares))
    half = phrases.MORE_THAN_HALF if most else phrases.NOT_MORE_THAN_HALF
    return Component("collapse", most, most, Source.MEASURED, f"{said}, {half}", (id_, *shares))


def posterolateral(evidence: Evidence, level: Level, own: tuple[Lesion, ...]) -> Component:
    """Points of pedicles and arch on either side that lesions have reached."""
    name, most = "posterolateral", _points("posterolateral_bilateral")
    if not own:
        if level in evidence.screen.assessed:
            return _exact(name, _points("posterolateral_none"), Source.MEASURED, phrases.NO_TUMOUR_LIKE_LESION_THERE)
        return Component(name, 0, most, Source.UNKNOWN, phrases.MARROW_NOT_ASSESSED_THERE)
    ids = tuple(f"{lesion.id}.lesion_pedicle_{side}" for lesion in own for side in _SIDES)
    here = [lesion for lesion in own if lesion.level == level]
    volumes = {side: [evidence.value(f"{lesion.id}.lesion_pedicle_{side}") for lesion in here] for side in _SIDES}
    sides = [side for side in _SIDES if any(v is not None and v >= SPREAD_MM3 for v in volumes[side])]
    row = {0: "posterolateral_none", 1: "posterolateral_unilateral", 2: "posterolateral_bilateral"}[len(sides)]
    if any(lesion.level != level for lesion in own) and _points(row) < most:
        return Component(name, _points(row), most, Source.UNKNOWN, phrases.LESION_REACHES_FROM_NEIGHBOUR, ids)
    if len(sides) < len(_SIDES) and any(v is None for side in _SIDES for v in volumes[side]):
        return Component(name, _points(row), most, Source.UNKNOWN, phrases.EXTENT_NOT_MEASURED_EVERY_SIDE, ids)
    said = listed([term(side) for side in sides]) or phrases.NEITHER_SIDE
    return Component(
        name, _points(row), _points(row), Source.MEASURED, phrases.SAGITTAL_SLICES_SHOW_WEAKLY.format(said=said), ids
    )


def _whole(evidence: Evidence, level: Level, own: tuple[Lesion, ...]) -> tuple[int, int]:
    """Least and most points of a body without collapse, from the share of it that lesions have replaced."""
    involved = _points("involved_above_half")
    shares = [evidence.value(f"{v.id}.lesion_body_share_pct") if v.level == level else None for v in own]
    if sum(share for share in shares if share is not None) > HALF_INVOLVED_ABOVE_PCT:
        return involved, involved
    known = None not in shares and (bool(own) or level in evidence.screen.assessed)
    return 0, 0 if known else involved


def _points(name: str) -> int:
    return int(threshold(f"sins.{name}"))


def _exact(name: str, points: int, source: Source, reason: str) -> Component:
    return Component(name, points, points, source, reason)


def points_range(low: int, high: int) -> str:
    """'2', or '0-2'."""
    return str(low) if low == high else f"{low}-{high}"
