"""True measurements of a subject, by construction, under the names and ids that ``measure`` uses.

Heights are taken in the vertebra's own frame in its midline, anterior and posterior at 5 % of the depth from the
walls. Height loss is against the same body before it broke. The sac's AP diameter is the one it was painted with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis.canal import disc_s, sac_profile

if TYPE_CHECKING:
    from spinemri.synthesis.canvas import Curve
    from spinemri.synthesis.subject import Subject

INSET = 0.05
_PLACES = {"anterior": 1 - INSET, "middle": 0.5, "posterior": INSET}


def heights(subject: Subject, index: int, *, intact: bool = False) -> dict[str, float]:
    """Anterior, middle and posterior height of a body in mm; before the fracture when ``intact``."""
    found = {}
    for name, t in _PLACES.items():
        rho2 = (2 * t - 1) ** 2
        top = subject.endplate(index, t, rho2, superior=True)
        if intact:
            top = top + subject.height_lost(index, t, rho2)
        found[name] = float(top - subject.endplate(index, t, rho2, superior=False))
    return found


def height_loss(subject: Subject, index: int) -> float:
    """Largest of anterior, middle and posterior height loss against the intact body, percent."""
    now, before = heights(subject, index), heights(subject, index, intact=True)
    return max(100 * (1 - now[name] / before[name]) for name in _PLACES)


def sac_diameters(subject: Subject, curve: Curve) -> dict[str, float]:
    """AP diameter of the sac in mm at every mid-body ('L4') and disc ('L4-L5'), C3 to S1."""
    profile = sac_profile(subject, curve)
    places = {}
    for index in range(1, sizes.S1 + 1):
        places[sizes.NAMES[index]] = float(curve.middle[index])
        if index < sizes.S1:
            places[f"{sizes.NAMES[index]}-{sizes.NAMES[index + 1]}"] = disc_s(curve, index)
    return {name: float(np.interp(s, curve.s, profile.diameter)) for name, s in places.items()}


def measurements(subject: Subject, curve: Curve, shown: list[int]) -> list[dict[str, Any]]:
    """One record (id, level, name, value, unit) per true measurement of the vertebrae shown completely."""
    records = []
    for index in shown:
        level = sizes.NAMES[index]
        for name, value in heights(subject, index).items():
            records.append(_record(level, f"{name}_height", value, "mm"))
        records.append(_record(level, "height_loss_pct", height_loss(subject, index), "%"))
    wanted = {sizes.NAMES[i] for i in shown}
    for place, value in sac_diameters(subject, curve).items():
        if set(place.split("-")) <= wanted:
            records.append(_record(place, "dural_sac_ap", value, "mm"))
    return records


def _record(place: str, name: str, value: float, unit: str) -> dict[str, Any]:
    return {"id": f"{place}.{name}", "level": place, "name": name, "value": round(value, 3), "unit": unit}
