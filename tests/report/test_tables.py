from __future__ import annotations

import csv
import io

from spinemri.anatomy import Level
from spinemri.report.tables import COLUMNS, HEIGHT_LOSS, level_rows, measurements_csv


def lines(analysis):
    return list(csv.DictReader(io.StringIO(measurements_csv(analysis))))


def test_one_line_per_measurement_from_head_to_foot(case):
    found = lines(case.analysis)
    assert tuple(found[0]) == COLUMNS
    assert {line["id"] for line in found} == {m.id for m in case.analysis.measurements}
    ranks = [Level(line["level"].split("-")[0]).rank for line in found]
    assert ranks == sorted(ranks)


def test_a_measured_value_has_unit_interval_references_and_series(case):
    line = next(line for line in lines(case.analysis) if line["id"] == f"L1.{HEIGHT_LOSS}")
    assert (line["value"], line["unit"], line["status"], line["reason"]) == ("35", "%", "measured", "")
    assert (line["interval_low"], line["interval_high"]) == ("29.5", "40.5")
    assert line["detectable_change"] == "12", "that of two readers: more than 1.41 times half the interval"
    assert (line["reference_levels"], line["series"], line["study"]) == ("T12;L2", "3", case.analysis.study)


def test_what_was_not_measured_has_a_reason_and_no_number(case):
    gaps = [line for line in lines(case.analysis) if line["status"] != "measured"]
    assert {line["level"] for line in gaps} == {"T11", "L4"}
    assert all(line["value"] == "" and line["reason"] for line in gaps)


def test_a_row_per_level_takes_the_worse_narrowing_of_body_and_disc(case):
    rows = {str(row.level): row for row in level_rows(case.analysis)}
    assert list(rows) == [str(v.level) for v in case.analysis.spine.vertebrae]
    assert rows["L2"].compromise.value == 54.0
    assert (rows["L2"].sac_at_body.place, rows["L2"].sac_at_disc.place) == ("L2", "L2-L3")
    assert rows["L4"].gaps == ("the posterior wall of L4 cannot be followed",)
    assert rows["S1"].measurements == ()
