"""``bids/``: masks and measurements as a BIDS derivative data set, which can be merged with those of other results.

BIDS has names for everything but measurements of single structures: ``phenotype/`` takes one row a participant, which
has no room for units, intervals and reasons. ``*_measurements.tsv`` therefore stands in ``.bidsignore``, the place for
files that BIDS does not know; it follows the rules for tables all the same. A ``mask`` is binary in BIDS: which lesion
is which stands in the segmentation beside it (``desc-lesions``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spinemri.convert import write_nifti
from spinemri.report.bids_names import FOLDER, series_entities, session_of
from spinemri.report.bids_tables import (
    LOOKUP_DICTIONARY,
    lookup_of_lesions,
    lookup_of_structures,
    measurements_dictionary,
    measurements_tsv,
)
from spinemri.report.marrow import was_assessed
from spinemri.report.masks import merged_structures, named_lesion_masks, named_masks, save_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from spinemri.analysis import Analysis
    from spinemri.case import Case
    from spinemri.segmentation import Segmentation
    from spinemri.series import Series

VERSION = "1.10.0"
"""Version of BIDS that the data set follows."""

NOT_IN_BIDS = "*_measurements.tsv\n*_measurements.json\n"
README = """# Segmentations and measurements of the spine

Made by spinemri. For research, not for diagnosis.

- `desc-anatomy_dseg`: vertebrae, discs, thecal sac and cord on the grid of a series; the `.tsv` names the values
- `desc-lesions_dseg`, `label-lesion_mask`: marrow lesions one by one, and together; none where nobody looked for them
- `measurements.tsv`: a row per measurement; the `.json` explains columns, names and units. BIDS has no name for it yet

`acq-` holds plane and contrast of the series; `Series` in a sidecar is its number. `n/a` means missing.
"""
_ANATOMY = "Vertebral bodies, posterior elements, discs, thecal sac, cord and sacrum, a value each"
_LESIONS = "Marrow lesions, a value each"
_MASK = "Marrow lesions, all together"
_REVIEWED = "a reader's verdicts were applied to what the software found"
_CORRECTED = "masks that a person corrected were measured in place of the software's"


@dataclass(frozen=True)
class Session:
    """Where the files of one study go: the data set's folder, and the entities that name folders and begin file names.

    ``runs`` are the entities of each used series, by its ``series_uid`` and ``stack``.
    """

    root: Path
    entities: tuple[str, ...]
    runs: Mapping[tuple[str, int], str]

    @property
    def folder(self) -> Path:
        """Folder of the study's files."""
        return self.root.joinpath(*self.entities, "anat")

    def path(self, rest: str) -> Path:
        """A file of the study by the rest of its name."""
        return self.folder / "_".join((*self.entities, rest))

    def of_series(self, series: Series, rest: str) -> Path:
        """A file on the grid of a series by the rest of its name."""
        return self.path(f"{self.runs[series.series_uid, series.stack]}_space-orig_{rest}")

    def uri(self, path: Path) -> str:
        """The BIDS URI of a file within the data set."""
        return f"bids::{path.relative_to(self.root).as_posix()}"


def write_bids(case: Case, folder: Path) -> None:
    """Write the folder ``bids``.

    Raises
    ------
    OutputError
        One label has two meanings, or a mask of lesions belongs to no series of the analysis.
    """
    used = case.analysis.used_series()
    runs = {(s.series_uid, s.stack): name for s, name in zip(used, series_entities(used), strict=True)}
    session = Session(folder / FOLDER, session_of(case.analysis), runs)
    session.folder.mkdir(parents=True)
    _write_description(case.analysis, session.root)
    _write_anatomy(case, session)
    if was_assessed(case.analysis):
        _write_lesions(case, session)
    _write_text(session.path("measurements.tsv"), measurements_tsv(case.analysis))
    save_json(session.path("measurements.json"), measurements_dictionary(case.analysis))


def _write_description(analysis: Analysis, root: Path) -> None:
    made = analysis.provenance
    makers = [{"Name": made.software, "Version": made.version, "Description": made.made_with}]
    if analysis.review is not None:
        makers.append({"Name": "Manual", "Description": _REVIEWED})
    if analysis.corrections:
        makers.append({"Name": "Manual", "Description": _CORRECTED})
    described = {
        "Name": f"{made.software}: segmentations and measurements of the spine",
        "BIDSVersion": VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": makers,
    }
    save_json(root / "dataset_description.json", described)
    _write_text(root / "README.md", README)
    _write_text(root / ".bidsignore", NOT_IN_BIDS)


def _write_anatomy(case: Case, session: Session) -> None:
    meanings = merged_structures(case)
    for _, series, mask in named_masks(case):
        table = lookup_of_structures({value: meanings[value] for value in mask.structures})
        image = session.of_series(series, "desc-anatomy_dseg.nii.gz")
        _write_segmentation(image, mask, table, _sidecar(_ANATOMY, series, mask))


def _write_lesions(case: Case, session: Session) -> None:
    for _, series, mask in named_lesion_masks(case):
        drawn = set(np.unique(mask.voxels).tolist())
        here = (o for o in case.analysis.lesions if o.series_uid == mask.series_uid and o.label in drawn)
        each = session.of_series(series, "desc-lesions_dseg.nii.gz")
        _write_segmentation(each, mask, lookup_of_lesions(here), _sidecar(_LESIONS, series, mask))
        write_nifti(mask.voxels > 0, mask.geometry, session.of_series(series, "label-lesion_mask.nii.gz"))
        described = {**_sidecar(_MASK, series, mask), "Type": "Lesion", "Sources": [session.uri(each)]}
        save_json(session.of_series(series, "label-lesion_mask.json"), described)


def _write_segmentation(image: Path, mask: Segmentation, table: str, sidecar: dict[str, Any]) -> None:
    """The voxels, the table of what they mean, and the sidecar of both."""
    stem = image.name.removesuffix(".nii.gz")
    write_nifti(mask.voxels, mask.geometry, image)
    _write_text(image.with_name(f"{stem}.tsv"), table)
    save_json(image.with_name(f"{stem}.json"), {**sidecar, **LOOKUP_DICTIONARY})


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="")


def _sidecar(description: str, series: Series, mask: Segmentation) -> dict[str, Any]:
    """What is said of an image on the grid of a series."""
    return {
        "Description": description,
        "SpatialReference": "orig",
        "Series": series.label,
        "Contrast": series.contrast.value,
        "Plane": series.plane.value,
        "MadeBy": mask.made_by,
    }
