"""A mask finds its series by where it lies in the patient, whatever a tool did to its axes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinemri.anatomy import Level, Structure
from spinemri.errors import InputError
from spinemri.image import Image
from spinemri.labels.convert import from_labels
from spinemri.labels.place import laid_on, series_of
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
    return replace(found, geometry=replace(found.geometry, frame_of_reference_uid=None))


def test_a_flipped_and_reordered_mask_lands_on_the_very_voxels(truth, mask):
    image = series(truth, 4)
    voxels, grid = rearranged(mask.voxels, mask.geometry, (1, 2, 0), (True, False, True))
    turned = image_of(voxels, grid)
    assert series_of(turned, [series(truth, 3, shift=(0, 0, 300.0)), image]) == (1, ())
    laid = laid_on(from_labels(turned, "totalspineseg-step2").segmentation, image)
    assert laid.geometry.same_grid(image.geometry)
    assert laid.series_uid == "2.25.4"
    cord = Structure(CORD)
    assert np.array_equal(laid.mask(cord), truth.mask(cord))


def test_a_resampled_mask_goes_to_the_series_that_holds_it(truth, mask):
    fine = mask.geometry.with_spacing((1.0, 1.0, 1.0))
    voxels = resample_voxels(mask.voxels, mask.geometry, fine, interpolation="nearest")
    images = [series(truth, 2, shift=(0.0, 0.0, 250.0)), series(truth, 3)]
    n, told = series_of(image_of(voxels, fine), images)
    assert n == 1
    assert told == ("the mask has another grid; 100 % of it lies in this series",)
    laid = laid_on(from_labels(image_of(voxels, fine), "totalspineseg-step2").segmentation, images[1])
    body = Structure(BODY, Level("L3"))
    both = np.count_nonzero(laid.mask(body) & truth.mask(body))
    assert 2 * both / (laid.mask(body).sum() + truth.mask(body).sum()) > 0.95


def test_of_several_series_with_one_grid_the_named_contrast_is_taken_then_the_first_free_one(truth, mask):
    images = [series(truth, 2, Contrast.T1W), series(truth, 3, Contrast.T2W)]
    assert series_of(mask, images, contrast=Contrast.T2W) == (1, ())
    n, told = series_of(mask, images)
    assert n == 0
    assert "fits 2 series" in told[0]
    assert series_of(mask, images, taken={0}) == (1, ())


def test_a_mask_from_elsewhere_is_refused_with_both_places(truth, mask):
    with pytest.raises(InputError, match=r"the mask covers .* mm; expected the grid .*series 3: .* mm"):
        series_of(mask, [series(truth, 3, shift=(0.0, 0.0, 400.0))])


def test_another_frame_of_reference_is_another_place(truth, mask):
    known = replace(mask, geometry=replace(mask.geometry, frame_of_reference_uid="2.25.1"))
    with pytest.raises(InputError, match="the mask covers"):
        series_of(known, [series(truth, 3, frame="2.25.2")])
    assert series_of(known, [series(truth, 3, frame="2.25.1")])[0] == 0
    assert series_of(known, [series(truth, 3, frame=None)])[0] == 0


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
