"""Every word of the comparison's text and page; numbers always with unit and level."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.compare.comparison import Verdict
from spinemri.language import Phrases
from spinemri.language import number as written
from spinemri.report.phrases import page_phrases
from spinemri.terms import term

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spinemri.compare.comparison import Change, Examined, LesionChange

phrases = Phrases("compare")

VERDICT_COLOURS = {
    Verdict.NEW: "#ff5fd2",
    Verdict.GROWN: "#ff6b5e",
    Verdict.STABLE: "#ffd166",
    Verdict.SHRUNK: "#7be495",
    Verdict.GONE: "#7fb4ff",
    Verdict.NOT_COMPARABLE: "#d5cfe2",
}
"""Colour of a lesion's outline on the dark images, by what became of it."""
_DIGITS = {"mm": 1, "%": 0, "mm2": 0, "deg": 0, "1": 2}
_UNITS = {"mm": " mm", "%": " %", "mm2": " mm²", "deg": "°", "1": "", "mm2/s": " mm²/s"}
_MILLILITRE = 1000.0
_SEVERAL = 3  # dates, of which one can be chosen
_FEW_ML = 0.095  # below which a volume is given with one more digit


def quantity(value: float | None, unit: str, *, change: bool = False) -> str:
    """'1.40 mL', '28 %', '9.5 mm'; as a change '+0.70 mL', '+23 points'; '–' without a value."""
    if value is None:
        return "–"
    sign = "+" if change else ""
    if unit == "mm3":
        millilitre = value / _MILLILITRE
        return f"{_plain(millilitre, 3 if abs(millilitre) < _FEW_ML else 2, sign)} mL"
    if unit == "mm2/s":
        return written(value, f"{sign}.2g") + _UNITS[unit]
    words = phrases.POINTS if change and unit == "%" else _UNITS.get(unit, f" {unit}")
    return _plain(value, _DIGITS.get(unit, 2), sign) + words


def _plain(value: float, digits: int, sign: str) -> str:
    rounded = round(value, digits) + 0.0  # no minus before a zero
    return written(rounded, f"{sign}.{digits}f")


def interval(limits: tuple[float, float] | None, unit: str) -> str:
    """'13 to 23 %'; '' without one."""
    if limits is None:
        return ""
    low, high = (quantity(value, unit) for value in limits)
    number, _, word = low.rpartition(" ")
    return phrases.TO.format(low=number if high.endswith(f" {word}") and number else low, high=high)


def from_to(change: Change) -> str:
    """'2.14 mL to 6.27 mL (+4.13 mL, MDC 1.78 mL)'."""
    values = phrases.TO.format(low=quantity(change.baseline, change.unit), high=quantity(change.later, change.unit))
    if change.change is None:
        return values
    moved = quantity(change.change, change.unit, change=True)
    return phrases.MDC.format(values=values, moved=moved, detectable=detectable(change))


def detectable(change: Change) -> str:
    """The minimal detectable change with its unit, '12 points'; '–' without one."""
    return quantity(change.mdc, change.unit, change=True).removeprefix("+")


def viewer(examinations: Sequence[Examined]) -> Mapping[str, object]:
    """The report's viewer in the words of the comparison; of three dates or more one can be chosen to be laid over."""
    said = {**page_phrases["VIEWER"], **phrases["VIEWER"]}
    if len(examinations) < _SEVERAL:
        return said
    return {**said, "title": phrases.ALL_DATES, "days": [short(one) for one in examinations]}


def when(one: Examined) -> str:
    """'baseline', 'examination 1, 183 days later'."""
    if one.number == 0:
        return phrases.BASELINE
    known = phrases.UNKNOWN_DATE if one.days is None else phrases.DAYS_AFTER_BASELINE.format(days=one.days)
    return phrases.EXAMINATION.format(number=one.number, known=known)


def short(one: Examined) -> str:
    """'Baseline', 'After 183 days', 'Examination 2'."""
    if one.number == 0:
        return phrases.BASELINE_TITLE
    return (
        phrases.EXAMINATION_TITLE.format(number=one.number)
        if one.days is None
        else phrases.AFTER_DAYS.format(days=one.days)
    )


def outline(change: LesionChange, number: int) -> str:
    """'lesion B, grown (baseline)', 'lesion B, grown (examination 1)': what an outline is of, and from which day."""
    day = phrases.BASELINE if number == 0 else phrases.EXAMINATION_NUMBER.format(number=number)
    return phrases.LESION.format(id=change.id, verdict=term(change.verdict.value), day=day)
