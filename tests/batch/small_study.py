"""Small studies of one true column, as DICOM, and the networks that know it: what many of them need is seconds.

The networks are made by functions of this module, so that other processes can make them as well.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import pydicom

from spinemri.batch.line import Job
from spinemri.dicom.write import StudyHeader, write_series
from spinemri.errors import ModelError
from spinemri.networks import Networks
from spinemri.pipeline import Options
from spinemri.segment.model import load_model
from tests.columns import TrueColumn, t2w_image
from tests.synthetic_study import TruePredictor

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from spinemri.image import Image
    from spinemri.segment.predictor import ClassMap

KEY = b"0123456789abcdef"
OPTIONS = Options(token_key=KEY)
COLUMN = TrueColumn(("L4", "L5", "S1"))
GRID = COLUMN.grid(spacing=(7.0, 2.2, 2.1), half_width_mm=20.0)


@cache
def true_classes() -> np.ndarray:
    return COLUMN.on(GRID)[0]


def true_networks() -> Networks:
    return Networks(TruePredictor(true_classes(), GRID, load_model()))


@dataclass(frozen=True, eq=False)
class Deadly:
    """A network that is killed over one study, as the system does when memory ends; once only when ``mark`` is a file
    that can be made.
    """

    truth: TruePredictor
    brightness: int
    mark: Path | None = None

    model = property(lambda self: self.truth.model)
    device = "cpu"
    levels = outlines = None
    together = 1

    def predict(self, image: Image) -> ClassMap:
        if int(image.voxels.max()) == self.brightness and not (self.mark and self.mark.exists()):
            if self.mark:
                self.mark.write_text("")
            os.kill(os.getpid(), signal.SIGKILL)
        return self.truth.predict(image)


def deadly_networks(brightness: int, mark: Path | None = None) -> Networks:
    return Networks(Deadly(true_networks().anatomy, brightness, mark))


def telling_networks() -> Networks:
    """None: an error that says how many threads the libraries of this process were given."""
    libraries = ("OMP_NUM", "OPENBLAS_NUM", "MKL_NUM", "ITK_GLOBAL_DEFAULT_NUMBER_OF")
    raise ModelError(" ".join(os.environ.get(f"{library}_THREADS", "unsaid") for library in libraries))


def study_image(number: int) -> Image:
    """T2w image of the column with noise of its own."""
    return t2w_image(true_classes(), GRID, f"2.25.9000.{number}", number)


def write_study(folder: Path, number: int, patient: str = "") -> tuple[Path, ...]:
    """DICOM files of a study."""
    return write_series(study_image(number), folder, StudyHeader(patient or f"P{number}"))


def edit(files: tuple[Path, ...], **values: Any) -> None:
    """Change an attribute in every file; None removes it."""
    for path in files:
        dataset = pydicom.dcmread(path)
        for keyword, value in values.items():
            setattr(dataset, keyword, value) if value is not None else delattr(dataset, keyword)
        dataset.save_as(path)


def job(**values: Any) -> Job:
    return Job(**{"load": true_networks, "options": OPTIONS, "formats": ("json",), **values})


def deadly_job(brightness: int, mark: Path | None = None) -> Job:
    return job(load=partial(deadly_networks, brightness, mark))
