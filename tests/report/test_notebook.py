"""In a notebook a case shows flags, impression and levels, escaped; its view holds images and masks on their grids."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest

from spinemri.errors import InputError, OutputError
from spinemri.finding import Urgency
from spinemri.read import read_volume
from spinemri.report.narrative import narrate
from spinemri.report.phrases import phrases
from spinemri.spine import Spine
from tests.report import cases


def test_the_short_report_has_flags_impression_and_a_row_per_level(lesion_case):
    shown = lesion_case._repr_html_()
    assert shown == lesion_case.analysis._repr_html_()
    for sentence in (
        *narrate(lesion_case.analysis).urgent.sentences,
        *narrate(lesion_case.analysis).impression.sentences,
    ):
        assert sentence.text.replace("'", "&#x27;") in shown
    assert shown.count("<tr>") == 1 + len(lesion_case.analysis.spine.vertebrae)
    assert phrases.RESEARCH_USE in shown
    assert not re.search(r"<script|https?:|<style", shown)


def test_urgent_findings_are_set_off(case):
    finding = case.analysis.findings[0].model_copy(update={"urgency": Urgency.CATEGORY_1, "certainty": "present"})
    calm, urgent = case.analysis, case.analysis.model_copy(update={"findings": (finding,)})
    assert "border-left" not in calm._repr_html_()
    assert re.search(r'<p style="border-left[^"]*">Category 1', urgent._repr_html_())


def test_whatever_comes_from_outside_is_escaped(case):
    reason = f"why {cases.XSS}"
    gaps = tuple(m.model_copy(update={"reason": reason}) if m.value is None else m for m in case.analysis.measurements)
    shown = case.analysis.model_copy(update={"measurements": gaps})._repr_html_()
    assert "why &lt;script&gt;" in shown
    assert "<script" not in shown
    assert "<img" not in shown


def test_nothing_seen_is_said(case):
    empty = case.analysis.model_copy(update={"spine": Spine(), "measurements": (), "findings": ()})
    assert phrases.NOTHING_MEASURED in empty._repr_html_()


def volume(made, tmp_path):
    """The image that a volume of the view holds."""
    path = tmp_path / made.name
    path.write_bytes(made.data)
    return read_volume(path)


def test_the_view_holds_the_image_its_anatomy_and_its_lesions_on_their_own_grids(lesion_case, tmp_path):
    image, anatomy, lesions = lesion_case.view("4").volumes
    assert [made.name for made in (image, anatomy, lesions)] == [
        "4_STIR.nii.gz", "4_STIR_anatomy.nii.gz", "4_STIR_lesions.nii.gz",
    ]  # fmt: skip
    mask = next(m for m in lesion_case.lesion_masks if m.series_uid == "tok-stir")
    for made, truth in ((image, lesion_case.images[1]), (anatomy, lesion_case.segmentations[1]), (lesions, mask)):
        shown = volume(made, tmp_path)
        index = np.argwhere(truth.voxels == truth.voxels.max())[:50]
        there = np.rint(shown.geometry.to_index(truth.geometry.to_patient(index))).astype(int)
        assert np.allclose(shown.voxels[tuple(there.T)], truth.voxels.max(), rtol=1e-5)


def test_every_structure_has_its_colour_and_name_and_the_background_is_clear(lesion_case):
    _, anatomy, lesions = lesion_case.view("4").volumes
    table, known = anatomy.colormap_label, lesion_case.segmentations[1].structures
    assert len(table.lut) == 4 * (max(known) + 1) == 4 * len(table.labels)
    assert [value for value in range(max(known) + 1) if table.lut[4 * value + 3]] == sorted(known)
    assert {table.labels[value] for value in known} == {str(structure) for structure in known.values()}
    assert lesions.colormap_label.labels[2] == "lesion-2, L4 midline"


def test_the_first_series_is_shown_unless_one_is_named_and_an_unknown_one_is_refused(case):
    assert [made.name for made in case.view().volumes] == ["3_T1w.nii.gz", "3_T1w_anatomy.nii.gz"]
    with pytest.raises(InputError, match=r"series '9': not used here; expected one of 3, 4"):
        case.view("9")


def test_without_ipyniivue_the_extra_is_named(case, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipyniivue", None)
    with pytest.raises(OutputError, match=r"needs ipyniivue.*'spinemri\[notebook\]'"):
        case.view()
