"""A small lumbar study with a flat body and two lesions, read by networks that make no mistake, and its reviews."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.dicom.write import StudyHeader, write_series
from spinemri.lesion import Lesion, MarrowChange, MarrowScreen
from spinemri.networks import Networks
from spinemri.pipeline import Options, finish, infer, read_study
from spinemri.report.page_review import review_identity
from spinemri.review import Review
from spinemri.segment.lesions import MarrowView
from spinemri.segment.model import load_model
from spinemri.segmentation import Segmentation
from tests.columns import LUMBAR, TrueColumn, height_of, t2w_image
from tests.synthetic_study import TruePredictor

if TYPE_CHECKING:
    from pathlib import Path

    from spinemri.analysis import Analysis
    from spinemri.case import Case
    from spinemri.dicom.study import LoadedStudy
    from spinemri.pipeline import Reading

KEY = b"0123456789abcdef"
COLUMN = TrueColumn(LUMBAR, heights={"L2": 0.6 * height_of("L2")})
GRID = COLUMN.grid(spacing=(7.0, 2.1, 2.0), half_width_mm=24.0)
NOW = "2026-11-23T08:00:00.000Z"
LESIONS = {"lesion-1": ("L3", 0.93), "lesion-2": ("T12", 0.55)}
RADIUS_MM = 8.0


@cache
def classes() -> np.ndarray:
    return COLUMN.on(GRID)[0]


@cache
def networks() -> Networks:
    return Networks(TruePredictor(classes(), GRID, load_model()))


def write_study(folder: Path, seed: int = 1) -> None:
    """One T2w series; every seed is another patient."""
    image = t2w_image(classes(), GRID, f"2.25.8000.{seed}", seed)
    write_series(image, folder, StudyHeader(f"P{seed}"))


def planted(reading: Reading) -> Reading:
    """The reading with a ball of tumour in two bodies, as a lesion network would have found them."""
    (anatomy,) = reading.segmentations
    points = anatomy.geometry.to_patient(np.moveaxis(np.indices(anatomy.voxels.shape), 0, -1))
    voxels, lesions = np.zeros(anatomy.voxels.shape, dtype=np.uint16), []
    for label, (id_, (name, probability)) in enumerate(LESIONS.items(), start=1):
        centre = COLUMN.centre(name)
        voxels[np.linalg.norm(points - centre, axis=-1) < RADIUS_MM] = label
        level = Level(name)
        lesions.append(
            Lesion(
                id=id_,
                label=label,
                series_uid=anatomy.series_uid,
                seen_in=("T2w",),
                levels=(level,),
                level=level,
                side="midline",
                centre=tuple(centre.tolist()),
                probability=probability,
                shares={MarrowChange.TUMOUR: 0.9, MarrowChange.INFARCT: 0.1},
            )
        )
    named = {lesion.label: Structure(StructureKind.LESION, lesion.level) for lesion in lesions}
    mask = Segmentation(voxels, anatomy.geometry, named, anatomy.series_uid, "truth")
    whole = tuple(v.level for v in reading.spine.vertebrae if not v.cut)
    screen = MarrowScreen(assessed=whole, contrasts=("T2w",), detection_limit_mm=9.0, operating_point=0.4)
    return replace(reading, marrow=MarrowView(tuple(lesions), (mask,), screen, (anatomy.series_uid,)))


def read(folder: Path, key: bytes = KEY, **options: Any) -> tuple[LoadedStudy, Reading]:
    """The study in memory and what the networks saw in it."""
    chosen = Options(token_key=key, **options)
    loaded = read_study(folder, chosen)
    return loaded, planted(infer(loaded, networks(), chosen))


def finished(seen: tuple[LoadedStudy, Reading], review: Review | None = None) -> Case:
    return finish(*seen, networks(), Options(token_key=KEY, review=review))


def decision(target: str, id_: str, verdict: str = "accept", **changes: Any) -> dict[str, Any]:
    return {"target": target, "id": id_, "verdict": verdict, "time": NOW, **changes}


def document(analysis: Analysis, *decisions: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """What the page of an analysis exports."""
    return {**review_identity(analysis), "reviewer": "A. Reader", "decisions": list(decisions), **changes}


def review_of(analysis: Analysis, *decisions: dict[str, Any], **changes: Any) -> Review:
    return Review.model_validate(document(analysis, *decisions, **changes))
