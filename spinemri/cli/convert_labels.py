"""``spinemri convert-labels``: a mask in the numbers of another scheme, with what that scheme cannot say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spinemri.cli.console import out as stdout
from spinemri.cli.console import plain, warning
from spinemri.errors import InputError, OutputError

if TYPE_CHECKING:
    from spinemri.geometry import Geometry
    from spinemri.labels.translate import Loss, Translation

_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".mha")
_END = ("file", "scheme")


def command(
    mask: Annotated[Path, typer.Argument(help="Mask: NIfTI, NRRD, MetaImage or DICOM SEG.")],
    out: Annotated[Path, typer.Argument(help="New mask, on the same grid: ends in .nii, .nii.gz, .nrrd or .mha.")],
    *,
    from_: Annotated[
        str, typer.Option("--from", help="What the numbers of MASK mean: totalspineseg-step2, spider-dataset …")
    ],
    to: Annotated[str, typer.Option("--to", help="Scheme of the new mask: spinemri, verse, spineps-veridah …")],
    anchor: Annotated[
        str | None,
        typer.Option(help="Where --from only counts: L5=2 says that the 2nd from the bottom is L5."),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="JSON file for what is lost; it is printed in any case.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")] = False,
) -> None:
    """Write a mask in the numbers of another label scheme; says what the other scheme cannot tell apart or name."""
    from spinemri.dicom.seg import load_labels
    from spinemri.labels.schemes import OWN
    from spinemri.labels.segments import by_segment
    from spinemri.labels.translate import translate
    from spinemri.segment.levels import Anchor

    _check_outputs(out, report, overwrite=overwrite)
    said = Anchor.parse(anchor) if anchor else None
    stored = load_labels(mask)
    image = by_segment(stored.image, stored.segments, mask.name) if from_ == OWN and stored.segments else stored.image
    made = translate(image, from_, to, name=mask.name, anchor=(said.index, said.level) if said else None)
    _write(made, image.geometry, mask, out, (report, _document(made, (mask.name, from_), (out.name, to))))
    for text in made.warnings:
        warning(text)
    _show(made)
    stdout.print(plain(f"written: {out.name} ({to})"), markup=False)


def _check_outputs(out: Path, report: Path | None, *, overwrite: bool) -> None:
    from spinemri.read import suffix_of

    if suffix_of(out) not in _SUFFIXES:
        raise InputError(f"{out.name}: expected a name that ends in {', '.join(_SUFFIXES)}")
    for path in (out, *([report] if report else [])):
        if path.is_dir() or (path.exists() and not overwrite):
            raise OutputError(f"{path.name} is there already; choose another name or --overwrite")
        if not path.parent.is_dir():
            raise OutputError(f"{path.name}: its folder does not exist")


def _write(made: Translation, grid: Geometry, mask: Path, out: Path, told: tuple[Path | None, str]) -> None:
    """The mask, axes in the order of the file it came from, and the report; both are whole or not there."""
    from spinemri.convert import write_nifti
    from spinemri.read import file_geometry, suffix_of

    report, text = told
    voxels = made.voxels.astype("uint8") if made.voxels.max(initial=0) < 256 else made.voxels
    partial = out.with_name(f".partial-{out.name}")
    beside = report.with_name(f".partial-{report.name}") if report else None
    try:
        write_nifti(voxels, grid, partial, like=file_geometry(mask) if suffix_of(mask) else None)
        if beside and report:
            beside.write_text(text, encoding="utf-8")
            beside.replace(report)
        partial.replace(out)
    finally:
        for left in (partial, beside):
            if left:
                left.unlink(missing_ok=True)


def _document(made: Translation, source: tuple[str, str], target: tuple[str, str]) -> str:
    """The report of losses as JSON; ``source`` and ``target`` are names of file and scheme."""
    from dataclasses import asdict

    from spinemri.labels.translate import SAID

    losses = [{**asdict(loss), "meaning": SAID[loss.kind]} for loss in made.losses]
    ends = {"from": dict(zip(_END, source, strict=True)), "to": dict(zip(_END, target, strict=True))}
    content = {**ends, "labelled_voxels": made.labelled, "losses": losses, "warnings": list(made.warnings)}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _show(made: Translation) -> None:
    """What is lost: a line for each thing that can happen, with values, structures and voxels."""
    from spinemri.labels.translate import SAID

    if not made.losses:
        stdout.print("nothing is lost", markup=False)
    for kind, said in SAID.items():
        if mine := [loss for loss in made.losses if loss.kind is kind]:
            voxels = sum(loss.voxels for loss in mine)
            stdout.print(f"{said}, {voxels} voxels: {'; '.join(map(_told, mine))}", markup=False)


def _told(loss: Loss) -> str:
    """Such as '24, 64 as 23 (vertebral body L4, posterior elements L4)'."""
    values, numbers = (", ".join(map(str, of)) for of in (loss.values, loss.numbers))
    return f"{values}{f' as {numbers}' if numbers else ''} ({', '.join(loss.structures) or 'no meaning known'})"
