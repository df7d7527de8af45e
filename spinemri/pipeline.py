"""The main job, in order: read_study, infer, finish; ``analyze`` is the three of them.

scan, choose, load (``read_study``) - segment and name (``infer``) - merge, align, measure, assess (``finish``).
Identifiers become salted tokens as soon as a study is read, so that nothing after it can leak them.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from spinemri.analysis import Analysis, Provenance, SeriesRecord, token
from spinemri.assess.study import assess
from spinemri.case import Case
from spinemri.dicom.choose import choose, choose_study
from spinemri.dicom.identity import patient_id
from spinemri.dicom.load import load
from spinemri.dicom.scan import scan
from spinemri.errors import InputError, SeriesError
from spinemri.measure.study import measure
from spinemri.merge import merge
from spinemri.register import align_series
from spinemri.segment.anatomy import segment_anatomy
from spinemri.segment.levels import Anchor
from spinemri.segment.model import load_model
from spinemri.segment.reconcile import reconcile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from spinemri.image import Image
    from spinemri.segment.predictor import Predictor
    from spinemri.segmentation import Segmentation
    from spinemri.series import Contrast, Series, Skipped, Study
    from spinemri.spine import LevelAssignment

    Progress = Callable[[str, int, int], None]

_LIBRARIES = ("pydicom", "highdicom", "SimpleITK", "numpy", "scipy", "torch", "monai")


@dataclass(frozen=True)
class Options:
    """What a user may choose about one analysis.

    Parameters
    ----------
    patient : which patient, when a folder holds several
    contrast : contrast of NIfTI, NRRD and MetaImage files whose name does not say it
    anchor : the user's word on the level of one body, applied to every series, such as 'L5=2'
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
class LoadedStudy:
    """A study in memory: the images to measure, and what was left out and why."""

    study: Study
    patient: str
    images: tuple[Image, ...]
    refused: tuple[tuple[Series, str], ...]
    skipped: tuple[Skipped, ...]
    warnings: tuple[str, ...]
    seconds: dict[str, float] = field(default_factory=dict)


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
    start = time.perf_counter()
    report = progress or _silent
    inventory = scan(
        folder, contrast=options.contrast, progress=lambda done, total: report("reading headers", done, total)
    )
    study, warnings = choose_study(inventory, options.patient)
    images, refused, failures = _load_chosen(study, report)
    loaded = LoadedStudy(
        study, "", images, refused, inventory.skipped, (*warnings, *failures, *_image_warnings(images)),
        {"read": time.perf_counter() - start},
    )  # fmt: skip
    return _with_identifiers(loaded) if options.keep_identifiers else _with_tokens(loaded, options)


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
    segmentations, assignments, warnings = [], [], []
    for n, image in enumerate(loaded.images):
        report("segmenting", n, len(loaded.images))
        segmentation, names, notes = segment_anatomy(image, predictor, anchor=anchor)
        segmentations.append(segmentation)
        assignments.append(names)
        warnings += [f"series {image.series.label}: {note}" for note in notes]
    report("segmenting", len(loaded.images), len(loaded.images))
    agreed, names_agreed, notes = reconcile(loaded.images, segmentations, assignments)
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
        series=tuple(_records(loaded)),
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


def default_predictor(model: str | Path | None = None, device: str = "auto", threads: int | None = None) -> Predictor:
    """The loaded model: a bundle's name or folder (the bundled one when None) on a device.

    Raises
    ------
    ModelError
        If the bundle is missing, incomplete or corrupt, or the device is not available.
    """
    from spinemri.segment.predictor import Predictor

    return Predictor(load_model(model), device, threads)


def _load_chosen(
    study: Study, report: Progress
) -> tuple[tuple[Image, ...], tuple[tuple[Series, str], ...], tuple[str, ...]]:
    """Load the best series of each contrast; when one cannot be loaded the next best takes its place.

    Returns
    -------
    images, refused series with reasons, and what failed to load
    """
    images: dict[Series, Image] = {}
    failures: list[str] = []
    while True:
        used, refused = choose(study)
        waiting = [series for series in used if series not in images]
        if not used:
            raise SeriesError("; ".join(failures)) if failures else InputError("no series can be measured")
        if not waiting:
            return tuple(images[series] for series in used), refused, tuple(f"{line}; not used" for line in failures)
        report("loading", len(images), len(used))
        try:
            images[waiting[0]] = load(waiting[0])
        except SeriesError as error:
            failures.append(str(error))
            study = _refuse(study, waiting[0], str(error).removeprefix(f"series {waiting[0].label}: "))


def _refuse(study: Study, series: Series, reason: str) -> Study:
    marked = tuple(s.model_copy(update={"refusal": reason}) if s is series else s for s in study.series)
    return study.model_copy(update={"series": marked})


def _with_identifiers(loaded: LoadedStudy) -> LoadedStudy:
    return replace(loaded, patient=patient_id(loaded.images[0].series))


def _with_tokens(loaded: LoadedStudy, options: Options) -> LoadedStudy:
    """The same study with every identifier replaced, consistently, by a salted token.

    Names of skipped files count as identifiers: they hold patients' names and UIDs as often as not.
    """
    key = options.token_key or secrets.token_bytes(32)

    def stand_in(text: str | None) -> str | None:
        return token(text, key) if text else text

    def anonymous(series: Series) -> Series:
        uids = ("series_uid", "study_uid", "frame_of_reference_uid")
        hidden = {name: stand_in(getattr(series, name)) for name in uids}
        return series.model_copy(update={**hidden, "description": ""})

    def anonymous_image(image: Image) -> Image:
        frame = stand_in(image.geometry.frame_of_reference_uid)
        return replace(
            image, series=anonymous(image.series), geometry=replace(image.geometry, frame_of_reference_uid=frame)
        )

    study = loaded.study
    return replace(
        loaded,
        patient=token(study.patient_key or study.study_uid, key),
        study=study.model_copy(update={"study_uid": token(study.study_uid, key), "patient_key": "", "series": ()}),
        images=tuple(anonymous_image(image) for image in loaded.images),
        refused=tuple((anonymous(series), reason) for series, reason in loaded.refused),
        skipped=tuple(s.model_copy(update={"path": token(s.path, key)}) for s in loaded.skipped),
    )


def _image_warnings(images: tuple[Image, ...]) -> Iterator[str]:
    for image in images:
        for warning in (*image.series.warnings, *image.warnings):
            yield warning if warning.startswith("series") else f"series {image.series.label}: {warning}"


def _records(loaded: LoadedStudy) -> Iterator[SeriesRecord]:
    yield from (SeriesRecord(series=image.series, used=True) for image in loaded.images)
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
