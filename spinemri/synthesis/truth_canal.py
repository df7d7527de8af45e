"""True diameters and areas of the sac and of the cord, by construction, under the names and ids that ``measure`` uses.

Both are ellipses across the curve through the posterior walls; the smallest within 3 mm along it counts. The cord is
left out where the sac may flatten it, for how much of it then remains depends on where in the sac it lies, and near its
tip.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spinemri.synthesis.canal import cord_size, disc_s, sac_half_width, sac_profile

if TYPE_CHECKING:
    from spinemri.synthesis.canvas import Curve
    from spinemri.synthesis.subject import Subject

_ASIDE_MM = 2.0  # furthest that a cord lies from the sac's middle
_INSIDE = 0.95  # of the sac's diameter is open to the cord
_LEAST_MM = 4.0  # a thinner cord is about to end
_WINDOW_MM = 3.0


def canal(subject: Subject, curve: Curve, shown: list[int]) -> list[dict[str, Any]]:
    """Records of the sac's diameter and area and of the cord's, at every mid-body and disc of the vertebrae shown."""
    profile = sac_profile(subject, curve)
    half, (depth, width) = sac_half_width(subject, curve, profile), cord_size(subject, curve)
    areas, cord_areas = np.pi / 2 * profile.diameter * half, np.pi / 4 * depth * width
    records = []
    for place, s in _places(curve, shown).items():
        near = np.abs(curve.s - s) <= _WINDOW_MM
        ap, area_of_sac, cord, area = (
            float(values[near].min()) for values in (profile.diameter, areas, depth, cord_areas)
        )
        records += [
            _record(place, "dural_sac_ap", ap, "mm"),
            _record(place, "dural_sac_area", area_of_sac, "mm2"),
        ]
        if cord > _LEAST_MM and cord + 2 * _ASIDE_MM < _INSIDE * ap:
            records += [_record(place, "cord_ap", cord, "mm"), _record(place, "cord_area", area, "mm2")]
    return records


def _places(curve: Curve, shown: list[int]) -> dict[str, float]:
    """Curve coordinate of every mid-body ('L4') and disc ('L4-L5') between C3 and S1 that is shown."""
    chain = curve.chain
    places = {}
    for index in shown:
        if 0 < index < chain.sacral:
            places[chain.names[index]] = float(curve.middle[index])
        if 0 < index < chain.sacral and index + 1 in shown:
            places[f"{chain.names[index]}-{chain.names[index + 1]}"] = disc_s(curve, index)
    return places


def _record(place: str, name: str, value: float, unit: str) -> dict[str, Any]:
    return {"id": f"{place}.{name}", "level": place, "name": name, "value": round(float(value), 3), "unit": unit}
