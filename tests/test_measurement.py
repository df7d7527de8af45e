"""A value or a reason, never both and never neither; findings and the whole document survive JSON."""

from __future__ import annotations

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from spinemri.analysis import Analysis, Provenance, SeriesRecord, token
from spinemri.anatomy import Level, StructureKind
from spinemri.finding import Certainty, Finding, Urgency
from spinemri.measurement import Measurement, Status, minimal_detectable_change
from spinemri.norms import threshold
from spinemri.series import Contrast, Series
from spinemri.spine import LevelAssignment, LevelBasis, Spine, Vertebra, VertebraAlignment
from tests.strategies import true_levels

NOT_MEASURED = [status for status in Status if status is not Status.MEASURED]


def height(**changes) -> Measurement:
    facts = {"id": "L1.height_mm", "name": "height", "kind": StructureKind.VERTEBRAL_BODY, "unit": "mm"}
    return Measurement(**{**facts, "level": Level("L1"), **changes})


def test_a_measured_value_needs_no_reason():
    assert height(value=0.0).status is Status.MEASURED


@pytest.mark.parametrize("status", NOT_MEASURED)
def test_a_missing_value_needs_a_reason(status):
    assert height(status=status, reason="cut by the field of view").value is None
    with pytest.raises(ValidationError, match="needs a reason"):
        height(status=status)


def test_a_measured_status_needs_a_value():
    with pytest.raises(ValidationError, match="status measured with value None"):
        height(reason="forgotten")


@pytest.mark.parametrize("status", NOT_MEASURED)
def test_a_value_that_was_not_measured_is_refused(status):
    with pytest.raises(ValidationError, match=f"status {status.value} with value"):
        height(value=24.5, status=status, reason="cut by the field of view")


def test_a_place_is_a_vertebra_or_a_disc():
    assert height(value=24.5).place == "L1"
    assert height(value=9.5, level=Level("L4"), lower=Level("L5")).place == "L4-L5"
    assert height(value=9.5, level=None).place == ""


@given(true_levels(), st.floats(-1e6, 1e6), st.tuples(*[st.floats(-500, 500)] * 3))
def test_a_measurement_survives_json(level, value, point):
    measured = height(level=level, value=value, points=(point, point), reference_levels=(level,), interval=(-1.5, 2.5))
    assert Measurement.model_validate_json(measured.model_dump_json()) == measured


def analysis() -> Analysis:
    t1, t2, scout = (
        Series(series_uid=f"1.2.{n}", number=n, contrast=contrast)
        for n, contrast in ((3, Contrast.T1W), (5, Contrast.T2W), (1, Contrast.OTHER))
    )
    vertebrae = tuple(
        Vertebra(
            assignment=LevelAssignment(level=Level(name), basis=LevelBasis.FROM_SACRUM, confidence=0.9),
            centre=(1.5, -20.0, z),
            series_uid=t1.series_uid,
        )
        for name, z in (("T13", 60.0), ("L1", 25.5), ("L2", -10.0))
    )
    return Analysis(
        patient=token("A123", b"key"),
        study=token("1.2", b"key"),
        series=(
            SeriesRecord(series=t1, used=True),
            SeriesRecord(series=scout, used=False, reason="a localiser"),
            SeriesRecord(series=t2, used=True),
        ),
        spine=Spine(vertebrae=vertebrae),
        alignments=(
            VertebraAlignment(
                level=Level("L1"),
                fixed_series_uid="1.2.3",
                moving_series_uid="1.2.5",
                residual_mm=2.4,
                status="unpaired",
            ),
        ),
        measurements=(height(value=24.5), height(id="L2.height_mm", level=Level("L2"), value=27.0)),
        findings=(
            Finding(
                id="L1.fracture",
                kind="vertebral_height_loss",
                levels=(Level("L1"),),
                certainty=Certainty.PRESENT,
                evidence=("L1.height_mm",),
                urgency=Urgency.CATEGORY_3,
            ),
        ),
        provenance=Provenance(software="spinemri", version="0", created="2026-01-31"),
    )


def test_the_document_survives_json_and_follows_its_schema():
    document = analysis()
    text = document.model_dump_json()
    assert Analysis.model_validate_json(text) == document
    jsonschema.validate(json.loads(text), Analysis.model_json_schema(mode="serialization"))


def test_the_document_is_read_by_id_and_order():
    document = analysis()
    assert document.measurement("L2.height_mm").value == 27.0
    assert document.measurement("L3.height_mm") is None
    assert [series.number for series in document.used_series()] == [3, 5]


def test_the_spine_lists_variants_in_place():
    spine = analysis().spine
    assert [str(level) for level in spine.levels] == ["T13", "L1", "L2"]
    assert spine.vertebra(Level("L1")).centre == (1.5, -20.0, 25.5)
    assert spine.vertebra(Level("L5")) is None


@pytest.mark.parametrize("confidence", [-0.1, 1.1])
def test_confidence_is_a_share(confidence):
    with pytest.raises(ValidationError):
        LevelAssignment(level=Level("L1"), basis=LevelBasis.ASSUMED, confidence=confidence)


@given(st.text(min_size=1), st.text(min_size=1), st.binary(min_size=16, max_size=16))
def test_a_token_tells_people_apart_and_hides_who_they_are(one, other, key):
    assert token(one, key) == token(one, key)
    assert len(token(one, key)) == 16
    assert (token(one, key) == token(other, key)) == (one == other)
    assert token(one, key) != token(one, key + b"another patient list")


@pytest.mark.parametrize(
    ("name", "half", "change"),
    [("disc_height", 1.96, 1.96 * 2**0.5), ("height_loss_pct", 4.0, 12.0), ("height_loss_pct", 10.0, 10 * 2**0.5)],
)
def test_the_detectable_change_is_that_of_two_measurements_and_not_below_that_of_two_readers(name, half, change):
    known = height(name=name, value=20.0, interval=(20.0 - half, 20.0 + half))
    assert minimal_detectable_change(known) == pytest.approx(change)


@pytest.mark.parametrize(
    ("name", "unit", "values", "spread"),
    [
        ("retropulsion_mm", "mm", (1.0, 2.0), lambda sd, _: sd),
        ("dural_sac_area_compromise_pct", "%", (10.0, 30.0), lambda sd, _: sd),
        ("lesion_diameter", "mm", (10.0, 20.0), lambda sd, _: sd),
        ("lesion_volume", "mm3", (1000.0, 3000.0), lambda sd, value: sd * value / 100),
    ],
)
def test_how_masks_of_one_person_repeat_is_added_in_squares_at_both_dates(name, unit, values, spread):
    """A volume repeats by a share of itself, a loss by points, a length by millimetres."""
    sd = threshold(f"repeatability.{name}")
    known, later = (height(name=name, unit=unit, value=v, interval=(v - 0.5, v + 0.5)) for v in values)
    wanted = sum((0.5**2 + (1.96 * spread(sd, v)) ** 2) for v in values) ** 0.5
    assert minimal_detectable_change(known, later) == pytest.approx(wanted)
    assert wanted > 2 * 0.5 * 2**0.5


def test_no_detectable_change_without_a_value_or_an_interval():
    assert minimal_detectable_change(height(value=20.0)) is None
    assert minimal_detectable_change(height(status=Status.EXCLUDED, reason="near a seam")) is None
