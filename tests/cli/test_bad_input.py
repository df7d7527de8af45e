"""Bad input ends with one line that says what was found, exit code 2, and not a trace of a result.

Every study here carries a name, an ID, a birth date and UIDs that no message may repeat, below a folder that no message
may name.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest

from spinemri.convert import reordered_grid
from spinemri.segment.bundle import METADATA, WEIGHTS, bundle_path, file_sha256
from tests.cli.command import run
from tests.dicom.series_builder import SeriesWriter, sagittal_geometry, unlike_voxels

ROOT = Path(__file__).resolve().parents[2]
GRID = sagittal_geometry()
VOXELS = unlike_voxels(GRID)
MARKERS = ("MUSTERMANN", "PID4711", "19471103", "1.2.826.0.4711")
NAMED = {
    "PatientName": "MUSTERMANN^HANS",
    "PatientBirthDate": "19471103",
    "SeriesDescription": "sag T1 MUSTERMANN",
    "ProtocolName": "MUSTERMANN PID4711",
}


def writer(folder: Path, person: str = "PID4711", **header: object) -> SeriesWriter:
    uid = f"1.2.826.0.4711.{sum(map(ord, person))}"
    return SeriesWriter(folder, patient=person, study=uid, series=f"{uid}.2", header={**NAMED, **header})


def good(study: Path) -> None:
    writer(study).classic(GRID, VOXELS)


def nothing(study: Path) -> None:
    """The folder is not made at all."""


def only_other_files(study: Path) -> None:
    study.mkdir()
    (study / "MUSTERMANN.pdf").write_bytes(b"%PDF-1.7")


def no_mr(study: Path) -> None:
    writer(study / "ct", SOPClassUID="1.2.840.10008.5.1.4.1.1.2").classic(GRID, VOXELS)
    writer(study / "sc", SOPClassUID="1.2.840.10008.5.1.4.1.1.7").classic(GRID, VOXELS, [0])


def axial(study: Path) -> None:
    grid = reordered_grid(GRID, (1, 0, 2))
    writer(study).classic(grid, unlike_voxels(grid))


def no_geometry(study: Path) -> None:
    writer(study, ImagePositionPatient=None).classic(GRID, VOXELS)


def truncated(study: Path) -> None:
    for path in writer(study).classic(GRID, VOXELS):
        path.write_bytes(path.read_bytes()[:-100])


def unknown_transfer_syntax(study: Path) -> None:
    for path in writer(study).classic(GRID, VOXELS):
        dataset = pydicom.dcmread(path)
        dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.100"
        dataset.PixelData = pydicom.encaps.encapsulate([dataset.PixelData])
        dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
        dataset.save_as(path)


def garbage(study: Path) -> None:
    study.mkdir()
    (study / "IM0001").write_bytes(b"\x00" * 128 + b"DICM" + b"MUSTERMANN" * 40)


def two_patients(study: Path) -> None:
    writer(study / "one").classic(GRID, VOXELS)
    writer(study / "two", "PID4711B").classic(GRID, VOXELS)


def damaged_volume(study: Path) -> None:
    study.mkdir()
    (study / "17_t1.nii.gz").write_bytes(b"\x1f\x8b MUSTERMANN")


NO_STUDY = [
    (nothing, r"study: no such folder"),
    (Path.mkdir, r"no DICOM found in the folder \(0 files looked at\)"),
    (only_other_files, r"no DICOM found in the folder \(1 file looked at\)"),
    (no_mr, r"no MR image found in the folder .*: no MR image: CT Image Storage; no MR image: Secondary Capture"),
    (garbage, r"no MR image found in the folder \(1 file looked at\): (damaged DICOM header|no MR image: no SOP)"),
]
UNUSABLE = [
    (axial, r"no sagittal series: series 2: axial T1w series"),
    (no_geometry, r"series 2: .*(position|Position|geometry)"),
    (truncated, r"series 2: .*(truncated|EOF|cannot be read)"),
    (unknown_transfer_syntax, r"series 2: unsupported transfer syntax .* decompress"),
    (two_patients, r"2 patients in one folder \(1: 1 series T1w, 2: .*\); name one with --patient"),
    (damaged_volume, r"no sagittal series: series 1: .*cannot be read"),
]


@pytest.fixture
def study(tmp_path, monkeypatch) -> Path:
    """Where a case puts its study; the working directory is the folder above, which is named after the patient."""
    folder = tmp_path / "MUSTERMANN_19471103"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder / "study"


def assert_refused(*arguments: object, because: str) -> None:
    """One line of error, code 2, no identifier, no absolute path, and no file more or less than before."""
    before = sorted(Path().rglob("*"))
    outcome = run(*arguments)
    assert re.search(because, outcome.err), outcome.err
    assert outcome.code == 2
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1
    assert outcome.out == ""
    for marker in (*MARKERS, str(Path().absolute()), str(ROOT)):
        assert marker not in outcome.err
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize(("make", "because"), NO_STUDY + UNUSABLE, ids=lambda value: getattr(value, "__name__", ""))
def test_analyze_refuses_the_study(study, make, because):
    make(study)
    assert_refused("analyze", study, "-o", "out", because=because)


@pytest.mark.parametrize(("make", "because"), NO_STUDY, ids=lambda value: getattr(value, "__name__", ""))
def test_scan_refuses_a_folder_without_mr(study, make, because):
    make(study)
    assert_refused("scan", study, because=because)


@pytest.mark.parametrize("make", [make for make, _ in UNUSABLE])
def test_scan_lists_what_analyze_refuses_and_names_nobody(study, make):
    make(study)
    outcome = run("scan", study, "--skipped")
    assert (outcome.code, outcome.err) == (0, "")
    assert "study 1 of" in outcome.out
    assert not [marker for marker in (*MARKERS, str(study.parent)) if marker in outcome.out]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="nothing is forbidden to this user")
def test_a_folder_without_permission_is_refused(study):
    good(study)
    study.chmod(0)
    try:
        assert_refused("analyze", study, "-o", "out", because="cannot be read")
    finally:
        study.chmod(0o700)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="nothing is forbidden to this user")
def test_an_output_folder_without_permission_is_refused(study):
    good(study)
    locked = Path("locked")
    locked.mkdir(0o500)
    assert_refused("analyze", study, "-o", locked / "out", because="cannot be written")


def test_output_that_exists_is_refused_and_left_alone(study):
    good(study)
    (study.parent / "out").mkdir()
    (study.parent / "out" / "thesis.txt").write_text("years of work")
    for options in ((), ("--overwrite",)):
        assert_refused("analyze", study, "-o", "out", *options, because=r"out: (exists and is not|holds files)")
    assert (study.parent / "out" / "thesis.txt").read_text() == "years of work"


def test_a_file_in_the_place_of_the_output_or_of_its_parent_is_refused(study):
    good(study)
    Path("file").write_text("x")
    assert_refused("analyze", study, "-o", "file", because="a file of this name exists")
    assert_refused("analyze", study, "-o", "file/out", because="cannot be written")
    assert_refused("phantom", "-o", "file/out", because="cannot be written")
    assert_refused("phantom", "-o", "study", because="study: exists and is not empty")


@pytest.mark.parametrize("model", ["no_such_model", "models/none"])
def test_a_model_that_is_not_there_is_refused(study, model):
    good(study)
    assert_refused("analyze", study, "-o", "out", "--model", model, because=rf"{Path(model).name}.*(no such|not exist)")


def flipped_byte(bundle: Path) -> None:
    weights = bundle / WEIGHTS
    content = bytearray(weights.read_bytes())
    content[len(content) // 3] ^= 1
    weights.write_bytes(content)


def cut_weights_with_their_own_checksum(bundle: Path) -> None:
    weights, metadata = bundle / WEIGHTS, bundle / METADATA
    weights.write_bytes(weights.read_bytes()[:5000])
    content = json.loads(metadata.read_text())
    content["spinemri"]["weights_sha256"] = file_sha256(weights)
    metadata.write_text(json.dumps(content))


def broken_json(bundle: Path) -> None:
    (bundle / METADATA).write_text('{"version": ')


@pytest.mark.parametrize(
    ("spoil", "because"),
    [
        (flipped_byte, "checksum"),
        (cut_weights_with_their_own_checksum, "weights cannot be read"),
        (broken_json, r"metadata\.json cannot be read as JSON"),
        (lambda bundle: (bundle / WEIGHTS).unlink(), r"model\.pt is missing"),
    ],
)
def test_a_corrupt_model_is_refused(study, spoil, because):
    good(study)
    spoil(Path(shutil.copytree(bundle_path(), "bundle")))
    assert_refused("analyze", study, "-o", "out", "--model", "bundle", because=rf"^error: model bundle: .*{because}")


@pytest.mark.parametrize(
    ("option", "value", "because"),
    [
        ("--contrast", "T9w", r"contrast 'T9w': expected one of T1w, T2w, STIR"),
        ("--anchor", "L5", r"anchor 'L5': expected LEVEL=N such as L5=2"),
        ("--anchor", "X9=2", r"X9"),
        ("--anchor", "V2=1", r"anchor 'V2=1': expected a true level"),
        ("--device", "warp", r"device 'warp' is not available here"),
        ("--device", "cuda:99", r"device 'cuda:99' is not available here"),
        ("--patient", "9", r"no such patient"),
        ("--token-key", "out/key", r"token key key: must not lie in the output folder"),
        ("--token-key", "study", r"token key study: Is a directory"),
    ],
)
def test_an_option_without_sense_is_refused(study, option, value, because):
    good(study)
    assert_refused("analyze", study, "-o", "out", option, value, because=because)


@pytest.mark.parametrize("make", [damaged_volume, garbage])
def test_a_process_of_its_own_says_no_more_than_that_line(study, make, tmp_path_factory):
    """Libraries print around Python's streams; the exit code is what a shell sees."""
    make(study)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(tmp_path_factory.mktemp("key"))}
    command = [sys.executable, "-c", "from spinemri.cli import main; main()", "analyze", str(study), "-o", "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert not [marker for marker in (*MARKERS, str(study.parent)) if marker in done.stderr]
    assert sorted(path.name for path in Path().iterdir()) == ["study"]
