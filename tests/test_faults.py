"""What fails inside costs one part and is told; what a user must mend, and a part called on its own, raises as ever."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import zipfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from spinemri.assess import case as assess_case
from spinemri.dicom.write import StudyHeader, write_series
from spinemri.errors import GeometryError, InputError, LevelError, ModelError
from spinemri.faults import attempt, cause_of, collecting, trace_of
from spinemri.measure import study as measure_study
from spinemri.networks import Networks
from spinemri.pipeline import analyze
from spinemri.report import write as writing
from spinemri.report.narrative import narrate
from spinemri.series import Contrast
from tests.batch.small_study import OPTIONS, study_image, true_networks, write_study
from tests.cli.command import run

if TYPE_CHECKING:
    from tests.synthetic_study import TruePredictor

NAME = "MUSTERMANN"


def broken(*_: object, **__: object) -> object:
    raise KeyError(NAME)


@pytest.mark.faulty
def test_a_fault_is_collected_logged_and_names_no_value(caplog):
    with collecting() as found:
        assert attempt("discs", (), broken) == ()
    (fault,) = found
    assert fault.part == "discs"
    assert fault.cause.startswith("unexpected KeyError in test_faults.py, line ")
    assert caplog.records[0].levelno == logging.ERROR
    for told in (fault.cause, fault.told, *fault.trace, caplog.text):
        assert NAME not in told


def test_a_part_that_is_called_on_its_own_raises():
    with pytest.raises(KeyError):
        attempt("discs", (), broken)


@pytest.mark.parametrize("error", [InputError, LevelError, ModelError, MemoryError, OSError])
def test_what_a_user_or_the_machine_must_mend_passes_through(error):
    def raising() -> None:
        raise error("no")

    with collecting() as found, pytest.raises(error):
        attempt("discs", None, raising)
    assert not found


@pytest.mark.faulty
def test_a_grid_that_is_impossible_costs_one_part():
    def raising() -> None:
        raise GeometryError("no grid")

    with collecting() as found:
        attempt("discs", None, raising)
    assert found[0].cause == "no grid"


def test_a_trace_holds_places_and_types_but_no_path_and_no_value():
    try:
        try:
            broken()
        except KeyError as error:
            raise RuntimeError(NAME) from error
    except RuntimeError as error:
        trace = trace_of(error)
    assert trace[-1] == "RuntimeError"
    assert "KeyError" in trace
    assert not any(NAME in line or line.startswith("/") for line in trace)
    assert cause_of(OSError(2, "No such file or directory", f"/home/{NAME}")) == (
        "a file cannot be read or written (No such file or directory)"
    )


@dataclass(frozen=True, eq=False)
class FailingOnce:
    """A network that fails over one series, by its label."""

    truth: TruePredictor
    label: str

    model = property(lambda self: self.truth.model)
    device = "cpu"
    levels = outlines = None
    together = 1

    def predict(self, image):
        if image.series.label == self.label:
            raise ZeroDivisionError
        return self.truth.predict(image)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    write_study(folder, 1)
    return folder


@pytest.mark.faulty
def test_a_series_in_which_the_network_fails_is_left_out_and_told(tmp_path):
    for number, contrast in ((1, Contrast.T1W), (2, Contrast.T2W)):
        image = study_image(number)
        own = {"study_uid": "2.25.9", "series_uid": f"2.25.9.{number}", "number": number, "contrast": contrast}
        times = {"repetition_time_ms": 500.0, "echo_time_ms": 10.0} if number == 1 else {}
        series = image.series.model_copy(update={**own, **times})
        write_series(replace(image, series=series), tmp_path / str(number), StudyHeader("P"))
    analysis = analyze(tmp_path, Networks(FailingOnce(true_networks().anatomy, "1"), None), OPTIONS).analysis
    assert [fault.part for fault in analysis.failures] == ["anatomy of series 1"]
    assert "series 1: not segmented: the program failed in it" in analysis.warnings
    assert {m.series_uid for m in analysis.measurements if m.value is not None} == {
        record.series.series_uid for record in analysis.series if record.series.number == 2
    }


@pytest.mark.faulty
def test_a_study_of_one_series_in_which_the_network_fails_is_refused(study):
    label = analyze(study, true_networks(), OPTIONS).analysis.series[0].series.label
    with pytest.raises(InputError, match="no spine found"):
        analyze(study, Networks(FailingOnce(true_networks().anatomy, label), None), OPTIONS)


@pytest.mark.faulty
def test_measurements_of_one_kind_fail_and_the_others_stay(study, monkeypatch):
    whole = analyze(study, true_networks(), OPTIONS).analysis
    monkeypatch.setattr(measure_study, "disc_signals", broken)
    analysis = analyze(study, true_networks(), OPTIONS).analysis
    assert [fault.part for fault in analysis.failures] == ["disc signals"]
    gone = {m.name for m in whole.measurements} - {m.name for m in analysis.measurements}
    assert gone
    assert all("disc_signal" in name for name in gone)
    said = narrate(analysis).urgent.sentences[0].text
    assert said.startswith("Not assessable: disc signals, because the program failed in it (unexpected KeyError in ")


@pytest.mark.faulty
def test_urgent_flags_that_fail_are_never_silence(study, monkeypatch):
    rules = [(part, broken if part == "flags" else rule) for part, rule in assess_case._ONCOLOGIC]
    monkeypatch.setattr(assess_case, "_ONCOLOGIC", tuple(rules))
    analysis = analyze(study, true_networks(), OPTIONS).analysis
    assert [fault.part for fault in analysis.failures] == ["urgent flags"]
    assert "urgent flags" in narrate(analysis).urgent.sentences[0].text
    assert any(finding.kind == "lesion_count" for finding in analysis.findings)


@pytest.mark.faulty
def test_a_format_that_fails_leaves_nothing_of_itself_and_the_others_whole(study, tmp_path, monkeypatch):
    def half(case, folder):
        (folder / "report.txt").write_text("half")
        broken()

    monkeypatch.setitem(writing.WRITERS, "txt", half)
    case = analyze(study, true_networks(), OPTIONS)
    out = writing.write(case, tmp_path / "out", formats=("txt", "csv"))
    assert sorted(path.name for path in out.iterdir()) == ["measurements.csv", "report.json"]
    failures = json.loads((out / "report.json").read_text())["failures"]
    assert [failure["part"] for failure in failures] == ["format txt"]


def test_an_analysis_without_fault_lists_none(study):
    assert analyze(study, true_networks(), OPTIONS).analysis.failures == ()


def test_debug_writes_a_zip_also_when_the_study_is_refused(tmp_path):
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / f"{NAME}.txt").write_text(NAME)
    outcome = run("analyze", tmp_path / NAME, "-o", tmp_path / "out", "--debug", tmp_path / "bug.zip")
    assert outcome.code == 2
    with zipfile.ZipFile(tmp_path / "bug.zip") as packed:
        content = {name: packed.read(name).decode() for name in packed.namelist()}
    assert set(content) == {"about.json", "series.json", "failures.json", "events.json", "seconds.json"}
    about = json.loads(content["about.json"])
    assert about["ended"] == "refused"
    assert about["error"] == "InputError"
    assert about["libraries"]["pydicom"]
    assert any(line.startswith("spinemri/dicom/") for line in about["trace"])
    assert not any(str(tmp_path) in text for text in content.values())


def test_an_error_that_nobody_catches_is_one_line_without_values_or_paths():
    code = f"import sys; from spinemri import cli; cli.app.command('fail')(lambda: {{}}[{NAME!r}]); cli.main()"
    done = subprocess.run([sys.executable, "-c", code, "fail"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: unexpected KeyError in <string>, line 1; please report this")
    assert done.stderr.count("\n") == 1
    assert NAME not in done.stdout + done.stderr
