"""Own pairs on the working grid: what is labelled is taught, where it is labelled, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.convert import write_nifti
from spinemri.dicom.write import StudyHeader, write_series
from spinemri.errors import InputError
from spinemri.image import Image
from spinemri.segment.model import load_model
from spinemri.segment.predictor import ClassMap
from spinemri.series import Contrast, Plane, Series
from spinemri.synthesis.tissue import BACKGROUND, BODY, CLASS_OF, CORD, DISC, POSTERIOR, SAC
from spinemri.training.loss import UNKNOWN, kept_loss, partial_loss
from spinemri.training.own_volumes import own_volumes
from spinemri.training.pairs import Pair
from spinemri.training.real import LABELLED, RealSlices
from tests.labels.painted import mask_in, only
from tests.training.own_set import image_of, truth, write_image, write_mask

MODEL = load_model()
KIND = StructureKind
TRUTH = truth()


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    return write_image(TRUTH, tmp_path_factory.mktemp("set") / "case_T2w.nii.gz")


@pytest.fixture
def pair(image, tmp_path):
    """A pair with the mask of some structures, in some scheme."""

    def make(keep=bool, scheme="spinemri", **said):
        shown = only(TRUTH, keep)
        voxels = shown.voxels if scheme == "spinemri" else mask_in(scheme, shown).voxels
        path = tmp_path / "mask.nii.gz"
        write_nifti(voxels, TRUTH.geometry, path)
        return Pair(image, path, scheme, **said)

    return make


def by_kind(volumes):
    return {volume.case.structure: volume for volume in volumes}


def test_each_labelled_class_is_a_volume_and_knows_the_others(pair):
    found = by_kind(own_volumes(pair(), MODEL))
    assert set(found) == {kind.value for kind in KIND if kind is not KIND.LESION}
    body, disc = found["vertebral_body"], found["disc"]
    assert (body.target, disc.target) == (BODY, DISC)
    assert torch.equal(body.marks == LABELLED, disc.marks == BODY)
    assert torch.equal(body.marks == DISC, disc.marks == LABELLED)
    assert not (body.marks == BACKGROUND).any()  # without earlier weights nobody says what else is there
    share = float((body.marks == LABELLED).float().mean()) / float((TRUTH.mask_of_kind(KIND.VERTEBRAL_BODY)).mean())
    assert 0.9 < share < 1.1


def test_a_mask_whose_axes_run_the_other_way_teaches_the_same(image, pair, tmp_path):
    straight = own_volumes(pair(), MODEL)
    grid = TRUTH.geometry
    corner = grid.to_patient((grid.shape[0] - 1, 0, grid.shape[2] - 1))
    flipped = replace(grid, origin=tuple(corner), direction=tuple((grid.axes * [-1, 1, -1]).ravel()))
    write_nifti(np.ascontiguousarray(TRUTH.voxels[::-1, :, ::-1]), flipped, tmp_path / "turned.nii.gz")
    turned = own_volumes(Pair(image, tmp_path / "turned.nii.gz"), MODEL)
    for one, two in zip(straight, turned, strict=True):
        assert torch.equal(one.marks, two.marks)
        assert torch.equal(one.extent, two.extent)


def test_only_what_can_be_trusted_is_taught(pair):
    found = by_kind(own_volumes(pair(labelled=frozenset({KIND.DISC})), MODEL))
    assert set(found) == {"disc"}
    assert set(found["disc"].marks.unique().tolist()) == {UNKNOWN, LABELLED}


def test_a_gap_in_the_labels_is_a_gap_in_what_is_taught(pair):
    """Where nobody labelled L3, nobody said that there is no body."""
    gap = Level("L3")
    (volume,) = own_volumes(pair(lambda s: s.kind is KIND.VERTEBRAL_BODY and s.level != gap), MODEL)
    (whole,) = own_volumes(pair(lambda s: s.kind is KIND.VERTEBRAL_BODY), MODEL)
    (missing,) = own_volumes(pair(lambda s: s.kind is KIND.VERTEBRAL_BODY and s.level == gap), MODEL)
    there = missing.shadow
    assert whole.extent[there].all()
    assert float(volume.extent[there].float().mean()) < 0.1
    assert volume.extent[(volume.marks == LABELLED).any(0)].float().mean() > 0.95


def test_a_spine_without_t13_and_l6_has_no_gap(pair):
    names = {Level(name) for name in ("T11", "T12", "L1", "L2")}
    (volume,) = own_volumes(pair(lambda s: s.kind is KIND.VERTEBRAL_BODY and s.level in names), MODEL)
    along = volume.extent.any(0).nonzero().flatten()
    assert len(along) == int(along[-1] - along[0]) + 1


def test_a_canal_that_holds_sac_and_cord_teaches_neither(pair):
    kinds = {volume.case.structure for volume in own_volumes(pair(scheme="spider-algorithm"), MODEL)}
    assert kinds == {"vertebral_body", "posterior_elements", "disc"}


def test_a_sacrum_in_one_teaches_neither_s1_nor_the_rest(pair):
    found = by_kind(own_volumes(pair(scheme="totalspineseg-step2"), MODEL))
    assert set(found) == {"vertebral_body", "posterior_elements", "disc", "cord"}
    sacrum = TRUTH.mask(Structure(KIND.SACRUM))
    columns = found["vertebral_body"].extent.any(0)
    reached = float(columns.float().mean())
    assert 0 < reached < 1
    whole = by_kind(own_volumes(pair(), MODEL))["vertebral_body"]
    assert float(whole.extent.any(0).float().mean()) > reached  # there S1 is drawn for itself
    assert sacrum.any()


class Sure:
    """Earlier weights that are sure of the truth."""

    model = MODEL

    def classify(self, image):
        assert image.geometry.same_grid(TRUTH.geometry)
        table = np.zeros(256, dtype=np.uint8)
        for value, structure in TRUTH.structures.items():
            table[value] = CLASS_OF[structure.kind]
        classes = table[TRUTH.voxels]
        return ClassMap(classes, np.stack([classes == c for c in range(7)]).astype(np.float16), "sure 1")


def test_earlier_weights_say_what_the_mask_does_not(pair):
    (alone,) = own_volumes(pair(lambda s: s.kind is KIND.DISC), MODEL)
    (kept,) = own_volumes(pair(lambda s: s.kind is KIND.DISC), MODEL, Sure())
    assert set(alone.marks.unique().tolist()) == {UNKNOWN, LABELLED}
    assert {UNKNOWN, BACKGROUND, BODY, POSTERIOR, SAC, CORD, LABELLED} <= set(kept.marks.unique().tolist())
    assert torch.equal(alone.marks == LABELLED, kept.marks == LABELLED)
    assert not ((kept.marks == DISC) & kept.extent).any()  # there the mask decides


def gradients(volume):
    """A sample, and what the logits of every pixel (slices, classes, rows, columns) gain from its loss.

    Weights of the classes are 1 here: others change by how much classes count, not which of them move.
    """
    _, labelled, extent, target, seen = next(iter(RealSlices([volume], 3)))
    torch.manual_seed(5)
    logits = torch.randn(len(labelled), 7, *labelled.shape[1:], requires_grad=True)
    weights = torch.ones(7)
    value = partial_loss(logits, labelled, extent, target, weights).value + kept_loss(logits, seen, weights)
    value.backward()
    return labelled, extent > 0, logits.grad, logits.detach().softmax(1)


def test_classes_that_nobody_labelled_are_pushed_nowhere(pair):
    """Outside the extent nothing moves. Inside, unlabelled classes stay divided among each other as they were.

    What is not a labelled disc loses or gains by the class disc alone: each other class moves with its own share, so
    that none is preferred for being unlabelled.
    """
    (volume,) = own_volumes(pair(lambda s: s.kind is KIND.DISC), MODEL)
    labelled, inside, grad, share = gradients(volume)
    others = [c for c in range(7) if c != DISC]
    assert inside.any()
    assert not inside.all()
    assert (grad.movedim(1, -1)[~inside] == 0).all()
    assert (grad[:, DISC][inside & (labelled > 0)] < 0).all()
    assert (grad[:, DISC][inside & (labelled == 0)] > 0).all()
    moved = (grad / share)[:, others].movedim(1, -1)[inside]
    assert torch.allclose(moved, moved[:, :1].expand_as(moved), rtol=1e-3, atol=1e-9)


def test_classes_that_are_labelled_too_are_taught_beside_the_one_of_the_sample(pair):
    discs = by_kind(own_volumes(pair(lambda s: s.kind in {KIND.DISC, KIND.VERTEBRAL_BODY}), MODEL))["disc"]
    _, _, grad, share = gradients(discs)
    (alone,) = own_volumes(pair(lambda s: s.kind is KIND.DISC), MODEL)
    _, _, before, _ = gradients(alone)
    bodies = (grad / share)[:, BODY] - (grad / share)[:, CORD]
    assert (bodies < -1e-6).any()
    assert torch.allclose((before / share)[:, BODY], (before / share)[:, CORD], rtol=1e-3, atol=1e-9)


def test_a_table_may_name_the_dicom_folder_of_a_corrected_mask(pair, tmp_path):
    series = Series(series_uid="1.2.826.0.1.5", study_uid="1.2.826.0.1.4", number=4, contrast=Contrast.T2W)
    series = series.model_copy(update={"plane": Plane.SAGITTAL, "repetition_time_ms": 3000.0, "echo_time_ms": 100.0})
    grid = replace(TRUTH.geometry, frame_of_reference_uid="1.2.826.0.1.6")
    write_series(Image(image_of(TRUTH), grid, series), tmp_path / "study/4", StudyHeader("P1"))
    stored = own_volumes(replace(pair(), image=tmp_path / "study"), MODEL)
    volume = own_volumes(pair(), MODEL)
    assert [v.case.structure for v in stored] == [v.case.structure for v in volume]
    for one, two in zip((v.marks == LABELLED for v in stored), (v.marks == LABELLED for v in volume), strict=True):
        assert 2 * (one & two).sum() > 0.97 * (one.sum() + two.sum())  # pixels half filled go either way


def test_a_mask_on_another_grid_is_refused_with_both(image, tmp_path):
    moved = replace(TRUTH, geometry=replace(TRUTH.geometry, origin=(0.0, 0.0, 0.0)))
    mask = write_mask(moved, tmp_path / "mask.nii.gz")
    with pytest.raises(InputError, match=r"mask.nii.gz: its grid is 19 x .* expected that of case_T2w.nii.gz; found"):
        own_volumes(Pair(image, mask), MODEL)


def test_values_without_a_meaning_are_refused(image, tmp_path):
    voxels = TRUTH.voxels.copy()
    voxels[3, 4:8, 4:8] = 255
    mask = write_mask(replace(TRUTH, voxels=voxels), tmp_path / "mask.nii.gz")
    with pytest.raises(InputError, match=r"mask.nii.gz: values 255 \(16 voxels\) have no meaning in the scheme sp"):
        own_volumes(Pair(image, mask), MODEL)


def test_a_mask_without_a_trusted_structure_is_refused(pair):
    with pytest.raises(InputError, match=r"mask\.nii\.gz, scheme spinemri: no voxel of cord that"):
        own_volumes(pair(lambda s: s.kind is KIND.DISC, labelled=frozenset({KIND.CORD})), MODEL)


def test_an_empty_mask_is_refused(image, tmp_path):
    empty = replace(TRUTH, voxels=np.zeros_like(TRUTH.voxels))
    with pytest.raises(InputError, match=r"mask\.nii\.gz: .*all voxels have the same value"):
        own_volumes(Pair(image, write_mask(empty, tmp_path / "mask.nii.gz")), MODEL)


def test_a_contrast_that_the_model_does_not_read_is_refused(pair):
    model = replace(MODEL, contrasts=frozenset({Contrast.T1W}))
    with pytest.raises(InputError, match=r"case_T2w\.nii\.gz: contrast T2w: spine_anatomy reads T1w; .*'contrast'"):
        own_volumes(pair(), model)
    assert own_volumes(pair(contrast=Contrast.T1W), model)
