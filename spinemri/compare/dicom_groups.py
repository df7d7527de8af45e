"""What is followed from date to date as measurement groups of a DICOM structured report (TID 1501).

What changed has a group of its own at every date; what did not, and what cannot be compared, stands in one group each
at every date. A thing and a quantity of it have one Tracking Unique Identifier at all dates; each group says its date
(TID 1502). What is said of a change stands at the last date.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from highdicom.sr import (
    FindingSite,
    LongitudinalTemporalOffsetFromEvent,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    NumContentItem,
    QualitativeEvaluation,
    RelationshipTypeValues,
    TimePointContext,
    TrackingIdentifier,
)
from pydicom.sr.codedict import codes

from spinemri.codes import LESION, finding_code, measurement_code, place_codes, word
from spinemri.compare import words
from spinemri.compare.comparison import Verdict
from spinemri.compare.curves import NAMES
from spinemri.report.dicom_items import code_of, measured, text_of, tracking, under, unit_of
from spinemri.report.dicom_seg import dicom_code
from spinemri.report.dicom_source import uid_of
from spinemri.report.dicom_sr import images_of, meaning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from highdicom.sr import ContentItem
    from pydicom.dataset import Dataset

    from spinemri.analysis import Analysis
    from spinemri.compare.comparison import Examined, Step
    from spinemri.compare.tracked import Judged, Said, Thing
    from spinemri.measurement import Measurement as Quantity
    from spinemri.report.dicom_source import Source

_PROPERTY = RelationshipTypeValues.HAS_PROPERTIES
_DAY = codes.UCUM.Day
_FRACTURE = "vertebral_height_loss"
_ORDER = sorted(NAMES, key=lambda name: not name.startswith("lesion"))
"""Quantities that did not change stand by kind, lesions first, then by place."""


@dataclass(frozen=True, eq=False)
class Day:
    """An examination as a report takes it: its analysis, and where its series came from, by their UID in it."""

    examined: Examined
    analysis: Analysis
    sources: Mapping[str, Source]

    @property
    def header(self) -> Dataset:
        """Attributes of patient and study."""
        return next(iter(self.sources.values())).header

    @property
    def study_uid(self) -> str:
        """Study Instance UID in the files."""
        return str(self.header.StudyInstanceUID)


Row = tuple["Thing", str, list["Said"]]


def groups(found: Sequence[Thing], days: Sequence[Day]) -> list[MeasurementsAndQualitativeEvaluations]:
    """Groups of what changed, then of what did not, then of what cannot be compared; each from the first date on.

    Parameters
    ----------
    days : parallel to the examinations that are compared
    """
    made = []
    for thing in (thing for thing in found if thing.changed):
        made += [_of_thing(thing, day, days) for day in days if day is days[-1] or list(_shown([thing], day))]
    quiet = [(thing, name, row) for thing in found if not thing.changed for name, row in thing.told()]
    quiet.sort(key=lambda row: _ORDER.index(row[1]))
    for verdict in (Verdict.STABLE, Verdict.NOT_COMPARABLE):
        rows = [row for row in quiet if _leading(row) is verdict]
        for day in days if rows else ():
            if day is days[-1] or any(_value(row, day) for *_, row in rows):
                made.append(_of_rows(verdict, rows, day, days))
    return made or [_nothing(days)]


def _leading(row: Row) -> Verdict:
    """What is said of a quantity that did not change: not comparable where any step says so."""
    thing, _, said = row
    verdicts = [one.verdict for one in thing.judged] if thing.place.lesion else [one.change.verdict for one in said]
    return Verdict.NOT_COMPARABLE if Verdict.NOT_COMPARABLE in verdicts else Verdict.STABLE


def _value(row: Sequence[Said], day: Day) -> Quantity | None:
    """The measurement of a quantity at a date; None without a value."""
    return next((m for said in row if (m := said.at(day.examined.number)) is not None), None)


def _shown(found: Sequence[Thing], day: Day) -> Iterator[Quantity]:
    """Every told measurement of things at a date."""
    rows = (row for thing in found for _, row in thing.told())
    return (m for row in rows if (m := _value(row, day)) is not None)


def _uid(thing: Thing, days: Sequence[Day]) -> str:
    """What a thing is tracked by: it follows from where it was seen first, so that the next report says the same."""
    return uid_of("compared", days[thing.since].study_uid, thing.origin)


def _of_thing(thing: Thing, day: Day, days: Sequence[Day]) -> MeasurementsAndQualitativeEvaluations:
    uid, last = _uid(thing, days), day is days[-1]
    values = []
    for name, row in thing.told():
        m = _value(row, day)
        if m is not None:
            item = measured(m.model_copy(update={"id": f"{thing.name}.{name}"}), uid)
            under(item[0], [_change(said, days) for said in row] if last else [])
            values.append(item)
    evaluations = [_judged(thing, one, days) for one in thing.judged] if last else []
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=uid, identifier=thing.name),
        measurements=values,
        qualitative_evaluations=evaluations,
        **meaning(thing.place, days[-1].analysis.spine.levels),
        **_dated(day, list(_shown([thing], day))),
    )


def _of_rows(
    verdict: Verdict, rows: Sequence[Row], day: Day, days: Sequence[Day]
) -> MeasurementsAndQualitativeEvaluations:
    """One group of all quantities that did not change, or of all that cannot be compared."""
    shown = [(thing, name, m) for thing, name, row in rows if (m := _value(row, day)) is not None]
    evaluations: list[QualitativeEvaluation] = []
    if day is days[-1] and verdict is Verdict.STABLE:
        evaluations = [QualitativeEvaluation(dicom_code(word("change")), dicom_code(word(verdict.value)))]
    elif day is days[-1]:
        evaluations = list(_gaps(rows, days))
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(days[0].study_uid, verdict.value),
        measurements=[_short(thing, name, m, days) for thing, name, m in shown],
        qualitative_evaluations=evaluations,
        finding_sites=[FindingSite(dicom_code(word("spine")))],
        **_dated(day, [m.model_copy(update={"points": ()}) for *_, m in shown[:1]]),
    )


def _short(thing: Thing, name: str, m: Quantity, days: Sequence[Day]) -> Measurement:
    """A value with its place, by which both dates' values are known to be of one quantity."""
    return Measurement(
        name=dicom_code(measurement_code(m.name)),
        value=float(m.value or 0.0),
        unit=unit_of(m.unit),
        tracking_identifier=_tracked(thing, name, days),
        finding_sites=_sites(thing, days),
    )


def _tracked(thing: Thing, name: str, days: Sequence[Day]) -> TrackingIdentifier:
    """What a quantity is tracked by; in words too where its concept and its place do not say it."""
    label = f"{thing.name}.{name}"
    uid = uid_of("tracking", _uid(thing, days), label)
    return TrackingIdentifier(uid=uid, identifier=label if thing.place.lesion else None)


def _gaps(rows: Sequence[Row], days: Sequence[Day]) -> Iterator[QualitativeEvaluation]:
    """Why quantities cannot be compared; of a lesion once."""
    told = set()
    for thing, name, row in rows:
        concept = LESION if thing.place.lesion else measurement_code(name)
        steps = [(one.step, one.reason) for one in thing.judged if one.verdict is Verdict.NOT_COMPARABLE]
        if not thing.place.lesion:
            steps = [(s.step, s.change.reason) for s in row if s.change.verdict is Verdict.NOT_COMPARABLE]
        for step, reason in steps:
            if (concept, thing.name, step.earlier) in told:
                continue
            told.add((concept, thing.name, step.earlier))
            item = QualitativeEvaluation(dicom_code(concept), dicom_code(word(Verdict.NOT_COMPARABLE.value)))
            under(item[0], [*_tracked(thing, name, days), *_sites(thing, days), *_why(reason, step, days)])
            yield item


def _sites(thing: Thing, days: Sequence[Day]) -> list[FindingSite]:
    levels = [level for level in (thing.place.level, thing.place.lower) if level]
    return [FindingSite(dicom_code(code)) for code in place_codes(levels, days[-1].analysis.spine.levels)]


def _judged(thing: Thing, one: Judged, days: Sequence[Day]) -> QualitativeEvaluation:
    """What became of a lesion, or of a fracture-level loss of height."""
    concept = word("change") if thing.place.lesion else finding_code(_FRACTURE)
    item = QualitativeEvaluation(dicom_code(concept), dicom_code(word(one.verdict.value)))
    under(item[0], list(_why(one.reason, one.step, days)))
    return item


def _change(said: Said, days: Sequence[Day]) -> ContentItem:
    """What is said of one quantity's change: the verdict, by how much, and from how much on it would be one."""
    change = said.change
    item = code_of(word("change"), word(change.verdict.value))
    numbers = {"difference": change.change, "detectable change": change.mdc} if change.change is not None else {}
    amounts = [
        NumContentItem(dicom_code(word(name)), float(value), unit_of(change.unit), relationship_type=_PROPERTY)
        for name, value in numbers.items()
        if value is not None
    ]
    under(item, [*amounts, *_why(change.reason, said.step, days)])
    return item


def _why(reason: str, step: Step, days: Sequence[Day]) -> Iterator[ContentItem]:
    """The reason, and of three dates or more with which one the last is compared."""
    if reason:
        yield text_of(word("reason of change"), reason)
    if len(days) > 2:
        yield text_of(word("compared with"), words.when(days[step.earlier].examined))


def _dated(day: Day, values: Sequence[Quantity]) -> dict[str, Any]:
    """The date of a group, and the images that its values were measured on."""
    number, days = day.examined.number, day.examined.days
    event, kind = dicom_code(word("event baseline")), dicom_code(word("baseline"))
    offset = None if days is None else LongitudinalTemporalOffsetFromEvent(float(days), _DAY, event)
    images = []
    for uid in dict.fromkeys(m.series_uid for m in values if m.series_uid in day.sources):
        images += images_of([m for m in values if m.series_uid == uid], day.sources[str(uid)])
    return {
        "time_point_context": TimePointContext(
            time_point=words.when(day.examined),
            time_point_type=kind if number == 0 else None,
            time_point_order=number + 1,
            temporal_offset_from_event=offset,
        ),
        "source_images": images or None,
    }


def _nothing(days: Sequence[Day]) -> MeasurementsAndQualitativeEvaluations:
    """That nothing could be compared: a report has one group at least."""
    nothing = QualitativeEvaluation(dicom_code(word("change")), dicom_code(word(Verdict.NOT_COMPARABLE.value)))
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(days[0].study_uid, Verdict.NOT_COMPARABLE.value),
        qualitative_evaluations=[nothing],
        finding_sites=[FindingSite(dicom_code(word("spine")))],
        **_dated(days[-1], ()),
    )
