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
class Phantom:
    bodies: tuple[Body, ...]
    narrowing: dict[int, float] = field(default_factory=dict)  # disc below body n -> part of the diameter lost
    turn: tuple[float, float, float] = (3.0, -2.0, 4.0)  # degrees about x, y, z of anatomy in the patient
    shift: tuple[float, float, float] = (12.0, -30.0, 85.0)

    def to_patient(self, points):
        return Rotation.from_euler("xyz", self.turn, degrees=True).apply(points) + self.shift

    def to_anatomy(self, points):
        flat = np.reshape(points, (-1, 3)) - self.shift
        return Rotation.from_euler("xyz", self.turn, degrees=True).inv().apply(flat).reshape(np.shape(points))

    def disc_place(self, n):
        """Anatomy point on the sac's mid-line beside the disc below body n."""
        return (self._behind(n) + self._behind(n + 1)) / 2

    def _behind(self, n):
        body = self.bodies[n]
        return body.to_anatomy([0.0, body.depth / 2 + 3.0 + SAC_MM / 2, 0.0])

    def _sac_curve(self):
        knots = np.array([self._behind(n) for n in range(len(self.bodies))])
        z = np.linspace(knots[-1, 2] - 5, knots[0, 2] + 25, 400)
        smooth = np.polynomial.Polynomial.fit(knots[:, 2], knots[:, 1], 4)
        return z, smooth(z), smooth.deriv()(z)

    def in_sac(self, points):
        """Ellipse perpendicular to the curve; a narrowing comes from the front."""
        z, y, slope = self._sac_curve()
        row_y, row_slope = np.interp(points[..., 2], z, y), np.interp(points[..., 2], z, slope)
        along = 1 / np.sqrt(1 + row_slope**2)
        back = (points[..., 1] - row_y) * along  # distance perpendicular to the curve, for a gentle curve
        z0 = points[..., 2] + back * row_slope * along  # foot of the perpendicular
        diameter = np.full(back.shape, SAC_MM)
        for n, lost in self.narrowing.items():
            away = (z0 - self.disc_place(n)[2]) / along
            diameter -= lost * SAC_MM * np.exp(-((away / 6.0) ** 2))
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
        sac = Structure(StructureKind.THECAL_SAC)
        voxels[self.in_sac(points)] = label_value(sac)
        structures[label_value(sac)] = sac
        return Segmentation(voxels, geometry, structures, uid, "formula")

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
