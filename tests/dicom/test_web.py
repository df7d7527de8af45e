"""A study goes into a PACS and comes out of it as it was, its MR series only."""

from __future__ import annotations

import json
from datetime import date

import pydicom
import pytest

from spinemri.dicom import web
from spinemri.dicom.server import Server
from spinemri.errors import InputError, ServerError
from tests.dicom.series_builder import SeriesWriter, sagittal_geometry, unlike_voxels
from tests.dicom.web_server import says, serving

GRID = sagittal_geometry()
STUDY = "1.2.826.0.1.77"


@pytest.fixture(scope="module")
def stored(pacs, tmp_path_factory):
    """Server, and the files of a study with two MR series and one that is none."""
    folder = tmp_path_factory.mktemp("study")
    for number, header in ((2, {}), (3, {}), (4, {"Modality": "OT"})):
        writer = SeriesWriter(
            folder / str(number), number=number, study=STUDY, series=f"{STUDY}.{number}", header=header
        )
        writer.classic(GRID, unlike_voxels(GRID))
    server = Server(pacs.url)
    web.store_files(server, sorted(path for path in folder.rglob("*") if path.is_file()))
    return server, folder


def datasets(folder):
    found = (pydicom.dcmread(path) for path in folder.rglob("*") if path.is_file())
    return {dataset.SOPInstanceUID: dataset for dataset in found}


def test_every_file_of_the_mr_series_comes_back_unchanged(stored, tmp_path):
    server, folder = stored
    seen = []
    web.fetch_study(server, STUDY, tmp_path, lambda *step: seen.append(step))
    sent = {**datasets(folder / "2"), **datasets(folder / "3")}
    assert datasets(tmp_path) == sent
    assert web.count_images(server, STUDY) == len(sent) == len(seen)
    assert seen[-1] == ("fetching", len(sent), len(sent))
    assert not [path for path in tmp_path.rglob("*") if STUDY in path.name]


def uids(server, since=None, until=None):
    return tuple(listed.uid for listed in web.find_studies(server, since, until))


def test_a_study_is_found_from_its_day_on_until_the_last_page(stored, monkeypatch):
    server, folder = stored
    day = date.fromisoformat(pydicom.dcmread(next((folder / "2").iterdir())).StudyDate)
    before, later = day.replace(year=1990), day.replace(year=2090)
    limits = ((None, None), (day, None), (None, day), (day, day), (before, later))
    assert [uids(server, *days) for days in limits] == [(STUDY,)] * 5
    assert [uids(server, *days) for days in ((later, None), (None, before), (before, before))] == [()] * 3
    monkeypatch.setattr(web, "_PAGE", 1)
    assert web.count_images(server, STUDY) == 2 * GRID.shape[0]


def test_a_study_that_is_not_there_is_said_so(stored, tmp_path):
    server, _ = stored
    with pytest.raises((InputError, ServerError), match=r"no MR series of this study|no such study") as refused:
        web.fetch_study(server, "1.2.3.4711", tmp_path)
    assert "4711" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="--study: expected a Study Instance UID") as refused:
        web.checked_uid("MUSTERMANN")
    assert "MUSTERMANN" not in str(refused.value)


def test_what_is_no_object_is_refused_by_name_and_the_others_are_stored(stored, tmp_path):
    server, folder = stored
    good, bad = tmp_path / "a.dcm", tmp_path / "b.dcm"
    dataset = pydicom.dcmread(next((folder / "2").iterdir()))
    dataset.StudyInstanceUID = dataset.SeriesInstanceUID = dataset.SOPInstanceUID = "1.2.826.0.1.78"
    dataset.Rows = dataset.Columns = 1200
    dataset.PixelData = bytes(2 * 1200 * 1200)  # larger than what is sent in one piece by itself
    dataset.save_as(good)
    del dataset.SOPInstanceUID
    dataset.save_as(bad)
    with pytest.raises(ServerError, match=r"^server \S+: refused 1 of 2 objects: b\.dcm \(.+\)$"):
        web.store_files(server, [bad, good])
    assert web.count_images(server, "1.2.826.0.1.78") == 1


def in_json(**values):
    return {tag.removeprefix("t"): {"Value": [value]} for tag, value in values.items()}


def once(entry):
    """Answers with the first page, and nothing after it."""

    def answer(handler):
        says(200, json.dumps([entry] if "offset=0" in handler.path else []).encode())(handler)

    return answer


@pytest.mark.parametrize(
    ("day", "modality", "is_believed"),
    [("20190102", "MR", False), ("20270102", "MR", False), ("20260102", "CT", False), ("20260102", "MR", True)],
)
def test_a_server_that_names_other_studies_than_it_was_asked_for_is_not_believed(day, modality, is_believed):
    entry = in_json(t0020000D="1.2.2026", t00080020=day, t00080061=modality, t00081030=" MRT  HWS ")
    with serving(once(entry)) as url:
        found = web.find_studies(Server(url), date(2026, 1, 1), date(2026, 12, 31))
    assert found == ((web.Listed("1.2.2026", day, "MRT HWS"),) if is_believed else ())


def test_what_a_server_does_not_tell_of_a_study_is_believed():
    with serving(once(in_json(t0020000D="1.2.2026"))) as url:
        assert web.find_studies(Server(url), date(2026, 1, 1)) == (web.Listed("1.2.2026"),)


@pytest.mark.parametrize(
    ("study", "count", "told"),
    [("1.2.999", 1, "sent a file of another study or series"), (STUDY, 2, "sent 1 of 2 files of a series")],
)
def test_files_of_somebody_else_and_files_that_are_missing_end_the_fetching(stored, tmp_path, study, count, told):
    path = next((stored[1] / "2").iterdir())
    part = b"--x\r\nContent-Type: application/dicom\r\n\r\n" + path.read_bytes() + b"\r\n--x--\r\n"
    series = once(in_json(t0020000E=f"{STUDY}.2", t00080060="MR", t00201209=count))

    def answer(handler):
        images = says(200, part, 'multipart/related; type="application/dicom"; boundary=x')
        (series if "?" in handler.path else images)(handler)

    with serving(answer) as url, pytest.raises(ServerError, match=told):
        web.fetch_study(Server(url), study, tmp_path)
