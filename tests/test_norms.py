"""The table of norms and thresholds: complete rows, each with a source, and found by place or region."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from spinemri.norms import NORMS, NORMS_SHA256, norm, source_of, threshold

FILE = Path(__file__).resolve().parents[1] / "spinemri" / "norms.csv"


def test_every_row_says_what_it_is_and_where_it_comes_from() -> None:
    for row in NORMS.values():
        assert row.source, row
        assert row.meaning, row
        assert row.unit, row
        assert row.mark in {"V", "M", "D"}, row
        assert row.sd is None or row.sd > 0, row


def test_no_row_is_said_twice() -> None:
    assert len(FILE.read_text(encoding="utf-8").splitlines()) == 1 + len(NORMS)


def test_the_checksum_is_that_of_the_file() -> None:
    assert hashlib.sha256(FILE.read_bytes()).hexdigest() == NORMS_SHA256


def test_a_place_without_a_row_has_that_of_its_region_and_no_other() -> None:
    assert norm("anterior_ratio", "T10").value == 0.92
    assert norm("anterior_ratio", "T4") == norm("anterior_ratio", "T")
    assert norm("wedge_ratio", "L1").sd == 0.06
    assert norm("wedge_ratio", "L4") is None
    assert norm("posterior_height", "V3") is None


def test_a_threshold_has_one_value_and_one_source() -> None:
    assert threshold("height_loss.fracture_from") == 20.0
    assert "Genant" in source_of("height_loss.fracture_from")
    with pytest.raises(KeyError):
        threshold("wedge_ratio")
