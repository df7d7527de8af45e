"""Signal between spinous processes of formulas: its ratio to muscle, where it is raised, and when it is not read."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.geometry import Geometry
from spinemri.image import Image
from spinemri.measure import MEASURES
from spinemri.measure.ligaments import NAME, UNCHECKED, ligament_measurements
from spinemri.measure.quality import measure_quality
from spinemri.measurement import Status
from spinemri.segmentation import Segmentation, label_value
from spinemri.series import Contrast, Series
from tests.measure.phantom import lumbar

SPINE = replace(lumbar(), bodies=lumbar().bodies[2:])  # L1 to S1
GRID = SPINE.grid((3.5, 1.0, 0.9), margin=46.0)
L2_L3 = 1  # the disc below body 1
SIGNAL = {  # marrow, sac, muscle, suppressed or bright fat, usual ligament
    Contrast.STIR: (60.0, 420.0, 80.0, 15.0, 70.0),
    Contrast.T2W_FS: (70.0, 420.0, 90.0, 20.0, 80.0),
    Contrast.T1W: (400.0, 90.0, 160.0, 700.0, 200.0),
}


@dataclass(frozen=True)
class Arch:
    """Half the height of every spinous process and how far behind the middle of the sac it reaches, mm."""

    half: float = 7.0
    tip: float = 29.0
    without: tuple[str, ...] = ()
    aside: float = 0.0


def parts(arch, geometry):
    """Anatomy points, distance behind the sac's middle, and the masks with a spinous process per body."""
    points = SPINE.to_anatomy(geometry.to_patient(np.moveaxis(np.indices(geometry.shape), 0, -1)))
    back, _ = SPINE._across(points)
    masks = SPINE.segment(geometry, "1.2.stir")
    voxels, structures = masks.voxels.copy(), dict(masks.structures)
    for body in SPINE.bodies[:-1]:
        if body.level.name in arch.without:
            continue
        process = Structure(StructureKind.POSTERIOR_ELEMENTS, body.level)
        inside = (np.abs(body.local(points)[..., 2]) < arch.half) & (back > 8) & (back < arch.tip)
        voxels[inside & (np.abs(points[..., 0] - arch.aside) < 4) & (voxels == 0)] = label_value(process)
        structures[label_value(process)] = process
    return points, back, replace(masks, voxels=voxels, structures=structures)


def study(*contrasts, ratio=1.0, arch=None, failed=False, geometry=GRID):
    """Images on one grid with a ratio to muscle between the processes of L2 and L3, and their masks."""
    points, back, masks = parts(arch or Arch(), geometry)
    place = SPINE.disc_place(L2_L3)
    bright = (np.abs(points[..., 2] - place[2]) < 14) & (back > 8) & (back < 32) & (np.abs(points[..., 0]) < 7)
    images, segmentations = [], []
    for contrast in contrasts:
        marrow, fluid, muscle, fat, ligament = SIGNAL[contrast]
        fat = 3 * muscle if failed and contrast is not Contrast.T1W else fat
        values = np.full(geometry.shape, muscle)
        values[back > 38] = fat
        values[(np.abs(points[..., 0]) < 7) & (back > 8) & (back < 32)] = ligament
        values[bright] = ratio * muscle
        bone = masks.mask_of_kind(StructureKind.VERTEBRAL_BODY, StructureKind.POSTERIOR_ELEMENTS)
        values[bone] = marrow
        values[masks.mask_of_kind(StructureKind.THECAL_SAC)] = fluid
        values[back > 50] = 1.0
        values = values * (1 + 0.05 * np.random.default_rng(4).normal(size=values.shape))
        uid = f"1.2.{contrast.value}"
        images.append(Image(values.astype(np.float32), geometry, Series(series_uid=uid, contrast=contrast)))
        segmentations.append(replace(masks, series_uid=uid))
    return images, {s.series_uid: s for s in segmentations}


def found_in(images, segmentations, spine=None):
    uid = images[0].series.series_uid if images else "1.2.3"
    spine = spine or SPINE.spine(body_uid=uid)
    shown = [(i, m) for i in images if (m := segmentations.get(i.series.series_uid)) is not None]
    quality = measure_quality([i for i, _ in shown], [m for _, m in shown], spine, ())
    suppression = {q.series_uid: q.check("fat_suppression") for q in quality}
    made = ligament_measurements(spine, images, segmentations, suppression)
    return {m.place: m for m in made}


@pytest.mark.parametrize("contrast", [Contrast.STIR, Contrast.T2W_FS])
@pytest.mark.parametrize("ratio", [0.8, 1.6, 3.0])
def test_the_ratio_to_muscle_between_two_processes_and_only_there(contrast, ratio):
    found = found_in(*study(contrast, Contrast.T1W, ratio=ratio))
    here = found["L2-L3"]
    assert here.value == pytest.approx(ratio, rel=0.06)
    assert here.interval[0] < ratio < here.interval[1]
    assert (here.name, here.kind, here.series_uid) == (NAME, StructureKind.POSTERIOR_ELEMENTS, f"1.2.{contrast.value}")
    assert here.unit == next(m.unit for m in MEASURES if m.name == NAME)
    usual = SIGNAL[contrast][4] / SIGNAL[contrast][2]
    assert found["L1-L2"].value == pytest.approx(usual, rel=0.06)
    assert found["L3-L4"].value == pytest.approx(usual, rel=0.06)


def test_array_axes_in_another_order_change_nothing_but_suppression_is_not_checked():
    images, segmentations = study(Contrast.STIR, Contrast.T1W, ratio=2.5)
    order, (dx, ds, da) = (2, 0, 1), GRID.spacing
    axes = GRID.axes[:, order]
    turned = Geometry(
        tuple(GRID.shape[n] for n in order), (da, dx, ds), GRID.origin, tuple(axes.ravel()), GRID.frame_of_reference_uid
    )
    others = [Image(np.transpose(i.voxels, order), turned, i.series) for i in images]
    masks = {
        uid: Segmentation(np.transpose(s.voxels, order), turned, s.structures, uid, "formula")
        for uid, s in segmentations.items()
    }
    here = found_in(others, masks)["L2-L3"]
    assert here.value == pytest.approx(2.5, rel=0.06)
    assert here.flags == (UNCHECKED,)
    assert found_in(images, segmentations)["L2-L3"].flags == ()


def test_every_pair_is_there_and_the_sacrum_has_no_process_of_its_own():
    found = found_in(*study(Contrast.STIR, Contrast.T1W))
    assert list(found) == ["L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1"]
    assert found["L5-S1"].status is Status.NOT_ASSESSABLE
    assert found["L5-S1"].reason == "no mask of the posterior elements of S1"


@pytest.mark.parametrize("contrasts", [(Contrast.T1W,), ()])
def test_without_a_fat_suppressed_series_there_is_a_reason(contrasts):
    found = found_in(*study(*contrasts))
    assert {m.reason for m in found.values()} == {"no STIR or fat-suppressed T2w series shows it"}


def test_failed_fat_suppression_is_not_read():
    found = found_in(*study(Contrast.STIR, Contrast.T1W, ratio=3.0, failed=True))
    assert found["L2-L3"].value is None
    assert found["L2-L3"].reason == "fat suppression failed there"


@pytest.mark.parametrize(
    ("arch", "reason"),
    [
        (Arch(without=("L3",)), "no mask of the posterior elements of L3"),
        (Arch(half=16.0), "too little space is left between the spinous processes"),
        (Arch(aside=18.0), "no middle slice shows both arches"),
    ],
)
def test_what_the_masks_do_not_show(arch, reason):
    here = found_in(*study(Contrast.STIR, Contrast.T1W, arch=arch))["L2-L3"]
    assert (here.value, here.reason) == (None, reason)


def test_levels_that_are_no_neighbours_make_no_pair():
    images, segmentations = study(Contrast.STIR, Contrast.T1W)
    whole = SPINE.spine(body_uid="1.2.STIR")
    kept = tuple(v for v in whole.vertebrae if v.level != Level("L3"))
    assert "L2-L4" not in found_in(images, segmentations, whole.model_copy(update={"vertebrae": kept}))


def test_a_missing_middle_slice_is_left_out():
    thin = SPINE.grid((2.0, 1.2, 1.1), margin=46.0)
    images, segmentations = study(Contrast.STIR, Contrast.T1W, ratio=2.5, geometry=thin)
    middle = round(float(thin.to_index(SPINE.to_patient(SPINE.disc_place(L2_L3)))[0]))
    gone = images[0].voxels.copy()
    gone[middle] = 5000.0
    images[0] = replace(images[0], voxels=gone, missing_slices=(middle,))
    assert found_in(images, segmentations)["L2-L3"].value == pytest.approx(2.5, rel=0.1)
