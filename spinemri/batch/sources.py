"""Which studies there are: in a folder of any layout, a BIDS data set, or a CSV or Parquet file that lists them.

One study is one Study Instance UID of one patient, however many folders its files lie in; of volume files, what
``read.volume_study`` takes for one. A row of a list is one study, whatever the path holds: the user's word. A
folder whose MR files are all damaged shows no study; it is a source with a ``fault``, so that it is reported.
The ``id`` names the result: a salted token, or the user's own word (``id`` of the list), or, when identifiers are
kept, the place below the root.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinemri.analysis import token
from spinemri.batch.manifest import LISTS, listed
from spinemri.dicom.scan import no_dicom, relative_name, scan
from spinemri.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from spinemri.batch.remote import Remote
    from spinemri.pipeline import Options
    from spinemri.series import Inventory, Study

    Progress = Callable[[int, int], None]

_BROKEN = ("damaged", "cannot be read", "empty file", "MR ", "enhanced", "not a readable", "no MR image: no SOP Class")
_ANAT = ("sub-*/anat", "sub-*/ses-*/anat")


@dataclass(frozen=True)
class Source:
    """One study to analyse.

    Parameters
    ----------
    id : name of its result, a safe file name
    base : folder that names of files are relative to; without ``files`` the folder or file to read as a whole
    files : the files of the study, when the folder holds others as well
    place : where it lies below the root, for ``--dry-run`` and globs; may hold a patient's name, never written
    fault : why nothing of it can be read
    own : what a list says of this study alone, in place of the run's ``Options``
    remote : the study of a DICOMweb server that this is, in place of ``base`` and ``files``
    """

    id: str
    base: Path = Path()
    files: tuple[Path, ...] = ()
    place: str = ""
    fault: str = ""
    own: Mapping[str, Any] = field(default_factory=dict)
    remote: Remote | None = None

    def options(self, options: Options) -> Options:
        """The options of a run, with what is said of this study alone."""
        return replace(options, **self.own)

    def every_file(self) -> tuple[Path, ...]:
        """Files of the study and its label files, in a stable order."""
        labels: tuple[Path, ...] = self.own.get("labels", ())
        if self.files or not self.base.is_dir():
            return (*(sorted(self.files) or (self.base,)), *labels)
        return (*sorted(path for path in self.base.rglob("*") if path.is_file()), *labels)


def find_sources(root: Path, options: Options, progress: Progress | None = None) -> tuple[Source, ...]:
    """Every study of a folder, BIDS data set or list, in a stable order.

    Parameters
    ----------
    root : folder, or a CSV or Parquet file as ``manifest`` describes it
    options : with a ``token_key`` unless identifiers are kept
    progress : called with (files looked at, files in all)

    Raises
    ------
    InputError
        No such folder, a list that cannot be used, or no study.
    """
    if not root.exists():
        raise InputError(f"{root.name}: no such folder or file")
    if root.is_file() and root.suffix.lower() in LISTS:
        return tuple(_listed(root, options))
    anat = sorted({folder for pattern in _ANAT for folder in root.glob(pattern) if folder.is_dir()})
    found = [source for folder in anat or [root] for source in _below(folder, root, options, progress)]
    if not found:
        raise InputError(f"no study found in {root.name or 'the folder'}")
    return tuple(sorted(_told_apart(found, options), key=lambda source: source.place))


def chosen(sources: Iterable[Source], include: Sequence[str], exclude: Sequence[str]) -> tuple[Source, ...]:
    """Sources whose place fits one of ``include`` (all when empty) and none of ``exclude``; ``*`` crosses folders."""
    return tuple(
        source
        for source in sources
        if (not include or any(fnmatch(source.place, glob) for glob in include))
        and not any(fnmatch(source.place, glob) for glob in exclude)
    )


def as_source(path: Path, options: Options) -> Source:
    """A folder or file that is one study."""
    return Source(named(str(path), str(path), options), path.absolute(), place=str(path))


def _below(folder: Path, root: Path, options: Options, progress: Progress | None) -> Iterator[Source]:
    inventory = scan(folder, contrast=options.contrast, progress=progress)
    owners: defaultdict[Path, set[int]] = defaultdict(set)  # folder -> studies that have files in it or below it
    sound: set[Path] = set()
    for number, study in enumerate(inventory.studies):
        folders = {file.path.parent for series in study.series for file in series.files}
        sound |= folders
        for above in {above for folder in folders for above in (folder, *folder.parents)}:
            owners[above].add(number)
    for study in inventory.studies:
        yield _of_study(study, inventory.root, root.absolute(), options, owners)
    apart = _volumes_apart(inventory, sound)
    for other in apart:
        yield from _below(other, root, options, None)
    yield from _broken(inventory, root.absolute(), sound, apart, options)


def _of_study(study: Study, base: Path, root: Path, options: Options, owners: Mapping[Path, set[int]]) -> Source:
    """A study of a scan; its place is the folder that holds it and no other, or else its first file."""
    files = tuple(sorted({file.path for series in study.series for file in series.files}))
    shared = Path(os.path.commonpath([file.parent for file in files]))
    alone = len(owners[shared]) == 1 and shared != root
    place = relative_name(shared if alone else files[0], root)
    return Source(named(place, study.study_uid, options), base, files, place)


def _volumes_apart(inventory: Inventory, of_dicom: set[Path]) -> tuple[Path, ...]:
    """Folders of volume files that the scan left for DICOM which lies elsewhere in the tree, none below another."""
    beside = {(inventory.root / s.path).parent for s in inventory.skipped if s.reason == no_dicom()[-1]}
    apart = [f for f in beside if not any(d.is_relative_to(f) or f.is_relative_to(d) for d in of_dicom)]
    return tuple(sorted(f for f in apart if not any(f != g and f.is_relative_to(g) for g in apart)))


def _broken(
    inventory: Inventory, root: Path, sound: set[Path], apart: Sequence[Path], options: Options
) -> Iterator[Source]:
    """Folders without any study in which files should have been MR images, but for those that are looked at apart."""
    faults: defaultdict[Path, list[str]] = defaultdict(list)
    for skipped in inventory.skipped:
        folder = (inventory.root / skipped.path).parent
        own = folder not in sound and not any(folder.is_relative_to(other) for other in apart)
        if own and skipped.reason.startswith(_BROKEN):
            faults[folder].append(skipped.reason)
    for folder, reasons in sorted(faults.items()):
        place = relative_name(folder, root)
        told = "; ".join(f"{reasons.count(reason)} files: {reason}" for reason in sorted(set(reasons)))
        yield Source(named(place, f"broken {place}", options), folder, place=place, fault=f"no image ({told})")


def _listed(table: Path, options: Options) -> Iterator[Source]:
    seen: set[str] = set()
    for row in listed(table, options):
        name = row.id or named(row.path, row.path, options)
        if name in seen:
            raise InputError(f"{row.where}: this id or path stands there twice")
        seen.add(name)
        yield Source(name, (table.parent / row.path).absolute(), place=row.path, fault=row.fault, own=row.own)


def named(place: str, uid: str, options: Options) -> str:
    """Name of a result: the place in safe letters when identifiers are kept, else the token of the study's UID."""
    if options.keep_identifiers:
        return re.sub(r"[^A-Za-z0-9_.-]+", "_", place).strip("._") or "study"
    if options.token_key is None:
        raise InputError("names of results are salted tokens: give Options a token_key, or keep identifiers")
    return token(uid, options.token_key)


def _told_apart(sources: Sequence[Source], options: Options) -> Iterator[Source]:
    """A UID that several patients share, or places alike in safe letters, get the token of their place behind."""
    count: defaultdict[str, int] = defaultdict(int)
    for source in sources:
        count[source.id] += 1
    for source in sources:
        mark = token(source.place, options.token_key or b"place", 6)
        yield source if count[source.id] == 1 else replace(source, id=f"{source.id}-{mark}")
