"""Each vertebra exists once, whatever series show it, and is measured where it is whole and best seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.image import Image
from spinemri.merge import merge, parts
from spinemri.merge.choice import best_view
from spinemri.merge.seen import Seen
from spinemri.segmentation import Segmentation, label_value
from spinemri.series import Contrast, Series
from spinemri.spine import LevelAssignment, LevelBasis
from tests.columns import LUMBAR, SAC, TrueColumn

COLUMN = TrueColumn(LUMBAR)


def shown(number, contrast=Contrast.T1W, **how):
    """One series that shows levels ``seen`` under ``names``, with masks taken from the true column."""
    seen = how.get("seen", LUMBAR)
    names = how.get("names", seen)
    grid = COLUMN.grid(spacing=(5.0, 2.0, 1.8), turn_deg=how.get("turn", (6.0, 9.0, 5.0)))
    grid = type(grid)(grid.shape, grid.spacing, grid.origin, grid.direction, how.get("frame", "1.2.840.1"))
    classes, owner = COLUMN.on(grid)
    voxels, structures = np.zeros(grid.shape, np.uint8), {}
    for true, name in zip(seen, names, strict=True):
        body = Structure(StructureKind.VERTEBRAL_BODY, Level(name))
        mask = owner == LUMBAR.index(true) + 1
        if true in how.get("thin", ()):
            mask &= np.indices(grid.shape)[0] % 3 == 0
        voxels[mask] = label_value(body)
        structures[label_value(body)] = body
    if how.get("sac", True):
        sac = Structure(StructureKind.THECAL_SAC)
        voxels[classes == SAC] = label_value(sac)
        structures[label_value(sac)] = sac
    for name, below in how.get("field_ends", {}).items():
        row = round(float(grid.to_index(COLUMN.centre(name))[1]))
        voxels[:, row:] = np.where(below, voxels[:, row:], 0)
        voxels[:, :row] = np.where(below, 0, voxels[:, :row])
    cut = frozenset(Structure(StructureKind.VERTEBRAL_BODY, Level(n)) for n in how.get("cut", ()))
    uid = f"1.2.{number}"
    facts = Series(series_uid=uid, number=number, contrast=contrast, composed=how.get("composed", False))
    seams = tuple(float(grid.to_index(COLUMN.centre(name))[1]) for name in how.get("seams", ()))
    image = Image(np.zeros(grid.shape, np.int8), grid, facts, seams=seams)
    assigned = tuple(
        LevelAssignment(level=Level(n), basis=LevelBasis.FROM_SACRUM, confidence=how.get("confidence", 0.8))
        for n in names
    )
    return image, Segmentation(voxels, grid, structures, uid, "truth", cut), assigned


def spine_of(*series):
    images, segmentations, assignments = zip(*series, strict=True)
    return merge(images, segmentations, assignments)


def levels(spine):
    return tuple(v.level.name for v in spine.vertebrae)


def test_two_series_of_one_spine_give_each_vertebra_once():
    spine = spine_of(shown(3, Contrast.STIR, turn=(2.0, -5.0, 3.0)), shown(2, Contrast.T1W))
    assert levels(spine) == LUMBAR
    assert {v.series_uid for v in spine.vertebrae} == {"1.2.2"}
    assert {v.seen_in for v in spine.vertebrae} == {("1.2.3", "1.2.2")}
    assert spine.warnings == ()
    for n, vertebra in enumerate(spine.vertebrae):
        middle = COLUMN.nodes[np.argmin(np.abs(COLUMN.s - np.mean(COLUMN.spans[n])))]
        assert np.linalg.norm(middle - vertebra.centre) < 2.0


@pytest.mark.parametrize(
    ("contrasts", "body", "sac"),
    [
        ((Contrast.T1W, Contrast.T2W, Contrast.STIR), 0, 1),
        ((Contrast.STIR, Contrast.T2W), 1, 1),
        ((Contrast.STIR, Contrast.T1W), 1, 0),
        ((Contrast.OTHER, Contrast.T2W_FS, Contrast.T1W), 2, 1),
        ((Contrast.DIXON_IN,), 0, 0),
    ],
)
def test_t1w_is_best_for_bone_and_t2w_for_the_sac(contrasts, body, sac):
    spine = spine_of(*(shown(n, c) for n, c in enumerate(contrasts)))
    assert {v.series_uid for v in spine.vertebrae} == {f"1.2.{body}"}
    assert spine.sac_series_uid == f"1.2.{sac}"


def test_a_cut_or_poorly_seen_body_is_measured_in_the_other_series():
    spine = spine_of(shown(1, Contrast.T1W, cut=("T11",), thin=("L3",)), shown(2, Contrast.STIR))
    source = {v.level.name: v.series_uid for v in spine.vertebrae}
    assert source["T11"] == "1.2.2"
    assert source["L3"] == "1.2.2"
    assert source["L4"] == "1.2.1"
    assert not any(v.cut for v in spine.vertebrae)


@pytest.mark.parametrize("stir", [3148.0, 9000.0])
def test_a_body_drawn_too_large_in_one_series_does_not_rule_out_the_others(stir):
    """A neck: STIR draws the body too large; T1w of its station shows it well, that of the next near its end."""
    images = [shown(n, contrast)[0] for n, contrast in enumerate((Contrast.T1W, Contrast.STIR, Contrast.T1W))]
    assigned = LevelAssignment(level=Level("C5"), basis=LevelBasis.FROM_C2, confidence=0.8)
    bodies = [
        Seen(number, assigned, (0.0, 0.0, 0.0), 14.0, volume, edge, cut=False, near_seam=False)
        for number, volume, edge in ((0, 1816.0, 77.6), (1, stir, 77.6), (2, 2081.0, 4.0))
    ]
    assert best_view(bodies, images)[0].series == 0


def test_a_body_that_every_series_cuts_stays_cut():
    spine = spine_of(shown(1, cut=("S1",)), shown(2, Contrast.T2W, cut=("S1",)))
    assert [v.level.name for v in spine.vertebrae if v.cut] == ["S1"]


def test_stations_are_joined_where_they_overlap():
    spine = spine_of(shown(1, seen=LUMBAR[:5]), shown(2, seen=LUMBAR[3:]))
    assert levels(spine) == LUMBAR
    assert {v.level.name for v in spine.vertebrae if len(v.seen_in) == 2} == {"L2", "L3"}


def test_at_an_overlap_the_whole_body_is_measured_and_the_other_view_says_why_not():
    """The upper station's field ends within L2, the lower one's begins within L1."""
    upper = shown(3, seen=LUMBAR[:5], field_ends={"L2": False}, cut=("L2",))
    lower = shown(4, seen=LUMBAR[2:], field_ends={"L1": True}, cut=("L1",))
    spine = spine_of(lower, upper)
    assert levels(spine) == LUMBAR
    source = {v.level.name: v.series_uid for v in spine.vertebrae}
    assert [source[name] for name in ("T12", "L1", "L2", "L3")] == ["1.2.3", "1.2.3", "1.2.4", "1.2.4"]
    assert not any(v.cut for v in spine.vertebrae)
    told = {v.level.name: [(o.series_uid, o.reason) for o in v.others] for v in spine.vertebrae}
    assert told["L1"] == [("1.2.4", "the field of view cuts it")]
    assert told["L2"] == [("1.2.3", "the field of view cuts it")]
    assert told["T12"] == told["L3"] == []


def test_of_two_whole_views_the_one_farther_from_the_edge_is_measured():
    far, near = shown(3), shown(4, turn=(6.0, 9.0, 5.0))
    image, segmentation, named = near
    first = round(float(image.geometry.to_index(COLUMN.centre("L2"))[1])) - 10
    grid = replace(
        image.geometry,
        shape=(image.geometry.shape[0], image.geometry.shape[1] - first, image.geometry.shape[2]),
        origin=tuple(image.geometry.to_patient((0, first, 0)).tolist()),
    )
    voxels = segmentation.voxels[:, first:]
    near = (
        replace(image, voxels=image.voxels[:, first:], geometry=grid),
        replace(segmentation, voxels=voxels, geometry=grid),
        named,
    )
    vertebra = spine_of(near, far).vertebra(Level("L2"))
    assert vertebra.series_uid == "1.2.3"
    assert "nearer to the edge of the field of view" in vertebra.others[0].reason
    assert vertebra.sac_series_uid == "1.2.3"


def test_the_sac_is_measured_where_a_station_shows_it():
    upper = shown(3, Contrast.T2W, field_ends={"L2": False}, cut=("L2",))
    lower = shown(4, Contrast.T2W, field_ends={"L2": True}, cut=("L2",))
    spine = spine_of(upper, lower, shown(5, Contrast.T1W))
    assert {v.series_uid for v in spine.vertebrae} == {"1.2.5"}
    sacs = [v.sac_series_uid for v in spine.vertebrae]
    assert (sacs[:3], sacs[4:7]) == (["1.2.3"] * 3, ["1.2.4"] * 3)
    assert spine.sac_series(Level("L1"), Level("L3")) == ("1.2.3", "1.2.4")


def test_a_composed_series_is_measured_only_where_no_other_shows_the_body_and_never_near_its_seam():
    station, composed = shown(3, seen=LUMBAR[4:]), shown(9, composed=True, seams=("L1", "L4"))
    spine = spine_of(composed, station)
    source = {v.level.name: v.series_uid for v in spine.vertebrae}
    assert [source[name] for name in LUMBAR] == ["1.2.9"] * 4 + ["1.2.3"] * 4
    assert {"L1"} <= {v.level.name for v in spine.vertebrae if v.excluded} <= {"T12", "L1", "L2"}
    assert spine.vertebra(Level("L1")).excluded == "within 20 mm of a seam of the composed series 9"
    reasons = {v.level.name: v.others[0].reason for v in spine.vertebrae if v.others}
    assert set(reasons) == {"L3", "L4", "L5", "S1"}
    assert (reasons["L4"], reasons["S1"]) == ("within 20 mm of a seam", "composed from stations")
    images = [composed[0], station[0]]
    assert parts(spine, images)[0].startswith("composed from stations: bodies of T11")
    assert parts(spine, images[1:]) == ("",)


def test_one_vertebra_under_two_names_takes_the_surer_one_and_says_so():
    wrong = ("T12", "L1", "L2", "L3", "L4", "L5", "L6", "S1")
    spine = spine_of(shown(1, names=wrong, confidence=0.4), shown(2, Contrast.STIR, confidence=0.9))
    assert levels(spine) == LUMBAR
    assert any("different names" in w and "L5" in w for w in spine.warnings)


def test_other_frames_of_reference_are_matched_by_name_with_a_warning():
    spine = spine_of(shown(1), shown(2, Contrast.STIR, frame="9.9", seen=LUMBAR[2:]))
    assert levels(spine) == LUMBAR
    assert spine.vertebra(Level("L3")).seen_in == ("1.2.1", "1.2.2")
    assert any("frames of reference" in w for w in spine.warnings)


def test_relative_names_give_way_to_true_ones():
    relative = tuple(f"V{n}" for n in range(1, 9))
    spine = spine_of(shown(1, names=relative, confidence=0.0), shown(2, Contrast.STIR))
    assert levels(spine) == LUMBAR
    assert levels(spine_of(shown(1, names=relative, confidence=0.0))) == relative


def test_no_series_no_vertebrae_no_sac():
    assert merge((), (), ()).vertebrae == ()
    assert spine_of(shown(1, sac=False)).sac_series_uid is None
