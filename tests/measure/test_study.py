from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.measure import MEASURES, measure
from spinemri.measurement import NEAR_SAC_END, Status
from tests.measure.phantom import SAC_MM, lumbar


def by_id(spine, segmentations, images=()):
    return {m.id: m for m in measure(spine, images, segmentations)}


@pytest.fixture(scope="module")
def fractured():
    phantom = lumbar({"L1": 0.35}, narrowing={5: 0.35})
    return phantom, phantom.segment(phantom.grid())


def test_everything_expected_is_there_once(fractured):
    phantom, segmentation = fractured
    found = measure(phantom.spine(), [], [segmentation])
    ids = [m.id for m in found]
    assert len(set(ids)) == len(ids)
    count = Counter(m.name for m in found)
    unseen = {"cervical_lordosis", "sas_obliteration"}  # of the neck
    unseen |= {m.name for m in MEASURES if m.name.startswith("axial_")} | {"cord_compression_ratio"}  # no axial slice
    assert set(count) == {m.name for m in MEASURES} - unseen
    assert all(m.unit == {x.name: x.unit for x in MEASURES}[m.name] for m in found)
    of_spine = {"thoracic_kyphosis": 1, "lumbar_lordosis": 3, "coronal_curvature_estimate": 1}
    assert {name: count[name] for name in of_spine} == of_spine
    bodies, discs = 8, 7
    assert {count[name] for name in count if name not in of_spine} <= {bodies, discs, bodies + discs}
    assert (count["height_loss_pct"], count["slip_mm"], count["dural_sac_ap"]) == (bodies, discs, bodies + discs)
    assert all(m.points for m in found if m.status is Status.MEASURED and m.unit in ("mm", "%"))


def test_fracture_and_narrowing_are_found(fractured):
    phantom, segmentation = fractured
    found = by_id(phantom.spine(), [segmentation])
    loss = found["L1.height_loss_pct"]
    assert loss.value == pytest.approx(35, abs=3)
    assert loss.value == found["L1.height_loss_anterior_pct"].value
    assert [str(v) for v in loss.reference_levels] == ["T12", "L2"]
    assert loss.interval[0] < loss.value < loss.interval[1]
    assert found["L4-L5.dural_sac_ap"].value == pytest.approx(0.65 * SAC_MM, abs=0.5)
    assert found["L4-L5.dural_sac_compromise_pct"].value == pytest.approx(35, abs=4)
    assert found["L3-L4.dural_sac_ap"].value == pytest.approx(SAC_MM, abs=0.5)
    others = [m.value for i, m in found.items() if i.endswith("height_loss_pct") and m.value and m.level != Level("L1")]
    assert max(others) < 6


def test_sacrum_says_why_there_is_no_value(fractured):
    phantom, segmentation = fractured
    found = by_id(phantom.spine(), [segmentation])
    assert found["S1.anterior_height"].status is Status.NOT_ASSESSABLE
    assert "endplate" in found["S1.height_loss_pct"].reason
    assert "tapers" in found["S1.dural_sac_ap"].reason
    assert found["L5-S1.dural_sac_ap"].status is Status.MEASURED
    assert found["L5-S1.dural_sac_compromise_pct"].flags == (*("one_sided_reference", "tapering_sac", NEAR_SAC_END),)
    assert "tapering_sac" not in found["L4-L5.dural_sac_compromise_pct"].flags


def test_sizes_of_the_sac_near_its_lower_end_say_so(fractured):
    """The mask ends 15 mm below the disc L4-L5: what lies within 25 mm of the end is flagged, and nothing above."""
    phantom, segmentation = fractured
    canal = segmentation.mask_of_kind(StructureKind.THECAL_SAC, StructureKind.CORD)
    below = phantom.to_anatomy(segmentation.geometry.to_patient(np.argwhere(canal)))[:, 2]
    voxels = np.array(segmentation.voxels)
    end = phantom.disc_place(5)[2] - 15.0
    voxels[tuple(np.argwhere(canal)[below < end].T)] = 0
    found = by_id(phantom.spine(), [replace(segmentation, voxels=voxels)])
    near = {m.place for m in found.values() if m.name == "dural_sac_ap" and NEAR_SAC_END in m.flags}
    assert near == {"L4-L5"}
    names = {m.name for m in found.values() if NEAR_SAC_END in m.flags}
    assert names == {"dural_sac_ap", "dural_sac_area", "dural_sac_compromise_pct", "dural_sac_area_compromise_pct"}


def test_bodies_and_sac_from_two_series(fractured):
    phantom, bodies = fractured
    sac = phantom.segment(phantom.grid((3.3, 0.7, 0.75), turn=(-4.0, -2.0, 3.0)), "1.2.4")
    found = by_id(phantom.spine(sac_uid="1.2.4"), [bodies, sac])
    assert found["L4-L5.dural_sac_ap"].value == pytest.approx(0.65 * SAC_MM, abs=0.5)
    assert found["L4-L5.dural_sac_ap"].series_uid == "1.2.4"
    assert found["L4.posterior_height"].series_uid == "1.2.3"


def test_two_frames_of_reference_are_refused(fractured):
    phantom, bodies = fractured
    geometry = replace(phantom.grid(), frame_of_reference_uid="1.2.77")
    found = by_id(phantom.spine(sac_uid="1.2.4"), [bodies, phantom.segment(geometry, "1.2.4")])
    assert "frames of reference" in found["L4-L5.dural_sac_ap"].reason
    assert found["L4.posterior_height"].status is Status.MEASURED


def test_an_excluded_body_is_no_reference_and_its_sac_is_still_measured(fractured):
    phantom, segmentation = fractured
    spine = phantom.spine()
    vertebrae = tuple(
        v.model_copy(update={"excluded": "near a seam"}) if v.level == Level("T12") else v for v in spine.vertebrae
    )
    found = by_id(spine.model_copy(update={"vertebrae": vertebrae}), [segmentation])
    assert found["T12.height_loss_pct"].status is Status.EXCLUDED
    assert found["T12.height_loss_pct"].reason == "near a seam"
    assert [str(v) for v in found["L1.height_loss_pct"].reference_levels] == ["L2"]
    assert found["T12.dural_sac_ap"].value == pytest.approx(SAC_MM, abs=0.5)


def test_two_stations_measure_each_their_part_of_the_sac_and_a_disc_between_them_either(fractured):
    phantom, segmentation = fractured
    row = 0 + round(float(segmentation.geometry.to_index(phantom.spine().vertebra(Level("L3")).centre)[1]))
    upper, lower = segmentation.voxels.copy(), segmentation.voxels.copy()
    upper[:, row + 8 :] = 0
    lower[:, :row] = 0
    spine = phantom.spine()
    vertebrae = tuple(
        v.model_copy(update={"sac_series_uid": "1.2.3" if v.level.rank <= Level("L3").rank else "1.2.4"})
        for v in spine.vertebrae
    )
    spine = spine.model_copy(update={"vertebrae": vertebrae})
    masks = [replace(segmentation, voxels=upper), replace(segmentation, voxels=lower, series_uid="1.2.4")]
    found = by_id(
        spine,
        [
            replace(masks[0], voxels=segmentation.voxels * (segmentation.voxels < 120) + upper * (upper >= 120)),
            masks[1],
        ],
    )
    assert found["L2.dural_sac_ap"].series_uid == "1.2.3"
    assert found["L3-L4.dural_sac_ap"].series_uid == "1.2.4"  # the upper vertebra's series ends above this disc
    assert found["L3-L4.dural_sac_ap"].value == pytest.approx(SAC_MM, abs=0.5)
    assert found["L4-L5.dural_sac_ap"].value == pytest.approx(0.65 * SAC_MM, abs=0.5)


def test_near_a_seam_no_sac_is_measured_and_elsewhere_the_value_says_where_it_comes_from(fractured):
    phantom, segmentation = fractured
    grid = segmentation.geometry
    seam = float(grid.to_index(phantom.spine().vertebra(Level("L3")).centre)[grid.axis_along(2)])
    image = phantom.image(grid)
    joined = replace(image, series=image.series.model_copy(update={"composed": True}), seams=(seam,))
    found = by_id(phantom.spine(), [segmentation], [joined])
    assert found["L3.dural_sac_ap"].status is Status.EXCLUDED
    assert found["L2-L3.dural_sac_ap"].status is Status.EXCLUDED
    assert "seam" in found["L3.dural_sac_ap"].reason
    assert found["L4-L5.dural_sac_ap"].value == pytest.approx(0.65 * SAC_MM, abs=0.5)
    assert "composed_series" in found["L4-L5.dural_sac_ap"].flags
    assert "seams_unknown" not in found["L4-L5.dural_sac_ap"].flags
    unknown = by_id(phantom.spine(), [segmentation], [replace(joined, seams=())])
    assert {"composed_series", "seams_unknown"} <= set(unknown["L3.dural_sac_ap"].flags)


def test_bodies_of_two_frames_of_reference_are_measured_each_for_itself(fractured):
    """The lower half lies 200 mm off in its own coordinates; no direction and no reference crosses over."""
    phantom, segmentation = fractured
    away = replace(
        segmentation.geometry,
        origin=tuple(np.add(segmentation.geometry.origin, (30.0, 200.0, -90.0))),
        frame_of_reference_uid="9.9",
    )
    other = replace(segmentation, geometry=away, series_uid="1.2.4")
    vertebrae = tuple(
        v
        if v.level.rank < Level("L3").rank
        else v.model_copy(
            update={
                "series_uid": "1.2.4",
                "sac_series_uid": "1.2.4",
                "centre": tuple(np.add(v.centre, (30.0, 200.0, -90.0))),
            }
        )
        for v in phantom.spine().vertebrae
    )
    spine = phantom.spine().model_copy(update={"vertebrae": vertebrae})
    whole, found = by_id(phantom.spine(), [segmentation]), by_id(spine, [segmentation, other])
    for level in ("T12", "L2", "L3", "L4"):
        assert found[f"{level}.posterior_height"].value == pytest.approx(
            whole[f"{level}.posterior_height"].value, abs=0.3
        )
    assert [str(v) for v in found["L3.height_loss_pct"].reference_levels] == ["L4"]
    assert "L2-L3.dural_sac_ap" not in found
    assert found["L4-L5.dural_sac_ap"].value == pytest.approx(0.65 * SAC_MM, abs=0.5)


def test_cut_body_is_out_of_field_and_no_reference(fractured):
    phantom, segmentation = fractured
    cut = replace(segmentation, cut=frozenset({Structure(StructureKind.VERTEBRAL_BODY, Level("T12"))}))
    found = by_id(phantom.spine(), [cut])
    assert found["T12.height_loss_pct"].status is Status.OUT_OF_FIELD
    assert found["T12.dural_sac_ap"].status is Status.OUT_OF_FIELD
    assert [str(v) for v in found["L1.height_loss_pct"].reference_levels] == ["L2"]
    assert found["T12-L1.dural_sac_ap"].value == pytest.approx(SAC_MM, abs=0.5)  # from the endplate that is seen


def test_masks_that_are_missing_give_a_reason(fractured):
    phantom, segmentation = fractured
    no_sac = by_id(phantom.spine(sac_uid=None), [segmentation])
    assert "no series" in no_sac["L3.dural_sac_ap"].reason
    voxels = np.where(segmentation.voxels == 23, 0, segmentation.voxels)
    gone = by_id(phantom.spine(), [replace(segmentation, voxels=voxels)])
    assert gone["L3.anterior_height"].status is Status.NOT_ASSESSABLE
    nothing = measure(phantom.spine(), [], [])
    assert all(m.status is not Status.MEASURED and m.reason for m in nothing)


def test_missing_slice_of_the_image_is_left_out(fractured):
    phantom, segmentation = fractured
    k = segmentation.geometry.shape[0] // 2
    voxels = segmentation.voxels.copy()
    voxels[k] = 0
    voxels[k, :40] = segmentation.voxels[k, :40]
    image = phantom.image(segmentation.geometry, missing=(k,))
    found = by_id(phantom.spine(), [replace(segmentation, voxels=voxels)], [image])
    assert found["L1.height_loss_pct"].value == pytest.approx(35, abs=5)
    assert found["L3.dural_sac_ap"].value == pytest.approx(SAC_MM, abs=0.8)


def test_empty_spine():
    assert measure(lumbar().spine().model_copy(update={"vertebrae": ()}), [], []) == ()
