"""``spinemri phantom`` in other geometries: files, numbers and masks of one person."""

from __future__ import annotations

import json

import numpy as np

from spinemri.dicom.load import load
from spinemri.dicom.scan import scan
from spinemri.read import read_volume
from spinemri.series import Plane
from tests.cli.command import run


def test_axial_blocks_are_one_series_with_a_mask_each(tmp_path):
    out = tmp_path / "study"
    outcome = run("phantom", "--seed", 4, "--acquisition", "Axial", "-o", out)
    assert (outcome.code, outcome.err) == (0, "")
    assert "1 series, truth.json and true masks" in " ".join(outcome.out.split())
    (study,) = scan(out / "2_T2w").studies
    masks = sorted(out.glob("truth_segmentation*.nii.gz"))
    assert [s.plane for s in study.series] == [Plane.AXIAL] * len(masks)
    assert [p.name.removesuffix(".nii.gz") for p in masks][:2] == ["truth_segmentation", "truth_segmentation_2-1"]
    truth = json.loads((out / "truth.json").read_text())
    for series in study.series:
        name = "truth_segmentation" + (f"_{series.label}" if series.stack else "")
        mask = read_volume(out / f"{name}.nii.gz")
        image = load(series)
        assert np.abs(np.sort(mask.geometry.corners(), axis=0) - np.sort(image.geometry.corners(), axis=0)).max() < 0.05
        labels = json.loads((out / f"{name}.json").read_text())["labels"]
        (sac,) = [int(value) for value, meaning in labels.items() if meaning["name"] == "thecal sac"]
        shown = (np.asarray(mask.voxels) == sac).sum() * float(np.prod(mask.geometry.spacing))
        records = [r for r in truth["axial_slices"] if r["series"] == series.label]
        true = sum(r["dural_sac_area_mm2"] - r["cord_area_mm2"] for r in records) * image.geometry.spacing[0]
        assert abs(shown / true - 1) < 0.12  # a slice is thicker than its middle plane


def test_an_unknown_acquisition_is_refused(tmp_path):
    outcome = run("phantom", "--acquisition", "oblique", "-o", tmp_path / "study")
    assert outcome.code == 2
    assert "acquisition 'oblique': expected one of sagittal, axial, coronal, isotropic" in outcome.err
    assert not (tmp_path / "study").exists()


def test_an_unknown_numbering_is_refused(tmp_path):
    outcome = run("phantom", "--numbering", "L7", "-o", tmp_path / "study")
    assert outcome.code == 2
    assert "numbering 'L7': expected one of usual, T11, T13, L4, L6" in outcome.err
    assert not (tmp_path / "study").exists()


def test_someone_with_six_lumbar_vertebrae_is_made_with_those_names(tmp_path):
    outcome = run("phantom", "--seed", 4, "--numbering", "l6", "--contrast", "T2w", "-o", tmp_path / "study")
    assert outcome.code == 0, outcome.err
    truth = json.loads((tmp_path / "study" / "truth.json").read_text(encoding="utf-8"))
    assert truth["levels"][-3:] == ["L5", "L6", "S1"]
    labels = json.loads((tmp_path / "study" / "truth_segmentation.json").read_text(encoding="utf-8"))["labels"]
    assert {"L6", "L6-S1"} <= {meaning.get("level") for meaning in labels.values()}
