"""The second implanter: lesions of the wanted size, in their bone, as bright as they should be, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.evaluate.implants import RATIOS, grown_lesion, with_implants
from spinemri.image import Image
from spinemri.segmentation import Segmentation, label_value
from spinemri.series import Contrast, Series
from tests.evaluate.grids import HEIGHT, TILTED, column_labels, first_row, named

VOXEL = (4.0, 0.9, 1.1)
VOXEL_MM3 = float(np.prod(VOXEL))
NAMES = ["L1", "L2", "L3", "L4"]
CONNECTED = ndimage.generate_binary_structure(3, 2)
ALL_OF_IT = {Contrast.T1W: 400.0, Contrast.STIR: 120.0, Contrast.T2W: 300.0, Contrast.T2W_FS: 100.0}


def bone() -> np.ndarray:
    """A box of 5 x 30 x 40 voxels, 24 cm3, with a narrow canal through it."""
    box = np.zeros((7, 40, 50), dtype=bool)
    box[1:6, 5:35, 5:45] = True
    box[:, 12:28, 20:22] = False
    return box


@pytest.mark.parametrize("wanted", [60.0, 500.0, 2500.0, 9000.0])
def test_a_lesion_has_the_wanted_volume_is_one_piece_and_stays_in_its_bone(wanted: float) -> None:
    for seed in range(4):
        found = grown_lesion(bone(), VOXEL, wanted, np.random.default_rng(seed))
        volume = found.sum() * VOXEL_MM3
        assert wanted - VOXEL_MM3 < volume < 1.3 * wanted + 2 * VOXEL_MM3, seed  # holes are closed at the end
        assert ndimage.label(found, CONNECTED)[1] == 1
        assert not found[~bone()].any()


def test_a_lesion_grows_as_fast_across_slices_as_within_them() -> None:
    """In millimetres: 4 slices of 4 mm are as far as 16 mm within a slice."""
    wide = np.ones((21, 90, 80), dtype=bool)
    spans = []
    for seed in range(6):
        places = np.argwhere(grown_lesion(wide, VOXEL, 1000, np.random.default_rng(seed))) * VOXEL
        spans.append(places.std(axis=0))
    across, down, back = np.mean(spans, axis=0)
    assert across == pytest.approx((down + back) / 2, rel=0.4)
    assert back == pytest.approx(down, rel=0.3)


def test_a_full_bone_ends_the_growth_and_a_voxel_is_the_least() -> None:
    small = np.zeros((5, 12, 12), dtype=bool)
    small[1:4, 3:8, 3:8] = True
    assert np.array_equal(grown_lesion(small, VOXEL, 1e6, np.random.default_rng(0)), small)
    apart = small.copy()
    apart[4, 10:, 10:] = True
    one = grown_lesion(apart, VOXEL, 1e6, np.random.default_rng(0))
    assert ndimage.label(one)[1] == 1, "it does not jump to another bone"
    assert grown_lesion(bone(), VOXEL, 0.1, np.random.default_rng(0)).sum() == 1


def test_lesions_repeat_with_their_seed_and_differ_in_place_and_outline() -> None:
    one, same, other = (grown_lesion(bone(), VOXEL, 900, np.random.default_rng(n)) for n in (3, 3, 4))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    ball = one.sum() * VOXEL_MM3
    radius = (3 * ball / 4 / np.pi) ** (1 / 3)
    away = np.linalg.norm((np.argwhere(one) - np.argwhere(one).mean(axis=0)) * VOXEL, axis=1)
    assert (away > 1.15 * radius).mean() > 0.02, "rough, not a ball"


def image(contrast: Contrast, grain: float = 0.05) -> Image:
    """Marrow of a contrast with grain, everything else at half of it."""
    labels = column_labels(len(NAMES))
    voxels = np.where(labels > 0, ALL_OF_IT[contrast], ALL_OF_IT[contrast] / 2)
    voxels = voxels * (1 + grain * np.random.default_rng(7).standard_normal(TILTED.shape))
    return Image(voxels.astype(np.float32), TILTED, Series(series_uid=f"1.2.{contrast.value}", contrast=contrast))


def anatomy() -> Segmentation:
    return named(column_labels(len(NAMES)), NAMES)


def inner(mask: np.ndarray) -> np.ndarray:
    """Voxels that the lesion's soft edge does not reach."""
    return ndimage.binary_erosion(mask, np.ones((1, 5, 5), dtype=bool))


def test_images_change_at_the_implants_only() -> None:
    before = [image(c) for c in (Contrast.T1W, Contrast.STIR)]
    kept = [np.array(i.voxels) for i in before]
    after, implants = with_implants(before, anatomy(), [300, 900], np.random.default_rng(3))
    assert len(implants) == 2
    assert all(np.array_equal(i.voxels, k) for i, k in zip(before, kept, strict=True)), "the input is left alone"
    known = np.any([i.mask for i in implants], axis=0)
    near = ndimage.binary_dilation(known, np.ones((1, 7, 7), dtype=bool))  # 4 sigma of 0.7 mm
    for made, given in zip(after, before, strict=True):
        assert made.series == given.series
        assert made.geometry == given.geometry
        assert np.array_equal(made.voxels[~near], given.voxels[~near])
        assert (made.voxels != given.voxels)[known].all()


def test_a_lesion_lies_in_one_vertebra_and_knows_its_volume() -> None:
    labels = column_labels(len(NAMES))
    taken = []
    for seed in range(3):
        _, implants = with_implants([image(Contrast.T1W)], anatomy(), [200, 600, 1500], np.random.default_rng(seed))
        for lesion, wanted in zip(implants, (200, 600, 1500), strict=True):
            assert lesion.volume_mm3 == pytest.approx(lesion.mask.sum() * float(np.prod(TILTED.spacing)))
            assert wanted - 5 < lesion.volume_mm3 < 1.3 * wanted + 10
            (level,) = np.unique(labels[lesion.mask])
            taken.append((seed, int(level)))
    assert len(set(taken)) == 9, "one vertebra each"
    assert all(level > 0 for _, level in taken)


@pytest.mark.parametrize("contrast", list(RATIOS), ids=str)
def test_the_ratio_to_marrow_is_one_of_the_contrast(contrast: Contrast) -> None:
    reached = []
    for seed in range(6):
        (made,), implants = with_implants([image(contrast)], anatomy(), [2500, 2500], np.random.default_rng(seed))
        for lesion in implants:
            core = inner(lesion.mask)
            if core.sum() > 60:
                reached.append(float(np.median(made.voxels[core])) / ALL_OF_IT[contrast])
    assert len(reached) > 6
    for ratio in reached:
        assert any(0.92 * low < ratio < 1.08 * high for low, high in RATIOS[contrast]), ratio
    for low, high in RATIOS[contrast]:
        assert any(0.92 * low < ratio < 1.08 * high for ratio in reached), "each range is drawn"


def test_the_grain_is_that_of_marrow_without_an_implant() -> None:
    """Every vertebra gets a lesion, so the donor of the last one has one already: it must not lend that."""
    for seed in range(4):
        (flat,), implants = with_implants(
            [image(Contrast.T1W, grain=0.0)], anatomy(), [2000] * 4, np.random.default_rng(seed)
        )
        spread = [flat.voxels[inner(i.mask)].std() / flat.voxels[inner(i.mask)].mean() for i in implants]
        assert len(spread) == 4
        assert max(spread) < 0.03, seed
    grainy, implants = with_implants([image(Contrast.T1W)], anatomy(), [2500], np.random.default_rng(1))
    core = inner(implants[0].mask)
    values = grainy[0].voxels[core]
    assert 0.02 < values.std() / values.mean() < 0.09


def test_arches_may_be_part_of_it_and_cut_bodies_are_not() -> None:
    labels = column_labels(len(NAMES))
    voxels = np.array(anatomy().voxels)
    known = dict(anatomy().structures)
    for n, name in enumerate(NAMES):
        arch = Structure(StructureKind.POSTERIOR_ELEMENTS, Level(name))
        voxels[2:5, first_row(n) : first_row(n) + HEIGHT, 45:51] = label_value(arch)
        known[label_value(arch)] = arch
    top = Structure(StructureKind.VERTEBRAL_BODY, Level("L1"))
    whole = replace(anatomy(), voxels=voxels, structures=known, cut=frozenset({top}))
    in_arch = 0
    for seed in range(12):
        _, implants = with_implants([image(Contrast.T1W)], whole, [2500] * 4, np.random.default_rng(seed))
        assert len(implants) == 3
        assert not any(i.mask[labels == 1].any() for i in implants)
        in_arch += sum(bool(i.mask[:, :, 45:51].any()) for i in implants)
    assert 2 <= in_arch < 20  # of 36, where a draw of three in ten allows it


def test_the_same_seed_makes_the_same_images() -> None:
    one, same = (with_implants([image(Contrast.T2W)], anatomy(), [800], np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(one[0][0].voxels, same[0][0].voxels)
    assert np.array_equal(one[1][0].mask, same[1][0].mask)
