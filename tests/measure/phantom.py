"""A spine of formulas: bodies and sac with known heights and diameters, rasterised onto any grid.

Anatomy coordinates: x to the left, y to posterior, z to the head, in mm; the anatomy lies turned in the patient.
A body is bounded by two endplates (a straight line plus a parabola of concavity) and by a convex front wall.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.transform import Rotation

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.geometry import Geometry
from spinemri.image import Image
from spinemri.segmentation import Segmentation, label_value
from spinemri.series import Series
from spinemri.spine import LevelAssignment, LevelBasis, Spine, Vertebra

LEVELS = ("T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1")
INSET = 0.05
SAC_MM = 14.0


@dataclass(frozen=True)
class Body:
    level: Level
    centre: np.ndarray
    tilt: float  # radians about x: positive leans the upper endplate to the front
    height: float
    depth: float
    width: float
    lean: float = 1.0  # anterior / posterior height when intact
    wedge: float = 0.0  # part of the anterior height that is lost
    concavity: tuple[float, float] = (1.0, 1.2)

    def plates(self, fraction):
        """Upper and lower edge at a fraction of the depth from the front, on the mid-line."""
        bow = 1 - (2 * fraction - 1) ** 2
        front = self.height * self.lean * (1 - self.wedge)
        upper = front - self.height / 2 + (self.height - front) * fraction - self.concavity[0] * bow
        return upper, -self.height / 2 + self.concavity[1] * bow

    def local(self, points):
        """(left, posterior, superior) of anatomy points in the body's axes."""
        return Rotation.from_euler("x", -self.tilt).apply((points - self.centre).reshape(-1, 3)).reshape(points.shape)

    def to_anatomy(self, local):
        return Rotation.from_euler("x", self.tilt).apply(local) + self.centre

    def inside(self, points):
        x, u, v = np.moveaxis(self.local(points), -1, 0)
        across = 2 * x / self.width
        fraction = u / self.depth + 0.5
        upper, lower = self.plates(fraction)
        return (np.abs(across) < 1) & (fraction > 0.2 * across**2) & (fraction < 1) & (v < upper) & (v > lower)

    @property
    def heights(self):
        """Anterior, middle and posterior height along the mean endplate normal."""
        fractions = np.array([INSET, 0.5, 1 - INSET])
        upper, lower = self.plates(fractions)
        span = (fractions[2] - fractions[0]) * self.depth
        lean = (np.arctan((upper[2] - upper[0]) / span) + np.arctan((lower[2] - lower[0]) / span)) / 2
        return (upper - lower) * np.cos(lean)


@dataclass(frozen=True)
class Cord:
    """An elliptic cord in the middle of the sac down to the disc below body ``end``; by disc, flattened or moved."""

    ap: float = 7.0
    width: float = 11.0
    end: int = 99
    compressed: dict[int, float] = field(default_factory=dict)  # part of the AP diameter lost
    moved: dict[int, float] = field(default_factory=dict)  # mm to posterior


@dataclass(frozen=True)
class Foramen:
    """Blocks around one foramen, mm in the frame of its disc: above and below its middle, behind its margin."""

    top: float = 12.0  # lower border of the upper pedicle
    bottom: float = 7.0  # upper border of the lower pedicle, below the middle
    ap: float = 6.0  # articular process of the lower vertebra, up to `joint`
    back: float = 9.0  # arch of the upper vertebra, above it
    joint: float = 5.0
    out: tuple[float, float] = (10.0, 19.0)  # from the mid-plane, beside the sac

    @property
    def height(self):
        return self.top + self.bottom

    @property
    def area(self):
        return self.back * (self.top - self.joint) + self.ap * (self.bottom + self.joint)

    def blocks(self, p, s):
        """Whether points (mm behind, mm above) lie in the arch of the upper and of the lower vertebra."""
        upper = (p > -4) & (p < 14) & (s > self.top) & (s < self.top + 9) | (p > self.back) & (p < 14) & (
            s > self.joint
        ) & (s < self.top + 9)
        lower = (p > -4) & (p < 14) & (s < -self.bottom) & (s > -self.bottom - 9) | (p > self.ap) & (p < 14) & (
            s < self.joint
        ) & (s > -self.bottom - 9)
        return upper, lower


@dataclass(frozen=True)
class Phantom:
    bodies: tuple[Body, ...]
    narrowing: dict[int, float] = field(default_factory=dict)  # disc below body n -> part of the diameter lost
    turn: tuple[float, float, float] = (3.0, -2.0, 4.0)  # degrees about x, y, z of anatomy in the patient
    shift: tuple[float, float, float] = (12.0, -30.0, 85.0)
    cord: Cord | None = None
    foramina: dict[tuple[int, str], Foramen] = field(default_factory=dict)  # (disc below body n, side)

    def to_patient(self, points):
        return Rotation.from_euler("xyz", self.turn, degrees=True).apply(points) + self.shift

    def to_anatomy(self, points):
        flat = np.reshape(points, (-1, 3)) - self.shift
        return Rotation.from_euler("xyz", self.turn, degrees=True).inv().apply(flat).reshape(np.shape(points))

    def disc_place(self, n):
        """Anatomy point on the sac's mid-line beside the disc below body n."""
        return (self._behind(n) + self._behind(n + 1)) / 2

    def overhang(self, n):
        """How far the posterior corner of one of the bodies beside disc n lies behind the disc's margin, mm."""
        return float(self.in_disc(n, self._corners(n))[:, 1].max())

    def _corners(self, n):
        upper, lower = self.bodies[n], self.bodies[n + 1]
        above = upper.to_anatomy([0.0, upper.depth / 2, upper.plates(1.0)[1]])
        return np.array([above, lower.to_anatomy([0.0, lower.depth / 2, lower.plates(1.0)[0]])])

    def in_disc(self, n, points):
        """Anatomy points in the frame of the disc below body n: mm to the left, behind its margin, above its middle."""
        upper, lower = self.bodies[n], self.bodies[n + 1]
        corners = self._corners(n)
        slope = (lower.plates(1.0)[0] - lower.plates(0.0)[0]) / lower.depth
        up = Rotation.from_euler("x", upper.tilt).apply([0.0, 0.0, 1.0])
        up = up + Rotation.from_euler("x", lower.tilt).apply(np.array([0.0, -slope, 1.0]) / np.hypot(1.0, slope))
        up = up / np.linalg.norm(up)
        axes = np.stack([[1.0, 0.0, 0.0], np.cross(up, [1.0, 0.0, 0.0]), up], axis=1)
        return (points - np.mean(corners, axis=0)) @ axes

    def _behind(self, n):
        body = self.bodies[n]
        return body.to_anatomy([0.0, body.depth / 2 + 3.0 + SAC_MM / 2, 0.0])

    def _sac_curve(self):
        knots = np.array([self._behind(n) for n in range(len(self.bodies))])
        z = np.linspace(knots[-1, 2] - 5, knots[0, 2] + 25, 400)
        smooth = np.polynomial.Polynomial.fit(knots[:, 2], knots[:, 1], 4)
        return z, smooth(z), smooth.deriv()(z)

    def _across(self, points):
        """Distance behind the sac's curve, and at each disc a bell along it: 1 there, 0 elsewhere."""
        z, y, slope = self._sac_curve()
        row_y, row_slope = np.interp(points[..., 2], z, y), np.interp(points[..., 2], z, slope)
        along = 1 / np.sqrt(1 + row_slope**2)
        back = (points[..., 1] - row_y) * along  # distance perpendicular to the curve, for a gentle curve
        z0 = points[..., 2] + back * row_slope * along  # foot of the perpendicular
        return back, lambda n: np.exp(-(((z0 - self.disc_place(n)[2]) / along / 6.0) ** 2))

    def in_cord(self, points):
        """Ellipse perpendicular to the curve, within the sac."""
        cord = self.cord or Cord(end=-1)
        back, bell = self._across(points)
        ap = cord.ap * (1 - sum((lost * bell(n) for n, lost in cord.compressed.items()), np.zeros(back.shape)))
        middle = sum((mm * bell(n) for n, mm in cord.moved.items()), np.zeros(back.shape))
        inside = ((back - middle) / (ap / 2)) ** 2 + (points[..., 0] / (cord.width / 2)) ** 2 < 1
        last = self.disc_place(cord.end)[2] if 0 <= cord.end < len(self.bodies) - 1 else -np.inf
        return inside & self.in_sac(points) & (points[..., 2] > last) & (cord.end >= 0)

    def in_sac(self, points):
        """Ellipse perpendicular to the curve; a narrowing comes from the front."""
        z, _, _ = self._sac_curve()
        back, bell = self._across(points)
        diameter = np.full(back.shape, SAC_MM)
        for n, lost in self.narrowing.items():
            diameter -= lost * SAC_MM * bell(n)
        rear = SAC_MM / 2
        u = (back - (rear - diameter / 2)) / (diameter / 2)
        inside = u**2 + (points[..., 0] / 10.0) ** 2 < 1
        return inside & (points[..., 2] > z[0]) & (points[..., 2] < z[-1])

    def spine(self, body_uid="1.2.3", sac_uid="1.2.3"):
        vertebrae = []
        for body in self.bodies:
            x, y, z = self.to_patient(body.centre)
            assignment = LevelAssignment(level=body.level, basis=LevelBasis.FROM_SACRUM, confidence=1.0)
            vertebrae.append(Vertebra(assignment=assignment, centre=(x, y, z), series_uid=body_uid))
        return Spine(vertebrae=tuple(vertebrae), sac_series_uid=sac_uid)

    def segment(self, geometry, uid="1.2.3"):
        """Labels of bodies and sac on a grid."""
        index = np.moveaxis(np.indices(geometry.shape), 0, -1)
        points = self.to_anatomy(geometry.to_patient(index))
        voxels = np.zeros(geometry.shape, dtype=np.uint8)
        structures = {}
        for body in self.bodies:
            structure = Structure(StructureKind.VERTEBRAL_BODY, body.level)
            near = np.abs(points[..., 2] - body.centre[2]) < 32
            voxels[near] = np.where(body.inside(points[near]), label_value(structure), voxels[near])
            structures[label_value(structure)] = structure
        self._paint_arches(points, voxels, structures)
        sac = Structure(StructureKind.THECAL_SAC)
        voxels[self.in_sac(points)] = label_value(sac)
        structures[label_value(sac)] = sac
        if self.cord is not None:
            cord = Structure(StructureKind.CORD)
            voxels[self.in_cord(points)] = label_value(cord)
            structures[label_value(cord)] = cord
        return Segmentation(voxels, geometry, structures, uid, "formula")

    def _paint_arches(self, points, voxels, structures):
        """Discs that reach back to their margin, and the arches beside them; those of S1 are part of the sacrum."""
        for (n, side), foramen in self.foramina.items():
            levels = self.bodies[n].level, self.bodies[n + 1].level
            x, p, s = np.moveaxis(self.in_disc(n, points), -1, 0)
            out = x * (1 if side == "left" else -1)
            within = (out > foramen.out[0]) & (out < foramen.out[1])
            upper, lower = foramen.blocks(p, s)
            kinds = [Structure(StructureKind.POSTERIOR_ELEMENTS, level) for level in levels]
            kinds[1] = kinds[1] if levels[1].region != "S" else Structure(StructureKind.SACRUM)
            disc = (np.abs(x) < 20) & (p > -25) & (p < 0) & (np.abs(s) < 6)
            parts = [(Structure(StructureKind.DISC, *levels), disc)]
            parts += [(kinds[0], within & upper), (kinds[1], within & lower)]
            for structure, mask in parts:
                voxels[mask & (voxels == 0)] = label_value(structure)
                structures[label_value(structure)] = structure

    def grid(self, spacing=(4.0, 0.9, 0.8), turn=(2.0, 3.0, -2.0), margin=11.0):
        """An oblique sagittal grid (slices to the left, rows to the feet, columns to posterior) around everything."""
        axes = Rotation.from_euler("xyz", turn, degrees=True).as_matrix() @ np.array(
            [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]
        )
        corners = np.array(
            [
                body.to_anatomy([x, u, v])
                for body in self.bodies
                for x in (-14, 14)
                for u in (-20, 42)
                for v in (-15, 15)
            ]
        )
        local = self.to_patient(corners) @ axes
        low, high = local.min(axis=0) - margin, local.max(axis=0) + margin
        shape = np.ceil((high - low) / np.array(spacing)).astype(int)
        return Geometry(tuple(shape), spacing, tuple(axes @ low), tuple(axes.ravel()), "1.2.9")

    def image(self, geometry, uid="1.2.3", missing=()):
        return Image(np.zeros(geometry.shape, dtype=np.int16), geometry, Series(series_uid=uid), missing)


def cervical(wedges=None, **placed):
    """C3 to T1, bodies half as deep as lumbar ones, on a slight lordosis."""
    names = ("C3", "C4", "C5", "C6", "C7", "T1")
    heights, depths = (12.6, 12.2, 12.0, 12.1, 13.4, 15.2), (15.0, 15.3, 15.7, 16.4, 17.0, 17.4)
    tilts, step = np.radians((-9.0, -5.0, 0.0, 5.0, 11.0, 16.0)), np.zeros(3)
    bodies = []
    for n, name in enumerate(names):
        if n:
            tilt = (tilts[n] + tilts[n - 1]) / 2
            length = (heights[n] + heights[n - 1]) / 2 + 5.0
            step = step + length * np.array([0.0, np.sin(tilt), -np.cos(tilt)])
        shape = {"height": heights[n], "depth": depths[n], "width": 18.0 + n, "concavity": (0.6, 0.8)}
        wedge = (wedges or {}).get(name, 0.0)
        bodies.append(Body(level=Level(name), centre=step, tilt=float(tilts[n]), wedge=wedge, **shape))
    return Phantom(tuple(bodies), **placed)


def lumbar(wedges=None, concavities=None, narrowing=None, size=1.0, **placed):
    """T11 to S1 along a lordotic curve; ``wedges`` and ``concavities`` by level name."""
    heights = (22.5, 23.8, 25.0, 25.5, 25.0, 25.4, 24.0, 24.0)
    leans = (0.95, 0.95, 0.97, 1.0, 1.03, 1.08, 1.17, 1.0)
    depths = (29.0, 30.0, 31.0, 32.0, 33.0, 34.0, 34.0, 32.0)
    discs = (5.0, 6.0, 7.5, 9.0, 10.0, 11.0, 10.0)
    tilts = np.radians((-14.0, -12.0, -8.0, -4.0, 2.0, 10.0, 22.0, 36.0))
    centre, bodies = np.zeros(3), []
    for n, name in enumerate(LEVELS):
        if n:
            tilt = (tilts[n] + tilts[n - 1]) / 2
            step = size * (heights[n] / 2 + heights[n - 1] / 2 + discs[n - 1])
            centre = centre + step * np.array([0.0, np.sin(tilt), -np.cos(tilt)])
        wedge = (wedges or {}).get(name, 0.0)
        concave = (concavities or {}).get(name, (1.0, 1.2))
        width = size * (36.0 + n)
        bodies.append(
            Body(
                level=Level(name),
                centre=centre,
                tilt=float(tilts[n]),
                height=size * heights[n],
                depth=size * depths[n],
                width=width,
                lean=leans[n],
                wedge=wedge,
                concavity=concave,
            )
        )
    return Phantom(tuple(bodies), narrowing or {}, **placed)
