from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinemri.measure.disc_signal import disc_signals
from spinemri.measurement import Status
from spinemri.series import Contrast
from tests.measure.subjects import person, t2w


@pytest.fixture(scope="module")
def someone():
    who = person(610, broken=False, stretch=0)
    return who, who.spine(), {"1.2.3": who.segmentation()}


def signals(someone, *images):
    _, spine, segmentations = someone
    return {m.place: m for m in disc_signals(spine, images, segmentations)}


def test_the_nucleus_against_csf_is_that_of_the_tissues(someone):
    image, true = t2w(someone[0], 3)
    found = signals(someone, image)
    assert len(found) == len(someone[0].names) - 1
    assert all(m.value == pytest.approx(true, rel=0.2) for m in found.values())
    assert np.mean([m.interval[0] <= true <= m.interval[1] for m in found.values()]) >= 0.8
    assert all(m.series_uid == "1.2.3" for m in found.values())


@pytest.mark.parametrize("contrast", [Contrast.T1W, Contrast.STIR, Contrast.T2W_FS])
def test_only_t2w_without_fat_suppression_counts(someone, contrast):
    image, _ = t2w(someone[0], 3)
    other = replace(image, series=image.series.model_copy(update={"contrast": contrast}))
    found = signals(someone, other)
    assert {m.status for m in found.values()} == {Status.NOT_ASSESSABLE}
    assert {m.reason for m in found.values()} == {"no T2w series shows this disc"}


def test_a_dark_disc_is_dark_whatever_the_gain(someone):
    image, _ = t2w(someone[0], 3)
    _, _, segmentations = someone
    (structure,) = [s for s in segmentations["1.2.3"].structures.values() if s.place == "L4-L5"]
    voxels = np.where(segmentations["1.2.3"].mask(structure), 0.3 * image.voxels, image.voxels)
    once, louder = (signals(someone, replace(image, voxels=gain * voxels)) for gain in (1.0, 7.0))
    plain = signals(someone, image)
    assert once["L4-L5"].value == pytest.approx(0.3 * plain["L4-L5"].value, rel=1e-6)
    assert louder["L4-L5"].value == pytest.approx(once["L4-L5"].value, rel=1e-6)
    assert once["L3-L4"].value == plain["L3-L4"].value


def test_missing_slices_and_seams_are_not_read(someone):
    image, _ = t2w(someone[0], 3)
    every = replace(image, missing_slices=tuple(range(image.geometry.shape[0])))
    assert {m.reason for m in signals(someone, every).values()} == {"too few voxels of the disc on T2w"}
    row = someone[0].geometry.shape[1] / 2 + 0.5
    seams = signals(someone, replace(image, seams=(row,)))
    assert Status.EXCLUDED in {m.status for m in seams.values()}
    assert Status.MEASURED in {m.status for m in seams.values()}


def test_no_csf_no_value(someone):
    who, spine, segmentations = someone
    image, _ = t2w(who, 3)
    dark = replace(image, voxels=np.zeros(image.geometry.shape, dtype=np.float32))
    found = {m.place: m for m in disc_signals(spine, [dark], segmentations)}
    assert {m.reason for m in found.values()} == {"CSF has no signal"}
