from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import gdcm
import numpy as np
import pydicom
import pydicom.encaps
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, JPEGLSLossless, RLELossless

from spinemri.dicom.headers import frames_of
from spinemri.dicom.load import load
from spinemri.dicom.scan import scan
from spinemri.dicom.values import lenient
from spinemri.errors import SeriesError
from spinemri.geometry import Geometry
from tests.dicom.series_builder import SeriesWriter, item, sagittal_geometry, unlike_voxels
from tests.strategies import geometries

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from spinemri.image import Image
    from spinemri.series import Series

GRID = sagittal_geometry()
VOXELS = unlike_voxels(GRID)


def only_series(folder: Path) -> Series:
    (study,) = scan(folder).studies
    (series,) = study.series
    return series


def written(folder: Path, **header: object) -> Image:
    SeriesWriter(folder, header=dict(header)).classic(GRID, VOXELS)
    return load(only_series(folder))


def refused(folder: Path) -> str:
    with pytest.raises(SeriesError) as caught:
        load(only_series(folder))
    message = str(caught.value)
    assert message.startswith("series 2: ")
    assert "\n" not in message
    assert str(folder) not in message
    assert "Secret" not in message
    return message


def edited(folder: Path, **changes: dict[int, object]) -> None:
    """Writes the standard series with attributes changed on single slices: keyword={slice: value or None}."""

    def edit(k: int, dataset: Dataset) -> None:
        for keyword, by_slice in changes.items():
            if k in by_slice and by_slice[k] is None:
                delattr(dataset, keyword)
            elif k in by_slice:
                setattr(dataset, keyword, by_slice[k])

    SeriesWriter(folder, edit=edit).classic(GRID, VOXELS)


def assert_same_points(image: Image, geometry: Geometry, voxels: np.ndarray, atol_mm: float = 1e-4) -> None:
    """Every written voxel lies at its point of the patient in the loaded image, with its value."""
    index = np.stack(np.meshgrid(*[np.arange(n) for n in geometry.shape], indexing="ij"), axis=-1).reshape(-1, 3)
    found = image.geometry.to_index(geometry.to_patient(index))
    nearest = np.rint(found).astype(int)
    assert np.abs(image.geometry.to_patient(nearest) - geometry.to_patient(index)).max() < atol_mm
    assert np.array_equal(image.voxels[tuple(nearest.T)], voxels.reshape(-1))


@settings(max_examples=20)
@given(geometries(), st.data())
def test_oblique_anisotropic_grids_come_back_point_for_point_in_any_file_order(grid: Geometry, data: st.DataObject):
    grid = Geometry((grid.shape[0], 9, 7), grid.spacing, grid.origin, grid.direction, grid.frame_of_reference_uid)
    order = data.draw(st.permutations(range(grid.shape[0])))
    voxels = unlike_voxels(grid)
    with TemporaryDirectory() as folder:
        SeriesWriter(Path(folder)).classic(grid, voxels, order)
        image = load(only_series(Path(folder)))
    assert image.voxels.dtype == np.uint16
    assert image.geometry.frame_of_reference_uid == grid.frame_of_reference_uid
    assert_same_points(image, grid, voxels)


@settings(max_examples=15)
@given(geometries(), st.data())
def test_enhanced_frames_come_back_point_for_point_in_any_frame_order(grid: Geometry, data: st.DataObject):
    grid = Geometry((grid.shape[0], 9, 7), grid.spacing, grid.origin, grid.direction, grid.frame_of_reference_uid)
    order = data.draw(st.permutations(range(grid.shape[0])))
    voxels = unlike_voxels(grid)
    with TemporaryDirectory() as folder:
        SeriesWriter(Path(folder)).enhanced(grid, voxels, order)
        image = load(only_series(Path(folder)))
    assert_same_points(image, grid, voxels)


@pytest.mark.parametrize("patient_position", ["HFS", "HFP", "FFS", "FFDR", ""])
def test_patient_position_changes_nothing(tmp_path: Path, patient_position: str):
    assert_same_points(written(tmp_path, PatientPosition=patient_position), GRID, VOXELS)


def test_instance_numbers_may_be_absent(tmp_path: Path):
    assert_same_points(written(tmp_path, InstanceNumber=None), GRID, VOXELS)


def test_non_ascii_and_long_paths_and_names(tmp_path: Path):
    folder = tmp_path / "Ärzte für Wirbelsäule 脊椎" / ("x" * 120)
    image = written(
        folder, PatientName="Müller^Jürgen", SpecificCharacterSet="ISO_IR 192", SeriesDescription="sag T1 für"
    )
    assert_same_points(image, GRID, VOXELS)


def test_spacing_comes_from_positions_not_from_the_header(tmp_path: Path):
    image = written(tmp_path, SpacingBetweenSlices=0.4, SliceThickness=4.0)
    assert image.geometry.spacing[0] == pytest.approx(4.4, abs=1e-5)
    assert "Spacing Between Slices says 0.40 mm, positions say 4.40 mm" in image.warnings[0]


def test_a_wide_gap_is_a_warning(tmp_path: Path):
    assert "slice gap of 47 % of the slice thickness" in " ".join(written(tmp_path, SliceThickness=3.0).warnings)


def test_each_slice_is_rescaled_with_its_own_slope(tmp_path: Path):
    slopes = {k: 1.0 + k / 4 for k in range(5)}
    edited(tmp_path, RescaleSlope=slopes, RescaleIntercept=dict.fromkeys(range(5), -10.0))
    image = load(only_series(tmp_path))
    assert image.voxels.dtype == np.float32
    expected = VOXELS * np.array([slopes[k] for k in range(5)])[:, None, None] - 10.0
    assert_same_points(image, GRID, expected.astype(np.float32))


def test_monochrome1_is_inverted(tmp_path: Path):
    image = written(tmp_path, PhotometricInterpretation="MONOCHROME1", BitsStored=12, HighBit=11)
    assert_same_points(image, GRID, 4095 - VOXELS)


def test_a_photometric_interpretation_that_is_a_sentence_is_not_repeated(tmp_path: Path):
    with lenient():
        edited(tmp_path, PhotometricInterpretation={2: "SMITH, MARY"})
    assert "Photometric Interpretation (MONOCHROME2, unknown)" in refused(tmp_path)


def test_mixed_photometric_interpretation_is_refused(tmp_path: Path):
    edited(tmp_path, PhotometricInterpretation={2: "MONOCHROME1"})
    assert "Photometric Interpretation (MONOCHROME1, MONOCHROME2)" in refused(tmp_path)


def test_signed_voxels_stay_signed(tmp_path: Path):
    voxels = VOXELS.astype(np.int16) - 2000
    SeriesWriter(tmp_path).classic(GRID, voxels)
    image = load(only_series(tmp_path))
    assert image.voxels.dtype == np.int16
    assert_same_points(image, GRID, voxels)


def test_bits_outside_the_stored_ones_are_not_signal(tmp_path: Path):
    SeriesWriter(tmp_path, header={"BitsStored": 12, "HighBit": 11}).classic(GRID, VOXELS | 0xA000)
    assert_same_points(load(only_series(tmp_path)), GRID, VOXELS)


def test_a_high_bit_above_the_stored_ones_is_shifted_down(tmp_path: Path):
    SeriesWriter(tmp_path, header={"BitsStored": 12, "HighBit": 15}).classic(GRID, (VOXELS << 4) | 0x5)
    assert_same_points(load(only_series(tmp_path)), GRID, VOXELS)


def test_padding_outside_the_range_becomes_the_lowest_value(tmp_path: Path):
    voxels = VOXELS.copy()
    voxels[:, 0, :] = 65535
    SeriesWriter(tmp_path, header={"PixelPaddingValue": 65535}).classic(GRID, voxels)
    assert_same_points(load(only_series(tmp_path)), GRID, np.where(voxels == 65535, VOXELS[:, 1:].min(), voxels))


def test_padding_value_within_the_range_is_signal(tmp_path: Path):
    assert_same_points(written(tmp_path, PixelPaddingValue=int(VOXELS[2, 3, 4])), GRID, VOXELS)


def test_exact_copies_are_dropped(tmp_path: Path):
    SeriesWriter(tmp_path / "a").classic(GRID, VOXELS)
    SeriesWriter(tmp_path / "b").classic(GRID, VOXELS, [3, 1])
    image = load(only_series(tmp_path))
    assert_same_points(image, GRID, VOXELS)
    assert "2 exact copies of slices dropped" in image.warnings


def test_different_images_at_one_position_are_refused(tmp_path: Path):
    SeriesWriter(tmp_path / "a").classic(GRID, VOXELS)
    SeriesWriter(tmp_path / "b").classic(GRID, VOXELS[::-1].copy(), [1])
    assert "2 different images at the position of slice" in refused(tmp_path)


def test_one_missing_slice_stays_empty_and_is_named(tmp_path: Path):
    SeriesWriter(tmp_path).classic(GRID, VOXELS, [4, 0, 3, 1])
    image = load(only_series(tmp_path))
    assert image.geometry.shape[0] == 5
    assert image.missing_slices == (2,)
    assert not image.voxels[2].any()
    assert "slice 3 of 5 is missing" in image.warnings[0]
    expected = VOXELS.copy()
    expected[2] = 0
    assert_same_points(image, GRID, expected)


@pytest.mark.parametrize("kept", [(0, 1, 2, 5, 6), (0, 1, 3, 5, 6, 7), (0, 2, 3)])
def test_more_than_one_missing_slice_or_too_few_to_tell_is_refused(tmp_path: Path, kept: tuple[int, ...]):
    grid = sagittal_geometry(slices=8)
    SeriesWriter(tmp_path).classic(grid, unlike_voxels(grid), list(kept))
    assert "slice positions are irregular: steps of 4.40 to" in refused(tmp_path)


@pytest.mark.parametrize(("shift_mm", "accepted"), [(0.05, True), (0.2, True), (0.35, False), (1.5, False)])
def test_jitter_along_the_normal_is_tolerated_up_to_five_percent(tmp_path: Path, shift_mm: float, *, accepted: bool):
    moved = GRID.to_patient((2, 0, 0)) + shift_mm * GRID.axes[:, 0]
    edited(tmp_path, ImagePositionPatient={2: [round(v, 5) for v in moved]})
    if accepted:
        assert load(only_series(tmp_path)).geometry.spacing[0] == pytest.approx(4.4, abs=1e-4)
    else:
        assert "irregular" in refused(tmp_path)


def test_sheared_stack_is_refused(tmp_path: Path):
    shear = {k: [round(v, 5) for v in GRID.to_patient((k, 0, 0)) + 0.5 * k * GRID.axes[:, 1]] for k in range(5)}
    edited(tmp_path, ImagePositionPatient=shear)
    assert "sheared stack, 2.0 mm" in refused(tmp_path)


@pytest.mark.parametrize("keyword", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"])
def test_missing_geometry_is_refused_and_nothing_assumed(tmp_path: Path, keyword: str):
    SeriesWriter(tmp_path, header={keyword: None}).classic(GRID, VOXELS)
    assert "no geometry" in (only_series(tmp_path).refusal or "")
    assert "no geometry: " in refused(tmp_path)


def test_skewed_image_axes_are_refused(tmp_path: Path):
    SeriesWriter(tmp_path, header={"ImageOrientationPatient": [0, 1, 0, 0, 0.3, -0.954]}).classic(GRID, VOXELS)
    assert "not two perpendicular unit vectors" in refused(tmp_path)


def test_different_matrix_is_refused(tmp_path: Path):
    def edit(k: int, dataset: Dataset) -> None:
        if k == 3:
            dataset.Rows, dataset.PixelData = 10, VOXELS[3, :10].tobytes()

    SeriesWriter(tmp_path, edit=edit).classic(GRID, VOXELS)
    assert "different matrix sizes (10 x 11, 14 x 11)" in refused(tmp_path)


def test_different_frames_of_reference_are_refused(tmp_path: Path):
    edited(tmp_path, FrameOfReferenceUID={1: "1.2.3"})
    assert "different frames of reference" in refused(tmp_path)


def test_one_truncated_slice_is_left_empty(tmp_path: Path):
    edited(tmp_path, PixelData={3: VOXELS[3].tobytes()[:-20]})
    image = load(only_series(tmp_path))
    lost = round(float(image.geometry.to_index(GRID.to_patient((3, 0, 0)))[0]))
    assert image.missing_slices == (lost,)
    assert f"slice {lost + 1} of 5: pixel data is truncated (288 of 308 bytes); left empty" in image.warnings


def test_truncated_copy_gives_way_to_the_whole_one(tmp_path: Path):
    SeriesWriter(tmp_path / "a").classic(GRID, VOXELS)
    (broken,) = SeriesWriter(tmp_path / "b").classic(GRID, VOXELS, [2])
    broken.write_bytes(broken.read_bytes()[:-40])
    image = load(only_series(tmp_path))
    assert image.missing_slices == ()
    assert_same_points(image, GRID, VOXELS)


@pytest.mark.parametrize("keyword_value", [{"PixelData": None}, {"PixelData": b"\x01\x02"}])
def test_series_without_whole_pixel_data_is_refused(tmp_path: Path, keyword_value: dict[str, object]):
    ((keyword, value),) = keyword_value.items()
    edited(tmp_path, **{keyword: dict.fromkeys(range(5), value)})
    assert "(all 5 slices)" in refused(tmp_path)


def test_two_truncated_slices_are_refused(tmp_path: Path):
    edited(tmp_path, PixelData={1: VOXELS[1].tobytes()[:-2], 3: VOXELS[3].tobytes()[:-2]})
    assert "2 of 5 slices are missing or damaged (pixel data is truncated (306 of 308 bytes))" in refused(tmp_path)


def test_truncated_multi_frame_file_is_refused(tmp_path: Path):
    path = SeriesWriter(tmp_path).enhanced(GRID, VOXELS)
    path.write_bytes(path.read_bytes()[: -2 * VOXELS[0].nbytes])
    assert "pixel data is truncated (924 of 1540 bytes)" in refused(tmp_path)


@pytest.mark.parametrize("value", [0, 700])
def test_constant_image_is_refused(tmp_path: Path, value: int):
    SeriesWriter(tmp_path).classic(GRID, np.full(GRID.shape, value, dtype=np.uint16))
    assert "all voxels have the same value" in refused(tmp_path)


def test_single_slice_can_be_loaded_but_is_not_measured(tmp_path: Path):
    SeriesWriter(tmp_path).classic(GRID, VOXELS, [2])
    series = only_series(tmp_path)
    assert "single slice" in (series.refusal or "")
    assert load(series).geometry.spacing[0] == pytest.approx(3.96)


def recoded(path: Path, syntax: str) -> None:
    dataset = pydicom.dcmread(path)
    if syntax in {RLELossless, JPEGLSLossless}:
        dataset.compress(syntax, generate_instance_uid=False)
        dataset.save_as(path)
        return
    swapped = syntax == ExplicitVRBigEndian
    if swapped:
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
    dataset.file_meta.TransferSyntaxUID = syntax
    pydicom.dcmwrite(path, dataset, implicit_vr=not swapped, little_endian=not swapped)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_transfer_syntaxes_decode_to_the_same_voxels(tmp_path: Path, syntax: str):
    for path in SeriesWriter(tmp_path).classic(GRID, VOXELS):
        recoded(path, syntax)
    assert_same_points(load(only_series(tmp_path)), GRID, VOXELS)


def to_jpeg_lossless(path: Path) -> None:
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()


def test_jpeg_lossless_decodes_and_its_truncation_is_noticed(tmp_path: Path):
    paths = SeriesWriter(tmp_path).classic(GRID, VOXELS)
    for path in paths:
        to_jpeg_lossless(path)
    assert_same_points(load(only_series(tmp_path)), GRID, VOXELS)
    for path in paths:
        path.write_bytes(path.read_bytes()[:-120])
    assert "pixel data" in refused(tmp_path)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.100", "1.2.3.4.5"])
def test_unknown_transfer_syntax_is_named_with_a_hint(tmp_path: Path, syntax: str):
    for path in SeriesWriter(tmp_path).classic(GRID, VOXELS):
        content = path.read_bytes()
        dataset = pydicom.dcmread(path)
        dataset.file_meta.TransferSyntaxUID = syntax
        if syntax.startswith("1.2.840"):
            dataset.PixelData = pydicom.encaps.encapsulate([dataset.PixelData])
            dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
            dataset.save_as(path)
        else:
            path.write_bytes(content.replace(b"1.2.840.10008.1.2.1\x00", syntax.encode().ljust(20, b"\x00")))
    message = refused(tmp_path)
    assert "unsupported transfer syntax" in message
    assert "decompress" in message


def test_enhanced_private_copies_of_the_position_are_not_believed(tmp_path: Path):
    def edit(_: int, frame: Dataset) -> None:
        block = frame.private_block(0x2005, "Philips MR Imaging DD 005", create=True)
        block.add_new(0x0F, "SQ", [item(ImagePositionPatient=[1, 2, 3], EchoTime=999)])

    SeriesWriter(tmp_path, edit=edit).enhanced(GRID, VOXELS)
    assert_same_points(load(only_series(tmp_path)), GRID, VOXELS)


def test_enhanced_frames_are_rescaled_one_by_one(tmp_path: Path):
    def edit(k: int, frame: Dataset) -> None:
        frame.PixelValueTransformationSequence = [item(RescaleSlope=2.0 + k, RescaleIntercept=0, RescaleType="US")]

    SeriesWriter(tmp_path, edit=edit).enhanced(GRID, VOXELS)
    expected = VOXELS * (2.0 + np.arange(5))[:, None, None]
    assert_same_points(load(only_series(tmp_path)), GRID, expected.astype(np.float32))


def test_several_frames_in_a_classic_object_are_refused(tmp_path: Path):
    two = VOXELS[:2].tobytes()
    SeriesWriter(tmp_path, header={"NumberOfFrames": 2, "PixelData": two}).classic(GRID, VOXELS)
    assert "several frames in a single-frame object (all 5 slices)" in refused(tmp_path)


def test_file_that_vanished_is_one_line(tmp_path: Path):
    (path, *_) = SeriesWriter(tmp_path).classic(GRID, VOXELS)
    series = only_series(tmp_path)
    path.unlink()
    with pytest.raises(SeriesError, match=r"^series 2: a file cannot be read \(FileNotFoundError\)$"):
        load(series)


@pytest.mark.parametrize("kind", ["classic", "enhanced"])
def test_what_loading_asks_of_a_header_is_what_the_whole_of_it_says(tmp_path: Path, kind: str):
    getattr(SeriesWriter(tmp_path), kind)(GRID, VOXELS)
    count = 0
    for path in sorted(tmp_path.iterdir()):
        dataset = pydicom.dcmread(path)
        for whole, stored in zip(frames_of(dataset, path), frames_of(dataset, path, whole=False), strict=True):
            assert stored.plane == whole.plane
            assert stored.plane.position is not None
            assert stored.sequence.image_type == whole.sequence.image_type != ()
            assert (stored.index, stored.transfer_syntax, stored.concatenation) == (
                *(whole.index, whole.transfer_syntax, whole.concatenation),
            )
            count += 1
    assert count == len(VOXELS)
