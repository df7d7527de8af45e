"""Synthetic people examined several times, with known change between the dates and true masks at each of them.

Between two dates the person lies differently (each vertebra tilts against its neighbours, the whole person is turned
and shifted), the frame of reference is another one, slices lie elsewhere, slice distance and pixels differ, and tissues
have other signals. Masks are true by construction, so that what is compared is not the error of a network.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.dicom.study import LoadedStudy
from spinemri.evaluate.truth import true_grid
from spinemri.image import Image
from spinemri.lesion import Lesion, MarrowChange, MarrowScreen
from spinemri.measure.vertebra import touches_field_edge
from spinemri.merge import merge
from spinemri.networks import Networks
from spinemri.pipeline import Reading, finish
from spinemri.segment.lesions import MarrowView, find_lesions
from spinemri.segmentation import Segmentation
from spinemri.series import Contrast, Plane, Series, Study
from spinemri.spine import LevelAssignment, LevelBasis
from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis.acquire import acquire_grid
from spinemri.synthesis.acquisitions import Prescription, sagittal_stack
from spinemri.synthesis.appearance import sample_appearance
from spinemri.synthesis.grids import Person, Placement, Sampling, paint_grid
from spinemri.synthesis.signal import PROTOCOLS, signal_table
from spinemri.synthesis.subject import Fracture, MarrowLesion, Pathology, sample_subject, stack
from spinemri.synthesis.tissue import Tissue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from spinemri.case import Case
    from spinemri.segment.lesion_predictor import LesionPredictor
    from spinemri.synthesis.grids import PaintedGrid
    from spinemri.synthesis.subject import Subject

PATIENT = "synthetic"
DETECTION_LIMIT_MM = 8.0  # that the true reader of marrow states
_TILT_SD_DEG, _LIE_SD_DEG, _SHIFT_MM = 1.2, 3.0, 40.0


@dataclass(frozen=True)
class Acquired:
    """How a person is imaged at one date.

    Parameters
    ----------
    spacing, pixel : mm
    offset : mm by which slices lie to one side
    region : uppermost and lowest vertebra in the middle of the field
    rows : of the image
    contrasts : the first is the reference
    posture : seed of how the person lies; 0 is how they were drawn
    look : seed of signals and noise
    misnamed : places by which every vertebra is named too low; those left without a name are not in the masks
    """

    spacing: float = 4.4
    pixel: float = 0.9
    offset: float = 0.0
    region: tuple[int, int] = (sizes.T12, sizes.S1)
    rows: int = 300
    contrasts: tuple[Contrast, ...] = (Contrast.T1W,)
    posture: int = 0
    look: int = 0
    misnamed: int = 0


@dataclass(frozen=True)
class State:
    """What is wrong with a person at one date: vertebra -> share of anterior height lost, or lesions and their radii.

    Parameters
    ----------
    losses : index of a vertebra -> share of its anterior height that is lost
    radii : index of a vertebra -> radius of the lesion in it, mm; its place is the person's own
    """

    losses: Mapping[int, float] = field(default_factory=dict)
    radii: Mapping[int, float] = field(default_factory=dict)


def examined(seed: int, state: State, how: Acquired, lesions: LesionPredictor | None = None) -> Case:
    """An analysis of person ``seed`` in a state, from true masks of the anatomy and of every lesion.

    Parameters
    ----------
    lesions : a network that outlines the lesions in place of their true masks
    """
    person = _person(seed, state, how)
    base = sagittal_stack(person, *how.region, Prescription(15, how.spacing, 0.9 * how.spacing, how.pixel, _field(how)))
    painted = paint_grid(person, _moved(base, how.offset))
    numbers = range(2, 2 + len(how.contrasts))
    images = tuple(
        _image(painted, contrast, n, (seed, how)) for contrast, n in zip(how.contrasts, numbers, strict=True)
    )
    masks = tuple(_drawn(painted, image.series.series_uid, how.misnamed) for image in images)
    assignments = tuple(_assigned(mask) for mask in masks)
    spine = merge(images, masks, assignments)
    study = Study(study_uid=f"study {seed} {how.look}", patient_age_years=60.0, patient_sex="F")
    loaded = LoadedStudy(study, f"{PATIENT} {seed}", images, (), (), ())
    marrow = (
        find_lesions(spine, images, masks, (), lesions) if lesions else _marrow(painted, masks[0], images, spine.levels)
    )
    return finish(loaded, Reading(masks, assignments, spine, (), marrow, ()), Networks(None))


def _field(how: Acquired) -> tuple[int, int]:
    return round(how.rows * 0.9 / how.pixel), round(180 / how.pixel)


def _person(seed: int, state: State, how: Acquired) -> Person:
    rng = np.random.default_rng([seed, 60])
    intact = sample_subject(rng, Pathology(), variation=1.0)
    places = {n: tuple(rng.uniform((-2, -2, -6), (2, 2, 6)).tolist()) for n in range(sizes.COUNT)}
    look = sample_appearance(rng, None, intact)
    lies = np.random.default_rng([seed, 61, how.posture])
    lesions = tuple(MarrowLesion(n, (p[0], p[1], p[2]), state.radii[n]) for n, p in places.items() if n in state.radii)
    fractures = tuple(Fracture(n, loss, 0.6 * loss, 0.1 * loss) for n, loss in state.losses.items())
    subject = _lying(replace(intact, pathology=Pathology(fractures, (), lesions)), lies, still=how.posture == 0)
    low, high = subject.centre.min(axis=0), subject.centre.max(axis=0)
    axes = (
        np.arange(-46, 46, 3.0) + float(subject.midline[: sizes.S1 + 1].mean()),
        np.arange(low[1] - 60, high[1] + 70, 1.6),
        np.arange(low[0] - 120, high[0] + 100, 1.6),
    )
    turn = Rotation.from_euler("xyz", lies.normal(0, _LIE_SD_DEG, 3), degrees=True).as_matrix()
    placement = Placement(turn, lies.uniform(-_SHIFT_MM, _SHIFT_MM, 3))
    return Person(subject, axes, deepcopy(rng), placement, f"frame {seed} {how.look}", 0.3, look)


def _lying(subject: Subject, rng: np.random.Generator, *, still: bool) -> Subject:
    """The same vertebrae in another posture: each one tilts a little against its neighbours."""
    if still:
        return stack(subject)
    tilt = subject.tilt + np.radians(rng.normal(0, _TILT_SD_DEG, sizes.COUNT) + rng.normal(0, 3.0))
    return stack(replace(subject, tilt=tilt))


def _moved(sampling: Sampling, offset: float) -> Sampling:
    grid = sampling.geometry
    origin = np.asarray(grid.origin) + offset * grid.axes[:, 0]
    x, y, z = origin.tolist()
    return replace(sampling, geometry=replace(grid, origin=(x, y, z)), layers=3, fine=1)


def _image(painted: PaintedGrid, contrast: Contrast, number: int, who: tuple[int, Acquired]) -> Image:
    seed, how = who
    rng = np.random.default_rng([seed, 62, how.look, number])
    table = signal_table(PROTOCOLS[contrast], rng, jitter=0.5)
    voxels = acquire_grid(painted, table, rng, snr=float(rng.uniform(20, 35)))
    grid = painted.sampling.geometry
    series = Series(
        series_uid=f"series {seed} {how.look} {number}",
        study_uid=f"study {seed} {how.look}",
        frame_of_reference_uid=grid.frame_of_reference_uid,
        number=number,
        contrast=contrast,
        plane=Plane.SAGITTAL,
        shape=grid.shape,
        spacing=grid.spacing,
        slice_thickness_mm=painted.sampling.thickness_mm,
    )
    return Image(voxels, grid, series)


def _drawn(painted: PaintedGrid, series_uid: str, misnamed: int) -> Segmentation:
    mask = true_grid(painted, series_uid)
    if misnamed:
        order = sizes.LEVELS[: sizes.S1 + 1]
        places = {level: n + misnamed for n, level in enumerate(order)}
        mask = mask.renamed({level: order[n] for level, n in places.items() if 0 <= n < len(order)})
    bodies = list(mask.of_kind(StructureKind.VERTEBRAL_BODY))
    return replace(mask, cut=frozenset(b for b in bodies if touches_field_edge(mask.mask(b), mask.geometry)))


def _assigned(mask: Segmentation) -> tuple[LevelAssignment, ...]:
    bodies = mask.of_kind(StructureKind.VERTEBRAL_BODY)
    return tuple(
        LevelAssignment(level=b.level, basis=LevelBasis.FROM_SACRUM, confidence=1.0) for b in bodies if b.level
    )


def _marrow(
    painted: PaintedGrid, mask: Segmentation, images: tuple[Image, ...], levels: tuple[Level, ...]
) -> MarrowView:
    """What a perfect reader of marrow says: every lesion that fills half of a voxel somewhere, outlined."""
    grid, contrasts = mask.geometry, tuple(image.series.contrast.value for image in images)
    share = _share(painted.tissue == Tissue.LESION, grid.shape)
    outlines = np.zeros(grid.shape, dtype=np.uint8)
    lesions: list[Lesion] = []
    for level in levels:
        inside = (share > 0.5) & mask.mask(Structure(StructureKind.VERTEBRAL_BODY, level))
        if not inside.any():
            continue
        number = len(lesions) + 1
        outlines[inside] = number
        x, y, z = grid.to_patient(np.argwhere(inside)).mean(axis=0).tolist()
        lesions.append(
            Lesion(
                id=f"lesion-{number}",
                label=number,
                series_uid=mask.series_uid,
                seen_in=contrasts,
                levels=(level,),
                level=level,
                centre=(x, y, z),
                probability=0.99,
                shares={MarrowChange.TUMOUR: 1.0},
            )
        )
    structures = {lesion.label: Structure(StructureKind.LESION, lesion.level) for lesion in lesions}
    drawn = Segmentation(outlines, grid, structures, mask.series_uid, "truth by construction")
    cut = {body.level for body in mask.cut}
    screen = MarrowScreen(
        assessed=levels,
        partly=tuple(level for level in levels if level in cut),
        contrasts=contrasts,
        detection_limit_mm=DETECTION_LIMIT_MM,
        operating_point=0.5,
        model="truth by construction",
    )
    return MarrowView(tuple(lesions), (drawn,) if lesions else (), screen, tuple(i.series.series_uid for i in images))


def _share(fine: NDArray[np.bool_], shape: tuple[int, int, int]) -> NDArray[np.floating]:
    parts = [n for whole, size in zip(shape, fine.shape, strict=True) for n in (whole, size // whole)]
    return np.asarray(fine.reshape(parts).mean(axis=(1, 3, 5)))
