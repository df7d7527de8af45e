"""What became of the height of each vertebra: a new fracture-level loss, a progressed one, or none that can be told.

A change is called beyond the minimal detectable change of the height loss, and only if the body itself lost height: the
loss also rises when the bodies that it is compared with are measured differently.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.compare.comparison import Change, FractureChange, Verdict
from spinemri.language import Phrases
from spinemri.norms import threshold

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

phrases = Phrases("compare.fractures")

LOSS = "height_loss_pct"
_HEIGHTS = ("anterior_height", "middle_height", "posterior_height")
_OWN_SHARE = 0.5  # of the change in points that the body's own height must have lost, own choice


def fracture_changes(changes: Iterable[Change]) -> tuple[FractureChange, ...]:
    """Vertebrae with a fracture-level loss at either examination, or with a changed one, head to foot."""
    by_id = {change.id: change for change in changes}
    return tuple(_judged(by_id))


def _judged(by_id: dict[str, Change]) -> Iterator[FractureChange]:
    limit = threshold("height_loss.fracture_from")
    for change in by_id.values():
        if change.name != LOSS:
            continue
        was, is_now = (value is not None and value >= limit for value in (change.baseline, change.later))
        if change.verdict is Verdict.INCREASED:
            fell = _fell(change.place, by_id)
            if fell is not None and change.change is not None and fell < _OWN_SHARE * change.change:
                reason = phrases.UNFOUNDED.format(change=change.change, fell=fell)
                yield FractureChange(place=change.place, verdict=Verdict.STABLE, change=change.id, reason=reason)
                continue
            verdict = Verdict.NEW if is_now and not was else Verdict.PROGRESSED
            yield FractureChange(place=change.place, verdict=verdict, change=change.id)
        elif was or is_now or change.verdict is Verdict.DECREASED:
            yield FractureChange(place=change.place, verdict=change.verdict, change=change.id, reason=change.reason)


def _fell(place: str, by_id: dict[str, Change]) -> float | None:
    """Largest fall of one of the body's own heights in percent of the earlier one; None where none is known."""
    found = [by_id.get(f"{place}.{name}") for name in _HEIGHTS]
    falls = [-100 * c.change / c.baseline for c in found if c is not None and c.change is not None and c.baseline]
    return max(falls, default=None)
