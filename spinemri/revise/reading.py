"""What the networks saw, as a reader corrected it: vertebrae have their right names, rejected lesions are gone.

Names change before anything is measured, in masks, vertebrae, matches between series and lesions alike. A vertebra
whose name was rejected is shown but not measured, nor are the discs beside it: a number without a sure level harms. A
lesion in it stays, for a name says nothing of the lesion. What was taken for S1 and follows the others into the lumbar
spine has no lower endplate that anyone has vouched for; its height is not measured unless the reader names that body.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from spinemri.language import Phrases
from spinemri.merge import merge
from spinemri.review import Outcome, Target, Verdict
from spinemri.revise.lesions import judged_lesions, renamed_marrow
from spinemri.revise.levels import in_series, named_again
from spinemri.revise.match import lesions_in, levels_in
from spinemri.segment.levels import phrases as naming
from spinemri.spine import LevelAssignment, LevelBasis

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from spinemri.anatomy import Level
    from spinemri.image import Image
    from spinemri.review import Decision, Review
    from spinemri.segment.lesions import MarrowView
    from spinemri.segmentation import Segmentation
    from spinemri.spine import Spine, VertebraAlignment

    Assignments = tuple[tuple[LevelAssignment, ...], ...]
    Names = Mapping[Level, Level | None]

phrases = Phrases("revise.reading")

_LEVEL = re.compile(r"[CTLSV]\d+")
_FOLLOWS = 0.95  # confidence of a name that is counted from one that the reader gave


class Reading(Protocol):
    """What the networks saw in a study; ``segmentations`` and ``assignments`` are parallel to the images."""

    @property
    def segmentations(self) -> tuple[Segmentation, ...]:
        """Named anatomy of every image."""

    @property
    def assignments(self) -> Assignments:
        """What the names rest on."""

    @property
    def spine(self) -> Spine:
        """Each vertebra once."""

    @property
    def alignments(self) -> tuple[VertebraAlignment, ...]:
        """Motion between series at each vertebra."""

    @property
    def marrow(self) -> MarrowView | None:
        """Lesions; None when nobody looked for them."""

    @property
    def axial(self) -> tuple[Segmentation, ...]:
        """Named anatomy of axial images."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is to be told."""


@dataclass(frozen=True, eq=False)
class Revised:
    """A reading with a reader's verdicts applied.

    ``review`` is None when there was none. ``renamed`` says how the software had called each vertebra and what it is
    called now, ``unmeasured`` why bodies are not to be measured; ``outcomes`` are those of all verdicts, those on
    findings still open (``now`` is what to look for).
    """

    segmentations: tuple[Segmentation, ...]
    assignments: Assignments
    spine: Spine
    alignments: tuple[VertebraAlignment, ...]
    marrow: MarrowView | None
    warnings: tuple[str, ...]
    axial: tuple[Segmentation, ...] = ()
    review: Review | None = None
    renamed: tuple[tuple[Level, Level | None], ...] = ()
    unmeasured: Mapping[Level, str] = field(default_factory=dict)
    outcomes: tuple[Outcome, ...] = ()


def revise(reading: Reading, images: Sequence[Image], review: Review | None) -> Revised:
    """The reading as the reader corrected it; the same reading without a review.

    Parameters
    ----------
    images : parallel to the segmentations

    Raises
    ------
    InputError
        Level names of the review contradict each other.
    """
    parts = (reading.segmentations, reading.assignments, reading.spine, reading.alignments)
    names = tuple((level, level) for level in reading.spine.levels)
    found = Revised(*parts, reading.marrow, reading.warnings, reading.axial, review, names)
    for one in review.in_turn if review else ():
        found = _applied(found, images, one)
    return found


def _applied(found: Revised, images: Sequence[Image], review: Review) -> Revised:
    here = levels_in(review.analysis, {v.level: v.centre for v in found.spine.vertebrae})
    lesions = found.marrow.lesions if found.marrow else ()
    same_lesion = lesions_in(review.analysis, {lesion.id: lesion.centre for lesion in lesions})
    words = [d for d in review.decisions if d.target is Target.LEVEL and d.id in here]
    given = {here[d.id]: right for d in words if (right := _right_name(d)) is not None}
    refused = {here[d.id] for d in words if d.verdict is Verdict.REJECT}
    frames = {s.series_uid: s.geometry.frame_of_reference_uid for s in found.segmentations}
    names = named_again(found.spine, frames, given, refused)
    if words:
        reasons = _reasons(found.unmeasured, names, given, refused)
        found = replace(_renamed(found, images, names, given), unmeasured=reasons)
        found = replace(found, spine=_without(found.spine, reasons))
    now = {name: names[level] for name, level in here.items()}
    marrow, judged = judged_lesions(found.marrow, review.decisions, same_lesion, found.spine.levels)
    kept = {lesion.id for lesion in (marrow.lesions if marrow else ())}
    earlier = [_followed(outcome, names, kept) for outcome in found.outcomes]
    others = [_outcome(d, here, now, same_lesion) for d in review.decisions if d.target is not Target.LESION]
    return replace(found, marrow=marrow, outcomes=(*earlier, *others, *judged))


def _right_name(decision: Decision) -> Level | None:
    """The name that a reader gave a body; None where its name was rejected, or accepted though it is relative."""
    if decision.verdict is Verdict.CORRECT:
        return decision.level
    accepted = decision.level_judged
    return accepted if decision.verdict is Verdict.ACCEPT and not accepted.is_relative else None


def _renamed(found: Revised, images: Sequence[Image], names: Names, given: Mapping[Level, Level]) -> Revised:
    """Everything that bears a level under its new name; the spine is put together anew."""
    segmentations, assignments = [], []
    for segmentation, named in zip(found.segmentations, found.assignments, strict=True):
        new = in_series(_levels_in(segmentation), dict(names))
        segmentations.append(_under(segmentation, new))
        assignments.append(tuple(_assigned(a, new[a.level], given) for a in named if a.level in new))
    spine = merge(images, segmentations, assignments)
    told = [w for w in found.warnings if w not in found.spine.warnings]
    told = [w for w in told if naming.RELATIVE_NAMES not in w or any(level.is_relative for level in spine.levels)]
    moved = [(a, names.get(a.level, a.level)) for a in found.alignments]
    return replace(
        found,
        segmentations=tuple(segmentations),
        assignments=tuple(assignments),
        spine=spine,
        axial=tuple(_under(mask, in_series(_levels_in(mask), dict(names))) for mask in found.axial),
        alignments=tuple(a.model_copy(update={"level": level}) for a, level in moved if level is not None),
        marrow=renamed_marrow(found.marrow, names, found.spine),
        warnings=(*told, *spine.warnings),
        renamed=tuple((was, None if level is None else names.get(level, level)) for was, level in found.renamed),
    )


def _levels_in(segmentation: Segmentation) -> list[Level]:
    """Every level that a structure bears, head to foot."""
    found = {level for s in segmentation.structures.values() for level in (s.level, s.lower) if level is not None}
    return sorted(found, key=lambda level: (level.is_relative, level.rank))


def _under(segmentation: Segmentation, names: Mapping[Level, Level]) -> Segmentation:
    """The masks under new names; the same object where none is new."""
    changed = any(names.get(level) != level for level in _levels_in(segmentation))
    return segmentation.renamed(names) if changed else segmentation


def _assigned(old: LevelAssignment, level: Level, given: Mapping[Level, Level]) -> LevelAssignment:
    if old.level in given:
        return LevelAssignment(level=level, basis=LevelBasis.USER, confidence=1.0)
    if level == old.level:
        return old
    return LevelAssignment(level=level, basis=LevelBasis.USER, confidence=max(old.confidence, _FOLLOWS))


def _reasons(
    earlier: Mapping[Level, str], names: Names, given: Mapping[Level, Level], refused: Collection[Level]
) -> dict[Level, str]:
    """Why bodies are not to be measured, by their new names; a name that the reader gave ends an earlier reason."""
    sacral = {
        v: phrases.WAS_SACRAL for v, new in names.items() if v.region == "S" and new is not None and new.region != "S"
    }
    why = {v: reason for v, reason in {**earlier, **sacral}.items() if v not in given}
    why |= dict.fromkeys(refused, phrases.NAME_REJECTED)
    return {new: reason for v, reason in why.items() if (new := names[v]) is not None}


def _without(spine: Spine, reasons: Mapping[Level, str]) -> Spine:
    """The spine; vertebrae for which there is a reason are not to be measured."""
    vertebrae = (
        v.model_copy(update={"excluded": reasons[v.level]}) if v.level in reasons else v for v in spine.vertebrae
    )
    return spine.model_copy(update={"vertebrae": tuple(vertebrae)})


def _followed(outcome: Outcome, names: Names, lesions: Collection[str]) -> Outcome:
    """An earlier outcome after names have changed again and some lesions are gone."""
    now = {str(level): new for level, new in names.items()}
    return outcome.model_copy(update={"now": _new_id(outcome.now, now, {id_: id_ for id_ in lesions})})


def _outcome(
    decision: Decision, here: Mapping[str, Level], now: Mapping[str, Level | None], lesions: Mapping[str, str]
) -> Outcome:
    """What became of a verdict on a level; of one on a finding, what the finding is called now."""
    if decision.target is Target.FINDING:
        return Outcome(decision=decision, now=_new_id(decision.id, now, lesions))
    if decision.id not in here:
        return Outcome(decision=decision, reason=phrases.GONE)
    return Outcome(decision=decision, now=str(now[decision.id] or ""), was=str(here[decision.id]))


def _new_id(id_: str, now: Mapping[str, Level | None], lesions: Mapping[str, str]) -> str:
    """'L1-L2.disc_bulge' becomes 'T12-L1.disc_bulge'; '' when its place is not here; others stay as they are."""
    place, dot, rest = id_.partition(".")
    if place.startswith("lesion-"):
        return f"{lesions[place]}{dot}{rest}" if place in lesions else ""
    parts = place.split("-")
    if not all(_LEVEL.fullmatch(part) for part in parts):
        return id_
    levels = [now.get(part) for part in parts]
    return "" if None in levels else f"{'-'.join(map(str, levels))}{dot}{rest}"
