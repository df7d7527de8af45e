from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest
import SimpleITK

from spinemri.convert import reordered_grid
from spinemri.dicom.load import load
from spinemri.dicom.scan import scan
from spinemri.errors import InputError
from spinemri.geometry import Geometry
from spinemri.series import Contrast, Plane
from tests.dicom.series_builder import SeriesWriter, item, sagittal_geometry, unlike_voxels

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from spinemri.series import Inventory, Series

GRID = sagittal_geometry()
VOXELS = unlike_voxels(GRID)
AXIAL = reordered_grid(GRID, (1, 0, 2))


def series_of(inventory: Inventory) -> tuple[Series, ...]:
    (study,) = inventory.studies
    return study.series


def one(folder: Path, preset: str = "T1w", **header: Any) -> Series:
    SeriesWriter(folder, preset=preset, header=header).classic(GRID, VOXELS)
    (series,) = series_of(scan(folder))
    return series


def test_empty_folder_has_nothing_and_a_missing_one_is_an_error(tmp_path: Path):
    assert scan(tmp_path).studies == ()
    with pytest.raises(InputError, match=r"^nowhere: no such folder$"):
        scan(tmp_path / "nowhere")


def test_header_facts_of_a_series(tmp_path: Path):
    series = one(tmp_path, "STIR")
    assert (series.contrast, series.plane, series.region) == (Contrast.STIR, Plane.SAGITTAL, "lumbar")
    assert series.shape == (5, 14, 11)
    assert series.spacing == pytest.approx((4.4, 0.7, 0.8), abs=1e-5)
    assert series.obliquity_deg == pytest.approx(7.2, abs=0.1)
    assert (series.repetition_time_ms, series.echo_time_ms, series.inversion_time_ms) == (4200, 58, 160)
    assert (series.source, series.refusal, series.warnings) == ("dicom", None, ())


@pytest.mark.parametrize("preset", ["T1w", "T2w", "STIR"])
@pytest.mark.parametrize("enhanced", [False, True])
def test_contrast_without_series_description_and_protocol_name(tmp_path: Path, preset: str, *, enhanced: bool):
    writer = SeriesWriter(tmp_path, preset=preset, header={"SeriesDescription": None, "ProtocolName": None})
    writer.enhanced(GRID, VOXELS) if enhanced else writer.classic(GRID, VOXELS)
    (series,) = series_of(scan(tmp_path))
    assert series.contrast.value == preset
    assert series.description == ""
    assert series.shape == (5, 14, 11)


def test_every_odd_file_is_skipped_with_a_reason(tmp_path: Path):
    SeriesWriter(tmp_path / "a" / "b").classic(GRID, VOXELS)
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / ".DS_Store").write_bytes(b"\x00\x00\x00\x01Bud1")
    (tmp_path / "empty").touch()
    (tmp_path / "DICOMDIR").write_bytes(b"\x00" * 128 + b"DICM" + b"\x00" * 10)
    (tmp_path / "report.pdf").write_bytes(b"%PDF-1.7 ...")
    (tmp_path / "garbage").write_bytes(b"\x08\x00" + np.random.default_rng(1).bytes(500))
    (tmp_path / "cut").write_bytes(b"\x00" * 128 + b"DICM" + b"\x02\x00\x00")
    (tmp_path / "broken link").symlink_to(tmp_path / "gone")
    inventory = scan(tmp_path)
    assert len(series_of(inventory)) == 1
    reasons = {skipped.path: skipped.reason for skipped in inventory.skipped}
    assert set(reasons) == {
        "notes.txt", ".DS_Store", "empty", "DICOMDIR", "report.pdf", "garbage", "cut", "broken link",
    }  # fmt: skip
    assert reasons["notes.txt"] == "not DICOM"
    assert reasons["DICOMDIR"].startswith("DICOMDIR")
    assert reasons["empty"] == "empty file"
    assert reasons["broken link"] == "not a readable file"
    assert inventory.files_seen == 13


@pytest.mark.parametrize(
    ("sop_class", "reason"),
    [
        ("1.2.840.10008.5.1.4.1.1.2", "no MR image: CT Image Storage"),
        ("1.2.840.10008.5.1.4.1.1.7", "no MR image: Secondary Capture Image Storage"),
        ("1.2.840.10008.5.1.4.1.1.4.2", "no MR image: MR Spectroscopy Storage"),
        ("1.2.3", "no MR image: unknown SOP Class"),
    ],
)
def test_other_kinds_of_dicom_are_named(tmp_path: Path, sop_class: str, reason: str):
    SeriesWriter(tmp_path, header={"SOPClassUID": sop_class}).classic(GRID, VOXELS, [0])
    inventory = scan(tmp_path)
    assert inventory.studies == ()
    assert [skipped.reason for skipped in inventory.skipped] == [reason]


def test_files_without_preamble_are_read_if_they_are_images(tmp_path: Path):
    for path in SeriesWriter(tmp_path).classic(GRID, VOXELS):
        dataset = pydicom.dcmread(path)
        del dataset.file_meta
        dataset.preamble = None
        pydicom.dcmwrite(path, dataset, implicit_vr=True, little_endian=True, enforce_file_format=False)
        assert path.read_bytes()[:2] == b"\x08\x00"
    (series,) = series_of(scan(tmp_path))
    assert np.array_equal(load(series).voxels, VOXELS)


def test_links_are_followed_once_and_loops_end(tmp_path: Path):
    SeriesWriter(tmp_path / "outside").classic(GRID, VOXELS)
    inside = tmp_path / "study"
    inside.mkdir()
    (inside / "here").symlink_to(tmp_path / "outside")
    (inside / "there").symlink_to(tmp_path / "outside")
    (inside / "loop").symlink_to(inside)
    inventory = scan(inside)
    assert inventory.files_seen == 5
    assert series_of(inventory)[0].shape == (5, 14, 11)


def test_progress_reaches_the_number_of_files(tmp_path: Path):
    SeriesWriter(tmp_path).classic(GRID, VOXELS)
    seen: list[tuple[int, int]] = []
    scan(tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(n, 5) for n in range(1, 6)]


def test_the_inventory_does_not_depend_on_file_names(tmp_path: Path):
    for folder, order in (("a", [0, 1, 2, 3, 4]), ("b", [3, 1, 4, 0, 2])):
        SeriesWriter(tmp_path / folder).classic(GRID, VOXELS, order)
        SeriesWriter(tmp_path / folder / "x", series="1.9", number=1, preset="T2w").classic(AXIAL, unlike_voxels(AXIAL))
    studies = [scan(tmp_path / folder).studies for folder in "ab"]
    plain = [[s.model_dump(exclude={"files"}) for s in study[0].series] for study in studies]
    assert plain[0] == plain[1]
    assert [s["number"] for s in plain[0]] == [1, 2]


def test_no_name_id_or_path_in_the_inventory(tmp_path: Path):
    SeriesWriter(tmp_path, patient="ID-4711").classic(GRID, VOXELS)
    dumped = scan(tmp_path).model_dump_json()
    assert not [word for word in ("4711", "Secret", "19600101", "20200101", str(tmp_path)) if word in dumped]


@pytest.mark.parametrize(("age", "years"), [("059Y", 59), ("006M", 0.5), ("", 60), (None, 60)])
def test_age(tmp_path: Path, age: str | None, years: float):
    SeriesWriter(tmp_path, header={"PatientAge": age}).classic(GRID, VOXELS, [0])
    assert scan(tmp_path).studies[0].patient_age_years == years


def test_age_is_unknown_without_birth_date(tmp_path: Path):
    SeriesWriter(tmp_path, header={"PatientAge": None, "PatientBirthDate": ""}).classic(GRID, VOXELS, [0])
    assert scan(tmp_path).studies[0].patient_age_years is None


@pytest.mark.parametrize(
    ("header", "refusal"),
    [
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
        ({"SeriesDescription": "Survey_32ch"}, "localizer"),
        ({"ImageType": ["DERIVED", "SECONDARY", "M"]}, "derived or secondary"),
        ({"ImageType": ["DERIVED", "SECONDARY", "MPR"]}, "reformatted"),
        ({"ImageType": ["DERIVED", "SECONDARY", "MIP"]}, "projection"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]}, "mosaic"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]}, "phase"),
        ({"ImageType": ["DERIVED", "PRIMARY", "T2 MAP"]}, "calculated map"),
        ({"BurnedInAnnotation": "YES"}, "burned"),
    ],
)
def test_series_that_must_not_be_measured(tmp_path: Path, header: dict[str, Any], refusal: str):
    assert refusal in (one(tmp_path, **header).refusal or "")


@pytest.mark.parametrize(
    "image_type",
    [["DERIVED", "PRIMARY", "DIXON", "WATER"], ["DERIVED", "SECONDARY", "COMPOSED"], ["ORIGINAL", "PRIMARY"]],
)
def test_dixon_and_composed_images_are_not_refused_as_derived(tmp_path: Path, image_type: list[str]):
    series = one(tmp_path, ImageType=image_type)
    assert series.refusal is None
    assert series.composed is ("COMPOSED" in image_type)


def test_a_contradicting_name_is_a_warning(tmp_path: Path):
    series = one(tmp_path, "STIR", SeriesDescription="T2_TSE_SAG", ProtocolName="L2-S")
    assert series.contrast is Contrast.STIR
    assert any("the name says T2w, the header says STIR" in warning for warning in series.warnings)


def test_post_contrast_needs_the_time_after_a_plain_series(tmp_path: Path):
    agent = {"ContrastBolusAgent": "Gd", "SeriesDescription": None, "ProtocolName": None}
    SeriesWriter(tmp_path / "1", series="1.1", number=1, preset="T2w").classic(GRID, VOXELS)
    SeriesWriter(tmp_path / "2", series="1.2", number=2, header=agent).classic(GRID, VOXELS)
    early, late = series_of(scan(tmp_path))
    assert (early.contrast_agent, late.contrast, late.contrast_agent) == ("none", Contrast.T1W_POST, "given")
    (copied,) = series_of(scan(tmp_path / "2"))
    assert (copied.contrast, copied.contrast_agent) == (Contrast.T1W, "uncertain")
    assert any("contrast agent uncertain" in warning for warning in copied.warnings)


def stacks_of(folder: Path) -> list[Series]:
    series = series_of(scan(folder))
    assert [s.stack for s in series] == list(range(len(series)))
    assert len({s.series_uid for s in series}) == 1
    return list(series)


@pytest.mark.parametrize(
    "second",
    [
        {"EchoTime": 40},
        {"ImageType": ["ORIGINAL", "PRIMARY", "M", "WATER"]},
        {"DiffusionBValue": 600.0},
        {"TemporalPositionIdentifier": 2},
        {"AcquisitionNumber": 2},
    ],
)
def test_one_series_with_two_volumes_is_split(tmp_path: Path, second: dict[str, Any]):
    first = {"TemporalPositionIdentifier": 1}
    SeriesWriter(tmp_path / "a", header=first).classic(GRID, VOXELS)
    SeriesWriter(tmp_path / "b", header={**first, **second}).classic(GRID, VOXELS[::-1].copy())
    stacks = stacks_of(tmp_path)
    assert [s.shape for s in stacks] == [(5, 14, 11)] * 2
    loaded = [load(s).voxels for s in stacks]
    assert any(np.array_equal(loaded[0], v) for v in (VOXELS, VOXELS[::-1]))
    assert np.array_equal(loaded[0], loaded[1][::-1])


def test_orientations_of_one_series_are_split(tmp_path: Path):
    SeriesWriter(tmp_path / "a").classic(GRID, VOXELS)
    SeriesWriter(tmp_path / "b").classic(AXIAL, unlike_voxels(AXIAL))
    stacks = stacks_of(tmp_path)
    assert {s.plane for s in stacks} == {Plane.SAGITTAL, Plane.AXIAL}
    assert {s.shape for s in stacks} == {GRID.shape, AXIAL.shape}


def test_cervical_and_lumbar_blocks_of_one_series_are_split(tmp_path: Path):
    lower = sagittal_geometry(origin=tuple(GRID.to_patient((0, 400, 0)).tolist()))
    SeriesWriter(tmp_path / "a").classic(GRID, VOXELS)
    SeriesWriter(tmp_path / "b").classic(lower, VOXELS[:, ::-1].copy())
    assert [s.shape for s in stacks_of(tmp_path)] == [(5, 14, 11)] * 2


def test_interleaved_acquisitions_stay_one_volume(tmp_path: Path):
    def edit(k: int, dataset: Dataset) -> None:
        dataset.AcquisitionNumber = 1 + k % 2

    SeriesWriter(tmp_path, edit=edit).classic(GRID, VOXELS)
    assert [s.shape for s in stacks_of(tmp_path)] == [(5, 14, 11)]


def test_three_plane_localizer_is_refused(tmp_path: Path):
    for n, order in enumerate([(0, 1, 2), (1, 0, 2), (2, 1, 0)]):
        grid = reordered_grid(GRID, order)
        SeriesWriter(tmp_path / str(n), header={"SeriesDescription": None, "ProtocolName": None}).classic(
            grid, unlike_voxels(grid), [0]
        )
    stacks = stacks_of(tmp_path)
    assert len(stacks) == 3
    assert all("localizer" in (s.refusal or "") for s in stacks)


def test_three_angled_axial_blocks_of_three_slices_are_no_localizer(tmp_path: Path):
    for n, degrees in enumerate((-15.0, 0.0, 20.0)):
        tilt = np.deg2rad(degrees)
        rows, normal = (0.0, np.cos(tilt), np.sin(tilt)), (0.0, -np.sin(tilt), np.cos(tilt))
        columns = np.stack([normal, rows, (1.0, 0.0, 0.0)], axis=1)
        grid = Geometry((3, 12, 14), (4.0, 0.9, 0.7), (0.0, 0.0, 40.0 * n), tuple(columns.ravel().tolist()))
        names = {"SeriesDescription": None, "ProtocolName": None}
        SeriesWriter(tmp_path / str(n), header=names).classic(grid, unlike_voxels(grid))
    stacks = stacks_of(tmp_path)
    assert [(s.plane, s.shape, s.refusal) for s in stacks] == [(Plane.AXIAL, (3, 12, 14), None)] * 3


def test_enhanced_stacks_echoes_and_times_are_split(tmp_path: Path):
    grid = sagittal_geometry(slices=12)
    voxels = unlike_voxels(grid)

    def edit(k: int, frame: Dataset) -> None:
        frame.PlanePositionSequence[0].ImagePositionPatient = [round(v, 6) for v in grid.to_patient((k % 3, 0, 0))]
        frame.MREchoSequence[0].EffectiveEchoTime = 10.0 if k < 6 else 20.0
        frame.FrameContentSequence[0].TemporalPositionIndex = 1 + k // 3 % 2

    SeriesWriter(tmp_path, edit=edit).enhanced(grid, voxels)
    stacks = stacks_of(tmp_path)
    assert [s.echo_time_ms for s in stacks] == [10, 10, 20, 20]
    for n, series in enumerate(stacks):
        assert sorted(series.files[0].frames) == [3 * n, 3 * n + 1, 3 * n + 2]
        found = load(series).voxels
        assert np.array_equal(found, voxels[3 * n : 3 * n + 3])


def test_incomplete_concatenation_names_the_missing_part(tmp_path: Path):
    part = {"ConcatenationUID": "1.5", "InConcatenationNumber": 1, "InConcatenationTotalNumber": 2}
    SeriesWriter(tmp_path, header=part).enhanced(GRID, VOXELS, [0, 1, 2])
    assert series_of(scan(tmp_path))[0].refusal == "part 2 of 2 of a concatenation is missing"
    SeriesWriter(tmp_path, header={**part, "InConcatenationNumber": 2}).enhanced(GRID, VOXELS, [3, 4], "second.dcm")
    (series,) = series_of(scan(tmp_path))
    assert series.refusal is None
    assert np.array_equal(load(series).voxels, VOXELS)


def test_enhanced_physics_from_functional_groups(tmp_path: Path):
    def edit(_: int, frame: Dataset) -> None:
        frame.MRDiffusionSequence = [item(DiffusionBValue=800.0)]

    SeriesWriter(tmp_path, edit=edit).enhanced(GRID, VOXELS)
    assert series_of(scan(tmp_path))[0].contrast is Contrast.DWI


def test_flat_folder_of_volumes_is_grouped_by_name(tmp_path: Path):
    for name in (
        "17_t1.mha",
        "17_t2.mha",
        "18_stir.nrrd",
        "sub-03_ses-1_T1w.nii.gz",
        "sub-03_ses-1_acq-stir_T2w.nii.gz",
    ):
        write_volume(tmp_path / name)
    write_volume(tmp_path / "17_t1_seg.mha")
    inventory = scan(tmp_path)
    found = {tuple(s.contrast for s in study.series) for study in inventory.studies}
    assert found == {
        (Contrast.T1W, Contrast.T2W), (Contrast.STIR,), (Contrast.T1W, Contrast.STIR),
    }  # fmt: skip
    assert {s.source for study in inventory.studies for s in study.series} == {"mha", "nrrd", "nifti"}
    assert [s.reason for s in inventory.skipped] == ["a label map, not an image"]


def test_contrast_of_volumes_can_be_given(tmp_path: Path):
    write_volume(tmp_path / "case.nii.gz")
    assert "contrast is not known" in (series_of(scan(tmp_path))[0].refusal or "")
    (series,) = series_of(scan(tmp_path, contrast=Contrast.T2W))
    assert (series.contrast, series.refusal) == (Contrast.T2W, None)


def test_volumes_beside_dicom_are_left_aside(tmp_path: Path):
    SeriesWriter(tmp_path / "dicom").classic(GRID, VOXELS)
    write_volume(tmp_path / "converted_T1w.nii.gz")
    inventory = scan(tmp_path)
    assert [s.source for s in series_of(inventory)] == ["dicom"]
    assert [s.reason for s in inventory.skipped] == ["volume file beside DICOM; the DICOM is read"]


def test_series_without_a_number_of_their_own_get_one(tmp_path: Path):
    for n, number in enumerate((4, 4, None, 7)):
        SeriesWriter(tmp_path / str(n), series=f"1.{n}", header={"SeriesNumber": number}).classic(GRID, VOXELS)
    found = series_of(scan(tmp_path))
    assert [s.label for s in found] == ["4", "8", "7", "9"]
    remarks = {s.label: s.warnings for s in found}
    assert remarks["4"] == remarks["7"] == ()
    assert remarks["8"] == ("Series Number is used twice (4); this series is called 8",)
    assert remarks["9"] == ("Series Number is missing; this series is called 9",)


def test_file_names_that_are_no_text_can_be_reported(tmp_path: Path):
    (tmp_path / os.fsdecode(b"M\xfcller.txt")).write_text("x")
    inventory = scan(tmp_path)
    assert inventory.skipped[0].path == "M\ufffdller.txt"
    assert "ller.txt" in inventory.model_dump_json()


def test_relative_folder_gives_absolute_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    SeriesWriter(tmp_path / "x").classic(GRID, VOXELS)
    monkeypatch.chdir(tmp_path)
    inventory = scan(Path())
    assert all(file.path.is_absolute() for file in series_of(inventory)[0].files)


def test_a_single_file_can_be_scanned(tmp_path: Path):
    write_volume(tmp_path / "a_T1w.nii.gz")
    write_volume(tmp_path / "b_T1w.nii.gz")
    inventory = scan(tmp_path / "a_T1w.nii.gz")
    assert (len(series_of(inventory)), inventory.root) == (1, tmp_path)


def write_volume(path: Path) -> None:
    image = SimpleITK.GetImageFromArray(VOXELS)
    image.SetSpacing((0.8, 0.7, 4.4))
    image.SetDirection(GRID.axes[:, ::-1].ravel().tolist())
    SimpleITK.WriteImage(image, str(path))
