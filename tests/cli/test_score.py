"""``spinemri score`` against a phantom: the truth scores one, each fault shows, and what cannot be scored is said."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from spinemri.convert import reordered, write_nifti
from spinemri.evaluate.benchmark import read_labels
from spinemri.geometry import Geometry
from spinemri.series import Contrast
from tests.cli.command import run

L4, DISC, SAC, CORD = 24, 104, 120, 121


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantom") / "study"
    assert run("phantom", "--seed", 3, "-o", folder).code == 0
    return folder


@pytest.fixture(scope="module")
def truth(study):
    return read_labels(study / "truth_segmentation.nii.gz")


@pytest.fixture
def mask(tmp_path):
    return tmp_path / "mask.nii.gz"


def scored(study, prediction, *options):
    """What ``--json`` prints."""
    outcome = run("score", study, prediction, "--json", *options)
    assert (outcome.code, outcome.err) == (0, "")
    return json.loads(outcome.out)


def dices(document):
    return {row["structure"]: row["dice"] for row in document["masks"][0]["structures"]}


def refused(*arguments):
    outcome = run("score", *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    return outcome.err


def test_the_phantom_names_its_own_masks(study, truth):
    labels = json.loads((study / "truth_segmentation.json").read_text())["labels"]
    assert set(np.unique(truth.voxels).tolist()) - {0} == {int(value) for value in labels}
    assert labels[str(L4)]["name"] == "vertebral body L4"
    assert labels[str(DISC)]["name"] == "disc L4-L5"


def test_the_truth_itself_scores_one(study):
    document = scored(study, study / "truth_segmentation.nii.gz")
    assert set(dices(document).values()) == {1.0}
    assert {"vertebral body", "vertebral body L4", "disc L4-L5", "thecal sac", "cord"} <= set(dices(document))
    found = document["masks"][0]
    assert found["levels"] == found["levels_true"] >= 7
    assert found["invented"] == []
    table = run("score", study, study / "truth_segmentation.nii.gz").out
    assert "vertebral body L4" in table
    assert f"levels named right: {found['levels']} of {found['levels']}" in table


def test_a_flipped_and_turned_mask_is_the_same_mask(study, truth, mask):
    voxels, grid = reordered(truth.voxels.astype(np.int16), truth.geometry, (2, 0, 1))
    axes = grid.axes * [1, -1, 1]
    corner = grid.to_patient([0, grid.shape[1] - 1, 0])
    write_nifti(voxels[:, ::-1], Geometry(grid.shape, grid.spacing, tuple(corner), tuple(axes.ravel())), mask)
    assert set(dices(scored(study, mask)).values()) == {1.0}


def test_faults_show_where_they_are(study, truth, mask):
    """L4 moved down by a row, the disc below missing, a body where there is none."""
    voxels = truth.voxels.astype(np.int16)
    voxels[voxels == DISC] = 0
    moved = np.roll(voxels == L4, 3, axis=1)
    voxels[voxels == L4] = 0
    voxels[moved] = L4
    voxels[5, 5:15, 5:15] = 26
    write_nifti(voxels, truth.geometry, mask)
    document = scored(study, mask)
    found = dices(document)
    assert 0.7 < found["vertebral body L4"] < 0.95
    assert found["disc L4-L5"] == 0
    assert 0.5 < found["disc"] < 0.95
    assert found["vertebral body L3"] > 0.95
    assert document["masks"][0]["invented"] == ["vertebral body L6"]
    assert "not in the truth: vertebral body L6" in run("score", study, mask).err


def test_a_shifted_count_has_no_right_level(study, truth, mask):
    voxels = truth.voxels.astype(np.int16)
    bodies = (voxels >= 8) & (voxels <= 26)
    voxels[bodies] -= 1
    write_nifti(voxels, truth.geometry, mask)
    document = scored(study, mask)
    assert document["masks"][0]["levels"] <= 1
    assert dices(document)["vertebral body"] > 0.95


def test_another_tools_values_are_named_by_a_map(study, truth, mask, tmp_path):
    """Whole vertebrae as one value each, all discs as one, sac with cord as one."""
    voxels = np.zeros(truth.voxels.shape, dtype=np.int16)
    voxels[np.isin(truth.voxels, [L4, L4 + 40])] = 44
    voxels[(truth.voxels > 80) & (truth.voxels < 120)] = 200
    voxels[np.isin(truth.voxels, [SAC, CORD])] = 2
    voxels[0, :9, :9] = 77  # not named: ignored
    write_nifti(voxels, truth.geometry, mask)
    names = tmp_path / "names.json"
    names.write_text(json.dumps({"44": "vertebra L4", "200": "disc", "2": "thecal sac + cord"}))
    found = dices(scored(study, mask, "--labels-map", names))
    assert found["vertebral body L4 + posterior elements L4"] == 1
    assert found["disc"] == found["thecal sac + cord"] == 1
    assert found["vertebral body L3"] == 0  # this tool names bodies by level, and this one it missed


def test_measurements_are_compared_by_their_id(study, tmp_path):
    true = {m["id"]: m["value"] for m in json.loads((study / "truth.json").read_text())["measurements"]}
    rows = [f"{key},{value + 0.5}" for key, value in true.items() if key.endswith("anterior_height")]
    table = tmp_path / "measurements.csv"
    table.write_text("\n".join(["id,value", *rows, "L4.dural_sac_ap,"]))
    document = scored(study, tmp_path)
    errors = [m["found"] - m["true"] for m in document["measurements"] if m["found"] is not None]
    assert errors == pytest.approx([0.5] * len(rows))
    assert document["masks"] == []
    shown = run("score", study, table).out
    assert f"{len(rows)} of {len(rows)}" in shown
    assert "0 of " in shown


def test_the_product_is_scored_with_its_own_table(study, truth, tmp_path):
    """A folder as ``analyze`` writes it: masks under values that the table beside them names."""
    out = tmp_path / "out"
    out.mkdir()
    voxels = truth.voxels.astype(np.int16)
    write_nifti(np.where(voxels == L4, 9, 0).astype(np.int16), truth.geometry, out / "segmentation_2.nii.gz")
    (out / "segmentation.json").write_text(json.dumps({"labels": {"9": {"name": "vertebral body L4"}}}))
    assert dices(scored(study, out))["vertebral body L4"] == 1


def test_another_grid_is_refused_with_both_geometries(study, truth, mask):
    write_nifti(truth.voxels[:, :-1].astype(np.int16), shorter(truth), mask)
    said = refused(study, mask)
    assert "mask.nii.gz has another grid: 15 x 319 x 208 voxels of 4.00 x 0.94 x 0.94 mm" in said
    assert "the truth has 15 x 320 x 208 voxels" in said


def shorter(truth):
    grid = truth.geometry
    return Geometry((grid.shape[0], grid.shape[1] - 1, grid.shape[2]), grid.spacing, grid.origin, grid.direction)


def test_what_cannot_be_scored_is_said(study, truth, mask, tmp_path):
    assert "nothing.nii.gz is missing" in refused(study, tmp_path / "nothing.nii.gz")
    (tmp_path / "empty").mkdir()
    assert "empty: holds neither masks nor measurements.csv" in refused(study, tmp_path / "empty")
    assert "empty: no truth.json; expected a folder that `spinemri phantom` wrote" in refused(tmp_path / "empty", study)
    write_nifti(np.where(truth.voxels == L4, 1, 0).astype(np.int16), truth.geometry, mask)
    said = refused(study, mask)
    assert "no structure in common: it has vertebral body C1; the truth has" in said
    write_nifti(np.zeros(truth.voxels.shape, dtype=np.int16), truth.geometry, mask)
    assert "all voxels have the same value" in refused(study, mask)
    (tmp_path / "t.csv").write_text("id,value\nX.y,3\n")
    assert "no measurement in common" in refused(study, tmp_path / "t.csv")
    (tmp_path / "t.csv").write_text("id,size\nX.y,3\n")
    assert "expected numbers in a column 'value'" in refused(study, tmp_path / "t.csv")


def test_a_truth_without_masks_still_scores_measurements(study, tmp_path):
    bare, out = tmp_path / "bare", tmp_path / "out"
    bare.mkdir()
    out.mkdir()
    shutil.copy(study / "truth.json", bare)
    shutil.copy(study / "truth_segmentation.nii.gz", out)
    assert "make the study again" in refused(bare, out)
    (out / "measurements.csv").write_text("level,name,value\nL4,anterior_height,20\n")
    outcome = run("score", bare, out)
    assert outcome.code == 0
    assert "bare: no truth_segmentation.nii.gz; only measurements are scored" in outcome.err
    (bare / "truth.json").write_text("{}")
    assert "not the truth of a phantom" in refused(bare, study)


def test_the_masks_of_a_phantom_are_no_series_of_it(study):
    """The folder is still one study of three DICOM series."""
    outcome = run("scan", study)
    assert outcome.code == 0
    assert all(contrast.value in outcome.out for contrast in (Contrast.T1W, Contrast.STIR, Contrast.T2W))
    assert "3 of 3 series used" in outcome.out
