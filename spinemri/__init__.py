"""spinemri: from a folder of spine MR images to segmented, named and measured vertebrae and a report.

The names below are the public interface. Each is loaded when it is first used, so that ``import spinemri`` stays
quick and loads neither torch nor SimpleITK.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spinemri.analysis import Analysis
    from spinemri.anatomy import Level, Structure, StructureKind
    from spinemri.batch.run import analyze_many
    from spinemri.case import Case
    from spinemri.compare.study import compare
    from spinemri.dicom.load import load
    from spinemri.dicom.scan import scan
    from spinemri.finding import Finding
    from spinemri.geometry import Geometry
    from spinemri.image import Image
    from spinemri.measure.study import measure
    from spinemri.measurement import Measurement
    from spinemri.pipeline import analyze, read_study, segment
    from spinemri.report.write import write
    from spinemri.segmentation import Segmentation
    from spinemri.series import Series, Study

    __version__: str

__all__ = [
    "Analysis",
    "Case",
    "Finding",
    "Geometry",
    "Image",
    "Level",
    "Measurement",
    "Segmentation",
    "Series",
    "Structure",
    "StructureKind",
    "Study",
    "analyze",
    "analyze_many",
    "compare",
    "load",
    "measure",
    "read_study",
    "scan",
    "segment",
    "write",
]

_HOME = {
    "Analysis": "analysis",
    "Case": "case",
    "Finding": "finding",
    "Geometry": "geometry",
    "Image": "image",
    "Level": "anatomy",
    "Measurement": "measurement",
    "Segmentation": "segmentation",
    "Series": "series",
    "Structure": "anatomy",
    "StructureKind": "anatomy",
    "Study": "series",
    "analyze": "pipeline",
    "analyze_many": "batch.run",
    "compare": "compare.study",
    "load": "dicom.load",
    "measure": "measure.study",
    "read_study": "pipeline",
    "scan": "dicom.scan",
    "segment": "pipeline",
    "write": "report.write",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        value: object = _version()
    elif name in _HOME:
        value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(__name__)
    except PackageNotFoundError:
        return "0+not-installed"


class _Package(ModuleType):
    """``spinemri.segment``, ``measure`` and ``compare`` are the public functions, whatever was imported before.

    Importing a module of the sub-packages with these names would otherwise put the sub-package in their place.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
