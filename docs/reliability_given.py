"""Files that users give besides DICOM images, marked wherever they can hold text: masks, volumes, reviews, tables."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import SimpleITK
from reliability_marks import Marks

from spinemri.analysis import Analysis
from spinemri.convert import write_nifti
from spinemri.dicom.load import load
from spinemri.dicom.scan import scan
from spinemri.report.page_review import review_identity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spinemri.series import Series

_NIFTI_TEXT = {"data_type": (4, 10), "db_name": (14, 18), "descrip": (148, 80), "aux_file": (228, 24)}
_NIFTI_TEXT["intent_name"] = (328, 16)
_NOW = "2026-11-06T08:00:00Z"


@dataclass(frozen=True)
class Given:
    """Files made of a first analysis: a review of it, its masks as NIfTI and as DICOM SEG, and images as NIfTI."""

    review: Path
    masks: tuple[Path, ...]
    segs: tuple[Path, ...]
    images: tuple[Path, ...]


def corrections(result: Path, source: Path, target: Path) -> Given:
    """A review and masks as a person would bring them back, marked in names, headers and the names within gzip.

    Parameters
    ----------
    result : folder of an analysis with json, nifti and dicom-seg
    source : folder of the same images without marks
    target : folder to make
    """
    marks = Marks(count=0x11111)
    target.mkdir()
    analysis = Analysis.model_validate_json((result / "report.json").read_bytes())
    level = str(analysis.spine.levels[0])
    told = {"target": "level", "id": level, "verdict": "accept", "time": _NOW}
    review = target / f"{marks.word()} review.json"
    review.write_text(json.dumps({**review_identity(analysis), "decisions": [told]}), encoding="utf-8")
    names = {record.series.label: record.series.contrast.value for record in analysis.series}
    masks = tuple(
        marked_nifti(path, target / f"{marks.word()}_{path.name[:-7]}_{names[path.name[13:-7]]}.nii.gz", marks)
        for path in sorted(result.glob("segmentation*.nii.gz"))
    )
    segs = tuple(sorted(result.rglob("*.dcm")))
    copies = tuple(target / f"{marks.word()}.dcm" for _ in segs)
    for path, copy in zip(segs, copies, strict=True):
        shutil.copy(path, copy)
    subject = marks.word()
    images = tuple(
        _image(series, target / f"{subject}_{series.contrast.value}.nii.gz", marks) for series in _series(source)
    )
    return Given(review, masks, copies, images)


def _series(source: Path) -> tuple[Series, ...]:
    return scan(source).studies[0].series


def _image(series: Series, target: Path, marks: Marks) -> Path:
    """A series as a marked NIfTI file."""
    image = load(series)
    write_nifti(image.voxels, image.geometry, target)
    return marked_nifti(target, target, marks)


def marked_nifti(path: Path, target: Path, marks: Marks) -> Path:
    """A copy of a NIfTI file with marks in every text of its header, and in the name that gzip keeps."""
    content = bytearray(gzip.decompress(path.read_bytes()))
    for start, length in _NIFTI_TEXT.values():
        content[start : start + length] = marks.word().encode()[:length].ljust(length, b"\0")
    with target.open("wb") as stream, gzip.GzipFile(f"{marks.word()}.nii", "wb", fileobj=stream) as packed:
        packed.write(content)
    return target


def volumes(images: Iterable[Path], target: Path) -> Path:
    """Two studies of the images, one as NIfTI and one as NRRD, marked in names and headers."""
    marks = Marks(count=0x22222)
    nifti, nrrd = (target / f"sub-{marks.word()}" for _ in range(2))
    nifti.mkdir(parents=True)
    nrrd.mkdir()
    for path in images:
        shutil.copy(path, nifti)
        image = SimpleITK.ReadImage(str(path))
        for key in ("zqx", "patient_name"):
            image.SetMetaData(key, marks.word())
        SimpleITK.WriteImage(image, str(nrrd / path.name.replace(".nii.gz", ".nrrd")))
    return target


def lists(cohort: Path, target: Path, marks: Marks) -> Path:
    """A list of studies whose paths and other columns are marked; one path leads nowhere, another to no study."""
    target.mkdir()
    table = target / f"{marks.word()}.csv"
    folders = sorted(path for path in cohort.iterdir() if path.is_dir())
    (cohort / f"{marks.word()}.txt").write_text(marks.word(), encoding="utf-8")
    rows = [*(str(path) for path in folders[:1]), str(cohort / marks.word()), str(next(cohort.glob("*.txt")))]
    with table.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "patient name"])
        writer.writerows([path, marks.word()] for path in rows)
    return table


def refusals(study: Path, made: Given, target: Path) -> list[tuple[object, ...]]:
    """Commands, each with a file that must be refused and holds marks where a message might repeat something."""
    marks = Marks(count=0x33333)
    target.mkdir()
    review = json.loads(made.review.read_text(encoding="utf-8"))
    decision = review["decisions"][0]
    texts = {
        "--clinical": [
            json.dumps({"pain": marks.word()}),
            json.dumps({"question": [marks.word()]}),
            json.dumps({marks.word(): 1}),
            json.dumps({"age_years": marks.word()}),
            json.dumps({"primary": marks.word() * 40}),
            json.dumps({"bone_quality": "lytic", "bone_quality_levels": [marks.word()]}),
            json.dumps([marks.word()]),
            f'{{"pain": {marks.word()}',
        ],
        "--review": [
            json.dumps({**review, marks.word(): marks.word()}),
            json.dumps({**review, "decisions": [{**decision, "id": marks.word()}]}),
            json.dumps({**review, "decisions": [{**decision, "level": marks.word()}]}),
            json.dumps({**review, "decisions": [{**decision, "verdict": marks.word()}]}),
            json.dumps({**review, "decisions": [{**decision, "target": "lesion", "id": marks.word()}] * 2}),
            json.dumps({**review, "decisions": [{**decision, "time": marks.word()}]}),
            json.dumps({**review, "decisions": [{**decision, "target": "lesion", "verdict": "correct"}]}),
            json.dumps({**review, "analysis": {**review["analysis"], "input_sha256": marks.word()}}),
            json.dumps({**review, "analysis": {**review["analysis"], "levels": {marks.word(): marks.word()}}}),
            marks.word(),
        ],
        "--corrected": (damaged := [marks.word(), made.masks[0].read_bytes()[:2000], made.segs[0].read_bytes()[:-500]]),
        "--labels": damaged,
    }
    commands: list[tuple[object, ...]] = []
    for option, contents in texts.items():
        for number, content in enumerate(contents):
            path = target / f"{option.strip('-')}{number}{_suffix(content)}"
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            more = ("--labels-from", "spinemri") if option == "--labels" else ()
            commands.append(("analyze", study, option, path, *more))
    return commands + _tables(target, marks)


def _suffix(content: str | bytes) -> str:
    """Of a file name: what the content is, or says it is."""
    if isinstance(content, str):
        return ".json"
    return ".nii.gz" if content.startswith(b"\x1f\x8b") else ".dcm"


def _tables(target: Path, marks: Marks) -> list[tuple[object, ...]]:
    """Commands of score and convert-labels, each with a table or mask that is none."""
    truth = Path(__file__).resolve().parents[1] / "sample_data"
    tables = {"values.csv": f"id,value\n{marks.word()},{marks.word()}\n", "columns.csv": f"{marks.word()}\n1\n"}
    for name, text in tables.items():
        (target / name).write_text(text, encoding="utf-8")
    (target / "mask.nii.gz").write_bytes(gzip.compress(marks.word().encode() * 100))
    names = ("--from", "spinemri", "--to", "verse")
    scores = [("score", truth, target / name) for name in tables]
    return [*scores, ("convert-labels", target / "mask.nii.gz", target / "out.nii.gz", *names)]
