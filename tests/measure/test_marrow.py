"""Signals with known ratios in a spine of formulas, in series on other grids and after the patient moved."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.image import Image
from spinemri.lesion import Lesion, MarrowChange
from spinemri.measure.catalogue import LESION_MEASURES, MARROW_MEASURES
from spinemri.measure.marrow import measure_marrow
from spinemri.measure.signals import MarrowCase, lean, level_of, sampled, surroundings
from spinemri.measurement import Status
from spinemri.segmentation import Segmentation
from spinemri.series import Contrast, Series
from spinemri.spine import VertebraAlignment
from tests.columns import rearranged
from tests.measure.test_lesion_shape import (
    BODY,
    DISCS,
    GRID,
    L3,
    NAMES,
    SPINE,
    STILL,
    STRUCTURES,
    WAYS,
    in_body,
    labels_at,
    labels_on,
    points_of,
    shape_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spinemri.geometry import Geometry
    from spinemri.measurement import Measurement
    from spinemri.spine import Spine

OTHER = SPINE.grid(spacing=(4.4, 1.0, 0.7), turn=(1.0, 2.0, 5.0), margin=18.0)
T1, STIR, T2, FS = Contrast.T1W, Contrast.STIR, Contrast.T2W, Contrast.T2W_FS
POST, ADC, IN, OPPOSED = Contrast.T1W_POST, Contrast.ADC, Contrast.DIXON_IN, Contrast.DIXON_OPPOSED
# signal of bodies, arches, discs, sac, muscle, fat, lesion
SIGNAL = {
    T1: (400.0, 380.0, 250.0, 90.0, 160.0, 700.0, 150.0),
    STIR: (60.0, 50.0, 120.0, 400.0, 80.0, 15.0, 210.0),
    FS: (70.0, 60.0, 110.0, 420.0, 90.0, 20.0, 140.0),
    T2: (220.0, 200.0, 150.0, 600.0, 110.0, 420.0, 330.0),
    POST: (800.0, 700.0, 520.0, 180.0, 160.0 * 1.1 * 1.7, 1250.0, 150.0 * 1.6 * 1.7),
    ADC: (300.0, 300.0, 1500.0, 2800.0, 1300.0, 100.0, 930.0),
    IN: (300.0, 300.0, 200.0, 150.0, 180.0, 500.0, 200.0),
    OPPOSED: (120.0, 120.0, 195.0, 150.0, 175.0, 450.0, 170.0),
}
KINDS = (
    StructureKind.VERTEBRAL_BODY,
    StructureKind.POSTERIOR_ELEMENTS,
    StructureKind.DISC,
    StructureKind.THECAL_SAC,
)
LEVELS = [Level(name) for name in NAMES]
CLOSE = 0.03
L3_L4 = DISCS[L3, Level("L4")]


@dataclass(frozen=True)
class Spot:
    """An ellipsoid in a body's axes: centre and half axes to left, posterior and superior, mm."""

    centre: tuple[float, float, float] = (2.0, 0.0, 0.0)
    half: tuple[float, float, float] = (8.0, 7.0, 6.0)
    level: str = "L3"

    def inside(self, points: np.ndarray) -> np.ndarray:
        return (((in_body(points, self.level) - self.centre) / self.half) ** 2).sum(axis=-1) < 1


SPOT = Spot()
WIDE = Spot(half=(16.0, 8.0, 7.0))
"""Wider than the slices of another grid are apart: between two slices there is a mixture."""


@cache
def fat_at(grid: Geometry, share: float) -> np.ndarray:
    """Where fat lies among the muscle, in grains of 9 mm."""
    grain = np.floor(points_of(grid) / 9).astype(int) @ np.array([7919, 104729, 1299709])
    return (grain * 2654435761 % 1000) < 1000 * share


def image(contrast, spots: Sequence[Spot] = (SPOT,), grid=GRID, uid=None, scale=1.0, **changes) -> Image:
    """A series with little noise. ``moved``: shift of the patient (LPS mm); ``fat``: share among muscle; ``discs``."""
    moved = changes.get("moved", STILL)
    points, labels = points_of(grid) - moved, labels_on(grid, moved)
    *tissues, muscle, fat, lesion = SIGNAL[contrast]
    values = np.where(fat_at(grid, changes.get("fat", 0.3)), fat, muscle)
    for kind, signal in zip(KINDS, tissues, strict=True):
        values[np.isin(labels, [v for v, s in STRUCTURES.items() if s.kind is kind])] = signal
    for structure, signal in changes.get("discs", {}).items():
        values[labels == next(v for v, s in STRUCTURES.items() if s == structure)] = signal
    for spot in spots:
        values[spot.inside(points)] = lesion
    values *= 1 + 0.03 * np.random.default_rng(11).normal(size=values.shape)
    series = Series(series_uid=uid or f"1.2.{contrast.value}", contrast=contrast)
    return Image((values * scale).astype(np.float32), grid, series)


def masks_of(one: Image, moved=STILL) -> Segmentation:
    return Segmentation(labels_on(one.geometry, moved), one.geometry, STRUCTURES, one.series.series_uid, "formula")


def spine_of(uid: str = "1.2.T1w", levels: slice = slice(None)) -> Spine:
    whole = SPINE.spine(body_uid=uid)
    return whole.model_copy(update={"vertebrae": whole.vertebrae[levels]})


def case_of(
    *images: Image, spots: Sequence[Spot] = (SPOT,), alignments=(), masks=None, spine=None, outlined: int = 0
) -> MarrowCase:
    """Lesions are outlined in the image numbered ``outlined``; the spine is L2 to L4 unless given."""
    uid, grid = images[outlined].series.series_uid, images[outlined].geometry
    outlines = np.zeros(grid.shape, dtype=np.uint16)
    lesions, structures = [], {}
    for n, spot in enumerate(spots, start=1):
        outlines[spot.inside(points_of(grid))] = n
        structures[n] = Structure(StructureKind.LESION, Level(spot.level))
        where = SPINE.to_patient(SPINE.bodies[NAMES.index(spot.level)].to_anatomy(np.array(spot.centre)))
        lesions.append(
            Lesion(
                id=f"lesion-{n}", label=n, series_uid=uid, levels=(Level(spot.level),), level=Level(spot.level),
                centre=tuple(where.tolist()), probability=0.9, shares={MarrowChange.TUMOUR: 1.0},
            )
        )  # fmt: skip
    outline = [Segmentation(outlines, grid, structures, uid, "formula")] if spots else []
    spine = spine or spine_of(images[0].series.series_uid, slice(1, 4))
    return MarrowCase(spine, images, masks or [masks_of(i) for i in images], alignments, lesions, outline)


def measured(case: MarrowCase) -> dict[str, Measurement]:
    found = measure_marrow(case)
    assert len({m.id for m in found}) == len(found)
    return {m.id: m for m in found}


def of_lesion(case: MarrowCase, number: int = 1) -> dict[str, Measurement]:
    mine = f"lesion-{number}."
    return {i.removeprefix(mine): m for i, m in measured(case).items() if i.startswith(mine)}


def motion(level="L3", status="registered", shift=(0.0, 0.0, 0.0), moving="1.2.STIR") -> VertebraAlignment:
    return VertebraAlignment(
        level=Level(level), fixed_series_uid="1.2.T1w", moving_series_uid=moving, status=status, translation_mm=shift,
        residual_mm=None if status == "unpaired" else 3.0,
    )  # fmt: skip


# ratios


def test_ratios_to_every_tissue_in_three_sequences_on_different_grids():
    images = image(T1, [WIDE]), image(STIR, [WIDE], OTHER), image(T2, [WIDE], OTHER)
    found = of_lesion(case_of(*images, spots=[WIDE]))
    expected = {
        "lesion_t1_to_marrow": 150 / 400,
        "lesion_t1_to_disc": 150 / 250,
        "lesion_t1_to_muscle": 150 / 160,
        "lesion_stir_to_marrow": 210 / 60,
        "lesion_stir_to_muscle": 210 / 80,
        "lesion_t2_to_marrow": 330 / 220,
    }
    assert {name: found[name].value for name in expected} == pytest.approx(expected, rel=CLOSE)
    for name, value in expected.items():
        assert found[name].interval == pytest.approx((value * (1 - 0.098), value * (1 + 0.098)), rel=CLOSE)
        assert found[name].series_uid == "1.2.T1w"


@pytest.mark.parametrize("scale", [0.02, 50.0])
def test_the_scanners_scale_does_not_matter(scale):
    plain = of_lesion(case_of(image(T1), image(STIR, grid=OTHER)))
    scaled = of_lesion(case_of(image(T1, scale=scale), image(STIR, grid=OTHER, scale=1 / scale)))
    names = ("lesion_t1_to_marrow", "lesion_t1_to_muscle", "lesion_stir_to_marrow", "lesion_stir_to_muscle")
    assert [scaled[n].value for n in names] == pytest.approx([plain[n].value for n in names], rel=1e-4)


def test_a_lesion_outlined_on_stir_is_measured_on_t1_too():
    found = of_lesion(case_of(image(T1, [WIDE], OTHER), image(STIR, [WIDE]), spots=[WIDE], outlined=1))
    assert found["lesion_t1_to_marrow"].value == pytest.approx(150 / 400, rel=CLOSE)
    assert found["lesion_stir_to_marrow"].value == pytest.approx(210 / 60, rel=CLOSE)
    assert {m.series_uid for m in found.values()} == {"1.2.STIR"}


def test_stir_is_preferred_to_fat_suppressed_t2():
    for images in ((image(T1), image(FS), image(STIR)), (image(T1), image(STIR), image(FS))):
        assert of_lesion(case_of(*images))["lesion_stir_to_marrow"].value == pytest.approx(210 / 60, rel=CLOSE)
    found = of_lesion(case_of(image(T1), image(FS)))
    assert found["lesion_stir_to_marrow"].value == pytest.approx(140 / 70, rel=CLOSE)


@pytest.mark.parametrize("first", [0, 1])
def test_the_station_that_shows_the_lesion_is_read_before_one_that_overlaps_with_it(first):
    """STIR of another station, without signal of the lesion, ends just beyond it; the order of series is no matter."""
    axis = GRID.axis_along(2)
    box = tuple(slice(n // 3, n) if a == axis else slice(0, n) for a, n in enumerate(GRID.shape))
    own, other = image(STIR, uid="1.2.own"), image(STIR, (), GRID.part(box), uid="1.2.other")
    pair = (own, other) if first == 0 else (other, own)
    found = of_lesion(case_of(image(T1), *pair))
    assert found["lesion_stir_to_marrow"].value == pytest.approx(210 / 60, rel=CLOSE)
    alone = of_lesion(case_of(image(T1), other))
    assert alone["lesion_stir_to_marrow"].value == pytest.approx(1.0, rel=CLOSE)


def test_fat_among_muscle_is_no_muscle():
    """Three fifths of what lies behind the spine is fat; T1w tells which."""
    found = of_lesion(case_of(image(T1, fat=0.6), image(STIR, grid=GRID, fat=0.6)))
    assert found["lesion_t1_to_muscle"].value == pytest.approx(150 / 160, rel=CLOSE)
    assert found["lesion_stir_to_muscle"].value == pytest.approx(210 / 80, rel=CLOSE)
    alone = of_lesion(case_of(image(STIR, fat=0.6)))
    assert alone["lesion_stir_to_muscle"].value == pytest.approx(210 / 15, rel=0.06)


def test_only_unaffected_marrow_is_compared_with():
    """Three vertebrae in a row with lesions that fill most of their bodies."""
    spots = [Spot((0.0, 0.0, 0.0), (17.0, 13.0, 9.0), level) for level in ("L2", "L3", "L4")]
    found = of_lesion(case_of(image(T1, spots), image(STIR, spots, OTHER), spots=spots), 2)
    assert found["lesion_t1_to_marrow"].value == pytest.approx(150 / 400, rel=CLOSE)
    assert found["lesion_stir_to_marrow"].value == pytest.approx(210 / 60, rel=CLOSE)


def test_where_all_marrow_is_replaced_there_is_nothing_to_compare_with():
    spots = [Spot((0.0, 0.0, 0.0), (40.0, 35.0, 14.0), level) for level in ("L2", "L3", "L4")]
    found = of_lesion(case_of(image(T1, spots), spots=spots), 2)["lesion_t1_to_marrow"]
    assert found.status is Status.NOT_ASSESSABLE
    assert found.reason == "too little unaffected marrow near it to compare with"


# motion


SMALL, SHIFT = Spot((2.0, 0.0, 0.0), (14.0, 3.0, 3.0)), (0.0, 2.6, 1.5)  # 3 mm


def after_motion(*alignments: VertebraAlignment) -> dict[str, Measurement]:
    """A small lesion on T1w, and a STIR on which the patient lies 3 mm farther back and up."""
    stir = image(STIR, [SMALL], OTHER, moved=SHIFT)
    t1 = image(T1, [SMALL])
    masks = [masks_of(t1), masks_of(stir, moved=SHIFT)]
    return of_lesion(case_of(t1, stir, spots=[SMALL], alignments=alignments, masks=masks))


def test_a_stir_that_moved_by_three_millimetres_is_read_at_the_lesion():
    found = after_motion(motion(shift=SHIFT))
    assert found["lesion_stir_to_marrow"].value == pytest.approx(210 / 60, rel=0.1)
    assert found["lesion_t1_to_marrow"].value == pytest.approx(150 / 400, rel=CLOSE)


def test_without_the_registration_it_is_read_beside_it():
    for alignments in (
        (),
        (motion(status="aligned"),),
        (motion("L2", shift=SHIFT),),
        (motion(moving="1", shift=SHIFT),),
    ):
        assert after_motion(*alignments)["lesion_stir_to_marrow"].value < 0.6 * 210 / 60


def test_an_unpaired_vertebra_gives_no_stir():
    found = after_motion(motion(status="unpaired"))
    for name in ("lesion_stir_to_marrow", "lesion_stir_to_muscle"):
        assert found[name].reason == "no STIR or T2w-FS series shows it"
    assert found["lesion_t1_to_marrow"].value is not None


def test_another_frame_of_reference_gives_nothing_unless_it_was_registered():
    stir = image(STIR, grid=replace(GRID, frame_of_reference_uid="1.2.77"))
    assert of_lesion(case_of(image(T1), stir))["lesion_stir_to_marrow"].value is None
    known = of_lesion(case_of(image(T1), stir, alignments=[motion(shift=(0.0, 0.0, 0.0))]))
    assert known["lesion_stir_to_marrow"].value == pytest.approx(210 / 60, rel=CLOSE)


# more sequences


@pytest.mark.parametrize("stored", [0.5, 1.0])
def test_adc_is_in_square_millimetres_per_second(stored):
    found = of_lesion(case_of(image(T1), image(ADC, scale=stored)))["lesion_adc"]
    assert found.value == pytest.approx(930e-6 * stored, rel=CLOSE)
    assert found.unit == "mm2/s"


def test_enhancement_is_freed_of_the_scanners_gain():
    """The lesion rises by 60 %, muscle by 10 %, and the second scan has 1.7 times the gain."""
    found = of_lesion(case_of(image(T1), image(POST)))["lesion_enhancement_pct"]
    assert found.value == pytest.approx(60, abs=3)
    assert found.unit == "%"


@pytest.mark.parametrize("uids", [("1.7", "1.8"), ("1.7", "1.7")], ids=["two series", "two stacks of one series"])
@pytest.mark.parametrize("swapped", [False, True])
def test_opposed_phase_against_in_phase(uids, swapped):
    pair = [image(IN, uid=uids[0]), image(OPPOSED, uid=uids[1])]
    found = of_lesion(case_of(image(T1), *(pair[::-1] if swapped else pair)))["lesion_opposed_phase_ratio"]
    assert found.value == pytest.approx(170 / 200, rel=CLOSE)


TOUCHING = Spot((0.0, 0.0, -8.0), (9.0, 8.0, 9.0))


def test_a_touched_disc_is_compared_with_the_other_discs():
    """240 against 100, 120 and 140."""
    signals = dict(zip(DISCS.values(), (100.0, 140.0, 240.0, 120.0), strict=True))
    stir = image(STIR, [TOUCHING], OTHER, discs=signals)
    found = of_lesion(case_of(image(T1, [TOUCHING]), stir, spots=[TOUCHING]))["lesion_disc_signal_ratio"]
    assert found.value == pytest.approx(2.0, rel=CLOSE)
    assert found.flags == ("disc:L3-L4",)
    plain = case_of(image(T1, [TOUCHING]), image(STIR, (), OTHER), spots=[TOUCHING])
    assert of_lesion(plain)["lesion_disc_signal_ratio"].value == pytest.approx(1.0, rel=CLOSE)


def test_t2_tells_of_the_disc_where_stir_shows_too_few_others():
    stir, t2 = image(STIR, [TOUCHING], OTHER), image(T2, [TOUCHING], OTHER, discs={L3_L4: 300.0})
    few = [s for s in STRUCTURES.values() if s.kind is not StructureKind.DISC or Level("L4") in (s.level, s.lower)]
    masks = masks_of(stir)
    kept = {v: s for v, s in masks.structures.items() if s in few}
    masks = replace(masks, voxels=np.where(np.isin(masks.voxels, list(kept)), masks.voxels, 0), structures=kept)
    t1 = image(T1, [TOUCHING])
    case = case_of(t1, stir, t2, spots=[TOUCHING], masks=[masks_of(t1), masks, masks_of(t2)])
    assert of_lesion(case)["lesion_disc_signal_ratio"].value == pytest.approx(2.0, rel=CLOSE)
    without = case_of(t1, stir, spots=[TOUCHING], masks=[masks_of(t1), masks])
    gap = of_lesion(without)["lesion_disc_signal_ratio"]
    assert gap.reason == "no STIR or T2w series shows it beside other discs"
    assert gap.flags == ("disc:L3-L4",)


# gaps


def test_every_name_of_the_catalogue_once_per_lesion_in_its_unit():
    spots = [SPOT, Spot(level="L1"), Spot((0.0, 3.0, 0.0), level="L5")]
    case = case_of(image(T1, spots), spots=spots, spine=spine_of())
    found = measure_marrow(case)
    units = {m.name: m.unit for m in (*LESION_MEASURES, *MARROW_MEASURES)}
    assert all(m.unit == units[m.name] for m in found)
    marrow, rest = found[: len(LEVELS) * len(MARROW_MEASURES)], found[len(LEVELS) * len(MARROW_MEASURES) :]
    assert [(m.level, m.name) for m in marrow] == [(level, m.name) for level in LEVELS for m in MARROW_MEASURES]
    wanted = Counter(m.name for m in LESION_MEASURES)
    for n, (spot, start) in enumerate(zip(spots, range(0, len(rest), len(wanted)), strict=True), start=1):
        mine = rest[start : start + len(wanted)]
        assert Counter(m.name for m in mine) == wanted
        assert {m.id for m in mine} == {f"lesion-{n}.{name}" for name in wanted}
        assert {(m.kind, m.level) for m in mine} == {(StructureKind.LESION, Level(spot.level))}


def test_what_a_study_lacks_is_a_gap_with_its_reason():
    found = of_lesion(case_of(image(T1)))
    reasons = {name: m.reason for name, m in found.items() if m.value is None}
    assert all(found[name].status is Status.NOT_ASSESSABLE for name in reasons)
    assert reasons == {
        "lesion_stir_to_marrow": "no STIR or T2w-FS series shows it",
        "lesion_stir_to_muscle": "no STIR or T2w-FS series shows it",
        "lesion_t2_to_marrow": "no T2w series shows it",
        "lesion_enhancement_pct": "no T1w-post series shows it",
        "lesion_opposed_phase_ratio": "no in-phase and opposed-phase pair shows it",
        "lesion_adc": "no ADC map shows it",
        "lesion_disc_signal_ratio": "it touches no disc",
    }
    assert found["lesion_disc_signal_ratio"].flags == ()


def test_without_t1_that_is_the_reason():
    found = of_lesion(case_of(image(STIR), image(POST)))
    for name in ("lesion_t1_to_marrow", "lesion_t1_to_disc", "lesion_t1_to_muscle", "lesion_enhancement_pct"):
        assert found[name].reason == "no T1w series shows it"
    assert found["lesion_opposed_phase_ratio"].value is None


def test_half_a_pair_is_no_pair():
    found = of_lesion(case_of(image(T1), image(IN)))["lesion_opposed_phase_ratio"]
    assert found.reason == "no in-phase and opposed-phase pair shows it"


def lower_half(one: Image) -> Image:
    """The part of a series below the middle of L3."""
    row = round(float(one.geometry.to_index(SPINE.to_patient(BODY.centre))[1])) + 12
    origin = tuple(one.geometry.to_patient((0, row, 0)))
    grid = replace(one.geometry, shape=one.voxels[:, row:].shape, origin=origin)
    return Image(one.voxels[:, row:], grid, one.series)


def test_a_sequence_whose_field_ends_above_the_lesion_does_not_show_it():
    t1, stir = image(T1), lower_half(image(STIR, grid=OTHER))
    found = of_lesion(case_of(t1, stir, image(FS)))
    assert found["lesion_stir_to_marrow"].value == pytest.approx(140 / 70, rel=CLOSE)
    assert of_lesion(case_of(t1, stir))["lesion_stir_to_marrow"].reason == "no STIR or T2w-FS series shows it"


def test_a_lesion_far_from_its_vertebra_has_a_shape_and_no_signal():
    far = Spot((0.0, 0.0, 74.0), (8.0, 7.0, 6.0))
    found = of_lesion(case_of(image(T1, [far]), spots=[far]))
    assert found["lesion_volume"].value > 500
    assert found["lesion_t1_to_marrow"].reason == "no T1w series shows it"


# size and place


def test_sizes_are_those_of_the_shape_with_points_sides_and_intervals():
    spot = Spot((9.0, 16.0, -2.0), (9.0, 14.0, 9.0))
    case = case_of(image(T1, [spot]), spots=[spot])
    found, shape = of_lesion(case), shape_of(spot.inside(points_of(GRID)))
    assert found["lesion_volume"].value == pytest.approx(shape.volume, abs=0.1)
    assert found["lesion_diameter"].value == pytest.approx(shape.diameter, abs=0.01)
    assert found["lesion_body_share_pct"].value == pytest.approx(shape.body_share, abs=0.01)
    assert found["lesion_convex_posterior_border"].value == pytest.approx(shape.bulge, abs=0.2)
    for name, volume in shape.compartments.items():
        assert found[f"lesion_{name}_volume"].value == pytest.approx(volume, abs=1)
    assert found["lesion_pedicle_left"].value > 50
    assert found["lesion_pedicle_right"].value < found["lesion_pedicle_left"].value
    assert found["lesion_foraminal_volume"].flags == ("side:left",)
    assert np.asarray(found["lesion_diameter"].points) == pytest.approx(shape.ends, abs=0.01)
    low, high = found["lesion_volume"].interval
    assert low < shape.volume < high


def test_bodies_without_discs_give_no_endplate_contact():
    t1 = image(T1)
    masks = masks_of(t1)
    kept = {v: s for v, s in masks.structures.items() if s.kind is not StructureKind.DISC}
    masks = replace(masks, voxels=np.where(np.isin(masks.voxels, list(kept)), masks.voxels, 0), structures=kept)
    found = of_lesion(case_of(t1, masks=[masks]))
    assert found["lesion_endplate_contact_pct"].reason == "its endplates or its whole body are not seen"
    assert found["lesion_t1_to_disc"].reason == "too little disc beside it to compare with"
    assert found["lesion_disc_signal_ratio"].reason == "it touches no disc"


# the marrow of every vertebra


def test_marrow_against_discs_and_muscle_at_every_level():
    found = measured(case_of(image(T1, ()), spots=(), spine=spine_of()))
    assert len(found) == len(LEVELS) * len(MARROW_MEASURES)
    for level in LEVELS:
        assert found[f"{level}.marrow_t1_to_disc"].value == pytest.approx(400 / 250, rel=CLOSE)
        assert found[f"{level}.marrow_t1_to_muscle"].value == pytest.approx(400 / 160, rel=CLOSE)
        assert found[f"{level}.marrow_t1_to_disc"].series_uid == "1.2.T1w"


def test_dark_marrow_is_dark_against_its_own_discs():
    plain = image(T1, ())
    bone = np.isin(labels_on(GRID), [v for v, s in STRUCTURES.items() if s.kind is StructureKind.VERTEBRAL_BODY])
    dark = replace(plain, voxels=np.where(bone, 180, plain.voxels).astype(np.float32))
    found = measured(case_of(dark, spots=(), spine=spine_of()))
    assert [found[f"{v}.marrow_t1_to_disc"].value for v in LEVELS] == pytest.approx([180 / 250] * 5, rel=CLOSE)
    assert [found[f"{v}.marrow_t1_to_muscle"].value for v in LEVELS] == pytest.approx([180 / 160] * 5, rel=CLOSE)


def test_a_coil_that_falls_off_along_the_spine_changes_little():
    plain = image(T1, ())
    z = points_of(GRID)[..., 2]
    coil = np.exp((z - z.mean()) / 150)
    found = measured(
        case_of(replace(plain, voxels=(plain.voxels * coil).astype(np.float32)), spots=(), spine=spine_of())
    )
    assert np.ptp(coil) > 1
    for level in LEVELS[1:-1]:  # at the ends there is a disc on one side only
        assert found[f"{level}.marrow_t1_to_disc"].value == pytest.approx(400 / 250, rel=0.1)
        assert found[f"{level}.marrow_t1_to_muscle"].value == pytest.approx(400 / 160, rel=0.15)


def test_vertebrae_that_are_cut_or_not_shown_on_t1_say_so():
    spine = SPINE.spine(body_uid="1.2.T1w")
    first, *others = spine.vertebrae
    cut = spine.model_copy(update={"vertebrae": (first.model_copy(update={"cut": True}), *others)})
    found = measured(case_of(image(T1, ()), spots=(), spine=cut))
    assert found["L1.marrow_t1_to_disc"].status is Status.OUT_OF_FIELD
    assert found["L1.marrow_t1_to_disc"].reason == "the field of view cuts L1"
    assert found["L2.marrow_t1_to_disc"].value is not None
    without = measured(case_of(image(STIR, ()), spots=()))
    assert {m.reason for m in without.values() if m.level == L3} == {"no T1w series shows L3"}
    assert {m.status for m in without.values()} == {Status.NOT_ASSESSABLE}


def test_a_body_without_discs_or_muscle_has_no_ratio():
    t1 = image(T1, ())
    masks = masks_of(t1)
    kept = {v: s for v, s in masks.structures.items() if s.kind is not StructureKind.DISC}
    voxels = np.where(np.isin(masks.voxels, list(kept)), masks.voxels, 0)
    middle = round(float(GRID.to_index(SPINE.to_patient(BODY.centre))[0]))
    narrow = slice(middle - 1, middle + 2)  # nearer than 10 mm to the middle
    origin = tuple(GRID.to_patient((narrow.start, 0, 0)))
    grid = replace(GRID, shape=voxels[narrow].shape, origin=origin)
    masks = Segmentation(voxels[narrow], grid, kept, "1.2.T1w", "formula")
    thin = Image(t1.voxels[narrow], grid, t1.series)
    found = measured(case_of(thin, spots=(), masks=[masks]))
    assert found["L3.marrow_t1_to_disc"].reason == "too little disc beside it to compare with"
    assert found["L3.marrow_t1_to_muscle"].reason == "too little muscle behind it to compare with"


# sampling and surroundings


def turned(one: Image, order, flips) -> Image:
    voxels, grid = rearranged(one.voxels, one.geometry, order, flips)
    return Image(voxels, grid, one.series)


@pytest.mark.parametrize(("order", "flips"), WAYS)
def test_surroundings_hold_the_same_tissue_however_the_array_lies(order, flips):
    plain = case_of(image(T1))
    again = turned(image(T1), order, flips)
    masks, _ = rearranged(labels_on(GRID), GRID, order, flips)
    other = case_of(again, masks=[Segmentation(masks, again.geometry, STRUCTURES, "1.2.T1w", "formula")])
    before, after = (surroundings(case, "1.2.T1w", L3) for case in (plain, other))
    for name in ("marrow", "discs", "muscle", "body"):
        one, two = getattr(before, name), getattr(after, name)
        assert one.sum() == two.sum() > 200
        assert before.points_in(one).mean(axis=0) == pytest.approx(after.points_in(two).mean(axis=0), abs=1e-6)
    expected = {name: m.value for name, m in of_lesion(plain).items() if m.value is not None}
    found = of_lesion(other)
    assert {name: found[name].value for name in expected} == pytest.approx(expected, rel=1e-3)


def test_surroundings_are_where_their_names_say():
    found = surroundings(case_of(image(T1)), "1.2.T1w", L3)
    points = found.points_in(np.ones_like(found.whole)).reshape(*found.whole.shape, 3)
    x, u, v = np.moveaxis(in_body(points, "L3"), -1, 0)
    labels = labels_at(points)
    assert not labels[found.muscle].any()
    assert u[found.muscle & (np.abs(v) < 12)].min() > BODY.depth / 2 + 8
    assert np.abs(x[found.muscle]).min() > 8
    assert {STRUCTURES[v].level for v in np.unique(labels[found.marrow])} == {Level(n) for n in ("L2", "L3", "L4")}
    own = found.marrow & (labels == next(n for n, s in STRUCTURES.items() if s == Structure(KINDS[0], L3)))
    assert u[own].max() < BODY.depth / 2 - 1.0  # the rim of a mask may be cortex
    assert v[own & (np.abs(u) < 3)].max() < BODY.height / 2 - 2.0
    touching = {STRUCTURES[v] for v in np.unique(labels[found.discs])}
    assert touching == {s for s in STRUCTURES.values() if s.kind is StructureKind.DISC and L3 in (s.level, s.lower)}
    assert np.abs(v[found.body]).max() < BODY.height / 2
    near = replace(SPOT, half=tuple(h + 1.0 for h in SPOT.half))
    assert not near.inside(points)[found.marrow].any()


def test_a_series_that_does_not_show_the_body_has_no_surroundings():
    t1 = image(T1)
    kept = {v: s for v, s in STRUCTURES.items() if s.level != L3 or s.kind is not StructureKind.VERTEBRAL_BODY}
    voxels = np.where(np.isin(labels_on(GRID), list(kept)), labels_on(GRID), 0)
    case = case_of(t1, spots=(), masks=[Segmentation(voxels, GRID, kept, "1.2.T1w", "formula")])
    assert surroundings(case, "1.2.T1w", L3) is None


@pytest.mark.parametrize(("order", "flips"), WAYS)
def test_a_series_is_sampled_to_its_outermost_voxels(order, flips):
    one = turned(image(T1), order, flips)
    case = case_of(one, spots=(), masks=[Segmentation(one.voxels > 0, one.geometry, {}, "1.2.T1w", "formula")])
    values = sampled(case, one, "1.2.T1w", L3, points_of(one.geometry))
    assert np.isfinite(values).all()
    assert np.abs(values - one.voxels).max() < 0.1
    beyond = one.geometry.to_patient([(-0.5, 4, 4), (4, 4, one.geometry.shape[2] - 0.5)])
    assert np.isnan(sampled(case, one, "1.2.T1w", L3, beyond)).all()


def test_slices_that_are_missing_and_half_way_to_them_show_nothing():
    plain = image(T1)
    one = replace(plain, missing_slices=(5,))
    case = case_of(one, spots=())
    at = [(k, 100.0, 60.0) for k in (4.0, 4.4, 4.6, 5.0, 5.3, 5.7, 6.0)]
    found = sampled(case, one, "1.2.T1w", L3, GRID.to_patient(at))
    assert np.isfinite(found).tolist() == [True, False, False, False, False, False, True]


def test_muscle_is_the_darker_half_where_t1_tells():
    muscle = np.zeros((4, 20), dtype=bool)
    muscle[1:3] = True
    t1 = np.arange(80, dtype=np.float32).reshape(4, 20)
    assert np.array_equal(lean(muscle, t1), muscle & (t1 <= 39.5))
    assert np.array_equal(lean(muscle, None), muscle)
    assert np.array_equal(lean(muscle, np.full_like(t1, np.nan)), muscle)


@pytest.mark.parametrize(("count", "known"), [(19, False), (20, True)])
def test_a_level_needs_some_voxels_that_show_something(count, known):
    values = np.full((6, 10), np.nan, dtype=np.float32)
    values.ravel()[:count] = np.arange(count)
    found = level_of(values, np.ones_like(values, dtype=bool))
    assert (found == pytest.approx((count - 1) / 2)) if known else (found is None)
