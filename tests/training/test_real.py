"""Partial labels: who is trained on, where labels count, and what a sample shows."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from spinemri.convert import write_nifti
from spinemri.errors import InputError
from spinemri.evaluate.marrow_sets import TUNING_PEOPLE
from spinemri.geometry import Geometry
from spinemri.segment.model import load_model
from spinemri.segment.predictor import ClassMap
from spinemri.training.loss import UNKNOWN
from spinemri.training.real import (
    LABELLED,
    LabelledCase,
    RealSlices,
    background_cases,
    labelled_extent,
    load_case,
    load_unlabelled,
    training_cases,
    tuning_cases,
)

if TYPE_CHECKING:
    from pathlib import Path

    from spinemri.image import Image

CASE = LabelledCase("vb2", "90", "90", "vertebral_body")
# slices to the left, rows downwards, columns backwards
GRID = Geometry((9, 180, 150), (4.0, 1.0, 1.0), (-16.0, -75.0, 90.0), (1.0, 0, 0, 0, 0, 1.0, 0, -1.0, 0))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A labelled set of one case: bodies 40 to 140 mm down, 30 mm deep, brighter than what is around."""
    labels = np.zeros(GRID.shape, dtype=np.uint8)
    for n in range(3):
        labels[2:7, 40 + 34 * n : 68 + 34 * n, 60:90] = n + 1
    rng = np.random.default_rng(2)
    image = np.where(labels > 0, 160, 80) + rng.normal(0, 6, GRID.shape)
    image[:, :, :12] = 0
    (tmp_path / "vb2").mkdir()
    write_nifti(image.clip(0, 255).astype(np.uint8), GRID, tmp_path / "vb2/90_img.nii.gz")
    write_nifti(labels, GRID, tmp_path / "vb2/90_lab.nii.gz")
    return tmp_path


def test_nobody_is_both_trained_and_checked_on():
    people = {(c.set, c.person) for c in training_cases()}
    held_out = {("vb1", "AKa"), ("vb1", "DzZ"), ("ivd", "46"), ("vb2", "19"), ("vb2", "20"), ("vb2", "23")}
    assert not people & (held_out | {("vb3", str(n)) for n in range(44, 53)})
    tuned = {(c.set, c.person) for c in tuning_cases()}
    assert tuned == {("vb2", "04"), ("vb3", "03"), ("vb3", "25")}
    assert not people & tuned
    assert len(people | tuned) == 12 + 39 + 3


def test_people_kept_to_decide_about_lesions_are_no_backgrounds():
    backgrounds = {(c.set, c.person) for c in background_cases()}
    assert backgrounds < {(c.set, c.person) for c in training_cases()}
    assert not backgrounds & {tuple(name.split()) for name in TUNING_PEOPLE}
    assert len(backgrounds) == 12 + 39 + 3 - 3 - 3


def test_every_case_of_the_split_exists(shared):
    for case in (*training_cases(), *tuning_cases()):
        assert all(path.is_file() for path in case.files(shared / "data/labelled"))


def test_a_case_lies_posterior_to_anterior_and_inferior_to_superior(root):
    volume = load_case(CASE, root, load_model())
    assert volume.slices.shape == (9, 150, 180)
    assert volume.target == 1
    rows = volume.shadow.any(1).nonzero().flatten()
    columns = volume.shadow.any(0).nonzero().flatten()
    assert (int(rows[0]), int(rows[-1])) == (150 - 90, 150 - 60 - 1)
    assert (int(columns[0]), int(columns[-1])) == (180 - 136, 180 - 40 - 1)
    assert not volume.slices[:, -12:].any()  # the zero strip is in front


def test_labels_count_between_planes_across_the_column():
    """A column leaning by 20 degrees: the planes lean with it, so the neighbours beyond both ends stay outside."""
    lean = np.deg2rad(20.0)
    rows, columns = np.meshgrid(np.arange(160.0), np.arange(200.0), indexing="ij")
    along = (columns - 100) * np.cos(lean) + (rows - 80) * np.sin(lean)
    across = -(columns - 100) * np.sin(lean) + (rows - 80) * np.cos(lean)
    bodies = {n: (np.abs(along - 34 * (n - 2)) < 13) & (np.abs(across) < 17) for n in (0, 1, 2, 3, 4)}
    extent = labelled_extent({n: bodies[n] for n in (1, 2, 3)})
    for n in (1, 2, 3):
        assert extent[bodies[n]].mean() > 0.98
    for n in (0, 4):
        assert extent[bodies[n]].mean() == 0
    in_range = np.zeros_like(extent)
    in_range[:, np.flatnonzero(bodies[1].any(0))[0] : np.flatnonzero(bodies[3].any(0))[-1] + 1] = True
    assert in_range[bodies[0]].any()  # what a plain range along the image would have taken for background


def test_samples_repeat_with_their_seed_and_show_the_structure(root):
    volume = load_case(CASE, root, load_model())
    first, again = (list(islice(RealSlices([volume], seed=3), 12)) for _ in range(2))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(first, again, strict=True))
    contrasts = []
    for image, labelled, extent, target, seen in first:
        slices, neighbours, *size = image.shape
        assert neighbours == 5
        assert labelled.shape == extent.shape == (slices, *size)
        assert target.tolist() == [1] * slices
        assert (seen == UNKNOWN).all()  # without earlier weights nothing is known beside the labels
        assert torch.isfinite(image).all()
        assert torch.equal(image[1:, 1], image[:-1, 2])  # what is a slice's neighbour is the slice before it
        middle, marked = image[:, 2], labelled > 0
        if marked.sum() > 2000:
            contrasts.append(float(middle[marked].mean() - middle[~marked & (middle != 0)].mean()))
    assert min(contrasts) < -0.3 < 0.3 < max(contrasts)  # bright in some samples, dark in others


def test_samples_come_in_several_sizes_and_show_the_end_of_the_stack(root):
    volume = load_case(CASE, root, load_model())
    drawn = list(islice(RealSlices([volume], 1), 40))
    assert len({image.shape[2:] for image, *_ in drawn}) > 4
    absent = [(image[:, 2] == 0).flatten(1).all(1) for image, *_ in drawn]
    assert any(bool(a.any()) for a in absent)
    for (_, labelled, *_), nothing in zip(drawn, absent, strict=True):
        assert not labelled[nothing].any()


class Earlier:
    """Sure to see a sac behind five bodies, of which readers labelled those in the middle; the bodies too far back."""

    model = load_model()
    bodies = tuple(slice(40 + 34 * n, 68 + 34 * n) for n in range(-1, 4))

    def classify(self, image: Image) -> ClassMap:
        probabilities = np.zeros((7, *image.voxels.shape), dtype=np.float16)
        probabilities[0] = 0.9

        def see(value: int, rows: slice, columns: slice, sure: float = 0.95) -> None:
            probabilities[:, 2:7, rows, columns] = 0
            probabilities[0, 2:7, rows, columns], probabilities[value, 2:7, rows, columns] = 1 - sure, sure

        for rows in self.bodies:
            see(1, rows, slice(55, 90))
            see(3, slice(rows.stop, rows.stop + 6), slice(57, 88))
        see(4, slice(0, 180), slice(92, 106))
        see(2, slice(0, 180), slice(110, 125), sure=0.7)
        see(6, slice(60, 90), slice(12, 22))
        return ClassMap(probabilities.argmax(0).astype(np.uint8), probabilities, "earlier")


def test_what_earlier_weights_saw_is_kept_except_where_readers_say_otherwise(root):
    volume = load_case(CASE, root, load_model(), Earlier())
    marks, labelled = volume.marks[3:6], volume.marks[3:6] == LABELLED
    assert labelled.sum() == load_case(CASE, root, load_model()).marks[3:6].eq(LABELLED).sum() > 0
    lowest, labelled_last, highest = (180 - Earlier.bodies[n].start - 14 for n in (4, 3, 0))  # columns run upwards
    assert (marks[:, 91:94, labelled_last] == UNKNOWN).all()  # rows run from the back: the network saw body there
    assert (marks[:, 62:94, [lowest, highest]] == 1).all()
    assert (marks[:, 46:56] == 4).float().mean() > 0.9
    assert (marks[:, 27:38] == UNKNOWN).all()  # arches it was not sure of
    assert (marks[:, 129:136, 92:118] == UNKNOWN).all()  # a sacrum in front of the column was none
    assert (marks[:, 2:38] == UNKNOWN).all()  # nor is that there is nothing behind the canal
    assert (marks[:, 96:115] == 0).float().mean() > 0.9
    classes = {int(v) for *_, kept in islice(RealSlices([volume], 2), 12) for v in kept.unique()}
    assert classes <= {0, 1, 3, 4, UNKNOWN}
    assert {0, 1, 4, UNKNOWN} <= classes


def test_an_image_without_labels_teaches_only_what_earlier_weights_are_sure_of(root):
    volume = load_unlabelled(root / "vb2/90_img.nii.gz", load_model(), Earlier())
    assert not volume.extent.any()
    assert not (volume.marks == LABELLED).any()
    for image, labelled, extent, _, kept in islice(RealSlices([volume], 2), 6):
        assert torch.isfinite(image).all()
        assert not labelled.any()
        assert not extent.any()
        assert {0, 1} <= set(kept.unique().tolist())


def test_an_image_without_a_spine_is_refused(root):
    class Blind(Earlier):
        def classify(self, image: Image) -> ClassMap:
            nothing = np.zeros((7, *image.voxels.shape), dtype=np.float16)
            nothing[0] = 1
            return ClassMap(nothing.argmax(0).astype(np.uint8), nothing, "blind")

    with pytest.raises(InputError, match=r"90_img\.nii\.gz: .* sees no vertebra or disc"):
        load_unlabelled(root / "vb2/90_img.nii.gz", load_model(), Blind())


def test_what_is_missing_or_does_not_fit_is_said(root):
    with pytest.raises(InputError, match=r"vb2/91_img\.nii\.gz is missing"):
        load_case(replace(CASE, case="91"), root, load_model())
    other = replace(GRID, spacing=(4.0, 1.0, 1.1))
    write_nifti(
        np.ones(GRID.shape, dtype=np.uint8) * np.arange(9, dtype=np.uint8)[:, None, None],
        other,
        root / "vb2/90_lab.nii.gz",
    )
    with pytest.raises(InputError, match="grid"):
        load_case(CASE, root, load_model())
    with pytest.raises(InputError, match="no labelled volumes"):
        RealSlices([], 1)
