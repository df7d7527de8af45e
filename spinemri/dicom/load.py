"""A series becomes one volume on its true grid, or is refused in one line that says why.

Slices are ordered by position along the normal; each is rescaled with its own slope; MONOCHROME1 is inverted; copies of
a slice are dropped, different images at one place are not averaged or chosen between. Nothing is interpolated: a
missing slice stays empty and is named. Messages name slices by position or instance number, never by file.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spinemri.dicom.files import OversizedError, read_dicom
from spinemri.dicom.frames import FrameDecoder
from spinemri.dicom.headers import frames_of
from spinemri.dicom.pixels import decode, undecodable
from spinemri.dicom.plain import UnusualError
from spinemri.dicom.seams import find_seams
from spinemri.dicom.shelf import Shelf
from spinemri.dicom.slices import arrange
from spinemri.dicom.stacks import missing_parts
from spinemri.dicom.values import READ_ERRORS, integer, lenient
from spinemri.errors import SeriesError
from spinemri.geometry import MAX_VOXELS
from spinemri.image import Image
from spinemri.language import Phrases, of_count
from spinemri.read import read_volume

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from spinemri.dicom.facts import Frame, PlaneFacts
    from spinemri.dicom.slices import Arrangement
    from spinemri.geometry import Geometry
    from spinemri.series import Series, SeriesFile

phrases = Phrases("dicom.load")

_LOST_SLICES = 1  # at most one slice may be absent or damaged


@dataclass(frozen=True, eq=False)
class _Slice:
    """One decoded image plane; ``pixels`` is None when ``damage`` says what is wrong with it."""

    frame: Frame
    pixels: NDArray[np.integer] | None
    damage: str = ""


def load(series: Series, *, progress: Callable[[int, int], None] | None = None) -> Image:
    """Voxels of a series in the patient.

    Parameters
    ----------
    series : from ``scan``; a refused series can be loaded too if it forms a volume (to show a single slice)
    progress : called with (files read, files in all)

    Returns
    -------
    Image
        (k, j, i) voxels, slices ascending along the normal. The stored integer type when no rescale is stated,
        otherwise float32. ``missing_slices`` are filled with zeros.

    Raises
    ------
    SeriesError
        No geometry, irregular or sheared slices, different matrix or photometric interpretation, more than one slice
        missing or truncated, different images at one position, an unknown transfer syntax, a constant image.
    """
    if series.source != "dicom":
        return read_volume(series.files[0].path, series)
    if not series.files:
        raise SeriesError(f"series {series.label}: no files")
    shelf = Shelf(len(series.files))
    slices = list(_slices(series, shelf, progress))
    _check_kind(slices, series.label)
    _check_photometric(slices, series.label)
    _check_damage(slices, series.label)
    arrangement = arrange([s.frame for s in slices], series.label)
    kept, warnings = _one_per_position(slices, arrangement, series.label)
    voxels = _stack(kept, shelf, arrangement.geometry.shape, series.label)
    missing = tuple(k for k, one in enumerate(kept) if one is None)
    facts = series.model_copy(update={"shape": arrangement.geometry.shape, "spacing": arrangement.geometry.spacing})
    seams, remarks = _seams(voxels, arrangement.geometry) if series.composed else ((), ())
    return Image(voxels, arrangement.geometry, facts, missing, (*arrangement.warnings, *warnings, *remarks), seams)


def _seams(voxels: NDArray[np.generic], geometry: Geometry) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """Seams of a composed image, and a line about them."""
    seams = find_seams(voxels, geometry)
    if not seams:
        return (), (phrases.COMPOSED_FROM_SEVERAL_STATIONS_PIXELS,)
    heights = ", ".join(f"{seam * geometry.spacing[geometry.axis_along(2)]:.0f}" for seam in seams)
    return seams, (phrases.COMPOSED_FROM_SEVERAL_STATIONS_SEAMS.format(heights=heights),)


def _slices(series: Series, shelf: Shelf, progress: Callable[[int, int], None] | None) -> Iterator[_Slice]:
    left, decoder = MAX_VOXELS, FrameDecoder()
    for done, file in enumerate(series.files, 1):
        found = _read_file(file, series.label, shelf, decoder, left)
        left -= sum(_pixels(one.frame) for one in found)
        yield from found
        if progress is not None:
            progress(done, len(series.files))


def _read_file(file: SeriesFile, label: str, shelf: Shelf, decoder: FrameDecoder, most: int) -> list[_Slice]:
    if not file.frames:
        with suppress(UnusualError, OSError):
            return [_Slice(*shelf.read(file.path, most))]
    try:
        with lenient():
            dataset = read_dicom(file.path, force=True)
            frames, stated = frames_of(dataset, file.path, whole=False), integer(dataset, "NumberOfFrames")
    except READ_ERRORS as error:
        why = str(error) if isinstance(error, OversizedError) else type(error).__name__
        raise SeriesError(f"series {label}: a file cannot be read ({why})") from error
    wanted = [frame for frame in frames if not file.frames or frame.index in file.frames]
    if not wanted or (file.frames and len(wanted) != len(file.frames)):
        raise SeriesError(f"series {label}: a multi-frame file has {len(frames)} frames, fewer than its header said")
    if wanted[0].index is not None and stated is not None and stated != len(frames):
        raise SeriesError(
            f"series {label}: Number of Frames is {stated}, functional groups describe {len(frames)} frames"
        )
    if sum(map(_pixels, wanted)) > most:
        raise SeriesError(f"series {label}: more than {MAX_VOXELS:,} pixels; no MR series is as large")
    if fault := undecodable(wanted[0].transfer_syntax):
        raise SeriesError(f"series {label}: {fault}")
    with lenient():
        decoded = [(frame, decode(dataset, frame.index, decoder)) for frame in wanted]
    return [_Slice(f, None, found) if isinstance(found, str) else _Slice(f, found) for f, found in decoded]


def _pixels(frame: Frame) -> int:
    return frame.plane.rows * frame.plane.columns


def _check_kind(slices: Sequence[_Slice], label: str) -> None:
    """Refuse images whose pixels do not lie where the header says."""
    if any("MOSAIC" in s.frame.sequence.image_type for s in slices):
        raise SeriesError(
            f"series {label}: Siemens mosaic, many slices tiled in one image; expected one slice per image"
        )
    if fault := missing_parts([s.frame for s in slices]):
        raise SeriesError(f"series {label}: {fault}")


def _check_photometric(slices: Sequence[_Slice], label: str) -> None:
    found = sorted({s.frame.plane.photometric for s in slices})
    if len(found) > 1:
        raise SeriesError(f"series {label}: slices differ in Photometric Interpretation ({', '.join(found)})")
    if found[0] not in {"MONOCHROME1", "MONOCHROME2"} or any(s.frame.plane.samples != 1 for s in slices):
        raise SeriesError(f"series {label}: Photometric Interpretation {found[0]}; expected grey values")
    signed = [s for s in slices if s.frame.plane.signed]
    if 0 < len(signed) < len(slices) and any(s.pixels is not None and s.pixels.min() < 0 for s in signed):
        raise SeriesError(
            f"series {label}: slices differ in Pixel Representation, and some of them hold negative values"
        )
    if fault := next((s.frame.plane.misscaled for s in slices if s.frame.plane.misscaled), None):
        raise SeriesError(f"series {label}: {fault}")


def _check_damage(slices: Sequence[_Slice], label: str) -> None:
    """Refuse a series without a single good slice, in the words of the first damage."""
    if all(s.pixels is None for s in slices):
        many = phrases.ALL_SLICES.format(count=len(slices)) if len(slices) > 1 else phrases.ONLY_SLICE
        raise SeriesError(f"series {label}: {slices[0].damage} ({many})")


def _one_per_position(
    slices: Sequence[_Slice], arrangement: Arrangement, label: str
) -> tuple[list[_Slice | None], list[str]]:
    """The slice to use at each position of the grid, None where there is none; and what was dropped."""
    kept: list[_Slice | None] = []
    warnings: list[str] = []
    copies = 0
    for k, indices in enumerate(arrangement.positions):
        good = [slices[n] for n in indices if slices[n].pixels is not None]
        if any(not _same(good[0], other) for other in good[1:]):
            raise SeriesError(
                f"series {label}: {len(good)} different images at the position of slice {k + 1}; expected one"
            )
        copies += max(0, len(good) - 1)
        kept.append(good[0] if good else None)
        damage = next((slices[n].damage for n in indices if slices[n].damage), None)
        if damage:
            warnings.append(
                phrases.SLICE.format(
                    number=k + 1,
                    count=len(arrangement.positions),
                    damage=damage,
                    instead=phrases.COPY_USED if good else phrases.LEFT_EMPTY,
                )
            )
    if copies:
        warnings.append(of_count(copies, phrases.COPY_DROPPED, phrases.COPIES_DROPPED).format(copies=copies))
    for k in _blank(kept):
        kept[k] = None
        warnings.append(phrases.ONE_VALUE.format(number=k + 1, count=len(kept)))
    lost = [k + 1 for k, one in enumerate(kept) if one is None]
    if len(lost) > _LOST_SLICES:
        detail = next((s.damage for s in slices if s.damage), "")
        raise SeriesError(
            f"series {label}: {len(lost)} of {len(kept)} slices are missing or damaged ({detail}); expected at most one"
        )
    return kept, warnings


def _blank(kept: Sequence[_Slice | None]) -> list[int]:
    """Slices of one value between others that show something; at the ends a scanner may leave such slices."""
    found = [k for k, one in enumerate(kept) if one is not None and one.pixels is not None]
    shown = [k for k in found if np.ptp(kept[k].pixels) > 0]  # type: ignore[union-attr,arg-type]
    return [k for k in found if k not in shown and shown and shown[0] < k < shown[-1]]


def _same(one: _Slice, other: _Slice) -> bool:
    if one.pixels is None or other.pixels is None:
        return False
    rescale = [(s.frame.plane.slope, s.frame.plane.intercept) for s in (one, other)]
    return rescale[0] == rescale[1] and np.array_equal(one.pixels, other.pixels)


def _stack(kept: Sequence[_Slice | None], shelf: Shelf, shape: tuple[int, int, int], label: str) -> NDArray[np.generic]:
    good = [(k, s.frame.plane, s.pixels) for k, s in enumerate(kept) if s is not None and s.pixels is not None]
    dtype = _stored_type([plane for _, plane, _ in good], [pixels for _, _, pixels in good])
    read = shelf.volume([pixels for _, _, pixels in good]) if all(_is_grey(plane) for _, plane, _ in good) else None
    voxels: NDArray[np.generic]
    if read is not None and (read.shape, read.dtype) == (shape, dtype):
        voxels = read
    else:
        voxels = np.zeros(shape, dtype=dtype)
        for k, plane, pixels in good:
            voxels[k] = _grey(pixels, plane, dtype)
    if voxels.dtype.kind == "f" and not np.isfinite(voxels).all():
        raise SeriesError(f"series {label}: Rescale Slope or Intercept makes values that are no numbers")
    padded = [(k, _padding(pixels, plane)) for k, plane, pixels in good if plane.padding]
    padded = [(k, where) for k, where in padded if where.any()]
    real = voxels
    if padded or len(good) < len(voxels):
        image = np.zeros(voxels.shape, dtype=bool)
        image[[k for k, _, _ in good]] = True
        for k, where in padded:
            image[k] &= ~where
        real = voxels[image]
    if not real.size or (lowest := real.min()) == real.max():
        raise SeriesError(f"series {label}: all voxels have the same value; expected an image")
    for k, where in padded:
        voxels[k][where] = lowest
    return voxels


def _stored_type(planes: Sequence[PlaneFacts], pixels: Sequence[NDArray[np.integer]]) -> np.dtype[np.generic]:
    """float32 when anything is rescaled or the stored types do not fit 16 bits, otherwise the stored type."""
    common = np.result_type(*{p.dtype for p in pixels})
    plain = all(plane.slope == 1 and plane.intercept == 0 for plane in planes)
    return np.dtype(common.newbyteorder("=")) if plain and common.itemsize <= 2 else np.dtype(np.float32)


def _is_grey(plane: PlaneFacts) -> bool:
    """Whether stored values are the grey values."""
    return plane.photometric != "MONOCHROME1" and (plane.slope, plane.intercept) == (1.0, 0.0)


def _grey(pixels: NDArray[np.integer], plane: PlaneFacts, dtype: np.dtype[np.generic]) -> NDArray[np.generic]:
    """Rescaled values, bright is high: MONOCHROME1 is mirrored within the range that its bits can store."""
    if _is_grey(plane):
        return pixels
    stored = pixels.astype(np.float64)
    if plane.photometric == "MONOCHROME1":
        stored = plane.lowest + plane.highest - stored
    with np.errstate(over="ignore", invalid="ignore"):
        return (stored * plane.slope + plane.intercept).astype(dtype)


def _padding(pixels: NDArray[np.integer], plane: PlaneFacts) -> NDArray[np.bool_]:
    """Pixels that hold Pixel Padding Value, when that lies outside the range of all the others."""
    low, high = min(plane.padding), max(plane.padding)
    padded: NDArray[np.bool_] = (pixels >= low) & (pixels <= high)
    rest = pixels[~padded]
    outside = rest.size > 0 and (rest.min() > high or rest.max() < low)
    return padded if outside else np.zeros(pixels.shape, dtype=bool)
