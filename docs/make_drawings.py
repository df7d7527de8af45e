"""Draw how measurements are taken, on people of formulas: docs/images/*.png for docs/measurements.md.

Every line runs between the points that the measurement itself states, in true masks on rendered images; every number is
the measured one. Head is up, the front of the patient to the left.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import drawing_people as people
import numpy as np
import PIL.Image
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from spinemri import plot
from spinemri.anatomy import StructureKind
from spinemri.series import Contrast

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drawing_people import Drawn
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from spinemri.image import Image
    from spinemri.segmentation import Segmentation

FOLDER = Path(__file__).resolve().parent / "images"
_HIGH_IN, _DPI, _BRIGHTER = 5.2, 110, 0.6
_LINE, _SECOND, _THIRD, _FAINT = "#ffd23f", "#4dd0e1", "#ff8a65", "#d7dde2"
_KINDS = {
    "body": StructureKind.VERTEBRAL_BODY,
    "disc": StructureKind.DISC,
    "sac": StructureKind.THECAL_SAC,
    "cord": StructureKind.CORD,
    "arch": StructureKind.POSTERIOR_ELEMENTS,
}


class Drawing:
    """A part of one sagittal slice, onto which points of the patient are drawn."""

    def __init__(
        self, drawn: Drawn, contrast: Contrast, box: tuple[ArrayLike, float, float], slice_mm: float = 0.0
    ) -> None:
        """A slice through the middle, or through x = ``slice_mm``; ``box``: its middle (LPS), width, height in mm."""
        image = drawn.images[contrast]
        view = plot.mid_sagittal(image, drawn.masks)
        if slice_mm:
            view = plot.sagittal(image, drawn.masks, plot.slice_through(image.geometry, (slice_mm, 0.0, 0.0)))
        self.view, self.drawn = view, drawn
        (x, y), (_, width, height) = view.to_picture(box[0]).tolist(), box
        self.figure = Figure(figsize=(_HIGH_IN * width / height, _HIGH_IN), dpi=_DPI, facecolor="black")
        FigureCanvasAgg(self.figure)
        self.axes: Axes = self.figure.add_axes((0.0, 0.0, 1.0, 1.0))
        wide, high = view.size_mm
        shown = (view.grey() / 255) ** (_BRIGHTER if contrast is Contrast.T1W else 1.0)
        self.axes.imshow(shown, cmap="gray", vmin=0, vmax=1, extent=(0, wide, high, 0), interpolation="bicubic")
        self.axes.set(xlim=(x - width / 2, x + width / 2), ylim=(y + height / 2, y - height / 2))
        self.axes.set_axis_off()

    def outline(self, kinds: Iterable[str], colour: str = _FAINT) -> None:
        """Thin outlines of structures of these kinds."""
        wanted = {_KINDS[kind] for kind in kinds}
        for value, structure in plot.structures_shown(self.view, self.drawn.masks):
            if structure.kind in wanted:
                for line in plot.outlines(self.view, value):
                    self.axes.plot(*zip(*line, strict=True), color=colour, linewidth=0.8, alpha=0.8)

    def line(self, points: ArrayLike, colour: str = _LINE, style: str = "-", *, dots: bool = True) -> None:
        """A line through patient points."""
        at = self.view.to_picture(points)
        self.axes.plot(at[:, 0], at[:, 1], style, color=colour, linewidth=1.8, solid_capstyle="butt")
        if dots:
            self.axes.plot(at[:, 0], at[:, 1], "o", color=colour, markersize=3.2)

    def word(self, point: ArrayLike, text: str, shift: tuple[float, float] = (0, 0), colour: str = _LINE) -> None:
        """Words beside a patient point, ``shift`` mm to the right and down."""
        x, y = self.view.to_picture(point).tolist()
        side = "right" if shift[0] < 0 else "left" if shift[0] > 0 else "center"
        shown = self.axes.text(x + shift[0], y + shift[1], text, color=colour, fontsize=9.5, ha=side, va="center")
        shown.set_path_effects([withStroke(linewidth=2.4, foreground="black")])

    def names(self, levels: Iterable[str], ahead_mm: float = 5.0) -> None:
        """Names of bodies in front of them."""
        for level in levels:
            shape = self.drawn.shapes[level]
            front = (shape.upper[0] + shape.lower[0]) / 2
            self.word(front, level, (-ahead_mm, 0), "white")

    def measured(
        self, name: str, text: str, shift: tuple[float, float], colour: str = _LINE, *, at: int | None = None
    ) -> None:
        """The line of a measurement with its value in words; ``{}`` stands for it; ``at`` one of its ends."""
        points = np.asarray(self.drawn.measurements[name].points)
        self.line(points, colour)
        self.word(points.mean(axis=0) if at is None else points[at], text.format(self.drawn.value(name)), shift, colour)

    def save(self, name: str) -> None:
        """Write the picture."""
        write(self.figure, name)


def write(figure: Figure, name: str) -> None:
    """Write a figure as PNG, in few colours so that it is small."""
    made = io.BytesIO()
    figure.savefig(made, format="png")
    path = FOLDER / f"{name}.png"
    PIL.Image.open(made).convert("RGB").quantize(method=PIL.Image.Quantize.MAXCOVERAGE).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size // 1024} kB")


def heights(person: Drawn) -> None:
    """Six points and three heights of intact bodies and of a broken one."""
    drawing = Drawing(person, Contrast.T1W, (person.shapes["L2"].frame.origin, 96, 112))
    drawing.outline(["body"])
    for level in ("L1", "L2", "L3"):
        for column, colour in zip(("anterior", "middle", "posterior"), (_LINE, _SECOND, _THIRD), strict=True):
            drawing.measured(f"{level}.{column}_height", "{:.1f}", (2.0 if column == "anterior" else 0.0, 0), colour)
    drawing.names(["L1", "L2", "L3"])
    drawing.save("heights")


def wall(person: Drawn) -> None:
    """Retropulsion behind the line of the neighbours' corners, depth of an endplate, wedge angle."""
    shapes = person.shapes
    drawing = Drawing(person, Contrast.T2W, (ahead(shapes["L2"].frame.origin, -8), 104, 84))
    drawing.outline(["body"])
    drawing.line([shapes["L1"].corners[1, 1], shapes["L3"].corners[0, 1]], _FAINT, "--")
    drawing.measured("L2.retropulsion_mm", "retropulsion {:.1f} mm", (5, 0), at=0)
    for corners in shapes["L2"].corners:
        drawing.line(extended(corners, 9.0), _SECOND, "--", dots=False)
    drawing.word(shapes["L2"].corners[0, 0], f"wedge angle {person.value('L2.wedge_angle'):.0f}°", (-3, -7), _SECOND)
    drawing.measured("L2.endplate_depression_superior_mm", "depth {:.1f} mm", (4, 5), _THIRD)
    drawing.names(["L1", "L3"])
    drawing.save("wall")


def canal(person: Drawn) -> None:
    """AP diameter of the sac at discs and mid-bodies."""
    drawing = Drawing(person, Contrast.T2W, (ahead(person.shapes["L3"].lower[2], -8), 118, 150))
    drawing.outline(["sac"])
    discs, bodies = ("L1-L2", "L2-L3", "L3-L4", "L4-L5"), ("L2", "L3", "L4", "L5")
    for place in discs:
        drawing.measured(f"{place}.dural_sac_ap", "{:.1f} mm", (4, 0), at=1)
    for place in bodies:
        drawing.measured(f"{place}.dural_sac_ap", "{:.1f} mm", (4, 0), _SECOND, at=1)
    loss = person.value("L3-L4.dural_sac_compromise_pct")
    back = person.measurements["L3-L4.dural_sac_ap"].points[1]
    drawing.word(back, f"{loss:.0f} % of the depth lost", (4, 5.5))
    drawing.names(bodies)
    drawing.save("canal")


def cord(person: Drawn) -> None:
    """AP diameter of the cord, and what is lost of it."""
    drawing = Drawing(person, Contrast.T2W, (person.measurements["C5-C6.dural_sac_ap"].points[0], 84, 112))
    drawing.outline(["sac", "cord"])
    for place in ("C3", "C4", "C5", "C6", "C7", "C3-C4", "C4-C5", "C5-C6", "C6-C7"):
        colour = _LINE if "-" in place else _SECOND
        drawing.line(person.measurements[f"{place}.cord_ap"].points, colour)
        back = person.measurements[f"{place}.dural_sac_ap"].points[1]
        drawing.word(back, f"{person.value(f'{place}.cord_ap'):.1f} mm", (3, 0), colour)
    loss = person.value("C5-C6.cord_compression_pct")
    drawing.word(person.measurements["C5-C6.dural_sac_ap"].points[1], f"{loss:.0f} % lost", (16, 0))
    drawing.names(["C3", "C4", "C5", "C6", "C7"])
    drawing.save("cord")


def disc(person: Drawn) -> None:
    """Heights and bulge of a disc."""
    upper, lower = person.shapes["L3"], person.shapes["L4"]
    drawing = Drawing(person, Contrast.T2W, (ahead((upper.lower[1] + lower.upper[1]) / 2, -6), 82, 62))
    drawing.outline(["body", "disc"])
    for above, below in zip(upper.lower, lower.upper, strict=True):
        drawing.line([above, below], _SECOND)
    drawing.word(upper.lower[1], f"disc height {person.value('L3-L4.disc_height'):.1f} mm", (0, -4), _SECOND)
    behind = f"posterior {person.value('L3-L4.posterior_disc_height'):.1f} mm"
    drawing.word(lower.upper[2], behind, (0, 4), _SECOND)
    drawing.line([upper.corners[1, 1], lower.corners[0, 1]], _FAINT, "--")
    drawing.measured("L3-L4.disc_bulge_mm", "bulge {:.1f} mm", (4, -1), at=1)
    drawing.names(["L3", "L4"])
    drawing.save("disc")


def slip(person: Drawn) -> None:
    """The slip of a body against the one below, along its endplate."""
    upper, lower = person.shapes["L4"], person.shapes["L5"]
    drawing = Drawing(person, Contrast.T1W, (ahead((upper.lower[1] + lower.upper[1]) / 2, -14), 112, 84))
    drawing.outline(["body"])
    back, below = np.asarray(person.measurements["L4-L5.slip_mm"].points)
    along = unit(lower.corners[0, 0] - lower.corners[0, 1])
    foot = below + along * float((back - below) @ along)
    drawing.line(extended(lower.corners[0], 6.0), _SECOND, "--", dots=False)
    drawing.line([back, foot], _FAINT, ":", dots=False)
    drawing.line([below, foot])
    drawing.line([back], _THIRD)
    percent = person.value("L4-L5.slip_pct")
    drawing.word(below, f"slip {person.value('L4-L5.slip_mm'):.1f} mm, {percent:.0f} % of the endplate", (3, 4))
    drawing.names(["L4", "L5"])
    drawing.save("slip")


def foramen(person: Drawn) -> None:
    """Height and depth of a neural foramen, on the slice through the pedicles."""
    points = np.asarray(person.measurements["L3-L4.foraminal_height_right"].points)
    depth = np.asarray(person.measurements["L3-L4.foraminal_ap_right"].points)
    drawing = Drawing(person, Contrast.T1W, (points.mean(axis=0), 74, 74), slice_mm=float(depth[0, 0]))
    drawing.outline(["body", "disc", "arch"])
    drawing.measured("L3-L4.foraminal_height_right", "height {:.1f} mm", (-4, -6))
    drawing.measured("L3-L4.foraminal_ap_right", "depth {:.1f} mm", (6, 0), _SECOND, at=1)
    drawing.word(depth[1], f"area {person.value('L3-L4.foraminal_area_right'):.0f} mm²", (6, 6), _THIRD)
    drawing.save("foramen")


def alignment(person: Drawn) -> None:
    """Regional angles between endplates."""
    middle = (person.shapes["C3"].frame.origin + person.shapes["L5"].frame.origin) / 2
    drawing = Drawing(person, Contrast.T2W, (ahead(middle, 10), 330, 670))
    drawing.figure.set_size_inches(4.4, 4.4 * 670 / 330)
    names = ("C2-C7.cervical_lordosis", "T4-T12.thoracic_kyphosis", "L1-S1.lumbar_lordosis")
    for name, colour in zip(names, (_THIRD, _LINE, _SECOND), strict=True):
        points = np.asarray(person.measurements[name].points)
        for plate in (points[:2], points[2:]):
            drawing.line(extended(plate, 32.0), colour, dots=False)
        place, _, what = name.partition(".")
        words = f"{what.replace('_', ' ')}\n{place}: {person.value(name):.0f}°"
        drawing.word(points.mean(axis=0), words, (-46, 0), colour)
    drawing.save("alignment")


def axial(person: people.Sections) -> None:
    """Area, depth and width of the sac on axial slices along two discs."""
    figure = Figure(figsize=(2 * _HIGH_IN * 0.9, _HIGH_IN * 0.9), dpi=_DPI, facecolor="black")
    FigureCanvasAgg(figure)
    for n, disc_name in enumerate(("L3-L4", "L4-L5")):
        values = {name: person.measurements[f"{disc_name}.axial_sac_{name}"] for name in ("ap", "width", "area")}
        points = np.asarray(values["ap"].points)
        image, masks = nearest(person.stacks, points.mean(axis=0))
        ends = image.geometry.to_index(points)
        number = round(float(ends[:, 0].mean()))
        axes = figure.add_axes((0.5 * n + 0.003, 0.0, 0.494, 1.0))
        grey = np.asarray(image.voxels[number], dtype=float)
        axes.imshow(grey, cmap="gray", vmin=0, vmax=np.percentile(grey, 99.7), interpolation="bicubic")
        sac = masks.mask_of_kind(StructureKind.THECAL_SAC, StructureKind.CORD)[number]
        for outline in plot.smooth_outlines(sac, image.geometry.spacing[1:]):
            axes.plot(*outline.T, color=_SECOND, linewidth=1.4)
        axes.plot(ends[:, 2], ends[:, 1], "o-", color=_LINE, markersize=3.2, linewidth=1.8)
        (row, column), half = ends[:, 1:].mean(axis=0), 38 / image.geometry.spacing[1]
        axes.set(xlim=(column - half, column + half), ylim=(row + half, row - half))
        axes.set_axis_off()
        lines = (
            (f"depth {values['ap'].value:.1f} mm", _LINE),
            (f"width {values['width'].value:.1f} mm", _FAINT),
            (f"area {values['area'].value:.0f} mm²", _SECOND),
        )
        for m, (text, colour) in enumerate(((disc_name, "white"), *lines)):
            shown = axes.text(0.04, 0.95 - 0.055 * m, text, transform=axes.transAxes, color=colour, fontsize=9.5)
            shown.set_path_effects([withStroke(linewidth=2.4, foreground="black")])
    write(figure, "axial")


def nearest(stacks: list[tuple[Image, Segmentation]], point: np.ndarray) -> tuple[Image, Segmentation]:
    """The stack one of whose slices lies nearest to a patient point."""

    def off(stack: tuple[Image, Segmentation]) -> float:
        geometry = stack[0].geometry
        index = float(geometry.to_index(point)[0])
        return abs(index - np.clip(round(index), 0, geometry.shape[0] - 1)) * geometry.spacing[0]

    return min(stacks, key=off)


def ahead(point: ArrayLike, millimetres: float) -> np.ndarray:
    """A point so far in front of another."""
    return np.asarray(point) - np.array([0.0, millimetres, 0.0])


def extended(ends: ArrayLike, millimetres: float) -> np.ndarray:
    """A line (2, 3) that goes on beyond both ends."""
    first, last = np.asarray(ends)
    along = unit(last - first)
    return np.stack([first - millimetres * along, last + millimetres * along])


def unit(vector: ArrayLike) -> np.ndarray:
    """The vector with length 1."""
    return np.asarray(vector) / np.linalg.norm(vector)


def main() -> None:
    """Draw everything."""
    lumbar = people.lumbar()
    for draw in (heights, canal, disc, slip, foramen):
        draw(lumbar)
    wall(people.burst())
    cord(people.cervical())
    axial(people.axial())
    alignment(people.whole())


if __name__ == "__main__":
    main()
