"""The results of many studies are counted as they are, and only what lies far from its own level is an outlier."""

from __future__ import annotations

import numpy as np
import pytest

from spinemri.batch import store
from spinemri.batch.cohort import cohort
from spinemri.batch.page import page
from spinemri.report.tables import COLUMNS, csv_text


def results(path, table):
    """A ``results.csv`` of (study, level, name, value, unit)."""
    header = ("study_id", *COLUMNS)
    rows = [dict(zip(("study_id", "level", "name", "value", "unit"), row, strict=True)) for row in table]
    path.write_text(csv_text([header, *([row.get(name, "") for name in header] for row in rows)]))
    return path


@pytest.fixture
def table():
    """Disc heights at two levels of 20 studies; that of study 7 is as high at L1 as it is common at L4."""
    noise = np.random.default_rng(3).normal(0, 0.3, (20, 2))
    made = [
        (f"S{n}", level, "disc_height", mean + noise[n, k], "mm")
        for n in range(20)
        for k, (level, mean) in enumerate((("L1-L2", 7.0), ("L4-L5", 11.0)))
    ]
    made[14] = ("S7", "L1-L2", "disc_height", 11.0, "mm")
    return made


def test_every_value_is_in_one_bar(tmp_path, table):
    more = [("S1", "L1", "anterior_height", 25, "mm"), ("S2", "L1-L2", "disc_height", "", "mm")]
    ((shown,), _) = cohort(results(tmp_path / "results.csv", table + more))
    numbers = [row[3] for row in table]
    assert (shown.name, shown.unit, shown.count) == ("disc_height", "mm", 40)
    assert sum(shown.bars) == 40
    assert (shown.low, shown.high) == pytest.approx((min(numbers), max(numbers)), abs=1e-4)
    assert shown.quantiles == pytest.approx(tuple(np.quantile(numbers, (0.05, 0.5, 0.95))), abs=1e-4)


def test_an_outlier_is_far_from_its_own_level_and_links_to_its_report(tmp_path, table):
    out = tmp_path
    (out / "studies" / "S7").mkdir(parents=True)
    (out / "studies" / "S7" / "report.html").write_text("x")
    _, (outlier,) = cohort(results(out / "results.csv", table))
    assert (outlier.study, outlier.level, outlier.value) == ("S7", "L1-L2", 11.0)
    assert 6.5 < outlier.middle[0] < 7 < outlier.middle[1] < 7.5
    text = page(out, [store.Record(id=f"S{n}", key="", status=store.DONE) for n in range(20)])
    assert text.count('href="studies/S7/report.html"') == 2
    assert text.count("<svg") == 1


def test_a_few_values_have_no_outliers_and_an_empty_table_no_shapes(tmp_path, table):
    few = [row for row in table if int(row[0][1:]) < 11]
    assert cohort(results(tmp_path / "results.csv", few))[1] == ()
    assert cohort(results(tmp_path / "results.csv", [])) == ((), ())
    assert "<svg" not in page(tmp_path, [])
