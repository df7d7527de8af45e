"""The space around the cord in necks of formulas: how much of it is lost, against what, and when nobody can tell."""

from __future__ import annotations

import numpy as np
import pytest

from spinemri.anatomy import Level, StructureKind
from spinemri.measure import measure
from spinemri.measure.subarachnoid import subarachnoid_measurements
from spinemri.measurement import Measurement, Status
from tests.measure.phantom import SAC_MM, Cord, cervical, lumbar

SAC, CORD = np.pi / 4 * SAC_MM * 20, np.pi / 4 * 7 * 12
C5_C6 = 2


def found_in(phantom, spacing=(2.5, 0.7, 0.7)):
    return {m.id: m for m in measure(phantom.spine(), [], [phantom.segment(phantom.grid(spacing))])}


@pytest.mark.parametrize("lost", [0.0, 0.25, 0.4])
def test_a_narrow_sac_around_a_whole_cord(lost):
    """The sac keeps its rear part, and the cord is pushed back into it."""
    cord = Cord(ap=7, width=12, moved={C5_C6: lost * SAC_MM / 2})
    found = found_in(cervical(cord=cord, narrowing={C5_C6: lost}))
    true = lost * SAC / (SAC - CORD)
    here = found["C5-C6.sas_obliteration"]
    assert here.value == pytest.approx(true, abs=0.1)
    assert here.interval[0] < true < here.interval[1]
    assert (here.unit, here.kind) == ("1", StructureKind.CORD)
    assert [str(v) for v in here.reference_levels] == ["C4", "C5", "C6", "C7"]
    assert abs(found["C4-C5.sas_obliteration"].value) < 0.1


def test_every_cervical_place_is_there_and_no_other():
    found = found_in(cervical(cord=Cord()), (3.0, 0.8, 0.8))
    places = ("C3", "C3-C4", "C4", "C4-C5", "C5", "C5-C6", "C6", "C6-C7", "C7", "C7-T1")
    assert [m.place for m in found.values() if m.name == "sas_obliteration"] == [*places]
    assert not any("sas_obliteration" in id_ for id_ in found_in(lumbar(cord=Cord()), (4.0, 1.0, 1.0)))


def test_without_a_cord_it_says_why():
    here = found_in(cervical(), (4.0, 1.0, 1.0))["C5-C6.sas_obliteration"]
    assert here.status is Status.NOT_ASSESSABLE
    assert "no cord was found" in here.reason


def areas(values):
    """Areas of sac and cord at successive discs from C3-C4 on; None where one was not measured."""
    names = ("C3", "C4", "C5", "C6", "C7", "T1")
    made = []
    for n, pair in enumerate(values):
        for name, value in zip(("dural_sac_area", "cord_area"), pair, strict=True):
            missing = {"status": Status.NOT_ASSESSABLE, "reason": f"no {name}"} if value is None else {}
            made.append(
                Measurement(
                    id=f"{names[n]}-{names[n + 1]}.{name}", name=name, kind=StructureKind.CORD, level=Level(names[n]),
                    lower=Level(names[n + 1]), value=value, unit="mm2", **missing,
                )
            )  # fmt: skip
    return made


def test_the_formula_and_its_gaps():
    wide, narrow = (200.0, 80.0), (110.0, 80.0)
    found = subarachnoid_measurements(areas([wide, narrow, wide, (None, 80.0), (200.0, None)]))
    assert found[1].value == pytest.approx(1 - 30 / 120)
    assert found[0].value == pytest.approx(0.0)
    assert [m.reason for m in found[3:]] == ["no dural_sac_area", "no cord_area"]


def test_where_no_space_is_left_anywhere_there_is_nothing_to_compare_with():
    found = subarachnoid_measurements(areas([(80.0, 80.0), (78.0, 80.0), (80.0, 80.0)]))
    assert [m.value for m in found] == [None] * 3
    assert all("no normal level" in m.reason for m in found)
    one = subarachnoid_measurements(areas([(200.0, 80.0), (80.0, 80.0), (200.0, 80.0)]))
    assert one[1].value == 1.0


def test_a_level_whose_body_lost_height_is_no_reference_unless_it_lost_no_space():
    lost = [(200.0, 80.0), (140.0, 80.0), (110.0, 80.0), (200.0, 80.0)]
    found = subarachnoid_measurements(areas(lost), {Level("C4")})
    assert found[2].value == pytest.approx(1 - 30 / 120)
    assert [str(v) for v in found[2].reference_levels] == ["C3", "C4", "C6", "C7"]
    alone = subarachnoid_measurements(areas(lost[1:]), {Level("C3")})
    assert [str(v) for v in alone[1].reference_levels] == ["C5", "C6"]
    assert alone[1].flags == ("one_sided_reference",)
