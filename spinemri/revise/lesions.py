"""Verdicts on lesions: a rejected one is gone from list and masks, an accepted one is confirmed, a level is as given.

A correction in words alone changes no number; it stands beside what the software says.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import Structure, StructureKind
from spinemri.language import Phrases
from spinemri.review import Outcome, Target, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from spinemri.anatomy import Level
    from spinemri.lesion import Lesion
    from spinemri.review import Decision
    from spinemri.segment.lesions import MarrowView
    from spinemri.segmentation import Segmentation
    from spinemri.spine import Spine

    Names = Mapping[Level, Level | None]

phrases = Phrases("revise.lesions")


def judged_lesions(
    marrow: MarrowView | None, decisions: Sequence[Decision], same: Mapping[str, str], levels: Collection[Level]
) -> tuple[MarrowView | None, list[Outcome]]:
    """Marrow after the verdicts on its lesions, and what became of each.

    Parameters
    ----------
    marrow : under the names that hold after the review; None when nobody looked for lesions
    same : lesion id in the review -> id here
    levels : of this spine
    """
    words = [d for d in decisions if d.target is Target.LESION]
    lesions = {lesion.id: lesion for lesion in (marrow.lesions if marrow else ())}
    gone: set[str] = set()
    outcomes = []
    for decision in words:
        id_ = same.get(decision.id, "")
        why = phrases.NOT_SEARCHED if marrow is None else "" if id_ in lesions else phrases.NO_LESION
        if not why and decision.level is not None and decision.level not in levels:
            why = phrases.NO_LEVEL.format(level=decision.level)
        if why:
            outcomes.append(Outcome(decision=decision, reason=why))
            continue
        rejected = decision.verdict is Verdict.REJECT
        outcomes.append(Outcome(decision=decision, now="" if rejected else id_, was=_said(lesions[id_])))
        gone |= {id_} if rejected else set()
        lesions[id_] = _judged(lesions[id_], decision)
    if marrow is None or not words:
        return marrow, outcomes
    kept = tuple(lesions[lesion.id] for lesion in marrow.lesions if lesion.id not in gone)
    return replace(marrow, lesions=kept, masks=_outlines(marrow.masks, kept)), outcomes


def renamed_marrow(marrow: MarrowView | None, names: Names, spine: Spine) -> MarrowView | None:
    """Marrow under new level names; a lesion of what is no vertebra belongs to the nearest one.

    Parameters
    ----------
    names : level -> its new name, None for what is no vertebra
    spine : under the old names
    """
    if marrow is None:
        return None

    def name(lesion: Lesion, level: Level) -> Level:
        new = names.get(level, level)
        return new if new is not None else _nearest(lesion, names, spine)

    def kept(levels: Iterable[Level]) -> tuple[Level, ...]:
        return tuple(new for level in levels if (new := names.get(level, level)) is not None)

    lesions = tuple(
        lesion.model_copy(
            update={
                "level": name(lesion, lesion.level),
                "levels": tuple(dict.fromkeys(name(lesion, level) for level in lesion.levels)),
            }
        )
        for lesion in marrow.lesions
    )
    screen = marrow.screen
    unseen = ((names.get(level, level), why) for level, why in screen.not_assessed)
    looked = {
        "assessed": kept(screen.assessed),
        "partly": kept(screen.partly),
        "not_assessed": tuple((level, why) for level, why in unseen if level is not None),
    }
    masks = _outlines(marrow.masks, lesions)
    return replace(marrow, lesions=lesions, masks=masks, screen=screen.model_copy(update=looked))


def _nearest(lesion: Lesion, names: Names, spine: Spine) -> Level:
    """The new name of the vertebra whose body lies nearest."""
    offers = [
        (float(np.linalg.norm(np.subtract(v.centre, lesion.centre))), new)
        for v in spine.vertebrae
        if (new := names.get(v.level, v.level)) is not None
    ]
    return min(offers, key=lambda offer: offer[0])[1]


def _judged(lesion: Lesion, decision: Decision) -> Lesion:
    if decision.verdict is Verdict.ACCEPT:
        return lesion.model_copy(update={"confirmed": True})
    if decision.level is None:
        return lesion
    levels = lesion.levels if decision.level in lesion.levels else (decision.level,)
    return lesion.model_copy(update={"level": decision.level, "levels": levels})


def _outlines(masks: Iterable[Segmentation], lesions: Sequence[Lesion]) -> tuple[Segmentation, ...]:
    """Outlines of these lesions under their levels; a mask that holds none of them is left out."""
    found = []
    for mask in masks:
        own = {v.label: Structure(StructureKind.LESION, v.level) for v in lesions if v.series_uid == mask.series_uid}
        if own:
            voxels = np.where(np.isin(mask.voxels, list(own)), mask.voxels, 0).astype(mask.voxels.dtype)
            found.append(replace(mask, voxels=voxels, structures=own))
    return tuple(found)


def _said(lesion: Lesion) -> str:
    """'L2 left, tumour-like 70 %, probability 83 %'."""
    place = " ".join(part for part in ("-".join(map(str, lesion.levels)), lesion.side) if part)
    kind = f"{lesion.kind.value} {100 * lesion.shares[lesion.kind]:.0f} %"
    return phrases.PROBABILITY.format(place=place, kind=kind, probability=100 * lesion.probability)
