"""Names within a BIDS derivative data set, by the schemas of BIDS 1.10 and 1.11.

In both, a discrete segmentation (``dseg``) in ``anat`` may carry the entities sub, ses, task, acq, ce, rec, run, echo,
part, chunk, space, res and desc, a ``mask`` also label, before desc. ``seg`` is newer than 1.10, so ``desc`` tells
anatomy from lesions. The suffix says what the file is, so the contrast of the series (T1w, T2w; STIR and Dixon images
have no suffix in any case) has no place in it: plane and contrast stand in ``acq``, and ``run`` counts series that
share both. ``space-orig`` says that voxels lie on the grid that they were drawn on. Labels hold letters and digits:
1.11 allows a plus sign, 1.10 does not.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from spinemri.analysis import Analysis
    from spinemri.series import Series

FOLDER = "bids"
"""The data set within a result."""
UNKNOWN = "unknown"
"""Label of a subject of whom nothing is known."""

_ENTITY = "-[0-9A-Za-z]+"
_OURS = re.compile(
    r"dataset_description\.json|README\.md|\.bidsignore|"
    rf"sub{_ENTITY}/(?:ses{_ENTITY}/)?anat/sub{_ENTITY}(?:_[a-z]+{_ENTITY})*_(?:dseg|mask|measurements)\.(?:nii\.gz|json|tsv)"
)


def label_of(text: str) -> str:
    """Letters and digits of an identifier; where others had to go, 8 digits of its checksum keep two of them apart."""
    kept = re.sub("[^0-9A-Za-z]", "", text)
    if kept == text:
        return kept or UNKNOWN
    return kept + hashlib.sha256(text.encode()).hexdigest()[:8]


def session_of(analysis: Analysis) -> tuple[str, ...]:
    """'sub-<label>' of the patient's token and 'ses-<label>' of the study's; without a study the former alone."""
    subject = f"sub-{label_of(analysis.patient)}"
    return (subject, f"ses-{label_of(analysis.study)}") if analysis.study else (subject,)


def series_entities(series: Sequence[Series]) -> tuple[str, ...]:
    """'acq-sagittalT1w' of each series; where several share that, 'acq-sagittalT1w_run-1' and so on."""
    acquired = [f"acq-{one.plane.value}{_joined(one.contrast.value)}" for one in series]
    shared, seen = Counter(acquired), Counter[str]()
    names = []
    for name in acquired:
        seen[name] += 1
        names.append(f"{name}_run-{seen[name]}" if shared[name] > 1 else name)
    return tuple(names)


def _joined(contrast: str) -> str:
    """'T1wPost' for 'T1w-post'."""
    return "".join(part[:1].upper() + part[1:] for part in contrast.split("-"))


def holds_ours_only(folder: Path) -> bool:
    """Whether a folder is there and every file below it has a name that we give."""
    files = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    return bool(files) and all(_OURS.fullmatch(path.relative_to(folder).as_posix()) for path in files)
