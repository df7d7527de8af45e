"""Whom may be compared, and in which order."""

from __future__ import annotations

from datetime import date

import pytest

from spinemri.compare.person import Who, check_one_person
from spinemri.errors import InputError

FIRST = Who("a1", "F", "s1", date(2024, 1, 10))


def test_one_person_in_order_needs_no_remark():
    assert check_one_person([FIRST, Who("a1", "F", "s2", date(2024, 5, 1))]) == ()


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (Who("b2", "F", "s2", date(2024, 5, 1)), "tokens differ"),
        (Who("a1", "M", "s2", date(2024, 5, 1)), "sex differs"),
    ],
)
def test_another_person_is_refused_unless_forced(other, why):
    with pytest.raises(InputError, match=why):
        check_one_person([FIRST, other])
    (warning,) = check_one_person([FIRST, other], forced=True)
    assert "not known to be of the same person" in warning


def test_dates_that_run_backwards_are_refused_without_naming_one():
    with pytest.raises(InputError, match="9 days before") as error:
        check_one_person([FIRST, Who("a1", "F", "s2", date(2024, 1, 1))])
    assert "2024" not in str(error.value)


def test_a_date_that_is_not_known_is_said():
    assert "a date is not known" in check_one_person([FIRST, Who("a1", "F", "s2", None)])[0]
    assert "same day" in check_one_person([FIRST, FIRST._replace(study="s2")])[0]


def test_one_examination_is_no_comparison():
    with pytest.raises(InputError, match="two or more"):
        check_one_person([FIRST])
