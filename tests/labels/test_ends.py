"""The end of what is labelled lies along the last structure's face, however that is tilted."""

from __future__ import annotations

import numpy as np
import pytest

from spinemri.labels.ends import outer_end

UP, FORWARD = np.array([0.0, 1.0]), np.array([1.0, 0.0])


def body(tilt: float, lean: float = 0.0) -> np.ndarray:
    """Points (n, 2) of a body 34 mm deep whose upper face rises by so many degrees forward; all turned by ``lean``."""
    t, s = np.meshgrid(np.arange(-17, 17.1, 0.5), np.arange(-20, 40.1, 0.5), indexing="ij")
    inside = (s >= 0) & (s <= 26 + t * np.tan(np.radians(tilt)))
    return turned(np.stack([t[inside], s[inside]], axis=1), lean)


def turned(points: np.ndarray, lean: float) -> np.ndarray:
    turn = np.radians(lean)
    return points @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + np.array([5.0, -90.0])


@pytest.mark.parametrize("lean", [0.0, 25.0, -30.0])
@pytest.mark.parametrize("tilt", [0.0, 20.0, -12.0])
def test_the_plane_lies_along_the_face(tilt, lean):
    turn = np.radians(lean)
    outward = np.array([-np.sin(turn), np.cos(turn)])
    normal, place = outer_end(body(tilt, lean), outward * 30, FORWARD)
    assert np.linalg.norm(normal) == pytest.approx(1)
    assert np.degrees(np.arctan2(normal[1], normal[0])) == pytest.approx(90 + tilt + lean, abs=1)
    edges = turned(np.array([[t, 26 + t * np.tan(np.radians(tilt))] for t in (17.0, -17.0)]), lean)
    assert place - edges @ normal == pytest.approx(0, abs=0.8)


def test_what_lies_before_a_tilted_face_is_beyond_it():
    """S1's front edge stands before L5's lower face, higher than L5's lowest point."""
    points = body(-20.0)
    normal, place = outer_end(points, UP, FORWARD)
    highest = points[:, 1].max()
    promontory = np.array([5.0 + 17, highest - 2])
    assert promontory @ normal > place
    assert (points @ normal <= place).mean() > 0.99


def test_a_tilt_that_no_endplate_has_is_not_followed():
    normal, _ = outer_end(body(60.0), UP, FORWARD)
    assert np.degrees(np.arctan2(normal[1], normal[0])) == pytest.approx(130, abs=1)


def test_a_structure_too_small_to_have_a_face_is_cut_straight():
    normal, place = outer_end(np.array([[0.0, 1.0], [1.0, 3.0], [2.0, 2.0]]), UP * 9, FORWARD)
    assert normal == pytest.approx(UP)
    assert place == pytest.approx(3, abs=0.1)


def test_across_a_volume_the_face_is_tilted_in_the_sagittal_plane_only():
    flat = body(15.0)
    points = np.concatenate([np.column_stack([np.full(len(flat), x), -flat[:, 0], flat[:, 1]]) for x in (-8.0, 0, 8)])
    normal, _ = outer_end(points, np.array([0.1, 0.0, 1.0]), np.array([0.0, -1.0, 0.0]))
    assert normal[0] == pytest.approx(0.1, abs=0.01)
    assert np.degrees(np.arctan2(normal[1], normal[2])) == pytest.approx(15, abs=1.5)
