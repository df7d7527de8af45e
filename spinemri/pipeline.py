"""The main job, in order: read_study, infer, finish; ``analyze`` is the three of them.

scan, choose, load (``read_study``) - segment, name, merge, align, find lesions (``infer``) - measure, assess.
Identifiers become salted tokens as soon as a study is read, so that nothing after it can leak them.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from spinemri.analysis import Analysis
from spinemri.assess.adult import age_of, by_age
from spinemri.assess.adult import remarks as young
from spinemri.assess.case import Facts, assess_case
from spinemri.assess.screen import failures, screened
from spinemri.case import Case
from spinemri.dicom.study import load_study
from spinemri.dicom.tokens import with_identifiers, with_tokens
from spinemri.errors import InputError
from spinemri.faults import attempt, collecting
from spinemri.labels.study import label_study
from spinemri.language import Phrases, speaking
from spinemri.lesion import MarrowScreen
from spinemri.measure.marrow import MarrowCase, measure_marrow
from spinemri.measure.quality import measure_quality
from spinemri.measure.study import measure
from spinemri.merge import merge, parts
from spinemri.networks import Networks, default_predictor, load_networks
from spinemri.options import Options
from spinemri.provenance import provenance_of
from spinemri.register import align_series
from spinemri.revise.axial_masks import correct_axial
from spinemri.revise.given import mask_files
from spinemri.revise.identity import check_review, remarks
from spinemri.revise.lesion_masks import correct_lesions
from spinemri.revise.masks import correct
from spinemri.revise.reading import revise
from spinemri.revise.verdicts import judged
from spinemri.segment.anatomy import segment_anatomy
from spinemri.segment.axial import axial_remarks, segment_axial
from spinemri.segment.levels import Anchor
from spinemri.segment.study import segment_study

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from spinemri.correction import CorrectedMask
    from spinemri.dicom.study import LoadedStudy
    from spinemri.faults import Fault
    from spinemri.image import Image
    from spinemri.labels.study import StudyLabels
    from spinemri.segment.lesion_predictor import LesionPredictor
    from spinemri.segment.lesions import MarrowView
    from spinemri.segment.predictor import Predictor
    from spinemri.segmentation import Segmentation
    from spinemri.spine import LevelAssignment, Spine, VertebraAlignment

    Progress = Callable[[str, int, int], None]

__all__ = ["Options", "Reading", "analyze", "finish", "infer", "read_study", "segment"]

_SAID = Phrases("pipeline")


@dataclass(frozen=True, eq=False)
class Reading:
    """What the networks saw in a study.

    ``segmentations`` and ``assignments`` are parallel to the images, ``axial`` to the axial ones that were read;
    ``marrow`` is None when nobody looked for lesions; ``labels`` says which mask files stand in for the network,
    ``corrections`` what a person changed.
    """

    segmentations: tuple[Segmentation, ...]
    assignments: tuple[tuple[LevelAssignment, ...], ...]
    spine: Spine
    alignments: tuple[VertebraAlignment, ...]
    marrow: MarrowView | None
    warnings: tuple[str, ...]
    seconds: dict[str, float] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    axial: tuple[Segmentation, ...] = ()
    failures: tuple[Fault, ...] = ()
    corrections: tuple[CorrectedMask, ...] = ()


def analyze(
    folder: Path, networks: Networks | None = None, options: Options | None = None, progress: Progress | None = None
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
        Nothing usable, or several patients, or a review of other images.
    SeriesError
        No usable series can be loaded.
    """
    options = options or Options()
    with speaking(options.language), collecting() as failures:
        loaded = load_study(folder, options.patient, options.contrast, progress or _silent)
    loaded = replace(loaded, failures=tuple(failures))
    kept = options.keep_identifiers
    known = with_identifiers(loaded) if kept else with_tokens(loaded, options.token_key or secrets.token_bytes(32))
    check_review(options.review, known.every_image, known.study.study_uid)
    return known


def infer(
    loaded: LoadedStudy, networks: Networks, options: Options | None = None, progress: Progress | None = None
) -> Reading:
    """Named anatomy of every image of a study, one spine of all of them, and the lesions of its marrow.

    Raises
    ------
    LevelError
        The user's anchor fits no body.
    InputError
        If no series shows a vertebral column.
    """
    options = options or Options()
    with speaking(options.language), collecting() as failures:
        seen = _inferred(loaded, networks, options, progress or _silent)
    return replace(seen, failures=tuple(failures))


def _inferred(loaded: LoadedStudy, networks: Networks, options: Options, report: Progress) -> Reading:
    start = time.perf_counter()
    labels = _labels(loaded, options)
    segmentations, assignments, warnings = segment_study(
        loaded.images, networks.anatomy, report, anchor=options.named, given=labels.by_image
    )
    files = mask_files(options.corrected, options.stand_in, keep_names=options.keep_identifiers)
    fixed = correct(files, loaded.images, segmentations, assignments, loaded.axial)
    segmentations, assignments = fixed.anatomy
    spine = merge(loaded.images, segmentations, assignments)
    if not spine.vertebrae:
        raise InputError("no spine found: none of the sagittal series shows a vertebral column")
    axial = segment_axial(loaded.axial, networks.axial, segmentations)[0]
    crossed = correct_axial(files, loaded.images, loaded.axial, axial)
    segmented = time.perf_counter()
    report("aligning", 0, 1)
    alignments, notes = align_series(spine, loaded.images, segmentations)
    aligned = time.perf_counter()
    found = _marrow(loaded, (spine, segmentations, alignments), networks.lesions, report)
    outlined = correct_lesions(files, loaded.images, found)
    seconds = {"segment": segmented - start, "align": aligned - segmented, "lesions": time.perf_counter() - aligned}
    told = (*warnings, *fixed.warnings, *spine.warnings, *notes, *axial_remarks(loaded.axial, crossed.masks))
    seen = Reading(segmentations, assignments, spine, alignments, outlined.marrow, told, seconds, axial=crossed.masks)
    chosen = {"corrected": ", ".join(file.shown for file in files)} if files else {}
    return replace(
        seen, labels={**labels.record, **chosen}, corrections=(*fixed.record, *crossed.record, *outlined.record)
    )


def finish(
    loaded: LoadedStudy,
    reading: Reading,
    networks: Networks,
    options: Options | None = None,
    progress: Progress | None = None,
) -> Case:
    """Measurements and findings of what the networks saw, and of what a review makes of it.

    Raises
    ------
    InputError
        The review's level names contradict each other.
    """
    options = options or Options()
    with speaking(options.language), collecting() as failures:
        case = _finished(loaded, reading, networks, options, progress or _silent)
    told = (*loaded.failures, *reading.failures, *failures)
    return replace(case, analysis=case.analysis.model_copy(update={"failures": told}))


def _finished(loaded: LoadedStudy, reading: Reading, networks: Networks, options: Options, report: Progress) -> Case:
    start = time.perf_counter()
    report("measuring", 0, 1)
    seen = revise(reading, loaded.images, options.review)
    spine, segmentations, marrow = seen.spine, seen.segmentations, seen.marrow
    quality = measure_quality(loaded.images, segmentations, spine, seen.alignments)
    axial = tuple(zip(loaded.axial, seen.axial, strict=False))  # none was read without a network for them
    measurements = measure(spine, loaded.images, segmentations, quality, axial)
    years = age_of(loaded.study.patient_age_years, options.clinical)
    lesions, masks = (marrow.lesions, marrow.masks) if marrow else ((), ())
    unread = MarrowScreen(warnings=(_SAID.NO_LESION_MODEL,))
    screen = screened(marrow.screen, quality, marrow.series) if marrow else unread
    measurements += measure_marrow(MarrowCase(spine, loaded.images, segmentations, seen.alignments, lesions, masks))
    measurements = by_age(measurements, years)
    images = (*loaded.images, *(image for image, _ in axial))
    facts = Facts(spine, [image.series for image in images], [s for s, _ in loaded.refused], options.clinical)
    told = judged(seen, measurements, lambda m: attempt(_SAID.FINDINGS, (), assess_case, m, lesions, screen, facts))
    report("measuring", 1, 1)
    seconds = {**loaded.seconds, **reading.seconds, "measure": time.perf_counter() - start}
    used = Networks(networks.anatomy, networks.lesions, networks.axial if axial else None)
    chosen = {**options.parameters, **reading.labels}
    made = provenance_of(used, loaded.every_image, chosen, seconds)
    analysis = Analysis(
        language=options.language,
        patient=loaded.patient,
        study=loaded.study.study_uid,
        patient_age_years=years,
        patient_sex=loaded.study.patient_sex,
        clinical=options.clinical,
        series=loaded.records(parts(spine, loaded.images), axial_read=bool(axial)),
        skipped=loaded.skipped,
        spine=spine,
        alignments=seen.alignments,
        quality=quality,
        marrow=screen,
        lesions=lesions,
        measurements=told.measurements,
        findings=told.findings,
        review=told.review,
        corrections=reading.corrections,
        warnings=(*loaded.warnings, *seen.warnings, *failures(quality), *young(years), *remarks(told.review, made)),
        provenance=made,
    )
    return Case(analysis, images, (*segmentations, *seen.axial), masks)


def _labels(loaded: LoadedStudy, options: Options) -> StudyLabels:
    """Masks from the user's files, on the grids of the series they belong to."""
    files = mask_files(options.labels, options.stand_in, keep_names=options.keep_identifiers)
    anchor = (options.named.index, options.named.level) if options.named else None
    return label_study(files, loaded.images, options.labels_from or "", anchor)


def _marrow(
    loaded: LoadedStudy,
    seen: tuple[Spine, tuple[Segmentation, ...], tuple[VertebraAlignment, ...]],
    predictor: LesionPredictor | None,
    report: Progress,
) -> MarrowView | None:
    if predictor is None:
        return None
    from spinemri.segment.lesions import MarrowView, find_lesions

    report("looking for lesions", 0, 1)
    spine, segmentations, alignments = seen
    nothing = MarrowView((), (), MarrowScreen(warnings=(_SAID.LESIONS_FAILED,)))
    view = attempt(
        _SAID.LESIONS_MARROW, nothing, find_lesions, spine, loaded.images, segmentations, alignments, predictor
    )
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


def _silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody watches."""
