"""Vertebrae are found where they were built, and every kind of change grows where its kind grows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import ndimage

from spinemri.lesion import MarrowChange as Kind
from spinemri.synthesis.deposits import Deposit, step
from spinemri.synthesis.rare_deposits import GROWTHS
from spinemri.synthesis.tissue import BACKGROUND, BODY, CORD, DISC, POSTERIOR, SAC
from spinemri.synthesis.vertebra_grid import DISC_LEVEL, GridVertebra, find_vertebrae, has_disc

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPACING = (4.0, 1.1, 0.9)  # slices, rows to anterior, columns to superior
SHAPE = (13, 98, 158)
LEVELS = (4, 5, 6)  # head to foot
HALF, DEPTH, WIDE, PITCH = 12.0, 30.0, 18.0, 34.0  # mm: half height, depth, half width, distance of bodies
TILT = np.deg2rad(10.0)
UP, FRONT = (np.sin(TILT), np.cos(TILT)), (np.cos(TILT), -np.sin(TILT))  # along (rows, columns)
SEEDS = range(6)
SURE = 0.5


@dataclass(frozen=True, eq=False)
class Column:
    """Boxes leaning forward, and the true coordinates of every voxel: mm along the column, from the wall, sideways."""

    classes: NDArray[np.uint8]
    levels: NDArray[np.uint8]
    up: NDArray[np.floating]
    front: NDArray[np.floating]
    x: NDArray[np.floating]


def column(levels: tuple[int, ...] = LEVELS, half: float = HALF) -> Column:
    """Vertebrae with discs between them, arches, sac and cord; the second has its centre in the grid's middle.

    ``half`` is the half height of the second body only.
    """
    place = [(np.arange(n) - middle) * mm for n, middle, mm in zip(SHAPE, (6, 58, 79), SPACING, strict=True)]
    x, r, c = np.meshgrid(*place, indexing="ij")
    up, front = r * UP[0] + c * UP[1], r * FRONT[0] + c * FRONT[1] + DEPTH / 2
    classes, found = np.zeros(SHAPE, dtype=np.uint8), np.zeros(SHAPE, dtype=np.uint8)
    classes[(np.abs(x) < 9.5) & (front > -13) & (front < -1)] = SAC
    classes[(np.abs(x) < 5) & (front > -10) & (front < -4)] = CORD
    for n, level in enumerate(levels):
        u, tall = up - (1 - n) * PITCH, half if n == 1 else HALF
        body = (np.abs(u) <= tall) & (front >= 0) & (front <= DEPTH) & (np.abs(x) <= WIDE)
        arch = (np.abs(x) > 10) & (np.abs(x) <= 17) & (front > -14) & (front < 0) & (u > -4) & (u < 8)
        arch |= (np.abs(x) <= 17) & (front > -18) & (front <= -14) & (u > -4) & (u < 8)
        arch |= (np.abs(x) <= 5) & (front > -36) & (front <= -18) & (np.abs(u) < 7)
        classes[arch], classes[body] = POSTERIOR, BODY
        found[body | arch] = level
    for n, level in enumerate(levels[:-1]):
        low, high = (1 - n) * PITCH - PITCH + (half if n == 0 else HALF), (1 - n) * PITCH - (half if n == 1 else HALF)
        disc = (up > low) & (up < high) & (front >= 0) & (front <= DEPTH) & (np.abs(x) <= WIDE) & (found == 0)
        classes[disc], found[disc] = DISC, DISC_LEVEL + level
    return Column(classes, found, up, front, x)


@cache
def built() -> tuple[Column, dict[int, GridVertebra]]:
    made = column()
    return made, find_vertebrae(made.classes, made.levels, SPACING)


@cache
def grown(kind: Kind, seed: int, level: int = 5) -> tuple[Deposit, ...]:
    return tuple(GROWTHS[kind](built()[1], level, np.random.default_rng(seed), kind))


def whole(deposit: Deposit) -> NDArray[np.floating]:
    """A deposit's share on the whole grid."""
    share = np.zeros(SHAPE)
    share[deposit.window] = deposit.share
    return share


def of_level(deposit: Deposit) -> GridVertebra:
    return next(v for v in built()[1].values() if v.window == deposit.window)


def test_vertebrae_have_the_size_they_were_built_with() -> None:
    made, found = built()
    assert list(found) == list(LEVELS)
    for level, vertebra in found.items():
        assert vertebra.level == level
        assert vertebra.half_height == pytest.approx(HALF, abs=SPACING[2])
        assert vertebra.depth == pytest.approx(DEPTH, abs=2 * SPACING[1])  # 2 to 98 % of it
        assert vertebra.half_width == pytest.approx(WIDE, abs=SPACING[0] / 2)
        assert np.array_equal(vertebra.bone, made.levels[vertebra.window] == level)
        assert np.array_equal(vertebra.body, vertebra.bone & (made.classes[vertebra.window] == BODY))
        assert (vertebra.bone & ~vertebra.body).sum() > 500


def test_coordinates_are_those_it_was_built_in() -> None:
    made, found = built()
    for n, (level, vertebra) in enumerate(found.items()):
        middle = (1 - n) * PITCH
        for own, true in ((vertebra.u, made.up - middle), (vertebra.v, made.front), (vertebra.x, made.x)):
            off = (own - true[vertebra.window])[vertebra.bone]
            assert np.ptp(off) < 1.6, (level, "the axes are those of the column")  # of 24 to 66 mm
            assert abs(float(off.mean())) < 1.0, level


def test_one_vertebra_alone_stands_upright() -> None:
    made = column((7,))
    (vertebra,) = find_vertebrae(made.classes, made.levels, SPACING).values()
    rise = np.gradient(vertebra.u, axis=2) / SPACING[2]
    assert np.allclose(rise, 1, atol=1e-3)
    assert np.allclose(np.gradient(vertebra.v, axis=1) / SPACING[1], 1, atol=1e-3)


def test_scraps_of_a_body_and_an_empty_grid_hold_no_vertebra() -> None:
    made = column()
    levels = made.levels.copy()
    scrap = np.argwhere((levels == 6) & (made.classes == BODY))
    levels[tuple(scrap[100:].T)] = 0
    assert list(find_vertebrae(made.classes, levels, SPACING)) == [4, 5]
    assert find_vertebrae(np.zeros_like(levels), levels * 0, SPACING) == {}


def test_an_endplate_is_where_its_disc_begins_or_where_the_body_ends() -> None:
    made, found = built()
    for level, superior in ((5, True), (5, False), (4, True), (6, False)):  # the last two have no disc there
        vertebra = found[level]
        assert has_disc(vertebra, above=superior) == (level == 5)
        middle = (5 - level) * PITCH
        true = HALF - (made.up - middle) * (1 if superior else -1)
        off = (vertebra.from_endplate(superior=superior) - true[vertebra.window])[vertebra.body]
        assert np.abs(off).max() < 1.7, (level, superior)


def test_depth_in_the_bone_is_that_of_a_box() -> None:
    made, found = built()
    inside = found[5].inside()
    walls = np.minimum(HALF - np.abs(made.up), np.minimum(made.front, DEPTH - made.front))[found[5].window]
    middle = found[5].body & (np.abs(found[5].x) < 2) & (walls > 3)
    assert np.abs(inside - walls)[middle].max() < 1.7
    assert not inside[~found[5].bone].any()


@pytest.mark.parametrize(("inside", "share"), [(-9.0, 0.0), (-0.5, 0.25), (0.0, 0.5), (0.5, 0.75), (1.0, 1.0), (9, 1)])
def test_an_edge_is_a_ramp_of_twice_its_softness(inside: float, share: float) -> None:
    assert float(step(np.array([inside]), 1.0)[0]) == share


MAY_LEAVE_THE_BONE = {Kind.TUMOUR, Kind.DISCITIS, Kind.HARDWARE}


def test_every_kind_can_grow() -> None:
    assert list(GROWTHS) == list(Kind)


@pytest.mark.parametrize("kind", list(Kind))
def test_shares_are_shares_and_stay_in_their_bone(kind: Kind) -> None:
    for seed in SEEDS:
        found = grown(kind, seed)
        assert any((d.share > SURE).any() for d in found), seed
        for deposit in found:
            bone = of_level(deposit).bone
            assert deposit.share.shape == bone.shape
            assert np.isfinite(deposit.share).all()
            assert deposit.share.min() >= 0
            assert deposit.share.max() <= 1
            assert kind in MAY_LEAVE_THE_BONE or not deposit.share[~bone].any(), seed


@pytest.mark.parametrize("kind", list(Kind))
def test_equal_seeds_grow_equal_changes_and_others_differ(kind: Kind) -> None:
    again = GROWTHS[kind](built()[1], 5, np.random.default_rng(0), kind)
    for first, second in zip(grown(kind, 0), again, strict=True):
        assert np.array_equal(first.share, second.share)
        assert (first.substance, first.texture, first.striped) == (second.substance, second.texture, second.striped)
    assert len({d.substance for seed in SEEDS for d in grown(kind, seed)[:1]}) == len(SEEDS)


@pytest.mark.parametrize("kind", [Kind.TUMOUR, Kind.SCLEROTIC])
def test_a_focus_lies_in_body_or_arch_and_comes_in_all_sizes(kind: Kind) -> None:
    vertebra = built()[1][5]
    sizes, arches = [], 0
    for seed in range(40):
        sure = (grown(kind, seed)[0].share > SURE) & vertebra.bone
        sizes.append(sure.sum() / vertebra.body.sum())
        arches += bool((sure & ~vertebra.body).sum() > 0.5 * sure.sum() > 0)
    assert min(sizes) < 0.03
    assert max(sizes) > 0.4
    assert 1 <= arches < 20


def test_a_tumour_sometimes_leaves_the_bone_into_canal_or_soft_tissue_but_never_into_disc_or_another_bone() -> None:
    vertebra = built()[1][5]
    away = ndimage.distance_transform_edt(~vertebra.bone, sampling=SPACING)
    free = np.isin(vertebra.classes, (BACKGROUND, SAC, CORD))
    left = []
    for seed in range(40):
        outside = np.max([d.share for d in grown(Kind.TUMOUR, seed)], axis=0) * ~vertebra.bone
        left.append(bool(outside.any()))
        assert not outside[~free].any(), seed
        assert not outside[away > 9].any(), seed
    assert 0.1 < np.mean(left) < 0.4
    assert not any(whole(d)[built()[0].levels != 5].any() for seed in range(40) for d in grown(Kind.SCLEROTIC, seed))


def test_the_dense_part_of_a_mixed_metastasis_lies_within_it() -> None:
    mixed = [grown(Kind.TUMOUR, seed) for seed in range(40) if len(grown(Kind.TUMOUR, seed)) == 2]
    assert 3 <= len(mixed) <= 15
    for tumour, dense in mixed:
        assert (tumour.kind, dense.kind) == (Kind.TUMOUR, Kind.SCLEROTIC)
        assert (dense.share <= tumour.share).all()


def test_a_haemangioma_is_round_and_mostly_striped() -> None:
    stripes = [grown(Kind.HAEMANGIOMA, seed)[0].striped for seed in range(20)]
    assert {0.0} < set(stripes)
    assert all(s == 0 or 2 <= s <= 4.5 for s in stripes)
    assert np.mean(np.array(stripes) > 0) > 0.5
    vertebra = built()[1][5]
    for seed in range(20):
        sure = grown(Kind.HAEMANGIOMA, seed)[0].share > SURE
        _, count = ndimage.label(sure, ndimage.generate_binary_structure(3, 3))
        sizes = ndimage.sum_labels(sure, _, range(1, count + 1))
        assert max(sizes) > 0.9 * sum(sizes), seed
        assert sure.sum() < 0.9 * vertebra.bone.sum()


def test_a_red_marrow_island_is_ill_defined_beside_a_haemangioma() -> None:
    def soft(kind: Kind) -> float:
        shares = [grown(kind, seed)[0].share for seed in SEEDS]
        return float(np.mean([((s > 0.05 * s.max()) & (s < 0.9 * s.max())).sum() / (s > 0).sum() for s in shares]))

    assert soft(Kind.RED_MARROW) > 1.5 * soft(Kind.HAEMANGIOMA)
    bullseye = [grown(Kind.RED_MARROW, seed) for seed in range(20) if len(grown(Kind.RED_MARROW, seed)) == 2]
    assert 3 <= len(bullseye) <= 12
    for island, core in bullseye:
        assert core.substance.relaxation.fat > 0.7 > island.substance.relaxation.fat


def test_fracture_oedema_lies_under_one_endplate_of_the_body() -> None:
    vertebra, upper = built()[1][5], 0
    for seed in range(16):
        band, *line = grown(Kind.FRACTURE_OEDEMA, seed)
        sure = band.share > SURE
        assert not band.share[~vertebra.body].any()
        superior = float(vertebra.u[sure].mean()) > 0
        upper += superior
        near = vertebra.from_endplate(superior=superior)
        far = vertebra.from_endplate(superior=not superior)
        assert near[sure].min() < 1.5, "it touches the endplate"
        assert (sure & (near < 3)).sum() > 0.4 * (vertebra.body & (near < 3)).sum(), "along much of it"
        assert near[sure].mean() < 0.8 * far[sure].mean(), seed
        if line:
            assert not (line[0].share > 0)[band.share <= 0.3].any()
            assert line[0].substance.relaxation.density < 0.5
    assert 8 <= upper < 16, "mostly the upper one"


@pytest.mark.parametrize("kind", [Kind.MODIC_1, Kind.MODIC_2, Kind.MODIC_3])
def test_modic_changes_lie_on_both_sides_of_one_disc_within_their_thickness(kind: Kind) -> None:
    made, found = built()
    sides = []
    for seed in range(12):
        deposits = grown(kind, seed)
        sides.append(len(deposits))
        assert len({d.substance for d in deposits}) == 1, "one substance"
        for deposit, (level, superior) in zip(deposits, ((5, False), (6, True)), strict=False):
            vertebra = found[level]
            assert of_level(deposit) is vertebra
            assert not deposit.share[~vertebra.body].any()
            away, other = (vertebra.from_endplate(superior=s) for s in (superior, not superior))
            sure = deposit.share > SURE
            assert away[sure].min() < 1.5, seed
            assert away[sure].max() < 11 * 1.45, seed
            assert (away < other)[sure].mean() > 0.8
    assert sides.count(2) >= 9
    assert not whole(grown(kind, 0)[0])[made.levels == 4].any()


def test_below_the_lowest_vertebra_a_modic_change_has_one_side() -> None:
    (deposit,) = grown(Kind.MODIC_1, 3, level=6)
    vertebra = of_level(deposit)
    assert vertebra.level == 6
    assert float(vertebra.u[deposit.share > SURE].mean()) < 0


def test_a_corner_lesion_touches_a_corner() -> None:
    vertebra, front = built()[1][5], 0
    for seed in range(16):
        (deposit,) = grown(Kind.CORNER, seed)
        sure = deposit.share > SURE
        assert not deposit.share[~vertebra.body].any()
        rims = np.minimum(*(vertebra.from_endplate(superior=s) for s in (True, False)))
        wall = np.minimum(np.abs(vertebra.v), np.abs(vertebra.depth - vertebra.v))
        assert (rims + wall)[sure].min() < 3, seed
        assert (rims + wall)[sure].max() < 11 + 0.8 * 4, "a triangle: depth and breadth share its size"
        front += float(vertebra.v[sure].mean()) > DEPTH / 2
    assert 8 <= front < 16, "mostly an anterior one"


def test_a_schmorl_node_is_a_dent_of_an_endplate_with_a_rim() -> None:
    vertebra = built()[1][5]
    for seed in range(10):
        rim, core = grown(Kind.SCHMORL, seed)
        assert (rim.share + core.share <= 1 + 1e-6).all()
        sure = core.share > SURE
        superior = float(vertebra.u[sure].mean()) > 0
        away = vertebra.from_endplate(superior=superior)
        assert away[sure].min() < 1.5, seed
        assert away[sure].max() < 9
        assert away[rim.share > SURE].max() > away[sure].max(), "the rim is around the dent"
        assert (away < vertebra.from_endplate(superior=not superior))[sure].all()


def test_discitis_takes_the_disc_and_much_of_both_bodies_and_may_spread_in_front() -> None:
    made, found = built()
    ahead = 0
    for seed in range(10):
        upper, disc, lower = grown(Kind.DISCITIS, seed)
        share = np.max([whole(d) for d in (upper, disc, lower)], axis=0)
        assert (whole(disc)[made.levels == DISC_LEVEL + 5] >= 0.6).all()
        assert not whole(disc)[made.levels != DISC_LEVEL + 5].any()
        for deposit, level in ((upper, 5), (lower, 6)):
            assert of_level(deposit) is found[level]
            sure = (deposit.share > SURE) & found[level].body
            assert sure.sum() > 0.2 * found[level].body.sum(), (seed, level)
            assert not deposit.share[found[level].bone & ~found[level].body].any()
        outside = share * (made.classes == BACKGROUND)
        ahead += bool(outside.any())
        assert not outside[made.front < 0.4 * DEPTH].any()
        assert not share[np.isin(made.classes, (SAC, CORD))].any()
        assert not share[np.isin(made.levels, (4, DISC_LEVEL + 4))].any()
    assert 2 <= ahead < 10


def test_radiation_fat_fills_whole_vertebrae_in_a_row_to_a_straight_border() -> None:
    made, found = built()
    cut = 0
    for seed in range(10):
        deposits = grown(Kind.RADIATION, seed, level=4)
        levels = [of_level(d).level for d in deposits]
        assert levels == list(range(4, 4 + len(levels)))
        assert len(levels) >= 2
        assert len({d.substance for d in deposits}) == 1
        for deposit in deposits[1:]:
            assert (deposit.share[of_level(deposit).bone] > 0.9).all()
        first, vertebra = deposits[0].share, found[4]
        spared = first[vertebra.bone] < 0.5
        if spared.any():  # the port begins within it: what is spared lies above a plane across the column
            cut += 1
            height = vertebra.u[vertebra.bone]
            assert height[spared].min() > height[~spared].max() - 0.01
    assert 1 <= cut < 10
    assert not any(whole(d)[made.classes == DISC].any() for d in grown(Kind.RADIATION, 0, level=4))


def test_an_infarct_is_a_rim_around_fat() -> None:
    ringed = 0
    for seed in range(10):
        rim, core = grown(Kind.INFARCT, seed)
        outer = rim.share + core.share / 0.8
        assert outer.max() <= 1 + 1e-6
        assert np.allclose(outer[core.share > 0], 1), "fat lies within"
        assert (rim.share > SURE).any()
        assert core.substance.relaxation.fat > 0.7 > rim.substance.relaxation.fat
        ringed += bool((core.share > SURE).any())
    assert ringed >= 5


def test_paget_disease_takes_the_whole_vertebra_and_thickens_its_frame() -> None:
    vertebra = built()[1][5]
    depth, coarse = vertebra.inside(), []
    for seed in SEEDS:
        marrow, frame = grown(Kind.PAGET, seed)
        assert np.array_equal(marrow.share, vertebra.bone.astype(np.float32))
        assert (frame.share[vertebra.bone & (depth < 1.25)] > 0.8).all()
        coarse.append((frame.share[vertebra.bone & (depth > 5)] > SURE).mean())
    assert 0.02 < np.mean(coarse) < 0.5, "coarse trabeculae within"
    assert max(coarse) > 0.04


def test_hardware_is_cement_in_the_body_or_screws_through_the_pedicles() -> None:
    vertebra, screws = built()[1][5], 0
    for seed in range(20):
        deposits = grown(Kind.HARDWARE, seed)
        share = np.max([d.share for d in deposits], axis=0)
        if not share[~vertebra.body].any():
            continue
        screws += 1
        sure = share > SURE
        assert vertebra.v[sure].min() > -33
        assert vertebra.v[sure].max() < 0.9 * DEPTH
        assert np.ptp(vertebra.v[sure]) > 30, "long"
        assert np.abs(vertebra.u[sure]).max() < HALF + 3
        per_side = [(sure & (vertebra.x * side > 1)).any() for side in (-1, 1)]
        assert sum(per_side) == len(deposits), "one each"
    assert 5 <= screws < 18
