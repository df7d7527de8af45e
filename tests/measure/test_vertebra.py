from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from spinemri.anatomy import Level
from spinemri.geometry import Geometry
from spinemri.measure.bodies import body_shapes
from spinemri.measure.frame import upward_directions
from spinemri.measure.vertebra import body_shape, superior_endplate, touches_field_edge
from spinemri.norms import threshold
from spinemri.segmentation import EXACT, Drawing
from tests.measure.phantom import cervical, lumbar

GRIDS = [(4.0, 0.9, 0.8), (3.3, 1.0, 1.0), (4.4, 0.6, 0.65), (1.0, 1.01, 0.99)]


def upward(phantom):
    directions = upward_directions([phantom.to_patient(b.centre) for b in phantom.bodies])
    return dict(zip([b.level.name for b in phantom.bodies], directions, strict=True))


def shapes_of(phantom, segmentation, names):
    up = upward(phantom)
    masks = {n: segmentation.mask(segmentation.body(Level(n))) for n in names}
    return {n: body_shape(masks[n], segmentation.geometry, up[n]) for n in names}


def truth(phantom):
    return {b.level.name: b.heights for b in phantom.bodies}


@pytest.mark.parametrize("spacing", GRIDS)
def test_heights_of_every_body_are_within_half_a_pixel(spacing):
    phantom = lumbar({"L1": 0.35})
    segmentation = phantom.segment(phantom.grid(spacing))
    names = ("T11", "T12", "L1", "L2", "L3", "L4", "L5")
    shapes = shapes_of(phantom, segmentation, names)
    errors = np.array([shapes[n].heights - truth(phantom)[n] for n in names])
    assert np.abs(errors).max() < 0.5 * max(spacing[1:]) + 0.1
    assert np.abs(errors).mean() < 0.2


@pytest.mark.parametrize("spacing", [(1.0, 1.01, 0.99), (3.3, 0.7, 0.75), (4.0, 0.95, 0.9)])
@pytest.mark.parametrize("shift", [(12.0, -30.0, 85.0), (11.7, -30.45, 84.7)])
def test_small_cervical_bodies_are_followed_on_every_usual_grid(spacing, shift):
    phantom = cervical({"C5": 0.25}, shift=shift)
    names = ("C3", "C4", "C5", "C6", "C7", "T1")
    shapes = shapes_of(phantom, phantom.segment(phantom.grid(spacing)), names)
    errors = np.array([shapes[n].heights - truth(phantom)[n] for n in names])
    assert np.abs(errors).max() < 0.6
    assert np.abs(errors).mean() < 0.25


@pytest.mark.parametrize("wedge", [0.15, 0.35, 0.6])
def test_wedge_is_measured_up_to_sixty_percent(wedge):
    phantom = lumbar({"T12": wedge})
    shape = shapes_of(phantom, phantom.segment(phantom.grid()), ["T12"])["T12"]
    assert shape.heights == pytest.approx(truth(phantom)["T12"], abs=0.5)


def test_biconcave_body_keeps_its_rims_and_shows_its_middle():
    phantom = lumbar(concavities={"L2": (4.5, 5.0)})
    shape = shapes_of(phantom, phantom.segment(phantom.grid()), ["L2"])["L2"]
    assert shape.heights == pytest.approx(truth(phantom)["L2"], abs=0.5)
    assert "focal_dent" not in shape.flags


def test_ends_of_a_height_lie_that_far_apart_in_the_patient():
    phantom = lumbar()
    shape = shapes_of(phantom, phantom.segment(phantom.grid()), ["L5"])["L5"]
    assert np.linalg.norm(shape.upper - shape.lower, axis=1) == pytest.approx(shape.heights)
    body = phantom.bodies[6]
    fractions = np.array([0.05, 0.5, 0.95])
    upper = np.stack([np.zeros(3), (fractions - 0.5) * body.depth, body.plates(fractions)[0]], axis=1)
    found = phantom.to_anatomy(shape.upper)
    expected = body.to_anatomy(upper)
    assert np.abs(found - expected)[:, 1].max() < 1.5  # the front wall recedes beside the mid-line
    assert np.abs(found - expected)[:, 2].max() < 0.6


def test_axes_follow_the_body_not_the_table():
    phantom = lumbar()
    shape = shapes_of(phantom, phantom.segment(phantom.grid()), ["L5"])["L5"]
    upper = phantom.to_anatomy(phantom.to_patient(np.zeros(3)) + shape.superior_normal)
    lean = phantom.bodies[6]
    rise = np.diff(lean.plates(np.array([0.05, 0.95]))[0])[0] / (0.9 * lean.depth)
    assert np.degrees(np.arctan2(-upper[1], upper[2])) == pytest.approx(np.degrees(lean.tilt + np.arctan(rise)), abs=2)


@pytest.mark.parametrize("seed", range(4))
def test_ragged_masks_stay_within_a_millimetre(seed):
    rng = np.random.default_rng(seed)
    phantom = lumbar({"L3": 0.3})
    segmentation = phantom.segment(phantom.grid())
    mask = segmentation.mask(segmentation.body(Level("L3")))
    plane = np.ones((1, 3, 3), dtype=bool)
    rim = ndimage.binary_dilation(mask, plane) & ~ndimage.binary_erosion(mask, plane)
    ragged = np.where(rim & (rng.random(mask.shape) < 0.3), ~mask, mask)
    inside = np.argwhere(ndimage.binary_erosion(mask, plane))
    for k, j, i in inside[rng.integers(len(inside), size=12)]:
        ragged[k, j - 1 : j + 1, i - 1 : i + 1] = False
    ragged[2, 5:9, 5:9] = True  # a loose island in a lateral slice
    shape = body_shape(ragged, segmentation.geometry, upward(phantom)["L3"])
    assert np.abs(shape.heights - truth(phantom)["L3"]).max() < 1.0


def test_wrong_lateral_slice_changes_little():
    phantom = lumbar()
    segmentation = phantom.segment(phantom.grid())
    mask = segmentation.mask(segmentation.body(Level("L2"))).copy()
    last = np.flatnonzero(mask.any(axis=(1, 2)))[-1]
    mask[last] = ndimage.binary_dilation(mask[last - 2], iterations=6)
    mask[last + 1] = mask[last]
    shape = body_shape(mask, segmentation.geometry, upward(phantom)["L2"])
    assert np.abs(shape.heights - truth(phantom)["L2"]).max() < 0.7


def test_osteophyte_on_the_front_rim_is_not_measured():
    phantom = lumbar()
    segmentation = phantom.segment(phantom.grid())
    geometry = segmentation.geometry
    body = phantom.bodies[4]
    points = body.local(phantom.to_anatomy(geometry.to_patient(np.moveaxis(np.indices(geometry.shape), 0, -1))))
    beak = (points[..., 1] < -body.depth / 2 + 1) & (points[..., 1] > -body.depth / 2 - 5)
    beak &= (np.abs(points[..., 0]) < 12) & (np.abs(points[..., 2] - body.height / 2 - 1) < 2.5)
    mask = segmentation.mask(segmentation.body(Level("L3"))) | beak
    shape = body_shape(mask, geometry, upward(phantom)["L3"])
    assert np.abs(shape.heights - body.heights).max() < 0.8


def test_schmorl_node_is_flagged_and_left_out_of_the_middle_height():
    phantom = lumbar()
    segmentation = phantom.segment(phantom.grid())
    body = phantom.bodies[4]
    points = body.local(
        phantom.to_anatomy(
            segmentation.geometry.to_patient(np.moveaxis(np.indices(segmentation.geometry.shape), 0, -1))
        )
    )
    dent = (np.abs(points[..., 1] + 1) < 3.5) & (points[..., 2] > body.height / 2 - 6)
    mask = segmentation.mask(segmentation.body(Level("L3"))) & ~dent
    shape = body_shape(mask, segmentation.geometry, upward(phantom)["L3"])
    assert "focal_dent" in shape.flags
    assert np.abs(shape.heights - body.heights).max() < 0.8


def reordered(segmentation, order, flips):
    """The same labels with array axes in another order and direction."""
    geometry, voxels = segmentation.geometry, segmentation.voxels
    axes, origin = geometry.axes, np.array(geometry.origin)
    for axis in flips:
        origin = origin + axes[:, axis] * geometry.spacing[axis] * (geometry.shape[axis] - 1)
        axes[:, axis] *= -1
        voxels = np.flip(voxels, axis)
    turned = Geometry(
        tuple(geometry.shape[a] for a in order),
        tuple(geometry.spacing[a] for a in order),
        tuple(origin),
        tuple(axes[:, order].ravel()),
        geometry.frame_of_reference_uid,
    )
    return replace(segmentation, voxels=voxels.transpose(order), geometry=turned)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (0, 2, 1)])
@pytest.mark.parametrize("flips", [(), (0,), (1, 2), (0, 1, 2)])
def test_millimetres_do_not_depend_on_how_the_array_lies(order, flips):
    phantom = lumbar({"L1": 0.3})
    segmentation = phantom.segment(phantom.grid())
    before = shapes_of(phantom, segmentation, ["L1"])["L1"]
    after = shapes_of(phantom, reordered(segmentation, order, flips), ["L1"])["L1"]
    assert after.heights == pytest.approx(before.heights, abs=0.02)
    assert after.upper == pytest.approx(before.upper, abs=0.05)


@pytest.mark.parametrize(("turn", "shift"), [((3, -2, 4), (150.0, 80.0, -400.0)), ((-6, 3, -3), (0.3, 0.4, 0.5))])
def test_millimetres_do_not_depend_on_where_the_patient_lies(turn, shift):
    phantom = lumbar({"L1": 0.3}, turn=turn, shift=shift)
    shape = shapes_of(phantom, phantom.segment(phantom.grid(turn=(-3.0, 2.0, 4.0))), ["L1"])["L1"]
    # up to nine degrees between body and slices: a little more than half a pixel
    assert shape.heights == pytest.approx(truth(phantom)["L1"], abs=0.6)


def test_interval_is_at_least_the_voxel_error():
    phantom = lumbar()
    shape = shapes_of(phantom, phantom.segment(phantom.grid((4.0, 1.0, 1.0))), ["L3"])["L3"]
    assert (shape.sd >= 0.18).all()
    assert (shape.sd < 0.6).all()


def test_an_interval_counts_how_well_both_borders_were_drawn():
    phantom = lumbar()
    segmentation = phantom.segment(phantom.grid((4.0, 1.0, 1.0)))
    exact, drawn = replace(segmentation, drawing=EXACT), replace(segmentation, drawing=Drawing(0.5, 0.3))
    shapes = [body_shapes(phantom.spine(), {s.series_uid: s}, {})[Level("L3")] for s in (exact, drawn)]
    assert shapes[0].heights == pytest.approx(shapes[1].heights)
    assert shapes[1].sd ** 2 - shapes[0].sd ** 2 == pytest.approx([2 * 0.25] * 3)
    assert shapes[1].size_sd ** 2 - shapes[1].sd ** 2 == pytest.approx([0.36] * 3)
    assert shapes[0].size_sd == pytest.approx(shapes[0].sd)
    rounded = replace(segmentation, drawing=Drawing(0.5, 0.3, 0.4, 0.5))
    rims = body_shapes(phantom.spine(), {rounded.series_uid: rounded}, {})[Level("L3")]
    assert rims.sd == pytest.approx(shapes[1].sd)
    assert rims.size_sd**2 - shapes[1].size_sd ** 2 == pytest.approx([0.32, 0.0, 0.5])
    parts = ("border", "offset", "rim", "back_rim", "tilt", "lone_tilt", "wall", "disc_rim")
    assert segmentation.drawing == Drawing(*(threshold(f"interval.mask_{part}") for part in parts))


def test_missing_slices_are_not_measured():
    phantom = lumbar()
    segmentation = phantom.segment(phantom.grid())
    mask = segmentation.mask(segmentation.body(Level("L3"))).copy()
    middle = int(np.median(np.flatnonzero(mask.any(axis=(1, 2)))))
    mask[middle] = ndimage.binary_dilation(mask[middle], iterations=5)
    shape = body_shape(mask, segmentation.geometry, upward(phantom)["L3"], {middle})
    assert np.abs(shape.heights - truth(phantom)["L3"]).max() < 0.6


def test_body_at_the_edge_of_the_field_is_recognised():
    phantom = lumbar()
    segmentation = phantom.segment(phantom.grid())
    mask = segmentation.mask(segmentation.body(Level("T11")))
    assert not touches_field_edge(mask, segmentation.geometry)
    first = np.flatnonzero(mask.any(axis=(0, 2)))[0] + 3
    cut = Geometry(
        (mask.shape[0], mask.shape[1] - first, mask.shape[2]),
        segmentation.geometry.spacing,
        tuple(segmentation.geometry.to_patient([0, first, 0])),
        segmentation.geometry.direction,
    )
    assert touches_field_edge(mask[:, first:], cut)


def test_outermost_slices_do_not_count_as_cut():
    phantom = lumbar()
    segmentation = phantom.segment(phantom.grid())
    mask = segmentation.mask(segmentation.body(Level("L3")))
    slices = np.flatnonzero(mask.any(axis=(1, 2)))
    part = slice(slices[1], slices[-1])
    geometry = replace(
        segmentation.geometry,
        shape=mask[part].shape,
        origin=tuple(segmentation.geometry.to_patient([slices[1], 0, 0])),
    )
    assert not touches_field_edge(mask[part], geometry)
    shape = body_shape(mask[part], geometry, upward(phantom)["L3"])
    assert "lateral_cut" in shape.flags
    assert np.abs(shape.heights - truth(phantom)["L3"]).max() < 0.5


def test_no_shape_without_an_outline():
    phantom = lumbar()
    geometry = phantom.grid()
    empty = np.zeros(geometry.shape, dtype=bool)
    assert body_shape(empty, geometry, np.array([0.0, 0.0, 1.0])) is None
    assert superior_endplate(empty, geometry, np.array([0.0, 0.0, 1.0])) is None
    empty[3, 50:53, 60:63] = True
    assert body_shape(empty, geometry, np.array([0.0, 0.0, 1.0])) is None


def test_upper_endplate_of_the_sacrum():
    phantom = lumbar()
    segmentation = phantom.segment(phantom.grid())
    mask = segmentation.mask(segmentation.body(Level("S1")))
    middle, normal = superior_endplate(mask, segmentation.geometry, upward(phantom)["S1"])
    body = phantom.bodies[7]
    expected = phantom.to_patient(body.to_anatomy([0.0, 0.0, body.height / 2 - 0.5]))
    true_normal = phantom.to_patient(body.to_anatomy([0.0, 0.0, 1.0])) - phantom.to_patient(body.centre)
    assert np.linalg.norm((middle - expected) @ true_normal) < 1.0
    assert np.degrees(np.arccos(normal @ true_normal)) < 5
