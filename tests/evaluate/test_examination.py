"""A whole examination: what was put in is in the pixels, and an analysis is judged by it."""

from __future__ import annotations

import numpy as np
import pytest

from spinemri.anatomy import Level
from spinemri.assess.cord import COMPRESSION
from spinemri.assess.foramen import KIND as FORAMEN
from spinemri.assess.fracture import KIND as HEIGHT_LOSS
from spinemri.assess.stenosis import KIND as NARROWING
from spinemri.evaluate.examination import Examination, _expansion, examination
from spinemri.evaluate.examination_claims import Said, claims
from spinemri.finding import Certainty, Finding
from spinemri.lesion import MarrowChange
from spinemri.series import Contrast, Plane
from spinemri.synthesis.tissue import BODY, SAC
from spinemri.synthesis.vertebra_grid import find_vertebrae
from tests.assess.studies import lesion, of_lesion
from tests.report import cases


@pytest.fixture(scope="module")
def case():
    return cases.case()


@pytest.fixture(scope="module")
def lumbar() -> Examination:
    return examination(3, ("lumbar",))


def signal(image, point, radius=3.0):
    """Mean around a point, LPS mm, in the nearest slice."""
    k, j, i = image.geometry.to_index(point)
    plane = image.voxels[round(k)]
    rows, columns = np.indices(plane.shape)
    near = np.hypot(rows - j, columns - i) * image.geometry.spacing[1] < radius
    return float(plane[near].mean())


def test_a_station_has_its_series(lumbar):
    kinds = [(image.series.plane, image.series.contrast) for image in lumbar.images]
    assert kinds[:2] == [(Plane.SAGITTAL, Contrast.T1W), (Plane.SAGITTAL, Contrast.STIR)]
    assert set(kinds[2:]) == {(Plane.AXIAL, Contrast.T2W)}
    assert len({image.geometry.frame_of_reference_uid for image in lumbar.images}) == 1


def test_two_stations_that_overlap_show_the_same_tumour():
    person = examination(7, ("thoracic", "lumbar"))
    assert person.broken == Level("L1")
    stirs = [image for image in person.images if image.series.contrast is Contrast.STIR]
    assert len(stirs) == 2
    for stir in stirs:
        tumour, marrow = (signal(stir, person.centres[Level(name)]) for name in ("L1", "T12"))
        assert Level("T12") not in person.involved
        assert tumour > 1.5 * marrow


def test_the_broken_body_is_dark_on_t1w_and_bright_on_stir(lumbar):
    t1, stir = lumbar.images[:2]
    broken = lumbar.centres[lumbar.broken]
    last = np.array(t1.geometry.shape) - 1
    others = [
        point
        for level, point in lumbar.centres.items()
        if level not in lumbar.involved and (abs(2 * t1.geometry.to_index(point) / last - 1) < 1).all()
    ]
    assert others
    assert signal(t1, broken) < 0.8 * np.median([signal(t1, point) for point in others])
    assert signal(stir, broken) > 1.5 * np.median([signal(stir, point) for point in others])


def test_the_tumour_reaches_into_the_canal_on_the_right():
    """Slices run to the left: the sleeve lies in those before the middle, behind the wall and no farther than 4 mm."""
    classes = np.zeros((13, 60, 40), dtype=np.uint8)
    classes[2:11, 30:55, 6:34], classes[4:9, 10:29, :] = BODY, SAC
    levels = np.where(classes == BODY, 5, 0).astype(np.uint8)
    vertebra = find_vertebrae(classes, levels, (3.0, 1.0, 1.0))[5]
    share = _expansion(vertebra, np.random.default_rng(1)).share
    sleeve = np.argwhere((share > 0.5) & (vertebra.classes == SAC))
    assert len(sleeve) > 20
    assert (vertebra.x[tuple(sleeve.T)] <= 2.0).all()
    assert vertebra.v[tuple(sleeve.T)].min() > -6.0
    assert share[vertebra.body & (vertebra.inside() > 2)].min() > 0.9


def test_the_same_seed_gives_the_same_truth(lumbar):
    assert lumbar.broken.region == "L"
    assert lumbar.broken in lumbar.involved
    assert 30 <= lumbar.loss_pct <= 50


L2, L3, L4 = (Level(name) for name in ("L2", "L3", "L4"))


@pytest.fixture
def truth(case) -> Examination:
    """Of the analysis of the report's tests, whose vertebrae lie where they were found."""
    centres = {v.level: np.array(v.centre) for v in case.analysis.spine.vertebrae}
    return Examination((), centres, (L2, L3, L4), L3, 40.0)


def finding(kind, certainty, *levels, end="x"):
    return Finding(
        id=f"{kind}_{end}", kind=kind, levels=levels, certainty=certainty, statement="s", evidence=("e",), rule="r",
        source="s",
    )  # fmt: skip


def judged(case, truth, *, findings=(), lesions=(), values=()):
    analysis = case.analysis.model_copy(
        update={"findings": tuple(findings), "lesions": tuple(lesions), "measurements": tuple(values)}
    )
    return claims(truth, analysis)


def test_silence_is_absence(case, truth):
    said = judged(case, truth)
    assert said.pop("levels named right") is Said.PRESENT
    assert said.pop("in the cervical spine") is Said.PRESENT  # there is no tumour to be told
    assert said.pop("in the thoracic spine") is Said.PRESENT
    assert set(said.values()) == {Said.ABSENT}


def test_a_complete_report_leaves_nothing_out(case, truth):
    lesions = [lesion(level, number) for number, level in enumerate(("L2", "L3", "L4"), start=1)]
    values = [m for number, level in enumerate(("L2", "L3", "L4"), start=1) for m in of_lesion(number, level)]
    values += of_lesion(2, "L3", pedicle_right=300.0, epidural_volume=120.0)
    findings = [
        finding(HEIGHT_LOSS, Certainty.PRESENT, L3), finding(HEIGHT_LOSS, Certainty.ABSENT, L2, end="y"),
        finding(NARROWING, Certainty.BORDERLINE, L3), finding(FORAMEN, Certainty.PRESENT, L3, L4, end="right"),
        finding(COMPRESSION, Certainty.ABSENT, L2),
    ]  # fmt: skip
    last = {m.id: m for m in values}
    assert set(judged(case, truth, findings=findings, lesions=lesions, values=last.values()).values()) == {Said.PRESENT}


@pytest.mark.parametrize(
    ("claim", "wrong"),
    [
        ("height loss of the broken lumbar body", finding(HEIGHT_LOSS, Certainty.ABSENT, L3)),
        ("no other height loss", finding(HEIGHT_LOSS, Certainty.PRESENT, L2)),
        ("the right foramen is narrowed there", finding(FORAMEN, Certainty.PRESENT, L3, L4, end="left")),
        ("no compression of the cord", finding(COMPRESSION, Certainty.PRESENT, L2)),
    ],
)
def test_the_opposite_is_a_contradiction(case, truth, claim, wrong):
    assert judged(case, truth, findings=[wrong])[claim] is Said.CONTRADICTED


def test_wrong_names_and_wrong_signals_are_contradictions(case, truth):
    names = list(truth.centres)
    shifted = dict(zip(names, [*list(truth.centres.values())[1:], np.array([0.0, 0.0, 999.0])], strict=True))
    moved = Examination((), shifted, truth.involved, L3, 40.0)
    assert judged(case, moved)["levels named right"] is Said.CONTRADICTED
    bright = of_lesion(1, "L3", t1_to_marrow=1.4)
    assert judged(case, truth, lesions=[lesion("L3")], values=bright)["T1w dark, STIR bright"] is Said.CONTRADICTED


def test_only_tumour_counts(case, truth):
    fat = [lesion(level, n, MarrowChange.FAT) for n, level in enumerate(("L2", "L3", "L4"), start=1)]
    assert judged(case, truth, lesions=fat)["numerous marrow lesions"] is Said.ABSENT
