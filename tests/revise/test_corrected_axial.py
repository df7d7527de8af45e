"""Masks of axial slices that a person corrected: what rests on them is measured anew, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom import dcmread

from spinemri.anatomy import StructureKind
from spinemri.convert import write_nifti
from spinemri.correction import BY_PERSON
from spinemri.errors import InputError
from spinemri.pipeline import Options, analyze
from spinemri.report.masks import named_masks
from spinemri.report.text import to_text
from spinemri.report.write import write
from spinemri.segmentation import label_value
from tests.axial_study import KEY
from tests.columns import rearranged

if TYPE_CHECKING:
    from pathlib import Path

SAC, CORD, BODY = StructureKind.THECAL_SAC, StructureKind.CORD, StructureKind.VERTEBRAL_BODY
AXIAL = ("axial_", "cord_compression_ratio")
"""Beginnings of the names of what is measured on axial slices."""
PRESSED = 3.0  # mm taken off the front of the sac


@pytest.fixture(scope="module")
def base(axial_folder, axial_networks):
    return analyze(axial_folder, axial_networks, Options(token_key=KEY))


@pytest.fixture(scope="module")
def drawn(base):
    """Name of the file of the first axial stack, and what the program drew in it."""
    name, _, mask = [*named_masks(base)][1]
    return name, mask


def pressed(mask) -> np.ndarray:
    """The mask whose sac and cord end 3 mm further back, in every slice."""
    voxels, kinds = np.array(mask.voxels), mask.mask_of_kind(SAC, CORD)
    index = np.argwhere(kinds)
    forward = mask.geometry.to_patient(index)[:, 1]
    slices = index[:, mask.geometry.axis_along(2)]
    front = np.array([forward[slices == n].min() for n in slices])
    voxels[tuple(index[forward < front + PRESSED].T)] = 0
    return voxels


def saved(voxels, mask, path: Path) -> Path:
    """As an editor saves it: other axes, no frame of reference."""
    turned, grid = rearranged(voxels, mask.geometry, (2, 0, 1), (True, False, True))
    write_nifti(turned, replace(grid, frame_of_reference_uid=None), path)
    return path


def again(axial_folder, axial_networks, *files: Path):
    return analyze(axial_folder, axial_networks, Options(token_key=KEY, corrected=files))


@pytest.fixture(scope="module")
def corrected(axial_folder, axial_networks, drawn, tmp_path_factory):
    name, mask = drawn
    return again(axial_folder, axial_networks, saved(pressed(mask), mask, tmp_path_factory.mktemp("pressed") / name))


def changed(before, after) -> set[str]:
    """Ids of measurements that are not equal to the last bit, or that one analysis has alone."""
    old, new = ({m.id: m.model_dump_json() for m in case.analysis.measurements} for case in (before, after))
    return {id_ for id_ in {*old, *new} if new.get(id_) != old.get(id_)}


def test_only_what_is_measured_on_axial_slices_changes(base, corrected):
    ids = changed(base, corrected)
    known = {m.id: m for m in base.analysis.measurements}
    assert {known[id_].name for id_ in ids} >= {"axial_sac_area", "axial_sac_ap", "axial_sac_area_compromise_pct"}
    assert all(known[id_].name.startswith(AXIAL) for id_ in ids)
    still = {m.id for m in base.analysis.measurements if m.value is not None and m.name.startswith(AXIAL)} - ids
    assert still, "stacks that nobody touched keep their values"
    for one, other in zip(base.segmentations, corrected.segmentations, strict=True):
        touched = BY_PERSON in other.made_by
        assert np.array_equal(one.voxels, other.voxels) is not touched


def test_findings_rest_on_what_the_person_drew(base, corrected):
    places = {id_.partition(".")[0] for id_ in changed(base, corrected)}
    for disc in {id_.partition(".")[0] for id_ in changed(base, corrected) if id_.endswith(".axial_sac_area")}:
        areas = [case.analysis.measurement(f"{disc}.axial_sac_area").value for case in (base, corrected)]
        assert areas[1] < 0.95 * areas[0]
    told = [{f.id: f.statement for f in case.analysis.findings} for case in (base, corrected)]
    differ = {id_ for id_ in {*told[0], *told[1]} if told[0].get(id_) != told[1].get(id_)}
    assert differ
    assert {id_.partition(".")[0] for id_ in differ} <= places


def test_the_record_and_the_report_say_what_a_person_changed(corrected, drawn):
    _, mask = drawn
    (record,) = corrected.analysis.corrections
    lost = int(np.count_nonzero(mask.voxels) - np.count_nonzero(pressed(mask)))
    assert lost > 0
    assert (record.added, record.removed, record.relabelled) == (0, lost, 0)
    assert {s.kind for s in record.structures} <= {SAC, CORD}
    text = " ".join(to_text(corrected.analysis).split())
    assert f"series {record.series}" in text
    assert "a mask that a person gave back is measured in place of the software" in text


def test_masks_given_back_as_they_were_change_nothing(base, axial_folder, axial_networks, drawn, tmp_path):
    name, mask = drawn
    case = again(axial_folder, axial_networks, saved(mask.voxels, mask, tmp_path / name))
    assert changed(base, case) == set()
    assert case.analysis.findings == base.analysis.findings
    assert [record.is_unchanged for record in case.analysis.corrections] == [True]


def test_masks_of_sagittal_and_axial_series_are_corrected_together(base, axial_folder, axial_networks, drawn, tmp_path):
    name, mask = drawn
    first, _, sagittal = next(iter(named_masks(base)))
    whole = np.array(sagittal.voxels)
    index = np.argwhere(sagittal.mask(next(sagittal.of_kind(BODY))))
    whole[tuple(index[:3].T)] = 0
    files = saved(pressed(mask), mask, tmp_path / name), saved(whole, sagittal, tmp_path / first)
    case = again(axial_folder, axial_networks, *files)
    assert [record.series for record in case.analysis.corrections] == [
        case.analysis.used_series()[0].label,
        case.analysis.used_series()[1].label,
    ]


def test_a_dicom_seg_of_axial_slices_comes_back_as_it_was(base, axial_folder, axial_networks, tmp_path):
    write(base, tmp_path / "out", formats=("dicom-seg",))
    series = base.analysis.used_series()[1]
    paths = [*(tmp_path / "out").glob("segmentation_*.dcm")]
    assert len(paths) == len(base.segmentations)
    (path,) = [p for p in paths if series.label in p.stem.split("_")]
    assert dcmread(path).Modality == "SEG"
    (record,) = again(axial_folder, axial_networks, path).analysis.corrections
    assert record.is_unchanged
    assert record.series == series.label


def test_what_cannot_be_a_mask_of_axial_slices_is_refused(base, axial_folder, axial_networks, drawn, tmp_path):
    name, mask = drawn
    voxels = np.array(mask.voxels)
    voxels[0, 0, :3] = 77
    with pytest.raises(InputError, match=r"for no structure: 77 \(3 voxels\)"):
        again(axial_folder, axial_networks, saved(voxels, mask, tmp_path / name))
    body = next(mask.of_kind(BODY))
    other = next(b for b in base.segmentations[0].of_kind(BODY) if b not in mask.structures.values())
    voxels = np.where(mask.mask(body), label_value(other), mask.voxels).astype(np.uint8)
    with pytest.raises(InputError, match=f"body of {body.level} bears the value of {other.level}.*sagittal series"):
        again(axial_folder, axial_networks, saved(voxels, mask, tmp_path / name))
    with pytest.raises(InputError, match="which no network reads in this analysis"):
        again(axial_folder, replace(axial_networks, axial=None), saved(pressed(mask), mask, tmp_path / name))


def test_a_sac_that_only_the_person_drew_is_measured(axial_folder, axial_networks, base, drawn, tmp_path):
    """The network saw no sac in the stack; the person's is measured, and no remark says that there is none."""
    name, mask = drawn
    blind = replace(axial_networks, axial=Blind(axial_networks.axial, mask.geometry))
    nothing = analyze(axial_folder, blind, Options(token_key=KEY))
    assert any("no thecal sac was found in it" in line for line in nothing.analysis.warnings)
    case = again(axial_folder, blind, saved(mask.voxels, mask, tmp_path / name))
    assert not any("no thecal sac was found in it" in line for line in case.analysis.warnings)
    axial = [m for m in base.analysis.measurements if m.name == "axial_sac_area"]
    assert [case.analysis.measurement(m.id).value for m in axial] == [m.value for m in axial]


class Blind:
    """A network of axial slices that sees no sac and no cord in one stack."""

    device = "cpu"

    def __init__(self, seeing, geometry) -> None:
        self.seeing, self.geometry, self.model = seeing, geometry, seeing.model

    def predict(self, image):
        found = self.seeing.predict(image)
        if not image.geometry.same_grid(self.geometry):
            return found
        hidden = [value for value, name in self.model.classes.items() if name in (SAC.value, CORD.value)]
        return replace(found, classes=np.where(np.isin(found.classes, hidden), 0, found.classes).astype(np.uint8))
