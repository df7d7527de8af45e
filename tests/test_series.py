"""Header facts: short labels for messages, and nothing that names the patient or the machine in what is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from spinemri.series import Contrast, Inventory, Plane, Series, SeriesFile, Skipped, Study


@pytest.mark.parametrize(
    ("number", "stack", "label"), [(3, 0, "3"), (3, 1, "3-1"), (None, 0, "0"), (None, 2, "0-2"), (1201, 0, "1201")]
)
def test_a_label_is_number_and_stack(number, stack, label):
    assert Series(series_uid="1.2", number=number, stack=stack, description="T1 TSE SAG").label == label


def test_facts_do_not_change():
    series = Series(series_uid="1.2")
    with pytest.raises(ValidationError, match="frozen"):
        series.contrast = Contrast.STIR


def test_paths_times_and_dates_are_not_written():
    files = (SeriesFile(path=Path("private/MEIER_ANNA/IM0001")),)
    series = Series(series_uid="1.2", files=files, acquisition_time="101500.25", plane=Plane.SAGITTAL)
    study = Study(study_uid="1.1", study_date="20260131", series=(series,))
    inventory = Inventory(root=Path("private"), studies=(study,), skipped=(Skipped(path="a/b", reason="no image"),))
    for text in (inventory.model_dump_json(), series.model_dump_json()):
        for secret in ("private", "MEIER", "IM0001", "101500", "20260131"):
            assert secret not in text
    assert "a/b" in inventory.model_dump_json()


def test_a_series_survives_json():
    series = Series(
        series_uid="1.2",
        number=4,
        contrast=Contrast.STIR,
        plane=Plane.SAGITTAL,
        shape=(15, 448, 320),
        spacing=(4.4, 0.68, 0.72),
        repetition_time_ms=3500.0,
        refusal="2 of 15 slices are missing",
    )
    assert Series.model_validate_json(series.model_dump_json()) == series


@pytest.mark.parametrize("contrast", ["T1w", "T2w", "STIR", "PDw"])
def test_contrasts_are_written_as_bids_suffixes(contrast):
    assert Series(series_uid="1.2", contrast=contrast).contrast.value == contrast
