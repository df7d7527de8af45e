"""Whether examinations are of one person, and in the order of their dates; asked before the long work begins.

One person means one token (or identifier) and one sex. Files that hold no Patient ID cannot show it: the user must say.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from spinemri.errors import InputError
from spinemri.language import Phrases

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

phrases = Phrases("compare.person")

_NOT_ONE = (
    "examination {number} is not known to be of the same person as the baseline ({why}); "
    "to compare them all the same, say so (--force, or forced=True)"
)


class Who(NamedTuple):
    """Whom and when an examination shows; ``date`` is None where it is not known."""

    patient: str
    sex: str
    study: str
    date: date | None


def check_one_person(everyone: Sequence[Who], *, forced: bool = False) -> tuple[str, ...]:
    """Warnings about persons and dates of examinations, the baseline first.

    Raises
    ------
    InputError
        Fewer than two, different persons (unless ``forced``), or dates in another order.
    """
    if len(everyone) < 2:
        raise InputError(f"{len(everyone)} examination: expected two or more")
    return (*_persons(everyone, forced=forced), *_dates(everyone))


def _persons(everyone: Sequence[Who], *, forced: bool) -> Iterator[str]:
    first = everyone[0]
    for number, one in enumerate(everyone[1:], start=1):
        sexes = {first.sex, one.sex} & {"M", "F"}
        why = phrases.THEIR_SEX_DIFFERS if len(sexes) > 1 else phrases.TOKENS if one.patient != first.patient else ""
        if why and not forced:
            raise InputError(_NOT_ONE.format(number=number, why=why))
        if why:
            yield phrases.EXAMINATION_NOT_KNOWN_SAME_PERSON.format(number=number, why=why)
    for number, (one, other) in enumerate(pairwise(everyone), start=1):
        if other.study == one.study:
            yield phrases.EXAMINATIONS_ARE_SAME_STUDY.format(number=number - 1, other=number)


def _dates(everyone: Sequence[Who]) -> Iterator[str]:
    for number, (one, other) in enumerate(pairwise(everyone), start=1):
        if one.date is None or other.date is None:
            yield phrases.ORDER_EXAMINATIONS_USER_S_WORD.format(number=number - 1, other=number)
        elif other.date < one.date:
            days = (one.date - other.date).days
            raise InputError(
                f"examination {number} was made {days} days before examination {number - 1}: expected them in the "
                "order of their dates, the baseline first"
            )
        elif other.date == one.date:
            yield phrases.EXAMINATIONS_WERE_MADE_SAME_DAY.format(number=number - 1, other=number)
