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
    rows: dict[Key, list[Change | None]] = {}
    for step in (step for step in steps if step.earlier == 0):
        lesions = {lesion.id: lesion.baseline_ids for lesion in step.lesions}
        for change in step.changes:
            ids = lesions.get(change.lesion, ())
            if change.lesion and len(ids) != 1:
                continue
            key = (change.name, change.place, ids[0] if ids else "")
            rows.setdefault(key, [None] * count)[step.later] = change
    made = (_trend(key, row) for key, row in rows.items())
    return tuple(trend for trend in made if sum(value is not None for value in trend.values) >= 3)


def _trend(key: Key, row: Sequence[Change | None]) -> Trend:
    """One quantity at every date, from its change between the baseline and each later date."""
    known = [change for change in row if change is not None]
    later = [change if change is not None and change.change is not None else None for change in row[1:]]
    return Trend(
        name=key[0],
        place=key[1],
        lesion=key[2],
        unit=known[0].unit,
        values=(known[0].baseline, *(None if one is None else one.later for one in later)),
        intervals=(known[0].baseline_interval, *(None if one is None else one.later_interval for one in later)),
        mdc=(None, *(None if one is None else one.mdc for one in later)),
    )
