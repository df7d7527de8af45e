"""Painted people on oblique sagittal stacks, 3 to 5 mm by 0.6 to 1 mm, whose every measurement is known.

Stacks are turned against the person by a few degrees and against the scanner by more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

from spinemri.anatomy import StructureKind
from spinemri.evaluate.truth import true_segmentation
from spinemri.geometry import Geometry
from spinemri.spine import LevelAssignment, LevelBasis, Spine, Vertebra
from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis import truth, truth_canal, truth_discs
from spinemri.synthesis.appearance import sample_appearance
from spinemri.synthesis.canvas import blank_canvas
from spinemri.synthesis.labels import painted
from spinemri.synthesis.random_subject import field_axes, random_pathology, varied, with_fragments
from spinemri.synthesis.subject import sample_subject

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from spinemri.anatomy import Level
    from spinemri.segmentation import Segmentation
    from spinemri.synthesis.canvas import Canvas
    from spinemri.synthesis.labels import LabelVolume
    from spinemri.synthesis.subject import Pathology, Subject

MIDDLES = (sizes.C3 + 2, sizes.T1 + 6, sizes.L1 + 2)
"""Level in the middle of the field, in turn."""
_TURN_SD_DEG = 2.0  # of the stack against the person
_TILT_DEG = 20.0  # most that the scanner's axes are turned against the stack


@dataclass(frozen=True, eq=False)
class PaintedPerson:
    """A person painted in one or more layers per slice, and the grid of the slices."""

    subject: Subject
    volume: LabelVolume
    grid: Geometry

    def segmentation(self, series_uid: str) -> Segmentation:
        """True masks on the grid of the slices."""
        return true_segmentation(self.volume, self.grid, series_uid)

    def truth(self, levels: Iterable[Level]) -> dict[str, float]:
        """True values by id, where these levels are shown whole."""
        subject, curve = self.subject, self.volume.curve
        shown = [subject.chain.names.index(str(level)) for level in levels]
        records = [
            *truth.measurements(subject, curve, shown),
            *truth.alignment(subject, shown),
            *truth_canal.canal(subject, curve, shown),
            *truth_discs.measurements(subject, curve, shown),
        ]
        return {record["id"]: float(record["value"]) for record in records}


def random_person(seed: int, layers: int = 1) -> PaintedPerson:
    """A random person, broken, narrowed, slipped and curved as they come, the regions of the spine in turn.

    Parameters
    ----------
    seed : the same seed gives the same person on the same grid
    layers : painted per slice
    """
    rng = np.random.default_rng([seed, 6])
    pathology = replace(random_pathology(rng), lesions=())
    pathology = with_fragments(pathology, np.random.default_rng([seed, 7]))
    return painted_person(any_subject(rng, pathology), rng, MIDDLES[seed % len(MIDDLES)], layers)


def any_subject(rng: np.random.Generator, pathology: Pathology) -> Subject:
    """A person of any posture whose bodies differ from each other less or more."""
    return varied(sample_subject(rng, pathology, variation=float(rng.uniform(0.5, 1.5))), rng)


def painted_person(subject: Subject, rng: np.random.Generator, middle: int, layers: int = 1) -> PaintedPerson:
    """A person on an oblique sagittal stack of a field around one vertebra."""
    pixel = float(rng.uniform(0.6, 1.0))
    spacing = float(rng.uniform(3, 5)), pixel, pixel
    x, z, a = field_axes(rng, subject, middle, spacing)
    axes = _layered(x, layers), z, a
    look = replace(sample_appearance(rng, None, subject), nodes=())
    canvas = turned(blank_canvas(subject, axes, rng), axes, rng)
    volume = painted(canvas, subject, axes, rng, look)
    return PaintedPerson(subject, volume, oblique_grid((len(x), len(z), len(a)), spacing, rng))


def _layered(x: NDArray[np.floating], layers: int) -> NDArray[np.floating]:
    """Middles of the layers of slices at ``x``."""
    offsets = ((np.arange(layers) + 0.5) / layers - 0.5) * (x[1] - x[0])
    return np.asarray((x[:, None] + offsets).ravel())


def oblique_grid(shape: tuple[int, ...], spacing: tuple[float, float, float], rng: np.random.Generator) -> Geometry:
    """Grid (slices to the left, rows downwards, columns backwards) turned against the scanner's axes."""
    tilt = Rotation.from_euler("xyz", rng.uniform(-_TILT_DEG, _TILT_DEG, 3), degrees=True).as_matrix()
    direction = tuple((tilt @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])).ravel().tolist())
    return Geometry((shape[0], shape[1], shape[2]), spacing, (30.0, -110.0, 240.0), direction, "2.25.6")


def turned(canvas: Canvas, axes: tuple[NDArray[np.floating], ...], rng: np.random.Generator) -> Canvas:
    """The canvas seen by a stack that is turned about the long axis and tilted sideways by some degrees."""
    x, z, a = (axis - axis.mean() for axis in axes)
    roll, lean = (float(angle) for angle in np.radians(rng.normal(0, _TURN_SD_DEG, 2)))
    across = x[:, None, None]
    return replace(
        canvas,
        x=canvas.x + np.float32(roll) * a + np.float32(lean) * z[:, None],
        a=canvas.a - roll * across,
        z=canvas.z - lean * across,
        slack=canvas.slack + 3.0,
    )


def whole_bodies(segmentation: Segmentation) -> Spine:
    """The bodies that the field shows whole."""
    vertebrae, along = [], segmentation.geometry.axis_along(2)
    for structure in segmentation.of_kind(StructureKind.VERTEBRAL_BODY):
        voxels = np.argwhere(segmentation.mask(structure))
        ends = voxels[:, along].min(), voxels[:, along].max()
        if structure.level is None or ends[0] == 0 or ends[1] == segmentation.geometry.shape[along] - 1:
            continue
        named = LevelAssignment(level=structure.level, basis=LevelBasis.FROM_SACRUM, confidence=1.0)
        x, y, z = (float(v) for v in segmentation.geometry.to_patient(voxels.mean(axis=0)))
        vertebrae.append(Vertebra(assignment=named, centre=(x, y, z), series_uid=segmentation.series_uid))
    ordered = tuple(sorted(vertebrae, key=lambda v: v.level.rank))
    return Spine(vertebrae=ordered, sac_series_uid=segmentation.series_uid)


def whole_spine(seed: int) -> PaintedPerson:
    """A healthy person from C2 to S1, 24 vertebrae, on 15 sagittal slices of 4 mm by 0.9 mm."""
    rng = np.random.default_rng([seed, 10])
    subject = sample_subject(rng)
    shown = subject.centre[: sizes.S1 + 1]
    x = (np.arange(15) - 7) * 4.0 + float(subject.midline[: sizes.S1 + 1].mean())
    z = np.arange(shown[:, 1].min() - 45, shown[:, 1].max() + 45, 0.9)
    a = np.arange(shown[:, 0].min() - 75, shown[:, 0].max() + 45, 0.9)
    volume = painted(blank_canvas(subject, (x, z, a), rng), subject, (x, z, a), rng)
    return PaintedPerson(subject, volume, oblique_grid((len(x), len(z), len(a)), (4.0, 0.9, 0.9), rng))
