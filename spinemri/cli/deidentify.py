"""``spinemri deidentify``: a copy of DICOM files without identifiers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from spinemri.cli.console import out as stdout
from spinemri.cli.console import progress_bar, warning
from spinemri.dicom.confidentiality import DEFAULT, Option
from spinemri.errors import InputError

_FACE = (
    "series may show a face in profile (head or neck in the field of view); pixels are not changed, a face can be "
    "recognised in them"
)


def command(
    folder: Annotated[Path, typer.Argument(help="Folder with DICOM files, in any layout, or one file.")],
    *,
    out: Annotated[Path, typer.Option("--output", "-o", help="Folder for the copy; new or empty.")],
    option: Annotated[
        list[Option] | None,
        typer.Option(help="Option of the profile; repeatable. Unless given: descriptors, structured, dates, patient."),
    ] = None,
    basic: Annotated[bool, typer.Option("--basic", help="The Basic Profile alone, without any option.")] = False,
    token_key: Annotated[
        Path | None, typer.Option(help="File with the salt of pseudonyms, UIDs and dates; made when absent.")
    ] = None,
) -> None:
    """Copy DICOM files without identifiers, by PS3.15 Annex E; refuse what cannot be cleaned and say why."""
    from spinemri.cli.token_key import token_key as read_key
    from spinemri.dicom.deidentify_folder import deidentify_folder
    from spinemri.report.write import check_writable, finished_folder

    options = frozenset(option) if option else frozenset() if basic else DEFAULT
    if basic and option:
        raise InputError("--basic with --option: expected one of them")
    if {Option.DATES, Option.FULL_DATES} <= options:
        raise InputError("options dates and full-dates: expected one of them")
    _check_apart(folder, out)
    check_writable(out)
    key = read_key(token_key, out)
    with finished_folder(out) as place:
        with progress_bar() as update:
            account = deidentify_folder(
                folder, place, key, options, lambda done, total: update("de-identifying", done, total)
            )
        text = json.dumps(account.as_json(), indent=2) + "\n"
        (place / "deidentification.json").write_text(text, encoding="utf-8")
    for why, count in sorted(account.refused.items()):
        warning(f"{count} files refused: {why}")
    if account.with_face:
        warning(f"{len(account.with_face)} {_FACE}")
    patients, series = len(account.patients), len(account.series)
    stdout.print(f"written: {account.written} files of {series} series of {patients} patients", markup=False)


def _check_apart(folder: Path, out: Path) -> None:
    """The copy must not lie among the originals, where the next run would find it."""
    if folder.resolve() == out.resolve() or folder.resolve() in out.resolve().parents:
        raise InputError("the output folder lies in the folder with the originals; expected another place")
