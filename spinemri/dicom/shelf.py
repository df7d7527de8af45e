"""Slices of ordinary files, read straight to their places in the array of their volume.

Ordinary are files whose header is plain (``plain.py``) and whose Pixel Data are 16-bit grey values, uncompressed, as
long as Rows and Columns ask for, and the end of the file. Whatever is not so raises ``UnusualError`` and is decoded as
any other file.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, cast

import numpy as np
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from spinemri.dicom.headers import KEPT, frames_of
from spinemri.dicom.plain import HEAD_BYTES, UnusualError, plain_header
from spinemri.geometry import MAX_VOXELS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from spinemri.dicom.facts import Frame
    from spinemri.dicom.plain import Plain

_BITS = 16
_COUNTS = ("BitsAllocated", "BitsStored", "HighBit", "SamplesPerPixel", "PixelRepresentation", "Rows", "Columns")
_NATIVE = frozenset({str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian)})
_GREY = frozenset({"MONOCHROME1", "MONOCHROME2"})


class Shelf:
    """The array of a series that is being read; every slice gets the next place in it.

    Parameters
    ----------
    places : how many slices there may be
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._array: NDArray[np.integer] | None = None
        self._given: list[NDArray[np.integer]] = []

    def read(self, path: Path, most: int) -> tuple[Frame, NDArray[np.integer]]:
        """How an ordinary file is stored and where it lies, and its stored values (rows, columns).

        Parameters
        ----------
        most : pixels that it may have

        Raises
        ------
        UnusualError
            Any other file.
        OSError
            The file cannot be read.
        """
        with io.FileIO(str(path)) as stream:
            plain = plain_header(stream.read(HEAD_BYTES), stream, KEPT)
            (frame,) = frames_of(plain, path, whole=False)
            rows, columns = frame.plane.rows, frame.plane.columns
            start, length = plain.pixels
            whole = length == 2 * rows * columns > 0 and os.fstat(stream.fileno()).st_size == start + length
            if rows * columns > most or not whole or not _stored_as_usual(plain):
                raise UnusualError
            pixels = self._place((rows, columns), np.dtype("<i2" if frame.plane.signed else "<u2"))
            stream.seek(start)
            if stream.readinto(pixels) != length:  # type: ignore[arg-type]
                raise UnusualError
        _clear_unused(pixels, frame.plane.lowest, frame.plane.highest, frame.plane.bits_stored)
        return frame, pixels

    def volume(self, slices: Sequence[NDArray[np.integer]]) -> NDArray[np.integer] | None:
        """The array (slices, rows, columns), when these are all of its slices in their order; None otherwise."""
        full = len(slices) == len(self._given) == self._places
        if self._array is None or not full:
            return None
        same = all(one is place for one, place in zip(slices, self._given, strict=True))
        return self._array if same and all(place.base is self._array for place in slices) else None

    def _place(self, shape: tuple[int, int], dtype: np.dtype[np.integer]) -> NDArray[np.integer]:
        """The next place, or an array of its own for a slice unlike the first or in a series that is too large."""
        if self._array is None and self._places * shape[0] * shape[1] <= MAX_VOXELS:
            self._array = np.empty((self._places, *shape), dtype)
        n, array = len(self._given), self._array
        fits = array is not None and n < len(array) and (array.shape[1:], array.dtype) == (shape, dtype)
        self._given.append(array[n] if array is not None and fits else np.empty(shape, dtype))
        return self._given[-1]


def _stored_as_usual(plain: Plain) -> bool:
    """Whether Pixel Data are 16-bit grey values of one frame whose lowest bit is bit 0, uncompressed."""
    facts = [plain.value(keyword) for keyword in _COUNTS]
    if any(type(fact) is not int for fact in facts):  # a text or a fraction, which pydicom refuses
        return False
    allocated, stored, high, samples, signed, *_ = facts
    return (
        plain.syntax in _NATIVE
        and plain.value("NumberOfFrames") in {None, "1"}
        and plain.value("PhotometricInterpretation") in _GREY
        and (allocated, samples) == (_BITS, 1)
        and stored in range(1, _BITS + 1)
        and high == cast("int", stored) - 1
        and signed in {0, 1}
    )


def _clear_unused(pixels: NDArray[np.integer], lowest: int, highest: int, stored: int) -> None:
    """Remove, in place, what stands in bits above those stored, as pydicom does."""
    if pixels.min() < lowest or pixels.max() > highest:
        pixels <<= _BITS - stored
        pixels >>= _BITS - stored
