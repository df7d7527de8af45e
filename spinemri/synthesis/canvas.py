"""The grid on which a subject is painted, with the coordinates every structure is described in.

``x`` (left-right), ``z`` (superior) and ``a`` (anterior) are mm in the subject's own coordinates; besides them each
voxel has curvilinear coordinates along the posterior walls: ``s`` from head to foot and ``f`` to anterior. Structures
are described in these alone, so a canvas may have any orientation: sagittal layers are arrays (x, z, a), any other grid
keeps the axes of its image.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree

from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis.numbering import USUAL, Chain
from spinemri.synthesis.texture import Texture
from spinemri.synthesis.tissue import Tissue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spinemri.synthesis.subject import Subject
    from spinemri.synthesis.texture import Axes

    Field = NDArray[np.floating]
    Window = tuple[slice, slice, slice]

STEP = 0.5  # mm between samples of the curve
_MANY = 2_000_000  # points of the plane looked up one by one
_ABOVE, _BELOW = 90.0, 25.0  # mm the curve goes on over the dens and under S5


@dataclass(frozen=True, eq=False)
class Curve:
    """The line through the posterior walls, head to foot.

    ``points`` (n, 2) in (a, z); ``s`` (n,) mm; ``angle`` (n,) of the downward tangent from straight down, radians;
    ``top``, ``middle``, ``bottom`` (levels,): s of each vertebra's superior endplate, centre and inferior endplate.
    ``chain`` says which vertebrae these are.
    """

    points: NDArray[np.floating]
    s: NDArray[np.floating]
    angle: NDArray[np.floating]
    top: NDArray[np.floating]
    middle: NDArray[np.floating]
    bottom: NDArray[np.floating]
    chain: Chain = USUAL

    def along(
        self, knots: Sequence[float] | NDArray[np.floating], values: Sequence[float] | NDArray[np.floating]
    ) -> NDArray[np.floating]:
        """Smooth profile over ``s`` through values at increasing knots, constant beyond the ends."""
        inside = np.clip(self.s, knots[0], knots[-1])
        return np.asarray(PchipInterpolator(knots, values)(inside))


def posterior_curve(subject: Subject) -> Curve:
    """Smooth line through all posterior walls of a subject."""
    anchors = []
    for i in range(sizes.COUNT):
        half = 0.32 * subject.posterior[i]
        anchors += [subject.wall_point(i, half), subject.wall_point(i, 0.0), subject.wall_point(i, -half)]
    raw = np.array(anchors)
    up, _ = subject.axes(0)
    last = raw[-1] - raw[-2]
    raw = np.vstack([raw[0] + up * _ABOVE, raw, raw[-1] + last / np.linalg.norm(last) * _BELOW])
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(raw, axis=0), axis=1))])
    samples = np.arange(0, length[-1], STEP)
    line = np.stack([PchipInterpolator(length, raw[:, c])(samples) for c in (0, 1)], axis=1)
    line = gaussian_filter1d(line, 6.0 / STEP, axis=0, mode="nearest")
    tangent = np.gradient(line, axis=0)
    angle = np.unwrap(np.arctan2(tangent[:, 0], -tangent[:, 1]))
    s = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    tree = cKDTree(line)
    walls = [
        [subject.wall_point(i, sign * 0.5 * subject.posterior[i]) for i in range(sizes.COUNT)] for sign in (1, 0, -1)
    ]
    top, middle, bottom = (s[tree.query(np.array(row))[1]].astype(np.float32) for row in walls)
    return Curve(line, s, angle, top, middle, bottom, subject.chain)


@dataclass(frozen=True, eq=False)
class Canvas:
    """Label arrays being painted, and the coordinates of their voxels; all have three axes.

    ``tissue`` holds Tissue values; ``level`` holds 1 + index for bone of a vertebra, 101 + index for the disc below.
    ``s`` and ``f`` are curvilinear, ``a`` and ``z`` plane coordinates; both carry a small smooth displacement when the
    subject is roughened. ``x`` is measured from the subject's midline. ``s_plane``, ``f_plane`` and ``nearest`` (index
    of the nearest point of the curve) are those of the midline; they have length 1 along an axis on which they do not
    vary. ``slack`` is how many mm ``s`` and ``f`` differ at most from their values in the midline because the spine
    leans sideways or is twisted. ``texture`` draws what is random; ``field`` (s, f) is the plane of the field that it
    belongs to, None when that is the canvas itself.
    """

    tissue: NDArray[np.uint8]
    level: NDArray[np.uint8]
    a: Field
    z: Field
    x: Field
    s: Field
    f: Field
    s_plane: Field
    f_plane: Field
    nearest: NDArray[np.intp]
    curve: Curve
    texture: Texture
    slack: float = 0.0
    field: tuple[Field, Field] | None = None

    def profile(self, values: NDArray[np.floating]) -> Field:
        """A profile sampled on the curve, looked up for every pixel of the plane; shaped like ``s_plane``."""
        found: Field = values.astype(np.float32)[self.nearest]
        return found

    def along_levels(self, values: NDArray[np.floating]) -> Field:
        """A per-level table, interpolated along the curve for every pixel of the plane; shaped like ``s_plane``."""
        return self.profile(np.interp(self.curve.s, self.curve.middle, values))

    def noise(self, rng: np.random.Generator, grain_mm: tuple[float, float, float]) -> Field:
        """Smooth random field of unit scale over the canvas; ``grain_mm`` between independent values on x, z, a."""
        return self.texture.noise(rng, grain_mm)

    def window(self, s_range: tuple[float, float], f_range: tuple[float, float]) -> Window | None:
        """Smallest block that holds a curvilinear range, or None when it is out of the field."""
        inside = _within((self.s_plane, self.f_plane), (s_range, f_range), self.slack)
        sides = []
        for axis, length in enumerate(inside.shape):
            held = np.flatnonzero(inside.any(axis=tuple(n for n in range(3) if n != axis)))
            if not held.size:
                return None
            sides.append(slice(None) if length == 1 else slice(int(held[0]), int(held[-1]) + 1))
        return sides[0], sides[1], sides[2]

    def drawn_window(self, s_range: tuple[float, float], f_range: tuple[float, float]) -> Window | None:
        """The same for something whose looks are drawn at random; None when the texture's field does not show it.

        It may be empty: then the numbers have to be drawn, so that the rest of the person stays the same.
        """
        own = self.window(s_range, f_range)
        if self.field is None:
            return own
        shown = _within(self.field, (s_range, f_range), self.slack).any()
        return (own or (slice(0, 0),) * 3) if shown else None

    def cut(self, plane: Field, window: Window) -> Field:
        """The part of a field shaped like ``s_plane`` that belongs to a window."""
        return plane[tuple(w if n > 1 else slice(None) for w, n in zip(window, plane.shape, strict=True))]

    def paint(self, window: Window, where: NDArray[np.bool_], tissue: Tissue, level: int | None = None) -> None:
        """Set a tissue (and level) where a mask over ``window`` is True."""
        self.tissue[window][where] = int(tissue)
        if level is not None:
            self.level[window][where] = level


def _within(
    plane: tuple[Field, Field], ranges: tuple[tuple[float, float], tuple[float, float]], slack: float
) -> NDArray[np.bool_]:
    inside = np.ones(plane[0].shape, dtype=bool)
    for values, (low, high) in zip(plane, ranges, strict=True):
        inside &= (values > low - slack) & (values < high + slack)
    return inside


def blank_canvas(
    subject: Subject, axes: Axes, rng: np.random.Generator, roughness_mm: float = 0.0, points: Axes | None = None
) -> Canvas:
    """Canvas for a subject.

    Parameters
    ----------
    axes : coordinates (x, z, a) in mm, each evenly spaced, of the field in which the person's random looks are drawn
    rng : with the same state and axes it is the same person, whatever the points
    roughness_mm : standard deviation of a smooth displacement of everything that is painted
    points : coordinates x, z, a in mm of the voxels, three axes each, of length 1 where they do not vary; None for the
        voxels of the field itself, as an array (x, z, a)
    """
    texture = Texture(axes, points)
    shape = texture.shape
    x, z, a = points or _spread(axes)
    curve = posterior_curve(subject)
    nearest, s_plane, f_plane = _in_plane(curve, a, z)
    rough = [texture.noise(rng, (15, 11, 11)) * roughness_mm if roughness_mm else np.float32(0) for _ in range(3)]
    midline = np.interp(curve.s, curve.middle, subject.midline)[nearest].astype(np.float32)
    zeros = np.zeros(shape, dtype=np.float32)
    return Canvas(
        tissue=np.full(shape, int(Tissue.SOFT), dtype=np.uint8),
        level=np.zeros(shape, dtype=np.uint8),
        a=zeros + a.astype(np.float32) + rough[0],
        z=zeros + z.astype(np.float32) + rough[1],
        x=zeros + x.astype(np.float32) - midline + rough[2],
        s=s_plane - rough[1] + zeros,
        f=f_plane + rough[0] + zeros,
        s_plane=s_plane,
        f_plane=f_plane,
        nearest=nearest,
        curve=curve,
        texture=texture,
        field=_in_plane(curve, *reversed(_spread(axes)[1:]))[1:] if points else None,
    )


def _spread(axes: Axes) -> Axes:
    """Axes x, z, a as arrays that broadcast to (x, z, a)."""
    x, z, a = axes
    return x[:, None, None], z[None, :, None], a[None, None, :]


def curvilinear(curve: Curve, points: NDArray[np.floating]) -> tuple[NDArray[np.intp], Field, Field]:
    """Index of the nearest point of the curve, and coordinates s and f (mm), of points (..., 2) in (a, z)."""
    plane, shape = points.reshape(-1, 2), points.shape[:-1]
    nearest = _nearest(curve, plane)
    offset = plane - curve.points[nearest]
    angle = curve.angle[nearest]
    down = offset[:, 0] * np.sin(angle) - offset[:, 1] * np.cos(angle)
    front = offset[:, 0] * np.cos(angle) + offset[:, 1] * np.sin(angle)
    return nearest.reshape(shape), (curve.s[nearest] + down).reshape(shape), front.reshape(shape)


def _in_plane(curve: Curve, a: NDArray[np.floating], z: NDArray[np.floating]) -> tuple[NDArray[np.intp], Field, Field]:
    """The same in single precision at coordinates a and z that broadcast."""
    nearest, s, f = curvilinear(curve, np.stack(np.broadcast_arrays(a, z), axis=-1))
    return nearest, s.astype(np.float32), f.astype(np.float32)


def _nearest(curve: Curve, plane: NDArray[np.floating]) -> NDArray[np.intp]:
    """Index of the nearest point of the curve; of very many points (an oblique volume) from a table of the plane."""
    tree = cKDTree(curve.points)
    if len(plane) <= _MANY:
        return np.asarray(tree.query(plane)[1])
    low = plane.min(axis=0)
    rows, columns = np.ceil((plane.max(axis=0) - low) / STEP).astype(int) + 1
    table = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), axis=-1) * STEP + low
    found = tree.query(table.reshape(-1, 2))[1].reshape(rows, columns)
    place = np.rint((plane - low) / STEP).astype(int)
    return np.asarray(found[place[:, 0], place[:, 1]])


def leaning(canvas: Canvas, subject: Subject, twist: NDArray[np.floating]) -> Canvas:
    """The canvas of a spine whose vertebrae follow its midline sideways.

    Vertebrae lean so that their endplates stay square to the midline, and are rotated about their long axes by
    ``twist`` (levels,) radians, as in scoliosis. A canvas of a straight spine comes back almost unchanged.
    """
    curve = canvas.curve
    midline = np.interp(curve.s, curve.middle, subject.midline)
    slope = gaussian_filter1d(np.gradient(midline, curve.s), 20 / STEP)
    lean = canvas.profile(np.clip(slope, -0.6, 0.6)) * canvas.x
    turn = canvas.profile(np.interp(curve.s, curve.middle, twist))
    angle = canvas.profile(curve.angle)
    forward, x = turn * canvas.x, canvas.x - turn * canvas.f
    slack = float(max(np.abs(lean).max(), np.abs(forward).max()))
    return replace(
        canvas,
        a=canvas.a + lean * np.sin(angle) + forward * np.cos(angle),
        z=canvas.z - lean * np.cos(angle) + forward * np.sin(angle),
        s=canvas.s + lean,
        f=canvas.f + forward,
        x=x,
        slack=min(slack, 20.0),
    )
