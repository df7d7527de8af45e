"""Pictures of real people are never written into a repository; elsewhere there are two per labelled case."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinemri.convert import write_nifti
from spinemri.errors import OutputError
from spinemri.evaluate.cases import ValidationCase
from spinemri.evaluate.pictures import draw_cases
from spinemri.segment.model import load_model
from tests.evaluate.grids import TILTED, column_labels
from tests.synthetic_study import TruePredictor

CASE = ValidationCase("s", "1", "p", "T2w", "vertebral_body", "column", "L5", "img.nii.gz", "lab.nii.gz", "", "")
LABELS = column_labels(5)


@pytest.fixture
def root(tmp_path):
    write_nifti((LABELS * 20 + 7).astype(np.int16), TILTED, tmp_path / "img.nii.gz")
    write_nifti(LABELS.astype(np.int16), TILTED, tmp_path / "lab.nii.gz")
    return tmp_path


@pytest.fixture(scope="module")
def predictor():
    return TruePredictor((LABELS > 0).astype(np.uint8), TILTED, load_model())


def test_a_labelled_case_gives_what_was_found_and_the_labels(root, predictor):
    cases = [CASE, replace(CASE, case="2", structure="", labels="", lowest="")]
    written = draw_cases(cases, root, predictor, root / "new" / "pictures")
    assert [path.name for path in written] == ["s_1_found.png", "s_1_labels.png", "s_2_found.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)


def test_a_folder_in_a_repository_is_refused(root, predictor):
    (root / "repository" / ".git").mkdir(parents=True)
    with pytest.raises(OutputError, match="lies in a repository"):
        draw_cases([CASE], root, predictor, root / "repository" / "docs")
    assert not (root / "repository" / "docs").exists()
