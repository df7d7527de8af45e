"""Synthetic studies as their analysis holds them, made at random without a voxel, judged by the real rules.

Every quantity of the catalogue is there at every level of the part of the spine that is seen, with a value or a reason
for having none; spines with six lumbar or eleven thoracic vertebrae, and spines without names, are among them.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from spinemri.anatomy import Level, StructureKind
from spinemri.assess.case import Facts, assess_case
from spinemri.clinical import Clinical
from spinemri.lesion import Lesion, MarrowChange, MarrowScreen
from spinemri.measure.catalogue import LESION_MEASURES, MARROW_MEASURES, MEASURES
from spinemri.measurement import Measurement, Status
from spinemri.spine import LevelAssignment, LevelBasis, Spine, Vertebra, VertebraAlignment
from tests.report import cases

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.random import Generator

    from spinemri.analysis import Analysis

BODY, DISC, SAC, CORD, ARCH = (
    StructureKind.VERTEBRAL_BODY,
    StructureKind.DISC,
    StructureKind.THECAL_SAC,
    StructureKind.CORD,
    StructureKind.POSTERIOR_ELEMENTS,
)
UNIT = {m.name: m.unit for m in (*MEASURES, *LESION_MEASURES, *MARROW_MEASURES)}
_CORD_NAMES = ("cord_", "occupation_ratio", "csf_ring_fraction", "sas_obliteration")
_DISC_NAMES = ("disc_", "slip_", "foraminal_", "perineural_fat", "posterior_disc")
_WHOLE = ("thoracic_kyphosis", "lumbar_lordosis", "cervical_lordosis", "coronal_curvature_estimate")
_WHY = ("the field of view cuts it", "no slice crosses it", "the wall cannot be followed")
_SPINES = {
    "usual": [*(f"C{n}" for n in range(2, 8)), *(f"T{n}" for n in range(1, 13)), *(f"L{n}" for n in range(1, 6)), "S1"],
    "six lumbar": [*(f"T{n}" for n in range(5, 13)), *(f"L{n}" for n in range(1, 7)), "S1"],
    "eleven thoracic": [*(f"T{n}" for n in range(1, 12)), *(f"L{n}" for n in range(1, 6)), "S1"],
    "relative": [f"V{n}" for n in range(1, 10)],
}
_USUAL = {  # healthy middle and spread; what is not here is drawn by its unit
    "height_loss": (4.0, 12.0), "compromise": (8.0, 18.0), "wedge_ratio_z": (0.0, 1.5), "wedge_ratio": (0.95, 0.1),
    "dural_sac_ap": (14.0, 2.5), "cord_ap": (6.5, 0.8), "cord_compression": (2.0, 9.0), "indent": (0.3, 1.0),
    "height": (24.0, 3.0), "slip_mm": (0.0, 2.0), "slip_pct": (0.0, 6.0), "bulge": (1.0, 1.5), "shift": (0.0, 1.0),
    "cord_t2_ratio": (1.0, 0.1), "cord_t2_length": (0.0, 6.0), "lesion_adc": (1e-3, 2e-4), "retropulsion": (0.2, 1.5),
    "lordosis": (-40.0, 12.0), "posterior_wall_fraction": (0.05, 0.2),
}  # fmt: skip
_BY_UNIT = {
    "mm": (10.0, 3.0),
    "mm2": (200.0, 50.0),
    "mm3": (900.0, 700.0),
    "deg": (5.0, 8.0),
    "%": (20.0, 15.0),
    "1": (1.0, 0.4),
}
_NEVER_NEGATIVE = ("mm2", "mm3", "mm2/s")


@cache
def _base() -> Analysis:
    return cases.with_lesions(cases.case()).analysis


def judged(analysis: Analysis, clinical: Clinical | None = None) -> Analysis:
    """The analysis with every finding that the rules make of its measurements and lesions."""
    used = [record.series for record in analysis.series if record.used]
    refused = [record.series for record in analysis.series if not record.used]
    facts = Facts(analysis.spine, used, refused, clinical)
    found = assess_case(analysis.measurements, analysis.lesions, analysis.marrow, facts)
    return analysis.model_copy(update={"findings": found, "clinical": clinical})


def studies(seeds: Iterable[int]) -> tuple[Analysis, ...]:
    """One study per seed; the same seed gives the same study."""
    return tuple(_study(np.random.default_rng(seed)) for seed in seeds)


def _study(rng: Generator) -> Analysis:
    names = _SPINES[rng.choice([*_SPINES], p=[0.55, 0.15, 0.15, 0.15])]
    count = int(rng.integers(4, len(names) + 1))
    start = int(rng.integers(0, len(names) - count + 1))
    levels = [Level(name) for name in names[start : start + count]]
    lesions = tuple(_lesions(rng, levels)) if rng.random() < 0.7 else ()
    searched = bool(lesions) or rng.random() < 0.5
    measurements = [*_anatomy(rng, levels), *(_of_lesions(rng, lesions)), *(_marrow(rng, levels) if searched else ())]
    analysis = _base().model_copy(
        update={
            "spine": _spine(rng, levels),
            "alignments": tuple(_alignments(rng, levels)),
            "measurements": tuple(measurements),
            "lesions": lesions,
            "marrow": _screen(rng, levels) if searched else MarrowScreen(warnings=("no lesion model was loaded",)),
        }
    )
    return judged(analysis, _clinical(rng))


def _spine(rng: Generator, levels: list[Level]) -> Spine:
    bases = [LevelBasis.ASSUMED] if levels[0].is_relative else [LevelBasis.FROM_C2, LevelBasis.FROM_SACRUM]
    basis = bases[int(rng.integers(len(bases)))]
    vertebrae = tuple(
        Vertebra(
            assignment=LevelAssignment(level=level, basis=basis, confidence=0.9), centre=(0.0, 0.0, -30.0 * n),
            series_uid="tok-t1", seen_in=("tok-t1", "tok-stir"), cut=n == 0 and bool(rng.random() < 0.5),
        )
        for n, level in enumerate(levels)
    )  # fmt: skip
    return Spine(vertebrae=vertebrae, sac_series_uid="tok-stir")


def _alignments(rng: Generator, levels: list[Level]) -> Iterator[VertebraAlignment]:
    for level in levels:
        shift = None if rng.random() < 0.1 else float(rng.uniform(0, 4))
        status = "unpaired" if shift is None else "registered" if shift > 2 else "aligned"
        yield VertebraAlignment(
            level=level, fixed_series_uid="tok-t1", moving_series_uid="tok-stir", residual_mm=shift, status=status,
            reason="too little of it is seen in both" if shift is None else "",
        )  # fmt: skip


def _anatomy(rng: Generator, levels: list[Level]) -> Iterator[Measurement]:
    for measure in MEASURES:
        name = measure.name
        if name in _WHOLE:
            if len(levels) > 1 and not levels[0].is_relative:
                yield _measurement(rng, name, BODY, (levels[0], levels[-1]))
        elif name.startswith(("dural_sac", *_CORD_NAMES)):
            kind = SAC if name.startswith("dural_sac") else CORD
            if kind is SAC or levels[0].region != "L":
                yield from (
                    _measurement(rng, name, kind, place) for place in [*((v,) for v in levels), *pairwise(levels)]
                )
        elif name.startswith(_DISC_NAMES) or "ligament" in name:
            kind = ARCH if "ligament" in name else DISC
            yield from (_measurement(rng, name, kind, place) for place in pairwise(levels))
        else:
            yield from (_measurement(rng, name, BODY, (level,)) for level in levels)


def _measurement(
    rng: Generator, name: str, kind: StructureKind, place: tuple[Level, ...], owner: str = ""
) -> Measurement:
    id_ = f"{owner or '-'.join(map(str, place))}.{name}"
    common: dict[str, Any] = {"id": id_, "name": name, "kind": kind, "level": place[0], "unit": UNIT[name]}
    common |= {"lower": place[1] if len(place) > 1 else None}
    if rng.random() < 0.15:
        status = [Status.NOT_ASSESSABLE, Status.OUT_OF_FIELD, Status.EXCLUDED][int(rng.integers(3))]
        return Measurement(**common, status=status, reason=_WHY[int(rng.integers(len(_WHY)))])
    middle, spread = next(
        (usual for part, usual in _USUAL.items() if part in name), _BY_UNIT.get(UNIT[name], (1.0, 0.3))
    )
    value = float(rng.normal(middle, spread))
    value = abs(value) if UNIT[name] in _NEVER_NEGATIVE or owner else value
    value = min(value, 100.0) if UNIT[name] == "%" else value
    near = {"reference_levels": place} if "loss" in name or "compromise" in name else {}
    sides = ("side:left",) if "epidural" in name else ()
    interval = (value - spread / 3, value + spread / 3) if rng.random() < 0.8 else None
    return Measurement(**common, value=value, interval=interval, series_uid="tok-t1", flags=sides, **near)


def _lesions(rng: Generator, levels: list[Level]) -> Iterator[Lesion]:
    kinds = [*MarrowChange]
    for n in range(1, int(rng.integers(1, 7)) + 1):
        level = levels[int(rng.integers(len(levels)))]
        first, other = (kinds[int(k)] for k in rng.choice(len(kinds), 2, replace=False))
        first = MarrowChange.TUMOUR if rng.random() < 0.5 and other is not MarrowChange.TUMOUR else first
        share = float(rng.uniform(0.5, 1.0))
        yield Lesion(
            id=f"lesion-{n}", label=n, series_uid="tok-t1", seen_in=("T1w", "STIR"), levels=(level,), level=level,
            side=str(rng.choice(["left", "right", "midline", "both sides"])), centre=(0.0, 0.0, -30.0 * n),
            probability=float(rng.uniform(0.4, 1.0)), shares={first: share, other: 1 - share},
        )  # fmt: skip


def _of_lesions(rng: Generator, lesions: tuple[Lesion, ...]) -> Iterator[Measurement]:
    for lesion in lesions:
        for measure in LESION_MEASURES:
            yield _measurement(rng, measure.name, StructureKind.LESION, (lesion.level,), lesion.id)


def _marrow(rng: Generator, levels: list[Level]) -> Iterator[Measurement]:
    for measure in MARROW_MEASURES:
        yield from (_measurement(rng, measure.name, BODY, (level,)) for level in levels)


def _screen(rng: Generator, levels: list[Level]) -> MarrowScreen:
    cut = int(rng.integers(0, 2))
    return MarrowScreen(
        assessed=tuple(levels[cut:]), not_assessed=tuple((level, _WHY[0]) for level in levels[:cut]),
        contrasts=("T1w", "STIR"), detection_limit_mm=8.0, operating_point=0.4, model="marrow_lesion 0.1",
    )  # fmt: skip


def _clinical(rng: Generator) -> Clinical | None:
    if rng.random() < 0.4:
        return None
    said = {"pain": ["mechanical", "pain_free", None], "cancer_history": ["yes", "no", "unknown"],
            "osteoporosis": ["yes", "unknown"], "fever_or_infection_signs": ["yes", "no"],
            "bone_quality": ["lytic", "blastic", None], "neurological_deficit": ["yes", "no", "unknown"]}  # fmt: skip
    drawn = {key: choices[int(rng.integers(len(choices)))] for key, choices in said.items()}
    return Clinical(indication="Back pain.", question=("metastasis", "fracture"), **drawn)
