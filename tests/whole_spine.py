"""A synthetic person from C2 to the sacrum, imaged as one series, as stations, or as a series composed from stations.

All images show the same subject in one patient; the predictor knows the true class of every voxel of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spinemri.geometry import Geometry
from spinemri.image import Image
from spinemri.segment.model import load_model
from spinemri.series import Contrast, Plane, Series
from spinemri.synthesis.acquire import acquire
from spinemri.synthesis.labels import paint
from spinemri.synthesis.numbering import Numbering, chain
from spinemri.synthesis.signal import PROTOCOLS, signal_table
from spinemri.synthesis.subject import Subject, sample_subject
from spinemri.synthesis.tissue import class_of_tissue
from tests.synthetic_study import TruePredictor

if TYPE_CHECKING:
    from numpy.typing import NDArray

FRAME = "2.25.4242.9"
SLICE_MM, PIXEL_MM, LAYERS, SLICES = 4.0, 1.0, 2, 11
TURN_DEG = (3.0, 4.0)  # about x and z


@dataclass(frozen=True, eq=False)
class WholeSpine:
    """A subject, its true classes on the grid of the whole-spine image, and that image's grid."""

    subject: Subject
    predictor: TruePredictor
    geometry: Geometry
    voxels: NDArray[np.uint16]

    def row_of(self, level: str) -> int:
        """Row of the image that crosses the middle of a body."""
        k, j, i = self.geometry.to_index(self.centre_of(level))
        assert 0 <= k < SLICES
        assert i >= 0
        return round(float(j))

    def centre_of(self, level: str) -> NDArray[np.float64]:
        """Centre of a body in the patient, LPS mm."""
        n = self.subject.chain.names.index(level)
        a, z = self.subject.centre[n]
        return _axes() @ np.array([self.subject.midline[n], -a, z])

    def height_of(self, level: str) -> float:
        """True posterior height of a body in mm."""
        return float(self.subject.posterior[self.subject.chain.names.index(level)])

    def image(self, rows: slice, number: int, **facts) -> Image:
        """The part of the whole image between two rows as a series of its own."""
        first, last, _ = rows.indices(self.geometry.shape[1])
        frame = facts.pop("frame", FRAME)
        grid = replace(
            self.geometry,
            shape=(SLICES, last - first, self.geometry.shape[2]),
            origin=tuple(self.geometry.to_patient((0, first, 0)).tolist()),
            frame_of_reference_uid=frame,
        )
        series = Series(
            series_uid=f"2.25.4242.{number}",
            study_uid="2.25.4242",
            frame_of_reference_uid=frame,
            number=number,
            contrast=Contrast.T2W,
            plane=Plane.SAGITTAL,
            shape=grid.shape,
            spacing=grid.spacing,
            reach_mm=grid.span(2),
            slice_thickness_mm=SLICE_MM,
            repetition_time_ms=PROTOCOLS[Contrast.T2W].repetition_time,
            echo_time_ms=PROTOCOLS[Contrast.T2W].echo_time,
            field_strength_t=1.5,
            **{"description": "sag T2", **facts},
        )
        return Image(self.voxels[:, rows], grid, series)

    def stations(self, overlap_mm: float = 70.0, **facts) -> tuple[Image, Image, Image]:
        """Cervical, thoracic and lumbar station that overlap."""
        cuts = (self.row_of("T2"), self.row_of("T11"))
        half = round(overlap_mm / 2 / PIXEL_MM)
        rows = (slice(0, cuts[0] + half), slice(cuts[0] - half, cuts[1] + half), slice(cuts[1] - half, None))
        return tuple(self.image(part, number, **facts) for number, part in enumerate(rows, start=3))

    def composed(self, seam: str, step: float, number: int = 8) -> Image:
        """The whole spine joined at the middle of a body, with a step of brightness there."""
        row = self.row_of(seam)
        whole = self.image(slice(None), number, composed=True)
        voxels = whole.voxels.astype(np.float64)
        voxels[:, row:] *= 1 + step
        return replace(whole, voxels=np.clip(np.rint(voxels), 0, 4095).astype(np.uint16), seams=(row - 0.5,))


def whole_spine(seed: int = 6, numbering: Numbering = Numbering.USUAL) -> WholeSpine:
    """One T2w image of a healthy subject from C2 to S2, slightly oblique."""
    rng = np.random.default_rng([seed, 77])
    subject = sample_subject(rng, variation=0.6, chain=chain(numbering))
    shown = subject.centre[: subject.chain.sacral + 2]
    layer = SLICE_MM / LAYERS
    x = (np.arange(SLICES * LAYERS) - (SLICES * LAYERS - 1) / 2) * layer + float(subject.midline.mean())
    z = np.arange(shown[:, 1].min() - 5, shown[:, 1].max() + 45, PIXEL_MM)
    a = np.arange(shown[:, 0].min() - 75, shown[:, 0].max() + 35, PIXEL_MM)
    volume = paint(subject, (x, z, a), rng)
    table = signal_table(PROTOCOLS[Contrast.T2W], rng, jitter=0.3)
    voxels = acquire(volume, table, rng, sub=(LAYERS, 1), snr=28.0)
    axes = _axes()
    origin = axes @ np.array([x[:LAYERS].mean(), -a[-1], z[-1]])
    direction = axes @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # left, down, back
    grid = Geometry(voxels.shape, (SLICE_MM, PIXEL_MM, PIXEL_MM), tuple(origin), tuple(direction.ravel()), FRAME)
    classes = class_of_tissue()[volume.tissue][LAYERS // 2 :: LAYERS, ::-1, ::-1]
    return WholeSpine(subject, TruePredictor(classes.astype(np.uint8), grid, load_model()), grid, voxels)


def _axes() -> NDArray[np.float64]:
    """Rotation from the subject's axes (left, posterior, superior) to the patient's."""
    b, c = np.radians(TURN_DEG)
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return about_z @ about_x
