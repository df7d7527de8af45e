"""Sac and cord on axial slices of random people, in true masks or in those that models draw, against the truth.

The sagittal series that says where the discs and bodies lie is given its true masks: what the sagittal network adds is
told by ``measured_images``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spinemri.evaluate.measured_people import whole_bodies
from spinemri.evaluate.measurements import Compared
from spinemri.evaluate.truth import true_grid
from spinemri.image import Image
from spinemri.measure import measure
from spinemri.orientation import stack_axes
from spinemri.segment.axial import segment_axial
from spinemri.series import Contrast, Plane, Series
from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis.acquire import acquire_grid
from spinemri.synthesis.acquisitions import Prescription, sagittal_stack
from spinemri.synthesis.grids import paint_grid
from spinemri.synthesis.random_grids import random_axial
from spinemri.synthesis.sections import sections
from spinemri.synthesis.signal import PROTOCOLS, signal_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from spinemri.geometry import Geometry
    from spinemri.measurement import Measurement
    from spinemri.segment.predictor import Predictor
    from spinemri.segmentation import Segmentation
    from spinemri.synthesis.grids import PaintedGrid

REGIONS = {"cervical": (sizes.C3, sizes.C7), "thoracic": (sizes.T1 + 3, sizes.T1 + 8), "lumbar": (sizes.L1, sizes.L5)}
"""Vertebrae that the sagittal slices show in the middle of their field."""
_SAGITTAL = Prescription(15, 4.0, 3.6, 0.8, (300, 160))
_STRUCTURES = {"axial_sac": "dural_sac", "axial_cord": "cord"}
_SNR = 15.0, 40.0


@dataclass(frozen=True, eq=False)
class AxialPerson:
    """A random person on sagittal and on axial slices.

    Parameters
    ----------
    region : 'cervical', 'thoracic' or 'lumbar'
    sagittal : true masks of the sagittal slices
    images, truths, records : of each axial stack its image, its true masks and what its slices truly show
    """

    region: str
    sagittal: Segmentation
    images: tuple[Image, ...]
    truths: tuple[Segmentation, ...]
    records: tuple[list[dict[str, Any]], ...]


def axial_person(seed: int) -> AxialPerson:
    """A random person; the same seed gives the same one, and the regions take turns."""
    region = [*REGIONS][seed % len(REGIONS)]
    person, grids = random_axial(seed, region=region)
    sagittal = true_grid(paint_grid(person, sagittal_stack(person, *REGIONS[region], _SAGITTAL)), f"2.25.{seed}.1")
    images = tuple(rendered(grid, seed, number) for number, grid in enumerate(grids, start=2))
    truths = tuple(true_grid(grid, image.series.series_uid) for grid, image in zip(grids, images, strict=True))
    return AxialPerson(region, sagittal, images, truths, tuple(sections(person, image.geometry) for image in images))


def segmented(person: AxialPerson, predictor: Predictor) -> tuple[Segmentation, ...]:
    """Masks of a model of axial slices."""
    return segment_axial(person.images, predictor, [person.sagittal])[0]


def score_axial(person: AxialPerson, masks: Sequence[Segmentation]) -> list[Compared]:
    """Sac and cord at every disc and mid-body that the person's axial slices cross, in some masks of them."""
    shown = zip(person.images, person.records, strict=True)
    records = {image.series.series_uid: (image.geometry, slices) for image, slices in shown}
    stacks = list(zip(person.images, masks, strict=True))
    found = measure(whole_bodies(person.sagittal), [], [person.sagittal], axial=stacks)
    return [one for m in found if m.series_uid in records and (one := _compared(m, *records[m.series_uid]))]


def rendered(grid: PaintedGrid, seed: int, number: int) -> Image:
    """A T2w image of a painted stack of axial slices."""
    rng = np.random.default_rng([seed, number, 9])
    table = signal_table(PROTOCOLS[Contrast.T2W], rng)
    geometry = grid.sampling.geometry
    voxels = acquire_grid(grid, table, rng, snr=float(rng.uniform(*_SNR)))
    series = Series(
        series_uid=f"2.25.{seed}.{number}",
        contrast=Contrast.T2W,
        plane=Plane.AXIAL,
        shape=geometry.shape,
        spacing=geometry.spacing,
        slice_thickness_mm=grid.sampling.thickness_mm,
    )
    return Image(voxels, geometry, series)


def dice(person: AxialPerson, masks: Sequence[Segmentation]) -> dict[str, float]:
    """Dice of each kind of structure that a person's axial stacks show; names of levels do not count."""
    kinds = dict.fromkeys(s.kind for truth in person.truths for s in truth.structures.values())
    scores = {}
    for kind in kinds:
        pairs = [(t.mask_of_kind(kind), m.mask_of_kind(kind)) for t, m in zip(person.truths, masks, strict=True)]
        both, all_ = (sum(float(np.count_nonzero(f(a, b))) for a, b in pairs) for f in (np.logical_and, _added))
        scores[kind.value] = 2 * both / all_
    return scores


def _added(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.concatenate([one.ravel(), other.ravel()])


def _compared(m: Measurement, grid: Geometry, slices: list[dict[str, Any]]) -> Compared | None:
    if m.value is None or m.interval is None or not m.points:
        return None
    number = round(float(grid.to_index(np.mean(m.points, axis=0))[stack_axes(grid, Plane.AXIAL)[0]]))
    true = _true(m.name, grid, slices[number])
    return None if true is None else Compared(m.id, m.value, *m.interval, true)


def _true(name: str, grid: Geometry, record: Mapping[str, Any]) -> float | None:
    """What a slice truly shows, perpendicular to the canal; None for what the truth does not hold."""
    along = np.asarray(record["canal_lps"])
    square, deep, wide = (float(grid.axes[:, axis] @ along) for axis in stack_axes(grid, Plane.AXIAL))
    own = {
        "area": ("area_mm2", abs(square)),
        "ap": ("middle_ap_mm", float(np.sqrt(1 - deep**2))),
        "width": ("middle_rl_mm", float(np.sqrt(1 - wide**2))),
    }
    prefix, _, size = name.rpartition("_")
    if prefix in _STRUCTURES and size in own:
        key, factor = own[size]
        value = record.get(f"{_STRUCTURES[prefix]}_{key}")
        return None if not value else float(value) * factor
    if name == "cord_compression_ratio" and record.get("cord_middle_rl_mm"):
        return float(record["cord_middle_ap_mm"] * own["ap"][1] / (record["cord_middle_rl_mm"] * own["width"][1]))
    if name == "axial_occupation_ratio" and record.get("dural_sac_area_mm2"):
        return float(record["cord_area_mm2"] / record["dural_sac_area_mm2"])
    return None
