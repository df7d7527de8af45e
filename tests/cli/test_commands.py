"""What the commands print when all is well, and the key that the tokens are made with."""

from __future__ import annotations

import re
import stat

import pytest

import spinemri
from spinemri.cli import token_key
from spinemri.errors import InputError, OutputError
from spinemri.series import Contrast, contrast_named
from tests.cli.command import run
from tests.dicom.series_builder import SeriesWriter, sagittal_geometry, unlike_voxels

GRID = sagittal_geometry()
VOXELS = unlike_voxels(GRID)


def write(folder, number, preset, **header):
    uid = f"1.2.826.0.1.1.{number}"
    SeriesWriter(folder, number=number, series=uid, preset=preset, header=header).classic(GRID, VOXELS)


def test_version_and_help():
    assert run("--version").out.strip() == spinemri.__version__
    shown = run("--help").out
    assert all(command in shown for command in ("scan", "analyze", "phantom"))


def test_scan_shows_each_series_its_use_and_why_not(tmp_path):
    write(tmp_path / "a", 2, "T1w")
    write(tmp_path / "b", 3, "STIR")
    write(tmp_path / "c", 4, "T2w", ImageType=["DERIVED", "SECONDARY"])
    (tmp_path / "notes.txt").write_text("x")
    outcome = run("scan", tmp_path)
    assert (outcome.code, outcome.err) == (0, "")
    lines = [line.split() for line in outcome.out.splitlines() if line.strip()]
    rows = {line[0]: line for line in lines if line[0] in {"2", "3", "4"}}
    assert {number: row[1] for number, row in rows.items()} == {"2": "T1w", "3": "STIR", "4": "T2w"}
    assert [number for number, row in rows.items() if "yes" in row] == ["2", "3"]
    assert "  4: derived or secondary image" in outcome.out.splitlines()
    assert max(map(len, outcome.out.splitlines())) <= 80
    assert "2 of 3 series used" in outcome.out
    assert "1 of 16 files skipped (--skipped lists them)" in outcome.out
    assert "notes.txt: not DICOM" in run("scan", tmp_path, "--skipped").out


@pytest.mark.parametrize("text", ["t2W", "T2w", "T2W"])
def test_a_contrast_is_known_in_any_case(text):
    assert contrast_named(text) is Contrast.T2W
    assert contrast_named(None) is None


def test_the_key_is_made_once_for_its_owner_only(tmp_path):
    path, out = tmp_path / "new" / "key", tmp_path / "out"
    key = token_key.token_key(path, out)
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert token_key.token_key(path, out) == key
    assert token_key.token_key(None, out) == token_key.token_key(None, out) != key
    token_key._make(path)  # as a second process would, at the same moment
    assert path.read_bytes() == key


def test_a_key_that_is_too_short_or_lies_among_the_results_is_refused(tmp_path):
    short = tmp_path / "short"
    short.write_bytes(b"123")
    with pytest.raises(InputError, match=r"^token key short: 3 bytes, expected at least 16$"):
        token_key.token_key(short, tmp_path / "out")
    with pytest.raises(OutputError, match="must not lie in the output folder"):
        token_key.token_key(tmp_path / "out" / "x" / "key", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_without_a_place_for_the_key_the_run_goes_on_with_a_warning(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    keys = {token_key.token_key(None, tmp_path / "out") for _ in range(2)}
    assert len(keys) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("warning: the key of the tokens cannot be kept")
    assert str(tmp_path) not in shown


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"pain": "bad"}', r'clinical file said.json: pain: found "bad", expected mechanical or '),
        ('{"name": "MUSTERMANN"}', r"clinical file said.json: name: unknown key, expected one of indication, question"),
        ("{", r"clinical file said.json: no JSON"),
    ],
)
def test_a_clinical_file_that_is_wrong_stops_before_anything_is_read(tmp_path, text, told):
    said, out = tmp_path / "said.json", tmp_path / "out"
    said.write_text(text)
    outcome = run("analyze", tmp_path / "no-study", "-o", out, "--clinical", said)
    assert outcome.code == 2
    assert re.search(told, " ".join(outcome.err.split())), outcome.err
    assert "MUSTERMANN" not in outcome.err
    assert not out.exists()
