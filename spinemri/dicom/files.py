"""A DICOM file read from disk, with a bound on what it may become in memory.

A deflated object is unpacked before anything else of it is known, a few kilobytes to gigabytes if someone wants it so.
"""

from __future__ import annotations

import io
import os
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pydicom

from spinemri.dicom.values import lenient

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pydicom.dataset import Dataset

MAX_UNPACKED = 512 * 1024**2  # bytes of a deflated object: 250 million pixels
MAX_FILE = 2 * 1024**3
_CHUNK = 1 << 16


class OversizedError(ValueError):
    """A file that is far larger, or unpacks to far more, than an MR examination needs."""


class _Bounded(io.BufferedReader):
    """A file whose rest, asked for at once, is the deflated part of an object: it may not unpack too far."""

    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(size)
        if size is None or size < 0:
            _check_unpacked(found)
        return found


def read_dicom(path: Path, *, force: bool = False, header: Sequence[str] | None = None) -> Dataset:
    """Dataset of a file; raises one of ``headers.READ_ERRORS``, of them ``OversizedError``.

    Parameters
    ----------
    force : read it although its beginning does not say that it is DICOM
    header : the attributes to read of the header; the whole object when None
    """
    with _opened(path) as stream:
        if header is not None:
            return pydicom.dcmread(stream, stop_before_pixels=True, force=force, specific_tags=list(header))
        if os.fstat(stream.fileno()).st_size > MAX_FILE:
            raise OversizedError(f"more than {MAX_FILE >> 30} GB in one file")
        return pydicom.dcmread(stream, force=force)


@contextmanager
def _opened(path: Path) -> Iterator[_Bounded]:
    with _Bounded(io.FileIO(str(path))) as stream, lenient():
        yield stream


def _check_unpacked(packed: bytes) -> None:
    """Raise OversizedError when a deflate stream is larger than ``MAX_UNPACKED`` once unpacked."""
    unpacker, left = zlib.decompressobj(-zlib.MAX_WBITS), MAX_UNPACKED
    try:
        while packed and not unpacker.eof:
            left -= len(unpacker.decompress(packed, _CHUNK * 16))
            packed = unpacker.unconsumed_tail
            if left < 0:
                raise OversizedError(f"more than {MAX_UNPACKED >> 20} MB once unpacked")
    except zlib.error:  # damaged: told by who unpacks it
        return
