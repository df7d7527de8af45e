"""The hand-made spine in three series, sagittal, coronal and axial, with a bright ball on the patient's left.

The grids are tilted and differ in the order and direction of their array axes; the ball is the only thing that tells
left from right.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spinemri.analysis import SeriesRecord
from spinemri.case import Case
from spinemri.geometry import Geometry
from spinemri.image import Image
from spinemri.segmentation import Segmentation
from spinemri.series import Contrast, Plane, Series
from tests.report import cases

BALL = cases.places()[cases.LEVELS[4]].centre + np.array([31.0, -12.0, 9.0])
BALL_MM = 6.0
ORDERS = {  # array axes k, j, i along patient axes, their signs, shape, and mm along k, j, i
    Plane.SAGITTAL: ((0, 2, 1), (-1, -1, 1), (21, 240, 170), (4.0, 1.2, 1.0)),
    Plane.CORONAL: ((1, 2, 0), (1, 1, -1), (24, 230, 120), (5.0, 1.3, 1.1)),
    Plane.AXIAL: ((2, 1, 0), (1, -1, -1), (60, 150, 130), (5.0, 1.0, 1.2)),
}
UIDS = {Plane.SAGITTAL: "tok-t1", Plane.CORONAL: "tok-cor-t1", Plane.AXIAL: "tok-ax"}


def grid(plane: Plane) -> Geometry:
    """A tilted grid of a plane around the middle of the spine."""
    order, signs, shape, spacing = ORDERS[plane]
    axes = cases.grid((0, 1, 2), (1, 1, 1), (1, 1, 1)).axes[:, order] * np.array(signs)
    middle = cases._CENTRE + np.array([0.0, 4.0, 0.0])
    origin = middle - axes @ ((np.array(shape) - 1) / 2 * np.array(spacing))
    return Geometry(shape, spacing, tuple(origin.tolist()), tuple(axes.ravel().tolist()), "1.2.840.99.77")


def ball(geometry: Geometry):
    index = np.stack(np.meshgrid(*[np.arange(n) for n in geometry.shape], indexing="ij"), axis=-1)
    return np.linalg.norm(geometry.to_patient(index) - BALL, axis=-1) < BALL_MM


def three_planes() -> Case:
    """The case with its series exchanged for one per plane; lesions are outlined on the sagittal one."""
    plain = cases.with_lesions(cases.case(cases.XSS))
    records, images, masks = [], [], []
    for number, (plane, uid) in enumerate(UIDS.items(), 3):
        geometry = grid(plane)
        labels, signal = cases.draw(geometry)
        signal[ball(geometry)] = 1500.0
        series = Series(
            series_uid=uid, number=number, contrast=Contrast.T1W, plane=plane, shape=geometry.shape,
            spacing=geometry.spacing, description=cases.XSS,
        )  # fmt: skip
        present = {int(v) for v in np.unique(labels)} - {0}
        known = {cases.label_value(s): s for s in cases._structures() if cases.label_value(s) in present}
        records.append(SeriesRecord(series=series, used=True))
        images.append(Image(signal, geometry, series))
        masks.append(Segmentation(labels, geometry, known, uid, "spine_anatomy 0.1"))
    spot = cases.spots()[0]
    voxels = spot.inside(images[0].geometry).astype(np.uint16) * np.uint16(spot.label)
    lesion = replace(plain.lesion_masks[0], voxels=voxels, geometry=images[0].geometry)
    analysis = plain.analysis.model_copy(update={"series": tuple(records), "alignments": ()})
    return Case(analysis, tuple(images), tuple(masks), (lesion,))
