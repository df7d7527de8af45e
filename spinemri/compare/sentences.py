"""What changed, in a radiologist's sentences: lesions, height, canal, cord, signal, and what cannot be compared."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from spinemri.compare import words
from spinemri.compare.comparison import Verdict
from spinemri.compare.fractures import LOSS
from spinemri.compare.quantities import SIGNALS, SIZES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from spinemri.compare.comparison import Change, LesionChange, Step


class Sentence(NamedTuple):
    """A sentence, and the ids of the changes it rests on."""

    text: str
    evidence: tuple[str, ...] = ()


class Section(NamedTuple):
    """Sentences under a heading."""

    title: str
    sentences: tuple[Sentence, ...]


_BODY = tuple(name for name in SIZES if name != LOSS and "sac" not in name and "cord" not in name)
_CANAL = tuple(name for name in SIZES if "sac" in name or "cord" in name)


def sections(step: Step) -> tuple[Section, ...]:
    """Everything that is said of one step, in the order of a report; deterministic."""
    return (
        Section("Match of vertebrae", tuple(_naming(step))),
        Section("Marrow lesions", tuple(_lesion(step, one) for one in step.lesions) or _none("marrow lesion")),
        Section("Vertebral height", (*_fractures(step), *_places(step, _BODY, "vertebral body"))),
        Section("Canal and cord", tuple(_places(step, _CANAL, "canal or cord"))),
        Section("Signal", tuple(_places(step, SIGNALS, "signal of marrow or cord"))),
        Section("Not comparable", tuple(_not_comparable(step)) or (Sentence("Nothing that was measured."),)),
    )


def _none(what: str) -> tuple[Sentence, ...]:
    return (Sentence(f"No {what} at either examination."),)


def _naming(step: Step) -> Iterator[Sentence]:
    yield Sentence(f"{_capital(step.naming.statement)}.")
    compared = [match.place for match in step.matches if match.comparable]
    yield Sentence(f"Compared: {', '.join(compared)}." if compared else "No vertebra is compared.")


def _lesion(step: Step, lesion: LesionChange) -> Sentence:
    changes = step.of_lesion(lesion.id)
    side = f", {lesion.side}" if lesion.side else ""
    said = "; ".join(_quantity(change) for change in changes if change.name in ("lesion_volume", "lesion_diameter"))
    head = f"Lesion {lesion.id} in {lesion.place}{side} ({lesion.kind}): {lesion.verdict.value}"
    why = f", because {lesion.reason}" if lesion.reason else ""
    many = ""
    if len(lesion.baseline_ids) > 1 or len(lesion.later_ids) > 1:
        many = f" {len(lesion.baseline_ids)} earlier and {len(lesion.later_ids)} later lesions are compared as one."
    return Sentence(f"{head}{why}. {_capital(said)}.{many}", tuple(change.id for change in changes))


def _quantity(change: Change) -> str:
    name = words.NAMES[change.name]
    if change.verdict in (Verdict.NEW, Verdict.GONE):
        there = change.later if change.verdict is Verdict.NEW else change.baseline
        limit = words.quantity(change.mdc, change.unit)
        return (
            f"{name} {words.quantity(there, change.unit)}, where a lesion from {limit} on would be seen at either date"
        )
    return f"{name} {words.from_to(change)}"


def _fractures(step: Step) -> Iterator[Sentence]:
    for found in step.fractures:
        change = step.change(found.change)
        if change is None:
            continue
        why = f" because {found.reason}" if found.reason else ""
        text = f"{found.place}: {words.FRACTURE[found.verdict]}{why}, {words.from_to(change)}."
        yield Sentence(text, (found.change,))
    known = [c for c in step.changes if c.name == LOSS and c.mdc is not None]
    quiet = [c.place for c in known if c.place not in {f.place for f in step.fractures}]
    if quiet:
        limit = max(c.mdc or 0.0 for c in known)
        yield Sentence(
            f"{', '.join(quiet)}: no fracture-level loss of height at either examination, and none that increased by "
            f"more than its MDC (at most {words.quantity(limit, '%', change=True).removeprefix('+')})."
        )


def _places(step: Step, names: Iterable[str], what: str) -> Iterator[Sentence]:
    """Changes that are called, one sentence each; and how many were looked at."""
    wanted = set(names)
    compared = [c for c in step.changes if c.name in wanted and not c.lesion and c.mdc is not None]
    for change in compared:
        if change.verdict.called:
            text = f"{change.place}: {words.NAMES[change.name]} {change.verdict.value}, {words.from_to(change)}."
            yield Sentence(text, (change.id,))
    if not compared:
        yield Sentence(f"No {what} could be compared.")
        return
    quiet = sum(not c.verdict.called for c in compared)
    yield Sentence(f"{quiet} of {len(compared)} measurements of {what} did not change beyond their MDC.")


def _not_comparable(step: Step) -> Iterator[Sentence]:
    """Why, with everything that it holds for: vertebrae first, then measurements by reason."""
    for match in step.matches:
        if not match.comparable and step.naming.shift is not None:
            yield Sentence(f"{match.place}: not comparable, because {match.reason}.")
    why: dict[str, list[Change]] = defaultdict(list)
    for change in step.changes:
        if change.verdict is Verdict.NOT_COMPARABLE and not change.lesion:
            why[change.reason].append(change)
    for reason, changes in why.items():
        places = Counter(change.place for change in changes)
        told = ", ".join(f"{place} ({count})" for place, count in places.items())
        yield Sentence(
            f"Measurements of {told}: not comparable, because {reason}.", tuple(change.id for change in changes)
        )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
