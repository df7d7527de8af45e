"""Compression, displacement and T2 signal of the cord; and, beside a tumour in the canal, a screen for compression.

Compression and displacement are told apart: a tumour often pushes a cord aside long before it flattens it. A cord is
compressed from 15 % loss of its own diameter, equivocal from 10 %, if anything can press on it: healthy cords vary in
size along the neck, and masks are drawn too thick or too thin. An ESCC grade is read on axial T2w images at the
worst level; from sagittal ones only 'low', 'possible high' or 'indeterminate' is said, never a digit. The cord's signal
is always stated: normal, raised or not assessable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.assess.cause import EPIDURAL_TUMOUR, lies_in_canal, narrowing_causes
from spinemri.assess.certainty import reached
from spinemri.assess.places import located, references, where, why_missing
from spinemri.finding import Certainty, Finding
from spinemri.language import Phrases
from spinemri.measurement import Measurement, below_the_cord
from spinemri.norms import source_of, threshold
from spinemri.terms import term

if TYPE_CHECKING:
    from collections.abc import Mapping

phrases = Phrases("assess.cord")


COMPRESSION, DISPLACEMENT, SIGNAL, ESCC = "cord_compression", "cord_displacement", "cord_signal", "escc_screen"
EQUIVOCAL_FROM_PCT, COMPRESSED_FROM_PCT = threshold("cord.equivocal_from"), threshold("cord.compressed_from")
DISPLACED_FROM_MM, VISIBLE_ABOVE = threshold("cord.displaced_from"), threshold("csf_ring.visible_above")
ALL_ROUND = threshold("cord.fluid_all_round")
PRESSED_BELOW, SAC_NORMAL_UP_TO_PCT = threshold("cord.pressed_ring_below"), threshold("narrowing.normal_up_to")
RAISED_FROM, SURELY_RAISED_FROM = threshold("cord_signal.raised_from"), threshold("cord_signal.surely_raised_from")

COMPRESSION_RULE = (
    f"loss of mid-sagittal cord diameter against the nearest normal levels: below {EQUIVOCAL_FROM_PCT:g} % none, up to "
    f"{COMPRESSED_FROM_PCT:g} % equivocal, from there compressed; displaced from {DISPLACED_FROM_MM:g} mm, which is no "
    "compression; no compression either where nothing presses: no tumour in the canal, fluid on "
    f"{100 * PRESSED_BELOW:g} % or more of its front and back edge, and a sac that lost no more than "
    f"{SAC_NORMAL_UP_TO_PCT:g} %; borderline at most where fluid is seen that far, or on "
    f"{100 * ALL_ROUND:g} % beside something in the canal"
)
_SAC_LOSS = "dural_sac_compromise_pct"
_NAMED = (Certainty.PRESENT, Certainty.BORDERLINE)
COMPRESSION_SOURCE = f"formula: Miyanji et al., Radiology 2007;243:820; limits: {source_of('cord.compressed_from')}"
SIGNAL_RULE = (
    f"T2w signal against the patient's own cord: below {RAISED_FROM:g} normal, from {SURELY_RAISED_FROM:g} raised, "
    "between borderline"
)
SIGNAL_SOURCE = source_of("cord_signal.raised_from")
ESCC_RULE = (
    "tumour in the canal, sagittal images only: possible high grade (2 or 3) when the cord is compressed, "
    "indeterminate when that is equivocal or cannot be measured, when fluid is seen all round a thin cord or nowhere "
    "around it, else low grade (0 to 1c)"
)
ESCC_SOURCE = "grades: Bilsky et al., J Neurosurg Spine 2010;13:324; the screen is this project's own"


def compression_finding(measurements: Mapping[str, Measurement], compression: Measurement) -> Finding:
    """The finding at one disc or mid-body.

    Parameters
    ----------
    measurements : id -> measurement
    compression : the place's ``cord_compression_pct``
    """
    near = [measurements.get(f"{compression.place}.{name}") for name in ("csf_ring_fraction", _SAC_LOSS)]
    beside = narrowing_causes(measurements, compression)
    filled = any(lies_in_canal(cause) for cause, _ in beside)
    pressed = _may_be_pressed(*near) or filled
    certainty = compression_certainty(compression) if pressed else _without_pressure(compression)
    if certainty is Certainty.PRESENT and _amid_fluid(near[0], ALL_ROUND if filled else PRESSED_BELOW):
        certainty = Certainty.BORDERLINE
    causes = beside if certainty in _NAMED else ()
    known = [m.id for m in near if m is not None and m.value is not None]
    return Finding(
        **located(compression, COMPRESSION),
        grade=_grade(compression, certainty),
        cause=", ".join(dict.fromkeys(cause for cause, _ in causes)),
        certainty=certainty,
        statement=_compression_statement(compression, certainty, near[0]),
        evidence=(compression.id, *known, *(id_ for _, id_ in causes)),
        rule=COMPRESSION_RULE,
        source=COMPRESSION_SOURCE,
    )


def compression_certainty(compression: Measurement) -> Certainty:
    """Whether the cord has lost diameter; borderline too when its interval still reaches what is no loss."""
    certainty = reached(compression, EQUIVOCAL_FROM_PCT)
    equivocal = (compression.value or 0.0) < COMPRESSED_FROM_PCT
    return Certainty.BORDERLINE if certainty is Certainty.PRESENT and equivocal else certainty


def _may_be_pressed(ring: Measurement | None, sac_loss: Measurement | None) -> bool:
    """Whether anything can press on the cord: fluid is missing around it, the sac is narrowed, or that is not known."""
    fluid = None if ring is None else ring.value
    lost = None if sac_loss is None else sac_loss.value
    free = fluid is not None and fluid >= PRESSED_BELOW and lost is not None and lost <= SAC_NORMAL_UP_TO_PCT
    return not free


def _amid_fluid(ring: Measurement | None, least: float) -> bool:
    """Whether fluid surrounds the cord: what has flattened a cord touches it, and a mask drawn too thin has fluid."""
    return ring is not None and ring.value is not None and ring.value >= least


def _without_pressure(compression: Measurement) -> Certainty:
    return Certainty.NOT_ASSESSABLE if compression.value is None else Certainty.ABSENT


def displacement_finding(measurements: Mapping[str, Measurement], shift: Measurement) -> Finding:
    """Whether the cord is pushed aside at one place, which is no compression.

    Parameters
    ----------
    measurements : id -> measurement
    shift : the place's ``cord_shift_mm``
    """
    place, away = where(shift), abs(shift.value or 0.0)
    causes: tuple[tuple[str, str], ...] = ()
    if shift.value is None:
        certainty, text = (
            Certainty.NOT_ASSESSABLE,
            phrases.DISPLACEMENT_CORD_NOT_ASSESSABLE.format(place=place, reason=shift.reason),
        )
    elif away < DISPLACED_FROM_MM:
        certainty, text = Certainty.ABSENT, phrases.CORD_NOT_DISPLACED_MM.format(place=place, away=away)
    else:
        half = (shift.interval[1] - shift.interval[0]) / 2 if shift.interval else 0.0
        certainty = Certainty.PRESENT if away - half >= DISPLACED_FROM_MM else Certainty.BORDERLINE
        causes = narrowing_causes(measurements, shift)
        doubt = phrases.PERHAPS if certainty is Certainty.BORDERLINE else ""
        text = phrases.CORD_DISPLACED_MM.format(
            place=place, doubt=doubt, away=away, what=phrases.POSTERIORLY if shift.value > 0 else phrases.ANTERIORLY
        )
    return Finding(
        **located(shift, DISPLACEMENT),
        cause=", ".join(dict.fromkeys(cause for cause, _ in causes)),
        certainty=certainty,
        statement=text,
        evidence=(shift.id, *(id_ for _, id_ in causes)),
        rule=COMPRESSION_RULE,
        source=source_of("cord.displaced_from"),
    )


def signal_finding(measurements: Mapping[str, Measurement], ratio: Measurement) -> Finding:
    """The T2w signal of the cord at one place.

    Parameters
    ----------
    measurements : id -> measurement
    ratio : the place's ``cord_t2_ratio``
    """
    length = measurements.get(f"{ratio.place}.cord_t2_length_mm")
    place = where(ratio)
    if ratio.value is None:
        certainty, grade = Certainty.NOT_ASSESSABLE, ""
        text = phrases.SIGNAL_CORD_NOT_ASSESSABLE.format(place=place, reason=ratio.reason)
    elif ratio.value < RAISED_FROM:
        certainty, grade = Certainty.ABSENT, "normal"
        text = phrases.T2W_SIGNAL_CORD_NORMAL_TIMES.format(place=place, value=ratio.value)
    else:
        sure = ratio.value >= SURELY_RAISED_FROM
        certainty, grade = Certainty.PRESENT if sure else Certainty.BORDERLINE, "raised"
        over = phrases.OVER_MM.format(value=length.value) if length is not None and length.value else ""
        text = phrases.T2W_SIGNAL_CORD_RAISED_TIMES.format(
            place=place, doubt="" if sure else phrases.PERHAPS, value=ratio.value, over=over
        )
    return Finding(
        **located(ratio, SIGNAL),
        grade=grade,
        certainty=certainty,
        statement=text,
        evidence=(ratio.id, *((length.id,) if length is not None else ())),
        rule=SIGNAL_RULE,
        source=SIGNAL_SOURCE,
    )


def escc_screen(measurements: Mapping[str, Measurement], compression: Measurement) -> Finding | None:
    """The screen at one place; None where no tumour was seen in the canal, no cord is, or axial slices grade it.

    Parameters
    ----------
    measurements : id -> measurement
    compression : the place's ``cord_compression_pct``
    """
    tumours = [id_ for cause, id_ in narrowing_causes(measurements, compression) if cause == EPIDURAL_TUMOUR]
    size = measurements.get(f"{compression.place}.cord_ap")
    graded = measurements.get(f"{compression.place}.axial_cord_contact")
    if not tumours or graded is not None or (size is not None and size.reason == below_the_cord()):
        return None
    ring = measurements.get(f"{compression.place}.csf_ring_fraction")
    grade = _screen(compression, ring)
    certainty = {"low": Certainty.ABSENT, "possible high": Certainty.PRESENT}.get(grade, Certainty.BORDERLINE)
    return Finding(
        **located(compression, ESCC),
        cause=EPIDURAL_TUMOUR,
        grade=grade,
        certainty=certainty,
        statement=phrases.TUMOUR_CANAL_SCREEN_EPIDURAL_CORD.format(where=where(compression), grade=term(grade)),
        evidence=(compression.id, *((ring.id,) if ring is not None else ()), *tumours),
        rule=ESCC_RULE,
        source=ESCC_SOURCE,
    )


def _screen(compression: Measurement, ring: Measurement | None) -> str:
    certainty = compression_certainty(compression)
    if certainty is Certainty.PRESENT:
        return "indeterminate" if _amid_fluid(ring, ALL_ROUND) else "possible high"
    hidden = ring is None or ring.value is None or ring.value <= VISIBLE_ABOVE
    return "low" if certainty is Certainty.ABSENT and not hidden else "indeterminate"


def _grade(compression: Measurement, certainty: Certainty) -> str:
    if compression.value is None:
        return ""
    if certainty is Certainty.ABSENT:
        return "none"
    return "equivocal" if compression.value < COMPRESSED_FROM_PCT else "compressed"


def _compression_statement(compression: Measurement, certainty: Certainty, ring: Measurement | None) -> str:
    place = where(compression)
    if compression.value is None:
        why = why_missing(compression)
        return phrases.COMPRESSION_CORD.format(place=place, why=why, reason=compression.reason)
    grade = _grade(compression, certainty)
    words = {"compressed": phrases.CORD_COMPRESSED, "equivocal": phrases.COMPRESSION_CORD_EQUIVOCAL}
    doubt = grade == "compressed" and certainty is Certainty.BORDERLINE
    thin = grade == "none" and compression.value >= EQUIVOCAL_FROM_PCT
    what = (phrases.PERHAPS if doubt else "") + words.get(grade, phrases.CORD_NOT_COMPRESSED)
    loss = (phrases.THINNER if thin else phrases.DIAMETER_LOST).format(value=max(compression.value, 0.0))
    free = phrases.BUT_NOTHING_PRESSES if thin else ""
    fluid = _fluid(None if ring is None else ring.value)
    return phrases.REFERENCE.format(
        place=place, what=what, loss=loss, references=references(compression), free=free, fluid=fluid
    )


def _fluid(share: float | None) -> str:
    if share is None:
        return ""
    if share <= VISIBLE_ABOVE:
        return phrases.NO_FLUID_SEEN_FRONT_OR
    return phrases.FLUID_ALONG_FRONT_BACK_EDGE.format(share=100 * share)
