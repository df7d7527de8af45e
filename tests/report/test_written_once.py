"""What two formats hold is made once, and a deep tree is walked a few times, not once for each of its levels.

Calls are counted by the profiler: the work is watched, nothing of it is replaced.
"""

from __future__ import annotations

import cProfile
import pstats
from collections import Counter

import pydicom
import pytest

from spinemri.report.write import write
from tests.report import dicom_phantom as phantom

TOGETHER = ("pdf", "dicom-seg", "dicom-sr", "rtstruct", "dicom-pdf")


@pytest.fixture(scope="module")
def watched(lesion_case, tmp_path_factory):
    """Formats of the hand-made case that share masks and sheets, and how often each function was called over them."""
    folder = tmp_path_factory.mktemp("once")
    case = phantom.on_files(lesion_case, folder / "source")
    profile = cProfile.Profile()
    out = profile.runcall(write, case, folder / "out", formats=TOGETHER)
    calls: Counter[str] = Counter()
    for (_, _, name), (_, count, *_) in pstats.Stats(profile).stats.items():
        calls[name] += count
    return out, calls


def items(dataset):
    return 1 + sum(items(item) for element in dataset if element.VR == "SQ" for item in element.value)


def test_masks_and_sheets_that_two_formats_hold_are_made_once(watched):
    out, calls = watched
    segs = [*out.glob("segmentation_*.dcm"), *out.glob("lesions_*.dcm")]
    assert calls["write_seg_object"] == len(segs) > 1
    assert calls["to_pdf"] == 1
    assert (out / "report.pdf").read_bytes() in pydicom.dcmread(out / "report.dcm").EncapsulatedDocument


def test_the_content_of_a_structured_report_is_not_copied(watched):
    out, calls = watched
    report = pydicom.dcmread(out / "measurements.dcm")
    assert len(report.ContentSequence) > 5
    assert calls["__deepcopy__"] < items(report)


def test_an_item_is_looked_through_for_undecided_representations_once(watched):
    out, calls = watched
    written = sum(items(pydicom.dcmread(path)) for path in out.glob("*.dcm"))
    assert written <= calls["correct_ambiguous_vr"] < 1.5 * written
