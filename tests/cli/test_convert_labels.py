"""``spinemri convert-labels``: files of every kind in, the same grid out, and nothing half written."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK

from spinemri.convert import write_nifti
from tests.cli.command import run
from tests.dicom.test_seg import GRID, write_seg
from tests.labels.painted import mask_in, painted


def stored(path):
    return SimpleITK.ReadImage(str(path))


@pytest.fixture
def mask(tmp_path):
    """A VerSe mask whose axes lie in the file in an order of their own."""
    truth = painted(1)
    image = mask_in("verse", truth)
    path = tmp_path / "case_seg.nii.gz"
    write_nifti(image.voxels, image.geometry, path)
    turned = SimpleITK.PermuteAxes(stored(path), (2, 0, 1))
    SimpleITK.WriteImage(turned, str(path))
    return path


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_the_new_mask_lies_on_the_grid_of_the_file(mask, tmp_path, suffix):
    out = tmp_path / f"new{suffix}"
    done = run("convert-labels", mask, out, "--from", "verse", "--to", "totalspineseg-step2")
    assert done.code == 0, done.err
    assert f"written: new{suffix} (totalspineseg-step2)" in done.out
    assert "nothing is lost" in done.out
    before, after = stored(mask), stored(out)
    assert before.GetSize() == after.GetSize()
    for of in ("GetSpacing", "GetOrigin", "GetDirection"):
        assert np.allclose(getattr(before, of)(), getattr(after, of)(), atol=1e-4)
    old, new = (SimpleITK.GetArrayFromImage(image) for image in (before, after))
    assert np.array_equal(old == 23, new == 44)
    assert not list(tmp_path.glob(".partial*"))


def test_the_same_scheme_gives_the_same_file_back(mask, tmp_path):
    run("convert-labels", mask, tmp_path / "new.nii.gz", "--from", "verse", "--to", "verse")
    assert np.array_equal(*(SimpleITK.GetArrayFromImage(stored(p)) for p in (mask, tmp_path / "new.nii.gz")))


def test_what_is_lost_is_printed_and_stands_in_the_report(tmp_path):
    truth = painted(1)
    image = mask_in("spinemri", truth)
    path, report = tmp_path / "own.nii.gz", tmp_path / "lost.json"
    write_nifti(image.voxels, image.geometry, path)
    done = run(
        "convert-labels", path, tmp_path / "verse.mha", "--from", "spinemri", "--to", "verse", "--report", report
    )
    assert done.code == 0, done.err
    assert "the other scheme has no number for it" in done.out
    assert "24, 64 as 23 (vertebral body L4, posterior elements L4)" in done.out
    told = json.loads(report.read_text(encoding="utf-8"))
    assert told["from"] == {"file": "own.nii.gz", "scheme": "spinemri"}
    assert told["to"] == {"file": "verse.mha", "scheme": "verse"}
    cord = next(loss for loss in told["losses"] if loss["structures"] == ["cord"])
    assert (cord["kind"], cord["voxels"]) == ("no_number", int(np.count_nonzero(truth.voxels == 121)))
    left_out = sum(loss["voxels"] for loss in told["losses"] if not loss["numbers"])
    kept = np.count_nonzero(SimpleITK.GetArrayFromImage(stored(tmp_path / "verse.mha")))
    assert left_out + kept == told["labelled_voxels"]


def test_a_dicom_seg_is_read_by_its_segment_numbers(tmp_path):
    cord = np.zeros(GRID.shape, dtype=bool)
    cord[2:5, 2:9, 3:6] = True
    out = tmp_path / "new.nrrd"
    seg = write_seg(tmp_path, [cord])
    done = run("convert-labels", seg, out, "--from", "totalspineseg-step2", "--to", "spinemri")
    assert done.code == 0, done.err
    assert np.unique(SimpleITK.GetArrayFromImage(stored(out))).tolist() == [0, 121]


def test_a_count_needs_the_users_word(tmp_path):
    truth = painted(1)
    image = mask_in("spineps", truth)
    path = tmp_path / "seg.nii.gz"
    write_nifti(image.voxels, image.geometry, path)
    line = ("convert-labels", path, tmp_path / "new.nii.gz", "--from", "spineps", "--to", "verse")
    refused = run(*line)
    assert refused.code == 2
    assert "--anchor" in refused.err
    assert not (tmp_path / "new.nii.gz").exists()
    done = run(*line, "--anchor", "L5=2")
    assert done.code == 0, done.err
    voxels = SimpleITK.GetArrayFromImage(stored(tmp_path / "new.nii.gz"))
    assert {22, 23, 24} <= set(np.unique(voxels).tolist())


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("new.dcm", (), "expected a name that ends in .nii"),
        ("there.nii.gz", (), "there.nii.gz is there already"),
        ("none/new.nii.gz", (), "its folder does not exist"),
        ("new.nii.gz", ("--report", "there.nii.gz"), "there.nii.gz is there already"),
    ],
)
def test_nothing_is_replaced_or_lost(mask, name, options, said):
    tmp_path = mask.parent
    (tmp_path / "there.nii.gz").write_bytes(b"mine")
    paths = [word if word.startswith("--") else tmp_path / word for word in options]
    done = run("convert-labels", mask, tmp_path / name, "--from", "verse", "--to", "verse", *paths)
    assert done.code == 2
    assert said in done.err
    assert (tmp_path / "there.nii.gz").read_bytes() == b"mine"
    assert not (tmp_path / "new.nii.gz").exists()


def test_overwrite_replaces(mask, tmp_path):
    (tmp_path / "there.nii.gz").write_bytes(b"mine")
    done = run("convert-labels", mask, tmp_path / "there.nii.gz", "--from", "verse", "--to", "verse", "--overwrite")
    assert done.code == 0, done.err
    assert stored(tmp_path / "there.nii.gz").GetSize() == stored(mask).GetSize()
