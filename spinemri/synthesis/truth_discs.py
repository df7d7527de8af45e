"""True disc heights and bulges, posterior walls and volumes of a subject, by construction (see ``truth``).

Points and lines are those that ``measure`` takes: endplates 5 % of the depth inside the walls and half-way between,
disc heights along the mean of the two facing chords' normals, bulge against the line of the posterior corners.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spinemri.norms import threshold
from spinemri.synthesis.canal import disc_s, sac_profile
from spinemri.synthesis.canvas import curvilinear
from spinemri.synthesis.fragments import fragment_face, half_width, wall_ends
from spinemri.synthesis.truth import INSET, height_loss, heights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.synthesis.canvas import Curve
    from spinemri.synthesis.subject import Subject

    Array = NDArray[np.floating]

_COLUMNS = (1 - INSET, 0.5, INSET)
_MARGIN = np.arange(-4.0, 9.0, 0.05)  # mm behind the line of the corners that are looked at
_ALONG = np.linspace(0.15, 0.85, 29)
_LEAST_LOSS = 0.4  # as painted
_INTACT_BELOW_PCT = threshold("height_loss.equivocal_from")
_REACH = 3  # levels within which an intact body is looked for


def endplate_points(subject: Subject, index: int, *, superior: bool, columns: tuple[float, ...] = _COLUMNS) -> Array:
    """Points (n, 2) of an endplate in the midline, in (a, z), at shares of the depth from the posterior wall."""
    up, front = subject.axes(index)
    t = np.asarray(columns)
    u = subject.endplate(index, t, (2 * t - 1) ** 2, superior=superior)
    v = (t - 0.5) * subject.depth[index]
    return np.asarray(subject.centre[index] + u[:, None] * up + v[:, None] * front, dtype=np.float64)


def disc_height(subject: Subject, index: int) -> float:
    """Mean of the anterior, middle and posterior height of the disc below a vertebra, mm."""
    top = endplate_points(subject, index, superior=False)
    bottom = endplate_points(subject, index + 1, superior=True)
    normals = [_normal(points) for points in (top, bottom)]
    normal = normals[0] + normals[1]
    return float(((top - bottom) @ (normal / np.linalg.norm(normal))).mean())


def height_index(subject: Subject, index: int, bodies: tuple[int, ...]) -> float:
    """Height of the disc below a vertebra / the mean height of ``bodies``."""
    return disc_height(subject, index) / float(np.mean([np.mean([*heights(subject, n).values()]) for n in bodies]))


def corner(subject: Subject, index: int, *, superior: bool) -> Array:
    """Posterior corner (a, z) of an endplate."""
    return np.asarray(endplate_points(subject, index, superior=superior, columns=(0.0,))[0])


def behind(points: Array, lower: Array, upper: Array) -> Array:
    """How far points (..., 2) lie behind the line from a lower to an upper corner, mm."""
    along = (upper - lower) / np.linalg.norm(upper - lower)
    return np.asarray((points - lower) @ np.array([-along[1], along[0]]))


def retropulsion(subject: Subject, index: int, above: int, below: int) -> float:
    """Largest distance of a body's wall or fragment behind the line between the corners of two others, mm."""
    ends = np.stack([corner(subject, index, superior=superior) for superior in (True, False)])
    ends = np.concatenate([ends, fragment_face(subject, index)])
    line = corner(subject, below, superior=True), corner(subject, above, superior=False)
    return float(behind(ends, *line).max())


def references(subject: Subject, index: int, shown: list[int]) -> tuple[int, int] | None:
    """The nearest intact bodies (below C2, S1 included) above and below, within three levels; None without both."""
    whole = [n for n in shown if n == subject.chain.sacral or (n > 0 and height_loss(subject, n) < _INTACT_BELOW_PCT)]
    above = [n for n in whole if index - _REACH <= n < index]
    below = [n for n in whole if index < n <= index + _REACH]
    return (above[-1], below[0]) if above and below else None


def endplate_depression(subject: Subject, index: int, *, superior: bool) -> float:
    """Largest depth of an endplate below the chord of its points 5 % inside the walls, mm."""
    t = np.linspace(INSET, 1 - INSET, 91)
    points = endplate_points(subject, index, superior=superior, columns=tuple(t))
    depth = (points - points[0]) @ _normal(points[[-1, 0]])
    return float((-depth if superior else depth).max())


def bulge(subject: Subject, curve: Curve, index: int) -> float:
    """How far the disc below a vertebra reaches behind the line of the posterior corners in the midline, mm.

    The thecal sac wins over a disc that would reach into it; a narrowing is disc in front of the sac.
    """
    upper, lower = corner(subject, index, superior=False), corner(subject, index + 1, superior=True)
    along = (upper - lower) / np.linalg.norm(upper - lower)
    back = np.array([-along[1], along[0]])
    length = float(np.linalg.norm(upper - lower))
    points = lower + (_ALONG * length)[:, None, None] * along + _MARGIN[:, None] * back
    disc = _between_walls(subject, index, points) | _narrowing(subject, curve, index, points)
    disc &= ~_in_sac(subject, curve, points)
    return float(max(_MARGIN[np.flatnonzero(row)[-1]] for row in disc if row.any()))


def volume_loss(subject: Subject, index: int) -> float:
    """Volume that a fracture took from a body, percent; the outline in plan is a superellipse of exponent 2.6.

    What a fragment adds behind the wall counts.
    """
    t, x = np.meshgrid(np.linspace(0, 1, 81), np.linspace(-1, 1, 81))
    inside = np.abs(2 * t - 1) ** 2.6 + np.abs(x) ** 2.6 < 1
    rho2 = ((2 * t - 1) ** 2 + x**2)[inside]
    t = t[inside]
    now = subject.endplate(index, t, rho2, superior=True) - subject.endplate(index, t, rho2, superior=False)
    before = now + subject.height_lost(index, t, rho2)
    cell = float(subject.depth[index] * subject.width[index]) / 80**2
    return float(100 * (1 - (now.sum() + _fragment_volume(subject, index) / cell) / before.sum()))


def _fragment_volume(subject: Subject, index: int) -> float:
    fragment, (low, high) = subject.loss(index).fragment, wall_ends(subject, index)
    if fragment is None:
        return 0.0
    return 2 * half_width(subject, index) * fragment.millimetres * (fragment.high - fragment.low) * (high - low)


def measurements(subject: Subject, curve: Curve, shown: list[int]) -> list[dict[str, Any]]:
    """One record per true measurement of the vertebrae and discs shown completely."""
    chain = subject.chain
    records = []
    for index in [i for i in shown if i < chain.sacral]:
        level = chain.names[index]
        records.append(_record(level, "volume_loss_pct", volume_loss(subject, index), "%"))
        for superior, side in ((True, "superior"), (False, "inferior")):
            depth = endplate_depression(subject, index, superior=superior)
            records.append(_record(level, f"endplate_depression_{side}_mm", depth, "mm"))
        if around := references(subject, index, shown):
            records.append(_record(level, "retropulsion_mm", retropulsion(subject, index, *around), "mm"))
        if index - 1 in shown:
            ratio = heights(subject, index)["posterior"] / heights(subject, index - 1)["posterior"]
            records.append(_record(level, "crush_ratio_above", ratio, "1"))
        if index + 1 in shown:
            place = f"{level}-{chain.names[index + 1]}"
            records.append(_record(place, "disc_height", disc_height(subject, index), "mm"))
            records.append(_record(place, "disc_bulge_mm", bulge(subject, curve, index), "mm"))
        if index + 1 in shown and index + 1 < chain.sacral:
            ratio = heights(subject, index)["posterior"] / heights(subject, index + 1)["posterior"]
            records.append(_record(level, "crush_ratio_below", ratio, "1"))
    return records


def _normal(points: Array) -> Array:
    """Unit normal (a, z), upwards, of the chord between the first and the last point."""
    chord = points[0] - points[-1]
    return np.asarray(np.array([-chord[1], chord[0]]) / np.linalg.norm(chord))


def _between_walls(subject: Subject, index: int, points: Array) -> NDArray[np.bool_]:
    """Whether points lie within the outline of an intact disc, as it is painted."""
    radius = np.zeros(points.shape[:-1])
    for n in (index, index + 1):
        _, front = subject.axes(n)
        radius += 0.5 * np.abs((points - subject.centre[n]) @ front) / (subject.depth[n] / 2)
    return np.asarray(radius / (1 + subject.bulge[index]) < 1)


def _narrowing(subject: Subject, curve: Curve, index: int, points: Array) -> NDArray[np.bool_]:
    """Whether points lie in the disc that narrows the sac from the front, as it is painted."""
    if all(n.index != index for n in subject.pathology.narrowings):
        return np.zeros(points.shape[:-1], dtype=bool)
    _, s, f = curvilinear(curve, points)
    profile = sac_profile(subject, curve)
    lost, border, diameter = (
        np.interp(s, curve.s, values) for values in (profile.lost, profile.anterior_border, profile.diameter)
    )
    middle = border - diameter / 2 + 0.1 * lost
    where = ((f - middle) / ((diameter + lost) / 2)) ** 2 < 1.05
    near = np.abs(s - disc_s(curve, index)) < subject.disc[index] / 2 + 1
    return np.asarray(where & (lost > _LEAST_LOSS) & (f > border - diameter / 2) & near)


def _in_sac(subject: Subject, curve: Curve, points: Array) -> NDArray[np.bool_]:
    _, s, f = curvilinear(curve, points)
    profile = sac_profile(subject, curve)
    border, diameter = (np.interp(s, curve.s, v) for v in (profile.anterior_border, profile.diameter))
    return np.asarray((f < border) & (f > border - diameter))


def _record(place: str, name: str, value: float, unit: str) -> dict[str, Any]:
    return {"id": f"{place}.{name}", "level": place, "name": name, "value": round(value, 3), "unit": unit}
