"""A small asymmetric spine as DICOM files in any orientation, and the case that came of loading them.

What lies where is a function of the patient alone, so that every reader of what is written can be asked: what is on the
left here must be on the left there. The sac is a shell around the cord, which makes holes in its outlines; the lesion
lies on the right in the body, and the arch on the left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spinemri.analysis import Analysis, ModelUsed, Provenance, SeriesRecord
from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.case import Case
from spinemri.dicom.load import load
from spinemri.dicom.scan import scan
from spinemri.geometry import Geometry
from spinemri.lesion import Lesion, MarrowChange
from spinemri.measurement import Measurement, Status
from spinemri.segmentation import Segmentation, label_value
from spinemri.series import SeriesFile
from spinemri.spine import LevelAssignment, LevelBasis, Spine, Vertebra
from tests.dicom.series_builder import SeriesWriter, unlike_voxels

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from spinemri.image import Image

CENTRE = np.array([13.7, -41.3, 512.9])
LEVEL = Level("L6")  # has no code of its own
BODY = Structure(StructureKind.VERTEBRAL_BODY, LEVEL)
ARCH = Structure(StructureKind.POSTERIOR_ELEMENTS, LEVEL)
DISC = Structure(StructureKind.DISC, LEVEL, Level("S1"))
SAC, CORD = Structure(StructureKind.THECAL_SAC), Structure(StructureKind.CORD)
STRUCTURES = {label_value(s): s for s in (BODY, ARCH, DISC, SAC, CORD)}
FRAME = "1.2.826.0.1.9.7"

SAGITTAL = np.array([[-1, 0, 0], [0, 0, 1], [0, -1, 0]], dtype=float)  # columns: slices, rows, columns in LPS
CORONAL = np.array([[0, 0, 1], [1, 0, 0], [0, -1, 0]], dtype=float)
AXIAL = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]], dtype=float)


@dataclass(frozen=True)
class Orientation:
    """How a series lies: its plain axes, how far it is turned, and in which order its files are numbered."""

    axes: NDArray[np.float64]
    tilt_deg: float = 0.0
    backwards: bool = False
    enhanced: bool = False


ORIENTATIONS = {
    "sagittal": Orientation(SAGITTAL),
    "sagittal, slices reversed": Orientation(SAGITTAL, backwards=True),
    "coronal": Orientation(CORONAL),
    "axial": Orientation(AXIAL),
    "axial, slices reversed": Orientation(AXIAL, backwards=True),
    "oblique": Orientation(SAGITTAL, tilt_deg=27.0),
    "oblique coronal": Orientation(CORONAL, tilt_deg=-19.0, backwards=True),
    "enhanced, oblique": Orientation(SAGITTAL, tilt_deg=14.0, backwards=True, enhanced=True),
}


def truth(points: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Voxel value of the structure at patient points (..., 3)."""
    x, y, z = np.moveaxis(points - CENTRE, -1, 0)
    from_cord = np.hypot(x, y - 21.0)
    inside = {
        BODY: (x / 19) ** 2 + (y / 14) ** 2 < 1,
        DISC: (x / 18) ** 2 + (y / 13) ** 2 < 1,
        SAC: from_cord < 8.3,
        CORD: from_cord < 4.2,
        ARCH: (x - 15) ** 2 + (y - 22) ** 2 < 36,  # on the left
    }
    high = {BODY: abs(z) < 12.4, DISC: (z > -19.7) & (z < -13.1), SAC: abs(z) < 19.2, CORD: abs(z) < 17.3}
    found = np.zeros(points.shape[:-1], dtype=np.uint8)
    for structure, mask in inside.items():
        found[mask & high.get(structure, abs(z) < 9.7)] = label_value(structure)
    return found


def lesion_truth(points: NDArray[np.float64]) -> NDArray[np.uint8]:
    """1 in the lesion: on the right of the body."""
    offset = points - CENTRE - (-8.2, 1.1, 2.3)
    return ((offset / (7.1, 6.3, 6.6)) ** 2).sum(axis=-1) < 1


def points_of(geometry: Geometry) -> NDArray[np.float64]:
    """Patient points (k, j, i, 3) of all voxels."""
    return geometry.to_patient(np.stack(np.indices(geometry.shape), axis=-1))


def grid(orientation: Orientation) -> Geometry:
    """A grid around the phantom; spacing is that of thick slices, sizes differ on every axis."""
    a, b = np.deg2rad(orientation.tilt_deg), np.deg2rad(orientation.tilt_deg / 3)
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    axes = about_z @ about_x @ orientation.axes
    shape, spacing = (17, 66, 74), (3.7, 1.1, 1.0)
    middle = axes @ ((np.array(shape) - 1) / 2 * spacing)
    origin = CENTRE + np.array([1.3, 8.7, -2.1]) - middle
    return Geometry(shape, spacing, tuple(origin.tolist()), tuple(axes.ravel().tolist()), FRAME)


def series_of(folder: Path, orientation: Orientation, **header: object) -> Image:
    """The series as a scanner would write it, loaded again."""
    geometry = grid(orientation)
    order = range(geometry.shape[0])[:: -1 if orientation.backwards else 1]
    writer = SeriesWriter(folder, header=header)
    voxels = unlike_voxels(geometry)
    if orientation.enhanced:
        writer.enhanced(geometry, voxels, list(order))
    else:
        writer.classic(geometry, voxels, order)
    return load(scan(folder).studies[0].series[0])


def case_of(image: Image) -> Case:
    """The case of one series: true masks, a few measurements, identifiers replaced as in every result."""
    image = with_tokens(image)
    points = points_of(image.geometry)
    uid = image.series.series_uid
    mask = Segmentation(truth(points), image.geometry, STRUCTURES, uid, "spine_anatomy 0.2")
    lesions = Segmentation(
        lesion_truth(points).astype(np.uint8) * 3, image.geometry,
        {3: Structure(StructureKind.LESION, LEVEL)}, uid, "marrow_lesion 0.1",
    )  # fmt: skip
    return Case(_analysis(image), (image,), (mask,), (lesions,))


def on_files(case: Case, folder: Path, study: str = "1.2.826.0.1.1", **header: object) -> Case:
    """A hand-made case whose series lie in files, as they would have come from a scanner."""
    images = []
    for n, image in enumerate(case.images):
        series = image.series
        writer = SeriesWriter(
            folder / str(n), study=study, series=f"{study}.{n + 2}", number=series.number, header=header
        )
        paths = writer.classic(image.geometry, np.clip(image.voxels, 0, 4095).astype(np.uint16))
        files = tuple(SeriesFile(path=path) for path in paths)
        images.append(replace(image, series=series.model_copy(update={"files": files})))
    return replace(case, images=tuple(images))


def with_tokens(image: Image) -> Image:
    """The image as it is after reading: tokens in place of UIDs."""
    tokens = {"series_uid": "tok-series", "study_uid": "tok-study", "frame_of_reference_uid": "tok-frame"}
    return replace(
        image,
        series=image.series.model_copy(update=tokens),
        geometry=replace(image.geometry, frame_of_reference_uid="tok-frame"),
    )


def _analysis(image: Image) -> Analysis:
    uid = image.series.series_uid
    centre = tuple(CENTRE.tolist())
    assignment = LevelAssignment(level=LEVEL, basis=LevelBasis.ASSUMED, confidence=0.5)
    front, back = (tuple((CENTRE + np.array([0, y, 0])).tolist()) for y in (13.0, 29.0))
    common = {"level": LEVEL, "series_uid": uid}
    measurements = (
        Measurement(id="L6.posterior_height", name="posterior_height", kind=BODY.kind, value=24.8, unit="mm",
                    interval=(24.1, 25.7), **common),
        Measurement(id="L6.height_loss_pct", name="height_loss_pct", kind=BODY.kind, unit="%",
                    status=Status.NOT_ASSESSABLE, reason="no intact body to compare with", **common),
        Measurement(id="L6-S1.dural_sac_ap", name="dural_sac_ap", kind=SAC.kind, lower=Level("S1"), value=16.6,
                    unit="mm", points=(front, back), reference_levels=(Level("L4"), LEVEL), **common),
        Measurement(id="lesion-1.lesion_volume", name="lesion_volume", kind=StructureKind.LESION, value=1236.5,
                    unit="mm3", **common),
    )  # fmt: skip
    lesion = Lesion(
        id="lesion-1", label=3, series_uid=uid, levels=(LEVEL,), level=LEVEL, side="right", centre=centre,
        probability=0.8, shares={MarrowChange.TUMOUR: 1.0},
    )  # fmt: skip
    return Analysis(
        patient="tok-patient", study="tok-study", series=(SeriesRecord(series=image.series, used=True),),
        spine=Spine(vertebrae=(Vertebra(assignment=assignment, centre=centre, series_uid=uid),), sac_series_uid=uid),
        lesions=(lesion,), measurements=measurements,
        provenance=Provenance(
            software="spinemri", version="0.2.0",
            models=(
                ModelUsed(role="anatomy", name="spine_anatomy", version="0.2", sha256="5c" * 32),
                ModelUsed(role="lesions", name="marrow_lesion", version="0.1", sha256="e1" * 32),
            ),
            created="2026-03-04T05:06:07+00:00",
        ),
    )  # fmt: skip
