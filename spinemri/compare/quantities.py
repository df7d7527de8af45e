"""The same measurement at two examinations: stable within the minimal detectable change, or changed beyond it.

Angles between vertebrae, discs' heights and the like follow how the patient lay, and are not compared. Signals depend
on the scanner: they are compared only where both series state field strength, repetition and echo time and these agree
within a tenth (own choice). Losses of sac and cord are shares of what the nearest normal levels show: they are compared
only where both examinations took the same ones. Sizes and losses of the sac near its lower end are not compared: it
tapers to nothing there, and a few millimetres of where it was seen to end are a narrowing. A slip on S1 is not
compared, for its posterior corner is hard to tell. Everything else is a size with its own interval, whatever the slices
were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.compare.comparison import Change, Verdict
from spinemri.language import Phrases
from spinemri.measurement import NEAR_SAC_END, Status, minimal_detectable_change
from spinemri.norms import NORMS, source_of, threshold

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from spinemri.analysis import Analysis
    from spinemri.anatomy import Level
    from spinemri.measurement import Measurement
    from spinemri.series import Series

phrases = Phrases("compare.quantities")

SIZES = (
    *("height_loss_pct", "anterior_height", "middle_height", "posterior_height", "volume_loss_pct", "retropulsion_mm"),
    *("endplate_depression_superior_mm", "endplate_depression_inferior_mm", "slip_mm"),
    *("dural_sac_ap", "dural_sac_compromise_pct", "dural_sac_area", "dural_sac_area_compromise_pct"),
    *("axial_sac_area", "axial_sac_area_compromise_pct", "cord_ap", "cord_area", "cord_compression_pct"),
    *("axial_cord_area", "cord_compression_ratio", "cord_t2_length_mm"),
)
"""Sizes and shares of vertebrae, canal and cord that are compared, in the order of the tables."""
SIGNALS = ("marrow_t1_to_disc", "marrow_t1_to_muscle", "cord_t2_ratio")
"""Signals of vertebrae and cord that are compared."""
LESION_SIZES = ("lesion_volume", "lesion_diameter", "lesion_epidural_volume", "lesion_foraminal_volume")
LESION_SIGNALS = ("lesion_t1_to_marrow", "lesion_stir_to_marrow", "lesion_t2_to_marrow", "lesion_adc")
"""What is compared of a lesion; the first of the sizes decides whether it has grown."""

_FLOORS = {
    "height_loss_pct": "height_loss.detectable_change",
    "anterior_height": "body_height.detectable_change",
    "middle_height": "body_height.detectable_change",
    "posterior_height": "body_height.detectable_change",
    "endplate_depression_superior_mm": "body_height.detectable_change",
    "endplate_depression_inferior_mm": "body_height.detectable_change",
    "slip_mm": "slip.detectable_change",
    "lesion_volume": "lesion_volume.detectable_change",
    "lesion_diameter": "lesion_diameter.detectable_change",
    "lesion_epidural_volume": "lesion_compartment.detectable_change",
    "lesion_foraminal_volume": "lesion_compartment.detectable_change",
}
"""What is never told as a change, by its row in norms.csv."""
_REFERRED = ("compromise_pct", "cord_compression_pct")
_ALIKE = 0.1
_HEADERS = ("field_strength_t", "repetition_time_ms", "echo_time_ms")


def changes_of_places(earlier: Analysis, later: Analysis, names: Mapping[Level, Level]) -> Iterator[Change]:
    """Changes of vertebrae, canal and cord at places whose levels are matched, head to foot.

    Parameters
    ----------
    names : earlier name -> later name of every vertebra that may be compared
    """
    there = {(m.name, m.level, m.lower): m for m in later.measurements}
    order = {name: n for n, name in enumerate((*SIZES, *SIGNALS))}
    chosen = [m for m in earlier.measurements if m.name in order and m.level in names]
    for one in sorted(chosen, key=lambda m: (_rank(m), m.lower is not None, order[m.name])):
        if one.level is None or (one.lower is not None and one.lower not in names):
            continue
        other = there.get((one.name, names[one.level], names[one.lower] if one.lower is not None else None))
        if other is not None and not (_never(one) and _never(other)):
            yield compared(one, other, (earlier, later), one.place, _unlike(one, other, names))


def compared(
    one: Measurement, other: Measurement, analyses: tuple[Analysis, Analysis], place: str, unlike: str = ""
) -> Change:
    """One quantity at two examinations; ``unlike`` is why it may not be compared, if that is known."""
    gap = _gap(one, other) or unlike or _acquired_differently(one, other, analyses)
    change = None if one.value is None or other.value is None or gap else other.value - one.value
    mdc = None if change is None else _detectable(one, other)
    verdict = Verdict.NOT_COMPARABLE if gap else _verdict(change, mdc)
    return Change(
        id=f"{place}.{one.name}",
        name=one.name,
        place=place,
        baseline=one.value,
        baseline_interval=one.interval,
        later=other.value,
        later_interval=other.interval,
        change=change,
        unit=one.unit,
        mdc=mdc,
        mdc_source=_source(one, mdc),
        verdict=verdict,
        reason=gap,
        evidence=(one.id, other.id),
    )


def _unlike(one: Measurement, other: Measurement, names: Mapping[Level, Level]) -> str:
    """Why two sizes are no measures of the same; '' where they are."""
    if one.name == "slip_mm" and any(level.region == "S" for level in (*one.levels, *other.levels)):
        return phrases.POSTERIOR_CORNER_S1_HARD_TELL
    if NEAR_SAC_END in (*one.flags, *other.flags):
        return phrases.NEAR_SAC_END.format(limit=threshold("sac.taper"))
    if one.name.endswith(_REFERRED) and [names.get(v, v) for v in one.reference_levels] != [*other.reference_levels]:
        levels = [", ".join(map(str, m.reference_levels)) or phrases.NONE for m in (one, other)]
        return phrases.COMPARED_WITH_OTHER_LEVELS_EARLIER.format(earlier=levels[0], later=levels[1])
    return ""


def _rank(measurement: Measurement) -> int:
    return measurement.level.rank if measurement.level else 0


def _never(measurement: Measurement) -> bool:
    """Whether a value is missing for a reason of anatomy rather than of this examination: it is not worth a line."""
    return measurement.status is Status.NOT_ASSESSABLE


def _gap(one: Measurement, other: Measurement) -> str:
    said = [
        phrases.EXAMINATION.format(when=when, reason=m.reason.rstrip("."))
        for when, m in ((phrases.EARLIER, one), (phrases.LATER, other))
        if m.value is None
    ]
    if said:
        return "; ".join(said)
    return "" if one.interval and other.interval else phrases.MEASUREMENT_HAS_NO_INTERVAL


def _acquired_differently(one: Measurement, other: Measurement, analyses: tuple[Analysis, Analysis]) -> str:
    """Why two signals may not be compared; '' where they may, and for sizes."""
    if one.name not in (*SIGNALS, *LESION_SIGNALS):
        return ""
    series = [_series(analysis, m.series_uid) for analysis, m in zip(analyses, (one, other), strict=True)]
    if series[0] is None or series[1] is None:
        return phrases.NOT_KNOWN_WHICH_SERIES_SIGNALS
    if series[0].contrast is not series[1].contrast:
        return phrases.SIGNALS_ARE.format(earlier=series[0].contrast.value, later=series[1].contrast.value)
    for name in _HEADERS:
        values = [getattr(s, name) for s in series]
        if any(not v for v in values):
            return phrases.IMAGES_DO_NOT_STATE_THEIR.format(scanned=phrases["SCANNED"][name])
        if abs(values[0] - values[1]) > _ALIKE * max(values):
            return phrases.DIFFERS.format(scanned=phrases["SCANNED"][name], earlier=values[0], later=values[1])
    return ""


def _series(analysis: Analysis, uid: str | None) -> Series | None:
    return next((s for s in analysis.used_series() if s.series_uid == uid), None)


def _detectable(one: Measurement, other: Measurement) -> float | None:
    own = minimal_detectable_change(one, other)
    if own is None or one.value is None or other.value is None:
        return None
    floor = _floor(one.name)
    if floor is None:
        return own
    share = max(abs(one.value), abs(other.value)) / 100 if _norm_unit(floor) == "%" and one.unit != "%" else 1.0
    return max(own, threshold(floor) * share)


def _floor(name: str) -> str | None:
    """The norm that says which change of a quantity is never told, in its unit or percent of it; None without one."""
    if name in (*SIGNALS, *LESION_SIGNALS):
        return "signal.detectable_change"
    return _FLOORS.get(name)


def _norm_unit(name: str) -> str:
    """The unit of a threshold."""
    return NORMS[name, ""].unit


def _source(one: Measurement, mdc: float | None) -> str:
    if mdc is None:
        return ""
    floor = _floor(one.name)
    own = phrases.OWN_INTERVALS + (phrases.REPEATED if (f"repeatability.{one.name}", "") in NORMS else "")
    if floor is None:
        return own
    unit = _norm_unit(floor)
    what = phrases.POINTS if unit == one.unit == "%" else phrases.LARGER_VALUE if unit == "%" else unit
    return phrases.LEAST.format(own_intervals=own, limit=threshold(floor), what=what, source=source_of(floor))


def _verdict(change: float | None, mdc: float | None) -> Verdict:
    if change is None or mdc is None or abs(change) <= mdc:
        return Verdict.STABLE
    return Verdict.INCREASED if change > 0 else Verdict.DECREASED
