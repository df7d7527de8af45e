"""Scores of measurements: a random person measured in true masks, and how agreement and coverage are counted."""

from __future__ import annotations

import numpy as np
import pytest

from spinemri.evaluate.measurement_tables import BARS, measurement_section
from spinemri.evaluate.measurements import Compared, score_measurements, summaries
from spinemri.evaluate.page import with_section


def test_a_random_person_is_measured_near_the_truth() -> None:
    found = score_measurements(40)
    names = {one.name for one in found}
    assert {"anterior_height", "height_loss_pct", "dural_sac_ap", "dural_sac_area", "cord_ap", "slip_mm"} <= names
    assert {"disc_height", "wedge_angle", "coronal_curvature_estimate"} <= names
    means = {s.name: s.absolute for s in summaries(found)}
    assert means["middle_height"] < 0.5
    assert means["dural_sac_ap"] < 0.6
    assert means["slip_mm"] < 0.7


def test_agreement_and_coverage_are_those_of_the_errors() -> None:
    errors = [-1.0, 0.0, 2.0, 3.0]
    ones = [
        Compared(f"L{n + 1}.anterior_height", 20 + e, 20 + e - 2.5, 20 + e + 2.5, 20.0) for n, e in enumerate(errors)
    ]
    (row,) = summaries(ones)
    assert (row.name, row.values, row.bias, row.absolute, row.covered) == ("anterior_height", 4, 1.0, 1.5, 0.75)
    assert (row.low, row.high) == pytest.approx((1 - 1.96 * np.std(errors, ddof=1), 1 + 1.96 * np.std(errors, ddof=1)))


@pytest.mark.parametrize(("off", "kept"), [(0.4, "kept"), (0.6, "**missed**")])
def test_a_bar_is_kept_or_missed(off: float, kept: str) -> None:
    lines = measurement_section([Compared("L1.dural_sac_ap", 14 + off, 12, 16, 14)], 1)
    assert BARS["dural_sac_ap"] == (0.5, "mm")
    assert f"| dural_sac_ap | 1 | {off:.2f} | {off:.2f} |  | ≤ 0.5 mm: {kept} | 100 % (wide) |" in lines


def test_areas_are_judged_in_percent_of_the_truth() -> None:
    lines = measurement_section([Compared("L1.dural_sac_area", 216.0, 190.0, 230.0, 240.0)], 1)
    assert "| dural_sac_area | 1 | -10.00 | 10.00 |  | ≤ 10 % of it: kept | 0 % (too narrow) |" in lines


def test_a_section_is_replaced_where_it_stands_and_else_added() -> None:
    page = "# Accuracy\n\n## A\nold\n\n## B\nkept\n"
    assert with_section(page, "## A", "## A\nnew\n") == "# Accuracy\n\n## A\nnew\n\n## B\nkept\n"
    assert with_section(page, "## C", "## C\nnew\n").endswith("## B\nkept\n\n## C\nnew\n")
