"""C2 to the sacrum on true classes: a neck beside lumbar bodies six times its size, and a dens on top of C2."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from spinemri.anatomy import StructureKind
from spinemri.segment.column import DISC
from spinemri.segment.label import label_anatomy
from spinemri.segment.study import segment_study
from spinemri.synthesis import morphometry as sizes
from spinemri.synthesis.numbering import Numbering
from tests.whole_spine import WholeSpine, whole_spine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spinemri.anatomy import Structure
    from spinemri.segmentation import Segmentation

RIBS = "which region has one more or fewer only ribs would show, so names from T11 to the sacrum may be one level off"
WHOLE, NECK = slice(None), slice(0, 230)


@pytest.fixture(scope="module", params=[1, 3])
def person(request) -> WholeSpine:
    return whole_spine(request.param)


def named_and_true(person: WholeSpine, rows: slice, classes: NDArray[np.uint8] | None = None) -> list[tuple[str, str]]:
    """Name of each body, and the level whose true centre is nearest to the body's."""
    image = person.image(rows, 1)
    classes = person.predictor.predict(image).classes if classes is None else classes
    found, assignments, _ = label_anatomy(classes, image.geometry, "1.2.3", "test")
    centres = np.array([person.centre_of(name) for name in sizes.NAMES])
    pairs = []
    for structure in found.of_kind(StructureKind.VERTEBRAL_BODY):
        middle = image.geometry.to_patient(np.argwhere(found.mask(structure))).mean(axis=0)
        nearest = int(np.linalg.norm(centres - middle, axis=1).argmin())
        pairs.append((str(structure.level), sizes.NAMES[nearest]))
    assert len(pairs) == len(assignments)
    return pairs


def test_every_body_from_c2_to_s1_is_named_right(person):
    pairs = named_and_true(person, WHOLE)
    assert [name for name, _ in pairs] == [true for _, true in pairs]
    assert (pairs[0][0], pairs[-1][0]) == ("C2", "S1")


def test_six_lumbar_vertebrae_are_named_with_what_is_not_sure():
    person = whole_spine(1, Numbering.L6)
    image = person.image(WHOLE, 1)
    (found,), (names,), warnings = segment_study([image], person.predictor, lambda *_: None)
    assert [str(a.level) for a in names] == [*person.subject.chain.names[: person.subject.chain.sacral + 1]]
    low, high = (f"{100 * f(a.confidence for a in names if str(a.level)[0] == 'L'):.0f}" for f in (min, max))
    assert warnings == (
        f"series 1: a numbering variant (L6 named), or a miscount of vertebrae; {RIBS}",
        f"the names L1 to L6 are only {low} to {high} % sure: they may be one level off",
    )
    middle = image.geometry.to_patient(np.argwhere(found.mask(body_of(found, "L6"))).mean(axis=0))
    assert middle == pytest.approx(person.centre_of("L6"), abs=4)


def body_of(found: Segmentation, level: str) -> Structure:
    return next(s for s in found.of_kind(StructureKind.VERTEBRAL_BODY) if str(s.level) == level)


def test_a_neck_alone_is_named_from_c2_with_its_dens_as_one_body(person):
    pairs = named_and_true(person, NECK)
    assert [name for name, _ in pairs] == [true for _, true in pairs]
    assert pairs[0][0] == "C2"
    assert len(pairs) >= 9


def axis_of(person: WholeSpine) -> NDArray[np.bool_]:
    """C2 with its dens in the image of the neck."""
    image = person.image(NECK, 1)
    named = label_anatomy(person.predictor.predict(image).classes, image.geometry, "1.2.3", "test")[0]
    return named.mask(next(named.of_kind(StructureKind.VERTEBRAL_BODY)))


def neck_of(axis: NDArray[np.bool_]) -> int:
    """Row of the image of the neck in which C2 becomes wide below its dens."""
    area = axis.sum(axis=(0, 2))
    return int(np.flatnonzero(area > 0.6 * area.max())[0]) - 1


def test_the_dark_remnant_of_a_disc_below_the_dens_does_not_part_c2(person):
    image, axis = person.image(NECK, 1), axis_of(person)
    classes = person.predictor.predict(image).classes.copy()
    band = axis.copy()
    band[:, : neck_of(axis) - 1], band[:, neck_of(axis) + 1 :] = False, False
    classes[band] = DISC
    assert (classes != person.predictor.predict(image).classes).sum() > 30
    pairs = named_and_true(person, NECK, classes)
    assert [name for name, _ in pairs] == [true for _, true in pairs]
    assert pairs[0][0] == "C2"


def test_nor_does_part_of_one_below_a_broad_dens_that_the_field_cuts():
    person = whole_spine(3)
    axis = axis_of(person)
    neck = neck_of(axis)
    rows = slice(int(np.flatnonzero(axis.any(axis=(0, 2)))[0]) + 4, NECK.stop)
    classes = person.predictor.predict(person.image(rows, 1)).classes.copy()
    band = axis[:, rows.start :].copy()
    band[:, : neck - 3 - rows.start], band[:, neck + 3 - rows.start :] = False, False
    band[:, :, int(np.quantile(np.argwhere(band)[:, 2], 0.5)) :] = False
    classes[band] = DISC
    pairs = named_and_true(person, rows, classes)
    assert [name for name, _ in pairs] == [true for _, true in pairs]
    assert pairs[0][0] == "C2"


def test_a_neck_that_begins_within_c3_is_not_named_from_c2(person):
    image = person.image(NECK, 1)
    centre = image.geometry.to_index(person.centre_of("C3"))
    pairs = named_and_true(person, slice(round(float(centre[1])), NECK.stop))
    assert all(name.startswith("V") or name == true for name, true in pairs)
