"""Foramina of formulas: sizes on both sides, whichever way the slices run, fat on T1w, and what cannot be measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.geometry import Geometry
from spinemri.image import Image
from spinemri.measure import MEASURES
from spinemri.measure.bodies import body_shapes, with_sacrum
from spinemri.measure.disc import DiscMasks
from spinemri.measure.foramen import SIDES, foraminal_measurements
from spinemri.measurement import Status
from spinemri.series import Contrast, Series
from tests.measure.phantom import Foramen, cervical, lumbar

LEFT = Foramen(top=12.0, bottom=7.0, ap=6.0, back=9.0)
RIGHT = Foramen(top=8.5, bottom=5.5, ap=2.6, back=7.0)
L3_L4, L4_L5, L5_S1 = 1, 2, 3
NAMES = ("foraminal_height", "foraminal_ap", "foraminal_area", "perineural_fat_fraction")


def spine_of(foramina, **placed):
    """L2 to S1."""
    return replace(lumbar(**placed), bodies=lumbar().bodies[3:], foramina=foramina)


def both(*discs, left=LEFT, right=RIGHT, **placed):
    return spine_of({(n, side): f for n in discs for side, f in (("left", left), ("right", right))}, **placed)


def found_in(phantom, segmentation, images=(), others=(), missing=None):
    segmentations = {s.series_uid: s for s in (segmentation, *others)}
    spine = phantom.spine()
    shapes = with_sacrum(body_shapes(spine, segmentations, {}), spine, segmentations, {})
    masks = DiscMasks(segmentations, missing or {})
    return {m.id: m for m in foraminal_measurements(spine, shapes, images, masks)}


def reversed_slices(geometry):
    """The same grid with its slices in the opposite order."""
    x, y, z = geometry.to_patient([geometry.shape[0] - 1, 0, 0])
    axes = geometry.axes.copy()
    axes[:, 0] *= -1
    return Geometry(geometry.shape, geometry.spacing, (x, y, z), tuple(axes.ravel()), geometry.frame_of_reference_uid)


def check_sizes(found, place, side, foramen, overhang=0.0):
    height, ap, area = (found[f"{place}.{name}_{side}"] for name in NAMES[:3])
    assert height.value == pytest.approx(foramen.height, abs=1.0)
    assert ap.value == pytest.approx(foramen.ap - overhang, abs=1.0)
    assert area.value == pytest.approx(foramen.area, rel=0.2)
    for m, true in ((height, foramen.height), (ap, foramen.ap - overhang), (area, foramen.area)):
        assert m.interval[0] < true < m.interval[1]


@pytest.mark.parametrize("spacing", [(3.0, 0.8, 0.7), (4.0, 0.9, 0.8)])
@pytest.mark.parametrize("backwards", [False, True])
def test_sizes_and_sides_whichever_way_the_slices_run(spacing, backwards):
    phantom = both(L3_L4)
    grid = phantom.grid(spacing)
    assert grid.orientation[0] == "L"
    grid = reversed_slices(grid) if backwards else grid
    found = found_in(phantom, phantom.segment(grid))
    check_sizes(found, "L3-L4", "left", LEFT, phantom.overhang(L3_L4))
    check_sizes(found, "L3-L4", "right", RIGHT, phantom.overhang(L3_L4))
    ends = np.array(found["L3-L4.foraminal_height_left"].points)
    assert phantom.in_disc(L3_L4, phantom.to_anatomy(ends))[:, 0].min() > 9  # x grows to the patient's left
    ends = np.array(found["L3-L4.foraminal_ap_right"].points)
    assert phantom.in_disc(L3_L4, phantom.to_anatomy(ends))[:, 0].max() < -9


def test_a_turned_patient_and_the_sacrum_below():
    phantom = both(L5_S1, right=replace(LEFT, top=9.0, ap=4.0), turn=(8.0, -3.0, 6.0))
    found = found_in(phantom, phantom.segment(phantom.grid((3.3, 0.8, 0.8))))
    check_sizes(found, "L5-S1", "left", LEFT, phantom.overhang(L5_S1))
    check_sizes(found, "L5-S1", "right", replace(LEFT, top=9.0, ap=4.0), phantom.overhang(L5_S1))
    assert found["L5-S1.foraminal_height_left"].flags == ("lower_arch_is_sacrum",)


def test_everything_expected_is_there_once_and_has_its_unit():
    phantom = both(L4_L5)
    found = found_in(phantom, phantom.segment(phantom.grid((4.0, 1.0, 1.0))))
    places = ("L2-L3", "L3-L4", "L4-L5", "L5-S1")
    assert set(found) == {f"{place}.{name}_{side}" for place in places for name in NAMES for side in SIDES}
    units = {m.name: m.unit for m in MEASURES}
    assert all(m.unit == units[m.name] and m.kind is StructureKind.DISC for m in found.values())
    assert all(m.points for m in found.values() if m.value is not None and m.unit == "mm")


def test_one_slice_is_not_enough():
    phantom = both(L4_L5, left=replace(LEFT, out=(10.5, 15.0)))
    found = found_in(phantom, phantom.segment(phantom.grid((4.5, 0.9, 0.9), turn=(0.0, 0.0, 0.0))))
    left = found["L4-L5.foraminal_height_left"]
    assert left.status is Status.NOT_ASSESSABLE
    assert left.reason in {
        f"{n} crosses the foramen through both pedicles, two are needed" for n in ("one slice", "no slice")
    }
    assert "are needed" in found["L4-L5.foraminal_area_left"].reason


def test_missing_slices_are_not_measured():
    phantom = both(L4_L5)
    segmentation = phantom.segment(phantom.grid((4.0, 0.9, 0.9)))
    found = found_in(phantom, segmentation, missing={"1.2.3": frozenset(range(segmentation.geometry.shape[0]))})
    assert "no slice crosses" in found["L4-L5.foraminal_height_left"].reason


def test_without_posterior_elements_there_is_a_reason():
    phantom = both(L4_L5)
    segmentation = phantom.segment(phantom.grid((4.0, 0.9, 0.9)))
    bare = np.where(segmentation.mask(Structure(StructureKind.POSTERIOR_ELEMENTS, Level("L5"))), 0, segmentation.voxels)
    found = found_in(phantom, replace(segmentation, voxels=bare))
    assert found["L4-L5.foraminal_height_left"].reason == "no mask of the posterior elements of L5"
    assert found["L2-L3.foraminal_height_left"].reason == "no mask of the posterior elements of L2"


def test_pedicles_far_below_the_endplate_are_no_pedicles():
    phantom = both(L4_L5, left=replace(LEFT, bottom=16.0))
    found = found_in(phantom, phantom.segment(phantom.grid((3.0, 0.9, 0.9))))
    assert "no slice crosses" in found["L4-L5.foraminal_height_left"].reason


def test_a_disc_tilted_sideways_is_not_measured():
    phantom = both(L4_L5)
    found = found_in(phantom, phantom.segment(phantom.grid((3.0, 1.0, 1.0), turn=(0.0, 18.0, 0.0))))
    assert "out of the sagittal slices" in found["L4-L5.foraminal_ap_right"].reason


def test_cervical_foramina_are_not_measured():
    phantom = cervical()
    found = found_in(phantom, phantom.segment(phantom.grid((3.0, 1.0, 1.0))))
    reasons = {m.reason for m in found.values()}
    assert reasons == {"cervical foramina run obliquely: not measurable on straight sagittal slices"}
    assert "C7-T1.foraminal_height_left" in found


def test_levels_without_names_are_not_measured():
    phantom = both(L4_L5)
    named = replace(phantom, bodies=tuple(replace(b, level=Level(f"V{n}")) for n, b in enumerate(phantom.bodies, 1)))
    found = found_in(named, named.segment(named.grid((4.0, 1.0, 1.0))))
    assert "levels are not named" in found["V3-V4.foraminal_height_left"].reason


def test_thoracic_foramina_say_so():
    whole = lumbar(foramina={(0, "left"): replace(LEFT, bottom=6.0)})
    phantom = replace(whole, bodies=whole.bodies[:5])
    found = found_in(phantom, phantom.segment(phantom.grid((3.0, 0.9, 0.9))))
    assert found["T11-T12.foraminal_height_left"].value == pytest.approx(18.0, abs=1.0)
    assert found["T11-T12.foraminal_height_left"].flags == ("thoracic_foramen",)


def t1w(phantom, segmentation, cut, fat=700.0, contrast=Contrast.T1W):
    """Fat behind the spine and in the foramina, there above ``cut`` mm; elsewhere muscle. Bone lies between them."""
    grid = segmentation.geometry
    index = np.moveaxis(np.indices(grid.shape), 0, -1)
    points = phantom.to_anatomy(grid.to_patient(index))
    x, p, s = np.moveaxis(phantom.in_disc(L4_L5, points), -1, 0)
    signal = np.random.default_rng(5).normal(150.0, 12.0, grid.shape)
    left = (x > 0) & (s > cut["left"])
    signal[(p > 15) | ((np.abs(x) > 9) & (p > -4) & (left | ((x <= 0) & (s > cut["right"]))))] += fat - 150.0
    signal[segmentation.mask_of_kind(StructureKind.VERTEBRAL_BODY, StructureKind.POSTERIOR_ELEMENTS)] = 450.0
    signal[segmentation.mask_of_kind(StructureKind.DISC)] = 170.0
    voxels = signal.clip(0).astype(np.int16)
    return Image(voxels, grid, Series(series_uid=segmentation.series_uid, contrast=contrast), ())


def test_the_share_of_fat_on_t1w_in_another_series():
    """On the left everything above 6 mm is fat, on the right nothing."""
    phantom = both(L4_L5, right=LEFT)
    bodies = phantom.segment(phantom.grid((4.0, 0.9, 0.9)))
    t1 = phantom.segment(phantom.grid((3.3, 0.7, 0.8), turn=(-2.0, 2.0, 3.0)), "1.2.4")
    image = t1w(phantom, t1, {"left": 6.0, "right": 30.0})
    found = found_in(phantom, bodies, [image], [t1])
    left, right = (found[f"L4-L5.perineural_fat_fraction_{side}"] for side in SIDES)
    true = LEFT.back * (LEFT.top - 6.0) / LEFT.area
    assert left.value == pytest.approx(true, abs=0.08)
    assert left.interval[0] < true < left.interval[1]
    assert right.value < 0.05
    assert left.series_uid == "1.2.4"
    assert found["L4-L5.foraminal_height_left"].series_uid == "1.2.3"


@pytest.mark.parametrize(
    ("fat", "contrast", "word"),
    [
        (220.0, Contrast.T1W, "cannot be told from disc"),
        (700.0, Contrast.T2W, "no T1w series"),
        (700.0, Contrast.T1W_POST, "no T1w series"),
    ],
)
def test_fat_that_cannot_be_read_has_a_reason(fat, contrast, word):
    phantom = both(L4_L5)
    segmentation = phantom.segment(phantom.grid((3.5, 0.9, 0.9)))
    image = t1w(phantom, segmentation, {"left": 6.0, "right": 6.0}, fat, contrast)
    found = found_in(phantom, segmentation, [image])
    assert word in found["L4-L5.perineural_fat_fraction_left"].reason
    assert found["L4-L5.foraminal_height_left"].status is Status.MEASURED


def test_near_a_seam_nothing_is_measured():
    phantom = both(L4_L5)
    segmentation = phantom.segment(phantom.grid((4.0, 0.9, 0.9)))
    at = segmentation.geometry.to_index(phantom.to_patient(phantom.bodies[L4_L5].centre))[1]
    image = replace(phantom.image(segmentation.geometry), seams=(float(at),))
    found = found_in(phantom, segmentation, [image])
    assert found["L4-L5.foraminal_height_left"].status is Status.EXCLUDED
