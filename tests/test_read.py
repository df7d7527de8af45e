from __future__ import annotations

import gzip
import struct
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st

from spinemri.convert import to_sitk, write_nifti
from spinemri.errors import SeriesError
from spinemri.read import file_geometry, is_label_file, named_contrast, read_volume, volume_series, volume_study
from spinemri.series import Contrast, Plane
from tests.dicom.series_builder import sagittal_geometry, unlike_voxels
from tests.strategies import geometries

if TYPE_CHECKING:
    from collections.abc import Callable

    from spinemri.geometry import Geometry

GRID = sagittal_geometry()
VOXELS = unlike_voxels(GRID)
SFORM_CODE, QFORM_CODE, PIXDIM, SROW_X = 254, 252, 76, 280  # offsets in a NIfTI-1 header


def changed(path: Path, *edits: tuple[str, int, float]) -> Path:
    """A NIfTI-1 file with header values overwritten: struct code, offset, value."""
    content = bytearray(path.read_bytes())
    for code, offset, value in edits:
        struct.pack_into(f"<{code}", content, offset, value)
    path.write_bytes(content)
    return path


@pytest.fixture
def nifti(tmp_path: Path) -> Path:
    write_nifti(VOXELS, GRID, tmp_path / "a_T1w.nii")
    return tmp_path / "a_T1w.nii"


def refused(path: Path) -> str:
    with pytest.raises(SeriesError) as caught:
        read_volume(path)
    message = str(caught.value)
    assert message.startswith("series 1: ")
    assert str(path.parent) not in message
    return message


@settings(max_examples=15)
@given(geometries(), st.sampled_from([".nii", ".nii.gz", ".nrrd", ".mha", ".mhd"]))
def test_every_format_keeps_every_point(grid: Geometry, suffix: str):
    voxels = np.random.default_rng(3).integers(0, 4096, grid.shape, dtype=np.int16)
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"case{suffix}"
        SimpleITK.WriteImage(to_sitk(voxels, grid), str(path))
        image = read_volume(path)
    assert image.voxels.dtype == np.int16
    assert sorted(image.geometry.shape) == sorted(grid.shape)
    index = np.array([[0, 0, 0], [2, 20, 11], [1, 7, 23]])
    found = image.geometry.to_index(grid.to_patient(index))
    assert np.allclose(found, np.rint(found), atol=0.02)
    assert np.array_equal(image.voxels[tuple(np.rint(found).astype(int).T)], voxels[tuple(index.T)])
    assert image.geometry.spacing[0] == pytest.approx(grid.spacing[0], rel=1e-4)  # slices first


def test_facts_of_a_volume(nifti: Path):
    series = volume_series(nifti, nifti.parent)
    assert (series.contrast, series.plane, series.source) == (Contrast.T1W, Plane.SAGITTAL, "nifti")
    assert series.shape == (5, 14, 11)
    assert series.spacing == pytest.approx((4.4, 0.7, 0.8), abs=1e-5)
    assert (series.frame_of_reference_uid, series.refusal) == (None, None)
    assert series.obliquity_deg == pytest.approx(7.2, abs=0.1)


def test_the_identifier_of_a_volume_follows_its_content(tmp_path: Path):
    for name, voxels in (("a", VOXELS), ("b", VOXELS[::-1])):
        (tmp_path / name).mkdir()
        write_nifti(voxels, GRID, tmp_path / name / "x_T1w.nii.gz")
    uids = {volume_series(tmp_path / n / "x_T1w.nii.gz", tmp_path).series_uid for n in "aba"}
    assert len(uids) == 2
    assert all(len(uid) <= 64 for uid in uids)


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        ([("h", SFORM_CODE, 0), ("h", QFORM_CODE, 0)], "neither qform nor sform"),
        ([("f", SROW_X + 8, 1.3)], "sheared"),
        ([("f", PIXDIM + 12, 0.0)], "spacing of zero"),
        ([("f", PIXDIM + 12, 9.0)], "contradicts itself"),
        ([("f", SROW_X, -3.0), ("f", SROW_X + 4, 0.5), ("f", SROW_X + 16, 0.5)], "sheared"),
    ],
)
def test_headers_that_do_not_say_where_the_image_lies_are_refused(
    nifti: Path, edits: list[tuple[str, int, float]], message: str
):
    changed(nifti, *edits)
    assert message in refused(nifti)
    assert message in (volume_series(nifti, nifti.parent).refusal or "")


def test_nrrd_without_space_is_refused(tmp_path: Path):
    path = tmp_path / "a_T1w.nrrd"
    SimpleITK.WriteImage(to_sitk(VOXELS, GRID), str(path), useCompression=False)
    header, _, pixels = path.read_bytes().partition(b"\n\n")
    kept = [line for line in header.split(b"\n") if not line.startswith((b"space", b"kinds"))]
    path.write_bytes(b"\n".join([*kept, b"spacings: 0.8 0.7 4.4"]) + b"\n\n" + pixels)
    assert "no 'space' field" in refused(path)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (SimpleITK.Image([6, 5, 4, 3], SimpleITK.sitkUInt8), "6 x 5 x 4 x 3"),
        (SimpleITK.Image([6, 5, 4], SimpleITK.sitkVectorUInt8, 3), "3 component"),
        (SimpleITK.Image([6, 5], SimpleITK.sitkUInt8), "6 x 5"),
    ],
)
def test_only_one_three_dimensional_image_is_accepted(tmp_path: Path, image: SimpleITK.Image, message: str):
    SimpleITK.WriteImage(image, str(tmp_path / "a.mha"))
    assert message in refused(tmp_path / "a.mha")


@pytest.mark.parametrize("keep", [0.0, 0.02, 0.6, 0.97])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_truncated_files_are_refused(tmp_path: Path, suffix: str, keep: float, capfd: pytest.CaptureFixture[str]):
    path = tmp_path / f"a{suffix}"
    SimpleITK.WriteImage(to_sitk(VOXELS, GRID), str(path))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    refused(path)
    assert str(tmp_path) not in "".join(capfd.readouterr())


def test_constant_volume_is_refused(tmp_path: Path):
    write_nifti(np.full(GRID.shape, 7, dtype=np.int16), GRID, tmp_path / "a.nii.gz")
    assert "all voxels have the same value" in refused(tmp_path / "a.nii.gz")


def test_values_that_are_no_numbers_become_the_lowest(tmp_path: Path):
    voxels = VOXELS.astype(np.float32)
    voxels[1, 2, 3] = np.nan
    SimpleITK.WriteImage(to_sitk(voxels, GRID), str(tmp_path / "a.mha"))
    image = read_volume(tmp_path / "a.mha")
    assert image.voxels[1, 2, 3] == np.nanmin(voxels)
    assert image.warnings == ("1 voxels are no numbers; set to the lowest value",)


@pytest.mark.parametrize(("dtype", "kept"), [("u1", "u1"), ("i2", "i2"), ("i4", "f4"), ("f8", "f4")])
def test_stored_types(tmp_path: Path, dtype: str, kept: str):
    write_nifti((VOXELS % 200).astype(dtype), GRID, tmp_path / "a.nii.gz")
    assert read_volume(tmp_path / "a.nii.gz").voxels.dtype == np.dtype(kept)


def test_nifti_rescale_is_applied(nifti: Path):
    changed(nifti, ("f", 112, 2.0), ("f", 116, -5.0))
    assert np.array_equal(read_volume(nifti).voxels, VOXELS * 2.0 - 5.0)


def test_file_geometry_keeps_the_order_of_the_file(tmp_path: Path):
    grid = file_geometry(written(tmp_path, lambda v: v.transpose(2, 0, 1)))
    assert grid.shape == (11, 5, 14)


def written(folder: Path, permute: Callable[[np.ndarray], np.ndarray]) -> Path:
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(permute(VOXELS)))
    SimpleITK.WriteImage(image, str(folder / "a.mha"))
    return folder / "a.mha"


@pytest.mark.parametrize(
    ("name", "contrast"),
    [
        ("sub-01_T1w.nii.gz", Contrast.T1W),
        ("sub-01_ses-2_acq-sag_T2w.nii.gz", Contrast.T2W),
        ("sub-01_acq-stir_T2w.nii", Contrast.STIR),
        ("sub-01_ce-gadolinium_T1w.nii", Contrast.T1W_POST),
        ("17_t1.mha", Contrast.T1W),
        ("17 T2 FS.nrrd", Contrast.T2W_FS),
        ("02_AKa3_T1w_img.nii.gz", Contrast.T1W),
        ("x_PDw.nii", Contrast.PDW),
        ("scan12.nii", Contrast.OTHER),
        ("test1.nii", Contrast.OTHER),
    ],
)
def test_contrast_from_the_file_name(name: str, contrast: Contrast):
    assert named_contrast(Path(name)) is contrast


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("02_AKa3_T1w_lab.nii.gz", True),
        ("sub-mri_seg-vert_label-6_msk.nii.gz", True),
        ("17_t1_mask.mha", True),
        ("sub-mri_label-6_T2w.nii.gz", False),
        ("segovia_T2w.nii.gz", False),
    ],
)
def test_label_files_are_told_from_images(name: str, *, label: bool):
    assert is_label_file(Path(name)) is label


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("17_t1.mha", "17_t2.mha", True),
        ("17_t1.mha", "18_t1.mha", False),
        ("a/t1.nii", "a/stir.nii", True),
        ("a/t1.nii", "b/t1.nii", False),
        ("sub-1/ses-1/anat/sub-1_ses-1_T1w.nii", "sub-1/ses-1/anat/sub-1_ses-1_T2w.nii", True),
        ("sub-1/ses-1/anat/sub-1_ses-1_T1w.nii", "sub-1/ses-2/anat/sub-1_ses-2_T1w.nii", False),
    ],
)
def test_volumes_of_one_study(one: str, other: str, *, together: bool):
    root = Path("/data")
    studies = [volume_study(root / name, root) for name in (one, other)]
    assert (studies[0] == studies[1]) is together


def test_two_sessions_are_one_patient():
    root = Path("/data")
    keys = [volume_study(root / f"sub-1_ses-{n}_T1w.nii", root) for n in (1, 2)]
    assert keys[0][0] == keys[1][0]
    assert keys[0][1] != keys[1][1]


def test_gzip_without_nifti_inside_is_refused(tmp_path: Path):
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(b"no volume" * 50))
    assert "header is damaged" in refused(tmp_path / "a.nii.gz")


@pytest.mark.parametrize(
    ("edit", "because"),
    [
        (("f", 108, float("nan")), "where the voxels begin is no place in the file"),
        (("f", 108, -5.0), "where the voxels begin is no place in the file"),
        (("f", 108, 1e9), "truncated"),
    ],
)
def test_an_offset_that_is_no_place_in_the_file_is_refused(nifti: Path, edit: tuple[str, int, float], because: str):
    with pytest.raises(SeriesError, match=because):
        read_volume(changed(nifti, edit))


@pytest.mark.parametrize(("factor", "shift"), [(0.001, 0.0), (1000.0, 0.0), (1.0, 1e7)])
def test_voxels_in_other_units_and_grids_beyond_any_room_are_refused(tmp_path: Path, factor: float, shift: float):
    spacing, origin = (
        tuple(v * factor + s for v in values) for values, s in ((GRID.spacing, 0.0), (GRID.origin, shift))
    )
    write_nifti(VOXELS, replace(GRID, spacing=spacing, origin=origin), tmp_path / "a_T1w.nii")
    series = volume_series(tmp_path / "a_T1w.nii", tmp_path)
    expected = "expected at most 10000 mm" if shift else "expected 0.02 to 100 mm"
    assert expected in (series.refusal or "")


def test_numbers_beyond_float32_are_no_numbers_and_said(tmp_path: Path):
    voxels = VOXELS.astype(np.float64)
    voxels[1, 2, 3] = 1e300
    image = SimpleITK.GetImageFromArray(voxels)
    SimpleITK.WriteImage(image, str(tmp_path / "a_T1w.mha"))
    found = read_volume(tmp_path / "a_T1w.mha")
    assert found.warnings == ("1 voxels are no numbers; set to the lowest value",)
    assert found.voxels.max() < 4096


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path):
    with pytest.raises(SeriesError, match=r"scan\.nii\.gz: no such file"):
        file_geometry(tmp_path / "scan.nii.gz")
