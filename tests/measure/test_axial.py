"""Sac and cord on axial slices of formulas: sizes known by construction, in any orientation of the stack."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.geometry import Geometry
from spinemri.image import Image
from spinemri.measure.axial import CORD_NAMES, SAC_NAMES, WALL_NAMES, axial_measurements
from spinemri.measure.axial_sections import Section, fluid_share, section_of
from spinemri.measure.sac_masks import SacMasks
from spinemri.measure.study import measure
from spinemri.measurement import Status, below_the_cord
from spinemri.segmentation import EXACT, Segmentation, label_value
from spinemri.series import Contrast, Plane, Series
from spinemri.spine import LevelAssignment, LevelBasis, Spine, Vertebra

K = StructureKind
LEVELS = [Level(name) for name in ("C4", "C5", "C6", "C7")]
NAMES = {
    *SAC_NAMES, *CORD_NAMES, *WALL_NAMES, "axial_sac_area_compromise_pct", "axial_csf_fraction",
    "axial_occupation_ratio", "axial_sas_obliteration",
}  # fmt: skip
PITCH, HEIGHT, DEPTH = 20.0, 15.0, 16.0
SAC_AT, SAC, CORD = -16.0, (7.0, 10.0), (3.5, 6.0)  # centre behind the bodies; half depth and half width, mm


def structures():
    kinds = [Structure(K.THECAL_SAC), Structure(K.CORD), *(Structure(K.VERTEBRAL_BODY, level) for level in LEVELS)]
    return {label_value(s): s for s in kinds}


def painted(grid, *, narrow=1.0, sideways=0.0, cord=True):
    """Bodies one below the other along z, an elliptic sac with a cord behind them; narrower at C5-C6."""
    k, j, i = np.indices(grid.shape)
    x, y, z = np.moveaxis(grid.to_patient(np.stack([k, j, i], axis=-1)), -1, 0)
    voxels = np.zeros(grid.shape, dtype=np.uint8)
    for n, level in enumerate(LEVELS):
        inside = (abs(z + n * PITCH) <= HEIGHT / 2) & (abs(y) <= DEPTH / 2) & (abs(x) <= 12)
        voxels[inside] = label_value(Structure(K.VERTEBRAL_BODY, level))
    near = np.exp(-(((z + 1.5 * PITCH) / 5) ** 2))
    scale = 1 - (1 - narrow) * near
    for kind, (deep, wide) in ((K.THECAL_SAC, SAC), (K.CORD, CORD)):
        if kind is K.CORD and not cord:
            continue
        size = scale if kind is K.THECAL_SAC else 1.0
        round_ = ((y + SAC_AT) / (deep * size)) ** 2 + ((x - sideways) / (wide * size)) ** 2 <= 1
        voxels[round_ & (abs(z + 1.5 * PITCH) < 50)] = label_value(Structure(kind))
    return voxels


def sagittal_grid():
    return Geometry((15, 260, 130), (3.0, 0.5, 0.5), (-21.0, -32.0, 35.0), (1, 0, 0, 0, 0, 1, 0, -1, 0), "1.2")


def axial_grid(turn=(0.0, 0.0, 0.0), axes=(0, 1, 2), slices=25):
    """Slices along z every 3 mm, square to the canal unless turned (degrees about x, y, z); any order of axes."""
    direction = Rotation.from_euler("xyz", turn, degrees=True).as_matrix() @ np.array(
        [[0, 0, 1], [0, 1, 0], [1, 0, 0.0]]
    )
    shape, spacing = np.array((slices, 120, 110)), np.array((3.0, 0.5, 0.5))
    middle = np.array([0.0, -SAC_AT, -1.5 * PITCH])
    origin = middle - direction @ ((shape - 1) / 2 * spacing)
    order = list(axes)
    size = tuple(int(n) for n in shape[order])
    return Geometry(size, tuple(spacing[order]), tuple(origin), tuple(direction[:, order].ravel()), "1.2")


def segmentation(grid, uid, **how):
    return Segmentation(painted(grid, **how), grid, structures(), uid, "formula", drawing=EXACT)


def stack(grid, **how):
    mask = segmentation(grid, "9.9", **how)
    signal = np.where(mask.mask_of_kind(K.THECAL_SAC), 900, 100).astype(np.float32)
    series = Series(series_uid="9.9", contrast=Contrast.T2W, plane=Plane.AXIAL, number=9)
    return Image(signal, grid, series), mask


def spine():
    basis = LevelBasis.FROM_SACRUM
    return Spine(
        vertebrae=tuple(
            Vertebra(
                assignment=LevelAssignment(level=level, basis=basis, confidence=1.0),
                centre=(0.0, 0.0, -n * PITCH), series_uid="1.1", sac_series_uid="1.1",
            )
            for n, level in enumerate(LEVELS)
        ),
        sac_series_uid="1.1",
    )  # fmt: skip


def found(axial, **how):
    sagittal = segmentation(sagittal_grid(), "1.1", **how)
    return {m.id: m for m in measure(spine(), [], [sagittal], axial=[axial]) if m.name in NAMES}


@pytest.mark.parametrize(
    ("turn", "axes"),
    [
        ((0, 0, 0), (0, 1, 2)),
        ((15, 0, 0), (0, 1, 2)),
        ((8, 10, 5), (0, 2, 1)),
        ((-12, 6, 0), (1, 0, 2)),
        ((0, 0, 0), (2, 1, 0)),
    ],
)
def test_sizes_are_those_perpendicular_to_the_canal(turn, axes):
    seen = found(stack(axial_grid(turn, axes)))
    for place in ("C5", "C5-C6"):
        for name, (deep, wide) in (("sac", SAC), ("cord", CORD)):
            area, ap, width = (seen[f"{place}.axial_{name}_{what}"] for what in ("area", "ap", "width"))
            assert area.value == pytest.approx(np.pi * deep * wide, rel=0.04)
            assert ap.value == pytest.approx(2 * deep, abs=0.5)
            assert width.value == pytest.approx(2 * wide, abs=0.5)
            assert area.series_uid == "9.9"
        assert seen[f"{place}.cord_compression_ratio"].value == pytest.approx(CORD[0] / CORD[1], abs=0.05)
        assert seen[f"{place}.axial_occupation_ratio"].value == pytest.approx(21 / 70, abs=0.02)


def test_the_ends_lie_in_front_and_behind():
    ends = found(stack(axial_grid((10, 0, 0))))["C5.axial_sac_ap"].points
    assert ends[0][1] < -SAC_AT < ends[1][1]
    assert np.linalg.norm(np.subtract(*ends)) == pytest.approx(2 * SAC[0] / np.cos(np.radians(10)), abs=0.4)


def test_a_narrowing_is_compared_with_axial_slices_alone():
    seen = found(stack(axial_grid(), narrow=0.6), narrow=1.0)  # the sagittal mask is not narrowed
    lost = seen["C5-C6.axial_sac_area_compromise_pct"]
    assert lost.value == pytest.approx(100 * (1 - 0.36), abs=4)
    assert lost.reference_levels == (Level("C4"), Level("C5"), Level("C6"), Level("C7"))
    assert seen["C5-C6.axial_sas_obliteration"].value > 0.6


def test_the_wall_of_the_sac_and_the_room_around_the_cord_are_told_beside_a_cord():
    free, tight = (found(stack(axial_grid(), narrow=n), narrow=n) for n in (1.0, 0.55))
    indent, contact, ring = (f"C5-C6.{name}" for name in WALL_NAMES)
    assert free[indent].value < 0.3
    assert (free[contact].value, free[ring].value) == (0.0, 1.0)
    assert tight[contact].value > 8
    assert tight[ring].value < 0.75
    for name in (contact, ring):
        low, high = tight[name].interval
        assert low <= tight[name].value <= high
    assert indent not in found(stack(axial_grid(), cord=False))


def test_a_slice_that_leans_too_far_is_not_measured():
    seen = found(stack(axial_grid((38, 0, 0))))
    assert seen["C5-C6.axial_sac_area"].status is Status.NOT_ASSESSABLE
    assert "leans 38 degrees" in seen["C5-C6.axial_sac_area"].reason
    assert "C5-C6.axial_cord_area" not in seen


def test_a_sac_elsewhere_is_no_sac_of_this_place():
    seen = found(stack(axial_grid(), sideways=11.0))
    assert "11 mm from where the sagittal series shows it" in seen["C5-C6.axial_sac_area"].reason


def test_where_no_slice_crosses_nothing_is_said():
    seen = found(stack(axial_grid(slices=3)))
    assert {m.place for m in seen.values()} == {"C5-C6"}
    assert found((replace(stack(axial_grid())[0], missing_slices=tuple(range(25))), stack(axial_grid())[1])) == {}


def test_another_frame_of_reference_is_not_measured():
    image, mask = stack(axial_grid())
    other = replace(image.geometry, frame_of_reference_uid="7.7")
    assert found((replace(image, geometry=other), replace(mask, geometry=other))) == {}


def test_without_cord_the_reason_follows_the_sagittal_series_and_fluid_is_told_below_it():
    lost, below = found(stack(axial_grid(), cord=False)), found(stack(axial_grid(), cord=False), cord=False)
    assert "where the sagittal series shows one" in lost["C5-C6.axial_cord_area"].reason
    assert "C5-C6.axial_csf_fraction" not in lost
    assert below["C5-C6.axial_cord_area"].reason == below_the_cord()
    assert below["C5-C6.axial_csf_fraction"].value == pytest.approx(1.0)


def test_fluid_is_the_bright_share_of_thesection_of():
    image, mask = stack(axial_grid(), cord=False)
    sac = mask.mask_of_kind(K.THECAL_SAC)
    dark = np.array(image.voxels)
    x = image.geometry.to_patient(np.argwhere(sac))[:, 0]
    dark[tuple(np.argwhere(sac)[x > 0].T)] = 250
    share = fluid_share((replace(image, voxels=dark), mask), sac[12], (0, 1, 2), 12)
    assert share == pytest.approx(0.5, abs=0.05)
    flat = np.full(image.voxels.shape, 100, dtype=np.float32)
    assert fluid_share((replace(image, voxels=flat), mask), sac[12], (0, 1, 2), 12) is None


def test_depth_and_width_are_those_through_the_middle_of_a_small_round_section():
    """Lines 1 mm beside the middle of a round 8 mm wide are 0.25 mm shorter: a mean of all would be 0.17 too small."""
    grid, rng = axial_grid(), np.random.default_rng(3)
    rows, columns = np.indices(grid.shape[1:])
    found = []
    for middle in 60 + rng.uniform(size=(40, 2)):
        plane = np.hypot(rows - middle[0], columns - middle[1]) * 0.5 < 4.0
        section = section_of(plane, grid, (0, 1, 2), 3, grid.axes[:, 0])
        found.append((section.depth, section.width))
    assert np.abs(np.array(found) - 8).max() < 0.5
    assert np.mean(found, axis=0) == pytest.approx([8.0, 8.0], abs=0.08)


def test_next_to_nothing_is_nosection_of():
    grid = axial_grid()
    plane = np.zeros(grid.shape[1:], dtype=bool)
    plane[50:55, 50:55] = True  # 6 mm2
    along = grid.axes[:, 0]
    assert section_of(plane, grid, (0, 1, 2), 3, along) is None
    plane[50:60, 50:60] = True
    section = section_of(plane, grid, (0, 1, 2), 3, along)
    assert isinstance(section, Section)
    assert section.area == pytest.approx(25.0)


def test_without_stacks_there_is_nothing():
    sagittal = segmentation(sagittal_grid(), "1.1")
    assert axial_measurements(spine(), {}, SacMasks({"1.1": sagittal}, [], {}), []) == []
