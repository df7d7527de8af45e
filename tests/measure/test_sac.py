from __future__ import annotations

import numpy as np
import pytest

from spinemri.anatomy import StructureKind
from spinemri.measure.centreline import centre_line
from spinemri.measure.sac import Diameter, compromises, diameter_at
from spinemri.measure.sections import profile_along
from tests.measure.phantom import SAC_MM, lumbar

GRIDS = [(4.0, 0.9, 0.8), (3.3, 1.0, 1.0), (1.0, 1.01, 0.99)]


def profile_of(phantom, geometry):
    mask = phantom.segment(geometry).mask_of_kind(StructureKind.THECAL_SAC)
    return mask, profile_along(mask, geometry, centre_line(mask, geometry))


def disc(phantom, n):
    upper, lower = phantom.bodies[n], phantom.bodies[n + 1]
    point = phantom.to_patient((upper.centre + lower.centre) / 2)
    direction = phantom.to_patient(upper.centre) - phantom.to_patient(lower.centre)
    return point, direction / np.linalg.norm(direction)


@pytest.mark.parametrize("spacing", GRIDS)
@pytest.mark.parametrize("lost", [0.0, 0.2, 0.5])
def test_diameter_at_a_disc_is_within_half_a_millimetre(spacing, lost):
    phantom = lumbar(narrowing={4: lost})
    _, profile = profile_of(phantom, phantom.grid(spacing))
    found = diameter_at(profile, *disc(phantom, 4))
    assert found.value == pytest.approx(SAC_MM * (1 - lost), abs=0.5)
    assert np.linalg.norm(found.ends[0] - found.ends[1]) == pytest.approx(found.value, abs=1e-6)
    assert found.ends[0][1] < found.ends[1][1]  # front, then back


def test_ends_lie_on_the_wall_of_the_sac():
    phantom = lumbar(narrowing={4: 0.4})
    _, profile = profile_of(phantom, phantom.grid())
    ends = phantom.to_anatomy(diameter_at(profile, *disc(phantom, 4)).ends)
    inwards = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
    for end, sign in ((ends[0], 1), (ends[1], -1)):
        assert phantom.in_sac(end + sign * 0.6 * inwards)
        assert not phantom.in_sac(end - sign * 0.6 * inwards)
    assert abs(ends[:, 0]).max() < 2.0


def test_tilted_sac_is_measured_across_not_along_the_table():
    phantom = lumbar(turn=(18.0, 0.0, 0.0))
    _, profile = profile_of(phantom, phantom.grid(turn=(2.0, 1.0, -2.0)))
    assert diameter_at(profile, *disc(phantom, 1)).value == pytest.approx(SAC_MM, abs=0.5)


def test_interrupted_or_absent_sac_gives_a_reason():
    phantom = lumbar()
    geometry = phantom.grid()
    mask, _ = profile_of(phantom, geometry)
    point, normal = disc(phantom, 4)
    row = round(float(geometry.to_index(phantom.to_patient(phantom.disc_place(4)))[1]))
    mask[:, row - 8 : row + 9] = False
    line = centre_line(mask, geometry)
    assert "interrupted" in diameter_at(profile_along(mask, geometry, line), point, normal)
    assert "reach" in diameter_at(profile_along(mask, geometry, line), point + np.array([0, 0, 400.0]), normal)
    assert centre_line(np.zeros_like(mask), geometry) is None


def test_hole_in_the_mask_does_not_matter():
    phantom = lumbar()
    geometry = phantom.grid()
    mask, _ = profile_of(phantom, geometry)
    k, j, i = np.round(geometry.to_index(phantom.to_patient(phantom.disc_place(4)))).astype(int)
    mask[k - 1 : k + 2, j - 3 : j + 4, i - 2 : i + 2] = False
    found = diameter_at(profile_along(mask, geometry, centre_line(mask, geometry)), *disc(phantom, 4))
    assert isinstance(found, Diameter)
    assert found.value == pytest.approx(SAC_MM, abs=0.6)


def test_compromise_against_the_mean_of_the_nearest_normal_levels():
    found = compromises([14.0, 13.0, 9.0, 12.0, 12.0], 0.3)
    assert found[2].pct == pytest.approx(100 * (1 - 9 / 12.5))
    assert found[2].references == (1, 3)


def test_narrowed_levels_are_no_reference():
    found = compromises([14.0, 14.0, 8.0, 7.0, 8.0, 13.0, 13.0], 0.3)
    assert found[3].references == (1, 5)
    assert found[3].pct == pytest.approx(100 * (1 - 7 / 13.5))


@pytest.mark.parametrize(("diameter", "kept"), [(12.0, True), (11.8, False)])
def test_reference_limit_is_fifteen_percent(diameter, kept):
    found = compromises([14.0, 14.0, diameter, 14.0, 14.0], 0.3)
    assert (2 in found[1].references) is kept


def test_one_side_only_and_none_at_all():
    found = compromises([14.0, None, 9.0], 0.3)
    assert found[2].references == (0,)
    assert found[1] is None
    assert compromises([14.0], 0.3) == [None]
    assert compromises([14.0, None, None, None, 9.0], 0.3)[4] is None  # more than three levels away


def test_level_that_is_much_wider_than_both_sides_is_no_reference():
    found = compromises([12.0, 14.1, 16.9, 11.9, 12.3, 11.5, 11.9], 0.3)
    assert found[2].pct < -20
    assert found[3].references == (1, 4)
    assert found[3].pct < 15  # against the wide one it would be 18 %


def test_the_only_normal_level_between_narrowed_ones_stays_their_reference():
    found = compromises([8.0, 14.0, 8.0], 0.3)
    assert found[0].pct == found[2].pct == pytest.approx(100 * (1 - 8 / 14))
    assert found[1] is None


@pytest.mark.parametrize(("beside", "references"), [(13.0, (1, 3)), (11.0, (0, 3))])
def test_level_at_a_deformed_body_is_a_reference_only_if_its_sac_is_unremarkable(beside, references):
    assert compromises([14.0, beside, 8.0, 14.0], 0.3, barred={1})[2].references == references


def test_level_at_a_deformed_body_that_nothing_can_judge_is_no_reference():
    assert compromises([None, 14.0, 8.0, None], 0.3, barred={1, 2}) == [None] * 4


def test_ends_of_a_short_stack_are_compared_across_a_deformed_body():
    found = compromises([14.0, 13.8, 13.7, 13.5], 0.3, barred={1, 2})
    assert [c.references for c in found] == [(1,), (0, 2), (1, 3), (2,)]
