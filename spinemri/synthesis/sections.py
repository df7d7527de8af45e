"""What an axial slice truly shows of the sac and the cord: area, and diameters along the slice's rows and columns.

The section is the middle plane of the slice. It is painted on pixels of 0.15 mm, so that the slice's angle, a narrowing
and everything else that cuts into the sac counts as it does in the image. AP is how far the structure reaches along the
slice's front-to-back axis, RL how far along its right-to-left axis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spinemri.synthesis.canal import SAC_TISSUES, disc_s, sac_profile
from spinemri.synthesis.canvas import posterior_curve
from spinemri.synthesis.grids import paint_points
from spinemri.synthesis.tissue import Tissue

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.geometry import Geometry
    from spinemri.synthesis.canvas import Curve
    from spinemri.synthesis.grids import Person

_PIXEL_MM = 0.15
_MIDDLE_MM = 1.0
_HALF_MM = 19.0, 24.0  # of the part of a slice that is painted: along rows' order (AP) and along columns' (RL)
_STRUCTURES = {"dural_sac": SAC_TISSUES, "cord": (Tissue.CORD,)}


def sections(person: Person, geometry: Geometry) -> list[dict[str, Any]]:
    """One record for each slice of an axial grid whose rows run to the back and columns to the left.

    ``slice`` counts from 0; ``place`` is the nearest mid-body ('L4') or disc ('L4-L5'); ``centre_lps_mm`` is
    the centre of the sac's section, ``canal_lps`` the direction of the canal there. A structure that a slice does not
    show has the area 0 and no diameters.
    """
    curve = posterior_curve(person.subject)
    line = _sac_middle(person, curve)
    tissue, corners = _painted(person, geometry, line)
    records = []
    for k, plane in enumerate(tissue):
        masks = {name: np.isin(plane, [int(t) for t in tissues]) for name, tissues in _STRUCTURES.items()}
        record: dict[str, Any] = {"slice": k, "place": _place(curve, geometry, line, k)}
        direction = np.gradient(line, axis=0)[_crossing(geometry, line, k)]
        record["canal_lps"] = [round(float(v), 4) for v in direction / np.linalg.norm(direction)]
        for name, mask in masks.items():
            record |= {f"{name}_{key}": value for key, value in _sizes(mask).items()}
        if masks["dural_sac"].any():
            row, column = np.argwhere(masks["dural_sac"]).mean(axis=0)
            offset = geometry.axes @ np.array([0.0, row * _PIXEL_MM, column * _PIXEL_MM])
            record["centre_lps_mm"] = [round(float(v), 2) for v in corners[k] + offset]
        records.append(record)
    return records


def _sac_middle(person: Person, curve: Curve) -> NDArray[np.float64]:
    """Centres of the sac along the curve, LPS mm (n, 3)."""
    profile = sac_profile(person.subject, curve)
    forward = profile.anterior_border - profile.diameter / 2
    a = curve.points[:, 0] + forward * np.cos(curve.angle)
    z = curve.points[:, 1] + forward * np.sin(curve.angle)
    midline = np.interp(curve.s, curve.middle, person.subject.midline)
    return person.placement.to_patient(np.stack([midline, z, a], axis=-1))


def _painted(
    person: Person, geometry: Geometry, line: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Tissue (slices, rows, columns) around the sac in each slice's middle plane, and LPS of each first pixel."""
    across = [np.arange(-half, half, _PIXEL_MM) for half in _HALF_MM]
    centres = np.stack([line[_crossing(geometry, line, k)] for k in range(geometry.shape[0])])
    normal = geometry.axes[:, 0]
    above = (centres - np.asarray(geometry.origin)) @ normal - np.arange(geometry.shape[0]) * geometry.spacing[0]
    centres = centres - above[:, None] * normal
    rows, columns = geometry.axes[:, 1], geometry.axes[:, 2]
    points = centres[:, None, None] + across[0][:, None, None] * rows + across[1][:, None] * columns
    x, z, a = np.moveaxis(person.placement.to_subject(points), -1, 0)
    tissue, _ = paint_points(person, (x, z, a))
    return tissue, centres - _HALF_MM[0] * rows - _HALF_MM[1] * columns


def _crossing(geometry: Geometry, line: NDArray[np.float64], k: int) -> int:
    """Index of the point of a line that is nearest to a slice within the slice's field."""
    index = geometry.to_index(line)
    inside = np.all((index[:, 1:] > 0) & (index[:, 1:] < np.array(geometry.shape[1:]) - 1), axis=1)
    away = np.abs(index[:, 0] - k)
    return int(np.where(inside | ~inside.any(), away, np.inf).argmin())


def _place(curve: Curve, geometry: Geometry, line: NDArray[np.float64], k: int) -> str:
    chain = curve.chain
    s = float(curve.s[_crossing(geometry, line, k)])
    places = {chain.names[n]: float(curve.middle[n]) for n in range(chain.sacral + 1)}
    places |= {f"{chain.names[n]}-{chain.names[n + 1]}": disc_s(curve, n) for n in range(chain.sacral)}
    return min(places, key=lambda name: abs(places[name] - s))


def _sizes(mask: NDArray[np.bool_]) -> dict[str, float]:
    found = {"area_mm2": round(float(mask.sum()) * _PIXEL_MM**2, 2)}
    if mask.any():
        for key, axis in (("ap_mm", 1), ("rl_mm", 0)):
            held = np.flatnonzero(mask.any(axis=axis))
            found[key] = round(float(held[-1] - held[0] + 1) * _PIXEL_MM, 2)
        row, column = np.rint(np.argwhere(mask).mean(axis=0)).astype(int)
        near = round(_MIDDLE_MM / _PIXEL_MM)
        found["middle_ap_mm"] = _depth(mask[:, column - near : column + near + 1])
        found["middle_rl_mm"] = _depth(mask[row - near : row + near + 1].T)
    return found


def _depth(band: NDArray[np.bool_]) -> float:
    """Mean length, mm, of the columns of a band of pixels."""
    return round(float(band.sum(axis=0).mean()) * _PIXEL_MM, 2)
