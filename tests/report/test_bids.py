"""The folder ``bids`` is a BIDS derivative data set, and its voxels lie in the patient where they were."""

from __future__ import annotations

import csv
import gzip
import json
import re
import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.errors import OutputError
from spinemri.measurement import Status
from spinemri.report.bids import write_bids
from spinemri.report.bids_names import holds_ours_only, label_of, series_entities, session_of
from spinemri.report.bids_tables import LOOKUP, tsv_text
from spinemri.report.tables import COLUMNS, NUMBERS
from spinemri.report.write import is_result, write
from spinemri.review import AppliedReview, Review, ReviewedAnalysis
from spinemri.segmentation import Segmentation
from spinemri.series import Contrast, Plane, Series
from tests.report import cases
from tests.report.test_privacy import MARKERS, planted
from tests.report.validators import bids_issues
from tests.strategies import geometries

ANATOMY = "sub-a41c09d2e77b6f10/ses-6c1fd0a9b2e84431/anat"
START = "sub-a41c09d2e77b6f10_ses-6c1fd0a9b2e84431"
T1, STIR = "acq-sagittalT1w_space-orig", "acq-sagittalSTIR_space-orig"
LESION_FILES = ("desc-lesions_dseg.json", "desc-lesions_dseg.nii.gz", "desc-lesions_dseg.tsv", "label-lesion_mask.json",
                "label-lesion_mask.nii.gz")  # fmt: skip
ANATOMY_FILES = ("desc-anatomy_dseg.json", "desc-anatomy_dseg.nii.gz", "desc-anatomy_dseg.tsv")
DSEG = re.compile(
    r"sub-[0-9a-zA-Z]+(_ses-[0-9a-zA-Z]+)?(_task-[0-9a-zA-Z]+)?(_acq-[0-9a-zA-Z]+)?(_ce-[0-9a-zA-Z]+)?"
    r"(_rec-[0-9a-zA-Z]+)?(_run-[0-9]+)?(_echo-[0-9]+)?(_part-(mag|phase|real|imag))?(_chunk-[0-9]+)?"
    r"(_space-[0-9a-zA-Z]+)?(_res-[0-9a-zA-Z]+)?(_desc-[0-9a-zA-Z]+)?_dseg\.(nii\.gz|nii|tsv|json)"
)
"""``rules.files.deriv.imaging.anat_nonparametric_discrete_segmentation`` of the schema of BIDS 1.10.0."""
MASK = re.compile(
    DSEG.pattern.replace(r"(_desc-", r"(_label-[0-9a-zA-Z]+)?(_desc-").replace(r"_dseg\.(nii\.gz|nii|tsv|json)", "")
    + r"_mask\.(nii\.gz|nii|json)"
)
"""``anat_nonparametric_mask`` of the same."""


@pytest.fixture(scope="module")
def root(lesion_case, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bids")
    write_bids(lesion_case, folder)
    return folder / "bids"


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def rows(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def nifti(path):
    """Voxels by (i, j, k) and the matrix to RAS mm, as the NIfTI-1 standard lays out header and data."""
    data = gzip.decompress(path.read_bytes())
    sizes = struct.unpack_from("<8h", data, 40)
    kind = {2: "<u1", 512: "<u2"}[struct.unpack_from("<h", data, 70)[0]]
    assert struct.unpack_from("<h", data, 254)[0] > 0, "no sform"
    matrix = np.array(struct.unpack_from("<12f", data, 280)).reshape(3, 4)
    start = int(struct.unpack_from("<f", data, 108)[0])
    voxels = np.frombuffer(data, kind, int(np.prod(sizes[1:4])), start).reshape(sizes[1:4], order="F")
    return voxels, matrix


def centre_lps(path, value=None):
    """Centroid of a value, or of all that is not 0, in LPS mm."""
    voxels, matrix = nifti(path)
    index = np.argwhere(voxels == value if value else voxels > 0).mean(axis=0)
    return (matrix[:, :3] @ index + matrix[:, 3]) * (-1, -1, 1)


# the data set


def test_the_data_set_says_what_it_is_and_what_made_it(root, lesion_case):
    said = read_json(root / "dataset_description.json")
    made = lesion_case.analysis.provenance
    assert (said["BIDSVersion"], said["DatasetType"]) == ("1.10.0", "derivative")
    assert said["Name"]
    (maker,) = said["GeneratedBy"]
    assert (maker["Name"], maker["Version"]) == ("spinemri", "0.1.0")
    assert all(f"{model.name} {model.version}" in maker["Description"] for model in made.models)


def test_every_file_of_a_result_and_nothing_else(root):
    session = [*(f"{T1}_{name}" for name in (*ANATOMY_FILES, *LESION_FILES))]
    session += [
        *(f"{STIR}_{name}" for name in (*ANATOMY_FILES, *LESION_FILES)),
        "measurements.json",
        "measurements.tsv",
    ]
    top = {"dataset_description.json", "README.md", ".bidsignore"}
    assert set(files(root)) == top | {f"{ANATOMY}/{START}_{name}" for name in session}


def test_without_a_search_for_lesions_there_is_nothing_of_them(case, tmp_path):
    write_bids(case, tmp_path)
    assert len(list(tmp_path.rglob("*desc-anatomy_dseg.nii.gz"))) == 2
    assert not list(tmp_path.rglob("*lesion*"))


def test_names_of_images_are_those_of_the_schema(root):
    names = [name.rsplit("/", 1)[-1] for name in files(root)]
    masks = [name for name in names if "_mask." in name]
    segmentations = [name for name in names if "_dseg." in name]
    assert (len(masks), len(segmentations)) == (4, 12)
    assert all(map(MASK.fullmatch, masks))
    assert all(map(DSEG.fullmatch, segmentations))
    for wrong in ("sub-1_desc-a_space-orig_dseg.tsv", "sub-1_seg-a_dseg.tsv", "sub-a-b_dseg.tsv", "ses-1_dseg.tsv"):
        assert not DSEG.fullmatch(wrong)


@pytest.mark.parametrize("which", ["case", "lesion_case", "three_plane_case"])
def test_the_bids_validator_finds_no_fault(which, request, tmp_path):
    write_bids(request.getfixturevalue(which), tmp_path)
    assert {code for _, code, _ in bids_issues(tmp_path / "bids")} <= {
        "TOO_FEW_AUTHORS"
    }  # authors are the user's affair


def test_the_bids_validator_would_find_faults(case, tmp_path):
    write_bids(case, tmp_path)
    image = next(tmp_path.rglob("*_dseg.nii.gz"))
    image.rename(image.with_name(image.name.replace("_dseg", "_label-spine_dseg")))
    (tmp_path / "bids" / ".bidsignore").unlink()
    found = {(severity, code) for severity, code, _ in bids_issues(tmp_path / "bids")}
    assert ("error", "NOT_INCLUDED") in found
    assert len([code for _, code in found if code != "TOO_FEW_AUTHORS"]) > 1


def test_sidecars_say_where_voxels_lie_and_from_which_series(root):
    found = {path.name.removeprefix(f"{START}_"): read_json(path) for path in (root / ANATOMY).glob("*_space-*.json")}
    assert len(found) == 6
    for name, said in found.items():
        assert said["SpatialReference"] == "orig"
        assert (said["Series"], said["Contrast"]) == (("3", "T1w") if name.startswith(T1) else ("4", "STIR"))
        assert ("spine_anatomy 0.1" if "anatomy" in name else "marrow_lesion 0.1") == said["MadeBy"]
    mask = found[f"{T1}_label-lesion_mask.json"]
    assert mask["Type"] == "Lesion"
    (source,) = mask["Sources"]
    assert (root / source.removeprefix("bids::")).is_file()


def test_a_review_is_named_as_work_by_hand(case, tmp_path):
    made = case.analysis.provenance
    read = ReviewedAnalysis(
        study=case.analysis.study, software=made.software, version=made.version, created=made.created
    )
    reviewed = case.analysis.model_copy(update={"review": AppliedReview(review=Review(analysis=read))})
    write_bids(replace(case, analysis=reviewed), tmp_path)
    makers = read_json(tmp_path / "bids" / "dataset_description.json")["GeneratedBy"]
    assert [maker["Name"] for maker in makers] == ["spinemri", "Manual"]


# voxels


@pytest.mark.parametrize(("start", "spot"), [*zip((T1, STIR), cases.spots(), strict=True)])
def test_lesions_lie_where_they_are_in_the_patient(root, start, spot):
    each = root / ANATOMY / f"{START}_{start}_desc-lesions_dseg.nii.gz"
    together = root / ANATOMY / f"{START}_{start}_label-lesion_mask.nii.gz"
    for place in (centre_lps(each, spot.label), centre_lps(together)):
        assert np.abs(place - spot.centre).max() < 1.0
    labels, mask = nifti(each)[0], nifti(together)[0]
    assert set(np.unique(labels).tolist()) == {0, spot.label}
    assert np.array_equal(mask, labels > 0)


def test_anatomy_lies_where_it_is_in_the_patient(root, lesion_case):
    for start, segmentation in zip((T1, STIR), lesion_case.segmentations, strict=True):
        path = root / ANATOMY / f"{START}_{start}_desc-anatomy_dseg.nii.gz"
        assert len(segmentation.structures) > 10
        for value in segmentation.structures:
            here = segmentation.geometry.to_patient(np.argwhere(segmentation.voxels == value).mean(axis=0))
            assert np.linalg.norm(centre_lps(path, value) - here) < 0.01


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(geometry=geometries(), data=st.data())
def test_a_voxel_of_any_oblique_grid_keeps_its_place(case, tmp_path_factory, geometry, data):
    index = tuple(data.draw(st.integers(0, n - 1)) for n in geometry.shape)
    voxels = np.zeros(geometry.shape, dtype=np.uint8)
    voxels[index] = 24
    mask = Segmentation(
        voxels, geometry, {24: Structure(StructureKind.VERTEBRAL_BODY, Level("L4"))}, "tok-t1", "manual"
    )
    only = case.analysis.model_copy(update={"series": case.analysis.series[:1]})
    folder = tmp_path_factory.mktemp("oblique")
    write_bids(replace(case, analysis=only, images=case.images[:1], segmentations=(mask,)), folder)
    (path,) = folder.rglob("*_dseg.nii.gz")
    assert (nifti(path)[0] > 0).sum() == 1
    assert np.linalg.norm(centre_lps(path, 24) - geometry.to_patient(index)) < 0.01


# tables


@pytest.mark.parametrize("start", [T1, STIR])
def test_a_lookup_table_names_every_voxel_value_once(root, start):
    stem = root / ANATOMY / f"{START}_{start}_desc-anatomy_dseg"
    table = rows(stem.with_name(f"{stem.name}.tsv"))
    assert tuple(table[0]) == LOOKUP
    assert {int(row["index"]) for row in table} == set(np.unique(nifti(stem.with_name(f"{stem.name}.nii.gz"))[0])) - {0}
    for column in ("index", "name", "abbreviation"):
        assert len({row[column] for row in table}) == len(table)
    by_name = {row["name"]: row for row in table}
    assert tuple(by_name["vertebral body L2"].values()) == (
        "22",
        "vertebral body L2",
        "L2",
        "4",
        "vertebral_body",
        "L2",
    )
    assert tuple(by_name["disc L4-L5"].values())[2:] == ("L4-L5disc", "5", "disc", "L4-L5")
    assert tuple(by_name["thecal sac"].values())[2:] == ("sac", "n/a", "thecal_sac", "n/a")
    sidecar = read_json(stem.with_name(f"{stem.name}.json"))
    assert all(sidecar[column]["Description"] for column in LOOKUP[4:])


def test_lesions_have_the_names_of_their_measurements(root):
    (first,) = rows(root / ANATOMY / f"{START}_{T1}_desc-lesions_dseg.tsv")
    (second,) = rows(root / ANATOMY / f"{START}_{STIR}_desc-lesions_dseg.tsv")
    assert tuple(first.values()) == ("1", "lesion-1", "lesion-1", "7", "tumour-like", "L2")
    assert (second["index"], second["name"], second["kind"]) == ("2", "lesion-2", "focal fat")
    measured = {row["id"].split(".")[0] for row in rows(root / ANATOMY / f"{START}_measurements.tsv")}
    assert {"lesion-1", "lesion-2"} <= measured


def test_measurements_have_their_numbers_and_gaps_are_not_available(root, lesion_case):
    table = {row["id"]: row for row in rows(root / ANATOMY / f"{START}_measurements.tsv")}
    assert len(table) == len(lesion_case.analysis.measurements)
    gaps = zeros = 0
    for m in lesion_case.analysis.measurements:
        row = table[m.id]
        assert all(row.values())
        if m.value is None:
            gaps += 1
            assert {row[name] for name in NUMBERS} == {"n/a"}
            assert (row["reason"], row["status"]) == (m.reason, m.status.value)
        else:
            zeros += m.value == 0
            assert float(row["value"]) == pytest.approx(m.value, abs=1e-4)
            assert row["reason"] == "n/a"
    assert gaps > 0
    assert zeros > 0


def test_a_small_number_keeps_its_figures_in_its_unit(lesion_case, tmp_path):
    measurements = tuple(
        m.model_copy(update={"value": 0.000953, "status": Status.MEASURED}) if m.name == "lesion_adc" else m
        for m in lesion_case.analysis.measurements
    )
    analysis = lesion_case.analysis.model_copy(update={"measurements": measurements})
    write_bids(replace(lesion_case, analysis=analysis), tmp_path)
    (path,) = tmp_path.rglob("*_measurements.tsv")
    assert {row["value"] for row in rows(path) if row["name"] == "lesion_adc"} == {"0.000953"}


def test_the_dictionary_explains_every_column_name_unit_and_status(root, lesion_case):
    said = read_json(root / ANATOMY / f"{START}_measurements.json")
    assert tuple(said) == COLUMNS
    assert all(column["Description"] for column in said.values())
    assert all(said[name]["Units"] for name in NUMBERS)
    table = rows(root / ANATOMY / f"{START}_measurements.tsv")
    for column in ("name", "unit"):
        assert set(said[column]["Levels"]) == {row[column] for row in table}
    assert set(said["status"]["Levels"]) == {status.value for status in Status}
    assert said["name"]["Levels"]["anterior_height"] == "Anterior vertebral height (vertebral body) [mm]"
    assert all(said["name"]["Levels"][m.name].endswith(f"[{m.unit}]") for m in lesion_case.analysis.measurements)


def test_a_study_without_measurements_keeps_the_columns(case, tmp_path):
    write_bids(replace(case, analysis=case.analysis.model_copy(update={"measurements": ()})), tmp_path)
    (path,) = tmp_path.rglob("*_measurements.tsv")
    assert path.read_text(encoding="utf-8") == "\t".join(COLUMNS) + "\n"


def test_a_cell_is_one_line_without_tabs_and_never_empty():
    text = tsv_text(("a", "b", "c", "d"), [("x\ty\nz", "", None, 0.0)])
    assert text == "a\tb\tc\td\nx y z\tn/a\tn/a\t0\n"


# names


def test_an_identifier_becomes_a_label_that_no_other_one_has():
    assert label_of("a41c09d2e77b6f10") == "a41c09d2e77b6f10"
    told = [label_of(text) for text in ("PAT-01", "PAT01", "PAT_01", "P.A.T.01", "Müller", "Mller", "-", "")]
    assert len(set(told)) == len(told)
    assert all(re.fullmatch("[0-9a-zA-Z]+", label) for label in told)


def test_a_study_without_an_identifier_has_no_session(case, tmp_path):
    analysis = case.analysis.model_copy(update={"study": ""})
    assert session_of(analysis) == ("sub-a41c09d2e77b6f10",)
    write_bids(replace(case, analysis=analysis), tmp_path)
    assert len(list((tmp_path / "bids" / "sub-a41c09d2e77b6f10" / "anat").glob("*_dseg.nii.gz"))) == 2
    assert holds_ours_only(tmp_path / "bids")


def test_series_of_every_contrast_and_plane_are_told_apart():
    every = [Series(series_uid=f"{c}{p}", contrast=c, plane=p) for c in Contrast for p in Plane]
    names = series_entities(every)
    assert len(set(names)) == len(every)
    assert all(re.fullmatch("acq-[0-9a-zA-Z]+", name) for name in names)
    assert series_entities([Series(series_uid="1", contrast=Contrast.T1W_POST)]) == ("acq-unknownT1wPost",)


def test_series_with_the_same_plane_and_contrast_are_runs_that_do_not_overwrite_each_other(case, tmp_path):
    same = tuple(
        r.model_copy(update={"series": r.series.model_copy(update={"contrast": Contrast.T2W, "number": None})})
        for r in case.analysis.series
    )
    write_bids(replace(case, analysis=case.analysis.model_copy(update={"series": same})), tmp_path)
    found = sorted(tmp_path.rglob("*_dseg.nii.gz"))
    ends = [f"{START}_acq-sagittalT2w_run-{n}_space-orig_desc-anatomy_dseg.nii.gz" for n in (1, 2)]
    assert [path.name for path in found] == ends
    for path, segmentation in zip(found, case.segmentations, strict=True):
        assert nifti(path)[0].shape == segmentation.geometry.shape[::-1]


# the result


def test_one_value_with_two_meanings_is_refused(case, tmp_path):
    other = case.segmentations[1]
    structures = {**other.structures, 22: Structure(StructureKind.VERTEBRAL_BODY, Level("L6"))}
    broken = replace(case, segmentations=(case.segmentations[0], replace(other, structures=structures)))
    with pytest.raises(OutputError, match="label 22"):
        write(broken, tmp_path / "out", formats=["bids"])
    assert not list(tmp_path.iterdir())


def test_a_result_with_a_data_set_is_replaced_and_one_with_more_in_it_is_not(case, tmp_path):
    out = write(case, tmp_path / "out", formats=["bids"])
    assert files(out)[0].startswith("bids/")
    assert is_result(out)
    assert is_result(write(case, out, formats=["bids"], overwrite=True))
    mine = out / "bids" / ANATOMY / "thesis.txt"
    mine.write_text("mine")
    assert not is_result(out)
    with pytest.raises(OutputError, match="no earlier result"):
        write(case, out, overwrite=True)
    assert mine.read_text() == "mine"


def test_a_file_of_the_name_is_no_data_set(case, tmp_path):
    out = write(case, tmp_path / "out", formats=["json"])
    (out / "bids").write_text("mine")
    assert not is_result(out)


def test_no_identifier_in_any_name_or_file(tmp_path):
    write_bids(planted(), tmp_path)
    found = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(found) == 11
    for path in found:
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
        for marker in (*MARKERS, str(tmp_path)):
            assert marker.encode() not in data
            assert marker not in path.relative_to(tmp_path).as_posix()
