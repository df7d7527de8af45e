"""Compressed frames, decoded in a process of their own.

Decoders are programs of other people in C and C++, and some of them end the whole process over a damaged stream. Here
that ends the process beside ours, and the frame is one that cannot be decoded. It also has limits of time and memory,
which a stream that claims to be huge cannot pass. JPEG-LS goes to pyjpegls, JPEG and JPEG 2000 to pillow, JPEG Lossless
to GDCM, which alone has it.
"""

from __future__ import annotations

import atexit
import json
import os
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID

from spinemri.dicom.values import READ_ERRORS, lenient, value

try:
    import resource
except ImportError:  # no such limits on this system
    resource = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LIMIT_S = 20.0  # for one frame; the first one has to load the libraries as well
_LIMIT_BYTES = 2 * 1024**3
_LOST = 2  # processes that a series may cost
_PREFERRED = ("pyjpegls", "pillow", "pydicom", "gdcm")
_FACTS = (
    "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "PlanarConfiguration",
)  # fmt: skip
_SIZE = struct.Struct("<Q")
_COMMAND = "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from spinemri.dicom.frames import serve; serve()"


class FrameDecoder:
    """Decodes the frames of one series; one that ends the process twice is given up."""

    def __init__(self) -> None:
        self._lost = 0

    def decode(self, dataset: Dataset, stream: bytes) -> NDArray[np.integer] | None:
        """Stored values of one compressed frame; None when it cannot be decoded.

        Parameters
        ----------
        dataset : says size and kind of the pixels and the transfer syntax
        stream : the frame as it is stored
        """
        if self._lost >= _LOST:
            return None
        facts = {name: value(dataset, name) for name in _FACTS if name in dataset}
        facts["syntax"] = str(dataset.file_meta.TransferSyntaxUID)
        answer = _decoder_of(os.getpid()).ask(json.dumps(facts, default=str).encode(), stream)
        if answer is None:
            self._lost += 1
            return None
        said = json.loads(answer[0])
        return np.frombuffer(answer[1], np.dtype(said["type"])).reshape(said["shape"]) if said else None


class _Decoder:
    """The process beside ours: begins with the first frame, ends with ours or when it takes too long over one."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._one_at_a_time = threading.Lock()

    def ask(self, head: bytes, body: bytes) -> tuple[bytes, bytes] | None:
        """What it answers; None when it died over it."""
        with self._one_at_a_time:
            process = self._running()
            watch = threading.Timer(_LIMIT_S, process.kill)
            watch.start()
            try:
                _send(process.stdin, head, body)
                return _receive(process.stdout), _receive(process.stdout)
            except (OSError, EOFError):
                self._end()
                return None
            finally:
                watch.cancel()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            command = [sys.executable, "-c", _COMMAND, json.dumps(sys.path)]
            quiet = subprocess.DEVNULL
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=quiet)
            atexit.register(self._end)
        return self._process

    def _end(self) -> None:
        atexit.unregister(self._end)
        if self._process is not None:
            self._process.kill()
            with suppress(OSError, ValueError):  # a pipe that still holds what nobody will read
                self._process.communicate()
            self._process = None


@cache
def _decoder_of(_pid: int) -> _Decoder:
    """The one of this process: one that was forked needs its own."""
    return _Decoder()


def serve() -> None:
    """Decode what comes in over standard input until that ends; what libraries print goes nowhere."""
    _limit_memory()
    with os.fdopen(os.dup(1), "wb") as out, os.fdopen(0, "rb") as source:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        while True:
            try:
                head, body = _receive(source), _receive(source)
            except EOFError:
                return
            pixels = _decoded(json.loads(head), body)
            said = None if pixels is None else {"type": pixels.dtype.str, "shape": pixels.shape}
            _send(out, json.dumps(said).encode(), b"" if pixels is None else pixels.tobytes())


def _decoded(facts: dict[str, Any], stream: bytes) -> NDArray[np.integer] | None:
    syntax = UID(str(facts.pop("syntax")))
    try:
        with lenient():
            dataset = Dataset()
            for name, found in facts.items():
                setattr(dataset, name, found)
            dataset.file_meta = FileMetaDataset()
            dataset.file_meta.TransferSyntaxUID = syntax
            dataset.PixelData = encapsulate([stream])
            dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
            able = get_decoder(syntax).available_plugins
            plugin = next(name for name in _PREFERRED if name in able)
            pixels: NDArray[np.integer] = pixel_array(
                dataset, index=0, raw=True, correct_unused_bits=True, decoding_plugin=plugin
            )
            return pixels
    except (*READ_ERRORS, StopIteration):
        return None


def _limit_memory() -> None:
    if resource is None:
        return
    resource.setrlimit(resource.RLIMIT_DATA, (_LIMIT_BYTES, _LIMIT_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _send(stream: Any, *parts: bytes) -> None:
    for part in parts:
        stream.write(_SIZE.pack(len(part)))
        stream.write(part)
    stream.flush()


def _receive(stream: Any) -> bytes:
    """The next part. Raises EOFError when the other side has gone."""
    (size,) = _SIZE.unpack(_exactly(stream, _SIZE.size))
    return _exactly(stream, size)


def _exactly(stream: Any, size: int) -> bytes:
    found: bytes = stream.read(size)
    if len(found) < size:
        raise EOFError
    return found
