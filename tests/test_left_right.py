"""One lamp on the patient's left, in front and above: by every path in, it is where it was, in every orientation.

A second reader (GDCM through SimpleITK) reads the same files and writes the NIfTI that is read back, so that no mistake
of ours can cancel itself.
"""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK

from spinemri.dicom.load import load
from spinemri.dicom.scan import scan
from spinemri.orientation import frame_of, oriented, reading_plane
from spinemri.read import read_volume
from tests.dicom.series_builder import SeriesWriter
from tests.report.dicom_phantom import CENTRE, ORIENTATIONS, grid, points_of

LAMP = CENTRE + np.array([13.0, -9.0, 17.0])  # left, in front, above
LAMP_MM = 7.0
LIT = 3000


def lit(geometry):
    """Dark noise with the lamp in it."""
    noise = np.random.default_rng(2).integers(1, 200, geometry.shape)
    inside = np.linalg.norm(points_of(geometry) - LAMP, axis=-1) < LAMP_MM
    return np.where(inside, LIT, noise).astype(np.uint16)


def lamp_of(image):
    return image.geometry.to_patient(np.argwhere(image.voxels >= LIT)).mean(axis=0)


@pytest.fixture(params=ORIENTATIONS, ids=str)
def files(request, tmp_path):
    """The paths of a series that is written in an orientation, and the folder."""
    orientation = ORIENTATIONS[request.param]
    geometry = grid(orientation)
    order = list(range(geometry.shape[0])[:: -1 if orientation.backwards else 1])
    writer = SeriesWriter(tmp_path / "dicom")
    if orientation.enhanced:
        return [writer.enhanced(geometry, lit(geometry), order)], tmp_path
    return writer.classic(geometry, lit(geometry), order), tmp_path


def test_a_lamp_on_the_left_is_on_the_left_by_every_path(files):
    paths, folder = files
    image = load(scan(folder / "dicom").studies[0].series[0])
    assert lamp_of(image) == pytest.approx(LAMP, abs=1.0)
    plane = reading_plane(image.geometry, image.series.plane)
    frame = frame_of(image.geometry, plane, (0, 0))
    right, down, across, origin = (np.asarray(v) for v in (frame.right, frame.down, frame.across, frame.origin))
    shown = [
        origin + column * right + row * down + n * across
        for n in range(image.geometry.shape[plane.across])
        for row, column in np.argwhere(oriented(image.voxels, plane, n) >= LIT)
    ]
    assert np.mean(shown, axis=0) == pytest.approx(LAMP, abs=1.0)
    if len(paths) > 1:  # ITK places the frames of an enhanced object without looking at each of them
        assert lamp_of(by_itk(paths, folder)) == pytest.approx(LAMP, abs=1.0)


def by_itk(paths, folder):
    """The files read by GDCM, written as NIfTI, and that read by us."""
    reader = SimpleITK.ImageSeriesReader()
    series = SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(paths[0].parent))
    reader.SetFileNames(series)
    SimpleITK.WriteImage(reader.Execute(), str(folder / "1_T1w.nii.gz"))
    return read_volume(folder / "1_T1w.nii.gz")


def test_a_flip_of_the_array_would_be_seen(files):
    _, folder = files
    image = load(scan(folder / "dicom").studies[0].series[0])
    flipped = image.voxels[(slice(None),) * image.geometry.axis_along(0) + (slice(None, None, -1),)]
    wrong = image.geometry.to_patient(np.argwhere(flipped >= LIT)).mean(axis=0)
    assert np.linalg.norm(wrong - LAMP) > 3
