from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from spinemri.convert import reordered_grid
from spinemri.dicom.choose import choose, choose_study
from spinemri.dicom.scan import scan
from spinemri.errors import InputError
from spinemri.series import Contrast, Plane, Series, Study
from tests.dicom.series_builder import SeriesWriter, sagittal_geometry, unlike_voxels

if TYPE_CHECKING:
    from pathlib import Path

GRID = sagittal_geometry()
VOXELS = unlike_voxels(GRID)


def series(number: int, contrast: Contrast = Contrast.T1W, **facts: Any) -> Series:
    known = {"plane": Plane.SAGITTAL, "shape": (15, 384, 320), "spacing": (4.4, 0.7, 0.7), **facts}
    return Series(series_uid=f"1.{number}", number=number, contrast=contrast, **known)


def chosen(*found: Series) -> tuple[list[str], dict[str, str]]:
    used, refused = choose(Study(study_uid="1", series=found))
    assert len(used) + len(refused) == len(found)
    return [s.label for s in used], {s.label: reason for s, reason in refused}


def test_one_series_of_each_contrast_is_used():
    used, refused = chosen(series(2), series(3, Contrast.T2W), series(4, Contrast.STIR), series(5, Contrast.T1W_POST))
    assert used == ["2", "3", "4", "5"]
    assert refused == {}


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"plane": Plane.AXIAL}, "axial T1w series are not measured"),
        (
            {"plane": Plane.AXIAL, "contrast": Contrast.T2W},
            "axial slices are measured beside a sagittal series only",
        ),
        ({"plane": Plane.CORONAL}, "coronal series are not measured"),
        ({"contrast": Contrast.DWI, "contrast_reason": "a b-value"}, "contrast DWI is not measured (a b-value)"),
        ({"contrast": Contrast.DIXON_OPPOSED}, "contrast Dixon-opposed is not measured (unknown)"),
        ({"shape": (2, 384, 320)}, "fewer than 3 slices"),
        ({"refusal": "a localizer"}, "a localizer"),
    ],
)
def test_series_that_are_not_used_say_why(facts: dict[str, Any], reason: str):
    assert chosen(series(2, **facts)) == ([], {"2": reason})


def test_axial_t2w_stacks_are_used_beside_sagittal_series():
    axial = [series(5, Contrast.T2W, plane=Plane.AXIAL, stack=n, shape=(3 + n, 320, 320)) for n in range(3)]
    used, refused = chosen(*axial, series(2), series(3, Contrast.T2W), series(6, Contrast.STIR, plane=Plane.AXIAL))
    assert used == ["5", "5-1", "5-2", "2", "3"]
    assert refused == {"6": "axial STIR series are not measured"}


@pytest.mark.parametrize(
    ("worse", "better", "why"),
    [
        ({"spacing": (4.4, 1.0, 1.0)}, {}, "at better resolution"),
        ({"spacing": (6.0, 0.7, 0.7)}, {}, "with thinner slices"),
        ({"shape": (11, 384, 320)}, {}, "with more slices"),
        ({"shape": (3, 384, 320), "spacing": (4.4, 0.5, 0.5)}, {}, "with more slices"),
        ({"composed": True, "spacing": (4.4, 0.5, 0.5)}, {}, "not composed from stations"),
        ({"contrast_agent": "uncertain", "spacing": (4.4, 0.5, 0.5)}, {}, "without doubt about contrast agent"),
        ({"shape": (15, 300, 320)}, {}, "over a longer field"),
    ],
)
@pytest.mark.parametrize("swap", [False, True])
def test_the_better_of_two_alike_is_used(worse: dict[str, Any], better: dict[str, Any], why: str, *, swap: bool):
    numbers = (7, 3) if swap else (3, 7)
    pair = [series(numbers[0], **worse), series(numbers[1], **better)]
    used, refused = chosen(*(pair[::-1] if swap else pair))
    assert used == [str(numbers[1])]
    assert refused == {str(numbers[0]): f"series {numbers[1]} shows the same contrast {why}"}


def test_equal_series_go_by_number():
    assert chosen(series(9), series(4)) == (["4"], {"9": "series 4 shows the same contrast"})


def write(folder: Path, **identity: Any) -> None:
    header = identity.pop("header", {})
    SeriesWriter(folder, header=header, **identity).classic(GRID, VOXELS)


def test_empty_folder_and_folder_without_mr(tmp_path: Path):
    with pytest.raises(InputError, match=r"^no DICOM found in the folder \(0 files looked at\)$"):
        choose_study(scan(tmp_path))
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(InputError, match=r"\(1 file looked at\)"):
        choose_study(scan(tmp_path))
    write(tmp_path, header={"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"})
    with pytest.raises(InputError, match=r"^no MR image found in .* no MR image: CT Image Storage$"):
        choose_study(scan(tmp_path))


def test_two_patients_are_never_mixed(tmp_path: Path):
    write(tmp_path / "x" / "t1", patient="ID7")
    write(tmp_path / "y" / "t1", patient="ID8", study="1.8", series="1.8.1")
    inventory = scan(tmp_path)
    with pytest.raises(InputError, match=r"^2 patients in one folder") as caught:
        choose_study(inventory)
    assert "(1: 1 series T1w, 2: 1 series T1w)" in str(caught.value)
    assert "ID7" not in str(caught.value)
    by_id, by_number = choose_study(inventory, "ID8")[0], [choose_study(inventory, n)[0] for n in "12"]
    assert by_id.study_uid == "1.8"
    assert {study.study_uid for study in by_number} == {"1.8", "1.2.826.0.1.1"}
    for unknown in ("3", "ID9"):
        with pytest.raises(InputError, match=r"^no such patient"):
            choose_study(inventory, unknown)


def test_one_study_uid_on_two_patients_is_two_patients(tmp_path: Path):
    write(tmp_path / "x", patient="A")
    write(tmp_path / "y", patient="B")
    with pytest.raises(InputError, match=r"^2 patients"):
        choose_study(scan(tmp_path))


def test_patients_without_id_are_told_apart_by_name_and_else_by_study(tmp_path: Path):
    write(tmp_path / "x", header={"PatientID": "", "PatientName": "A^B"})
    write(tmp_path / "y", header={"PatientID": "", "PatientName": "a^b^"}, series="1.9")
    assert len(choose_study(scan(tmp_path))[0].series) == 2
    for folder, study in (("x", "1.8"), ("y", "1.9")):
        write(tmp_path / folder, header={"PatientID": None, "PatientName": None}, study=study, series=f"{study}.1")
    with pytest.raises(InputError, match=r"^2 patients"):
        choose_study(scan(tmp_path))


def test_the_issuer_tells_equal_ids_apart(tmp_path: Path):
    write(tmp_path / "x", header={"IssuerOfPatientID": "Hospital A"})
    write(tmp_path / "y", header={"IssuerOfPatientID": "Hospital B"}, series="1.9", study="1.8")
    with pytest.raises(InputError, match=r"^2 patients"):
        choose_study(scan(tmp_path))


def test_of_two_studies_the_newest_is_read_and_the_other_named(tmp_path: Path):
    write(tmp_path / "old", study="1.9", series="1.9.1")
    write(tmp_path / "new", study="1.8", series="1.8.1", header={"StudyDate": "20200301"})
    study, warnings = choose_study(scan(tmp_path))
    assert study.study_uid == "1.8"
    assert warnings == ("2 studies of this patient: the newest is read; not read: one 60 days earlier (1 series)",)


def test_the_newest_study_without_sagittal_series_gives_way(tmp_path: Path):
    write(tmp_path / "old", study="1.9", series="1.9.1")
    write(
        tmp_path / "new", study="1.8", series="1.8.1", header={"StudyDate": "", "ImageType": ["DERIVED", "SECONDARY"]}
    )
    study, warnings = choose_study(scan(tmp_path))
    assert study.study_uid == "1.9"
    assert "one of unknown date (1 series)" in warnings[0]


def test_no_sagittal_series(tmp_path: Path):
    axial = reordered_grid(GRID, (1, 0, 2))
    SeriesWriter(tmp_path).classic(axial, unlike_voxels(axial))
    with pytest.raises(InputError, match=r"^no sagittal series: series 2: axial T1w series are not measured$"):
        choose_study(scan(tmp_path))


def test_localizer_only(tmp_path: Path):
    write(tmp_path, header={"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]})
    with pytest.raises(InputError, match=r"^localizer only: numbering possible, no measurement$"):
        choose_study(scan(tmp_path))
