from __future__ import annotations

import errno
import os

import pytest

from spinemri.errors import OutputError
from spinemri.report.write import WITH_IDENTITY, WRITERS, check_writable, is_result, write

ALL = {
    "report.json",
    "report.html",
    "report.txt",
    "measurements.csv",
    "segmentation.json",
    "segmentation_3.nii.gz",
    "segmentation_4.nii.gz",
}


def names(folder):
    return {entry.name for entry in folder.iterdir()}


def test_the_default_formats_and_nothing_beside_them(result):
    assert names(result) == ALL
    assert names(result.parent) == {"result"}


def test_chosen_formats_always_with_the_json_document(case, tmp_path):
    assert names(write(case, tmp_path / "deep" / "out", formats=["csv"])) == {"report.json", "measurements.csv"}


def test_every_format_can_be_chosen_and_is_known_as_our_own(case, tmp_path):
    out = write(case, tmp_path / "out", formats=WRITERS.keys() - WITH_IDENTITY)
    assert {"report.pdf", "report.fhir.json", "measurements.parquet", "bids"} <= names(out)
    assert is_result(out)


def test_an_unknown_format_is_named_with_those_that_exist(case, tmp_path):
    with pytest.raises(OutputError, match=r"'docx': expected some of json, html, txt, csv, nifti"):
        write(case, tmp_path / "out", formats=["json", "docx"])
    assert names(tmp_path) == set()


def test_an_empty_folder_is_used(case, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    assert "report.txt" in names(write(case, out, formats=["txt"]))


def test_a_folder_with_content_is_refused_and_left_alone(case, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(OutputError) as refused:
            write(case, tmp_path, overwrite=overwrite)
        assert "\n" not in str(refused.value)
    assert names(tmp_path) == {"thesis.txt"}


def test_only_a_former_result_is_replaced(case, tmp_path):
    out = write(case, tmp_path / "out", formats=["txt", "csv"])
    assert is_result(out)
    with pytest.raises(OutputError, match="exists and is not empty"):
        write(case, out)
    assert names(write(case, out, formats=["html"], overwrite=True)) == {"report.json", "report.html"}
    (out / "notes.md").write_text("added by a person")
    with pytest.raises(OutputError, match="no earlier result"):
        write(case, out, overwrite=True)
    assert names(out) == {"report.json", "report.html", "notes.md"}
    assert names(tmp_path) == {"out"}


def test_a_file_in_the_way_of_the_folder_or_of_its_parent_is_named(case, tmp_path):
    blocker = tmp_path / "blocker"
    blocker.write_text("")
    for out in (blocker, blocker / "out"):
        with pytest.raises(OutputError, match="blocker"):
            check_writable(out)
        with pytest.raises(OutputError, match="blocker"):
            write(case, out)
    assert names(tmp_path) == {"blocker"}


def test_the_check_before_the_work_leaves_no_trace(tmp_path):
    check_writable(tmp_path / "a" / "b" / "out")
    assert names(tmp_path) == set()


@pytest.fixture
def full_disk(monkeypatch):
    """The disk is full when the tables are to be written."""

    def write_half(case, folder):
        (folder / "measurements.csv").write_text("half", encoding="utf-8")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setitem(WRITERS, "csv", write_half)


def test_a_full_disk_half_way_leaves_nothing_that_looks_complete(case, tmp_path, full_disk):
    with pytest.raises(OutputError, match="No space left"):
        write(case, tmp_path / "out")
    assert names(tmp_path) == set()


def test_a_failed_replacement_keeps_the_former_result(case, tmp_path, full_disk):
    out = write(case, tmp_path / "out", formats=["txt"])
    before = (out / "report.txt").read_bytes()
    with pytest.raises(OutputError, match="No space left"):
        write(case, out, overwrite=True)
    assert (out / "report.txt").read_bytes() == before
    assert names(tmp_path) == {"out"}


def test_the_same_case_gives_the_same_bytes(lesion_case, tmp_path):
    first, again = (
        write(lesion_case, tmp_path / name, formats=WRITERS.keys() - WITH_IDENTITY) for name in ("first", "again")
    )
    files = {path.relative_to(first).as_posix() for path in first.rglob("*") if path.is_file()}
    assert files == {path.relative_to(again).as_posix() for path in again.rglob("*") if path.is_file()}
    assert {"report.json", "bids/dataset_description.json"} <= files
    for name in files:
        if not name.endswith(".gz"):  # the header of gzip holds the time
            assert (again / name).read_bytes() == (first / name).read_bytes(), name
