"""Whether vertebrae are named right in people with one more or one fewer above the sacrum, as one in ten has.

Labelled real ones are not at hand; these are painted. A stack from C2 to the sacrum shows the number. One of the lumbar
spine does not: counted from the sacrum, every name above the variant is then one off, unless the names are relative.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spinemri.evaluate.real import segment_image
from spinemri.evaluate.regions import LAYERS, PIXEL_MM, SLICE_MM, names_at, painted_stack
from spinemri.evaluate.tables import markdown
from spinemri.series import Contrast
from spinemri.synthesis.numbering import Numbering, chain
from spinemri.synthesis.random_subject import field_axes, varied
from spinemri.synthesis.subject import sample_subject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spinemri.image import Image
    from spinemri.segment.predictor import Predictor
    from spinemri.segmentation import Segmentation
    from spinemri.synthesis.subject import Subject
    from spinemri.synthesis.texture import Axes

WHOLE, LUMBAR = "whole spine", "lumbar"
FIELDS = (WHOLE, LUMBAR)
FIRST_SEED = 970_000
TITLE = "Names in people with another number of vertebrae"
_SLICES = 15


@dataclass(frozen=True)
class VariantScore:
    """Names in one image: of each true body that the field shows whole, its true name and the one found at its place.

    A body that was not found has None.
    """

    numbering: Numbering
    field: str
    number: int
    names: tuple[tuple[str, str | None], ...]

    @property
    def wrong(self) -> int:
        """Bodies with another true level's name."""
        return sum(found is not None and not found.startswith("V") and found != true for true, found in self.names)

    @property
    def right(self) -> bool:
        """Whether every body was found and has its name."""
        return all(found == true for true, found in self.names)


def variant_image(numbering: Numbering, field: str, number: int) -> tuple[Image, Segmentation]:
    """A T2w sagittal stack, 4 x 0.9 x 0.9 mm, of a healthy person with these vertebrae, and the truth on its grid.

    Parameters
    ----------
    field : one of ``FIELDS``
    number : counts people from 0; each is the same person in every field
    """
    seed = FIRST_SEED + number
    rng = np.random.default_rng(seed)
    subject = varied(sample_subject(rng, variation=float(rng.uniform(0.5, 1.5)), chain=chain(numbering)), rng)
    spacing = SLICE_MM / LAYERS, PIXEL_MM, PIXEL_MM
    axes = _whole(subject) if field == WHOLE else field_axes(rng, subject, subject.chain.first_lumbar + 2, spacing)
    (image,), truth = painted_stack(subject, axes, rng, seed, (Contrast.T2W,))
    return image, truth


def _whole(subject: Subject) -> Axes:
    """Axes (x, z, a) of a field from above C2 to the sacrum's end."""
    count = _SLICES * LAYERS
    x = (np.arange(count) - (count - 1) / 2) * SLICE_MM / LAYERS + float(np.median(subject.midline))
    z = np.arange(subject.centre[:, 1].min() - 20, subject.centre[0, 1] + 60, PIXEL_MM)
    a = np.arange(subject.centre[:, 0].min() - 80, subject.centre[:, 0].max() + 60, PIXEL_MM)
    return x, z, a


def score_variant(numbering: Numbering, field: str, number: int, predictor: Predictor) -> VariantScore:
    """Name the bodies of one image."""
    image, truth = variant_image(numbering, field, number)
    return VariantScore(numbering, field, number, names_at(truth, segment_image(image, predictor).segmentation))


def variants_section(scores: Sequence[VariantScore]) -> list[str]:
    """Lines of Markdown, a row per numbering and field."""
    rows = []
    for field in FIELDS:
        for numbering in Numbering:
            here = [score for score in scores if (score.numbering, score.field) == (numbering, field)]
            if here:
                right, wrong = sum(s.right for s in here), sum(s.wrong > 0 for s in here)
                bodies = f"{sum(s.wrong for s in here)} of {sum(len(s.names) for s in here)}"
                rows.append((field, numbering.value, len(here), right, len(here) - right - wrong, wrong, bodies))
    heads = ("field", "last vertebra", "people", "all right", "relative names, or not all found", "with a wrong name",
             "bodies with a wrong name")  # fmt: skip
    people = len({score.number for score in scores})
    told = (
        f"{people} synthetic people, each with the usual vertebrae and with one more or fewer, healthy, T2w stacks of "
        f"4 x {PIXEL_MM} x {PIXEL_MM} mm (`spinemri/evaluate/variants.py`). A lumbar stack does not show how many "
        "lie above it: a name counted from the sacrum says so, and from the variant up it is one off."
    )
    return [f"### {TITLE}", "", told, "", markdown(heads, rows), ""]
