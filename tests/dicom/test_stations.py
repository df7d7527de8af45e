"""Stations of one spine are all read; the same part shown again is not."""

from __future__ import annotations

from typing import Any

import pytest

from spinemri.dicom.choose import choose
from spinemri.dicom.scan import scan
from spinemri.dicom.stations import stations
from spinemri.series import Contrast, Plane, Series, Study
from tests.dicom.series_builder import SeriesWriter, sagittal_geometry, unlike_voxels

CERVICAL, THORACIC, LUMBAR = (380.0, 620.0), (90.0, 430.0), (-200.0, 130.0)


def series(number: int, reach: tuple[float, float] | None, **facts: Any) -> Series:
    known = {"plane": Plane.SAGITTAL, "shape": (15, 384, 320), "spacing": (4.4, 0.7, 0.7), "contrast": Contrast.T2W}
    frame = {"frame_of_reference_uid": "1.2.9"}
    return Series(series_uid=f"1.{number}", number=number, reach_mm=reach, **{**known, **frame, **facts})


def chosen(*found: Series) -> tuple[set[str], dict[str, str]]:
    taken, refused = stations(found)
    return {s.label for s in taken}, {s.label: reason for s, reason in refused}


def test_three_stations_of_each_contrast_are_read():
    found = [series(n, reach) for n, reach in enumerate((CERVICAL, THORACIC, LUMBAR))]
    found += [series(n, reach, contrast=Contrast.T1W) for n, reach in enumerate((CERVICAL, THORACIC, LUMBAR), start=5)]
    used, refused = choose(Study(study_uid="1", series=tuple(found)))
    assert used == tuple(found)
    assert refused == ()


def test_a_repeat_of_one_station_is_resolved_to_the_better_one():
    used, refused = chosen(
        series(3, CERVICAL), series(4, THORACIC), series(5, LUMBAR, spacing=(4.4, 1.0, 1.0)), series(6, (-190.0, 140.0))
    )
    assert used == {"3", "4", "6"}
    assert refused == {"5": "series 6 shows the same contrast at better resolution"}


@pytest.mark.parametrize(("new", "taken"), [(59.0, False), (61.0, True)])
def test_sixty_millimetres_more_make_a_station(new: float, *, taken: bool):
    used, refused = chosen(series(3, LUMBAR), series(4, (LUMBAR[0], LUMBAR[1] + new), spacing=(5.0, 0.7, 0.7)))
    assert used == ({"3", "4"} if taken else {"3"})
    assert taken or refused == {"4": "series 3 shows the same contrast with thinner slices"}


def test_new_parts_at_both_ends_count_together_and_the_middle_does_not():
    assert chosen(series(3, (0.0, 200.0)), series(4, (-35.0, 235.0), spacing=(5.0, 0.7, 0.7)))[0] == {"3", "4"}
    assert chosen(series(3, (0.0, 200.0)), series(4, (180.0, 400.0)), series(5, (100.0, 300.0)))[0] == {"3", "4"}


def test_without_a_known_place_it_is_a_repeat():
    assert chosen(series(3, None), series(4, LUMBAR))[0] == {"3"}
    assert chosen(series(3, LUMBAR), series(4, None))[0] == {"3"}


def test_a_composed_series_stays_beside_its_stations_and_gives_way_to_a_whole_one():
    whole = (CERVICAL[1], LUMBAR[0])[::-1]
    composed = series(9, whole, composed=True)
    assert chosen(series(3, CERVICAL), series(4, LUMBAR), composed)[0] == {"3", "4", "9"}
    assert chosen(series(3, LUMBAR), composed)[0] == {"3", "9"}  # the rest of the spine is seen nowhere else
    used, refused = chosen(series(3, whole), composed, series(10, whole, composed=True))
    assert used == {"3"}
    assert refused["9"] == "series 3 shows the same contrast not composed from stations"
    assert chosen(series(3, CERVICAL), series(4, LUMBAR), composed, series(10, whole, composed=True))[0] == {
        "3", "4", "9",
    }  # fmt: skip


def test_in_another_frame_of_reference_only_another_named_region_is_a_station():
    apart = {"frame_of_reference_uid": "1.2.8"}
    used, refused = chosen(series(3, LUMBAR), series(4, CERVICAL, **apart))
    assert used == {"3"}
    assert "another frame of reference" in refused["4"]
    assert "cannot be told" in refused["4"]
    assert chosen(series(3, LUMBAR, region="lumbar"), series(4, CERVICAL, region="cervical", **apart))[0] == {"3", "4"}
    assert chosen(series(3, LUMBAR, region="lumbar"), series(4, LUMBAR, region="lumbosacral", **apart))[0] == {"3"}


def test_the_place_comes_from_the_header(tmp_path):
    grid = sagittal_geometry()
    SeriesWriter(tmp_path).classic(grid, unlike_voxels(grid))
    (found,) = scan(tmp_path).studies[0].series
    axis = grid.axis_along(2)
    ends = [[(n - 1) / 2 for n in grid.shape] for _ in range(2)]
    ends[0][axis], ends[1][axis] = -0.5, grid.shape[axis] - 0.5
    assert found.reach_mm == pytest.approx(sorted(grid.to_patient(ends)[:, 2]), abs=0.01)
