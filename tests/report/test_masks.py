from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.errors import OutputError
from spinemri.read import read_volume
from spinemri.report.masks import label_of, write_masks


def test_every_voxel_value_is_named_with_kind_level_and_code(case, result):
    table = json.loads((result / "segmentation.json").read_text(encoding="utf-8"))
    for segmentation in case.segmentations:
        for value in set(np.unique(segmentation.voxels).tolist()) - {0}:
            label = table["labels"][str(value)]
            assert label["name"] == str(segmentation.structures[value])
            assert label["code"]["value"]
    assert table["labels"]["22"]["level"] == "L2"
    assert [entry["file"] for entry in table["files"]] == ["segmentation_3.nii.gz", "segmentation_4.nii.gz"]


def test_masks_lie_where_they_were_in_the_patient(case, result):
    for name, segmentation in zip(("segmentation_3", "segmentation_4"), case.segmentations, strict=True):
        read = read_volume(result / f"{name}.nii.gz")
        for value in segmentation.structures:
            there = read.geometry.to_patient(np.argwhere(read.voxels == value).mean(axis=0))
            here = segmentation.geometry.to_patient(np.argwhere(segmentation.voxels == value).mean(axis=0))
            assert np.linalg.norm(there - here) < 0.01


def test_a_sac_is_no_vertebral_canal():
    sac = label_of(Structure(StructureKind.THECAL_SAC))
    assert sac["code"]["scheme"] == "99SPINEMRI"
    assert sac["site"] is None
    disc = label_of(Structure(StructureKind.DISC, Level("L4"), Level("L5")))
    assert (disc["level"], disc["code"]["value"]) == ("L4-L5", "84020006")


def test_series_with_the_same_number_do_not_overwrite_each_other(case, tmp_path):
    records = tuple(
        r.model_copy(update={"series": r.series.model_copy(update={"number": None})}) for r in case.analysis.series
    )
    same = replace(case, analysis=case.analysis.model_copy(update={"series": records}))
    write_masks(same, tmp_path)
    assert {p.name for p in tmp_path.glob("*.nii.gz")} == {"segmentation_0.nii.gz", "segmentation_0_2.nii.gz"}


def test_one_value_with_two_meanings_is_refused(case, tmp_path):
    other = case.segmentations[1]
    structures = {**other.structures, 22: Structure(StructureKind.VERTEBRAL_BODY, Level("L6"))}
    broken = replace(case, segmentations=(case.segmentations[0], replace(other, structures=structures)))
    with pytest.raises(OutputError, match="label 22"):
        write_masks(broken, tmp_path)


def test_a_disc_whose_lower_vertebra_one_series_lacks_is_the_same_disc_in_all(case, tmp_path):
    """As when a field of view ends within the disc."""
    first, *others = case.segmentations
    value, disc = next((v, s) for v, s in first.structures.items() if s.kind is StructureKind.DISC and s.lower)
    shorter = replace(first, structures={**first.structures, value: replace(disc, lower=None)})
    for masks in ((shorter, *others), (*others, shorter)):
        write_masks(replace(case, segmentations=masks), tmp_path)
        written = json.loads((tmp_path / "segmentation.json").read_text(encoding="utf-8"))
        assert f"{disc.level}-{disc.lower}" in json.dumps(written)
