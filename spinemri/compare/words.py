"""Every word of the comparison's text and page; numbers always with unit and level."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.compare.comparison import Verdict
from spinemri.report import page_phrases

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spinemri.compare.comparison import Change, Examined, LesionChange

TITLE = "Spine MRI: comparison"
RESEARCH_USE = "Research use only. Not for diagnosis."
RULE = (
    "Nothing is called a change up to the minimal detectable change (MDC): 1.96 times the root of the summed variances "
    "of both measurements, with how far masks of one person repeat where intervals do not count it; never below the "
    "limits of norms.csv, which comparison.csv names. Angles and discs "
    "follow how the patient lay and are not compared."
)
NAMES = {
    "height_loss_pct": "loss of body height",
    "anterior_height": "anterior body height",
    "middle_height": "middle body height",
    "posterior_height": "posterior body height",
    "volume_loss_pct": "loss of body volume",
    "retropulsion_mm": "retropulsion of the posterior wall",
    "endplate_depression_superior_mm": "depression of the upper endplate",
    "endplate_depression_inferior_mm": "depression of the lower endplate",
    "slip_mm": "slip of the upper body",
    "dural_sac_ap": "AP diameter of the thecal sac",
    "dural_sac_compromise_pct": "loss of sac diameter",
    "dural_sac_area": "area of the thecal sac",
    "dural_sac_area_compromise_pct": "loss of sac area",
    "axial_sac_area": "area of the thecal sac (axial)",
    "axial_sac_area_compromise_pct": "loss of sac area (axial)",
    "cord_ap": "AP diameter of the cord",
    "cord_area": "area of the cord",
    "cord_compression_pct": "loss of cord diameter",
    "axial_cord_area": "area of the cord (axial)",
    "cord_compression_ratio": "depth / width of the cord (axial)",
    "cord_t2_length_mm": "length of raised cord signal",
    "marrow_t1_to_disc": "T1w signal of marrow / disc",
    "marrow_t1_to_muscle": "T1w signal of marrow / muscle",
    "cord_t2_ratio": "T2w signal of the cord against its own course",
    "lesion_volume": "volume",
    "lesion_diameter": "longest diameter",
    "lesion_epidural_volume": "volume in the canal",
    "lesion_foraminal_volume": "volume in the foramina",
    "lesion_t1_to_marrow": "T1w signal / unaffected marrow",
    "lesion_stir_to_marrow": "STIR signal / unaffected marrow",
    "lesion_t2_to_marrow": "T2w signal / unaffected marrow",
    "lesion_adc": "apparent diffusion coefficient",
}
"""How a quantity is called."""
FRACTURE = {
    Verdict.NEW: "new fracture-level loss of height",
    Verdict.PROGRESSED: "progressed loss of height",
    Verdict.STABLE: "loss of height without a change that can be told",
    Verdict.DECREASED: "less loss of height than before; bodies do not regain height by themselves",
    Verdict.NOT_COMPARABLE: "loss of height not comparable",
}
VERDICT_COLOURS = {
    Verdict.NEW: "#ff5fd2",
    Verdict.GROWN: "#ff6b5e",
    Verdict.STABLE: "#ffd166",
    Verdict.SHRUNK: "#7be495",
    Verdict.GONE: "#7fb4ff",
    Verdict.NOT_COMPARABLE: "#d5cfe2",
}
"""Colour of a lesion's outline on the dark images, by what became of it."""
VIEWER = {
    **page_phrases.VIEWER,
    "title": "Images of both dates",
    "about": (
        "Both dates, linked by the registration of the nearest vertebra. Click or tap an image, or leaf through it, "
        "and the other date shows the same place. Solid outlines: that day; dashed: the other day, carried over. "
        "Keys on an image: ← → slice, ↑ ↓ level, + − zoom, 0 reset, O outlines, D the other day's outlines."
    ),
    "other": "Other day's outlines",
    "laid": "of",
    "opposite": "the other image's day",
    "matched": "Linked at {level}, overlap {overlap} %",
    "unlinked": "No vertebra registered: not linked",
}
PLACES = {
    "title": "What has changed",
    "about": "Choose a place to see it at both dates.",
    "show": "Show {place} at both dates",
    "nothing": "no lesion or fracture",
    "key": "Colour of an outline",
    "no_script": "The linked viewer needs scripts, which are switched off; the pictures below show the same places.",
}
CURVES = {
    "title": "Over all dates",
    "about": (
        "Lesions, and what left the band of its baseline at any date. Bars: 95 % intervals; grey: the baseline's value "
        "with the minimal detectable change of each date; within it nothing is called a change. "
        "Below: the drawing's range."
    ),
}
_DIGITS = {"mm": 1, "%": 0, "mm2": 0, "deg": 0, "1": 2}
_UNITS = {"mm": " mm", "%": " %", "mm2": " mm²", "deg": "°", "1": "", "mm2/s": " mm²/s"}
_MILLILITRE = 1000.0
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
        return f"{value:{sign}.2g}{_UNITS[unit]}"
    words = " points" if change and unit == "%" else _UNITS.get(unit, f" {unit}")
    return _plain(value, _DIGITS.get(unit, 2), sign) + words


def _plain(value: float, digits: int, sign: str) -> str:
    rounded = round(value, digits) + 0.0  # no minus before a zero
    return f"{rounded:{sign}.{digits}f}"


def interval(limits: tuple[float, float] | None, unit: str) -> str:
    """'13 to 23 %'; '' without one."""
    if limits is None:
        return ""
    low, high = (quantity(value, unit) for value in limits)
    number, _, word = low.rpartition(" ")
    return f"{number if high.endswith(f' {word}') and number else low} to {high}"


def from_to(change: Change) -> str:
    """'2.14 mL to 6.27 mL (+4.13 mL, MDC 1.78 mL)'."""
    values = f"{quantity(change.baseline, change.unit)} to {quantity(change.later, change.unit)}"
    if change.change is None:
        return values
    moved = quantity(change.change, change.unit, change=True)
    return f"{values} ({moved}, MDC {detectable(change)})"


def detectable(change: Change) -> str:
    """The minimal detectable change with its unit, '12 points'; '–' without one."""
    return quantity(change.mdc, change.unit, change=True).removeprefix("+")


def viewer(examinations: Sequence[Examined]) -> Mapping[str, object]:
    """The words of the viewer; with three dates or more it lets one of them be chosen to be laid over."""
    if len(examinations) < 3:
        return VIEWER
    return {**VIEWER, "title": "Images of all dates", "days": [short(one) for one in examinations]}


def when(one: Examined) -> str:
    """'baseline', 'examination 1, 183 days later'."""
    if one.number == 0:
        return "baseline"
    known = "at an unknown date" if one.days is None else f"{one.days} days after the baseline"
    return f"examination {one.number}, {known}"


def short(one: Examined) -> str:
    """'Baseline', 'After 183 days', 'Examination 2'."""
    if one.number == 0:
        return "Baseline"
    return f"Examination {one.number}" if one.days is None else f"After {one.days} days"


def outline(change: LesionChange, number: int) -> str:
    """'lesion B, grown (baseline)', 'lesion B, grown (examination 1)': what an outline is of, and from which day."""
    day = "baseline" if number == 0 else f"examination {number}"
    return f"lesion {change.id}, {change.verdict.value} ({day})"
