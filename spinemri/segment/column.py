"""The spinal column is one curve from head to foot: everything else is found by its place along and around it.

Places are told in the column's own millimetres: *along* (arc length, head to foot), *lateral* (towards the patient's
left) and *anterior* of the centres of the vertebral bodies. The curve lives in patient space (LPS), so the direction
of array axes never matters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.geometry import Geometry

    Floats = NDArray[np.float64]

BODY, POSTERIOR, DISC, SAC, CORD, SACRUM = 1, 2, 3, 4, 5, 6
"""Values of the semantic classes that the network gives; 0 is background."""

_BIN_MM = 3.0
_BLUR_BINS = 3.0
_LARGEST_GAP_MM = 50.0
_NEARBY_ROWS = 41  # about 120 mm
_LOCAL_SHARE, _GLOBAL_SHARE = 0.25, 0.06  # of the usual bone in a row, nearby and anywhere, that makes a row filled
_NEAR_MM = 28.0
_LEAST_POINTS_MM3 = 2000.0
_BANDWIDTH_MM = 14.0
_ROUNDS = 3
_TAIL_MM = 60.0
_MOST_POINTS = 30000
_SACRUM_WEIGHT = 0.5
_LEAST_CANAL_POINTS = 30
_OFF_CANAL_MM = 3.0
_SACRUM_BELOW_MM = 45.0


@dataclass(frozen=True, eq=False)
class Column:
    """A smooth curve through the centres of bodies and discs.

    Parameters
    ----------
    nodes : (n, 3) points, LPS mm, head to foot, about 1 mm apart; straight tails of 60 mm at both ends
    along : (n,) arc length in mm, 0 where the curve meets the first body or disc
    tangent, anterior, lateral : (n, 3) unit vectors at the nodes: towards the feet, the belly and the left
    """

    nodes: Floats
    along: Floats
    tangent: Floats
    anterior: Floats
    lateral: Floats

    @property
    def length_mm(self) -> float:
        """Length of the curve between its tails."""
        return float(self.along[-1] - _TAIL_MM)

    def coordinates(self, points: Floats) -> Floats:
        """Places (N, 3) = (along, lateral, anterior) in mm of patient points (N, 3), LPS mm."""
        _, nearest = cKDTree(self.nodes, compact_nodes=False, balanced_tree=False).query(points)
        offset = points - self.nodes[nearest]
        along = self.along[nearest] + np.einsum("ij,ij->i", offset, self.tangent[nearest])
        lateral = np.einsum("ij,ij->i", offset, self.lateral[nearest])
        anterior = np.einsum("ij,ij->i", offset, self.anterior[nearest])
        return np.stack([along, lateral, anterior], axis=1)

    def at(self, along_mm: float) -> tuple[Floats, Floats]:
        """Point on the curve (LPS mm) and unit tangent towards the feet at an arc length."""
        point = np.array([np.interp(along_mm, self.along, self.nodes[:, a]) for a in range(3)])
        tangent = np.array([np.interp(along_mm, self.along, self.tangent[:, a]) for a in range(3)])
        return point, tangent / np.linalg.norm(tangent)


def fit_column(classes: NDArray[np.integer], geometry: Geometry) -> Column | None:
    """Curve through the bodies and discs of a label volume; islands beside the column do not pull it.

    Parameters
    ----------
    classes : (k, j, i) semantic classes, see the constants of this module
    geometry : grid of ``classes``

    Returns
    -------
    The curve, or None when less than 2 ml of body and disc is labelled.
    """
    volume = float(np.prod(geometry.spacing))
    index = np.argwhere(np.isin(classes, (BODY, DISC, SACRUM)))
    weight = np.where(classes[tuple(index.T)] == SACRUM, _SACRUM_WEIGHT, 1.0)
    if np.count_nonzero(weight == 1.0) * volume < _LEAST_POINTS_MM3:
        return None
    chosen = slice(None, None, max(1, len(index) // _MOST_POINTS))
    points, weight = geometry.to_patient(index[chosen]), weight[chosen]
    canal = np.argwhere(np.isin(classes, (SAC, CORD)))
    canal_points = geometry.to_patient(canal[:: max(1, len(canal) // _MOST_POINTS)]).reshape(-1, 3)
    column = _column(*_first_path(points, weight))
    for _ in range(_ROUNDS):
        if column is None:
            return None
        column = _column(*_refine(column, points, weight, canal_points))
    return column


def _first_path(points: Floats, weight: Floats) -> tuple[Floats, Floats, Floats]:
    """Places, centres (m, 3) and mass per 3 mm of height along the strongest head-to-foot path seen from the side."""
    low = points.min(axis=0)
    bins = np.floor((points - low) / _BIN_MM).astype(int)
    z, y = bins[:, 2].max() - bins[:, 2], bins[:, 1]
    seen = np.zeros((z.max() + 1, y.max() + 1))
    np.add.at(seen, (z, y), weight)
    blurred = ndimage.gaussian_filter(seen, (1.0, _BLUR_BINS))
    evidence = np.minimum(blurred / max(np.percentile(blurred.max(axis=1), 75), 1e-9), 1.0)
    path = _strongest_path(evidence)
    near = np.abs(y - path[z]) * _BIN_MM <= _NEAR_MM
    column = near & (weight > _SACRUM_WEIGHT)
    evident = np.bincount(z[column], weights=weight[column], minlength=len(path)).astype(np.float64)
    rows = _longest_run(evident)
    where, centres, mass = [], [], []
    for row in rows:
        chosen = near & (z == row)
        if chosen.any():
            where.append(row * _BIN_MM)
            centres.append(np.median(points[chosen], axis=0))
            mass.append(float(weight[chosen].sum()))
    return np.array(where), np.array(centres), np.array(mass)


def _strongest_path(evidence: Floats) -> NDArray[np.intp]:
    """Column index per row that collects most evidence with steps of at most two columns a row (Viterbi)."""
    rows, columns = evidence.shape
    steps = range(-2, 3)
    score, back = evidence[0].copy(), np.zeros((rows, columns), dtype=int)
    for row in range(1, rows):
        options = np.full((len(steps), columns), -np.inf)
        for n, step in enumerate(steps):
            source = np.arange(columns) + step
            inside = (source >= 0) & (source < columns)
            options[n, inside] = score[source[inside]] - 0.08 * abs(step)
        best = options.argmax(axis=0)
        back[row] = np.arange(columns) + np.array(steps)[best]
        score = options.max(axis=0) + evidence[row]
    path = np.zeros(rows, dtype=int)
    path[-1] = int(score.argmax())
    for row in range(rows - 1, 0, -1):
        path[row - 1] = back[row, path[row]]
    return path


def _longest_run(mass: Floats) -> range:
    """Rows of the heaviest stretch that has no hole longer than 50 mm, and 45 mm more for the sacrum.

    A row counts by what is usual near it: a cervical body has a sixth of a lumbar one's cross-section.
    """
    nearby = ndimage.percentile_filter(mass, 75, size=_NEARBY_ROWS, mode="nearest")
    least = np.maximum(_LOCAL_SHARE * nearby, _GLOBAL_SHARE * np.percentile(mass[mass > 0], 75))
    filled = np.flatnonzero(mass >= least)
    breaks = np.flatnonzero(np.diff(filled) * _BIN_MM > _LARGEST_GAP_MM)
    pieces = np.split(filled, breaks + 1)
    best = max(pieces, key=lambda rows: float(mass[rows].sum()))
    return range(int(best[0]), min(int(best[-1]) + 1 + int(_SACRUM_BELOW_MM / _BIN_MM), len(mass)))


def _refine(column: Column, points: Floats, weight: Floats, canal_points: Floats) -> tuple[Floats, Floats, Floats]:
    """Places, centres and mass of the voxels near the curve, in slabs of 2 mm across it."""
    place = column.coordinates(points)
    inside = (place[:, 0] >= -6) & (place[:, 0] <= column.length_mm + 6) & (np.abs(place[:, 2]) <= 25)
    middle = inside & (np.abs(place[:, 1]) <= 14)
    bony = inside & (np.abs(place[:, 1]) <= 32) & (weight > _SACRUM_WEIGHT)
    canal = column.coordinates(canal_points) if len(canal_points) else np.zeros((0, 3))
    order = np.argsort(place[middle, 0], kind="stable")
    slabs, share = place[middle][order], weight[middle][order]
    bone, canal = _ordered(place[bony]), _ordered(canal[np.abs(canal[:, 1]) <= 25])
    places, centres, mass = [], [], []
    least = 0.1 * share.sum() * 2.0 / (column.length_mm + 12)
    for start in np.arange(-6.0, column.length_mm + 6, 2.0):
        slab = slice(*np.searchsorted(slabs[:, 0], (start, start + 2)))
        if share[slab].sum() < max(least, 2.0):
            continue
        point, _ = column.at(start + 1.0)
        n = int(np.argmin(np.abs(column.along - start - 1.0)))
        aside = _midline(bone, canal, start + 1.0) * column.lateral[n]
        ahead = np.average(slabs[slab, 2], weights=share[slab]) * column.anterior[n]
        places.append(start + 1.0)
        centres.append(point + aside + ahead)
        mass.append(float(share[slab].sum()))
    return np.array(places), np.array(centres), np.array(mass)


def _ordered(place: Floats) -> Floats:
    """Places (N, 3) from head to foot."""
    return place[np.argsort(place[:, 0], kind="stable")]


def _within(ordered: Floats, along_mm: float, reach_mm: float) -> Floats:
    """Lateral places (mm) of what lies within a reach of a place along the column."""
    first = np.searchsorted(ordered[:, 0], along_mm - reach_mm, side="left")
    last = np.searchsorted(ordered[:, 0], along_mm + reach_mm, side="right")
    return ordered[first:last, 1]


def _midline(bone: Floats, canal: Floats, along_mm: float) -> float:
    """Lateral place (mm) of the middle: of the bone, but not far from the canal's, which no psoas can pull."""
    near, behind = _within(bone, along_mm, 1.0), _within(canal, along_mm, _BANDWIDTH_MM)
    middle = float(np.median(near)) if len(near) else 0.0
    if len(behind) < _LEAST_CANAL_POINTS:
        return middle
    spine = float(np.median(behind))
    return float(np.clip(middle, spine - _OFF_CANAL_MM, spine + _OFF_CANAL_MM))


def _column(places: Floats, centres: Floats, mass: Floats) -> Column | None:
    """Smooth the centres (local straight lines) and set up the frames."""
    if len(centres) < 3:
        return None
    trust = np.minimum(1.0, mass / np.percentile(mass, 75)) ** 2
    smooth = _evenly(_local_lines(places, centres, np.arange(places[0], places[-1] + 1.0), trust))
    if len(smooth) < 3:
        return None
    first, last = smooth[0] - smooth[min(10, len(smooth) - 1)], smooth[-1] - smooth[-min(11, len(smooth))]
    tail = np.arange(1.0, _TAIL_MM + 1.0)[:, None]
    above = smooth[0] + tail[::-1] * first / max(np.linalg.norm(first), 1e-9)
    below = smooth[-1] + tail * last / max(np.linalg.norm(last), 1e-9)
    nodes = np.concatenate([above, smooth, below])
    tangent = np.gradient(nodes, axis=0)
    tangent = ndimage.gaussian_filter1d(tangent, 4.0, axis=0, mode="nearest")
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    anterior = np.array([0.0, -1.0, 0.0]) - tangent * (-tangent[:, 1])[:, None]
    anterior /= np.maximum(np.linalg.norm(anterior, axis=1, keepdims=True), 1e-9)
    lateral = np.cross(tangent, anterior)
    lateral *= np.sign(lateral[:, :1] + 1e-12)
    lengths = np.linalg.norm(np.diff(nodes, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(lengths)]) - _TAIL_MM
    return Column(nodes, along, tangent, anterior, lateral)


def _evenly(points: Floats) -> Floats:
    """The same polyline with points 1 mm apart."""
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    places = np.arange(0.0, arc[-1], 1.0)
    return np.stack([np.interp(places, arc, points[:, a]) for a in range(3)], axis=1)


def _local_lines(arc: Floats, values: Floats, places: Floats, mass: Floats) -> Floats:
    """Local linear regression with Gaussian weights of 14 mm times mass, twice, the second time without outliers."""
    trust = mass
    for attempt in range(2):
        smooth = _regress(arc, values, arc if attempt == 0 else places, trust)
        if attempt == 0:
            off = np.linalg.norm(values - smooth, axis=1)
            trust = mass / (1.0 + (off / max(2.0, 2.0 * float(np.median(off)))) ** 4)
    return smooth


def _regress(arc: Floats, values: Floats, places: Floats, trust: Floats) -> Floats:
    distance = arc[None, :] - places[:, None]
    weight = np.exp(-0.5 * (distance / _BANDWIDTH_MM) ** 2) * trust + 1e-9
    total = weight.sum(axis=1)
    mean_d = (weight * distance).sum(axis=1) / total
    mean_v = weight @ values / total[:, None]
    spread = (weight * (distance - mean_d[:, None]) ** 2).sum(axis=1)
    cross = (weight * (distance - mean_d[:, None])) @ values
    return np.asarray(mean_v - mean_d[:, None] * cross / np.maximum(spread, 1e-6)[:, None], dtype=np.float64)
