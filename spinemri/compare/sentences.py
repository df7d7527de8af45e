"""What changed, in a radiologist's sentences: lesions, height, canal, cord, signal, and what cannot be compared."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from spinemri.compare import words
from spinemri.compare.comparison import Verdict
from spinemri.compare.fractures import LOSS
from spinemri.compare.quantities import SIGNALS, SIZES
from spinemri.language import Phrases
from spinemri.terms import term

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from spinemri.compare.comparison import Change, LesionChange, Step

phrases = Phrases("compare.sentences")


class Sentence(NamedTuple):
    """A sentence, the ids of the changes it rests on, and whether it says that something has changed."""

    text: str
    evidence: tuple[str, ...] = ()
    called: bool = False


class Section(NamedTuple):
    """Sentences under a heading."""

    title: str
    sentences: tuple[Sentence, ...]


_BODY = tuple(name for name in SIZES if name != LOSS and "sac" not in name and "cord" not in name)
_CANAL = tuple(name for name in SIZES if "sac" in name or "cord" in name)


def sections(step: Step) -> tuple[Section, ...]:
    """Everything that is said of one step, in the order of a report; deterministic."""
    return (
        Section(phrases.MATCH_VERTEBRAE, tuple(_naming(step))),
        Section(
            phrases.MARROW_LESIONS, tuple(_lesion(step, one) for one in step.lesions) or _none(phrases.MARROW_LESION)
        ),
        Section(phrases.VERTEBRAL_HEIGHT, (*_fractures(step), *_places(step, _BODY, phrases.VERTEBRAL_BODY))),
        Section(phrases.CANAL_CORD, tuple(_places(step, _CANAL, phrases.CANAL_OR_CORD))),
        Section(phrases.SIGNAL, tuple(_places(step, SIGNALS, phrases.SIGNAL_MARROW_OR_CORD))),
        Section(phrases.NOT_COMPARABLE, tuple(_not_comparable(step)) or (Sentence(phrases.NOTHING_MEASURED),)),
    )


def _none(what: str) -> tuple[Sentence, ...]:
    return (Sentence(phrases.NO_EITHER_EXAMINATION.format(what=what)),)


def _naming(step: Step) -> Iterator[Sentence]:
    yield Sentence(f"{_capital(step.naming.statement)}.")
    compared = [match.place for match in step.matches if match.comparable]
    yield Sentence(phrases.COMPARED.format(items=", ".join(compared)) if compared else phrases.NO_VERTEBRA_COMPARED)


def _lesion(step: Step, lesion: LesionChange) -> Sentence:
    changes = step.of_lesion(lesion.id)
    side = f", {term(lesion.side)}" if lesion.side else ""
    said = "; ".join(_quantity(change) for change in changes if change.name in ("lesion_volume", "lesion_diameter"))
    head = phrases.LESION.format(
        id=lesion.id, place=lesion.place, side=side, kind=term(lesion.kind), verdict=term(lesion.verdict.value)
    )
    why = phrases.BECAUSE.format(reason=lesion.reason) if lesion.reason else ""
    many = ""
    if len(lesion.baseline_ids) > 1 or len(lesion.later_ids) > 1:
        many = phrases.EARLIER_LATER_LESIONS_ARE_COMPARED.format(
            count=len(lesion.baseline_ids), later=len(lesion.later_ids)
        )
    evidence = tuple(change.id for change in changes)
    return Sentence(f"{head}{why}. {_capital(said)}.{many}", evidence, lesion.verdict.called)


def _quantity(change: Change) -> str:
    name = words.phrases["NAMES"][change.name]
    if change.verdict in (Verdict.NEW, Verdict.GONE):
        there = change.later if change.verdict is Verdict.NEW else change.baseline
        limit = words.quantity(change.mdc, change.unit)
        return phrases.WHERE_LESION_FROM_WOULD_SEEN.format(
            name=name, quantity=words.quantity(there, change.unit), limit=limit
        )
    return f"{name} {words.from_to(change)}"


def _fractures(step: Step) -> Iterator[Sentence]:
    for found in step.fractures:
        change = step.change(found.change)
        if change is None:
            continue
        why = phrases.FRACTURE_BECAUSE.format(reason=found.reason) if found.reason else ""
        text = f"{found.place}: {words.phrases['FRACTURE'][found.verdict.value]}{why}, {words.from_to(change)}."
        yield Sentence(text, (found.change,), found.verdict.called)
    known = [c for c in step.changes if c.name == LOSS and c.mdc is not None]
    quiet = [c.place for c in known if c.place not in {f.place for f in step.fractures}]
    if quiet:
        limit = max(c.mdc or 0.0 for c in known)
        yield Sentence(
            phrases.NO_FRACTURE_LEVEL_LOSS_HEIGHT.format(
                items=", ".join(quiet), limit=words.quantity(limit, "%", change=True).removeprefix("+")
            )
        )


def _places(step: Step, names: Iterable[str], what: str) -> Iterator[Sentence]:
    """Changes that are called, one sentence each; and how many were looked at."""
    wanted = set(names)
    compared = [c for c in step.changes if c.name in wanted and not c.lesion and c.mdc is not None]
    for change in compared:
        if change.verdict.called:
            moved = f"{words.phrases['NAMES'][change.name]} {term(change.verdict.value)}"
            text = f"{change.place}: {moved}, {words.from_to(change)}."
            yield Sentence(text, (change.id,), called=True)
    if not compared:
        yield Sentence(phrases.NO_COULD_COMPARED.format(what=what))
        return
    quiet = sum(not c.verdict.called for c in compared)
    yield Sentence(phrases.MEASUREMENTS_DID_NOT_CHANGE_BEYOND.format(quiet=quiet, count=len(compared), what=what))


def _not_comparable(step: Step) -> Iterator[Sentence]:
    """Why, with everything that it holds for: vertebrae first, then measurements by reason."""
    for match in step.matches:
        if not match.comparable and step.naming.shift is not None:
            yield Sentence(phrases.NOT_COMPARABLE_BECAUSE.format(place=match.place, reason=match.reason))
    why: dict[str, list[Change]] = defaultdict(list)
    for change in step.changes:
        if change.verdict is Verdict.NOT_COMPARABLE and not change.lesion:
            why[change.reason].append(change)
    for reason, changes in why.items():
        places = Counter(change.place for change in changes)
        told = ", ".join(f"{place} ({count})" for place, count in places.items())
        yield Sentence(
            phrases.MEASUREMENTS_NOT_COMPARABLE_BECAUSE.format(told=told, reason=reason),
            tuple(change.id for change in changes),
        )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
