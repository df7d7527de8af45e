"""Pixels of one image plane, decoded and checked; a file that was cut off is told apart from an unknown encoding.

Stored values keep their bits only: overlay bits above or below them are removed. Padding, rescale and photometric
interpretation are applied later, over the whole stack (``load.py``). Compressed frames are decoded by ``frames.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydicom.datadict import dictionary_description
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from spinemri.dicom.values import READ_ERRORS, integer, lenient, text, value

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from spinemri.dicom.frames import FrameDecoder

_END_OF_IMAGE = b"\xff\xd9"  # ends a JPEG, JPEG-LS or JPEG 2000 stream
_BEGINNINGS = (b"\xff\xd8", b"\xff\x4f", b"\x00\x00\x00\x0c")  # JPEG and JPEG-LS, JPEG 2000, the latter in its box
_JPEG_FAMILY = "1.2.840.10008.1.2.4."


def undecodable(transfer_syntax: str) -> str | None:
    """Why pixels in a transfer syntax cannot be decoded here, and what to do; None when they can."""
    if not transfer_syntax:
        return None
    try:
        with lenient():
            uid = UID(transfer_syntax)
            decoder = get_decoder(uid)
    except (NotImplementedError, ValueError):
        return f"unsupported transfer syntax of the pixels ({uid.name}); decompress them first (gdcmconv --raw)"
    if decoder.is_available:
        return None
    return f"the pixels are compressed as {uid.name} and no decoder is installed (pip install python-gdcm)"


def decode(dataset: Dataset, index: int | None, decoder: FrameDecoder) -> NDArray[np.integer] | str:
    """Stored values (rows, columns) of a frame, or what is wrong with them.

    Parameters
    ----------
    dataset : the whole object
    index : frame of a multi-frame object, from 0; None for a single-frame object
    decoder : of compressed frames
    """
    _ensure_transfer_syntax(dataset)
    syntax = UID(str(dataset.file_meta.TransferSyntaxUID))
    if index is None and (integer(dataset, "NumberOfFrames") or 1) > 1:
        return "several frames in a single-frame object"
    if fault := _short(dataset, compressed=syntax.is_encapsulated) or _undescribed(dataset):
        return fault
    if syntax.startswith(_JPEG_FAMILY) and not _begins(dataset, index or 0):
        return f"compressed pixel data does not begin as {syntax.name} does"
    stored, high = integer(dataset, "BitsStored"), integer(dataset, "HighBit")
    shifted = stored is not None and high is not None and high != stored - 1 and not syntax.is_encapsulated
    if syntax.is_encapsulated:
        found = _decompressed(dataset, index or 0, decoder)
    else:
        found = _uncompressed(dataset, index or 0, whole=not shifted)
    if isinstance(found, str):
        return found
    pixels = found
    if pixels.shape != (integer(dataset, "Rows"), integer(dataset, "Columns")) or pixels.dtype.kind not in "iu":
        return f"pixel data has shape {pixels.shape}, expected one grey value for each of rows and columns"
    if shifted and stored is not None and high is not None:
        pixels = _aligned(pixels, stored, high, signed=integer(dataset, "PixelRepresentation") == 1)
    return pixels


def _uncompressed(dataset: Dataset, index: int, *, whole: bool) -> NDArray[np.integer] | str:
    try:
        with lenient():
            pixels: NDArray[np.integer] = pixel_array(dataset, index=index, raw=True, correct_unused_bits=whole)
    except READ_ERRORS:
        return "pixel data cannot be decoded"
    return pixels


def _decompressed(dataset: Dataset, index: int, decoder: FrameDecoder) -> NDArray[np.integer] | str:
    """Compressed pixels; a stream that does not end as it must was cut off."""
    syntax = UID(str(dataset.file_meta.TransferSyntaxUID))
    frames = integer(dataset, "NumberOfFrames") or 1
    try:
        stream = get_frame(dataset.PixelData, index, number_of_frames=frames)
    except READ_ERRORS:
        return f"pixel data cannot be decoded ({syntax.name})"
    pixels = decoder.decode(dataset, stream)
    if pixels is None:
        return f"pixel data cannot be decoded ({syntax.name})"
    if syntax.startswith(_JPEG_FAMILY) and _END_OF_IMAGE not in stream[-16:]:
        return "compressed pixel data is truncated (no end of image)"
    return pixels


def _ensure_transfer_syntax(dataset: Dataset) -> None:
    """A file without meta information was read as what it looked like; say so where decoding asks."""
    if dataset.file_meta.get("TransferSyntaxUID"):
        return
    implicit, little = dataset.original_encoding
    if implicit:
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    else:
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def _short(dataset: Dataset, *, compressed: bool) -> str | None:
    """What is missing from the pixel data of a file: all of it, or its end; or that it is of a larger image."""
    if "FloatPixelData" in dataset or "DoubleFloatPixelData" in dataset:
        return "pixels are stored as floating-point numbers; expected Pixel Data of whole numbers"
    data = value(dataset, "PixelData")
    if not isinstance(data, bytes) or not data:
        return "no pixel data"
    rows, columns, bits = (integer(dataset, k) or 0 for k in ("Rows", "Columns", "BitsAllocated"))
    frames, samples = (integer(dataset, k) or 1 for k in ("NumberOfFrames", "SamplesPerPixel"))
    expected = frames * rows * columns * samples * bits // 8
    if compressed or expected <= len(data) < 2 * max(expected, 1):
        return None
    if len(data) > expected:
        return f"pixel data is too long ({len(data)} bytes, Rows and Columns ask for {expected})"
    return f"pixel data is truncated ({len(data)} of {expected} bytes)"


def _undescribed(dataset: Dataset) -> str | None:
    """Which attribute that says how pixels are stored is missing or impossible."""
    for keyword in ("BitsAllocated", "BitsStored", "PixelRepresentation", "SamplesPerPixel"):
        if integer(dataset, keyword) is None:
            return f"{dictionary_description(keyword)} is missing: the pixels cannot be read"
    allocated, stored = (integer(dataset, keyword) or 0 for keyword in ("BitsAllocated", "BitsStored"))
    if allocated not in {8, 16, 32, 64} or not 0 < stored <= allocated:
        return f"Bits Allocated {allocated} with Bits Stored {stored}: expected 8, 16, 32 or 64 and no more stored"
    if (high := integer(dataset, "HighBit")) is not None and not stored - 1 <= high < allocated:
        return f"High Bit {high} with Bits Stored {stored} and Bits Allocated {allocated}: a pixel has no such bits"
    if not text(dataset, "PhotometricInterpretation"):
        return "Photometric Interpretation is missing: the pixels cannot be read"
    return None


def _begins(dataset: Dataset, index: int) -> bool:
    """Whether a compressed frame begins as its stream must: decoders print their complaints about other bytes."""
    return _stream(dataset, index).startswith(_BEGINNINGS)


def _stream(dataset: Dataset, index: int) -> bytes:
    """The compressed bytes of a frame; none when they cannot be told from those of others."""
    try:
        return get_frame(dataset.PixelData, index, number_of_frames=integer(dataset, "NumberOfFrames") or 1)
    except READ_ERRORS:
        return b""


def _aligned(pixels: NDArray[np.integer], stored: int, high: int, *, signed: bool) -> NDArray[np.integer]:
    """Values whose lowest bit is not bit 0: shifted down, other bits removed, sign restored."""
    bits = pixels.view(f"u{pixels.dtype.itemsize}").astype(np.int64) >> (high + 1 - stored)
    bits &= (1 << stored) - 1
    if signed:
        bits = np.where(bits >= 1 << (stored - 1), bits - (1 << stored), bits)
    return bits.astype(pixels.dtype)
