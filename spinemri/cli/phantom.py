"""``spinemri phantom``: a synthetic DICOM study with known truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spinemri.cli.console import out as stdout


def command(
    out: Annotated[Path, typer.Option("--output", "-o", help="Folder for the study; new or empty.")],
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same pixels.")] = 0,
    height_loss: Annotated[
        float, typer.Option(min=0, max=70, help="Anterior height that the fractured vertebra lost, percent.")
    ] = 35.0,
    contrast: Annotated[
        list[str] | None, typer.Option(help="T1w, STIR, Dixon-water …; repeat it for several series. [T1w, STIR, T2w]")
    ] = None,
    acquisition: Annotated[
        list[str] | None,
        typer.Option(
            help="Sagittal, axial, coronal or isotropic; repeat it for several of the same person. [sagittal]"
        ),
    ] = None,
    numbering: Annotated[
        str, typer.Option(help="Last thoracic or lumbar vertebra where it is not the usual one: T11, T13, L4, L6.")
    ] = "usual",
) -> None:
    """Make a synthetic lumbar study (sagittal, T1, STIR and T2 unless asked otherwise) and its truth.

    It shows a fracture, a marrow lesion and a narrowed thecal sac. Axial blocks are angled along discs and form one
    series; axial, coronal and isotropic images are T2 unless contrasts are asked for. One vertebra more or fewer above
    the sacrum is a variant in one of ten people; the truth has its names.
    """
    import json

    from spinemri.cli.choices import acquisition_named, numbering_named
    from spinemri.convert import write_nifti
    from spinemri.dicom.write import StudyHeader, write_series
    from spinemri.errors import OutputError
    from spinemri.evaluate.benchmark import TRUE_MASK, TRUTH
    from spinemri.evaluate.truth import true_grid, true_segmentation
    from spinemri.report.masks import label_of
    from spinemri.report.write import check_writable
    from spinemri.series import contrast_named
    from spinemri.synthesis.phantom import make_phantom

    check_writable(out)
    wanted = [named for text in contrast or () if (named := contrast_named(text))]
    phantom = make_phantom(
        seed,
        height_loss_pct=height_loss,
        contrasts=wanted or None,
        acquisitions=[acquisition_named(text) for text in acquisition or ("sagittal",)],
        numbering=numbering_named(numbering),
    )
    masks = [true_grid(grid, label) for label, grid in phantom.grids.items()]
    first = phantom.images[0]
    if first.series.label not in phantom.grids:
        masks.insert(0, true_segmentation(phantom.volume, first.geometry, first.series.series_uid))
    written: dict[str, int] = {}
    try:
        for image in phantom.images:
            name = f"{image.series.number}_{image.series.contrast.value}"
            count = len(write_series(image, out / name, StudyHeader(f"PHANTOM{seed}"), written.get(name, 0)))
            written[name] = written.get(name, 0) + count
        text = json.dumps(phantom.truth, indent=1, sort_keys=True)
        (out / TRUTH).write_text(text + "\n", encoding="utf-8")
        for n, mask in enumerate(masks):
            path = out / (TRUE_MASK.replace(".nii.gz", f"_{mask.series_uid}.nii.gz") if n else TRUE_MASK)
            write_nifti(mask.voxels, mask.geometry, path)
            labels = {"labels": {str(value): label_of(known) for value, known in sorted(mask.structures.items())}}
            table = out / path.name.replace(".nii.gz", ".json")
            table.write_text(json.dumps(labels, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{out.name}: cannot be written ({error.strerror})") from error
    stdout.print(f"{len(written)} series, truth.json and true masks in {out}", markup=False)
