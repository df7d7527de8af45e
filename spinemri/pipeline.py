"""The main job, in order: read_study, infer, finish; ``analyze`` is the three of them.

scan, choose, load (``read_study``) - segment, name, merge, align, look for lesions (``infer``, which needs the
networks) - measure, assess (``finish``).
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
from spinemri.assess.marrow import assess_marrow
from spinemri.assess.screen import failures, screened
from spinemri.assess.study import assess
from spinemri.case import Case
from spinemri.dicom.study import load_study
from spinemri.dicom.tokens import with_identifiers, with_tokens
from spinemri.errors import InputError
from spinemri.lesion import MarrowScreen
from spinemri.measure.marrow import MarrowCase, measure_marrow
from spinemri.measure.quality import measure_quality
from spinemri.measure.study import measure
from spinemri.merge import merge, parts
from spinemri.norms import NORMS_SHA256
from spinemri.register import align_series
from spinemri.segment.anatomy import segment_anatomy
from spinemri.segment.lesion_model import load_lesion_model
from spinemri.segment.levels import RELATIVE_NAMES, Anchor
from spinemri.segment.model import load_model
from spinemri.segment.reconcile import reconcile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from spinemri.dicom.study import LoadedStudy
    from spinemri.image import Image
    from spinemri.segment.lesion_predictor import LesionPredictor
    from spinemri.segment.lesions import MarrowView
    from spinemri.segment.predictor import Predictor
    from spinemri.segmentation import Segmentation
    from spinemri.series import Contrast
    from spinemri.spine import LevelAssignment, Spine, VertebraAlignment

    Progress = Callable[[str, int, int], None]

_LIBRARIES = ("pydicom", "highdicom", "SimpleITK", "numpy", "scipy", "torch", "monai")
_NEARLY_MM = 60.0
NO_LESION_MODEL = "marrow was not assessed: no lesion model was loaded"


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
class Networks:
    """The loaded networks of an analysis; without a lesion network marrow is reported as not assessed."""

    anatomy: Predictor
    lesions: LesionPredictor | None = None


@dataclass(frozen=True, eq=False)
class Reading:
    """What the networks saw in a study.

    ``segmentations`` and ``assignments`` are parallel to the images; ``marrow`` is None when nobody looked for lesions.
    """

    segmentations: tuple[Segmentation, ...]
    assignments: tuple[tuple[LevelAssignment, ...], ...]
    spine: Spine
    alignments: tuple[VertebraAlignment, ...]
    marrow: MarrowView | None
    warnings: tuple[str, ...]
    seconds: dict[str, float] = field(default_factory=dict)


def analyze(
    folder: Path,
    networks: Networks | None = None,
    options: Options | None = None,
    progress: Progress | None = None,
) -> Case:
    """Everything that can be said about the newest spine MR study in a folder.

    Parameters
    ----------
    folder : DICOM in any layout, or NIfTI, NRRD, MetaImage files
    networks : the loaded models; the bundled ones on the best device when None
    options : see ``Options``
    progress : called with (stage, done, total)

    Raises
    ------
    SpineMRIError
        If nothing in the folder can be measured; the message says what was found.
    """
    options = options or Options()
    loaded = read_study(folder, options, progress)
    networks = networks or load_networks()
    return finish(loaded, infer(loaded, networks, options, progress), networks, options, progress)


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
    networks: Networks,
    options: Options | None = None,
    progress: Progress | None = None,
) -> Reading:
    """Named anatomy of every image of a study, one spine of all of them, and the lesions of its marrow.

    Raises
    ------
    LevelError
        The user's anchor fits no body.
    InputError
        If no series shows a vertebral column.
    """
    report = progress or _silent
    start = time.perf_counter()
    segmentations, assignments, warnings = _anatomy(loaded, networks.anatomy, options or Options(), report)
    segmented = time.perf_counter()
    spine = merge(loaded.images, segmentations, assignments)
    if not spine.vertebrae:
        raise InputError("no spine found: none of the sagittal series shows a vertebral column")
    report("aligning", 0, 1)
    alignments, notes = align_series(spine, loaded.images, segmentations)
    aligned = time.perf_counter()
    marrow = _marrow(loaded, (spine, segmentations, alignments), networks.lesions, report)
    seconds = {"segment": segmented - start, "align": aligned - segmented, "lesions": time.perf_counter() - aligned}
    told = (*warnings, *spine.warnings, *notes)
    return Reading(segmentations, assignments, spine, alignments, marrow, told, seconds)


def finish(
    loaded: LoadedStudy,
    reading: Reading,
    networks: Networks,
    options: Options | None = None,
    progress: Progress | None = None,
) -> Case:
    """Measurements and findings of what the networks saw."""
    report = progress or _silent
    start = time.perf_counter()
    report("measuring", 0, 1)
    spine, segmentations, marrow = reading.spine, reading.segmentations, reading.marrow
    measurements = measure(spine, loaded.images, segmentations)
    quality = measure_quality(loaded.images, segmentations, spine, reading.alignments)
    lesions, masks = (marrow.lesions, marrow.masks) if marrow else ((), ())
    screen = screened(marrow.screen, quality, marrow.series) if marrow else MarrowScreen(warnings=(NO_LESION_MODEL,))
    measurements += measure_marrow(MarrowCase(spine, loaded.images, segmentations, reading.alignments, lesions, masks))
    findings = (*assess(measurements), *assess_marrow(measurements, lesions, screen))
    report("measuring", 1, 1)
    seconds = {**loaded.seconds, **reading.seconds, "measure": time.perf_counter() - start}
    analysis = Analysis(
        patient=loaded.patient,
        study=loaded.study.study_uid,
        patient_age_years=loaded.study.patient_age_years,
        patient_sex=loaded.study.patient_sex,
        series=tuple(_records(loaded, spine)),
        skipped=loaded.skipped,
        spine=spine,
        alignments=reading.alignments,
        quality=quality,
        marrow=screen,
        lesions=lesions,
        measurements=measurements,
        findings=findings,
        warnings=(*loaded.warnings, *reading.warnings, *failures(quality)),
        provenance=_provenance(networks, options or Options(), seconds),
    )
    return Case(analysis, loaded.images, segmentations, masks)


def _anatomy(
    loaded: LoadedStudy, predictor: Predictor, options: Options, report: Progress
) -> tuple[tuple[Segmentation, ...], tuple[tuple[LevelAssignment, ...], ...], tuple[str, ...]]:
    """Segmentations and level assignments of every image, and what is to be told about them."""
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
    return agreed, names_agreed, (*warnings, *notes)


def _marrow(
    loaded: LoadedStudy,
    seen: tuple[Spine, tuple[Segmentation, ...], tuple[VertebraAlignment, ...]],
    predictor: LesionPredictor | None,
    report: Progress,
) -> MarrowView | None:
    if predictor is None:
        return None
    from spinemri.segment.lesions import find_lesions

    report("looking for lesions", 0, 1)
    spine, segmentations, alignments = seen
    view = find_lesions(spine, loaded.images, segmentations, alignments, predictor)
    report("looking for lesions", 1, 1)
    return view


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


def lesion_predictor(model: str | Path | None = None, device: str = "auto") -> LesionPredictor:
    """The loaded lesion model; as ``default_predictor``, which sets the threads of both."""
    from spinemri.segment.lesion_predictor import LesionPredictor

    return LesionPredictor(load_lesion_model(model), device)


def load_networks(device: str = "auto", threads: int | None = None) -> Networks:
    """The bundled models on a device. Raises ModelError as ``default_predictor`` does."""
    return Networks(default_predictor(None, device, threads), lesion_predictor(None, device))


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


def _provenance(networks: Networks, options: Options, seconds: dict[str, float]) -> Provenance:
    model, lesions = networks.anatomy.model, networks.lesions.model if networks.lesions else None
    parameters = {"anchor": options.anchor, "contrast": options.contrast}
    return Provenance(
        software="spinemri",
        version=_version_of("spinemri"),
        model=model.name,
        model_version=model.version,
        model_sha256=model.sha256,
        lesion_model=lesions.name if lesions else "",
        lesion_model_version=lesions.version if lesions else "",
        lesion_model_sha256=lesions.sha256 if lesions else "",
        norms_sha256=NORMS_SHA256,
        parameters={name: str(value) for name, value in parameters.items() if value is not None},
        libraries={name: _version_of(name) for name in _LIBRARIES},
        device=str(networks.anatomy.device),
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
