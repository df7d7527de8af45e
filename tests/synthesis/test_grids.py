"""One person seen by slices of every orientation: same places in the patient, and what axial slices truly show."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from spinemri.anatomy import StructureKind
from spinemri.evaluate.overlap import dice
from spinemri.evaluate.truth import true_grid
from spinemri.geometry import Geometry
from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis.acquisitions import (
    Prescription,
    axial_blocks,
    axial_prescription,
    axial_stack,
    coronal_stack,
    sagittal_stack,
)
from spinemri.synthesis.canal import disc_s, sac_half_width, sac_profile
from spinemri.synthesis.canvas import posterior_curve
from spinemri.synthesis.grids import Person, Placement, Sampling, paint_grid
from spinemri.synthesis.labels import paint
from spinemri.synthesis.random_grids import random_axial
from spinemri.synthesis.random_subject import field_axes
from spinemri.synthesis.sections import sections
from spinemri.synthesis.subject import MarrowLesion, Pathology, SacNarrowing, sample_subject
from spinemri.synthesis.tissue import BODY, CORD, DISC, SAC, Tissue, class_of_tissue
from spinemri.synthesis.truth import plate_lean

L2, L3, L4 = sizes.L1 + 1, sizes.L1 + 2, sizes.L1 + 3
LESION = MarrowLesion(L3, (1.0, 2.0, 9.0), 6.5)
PLACEMENT = Placement(
    Rotation.from_euler("xyz", [7.0, -5.0, 9.0], degrees=True).as_matrix(), np.array([12.0, -30.0, 45.0])
)
WHOLE_SAC = SAC, CORD
SMALL = Prescription(3, 4.4, 3.8, 0.7, (160, 150))


def person(middle: int, pathology: Pathology, seed: int = 5, roughness_mm: float = 0.0) -> Person:
    rng = np.random.default_rng(seed)
    subject = sample_subject(rng, pathology)
    axes = field_axes(rng, subject, middle, (1.5, 0.7, 0.7))
    return Person(subject, axes, rng, PLACEMENT, "2.25.5", roughness_mm)


@pytest.fixture(scope="module")
def lumbar() -> Person:
    return person(L3, Pathology(narrowings=(SacNarrowing(L4, 0.4, 6.0),), lesions=(LESION,)))


@pytest.fixture(scope="module")
def cervical() -> Person:
    return person(sizes.C3 + 2, Pathology())


def lesion_point(seen: Person) -> np.ndarray:
    """Where the lesion's middle lies, LPS mm."""
    up, front = seen.subject.axes(LESION.index)
    u, v, x = LESION.centre
    a, z = seen.subject.centre[LESION.index] + u * up + v * front
    return seen.placement.to_patient([x + float(seen.subject.midline[LESION.index]), z, a])


@pytest.mark.parametrize(
    ("orientation", "stack"),
    [
        ("SPL", lambda p: axial_stack(p, L3, L3, SMALL)),
        ("PIL", lambda p: coronal_stack(p, L3, L3, replace(SMALL, slices=13))),
        ("RIP", lambda p: sagittal_stack(p, L3, L3, Prescription(45, 1.5, 1.5, 1.5, (50, 70)))),
    ],
)
def test_a_lesion_on_the_left_lies_on_the_left_in_every_geometry(lumbar, orientation, stack):
    painted = paint_grid(lumbar, replace(stack(lumbar), fine=1))
    grid = painted.sampling.geometry
    assert grid.orientation == orientation
    fine = np.argwhere(painted.tissue == int(Tissue.LESION))
    offsets = np.stack([mm[n] for mm, n in zip(painted.sampling.offsets(), fine.T, strict=True)], axis=-1)
    points = np.asarray(grid.origin) + offsets @ grid.axes.T
    middle = lesion_point(lumbar)
    assert points.mean(axis=0) == pytest.approx(middle, abs=1.2)
    assert (points - points.mean(axis=0)).max() == pytest.approx(LESION.radius, abs=1.0)
    mirrored = middle - 2 * LESION.centre[2] * PLACEMENT.rotation[:, 0]
    assert np.linalg.norm(points - mirrored, axis=1).min() > LESION.radius


def test_axial_blocks_lie_along_their_discs(lumbar):
    how = axial_prescription(np.random.default_rng(2))
    for index, block in zip((L3, sizes.L5), axial_blocks(lumbar, (L3, sizes.L5), how), strict=True):
        normal = lumbar.placement.turned_back(block.geometry.axes[:, 0])
        lean = np.degrees(np.arctan2(normal[2], normal[1]))
        plates = [plate_lean(lumbar.subject, index, superior=False)]
        plates.append(plate_lean(lumbar.subject, index + 1, superior=True))
        assert min(plates) - 0.1 < lean < max(plates) + 0.1
        found = true_grid(paint_grid(lumbar, replace(block, fine=1)), "5")
        disc = 101 + index
        middle = block.geometry.shape[0] // 2
        tissue_level = paint_grid(lumbar, replace(block, layers=1, fine=1)).level[middle]
        assert (tissue_level == disc).sum() * how.pixel**2 > 0.6 * np.pi / 4 * float(
            lumbar.subject.depth[index] * lumbar.subject.width[index]
        )
        assert {str(s) for s in found.structures.values()} >= {
            "thecal sac",
            f"disc {sizes.NAMES[index]}-{sizes.NAMES[index + 1]}",
        }


@pytest.mark.parametrize(
    ("region", "stack", "classes"),
    [
        ("lumbar", lambda p: axial_stack(p, L2, L4, SMALL), ((BODY,), WHOLE_SAC)),
        ("cervical", lambda p: axial_stack(p, sizes.C3, sizes.T1, SMALL), ((BODY,), WHOLE_SAC, (CORD,))),
        ("lumbar", lambda p: coronal_stack(p, L2, L4, replace(SMALL, slices=9)), ((BODY,), WHOLE_SAC)),
    ],
)
def test_every_geometry_shows_the_anatomy_of_the_sagittal_one(region, stack, classes, request):
    seen = request.getfixturevalue(region)
    sagittal = paint(seen.subject, seen.axes, deepcopy(seen.rng))
    painted = paint_grid(seen, replace(stack(seen), fine=1))
    sampling = painted.sampling
    grid = sampling.geometry
    offsets = np.stack(np.meshgrid(*sampling.offsets(), indexing="ij"), axis=-1)
    places = seen.placement.to_subject(np.asarray(grid.origin) + offsets @ grid.axes.T)
    index = [np.rint((places[..., n] - v[0]) / (v[1] - v[0])).astype(int) for n, v in enumerate(seen.axes)]
    both = np.logical_and.reduce([(i >= 0) & (i < len(v)) for i, v in zip(index, seen.axes, strict=True)])
    there = [i[both] for i in index]
    table = class_of_tissue()
    mine, theirs = table[painted.tissue[both]], table[sagittal.tissue[tuple(there)]]
    for kinds in classes:
        assert dice(np.isin(mine, kinds), np.isin(theirs, kinds)) > 0.93, kinds
    bone = (mine == BODY) & (theirs == BODY)
    assert (painted.level[both][bone] == sagittal.level[tuple(there)][bone]).mean() > 0.999


def test_rough_surfaces_are_the_same_in_every_geometry():
    seen = person(L3, Pathology(), roughness_mm=0.6)
    same = paint(seen.subject, seen.axes, deepcopy(seen.rng), 0.6)
    other = paint(seen.subject, seen.axes, np.random.default_rng(0), 0.6)
    _, z, _ = seen.axes
    part = slice(22, 34), slice(len(z) // 2, len(z) // 2 + 60), slice(None)
    grid = Sampling(_grid_of(seen, part), 1.5, 1, 1)
    painted = paint_grid(seen, grid)
    table = class_of_tissue()
    for kinds in ((BODY,), (DISC,), WHOLE_SAC):
        mine, theirs, strangers = (
            np.isin(table[t], kinds) for t in (painted.tissue, same.tissue[part], other.tissue[part])
        )
        assert mine.any()
        assert dice(mine, theirs) > 0.995
        assert dice(mine, strangers) < 0.98


def _grid_of(seen: Person, part: tuple[slice, slice, slice]) -> Geometry:
    """Grid of a block of the person's own field."""
    axes = [v[p] for v, p in zip(seen.axes, part, strict=True)]
    directions = seen.placement.turned(np.eye(3)).T
    first = seen.placement.to_patient([v[0] for v in axes])
    return Geometry(
        tuple(len(v) for v in axes),
        tuple(float(v[1] - v[0]) for v in axes),
        tuple(first.tolist()),
        tuple(directions.ravel().tolist()),
    )


def test_true_sections_are_those_of_the_image(lumbar, cervical):
    for seen, block in (
        (lumbar, axial_blocks(lumbar, (L4,), SMALL)[0]),
        (cervical, axial_stack(cervical, sizes.C3 + 1, sizes.C3 + 2, SMALL)),
    ):
        middle = paint_grid(seen, replace(block, thickness_mm=0.01, layers=1, fine=2))
        pixel = block.geometry.spacing[1] / 2
        for record, plane in zip(sections(seen, block.geometry), middle.tissue, strict=True):
            classes = class_of_tissue()[plane]
            for name, kinds in (("dural_sac", WHOLE_SAC), ("cord", (CORD,))):
                shown = np.isin(classes, kinds)
                assert record[f"{name}_area_mm2"] == pytest.approx(shown.sum() * pixel**2, rel=0.03)
                for key, axis in (("ap", 1), ("rl", 0)):
                    held = shown.any(axis=axis).sum() * pixel
                    assert record.get(f"{name}_{key}_mm", 0.0) == pytest.approx(held, abs=1.5 * pixel)
            centre = block.geometry.to_index(record["centre_lps_mm"])
            assert centre[0] == pytest.approx(record["slice"], abs=0.01)
            found = np.argwhere(np.isin(classes, WHOLE_SAC)).mean(axis=0) / 2 - 0.25
            assert centre[1:] == pytest.approx(found, abs=0.5)


def test_a_slice_square_to_the_canal_shows_its_ellipse(lumbar):
    """Across the curve the sac is an ellipse with known axes; a slice leaning against it is longer front to back."""
    curve = posterior_curve(lumbar.subject)
    profile = sac_profile(lumbar.subject, curve)
    (block,) = axial_blocks(lumbar, (L2,), replace(SMALL, slices=1))
    (record,) = sections(lumbar, block.geometry)
    assert record["place"] == "L2-L3"
    n = int(np.abs(curve.s - disc_s(curve, L2)).argmin())
    normal = lumbar.placement.turned_back(block.geometry.axes[:, 0])
    down = np.array([np.sin(curve.angle[n]), -np.cos(curve.angle[n])])  # (a, z)
    cosine = abs(normal[2] * down[0] + normal[1] * down[1])
    half = sac_half_width(lumbar.subject, curve, profile)[n]
    assert record["dural_sac_ap_mm"] == pytest.approx(profile.diameter[n] / cosine, abs=0.4)
    assert record["dural_sac_rl_mm"] == pytest.approx(2 * half, abs=0.4)
    assert record["dural_sac_area_mm2"] == pytest.approx(np.pi / 2 * half * profile.diameter[n] / cosine, rel=0.04)


def test_a_narrowing_is_seen_in_the_slices_through_it(lumbar):
    (narrowed, free) = (
        sections(lumbar, block.geometry) for block in axial_blocks(lumbar, (L4, L2), replace(SMALL, slices=1))
    )
    assert narrowed[0]["dural_sac_ap_mm"] < 0.75 * free[0]["dural_sac_ap_mm"]
    assert "cord_ap_mm" not in narrowed[0]
    assert narrowed[0]["cord_area_mm2"] == 0


def test_a_cervical_stack_reaches_from_c3_to_t1(cervical):
    stack = axial_stack(cervical, sizes.C3, sizes.T1, SMALL)
    found = true_grid(paint_grid(cervical, replace(stack, layers=1, fine=1)), "3")
    names = {str(s.level) for s in found.structures.values() if s.level and s.kind.value == "vertebral_body"}
    assert {"C3", "C4", "C5", "C6", "C7", "T1"} <= names
    places = [record["place"] for record in sections(cervical, stack.geometry)]
    assert places[0] in ("T1", "T1-T2")
    assert places[-1] in ("C3", "C2-C3")


@pytest.mark.parametrize("region", ["cervical", "thoracic", "lumbar"])
def test_random_people_under_axial_slices_show_their_region(region):
    seen, grids = random_axial(2, region=region, layers=1, fine=1)
    for one in grids:
        classes = class_of_tissue()[one.tissue]
        assert {BODY, SAC} <= set(np.unique(classes).tolist())
        assert min(record["dural_sac_area_mm2"] for record in sections(seen, one.sampling.geometry)) > 10
        levels = np.unique(one.level[(classes == BODY)])
        assert region[0].upper() in {sizes.NAMES[n - 1][0] for n in levels.tolist()}
    again = paint_grid(seen, grids[0].sampling)
    assert np.array_equal(again.tissue, grids[0].tissue)


def test_facets_and_flava_lie_around_the_lumbar_canal(lumbar):
    """The joint lies between the inferior process of L3 behind it and the superior one of L4 in front of it."""
    (block,) = axial_blocks(lumbar, (L3,), replace(SMALL, slices=1))
    painted = paint_grid(lumbar, replace(block, layers=1, fine=2))
    plane, level = painted.tissue[0], painted.level[0]
    columns = np.arange(plane.shape[1])
    sac = np.argwhere(np.isin(class_of_tissue()[plane], WHOLE_SAC)).mean(axis=0)
    for side in (columns < sac[1] - 20, columns > sac[1] + 20):
        joint, above, below = (
            np.argwhere((mask) & side).mean(axis=0)
            for mask in (
                plane == int(Tissue.FACET),
                (plane == int(Tissue.POSTERIOR_MARROW)) & (level == L3 + 1),
                (plane == int(Tissue.POSTERIOR_MARROW)) & (level == L4 + 1),
            )
        )
        assert below[0] < joint[0] < above[0]  # rows run to the back
        assert abs(above[1] - sac[1]) < abs(joint[1] - sac[1])
    behind = plane[int(sac[0]) + 8 : int(sac[0]) + 40, int(sac[1]) - 20 : int(sac[1]) + 20]
    assert (behind == int(Tissue.LIGAMENT)).sum() > 40


def test_an_oblique_grid_shows_the_same_spine_as_a_straight_one(lumbar):
    """Slices that no axis of which runs along the subject's are painted from a table of the plane."""
    straight = axial_stack(lumbar, L3, L3, SMALL)
    grid = straight.geometry
    turn = Rotation.from_euler("xyz", [4.0, 6.0, 8.0], degrees=True).as_matrix()
    middle = grid.to_patient((np.array(grid.shape) - 1) / 2)
    axes = turn @ grid.axes
    origin = middle - axes @ ((np.array(grid.shape) - 1) / 2 * grid.spacing)
    oblique = replace(grid, origin=tuple(origin.tolist()), direction=tuple(axes.ravel().tolist()))
    fine = paint_grid(lumbar, Sampling(oblique, 4.0, 4, 4))  # more points than are looked up one by one
    few = paint_grid(lumbar, Sampling(oblique, 4.0, 1, 1))
    assert fine.tissue.size > 2_000_000 > few.tissue.size
    table = class_of_tissue()
    volumes = [(table[g.tissue] == BODY).mean() for g in (fine, few)]
    assert volumes[0] == pytest.approx(volumes[1], rel=0.02)
    found = true_grid(fine, "1").mask_of_kind(StructureKind.VERTEBRAL_BODY)
    assert dice(found, table[few.tissue] == BODY) > 0.95
