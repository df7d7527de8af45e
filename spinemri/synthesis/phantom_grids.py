"""The axial, coronal and isotropic series of a phantom: images, what was painted for them, what axial slices show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spinemri.image import Image
from spinemri.series import Contrast, Plane, Series
from spinemri.synthesis.acquire import acquire_grid
from spinemri.synthesis.acquisitions import (
    Acquisition,
    Prescription,
    axial_blocks,
    axial_prescription,
    coronal_stack,
    sagittal_stack,
)
from spinemri.synthesis.grids import PaintedGrid, Sampling, paint_grid
from spinemri.synthesis.sections import sections
from spinemri.synthesis.signal import PROTOCOLS, signal_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spinemri.geometry import Geometry
    from spinemri.synthesis.grids import Person

_WORDS = {
    Acquisition.SAGITTAL: "sag",
    Acquisition.AXIAL: "tra",
    Acquisition.CORONAL: "cor",
    Acquisition.ISOTROPIC: "sag 3D",
}
_PLANES = {
    Acquisition.SAGITTAL: Plane.SAGITTAL,
    Acquisition.AXIAL: Plane.AXIAL,
    Acquisition.CORONAL: Plane.CORONAL,
    Acquisition.ISOTROPIC: Plane.SAGITTAL,
}
_CORONAL = Prescription(15, 4.4, 4.0, 0.9, (320, 240))
_ISOTROPIC = Prescription(80, 1.0, 1.0, 1.0, (280, 192))
_LOWEST_DISCS = 3


@dataclass(frozen=True, eq=False)
class GridSeries:
    """Images of one acquisition, what was painted for each of its stacks, and records of its axial slices.

    ``grids`` is keyed by the label of the first series that shows a stack, which ``slices`` name as ``series``.
    """

    images: tuple[Image, ...]
    grids: dict[str, PaintedGrid]
    slices: list[dict[str, Any]]


def grid_series(
    person: Person, acquisition: Acquisition, contrasts: Sequence[Contrast], numbers: tuple[int, int]
) -> GridSeries:
    """One series per contrast, of one or several stacks.

    Parameters
    ----------
    numbers : seed of the phantom, and number of the first series
    """
    seed, first = numbers
    painted = [paint_grid(person, sampling) for sampling in _samplings(person, acquisition, seed)]
    images = [
        _image(grid, (contrast, acquisition), (first + n, stack), seed)
        for n, contrast in enumerate(contrasts)
        for stack, grid in enumerate(painted)
    ]
    grids = {image.series.label: grid for image, grid in zip(images, painted, strict=False)}
    axial = grids if acquisition is Acquisition.AXIAL else {}
    slices = [
        {"series": label, **record}
        for label, grid in axial.items()
        for record in sections(person, grid.sampling.geometry)
    ]
    return GridSeries(tuple(images), grids, slices)


def _samplings(person: Person, acquisition: Acquisition, seed: int) -> tuple[Sampling, ...]:
    upper, sacral = person.subject.chain.last_thoracic, person.subject.chain.sacral
    if acquisition is Acquisition.CORONAL:
        return (coronal_stack(person, upper, sacral, _CORONAL),)
    if acquisition is Acquisition.ISOTROPIC:
        return (sagittal_stack(person, upper, sacral, _ISOTROPIC),)
    narrowed = {narrowing.index for narrowing in person.subject.pathology.narrowings}
    discs = narrowed | set(range(sacral - _LOWEST_DISCS, sacral))
    blocks = axial_blocks(person, sorted(discs), axial_prescription(np.random.default_rng([seed, 30])))
    return tuple(sorted(blocks, key=lambda block: _orientation(block.geometry)))


def _orientation(grid: Geometry) -> tuple[float, ...]:
    """Direction cosines as stored; stacks are numbered in their order when a series is read."""
    return tuple(round(float(v), 8) for v in (*grid.axes[:, 2], *grid.axes[:, 1]))


def _image(painted: PaintedGrid, what: tuple[Contrast, Acquisition], label: tuple[int, int], seed: int) -> Image:
    (contrast, acquisition), (number, stack) = what, label
    grid = painted.sampling.geometry
    person, scan = np.random.default_rng([seed, number]), np.random.default_rng([seed, number, stack])
    table, snr = signal_table(PROTOCOLS[contrast], person, jitter=0.5), float(person.uniform(22, 34))
    voxels = acquire_grid(painted, table, scan, snr=snr, band=acquisition is Acquisition.AXIAL)
    facts = lumbar_series(contrast, number, grid, seed, acquisition).model_copy(
        update={"stack": stack, "slice_thickness_mm": painted.sampling.thickness_mm}
    )
    return Image(voxels, grid, facts)


def lumbar_series(
    contrast: Contrast, number: int, grid: Geometry, seed: int, acquisition: Acquisition = Acquisition.SAGITTAL
) -> Series:
    """Header facts of one series of a phantom."""
    protocol = PROTOCOLS[contrast]
    return Series(
        series_uid=f"2.25.{7000 + seed}.{number}",
        study_uid=f"2.25.{7000 + seed}",
        frame_of_reference_uid=grid.frame_of_reference_uid,
        number=number,
        description=f"{_WORDS[acquisition]} {contrast.value}",
        contrast=contrast,
        plane=_PLANES[acquisition],
        region="LSPINE",
        shape=grid.shape,
        spacing=grid.spacing,
        repetition_time_ms=protocol.repetition_time,
        echo_time_ms=protocol.echo_time,
        inversion_time_ms=protocol.inversion_time,
        field_strength_t=1.5,
    )
