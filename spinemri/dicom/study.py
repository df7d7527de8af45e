"""The newest study of a folder in memory: its chosen series as images, and what was left out and why."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from spinemri.analysis import SeriesRecord
from spinemri.dicom.choose import choose, choose_study
from spinemri.dicom.load import load
from spinemri.dicom.scan import scan
from spinemri.errors import InputError, SeriesError
from spinemri.faults import attempt
from spinemri.language import Phrases
from spinemri.series import Plane

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from spinemri.faults import Fault
    from spinemri.image import Image
    from spinemri.series import Contrast, Series, Skipped, Study

    Progress = Callable[[str, int, int], None]

phrases = Phrases("dicom.study")


@dataclass(frozen=True, eq=False)
class LoadedStudy:
    """A study in memory: the sagittal images to measure, axial ones beside them, and what was left out and why."""

    study: Study
    patient: str
    images: tuple[Image, ...]
    refused: tuple[tuple[Series, str], ...]
    skipped: tuple[Skipped, ...]
    warnings: tuple[str, ...]
    seconds: dict[str, float] = field(default_factory=dict)
    axial: tuple[Image, ...] = ()
    failures: tuple[Fault, ...] = ()

    @property
    def every_image(self) -> tuple[Image, ...]:
        """Sagittal and axial ones."""
        return (*self.images, *self.axial)

    def records(self, roles: Sequence[str], *, axial_read: bool = True) -> tuple[SeriesRecord, ...]:
        """Every series: the used ones with their role, axial ones, the refused ones with the reason.

        Parameters
        ----------
        roles : parallel to ``images``
        axial_read : whether there was a network for ``axial``; otherwise those are among the refused ones
        """
        used = (SeriesRecord(series=i.series, used=True, reason=r) for i, r in zip(self.images, roles, strict=True))
        reason = phrases.IN_SECTION if axial_read else phrases.NO_AXIAL_MODEL
        axial = (SeriesRecord(series=i.series, used=axial_read, reason=reason) for i in self.axial)
        return (*used, *axial, *(SeriesRecord(series=s, used=False, reason=why) for s, why in self.refused))


def load_study(folder: Path, patient: str | None, contrast: Contrast | None, progress: Progress) -> LoadedStudy:
    """The chosen series of the newest study in a folder, loaded; a series that cannot be loaded is refused.

    Parameters
    ----------
    folder : DICOM in any layout, or NIfTI, NRRD, MetaImage files
    patient : which patient, when the folder holds several
    contrast : contrast of volume files whose name does not say it
    progress : called with (stage, done, total)

    Returns
    -------
    LoadedStudy with every identifier that the files hold, and no patient yet

    Raises
    ------
    InputError
        Nothing usable, or several patients.
    SeriesError
        No usable series can be loaded.
    """
    start = time.perf_counter()
    inventory = scan(folder, contrast=contrast, progress=lambda done, total: progress("reading headers", done, total))
    study, warnings = choose_study(inventory, patient)
    images, refused, failures = _load_chosen(study, progress)
    told = (*warnings, *failures, *_image_warnings(images))
    seconds = {"read": time.perf_counter() - start}
    images = _told_apart(images)
    sagittal, axial = (
        tuple(i for i in images if (i.series.plane is Plane.AXIAL) is wanted) for wanted in (False, True)
    )
    return LoadedStudy(study, "", sagittal, refused, inventory.skipped, told, seconds, axial)


def _load_chosen(
    study: Study, report: Progress
) -> tuple[tuple[Image, ...], tuple[tuple[Series, str], ...], tuple[str, ...]]:
    """Load the best series of each contrast; when one cannot be loaded the next best takes its place.

    Returns
    -------
    images, refused series with reasons, and what failed to load
    """
    images: dict[Series, Image] = {}
    failures: list[str] = []
    while True:
        used, refused = choose(study)
        waiting = [series for series in used if series not in images]
        if not used:
            raise SeriesError("; ".join(failures)) if failures else InputError("no series can be measured")
        if not waiting:
            return (
                tuple(images[series] for series in used),
                refused,
                tuple(phrases.NOT_USED.format(line=line) for line in failures),
            )
        report("loading", len(images), len(used))
        label = waiting[0].label
        found = attempt(phrases.LOADING_SERIES.format(label=label), phrases.FAILED, _loaded, waiting[0])
        if isinstance(found, str):
            failures.append(phrases.SERIES.format(label=label, text=found))
            study = _refuse(study, waiting[0], found)
        else:
            images[waiting[0]] = found


def _loaded(series: Series) -> Image | str:
    """The image of a series, or why it cannot be loaded."""
    try:
        return load(series)
    except SeriesError as error:
        return phrases.MESSAGE.format(message=str(error).removeprefix(f"series {series.label}: "))


def _refuse(study: Study, series: Series, reason: str) -> Study:
    marked = tuple(s.model_copy(update={"refusal": reason}) if s is series else s for s in study.series)
    return study.model_copy(update={"series": marked})


def _told_apart(images: tuple[Image, ...]) -> tuple[Image, ...]:
    """Stacks of one DICOM series are series of their own from here on, with a ``series_uid`` of their own."""
    return tuple(
        replace(i, series=i.series.model_copy(update={"series_uid": f"{i.series.series_uid}#{i.series.stack}"}))
        if i.series.stack
        else i
        for i in images
    )


def _image_warnings(images: tuple[Image, ...]) -> Iterator[str]:
    for image in images:
        for warning in dict.fromkeys((*image.series.warnings, *image.warnings)):
            named = warning.startswith(("series", phrases.SERIES.partition("{")[0]))
            yield warning if named else phrases.SERIES.format(label=image.series.label, text=warning)
