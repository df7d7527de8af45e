"""The section on marrow lesions, ready to print: a card with pictures per lesion, then one table of all of them.

A card shows what a reader checks first: the outline in every sequence, place and size, how sure, what it may be, and
the signal with what it is compared with. What could not be measured is told in the table only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spinemri import plot
from spinemri.finding import Urgency
from spinemri.language import number
from spinemri.report.lesion_figure import lesion_pictures
from spinemri.report.lesion_values import (
    BODY_SHARE,
    DIAMETER,
    VOLUME,
    finding_of,
    first_kind,
    gaps_of,
    kinds_text,
    levels_text,
    looks_benign,
    named_kinds,
    probability_text,
    quantity,
    sequence_name,
    values_of,
)
from spinemri.report.marrow import lesion_sentence, screen_sentence
from spinemri.report.phrases import marrow_phrases as words
from spinemri.report.phrases import phrases
from spinemri.report.reviewed import beside
from spinemri.terms import term

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from spinemri.analysis import Analysis
    from spinemri.case import Case
    from spinemri.lesion import Lesion
    from spinemri.measurement import Measurement
    from spinemri.report.lesion_figure import LesionPicture
    from spinemri.report.sentences import Sentence

MOST_CARDS = 24
_RATIOS = ("lesion_t1_to_marrow", "lesion_t1_to_disc", "lesion_stir_to_marrow", "lesion_stir_to_muscle")
"""Signals that have a column in the table of lesions."""
_SIGNALS = {
    "t1": (*_RATIOS[:2], "lesion_t1_to_muscle"),
    "stir": _RATIOS[2:],
    "t2": ("lesion_t2_to_marrow",),
    "other": ("lesion_enhancement_pct", "lesion_opposed_phase_ratio", "lesion_adc", "lesion_disc_signal_ratio"),
}
"""Heading -> the signals of a card that stand under it."""
_MICRO = 1000.0  # ADC is written in 10⁻³ mm²/s
_SMALLEST = 0.5  # of a unit: less rounds to nothing


@dataclass(frozen=True)
class Share:
    """One kind of a lesion with its share of the evidence, and the length of its bar in percent."""

    name: str
    share: str
    bar: float


@dataclass(frozen=True)
class Fact:
    """A heading and what stands under it."""

    title: str
    items: tuple[str, ...]


@dataclass(frozen=True)
class LesionCard:
    """One lesion with its pictures."""

    id: str
    levels: str
    side: str
    colour: str
    tone: str
    size: str
    probability: str
    bar: float
    kinds: tuple[Share, ...]
    facts: tuple[Fact, ...]
    sentence: Sentence
    pictures: tuple[LesionPicture, ...]


@dataclass(frozen=True)
class LesionRow:
    """One lesion in the table; ``linked`` when it has a card."""

    id: str
    linked: bool
    levels: str
    side: str
    colour: str
    tone: str
    sizes: tuple[str, ...]
    probability: str
    kinds: str
    ratios: tuple[str, ...]
    remark: str


@dataclass(frozen=True)
class LesionSection:
    """Everything the page says of marrow lesions."""

    screen: Sentence
    cards: tuple[LesionCard, ...]
    rows: tuple[LesionRow, ...]
    ratio_titles: tuple[tuple[str, str], ...]
    gaps: str
    more: str


@dataclass(frozen=True)
class Mark:
    """What stands beside a level in the table of levels: a lesion, linked to its card or its row."""

    href: str
    title: str
    tone: str


def lesion_section(case: Case) -> LesionSection | None:
    """Cards and table of a case; None when no lesion was reported."""
    analysis = case.analysis
    if not analysis.lesions:
        return None
    shown, count = analysis.lesions[:MOST_CARDS], len(analysis.lesions)
    common = _common_gaps(analysis)
    items = "; ".join(_gap(analysis, reason, names) for reason, names in common.items())
    return LesionSection(
        screen=screen_sentence(analysis),
        cards=tuple(_card(case, lesion) for lesion in shown),
        rows=tuple(_row(analysis, lesion, common, linked=lesion in shown) for lesion in analysis.lesions),
        ratio_titles=tuple(_split(sequence_name(analysis, words["NAMES"][n])) for n in _RATIOS),
        gaps=words.NO_VALUE_ANY.format(items=items) if items and count > 1 else "",
        more=words["PAGE"]["more"].format(shown=len(shown), count=count) if count > len(shown) else "",
    )


def marks(analysis: Analysis) -> dict[str, tuple[Mark, ...]]:
    """Lesions beside each level's name in the table of levels, by level."""
    found: dict[str, tuple[Mark, ...]] = {}
    for lesion in analysis.lesions:
        kind = term(first_kind(lesion, finding_of(analysis, lesion)).value)
        title = words["PAGE"]["mark"].format(lesion=lesion.id, kind=kind)
        anchor = "#" if lesion in analysis.lesions[:MOST_CARDS] else "#row-"
        mark = Mark(f"{anchor}{lesion.id}", title, _tone(analysis, lesion))
        for level in lesion.levels:
            found[str(level)] = (*found.get(str(level), ()), mark)
    return found


def _card(case: Case, lesion: Lesion) -> LesionCard:
    analysis = case.analysis
    values = values_of(analysis, lesion)
    kinds = named_kinds(lesion)
    return LesionCard(
        id=lesion.id,
        levels=levels_text(analysis, lesion),
        side=term(lesion.side),
        colour=plot.level_colour(lesion.level),
        tone=_tone(analysis, lesion),
        size=quantity(values.get(DIAMETER)),
        probability=probability_text(lesion),
        bar=round(100 * lesion.probability, 1),
        kinds=tuple(Share(term(kind.value), f"{100 * share:.0f} %", round(100 * share, 1)) for kind, share in kinds),
        facts=tuple(fact for fact in _facts(analysis, lesion, values) if fact.items),
        sentence=beside(analysis, lesion_sentence(analysis, lesion)),
        pictures=lesion_pictures(case, lesion),
    )


def _tone(analysis: Analysis, lesion: Lesion) -> str:
    finding = finding_of(analysis, lesion)
    if finding is not None and finding.urgency is not Urgency.NONE:
        return "urgent"
    if looks_benign(lesion, finding):
        return "benign"
    return "borderline" if finding is not None and finding.certainty.value == "borderline" else "abnormal"


def _facts(analysis: Analysis, lesion: Lesion, values: Mapping[str, Measurement]) -> Iterator[Fact]:
    sizes = [quantity(values.get(DIAMETER)), quantity(values.get(VOLUME))]
    share = quantity(values.get(BODY_SHARE))
    sizes += [words.OF_BODY.format(value=share, level=lesion.level)] if share else []
    yield Fact(words["PAGE"]["size"], tuple(size for size in sizes if size))
    for title, names in _SIGNALS.items():
        made = [(words["SIGNALS"][name], values[name]) for name in names if name in values]
        told = (wording.format(value=_scaled(m)) for wording, m in made if m.value is not None)
        yield Fact(sequence_name(analysis, words["SIGNAL_TITLES"][title]), tuple(told))
    yield Fact(words["PAGE"]["extent"], tuple(_extent(values)))


def _scaled(measurement: Measurement) -> float:
    value = measurement.value or 0.0
    return value * _MICRO if measurement.unit == "mm2/s" else value


def _extent(values: Mapping[str, Measurement]) -> Iterator[str]:
    """Where a lesion reaches; what rounds to nothing is left out."""
    for name, wording in words["EXTENT"].items():
        m = values.get(name)
        if m is None or (m.value or 0.0) < _SMALLEST:
            continue
        sides = [flag.removeprefix("side:") for flag in m.flags if flag.startswith("side:")]
        side = words.EXTENT_SIDE.format(side=words["SIDES"].get(sides[0], sides[0])) if sides else ""
        yield wording.format(value=quantity(m), side=side if "{side}" in wording else "")


def _row(analysis: Analysis, lesion: Lesion, common: Mapping[str, tuple[str, ...]], *, linked: bool) -> LesionRow:
    values = values_of(analysis, lesion)
    own = {
        reason: tuple(name for name in names if name not in common.get(reason, ()))
        for reason, names in gaps_of(values.values()).items()
    }
    return LesionRow(
        id=lesion.id,
        linked=linked,
        levels=levels_text(analysis, lesion),
        side=term(lesion.side) or phrases.EMPTY,
        colour=plot.level_colour(lesion.level),
        tone=_tone(analysis, lesion),
        sizes=tuple(quantity(values.get(name)) or phrases.EMPTY for name in (DIAMETER, VOLUME, BODY_SHARE)),
        probability=probability_text(lesion),
        kinds=kinds_text(lesion),
        ratios=tuple(_ratio(values.get(name)) for name in _RATIOS),
        remark="; ".join(_gap(analysis, reason, names) for reason, names in own.items() if names) or phrases.EMPTY,
    )


def _ratio(measurement: Measurement | None) -> str:
    return phrases.EMPTY if measurement is None or measurement.value is None else number(measurement.value, ".2f")


def _gap(analysis: Analysis, reason: str, names: tuple[str, ...]) -> str:
    return words.NO_VALUE.format(names=sequence_name(analysis, ", ".join(names)), reason=reason)


def _common_gaps(analysis: Analysis) -> dict[str, tuple[str, ...]]:
    """Gaps that every one of several lesions has: told once under the table instead of in every row."""
    first, *others = [gaps_of(values_of(analysis, lesion).values()) for lesion in analysis.lesions]
    if not others:
        return {}
    shared = {
        reason: tuple(name for name in names if all(name in other.get(reason, ()) for other in others))
        for reason, names in first.items()
    }
    return {reason: names for reason, names in shared.items() if names}


def _split(name: str) -> tuple[str, str]:
    """'T1w / marrow' as the two lines of a column's title."""
    sequence, _, tissue = name.partition(" / ")
    return sequence, tissue
