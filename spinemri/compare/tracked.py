"""What is followed from date to date: lesions and places, each with all that the steps to the last date say of it.

Only steps that end at the last examination are told: the baseline with it, and the one before with it. A lesion is
followed over every step, so that it is one thing whatever its number at each date.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from spinemri.anatomy import StructureKind
from spinemri.compare.curves import NAMES
from spinemri.report.dicom_sr import Place, place_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spinemri.analysis import Analysis
    from spinemri.compare.comparison import Change, Comparison, LesionChange, Step, Verdict
    from spinemri.measurement import Measurement

    Node = tuple[int, str]


class Said(NamedTuple):
    """What a step says of a quantity, and the measurement of it at either date; None where there is none."""

    step: Step
    change: Change
    ends: tuple[Measurement | None, Measurement | None]

    def at(self, number: int) -> Measurement | None:
        """The measurement at an examination of the step; None without a value."""
        found = self.ends[number == self.step.later] if number in (self.step.earlier, self.step.later) else None
        return found if found is not None and found.value is not None else None


class Judged(NamedTuple):
    """What a step says of a whole lesion, or of a vertebra's height."""

    step: Step
    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class Thing:
    """A lesion, or a place of the spine, that is the same one at every date.

    Parameters
    ----------
    since, origin : the first examination that holds it, and what it is called there
    place : by the names of the last examination that shows it
    """

    name: str
    since: int
    origin: str
    place: Place
    rows: dict[str, list[Said]] = field(default_factory=dict)
    judged: list[Judged] = field(default_factory=list)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Everything that is said of it as a whole and of its quantities."""
        return (*(one.verdict for one in self.judged), *(s.change.verdict for row in self.rows.values() for s in row))

    @property
    def changed(self) -> bool:
        """Whether anything of it is called a change."""
        return any(verdict.called for verdict in self.verdicts)

    def told(self) -> Iterator[tuple[str, list[Said]]]:
        """The quantities that a reader is told: those that changed, and the chief ones."""
        for name, row in self.rows.items():
            if name in NAMES or any(said.change.verdict.called for said in row):
                yield name, row


def last_steps(comparison: Comparison) -> tuple[Step, ...]:
    """The steps that end at the last examination, the baseline's first."""
    last = comparison.examinations[-1].number
    return tuple(step for step in comparison.steps if step.later == last)


def things(comparison: Comparison, analyses: Sequence[Analysis]) -> tuple[Thing, ...]:
    """Everything that the last examination is compared in: lesions first, then places from head to foot.

    Parameters
    ----------
    analyses : parallel to the examinations
    """
    known: dict[Node, Thing] = {}
    firsts = _firsts(comparison.steps)
    for step in last_steps(comparison):
        for lesion in step.lesions:
            first = firsts[_nodes(step, lesion)[0]]
            thing = known.setdefault(first, _lesion(step, lesion, first, analyses))
            thing.judged.append(Judged(step, lesion.verdict, lesion.reason))
            for change in step.of_lesion(lesion.id):
                ids = (lesion.baseline_ids, lesion.later_ids)
                _add(thing, step, change, (_of_lesion(change, ids, step, analyses, n) for n in (0, 1)))
    return (*known.values(), *_places(comparison, analyses))


def _nodes(step: Step, lesion: LesionChange) -> list[Node]:
    return [*((step.earlier, one) for one in lesion.baseline_ids), *((step.later, one) for one in lesion.later_ids)]


def _firsts(steps: Sequence[Step]) -> dict[Node, Node]:
    """(examination, a lesion's id) -> the first such pair of all that are one lesion."""
    known: dict[Node, Node] = {}
    for step in steps:
        for lesion in step.lesions:
            nodes = _nodes(step, lesion)
            ends = {known.get(node, node) for node in nodes}
            first = min(ends)
            known = {node: first if end in ends else end for node, end in known.items()} | dict.fromkeys(nodes, first)
    return known


def _lesion(step: Step, lesion: LesionChange, first: Node, analyses: Sequence[Analysis]) -> Thing:
    number, id_ = _nodes(step, lesion)[-1]
    level = next(one.level for one in analyses[number].lesions if one.id == id_)
    step_id = f"{step.earlier}-{step.later}." if step.earlier else ""  # letters are given anew in each step
    return Thing(f"lesion {step_id}{lesion.id}", *first, Place(StructureKind.LESION, level, None, id_))


def _of_lesion(
    change: Change, ids: tuple[tuple[str, ...], tuple[str, ...]], step: Step, analyses: Sequence[Analysis], end: int
) -> Measurement | None:
    analysis = analyses[(step.earlier, step.later)[end]]
    found = next((m for one in ids[end] if (m := analysis.measurement(f"{one}.{change.name}")) is not None), None)
    return found if found is None else _valued(found, change, end)


def _places(comparison: Comparison, analyses: Sequence[Analysis]) -> Iterator[Thing]:
    known: dict[Place, Thing] = {}
    for step in last_steps(comparison):
        heights = {one.change: one for one in step.fractures}
        for change in (change for change in step.changes if not change.lesion):
            ends = [
                analyses[n].measurement(id_) for n, id_ in zip((step.earlier, step.later), change.evidence, strict=True)
            ]
            if ends[0] is None or ends[1] is None:
                continue
            place = place_of(ends[1])
            thing = known.setdefault(place, Thing(str(place), step.earlier, str(place_of(ends[0])), place))
            _add(thing, step, change, (m and _valued(m, change, n) for n, m in enumerate(ends)))
            if change.id in heights:
                found = heights[change.id]
                thing.judged.append(Judged(step, found.verdict, found.reason))
    yield from known.values()


def _add(thing: Thing, step: Step, change: Change, ends: Iterator[Measurement | None]) -> None:
    earlier, later = ends
    thing.rows.setdefault(change.name, []).append(Said(step, change, (earlier, later)))


def _valued(measurement: Measurement, change: Change, end: int) -> Measurement:
    """A measurement with the value that the comparison has for its date, which for several lesions is their sum."""
    values = ((change.baseline, change.baseline_interval), (change.later, change.later_interval))[end]
    if values[0] is None:
        return measurement
    return measurement.model_copy(update={"value": values[0], "interval": values[1]})
