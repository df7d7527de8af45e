from __future__ import annotations

from spinemri.anatomy import Level
from spinemri.review import ReviewedAnalysis
from spinemri.revise.match import lesions_in, levels_in

READ = {"study": "6c1fd0a9", "software": "spinemri", "version": "0.1.0", "created": "2026-11-22T15:30:00+00:00"}
SPINE = {Level("T12"): (0.0, 0.0, 90.0), Level("L1"): (0.0, 0.0, 60.0), Level("L2"): (2.0, -3.0, 25.0)}


def read(**places) -> ReviewedAnalysis:
    return ReviewedAnalysis(**READ, **places)


def test_without_places_names_are_the_same():
    assert levels_in(read(), SPINE) == {"T12": Level("T12"), "L1": Level("L1"), "L2": Level("L2")}
    assert lesions_in(read(), {"lesion-1": (0.0, 0.0, 0.0)}) == {"lesion-1": "lesion-1"}


def test_bodies_are_found_by_their_place_whatever_they_are_called():
    there = {"L1": (0.5, 1.0, 92.0), "L2": (0.0, 0.0, 58.0), "L3": (0.0, 0.0, 10.0)}
    assert levels_in(read(levels=there), SPINE) == {"L1": Level("T12"), "L2": Level("L1")}


def test_each_lesion_is_found_once_the_nearest_first():
    there = {"lesion-1": (0.0, 0.0, 0.0), "lesion-2": (6.0, 0.0, 0.0), "lesion-3": (50.0, 0.0, 0.0)}
    here = {"lesion-1": (6.5, 0.0, 0.0), "lesion-4": (50.0, 9.0, 0.0), "lesion-5": (0.0, 0.0, 11.0)}
    assert lesions_in(read(lesions=there), here) == {"lesion-2": "lesion-1", "lesion-3": "lesion-4"}


def test_between_two_at_one_place_the_name_decides():
    place = (1.0, 2.0, 3.0)
    assert lesions_in(read(lesions={"lesion-2": place}), {"lesion-1": place, "lesion-2": place}) == {
        "lesion-2": "lesion-2"
    }
