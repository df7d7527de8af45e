"""Public DICOM files, against other decoders and the converters' own ground truth; skipped where they are absent."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import pydicom
import pytest
import SimpleITK

from spinemri.convert import from_sitk
from spinemri.dicom.choose import choose, choose_study
from spinemri.dicom.frames import FrameDecoder
from spinemri.dicom.load import load
from spinemri.dicom.pixels import decode
from spinemri.dicom.scan import scan
from spinemri.errors import SeriesError
from spinemri.read import read_volume
from spinemri.series import Contrast

if TYPE_CHECKING:
    from pathlib import Path

    from spinemri.image import Image

CASES = (
    "dcm4che",
    "dcm_qa_sag/In/XA30",
    "dicom2nifti/tests/data/anatomical",
    "dicom2nifti/tests/data/generic/compressed",
    "dicom2nifti/tests/data/generic/compressed_jpeg",
    "dicom2nifti/tests/data/generic/compressed_jpegls",
    "dicom2nifti/tests/data/generic/compressed_rle",
)
MOSAICS = ("dcm_qa_12bit", "dcm_qa_mosaic", "dcm_qa_ts", "dcm_qa_sag/In/3_fmri_SagHF")


@pytest.fixture(scope="session")
def cases(shared: Path) -> Path:
    return shared / "data" / "dicom-cases"


def images(folder: Path) -> list[Image]:
    assert folder.is_dir()
    return [load(series) for study in scan(folder).studies for series in study.series if series.source == "dicom"]


def values_at(image: Image, points: np.ndarray) -> np.ndarray:
    index = image.geometry.to_index(points)
    assert np.abs(index - np.rint(index)).max() < 1e-3
    return image.voxels[tuple(np.rint(index).astype(int).reshape(-1, 3).T)]


def points_of(image: Image) -> np.ndarray:
    grid = np.meshgrid(*[np.arange(n) for n in image.geometry.shape], indexing="ij")
    return image.geometry.to_patient(np.stack(grid, axis=-1).reshape(-1, 3))


@pytest.mark.parametrize("case", CASES)
def test_slices_equal_those_of_another_decoder(cases: Path, case: str):
    for image in images(cases / case):
        for file in image.series.files:
            voxels, geometry = from_sitk(SimpleITK.ReadImage(str(file.path)))
            k, j, i = image.geometry.to_index(geometry.origin)
            assert abs(k - round(k)) < 1e-3
            assert abs(j) + abs(i) < 1e-3
            assert np.array_equal(image.voxels[round(k)], voxels[0])
            assert np.allclose(geometry.spacing[1:], image.geometry.spacing[1:])


@pytest.mark.parametrize("case", ["compressed", "compressed_jpeg", "compressed_jpegls", "compressed_rle"])
def test_volumes_equal_the_ground_truth_of_a_converter(cases: Path, case: str):
    (image,) = images(cases / "dicom2nifti/tests/data/generic" / case / "001")
    truths = sorted((cases / "dicom2nifti/tests/data/generic" / case).glob("*.nii.gz"))
    assert len(truths) == 2
    for path in truths:
        assert np.array_equal(values_at(read_volume(path), points_of(image)), image.voxels.reshape(-1))


@pytest.mark.parametrize("case", ["dcm_qa_enh/In/Philips", "dcm_qa_enh/In/Siemens/XA10", "dcm_qa_agfa/Agfa"])
def test_enhanced_frames_lie_where_their_functional_groups_say(cases: Path, case: str):
    found = images(cases / case)
    assert len(found) == {"Philips": 2, "XA10": 4, "Agfa": 1}[case.rsplit("/", 1)[-1]]
    for image in found:
        (file,) = image.series.files
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(file.path)
            stored = dataset.pixel_array
        shared_groups = dataset.SharedFunctionalGroupsSequence[0]
        for n in file.frames:
            group = dataset.PerFrameFunctionalGroupsSequence[n]
            position = np.array(group.PlanePositionSequence[0].ImagePositionPatient, dtype=float)
            k, j, i = image.geometry.to_index(position)
            assert max(abs(k - round(k)), abs(j), abs(i)) < 1e-3
            rescale = (group if "PixelValueTransformationSequence" in group else shared_groups).get(
                "PixelValueTransformationSequence", [None]
            )[0]
            slope, intercept = (rescale.RescaleSlope, rescale.RescaleIntercept) if rescale else (1, 0)
            expected = stored[n] * float(slope) + float(intercept)
            assert np.allclose(image.voxels[round(k)], expected, rtol=1e-6)


@pytest.mark.parametrize("case", MOSAICS)
def test_mosaics_are_refused(cases: Path, case: str):
    for study in scan(cases / case).studies:
        for series in study.series:
            assert "mosaic" in (series.refusal or "")
            with pytest.raises(SeriesError, match="mosaic"):
                load(series)


def test_nine_transfer_syntaxes_of_one_image_decode_to_the_same_pixels(cases: Path):
    paths = sorted((cases / "dcm_qa_ts").rglob("*.dcm"))
    assert len(paths) == 9
    decoded = [decode(pydicom.dcmread(path), None, FrameDecoder()) for path in paths]
    assert all(np.array_equal(pixels, decoded[0]) for pixels in decoded)
    assert decoded[0].max() > 1000


def test_one_image_in_many_encodings_one_of_them_truncated(cases: Path):
    (study,) = scan(cases / "pydicom").studies
    (series,) = study.series
    image = load(series)
    assert image.geometry.shape == (1, 64, 64)
    assert "7 exact copies of slices dropped" in image.warnings
    assert any("truncated (8130 of 8192 bytes); a copy is used" in warning for warning in image.warnings)
    truncated = [file for file in series.files if file.path.name == "MR_truncated.dcm"]
    with pytest.raises(SeriesError, match=r"truncated \(8130 of 8192 bytes\) \(the only slice\)"):
        load(series.model_copy(update={"files": tuple(truncated)}))


def test_everything_at_once_is_accounted_for(cases: Path):
    inventory = scan(cases)
    used = {file.path for study in inventory.studies for series in study.series for file in series.files}
    assert len(used) + len(inventory.skipped) == inventory.files_seen
    found = [series for study in inventory.studies for series in study.series]
    mosaics = [series for series in found if "mosaic" in (series.refusal or "")]
    assert (len(found), len(mosaics)) == (20, 4)
    assert all(load(series).voxels.any() for series in found if series not in mosaics)


@pytest.mark.parametrize(
    ("study", "contrasts"),
    [("AKa", {"T1w", "STIR"}), ("DzZ", {"T1w", "T2w"}), ("errsm20", {"T2w"})],
)
def test_studies_are_classified_with_names_stripped(shared: Path, tmp_path: Path, study: str, contrasts: set[str]):
    for n, path in enumerate(sorted((shared / "data" / "dicom-studies" / study).rglob("*.dcm"))):
        dataset = pydicom.dcmread(path)
        del dataset.SeriesDescription
        del dataset.ProtocolName
        dataset.save_as(tmp_path / str(n))
    used, refused = choose(choose_study(scan(tmp_path))[0])
    assert {series.contrast for series in used} == {Contrast(name) for name in contrasts}
    assert refused == ()


def test_series_made_from_nifti_come_back_as_that_nifti(shared: Path):
    data = shared / "data"
    for name, study in (("02_AKa3_T1w", "AKa/t1"), ("03_AKa4_STIR", "AKa/stir"), ("11_DzZ_T2w", "DzZ/t2")):
        (image,) = images(data / "dicom-studies" / study)
        source = read_volume(data / "labelled" / "vb1" / f"{name}_img.nii.gz")
        assert np.array_equal(values_at(source, points_of(image)), image.voxels.reshape(-1))
