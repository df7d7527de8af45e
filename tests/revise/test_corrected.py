"""Masks that a person corrected: what they drew is measured, what they left alone stays to the last bit."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import highdicom
import numpy as np
import pytest
from pydicom import dcmread

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.convert import write_nifti
from spinemri.correction import BY_PERSON
from spinemri.errors import InputError
from spinemri.image import Image
from spinemri.labels.study import LabelFile
from spinemri.pipeline import Options, finish
from spinemri.report.narrative import narrate
from spinemri.report.text import to_text
from spinemri.report.write import write
from spinemri.revise.lesion_masks import correct_lesions
from spinemri.revise.masks import correct
from spinemri.segmentation import label_value
from spinemri.series import Contrast, Series
from spinemri.spine import LevelBasis
from tests.cli.command import run
from tests.columns import LUMBAR, rearranged
from tests.revise import reviewed

if TYPE_CHECKING:
    from pathlib import Path

BODY, DISC, SAC = StructureKind.VERTEBRAL_BODY, StructureKind.DISC, StructureKind.THECAL_SAC
L3 = Structure(BODY, Level("L3"))
NEAR = {"L1", "L2", "L3", "L4", "L5"}  # the column's direction at a body rests on two bodies on either side
MILD = 4.0  # mm taken off the front of a body


@pytest.fixture(scope="module")
def base(seen):
    return reviewed.finished(seen)


@pytest.fixture(scope="module")
def mask(base):
    """What the program wrote of the series."""
    return base.segmentations[0]


def shaved(mask, structure) -> np.ndarray:
    """The mask with the front of one structure taken off."""
    voxels = np.array(mask.voxels)
    index = np.argwhere(mask.mask(structure))
    forward = mask.geometry.to_patient(index)[:, 1]
    voxels[tuple(index[forward < forward.min() + MILD].T)] = 0
    return voxels


def saved(voxels, mask, folder: Path, name: str = "segmentation_4.nii.gz") -> Path:
    """As Slicer or ITK-SNAP saves it: other axes, no frame of reference."""
    turned, grid = rearranged(voxels, mask.geometry, (2, 0, 1), (True, False, True))
    write_nifti(turned, replace(grid, frame_of_reference_uid=None), folder / name)
    return folder / name


def corrected_case(folder: Path, *files: Path):
    loaded, reading = reviewed.read(folder, corrected=files)
    return finish(loaded, reading, reviewed.networks(), Options(token_key=reviewed.KEY, corrected=files))


def changed(before, after) -> set[str]:
    """Ids of measurements that are not equal to the last bit; both analyses have the same ones."""
    old, new = ({m.id: m.model_dump_json() for m in case.analysis.measurements} for case in (before, after))
    assert set(old) == set(new)
    return {id_ for id_, text in old.items() if new[id_] != text}


@pytest.fixture(scope="module")
def body(folder, mask, tmp_path_factory):
    """L3 without its front."""
    return corrected_case(folder, saved(shaved(mask, L3), mask, tmp_path_factory.mktemp("body")))


# what changes and what does not


def test_a_corrected_body_changes_its_own_measurements_and_no_others(base, body):
    ids = changed(base, body)
    assert ids >= {
        "L3.anterior_height", "L3.height_loss_pct", "L3.volume_loss_pct", "L3.wedge_angle", "L2.height_loss_pct",
        "L3-L4.disc_height_index", "L2-L3.slip_mm", "lesion-1.lesion_body_share_pct",
    }  # fmt: skip
    of = {m.id: m for m in base.analysis.measurements}
    for id_ in ids:
        places = {*of[id_].levels, *of[id_].reference_levels} | (
            {Level("L3")} if id_.startswith("lesion-1.") else set()
        )
        whole = of[id_].name in ("lumbar_lordosis", "coronal_curvature_estimate")
        assert whole or {str(level) for level in places} & NEAR, id_
    still = {m.id for m in base.analysis.measurements if m.value is not None} - ids
    assert {id_.partition(".")[0] for id_ in still} >= {"T11", "T12", "T11-T12", "lesion-2", "L3"}
    assert not {id_ for id_ in ids if ".sac_" in id_ or ".cord_" in id_}


def test_a_corrected_sac_changes_no_bone(base, folder, mask, tmp_path):
    case = corrected_case(folder, saved(shaved(mask, Structure(SAC)), mask, tmp_path))
    ids = changed(base, case)
    assert any("sac_" in id_ for id_ in ids)
    bony = ("height", "wedge", "crush", "volume_loss", "slip", "lordosis", "kyphosis", "endplate", "lesion_volume")
    assert not {id_ for id_ in ids if any(word in id_ for word in bony)}


def test_a_small_change_far_from_a_body_leaves_it_to_the_last_bit(base, body):
    heights = [m for m in base.analysis.measurements if m.level == Level("T11") and m.name.endswith("_height")]
    assert heights
    for measurement in heights:
        assert body.analysis.measurement(measurement.id) == measurement


def test_a_mask_given_back_as_it_was_changes_nothing(base, folder, mask, tmp_path):
    case = corrected_case(folder, saved(mask.voxels, mask, tmp_path))
    assert changed(base, case) == set()
    assert case.segmentations[0].made_by == mask.made_by
    assert case.analysis.findings == base.analysis.findings
    (record,) = case.analysis.corrections
    assert record.is_unchanged
    assert "the mask that a person gave back is what the software draws" in " ".join(to_text(case.analysis).split())


def test_what_was_drawn_is_what_is_measured_and_written(body, mask):
    (found,) = body.segmentations
    assert np.array_equal(found.voxels, shaved(mask, L3))
    assert found.structures == mask.structures
    assert found.cut == mask.cut
    assert BY_PERSON in found.made_by


# the record


def test_the_record_says_how_much_differs_and_where(body, mask):
    (record,) = body.analysis.corrections
    before, after = mask.mask(L3), body.segmentations[0].mask(L3)
    lost = int(before.sum() - after.sum())
    assert lost > 0
    assert (record.series, record.added, record.removed, record.relabelled) == ("4", 0, lost, 0)
    (only,) = record.structures
    assert (only.kind, only.place, only.before, only.after) == (BODY, "L3", int(before.sum()), int(after.sum()))
    assert only.dice == pytest.approx(2 * after.sum() / (before.sum() + after.sum()))
    assert record.file.startswith("sha256 ")
    assert body.analysis.provenance.parameters["corrected"] == record.file


def test_voxels_that_change_hands_are_told_as_such(folder, mask, tmp_path):
    voxels = np.array(mask.voxels)
    index = np.argwhere(mask.mask(L3))
    down = mask.geometry.to_patient(index)[:, 2]
    given = index[down < down.min() + 3.0]
    voxels[tuple(given.T)] = label_value(Structure(DISC, Level("L3")))
    (record,) = corrected_case(folder, saved(voxels, mask, tmp_path)).analysis.corrections
    assert (record.added, record.removed, record.relabelled) == (0, 0, len(given))
    assert {(s.kind, s.place, s.added - s.removed) for s in record.structures} == {
        (BODY, "L3", -len(given)),
        (DISC, "L3-L4", len(given)),
    }


def test_every_report_tells_it_as_a_persons_change(body, tmp_path):
    section = narrate(body.analysis).review
    assert section is not None
    assert [part.title for part in section.parts] == ["Corrected masks"]
    out = write(body, tmp_path / "out", formats=("json", "html", "txt", "nifti", "pdf"))
    for name in ("report.txt", "report.html"):
        text = " ".join((out / name).read_text(encoding="utf-8").split())
        assert "a mask that a person gave back is measured in place of the software" in text
        assert "without review by a physician" not in text
    document = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert document["corrections"][0]["structures"][0]["place"] == "L3"
    (file,) = json.loads((out / "segmentation.json").read_text(encoding="utf-8"))["files"]
    assert BY_PERSON in file["made_by"]


def test_contours_of_a_corrected_mask_are_semiautomatic(base, body, tmp_path):
    kinds = {}
    for name, case in (("before", base), ("after", body)):
        write(case, tmp_path / name, formats=("rtstruct",))
        (path,) = (tmp_path / name).glob("contours_*.dcm")
        rois = dcmread(path).StructureSetROISequence
        kinds[name] = {item.ROIGenerationAlgorithm for item in rois if "lesion" not in item.ROIName}
    assert kinds == {"before": {"AUTOMATIC"}, "after": {"SEMIAUTOMATIC"}}


# names


def renamed_up(mask) -> np.ndarray:
    """Every level named one higher: L1 is T12."""
    names = [Level(v) for v in LUMBAR]
    return np.asarray(mask.renamed(dict(zip(names, [Level("T10"), *names[:-1]], strict=True))).voxels)


def test_names_that_a_person_gave_hold_and_are_told(folder, mask, tmp_path):
    case = corrected_case(folder, saved(renamed_up(mask), mask, tmp_path))
    assert [str(v) for v in case.analysis.spine.levels] == ["T10", *LUMBAR[:-1]]
    assert {v.assignment.basis for v in case.analysis.spine.vertebrae} == {LevelBasis.USER}
    (record,) = case.analysis.corrections
    assert (Level("L1"), Level("T12")) in record.renamed
    assert record.added == record.removed == 0
    assert not [s for s in record.structures if s.kind is BODY]
    assert "L1 is T12" in " ".join(to_text(case.analysis).split())


def test_other_series_follow_names_that_a_person_gave(seen, mask):
    loaded, reading = seen
    (image,) = loaded.images
    series = image.series.model_copy(update={"series_uid": "second", "number": 5, "contrast": Contrast.T1W})
    images = (image, replace(image, series=series))
    masks = (mask, replace(mask, series_uid="second"))
    found = correct([labelled(renamed_up(mask), mask)], images, masks, reading.assignments * 2)
    assert [str(a.level) for a in found.assignments[1]] == ["T10", *LUMBAR[:-1]]
    assert any("series 5: level names overruled" in line for line in found.warnings)


# which series


def labelled(voxels, mask, name: str = "segmentation_4.nii.gz") -> LabelFile:
    grid = replace(mask.geometry, frame_of_reference_uid=None)
    return LabelFile(Image(voxels, grid, Series(series_uid="")), name, "sha256 0")


@pytest.fixture
def twins(seen, mask):
    """Two series on one grid, as T1 and STIR often are."""
    loaded, reading = seen
    (image,) = loaded.images
    series = image.series.model_copy(update={"series_uid": "second", "number": 5, "contrast": Contrast.T1W})
    both = (image, replace(image, series=series))
    return both, (mask, replace(mask, series_uid="second")), reading.assignments * 2


@pytest.mark.parametrize(
    ("name", "number"),
    [("segmentation_5.nii.gz", 1), ("segmentation_5-label.nii", 1), ("edited.nii.gz", None)],
)
def test_the_name_that_spinemri_gave_the_file_says_which_series_it_is_of(twins, mask, name, number):
    if number is None:
        with pytest.raises(InputError, match=r"fits series 4 .* series 5 .* nothing tells which"):
            correct([labelled(shaved(mask, L3), mask, name)], *twins)
        return
    found = correct([labelled(shaved(mask, L3), mask, name)], *twins)
    assert [record.series for record in found.record] == ["5"]
    assert found.segmentations[0] is mask
    assert np.array_equal(found.segmentations[1].voxels, shaved(mask, L3))


def test_a_dicom_seg_says_itself_which_series_it_was_drawn_on(folder, base, mask, tmp_path):
    write(base, tmp_path / "out", formats=("dicom-seg",))
    (path,) = (tmp_path / "out").glob("segmentation_*.dcm")
    seg = highdicom.seg.Segmentation.from_dataset(dcmread(path))
    segments = {int(n): seg.get_segment_description(n).segment_label for n in seg.segment_numbers}
    assert "vertebral body L3" in segments.values()
    renamed = path.rename(tmp_path / "edited in a viewer.dcm")
    (record,) = corrected_case(folder, renamed).analysis.corrections
    assert record.is_unchanged, "our own SEG comes back as what it was made of"
    assert record.series == "4"
    assert len(segments) == len(mask.structures)


# refusals


def test_a_mask_on_another_grid_is_refused_with_both_grids(folder, mask, tmp_path):
    part = mask.part((slice(1, None), slice(None), slice(None)))
    with pytest.raises(InputError, match=r"segmentation_4.nii.gz: a grid of .* expected the grid of the series"):
        corrected_case(folder, saved(part.voxels, part, tmp_path))
    away = replace(mask, geometry=replace(mask.geometry, origin=(400.0, 0.0, 0.0)))
    with pytest.raises(InputError, match="at the same place in the patient"):
        corrected_case(folder, saved(away.voxels, away, tmp_path))


def test_values_that_stand_for_nothing_are_refused(folder, mask, tmp_path):
    voxels = np.array(mask.voxels)
    voxels[0, 0, :3] = 77
    with pytest.raises(InputError, match=r"for no structure: 77 \(3 voxels\); expected those of segmentation"):
        corrected_case(folder, saved(voxels, mask, tmp_path))


def test_files_that_cannot_be_corrections_are_refused_before_the_work(tmp_path):
    with pytest.raises(InputError, match=r"corrected gone.nii.gz: no such file"):
        Options(corrected=(tmp_path / "gone.nii.gz",))
    other = tmp_path / "segmentation_4.nii.gz"
    other.touch()
    with pytest.raises(InputError, match="given twice"):
        Options(corrected=(other, other))


def test_two_masks_of_one_series_are_refused(folder, mask, tmp_path):
    one = saved(mask.voxels, mask, tmp_path)
    two = saved(shaved(mask, L3), mask, tmp_path, "segmentation_4_again.nii.gz")
    with pytest.raises(InputError, match="which has a mask already"):
        corrected_case(folder, one, two)


# outlines of lesions


@pytest.fixture(scope="module")
def outlined(seen):
    """What a person is given: the outlines of lesion-1 in L3 (value 1) and lesion-2 in T12 (value 2)."""
    (mask,) = seen[1].marrow.masks
    return mask


def redrawn(seen, voxels, outlined):
    """The study, and its reading with a person's outlines and their record."""
    loaded, reading = seen
    grid = replace(outlined.geometry, frame_of_reference_uid=None)
    file = LabelFile(Image(voxels, grid, Series(series_uid="")), "lesions_4.nii.gz", "sha256 0")
    found = correct_lesions([file], loaded.images, reading.marrow)
    return loaded, replace(reading, marrow=found.marrow, corrections=found.record)


def test_a_lesion_is_measured_as_a_person_outlined_it(seen, base, outlined):
    """The ball in L3 loses its upper half; the one in T12 stays."""
    voxels = np.array(outlined.voxels)
    index = np.argwhere(voxels == 1)
    up = outlined.geometry.to_patient(index)[:, 2]
    voxels[tuple(index[up > np.median(up)].T)] = 0
    case = finish(*redrawn(seen, voxels, outlined), reviewed.networks(), Options(token_key=reviewed.KEY))
    before, after = (c.analysis.measurement("lesion-1.lesion_volume").value for c in (base, case))
    assert after == pytest.approx(before * np.count_nonzero(voxels == 1) / len(index))
    ids = changed(base, case)
    assert {id_.partition(".")[0] for id_ in ids} <= {"lesion-1", "L3"}
    first, second = case.analysis.lesions
    assert (first.confirmed, second.confirmed) == (True, False)
    assert first.centre[2] < base.analysis.lesions[0].centre[2]
    assert first.shares == base.analysis.lesions[0].shares
    (record,) = case.analysis.corrections
    assert [(s.kind.value, s.place) for s in record.structures] == [("lesion", "lesion-1")]
    assert "lesion-1 outline" in " ".join(to_text(case.analysis).split())


def test_a_lesion_without_an_outline_is_gone(seen, outlined):
    voxels = np.where(outlined.voxels == 2, 9, 0)  # whatever number the person's program gave it
    _, reading = redrawn(seen, voxels, outlined)
    assert [lesion.id for lesion in reading.marrow.lesions] == ["lesion-2"]
    (mask,) = reading.marrow.masks
    assert np.array_equal(mask.voxels == 2, outlined.voxels == 2)
    assert not reading.marrow.lesions[0].confirmed
    assert [(s.place, s.after, s.dice) for s in reading.corrections[0].structures] == [("lesion-1", 0, 0.0)]


def test_outlines_given_back_as_they_were_change_nothing(seen, outlined):
    _, reading = redrawn(seen, outlined.voxels, outlined)
    assert reading.marrow is seen[1].marrow
    assert reading.corrections[0].is_unchanged


def test_an_outline_that_is_of_nothing_known_is_refused(seen, outlined):
    loaded, reading = seen
    voxels = np.array(outlined.voxels)
    voxels[0, 0, :4] = 3
    with pytest.raises(InputError, match=r"value 3 \(4 voxels\) lies over no lesion.*lesion-1, lesion-2"):
        redrawn(seen, voxels, outlined)
    voxels = np.array(outlined.voxels)
    voxels[tuple(np.argwhere(voxels == 1)[::2].T)] = 5
    with pytest.raises(InputError, match="values 1 and 5 both lie over lesion-1"):
        redrawn(seen, voxels, outlined)
    with pytest.raises(InputError, match="nobody looked for lesions"):
        redrawn((loaded, replace(reading, marrow=None)), outlined.voxels, outlined)


# the command


def test_the_command_measures_a_corrected_mask(folder, mask, tmp_path, monkeypatch):
    monkeypatch.setattr("spinemri.networks.default_predictor", lambda *_, **__: reviewed.networks().anatomy)
    path = saved(shaved(mask, L3), mask, tmp_path)
    given = ("--corrected", path, "--no-lesions", "--formats", "json,txt", "--token-key", tmp_path / "key")
    outcome = run("analyze", folder, "-o", tmp_path / "out", *given)
    assert outcome.code == 0, outcome.err
    document = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert [one["series"] for one in document["corrections"]] == ["4"]
    assert "sha256" in document["provenance"]["parameters"]["corrected"]
    assert path.name not in json.dumps(document)
