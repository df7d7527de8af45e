from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from scipy.spatial.transform import Rotation

from spinemri.geometry import Geometry
from spinemri.orientation import Frame, frame_of, letters, oriented, reading_plane, stack_axes
from spinemri.series import Plane
from tests.report.three_planes import grid
from tests.strategies import geometries

PLANES = [Plane.SAGITTAL, Plane.CORONAL, Plane.AXIAL]


def on(frame: Frame, column, row, slice_):
    right, down, across = (np.asarray(v) for v in (frame.right, frame.down, frame.across))
    return np.asarray(frame.origin) + column * right + row * down + slice_ * across


@given(geometry=geometries())
@pytest.mark.parametrize("plane", PLANES)
def test_a_turned_pixel_lies_where_its_voxel_lies(plane, geometry):
    coded = np.arange(np.prod(geometry.shape)).reshape(geometry.shape)
    reading = reading_plane(geometry, plane)
    number = geometry.shape[reading.across] - 1
    picture = oriented(coded, reading, number)
    frame = frame_of(geometry, reading, (0, 0))
    for row, column in ((0, 0), (picture.shape[0] - 1, picture.shape[1] // 2)):
        index = np.unravel_index(picture[row, column], geometry.shape)
        assert on(frame, column, row, number) == pytest.approx(geometry.to_patient(index), abs=1e-6)


@given(geometry=geometries())
def test_slices_are_read_as_radiologists_do(geometry):
    """Head or front up; anterior, or the patient's right, on the viewer's left."""
    for plane, (right_axis, down_axis, down_sign) in {
        Plane.SAGITTAL: (1, 2, -1), Plane.CORONAL: (0, 2, -1), Plane.AXIAL: (0, 1, 1),
    }.items():  # fmt: skip
        frame = frame_of(geometry, reading_plane(geometry, plane), (0, 0))
        assert frame.right[right_axis] >= -1e-9
        assert frame.down[down_axis] * down_sign >= -1e-9


def test_the_edges_of_a_cut_picture_are_named_and_it_begins_where_it_was_cut():
    for plane, edges in {
        Plane.SAGITTAL: {"left": "A", "right": "P", "top": "S", "bottom": "I"},
        Plane.CORONAL: {"left": "R", "right": "L", "top": "S", "bottom": "I"},
        Plane.AXIAL: {"left": "R", "right": "L", "top": "A", "bottom": "P"},
    }.items():
        geometry = grid(plane)
        reading = reading_plane(geometry, plane)
        whole, cut = (frame_of(geometry, reading, first) for first in ((0, 0), (7, 11)))
        assert whole.edges == edges
        assert on(cut, 0, 0, 2) == pytest.approx(on(whole, 11, 7, 2))


def test_an_unknown_plane_is_told_from_the_slice_axis():
    for plane in PLANES:
        assert reading_plane(grid(plane), Plane.UNKNOWN) == reading_plane(grid(plane), plane)


@pytest.mark.parametrize(("degrees", "told"), [(0, "A"), (17, "A"), (18, "AS"), (60, "SA"), (80, "S")])
def test_an_oblique_edge_names_two_directions(degrees, told):
    angle = np.deg2rad(degrees)
    assert letters(np.array([0.0, -np.cos(angle), np.sin(angle)])) == told


@pytest.mark.parametrize("lean", [-50, -20, 0, 30, 52])
def test_axial_slices_along_a_steep_disc_stay_axial(lean):
    """The thick direction tells what the slices are, and front stays up when they are read."""
    turn = Rotation.from_euler("x", lean, degrees=True).as_matrix()
    square = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])  # slices up, rows to the back, columns left
    stack = Geometry((5, 40, 50), (4.0, 0.6, 0.6), (0.0, 0.0, 0.0), tuple((turn @ square).ravel()), None)
    assert stack_axes(stack, Plane.AXIAL) == (0, 1, 2)
    plane = reading_plane(stack, Plane.AXIAL)
    assert (plane.across, plane.down, plane.right) == (0, 1, 2)
    assert not plane.flip_down
    assert not plane.flip_right


@given(geometries())
def test_sagittal_axes_are_those_nearest_to_left_back_and_up(geometry):
    assert stack_axes(geometry, Plane.SAGITTAL) == tuple(geometry.axis_along(world) for world in range(3))
