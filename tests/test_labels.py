"""The whole job on masks of other tools: what is measured is what is measured on spinemri's own."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.convert import write_nifti
from spinemri.dicom.write import StudyHeader, write_series
from spinemri.errors import InputError
from spinemri.image import Image
from spinemri.labels.export import to_labels
from spinemri.labels.segments import by_segment
from spinemri.networks import Networks
from spinemri.pipeline import Options, analyze
from spinemri.report.write import write
from spinemri.resample import resample_voxels
from spinemri.segment.label import label_anatomy
from spinemri.segmentation import label_value
from spinemri.series import Contrast, Series
from spinemri.spine import LevelBasis
from tests.cli.command import run
from tests.columns import rearranged
from tests.labels.painted import only
from tests.synthetic_study import synthetic_study

if TYPE_CHECKING:
    from pathlib import Path

KEY = b"0123456789abcdef"
KINDS = {
    "spinemri": None,
    "totalspineseg-step2": None,
    "spineps-veridah": ("vertebral_body", "posterior_elements", "disc", "sacrum"),
    "totalsegmentator-vertebrae-mr": ("vertebral_body", "posterior_elements", "sacrum"),
    "verse": ("vertebral_body", "posterior_elements"),
}


@pytest.fixture(scope="module")
def study():
    return synthetic_study(1, slice(1, 14))


@pytest.fixture(scope="module")
def folder(study, tmp_path_factory) -> Path:
    """T1 and T2 as DICOM; the mask belongs to the T2."""
    root = tmp_path_factory.mktemp("study")
    for image in study.images:
        if image.series.contrast is not Contrast.STIR:
            write_series(image, root / image.series.label, StudyHeader("PID4711"))
    return root


@pytest.fixture(scope="module")
def truth(study):
    """The true masks of the T2, named from the sacrum up."""
    image = next(i for i in study.images if i.series.contrast is Contrast.T2W)
    classes = study.predictor.predict(image).classes
    return label_anatomy(classes, image.geometry, image.series.series_uid, "truth")[0]


def mask_file(truth, scheme: str, folder: Path) -> Path:
    """The true masks as a tool would write them: other axes, whole vertebrae, its own numbers."""
    kinds = KINDS[scheme]
    named = None if kinds is None else [StructureKind(kind) for kind in kinds]
    shown = truth if "sacrum" in (kinds or ("sacrum",)) else only(truth, lambda s: not s.level or s.level.region != "S")
    voxels, grid = rearranged(to_labels(shown, scheme, kinds=named), truth.geometry, (2, 0, 1), (True, False, True))
    path = folder / f"MUSTERMANN_T2w_{scheme}_seg.nii.gz"
    write_nifti(voxels, replace(grid, frame_of_reference_uid=None), path)
    return path


def heights(analysis) -> dict[str, float]:
    names = ("anterior_height", "middle_height", "posterior_height")
    return {m.id: m.value for m in analysis.measurements if m.name in names and m.value is not None}


def analysed(folder, path, scheme, networks=None, **options):
    chosen = Options(token_key=KEY, labels=(path,), labels_from=scheme, **options)
    return analyze(folder, networks or Networks(None), chosen)


@pytest.fixture(scope="module")
def own(folder, truth, tmp_path_factory):
    """The case of masks in spinemri's own numbers."""
    return analysed(folder, mask_file(truth, "spinemri", tmp_path_factory.mktemp("own")), "spinemri")


@pytest.mark.parametrize("scheme", [s for s in KINDS if s != "spinemri"])
def test_heights_are_those_of_the_same_masks_in_our_own_numbers(folder, truth, own, tmp_path, scheme):
    case = analysed(folder, mask_file(truth, scheme, tmp_path), scheme)
    expected, found = heights(own.analysis), heights(case.analysis)
    assert found.keys() == expected.keys()
    assert len(found) >= 18
    assert found == pytest.approx(expected, abs=0.3)


def test_the_masks_of_our_own_scheme_are_the_masks_that_are_measured(study, truth, own):
    (used,) = [s for s, i in zip(own.segmentations, own.images, strict=True) if i.series.contrast is Contrast.T2W]
    elsewhere = replace(truth.geometry, frame_of_reference_uid=None)
    assert np.array_equal(used.voxels, resample_voxels(truth.voxels, elsewhere, used.geometry, interpolation="nearest"))
    true = {r["id"]: r["value"] for r in study.truth["measurements"] if r["name"].endswith("_height")}
    found = heights(own.analysis)
    assert np.mean([abs(found[i] - true[i]) for i in true if i in found]) < 0.6


def write_seg(truth, folder: Path, path: Path) -> None:
    """The bones as DICOM SEG on the T2 series, numbered 1 sacrum, 2 L5 … as TotalSegmentator does."""
    images = [pydicom.dcmread(file) for file in sorted((folder / "4").iterdir())]
    for image in images:
        image.PatientName = "PID4711^"
    kinds = [StructureKind(kind) for kind in KINDS["totalsegmentator-vertebrae-mr"]]
    voxels = to_labels(truth, "totalsegmentator-vertebrae-mr", kinds=kinds).astype(np.uint8)
    names = [
        highdicom.seg.SegmentDescription(
            n,
            f"bone {n}",
            codes.SCT.AnatomicalStructure,
            codes.SCT.Vertebra,
            highdicom.seg.SegmentAlgorithmTypeValues.MANUAL,
        )
        for n in range(1, int(voxels.max()) + 1)
    ]
    seg = highdicom.seg.Segmentation(
        images, voxels, "BINARY", names, generate_uid(), 9, generate_uid(), 1, "test", "test", "1", "1"
    )
    seg.save_as(path)


def test_a_dicom_seg_is_as_good_as_a_volume(folder, truth, own, tmp_path):
    write_seg(truth, folder, tmp_path / "seg.dcm")
    case = analysed(folder, tmp_path / "seg.dcm", "totalsegmentator-vertebrae-mr")
    assert heights(case.analysis) == pytest.approx(heights(own.analysis), abs=0.3)
    header = pydicom.dcmread(tmp_path / "seg.dcm")
    header.FrameOfReferenceUID = "2.25.999"
    header.save_as(tmp_path / "elsewhere.dcm")
    with pytest.raises(InputError, match=r"labels elsewhere\.dcm: the mask covers"):
        analysed(folder, tmp_path / "elsewhere.dcm", "totalsegmentator-vertebrae-mr")


def test_a_dicom_seg_that_is_refused_shows_its_segments_by_words_that_are_nobodys_name(folder, truth, tmp_path):
    write_seg(truth, folder, tmp_path / "seg.dcm")
    with pytest.raises(
        InputError, match=r"no spine under that scheme .*; segments in the file: 1 '\(other words\)', 2 "
    ):
        analysed(folder, tmp_path / "seg.dcm", "spider-algorithm")


def test_our_own_seg_comes_back_as_it_was(own, folder, tmp_path):
    write(own, tmp_path / "out", formats=("dicom-seg",))
    (path,) = (tmp_path / "out").glob("segmentation_*.dcm")
    back = analysed(folder, path, "spinemri")
    assert heights(back.analysis) == heights(own.analysis)
    drawn, again = (next(m for m in case.segmentations if m.structures) for case in (own, back))
    assert {*drawn.structures.values()} == {*again.structures.values()}
    assert np.array_equal(drawn.voxels, again.voxels)


def test_segments_of_which_only_some_are_ours_are_refused(truth):
    labels = Image(np.array(truth.voxels > 0, dtype=np.uint16), truth.geometry, Series(series_uid="1.2"))
    with pytest.raises(InputError, match=r"labels a\.dcm, scheme spinemri: segments 2 'my segment': expected"):
        by_segment(labels, {1: "vertebral body L4", 2: "my segment"}, "a.dcm")
    assert by_segment(labels, {1: "bone"}, "a.dcm") is labels
    value = int(by_segment(labels, {1: "disc L4-L5"}, "a.dcm").voxels.max())
    assert value == label_value(Structure(StructureKind.DISC, Level("L4"), Level("L5")))


def test_several_files_go_to_their_series_in_any_order(folder, truth, tmp_path):
    """The SEG refers to the T2; the volume fits T1 and T2 alike, and takes what is left."""
    write_seg(truth, folder, tmp_path / "seg.dcm")
    scheme = "totalsegmentator-vertebrae-mr"
    unnamed = mask_file(truth, scheme, tmp_path).rename(tmp_path / "mask.nii.gz")
    for labels in ((tmp_path / "seg.dcm", unnamed), (unnamed, tmp_path / "seg.dcm")):
        case = analyze(folder, Networks(None), Options(keep_identifiers=True, labels=labels, labels_from=scheme))
        made = {i.series.label: s.made_by for i, s in zip(case.images, case.segmentations, strict=True)}
        assert made == {"4": f"{scheme} (seg.dcm)", "2": f"{scheme} (mask.nii.gz)"}
    with pytest.raises(InputError, match=r"^labels mask\.nii\.gz: it fits series .* and nothing tells which"):
        analysed(folder, unnamed, scheme)


def test_a_missing_file_is_named_before_anything_is_read(tmp_path):
    with pytest.raises(InputError, match=r"^labels gone\.nii\.gz, none\.dcm: no such file$"):
        Options(labels=(tmp_path / "gone.nii.gz", tmp_path / "none.dcm"), labels_from="verse")
    line = ("analyze", tmp_path / "no folder", "-o", tmp_path / "out", "--token-key", tmp_path / "key")
    refused = run(*line, "--labels", tmp_path / "gone.nii.gz", "--labels-from", "verse", "--model", "no such model")
    assert refused.code == 2
    assert "labels gone.nii.gz: no such file" in " ".join(refused.err.split())


def test_the_report_says_where_the_masks_come_from_and_never_the_files_name(folder, truth, tmp_path):
    case = analysed(folder, mask_file(truth, "totalspineseg-step2", tmp_path), "totalspineseg-step2")
    made = case.analysis.provenance
    assert made.parameters["labels_from"] == "totalspineseg-step2"
    assert made.parameters["numbering_verified"] == "no"
    assert made.parameters["labels"].startswith("sha256 ")
    assert made.models == ()
    assert {v.assignment.basis for v in case.analysis.spine.vertebrae} == {LevelBasis.USER}
    said = [line for line in case.analysis.warnings if line.startswith("series 4: masks and level names come from")]
    assert said
    assert "they were not verified" in said[0]
    assert "series 2: not segmented: no mask of it was given" in " ".join(case.analysis.warnings)
    out = write(case, tmp_path / "out", formats=("json", "nifti"))
    text = "".join(path.read_text(encoding="utf-8") for path in out.glob("*.json"))
    assert "MUSTERMANN" not in text
    files = json.loads((out / "segmentation.json").read_text(encoding="utf-8"))["files"]
    assert any(f["made_by"].startswith("totalspineseg-step2 (sha256 ") for f in files)


def test_other_series_are_still_segmented_and_take_their_names_from_the_mask(study, folder, truth, tmp_path):
    path = mask_file(truth, "verse", tmp_path)
    case = analysed(folder, path, "verse", Networks(study.predictor), keep_identifiers=True)
    both = dict(zip((i.series.label for i in case.images), case.segmentations, strict=True))
    assert both["4"].made_by == f"verse ({path.name})"
    assert both["2"].made_by == "truth 1"
    names = [{str(b.level) for b in s.of_kind(StructureKind.VERTEBRAL_BODY)} for s in both.values()]
    assert names[0] & names[1] >= {"T12", "L1", "L2", "L3", "L4", "L5"}
    assert case.analysis.provenance.model("anatomy").name == study.predictor.model.name


def test_the_users_anchor_confirms_the_numbering(folder, truth, tmp_path):
    path = mask_file(truth, "verse", tmp_path)
    case = analysed(folder, path, "verse", anchor="L4=2")
    assert case.analysis.provenance.parameters["numbering_verified"] == "yes"
    with pytest.raises(InputError, match="anchor L5=2, but that vertebra is L4"):
        analysed(folder, path, "verse", anchor="L5=2")


def test_bad_label_options_end_before_the_work(folder, truth, tmp_path):
    path = mask_file(truth, "verse", tmp_path)
    with pytest.raises(InputError, match="given together"):
        Options(labels=(path,))
    with pytest.raises(InputError, match="given together"):
        Options(labels_from="verse")
    with pytest.raises(InputError, match="expected one of"):
        Options(labels=(path,), labels_from="vers")
    with pytest.raises(InputError, match="scheme totalspineseg-step1: 50 is every vertebra"):
        Options(labels=(path,), labels_from="totalspineseg-step1")
    with pytest.raises(InputError, match="no spine under that scheme"):
        analysed(folder, path, "spider-dataset")


def test_the_command_takes_masks(folder, truth, tmp_path):
    path = mask_file(truth, "spineps-veridah", tmp_path)
    line = ("analyze", folder, "-o", tmp_path / "out", "--token-key", tmp_path / "key", "--no-lesions")
    outcome = run(*line, "--labels", path, "--labels-from", "spineps-veridah", "--labels-only")
    assert outcome.code == 0, outcome.err
    assert "L1, L2, L3, L4, L5" in outcome.out
    assert "scheme spineps-veridah" in " ".join(outcome.err.split())
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert report["provenance"]["parameters"]["labels_from"] == "spineps-veridah"
    refused = run(*line[:2], "-o", tmp_path / "new", "--labels-only")
    assert refused.code == 2
    assert "nothing would be measured" in " ".join(refused.err.split())
