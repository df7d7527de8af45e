"""The main job, in order: read_study, infer, finish; ``analyze`` is the three of them.

scan, choose, load (``read_study``) - segment and name (``infer``) - merge, align, measure, assess (``finish``).
Identifiers become salted tokens as soon as a study is read, so that nothing after it can leak them.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from spinemri.analysis import Analysis, Provenance, SeriesRecord
from spinemri.assess.study import assess
from spinemri.case import Case
from spinemri.dicom.study import load_study
from spinemri.dicom.tokens import with_identifiers, with_tokens
from spinemri.errors import InputError
from spinemri.measure.study import measure
from spinemri.merge import merge, parts
from spinemri.register import align_series
from spinemri.segment.anatomy import segment_anatomy
from spinemri.segment.levels import RELATIVE_NAMES, Anchor
from spinemri.segment.model import load_model
from spinemri.segment.reconcile import reconcile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from spinemri.dicom.study import LoadedStudy
    from spinemri.image import Image
    from spinemri.segment.predictor import Predictor
    from spinemri.segmentation import Segmentation
    from spinemri.series import Contrast
    from spinemri.spine import LevelAssignment, Spine

    Progress = Callable[[str, int, int], None]

_LIBRARIES = ("pydicom", "highdicom", "SimpleITK", "numpy", "scipy", "torch", "monai")
_NEARLY_MM = 60.0


@dataclass(frozen=True)
class Options:
    """What a user may choose about one analysis.

    Parameters
    ----------
    patient : which patient, when a folder holds several
    contrast : contrast of NIfTI, NRRD and MetaImage files whose name does not say it
    anchor : the user's word on the level of one body, such as 'L5=2', counted from the bottom of the series that reach
        lowest; stations above take their names from those
    keep_identifiers : write UIDs, patient ID and series descriptions instead of salted tokens
    token_key : salt of the tokens; the same key gives the same tokens. None draws a new one.

    Raises
    ------
    LevelError
        If the anchor is no 'LEVEL=N'.
    """

    patient: str | None = None
    contrast: Contrast | None = None
    anchor: str | None = None
    keep_identifiers: bool = False
    token_key: bytes | None = None

    def __post_init__(self) -> None:
        if self.anchor is not None:
            Anchor.parse(self.anchor)  # a typing error is told before the work begins


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Segmentations of the images of a study with their level assignments, in the same order."""

    segmentations: tuple[Segmentation, ...]
    assignments: tuple[tuple[LevelAssignment, ...], ...]
    warnings: tuple[str, ...]
    seconds: dict[str, float] = field(default_factory=dict)


def analyze(
    folder: Path,
    predictor: Predictor | None = None,
    options: Options | None = None,
    progress: Progress | None = None,
) -> Case:
    """Everything that can be said about the newest spine MR study in a folder.

    Parameters
    ----------
    folder : DICOM in any layout, or NIfTI, NRRD, MetaImage files
    predictor : the loaded model; the bundled one on the best device when None
    options : see ``Options``
    progress : called with (stage, done, total)

    Raises
    ------
    SpineMRIError
        If nothing in the folder can be measured; the message says what was found.
    """
    options = options or Options()
    loaded = read_study(folder, options, progress)
    predictor = predictor or default_predictor()
    return finish(loaded, infer(loaded, predictor, options, progress), predictor, options, progress)


def read_study(folder: Path, options: Options | None = None, progress: Progress | None = None) -> LoadedStudy:
    """The chosen series of the newest study in a folder, loaded; a series that cannot be loaded is refused.

    Raises
    ------
    InputError
        Nothing usable, or several patients.
    SeriesError
        No usable series can be loaded.
    """
    options = options or Options()
    loaded = load_study(folder, options.patient, options.contrast, progress or _silent)
    if options.keep_identifiers:
        return with_identifiers(loaded)
    return with_tokens(loaded, options.token_key or secrets.token_bytes(32))


def infer(
    loaded: LoadedStudy,
    predictor: Predictor,
    options: Options | None = None,
    progress: Progress | None = None,
) -> Anatomy:
    """Named anatomy of every image of a study.

    Raises
    ------
    LevelError
        The user's anchor fits no body.
    """
    options = options or Options()
    start = time.perf_counter()
    report = progress or _silent
    anchor = Anchor.parse(options.anchor) if options.anchor else None
    segmentations, assignments, told = [], [], []
    for n, image in enumerate(loaded.images):
        report("segmenting", n, len(loaded.images))
        word = anchor if _reaches_bottom(image, loaded.images) else None
        segmentation, names, notes = segment_anatomy(image, predictor, anchor=word)
        segmentations.append(segmentation)
        assignments.append(names)
        told.append(notes)
    report("segmenting", len(loaded.images), len(loaded.images))
    agreed, names_agreed, notes = reconcile(loaded.images, segmentations, assignments)
    warnings = [
        f"series {image.series.label}: {note}"
        for image, names, remarks in zip(loaded.images, names_agreed, told, strict=True)
        for note in remarks
        if RELATIVE_NAMES not in note or _relative(names)  # unless another series has settled it
    ]
    return Anatomy(agreed, names_agreed, (*warnings, *notes), {"segment": time.perf_counter() - start})


def finish(
    loaded: LoadedStudy,
    anatomy: Anatomy,
    predictor: Predictor,
    options: Options | None = None,
    progress: Progress | None = None,
) -> Case:
    """One spine from all series, its alignment between series, measurements and findings.

    Raises
    ------
    InputError
        If no series shows a vertebral column.
    """
    report = progress or _silent
    start = time.perf_counter()
    spine = merge(loaded.images, anatomy.segmentations, anatomy.assignments)
    if not spine.vertebrae:
        raise InputError("no spine found: none of the sagittal series shows a vertebral column")
    report("aligning", 0, 1)
    alignments, notes = align_series(spine, loaded.images, anatomy.segmentations)
    aligned = time.perf_counter()
    report("measuring", 0, 1)
    measurements = measure(spine, loaded.images, anatomy.segmentations)
    findings = assess(measurements)
    report("measuring", 1, 1)
    seconds = {"align": aligned - start, "measure": time.perf_counter() - aligned}
    analysis = Analysis(
        patient=loaded.patient,
        study=loaded.study.study_uid,
        patient_age_years=loaded.study.patient_age_years,
        patient_sex=loaded.study.patient_sex,
        series=tuple(_records(loaded, spine)),
        skipped=loaded.skipped,
        spine=spine,
        alignments=alignments,
        measurements=measurements,
        findings=findings,
        warnings=(*loaded.warnings, *anatomy.warnings, *spine.warnings, *notes),
        provenance=_provenance(predictor, options or Options(), {**loaded.seconds, **anatomy.seconds, **seconds}),
    )
    return Case(analysis, loaded.images, anatomy.segmentations)


def segment(image: Image, predictor: Predictor | None = None, *, anchor: str | None = None) -> Segmentation:
    """Vertebral bodies, discs, posterior elements, thecal sac, cord and sacrum of one image, named by level.

    Parameters
    ----------
    image : from ``load``, sagittal or 3D
    predictor : the loaded model; the bundled one when None
    anchor : the user's word on one body, such as 'L5=2'

    Raises
    ------
    ModelError
        If the image is not sagittal or of a contrast that the model does not read.
    """
    parsed = Anchor.parse(anchor) if anchor else None
    return segment_anatomy(image, predictor or default_predictor(), anchor=parsed)[0]


def default_predictor(
    model: str | Path | None = None, device: str = "auto", threads: int | None = None, *, quality: bool = False
) -> Predictor:
    """The loaded model: a bundle's name or folder (the bundled one when None) on a device.

    With ``quality`` every stack is read twice, left and right exchanged.

    Raises
    ------
    ModelError
        If the bundle is missing, incomplete or corrupt, or the device is not available.
    """
    from spinemri.segment.predictor import Predictor

    return Predictor(load_model(model), device, threads, quality=quality)


def _relative(names: tuple[LevelAssignment, ...]) -> bool:
    return bool(names) and names[0].level.is_relative


def _reaches_bottom(image: Image, images: Sequence[Image]) -> bool:
    """Whether a series reaches as far down as any other of its frame of reference, or nearly so."""
    frame = image.geometry.frame_of_reference_uid
    bottoms = [i.geometry.span(2)[0] for i in images if i.geometry.frame_of_reference_uid == frame]
    return image.geometry.span(2)[0] < min(bottoms) + _NEARLY_MM


def _records(loaded: LoadedStudy, spine: Spine) -> Iterator[SeriesRecord]:
    roles = parts(spine, loaded.images)
    yield from (
        SeriesRecord(series=i.series, used=True, reason=role) for i, role in zip(loaded.images, roles, strict=True)
    )
    yield from (SeriesRecord(series=series, used=False, reason=reason) for series, reason in loaded.refused)


def _provenance(predictor: Predictor, options: Options, seconds: dict[str, float]) -> Provenance:
    model = predictor.model
    parameters = {"anchor": options.anchor, "contrast": options.contrast}
    return Provenance(
        software="spinemri",
        version=_version_of("spinemri"),
        model=model.name,
        model_version=model.version,
        model_sha256=model.sha256,
        parameters={name: str(value) for name, value in parameters.items() if value is not None},
        libraries={name: _version_of(name) for name in _LIBRARIES},
        device=str(predictor.device),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds={stage: round(spent, 3) for stage, spent in seconds.items()},
    )


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def _silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody watches."""
