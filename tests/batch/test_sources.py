"""Studies are found wherever they lie, each once, and what is broken is found as well."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from spinemri.batch.run import run
from spinemri.batch.sources import as_source, chosen, find_sources
from spinemri.convert import write_nifti
from spinemri.errors import InputError
from spinemri.pipeline import Options
from tests.batch.small_study import OPTIONS, job, study_image, write_study
from tests.batch.tables_of import rows
from tests.dicom.series_builder import SeriesWriter, sagittal_geometry, unlike_voxels

KEPT = Options(keep_identifiers=True)


def places(root, options=OPTIONS):
    return [source.place for source in find_sources(root, options)]


def series(folder, study, number, patient="P1", preset="T2w"):
    grid = sagittal_geometry()
    uid = f"{study}.{number}"
    writer = SeriesWriter(folder, patient=patient, study=study, series=uid, number=number, preset=preset)
    return writer.classic(grid, unlike_voxels(grid))


def volume(path, number=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = study_image(number)
    write_nifti(image.voxels, image.geometry, path)


def test_one_study_is_one_uid_of_one_patient_wherever_its_files_lie(tmp_path):
    series(tmp_path / "a" / "x", "1.2.1", 2)
    series(tmp_path / "a" / "y" / "deep", "1.2.1", 3, preset="T1w")
    series(tmp_path / "b", "1.2.2", 2)
    series(tmp_path / "c" / "one", "1.2.3", 2, patient="P2")
    series(tmp_path / "c" / "two", "1.2.4", 2, patient="P2")
    (tmp_path / "a" / "notes.txt").write_text("x")
    found = find_sources(tmp_path, OPTIONS)
    assert [source.place for source in found] == ["a", "b", "c/one", "c/two"]
    assert [len(source.files) for source in found] == [10, 5, 5, 5]
    assert len({source.id for source in found}) == 4


def test_studies_that_share_a_flat_folder_are_told_apart(tmp_path):
    for study in ("1.2.1", "1.2.2"):
        for path in series(tmp_path / study, study, 2):
            path.rename(tmp_path / f"{study}-{path.name}")
        (tmp_path / study).rmdir()
    found = find_sources(tmp_path, OPTIONS)
    assert [source.place for source in found] == ["1.2.1-IM0000", "1.2.2-IM0000"]
    assert all({path.name[:5] for path in source.files} == {source.place[:5]} for source in found)


def test_a_uid_that_two_patients_share_is_two_studies_and_names_stay_when_others_go(tmp_path):
    series(tmp_path / "a", "1.2.1", 2, patient="P1")
    series(tmp_path / "b", "1.2.1", 2, patient="P2")
    series(tmp_path / "c", "1.2.9", 2, patient="P3")
    names = {source.place: source.id for source in find_sources(tmp_path, OPTIONS)}
    assert len(set(names.values())) == 3
    assert names["a"].partition("-")[0] == names["b"].partition("-")[0]
    (tmp_path / "c" / "IM0000").unlink()
    assert {source.place: source.id for source in find_sources(tmp_path, OPTIONS)} == names


def test_names_are_tokens_of_the_key_or_places_when_identifiers_are_kept(tmp_path):
    series(tmp_path / "MUSTERMANN Hans" / "ä", "1.2.1", 2)
    series(tmp_path / "x", "1.2.2", 2)
    tokens = {source.id for source in find_sources(tmp_path, OPTIONS)}
    others = {source.id for source in find_sources(tmp_path, replace(OPTIONS, token_key=b"another key, longer"))}
    assert not tokens & others
    assert not any("MUSTERMANN" in name for name in tokens)
    assert [source.id for source in find_sources(tmp_path, KEPT)] == ["MUSTERMANN_Hans", "x"]
    with pytest.raises(InputError, match="token_key"):
        find_sources(tmp_path, Options())


def test_a_bids_data_set_is_its_anat_folders(tmp_path):
    volume(tmp_path / "sub-01" / "ses-1" / "anat" / "sub-01_ses-1_T1w.nii.gz")
    volume(tmp_path / "sub-01" / "ses-1" / "anat" / "sub-01_ses-1_T2w.nii.gz")
    volume(tmp_path / "sub-01" / "ses-2" / "anat" / "sub-01_ses-2_T2w.nii.gz")
    volume(tmp_path / "sub-02" / "anat" / "sub-02_T2w.nii.gz")
    volume(tmp_path / "sub-02" / "func" / "sub-02_task-rest_bold.nii.gz")
    volume(tmp_path / "derivatives" / "other" / "sub-02" / "anat" / "sub-02_T2w.nii.gz")
    volume(tmp_path / "sub-02" / "anat" / "sub-02_T2w_dseg.nii.gz")
    assert places(tmp_path) == ["sub-01/ses-1/anat", "sub-01/ses-2/anat", "sub-02/anat"]
    assert [len(source.files) for source in find_sources(tmp_path, OPTIONS)] == [2, 1, 1]


def test_a_bids_data_set_is_analysed_with_the_contrasts_that_its_suffixes_say(tmp_path):
    root, out = tmp_path / "bids", tmp_path / "out"
    volume(root / "sub-01" / "ses-1" / "anat" / "sub-01_ses-1_acq-sag_run-1_T2w.nii.gz", 1)
    volume(root / "sub-01" / "ses-1" / "anat" / "sub-01_ses-1_T1w.nii.gz", 2)
    volume(root / "sub-02" / "anat" / "sub-02_STIR.nii.gz", 3)
    volume(root / "sub-03" / "anat" / "sub-03_acq-stir_T2w.nii.gz", 4)
    (root / "participants.tsv").write_text("participant_id\nsub-01\n")
    (root / "dataset_description.json").write_text("{}")
    sources = find_sources(root, KEPT)
    assert {o.status for o in run(sources, job(options=KEPT), out)} == {"done"}
    used = {row["id"]: re.findall(r"\((.*?)\)", row["series"]) for row in rows(out / "studies.csv")}
    assert {name: sorted(contrasts) for name, contrasts in used.items()} == {
        "sub-01_ses-1_anat": ["T1w", "T2w"],
        "sub-02_anat": ["STIR"],
        "sub-03_anat": ["STIR"],
    }


def test_folders_of_volumes_are_studies_beside_dicom_but_not_within_it(tmp_path):
    series(tmp_path / "dicom", "1.2.1", 2)
    volume(tmp_path / "dicom" / "converted_t2.nii.gz")
    volume(tmp_path / "nifti" / "17_t1.nii.gz")
    volume(tmp_path / "nifti" / "17_t2.nii.gz")
    volume(tmp_path / "nifti" / "18_t2.nii.gz")
    found = find_sources(tmp_path, OPTIONS)
    assert [source.place for source in found] == ["dicom", "nifti/17_t1.nii.gz", "nifti/18_t2.nii.gz"]
    assert [len(source.files) for source in found] == [5, 2, 1]


def test_a_volume_that_is_only_a_dangling_link_does_not_double_its_folder(tmp_path):
    """As git-annex and DataLad leave them where the content was not fetched."""
    series(tmp_path / "dicom", "1.2.1", 2)
    for folder in ("fetched", "pointers"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "18_t2.nii.gz").symlink_to(tmp_path / f"absent-{folder}")
    volume(tmp_path / "fetched" / "17_t2.nii.gz")
    faults = [(source.place, bool(source.fault)) for source in find_sources(tmp_path, OPTIONS)]
    assert faults == [("dicom", False), ("fetched", False), ("pointers", True)]


def test_a_folder_in_which_every_image_is_damaged_is_found_with_its_fault(tmp_path):
    series(tmp_path / "sound", "1.2.1", 2)
    for path in series(tmp_path / "broken", "1.2.2", 2):
        path.write_bytes(path.read_bytes()[:132] + b"\x00garbage" * 9)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "IM0").write_bytes(b"")
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "readme.txt").write_text("nothing to see")
    faults = {source.place: source.fault for source in find_sources(tmp_path, OPTIONS)}
    assert faults.keys() == {"broken", "empty", "sound"}
    assert faults["sound"] == ""
    assert faults["broken"].startswith("no image (5 files: ")
    assert faults["empty"] == "no image (1 files: empty file)"


def test_nothing_to_find_is_said(tmp_path):
    with pytest.raises(InputError, match="no such folder or file"):
        find_sources(tmp_path / "absent", OPTIONS)
    with pytest.raises(InputError, match="no study found"):
        find_sources(tmp_path, OPTIONS)


def test_globs_choose_by_place(tmp_path):
    sources = [replace(as_source(tmp_path, OPTIONS), place=place) for place in ("a/one", "a/two", "b/one")]
    assert [s.place for s in chosen(sources, ["a/*"], [])] == ["a/one", "a/two"]
    assert [s.place for s in chosen(sources, [], ["*/one"])] == ["a/two"]
    assert [s.place for s in chosen(sources, ["a/*", "b/*"], ["a/one"])] == ["a/two", "b/one"]
    assert chosen(sources, ["c"], []) == ()


def test_links_and_second_looks_do_not_double_a_study(tmp_path):
    write_study(tmp_path / "a", 1)
    (tmp_path / "again").symlink_to(tmp_path / "a")
    assert len(find_sources(tmp_path, OPTIONS)) == 1
    assert find_sources(tmp_path, OPTIONS) == find_sources(tmp_path, OPTIONS)
