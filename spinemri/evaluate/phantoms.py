"""The whole job on synthetic studies, against their truth.

A phantom is written as DICOM and analysed like any study, so everything from headers to measurements is scored. It
shows errors of geometry, naming and measuring; how the network does on people only real images can show.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from spinemri.dicom.write import StudyHeader, write_series
from spinemri.networks import Networks
from spinemri.pipeline import analyze
from spinemri.synthesis.phantom import make_phantom
from spinemri.synthesis.truth import alignment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from spinemri.analysis import Analysis
    from spinemri.segment.predictor import Predictor

MAX_LOSS_ERROR, MAX_LOSS_ERROR_MEDIAN, MAX_SAC_ERROR_MEDIAN = 8.0, 5.0, 1.0
LOSS_MEAN, ALL_NAMED = "height loss error, mean absolute (points)", "studies with all levels named right (%)"
BARS = ((LOSS_MEAN, "≤", 4.0, 2.0), (ALL_NAMED, "≥", 95.0, 99.0))  # figure, sense, minimum, aim
_SAME_BODY_MM = 12.0


@dataclass(frozen=True)
class PhantomScore:
    """What one synthetic study showed; lengths in mm, losses in percent; None where nothing was measured.

    ``named`` is the level reported for the body that is truly fractured, by place; ``levels_right`` counts bodies
    (fully shown) that were found once, at their place, under their true name; ``height_error`` is the mean absolute
    error of the anterior, middle and posterior heights, ``sac_error`` that of the sac's AP diameter at every place,
    ``angle_error`` that of wedge and regional angles in degrees, ``slip_error`` that of slips.
    """

    seed: int
    fractured: str
    named: str | None
    loss_true: float
    loss_found: float | None
    narrowed: str
    sac_true: float
    sac_found: float | None
    levels: int
    levels_right: int
    height_error: float | None
    sac_error: float | None
    angle_error: float | None = None
    slip_error: float | None = None

    @property
    def loss_error(self) -> float | None:
        """Found minus true height loss, percentage points."""
        return None if self.loss_found is None else self.loss_found - self.loss_true

    @property
    def narrowing_error(self) -> float | None:
        """Found minus true AP diameter at the narrowed disc, mm."""
        return None if self.sac_found is None else self.sac_found - self.sac_true


def score_phantom(seed: int, predictor: Predictor, height_loss_pct: float = 35.0) -> PhantomScore:
    """Make, write, analyse and score the synthetic study of a seed.

    Raises
    ------
    SpineMRIError
        If the study cannot be analysed at all, for instance because no spine is found.
    """
    phantom = make_phantom(seed, height_loss_pct=height_loss_pct)
    with tempfile.TemporaryDirectory() as name:
        for image in phantom.images:
            write_series(image, Path(name) / str(image.series.number), StudyHeader(f"PHANTOM{seed}"))
        analysis = analyze(Path(name), Networks(predictor)).analysis
    shown = [phantom.subject.chain.names.index(level) for level in phantom.truth["levels"]]
    records = [*phantom.truth["measurements"], *alignment(phantom.subject, shown)]
    return score({**phantom.truth, "measurements": records}, analysis)


def score(truth: Mapping[str, Any], analysis: Analysis) -> PhantomScore:
    """Compare an analysis with a phantom's ``truth.json``, to which true angles and slips may have been added."""
    names = {level: _found_at(centre, analysis) for level, centre in truth["body_centres_lps_mm"].items()}
    fractured, narrowed = truth["fractures"][0]["level"], truth["sac_narrowings"][0]["level"]
    true = {record["id"]: float(record["value"]) for record in truth["measurements"]}
    found = {m.id: m.value for m in analysis.measurements if m.value is not None}
    named = names[fractured]
    return PhantomScore(
        seed=int(truth["seed"]),
        fractured=fractured,
        named=named,
        loss_true=float(truth["fractures"][0]["height_loss_pct"]),
        loss_found=found.get(f"{named}.height_loss_pct"),
        narrowed=narrowed,
        sac_true=true[f"{narrowed}.dural_sac_ap"],
        sac_found=found.get(f"{narrowed}.dural_sac_ap"),
        levels=len(names),
        levels_right=sum(level == name for level, name in names.items()),
        height_error=_mean_error(true, found, "_height"),
        sac_error=_mean_error(true, found, ".dural_sac_ap"),
        angle_error=_mean_error(true, found, (".wedge_angle", "_kyphosis", "_lordosis")),
        slip_error=_mean_error(true, found, ".slip_mm"),
    )


def summary(scores: Sequence[PhantomScore], failed: int = 0) -> dict[str, float]:
    """Mean, median and worst errors over studies.

    A study in which the number is missing counts as infinitely wrong; one of those that could not be analysed
    (``failed``), as one without right names.
    """
    losses = [abs(s.loss_error) if s.loss_error is not None else float("inf") for s in scores]
    narrowings = [abs(s.narrowing_error) if s.narrowing_error is not None else float("inf") for s in scores]
    return {
        "studies": len(scores),
        "fractured level right": sum(s.named == s.fractured for s in scores),
        "all levels right": sum(s.levels_right == s.levels for s in scores),
        ALL_NAMED: 100 * sum(s.levels_right == s.levels for s in scores) / (len(scores) + failed),
        LOSS_MEAN: sum(losses) / len(losses),
        "height loss error, median (points)": median(losses),
        "height loss error, worst (points)": max(losses),
        "sac AP error at the narrowing, median (mm)": median(narrowings),
        "sac AP error at the narrowing, worst (mm)": max(narrowings),
        "height error, mean (mm)": _mean([s.height_error for s in scores]),
        "sac AP error at all places, mean (mm)": _mean([s.sac_error for s in scores]),
        "wedge and regional angle error, mean (degrees)": _mean([s.angle_error for s in scores]),
        "slip error, mean (mm)": _mean([s.slip_error for s in scores]),
    }


def passes(figures: Mapping[str, float]) -> bool:
    """Whether a summary keeps the limits: every fractured level named right, median and worst errors."""
    return (
        figures["fractured level right"] == figures["studies"]
        and figures["height loss error, median (points)"] <= MAX_LOSS_ERROR_MEDIAN
        and figures["height loss error, worst (points)"] <= MAX_LOSS_ERROR
        and figures["sac AP error at the narrowing, median (mm)"] <= MAX_SAC_ERROR_MEDIAN
    )


def reached(figures: Mapping[str, float]) -> list[tuple[str, float, str, bool, str, bool]]:
    """The bars of the whole chain: figure, found, minimum, whether kept, aim, whether reached."""
    rows = []
    for name, sense, least, aim in BARS:
        sign = 1 if sense == "≥" else -1
        kept, aimed = (sign * figures[name] >= sign * limit for limit in (least, aim))
        rows.append((name, figures[name], f"{sense} {least:g}", kept, f"{sense} {aim:g}", aimed))
    return rows


def _found_at(centre: Sequence[float], analysis: Analysis) -> str | None:
    """Level of the one vertebra whose centre lies at a true centre; None when there is none or more than one."""
    near = [
        str(v.level) for v in analysis.spine.vertebrae if np.linalg.norm(np.subtract(v.centre, centre)) < _SAME_BODY_MM
    ]
    return near[0] if len(near) == 1 else None


def _mean_error(
    true: Mapping[str, float], found: Mapping[str, float | None], ending: str | tuple[str, ...]
) -> float | None:
    errors = [abs(float(found[i] or 0) - true[i]) for i in true if i.endswith(ending) and i in found]
    return float(np.mean(errors)) if errors else None


def _mean(values: Sequence[float | None]) -> float:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else float("inf")
