"""The section on axial slices of the accuracy page: Dice by region, sizes in true and the model's masks, real cords."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import StructureKind
from spinemri.evaluate.measurement_tables import HONEST
from spinemri.evaluate.measurements import summaries

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from spinemri.evaluate.measurements import Compared

TITLE = "## Axial slices"
ABOUT = (
    "Random people, the regions in turn: lumbar T2w slices in blocks along discs or in one stack, cervical and "
    "thoracic ones in straight stacks, 3 to 4 mm thick, pixels of 0.5 to 0.7 mm "
    "(`spinemri/evaluate/measured_axial.py`). The sagittal series that says where discs and bodies lie has its true "
    "masks. None of the people was trained on. No labelled axial image of a real patient was at hand: these figures "
    "say nothing about one."
)
AREA_BAR_PCT, LENGTH_BAR_MM, FACTOR, DICE_BAR = 5.0, 0.5, 2.0, 0.85
_KINDS = tuple(
    kind.value
    for kind in (
        StructureKind.VERTEBRAL_BODY,
        StructureKind.POSTERIOR_ELEMENTS,
        StructureKind.DISC,
        StructureKind.THECAL_SAC,
        StructureKind.CORD,
        StructureKind.SACRUM,
    )
)


def axial_section(
    dices: Sequence[tuple[str, Mapping[str, float]]],
    true: Sequence[Compared],
    model: Sequence[Compared],
    real: Sequence[Sequence[str]],
) -> list[str]:
    """Lines of the section.

    Parameters
    ----------
    dices : region and Dice by kind, of each person
    true, model : sizes in true masks and in those of the model
    real : rows of case, slices, Dice of the cord, error of its area
    """
    lines = [TITLE, "", f"{len(dices)} people. {ABOUT}", "", "Dice of the model's masks, mean of the people:", ""]
    lines += _dice_table(dices)
    for name, compared, factor in (("true masks", true, 1.0), ("the model's masks", model, FACTOR)):
        lines += ["", f"Sizes in {name}:", "", *_size_table(compared, factor)]
    if real:
        lines += ["", REAL_ABOUT, "", "| case | slices | cord Dice | cord area, error % |", "|---|---|---|---|"]
        lines += [f"| {' | '.join(row)} |" for row in real]
    return [*lines, ""]


REAL_ABOUT = (
    "Cervical 3D T2w images of two volunteers, 1 mm, read as axial slices 2 mm thick, against the cord drawn by hand "
    "(validation people; the pixels are twice those of a clinical axial series):"
)


def _dice_table(dices: Sequence[tuple[str, Mapping[str, float]]]) -> list[str]:
    regions = list(dict.fromkeys(region for region, _ in dices))
    rows = ["| structure | " + " | ".join(regions) + " | all | at least |", "|---" * (len(regions) + 3) + "|"]
    for kind in _KINDS:
        known = [(region, found[kind]) for region, found in dices if kind in found]
        if not known:
            continue
        cells = [_mean(v for r, v in known if r == region) for region in regions]
        bar = f"{DICE_BAR:g}" if kind in ("thecal_sac", "cord") else ""
        rows.append(f"| {kind.replace('_', ' ')} | {' | '.join(cells)} | {_mean(v for _, v in known)} | {bar} |")
    return rows


def _mean(values: Iterable[float]) -> str:
    known = list(values)
    return f"{np.mean(known):.3f}" if known else ""


def _size_table(compared: Sequence[Compared], factor: float) -> list[str]:
    rows = [
        "| measurement | values | bias | mean absolute error | limits of agreement | at most | covered |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in summaries(compared):
        mine = [one for one in compared if one.name == row.name]
        relative = 100 * float(np.mean([abs(one.error) / one.true for one in mine if one.true]))
        area, length = row.name.endswith("_area"), row.name.endswith(("_ap", "_width"))
        error = f"{row.absolute:.2f} ({relative:.1f} %)" if area else f"{row.absolute:.2f}"
        bar = f"{factor * AREA_BAR_PCT:g} %" if area else f"{factor * LENGTH_BAR_MM:g} mm" if length else ""
        honest = "" if HONEST[0] <= row.covered <= HONEST[1] else " !"
        rows.append(
            f"| {row.name} | {row.values} | {row.bias:+.2f} | {error} | {row.low:.2f} to {row.high:.2f} | {bar} | "
            f"{100 * row.covered:.0f} %{honest} |"
        )
    return rows
