"""A study with axial T2w blocks beside a sagittal series, from DICOM to the report; masks are true by construction."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from spinemri.anatomy import StructureKind
from spinemri.dicom.study import phrases
from spinemri.pipeline import Options, analyze
from spinemri.report.text import to_text
from spinemri.report.viewer import viewer_document
from spinemri.report.write import write
from spinemri.series import Plane
from tests.axial_study import KEY

OPTIONS = Options(token_key=KEY)


@pytest.fixture(scope="module")
def case(axial_folder, axial_networks):
    return analyze(axial_folder, axial_networks, OPTIONS)


def test_axial_blocks_are_used_beside_the_sagittal_series(case):
    used = case.analysis.used_series()
    assert [series.plane for series in used] == [Plane.SAGITTAL, *[Plane.AXIAL] * 3]
    assert {record.reason for record in case.analysis.series if record.series.plane is Plane.AXIAL} == {
        phrases.IN_SECTION
    }
    for series, image, mask in zip(used, case.images, case.segmentations, strict=True):
        assert series.series_uid == image.series.series_uid == mask.series_uid
    assert len(case.sagittal()) == 1


def test_areas_are_those_that_were_painted(axial_truth, case):
    """The smallest section beside each disc that a block shows; the lean of the block takes a few percent off."""
    records = axial_truth.truth["axial_slices"]
    discs = {record["place"] for record in records if "-" in record["place"]}
    found = {m.place: m.value for m in case.analysis.measurements if m.name == "axial_sac_area" and m.value}
    assert discs <= set(found)
    for disc in discs:
        true = min(record["dural_sac_area_mm2"] for record in records if record["place"] == disc)
        assert found[disc] == pytest.approx(true, rel=0.12), disc


def test_the_narrowed_disc_is_graded_by_its_area_on_axial_slices(axial_truth, case):
    disc = axial_truth.truth["sac_narrowings"][0]["level"]
    (finding,) = [f for f in case.analysis.findings if f.id == f"{disc}.thecal_sac_narrowing"]
    assert finding.evidence[0] == f"{disc}.axial_sac_area_compromise_pct"
    assert "of its area on axial slices lost" in finding.statement


def test_bones_of_axial_slices_bear_the_names_of_the_sagittal_ones(case):
    sagittal, *axial = case.segmentations
    known = set(sagittal.structures.values())
    for mask in axial:
        named = {s for s in mask.structures.values() if s.level is not None}
        assert named
        assert named <= known
        centre = mask.geometry.to_patient(np.argwhere(mask.mask_of_kind(StructureKind.THECAL_SAC)).mean(axis=0))
        index = np.rint(sagittal.geometry.to_index(centre)).astype(int)
        around = sagittal.voxels[tuple(slice(n - 1, n + 2) for n in index)]
        assert {sagittal.structures[int(v)].kind for v in np.unique(around) if v} & {StructureKind.THECAL_SAC}


def test_the_report_tells_of_them_and_shows_them(case, tmp_path):
    text = " ".join(to_text(case.analysis).split())
    assert "Canal on axial slices" in text
    assert "model of axial slices axial_anatomy" in text
    assert "axial series was used" not in text
    shown = viewer_document(case)["series"]
    assert len(shown) == 4
    write(case, tmp_path / "out", formats=("json", "html", "nifti", "csv", "dicom-seg", "rtstruct"))
    written = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert [s["series"]["plane"] for s in written["series"] if s["used"]] == ["sagittal", *["axial"] * 3]
    assert len([*(tmp_path / "out").glob("segmentation_*.nii.gz")]) == 4


def test_without_a_model_of_axial_slices_they_are_named_and_left_out(axial_folder, axial_networks):
    case = analyze(axial_folder, replace(axial_networks, axial=None), OPTIONS)
    left_out = [record for record in case.analysis.series if not record.used]
    assert [record.reason for record in left_out] == [phrases.NO_AXIAL_MODEL] * 3
    assert len(case.images) == len(case.segmentations) == 1
    assert not any(m.name.startswith("axial_") for m in case.analysis.measurements)
    assert case.analysis.provenance.model("axial") is None
