"""The whole job on a synthetic study with a network that makes no mistake: what is left are the errors of the rest."""

from __future__ import annotations

import base64
import gzip
import re
import struct
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pydicom
import pytest

from spinemri.anatomy import Level, StructureKind
from spinemri.clinical import Clinical
from spinemri.convert import write_nifti
from spinemri.dicom.load import load
from spinemri.dicom.scan import scan
from spinemri.dicom.write import StudyHeader, write_series
from spinemri.errors import InputError, LevelError, SeriesError
from spinemri.evaluate.phantoms import score
from spinemri.networks import Networks
from spinemri.pipeline import Options, analyze, infer, read_study
from spinemri.report.write import write
from spinemri.series import Contrast
from spinemri.spine import LevelBasis
from tests.cli.command import run
from tests.synthetic_study import SyntheticStudy, synthetic_study

if TYPE_CHECKING:
    from spinemri.case import Case

KEY = Options(token_key=b"0123456789abcdef")
HEADER = StudyHeader("PID4711")
POSTERIOR = 2
SHOWN = slice(3, 12)
PLANTED = {
    "PatientName": "MUSTERMANN^HANS",
    "PatientBirthDate": "19471103",
    "SeriesDescription": "sag MUSTERMANN",
    "ProtocolName": "PID4711 lumbar",
    "InstitutionName": "WARD-9",
    "AccessionNumber": "ACC4711",
    "BodyPartExamined": "LSPINE WARD 9",
}
MARKERS = {"MUSTERMANN", "PID4711", "19471103", "WARD-9", "WARD 9", "ACC4711"}


@pytest.fixture(scope="session")
def study() -> SyntheticStudy:
    """Nine sagittal slices of a lumbar spine with a wedge fracture, a marrow lesion and a narrowed canal."""
    return synthetic_study(1, SHOWN)


@pytest.fixture(scope="session")
def folder(study, tmp_path_factory) -> Path:
    """The study's T1 and T2 as DICOM."""
    root = tmp_path_factory.mktemp("study")
    for image in study.images:
        if image.series.contrast is not Contrast.STIR:
            write_series(image, root / image.series.label, HEADER)
    return root


@pytest.fixture(scope="session")
def t2_folder(study, tmp_path_factory) -> Path:
    """The study's T2 alone: quicker, nothing to align."""
    root = tmp_path_factory.mktemp("t2")
    write_series(study.images[-1], root, HEADER)
    return root


@pytest.fixture(scope="session")
def case(study, folder) -> Case:
    return analyze(folder, Networks(study.predictor), KEY)


def test_levels_heights_loss_and_sac_are_those_that_were_painted(study, case):
    result = score(study.truth, case.analysis)
    assert result.levels_right == result.levels == 7
    assert result.named == result.fractured
    assert result.loss_error == pytest.approx(0, abs=2.5)
    assert result.height_error < 0.6  # pixels are 0.94 mm
    assert result.narrowing_error == pytest.approx(0, abs=0.6)
    assert result.sac_error < 1.0


def test_every_vertebra_is_there_once_in_order_and_a_cut_one_says_so(study, case):
    found = case.analysis.spine.vertebrae
    assert [str(v.level) for v in found] == ["T11", *study.truth["levels"]]
    assert [v.cut for v in found] == [True] + [False] * 7
    assert {v.assignment.basis for v in found} == {LevelBasis.FROM_SACRUM}
    assert all(len(v.seen_in) == 2 for v in found)


def test_the_other_levels_have_no_fracture(study, case):
    losses = {m.place: m.value for m in case.analysis.measurements if m.name == "height_loss_pct"}
    others = {place: loss for place, loss in losses.items() if place != study.truth["fractures"][0]["level"]}
    assert max(loss for loss in others.values() if loss is not None) < 15
    broken = [f for f in case.analysis.findings if f.kind == "vertebral_height_loss" and f.certainty == "present"]
    assert {str(level) for f in broken for level in f.levels} <= {study.truth["fractures"][0]["level"]}


def test_series_of_one_subject_that_did_not_move_are_aligned(case):
    assert {a.status for a in case.analysis.alignments} == {"aligned"}
    assert len(case.analysis.alignments) == 8
    assert max(a.residual_mm for a in case.analysis.alignments) < 0.7


def test_the_document_says_what_made_it(study, case):
    made = case.analysis.provenance
    model = study.predictor.model
    assert [(m.role, m.name, m.sha256) for m in made.models] == [("anatomy", model.name, model.sha256)]
    assert set(made.seconds) == {"read", "segment", "align", "lesions", "measure"}
    assert made.libraries["pydicom"] == pydicom.__version__
    assert (case.analysis.patient_age_years, case.analysis.patient_sex) == (62, "F")


def test_what_the_user_said_is_in_the_document_and_is_heard(study, t2_folder):
    said = Clinical(question=("stenosis",), primary="breast")
    found = analyze(t2_folder, Networks(study.predictor), replace(KEY, clinical=said)).analysis
    assert found.clinical == said
    gaps = {f.id: f.certainty for f in found.findings if f.kind == "protocol_gap"}
    assert gaps["protocol.axial_t2"] == "present"
    assert gaps["protocol.numbering"] == "present"
    flags = {f.kind: f for f in found.findings if f.kind.startswith("flag_")}
    assert len(flags) == 6
    assert flags["flag_unexpected_metastases"].certainty == "not_assessable"  # no lesion model


@pytest.mark.parametrize(("age", "why"), [("009Y", "younger than 18 years"), ("", "the patient's age is not known")])
def test_children_and_people_of_unknown_age_are_not_compared_with_adults(study, tmp_path, age, why):
    write_series(study.images[-1], tmp_path, StudyHeader("PID4711", patient_age=age))
    found = analyze(tmp_path, Networks(study.predictor), KEY).analysis
    assert [line for line in found.warnings if line.startswith("norms of adults are not applied") and why in line]
    ratios = [m for m in found.measurements if m.name == "wedge_ratio_z"]
    assert ratios
    assert all(m.value is None for m in ratios)
    assert not [f for f in found.findings if "adults" in f.statement]


def test_progress_names_every_stage(study, t2_folder):
    calls: list[tuple[str, int, int]] = []
    analyze(t2_folder, Networks(study.predictor), progress=lambda *call: calls.append(call))
    stages = list(dict.fromkeys(stage for stage, _, _ in calls))
    assert stages == ["reading headers", "loading", "segmenting", "aligning", "measuring"]
    assert all(0 <= done <= total for _, done, total in calls)


# what is missing or wrong


def test_without_a_column_nothing_is_made_up(study, t2_folder):
    blind = replace(study.predictor, classes=np.zeros_like(study.predictor.classes))
    with pytest.raises(InputError, match=r"^no spine found"):
        analyze(t2_folder, Networks(blind))


def truncate(series: Path) -> None:
    for path in series.iterdir():
        path.write_bytes(path.read_bytes()[:-1000])


def copied(folder: Path, target: Path, number: str = "") -> Path:
    target.mkdir(parents=True)
    for path in sorted((folder / number).iterdir()):
        (target / path.name).write_bytes(path.read_bytes())
    return target


def test_a_series_that_cannot_be_loaded_is_refused_and_the_others_are_used(folder, tmp_path):
    truncate(copied(folder, tmp_path / "a", "2"))
    copied(folder, tmp_path / "b", "4")
    loaded = read_study(tmp_path)
    assert [image.series.contrast for image in loaded.images] == [Contrast.T2W]
    ((series, reason),) = loaded.refused
    assert series.contrast is Contrast.T1W
    assert "truncated" in reason or "cannot be read" in reason
    assert [line for line in loaded.warnings if line.startswith("series 2: ") and line.endswith("; not used")]


def test_when_the_best_series_fails_the_next_best_takes_its_place(study, t2_folder, tmp_path):
    truncate(copied(t2_folder, tmp_path / "best"))
    t2 = study.images[-1]
    facts = t2.series.model_copy(update={"series_uid": "2.25.77.5", "number": 5})
    shorter = replace(t2.geometry, shape=(7, *t2.geometry.shape[1:]))
    write_series(replace(t2, voxels=t2.voxels[:7], geometry=shorter, series=facts), tmp_path / "spare", HEADER)
    loaded = read_study(tmp_path)
    assert [image.series.label for image in loaded.images] == ["5"]
    assert [series.label for series, _ in loaded.refused] == ["4"]


def test_when_nothing_can_be_loaded_every_reason_is_given(folder, tmp_path):
    for number in ("2", "4"):
        truncate(copied(folder, tmp_path / number, number))
    with pytest.raises(SeriesError, match=r"^series 2: .*; series 4: "):
        read_study(tmp_path)


@pytest.mark.parametrize(("anchor", "lowest"), [("L5=1", "L5"), ("L6=2", "S1"), ("S1=1", "S1")])
def test_the_user_has_the_last_word_on_a_level(study, t2_folder, anchor, lowest):
    options = Options(anchor=anchor)
    anatomy = infer(read_study(t2_folder, options), Networks(study.predictor), options)
    (named,) = anatomy.assignments
    assert str(named[-1].level) == lowest
    assert named[-1].basis is LevelBasis.USER
    assert Level(anchor[:2]) in [name.level for name in named]


def test_an_anchor_without_sense_is_told_before_the_work_and_one_that_fits_nobody_after_it(study, t2_folder):
    with pytest.raises(LevelError, match="expected LEVEL=N"):
        Options(anchor="L5")
    options = Options(anchor="L5=40")
    with pytest.raises(LevelError, match="40"):
        infer(read_study(t2_folder), Networks(study.predictor), options)


# identifiers


def identity(loaded) -> tuple[str | None, ...]:
    series = loaded.images[0].series
    return loaded.patient, loaded.study.study_uid, series.series_uid, series.frame_of_reference_uid


def test_tokens_are_stable_for_a_key_and_differ_between_keys(t2_folder):
    once, again = (identity(read_study(t2_folder, KEY)) for _ in range(2))
    assert once == again
    assert all(re.fullmatch("[0-9a-f]{16}", token) for token in once)
    assert len(set(once)) == len(once)
    other = [identity(read_study(t2_folder, options)) for options in (Options(token_key=b"another"), Options())]
    assert not set(once) & {*other[0], *other[1]}
    assert not set(other[0]) & set(other[1])


def test_identifiers_are_kept_when_asked_for(study, t2_folder):
    header = pydicom.dcmread(t2_folder / "IM0001.dcm")
    case = analyze(t2_folder, Networks(study.predictor), Options(keep_identifiers=True))
    analysis = case.analysis
    assert analysis.patient == header.PatientID == "PID4711"
    assert analysis.study == header.StudyInstanceUID
    (used,) = analysis.used_series()
    assert used.series_uid == header.SeriesInstanceUID == case.segmentations[0].series_uid
    assert used.frame_of_reference_uid == header.FrameOfReferenceUID
    assert used.description == header.SeriesDescription
    assert {m.series_uid for m in analysis.measurements if m.value is not None} == {header.SeriesInstanceUID}


def plant(folder: Path) -> set[str]:
    """Put identifiers wherever a scanner or an archive does, name each file by its UID, and return the UIDs."""
    uids = set()
    for path in sorted(folder.rglob("*.dcm")):
        dataset = pydicom.dcmread(path)
        for keyword, value in PLANTED.items():
            setattr(dataset, keyword, value)
        dataset.save_as(path)
        uids |= {str(element.value) for element in dataset if element.VR == "UI" and element.keyword != "SOPClassUID"}
        path.rename(path.with_name(f"{dataset.SOPInstanceUID}.MUSTERMANN"))
    return uids


def contents(path: Path) -> bytes:
    """A file's bytes, unpacked: gzip, and pictures within a page."""
    data = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(data)
    pictures = re.findall(rb"data:image/[a-z+]+;base64,([A-Za-z0-9+/=]+)", data)
    return data + b"".join(base64.b64decode(picture) for picture in pictures)


def test_no_identifier_reaches_a_file_or_the_terminal(study, folder, tmp_path, monkeypatch):
    source = tmp_path / "MUSTERMANN_HANS" / "study"
    copied(folder, source / "WARD-9", "4")
    truncate(copied(folder, source / "MUSTERMANN-T1", "2"))
    markers = MARKERS | plant(source) | {str(tmp_path), tmp_path.parent.name}
    (source / "MUSTERMANN_befund.pdf").write_bytes(b"%PDF MUSTERMANN")
    (source / "1.2.826.0.4711.99").write_bytes(b"\x00" * 128 + b"DICM MUSTERMANN")
    monkeypatch.setattr("spinemri.networks.default_predictor", lambda *_, **__: study.predictor)
    out, key = tmp_path / "out", tmp_path / "key"
    outcome = run("analyze", source, "-o", out, "--token-key", key)
    assert outcome.code == 0, outcome.err
    assert {path.name for path in out.iterdir()} == {
        "report.json", "report.html", "report.txt", "measurements.csv", "segmentation.json", "segmentation_4.nii.gz",
        "lesions.csv", "lesions.json",
    } | {path.name for path in out.glob("lesions_*.nii.gz")}  # fmt: skip
    said = {path.name: contents(path) for path in out.iterdir()}
    said |= {"stdout": outcome.out.encode(), "stderr": outcome.err.encode()}
    assert "series 2: " in outcome.err
    leaks = [(name, marker) for name, data in said.items() for marker in markers if marker.encode() in data]
    assert leaks == []
    assert key.read_bytes() not in b"".join(said.values())


# files and grids


def comparable(case: Case) -> dict:
    return case.analysis.model_dump(mode="json", exclude={"provenance"})


def test_names_and_order_of_files_change_nothing(study, t2_folder, tmp_path):
    shuffled = np.random.default_rng(3).permutation(sorted(t2_folder.iterdir()))
    for n, path in enumerate(shuffled):
        target = tmp_path / f"{n % 2}" / f"{n:03d}"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(Path(path).read_bytes())
    one, two = (analyze(where, Networks(study.predictor), KEY) for where in (t2_folder, tmp_path))
    assert comparable(one) == comparable(two)
    assert np.array_equal(one.segmentations[0].voxels, two.segmentations[0].voxels)


def test_a_flat_folder_of_volumes_is_one_study(study, case, tmp_path):
    for image, name in zip(study.images[::2], ("17_t1.nii.gz", "17_t2.nii.gz"), strict=True):
        write_nifti(image.voxels, image.geometry, tmp_path / name)
    told = replace(KEY, clinical=Clinical(age_years=62))  # as the DICOM headers say
    volumes = analyze(tmp_path, Networks(study.predictor), told)
    assert not [warning for warning in volumes.analysis.warnings if "norms of adults" in warning]
    assert [s.contrast for s in volumes.analysis.used_series()] == [Contrast.T1W, Contrast.T2W]
    assert score(study.truth, volumes.analysis).levels_right == 7
    expected = {m.id: m.value for m in case.analysis.measurements if m.value is not None}
    found = {m.id: m.value for m in volumes.analysis.measurements if m.value is not None}
    assert found == pytest.approx(expected, rel=0.01, abs=0.2)
    out = write(volumes, tmp_path / "out")
    assert sorted(path.name for path in out.glob("*.nii.gz")) == ["segmentation_1.nii.gz", "segmentation_2.nii.gz"]


def read_ras(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Voxels (i, j, k) and affine (to RAS mm) of a NIfTI file, read by hand from what the format's standard says."""
    data = gzip.decompress(path.read_bytes())
    size = struct.unpack_from("<8h", data, 40)[1:4]
    assert struct.unpack_from("<h", data, 70) == (2,)  # uint8
    assert struct.unpack_from("<h", data, 254)[0] > 0  # sform_code
    affine = np.array(struct.unpack_from("<12f", data, 280)).reshape(3, 4)
    start = int(struct.unpack_from("<f", data, 108)[0])
    return np.frombuffer(data, np.uint8, offset=start).reshape(size, order="F"), affine


def test_left_stays_left_from_truth_to_file(study, t2_folder, tmp_path):
    """An arch that exists on the patient's left only is written on the left."""
    truth = study.predictor
    index = np.indices(truth.geometry.shape, dtype=np.float32).reshape(3, -1).T
    x = truth.geometry.to_patient(index)[:, 0].reshape(truth.geometry.shape)
    bodies = [centre[0] for centre in study.truth["body_centres_lps_mm"].values()]
    lame = np.where((truth.classes == POSTERIOR) & (x < np.mean(bodies) + 4), 0, truth.classes).astype(np.uint8)
    case = analyze(t2_folder, Networks(replace(truth, classes=lame)), KEY)
    out = write(case, tmp_path / "out")
    voxels, affine = read_ras(out / "segmentation_4.nii.gz")
    segmentation = case.segmentations[0]
    values = [v for v, s in segmentation.structures.items() if s.kind is StructureKind.POSTERIOR_ELEMENTS]
    written = np.argwhere(np.isin(voxels, values)) @ affine[:, :3].T + affine[:, 3]
    centre = written.mean(axis=0) * [-1, -1, 1]  # RAS to LPS
    expected = study.images[-1].geometry.to_patient(np.argwhere(lame[SHOWN] == POSTERIOR)).mean(axis=0)
    assert centre[:2] == pytest.approx(expected[:2], abs=1.0)
    assert centre[2] == pytest.approx(expected[2], abs=4)  # arches beyond the named bodies have no label
    assert centre[0] > np.mean(bodies) + 6


def test_the_lesion_of_the_images_lies_where_the_truth_says(study, folder):
    (lesion,) = study.truth["marrow_lesions"]
    middle = study.truth["body_centres_lps_mm"][lesion["level"]]
    mirrored = (2 * middle[0] - lesion["centre_lps_mm"][0], *lesion["centre_lps_mm"][1:])
    t1 = next(s for s in scan(folder).studies[0].series if s.contrast is Contrast.T1W)
    image = load(t1)
    here, there = (around(image, point) for point in (lesion["centre_lps_mm"], mirrored))
    assert here < 0.75 * there  # a lesion replaces fat: dark on T1
    assert (lesion["side"] == "left") == (lesion["centre_lps_mm"][0] > middle[0])


def around(image, point) -> float:
    k, j, i = np.rint(image.geometry.to_index(point)).astype(int)
    return float(image.voxels[k, j - 2 : j + 3, i - 2 : i + 3].mean())
