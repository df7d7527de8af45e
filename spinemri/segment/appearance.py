"""What the bodies of one series look like, and how well that fits each level: rows of evidence for ``chain.py``.

Size tells levels apart only within one person, so a person's size is unknown in advance: the fit is computed under a
grid of ideas about it and summed over them. Neighbouring bodies err together (one person's spine grows faster from
head to foot than another's); a free gradient takes that up. The cord ends near L1 and never reaches the sacrum. S1
bends sharply back against L5 and tapers towards S2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import log_ndtr

from spinemri.anatomy import Level
from spinemri.segment.column import CORD, SAC
from spinemri.segment.ladder import LADDER, RUNG
from spinemri.segment.sizes import BEND_DEG, BEND_SD, DEPTH_MM, HEIGHT_ON_LADDER, PITCH_MM

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.geometry import Geometry
    from spinemri.segment.instances import Body, Instances

    Floats = NDArray[np.float64]

_CENTRAL_MM = 8.0
_ENDS = (4.0, 96.0)  # percentiles that bound a mask: single voxels do not make it longer
_BETWEEN = 0.92  # what lies between them
_LEAST_VOXELS = 20
_CORD_SHARE = 0.08

_PITCH_SD, _DEPTH_SD = 0.055, 0.065  # of one body around its person's table, network's error included
_SCALE_SD, _ACROSS_SD, _GRADIENT_SD = 0.10, 0.08, 0.012  # of people; the gradient is per level
_IDEAS = np.array([-1.8, -0.9, 0.0, 0.9, 1.8])
_FREEDOM, _STUDENT = 4.0, np.log(0.375)  # Student's t: a collapsed or badly segmented body must not decide
_OFF = 0.1  # of people: size, or posture, says nothing of levels; it may then be anything in these ranges
_ANY_LOG_SIZE, _ANY_BEND_DEG = 1.0, 45.0
_SIZE_WEIGHT, _POSTURE_WEIGHT = 0.35, 0.65  # neighbours are not independent: L1 and L2 against L3 correlate by 0.88

_TAPER, _TAPER_SD = 1.03, 0.07
# S1 bends back and tapers towards S2 (bend 43 (SD 8), taper 1.24 (0.13) on network masks of 13 people who show it
# whole), or is square like a lumbar body: lumbosacral transition, 15 % on radiographs (Carrino et al., Radiology
# 2011;259:196), and whoever's sacrum is cut or straight. Share, bend, its SD, taper, its SD:
_S1_LOOKS = ((0.75, 42.0, 10.0, 1.23, 0.15), (0.25, 24.0, 8.0, 1.0, 0.07))

# Tip of the conus: lower third of L1, T12 to L3 (Saifuddin et al., Spine 1998;23:1452-6, n = 504); networks lose the
# thin tip and stop about half a level higher.
_CONUS, _CONUS_SD = 20.0, 1.0
_CORD_MISLABELLED, _CORD_MISSED = 0.15, 0.5


@dataclass(frozen=True, eq=False)
class Appearance:
    """Measured looks of the bodies of one series, head to foot; NaN where a body does not show it, as when it is cut.

    Parameters
    ----------
    pitch_mm, depth_mm : (n,) from disc to disc, and from front to back at the waist
    bend_deg : (n,) angle of the column's axis here against the upper neighbour's, positive for lordosis
    taper : (n,) depth near the upper over depth near the lower endplate
    conus : body behind which the cord ends and how far down it (0 to 1); None when the cord's end is not seen
    cord_all, cord_none : whether all of the canal that is seen holds cord, or none of it
    """

    pitch_mm: Floats
    depth_mm: Floats
    bend_deg: Floats
    taper: Floats
    conus: tuple[int, float] | None = None
    cord_all: bool = False
    cord_none: bool = False


def measure_appearance(instances: Instances, geometry: Geometry) -> Appearance:
    """Looks of the bodies of one series."""
    bodies = instances.bodies
    shapes = np.array([_shape(instances, geometry, body) for body in bodies])
    tilt = np.array([_tilt(instances, body) for body in bodies])
    apart = np.diff([body.slot for body in bodies], prepend=bodies[0].slot - 2)
    cut = np.array([body.cut for body in bodies])
    bend = np.where((apart == 1) & ~cut, np.diff(tilt, prepend=tilt[0]), np.nan)
    shapes[cut] = np.nan
    pitch = np.array([body.pitch_mm for body in bodies])
    pitch[cut] = np.nan
    pitch[[0, -1]] = np.nan  # no disc bounds them
    share = _cord_shares(instances, geometry)
    known = np.flatnonzero(np.isfinite(share))
    cord = known[share[known] > _CORD_SHARE]
    conus = None
    if len(cord) and cord[-1] < known[-1]:
        below = known[known > cord[-1]][0]
        conus = (int(cord[-1]), 0.5 + float(np.clip(share[below] / _CORD_SHARE, 0, 1)) * 0.5)
    return Appearance(
        pitch, shapes[:, 0], bend, shapes[:, 1], conus,
        cord_all=bool(len(cord)) and conus is None, cord_none=len(known) > 1 and not len(cord),
    )  # fmt: skip


def _tilt(instances: Instances, body: Body) -> float:
    _, tangent = instances.column.at(body.along_mm)
    return float(np.degrees(np.arctan2(tangent[1], -tangent[2])))


def _shape(instances: Instances, geometry: Geometry, body: Body) -> tuple[float, float]:
    """Depth of the waist (mm) and taper of a body near its middle."""
    place = instances.column.coordinates(geometry.to_patient(np.argwhere(instances.body_slots == body.slot + 1)))
    place = place[np.abs(place[:, 1] - np.median(place[:, 1])) <= _CENTRAL_MM]
    low, high = np.percentile(place[:, 0], _ENDS) if len(place) else (0.0, 0.0)

    def depth(start: float, end: float) -> float:
        share = (place[:, 0] - low) / max(high - low, 1e-6)
        ahead = place[(share >= start) & (share < end), 2]
        if len(ahead) < _LEAST_VOXELS:
            return float("nan")
        back, front = np.percentile(ahead, _ENDS)
        return max(float(front - back), 1.0) / _BETWEEN

    return depth(0.3, 0.7), depth(0.1, 0.3) / depth(0.7, 0.9)


def _cord_shares(instances: Instances, geometry: Geometry) -> Floats:
    """Share of cord in the canal behind each body (n,); NaN where no canal is seen."""
    index = np.argwhere(np.isin(instances.classes, (SAC, CORD)))
    shares = np.full(len(instances.bodies), np.nan)
    if len(index) == 0:
        return shares
    along = instances.column.coordinates(geometry.to_patient(index))[:, 0]
    cord = instances.classes[tuple(index.T)] == CORD
    for n, body in enumerate(instances.bodies):
        here = (along > instances.edges_mm[body.slot]) & (along <= instances.edges_mm[body.slot + 1])
        if np.count_nonzero(here) >= _LEAST_VOXELS:
            shares[n] = np.mean(cord[here])
    return shares


def appearance_rows(seen: Appearance) -> Floats:
    """Evidence (ideas, n, len(LADDER)) of a series' looks: log-likelihood of each level under each idea of the person.

    An idea is a size, or that size says nothing here, and whether the posture is a usual one: in scoliosis, after
    fractures or with half of the body segmented either may be off, and then must not decide.
    """
    straight = replace(seen, bend_deg=np.full_like(seen.bend_deg, np.nan))
    unusual = _posture(straight) - np.where(np.isfinite(seen.bend_deg), np.log(_ANY_BEND_DEG), 0.0)[:, None]
    found = []
    for size, posture in product(_sizes(seen), ((1 - _OFF, _posture(seen)), (_OFF, unusual))):
        rows = _SIZE_WEIGHT * size[1] + _POSTURE_WEIGHT * posture[1]
        rows[0] += np.log(size[0] * posture[0])  # once per person, whichever body carries it
        found.append(rows)
    return np.array(found) + _cord(seen)


def _student(z: Floats, sd: Floats | float) -> Floats:
    """Log-density of Student's t with a spread; 0 where nothing was measured."""
    log = -0.5 * (_FREEDOM + 1) * np.log1p(z**2 / _FREEDOM) - np.log(sd) + _STUDENT
    return np.asarray(np.where(np.isfinite(z), log, 0.0))


def _sizes(seen: Appearance) -> list[tuple[float, Floats]]:
    """Share of people and fit (n, levels) of pitch and depth, for people of different size and for unknown looks."""
    middle = np.arange(len(seen.pitch_mm)) - (len(seen.pitch_mm) - 1) / 2
    ideas = list(product(_IDEAS, _IDEAS, _IDEAS[1:4]))
    shares = np.exp(-0.5 * np.square(ideas).sum(axis=1))
    found = []
    for share, (along, across, gradient) in zip((1 - _OFF) * shares / shares.sum(), ideas, strict=True):
        scale = _SCALE_SD * along + _GRADIENT_SD * gradient * middle
        pitch = (np.log(seen.pitch_mm) - scale)[:, None] - np.log(PITCH_MM)
        depth = (np.log(seen.depth_mm) - scale - _ACROSS_SD * across)[:, None] - np.log(DEPTH_MM)
        fit = _student(pitch / _PITCH_SD, _PITCH_SD) + _student(depth / _DEPTH_SD, _DEPTH_SD)
        found.append((float(share), fit))
    measured = np.isfinite(seen.pitch_mm).astype(float) + np.isfinite(seen.depth_mm)
    unknown = -np.log(_ANY_LOG_SIZE) * measured[:, None] * np.ones(len(LADDER))
    return [*found, (_OFF, unknown)]


def _posture(seen: Appearance) -> Floats:
    """Bend and taper together; S1 has two kinds of looks."""
    bend, taper = seen.bend_deg[:, None], seen.taper[:, None]
    rows = _student((bend - BEND_DEG) / BEND_SD, BEND_SD) + _student((taper - _TAPER) / _TAPER_SD, _TAPER_SD)
    kinds = [
        np.log(share) + _student((bend - angle) / angle_sd, angle_sd) + _student((taper - ratio) / ratio_sd, ratio_sd)
        for share, angle, angle_sd, ratio, ratio_sd in _S1_LOOKS
    ]
    rows[:, [RUNG[Level("S1")]]] = np.logaddexp(*kinds)
    return rows


def _cord(seen: Appearance) -> Floats:
    """Where the cord ends, or that it goes on below the field, or ends above it."""
    rows = np.zeros((len(seen.pitch_mm), len(LADDER)))
    if seen.conus is not None:
        body, share = seen.conus
        z = (HEIGHT_ON_LADDER + share - 0.5 - _CONUS) / _CONUS_SD
        fit = (1 - _CORD_MISLABELLED) * np.exp(-0.5 * z**2) / (_CONUS_SD * np.sqrt(2 * np.pi))
        rows[body] += np.log(fit + _CORD_MISLABELLED / len(LADDER))
    elif seen.cord_all:
        goes_on = np.exp(log_ndtr((_CONUS + 1 - HEIGHT_ON_LADDER) / _CONUS_SD))
        rows[-1] += np.log((1 - _CORD_MISLABELLED) * goes_on + _CORD_MISLABELLED / 2)
    elif seen.cord_none:
        ended = np.exp(log_ndtr((HEIGHT_ON_LADDER - _CONUS) / _CONUS_SD))
        rows[0] += np.log((1 - _CORD_MISSED) * ended + _CORD_MISSED)
    return rows
