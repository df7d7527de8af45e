"""Lesions of formulas in a spine of formulas: sizes in mm, places in the vertebra, sides of the patient."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.measure.frame import upward_directions
from spinemri.measure.lesion_shape import COMPARTMENTS, LesionShape, lesion_shape
from spinemri.segmentation import Segmentation, label_value
from tests.columns import rearranged
from tests.measure.phantom import Phantom, lumbar

if TYPE_CHECKING:
    from spinemri.geometry import Geometry

SPINE = Phantom(lumbar().bodies[2:7])  # L1 to L5
NAMES = [body.level.name for body in SPINE.bodies]
GRID = SPINE.grid(spacing=(4.0, 0.9, 0.8), turn=(4.0, -3.0, 3.0), margin=20.0)
L3, BODY = Level("L3"), SPINE.bodies[2]
WALL, HALF_WIDTH = BODY.depth / 2, BODY.width / 2
UPWARD = upward_directions([SPINE.to_patient(body.centre) for body in SPINE.bodies])[2]
STILL = (0.0, 0.0, 0.0)
VOXEL = float(np.prod(GRID.spacing))
PIXEL = 0.9
WAYS = [
    ((0, 1, 2), (False, True, False)),
    ((2, 0, 1), (True, False, True)),
    ((1, 2, 0), (False, False, True)),
    ((2, 1, 0), (True, True, False)),
]
DISCS = {pair: Structure(StructureKind.DISC, *pair) for pair in pairwise(Level(n) for n in NAMES)}
STRUCTURES = {
    label_value(structure): structure
    for structure in (
        *(Structure(StructureKind.VERTEBRAL_BODY, Level(name)) for name in NAMES),
        *(Structure(StructureKind.POSTERIOR_ELEMENTS, Level(name)) for name in NAMES),
        *DISCS.values(),
        Structure(StructureKind.THECAL_SAC),
    )
}


def points_of(grid: Geometry) -> np.ndarray:
    return grid.to_patient(np.moveaxis(np.indices(grid.shape), 0, -1))


def in_body(points: np.ndarray, level: str) -> np.ndarray:
    """(left, posterior, superior) of patient points in the axes of a body, mm."""
    return SPINE.bodies[NAMES.index(level)].local(SPINE.to_anatomy(points))


@cache
def local_points(level: str = "L3") -> np.ndarray:
    """The same for every voxel of the grid."""
    return in_body(points_of(GRID), level)


def arch_at(points: np.ndarray, level: str) -> np.ndarray:
    """Two pedicles beside the sac and an arch behind it."""
    x, u, v = np.moveaxis(in_body(points, level), -1, 0)
    back = u - SPINE.bodies[NAMES.index(level)].depth / 2
    pedicles = (np.abs(np.abs(x) - 14) < 4) & (back > 0) & (back < 22) & (v > 1) & (v < 10)
    return pedicles | ((np.abs(x) < 18) & (back >= 22) & (back < 33) & (np.abs(v) < 9))


def disc_at(points: np.ndarray, upper: str, lower: str) -> np.ndarray:
    """Everything between two endplates, in front of the posterior walls."""
    a, b = (SPINE.bodies[NAMES.index(level)] for level in (upper, lower))
    (x, u, v), (_, t, w) = (np.moveaxis(in_body(points, level), -1, 0) for level in (upper, lower))
    below, above = v < a.plates(u / a.depth + 0.5)[1], w > b.plates(t / b.depth + 0.5)[0]
    return below & above & (np.abs(u) < a.depth / 2) & (np.abs(2 * x / a.width) < 1) & (v > -a.height) & (w < b.height)


def labels_at(points: np.ndarray) -> np.ndarray:
    """Values of a segmentation at patient points: bodies, discs, arches and sac."""
    inside = SPINE.to_anatomy(points)
    marks = {Structure(StructureKind.VERTEBRAL_BODY, body.level): body.inside(inside) for body in SPINE.bodies}
    marks[Structure(StructureKind.THECAL_SAC)] = SPINE.in_sac(inside)
    marks |= {Structure(StructureKind.POSTERIOR_ELEMENTS, Level(n)): arch_at(points, n) for n in NAMES}
    marks |= {disc: disc_at(points, str(disc.level), str(disc.lower)) for disc in DISCS.values()}
    found = np.zeros(points.shape[:-1], dtype=np.uint8)
    for structure, mask in marks.items():
        found[mask & (found == 0)] = label_value(structure)
    return found


@cache
def labels_on(grid: Geometry, moved: tuple[float, float, float] = STILL) -> np.ndarray:
    """The same on a grid, of a patient who has moved by so many mm (LPS)."""
    return labels_at(points_of(grid) - moved)


def anatomy(*left_out: StructureKind) -> Segmentation:
    """Bodies, discs, arches and sac on the grid, some kinds left out."""
    voxels = labels_on(GRID)
    kept = {value: s for value, s in STRUCTURES.items() if s.kind not in left_out}
    return Segmentation(np.where(np.isin(voxels, list(kept)), voxels, 0), GRID, kept, "1.2.3", "formula")


def ball(x: float, u: float, v: float, *half: float) -> np.ndarray:
    """An ellipsoid about a place in L3's axes; one half axis makes a ball."""
    radii = np.broadcast_to(half, 3)
    return (((local_points() - (x, u, v)) / radii) ** 2).sum(axis=-1) < 1


def shape_of(mask: np.ndarray, masks: Segmentation | None = None) -> LesionShape:
    return lesion_shape(mask, masks or anatomy(), L3, UPWARD)


def volume_of(*half: float) -> float:
    return 4 / 3 * np.pi * float(np.prod(np.broadcast_to(half, 3)))


# size


@pytest.mark.parametrize("half", [(8.0, 7.0, 6.0), (12.0, 9.0, 8.0), (6.0, 4.0, 10.0)])
def test_volume_of_an_ellipsoid(half):
    found = shape_of(ball(1.0, 0.0, 0.5, *half))
    assert found.volume == pytest.approx(volume_of(*half), rel=0.06)
    assert 0 < found.volume_sd < 0.3 * found.volume


@pytest.mark.parametrize("half", [(8.0, 9.0, 6.0), (8.0, 5.0, 11.0), (14.0, 7.0, 7.0), (4.0, 3.0, 2.5)])
def test_the_longest_diameter_lies_in_a_sagittal_slice(half):
    found = shape_of(ball(1.0, 0.0, 0.0, *half))
    assert found.diameter == pytest.approx(2 * max(half[1:]), abs=1.5 * PIXEL)


def test_the_ends_of_the_diameter_lie_on_the_lesion_that_far_apart():
    found = shape_of(ball(1.0, -2.0, 1.0, 8.0, 10.0, 6.0))
    assert np.linalg.norm(found.ends[0] - found.ends[1]) == pytest.approx(found.diameter, abs=PIXEL)
    ends = BODY.local(SPINE.to_anatomy(found.ends))
    assert sorted(ends[:, 1]) == pytest.approx([-12.0, 8.0], abs=1.5 * PIXEL)
    assert ends[:, 2] == pytest.approx([1.0, 1.0], abs=3.0)
    assert np.abs(ends[:, 0] - 1.0).max() < 4


def test_an_oblique_diameter_is_measured_along_itself():
    x, u, v = np.moveaxis(local_points(), -1, 0)
    along, across = (u + v) / np.sqrt(2), (u - v) / np.sqrt(2)
    assert shape_of((np.abs(x) < 6) & (np.abs(along) < 9) & (np.abs(across) < 2)).diameter == pytest.approx(
        np.hypot(18, 4), abs=1.5 * PIXEL
    )


def test_a_single_row_of_voxels_and_a_single_voxel_have_a_diameter():
    mask = np.zeros(GRID.shape, dtype=bool)
    k, j, i = np.rint(GRID.to_index(SPINE.to_patient(BODY.centre))).astype(int)
    mask[k, j, i : i + 10] = True
    assert shape_of(mask).diameter == pytest.approx(10 * 0.8, abs=0.1)
    mask[k, j, i + 1 : i + 10] = False
    assert shape_of(mask).diameter == pytest.approx(0.85, abs=0.06)


# the bone


@pytest.mark.parametrize(("above", "share"), [(0.0, 50.0), (6.0, 26.0), (-6.0, 74.0), (-20.0, 100.0)])
def test_share_of_the_body(above, share):
    masks = anatomy()
    body = masks.mask(masks.body(L3))
    assert shape_of(body & (local_points()[..., 2] > above)).body_share == pytest.approx(share, abs=4)


def test_what_lies_outside_the_body_is_no_share_of_it():
    inside, outside = ball(0.0, 0.0, 0.0, 7.0), ball(26.0, 0.0, 0.0, 5.0)
    assert shape_of(inside | outside).body_share == pytest.approx(shape_of(inside).body_share)
    assert shape_of(outside).body_share == 0
    assert shape_of(inside, anatomy(StructureKind.VERTEBRAL_BODY)).body_share is None
    part = replace(anatomy(), cut=frozenset({Structure(StructureKind.VERTEBRAL_BODY, Level("L3"))}))
    assert shape_of(inside, part).body_share is None, "of a body that the field of view cuts, nobody knows the rest"


def test_share_in_the_posterior_elements():
    arch = anatomy().mask(Structure(StructureKind.POSTERIOR_ELEMENTS, L3))
    assert shape_of(arch).posterior_share == 100
    body = ball(0.0, 0.0, 0.0, 8.0)
    assert shape_of(body).posterior_share == 0
    beside = ball(27.0, 0.0, 0.0, 5.0)
    for other in (body, beside):
        assert shape_of(other | arch).posterior_share == pytest.approx(100 * arch.sum() / (arch.sum() + other.sum()))


@pytest.mark.parametrize("side", [1, -1], ids=["left", "right"])
def test_pedicles_have_a_side(side):
    arch = anatomy().mask(Structure(StructureKind.POSTERIOR_ELEMENTS, L3))
    x = local_points()[..., 0]
    one, other = arch & (side * x > 3), arch & (side * x < -8) & (local_points()[..., 2] > 5)
    found = shape_of(one | other)
    volumes = (found.pedicle_left, found.pedicle_right)[::side]
    assert volumes == pytest.approx((one.sum() * VOXEL, other.sum() * VOXEL))
    assert volumes[0] > 2 * volumes[1] > 0


def test_marrow_of_the_body_is_no_pedicle():
    found = shape_of(ball(8.0, 0.0, 0.0, 8.0))
    assert (found.pedicle_left, found.pedicle_right) == (0, 0)


# the posterior border and what lies beyond


@pytest.mark.parametrize("bulge", [2.5, 4.0, 6.0])
@pytest.mark.parametrize("half", [(9.0, 8.0), (15.0, 11.0)], ids=["small", "large"])
def test_a_rounded_lesion_bulges_by_what_it_leaves_the_wall(bulge, half):
    """An ellipsoid within the body that sticks out behind: its tip is small, however large the lesion is."""
    depth = 12.0
    lesion = ball(0.0, WALL + bulge - depth, 0.0, half[0], depth, half[1])
    assert shape_of(lesion).bulge == pytest.approx(bulge, abs=1.2)


@pytest.mark.parametrize("bulge", [3.0, 5.0])
def test_a_flat_bulge_is_measured_to_half_a_pixel_or_so(bulge):
    x, u, v = np.moveaxis(local_points(), -1, 0)
    lesion = (np.abs(x) < 9) & (u > 4) & (u < WALL + bulge) & (np.abs(v) < 7)
    assert shape_of(lesion).bulge == pytest.approx(bulge, abs=0.9)


@pytest.mark.parametrize("behind", [-4.0, -1.5, 0.0])
def test_a_lesion_within_the_wall_does_not_bulge(behind):
    x, u, v = np.moveaxis(local_points(), -1, 0)
    lesion = (np.abs(x) < 9) & (u > -8) & (u < WALL + behind) & (np.abs(v) < 9)
    assert shape_of(lesion).bulge < 1.0


@pytest.mark.parametrize("lean", [-0.25, 0.25])
def test_a_wall_that_leans_against_the_spine_is_no_bulge(lean):
    """The spine runs 14 degrees off the body's axis: the chord follows the wall, not the spine."""
    back = SPINE.to_patient(BODY.to_anatomy(np.array([0.0, 1.0, 0.0]))) - SPINE.to_patient(BODY.centre)
    upward = (UPWARD + lean * back) / np.linalg.norm(UPWARD + lean * back)
    x, u, v = np.moveaxis(local_points(), -1, 0)
    for bulge in (0.0, 4.0):
        lesion = (np.abs(x) < 8) & (u > 4) & (u < WALL + bulge) & (np.abs(v) < 8)
        found = lesion_shape(lesion, anatomy(), L3, upward).bulge
        assert found == pytest.approx(bulge, abs=1.6)


@pytest.mark.parametrize("strip", [5.0, 20.0], ids=["behind the sac", "in the arch"])
def test_what_lies_apart_behind_the_wall_is_no_bulge_of_it(strip):
    """A lesion of body and arch that the network joined beside the canal: the canal between is whole."""
    x, u, v = np.moveaxis(local_points(), -1, 0)
    within = (np.abs(x) < 8) & (u > 4) & (u < WALL) & (np.abs(v) < 8)
    apart = (np.abs(x) < 8) & (u > WALL + strip) & (u < WALL + strip + 6) & (np.abs(v) < 8)
    assert shape_of(within | apart).bulge < 1.2


def test_beside_the_middle_and_beyond_the_body_there_is_no_posterior_border():
    assert shape_of(ball(0.0, WALL + 6.0, 25.0, 6.0, 5.0, 6.0)).bulge == 0
    assert shape_of(ball(22.0, WALL + 5.0, 0.0, 5.0)).bulge == 0


@pytest.mark.parametrize("out", [3.0, 6.0, 9.0])
def test_expansion_is_how_far_it_has_left_the_bone(out):
    x, u, v = np.moveaxis(local_points(), -1, 0)
    lesion = (np.abs(x) < 5) & (np.abs(v) < 8) & (u < 0) & (u > -WALL - out)
    assert shape_of(lesion).expansion == pytest.approx(out, abs=1.2)


def test_within_the_bone_nothing_has_expanded():
    assert shape_of(ball(0.0, 0.0, 0.0, 9.0)).expansion == 0
    speck = ball(0.0, 0.0, 0.0, 9.0)
    k, j, i = np.argwhere(local_points()[..., 1] < -WALL - 6)[0]
    speck[k, j, i] = True  # 3 mm3 far outside
    assert shape_of(speck).expansion == 0


PLACES = {
    "epidural": (5.0, WALL + 9.0, 0.0, 4.0, 6.0, 9.0),
    "foraminal": (18.0, WALL + 6.0, -7.0, 4.0, 5.0, 5.0),
    "paraspinal": (27.0, 0.0, 0.0, 5.0, 9.0, 9.0),
    "prevertebral": (8.0, -WALL - 7.0, 0.0, 5.5, 5.0, 9.0),
}


@pytest.mark.parametrize("compartment", COMPARTMENTS)
@pytest.mark.parametrize("side", [1, -1], ids=["left", "right"])
def test_volume_and_side_in_every_compartment(compartment, side):
    x, *rest = PLACES[compartment]
    mask = ball(side * x, *rest)
    found = shape_of(mask)
    assert found.compartments == pytest.approx(dict.fromkeys(COMPARTMENTS, 0) | {compartment: mask.sum() * VOXEL})
    assert found.volume == pytest.approx(volume_of(*rest[2:]), rel=0.2)  # two or three slices
    assert found.sides == {compartment: "left" if side > 0 else "right"}
    assert found.body_share == 0


def test_the_foramen_above_the_pedicle_is_not_that_of_the_vertebra():
    mask = ball(18.0, WALL + 6.0, 14.5, 4.0, 5.0, 3.5)
    found = shape_of(mask)
    assert found.compartments == dict.fromkeys(COMPARTMENTS, 0) | {"paraspinal": pytest.approx(mask.sum() * VOXEL)}


@pytest.mark.parametrize("compartment", COMPARTMENTS)
def test_both_sides_are_said(compartment):
    x, *rest = PLACES[compartment]
    both = ball(x, *rest) | ball(-x, *rest)
    found = shape_of(both)
    assert found.sides == {compartment: "both"}
    assert found.compartments[compartment] == pytest.approx(both.sum() * VOXEL)


def test_bone_and_disc_are_no_compartment():
    masks = anatomy()
    bone = masks.mask_of_kind(StructureKind.VERTEBRAL_BODY, StructureKind.POSTERIOR_ELEMENTS, StructureKind.DISC)
    found = shape_of(bone & (np.abs(local_points()[..., 2]) < 16))
    assert found.compartments == dict.fromkeys(COMPARTMENTS, 0)
    assert found.sides == {}


def test_a_large_mass_is_divided_and_nothing_is_lost():
    masks = anatomy()
    bone = masks.mask_of_kind(StructureKind.VERTEBRAL_BODY, StructureKind.POSTERIOR_ELEMENTS, StructureKind.DISC)
    mass = ball(8.0, 4.0, 0.0, 22.0, 34.0, 20.0)
    found = shape_of(mass)
    assert sum(found.compartments.values()) == pytest.approx((mass & ~bone).sum() * VOXEL)
    assert min(found.compartments.values()) > 100


@pytest.mark.parametrize(("sac_mm", "canal_mm"), [(4.0, 7.0), (10.0, 13.0), (None, 12.0)])
def test_the_canal_is_as_wide_as_the_sac_and_a_little_more(sac_mm, canal_mm):
    """A bar across the canal and both foramina, 8 x 6 mm; half widths, seen in slices of 4 mm."""
    x, u, v = np.moveaxis(local_points(), -1, 0)
    masks = anatomy() if sac_mm else anatomy(StructureKind.THECAL_SAC)
    sac = masks.mask(Structure(StructureKind.THECAL_SAC)) & (np.abs(x) > (sac_mm or 0))
    masks = Segmentation(np.where(sac, 0, masks.voxels), GRID, masks.structures, "1.2.3", "formula")
    found = shape_of((np.abs(x) < 30) & (u > WALL + 2) & (u < WALL + 10) & (v > -10) & (v < -4), masks).compartments
    assert found["epidural"] == pytest.approx(2 * canal_mm * 48, rel=0.22)
    assert found["foraminal"] == pytest.approx(2 * 12 * 48, rel=0.2)
    assert found["paraspinal"] == pytest.approx(2 * (30 - 12 - canal_mm) * 48, rel=0.5)


# discs


def test_endplate_contact_is_the_share_of_the_endplate_that_is_replaced():
    masks = anatomy()
    body = masks.mask(masks.body(L3))
    x, _, v = np.moveaxis(local_points(), -1, 0)
    assert shape_of(body & (v > 0)).endplate == pytest.approx(100, abs=1)
    assert shape_of(body & (v > 0) & (x > 0)).endplate == pytest.approx(50, abs=8)
    assert shape_of(body & (v < -4) & (x > 10)).endplate == pytest.approx(22, abs=8)
    assert shape_of(ball(0.0, 0.0, 0.0, 8.0, 8.0, 6.0)).endplate == 0
    assert shape_of(body & (v > 0), anatomy(StructureKind.DISC)).endplate is None


def test_the_touched_disc_is_named_and_of_two_that_which_it_touches_more():
    masks = anatomy()
    body = masks.mask(masks.body(L3))
    v = local_points()[..., 2]
    assert shape_of(body & (v > 0)).disc == DISCS[Level("L2"), L3]
    assert shape_of(body & (v < 0)).disc == DISCS[L3, Level("L4")]
    assert shape_of(ball(0.0, 0.0, 0.0, 8.0, 8.0, 6.0)).disc is None
    corner = local_points()[..., 1] < -8
    assert shape_of(body & ((v < 0) | corner)).disc == DISCS[L3, Level("L4")]
    assert shape_of(body & ((v > 0) | corner)).disc == DISCS[Level("L2"), L3]
    assert shape_of(body & (v > 0), anatomy(StructureKind.DISC)).disc is None


def test_a_lesion_two_pixels_from_the_disc_touches_it_and_one_farther_away_does_not():
    masks = anatomy()
    disc = masks.mask(DISCS[Level("L2"), L3])
    body = masks.mask(masks.body(L3))
    rows = np.flatnonzero(disc.any(axis=(0, 2)))
    k, i = np.argwhere(disc.any(axis=1) & body.any(axis=1)).mean(axis=0).astype(int)
    last = rows[disc[k, rows, i]].max()
    for gap, touched in ((2, True), (4, False)):
        lesion = np.zeros_like(body)
        lesion[k, last + gap : last + gap + 3, i] = True
        assert (shape_of(lesion).disc is not None) is touched


# orientation


@pytest.mark.parametrize(("order", "flips"), WAYS)
@pytest.mark.parametrize("side", [1, -1], ids=["left", "right"])
def test_nothing_depends_on_how_the_array_lies(order, flips, side):
    mass = ball(side * 9.0, 7.0, 3.0, 14.0, 17.0, 13.0)
    voxels, grid = rearranged(anatomy().voxels, GRID, order, flips)
    turned = Segmentation(voxels, grid, anatomy().structures, "1.2.3", "formula")
    before, after = shape_of(mass), shape_of(rearranged(mass, GRID, order, flips)[0], turned)
    assert before.sides["foraminal"] == ("left" if side > 0 else "right")
    assert after.sides == before.sides
    assert after.disc == before.disc == DISCS[Level("L2"), L3]
    numbers = ("volume", "volume_sd", "diameter", "body_share", "posterior_share", "pedicle_left", "pedicle_right",
               "bulge", "expansion", "endplate")  # fmt: skip
    assert {n: getattr(after, n) for n in numbers} == pytest.approx({n: getattr(before, n) for n in numbers}, rel=0.01)
    assert after.compartments == pytest.approx(before.compartments, rel=0.01)
    assert (before.pedicle_left > before.pedicle_right) is (side > 0)
