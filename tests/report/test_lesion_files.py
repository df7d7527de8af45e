from __future__ import annotations

import csv
import gzip
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from spinemri.errors import OutputError
from spinemri.lesion import MarrowChange
from spinemri.read import read_volume
from spinemri.report.csv_files import LESION_COLUMNS, lesions_csv
from spinemri.report.masks import write_masks
from spinemri.report.write import is_result, write
from tests.report import cases

OURS = {"lesions.json", "lesions.csv", "lesions_3.nii.gz", "lesions_4.nii.gz"}


def names(folder):
    return {entry.name for entry in folder.iterdir()}


def rows(analysis):
    return list(csv.DictReader(io.StringIO(lesions_csv(analysis))))


def screened(case, lesion_case):
    """Somebody looked, and nothing was found."""
    return replace(case, analysis=case.analysis.model_copy(update={"marrow": lesion_case.analysis.marrow}))


def test_lesions_add_their_files_and_the_folder_stays_a_result(case, lesion_case, lesion_result, result, tmp_path):
    assert names(lesion_result) - names(result) == OURS
    assert not names(result) & OURS
    out = write(lesion_case, tmp_path / "out")
    assert is_result(out)
    assert not names(write(case, out, overwrite=True)) & OURS


def test_each_lesion_is_listed_with_file_label_levels_kinds_and_probability(lesion_result):
    table = json.loads((lesion_result / "lesions.json").read_text(encoding="utf-8"))
    assert [file["file"] for file in table["files"]] == ["lesions_3.nii.gz", "lesions_4.nii.gz"]
    assert table["files"][0]["made_by"] == "marrow_lesion 0.1"
    first, second = table["lesions"]
    assert first == {
        "id": "lesion-1", "label": 1, "file": "lesions_3.nii.gz", "levels": ["L2"], "probability": 0.93,
        "kinds": {"tumour-like": 0.71, "atypical haemangioma": 0.18, "red-marrow island": 0.06, "Modic 1": 0.05},
    }  # fmt: skip
    assert (second["file"], second["label"]) == ("lesions_4.nii.gz", 2)


@pytest.mark.parametrize("spot", cases.spots(), ids=lambda spot: spot.id)
def test_the_outline_lies_where_the_lesion_is(lesion_result, spot):
    name = {"tok-t1": "lesions_3.nii.gz", "tok-stir": "lesions_4.nii.gz"}[spot.series_uid]
    read = read_volume(lesion_result / name)
    assert set(np.unique(read.voxels).tolist()) == {0, spot.label}
    there = read.geometry.to_patient(np.argwhere(read.voxels == spot.label).mean(axis=0))
    assert np.abs(there - spot.centre).max() < 1.0
    volume = (read.voxels == spot.label).sum() * np.prod(read.geometry.spacing)
    assert volume == pytest.approx(4 / 3 * np.pi * np.prod(spot.half), rel=0.15)


def test_masks_of_series_with_the_same_number_do_not_overwrite_each_other(lesion_case, tmp_path):
    records = tuple(
        r.model_copy(update={"series": r.series.model_copy(update={"number": None})})
        for r in lesion_case.analysis.series
    )
    write_masks(replace(lesion_case, analysis=lesion_case.analysis.model_copy(update={"series": records})), tmp_path)
    table = json.loads((tmp_path / "lesions.json").read_text(encoding="utf-8"))
    assert [lesion["file"] for lesion in table["lesions"]] == ["lesions_0.nii.gz", "lesions_0_2.nii.gz"]


def test_a_lesion_without_an_outline_is_listed_without_a_file(lesion_case, tmp_path):
    write_masks(replace(lesion_case, lesion_masks=lesion_case.lesion_masks[:1]), tmp_path)
    table = json.loads((tmp_path / "lesions.json").read_text(encoding="utf-8"))
    assert [lesion["file"] for lesion in table["lesions"]] == ["lesions_3.nii.gz", None]


def test_a_mask_of_no_known_series_is_refused(lesion_case, tmp_path):
    strange = replace(lesion_case.lesion_masks[0], series_uid="1.2.3.4")
    with pytest.raises(OutputError, match="no used series") as refused:
        write_masks(replace(lesion_case, lesion_masks=(strange,)), tmp_path)
    assert "1.2.3.4" not in str(refused.value)


def test_marrow_that_was_looked_at_without_a_find_leaves_empty_tables(case, lesion_case, tmp_path):
    out = write(screened(case, lesion_case), tmp_path / "out")
    assert names(out) & OURS == {"lesions.json", "lesions.csv"}
    assert json.loads((out / "lesions.json").read_text(encoding="utf-8"))["lesions"] == []
    assert (out / "lesions.csv").read_text(encoding="utf-8").splitlines() == [",".join(LESION_COLUMNS)]


def test_the_wide_table_holds_a_row_per_lesion_with_all_it_measured(lesion_case, lesion_result):
    first, second = rows(lesion_case.analysis)
    assert tuple(first) == LESION_COLUMNS
    place = ("id", "label", "series", "level", "side")
    assert [first[name] for name in place] == ["lesion-1", "1", "3", "L2", "left"]
    assert (first["seen_in"], first["probability"], first["first_kind"]) == ("T1w;STIR", "0.93", "tumour-like")
    assert [float(first[f"{axis}_mm"]) for axis in "xyz"] == pytest.approx(cases.spots()[0].centre, abs=0.006)
    assert sum(float(first[f"share {kind.value}"]) for kind in MarrowChange) == pytest.approx(1.0)
    for lesion, row in (("lesion-1", first), ("lesion-2", second)):
        for name, value in cases.LESION_VALUES[lesion].items():
            column = next(column for column in row if column.startswith(f"{name} ["))
            assert float(row[column]) == pytest.approx(value)
    assert first["lesion_adc [mm2/s]"] == ""
    assert "lesion_adc: no ADC map shows it" in first["missing"].split(";")
    assert first["flags"] == "lesion_epidural_volume=side:left"
    assert (lesion_result / "lesions.csv").read_text(encoding="utf-8") == lesions_csv(lesion_case.analysis)


def test_a_diffusion_coefficient_keeps_its_figures(lesion_case):
    measurements = tuple(
        m.model_copy(update={"value": 0.000953, "reason": ""}) if m.id == "lesion-1.lesion_adc" else m
        for m in lesion_case.analysis.measurements
    )
    analysis = lesion_case.analysis.model_copy(update={"measurements": measurements})
    assert rows(analysis)[0]["lesion_adc [mm2/s]"] == "0.000953"


def test_the_long_table_holds_the_lesions_too(lesion_case, lesion_result):
    text = (lesion_result / "measurements.csv").read_text(encoding="utf-8")
    lines = {line["id"]: line for line in csv.DictReader(io.StringIO(text))}
    assert set(lines) == {m.id for m in lesion_case.analysis.measurements}
    line = lines["lesion-1.lesion_diameter"]
    assert (line["level"], line["value"], line["unit"], line["series"]) == ("L2", "22", "mm", "3")


def test_lesion_files_hold_no_identifier(lesion_result):
    for path in lesion_result.iterdir():
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
        assert b"1.2.840.99.77" not in data, path.name
