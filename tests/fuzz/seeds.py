"""What is mutated: small synthetic studies of every kind that spinemri reads, and real files where they are at hand."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydicom
import SimpleITK
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGLSLossless, RLELossless

from spinemri.convert import to_sitk
from tests.batch import small_study
from tests.dicom.series_builder import SeriesWriter, sagittal_geometry, unlike_voxels
from tests.dicom.test_seg import sparse, write_seg
from tests.labels.painted import mask_in, painted
from tests.revise import reviewed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / "shared" / "data" / "dicom-cases"
_MAX_FILES, _MAX_BYTES = 8, 1_500_000
GRID = sagittal_geometry()
VOXELS = unlike_voxels(GRID)


@dataclass(frozen=True)
class Seed:
    """Files of one sound input, and which target reads them."""

    target: str
    name: str
    files: dict[str, bytes]


def synthetic() -> tuple[Seed, ...]:
    """One seed of each kind of input."""
    return tuple(Seed(target, name, _made(make)) for target, name, make in _MAKERS)


@cache
def chains() -> tuple[Seed, ...]:
    """Studies small enough to be analysed whole, with a clinical file and a review."""
    return (Seed("chain", "study", _made(_whole_study)),)


def real() -> tuple[Seed, ...]:
    """Folders of public DICOM files, a few files of each; none where they are absent."""
    folders: dict[Path, dict[str, bytes]] = {}
    for path in sorted(REAL.rglob("*")) if REAL.is_dir() else ():
        if path.is_file() and path.suffix.lower() not in {".gz", ".json", ".txt", ".md"}:
            files = folders.setdefault(path.parent, {})
            if len(files) < _MAX_FILES and path.stat().st_size + sum(map(len, files.values())) <= _MAX_BYTES:
                files[path.name] = path.read_bytes()
    return tuple(
        Seed("dicom", folder.relative_to(REAL).as_posix(), files) for folder, files in folders.items() if files
    )


def _made(make: Callable[[Path], None]) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as name:
        make(Path(name))
        return {path.relative_to(name).as_posix(): path.read_bytes() for path in _files(Path(name))}


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _classic(folder: Path) -> None:
    SeriesWriter(folder).classic(GRID, VOXELS)


def _two_series(folder: Path) -> None:
    SeriesWriter(folder / "a").classic(GRID, VOXELS)
    SeriesWriter(folder / "b", series="1.2.3", number=3, preset="STIR").classic(GRID, VOXELS)


def _enhanced(folder: Path) -> None:
    SeriesWriter(folder, preset="STIR").enhanced(GRID, VOXELS)


def _recoded(syntax: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        for path in SeriesWriter(folder).classic(GRID, VOXELS):
            dataset = pydicom.dcmread(path)
            if syntax in {RLELossless, JPEGLSLossless}:
                dataset.compress(syntax, generate_instance_uid=False)
                dataset.save_as(path)
            else:
                dataset.file_meta.TransferSyntaxUID = syntax
                implicit = syntax == ImplicitVRLittleEndian
                pydicom.dcmwrite(path, dataset, implicit_vr=implicit, little_endian=True)

    return make


def _volume(suffix: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        image = to_sitk(VOXELS, replace(GRID, frame_of_reference_uid=None))
        SimpleITK.WriteImage(image, str(folder / f"17_t1{suffix}"), useCompression=suffix != ".mhd")

    return make


def _seg(kind: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        path = write_seg(folder, sparse(), kind)
        for image in _files(folder / "images"):
            image.unlink()
        path.rename(folder / "mask.dcm")

    return make


def _labels(folder: Path) -> None:
    image = mask_in("spinemri", painted(3, "short lumbar", 8.0, 3.0))
    SimpleITK.WriteImage(to_sitk(image.voxels, image.geometry), str(folder / "t2_seg.nii.gz"), useCompression=True)


def _clinical(folder: Path) -> None:
    said = {
        "indication": "pain at night",
        "question": ["metastasis", "cord_compression"],
        "pain": "mechanical",
        "primary": "breast",
        "bone_quality": "lytic",
        "bone_quality_levels": ["L1", "T12"],
        "osteoporosis": "unknown",
        "new_translation": "yes",
        "new_translation_levels": ["L4", "L5"],
    }
    (folder / "clinical.json").write_text(json.dumps(said))


def _review(folder: Path) -> None:
    (folder / "review.json").write_text(json.dumps(_reviewed(), ensure_ascii=False))


def _reviewed() -> dict[str, Any]:
    study = {
        "software": "spinemri",
        "version": "0.1.0",
        "created": "2026-11-23T08:00:00Z",
        "study": "abc",
        "levels": {"L1": [1.0, 2.0, 3.0]},
        "lesions": {"lesion-1": [1.0, 2.0, 3.0]},
    }
    decisions = [
        reviewed.decision("level", "L1", "correct", level="T12"),
        reviewed.decision("lesion", "lesion-1", "reject"),
        reviewed.decision("finding", "f-1", "correct", text="no"),
    ]
    whole = {"review_version": "1.0", "analysis": study, "reviewer": "A. Räder", "decisions": decisions}
    return {**whole, "earlier": {**whole, "decisions": decisions[:1]}}


def _list(folder: Path) -> None:
    rows = [
        "path,id,patient,contrast,anchor,labels,labels_from",
        "one,a,,T1w,L5=2,,",
        "two,b,P1,,,m.nii.gz,verse",
        "../x,,,,,,",
    ]
    (folder / "list.csv").write_text("\n".join(rows))
    for name in ("one", "two"):
        (folder / name).mkdir()
        (folder / name / "x").write_bytes(b"x")


def _whole_study(folder: Path) -> None:
    small_study.write_study(folder / "study", 1)
    _clinical(folder)


_MAKERS: tuple[tuple[str, str, Callable[[Path], None]], ...] = (
    ("dicom", "classic", _classic),
    ("dicom", "two series", _two_series),
    ("dicom", "enhanced", _enhanced),
    ("dicom", "RLE", _recoded(RLELossless)),
    ("dicom", "JPEG-LS", _recoded(JPEGLSLossless)),
    ("dicom", "deflated", _recoded(DeflatedExplicitVRLittleEndian)),
    ("dicom", "implicit", _recoded(ImplicitVRLittleEndian)),
    ("volume", "nifti", _volume(".nii")),
    ("volume", "nifti gz", _volume(".nii.gz")),
    ("volume", "nrrd", _volume(".nrrd")),
    ("volume", "mha", _volume(".mha")),
    ("volume", "mhd", _volume(".mhd")),
    ("labels", "SEG binary", _seg("BINARY")),
    ("labels", "SEG fractional", _seg("FRACTIONAL")),
    ("labels", "nifti labels", _labels),
    ("clinical", "clinical", _clinical),
    ("review", "review", _review),
    ("list", "csv", _list),
)
