"""A mask finds its series by where it lies in the patient, whatever a tool did to its axes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinemri.anatomy import Level, Structure
from spinemri.errors import InputError
from spinemri.image import Image
from spinemri.labels.convert import from_labels
from spinemri.labels.place import laid_on, places_of, series_of
from spinemri.resample import resample_voxels
from spinemri.series import Contrast, Series
from tests.columns import rearranged
from tests.labels.painted import BODY, CORD, image_of, mask_in, painted


def series(truth, number, contrast=Contrast.T2W, shift=(0.0, 0.0, 0.0), frame="2.25.4711"):
    origin = tuple(np.add(truth.geometry.origin, shift))
    grid = replace(truth.geometry, origin=origin, frame_of_reference_uid=frame)
    facts = Series(series_uid=f"2.25.{number}", number=number, contrast=contrast)
    return Image(np.zeros(grid.shape, dtype=np.int16), grid, facts)


@pytest.fixture(scope="module")
def truth():
    return painted(1)


@pytest.fixture(scope="module")
def mask(truth):
    found = mask_in("totalspineseg-step2", truth)
    grid = replace(found.geometry, frame_of_reference_uid=None)
    return replace(found, geometry=grid, series=Series(series_uid=""))


def stating(mask, **facts):
    """The mask of a file that states a contrast, or refers to a series."""
    return replace(mask, series=Series(**{"series_uid": "", **facts}))


def test_a_flipped_and_reordered_mask_lands_on_the_very_voxels(truth, mask):
    image = series(truth, 4)
    voxels, grid = rearranged(mask.voxels, mask.geometry, (1, 2, 0), (True, False, True))
    turned = stating(image_of(voxels, grid))
    assert series_of(turned, [series(truth, 3, shift=(0, 0, 300.0)), image]) == ((1,), ())
    laid = laid_on(from_labels(turned, "totalspineseg-step2").segmentation, image)
    assert laid.geometry.same_grid(image.geometry)
    assert laid.series_uid == "2.25.4"
    cord = Structure(CORD)
    assert np.array_equal(laid.mask(cord), truth.mask(cord))


def test_a_resampled_mask_goes_to_the_series_that_holds_it(truth, mask):
    fine = mask.geometry.with_spacing((1.0, 1.0, 1.0))
    voxels = resample_voxels(mask.voxels, mask.geometry, fine, interpolation="nearest")
    images = [series(truth, 2, shift=(0.0, 0.0, 250.0)), series(truth, 3)]
    found, told = series_of(stating(image_of(voxels, fine)), images)
    assert found == (1,)
    assert told == ("the mask has another grid; 100 % of it lies in this series",)
    laid = laid_on(from_labels(image_of(voxels, fine), "totalspineseg-step2").segmentation, images[1])
    body = Structure(BODY, Level("L3"))
    both = np.count_nonzero(laid.mask(body) & truth.mask(body))
    assert 2 * both / (laid.mask(body).sum() + truth.mask(body).sum()) > 0.95


def test_of_several_series_with_one_grid_the_named_contrast_is_taken_and_nothing_is_guessed(truth, mask):
    images = [series(truth, 2, Contrast.T1W), series(truth, 3, Contrast.T2W)]
    assert series_of(stating(mask, contrast=Contrast.T2W), images) == ((1,), ())
    assert series_of(mask, images)[0] == (0, 1)
    undecided = r"^labels a\.nii: it fits series 2 \(T1w\), series 3 \(T2w\) and nothing tells .* contrast in the file"
    with pytest.raises(InputError, match=undecided):
        places_of([(mask, "a.nii")], images)
    with pytest.raises(InputError, match=r"^labels .\.nii: it fits .* nothing tells"):
        places_of([(mask, "a.nii"), (mask, "b.nii")], images)


def test_the_series_that_a_mask_refers_to_is_taken(truth, mask):
    images = [series(truth, 2), series(truth, 3), series(truth, 4, shift=(0.0, 0.0, 400.0))]
    assert series_of(stating(mask, series_uid="2.25.3"), images) == ((1,), ())
    with pytest.raises(InputError, match=r"the mask covers .*\(series 4: .* mm.*\)$"):
        series_of(stating(mask, series_uid="2.25.4"), images)
    found, told = series_of(stating(mask, series_uid="2.25.9"), images)
    assert found == (0, 1)
    assert told == ("the mask refers to a series that is not used; it is laid on this one",)


@pytest.mark.parametrize("turned", [False, True])
def test_several_masks_are_placed_whatever_their_order(truth, mask, turned):
    upper = replace(mask, geometry=replace(mask.geometry, origin=tuple(np.add(mask.geometry.origin, (0, 0, 300.0)))))
    images = [series(truth, 2, Contrast.T1W, (0, 0, 300.0)), series(truth, 3, Contrast.T1W), series(truth, 4)]
    masks = [(upper, "upper"), (stating(mask, contrast=Contrast.T2W), "t2"), (mask, "other")]
    expected = {"upper": 0, "t2": 2, "other": 1}
    found = places_of(masks[::-1] if turned else masks, images)
    names = [name for _, name in (masks[::-1] if turned else masks)]
    assert {name: n for name, (n, _) in zip(names, found, strict=True)} == expected
    told = dict(zip(names, (told for _, told in found), strict=True))
    assert told["t2"] == ()
    assert told["other"] == ("the other series that the mask fits have masks of their own",)


def test_two_masks_of_one_series_are_refused(truth, mask):
    with pytest.raises(InputError, match=r"labels b: it fits series 3 \(T2w\) only, which has a mask already \(a\)"):
        places_of([(mask, "a"), (mask, "b")], [series(truth, 3)])
    with pytest.raises(InputError, match=r"^labels c: the mask covers"):
        places_of([(mask, "c")], [series(truth, 3, shift=(0.0, 0.0, 400.0))])


@pytest.mark.parametrize(("cut", "found"), [(0.0, (0, 1)), (0.2, (1,))])
def test_of_two_series_that_hold_a_resampled_mask_one_has_to_hold_clearly_more(truth, mask, cut, found):
    fine = mask.geometry.with_spacing((1.0, 1.0, 1.0))
    voxels = resample_voxels(mask.voxels, mask.geometry, fine, interpolation="nearest")
    whole = series(truth, 3)
    slices, rows, columns = whole.geometry.shape
    shorter = replace(whole.geometry, shape=(slices, round(rows * (1 - cut)), columns))
    part = Image(np.zeros(shorter.shape, dtype=np.int16), shorter, series(truth, 2).series)
    assert series_of(stating(image_of(voxels, fine)), [part, whole])[0] == found


def test_a_mask_from_elsewhere_is_refused_with_both_places(truth, mask):
    with pytest.raises(InputError, match=r"the mask covers .* mm; expected the grid .*series 3: .* mm"):
        series_of(mask, [series(truth, 3, shift=(0.0, 0.0, 400.0))])


def test_another_frame_of_reference_is_another_place(truth, mask):
    known = replace(mask, geometry=replace(mask.geometry, frame_of_reference_uid="2.25.1"))
    with pytest.raises(InputError, match="the mask covers"):
        series_of(known, [series(truth, 3, frame="2.25.2")])
    assert series_of(known, [series(truth, 3, frame="2.25.1")])[0] == (0,)
    assert series_of(known, [series(truth, 3, frame=None)])[0] == (0,)


def test_what_the_series_does_not_show_is_dropped_and_what_it_cuts_is_marked(truth, mask):
    image = series(truth, 3)
    middle = round(
        float(
            image.geometry.to_index(
                truth.geometry.to_patient(np.argwhere(truth.mask(Structure(BODY, Level("L2")))).mean(axis=0))
            )[1]
        )
    )
    lower = replace(
        image.geometry,
        shape=(image.geometry.shape[0], image.geometry.shape[1] - middle, image.geometry.shape[2]),
        origin=tuple(image.geometry.to_patient((0, middle, 0)).tolist()),
    )
    cropped = Image(np.zeros(lower.shape, dtype=np.int16), lower, image.series)
    laid = laid_on(from_labels(mask, "totalspineseg-step2").segmentation, cropped)
    assert laid.body(Level("T12")) is None
    assert Structure(BODY, Level("L2")) in laid.cut
    assert Structure(BODY, Level("L4")) not in laid.cut
