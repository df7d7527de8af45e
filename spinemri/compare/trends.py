"""One value per date where there are three examinations or more, by the names of the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.compare.comparison import Trend

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spinemri.compare.comparison import Change, Step

    Key = tuple[str, str, str]


def trends(steps: Sequence[Step], count: int) -> tuple[Trend, ...]:
    """Every quantity that at least three examinations hold; None where one of them has no value.

    Parameters
    ----------
    steps : those from the baseline are read
    count : of examinations
    """
    values: dict[Key, list[float | None]] = {}
    units: dict[Key, str] = {}
    for step in (step for step in steps if step.earlier == 0):
        lesions = {lesion.id: lesion.baseline_ids for lesion in step.lesions}
        for change in step.changes:
            ids = lesions.get(change.lesion, ())
            if change.lesion and len(ids) != 1:
                continue
            key = (change.name, change.place, ids[0] if ids else "")
            row = values.setdefault(key, [change.baseline, *[None] * (count - 1)])
            row[step.later] = _later(change)
            units[key] = change.unit
    return tuple(
        Trend(name=key[0], place=key[1], lesion=key[2], unit=units[key], values=tuple(row))
        for key, row in values.items()
        if sum(value is not None for value in row) >= 3
    )


def _later(change: Change) -> float | None:
    return None if change.change is None else change.later
