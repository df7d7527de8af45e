"""Foreign masks: what is refused, what is told, and what the user's word on a level does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinemri.anatomy import Level, Structure
from spinemri.errors import InputError
from spinemri.labels.convert import from_labels
from spinemri.spine import LevelBasis
from tests.labels.painted import ARCH, BODY, CORD, DISC, SAC, SACRUM, drawn, image_of, lowest, mask_in, painted


def dice(one, two):
    return 2 * np.count_nonzero(one & two) / (np.count_nonzero(one) + np.count_nonzero(two))


def test_a_mask_becomes_named_structures_on_its_own_grid():
    truth = painted(1)
    mask = mask_in("totalspineseg-step2", truth)
    read = from_labels(mask, "totalspineseg-step2", name="seg.nii.gz")
    segmentation = read.segmentation
    assert segmentation.geometry is mask.geometry
    assert segmentation.made_by == "totalspineseg-step2 seg.nii.gz"
    for kind in (SAC, CORD):
        assert np.array_equal(segmentation.mask(Structure(kind)), truth.mask(Structure(kind)))
    l3 = Structure(BODY, Level("L3"))
    assert dice(segmentation.mask(l3), truth.mask(l3)) > 0.95
    disc = Structure(DISC, Level("L3"), Level("L4"))
    assert np.array_equal(segmentation.mask(disc), truth.mask(disc))
    assert segmentation.mask(Structure(SACRUM)).any()
    assert [a.level.name for a in read.assignments][-5:] == ["L2", "L3", "L4", "L5", "S1"]
    assert {a.basis for a in read.assignments} == {LevelBasis.USER}
    assert not read.numbering_verified
    assert any("thecal sac" in line for line in read.warnings)


def test_unknown_values_are_told_with_their_voxels():
    truth = painted(1)
    mask = mask_in("spineps-veridah", truth)
    voxels = mask.voxels.copy()
    voxels[2, 5:9, 5:11] = 77
    voxels[2, 20:22, 5:8] = 219
    read = from_labels(image_of(voxels, mask.geometry), "spineps-veridah")
    assert read.unknown == {77: 24}
    assert "values that the scheme does not know are left out: 77 (24 voxels)" in read.warnings
    assert "values of no use here are left out: 219 (6 voxels)" in read.warnings
    assert not read.segmentation.voxels[2, 5:9, 5:11].any()


@pytest.mark.parametrize(
    ("scheme", "said"),
    [
        ("totalspineseg-step1", "50 is every vertebra .* step2_output"),
        ("totalsegmentator-total-mr", "19 is every vertebra .* vertebrae_mr"),
        ("sct-discs", "points on discs are no masks.*--anchor"),
        ("spineps", "count vertebrae from the top .*--anchor L5=2.* spineps-veridah"),
    ],
)
def test_masks_without_levels_are_refused_with_what_to_do(scheme, said):
    mask = mask_in("spineps-veridah", painted(1))
    with pytest.raises(InputError, match=f"^labels seg.nii, scheme {scheme}: .*{said}"):
        from_labels(mask, scheme, name="seg.nii")


def test_a_count_starts_at_the_users_word():
    truth = painted(1)
    mask = mask_in("spineps", truth)
    read = from_labels(mask, "spineps", anchor=(2, lowest(drawn(truth, "spineps"))))
    assert read.numbering_verified
    assert [a.level.name for a in read.assignments][-2:] == ["L5", "S1"]
    l2 = Structure(BODY, Level("L2"))
    assert dice(read.segmentation.mask(l2), truth.mask(l2)) > 0.95
    for anchor in ((4, Level("L3")), (1, Level("S1"))):
        assert from_labels(mask, "spineps", anchor=anchor).assignments == read.assignments


@pytest.mark.parametrize(
    ("anchor", "names"),
    [
        ((1, "L6"), ("L3", "L4", "L5", "L6")),
        ((2, "T13"), ("T11", "T12", "T13", "L1")),
        ((4, "T11"), ("T11", "T12", "L1", "L2")),
    ],
)
def test_variants_are_counted_around(anchor, names):
    mask = mask_in("spider-dataset", painted(1, "thoracic"))
    read = from_labels(mask, "spider-dataset", anchor=(anchor[0], Level(anchor[1])))
    assert tuple(a.level.name for a in read.assignments)[-4:] == names


@pytest.mark.parametrize(
    ("anchor", "said"),
    [((40, "L5"), "fits none"), ((1, "L5"), "fits none"), ((2, "C3"), "beyond C1"), ((5, "L5"), "beyond C1 or L5")],
)
def test_an_anchor_that_cannot_be_is_refused(anchor, said):
    with pytest.raises(InputError, match=said):
        from_labels(mask_in("spineps", painted(1)), "spineps", anchor=(anchor[0], Level(anchor[1])))


def test_an_anchor_confirms_names_or_contradicts_them():
    mask = mask_in("verse", painted(1))
    assert from_labels(mask, "verse", anchor=(2, Level("L4"))).numbering_verified
    with pytest.raises(InputError, match="anchor L5=2, but that vertebra is L4"):
        from_labels(mask, "verse", anchor=(2, Level("L5")))
    with pytest.raises(InputError, match="that vertebra is not there"):
        from_labels(mask, "verse", anchor=(0, Level("T9")))


def test_spider_counts_from_the_bottom_and_keeps_partial_vertebrae_as_cut():
    truth = painted(1)
    mask = mask_in("spider-dataset", truth)
    voxels = mask.voxels.copy()
    voxels[voxels == 8] = 108
    read = from_labels(image_of(voxels, mask.geometry), "spider-dataset")
    assert Structure(BODY, Level("T10")) in read.segmentation.cut
    assert Structure(BODY, Level("L3")) not in read.segmentation.cut
    assert any("lowest is taken for L5" in line for line in read.warnings)


def test_values_must_be_whole_numbers():
    mask = mask_in("verse", painted(1))
    with pytest.raises(InputError, match="expected whole numbers"):
        from_labels(image_of(mask.voxels.astype(np.float32) * 0.5, mask.geometry), "verse")


def test_the_tip_of_an_arch_at_the_end_of_the_field_is_no_body():
    truth = painted(1)
    tip = Structure(ARCH, Level("T8"))
    assert truth.mask(tip).any()
    assert truth.body(tip.level) is None
    read = from_labels(mask_in("verse", truth), "verse")
    assert "T8: body and arch cannot be told apart; the body is not measured" in read.warnings
    assert np.array_equal(read.segmentation.mask(tip), truth.mask(tip))
    assert "T8" not in [a.level.name for a in read.assignments]


def test_a_speck_that_a_tool_left_behind_is_told_and_does_not_refuse_the_rest():
    mask = mask_in("verse", painted(1))
    voxels = mask.voxels.copy()
    voxels[9:11, 3:6, 30:33] = 5
    read = from_labels(image_of(voxels, mask.geometry), "verse")
    assert "C5 is only 18 voxels: a speck" in read.warnings
    assert "C5" not in [a.level.name for a in read.assignments]


@pytest.mark.parametrize(
    ("scheme", "said"), [("verse", "no value stands for a vertebra"), ("spineps", "name no level")]
)
def test_an_empty_mask_is_refused_in_words(scheme, said):
    grid = painted(1).geometry
    with pytest.raises(InputError, match=f"^labels seg.nii, scheme {scheme}: .*{said}"):
        from_labels(image_of(np.zeros(grid.shape, dtype=np.uint8), grid), scheme, name="seg.nii")


def test_a_scheme_whose_count_has_a_start_is_not_told_to_name_one():
    mask = mask_in("spider-dataset", painted(1))
    with pytest.raises(InputError, match="no value stands for a vertebra"):
        from_labels(image_of(np.where(mask.voxels == 100, 100, 0), mask.geometry), "spider-dataset")


def test_true_and_relative_levels_in_one_mask_are_refused():
    mask = mask_in("spinemri", painted(1))
    voxels = np.where(mask.voxels == 25, 130 + 27, mask.voxels)  # L5 becomes V27, the last in order
    with pytest.raises(InputError, match="true levels and relative ones"):
        from_labels(image_of(voxels, mask.geometry), "spinemri")


def test_an_s1_that_cannot_be_found_is_told():
    mask = mask_in("totalsegmentator-vertebrae-mr", painted(1))
    line = "S1: its upper endplate cannot be followed in the sacrum; the body is not measured"
    assert line not in from_labels(mask, "totalsegmentator-vertebrae-mr").warnings
    voxels = np.where(np.isin(mask.voxels, (1, 2)), mask.voxels, 0)  # one lumbar body tells no direction
    read = from_labels(image_of(voxels, mask.geometry), "totalsegmentator-vertebrae-mr")
    assert line in read.warnings
    assert [a.level.name for a in read.assignments] == ["L5"]


def test_the_disc_on_the_sacrum_is_l4_s1_where_there_is_no_l5():
    """Four lumbar vertebrae: every name one level up, the sacrum directly below L4."""
    mask = mask_in("spineps-veridah", painted(1))
    named = (mask.voxels % 100 > 0) & (mask.voxels % 100 < 25)
    voxels = mask.voxels - named.astype(mask.voxels.dtype)
    read = from_labels(image_of(voxels, mask.geometry), "spineps-veridah").segmentation
    assert np.array_equal(read.mask(Structure(DISC, Level("L4"), Level("S1"))), voxels == 123)
    assert np.array_equal(read.mask(Structure(DISC, Level("L3"), Level("L4"))), voxels == 122)


def test_what_was_told_of_the_file_is_told_of_the_mask():
    mask = mask_in("verse", painted(1))
    read = from_labels(replace(mask, warnings=("3 voxels are no numbers; set to the lowest value",)), "verse")
    assert "3 voxels are no numbers; set to the lowest value" in read.warnings


def test_a_speck_neither_renames_a_disc_nor_is_counted():
    mask = mask_in("totalspineseg-step2", painted(1))
    voxels = mask.voxels.copy()
    k, j, i = (int(n) for n in max(np.argwhere(voxels == 50).tolist(), key=lambda at: at[1]))
    voxels[k, j - 2 : j, i - 1 : i + 1] = 46  # four voxels of L6 within the sacrum
    read = from_labels(image_of(voxels, mask.geometry), "totalspineseg-step2", anchor=(2, Level("L5")))
    assert "L6 is only 4 voxels: a speck" in read.warnings
    assert np.array_equal(read.segmentation.mask(Structure(DISC, Level("L5"), Level("S1"))), voxels == 100)
