"""Examinations of one person in the order of their dates, each compared with the baseline and with the one before."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from spinemri.case import Case
from spinemri.compare.comparison import Comparison, Examined, Step
from spinemri.compare.dicom_source import check_dicom
from spinemri.compare.fractures import fracture_changes
from spinemri.compare.lesions import lesion_changes
from spinemri.compare.matching import match_vertebrae
from spinemri.compare.person import Who, check_one_person
from spinemri.compare.quantities import changes_of_places
from spinemri.compare.trends import trends
from spinemri.errors import InputError
from spinemri.language import ENGLISH, Phrases, speaking
from spinemri.networks import Networks, load_networks
from spinemri.pipeline import Options, finish, infer, read_study

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from spinemri.anatomy import Level
    from spinemri.compare.matching import Matched, Pair
    from spinemri.dicom.study import LoadedStudy
    from spinemri.image import Image

    Progress = Callable[[str, int, int], None]

phrases = Phrases("compare.study")


@dataclass(frozen=True, eq=False)
class Examination:
    """An analysed examination, when it was made and the folder of its images; None where that is not known."""

    case: Case
    date: date | None = None
    folder: Path | None = None


@dataclass(frozen=True, eq=False)
class Compared:
    """A comparison with what its pictures are made from: the cases, and the registered vertebrae of each step.

    ``folders`` are those that the images of each examination lay in, perhaps with reports of it; None where not known.
    """

    comparison: Comparison
    cases: tuple[Case, ...]
    pairs: tuple[Mapping[Level, Pair], ...]
    folders: tuple[Path | None, ...] = ()

    @property
    def language(self) -> str:
        """Code of the language of its text."""
        return self.comparison.language


def compare(
    baseline: Path | str | Case,
    followup: Path | str | Case,
    *later: Path | str | Case,
    dates: Sequence[date | None] = (),
    forced: bool = False,
    networks: Networks | None = None,
) -> Comparison:
    """What has changed between two or more examinations of one person, beyond what measurements vary by.

    It is told in the language of the cases, of folders alone in English (``How`` takes another one).

    Parameters
    ----------
    baseline, followup, later : in the order of their dates; folders of images, or cases from ``analyze``
    dates : parallel to the examinations; for folders they come from the images unless given here
    forced : compare even what is not known to be of one person
    networks : the loaded models for folders; the bundled ones when None

    Raises
    ------
    InputError
        Different patients (unless ``forced``), dates in another order, a number of dates other than examinations, or
        cases in another language.
    SpineMRIError
        A folder that cannot be analysed.
    """
    given = (baseline, followup, *later)
    known = [one.language for one in given if isinstance(one, Case)]
    options = Options(token_key=secrets.token_bytes(32), language=next(iter(known), ENGLISH))
    how = How(options, networks, tuple(dates), forced=forced)
    return compare_examinations(examine(given, how), forced=forced).comparison


@dataclass(frozen=True)
class How:
    """How folders are analysed before they are compared.

    Parameters
    ----------
    options : of every analysis; one ``token_key`` for all, or tokens of one person differ
    networks : the loaded models, or what loads them when the first folder needs them; the bundled ones when None
    dates : parallel to the examinations, in place of those in the images
    forced : analyse even what is not known to be of one person
    for_dicom : refuse, before any folder is analysed, what no DICOM report can be made of
    progress : called with (stage, done, total)
    """

    options: Options
    networks: Networks | Callable[[], Networks] | None = None
    dates: tuple[date | None, ...] = ()
    forced: bool = False
    for_dicom: bool = False
    progress: Progress | None = None

    def loaded_networks(self) -> Networks:
        """The networks, loaded now where they are not yet."""
        if isinstance(self.networks, Networks):
            return self.networks
        return self.networks() if self.networks else load_networks()


def examine(given: Sequence[Path | str | Case], how: How) -> list[Examination]:
    """Examinations of cases and of folders; persons and dates are checked before any folder is analysed.

    Raises
    ------
    InputError
        As ``compare`` does.
    OutputError
        No DICOM report can be made, and one is wanted.
    SpineMRIError
        If nothing in a folder can be measured.
    """
    if how.dates and len(how.dates) != len(given):
        raise InputError(f"{len(how.dates)} dates of {len(given)} examinations: expected one of each, or none")
    read = [one if isinstance(one, Case) else read_study(Path(one), how.options, how.progress) for one in given]
    known = [None if isinstance(one, Case) else _day(one.study.study_date) for one in read]
    days = how.dates or tuple(known)
    check_one_person([_who(one, day) for one, day in zip(read, days, strict=True)], forced=how.forced)
    if how.for_dicom:
        check_dicom(
            [[i.series.source for i in _images(one)] for one in read], [_who(one, None).patient for one in read]
        )
    networks = None if all(isinstance(one, Case) for one in read) else how.loaded_networks()
    cases = [one if isinstance(one, Case) or networks is None else _analysed(one, networks, how) for one in read]
    folders = [None if isinstance(one, Case) else Path(one) for one in given]
    together = zip(cases, days, folders, strict=True)
    return [Examination(one, day, folder) for one, day, folder in together if isinstance(one, Case)]


def _images(one: Case | LoadedStudy) -> Sequence[Image]:
    return one.images if isinstance(one, Case) else one.every_image


def _analysed(loaded: LoadedStudy, networks: Networks, how: How) -> Case:
    reading = infer(loaded, networks, how.options, how.progress)
    return finish(loaded, reading, networks, how.options, how.progress)


def _who(one: Case | LoadedStudy, day: date | None) -> Who:
    if isinstance(one, Case):
        return Who(one.analysis.patient, one.analysis.patient_sex, one.analysis.study, day)
    return Who(one.patient, one.study.patient_sex, one.study.study_uid, day)


def _day(text: str) -> date | None:
    try:
        return datetime.strptime(text[:8], "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        return None


def compare_examinations(examinations: Sequence[Examination], *, forced: bool = False) -> Compared:
    """Compare analysed examinations, in the order of their dates; errors as for ``compare``."""
    language = _language(examinations)
    with speaking(language):
        return _compared(examinations, language, forced=forced)


def _language(examinations: Sequence[Examination]) -> str:
    """The language of all examinations: their reasons are quoted in the comparison."""
    spoken = [one.case.language for one in examinations]
    for number, language in enumerate(spoken):
        if language != spoken[0]:
            raise InputError(f"examination {number} is told in {language!r}: expected {spoken[0]!r}, as the baseline")
    return spoken[0] if spoken else ENGLISH


def _compared(examinations: Sequence[Examination], language: str, *, forced: bool) -> Compared:
    everyone = [_who(one.case, one.date) for one in examinations]
    warnings = [*check_one_person(everyone, forced=forced), *_made_alike(examinations)]
    count = len(examinations)
    steps = [(0, n) for n in range(1, count)] + [(n - 1, n) for n in range(2, count)]
    cases = tuple(one.case for one in examinations)
    matched = [match_vertebrae(cases[earlier], cases[later]) for earlier, later in steps]
    made = tuple(_step(cases, ends, found) for ends, found in zip(steps, matched, strict=True))
    pairs = tuple(one.pairs for one in matched)
    warnings += [_told(step) for step in made if step.naming.shift != 0 or not step.naming.sure]
    comparison = Comparison(
        language=language,
        patient=examinations[0].case.analysis.patient,
        examinations=tuple(_examined(n, one, examinations[0]) for n, one in enumerate(examinations)),
        steps=made,
        trends=trends(made, count) if count > 2 else (),
        warnings=tuple(warnings),
    )
    return Compared(comparison, cases, pairs, tuple(one.folder for one in examinations))


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


def _made_alike(examinations: Sequence[Examination]) -> Iterator[str]:
    first = examinations[0].case.analysis.provenance.made_with
    for number, one in enumerate(examinations[1:], start=1):
        if one.case.analysis.provenance.made_with != first:
            yield phrases.EXAMINATION_ANALYSED_WITH_OTHER_SOFTWARE.format(number=number)


def _told(step: Step) -> str:
    return phrases.EXAMINATIONS.format(earlier=step.earlier, later=step.later, statement=step.naming.statement)


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
