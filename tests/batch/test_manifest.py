"""A list names studies in its own order and says what is true of one alone; what it gets wrong is told by row."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spinemri.batch.run import run
from spinemri.batch.sources import find_sources
from spinemri.convert import write_nifti
from spinemri.errors import InputError
from spinemri.series import Contrast
from tests.batch.small_study import OPTIONS, job, study_image, write_study
from tests.batch.tables_of import rows


def as_csv(path, table):
    with path.open("w", newline="", encoding="utf-8-sig") as stream:
        writer = csv.DictWriter(stream, table[0].keys())
        writer.writeheader()
        writer.writerows(table)


def as_parquet(path, table):
    pq.write_table(pa.Table.from_pylist([{k: v or None for k, v in row.items()} for row in table]), path)


FORMATS = pytest.mark.parametrize(("name", "write"), [("list.csv", as_csv), ("list.parquet", as_parquet)])


@FORMATS
def test_studies_come_in_the_lists_order_relative_to_it(tmp_path, name, write):
    elsewhere = tmp_path / "elsewhere"
    table = tmp_path / name
    write(table, [{"id": "B", "path": "sub/one", "arm": "1"}, {"id": "A", "path": str(elsewhere), "arm": "2"}])
    found = find_sources(table, OPTIONS)
    assert [(source.id, source.base) for source in found] == [("B", tmp_path / "sub" / "one"), ("A", elsewhere)]
    write(table, [{"path": "one"}, {"path": "two"}])
    assert len({source.id for source in find_sources(table, OPTIONS)}) == 2


@FORMATS
def test_a_row_says_what_is_true_of_its_study_alone(tmp_path, name, write):
    """One folder with two patients, a volume of unknown contrast, a level by the user's word."""
    out = tmp_path / "out"
    for number in (1, 2):
        write_study(tmp_path / "both" / f"s{number}", number, f"PAT{number}")
    image = study_image(3)
    write_nifti(image.voxels, image.geometry, tmp_path / "volume.nii.gz")
    blank = dict.fromkeys(("id", "path", "patient", "contrast", "anchor"), "")
    table = [
        {**blank, "id": "first", "path": "both", "patient": "PAT1"},
        {**blank, "id": "none", "path": "both"},
        {**blank, "id": "known", "path": "volume.nii.gz", "contrast": "t2w", "anchor": "L4=1"},
    ]
    write(tmp_path / name, table)
    sources = find_sources(tmp_path / name, OPTIONS)
    assert sources[2].own == {"contrast": Contrast.T2W, "anchor": "L4=1"}
    ends = {o.id: o for o in run(sources, job(), out)}
    assert {name: o.status for name, o in ends.items()} == {"first": "done", "none": "failed", "known": "done"}
    assert ends["none"].error.startswith("2 patients in one folder")
    levels = {row["level"] for row in rows(out / "results.csv") if row["study_id"] == "known"}
    assert {"L2", "L3", "L4"} <= levels
    assert "S1" not in levels
    table[2]["anchor"] = "L5=1"
    write(tmp_path / name, table)
    again = Counter(o.status for o in run(find_sources(tmp_path / name, OPTIONS), job(), out))
    assert again == {"unchanged": 1, "failed": 1, "done": 1}


def test_masks_of_a_row_stand_in_for_the_network_and_their_change_is_noticed(tmp_path):
    plain, out, mask = tmp_path / "plain", tmp_path / "out", tmp_path / "mask.nii.gz"
    write_study(tmp_path / "one", 1)
    as_csv(tmp_path / "plain.csv", [{"id": "one", "path": "one"}])
    next(run(find_sources(tmp_path / "plain.csv", OPTIONS), job(formats=("json", "nifti")), plain))
    shutil.copy(plain / "studies" / "one" / "segmentation_4.nii.gz", mask)
    row = {"id": "one", "path": "one", "labels": "mask.nii.gz", "labels_from": "spinemri"}
    as_csv(tmp_path / "list.csv", [row])
    sources = find_sources(tmp_path / "list.csv", OPTIONS)
    assert sources[0].own == {"labels": (mask,), "labels_from": "spinemri"}
    assert [o.status for o in run(sources, job(), out)] == ["done"]
    report = json.loads((out / "studies" / "one" / "report.json").read_text())
    assert any("spinemri" in value for value in report["provenance"]["parameters"].values())
    assert [o.status for o in run(sources, job(), out)] == ["unchanged"]
    os.utime(mask, ns=(1, 1))
    assert [o.status for o in run(sources, job(), out)] == ["done"]


@FORMATS
def test_a_file_that_is_not_there_is_the_failure_of_its_row(tmp_path, name, write):
    write_study(tmp_path / "one", 1)
    blank = {"path": "one", "id": "", "labels": "", "labels_from": ""}
    table = [
        {**blank, "id": "sound"},
        {**blank, "id": "gone", "path": "two"},
        {**blank, "id": "bare", "labels": "x.nii", "labels_from": "spinemri"},
    ]
    write(tmp_path / name, table)
    ends = {o.id: o for o in run(find_sources(tmp_path / name, OPTIONS), job(), tmp_path / "out")}
    word, first = ("line", 3) if name.endswith("csv") else ("row", 2)
    assert ends["sound"].status == "done"
    assert ends["gone"].error == f"{word} {first}: no such folder or file"
    assert ends["bare"].error == f"{word} {first + 1}: no such file of labels"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "list.csv: expected a column 'path'"),
        ("folder\nx\n", "list.csv: expected a column 'path'"),
        ("path\n", "list.csv: expected a column 'path'"),
        ("id,path\na,x\na,y\n", "list.csv, line 3: this id or path stands there twice"),
        ("path\nx\n\nx\n", "list.csv, line 4: this id or path stands there twice"),
        ("id,path\n../a,x\n", "list.csv, line 2: an id is made of letters"),
        ("id,path\n.a,x\n", "list.csv, line 2: an id is made of letters"),
        ("id,path\na,\n", "list.csv, line 2: the path is empty"),
        ("path,contrast\n.,T9\n", "list.csv, line 2: contrast 'T9'"),
        ("path,anchor\n.,L5\n", "list.csv, line 2: anchor 'L5'"),
        ("path,labels,labels_from\n.,list.csv,\n", "list.csv, line 2: label files and the scheme"),
        ("path,labels,labels_from\n.,list.csv,mine\n", "list.csv, line 2: .*'?mine'?"),
    ],
)
def test_a_list_that_cannot_be_used_says_why_and_where(tmp_path, text, told):
    table = tmp_path / "list.csv"
    table.write_text(text)
    with pytest.raises(InputError, match=told):
        find_sources(table, OPTIONS)


@pytest.mark.parametrize("column", ["contrast", "anchor", "labels_from"])
def test_a_cell_that_is_endless_or_of_many_lines_stays_one_short_line(tmp_path, column):
    (tmp_path / "mask.nii").touch()
    masks = ",mask.nii" if column == "labels_from" else ","
    for cell in ("A" * 5000, "A\nB\r\nC"):
        table = tmp_path / "list.csv"
        table.write_text(f'path,labels,{column}\n.{masks},"{cell}"\n', newline="")
        with pytest.raises(InputError) as refused:
            find_sources(table, OPTIONS)
        assert len(str(refused.value)) < 800
        assert len(str(refused.value).splitlines()) == 1
        assert f"{column.partition('_')[0].replace('labels', 'label scheme')} 'A" in str(refused.value)


def test_what_is_no_parquet_is_said(tmp_path):
    table = tmp_path / "list.parquet"
    table.write_text("path\nx\n")
    with pytest.raises(InputError, match=r"list\.parquet: cannot be read as Parquet"):
        find_sources(table, OPTIONS)
    pq.write_table(pa.table({"folder": ["x"]}), table)
    with pytest.raises(InputError, match="expected a column 'path'"):
        find_sources(table, OPTIONS)
