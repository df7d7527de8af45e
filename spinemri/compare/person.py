"""Whether examinations are of one person, and in the order of their dates; asked before the long work begins.

One person means one token (or identifier) and one sex. Files that hold no Patient ID cannot show it: the user must say.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from spinemri.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

_NOT_ONE = (
    "examination {number} is not known to be of the same person as the baseline ({why}); "
    "to compare them all the same, say so (--force, or forced=True)"
)
_TOKENS = "their tokens differ: another Patient ID, files without one, or tokens made with another key"


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
        why = "their sex differs" if len(sexes) > 1 else _TOKENS if one.patient != first.patient else ""
        if why and not forced:
            raise InputError(_NOT_ONE.format(number=number, why=why))
        if why:
            yield f"examination {number} is not known to be of the same person ({why}); compared as the user said"
    for number, (one, other) in enumerate(pairwise(everyone), start=1):
        if other.study == one.study:
            yield f"examinations {number - 1} and {number} are the same study"


def _dates(everyone: Sequence[Who]) -> Iterator[str]:
    for number, (one, other) in enumerate(pairwise(everyone), start=1):
        if one.date is None or other.date is None:
            yield f"the order of examinations {number - 1} and {number} is the user's word: a date is not known"
        elif other.date < one.date:
            days = (one.date - other.date).days
            raise InputError(
                f"examination {number} was made {days} days before examination {number - 1}: expected them in the "
                "order of their dates, the baseline first"
            )
        elif other.date == one.date:
            yield f"examinations {number - 1} and {number} were made on the same day"
