"""People of formulas on upright sagittal stacks, measured in their true masks; what make_drawings.py draws."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spinemri.evaluate.measured_people import whole_bodies
from spinemri.evaluate.regions import synthetic_series
from spinemri.evaluate.truth import true_grid, true_segmentation
from spinemri.geometry import Geometry
from spinemri.image import Image
from spinemri.measure.bodies import body_shapes
from spinemri.measure.study import measure
from spinemri.series import Contrast
from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis.acquire import acquire
from spinemri.synthesis.acquisitions import Acquisition
from spinemri.synthesis.labels import paint
from spinemri.synthesis.phantom import make_phantom
from spinemri.synthesis.signal import PROTOCOLS, signal_table
from spinemri.synthesis.subject import Fracture, Fragment, Pathology, SacNarrowing, Subject, sample_subject, stack

if TYPE_CHECKING:
    from spinemri.measure.vertebra import BodyShape
    from spinemri.measurement import Measurement
    from spinemri.segmentation import Segmentation
    from spinemri.synthesis.labels import LabelVolume

_LAYERS, _FINE = 3, 2  # layers painted per slice, fine pixels per pixel
_BEHIND, _BEFORE, _ABOVE, _BELOW, _WIDE = 75.0, 45.0, 40.0, 45.0, 58.0  # mm around the bodies that are shown
_SNR = 60.0


@dataclass(frozen=True, eq=False)
class Drawn:
    """One person: an image of each contrast, true masks on its grid, and what is measured in them."""

    images: dict[Contrast, Image]
    masks: Segmentation
    measurements: dict[str, Measurement]
    shapes: dict[str, BodyShape]

    def value(self, name: str) -> float:
        """The value of a measurement by its id. Raises ValueError when there is none."""
        found = self.measurements[name]
        if found.value is None:
            raise ValueError(f"{name}: {found.reason}")
        return found.value


def lumbar() -> Drawn:
    """L2 wedged; L4 slipped forward on L5; the sac narrowed at L3-L4."""
    pathology = Pathology((Fracture(sizes.L1 + 1, 0.38, 0.25, 0.02),), (SacNarrowing(sizes.L1 + 2, 0.42, 5.0),))
    subject = sample_subject(np.random.default_rng(12), pathology, variation=0.5)
    slip = subject.slip.copy()
    slip[sizes.L1 + 3] = 7.0
    return _measured(stack(replace(subject, slip=slip)), range(sizes.T12, sizes.S1 + 1), (2.0, 0.6), 12)


def burst() -> Drawn:
    """L2 broken, with a fragment pushed back from the middle of its wall, and its upper endplate sunk in."""
    broken = Fracture(sizes.L1 + 1, 0.3, 0.42, 0.05, Fragment(4.5, 0.5, 0.78))
    subject = sample_subject(np.random.default_rng(4), Pathology((broken,)), variation=0.5)
    return _measured(subject, range(sizes.T12, sizes.L5 + 1), (2.0, 0.6), 4)


def cervical() -> Drawn:
    """A neck whose cord is pressed at C5-C6."""
    pathology = Pathology((), (SacNarrowing(sizes.C3 + 2, 0.6, 5.0),))
    return _measured(sample_subject(np.random.default_rng(5), pathology), range(sizes.T1 + 3), (2.0, 0.5), 5)


def whole() -> Drawn:
    """A healthy spine from C2 to S1."""
    return _measured(sample_subject(np.random.default_rng(3)), range(sizes.S1 + 1), (4.0, 0.9), 3)


@dataclass(frozen=True, eq=False)
class Sections:
    """Axial stacks of one person with their true masks, and what is measured in them."""

    stacks: list[tuple[Image, Segmentation]]
    measurements: dict[str, Measurement]


def axial() -> Sections:
    """A person of ``spinemri phantom`` whose sac is narrowed at L4-L5, on axial blocks along the discs."""
    phantom = make_phantom(1, contrasts=[Contrast.T2W], acquisitions=[Acquisition.SAGITTAL, Acquisition.AXIAL])
    sagittal, *across = phantom.images
    masks = true_segmentation(phantom.volume, sagittal.geometry, sagittal.series.series_uid)
    grids = phantom.grids
    stacks = [(image, true_grid(grids[image.series.label], image.series.series_uid)) for image in across]
    found = measure(whole_bodies(masks), [sagittal], [masks], axial=stacks)
    return Sections(stacks, {m.id: m for m in found})


def _measured(subject: Subject, shown: range, voxel_mm: tuple[float, float], seed: int) -> Drawn:
    """Paint, render and measure the vertebrae of a range on slices of so many mm, pixels of so many."""
    slice_mm, pixel = voxel_mm
    centre = subject.centre[shown.start : shown.stop]
    fine = pixel / _FINE
    x = _middles(round(_WIDE / slice_mm) * _LAYERS, slice_mm / _LAYERS) + float(
        subject.midline[shown.start : shown.stop].mean()
    )
    z = _between(centre[:, 1].min() - _BELOW, centre[:, 1].max() + _ABOVE, fine)
    a = _between(centre[:, 0].min() - _BEHIND, centre[:, 0].max() + _BEFORE, fine)
    volume = paint(subject, (x, z, a), np.random.default_rng([seed, 1]))
    shape = (len(x) // _LAYERS, len(z) // _FINE, len(a) // _FINE)
    origin = (float(x[:_LAYERS].mean()), -float(a[-_FINE:].mean()), float(z[-_FINE:].mean()))
    grid = Geometry(shape, (slice_mm, pixel, pixel), origin, (1, 0, 0, 0, 0, 1, 0, -1, 0), "2.25.1")
    images = {c: _image(volume, c, grid, n) for n, c in enumerate((Contrast.T1W, Contrast.T2W), start=1)}
    t2 = images[Contrast.T2W]
    masks = true_segmentation(volume, grid, t2.series.series_uid)
    spine = whole_bodies(masks)
    other = replace(masks, series_uid=images[Contrast.T1W].series.series_uid)
    found = measure(spine, [t2, images[Contrast.T1W]], [masks, other])
    shapes = body_shapes(spine, {masks.series_uid: masks}, {})
    return Drawn(images, masks, {m.id: m for m in found}, {str(level): s for level, s in shapes.items()})


def _image(volume: LabelVolume, contrast: Contrast, grid: Geometry, number: int) -> Image:
    rng = np.random.default_rng([7, number])
    voxels = acquire(volume, signal_table(PROTOCOLS[contrast], rng, jitter=0.0), rng, sub=(_LAYERS, _FINE), snr=_SNR)
    return Image(voxels, grid, synthetic_series(contrast, grid, number))


def _middles(count: int, apart: float) -> np.ndarray:
    return (np.arange(count) - (count - 1) / 2) * apart


def _between(low: float, high: float, step: float) -> np.ndarray:
    """Places from low to high, an even number of them."""
    count = int((high - low) / step) // _FINE * _FINE
    return low + (np.arange(count) + 0.5) * step
