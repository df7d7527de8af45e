"""How scanners put slices through a spine: angled axial blocks, straight axial and coronal stacks, isotropic volumes.

Lumbar axial slices are angled along the discs, a block for each; all blocks are one series, as the makers' scanners
store them (slice groups, multi-angle, stacks). Cervical and thoracic slices form one straight stack.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from spinemri.geometry import Geometry
from spinemri.synthesis.grids import Sampling
from spinemri.synthesis.truth import plate_lean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spinemri.synthesis.grids import Person

    Array = NDArray[np.floating]


class Acquisition(StrEnum):
    """A geometry in which a phantom can be imaged."""

    SAGITTAL = "sagittal"
    AXIAL = "axial"
    CORONAL = "coronal"
    ISOTROPIC = "isotropic"


@dataclass(frozen=True)
class Prescription:
    """Slices of one stack: number, distance and thickness in mm; pixels of one size (mm) over a square or oblong field.

    ``field`` holds rows and columns.
    """

    slices: int
    spacing: float
    thickness: float
    pixel: float
    field: tuple[int, int]


def axial_prescription(rng: np.random.Generator) -> Prescription:
    """What a technologist might choose: 3 to 6 slices of 3 to 4 mm, pixels of 0.5 to 0.7 mm over 160 to 200 mm."""
    thickness, gap = float(rng.uniform(3, 4)), float(rng.uniform(0.3, 0.5))
    pixel = float(rng.uniform(0.5, 0.7))
    number = int(rng.integers(3, 7))
    side = 2 * round(float(rng.uniform(160, 200)) / pixel / 2)
    return Prescription(number, round(thickness + gap, 3), round(thickness, 3), round(pixel, 4), (side, side))


def axial_blocks(person: Person, discs: Sequence[int], how: Prescription) -> tuple[Sampling, ...]:
    """A block along each of the discs below some vertebrae, slices from inferior to superior."""
    return tuple(_axial(person, _disc_middle(person, n), _disc_lean(person, n), how) for n in discs)


def axial_stack(person: Person, upper: int, lower: int, how: Prescription) -> Sampling:
    """A straight stack from the top of one vertebra to the bottom of another, square to the spine between them.

    The number of slices follows from the distance.
    """
    subject = person.subject
    ends = np.array(
        [
            subject.wall_point(upper, 0.5 * subject.posterior[upper]),
            subject.wall_point(lower, -0.5 * subject.posterior[lower]),
        ],
        dtype=np.float64,
    )
    length = float(np.linalg.norm(ends[0] - ends[1]))
    up = (ends[0] - ends[1]) / length
    number = max(1, round(length / how.spacing))
    span = subject.centre[upper : lower + 1]
    wall = float((span[:, 0] - subject.depth[upper : lower + 1] / 2).mean())
    middle = np.array([float(subject.midline[upper : lower + 1].mean()), float(ends[:, 1].mean()), wall])
    how = Prescription(number, how.spacing, how.thickness, how.pixel, how.field)
    return _axial(person, middle, float(np.degrees(np.arctan2(up[0], up[1]))), how)


def coronal_stack(person: Person, upper: int, lower: int, how: Prescription) -> Sampling:
    """A straight coronal stack over the bodies and the canal of some vertebrae; slices from anterior to posterior."""
    middle = _region_middle(person, upper, lower)
    return _sampling(person, middle, ((0, 0, -1), (0, -1, 0), (1, 0, 0)), how)


def sagittal_stack(person: Person, upper: int, lower: int, how: Prescription) -> Sampling:
    """Sagittal slices over some vertebrae, thick or thin; slices to the right, rows downwards, columns to posterior."""
    middle = _region_middle(person, upper, lower)
    return _sampling(person, middle, ((-1, 0, 0), (0, -1, 0), (0, 0, -1)), how, layers=2)


def _region_middle(person: Person, upper: int, lower: int) -> Array:
    """Point (x, z, a) amid the posterior walls of a row of vertebrae."""
    subject = person.subject
    walls = np.array([subject.wall_point(index, 0.0) for index in range(upper, lower + 1)])
    a, z = 0.5 * (walls.min(axis=0) + walls.max(axis=0))
    return np.array([float(subject.midline[upper : lower + 1].mean()), float(z), float(a)])


def _disc_middle(person: Person, index: int) -> Array:
    """Point (x, z, a) between two vertebrae at their posterior walls."""
    subject = person.subject
    rims = [
        subject.wall_point(index, -0.5 * subject.posterior[index]),
        subject.wall_point(index + 1, 0.5 * subject.posterior[index + 1]),
    ]
    a, z = np.mean(rims, axis=0)
    return np.array([float(subject.midline[index : index + 2].mean()), float(z), float(a)])


def _disc_lean(person: Person, index: int) -> float:
    """Forward lean of a disc's normal, degrees."""
    subject = person.subject
    return 0.5 * (plate_lean(subject, index, superior=False) + plate_lean(subject, index + 1, superior=True))


def _axial(person: Person, wall: Array, lean_deg: float, how: Prescription) -> Sampling:
    lean = np.radians(lean_deg)
    up, front = np.array([0.0, np.cos(lean), np.sin(lean)]), np.array([0.0, -np.sin(lean), np.cos(lean)])
    back = 0.06 * how.field[0] * how.pixel  # the canal lies in front of the middle of the field
    return _sampling(person, wall - back * front, (tuple(up), tuple(-front), (1, 0, 0)), how)


def _sampling(
    person: Person, middle: Array, directions: tuple[tuple[float, ...], ...], how: Prescription, layers: int = 3
) -> Sampling:
    """Grid around a point (x, z, a); ``directions`` of slices, rows and columns in the same coordinates."""
    shape = how.slices, *how.field
    spacing = how.spacing, how.pixel, how.pixel
    axes = person.placement.turned(np.array(directions)).T
    half = (np.array(shape) - 1) / 2 * spacing
    origin = person.placement.to_patient(middle) - axes @ half
    grid = Geometry(
        (shape[0], shape[1], shape[2]),
        spacing,
        (float(origin[0]), float(origin[1]), float(origin[2])),
        tuple(axes.ravel().tolist()),
        person.frame_of_reference_uid,
    )
    return Sampling(grid, how.thickness, layers)
