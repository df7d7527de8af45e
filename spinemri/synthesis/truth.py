"""True measurements of a subject, by construction, under the names and ids that ``measure`` uses.

Heights are taken in the vertebra's own frame in its midline, anterior and posterior at 5 % of the depth from the
walls. Height loss is against the same body before it broke. The sac's AP diameter is the one it was painted with.
Angles lie between the straight lines that join an endplate's rims at the walls; forward bends (kyphosis) are positive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.interpolate import CubicSpline

from spinemri.synthesis.canal import disc_s, sac_profile

if TYPE_CHECKING:
    from spinemri.synthesis.canvas import Curve
    from spinemri.synthesis.subject import Subject

INSET = 0.05
_REGIONS = (  # name, upper body, whether its upper endplate, lower body, whether its upper endplate
    ("thoracic_kyphosis", "T4", True, "T12", False),
    ("lumbar_lordosis", "T12", True, "S1", True),
    ("lumbar_lordosis", "L1", True, "S1", True),
    ("lumbar_lordosis", "L4", True, "S1", True),
    ("cervical_lordosis", "C2", False, "C7", False),
)
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
    names, sacral = subject.chain.names, subject.chain.sacral
    for index in range(1, sacral + 1):
        places[names[index]] = float(curve.middle[index])
        if index < sacral:
            places[f"{names[index]}-{names[index + 1]}"] = disc_s(curve, index)
    return {name: float(np.interp(s, curve.s, profile.diameter)) for name, s in places.items()}


def measurements(subject: Subject, curve: Curve, shown: list[int]) -> list[dict[str, Any]]:
    """One record (id, level, name, value, unit) per true measurement of the vertebrae shown completely."""
    records = []
    for index in shown:
        level = subject.chain.names[index]
        for name, value in heights(subject, index).items():
            records.append(_record(level, f"{name}_height", value, "mm"))
        records.append(_record(level, "height_loss_pct", height_loss(subject, index), "%"))
    wanted = {subject.chain.names[i] for i in shown}
    for place, value in sac_diameters(subject, curve).items():
        if set(place.split("-")) <= wanted:
            records.append(_record(place, "dural_sac_ap", value, "mm"))
    return records


def alignment(subject: Subject, shown: list[int]) -> list[dict[str, Any]]:
    """Records, as in `measurements`, of wedge angles, slips, regional angles and the coronal curve.

    Of the vertebrae shown; a slip or a regional angle needs both its ends. Only the upper endplate of S1 counts, and
    only the lower one of C2.
    """
    records = []
    names, sacral = subject.chain.names, subject.chain.sacral
    for index in shown:
        if 0 < index < sacral:
            angle = plate_lean(subject, index, superior=True) - plate_lean(subject, index, superior=False)
            records.append(_record(names[index], "wedge_angle", angle, "deg"))
        if index + 1 in shown and index < sacral:
            place = f"{names[index]}-{names[index + 1]}"
            slip_mm, slip_pct = slip(subject, index)
            records += [_record(place, "slip_mm", slip_mm, "mm"), _record(place, "slip_pct", slip_pct, "%")]
    for name, first, superior, last, lower_superior in _REGIONS:
        upper, lower = subject.chain.index(first), subject.chain.index(last)
        if upper in shown and lower in shown:
            angle = plate_lean(subject, upper, superior=superior) - plate_lean(subject, lower, superior=lower_superior)
            records.append(_record(f"{first}-{last}", name, angle, "deg"))
    if len(shown) > 1:
        stretch = f"{names[shown[0]]}-{names[shown[-1]]}"
        records.append(_record(stretch, "coronal_curvature_estimate", coronal_curve(subject, shown), "deg"))
    return records


def plate_lean(subject: Subject, index: int, *, superior: bool) -> float:
    """Forward lean of an endplate's normal in degrees."""
    back, front = _rims(subject, index, superior=superior)
    a, z = front - back
    return float(-np.degrees(np.arctan2(z, a)))


def slip(subject: Subject, index: int) -> tuple[float, float]:
    """How far a body lies in front of the one below at the posterior rims: mm, and percent of the lower endplate."""
    back, front = _rims(subject, index + 1, superior=True)
    upper, _ = _rims(subject, index, superior=False)
    length = float(np.linalg.norm(front - back))
    forward = float((upper - back) @ (front - back)) / length
    return forward, 100 * forward / length


def coronal_curve(subject: Subject, shown: list[int]) -> float:
    """Largest difference, in degrees, of the direction of the line through the bodies' centres, seen from the front."""
    centres = np.asarray(subject.centre[shown], dtype=np.float64)
    up = centres[0] - centres[-1]
    height = -(centres @ up) / np.linalg.norm(up)
    slope = CubicSpline(height, np.asarray(subject.midline[shown], dtype=np.float64))(height, 1)
    return float(np.ptp(np.degrees(np.arctan(slope))))


def _rims(subject: Subject, index: int, *, superior: bool) -> tuple[np.ndarray, np.ndarray]:
    """Posterior and anterior rim (a, z) of an endplate in the midline."""
    up, front = (np.asarray(axis, dtype=np.float64) for axis in subject.axes(index))
    heights_at = (float(subject.endplate(index, t, 1.0, superior=superior)) for t in (0.0, 1.0))
    half = float(subject.depth[index]) / 2
    back, fore = (subject.centre[index] + up * u + front * v for u, v in zip(heights_at, (-half, half), strict=True))
    return np.asarray(back), np.asarray(fore)


def _record(place: str, name: str, value: float, unit: str) -> dict[str, Any]:
    return {"id": f"{place}.{name}", "level": place, "name": name, "value": round(value, 3), "unit": unit}
