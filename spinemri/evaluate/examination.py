"""A whole oncologic examination of a synthetic person: three stations, numerous metastases, one broken vertebra.

Cervical, thoracic and lumbar station, sagittal T1w and STIR and axial T2w each. Metastases lie in many vertebrae of all
regions. One lumbar body lost height; tumour fills it up to the pedicles and bulges backwards on the right, into the
canal and towards the right foramina. The cord is free. What a reader would say of it is known by construction.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from spinemri.anatomy import Level
from spinemri.evaluate.marrow_phantoms import tissue_signal
from spinemri.image import Image
from spinemri.lesion import MarrowChange as Kind
from spinemri.series import Contrast, Plane
from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis.acquire import acquire_grid_signal
from spinemri.synthesis.acquisitions import Acquisition, Prescription, axial_blocks, axial_stack, sagittal_stack
from spinemri.synthesis.appearance import sample_appearance
from spinemri.synthesis.changes import draw_substance, substance_signal
from spinemri.synthesis.deposits import Deposit, grow_tumour, step
from spinemri.synthesis.grids import Person, Placement, paint_grid
from spinemri.synthesis.marrow_changes import Changes, laid_down
from spinemri.synthesis.phantom_grids import lumbar_series
from spinemri.synthesis.signal import PROTOCOLS
from spinemri.synthesis.subject import Fracture, Pathology, sample_subject
from spinemri.synthesis.tissue import BACKGROUND, CORD, RELAXATION, SAC, Tissue, class_of_tissue
from spinemri.synthesis.vertebra_grid import find_vertebrae

_Voxel = TypeVar("_Voxel", bound=np.generic)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from spinemri.series import Series
    from spinemri.synthesis.grids import PaintedGrid, Sampling
    from spinemri.synthesis.subject import Subject
    from spinemri.synthesis.tissue import Relaxation
    from spinemri.synthesis.vertebra_grid import GridVertebra

    Field = NDArray[np.floating]

STATIONS = {
    "cervical": (sizes.C3, sizes.T1, 290),
    "thoracic": (sizes.T1 + 1, sizes.T12, 420),
    "lumbar": (sizes.T12, sizes.S1, 330),
}
"""Vertebrae in the middle of the field, and rows."""
_FIELD_MM = (3.0, 1.6, 1.6)
_AXIAL = Prescription(5, 4.0, 3.6, 0.6, (280, 280))
_AXIAL_AT = {"cervical": (sizes.C3 + 2, sizes.C3 + 3), "thoracic": (sizes.T1 + 6, sizes.T1 + 7)}
_INVOLVED = (7, 11)  # vertebrae with a metastasis beside the broken one
_REACH_MM = 6.0  # of the tumour beyond the wall
_ONE_SIDE_MM = 2.0  # how far to the left of the middle it reaches


@dataclass(frozen=True, eq=False)
class Examination:
    """The images of a study, and what is true of the person.

    Parameters
    ----------
    images : sagittal T1w and STIR of every station, then axial T2w stacks
    centres : true level -> centre of its body, LPS mm
    involved : vertebrae that hold tumour, head to foot
    broken : the body that lost height
    loss_pct : how much of its anterior height
    """

    images: tuple[Image, ...]
    centres: dict[Level, NDArray[np.float64]]
    involved: tuple[Level, ...]
    broken: Level
    loss_pct: float


def examination(seed: int, stations: Collection[str] = tuple(STATIONS)) -> Examination:
    """The examination of one person, or some of its stations; the same seed gives the same pixels."""
    rng = np.random.default_rng([seed, 40])
    broken = int(rng.integers(sizes.L1, sizes.L5))
    loss = float(rng.uniform(0.3, 0.5))
    subject = sample_subject(rng, Pathology((Fracture(broken, loss, 0.7 * loss, 0.35 * loss),)), variation=0.8)
    person = _person(subject, rng, seed)
    wanted = rng.choice([n for n in range(sizes.C3, sizes.L5 + 1) if abs(n - broken) > 1], _INVOLVED[1], replace=False)
    wanted = wanted[: int(rng.integers(*_INVOLVED))]
    base = RELAXATION[Tissue.MARROW]
    marrow = base._replace(fat=float(rng.uniform(0.35, 0.6)))
    images: list[Image] = []
    placed: set[int] = set()
    grown: list[_Grown] = []
    for region, (upper, lower, rows) in STATIONS.items():
        if region not in stations:
            continue
        how = Prescription(15, 4.4, 4.0, 0.8, (rows, 250))
        grid = paint_grid(person, _thin(sagittal_stack(person, upper, lower, how)))
        own = [int(n) for n in wanted if upper <= n <= lower and int(n) not in placed]
        deposits, shown = _deposits(grid, own, broken if region == "lumbar" else None, rng)
        placed |= shown
        grown.append(_Grown(region, grid, deposits))
    for station in grown:
        number = [*STATIONS].index(station.region)
        facts = seed, marrow, grown
        images += [_station(facts, station, contrast, 10 * number + n) for n, contrast in enumerate(_PAIR, start=1)]
        images += _axial(person, station.region, broken, facts, 10 * number + 5)
    ordered = sorted(images, key=lambda image: (image.series.plane is Plane.AXIAL, image.series.number or 0))
    centres = {
        Level(sizes.NAMES[n]): person.placement.to_patient(
            [subject.midline[n], subject.centre[n, 1], subject.centre[n, 0]]
        )
        for n in range(sizes.C3, sizes.S1 + 1)
    }
    involved = tuple(Level(sizes.NAMES[n]) for n in sorted(placed | {broken}))
    return Examination(tuple(ordered), centres, involved, Level(sizes.NAMES[broken]), 100 * loss)


_PAIR = (Contrast.T1W, Contrast.STIR)


class _Grown(NamedTuple):
    """A station, what is painted there, and the tumour that was grown on its grid."""

    region: str
    grid: PaintedGrid
    deposits: list[Deposit]


_Facts = tuple[int, "Relaxation", list[_Grown]]
_WHOLE = slice(None), slice(None), slice(None)


def _person(subject: Subject, rng: np.random.Generator, seed: int) -> Person:
    shown = subject.centre[: sizes.S1 + 2]
    low, high = shown.min(axis=0), shown.max(axis=0)
    axes = (
        np.arange(-46, 46, _FIELD_MM[0]) + float(subject.midline[: sizes.S1 + 1].mean()),
        np.arange(low[1] - 60, high[1] + 70, _FIELD_MM[1]),
        np.arange(low[0] - 120, high[0] + 100, _FIELD_MM[2]),
    )
    look = sample_appearance(rng, None, subject)
    turn = Rotation.from_euler("xyz", rng.normal(0, 3, 3), degrees=True).as_matrix()
    return Person(subject, axes, deepcopy(rng), Placement(turn, rng.uniform(-40, 40, 3)), f"2.25.{seed}.40", 0.4, look)


def _thin(sampling: Sampling) -> Sampling:
    """Two layers and one pixel per pixel are fine enough."""
    return replace(sampling, layers=2, fine=1)


def _turned(values: NDArray[_Voxel]) -> NDArray[_Voxel]:
    """A sagittal stack, as it lies, turned to (left, anterior, superior)."""
    return values[::-1, ::-1, ::-1].transpose(0, 2, 1)


def _deposits(
    grid: PaintedGrid, wanted: list[int], broken: int | None, rng: np.random.Generator
) -> tuple[list[Deposit], set[int]]:
    """Tumour on a station's painted grid, turned to (left, anterior, superior), and the vertebrae that hold it."""
    classes, levels = _turned(class_of_tissue()[grid.tissue]), _turned(grid.level)
    mm = grid.sampling.geometry.spacing
    vertebrae = find_vertebrae(classes, levels, (mm[0] / grid.sampling.layers, mm[1], mm[2]))
    found: list[Deposit] = []
    held = set()
    for index in wanted:
        if index + 1 in vertebrae:
            found += grow_tumour(vertebrae, index + 1, rng)
            held.add(index)
    if broken is not None:
        found.append(_expansion(vertebrae[broken + 1], rng))
    return found, held


def _expansion(vertebra: GridVertebra, rng: np.random.Generator) -> Deposit:
    """Tumour in a whole vertebra, and beyond its wall into the canal and beside the pedicle on the right."""
    share = step(vertebra.inside() - 0.8, 0.5) * vertebra.bone * (vertebra.v > -0.9 * vertebra.depth)
    away = ndimage.distance_transform_edt(~vertebra.bone, sampling=vertebra.spacing)
    right = vertebra.x < _ONE_SIDE_MM
    high = np.abs(vertebra.u) < vertebra.half_height
    canal = np.isin(vertebra.classes, (SAC, CORD)) | (vertebra.classes == BACKGROUND)
    sleeve = canal & right & high & (vertebra.v < 1.0) & (vertebra.v > -14.0)
    share = np.maximum(share, step(_REACH_MM - away, 0.5) * sleeve)
    return Deposit(Kind.TUMOUR, vertebra.window, share, draw_substance(Kind.TUMOUR, rng), 0.12)


def _station(facts: _Facts, station: _Grown, contrast: Contrast, number: int) -> Image:
    """A sagittal image of a station; stations overlap, and show the tumour of each other's vertebrae."""
    seed, marrow, grown = facts
    grid, deposits = station.grid, list(station.deposits)
    for other in grown:
        if other is not station:
            deposits += [
                replace(d, window=_WHOLE, share=_turned(_seen_from(d, other.grid, grid.sampling)))
                for d in other.deposits
            ]
    rng = np.random.default_rng([seed, 41, number])
    signal = _turned(tissue_signal((grid.tissue, grid.level), marrow, contrast, seed, rng))
    back = _laid(signal, deposits, contrast, rng).transpose(0, 2, 1)[::-1, ::-1, ::-1]
    voxels = acquire_grid_signal(np.ascontiguousarray(back, np.float32), grid.sampling, rng, snr=rng.uniform(20, 35))
    series = _series(grid.sampling, contrast, (seed, number, 0), Acquisition.SAGITTAL)
    return Image(voxels, grid.sampling.geometry, series)


def _axial(person: Person, region: str, broken: int, facts: _Facts, number: int) -> list[Image]:
    """Axial T2w stacks: blocks at the discs beside the broken body, straight stacks elsewhere; with the same tumour."""
    if region == "lumbar":
        samplings = axial_blocks(person, (broken - 1, broken), _AXIAL)
    else:
        samplings = (axial_stack(person, *_AXIAL_AT[region], _AXIAL),)
    seed, marrow, grown = facts
    images = []
    for stack, sampling in enumerate(map(_thin, samplings)):
        rng = np.random.default_rng([seed, 42, number, stack])
        grid = paint_grid(person, sampling)
        signal = tissue_signal((grid.tissue, grid.level), marrow, Contrast.T2W, seed, rng)
        here = [
            replace(d, window=_WHOLE, share=_seen_from(d, one.grid, sampling)) for one in grown for d in one.deposits
        ]
        signal = _laid(signal, here, Contrast.T2W, rng)
        voxels = acquire_grid_signal(signal.astype(np.float32), sampling, rng, snr=rng.uniform(20, 35))
        series = _series(sampling, Contrast.T2W, (seed, number, stack), Acquisition.AXIAL)
        images.append(Image(voxels, sampling.geometry, series))
    return images


def _laid(signal: Field, deposits: Sequence[Deposit], contrast: Contrast, rng: np.random.Generator) -> Field:
    """A signal with that of deposits laid over it."""
    values = [substance_signal(deposit.substance, PROTOCOLS[contrast]) for deposit in deposits]
    return laid_down(signal, Changes(tuple(deposits), np.zeros(signal.shape, dtype=np.uint8)), values, rng)


def _seen_from(deposit: Deposit, station: PaintedGrid, sampling: Sampling) -> Field:
    """Share of a deposit, known on a station's grid, at the painted voxels of another image."""
    slices, rows, columns = sampling.offsets()
    k, j, i = (values / mm for values, mm in zip((slices, rows, columns), sampling.geometry.spacing, strict=True))
    index = np.stack(np.meshgrid(k, j, i, indexing="ij"), axis=-1)
    place = station.sampling.geometry.to_index(sampling.geometry.to_patient(index))
    layers, size = station.sampling.layers, station.tissue.shape
    x = size[0] - 1 - (place[..., 0] * layers + (layers - 1) / 2)
    z, a = size[1] - 1 - place[..., 1], size[2] - 1 - place[..., 2]
    first = [side.start for side in deposit.window]
    where = [values - start for values, start in zip((x, a, z), first, strict=True)]
    return np.asarray(ndimage.map_coordinates(deposit.share, where, order=1, mode="constant"))


def _series(sampling: Sampling, contrast: Contrast, numbers: tuple[int, int, int], acquisition: Acquisition) -> Series:
    seed, number, stack = numbers
    facts = lumbar_series(contrast, number, sampling.geometry, seed, acquisition)
    return facts.model_copy(update={"stack": stack, "region": "", "slice_thickness_mm": sampling.thickness_mm})
