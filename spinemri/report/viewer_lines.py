"""Measured lengths and angles as lines of the patient, each to be drawn on the series it was measured on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spinemri.measurement import Status
from spinemri.report.figure import lines_to_draw
from spinemri.report.lesion_values import DIAMETER
from spinemri.report.phrases import page_phrases as words

if TYPE_CHECKING:
    from spinemri.case import Case
    from spinemri.measurement import Measurement

_ENDS = (2, 4)  # a length; the two lines of an angle


def lines(case: Case) -> list[dict[str, Any]]:
    """Every length and angle that was measured on a series of the case, ready for JSON; points are LPS mm.

    'key' marks what is shown at first: heights of deformed bodies, the narrowest sac, diameters of lesions.
    """
    uids = [series.series_uid for series in case.analysis.used_series()]
    chosen = {m.id for uid in uids for m in lines_to_draw(case.analysis, uid)}
    found = []
    for m in case.analysis.measurements:
        if not _is_drawn(m) or m.series_uid not in uids:
            continue
        size = words["LINE_SIZES"][m.unit].format(value=m.value)
        place = m.id.split(".")[0] if m.name == DIAMETER else m.place
        found.append(
            {
                "series": uids.index(m.series_uid),
                "points": [[round(v, 2) for v in point] for point in m.points],
                "text": size,
                "title": words.LINE_TITLE.format(place=place, name=words["LINE_NAMES"][m.name], size=size),
                "levels": [str(level) for level in m.levels],
                "key": m.id in chosen or m.name == DIAMETER,
            }
        )
    return found


def _is_drawn(measurement: Measurement) -> bool:
    known = measurement.name in words["LINE_NAMES"] and measurement.unit in words["LINE_SIZES"]
    return known and measurement.status is Status.MEASURED and len(measurement.points) in _ENDS
