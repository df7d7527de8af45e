"""Posterior elements as rounded bars and plates in a vertebra's own frame, where there is no template of a real one.

Each part runs between two points given in shares of the canal and the body, so that it fits any subject. Proportions
follow the Panjabi series named in ``morphometry`` and the usual anatomy of the three regions: cervical lateral masses
and two-barred transverse processes, steep overlapping thoracic laminae, lumbar pars, hatchet-shaped spinous processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from spinemri.synthesis import morphometry as sizes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.synthesis.canvas import Field
    from spinemri.synthesis.subject import Subject


_FAR_MM = 20.0  # depth outside of what lies far away
_NEAR_MM = 2.0  # from a surface, within which depths are exact: bone and joint spaces are told by less


class _Point(NamedTuple):
    """Place of a part's end: x as share of the canal's half width plus mm, f as share of its depth (backwards) plus mm
    to the back, d as share of the body's height plus mm down.
    """

    x: tuple[float, float]
    f: tuple[float, float]
    d: tuple[float, float]


class _Part(NamedTuple):
    """A bar of a radius in mm between two points, ``tall`` times as high as thick."""

    start: _Point
    end: _Point
    radius: float
    tall: float = 1.0


def _part(start: tuple[float, ...], end: tuple[float, ...], radius: float, tall: float = 1.0) -> _Part:
    points = [_Point((p[0], p[1]), (p[2], p[3]), (p[4], p[5])) for p in (start, end)]
    return _Part(points[0], points[1], radius, tall)


_CERVICAL = (
    _part((1, 1.5, 0, -0.5, 0.35, 0), (1, 4, 0.35, 0, 0.42, 0), 2.6, 1.3),  # pedicle
    _part((1, 5.5, 0.3, 0, 0, 1), (1, 5.5, 0.55, 0, 0.85, 0), 5.0),  # lateral mass
    _part((1, 2, 0.7, 0, 0.55, 0), (0, 0, 1, 2.5, 0.75, 0), 1.8, 2.6),  # lamina
    _part((1, 0, 0, -4, 0.5, 0), (1, 9, 0, -3, 0.6, 0), 2.0),  # transverse process, front bar
    _part((1, 5, 0.2, 0, 0.45, 0), (1, 11, 0, 0, 0.65, 0), 2.3),  # and back bar
)
_LUMBAR = (
    _part((0.75, 1, 0.7, 0, 0.35, 0), (0.75, 0, 1, 3, 0.9, 0), 5.2),  # pars
    _part((0.8, 0, 0.9, 1, 0.75, 0), (0, 0, 1, 3.5, 0.8, 0), 3.7, 3.0),  # lamina
    _part((1, 5, 0.75, 1, 0.3, 0), (1, 6, 0.85, 3, 0, -4), 5.4),  # superior articular process
    _part((0.7, 0, 1, 4, 0.8, 0), (0.75, 1, 1, 5, 1, 9), 5.4),  # inferior articular process
    _part((1, 5, 0.35, 0, 0.35, 0), (1, 30, 0.35, 6, 0.3, 0), 3.0, 1.5),  # transverse process
)


def _thoracic(share: float) -> tuple[_Part, ...]:
    """Parts of a vertebra at a share of the way from the first to the last of the thorax."""
    reach, back = 23 - 13 * share, 10 - 5 * share
    return (
        _part((1, 2, 0.8, 0, 0.55, 0), (0, 0, 1, 3, 0.8, 0), 2.7, 3.4),  # lamina
        _part((1, 2, 0.8, 0, 0.2, 0), (1, 2, 0.72, 0, 0, -6), 3.2),  # superior articular process
        _part((0.8, 0, 0.95, 3, 0.8, 0), (0.7, 0, 0.9, 2, 1, 6), 3.2),  # inferior articular process
        _part((1, 3, 0.8, 0, 0.3, 0), (1, reach, 1, back, 0.2, -2), 4.2, 1.2),  # transverse process
    )


_PEDICLE_WIDTH = {"T": (8.5, 6.0, 8.7), "L": (8.6, 10.5, 17.0)}  # upper, middle, lower level of the region, mm


def _parts(subject: Subject, index: int) -> tuple[_Part, ...]:
    """Parts of one vertebra; the first is the spinous process."""
    chain = subject.chain
    region = chain.names[index][0]
    length, tall = float(subject.spinous_length[index]) / subject.scale, float(subject.spinous_height[index])
    fall = float(subject.spinous_slope[index]) * length
    thick = {"C": 2.2, "T": 2.6, "L": 3.5}[region]
    spinous = _part(
        (0, 0, 1, 1.5, 0.75, 1), (0, 0, 1, length, 0.75, 1 + fall), thick, max(1.0, tall / subject.scale / 2 / thick)
    )
    if region == "C":
        forked = _part((0, 0, 1, length - 5, 0.75, fall), (0, 4, 1, length - 1, 0.75, 1 + fall), 2.4)
        return (spinous, forked, *_CERVICAL)
    first, last = (sizes.T1, chain.last_thoracic) if region == "T" else (chain.first_lumbar, chain.last_lumbar)
    share = (index - first) / (last - first)
    width = float(np.interp(share, (0, 0.5, 1), _PEDICLE_WIDTH[region]))
    tall = (12.5 if region == "T" else 15.0) / width
    pedicle = _part((1, width / 2, 0, -1.5, 0.3, 0), (1, width / 2, 0.75, 0, 0.33, 0), width / 2, tall)
    return (spinous, pedicle, *(_thoracic(share) if region == "T" else _LUMBAR))


def solid_depth(frame: tuple[Field, Field, Field], subject: Subject, index: int, build: NDArray[np.floating]) -> Field:
    """Depth in mm below the surface of a vertebra's posterior elements, negative outside.

    More than ``_NEAR_MM`` outside it may be ``-_FAR_MM``.

    Parameters
    ----------
    frame : coordinates (x, f, d) in the vertebra's frame, mm
    build : (parts, 2) factors on the radius and the height of each part, at least as many as a vertebra has
    """
    x, f, d = frame
    ax = np.abs(x)
    depth: Field = np.full(x.shape, -_FAR_MM, dtype=np.float32)
    for part, (wide, tall) in zip(_parts(subject, index), build, strict=False):
        size = np.float32(part.radius * wide * subject.scale), max(part.tall * tall, 1.0)
        ends = _ends(part, subject, index)
        near = _near((ax, f, d), ends, size)
        bar = _bar(part, (ax[near], f[near], d[near]), ends, size)
        depth[near] = np.maximum(depth[near], bar)
    return np.asarray(np.minimum(depth, 2.5 - f))


def _near(
    frame: tuple[Field, Field, Field], ends: NDArray[np.floating], size: tuple[np.float32, float]
) -> NDArray[np.bool_]:
    """Where a part's surface is less than ``_NEAR_MM`` away, and some points more."""
    reach = (size[0] + _NEAR_MM) * np.array([1, 1, size[1]])
    inside = np.ones(frame[0].shape, dtype=bool)
    for axis, low, high in zip(frame, ends.min(axis=0) - reach, ends.max(axis=0) + reach, strict=True):
        inside &= (axis > low) & (axis < high)
    return inside


def _ends(part: _Part, subject: Subject, index: int) -> NDArray[np.floating]:
    """Both ends (2, 3) as (x, f, d) in mm."""
    half, deep = subject.canal_width[index] / 2, subject.canal_depth[index]
    g, height = subject.scale, subject.posterior[index]
    rows = [
        (p.x[0] * half + p.x[1] * g, -p.f[0] * deep - p.f[1] * g, p.d[0] * height + p.d[1] * g)
        for p in (part.start, part.end)
    ]
    return np.array(rows, dtype=np.float32)


def _bar(
    part: _Part, frame: tuple[Field, Field, Field], ends: NDArray[np.floating], size: tuple[np.float32, float]
) -> Field:
    radius, tall = size[0], np.float32(size[1])
    offset = [axis - start for axis, start in zip(frame, ends[0], strict=True)]
    way = ends[1] - ends[0]
    # a spinous process hangs down as a plate: its share along the way must not depend on its height
    flat = way * (np.array([1, 1, 0], dtype=np.float32) if part.tall > 1 else np.ones(3, dtype=np.float32))
    share = np.clip(sum(o * w for o, w in zip(offset, flat, strict=True)) / np.float32(flat @ flat), 0, 1)
    ex, ef, ed = (o - share * w for o, w in zip(offset, way, strict=True))
    distance: Field = np.sqrt(np.sqrt((ex**2 + ef**2) ** 2 + (ed / tall) ** 4))  # flat sides, rounded rims
    return radius - distance
