"""Implants change real marrow where they lie and nothing else; another contrast is made without moving anything."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.evaluate.regions import region_images
from spinemri.geometry import Geometry
from spinemri.image import Image
from spinemri.lesion import MarrowChange as Kind
from spinemri.segment.lesion_input import CHANNELS
from spinemri.segment.model import load_model
from spinemri.segment.preprocess import working_map
from spinemri.segmentation import Segmentation, label_value
from spinemri.series import Contrast, Series
from spinemri.synthesis.changes import Substance, draw_substance, substance_signal
from spinemri.synthesis.deposits import Deposit, step
from spinemri.synthesis.marrow_changes import UNKNOWN
from spinemri.synthesis.signal import PROTOCOLS, mixed_signal
from spinemri.synthesis.tissue import BACKGROUND, BODY, CORD, DISC, POSTERIOR, RELAXATION, SAC, SACRUM, Tissue
from spinemri.synthesis.vertebra_grid import DISC_LEVEL
from spinemri.training.implant import WAYS, RealScene, _cut, implant, implanted, recast, varied
from spinemri.training.real_scenes import label_maps, real_scene
from tests.synthesis.test_deposits import SHAPE, column
from tests.synthetic_study import TruePredictor

MARROW = RELAXATION[Tissue.MARROW]
SIZE = (6, 96, 112)
T1W, STIR, T2W = (PROTOCOLS[c] for c in (Contrast.T1W, Contrast.STIR, Contrast.T2W))
WHOLE = (slice(0, SHAPE[0]), slice(0, SHAPE[1]), slice(0, SHAPE[2]))
LEVEL_OF_CLASS = {BACKGROUND: 260, BODY: 300, POSTERIOR: 330, DISC: 160, SAC: 900, CORD: 450}


def scene(slice_mm: float = 4.0) -> RealScene:
    """A T2-weighted image of the built column: grain of 6 %, muscle behind, fat around it, nothing in one corner."""
    made = column()
    rng = np.random.default_rng(8)
    image = np.vectorize(LEVEL_OF_CLASS.get)(made.classes).astype(np.float32)
    fatty = (made.classes == BACKGROUND) & ((made.front < -30) | (made.front > 38))
    image[fatty] = 700
    image *= 1 + 0.06 * rng.standard_normal(SHAPE).astype(np.float32)
    image[:, :6, :9] = 0
    return RealScene({"T2w": image}, made.classes, made.levels, slice_mm)


def ball(substance: Substance, kind: Kind = Kind.TUMOUR, *, striped: float = 0.0) -> Deposit:
    """A ball of 9 mm radius in the middle body, its edge 2 mm soft."""
    made = column()
    away = np.sqrt(made.up**2 + (made.front - 15) ** 2 + made.x**2)
    return Deposit(kind, WHOLE, step(9 - away, 1.0) * (made.levels == 5), substance, 0.0, striped)


def core(deposit: Deposit) -> np.ndarray:
    return deposit.share == 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("protocol", [T1W, STIR, T2W], ids=lambda p: p.contrast.value)
def test_an_implant_changes_its_own_voxels_by_the_ratio_of_the_signal_equations(protocol, way: str) -> None:
    given, lesion = scene(), ball(draw_substance(Kind.TUMOUR, np.random.default_rng(1)))
    before = given.images["T2w"].copy()
    after = implant(before, given.classes, (lesion,), (protocol, MARROW, way), np.random.default_rng(2))
    assert np.array_equal(before, given.images["T2w"]), "the input is left alone"
    assert after.dtype == np.float32
    assert np.array_equal(after[lesion.share == 0], before[lesion.share == 0])
    ratio = substance_signal(lesion.substance, protocol) / mixed_signal(MARROW, protocol)
    inner = core(lesion)
    assert inner.sum() > 300
    assert after[inner].mean() / before[inner].mean() == pytest.approx(ratio, rel=0.2)
    soft = (lesion.share > 0.2) & (lesion.share < 0.8)
    reached = (after[soft].mean() - before[soft].mean()) / (after[inner].mean() - before[inner].mean())
    assert reached == pytest.approx(float(lesion.share[soft].mean()), abs=0.15)


@pytest.mark.parametrize(("way", "least", "most"), [("scale", 0.99, 1), ("replace", 0.95, 1), ("borrow", -0.2, 0.2)])
def test_grain_is_the_marrow_own_or_that_of_another_tissue(way: str, least: float, most: float) -> None:
    given, lesion = scene(), ball(draw_substance(Kind.TUMOUR, np.random.default_rng(1)))
    before = given.images["T2w"]
    after = implant(before, given.classes, (lesion,), (T1W, MARROW, way), np.random.default_rng(2))
    inner = core(lesion)
    assert least <= np.corrcoef(before[inner], after[inner])[0, 1] <= most + 1e-6
    assert 0.005 < after[inner].std() / after[inner].mean() < 0.2


def test_the_ways_are_those_three() -> None:
    assert WAYS == ("replace", "scale", "borrow")


@pytest.mark.parametrize("way", WAYS)
def test_a_striped_implant_has_dark_lines_along_the_spine(way: str) -> None:
    fat = draw_substance(Kind.HAEMANGIOMA, np.random.default_rng(1))
    plain, striped = (
        implant(
            scene().images["T2w"],
            column().classes,
            (ball(fat, striped=mm),),
            (T2W, MARROW, way),
            np.random.default_rng(3),
        )
        for mm in (0.0, 4.0)
    )
    inner = core(ball(fat))
    share = striped[inner] / plain[inner]
    assert 0.15 < (share < 0.75).mean() < 0.5
    assert np.quantile(share, 0.1) == pytest.approx(0.6, abs=0.02)


@pytest.mark.parametrize("way", WAYS)
def test_without_bone_nothing_is_implanted_and_without_a_disc_nothing_is_borrowed(way: str) -> None:
    given, lesion = scene(), ball(draw_substance(Kind.TUMOUR, np.random.default_rng(1)))
    image, rng = given.images["T2w"], np.random.default_rng(2)
    nothing = implant(image, given.classes * 0, (lesion,), (T1W, MARROW, way), rng)
    assert np.array_equal(nothing, image)
    discless = np.where(given.classes == DISC, BACKGROUND, given.classes)
    after = implant(image, discless, (lesion,), (T1W, MARROW, way), rng)
    assert np.isfinite(after).all()
    assert after[core(lesion)].mean() < 0.85 * image[core(lesion)].mean()


def test_a_change_that_shines_in_nulled_marrow_is_no_brighter_than_the_image() -> None:
    """Where marrow gives no signal at all, the ratio to it says nothing."""
    given, lesion = scene(), ball(draw_substance(Kind.DISCITIS, np.random.default_rng(1)))
    nulled = MARROW._replace(fat=1.0)
    image = given.images["T2w"]
    for way in ("replace", "borrow"):
        after = implant(image, given.classes, (lesion,), (STIR, nulled, way), np.random.default_rng(2))
        assert np.median(after[core(lesion)]) <= 1.2 * np.quantile(image, 0.995)


def means(image: np.ndarray, classes: np.ndarray) -> dict[int, float]:
    return {value: float(image[(classes == value) & (image > 0)].mean()) for value in LEVEL_OF_CLASS}


def test_recast_makes_fluid_dark_and_marrow_bright_on_t1_and_the_reverse_on_stir() -> None:
    given = scene()
    image = given.images["T2w"]
    before = means(image, given.classes)
    assert before[SAC] > 2 * before[BODY]
    for seed in range(5):
        t1, stir, t2 = (
            recast(image, given.classes, protocol, (MARROW, np.random.default_rng(seed)))
            for protocol in (T1W, STIR, T2W)
        )
        found = means(t1, given.classes)
        assert found[SAC] < 0.6 * found[BODY], seed
        assert found[DISC] < 0.9 * found[BODY]
        bright = means(stir, given.classes)
        assert bright[SAC] > 2 * bright[BODY]
        assert means(t2, given.classes)[SAC] > 1.5 * means(t2, given.classes)[BODY]
        fat = (given.classes == BACKGROUND) & (image > 650)
        assert np.median(t1[fat]) > 1.1 * found[BODY]
        assert np.median(stir[fat]) < 0.8 * bright[BODY]


@pytest.mark.parametrize("protocol", [T1W, STIR, T2W], ids=lambda p: p.contrast.value)
def test_recast_keeps_shape_borders_and_grain(protocol) -> None:
    given = scene()
    image = given.images["T2w"]
    made = recast(image, given.classes, protocol, (MARROW, np.random.default_rng(3)))
    assert made.shape == image.shape
    assert made.dtype == np.float32
    assert np.isfinite(made).all()
    assert np.array_equal(made > 0, image > 0), "what shows nothing still shows nothing"
    body = given.classes == BODY
    inner = body & (column().front > 3) & (column().front < 27)
    assert np.corrcoef(image[inner], made[inner])[0, 1] > 0.25, "the grain is that of the image, under some noise"
    levels = means(made, given.classes)
    sac = (given.classes == SAC) & (np.abs(column().x) < 2)
    inside, outside = np.abs(made - levels[SAC]) < np.abs(made - levels[BODY]), body & (column().front > 4)
    assert inside[sac].mean() > 0.9
    assert inside[outside].mean() < 0.1


def test_recast_bears_tissues_that_are_not_there() -> None:
    given = scene()
    bare = np.where(np.isin(given.classes, (BODY, SAC)), given.classes, BACKGROUND)
    assert np.isfinite(recast(given.images["T2w"], bare, T1W, (MARROW, np.random.default_rng(0)))).all()
    full = np.full(SHAPE, BODY, dtype=np.uint8)
    assert np.isfinite(recast(given.images["T2w"], full, T1W, (MARROW, np.random.default_rng(0)))).all()


def test_every_map_is_cut_at_the_same_place() -> None:
    made = column()
    for slice_mm in (2.0, 4.0):
        given = RealScene({"T2w": made.classes + np.float32(1)}, made.classes, made.levels, slice_mm)
        for seed in range(12):
            part = _cut(given, SIZE, np.random.default_rng(seed))
            borders = ndimage.maximum_filter(part.classes, (1, 5, 5)) != ndimage.minimum_filter(part.classes, (1, 5, 5))
            sure = ~borders & (ndimage.minimum_filter(part.images["T2w"], (1, 5, 5)) > 0.99)
            assert sure.mean() > 0.2
            same = np.abs(part.images["T2w"] - part.classes - 1)[sure] < 1e-3
            assert same.mean() > 0.995, "all but what is thinner than a pixel"
            assert (part.levels[part.classes == BODY] > 0).all()
            assert part.classes.shape == part.levels.shape == SIZE
            assert np.isin(part.classes, (BODY, POSTERIOR, DISC)).any(), "the spine is in it"
            assert part.slice_mm in ((2.0, 4.0) if slice_mm == 2 else (4.0,))


def test_every_other_slice_of_a_thin_stack_is_taken() -> None:
    made = column()
    numbered = np.broadcast_to(np.arange(1.0, SHAPE[0] + 1)[:, None, None], SHAPE).astype(np.float32)
    given = RealScene({"T2w": numbered}, made.classes, made.levels, 2.0)
    steps = set()
    for seed in range(12):
        part = _cut(given, SIZE, np.random.default_rng(seed))
        shown = part.images["T2w"].max(axis=(1, 2))
        steps |= {(part.slice_mm, round(float(d), 3)) for d in np.diff(shown[shown > 0])}
    assert steps == {(2.0, 1.0), (4.0, 2.0)}


def test_a_sample_is_whole_and_repeats_with_its_seed() -> None:
    given = scene()
    names, changed = set(), 0
    for seed in range(14):
        images, classes, kinds = implanted(given, SIZE, np.random.default_rng(seed))
        again = implanted(given, SIZE, np.random.default_rng(seed))
        assert all(torch.equal(images[name], again[0][name]) for name in images)
        assert np.array_equal(kinds, again[2])
        assert set(images) <= set(CHANNELS)
        for image in images.values():
            assert image.shape == classes.shape == kinds.shape
            assert image.dtype == torch.float32
            assert bool(torch.isfinite(image).all())
            assert float(image.min()) >= 0
        assert set(np.unique(kinds)) <= {*range(len(Kind) + 1), UNKNOWN}
        names |= {tuple(images)}
        changed += bool(kinds.any())
    assert ("T2w",) in names
    assert len(names) > 2, "recast into other contrasts"
    assert 8 <= changed < 14, "some are left as they are"


TILT = np.deg2rad(9.0)
DOWN, BACK = (0.0, np.sin(TILT), -np.cos(TILT)), (0.0, np.cos(TILT), np.sin(TILT))
GRID = Geometry((5, 120, 90), (4.0, 0.8, 1.2), (-9.0, 20.0, 60.0), tuple(np.stack([(1, 0, 0), DOWN, BACK], 1).ravel()))


def test_labels_of_a_segmentation_become_classes_and_numbers_from_the_head() -> None:
    upper, lower = Level("L4"), Level("L5")
    parts = {  # rows from the head, columns from the front
        Structure(StructureKind.VERTEBRAL_BODY, upper): (slice(20, 50), slice(10, 35)),
        Structure(StructureKind.DISC, upper, lower): (slice(50, 60), slice(10, 35)),
        Structure(StructureKind.VERTEBRAL_BODY, lower): (slice(60, 90), slice(10, 35)),
        Structure(StructureKind.POSTERIOR_ELEMENTS, lower): (slice(60, 80), slice(55, 75)),
        Structure(StructureKind.THECAL_SAC): (slice(0, 120), slice(38, 50)),
        Structure(StructureKind.SACRUM): (slice(100, 118), slice(10, 30)),
        Structure(StructureKind.POSTERIOR_ELEMENTS, Level("L3")): (slice(5, 12), slice(55, 75)),  # of no body
    }
    voxels = np.zeros(GRID.shape, dtype=np.uint8)
    for structure, (rows, columns) in parts.items():
        voxels[1:4, rows, columns] = label_value(structure)
    image = Image(voxels.astype(np.float32), GRID, Series(series_uid="1.2.3", contrast=Contrast.T1W))
    mapping = working_map(image, load_model())
    made = Segmentation(voxels, GRID, {label_value(s): s for s in parts}, "1.2.3", "test")
    classes, levels = label_maps(made, mapping)
    assert classes.shape == levels.shape == mapping.shape == (5, 108, 96)
    l4, l5 = upper.rank - 1, lower.rank - 1  # no T13 here
    expected = {
        (BODY, l4),
        (DISC, DISC_LEVEL + l4),
        (BODY, l5),
        (POSTERIOR, l5),
        (POSTERIOR, l4 - 1),
        (SAC, 0),
        (SACRUM, 0),
    }
    assert set(zip(classes[classes > 0].tolist(), levels[classes > 0].tolist(), strict=True)) == expected
    middle = {pair: np.argwhere((classes == pair[0]) & (levels == pair[1])).mean(axis=0) for pair in expected}
    assert middle[BODY, l4][2] > middle[DISC, DISC_LEVEL + l4][2] > middle[BODY, l5][2], "columns run to superior"
    assert middle[BODY, l5][1] > middle[SAC, 0][1] > middle[POSTERIOR, l5][1], "rows run to anterior"
    assert (classes == BODY).sum() == pytest.approx(2 * 3 * 30 * 25 * 0.8 * 1.2, rel=0.05)
    assert not classes[[0, 4]].any()


def test_a_real_scene_shows_what_a_predictor_sees_in_an_image() -> None:
    """The predictor here knows the truth; marrow is then where T1 is bright, fluid where it is dark."""
    (image,), truth = region_images("lumbar", 0, (Contrast.T1W,))
    model = load_model()
    known = np.zeros(truth.voxels.shape, dtype=np.uint8)
    for value, name in model.classes.items():
        if value:
            known[truth.mask_of_kind(StructureKind(name))] = value
    made = real_scene(image, TruePredictor(known, truth.geometry, model), "T1w")
    shown = made.images["T1w"]
    assert list(made.images) == ["T1w"]
    assert shown.shape == made.classes.shape == made.levels.shape
    assert made.slice_mm == pytest.approx(image.geometry.spacing[0])
    assert np.median(shown[made.classes == SAC]) < 0.8 * np.median(shown[made.classes == BODY])
    bodies = [int(n) for n in np.unique(made.levels[made.classes == BODY])]
    assert bodies == list(range(bodies[0], bodies[0] + len(bodies)))
    heights = [np.argwhere((made.levels == n) & (made.classes == BODY))[:, 2].mean() for n in bodies]
    assert heights == sorted(heights, reverse=True)
    assert len(bodies) >= 5
    assert any(implanted(replace(made), SIZE, np.random.default_rng(seed))[2].any() for seed in range(4))


def test_a_background_varies_and_stays_the_same_anatomy() -> None:
    given = scene()
    image = given.images["T2w"]
    seen = []
    for seed in range(8):
        made = varied(image, np.random.default_rng(seed))
        assert made.dtype == np.float32
        assert np.array_equal(made > 0, image > 0), "what shows nothing still shows nothing"
        found = means(made, given.classes)
        assert found[SAC] > 1.3 * found[BODY] > 1.1 * found[DISC]
        seen.append(found[SAC] / found[BODY])
    assert np.std(seen) > 0.1
    assert np.array_equal(varied(image, np.random.default_rng(3)), varied(image, np.random.default_rng(3)))
    assert not varied(np.zeros(SHAPE, dtype=np.float32), np.random.default_rng(0)).any()
