from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.measure import measure
from spinemri.measure.vertebra import endplate_corners
from spinemri.measurement import Status
from tests.measure.phantom import cervical, lumbar

FIRST = np.array([0.0, 1.0])  # anterior and posterior end of an endplate, as a fraction of the depth


def found_in(phantom, segmentation=None, spine=None):
    masks = segmentation or phantom.segment(phantom.grid())
    return {m.id: m for m in measure(spine or phantom.spine(), [], [masks])}


def corners(body, *, upper):
    """Anterior and posterior corner (y to posterior, z) of an endplate in anatomy coordinates."""
    height = body.plates(FIRST)[0 if upper else 1]
    local = np.stack([np.zeros(2), (FIRST - 0.5) * body.depth, height], axis=1)
    return body.to_anatomy(local)[:, 1:]


def lean(body, *, upper):
    front, back = corners(body, upper=upper)
    return np.degrees(np.arctan2(back[1] - front[1], back[0] - front[0]))


def true_slip(upper, lower):
    front, back = corners(lower, upper=True)
    forward = (front - back) / np.linalg.norm(front - back)
    return float((corners(upper, upper=False)[1] - back) @ forward), float(np.linalg.norm(front - back))


def slid(phantom, name, forward):
    """The phantom with one body and all above it moved forward."""
    at = [str(b.level) for b in phantom.bodies].index(name)
    step = np.array([0.0, -forward, 0.0])
    moved = [replace(b, centre=b.centre + step) if n <= at else b for n, b in enumerate(phantom.bodies)]
    return replace(phantom, bodies=tuple(moved))


@pytest.fixture(scope="module")
def fractured():
    phantom = slid(lumbar({"L1": 0.35}), "L4", 7.0)
    return phantom, found_in(phantom)


def test_wedge_angles_are_those_of_the_bodies(fractured):
    phantom, found = fractured
    for body in phantom.bodies[:-1]:
        expected = lean(body, upper=True) - lean(body, upper=False)
        angle = found[f"{body.level}.wedge_angle"]
        assert angle.value == pytest.approx(expected, abs=2.0)
        assert angle.interval[0] <= angle.value <= angle.interval[1]
    assert found["L1.wedge_angle"].value > 12
    assert found["L5.wedge_angle"].value < -4


def test_points_of_an_angle_lie_on_its_endplates(fractured):
    phantom, found = fractured
    ends = phantom.to_anatomy(np.array(found["L3.wedge_angle"].points))[:, 1:]
    body = phantom.bodies[4]
    expected = np.concatenate([corners(body, upper=True), corners(body, upper=False)])
    assert np.abs(ends - expected).max() < 1.6  # the front wall recedes beside the midline


def test_regional_angles_run_between_their_endplates(fractured):
    phantom, found = fractured
    by_name = {str(b.level): b for b in phantom.bodies}
    for upper in ("T12", "L1", "L4"):
        angle = found[f"{upper}-S1.lumbar_lordosis"]
        expected = lean(by_name[upper], upper=True) - lean(by_name["S1"], upper=True)
        assert angle.value == pytest.approx(expected, abs=2.0)
        assert angle.value < 0
    away = found["T4-T12.thoracic_kyphosis"]
    assert (away.status, away.reason) == (Status.OUT_OF_FIELD, "T4 is not seen together with T12")
    assert "C2-C7.cervical_lordosis" not in found


def test_slips_are_measured_from_wall_to_wall(fractured):
    phantom, found = fractured
    for upper, lower in zip(phantom.bodies, phantom.bodies[1:], strict=False):
        millimetres, length = true_slip(upper, lower)
        place = f"{upper.level}-{lower.level}"
        assert found[f"{place}.slip_mm"].value == pytest.approx(millimetres, abs=0.7), place
        assert found[f"{place}.slip_pct"].value == pytest.approx(100 * millimetres / length, abs=3), place
    assert found["L4-L5.slip_mm"].value > 5
    assert "below_two_pixels" not in found["L4-L5.slip_mm"].flags
    assert "below_two_pixels" in found["L2-L3.slip_mm"].flags


def test_a_backward_slip_is_negative():
    phantom = slid(lumbar(), "L3", -6.0)
    expected, _ = true_slip(phantom.bodies[4], phantom.bodies[5])
    assert expected < -4
    assert found_in(phantom)["L3-L4.slip_mm"].value == pytest.approx(expected, abs=0.7)


def test_the_inset_of_two_bodies_of_different_depth_is_no_slip():
    """Posterior walls in line; 5 % of the depths would differ by 0.5 mm."""
    phantom = lumbar()
    bodies = list(phantom.bodies)
    bodies[4] = replace(bodies[4], depth=44.0, centre=bodies[4].centre - [0.0, 5.5, 0.0])
    changed = replace(phantom, bodies=tuple(bodies))
    expected, _ = true_slip(bodies[3], bodies[4])
    assert found_in(changed)["L2-L3.slip_mm"].value == pytest.approx(expected, abs=0.4)


def test_local_kyphosis_rests_on_intact_neighbours(fractured):
    phantom, found = fractured
    local = found["L1.local_kyphosis"]
    expected = lean(phantom.bodies[1], upper=True) - lean(phantom.bodies[3], upper=False)
    assert local.value == pytest.approx(expected, abs=2.0)
    assert [str(v) for v in local.reference_levels] == ["T12", "L2"]
    assert found["T12.local_kyphosis"].reason == "L1 has lost height"
    assert found["T11.local_kyphosis"].reason == "no vertebra is seen directly above"
    assert found["L5.local_kyphosis"].reason == "S1 has no lower endplate"


def test_a_cut_body_leaves_its_reason():
    phantom = lumbar()
    masks = phantom.segment(phantom.grid())
    cut = replace(masks, cut=frozenset({Structure(StructureKind.VERTEBRAL_BODY, Level("L2"))}))
    found = found_in(phantom, cut)
    for name in ("L2.wedge_angle", "L1.local_kyphosis", "L1-L2.slip_mm", "L2-L3.slip_pct"):
        assert found[name].status is Status.OUT_OF_FIELD, name
    assert found["T12-S1.lumbar_lordosis"].status is Status.MEASURED


def test_the_neck_has_angles_between_c2_and_c7_and_no_sacrum():
    found = found_in(cervical())
    assert found["C2-C7.cervical_lordosis"].reason == "C2 is not seen together with C7"
    assert found["C3-C4.slip_mm"].status is Status.MEASURED
    assert not [name for name in found if "lumbar" in name]


def bent(phantom, size):
    """The phantom with its bodies moved sideways along one arch of a sine of height ``size``."""
    z = np.array([b.centre[2] for b in phantom.bodies])
    along = (z - z[-1]) / (z[0] - z[-1])
    moved = [
        replace(b, centre=b.centre + np.array([size * np.sin(np.pi * t), 0.0, 0.0]))
        for b, t in zip(phantom.bodies, along, strict=True)
    ]
    ends = np.degrees(np.arctan(size * np.pi / (z[0] - z[-1])))
    return replace(phantom, bodies=tuple(moved)), 2 * ends


def test_a_curve_sideways_is_estimated():
    straight = found_in(lumbar(turn=(3.0, -2.0, 0.0)))["T11-S1.coronal_curvature_estimate"]
    phantom, expected = bent(lumbar(turn=(3.0, -2.0, 0.0)), 14.0)
    curve = found_in(phantom, phantom.segment(phantom.grid(turn=(2.0, 3.0, 0.0), margin=30.0)))
    curve = curve["T11-S1.coronal_curvature_estimate"]
    assert straight.value < 4
    assert curve.value == pytest.approx(expected, abs=4)
    assert curve.interval[0] < expected < curve.interval[1]
    assert [str(v) for v in curve.reference_levels] == ["T11", "S1"]


def test_a_patient_turned_in_the_stack_has_a_wide_interval_not_a_scoliosis():
    phantom = lumbar(turn=(3.0, -2.0, 5.0))
    curve = found_in(phantom, phantom.segment(phantom.grid(turn=(2.0, 3.0, 0.0))))["T11-S1.coronal_curvature_estimate"]
    assert curve.interval[0] < 2.0


def test_too_few_bodies_give_no_curve():
    phantom = lumbar()
    spine = phantom.spine()
    few = spine.model_copy(update={"vertebrae": spine.vertebrae[:4]})
    found = found_in(phantom, spine=few)
    curve = found["T11-L2.coronal_curvature_estimate"]
    assert curve.status is Status.NOT_ASSESSABLE
    assert "fewer than 5 bodies" in curve.reason


def test_corners_of_a_lone_endplate_lie_at_the_walls():
    phantom = lumbar()
    masks = phantom.segment(phantom.grid())
    body = phantom.bodies[-1]
    up = phantom.to_patient(body.to_anatomy([0.0, 0.0, 1.0])) - phantom.to_patient(body.centre)
    for upper, direction in ((True, up), (False, -up)):
        ends, normal = endplate_corners(masks.mask(masks.body(body.level)), masks.geometry, direction)
        found = phantom.to_anatomy(ends)[:, 1:]
        assert np.abs(found - corners(body, upper=upper))[1].max() < 0.8
        assert np.abs(found - corners(body, upper=upper))[0].max() < 1.6
        assert normal @ direction > 0.99
    nothing = np.zeros(masks.geometry.shape, dtype=bool)
    assert endplate_corners(nothing, masks.geometry, up) is None
