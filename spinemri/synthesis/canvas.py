"""The grid on which a subject is painted, with the coordinates every structure is described in.

Arrays are (x, z, a) = (left-right, superior, anterior), mm in the subject's own plane coordinates. Besides the plane,
each pixel has curvilinear coordinates along the posterior walls: ``s`` from head to foot and ``f`` to anterior.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree

from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis.tissue import Tissue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spinemri.synthesis.subject import Subject

    Field = NDArray[np.floating]
    Window = tuple[slice, slice, slice]

STEP = 0.5  # mm between samples of the curve
_ABOVE, _BELOW = 90.0, 25.0  # mm the curve goes on over the dens and under S5


@dataclass(frozen=True, eq=False)
class Curve:
    """The line through the posterior walls, head to foot.

    ``points`` (n, 2) in (a, z); ``s`` (n,) mm; ``angle`` (n,) of the downward tangent from straight down, radians;
    ``top``, ``middle``, ``bottom`` (levels,): s of each vertebra's superior endplate, centre and inferior endplate.
    """

    points: NDArray[np.floating]
    s: NDArray[np.floating]
    angle: NDArray[np.floating]
    top: NDArray[np.floating]
    middle: NDArray[np.floating]
    bottom: NDArray[np.floating]

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
    return Curve(line, s, angle, top, middle, bottom)


def smooth_noise(rng: np.random.Generator, shape: tuple[int, ...], steps: tuple[float, ...]) -> Field:
    """Smooth random field of unit scale; ``steps`` are the voxels between independent values on each axis."""
    coarse = [max(2, int(np.ceil(n / step)) + 1) for n, step in zip(shape, steps, strict=True)]
    field: Field = rng.standard_normal(coarse).astype(np.float32)
    for axis, (n, c) in enumerate(zip(shape, coarse, strict=True)):
        place = np.linspace(0, c - 1, n, dtype=np.float32)[:, None]
        weights = np.clip(1 - np.abs(place - np.arange(c, dtype=np.float32)), 0, 1)
        field = np.moveaxis(np.tensordot(weights, field, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(field)


@dataclass(frozen=True, eq=False)
class Canvas:
    """Label arrays being painted (x, z, a), and the coordinates of their voxels.

    ``tissue`` holds Tissue values; ``level`` holds 1 + index for bone of a vertebra, 101 + index for the disc below.
    ``s`` and ``f`` (x, z, a) are curvilinear, ``a`` and ``z`` plane coordinates; both carry a small smooth
    displacement when the subject is roughened. ``x`` is measured from the subject's midline. ``slack`` is how many mm
    ``s`` and ``f`` differ at most from their values in the midline because the spine leans sideways or is twisted.
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
    pixel: tuple[float, float, float]
    slack: float = 0.0

    def profile(self, values: NDArray[np.floating]) -> Field:
        """A profile sampled on the curve, looked up for every pixel of the plane: (1, z, a)."""
        found: Field = values.astype(np.float32)[self.nearest][None]
        return found

    def along_levels(self, values: NDArray[np.floating]) -> Field:
        """A per-level table, interpolated along the curve for every pixel of the plane: (1, z, a)."""
        return self.profile(np.interp(self.curve.s, self.curve.middle, values))

    def window(self, s_range: tuple[float, float], f_range: tuple[float, float]) -> Window | None:
        """Smallest block that holds a curvilinear range, or None when it is out of the field."""
        inside = (self.s_plane > s_range[0] - self.slack) & (self.s_plane < s_range[1] + self.slack)
        inside &= (self.f_plane > f_range[0] - self.slack) & (self.f_plane < f_range[1] + self.slack)
        rows, columns = np.nonzero(inside.any(axis=1))[0], np.nonzero(inside.any(axis=0))[0]
        if not rows.size:
            return None
        return slice(None), slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)

    def paint(self, window: Window, where: NDArray[np.bool_], tissue: Tissue, level: int | None = None) -> None:
        """Set a tissue (and level) where a mask over ``window`` is True."""
        self.tissue[window][where] = int(tissue)
        if level is not None:
            self.level[window][where] = level


def blank_canvas(
    subject: Subject,
    axes: tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]],
    rng: np.random.Generator,
    roughness_mm: float = 0.0,
) -> Canvas:
    """Canvas for a subject on regular axes.

    Parameters
    ----------
    axes : coordinates (x, z, a) in mm; each evenly spaced
    roughness_mm : standard deviation of a smooth displacement of everything that is painted
    """
    x, z, a = axes
    shape = (len(x), len(z), len(a))
    pixel = tuple(float(abs(v[1] - v[0])) for v in axes)
    curve = posterior_curve(subject)
    plane = np.stack(np.meshgrid(a, z, indexing="xy"), axis=-1)
    _, nearest = cKDTree(curve.points).query(plane.reshape(-1, 2))
    offset = plane.reshape(-1, 2) - curve.points[nearest]
    angle = curve.angle[nearest]
    down = offset[:, 0] * np.sin(angle) - offset[:, 1] * np.cos(angle)
    front = offset[:, 0] * np.cos(angle) + offset[:, 1] * np.sin(angle)
    s_plane = (curve.s[nearest] + down).reshape(shape[1:]).astype(np.float32)
    f_plane = front.reshape(shape[1:]).astype(np.float32)
    steps = (15.0 / pixel[0], 11.0 / pixel[1], 11.0 / pixel[2])
    rough = [smooth_noise(rng, shape, steps) * roughness_mm if roughness_mm else np.float32(0) for _ in range(3)]
    midline = np.interp(curve.s, curve.middle, subject.midline)[nearest].reshape(shape[1:]).astype(np.float32)
    zeros = np.zeros(shape, dtype=np.float32)
    return Canvas(
        tissue=np.full(shape, int(Tissue.SOFT), dtype=np.uint8),
        level=np.zeros(shape, dtype=np.uint8),
        a=zeros + a.astype(np.float32) + rough[0],
        z=zeros + z.astype(np.float32)[:, None] + rough[1],
        x=zeros + x.astype(np.float32)[:, None, None] - midline + rough[2],
        s=s_plane[None] - rough[1] + zeros,
        f=f_plane[None] + rough[0] + zeros,
        s_plane=s_plane,
        f_plane=f_plane,
        nearest=nearest.reshape(shape[1:]),
        curve=curve,
        pixel=(pixel[0], pixel[1], pixel[2]),
    )


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
