"""Examinations of one person in the order of their dates, each compared with the baseline and with the one before.

What is compared must be of one person: tokens (or identifiers) and sex agree. Dates must not run backwards.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from spinemri.case import Case
from spinemri.compare.comparison import Comparison, Examined, Step
from spinemri.compare.fractures import fracture_changes
from spinemri.compare.lesions import lesion_changes
from spinemri.compare.matching import match_vertebrae
from spinemri.compare.quantities import changes_of_places
from spinemri.compare.trends import trends
from spinemri.errors import InputError
from spinemri.networks import load_networks
from spinemri.pipeline import Options, finish, infer, read_study

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from spinemri.anatomy import Level
    from spinemri.compare.matching import Matched, Pair
    from spinemri.networks import Networks

    Progress = Callable[[str, int, int], None]

_NOT_ONE = (
    "examination {number} is not known to be of the same person as the baseline ({why}); "
    "to compare them all the same, say so (--force, or forced=True)"
)
_TOKENS = "their tokens differ: another Patient ID, files without one, or tokens made with another key"


@dataclass(frozen=True, eq=False)
class Examination:
    """An analysed examination, and when it was made; None where that is not known."""

    case: Case
    date: date | None = None


@dataclass(frozen=True, eq=False)
class Compared:
    """A comparison with what its pictures are made from: the cases, and the registered vertebrae of each step."""

    comparison: Comparison
    cases: tuple[Case, ...]
    pairs: tuple[Mapping[Level, Pair], ...]


def compare(
    baseline: Path | str | Case,
    followup: Path | str | Case,
    *later: Path | str | Case,
    dates: Sequence[date | None] = (),
    forced: bool = False,
    networks: Networks | None = None,
) -> Comparison:
    """What has changed between two or more examinations of one person, beyond what measurements vary by.

    Parameters
    ----------
    baseline, followup, later : in the order of their dates; folders of images, or cases from ``analyze``
    dates : parallel to the examinations; for folders they come from the images unless given here
    forced : compare even what is not known to be of one person
    networks : the loaded models for folders; the bundled ones when None

    Raises
    ------
    InputError
        Different patients (unless ``forced``), dates in another order, or a number of dates other than examinations.
    SpineMRIError
        A folder that cannot be analysed.
    """
    given = (baseline, followup, *later)
    if dates and len(dates) != len(given):
        raise InputError(f"{len(dates)} dates of {len(given)} examinations: expected one of each, or none")
    key, loaded = secrets.token_bytes(32), networks
    found = []
    for one in given:
        if not isinstance(one, Case):
            loaded = loaded or load_networks()
        found.append(Examination(one) if isinstance(one, Case) else examine(Path(one), loaded, Options(token_key=key)))
    if dates:
        found = [Examination(one.case, when) for one, when in zip(found, dates, strict=True)]
    return compare_examinations(found, forced=forced).comparison


def examine(folder: Path, networks: Networks | None, options: Options, progress: Progress | None = None) -> Examination:
    """The newest study of a folder, analysed, with its date. Give all folders one ``token_key``.

    Raises
    ------
    SpineMRIError
        If nothing in the folder can be measured.
    """
    loaded = read_study(folder, options, progress)
    networks = networks or load_networks()
    case = finish(loaded, infer(loaded, networks, options, progress), networks, options, progress)
    return Examination(case, _day(loaded.study.study_date))


def _day(text: str) -> date | None:
    try:
        return datetime.strptime(text[:8], "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        return None


def compare_examinations(examinations: Sequence[Examination], *, forced: bool = False) -> Compared:
    """Compare analysed examinations, in the order of their dates; errors as for ``compare``."""
    if len(examinations) < 2:
        raise InputError(f"{len(examinations)} examination: expected two or more")
    warnings = [*_one_person(examinations, forced=forced), *_in_order(examinations), *_made_alike(examinations)]
    count = len(examinations)
    steps = [(0, n) for n in range(1, count)] + [(n - 1, n) for n in range(2, count)]
    cases = tuple(one.case for one in examinations)
    matched = [match_vertebrae(cases[earlier], cases[later]) for earlier, later in steps]
    made = tuple(_step(cases, ends, found) for ends, found in zip(steps, matched, strict=True))
    pairs = tuple(one.pairs for one in matched)
    warnings += [_told(step) for step in made if step.naming.shift != 0 or not step.naming.sure]
    comparison = Comparison(
        patient=examinations[0].case.analysis.patient,
        examinations=tuple(_examined(n, one, examinations[0]) for n, one in enumerate(examinations)),
        steps=made,
        trends=trends(made, count) if count > 2 else (),
        warnings=tuple(warnings),
    )
    return Compared(comparison, cases, pairs)


def _step(every: Sequence[Case], ends: tuple[int, int], matched: Matched) -> Step:
    cases = every[ends[0]], every[ends[1]]
    names = {level: pair.later.level for level, pair in matched.pairs.items()}
    places = tuple(changes_of_places(cases[0].analysis, cases[1].analysis, names))
    lesions = lesion_changes(*cases, matched.pairs)
    return Step(
        earlier=ends[0],
        later=ends[1],
        naming=matched.naming,
        matches=matched.matches,
        changes=(*places, *(change for _, changes in lesions for change in changes)),
        lesions=tuple(lesion for lesion, _ in lesions),
        fractures=fracture_changes(places),
    )


def _one_person(examinations: Sequence[Examination], *, forced: bool) -> Iterator[str]:
    """A warning for each examination that is not known to be of the baseline's person, where that is allowed."""
    first = examinations[0].case.analysis
    for number, one in enumerate(examinations[1:], start=1):
        analysis = one.case.analysis
        sexes = {first.patient_sex, analysis.patient_sex} & {"M", "F"}
        why = "their sex differs" if len(sexes) > 1 else _TOKENS if analysis.patient != first.patient else ""
        if why and not forced:
            raise InputError(_NOT_ONE.format(number=number, why=why))
        if why:
            yield f"examination {number} is not known to be of the same person ({why}); compared as the user said"
        if analysis.study == first.study:
            yield f"examination {number} is the same study as the baseline"


def _in_order(examinations: Sequence[Examination]) -> Iterator[str]:
    for number, (one, other) in enumerate(pairwise(examinations), start=1):
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


def _made_alike(examinations: Sequence[Examination]) -> Iterator[str]:
    first = examinations[0].case.analysis.provenance.made_with
    for number, one in enumerate(examinations[1:], start=1):
        if one.case.analysis.provenance.made_with != first:
            yield f"examination {number} was analysed with other software, models or options than the baseline"


def _told(step: Step) -> str:
    return f"examinations {step.earlier} and {step.later}: {step.naming.statement}"


def _examined(number: int, one: Examination, first: Examination) -> Examined:
    analysis = one.case.analysis
    known = one.date is not None and first.date is not None
    return Examined(
        number=number,
        study=analysis.study,
        days=(one.date - first.date).days if known and one.date and first.date else None,
        contrasts=tuple(dict.fromkeys(s.contrast.value for s in analysis.used_series())),
        levels=analysis.spine.levels,
        provenance=analysis.provenance,
    )
