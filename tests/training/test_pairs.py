"""Pairs of image and mask: from a table, from a BIDS data set, and refusals that name file and row."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from spinemri.anatomy import Level, StructureKind
from spinemri.errors import InputError
from spinemri.geometry import Geometry
from spinemri.segmentation import Segmentation
from spinemri.series import Contrast
from spinemri.training.pairs import find_pairs
from tests.training.own_set import write_image, write_mask

GRID = Geometry((4, 6, 5), (4.0, 1.0, 1.1), (-6.0, -5.0, 9.0), (1.0, 0, 0, 0, 0, 1.0, 0, -1.0, 0))
OTHER = replace(GRID, origin=(0.0, 0.0, 40.0))


def blank(grid=GRID) -> Segmentation:
    voxels = np.zeros(grid.shape, dtype=np.uint8)
    voxels[1:3, 2:4, 1:3] = 24
    return Segmentation(voxels, grid, {}, "1", "test")


@pytest.fixture
def bids(tmp_path):
    """Two subjects with two contrasts each; the masks as spinemri writes them, and as other tools name theirs."""
    for subject, grid in (("01", GRID), ("02", OTHER)):
        for contrast in ("T1w", "T2w"):
            write_image(blank(grid), tmp_path / f"sub-{subject}/anat/sub-{subject}_{contrast}.nii.gz")
    ours = tmp_path / "derivatives/spinemri/sub-01/anat/sub-01_acq-sagittalT2w_space-orig_desc-anatomy_dseg.nii.gz"
    write_mask(blank(), ours)
    ours.with_name(ours.name.replace(".nii.gz", ".json")).write_text(json.dumps({"Contrast": "T2w"}))
    write_mask(blank(), ours.with_name(ours.name.replace("anatomy", "lesions")))
    theirs = tmp_path / "derivatives/labels/sub-02/anat/sub-02_T1w_label-spine_dseg.nii.gz"
    write_mask(blank(OTHER), theirs)
    return tmp_path


def test_masks_of_a_bids_data_set_find_their_images(bids):
    pairs = find_pairs(bids, "spinemri")
    assert [(p.image.name, p.label.name) for p in pairs] == [
        ("sub-02_T1w.nii.gz", "sub-02_T1w_label-spine_dseg.nii.gz"),
        ("sub-01_T2w.nii.gz", "sub-01_acq-sagittalT2w_space-orig_desc-anatomy_dseg.nii.gz"),
    ]
    assert all(p.scheme == "spinemri" and p.labelled is None for p in pairs)


def test_without_a_sidecar_the_name_tells_the_contrast(bids):
    for sidecar in bids.rglob("*_dseg.json"):
        sidecar.unlink()
    assert find_pairs(bids)[1].image.name == "sub-01_T2w.nii.gz"


def test_the_sidecar_says_what_can_be_trusted_and_which_image_it_was(bids):
    (sidecar,) = bids.rglob("*_dseg.json")
    sidecar.write_text(
        json.dumps({"Labelled": ["disc", "cord"], "Sources": ["bids:raw:sub-01/anat/sub-01_T1w.nii.gz"]})
    )
    sidecar.with_name(sidecar.name.replace("acq-sagittalT2w_", "")).write_text(sidecar.read_text())
    mask = sidecar.with_name(sidecar.name.replace(".json", ".nii.gz"))
    mask.rename(mask.with_name(mask.name.replace("acq-sagittalT2w_", "")))
    pair = find_pairs(bids)[1]
    assert pair.image.name == "sub-01_T1w.nii.gz"
    assert pair.labelled == {StructureKind.DISC, StructureKind.CORD}


def test_an_image_that_nothing_tells_is_not_guessed(bids):
    mask = next(bids.rglob("*T1w_label*"))
    mask.rename(mask.with_name("sub-02_label-spine_dseg.nii.gz"))
    with pytest.raises(InputError, match=r"sub-02_label-spine_dseg.*: its image is not known: .*T1w.*T2w.*table"):
        find_pairs(bids)


def test_one_image_of_two_with_the_grid_of_the_mask_is_the_one(bids):
    mask = next(bids.rglob("*T1w_label*"))
    mask.rename(mask.with_name("sub-02_label-spine_dseg.nii.gz"))
    write_image(blank(GRID), bids / "sub-02/anat/sub-02_T2w.nii.gz")
    assert find_pairs(bids)[0].image.name == "sub-02_T1w.nii.gz"


def table(folder, text):
    (folder / "a_T2w.nii.gz").touch()
    (folder / "lab").mkdir()
    (folder / "lab/a.nii.gz").touch()
    (folder / "set.csv").write_text(text, encoding="utf-8")
    return folder / "set.csv"


def test_a_table_says_everything_of_a_pair(tmp_path):
    (pair,) = find_pairs(
        table(
            tmp_path,
            "image,label,contrast,scheme,anchor,labelled\na_T2w.nii.gz,lab/a.nii.gz,stir,spineps,L5=2,disc; cord\n",
        )
    )
    assert (pair.image, pair.label) == (tmp_path / "a_T2w.nii.gz", tmp_path / "lab/a.nii.gz")
    assert (pair.scheme, pair.contrast) == ("spineps", Contrast.STIR)
    assert (pair.anchor.index, pair.anchor.level) == (2, Level("L5"))
    assert pair.labelled == {StructureKind.DISC, StructureKind.CORD}


def test_what_a_table_leaves_open_has_defaults(tmp_path):
    (pair,) = find_pairs(table(tmp_path, "label,image,contrast\nlab/a.nii.gz,a_T2w.nii.gz,\n"), "verse")
    assert (pair.scheme, pair.contrast, pair.anchor, pair.labelled) == ("verse", None, None, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "set.csv: columns nothing: expected image, label"),
        ("image,label\n", "a row for each pair"),
        ("image,mask\na_T2w.nii.gz,lab/a.nii.gz\n", "columns image, mask: expected image, label"),
        ("image,label\na_T2w.nii.gz,b.nii.gz\n", "set.csv, line 2: label 'b.nii.gz': no such file"),
        ("image,label\na_T2w.nii.gz,\n", "set.csv, line 2: label '': no such file"),
        ("image,label,contrast\na_T2w.nii.gz,lab/a.nii.gz,T3\n", "set.csv, line 2: contrast 'T3': expected one of"),
        ("image,label,scheme\na_T2w.nii.gz,lab/a.nii.gz,vers\n", "set.csv, line 2: label scheme 'vers': expected one"),
        ("image,label,scheme\na_T2w.nii.gz,lab/a.nii.gz,sct-discs\n", "line 2: scheme sct-discs: points on discs"),
        ("image,label,labelled\na_T2w.nii.gz,lab/a.nii.gz,bone\n", "line 2: labelled bone: expected some of vert"),
        ("image,label,anchor\na_T2w.nii.gz,lab/a.nii.gz,5\n", "line 2: anchor '5': expected LEVEL=N"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path, text, said):
    with pytest.raises(InputError, match=said):
        find_pairs(table(tmp_path, text))


def test_what_is_no_set_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: no mask in it: expected a BIDS data set .* image, label"):
        find_pairs(tmp_path / "empty")
    (tmp_path / "empty/segmentation.json").touch()
    with pytest.raises(InputError, match=r"empty: a result of spinemri analyze .* table .* STUDY,empty/segmentation_1"):
        find_pairs(tmp_path / "empty")
    with pytest.raises(InputError, match="none: no such folder or table"):
        find_pairs(tmp_path / "none")
