"""How a case shows itself in a notebook: a short report as HTML, and an interactive view of images and outlines.

``Case`` and ``Analysis`` come here when a notebook asks them (``tests/test_layers.py`` allows these two steps up).
Every text is escaped, colours are left to the notebook. The view needs ipyniivue: ``pip install 'spinemri[notebook]'``.
"""

from __future__ import annotations

import tempfile
from html import escape
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinemri import plot
from spinemri.convert import write_nifti
from spinemri.errors import InputError, OutputError
from spinemri.language import in_its_language
from spinemri.report.lesion_figure import look_of
from spinemri.report.lesion_values import place_text
from spinemri.report.narrative import narrate
from spinemri.report.phrases import phrases
from spinemri.report.tables import level_rows
from spinemri.report.text import level_cells

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from spinemri.analysis import Analysis
    from spinemri.case import Case
    from spinemri.geometry import Geometry
    from spinemri.image import Image
    from spinemri.report.sentences import Sentence
    from spinemri.segmentation import Segmentation
    from spinemri.series import Series

    Meanings = Mapping[int, tuple[str, str]]  # voxel value -> colour, name

_NEEDED = "view: needs ipyniivue, which is not installed; expected pip install 'spinemri[notebook]'"
_HEIGHT, _OPACITY, _SOLID = 480, 0.45, 255
_BOLD, _MARK = "font-weight:600", "border-left:3px solid #a3301c;padding-left:8px"


@in_its_language
def as_html(analysis: Analysis) -> str:
    """Urgent findings, impression and the table of levels as a piece of HTML. Deterministic."""
    narrative = narrate(analysis)
    lines = [
        f'<div class="spinemri"><p><b>{escape(phrases.TITLE)}</b> · {escape(phrases.RESEARCH_USE)}</p>',
        *_urgent(narrative.urgent.sentences),
        f"<p><b>{escape(phrases.IMPRESSION)}</b></p><ol>",
        *(f"<li{_weight(s)}>{escape(s.text)}</li>" for s in narrative.impression.sentences),
        "</ol>",
        *_table(analysis),
        "</div>",
    ]
    return "\n".join(lines)


@in_its_language
def view(case: Case, label: str | None = None) -> Any:
    """An ``ipyniivue.NiiVue`` of one series with its anatomy and lesions over it.

    Parameters
    ----------
    label : which series, as in the report ('3'); None: the first that was measured

    Raises
    ------
    OutputError
        If ipyniivue is not installed.
    InputError
        If no series that was used has this label.
    """
    if find_spec("ipyniivue") is None:
        raise OutputError(_NEEDED)
    series, image, segmentation = _chosen(case, label)
    niivue = import_module("ipyniivue")
    name = f"{series.label}_{series.contrast.value}"
    volumes = [niivue.Volume(data=_nifti(image.voxels, image.geometry), name=f"{name}.nii.gz", colormap="gray")]
    layers = [("anatomy", segmentation, _structures(segmentation))]
    layers += [
        ("lesions", mask, _lesions(case, mask))
        for mask in case.lesion_masks
        if mask.series_uid == segmentation.series_uid
    ]
    for what, mask, meanings in layers:
        made = {"opacity": _OPACITY, "colormap_label": _colours(meanings)}
        volumes.append(niivue.Volume(data=_nifti(mask.voxels, mask.geometry), name=f"{name}_{what}.nii.gz", **made))
    widget = niivue.NiiVue(height=_HEIGHT)
    widget.load_volumes(volumes)
    return widget


def _urgent(sentences: Sequence[Sentence]) -> Iterator[str]:
    for sentence in sentences:
        style = f' style="{_MARK};{_BOLD}"' if sentence.tone == "urgent" else ""
        yield f"<p{style}>{escape(sentence.text)}</p>"


def _weight(sentence: Sentence) -> str:
    return f' style="{_BOLD}"' if sentence.tone in ("urgent", "abnormal") else ""


def _table(analysis: Analysis) -> Iterator[str]:
    rows = level_rows(analysis)
    if not rows:
        yield f"<p>{escape(phrases.NOTHING_MEASURED)}</p>"
        return
    yield "<table><thead><tr>" + _cells("th", phrases["TABLE_HEADERS"].values()) + "</tr></thead><tbody>"
    for row in rows:
        yield "<tr>" + _cells("td", level_cells(analysis, row)) + "</tr>"
    yield f"</tbody></table><p><small>{escape(phrases.TABLE_NOTE)}</small></p>"


def _cells(tag: str, texts: Iterable[str]) -> str:
    return "".join(f"<{tag}>{escape(text)}</{tag}>" for text in texts)


def _chosen(case: Case, label: str | None) -> tuple[Series, Image, Segmentation]:
    shown = list(zip(case.analysis.used_series(), case.images, case.segmentations, strict=True))
    found = [one for one in shown if label in (None, one[0].label)]
    if not found:
        labels = ", ".join(series.label for series, _, _ in shown)
        raise InputError(f"series {label!r}: not used here; expected one of {labels or 'none'}")
    return found[0]


def _nifti(voxels: NDArray[Any], geometry: Geometry) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "volume.nii.gz"
        write_nifti(voxels, geometry, path)
        return path.read_bytes()


def _structures(segmentation: Segmentation) -> Meanings:
    return {value: (plot.structure_colour(s), str(s)) for value, s in segmentation.structures.items()}


def _lesions(case: Case, mask: Segmentation) -> Meanings:
    """Lesions of one mask: red, or white for those that look benign, as in the report."""
    meanings = {}
    for lesion in case.analysis.lesions:
        if lesion.series_uid == mask.series_uid:
            colour, _ = look_of(case.analysis, lesion)
            meanings[lesion.label] = (colour, f"{lesion.id}, {place_text(case.analysis, lesion)}")
    return meanings


def _colours(meanings: Meanings) -> Any:
    """NiiVue's table of labels: a colour for every value from 0 on, those without a meaning transparent."""
    table = import_module("ipyniivue.traits").LUT
    most = max(meanings, default=0)
    colours: list[int] = []
    for value in range(most + 1):
        colour, _ = meanings.get(value, ("#000000", ""))
        colours += [*bytes.fromhex(colour[1:]), _SOLID if value in meanings else 0]
    names = [meanings.get(value, ("", ""))[1] for value in range(most + 1)]
    return table(lut=colours, min=0.0, max=float(most), labels=names)
