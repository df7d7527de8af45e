"""A spine in several stations is one spine: each vertebra once, measured in the station that shows it best."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pydicom
import pytest

from spinemri.dicom.write import StudyHeader, write_series
from spinemri.errors import InputError
from spinemri.measurement import Status
from spinemri.networks import Networks
from spinemri.pipeline import Options, analyze, read_study
from spinemri.report.html_page import to_html
from spinemri.report.text import to_text
from tests.whole_spine import WholeSpine, whole_spine

KEY = Options(token_key=b"0123456789abcdef")
HEADER = StudyHeader("PID4711")
LEVELS = (
    *(f"C{n}" for n in range(2, 8)),
    *(f"T{n}" for n in range(1, 13)),
    *(f"L{n}" for n in range(1, 6)),
    "S1",
)


@pytest.fixture(scope="module")
def person() -> WholeSpine:
    return whole_spine()


def written(images, root):
    """The images as DICOM series of one study."""
    for image in images:
        write_series(image, root / image.series.label, HEADER)
    return root


@pytest.fixture(scope="module")
def case(person, tmp_path_factory):
    folder = written(person.stations(), tmp_path_factory.mktemp("stations"))
    return analyze(folder, Networks(person.predictor), KEY)


def test_three_stations_give_each_vertebra_once_at_its_place(person, case):
    spine = case.analysis.spine
    assert tuple(v.level.name for v in spine.vertebrae) == LEVELS
    used = {s.series_uid: s.label for s in case.analysis.used_series()}
    measured = [used[v.series_uid] for v in spine.vertebrae]
    assert measured == sorted(measured)
    assert set(measured) == {"3", "4", "5"}
    assert not any(v.cut for v in spine.vertebrae)
    for vertebra in spine.vertebrae[1:]:  # the centroid of C2's mask counts the dens
        assert vertebra.centre == pytest.approx(person.centre_of(vertebra.level.name), abs=3.0)


def test_the_overlap_says_which_station_gives_way_and_why(case):
    shared = [v for v in case.analysis.spine.vertebrae if len(v.seen_in) == 2]
    assert 4 <= len(shared) <= 8
    assert all(len(v.others) == 1 and v.others[0].reason for v in shared)
    reasons = " ".join(v.others[0].reason for v in shared)
    assert "the field of view cuts it" in reasons
    assert "nearer to the edge of the field of view" in reasons


def test_heights_and_sac_are_measured_over_the_whole_spine(person, case):
    found = {m.id: m for m in case.analysis.measurements}
    assert len(found) == len(case.analysis.measurements)
    heights = {n: found[f"{n}.posterior_height"].value for n in LEVELS[1:-1]}
    errors = [heights[n] - person.height_of(n) for n in heights]
    assert max(map(abs, errors)) < 1.6  # pixels are 1 mm
    sac = [m for m in found.values() if m.name == "dural_sac_ap" and m.level.region != "S"]
    assert all(m.status is Status.MEASURED for m in sac)
    assert len({m.series_uid for m in sac}) == 3
    losses = [found[f"{n}.height_loss_pct"].value for n in LEVELS[1:-1]]
    assert max(losses) < 20  # a healthy subject; C7's and L5's neighbours differ in height


def test_the_reports_say_which_series_measured_each_vertebra(case):
    record = {r.series.label: r.reason for r in case.analysis.series}
    assert record["3"].startswith("station: bodies of C2 to ")
    assert record["5"].endswith(" to S1")
    text, page = to_text(case.analysis), to_html(case)
    assert "Series 4, station: bodies of T" in text
    assert "not series 4: the field of view cuts it" in page


def test_stations_that_lie_still_are_aligned_with_each_other(case):
    pairs = {(a.fixed_series_uid, a.moving_series_uid) for a in case.analysis.alignments}
    assert len(pairs) == 2
    whole = [a for a in case.analysis.alignments if a.residual_mm is not None]
    assert whole
    assert all(a.status == "aligned" for a in whole)


def test_a_composed_series_numbers_the_spine_and_is_not_measured_beside_its_stations(person, tmp_path):
    stations = person.stations()
    folder = written(stations, tmp_path)
    compose(person, tmp_path / "8", 0.12)
    loaded = read_study(folder, KEY)
    assert [i.series.label for i in loaded.images] == ["3", "4", "5", "8"]
    (seam,) = loaded.images[-1].seams
    assert seam == pytest.approx(person.row_of("T7") - 0.5, abs=1)
    case = analyze(folder, Networks(person.predictor), KEY)
    assert tuple(v.level.name for v in case.analysis.spine.vertebrae) == LEVELS
    labels = {s.series_uid: s.label for s in case.analysis.used_series()}
    assert {labels[v.series_uid] for v in case.analysis.spine.vertebrae} == {"3", "4", "5"}
    assert {labels[a.moving_series_uid] for a in case.analysis.alignments} == {"4", "5"}
    (record,) = [r for r in case.analysis.series if r.series.label == "8"]
    assert record.reason == "composed from stations: numbering and overview only"


def compose(person, folder, step):
    """The whole spine as one composed series, joined at the middle of T7."""
    for path in write_series(person.composed("T7", step), folder, HEADER):
        dataset = pydicom.dcmread(path)
        dataset.ImageType = ["DERIVED", "SECONDARY", "COMPOSED"]
        dataset.save_as(path)


def test_alone_a_composed_series_is_measured_away_from_its_seam(person, tmp_path):
    compose(person, tmp_path, 0.12)
    case = analyze(tmp_path, Networks(person.predictor), KEY)
    found = {m.id: m for m in case.analysis.measurements}
    joined, away = (nearest(case, person.centre_of(level)) for level in ("T7", "L3"))
    for name in ("posterior_height", "height_loss_pct", "dural_sac_ap"):
        assert found[f"{joined}.{name}"].status is Status.EXCLUDED
        assert "seam" in found[f"{joined}.{name}"].reason
    assert found[f"{away}.posterior_height"].value == pytest.approx(person.height_of("L3"), abs=1.6)
    assert "composed_series" in found[f"{away}.posterior_height"].flags


def nearest(case, point):
    """Level of the vertebra whose centre is nearest to a point."""
    return min(case.analysis.spine.vertebrae, key=lambda v: np.linalg.norm(np.subtract(v.centre, point))).level


def test_stations_in_other_frames_of_reference_are_never_joined_silently(person, tmp_path):
    apart = [
        replace(
            station,
            geometry=replace(station.geometry, frame_of_reference_uid=f"2.25.77.{n}"),
            series=station.series.model_copy(update={"frame_of_reference_uid": f"2.25.77.{n}"}),
        )
        for n, station in enumerate(person.stations())
    ]
    loaded = read_study(written(apart, tmp_path / "unnamed"), KEY)
    assert len(loaded.images) == 1
    assert len(loaded.refused) == 2
    assert all("another frame of reference" in reason for _, reason in loaded.refused)
    named = [
        replace(i, series=i.series.model_copy(update={"region": region}))
        for i, region in zip(apart, ("CSPINE", "TSPINE", "LSPINE"), strict=True)
    ]
    case = analyze(written(named, tmp_path / "named"), Networks(person.predictor), KEY)
    assert len(case.analysis.used_series()) == 3
    assert any("different frames of reference" in w for w in case.analysis.warnings)
    levels = {v.level.name: v.series_uid for v in case.analysis.spine.vertebrae}
    assert {"C5", "L3"} <= set(levels)
    assert not case.analysis.alignments or all("mismatch" in a.reason for a in case.analysis.alignments)


def test_the_users_word_counts_from_the_bottom_of_the_lowest_station(person, tmp_path):
    folder = written(person.stations(), tmp_path)
    case = analyze(folder, Networks(person.predictor), Options(token_key=b"k" * 16, anchor="S1=1"))
    assert tuple(v.level.name for v in case.analysis.spine.vertebrae) == LEVELS


def test_two_blocks_in_one_dicom_series_are_two_stations(person, tmp_path):
    upper, _, lower = person.stations()
    for image in (upper, lower):
        for path in write_series(image, tmp_path / image.series.label, HEADER):
            dataset = pydicom.dcmread(path)
            dataset.SeriesInstanceUID, dataset.SeriesNumber = "2.25.4242.1", 1
            dataset.AcquisitionNumber = int(image.series.label)
            dataset.save_as(path)
    images = read_study(tmp_path, KEY).images
    uids = {image.series.series_uid for image in images}
    assert [image.series.label for image in images] == ["1", "1-1"]
    assert len(uids) == 2


def test_nothing_to_see_is_still_no_spine(person, tmp_path):
    blind = replace(person.predictor, classes=person.predictor.classes * 0)
    with pytest.raises(InputError, match=r"^no spine found"):
        analyze(written(person.stations()[:1], tmp_path), Networks(blind), KEY)
