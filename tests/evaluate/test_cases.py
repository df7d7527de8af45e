"""The list of validation people: fixed, complete, nobody that is trained on; and what a case's labels mean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinemri.anatomy import Level, StructureKind
from spinemri.convert import write_nifti
from spinemri.errors import InputError
from spinemri.evaluate.cases import ValidationCase, load_image, load_landmarks, load_truth, validation_cases
from spinemri.geometry import Geometry
from spinemri.series import Contrast
from spinemri.training.real import training_cases
from tests.evaluate.grids import TILTED, column_labels

CASES = validation_cases()
CASE = ValidationCase(
    "s", "1", "p", "STIR", "vertebral_body", "column", "L5", "s/img.nii.gz", "s/lab.nii.gz", "", "s/marks.nii.gz"
)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "s").mkdir()
    labels = column_labels(5).astype(np.int16)
    marks = np.zeros_like(labels)
    marks[3, 40, 55], marks[3, 160, 55] = 2, 9
    for name, voxels in (("img", labels * 20 + 7), ("lab", labels), ("marks", marks)):
        write_nifti(voxels, TILTED, tmp_path / "s" / f"{name}.nii.gz")
    return tmp_path


def test_nobody_is_both_trained_and_checked_on():
    """By set and person; the volunteers of one number in two sets are two people."""
    trained = {(case.set, case.person) for case in training_cases()}
    checked = {(case.set, case.person) for case in CASES}
    assert trained
    assert not trained & checked
    never_trained = {"vb1", "tptbox", "errsm_11", "errsm_20", "errsm_22", "errsm_23", "crops"}
    assert not never_trained & {name for name, _ in trained}


def test_the_list_is_the_fixed_one():
    people = {name: {case.case for case in CASES if case.set == name} for name in ("vb2", "vb3", "ivd")}
    assert people == {"vb2": {"19", "20", "23"}, "vb3": {str(n) for n in range(44, 53)}, "ivd": {"46"}}
    assert len([case for case in CASES if case.set == "vb1"]) == 4
    assert {case.structure for case in CASES if case.set == "tptbox"} == {
        "vertebral_body", "disc", "thecal_sac+cord", "posterior_elements",
    }  # fmt: skip
    for case in CASES:
        assert Contrast(case.contrast)
        assert case.kinds or not case.labels
        assert case.extent in {"column", "planes", "all"}


def test_every_file_of_the_list_exists(shared):
    names = {name for case in CASES for name in (case.image, case.labels, case.landmarks) if name}
    assert [name for name in names if not (shared / "data" / name).is_file()] == []


def test_an_image_has_the_contrast_of_the_list(root):
    image = load_image(CASE, root)
    assert image.series.contrast is Contrast.STIR
    assert image.geometry.same_grid(TILTED)


def test_labels_are_what_the_case_says(root):
    truth = load_truth(CASE, root, TILTED)
    assert np.unique(truth.labels).tolist() == [0, 1, 2, 3, 4, 5]
    assert truth.extent.mean() < 0.7
    some = load_truth(replace(CASE, values="2 4", extent="all"), root, TILTED)
    assert np.array_equal(some.mask, np.isin(column_labels(5), (2, 4)))
    assert some.extent.all()
    assert replace(CASE, structure="thecal_sac+cord").kinds == (StructureKind.THECAL_SAC, StructureKind.CORD)


def test_landmarks_are_levels_in_the_patient(root):
    marks = load_landmarks(CASE, root, TILTED)
    assert list(marks) == [Level("C2"), Level("T2")]
    assert marks[Level("T2")] == pytest.approx(TILTED.to_patient([3, 160, 55]), abs=1e-3)


def test_what_is_missing_or_does_not_fit_is_said(root):
    with pytest.raises(InputError, match=r"s/none\.nii\.gz is missing from the reference data"):
        load_image(replace(CASE, image="s/none.nii.gz"), root)
    other = Geometry(TILTED.shape, (4.0, 0.9, 1.2), TILTED.origin, TILTED.direction)
    with pytest.raises(InputError, match=r"s/lab\.nii\.gz: its grid \(7, 200, 90\) is not that of its image"):
        load_truth(CASE, root, other)
