"""The marrow of a study: diffuse change first, then focal lesions, then how many vertebrae are involved.

A focal detector compares with the marrow around it, so it fails when all marrow is abnormal: whether T1w marrow is
darker than discs ('bright disc', AJNR 1990;11:23) or hardly brighter than muscle at most levels is tested first. The
differential of diffuse change is infiltration, reconversion (anaemia, smoking, G-CSF) and myelofibrosis: it is never
called metastasis. Vertebrae are counted, not components, and nothing found is never 'no metastasis'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinemri.assess.adult import why_not
from spinemri.assess.lesion import RULE, SOURCE, judge, may_be_tumour
from spinemri.finding import Certainty, Finding
from spinemri.language import Phrases, listed
from spinemri.terms import term

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from spinemri.anatomy import Level
    from spinemri.assess.lesion import Entity, Signs
    from spinemri.lesion import Lesion, MarrowScreen
    from spinemri.measurement import Measurement

phrases = Phrases("assess.marrow")

LESION, INVOLVEMENT, DIFFUSE = "marrow_lesion", "marrow_involvement", "diffuse_marrow"
SURE_FROM = 0.8  # calibrated probability from which a lesion is called present rather than possible
BRIGHT_DISC_BELOW, LIKE_MUSCLE_BELOW = 1.0, 1.2
CONTRARY = 1.2  # times its limit: a ratio whose median is that high speaks against what the other one says
MOST_LEVELS, LEAST_LEVELS = 0.8, 4
SPREAD_ABOVE = 0.3  # relative spread of the ratio between levels above which change is patchy, not diffuse
DIFFUSE_RULE = (
    "T1w marrow / disc below 1 or / muscle below 1.2 in at least 80 % of at least 4 vertebrae, "
    "alike from level to level, the median of the other ratio less than a fifth above its limit; "
    "borderline from half of them"
)
DIFFUSE_SOURCE = "bright disc sign: AJNR 1990;11:23; myeloma patterns: Stabler, AJR 1996;167:1029"
_REGIONS = {"C": "cervical", "T": "thoracic", "L": "lumbar", "S": "sacral", "V": "unnamed"}


def assess_marrow(
    measurements: Iterable[Measurement], lesions: Sequence[Lesion], screen: MarrowScreen
) -> tuple[Finding, ...]:
    """Diffuse change, involvement, then each lesion, in the order of ``lesions``.

    Parameters
    ----------
    measurements : of the study, those of marrow and lesions among them
    lesions : from the lesion network
    screen : which marrow was looked at
    """
    by_id = {m.id: m for m in measurements}
    diffuse = diffuse_finding(by_id, screen)
    judged = judge(lesions, by_id)
    findings = [_lesion_finding(*one, by_id) for one in judged]
    suspicious = [lesion for lesion, _, entities in judged if may_be_tumour(entities[0], lesion.seen_in)]
    possible = [lesion for lesion, _, entities in judged if any(may_be_tumour(e, lesion.seen_in) for e in entities)]
    return (diffuse, involvement_finding(suspicious, screen, diffuse, possible), *findings)


def is_sure(lesion: Lesion) -> bool:
    """Whether a lesion is called present rather than possible: it is probable enough, or a person has accepted it."""
    return lesion.confirmed or lesion.probability >= SURE_FROM


def diffuse_finding(measurements: Mapping[str, Measurement], screen: MarrowScreen) -> Finding:
    """Whether the marrow is changed as a whole."""
    common = {"id": DIFFUSE, "kind": DIFFUSE, "rule": DIFFUSE_RULE, "source": DIFFUSE_SOURCE}
    names = ("marrow_t1_to_disc", "marrow_t1_to_muscle")
    assessed = set(screen.assessed)
    found = {
        name: [m for m in measurements.values() if m.name == name and m.value is not None and m.level in assessed]
        for name in names
    }
    evidence = tuple(m.id for name in names for m in found[name])
    young = next((why for name in names for m in found[name] if (why := why_not(m))), "")
    if young:
        text = phrases.DIFFUSE_IN_THE_YOUNG.format(young=young)
        return Finding(certainty=Certainty.NOT_ASSESSABLE, statement=text, evidence=evidence, **common)
    discs = [m.value for m in found[names[0]] if m.value is not None]
    muscle = [m.value for m in found[names[1]] if m.value is not None]
    if max(len(discs), len(muscle)) < LEAST_LEVELS:
        few = phrases.FEWER_THAN_VERTEBRAE_COULD_COMPARED if "T1w" in screen.contrasts else phrases.NO_T1W_SERIES
        why = few if screen.assessed else phrases.NO_VERTEBRA_LOOKED
        return Finding(
            certainty=Certainty.NOT_ASSESSABLE,
            statement=phrases.DIFFUSE_NOT_ASSESSABLE.format(why=why),
            **common,
        )
    dark = _most_below(discs, BRIGHT_DISC_BELOW), _most_below(muscle, LIKE_MUSCLE_BELOW)
    alike = min((_spread(v) for v, d in zip((discs, muscle), dark, strict=True) if d), default=1.0) < SPREAD_ABOVE
    said = _ratios_said(discs, muscle)
    if not (_half_below(discs, BRIGHT_DISC_BELOW) or _half_below(muscle, LIKE_MUSCLE_BELOW)):
        text = phrases.NO_DIFFUSE_MARROW_CHANGE_T1W.format(said=said)
        return Finding(certainty=Certainty.ABSENT, statement=text, evidence=evidence, **common)
    both = _not_contrary(discs, BRIGHT_DISC_BELOW) and _not_contrary(muscle, LIKE_MUSCLE_BELOW)
    certainty = Certainty.PRESENT if any(dark) and both and alike else Certainty.BORDERLINE
    word = phrases.DIFFUSE if certainty is Certainty.PRESENT else phrases.POSSIBLE_DIFFUSE
    text = phrases.MARROW_CHANGE_T1W_MARROW_FOCAL.format(word=word, said=said, differential=phrases.DIFFERENTIAL)
    return Finding(certainty=certainty, statement=text, evidence=evidence, **common)


def _most_below(values: Sequence[float], limit: float) -> bool:
    return len(values) >= LEAST_LEVELS and float(np.mean(np.asarray(values) < limit)) >= MOST_LEVELS


def _half_below(values: Sequence[float], limit: float) -> bool:
    return len(values) >= LEAST_LEVELS and float(np.median(values)) < limit


def _not_contrary(values: Sequence[float], limit: float) -> bool:
    """Whether a ratio was measured often enough and does not speak against diffuse change."""
    return len(values) >= LEAST_LEVELS and float(np.median(values)) < CONTRARY * limit


def _spread(values: Sequence[float]) -> float:
    return float(np.std(values)) / max(float(np.mean(values)), 1e-6)


def _ratios_said(discs: Sequence[float], muscle: Sequence[float]) -> str:
    pairs = [(name, v) for name, v in ((phrases.DISC, discs), (phrases.MUSCLE, muscle)) if len(v) >= LEAST_LEVELS]
    return ", ".join(phrases.RATIO_LEVELS.format(name=name, median=np.median(v), count=len(v)) for name, v in pairs)


def involvement_finding(
    suspicious: Sequence[Lesion], screen: MarrowScreen, diffuse: Finding, possible: Sequence[Lesion] = ()
) -> Finding:
    """Vertebrae with tumour-like lesions of those assessed, by region; or what size would have been seen."""
    common = {"id": INVOLVEMENT, "kind": INVOLVEMENT, "rule": RULE, "source": SOURCE}
    looked = tuple(dict.fromkeys((*screen.assessed, *(level for lesion in suspicious for level in lesion.levels))))
    count = len(looked)
    if not count:
        why = "; ".join(screen.warnings) or phrases.NO_VERTEBRA_LOOKED
        return Finding(
            certainty=Certainty.NOT_ASSESSABLE, statement=phrases.MARROW_LESIONS_NOT_ASSESSED.format(why=why), **common
        )
    sequences = listed(screen.contrasts or (phrases.NO_SEQUENCE,))
    hidden = (
        phrases.DIFFUSE_CHANGE_MAY_HIDE_LESIONS
        if diffuse.certainty in (Certainty.PRESENT, Certainty.BORDERLINE)
        else ""
    )
    involved = [level for level in looked if any(level in lesion.levels for lesion in suspicious)]
    doubtful = [level for level in screen.assessed if any(level in lesion.levels for lesion in possible)]
    if not involved and doubtful:
        text = phrases.NO_LESION_CALLED_TUMOUR_LIKE.format(
            count=len(doubtful), total=count, items=", ".join(map(str, doubtful)), sequences=sequences, hidden=hidden
        )
        evidence = tuple(f"{lesion.id}.lesion_volume" for lesion in possible)
        return Finding(
            levels=tuple(doubtful), certainty=Certainty.BORDERLINE, statement=text, evidence=evidence, **common
        )
    if not involved:
        limit = screen.detection_limit_mm
        size = phrases.ABOVE_MM.format(limit=limit) if limit is not None else phrases.SMALLEST_DETECTABLE_SIZE_NOT_KNOWN
        text = phrases.NO_TUMOUR_LIKE_LESION_DETECTED.format(size=size, count=count, sequences=sequences, hidden=hidden)
        return Finding(certainty=Certainty.ABSENT, statement=text, evidence=(), **common)
    sure = any(is_sure(lesion) for lesion in suspicious)
    regions = _by_region(involved, looked)
    text = phrases.VERTEBRAE_ASSESSED_HOLD_TUMOUR_LIKE.format(
        count=len(involved), total=count, regions=regions, sequences=sequences, hidden=hidden
    )
    return Finding(
        levels=tuple(involved),
        certainty=Certainty.PRESENT if sure else Certainty.BORDERLINE,
        statement=text,
        evidence=tuple(f"{lesion.id}.lesion_volume" for lesion in suspicious),
        **common,
    )


def _by_region(involved: Sequence[Level], assessed: Sequence[Level]) -> str:
    parts = []
    for region, name in _REGIONS.items():
        whole = [level for level in assessed if level.region == region]
        hit = [str(level) for level in involved if level.region == region]
        if whole:
            listed = f": {', '.join(hit)}" if hit else ""
            parts.append(phrases.REGION.format(name=term(name), count=len(hit), total=len(whole), listed=listed))
    return "; ".join(parts)


def _lesion_finding(
    lesion: Lesion, signs: Signs, entities: tuple[Entity, ...], measurements: Mapping[str, Measurement]
) -> Finding:
    own = tuple(id_ for id_ in measurements if id_.startswith(f"{lesion.id}."))
    return Finding(
        id=f"{lesion.id}.{LESION}",
        kind=LESION,
        levels=lesion.levels,
        side=lesion.side,
        cause=entities[0].kind.value,
        certainty=Certainty.PRESENT if is_sure(lesion) else Certainty.BORDERLINE,
        statement=_statement(lesion, signs, entities, measurements),
        evidence=own,
        rule=RULE,
        source=SOURCE,
    )


def _statement(
    lesion: Lesion, signs: Signs, entities: tuple[Entity, ...], measurements: Mapping[str, Measurement]
) -> str:
    """The sentence that a radiologist would write: place, size, signal, extent, the differential, what nobody knows."""
    parts = [_place_and_size(lesion, measurements), _signal(signs), _extent(signs)]
    first, *others = entities
    why = f" ({', '.join(first.speaks_for)})" if first.speaks_for else ""
    verdict = phrases.FAVOURS.format(kind=term(first.kind.value), why=why)
    if first.speaks_against:
        verdict += phrases.AGAINST.format(items=", ".join(first.speaks_against))
    more = list(
        dict.fromkeys([e.kind.value for e in others] + [k.value for e in entities for k in e.not_distinguishable_from])
    )
    more = [name for name in more if name != first.kind.value]
    also = phrases.NOT_DISTINGUISHABLE_HERE_OR_CONSIDERED.format(items=", ".join(map(term, more))) if more else ""
    gaps = phrases.NOT_MEASURED.format(items=", ".join(signs.not_measured)) if signs.not_measured else ""
    single = phrases.SEEN_ONE_SEQUENCE_ONLY_NOT if len(signs.contrasts) < 2 else ""
    confirmed = phrases.CONFIRMED_PERSON if lesion.confirmed else ""
    return f"{', '.join(part for part in parts if part)}. {verdict}{also}.{gaps}{single}{confirmed}"


def _place_and_size(lesion: Lesion, measurements: Mapping[str, Measurement]) -> str:
    diameter = measurements.get(f"{lesion.id}.lesion_diameter")
    share = measurements.get(f"{lesion.id}.lesion_body_share_pct")
    place = ", ".join(str(level) for level in lesion.levels)
    side = phrases["SIDES"].get(lesion.side, "")
    size = phrases.SIZE.format(value=diameter.value) if diameter is not None and diameter.value is not None else ""
    of_body = phrases.OF_BODY.format(value=share.value, level=lesion.level) if share is not None and share.value else ""
    return phrases.MARROW_CHANGE.format(place=place, size=size, side=side, of_body=of_body)


def _signal(signs: Signs) -> str:
    said = [("T1w", signs.t1), ("STIR", signs.stir), ("T2w", signs.t2)]
    return ", ".join(phrases.SIGNAL.format(name=name, value=value) for name, value in said if value is not None)


def _extent(signs: Signs) -> str:
    said = [phrases.POSTERIOR_BORDER_CONVEX_MM.format(size=signs.bulge_mm or 0.0)] if signs.convex else []
    said += [phrases.PEDICLE_OR_ARCH_INVOLVED] if signs.pedicle else []
    said += [phrases.EPIDURAL_EXTENSION_ML.format(size=(signs.epidural_mm3 or 0.0) / 1000)] if signs.epidural else []
    said += (
        [phrases.SOFT_TISSUE_EXTENSION_ML.format(size=(signs.soft_tissue_mm3 or 0.0) / 1000)]
        if signs.soft_tissue
        else []
    )
    return ", ".join(said)
