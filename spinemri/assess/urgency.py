"""Urgent flags: a fixed screen over what was measured, which never clears anybody.

Each flag is raised, not raised, or not assessable with the reason; only a raised one carries an urgency (ACR actionable
findings: minutes, hours, days). A trigger of which one part is missing raises a borderline flag when the part that is
there is alarming. That no flag is raised is no clearance: this is an automated screen and no substitute for a reader.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.anatomy import Level
from spinemri.assess.cord import compression_certainty
from spinemri.assess.escc import AT_LEAST, ESCC_GRADE
from spinemri.assess.fracture import FRACTURE_FROM_PCT
from spinemri.assess.fracture_cause import MALIGNANT_FROM, fracture_causes
from spinemri.assess.infection import discitis_features
from spinemri.assess.marrow import is_sure
from spinemri.assess.places import head_to_foot
from spinemri.assess.stability import UNSTABLE_FROM, sins_scores
from spinemri.clinical import Answer
from spinemri.finding import Certainty, Finding, Urgency
from spinemri.language import Phrases
from spinemri.measurement import SAC_LOSSES
from spinemri.norms import threshold
from spinemri.terms import term

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spinemri.assess.evidence import Evidence
    from spinemri.lesion import Lesion
    from spinemri.measurement import Measurement

phrases = Phrases("assess.urgency")

CORD, CAUDA, UNSTABLE = "flag_cord_compression", "flag_cauda_equina", "flag_unstable_spine"
FRACTURE, METASTASES, COLLECTION = (
    "flag_fracture_with_tumour_features",
    "flag_unexpected_metastases",
    "flag_epidural_collection",
)
KINDS = (CORD, CAUDA, COLLECTION, UNSTABLE, FRACTURE, METASTASES)
COMPRESSION_FROM_PCT = threshold("cord.compressed_from")
RING_UP_TO = threshold("csf_ring.visible_above")
ESCC_FROM = threshold("urgency.escc_from")
CAUDA_ABOVE_PCT = threshold("urgency.cauda_equina_above")
TRANSLATION_FROM_MM = threshold("urgency.cervical_translation_from")
MEYERDING_2_ABOVE_PCT = threshold("slip.meyerding_1_up_to")
COLLECTION_FROM_MM3 = threshold("urgency.collection_from")
ENHANCING_ABOVE_PCT = threshold("urgency.collection_enhancement_above")
LOWEST_CONUS = Level("L2")  # Saifuddin et al., Spine 1998;23:1452: T12 to L3, seldom below L2
SOURCE = "flags and triggers: own choice of this project; categories: ACR actionable findings"
_WORDS = {
    CORD: "cord compression",
    CAUDA: "compression of the cauda equina",
    COLLECTION: "epidural collection",
    UNSTABLE: "unstable spine",
    FRACTURE: "fracture with tumour features",
    METASTASES: "tumour-like lesions without a known cancer",
}
FLAG_RULES = {
    CORD: f"ESCC from {ESCC_FROM:g}, or cord diameter reduced by {COMPRESSION_FROM_PCT:g} % or more with CSF beside at "
    f"most {RING_UP_TO:g} of its outline; borderline when the CSF was not measured or a tumour lies in the canal; "
    "whether a change of cord signal is new cannot be told from one study",
    CAUDA: f"sac area reduced by more than {CAUDA_ABOVE_PCT:g} % below {LOWEST_CONUS} with its whole interval, CSF "
    "there is not looked at; borderline where only part of the interval lies above, or by diameter alone",
    COLLECTION: f"epidural part from {COLLECTION_FROM_MM3:g} mm3 on of a lesion with features of discitis (bright "
    "disc, soft tissue beside a pair across a disc, or discitis named first) that rises by more than "
    f"{ENHANCING_ABOVE_PCT:g} % after contrast agent; never more than borderline, as neither fluid nor a rim is "
    "measured; not assessable with less enhancement or without contrast agent",
    UNSTABLE: f"SINS at least {UNSTABLE_FROM} at its lower end (borderline without a tumour-like lesion there), "
    f"new cervical translation from {TRANSLATION_FROM_MM:g} mm, or slip above "
    f"{MEYERDING_2_ABOVE_PCT:g} % beside a fracture-level body",
    FRACTURE: f"height loss from {FRACTURE_FROM_PCT:g} % with {MALIGNANT_FROM} or more malignant features",
    METASTASES: "tumour-like lesions when no cancer is known",
}
"""Kind of flag -> what raises it."""
_URGENCIES = {
    CORD: Urgency.CATEGORY_1,
    CAUDA: Urgency.CATEGORY_1,
    COLLECTION: Urgency.CATEGORY_1,
    UNSTABLE: Urgency.CATEGORY_2,
    FRACTURE: Urgency.CATEGORY_2,
    METASTASES: Urgency.CATEGORY_3,
}


def urgent_flags(evidence: Evidence) -> tuple[Finding, ...]:
    """Every flag of the screen, raised or not, the most urgent kinds first."""
    flags = (cord_flag, cauda_flag, collection_flag, unstable_flag, fracture_flag, metastases_flag)
    return tuple(flag(evidence) for flag in flags)


def cord_flag(evidence: Evidence) -> Finding:
    """Cord compression, from an ESCC grade or from the cord's diameter with the CSF around it."""
    graded = [f for f in evidence.of_kind(ESCC_GRADE) if f.grade[:1].isdigit() and int(f.grade[0]) >= ESCC_FROM]
    if graded:
        levels, worst = _levels_of(graded), max(f.grade for f in graded)
        sure = any(f.certainty is Certainty.PRESENT for f in graded)
        return _raised(
            CORD,
            phrases.ESCC.format(worst=worst, items=", ".join(map(str, levels))),
            [f.id for f in graded],
            levels,
            sure=sure,
        )
    measured = evidence.named("cord_compression_pct")
    if not measured:
        return _open(CORD, phrases.COMPRESSION_CORD_NOT_MEASURED)
    narrow = [m for m in measured if (m.value or 0.0) >= COMPRESSION_FROM_PCT]
    rings = {m.place: evidence.value(f"{m.place}.csf_ring_fraction") for m in narrow}
    bare = [m for m in narrow if (ring := rings[m.place]) is not None and ring <= RING_UP_TO]
    if bare:
        sure = any(compression_certainty(m) is Certainty.PRESENT for m in bare)
        return _measured(CORD, phrases.CORD_NARROWER_HARDLY_ANY_CSF, bare, sure=sure)
    unknown = [m for m in narrow if rings[m.place] is None]
    if unknown:
        text = phrases.CORD_NARROWER_CSF_BESIDE_NOT
        return _measured(CORD, text, unknown, sure=False)
    screened = [f for f in evidence.of_kind("escc_screen") if f.certainty is Certainty.PRESENT]
    if screened:
        levels = _levels_of(screened)
        text = phrases.TUMOUR_CANAL_COMPRESSED_CORD.format(items=", ".join(map(str, levels)))
        return _raised(CORD, text, [f.id for f in screened], levels, sure=False)
    hidden = [f for f in evidence.of_kind("escc_screen") if f.certainty is Certainty.BORDERLINE]
    hidden += [f for f in evidence.of_kind(ESCC_GRADE) if f.grade.startswith(AT_LEAST)]
    if hidden:
        where = ", ".join(map(str, _levels_of(hidden)))
        return _open(CORD, phrases.WHETHER_CORD_BESIDE_TUMOUR_CANAL.format(where=where))
    return _calm(CORD, phrases.PLACES_MEASURED.format(count=len(measured)))


def cauda_flag(evidence: Evidence) -> Finding:
    """Compression below the conus: by the whole interval of the sac's area; by a part or by diameter, borderline."""
    on_axial, on_sagittal, diameters = ([m for m in evidence.named(name) if _below_conus(m)] for name in SAC_LOSSES)
    seen = {m.place for m in on_axial if m.value is not None}
    areas = [*(m for m in on_axial if m.place in seen), *(m for m in on_sagittal if m.place not in seen)]
    if not areas and not diameters:
        return _open(CAUDA, phrases.NARROWING_SAC_BELOW_NOT_MEASURED.format(level=LOWEST_CONUS))
    by_area = [m for m in areas if _range(m)[0] > CAUDA_ABOVE_PCT]
    if by_area:
        return _measured(CAUDA, phrases.AREA_SAC_REDUCED, by_area)
    known = {m.place for m in areas}
    perhaps = [m for m in areas if _range(m)[1] > CAUDA_ABOVE_PCT]
    if perhaps:
        text = phrases.AREA_SAC_REDUCED_WITHIN_ERROR
        return _measured(CAUDA, text, perhaps, sure=False)
    thin = [m for m in diameters if _range(m)[1] > CAUDA_ABOVE_PCT and m.place not in known]
    if thin:
        text = phrases.DIAMETER_SAC_REDUCED_AREA_NOT
        return _measured(CAUDA, text, thin, sure=False)
    return _calm(CAUDA, phrases.PLACES_MEASURED.format(count=len({m.place for m in (*areas, *diameters)})))


def unstable_flag(evidence: Evidence) -> Finding:
    """Instability: SINS whose lower end is in the unstable category, a new translation, or a slip beside a fracture."""
    scores = sins_scores(evidence)
    unstable = [s for s in scores if s.low >= UNSTABLE_FROM]
    if unstable:
        text = "; ".join(
            phrases.SINS.format(level=s.level, grade=s.said, caution="" if s.tumour_like else phrases.ONLY_IF)
            for s in unstable
        )
        sure, levels = any(s.tumour_like for s in unstable), tuple(s.level for s in unstable)
        return _raised(UNSTABLE, text, [f"{s.level}.sins" for s in unstable], levels, sure=sure)
    broken = {level for level, _ in evidence.bodies_from(FRACTURE_FROM_PCT)}
    slips = [m for m in evidence.named("slip_pct") if abs(m.value or 0.0) > MEYERDING_2_ABOVE_PCT]
    beside = [m for m in slips if {m.level, m.lower} & broken]
    if beside:
        return _measured(UNSTABLE, phrases.SLIP_BESIDE_FRACTURE_LEVEL_BODY, beside)
    cervical = [m for m in evidence.named("slip_mm") if m.level is not None and m.level.region == "C"]
    far = [(m, _new(evidence, m)) for m in cervical if abs(m.value or 0.0) >= TRANSLATION_FROM_MM]
    text = phrases.TRANSLATION_MM
    if surely := [m for m, new in far if new is Answer.YES]:
        return _measured(UNSTABLE, text, surely)
    if perhaps := [m for m, new in far if new is Answer.UNKNOWN]:
        return _measured(UNSTABLE, phrases.TRANSLATION_PERHAPS_NEW, perhaps, sure=False)
    gaps = [
        phrases.SINS_NOT_DETERMINED.format(level=s.level, low=s.low, high=s.high)
        for s in scores
        if s.high >= UNSTABLE_FROM
    ]
    gaps += [] if evidence.named("slip_mm") else [phrases.SLIP_NOT_MEASURED]
    gaps += [] if evidence.searched else [phrases.MARROW_NOT_SEARCHED]
    return (
        _open(UNSTABLE, "; ".join(gaps)) if gaps else _calm(UNSTABLE, phrases.LEVELS_SCORED.format(count=len(scores)))
    )


def _new(evidence: Evidence, slip: Measurement) -> Answer:
    """Whether a slip is new, as the user says of either of its vertebrae."""
    answers = [evidence.clinical.translation_at(level) for level in slip.levels]
    return next((answer for answer in (Answer.YES, Answer.NO) if answer in answers), Answer.UNKNOWN)


def fracture_flag(evidence: Evidence) -> Finding:
    """A fracture-level body with malignant features; those that were not measured may be there."""
    broken = [cause for cause in fracture_causes(evidence) if cause.loss_pct >= FRACTURE_FROM_PCT]
    worry = [cause for cause in broken if len(cause.malignant) >= MALIGNANT_FROM]
    if worry:
        text = "; ".join(
            phrases.HEIGHT_LOSS_WITH.format(level=c.level, loss_pct=c.loss_pct, items=", ".join(c.malignant))
            for c in worry
        )
        sure = any(cause.sure for cause in worry)
        ids = [id_ for cause in worry for id_ in cause.evidence]
        return _raised(FRACTURE, text, ids, tuple(c.level for c in worry), sure=sure)
    if not evidence.named("height_loss_pct"):
        return _open(FRACTURE, phrases.NO_HEIGHT_LOSS_MEASURED)
    unseen = [str(cause.level) for cause in broken if not cause.searched]
    if unseen:
        return _open(FRACTURE, phrases.MARROW_OF_NOT_SEARCHED.format(items=", ".join(unseen)))
    untold = [cause for cause in broken if len(cause.malignant) + len(cause.unknown) >= MALIGNANT_FROM]
    if untold:
        text = "; ".join(
            phrases.FEATURES_OF.format(items=", ".join(cause.unknown), level=cause.level) for cause in untold
        )
        return _open(FRACTURE, phrases.NOT_MEASURED.format(text=text))
    return _calm(FRACTURE, phrases.FRACTURE_LEVEL_BODIES.format(count=len(broken)))


def metastases_flag(evidence: Evidence) -> Finding:
    """Tumour-like lesions in a patient of whom no cancer is known."""
    if not evidence.searched:
        return _open(METASTASES, phrases.MARROW_NOT_SEARCHED)
    lesions, known = evidence.tumour_like, evidence.clinical.known_cancer
    if not lesions or known is Answer.YES:
        return _calm(METASTASES, phrases.CANCER_KNOWN if lesions else phrases.NO_LESION_CALLED_TUMOUR_LIKE)
    levels = _levels_of(lesions)
    told = phrases.NO_CANCER_KNOWN if known is Answer.NO else phrases.NO_CANCER_HISTORY_GIVEN
    text = f"{', '.join(map(str, levels))}; {told}"
    sure = any(is_sure(lesion) for lesion in lesions)
    return _raised(METASTASES, text, [f"{v.id}.lesion_volume" for v in lesions], levels, sure=sure)


def collection_flag(evidence: Evidence) -> Finding:
    """An epidural mass beside features of discitis; whether it is fluid, or enhances at its rim only, is not measured.

    So it is never sure. A mass that takes up more contrast agent than healthy marrow is possibly one; one that does not
    may still have a thin rim, and nobody can say.
    """
    if not evidence.searched:
        return _open(COLLECTION, phrases.MARROW_NOT_SEARCHED)
    masses = [
        (lesion, features)
        for lesion, signs, entities in evidence.judged
        if signs.epidural_mm3 is None or signs.epidural_mm3 >= COLLECTION_FROM_MM3
        if (features := discitis_features(lesion, signs, entities)) is not False
    ]
    sizes = {v.id: evidence.value(f"{v.id}.lesion_epidural_volume") for v, _ in masses}
    infected = [v for v, features in masses if features and sizes[v.id] is not None]
    bright = [v for v in infected if (evidence.value(f"{v.id}.lesion_enhancement_pct") or 0.0) > ENHANCING_ABOVE_PCT]
    untold = phrases.WHETHER_FLUID_OR_ENHANCES_RIM
    if bright:
        levels = _levels_of(bright)
        text = phrases.EPIDURAL_MASS_BESIDE_FEATURES_DISCITIS.format(items=", ".join(map(str, levels)))
        ids = [f"{v.id}.lesion_{name}" for v in bright for name in ("epidural_volume", "enhancement_pct")]
        return _raised(COLLECTION, f"{text}; {untold}", ids, levels, sure=False)
    where = ", ".join(map(str, _levels_of(infected)))
    seen = phrases.EPIDURAL_MASS_LIES_BESIDE_FEATURES.format(where=where, untold=untold) if infected else ""
    if not any(series.contrast_agent == "given" for series in evidence.used):
        return _open(COLLECTION, phrases.NO_SERIES_AFTER_CONTRAST_AGENT.format(seen=seen))
    if infected:
        return _open(COLLECTION, phrases.NO_CLEAR_UPTAKE_CONTRAST_AGENT.format(seen=seen))
    if masses:
        where = ", ".join(map(str, _levels_of([v for v, _ in masses])))
        return _open(COLLECTION, phrases.WHETHER_EPIDURAL_MASS_OR_FEATURES.format(where=where))
    return _calm(COLLECTION, phrases.NO_EPIDURAL_MASS_BESIDE_FEATURES)


def _range(measurement: Measurement) -> tuple[float, float]:
    """The 95 % interval, or the value alone."""
    value = measurement.value or 0.0
    return measurement.interval or (value, value)


def _below_conus(measurement: Measurement) -> bool:
    level = measurement.level
    if level is None or level.is_relative or level < LOWEST_CONUS:
        return False
    return measurement.lower is not None or level > LOWEST_CONUS


def _levels_of(found: Sequence[Finding | Lesion]) -> tuple[Level, ...]:
    """Their levels, head to foot."""
    return head_to_foot(level for one in found for level in one.levels)


def _measured(kind: str, text: str, found: Sequence[Measurement], *, sure: bool = True) -> Finding:
    """A flag raised by measurements, the largest first; ``text`` takes value and place of each."""
    ranked = sorted(found, key=lambda m: -abs(m.value or 0.0))
    said = "; ".join(text.format(value=abs(m.value or 0.0), place=m.place, limit=CAUDA_ABOVE_PCT) for m in ranked)
    levels = tuple(dict.fromkeys(v for m in ranked for v in (m.level, m.lower) if v is not None))
    return _raised(kind, said, [m.id for m in ranked], levels, sure=sure)


def _raised(kind: str, text: str, ids: Sequence[str], levels: tuple[Level, ...], *, sure: bool = True) -> Finding:
    word = (phrases["RAISED"] if sure else phrases["POSSIBLE"])[kind]
    return _flag(
        kind,
        phrases.RAISED_FLAG.format(flag=word, text=text),
        Certainty.PRESENT if sure else Certainty.BORDERLINE,
        evidence=tuple(dict.fromkeys(ids)),
        levels=levels,
        urgency=_URGENCIES[kind],
    )


def _calm(kind: str, looked: str) -> Finding:
    return _flag(
        kind,
        phrases.NO_FLAG.format(flag=term(_WORDS[kind]), looked=looked, no_clearance=phrases.NO_CLEARANCE),
        Certainty.ABSENT,
    )


def _open(kind: str, why: str) -> Finding:
    return _flag(kind, phrases.FLAG_NOT_ASSESSABLE.format(flag=term(_WORDS[kind]), why=why), Certainty.NOT_ASSESSABLE)


def _flag(kind: str, statement: str, certainty: Certainty, **more: object) -> Finding:
    common = {"id": kind, "kind": kind, "rule": FLAG_RULES[kind], "source": SOURCE, "cause": _WORDS[kind]}
    return Finding.model_validate({**common, "statement": statement, "certainty": certainty, **more})
