"""Sac and cord of formulas: areas, compression apart from displacement, fluid, signal, and what cannot be told."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from spinemri.anatomy import StructureKind
from spinemri.image import Image
from spinemri.measure import measure
from spinemri.measurement import Status
from spinemri.series import Contrast, Series
from tests.measure.phantom import LEVELS, SAC_MM, Cord, cervical, lumbar

SAC_AREA = np.pi * SAC_MM / 2 * 10
DISCS = [f"{upper}-{lower}" for upper, lower in pairwise(LEVELS)]


def found_in(phantom, spacing=(4.0, 0.9, 0.8), images=None):
    geometry = phantom.grid(spacing)
    segmentation = phantom.segment(geometry)
    shown = images(geometry, segmentation) if images else []
    return {m.id: m for m in measure(phantom.spine(), shown, [segmentation])}


@pytest.mark.parametrize(
    ("spacing", "sac", "cord"),
    [((3.0, 0.8, 0.8), 0.06, 0.1), ((5.0, 1.0, 1.0), 0.1, 0.15), ((1.0, 1.0, 1.0), 0.05, 0.05)],
)
def test_areas_of_sac_and_cord(spacing, sac, cord):
    found = found_in(lumbar(cord=Cord(ap=7, width=11)), spacing)
    for place in DISCS[:-1]:
        assert found[f"{place}.dural_sac_area"].value == pytest.approx(SAC_AREA, rel=sac)
        area, share = (found[f"{place}.{name}"] for name in ("cord_area", "occupation_ratio"))
        if area.value is None:  # two slices of 5 mm cross it
            assert spacing[0] == 5.0
            assert share.value is None
            assert "fewer than three slices" in area.reason
            continue
        assert area.value == pytest.approx(np.pi / 4 * 77, rel=cord)
        assert share.value == pytest.approx(np.pi / 4 * 77 / SAC_AREA, rel=sac + cord)


def test_a_leaning_spine_has_no_larger_areas():
    found = found_in(lumbar(cord=Cord(), turn=(3.0, 25.0, 2.0)), (1.0, 1.0, 1.0))  # 10 % larger in the grid's own plane
    assert found["L2-L3.dural_sac_area"].value == pytest.approx(SAC_AREA, rel=0.04)
    assert found["L2-L3.cord_area"].value == pytest.approx(np.pi / 4 * 77, rel=0.05)


@pytest.mark.parametrize("lost", [0.0, 0.2, 0.4])
def test_compression_without_displacement(lost):
    found = found_in(lumbar(cord=Cord(compressed={3: lost})), (3.0, 0.8, 0.8))
    here = found["L2-L3.cord_compression_pct"]
    assert here.value == pytest.approx(100 * lost, abs=6)
    assert here.interval[0] < 100 * lost < here.interval[1]
    assert [str(v) for v in here.reference_levels] == ["L1", "L2", "L3", "L4"]
    assert found["L2-L3.cord_ap"].value == pytest.approx(7 * (1 - lost), abs=0.5)
    assert abs(found["L2-L3.cord_shift_mm"].value) < 0.5


@pytest.mark.parametrize("moved", [2.5, -2.5])
def test_displacement_without_compression(moved):
    found = found_in(lumbar(cord=Cord(ap=6, moved={3: moved})), (3.0, 0.8, 0.8))
    here = found["L2-L3.cord_shift_mm"]
    assert here.value == pytest.approx(moved, abs=0.8)
    assert abs(found["L2-L3.cord_compression_pct"].value) < 8


def test_fluid_around_the_cord_and_none_where_the_sac_is_as_narrow_as_the_cord():
    """The sac keeps its rear half, and the cord stays in the middle (fluid behind it only) or is pushed back too."""
    half, none = (
        found_in(lumbar(cord=Cord(ap=7.5, width=18.5, moved={3: mm}), narrowing={3: 0.5}), (2.5, 0.7, 0.7))
        for mm in (0.0, 3.5)
    )
    assert half["L1-L2.csf_ring_fraction"].value == 1.0
    assert half["L2-L3.csf_ring_fraction"].value == pytest.approx(0.5, abs=0.15)
    assert none["L2-L3.csf_ring_fraction"].value < 0.2


def test_the_area_loses_what_the_diameter_loses_when_a_disc_bulges():
    found = found_in(lumbar(narrowing={3: 0.4}))
    assert found["L2-L3.dural_sac_area_compromise_pct"].value == pytest.approx(40, abs=6)
    assert found["L2-L3.dural_sac_front_indent_mm"].value == pytest.approx(0.4 * SAC_MM, abs=1.2)
    assert abs(found["L2-L3.dural_sac_back_indent_mm"].value) < 1.2
    assert abs(found["L1-L2.dural_sac_front_indent_mm"].value) < 0.8


def test_below_the_cord_nothing_is_said_of_it_and_near_its_end_nothing_is_compared():
    found = found_in(lumbar(cord=Cord(end=2)))
    below = found["L3-L4.cord_ap"]
    assert (below.status, below.reason) == (Status.NOT_ASSESSABLE, "no cord at this level: below its lower end")
    near = found["L1.cord_compression_pct"]
    assert near.value is None
    assert "tapers" in near.reason
    assert found["L1.cord_ap"].value == pytest.approx(7, abs=0.6)
    assert found["T12.cord_compression_pct"].status is Status.MEASURED


@pytest.mark.parametrize(("ap", "believed"), [(3.0, False), (5.0, True)])
def test_a_mask_thinner_than_any_cord_is_not_believed(ap, believed):
    here = found_in(lumbar(cord=Cord(ap=ap)), (3.0, 0.8, 0.8))["L1-L2.cord_ap"]
    assert (here.value is not None) is believed
    assert ("less than any cord" in here.reason) is not believed


def test_without_a_cord_or_a_sac_there_is_a_reason():
    found = found_in(lumbar())
    assert "no cord was found" in found["L2-L3.cord_ap"].reason
    assert "no sagittal T2w" in found["L2-L3.cord_t2_ratio"].reason
    phantom = lumbar(cord=Cord())
    geometry = phantom.grid()
    segmentation = phantom.segment(geometry)
    canal = segmentation.mask_of_kind(StructureKind.THECAL_SAC, StructureKind.CORD)
    bare = replace(segmentation, voxels=np.where(canal, 0, segmentation.voxels))
    alone = {m.id: m for m in measure(phantom.spine(), [], [bare])}
    assert alone["L2-L3.dural_sac_area"].value is None
    assert alone["L2-L3.cord_compression_pct"].value is None
    assert alone["L2-L3.cord_compression_pct"].reason


def t2w(level_of=None, gain=1.0, contrast=Contrast.T2W):
    """Images of bright fluid and grey cord under an uneven coil; ``level_of`` is a point where the cord is brighter."""

    def made(geometry, segmentation):
        rng = np.random.default_rng(3)
        rows = geometry.axis_along(2)
        shape = [-1 if a == rows else 1 for a in range(3)]
        coil = np.linspace(1.4, 0.7, geometry.shape[rows]).reshape(shape)
        signal = np.where(segmentation.mask_of_kind(StructureKind.THECAL_SAC), 900.0, 100.0)
        cord = segmentation.mask_of_kind(StructureKind.CORD)
        signal[cord] = 300.0
        if level_of is not None:
            row = geometry.to_index(level_of)[rows]
            near = np.abs(np.arange(geometry.shape[rows]) - row) * geometry.spacing[rows] < 10
            signal[cord & np.broadcast_to(near.reshape(shape), cord.shape)] *= gain
        noisy = (signal * coil + rng.normal(0, 12, signal.shape)).clip(0).astype(np.int16)
        return [Image(noisy, geometry, Series(series_uid="1.2.3", contrast=contrast), ())]

    return made


@pytest.mark.parametrize("gain", [1.0, 1.35, 1.8])
def test_a_raised_signal_is_found_where_it_is_and_as_long_as_it_is(gain):
    phantom = cervical(cord=Cord(ap=7, width=12))
    place = phantom.to_patient(phantom.disc_place(2))
    found = found_in(phantom, (3.0, 0.7, 0.7), t2w(place, gain))
    assert found["C5-C6.cord_t2_ratio"].value == pytest.approx(gain, rel=0.06)
    assert found["C5-C6.cord_t2_ratio"].series_uid == "1.2.3"
    assert found["C3-C4.cord_t2_ratio"].value == pytest.approx(1.0, abs=0.06)
    length = found["C5-C6.cord_t2_length_mm"].value
    assert length == (0.0 if gain == 1.0 else pytest.approx(20, abs=4))


def test_only_t2w_tells_the_signal_and_only_with_enough_cord():
    phantom = lumbar(cord=Cord())
    found = found_in(phantom, (3.0, 0.8, 0.8), t2w(contrast=Contrast.STIR))
    assert "no sagittal T2w" in found["L1-L2.cord_t2_ratio"].reason
    short = found_in(lumbar(cord=Cord(end=0)), (3.0, 0.8, 0.8), t2w())
    assert "60 mm of cord" in short["T11.cord_t2_ratio"].reason
