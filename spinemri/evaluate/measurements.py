"""Every measurement of random people, taken in their true masks, against the truth: error and honesty of intervals.

Stacks are 3 to 5 mm by 0.6 to 1 mm, turned against the person by a few degrees and against the scanner by more; people
are broken, narrowed, slipped and curved as they come, all regions in turn. What a network adds to the error is not in
these figures.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from spinemri.anatomy import StructureKind
from spinemri.evaluate.truth import true_segmentation
from spinemri.geometry import Geometry
from spinemri.measure import measure
from spinemri.spine import LevelAssignment, LevelBasis, Spine, Vertebra
from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis import truth, truth_canal, truth_discs
from spinemri.synthesis.appearance import sample_appearance
from spinemri.synthesis.canvas import blank_canvas
from spinemri.synthesis.labels import painted
from spinemri.synthesis.random_subject import field_axes, random_pathology, varied
from spinemri.synthesis.subject import sample_subject

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from spinemri.segmentation import Segmentation
    from spinemri.synthesis.canvas import Canvas
    from spinemri.synthesis.labels import LabelVolume
    from spinemri.synthesis.subject import Subject

MIDDLES = (sizes.C3 + 2, sizes.T1 + 6, sizes.L1 + 2)
"""Level in the middle of the field, in turn."""
_TURN_SD_DEG = 2.0  # of the stack against the person
_TILT_DEG = 20.0  # most that the scanner's axes are turned against the stack


class Compared(NamedTuple):
    """One measured value with its 95 % interval, and the true one."""

    id: str
    found: float
    low: float
    high: float
    true: float

    @property
    def name(self) -> str:
        """Of the measurement."""
        return self.id.rpartition(".")[2]

    @property
    def error(self) -> float:
        """Found minus true."""
        return self.found - self.true

    @property
    def covered(self) -> bool:
        """Whether the interval holds the truth."""
        return self.low <= self.true <= self.high


def score_measurements(seed: int) -> list[Compared]:
    """Every measurement of one random person that has a value and a truth."""
    rng = np.random.default_rng([seed, 6])
    pathology = replace(random_pathology(rng), lesions=())
    subject = varied(sample_subject(rng, pathology, variation=float(rng.uniform(0.5, 1.5))), rng)
    volume, grid = _painted(subject, rng, MIDDLES[seed % len(MIDDLES)])
    segmentation = true_segmentation(volume, grid, f"2.25.{seed}")
    spine = whole_bodies(segmentation)
    found = measure(spine, [], [segmentation])
    true = _truth(subject, volume, [sizes.NAMES.index(str(level)) for level in spine.levels])
    return [
        Compared(m.id, m.value, *m.interval, true[m.id])
        for m in found
        if m.value is not None and m.interval is not None and m.id in true
    ]


def _truth(subject: Subject, volume: LabelVolume, shown: list[int]) -> dict[str, float]:
    records = [
        *truth.measurements(subject, volume.curve, shown),
        *truth.alignment(subject, shown),
        *truth_canal.canal(subject, volume.curve, shown),
        *truth_discs.measurements(subject, volume.curve, shown),
    ]
    return {record["id"]: float(record["value"]) for record in records}


def _painted(subject: Subject, rng: np.random.Generator, middle: int) -> tuple[LabelVolume, Geometry]:
    """A person on an oblique sagittal stack."""
    pixel = float(rng.uniform(0.6, 1.0))
    spacing = float(rng.uniform(3, 5)), pixel, pixel
    axes = field_axes(rng, subject, middle, spacing)
    look = replace(sample_appearance(rng, None, subject.midline), nodes=())
    canvas = turned(blank_canvas(subject, axes, rng), axes, rng)
    volume = painted(canvas, subject, axes, rng, look)
    return volume, oblique_grid(volume.tissue.shape, spacing, rng)


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


class Summary(NamedTuple):
    """Agreement of one measurement with the truth; ``low`` and ``high`` are the 95 % limits of agreement."""

    name: str
    values: int
    bias: float
    absolute: float
    low: float
    high: float
    covered: float


def summaries(compared: Iterable[Compared]) -> list[Summary]:
    """A row per measurement, in the order of their first appearance."""
    by_name: dict[str, list[Compared]] = {}
    for one in compared:
        by_name.setdefault(one.name, []).append(one)
    rows = []
    for name, ones in by_name.items():
        errors = np.array([one.error for one in ones])
        spread = 1.96 * float(errors.std(ddof=1)) if len(errors) > 1 else float("nan")
        bias = float(errors.mean())
        covered = float(np.mean([one.covered for one in ones]))
        rows.append(Summary(name, len(ones), bias, float(np.abs(errors).mean()), bias - spread, bias + spread, covered))
    return rows
