"""T2w signal of the middle of a disc against cerebrospinal fluid: how bright the nucleus still is.

Disc: median over the middle half of the disc's depth and the middle third of its width, a voxel from its edge where
enough is left. CSF: the 80th percentile of the thecal sac without the cord, a voxel inside it, in the same slices and
within 15 mm up and down: nerve roots darken the median, and the coil's sensitivity changes little over that distance.
Both come from one T2w image (without fat suppression) and its own masks.

Known failure: where the sac is narrowed to nothing, or is full of roots, CSF seems darker and the disc brighter; flow
voids do the same. Without the scanner's correction of intensity a coil at the back makes the disc, 25 mm in front of
the sac, darker by 5 to 20 %. A disc thinner than three pixels is read to its edge (flag 'thin_disc') and is darker
than its nucleus. An echo time far from 100 ms changes the ratio: compare examinations of one protocol only.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from spinemri.anatomy import Structure, StructureKind
from spinemri.image import SEAM_MARGIN_MM
from spinemri.language import Phrases
from spinemri.measure.catalogue import Gap, Place
from spinemri.measure.contour import box_around
from spinemri.measure.disc import disc_places
from spinemri.measure.frame import frame_from, left_axis
from spinemri.measure.signals import in_plane
from spinemri.measurement import Measurement, Status
from spinemri.norms import threshold
from spinemri.series import Contrast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from spinemri.geometry import Geometry
    from spinemri.image import Image
    from spinemri.measure.frame import Frame
    from spinemri.segmentation import Segmentation
    from spinemri.spine import Spine

    Mask = NDArray[np.bool_]

phrases = Phrases("measure.disc_signal")

NAME = "disc_signal_to_csf"
THIN = "thin_disc"
"""Flag of a disc too thin to leave out its edge: endplates and annulus are in its signal."""
_DEPTH, _WIDTH = 0.5, 1 / 3  # shares of the disc that count as its middle
_REACH_MM = 15.0
_BESIDE_MM = 45.0  # from a disc's edge to the far side of the sac, and more
_CSF_PERCENTILE = 80.0
_FEW = 12


def disc_signals(spine: Spine, images: Sequence[Image], segmentations: Mapping[str, Segmentation]) -> list[Measurement]:
    """Signal of every disc against CSF, head to foot, in the first T2w image that shows both."""
    centres = {v.level: np.asarray(v.centre) for v in spine.vertebrae}
    of_bodies = [s for v in spine.vertebrae if (s := segmentations.get(v.series_uid)) is not None]
    frames = {s.geometry.frame_of_reference_uid for s in of_bodies}
    shown = [
        (image, s)
        for image in images
        if image.series.contrast is Contrast.T2W
        and (s := segmentations.get(image.series.series_uid)) is not None
        and s.geometry.frame_of_reference_uid in frames
    ]
    found: list[Measurement] = []
    for place in disc_places(spine):
        lower = place.lower or place.level
        tried = [_signal(place, centres[place.level] - centres[lower], *pair) for pair in shown]
        best = next((m for m in tried if isinstance(m, Measurement)), None)
        gap = next((m for m in tried if isinstance(m, Gap) and m != no_t2()), no_t2())
        found.append(best or place.absent(NAME, gap))
    return found


def _signal(place: Place, up: NDArray[np.float64], image: Image, segmentation: Segmentation) -> Measurement | Gap:
    """The ratio in one image, or why there is none."""
    whole = segmentation.mask(Structure(StructureKind.DISC, place.level, place.lower))
    if not whole.any():
        return no_t2()
    allowed = np.ones(whole.shape, dtype=bool)
    if segmentation.geometry.axis_along(0) == 0:
        allowed[[*image.missing_slices]] = False
    box = _around(whole, segmentation.geometry)
    disc, allowed, intensities = whole[box], allowed[box], image.voxels[box]
    grid = segmentation.geometry.part(box)
    segmentation = replace(segmentation, voxels=segmentation.voxels[box], geometry=grid)
    places = grid.to_patient(np.argwhere(disc))
    if image.near_seam(places.mean(axis=0)):
        return Gap(Status.EXCLUDED, phrases.WITHIN_MM_SEAM_COMPOSED_SERIES.format(margin=SEAM_MARGIN_MM))
    frame = frame_from(places.mean(axis=0), up, left_axis(grid))
    middle = _middle(disc & allowed, segmentation, frame, frame.to_local(places))
    fluid = _fluid(middle, segmentation, frame)
    values = [np.asarray(intensities[mask], dtype=np.float64) for mask in (middle, fluid & allowed)]
    if min(len(v) for v in values) < _FEW:
        which = phrases.DISC if len(values[0]) < _FEW else phrases.CSF_BESIDE
        return Gap(Status.NOT_ASSESSABLE, phrases.TOO_FEW_VOXELS_T2W.format(which=which))
    csf = float(np.percentile(values[1], _CSF_PERCENTILE))
    if csf <= 0:
        return Gap(Status.NOT_ASSESSABLE, phrases.CSF_HAS_NO_SIGNAL)
    ratio = float(np.median(values[0])) / csf
    sd = float(np.hypot(threshold("interval.disc_signal") * ratio, values[0].std() / csf / np.sqrt(len(values[0]) / 4)))
    stated = place.measured(NAME, ratio, sd)
    inner = ndimage.binary_erosion(disc, in_plane(grid))
    flags = () if (middle & inner).any() else (THIN,)
    return stated.model_copy(update={"series_uid": image.series.series_uid, "flags": flags})


def _around(disc: Mask, grid: Geometry) -> tuple[slice, slice, slice]:
    """The part of a grid that holds a disc and the sac beside it."""
    reach = [0 if axis == grid.axis_along(0) else int(_BESIDE_MM / mm) for axis, mm in enumerate(grid.spacing)]
    return box_around(disc, reach)


def _middle(disc: Mask, segmentation: Segmentation, frame: Frame, local: NDArray[np.float64]) -> Mask:
    """The middle half of a disc's depth and third of its width, a voxel from its edge where enough is left."""
    left, depth = (np.percentile(local[:, axis], [2, 98]) for axis in (0, 1))
    inner = ndimage.binary_erosion(disc, in_plane(segmentation.geometry))
    for mask in (inner, disc):
        index = np.argwhere(mask)
        at = frame.to_local(segmentation.geometry.to_patient(index)) if len(index) else np.zeros((0, 3))
        central = np.abs(at[:, 0] - left.mean()) <= max(_WIDTH / 2 * np.ptp(left), min(segmentation.geometry.spacing))
        central &= np.abs(at[:, 1] - depth.mean()) <= _DEPTH / 2 * np.ptp(depth)
        if np.count_nonzero(central) >= _FEW:
            return _mask_of(index[central], disc.shape)
    return np.zeros_like(disc)


def _fluid(middle: Mask, segmentation: Segmentation, frame: Frame) -> Mask:
    """The sac without the cord in the slices of a disc's middle, within 15 mm up and down, a voxel inside the sac."""
    across = segmentation.geometry.axis_along(0)
    slices = middle.any(axis=tuple(a for a in range(3) if a != across))
    plane = in_plane(segmentation.geometry)
    cord = ndimage.binary_dilation(segmentation.mask_of_kind(StructureKind.CORD), plane)
    both = segmentation.mask_of_kind(StructureKind.THECAL_SAC, StructureKind.CORD)
    sac = ndimage.binary_erosion(both, plane) & ~cord
    sac &= np.expand_dims(slices, tuple(a for a in range(3) if a != across))
    index = np.argwhere(sac)
    if not len(index):
        return np.zeros_like(both)
    height = frame.to_local(segmentation.geometry.to_patient(index))[:, 2]
    return _mask_of(index[np.abs(height) < _REACH_MM], both.shape)


def _mask_of(index: NDArray[np.intp], shape: tuple[int, ...]) -> Mask:
    mask = np.zeros(shape, dtype=bool)
    mask[tuple(index.T)] = True
    return mask


def no_t2() -> Gap:
    """The gap of which that is said."""
    return Gap(Status.NOT_ASSESSABLE, phrases.NO_T2)
