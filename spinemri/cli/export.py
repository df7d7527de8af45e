"""``spinemri export``: the network of a model bundle as an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spinemri.cli.console import out as stdout
from spinemri.errors import InputError, OutputError


def command(
    bundle: Annotated[str, typer.Argument(help="Folder of a model bundle, or the name of one that ships.")],
    out: Annotated[Path, typer.Option("--output", "-o", help="The file to write; its name ends in .onnx.")],
    *,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it is there.")] = False,
) -> None:
    """Write a bundle's network as ONNX, with classes, spacing and normalisation in it, and compare it with torch."""
    if out.suffix != ".onnx":
        raise InputError(f"{out.name}: expected a name that ends in .onnx")
    if out.is_dir() or (out.exists() and not overwrite):
        raise OutputError(f"{out.name} is there already; choose another name or --overwrite")
    from spinemri.segment.onnx_file import OPSET, export_onnx

    made = export_onnx(bundle, out)
    stdout.print(f"written: {out.name}, {made.megabytes:.1f} MB, opset {OPSET}", markup=False)
    stdout.print(f"largest difference from torch: {made.apart:.1e} of logits up to {made.largest:.0f}", markup=False)
