"""Writes docs/reliability.md: what came of files that are made or known to break readers.

One function per section, named in ``main`` with its title; each returns what was tried and lines of Markdown. Without
the folder of reference data (``--data``) the section on public files is left as it is on the page.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import reliability_batch
import reliability_determinism
import reliability_fuzz
import reliability_privacy
import SimpleITK

from spinemri.convert import from_sitk
from spinemri.dicom.load import load
from spinemri.dicom.scan import scan
from spinemri.dicom.values import lenient
from spinemri.errors import SpineMRIError
from spinemri.evaluate.page import with_section
from spinemri.read import read_volume

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from spinemri.image import Image
    from spinemri.series import Series

HERE = Path(__file__).resolve().parent
HEAD = """# Reliability

What came of files that are made or known to break readers, by `make prove`. `right`: every voxel at its place with its
value, as an independent reader or the truth has it. `refused`: one line that names the cause. `wrong` and `crashed`
must be 0."""
OUTCOMES = ("right", "refused", "wrong", "crashed")
SYNTHETIC = "## Synthetic cases"
PUBLIC = "## Public files"
PRIVACY = "## Identifiers"
CLOSE = 1e-3  # mm and grey values


@dataclass(frozen=True)
class Tried:
    """One case: its group, its name, what came of it and in words why."""

    group: str
    name: str
    outcome: str
    said: str = ""


def main() -> None:
    """Write every section that can be written."""
    options = _options()
    sys.path.insert(0, str(HERE.parent))  # the catalogue lies with the tests
    page = options.page.read_text(encoding="utf-8") if options.page.exists() else HEAD + "\n"
    sections: list[tuple[str, Callable[[], tuple[list[Tried], list[str]]]]] = [
        (SYNTHETIC, synthetic_section),
        (reliability_batch.TITLE, batch_section),
        (PRIVACY, privacy_section),
        ("## Damaged input", lambda: ready_section(reliability_fuzz.section())),
        ("## Determinism", lambda: ready_section(reliability_determinism.section())),
    ]
    if options.data.is_dir():
        sections += [(PUBLIC, lambda: public_section(options.data))]
    bad = 0
    for title, make in sections:
        tried, lines = make()
        page = with_section(page, title, "\n".join([title, "", *lines]))
        bad += sum(one.outcome in ("wrong", "crashed") for one in tried)
    options.page.write_text(page, encoding="utf-8")
    print(page)
    sys.exit(f"{bad} cases are wrong or crashed" if bad else 0)


def synthetic_section() -> tuple[list[Tried], list[str]]:
    """The catalogue of hard cases, ``tests/dicom/catalogue.py``."""
    catalogue = importlib.import_module("tests.dicom.catalogue")
    tried = []
    for case in catalogue.CASES:
        with tempfile.TemporaryDirectory() as folder:
            verdict, said = catalogue.judge(case, Path(folder) / "study")
        group = f"case {case.number} of the table" if case.number else "beyond the table"
        tried.append(Tried(group, case.name, verdict.value, said))
    about = "Cases of the table in [dicom.md](dicom.md#what-happens-forty-six-hard-cases), written as files and read."
    of_table = [one for one in tried if one.group != "beyond the table"]
    groups = {"the table": of_table, "beyond the table": [one for one in tried if one not in of_table]}
    return tried, [about, "", *counts(groups), *faults(tried)]


def batch_section() -> tuple[list[Tried], list[str]]:
    """A batch with broken studies, undisturbed and killed."""
    rows, lines = reliability_batch.section()
    return [Tried("batch", what, "right" if right else "wrong", value) for what, value, right in rows], lines


def privacy_section() -> tuple[list[Tried], list[str]]:
    """Marked identifiers in every element of the sample study, searched for in all that is written."""
    made = {name: way() for name, way in reliability_privacy.WAYS.items()}
    rows = [f"| {name} | {f.planted} | {f.files} | {f.searched_bytes} | {len(f.found)} |" for name, f in made.items()]
    about = (
        "Marks in every element that can hold text of the sample study (the first two) or of one series of it, without "
        "the lesion network, and what of them was written; see [privacy.md](privacy.md)."
    )
    head = ["| command | marks planted | files searched | bytes | found |", "|---|---|---|---|---|"]
    tried = [
        Tried("privacy", name, "wrong" if f.found else "right", "; ".join(f.found[:5])) for name, f in made.items()
    ]
    return tried, [about, "", *head, *rows, *faults(tried)]


def ready_section(text: str) -> tuple[list[Tried], list[str]]:
    """A section that another script made, without its title."""
    return [], text.strip().splitlines()[2:]


def public_section(data: Path) -> tuple[list[Tried], list[str]]:
    """Every file and series of the public DICOM test collections, against other readers."""
    tried = public_cases(data)
    groups = {name: [one for one in tried if one.group == name] for name in dict.fromkeys(one.group for one in tried)}
    about = [
        "Each stack of public test collections, named after their repositories: pixels against pydicom's and",
        "GDCM's decoders slice by slice, volumes against the ground truth of dicom2nifti where there is one, places",
        "against each slice's own header. Files that are no part of a series are refused with the reason they were",
        "skipped for.",
    ]
    refused = Counter((one.group, one.said) for one in tried if one.outcome == "refused")
    reasons = [f"| {group} | {number} | {said} |" for (group, said), number in sorted(refused.items())]
    table = ["", "| collection | cases | refused because |", "|---|---|---|", *reasons]
    return tried, [*about, "", *counts(groups), *table, *faults(tried)]


def counts(groups: dict[str, list[Tried]]) -> list[str]:
    """A table: groups, and how many cases of each came out how."""
    rows = [f"| group | cases | {' | '.join(OUTCOMES)} |", "|---" * 6 + "|"]
    for name, tried in groups.items():
        found = Counter(one.outcome for one in tried)
        rows.append(f"| {name} | {len(tried)} | {' | '.join(str(found[outcome]) for outcome in OUTCOMES)} |")
    return rows


def faults(tried: Sequence[Tried]) -> list[str]:
    """A line for each case that is wrong or crashed."""
    bad = [one for one in tried if one.outcome in ("wrong", "crashed")]
    return ["", *(f"- {one.group}, {one.name}: {one.outcome}: {one.said}" for one in bad)] if bad else []


def public_cases(data: Path) -> list[Tried]:
    """What came of every series and every skipped file of the public collections below ``data``."""
    root = data / "dicom-cases"
    tried: list[Tried] = []
    for collection in sorted(path for path in root.iterdir() if path.is_dir()):
        with tempfile.TemporaryDirectory() as unpacked:
            folders = list(_folders(collection, Path(unpacked)))
            for folder in folders:
                tried += _of_folder(collection.name, folder)
    return tried


def _folders(collection: Path, unpacked: Path) -> Iterator[Path]:
    """The innermost folders that hold DICOM files, and what archives hold, each a study of its own."""
    yield from sorted({path.parent for path in collection.rglob("*") if path.is_file() and path.suffix != ".gz"})
    for archive in sorted(collection.rglob("*.zip")):
        target = unpacked / archive.stem
        with zipfile.ZipFile(archive) as file:
            file.extractall(target)
        yield from sorted({path.parent for path in target.rglob("*") if path.is_file()})


def _of_folder(group: str, folder: Path) -> Iterator[Tried]:
    inventory = _caught(lambda: scan(folder))
    if isinstance(inventory, Exception):
        yield Tried(group, folder.name, "crashed", type(inventory).__name__)
        return
    direct = {path.name for path in folder.iterdir() if path.is_file()}
    for skipped in inventory.skipped:
        if skipped.path in direct:
            yield Tried(group, skipped.path, "refused", skipped.reason)
    for study in inventory.studies:
        for series in study.series:
            if {file.path.parent for file in series.files} == {folder}:
                yield _of_series(group, series, folder)


def _of_series(group: str, series: Series, folder: Path) -> Tried:
    name = f"{folder.name} {series.label}"
    loaded = _caught(lambda: load(series))
    if isinstance(loaded, SpineMRIError):
        return Tried(group, name, "refused", str(loaded).split(": ", 1)[-1])
    if isinstance(loaded, Exception):
        return Tried(group, name, "crashed", type(loaded).__name__)
    fault = next((fault for check in CHECKS if (fault := check(loaded, folder))), "")
    return Tried(group, name, "wrong" if fault else "right", fault)


def _caught(work: Callable[[], Any]) -> Any:
    """What ``work`` returns, or the exception that it ended with: here a crash is a result."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
    return future.exception() or future.result()


# independent readers


def slices_of_pydicom(image: Image, _: Path) -> str:
    """'' when each slice equals what pydicom decodes, rescaled, at the place that its header says."""
    for file in image.series.files:
        with lenient():
            dataset = pydicom.dcmread(file.path, force=True)
            stored = _caught(lambda found=dataset: found.pixel_array)
        if isinstance(stored, Exception):
            if any("a copy is used" in warning or "left empty" in warning for warning in image.warnings):
                continue
            return f"pydicom cannot decode {file.path.name}"
        for n in file.frames or (None,):
            fault = _frame_differs(image, dataset, stored if n is None else stored[n], n)
            if fault:
                return fault
    return ""


def _frame_differs(image: Image, dataset: pydicom.Dataset, pixels: NDArray[Any], n: int | None) -> str:
    place = np.array(_of_frame(dataset, n, "PlanePositionSequence", "ImagePositionPatient"), dtype=float)
    slope = float(_of_frame(dataset, n, "PixelValueTransformationSequence", "RescaleSlope", 1))
    intercept = float(_of_frame(dataset, n, "PixelValueTransformationSequence", "RescaleIntercept", 0))
    k, j, i = image.geometry.to_index(place)
    if max(abs(k - round(k)), abs(j), abs(i)) > CLOSE * 10:
        return f"slice lies at ({k:.3f}, {j:.3f}, {i:.3f}) of the grid"
    spacing = _of_frame(dataset, n, "PixelMeasuresSequence", "PixelSpacing")
    if not np.allclose(np.array(spacing, dtype=float), image.geometry.spacing[1:], rtol=CLOSE):
        return "pixel spacing differs"
    expected = _stored_bits(dataset, pixels) * slope + intercept
    return "" if np.allclose(image.voxels[round(k)], expected, rtol=1e-6) else "pixels differ from pydicom's"


def _stored_bits(dataset: pydicom.Dataset, pixels: NDArray[Any]) -> NDArray[Any]:
    """Pixel values without bits of overlays above them."""
    bits, signed = int(dataset.BitsStored), int(dataset.PixelRepresentation) == 1
    return pixels if signed or int(dataset.HighBit) != bits - 1 else pixels & np.array((1 << bits) - 1, pixels.dtype)


def _of_frame(dataset: pydicom.Dataset, n: int | None, group: str, keyword: str, default: Any = None) -> Any:
    """An attribute of a single-frame object, or of a frame from its own groups or the shared ones."""
    if n is None:
        return dataset.get(keyword, default)
    for source in (dataset.PerFrameFunctionalGroupsSequence[n], dataset.SharedFunctionalGroupsSequence[0]):
        if group in source and keyword in source[group].value[0]:
            return source[group].value[0][keyword].value
    return default


def slices_of_gdcm(image: Image, _: Path) -> str:
    """'' when each single-frame file equals what GDCM decodes through SimpleITK."""
    for file in image.series.files if not any(file.frames for file in image.series.files) else ():
        read = _caught(lambda path=str(file.path): SimpleITK.ReadImage(path))
        if isinstance(read, Exception):
            continue  # truncated files and the like: pydicom has judged them
        voxels, geometry = from_sitk(read)
        k, j, i = image.geometry.to_index(geometry.origin)
        if max(abs(k - round(k)), abs(j), abs(i)) > CLOSE * 10:
            return "slice lies elsewhere for GDCM"
        if not np.allclose(image.voxels[round(k)], voxels[0]):
            return "pixels differ from GDCM's"
    return ""


def ground_truth(image: Image, folder: Path) -> str:
    """'' when a volume equals the ground truth of a converter that lies beside its folder, or there is none."""
    for path in sorted(folder.parent.glob(f"{folder.name}_ground_truth*.nii.gz")):
        truth = read_volume(path)
        points = image.geometry.to_patient(np.stack(np.indices(image.geometry.shape), axis=-1).reshape(-1, 3))
        index = truth.geometry.to_index(points)
        nearest = np.rint(index).astype(int)
        inside = ((nearest >= 0) & (nearest < truth.geometry.shape)).all()
        if not inside or np.abs(index - nearest).max() > CLOSE * 10:
            return f"places differ from {path.name}"
        if not np.array_equal(truth.voxels[tuple(nearest.T)], image.voxels.reshape(-1)):
            return f"voxels differ from {path.name}"
    return ""


CHECKS = (slices_of_pydicom, slices_of_gdcm, ground_truth)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data", help="reference data")
    parser.add_argument("--page", type=Path, default=HERE / "reliability.md")
    return parser.parse_args()


if __name__ == "__main__":
    main()
