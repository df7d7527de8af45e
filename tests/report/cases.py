"""A case made by hand for the writers: T11 to S1 drawn along a lordotic curve on oblique, anisotropic grids.

L1 is wedged by 35 % in front, the sac is narrow at L2-L3, T11 is cut by the field of view, L4's posterior height was
not assessable; a coronal series is refused; T1 and STIR differ by up to 2.8 mm at the upper levels. Two series lie on
grids whose array axes differ in order and direction. ``with_lesions`` adds a tumour-like lesion on the left of L2 and
fat in L4, each outlined on another series.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise, product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spinemri.analysis import Analysis, ModelUsed, Provenance, SeriesRecord
from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.case import Case
from spinemri.finding import Certainty, Finding, Urgency
from spinemri.geometry import Geometry
from spinemri.image import Image
from spinemri.lesion import Lesion, MarrowChange, MarrowScreen
from spinemri.measure.catalogue import LESION_MEASURES, MARROW_MEASURES
from spinemri.measurement import Measurement, Status
from spinemri.report import tables
from spinemri.segmentation import Segmentation, label_value
from spinemri.series import Contrast, Plane, Series, SeriesFile, Skipped
from spinemri.spine import LevelAssignment, LevelBasis, Spine, Vertebra, VertebraAlignment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

XSS = "<script>alert('x')</script><img src=x onerror=alert(1)>"
LEVELS = tuple(Level(name) for name in ("T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1"))
BODY_KIND, SAC_KIND = StructureKind.VERTEBRAL_BODY, StructureKind.THECAL_SAC
_PITCH, _HEIGHT, _DEPTH, _HALF_WIDTH = 34.0, 26.0, 34.0, 22.0
_CENTRE = np.array([12.0, -31.0, 640.0])


@dataclass(frozen=True)
class Place:
    """A body in the patient: centre, unit vectors to posterior and superior, and its three heights in mm."""

    centre: NDArray[np.float64]
    posterior: NDArray[np.float64]
    superior: NDArray[np.float64]
    heights: tuple[float, float, float]

    def point(self, posterior_mm: float, superior_mm: float) -> tuple[float, float, float]:
        x, y, z = (self.centre + posterior_mm * self.posterior + superior_mm * self.superior).tolist()
        return x, y, z


def places() -> dict[Level, Place]:
    found = {}
    for n, level in enumerate(LEVELS):
        along = (n - 3.5) * _PITCH
        tilt = np.deg2rad(-14 + 7.5 * n)
        centre = _CENTRE + np.array([0.0, 26 * np.cos(along / 110) - 26, -along])
        posterior, superior = np.array([0, np.cos(tilt), -np.sin(tilt)]), np.array([0, np.sin(tilt), np.cos(tilt)])
        anterior = 0.65 * _HEIGHT if level == Level("L1") else _HEIGHT
        found[level] = Place(centre, posterior, superior, (anterior, (anterior + _HEIGHT) / 2, _HEIGHT))
    return found


def grid(order: tuple[int, int, int], signs: tuple[int, int, int], shape: tuple[int, int, int]) -> Geometry:
    """Sagittal-like grid tilted by a few degrees, whose array axes run along patient axes ``order`` with ``signs``."""
    a, b = np.deg2rad(6.0), np.deg2rad(-4.0)
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    axes = (about_z @ about_x)[:, order] * np.array(signs)
    spacing = tuple({0: 4.4, 1: 1.1, 2: 1.3}[world] for world in order)
    middle = (np.array(shape) - 1) / 2 * np.array(spacing)
    origin = _CENTRE - axes @ middle
    return Geometry(shape, spacing, tuple(origin.tolist()), tuple(axes.ravel().tolist()), "1.2.840.99.77")


def draw(geometry: Geometry) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Labels and a T2-like signal of the spine on a grid."""
    index = np.stack(np.meshgrid(*[np.arange(n) for n in geometry.shape], indexing="ij"), axis=-1)
    points = geometry.to_patient(index)
    labels = np.zeros(geometry.shape, dtype=np.uint8)
    spine = places()
    sac = _along_spine(points, spine)
    labels[sac < 1] = label_value(Structure(SAC_KIND))
    labels[(sac < 0.2) & (points[..., 2] > spine[Level("L1")].centre[2])] = label_value(Structure(StructureKind.CORD))
    for level, lower in zip(LEVELS, (*LEVELS[1:], None), strict=True):
        inside, disc = _body(points, spine[level])
        if lower:
            labels[disc] = label_value(Structure(StructureKind.DISC, level, lower))
        labels[inside] = label_value(Structure(BODY_KIND, level))
    noise = np.random.default_rng(7).normal(0, 12, geometry.shape)
    signal = np.select([labels == 0, labels == 120, labels == 121, labels > 80], [230.0, 900.0, 420.0, 560.0], 380.0)
    outside = np.abs(points[..., 1] - _CENTRE[1]) > 78
    return labels, np.where(outside, 4.0, signal + noise).astype(np.float32)


def case(description: str = "T1 TSE sag", patient_path: Path = Path("/data/x.dcm")) -> Case:
    """The whole case; ``description`` stands in a header, ``patient_path`` is where a file came from."""
    t1, stir = _series(description, patient_path)
    grids = {
        t1.series_uid: grid((0, 2, 1), (1, -1, 1), (13, 230, 170)),
        stir.series_uid: grid((2, 1, 0), (1, -1, -1), (236, 176, 11)),
    }
    images, masks = [], []
    for series in (t1, stir):
        geometry = grids[series.series_uid]
        labels, signal = draw(geometry)
        present = {int(v) for v in np.unique(labels)} - {0}
        structures = {label_value(s): s for s in _structures() if label_value(s) in present}
        images.append(Image(signal, geometry, series))
        masks.append(Segmentation(labels, geometry, structures, series.series_uid, "spine_anatomy 0.1"))
    return Case(_analysis(t1, stir), tuple(images), tuple(masks))


def _along_spine(points: NDArray[np.float64], spine: dict[Level, Place]) -> NDArray[np.float64]:
    """Distance from the sac's axis in units of its radius, narrower at L2-L3."""
    heights = np.array([p.centre[2] for p in spine.values()])[::-1]
    back = np.array([(p.centre + (_DEPTH / 2 + 9) * p.posterior)[1] for p in spine.values()])[::-1]
    narrow = (spine[Level("L2")].centre[2] + spine[Level("L3")].centre[2]) / 2
    radius = 7.0 - 3.8 * np.exp(-(((points[..., 2] - narrow) / 7) ** 2))
    middle = np.interp(points[..., 2], heights, back) + (7.0 - radius) * 0.6
    return np.hypot((points[..., 1] - middle) / radius, (points[..., 0] - _CENTRE[0]) / 10)


def _body(points: NDArray[np.float64], place: Place) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    offset = points - place.centre
    ap, si, lr = offset @ place.posterior, offset @ place.superior, offset[..., 0]
    height = np.interp(ap, [-_DEPTH / 2, _DEPTH / 2], [place.heights[0], place.heights[2]])
    around = (np.abs(ap) < _DEPTH / 2) & (np.abs(lr) < _HALF_WIDTH)
    waist = 1 - 0.04 * np.cos(np.pi * si / _HEIGHT)
    bottom = place.heights[2] / 2 - height  # the wedge is a broken upper endplate
    bottom = -_HEIGHT / 2 + 0 * bottom
    inside = (np.abs(ap) < waist * _DEPTH / 2) & around & (si > bottom) & (si < bottom + height)
    disc = around & (si < bottom - 0.5) & (si > bottom - 7.5)
    return inside, disc


def _structures() -> list[Structure]:
    bodies = [Structure(BODY_KIND, level) for level in LEVELS]
    discs = [Structure(StructureKind.DISC, a, b) for a, b in pairwise(LEVELS)]
    return [*bodies, *discs, Structure(SAC_KIND), Structure(StructureKind.CORD)]


def _series(description: str, path: Path) -> tuple[Series, Series]:
    common = {
        "study_uid": "tok-study", "plane": Plane.SAGITTAL, "region": "lumbar", "field_strength_t": 1.5,
        "files": (SeriesFile(path=path),), "acquisition_time": "101112.131415",
    }  # fmt: skip
    t1 = Series(
        series_uid="tok-t1", number=3, description=description, contrast=Contrast.T1W, shape=(13, 230, 170),
        spacing=(4.4, 1.3, 1.1), repetition_time_ms=520, echo_time_ms=9.4, contrast_reason="TR 520 ms, TE 9.4 ms",
        **common,
    )  # fmt: skip
    stir = Series(
        series_uid="tok-stir", number=4, description="STIR sag", contrast=Contrast.STIR, shape=(11, 236, 176),
        spacing=(4.4, 1.3, 1.1), repetition_time_ms=4200, echo_time_ms=62, inversion_time_ms=160,
        contrast_reason="TI 160 ms", **common,
    )  # fmt: skip
    return t1, stir


def _heights(level: Level, place: Place) -> list[Measurement]:
    made = []
    half = _HEIGHT / 2
    for name, value, ap in zip(tables.HEIGHTS, place.heights, (-15.0, 0.0, 15.0), strict=True):
        ends = (place.point(ap, value - half), place.point(ap, -half))
        common = {"id": f"{level}.{name}", "name": name, "kind": BODY_KIND, "level": level, "unit": "mm"}
        if level == Level("T11"):
            why = "the field of view cuts the body of T11"
            made.append(Measurement(**common, status=Status.OUT_OF_FIELD, reason=why))
        elif (level, name) == (Level("L4"), tables.HEIGHTS[2]):
            why = "the posterior wall of L4 cannot be followed"
            made.append(Measurement(**common, status=Status.NOT_ASSESSABLE, reason=why))
        else:
            interval = (round(value - 0.8, 2), round(value + 0.8, 2))
            made.append(Measurement(**common, value=value, points=ends, interval=interval, series_uid="tok-t1"))
    return made


def _losses(level: Level) -> list[Measurement]:
    named = (*tables.COLUMN_LOSSES, tables.HEIGHT_LOSS)
    common = {"kind": BODY_KIND, "level": level, "unit": "%"}
    gaps = {"T11": (Status.OUT_OF_FIELD, "the field of view cuts the body of T11"),
            "L4": (Status.NOT_ASSESSABLE, "the posterior wall of L4 cannot be followed")}  # fmt: skip
    if str(level) in gaps:
        status, reason = gaps[str(level)]
        return [Measurement(id=f"{level}.{name}", name=name, status=status, reason=reason, **common) for name in named]
    value = {"T12": 4.2, "L1": 35.0, "L2": 2.1, "L3": -1.0, "L5": 6.3}[str(level)]
    near = {"T12": ("L2",), "L1": ("T12", "L2"), "L2": ("L3",), "L3": ("L2", "L5"), "L5": ("L3",)}[str(level)]
    common |= {"reference_levels": tuple(Level(name) for name in near), "series_uid": "tok-t1"}
    columns = zip(named, (value, value / 2, 0.0, value), strict=True)
    return [
        Measurement(id=f"{level}.{name}", name=name, value=v, interval=(v - 5.5, v + 5.5), **common)
        for name, v in columns
    ]


def _sac(level: Level, lower: Level | None, value: float, compromise: float | None) -> list[Measurement]:
    place = f"{level}-{lower}" if lower else str(level)
    spine = places()
    centre = spine[level]
    middle = (centre.centre + (spine[lower].centre if lower else centre.centre)) / 2
    front = middle + (_DEPTH / 2 + 9 - value / 2) * centre.posterior
    ends = tuple(tuple((front + step * centre.posterior).tolist()) for step in (0.0, value))
    common = {"kind": SAC_KIND, "level": level, "lower": lower, "series_uid": "tok-stir"}
    id_ = f"{place}.{tables.SAC_AP}"
    made = [Measurement(id=id_, name=tables.SAC_AP, value=value, unit="mm", points=ends, **common)]
    if compromise is not None:
        names = ("L1", "L2", "L3", "L4") if lower else ("L1", "L3")
        near = tuple(Level(name) for name in names)
        id_ = f"{place}.{tables.SAC_COMPROMISE}"
        made.append(
            Measurement(id=id_, name=tables.SAC_COMPROMISE, value=compromise, unit="%", reference_levels=near, **common)
        )
    return made


def _measurements() -> tuple[Measurement, ...]:
    made: list[Measurement] = []
    spine = places()
    for level, lower in pairwise(LEVELS):
        made += [*_heights(level, spine[level]), *_losses(level)]
        narrow = level == Level("L2")
        made += _sac(level, None, 14.0 - 0.3 * level.number, 3.0)
        made += _sac(level, lower, 6.4 if narrow else 13.0 + 0.2 * level.number, 54.0 if narrow else 4.0)
    return tuple(made)


def _analysis(t1: Series, stir: Series) -> Analysis:
    refused = Series(series_uid="tok-cor", number=5, description="localizer", plane=Plane.CORONAL, shape=(3, 256, 256))
    vertebrae = tuple(
        Vertebra(
            assignment=LevelAssignment(level=level, basis=LevelBasis.FROM_SACRUM, confidence=0.97 - 0.02 * n),
            centre=tuple(places()[level].centre.tolist()), series_uid="tok-t1", seen_in=("tok-t1", "tok-stir"),
            cut=level == Level("T11"),
        )
        for n, level in enumerate(reversed(LEVELS))
    )[::-1]  # fmt: skip
    return Analysis(
        patient="a41c09d2e77b6f10", study="6c1fd0a9b2e84431", patient_age_years=67, patient_sex="F",
        series=(
            SeriesRecord(series=t1, used=True),
            SeriesRecord(series=stir, used=True),
            SeriesRecord(series=refused, used=False, reason="3 slices, 30 mm apart: a localizer; expected at least 5"),
        ),
        skipped=(
            Skipped(path="export/notes.pdf", reason="no DICOM file"),
            Skipped(path="export/readme.txt", reason="no DICOM file"),
            Skipped(path="export/IM_0077", reason="pixel data truncated"),
        ),
        spine=Spine(vertebrae=vertebrae, sac_series_uid="tok-stir"),
        alignments=_alignments(),
        measurements=_measurements(),
        findings=_findings(_measurements()),
        warnings=("Series 4: slices are 4.4 mm apart; small lateral structures may be missed.",),
        provenance=Provenance(
            software="spinemri", version="0.1.0",
            models=(ModelUsed(role="anatomy", name="spine_anatomy", version="0.1.0", sha256="3f" * 32),),
            created="2026-11-22T15:30:00+00:00", seconds={"segment": 11.2, "measure": 0.9},
            libraries={"torch": "2.13.0", "monai": "1.5.1"}, parameters={"spacing_mm": 1.0},
        ),
    )  # fmt: skip


def _alignments() -> tuple[VertebraAlignment, ...]:
    shifts = (2.8, 2.6, 2.3, 0.9, 0.6, 0.4, 0.5, None)
    made = []
    for level, shift in zip(LEVELS, shifts, strict=True):
        status = "unpaired" if shift is None else "registered" if shift > 2 else "aligned"
        made.append(
            VertebraAlignment(
                level=level, fixed_series_uid="tok-t1", moving_series_uid="tok-stir", residual_mm=shift,
                rotation_deg=None if shift is None else round(shift / 4, 2), status=status,
                reason="too little of the body is seen in both" if shift is None else "",
            )
        )  # fmt: skip
    return tuple(made)


def _findings(measurements: tuple[Measurement, ...]) -> tuple[Finding, ...]:
    """One finding per height loss and per narrowing, the normal and the missing ones included, in no useful order."""
    made = []
    for m in reversed(measurements):
        if m.name not in (tables.HEIGHT_LOSS, tables.SAC_COMPROMISE):
            continue
        loss = m.name == tables.HEIGHT_LOSS
        certainty = Certainty.PRESENT if (m.value or 0) > 24.5 else Certainty.ABSENT
        certainty = Certainty.NOT_ASSESSABLE if m.value is None else certainty
        made.append(
            Finding(
                id=f"{m.place}.{'vertebral_height_loss' if loss else 'thecal_sac_narrowing'}",
                kind="vertebral_height_loss" if loss else "thecal_sac_narrowing",
                levels=tuple(v for v in (m.level, m.lower) if v),
                at_disc=m.lower is not None,
                grade=("2" if loss else "moderate") if certainty is Certainty.PRESENT else "",
                cause="wedge" if loss and certainty is Certainty.PRESENT else "",
                certainty=certainty,
                evidence=(m.id,) if loss else (m.id, f"{m.place}.{tables.SAC_AP}"),
            )
        )
    return tuple(made)


@dataclass(frozen=True)
class Spot:
    """A lesion by construction: an ellipsoid in a body, its centre and half axes (left, posterior, superior), mm."""

    id: str
    label: int
    level: Level
    series_uid: str
    centre: tuple[float, float, float]
    half: tuple[float, float, float]
    signal: dict[str, float]

    def inside(self, geometry: Geometry) -> NDArray[np.bool_]:
        index = np.stack(np.meshgrid(*[np.arange(n) for n in geometry.shape], indexing="ij"), axis=-1)
        place = places()[self.level]
        offset = geometry.to_patient(index) - np.asarray(self.centre)
        along = (offset[..., 0], offset @ place.posterior, offset @ place.superior)
        return sum((a / h) ** 2 for a, h in zip(along, self.half, strict=True)) < 1


def spots() -> tuple[Spot, Spot]:
    """A tumour-like lesion on the left of L2, and fat in the middle of L4, outlined on different series."""
    left, posterior, superior = places()[Level("L2")].point(6.0, 1.0)
    tumour = (left + 13.0, posterior, superior)
    dark, bright = {"tok-t1": 170.0, "tok-stir": 800.0}, {"tok-t1": 700.0, "tok-stir": 120.0}
    return (
        Spot("lesion-1", 1, Level("L2"), "tok-t1", tumour, (9.0, 11.0, 9.0), dark),
        Spot("lesion-2", 2, Level("L4"), "tok-stir", places()[Level("L4")].point(-4.0, 2.0), (7.0, 6.0, 6.5), bright),
    )


def with_lesions(plain: Case) -> Case:
    """The case with two lesions of the marrow, their outlines, measurements and findings."""
    images, masks = [], []
    for image, anatomy in zip(plain.images, plain.segmentations, strict=True):
        voxels = image.voxels.copy()
        for spot in spots():
            voxels[spot.inside(image.geometry)] = spot.signal[anatomy.series_uid]
        images.append(replace(image, voxels=voxels))
        for spot in spots():
            if spot.series_uid == anatomy.series_uid:
                voxels = spot.inside(image.geometry).astype(np.uint16) * np.uint16(spot.label)
                known = {spot.label: Structure(StructureKind.LESION, spot.level)}
                masks.append(Segmentation(voxels, image.geometry, known, spot.series_uid, "marrow_lesion 0.1"))
    found = plain.analysis
    lesions = ModelUsed(role="lesions", name="marrow_lesion", version="0.1.0", sha256="7b" * 32)
    provenance = {"models": (*found.provenance.models, lesions)}
    changes = {
        "marrow": _screen(),
        "lesions": _lesions(),
        "measurements": (*found.measurements, *_marrow_measurements(), *_lesion_measurements()),
        "findings": (*_marrow_findings(), *found.findings),
        "provenance": found.provenance.model_copy(update=provenance),
    }
    return Case(found.model_copy(update=changes), tuple(images), plain.segmentations, tuple(masks))


def _screen() -> MarrowScreen:
    return MarrowScreen(
        assessed=LEVELS[1:],
        not_assessed=((Level("T11"), "the field of view cuts its body"),),
        contrasts=("T1w", "STIR"),
        detection_limit_mm=8.0,
        operating_point=0.4,
        model="marrow_lesion 0.1",
        warnings=("no contrast agent: enhancement is not known",),
    )


def _lesions() -> tuple[Lesion, ...]:
    tumour, fat = spots()
    common = {"seen_in": ("T1w", "STIR")}
    kinds = MarrowChange
    return (
        Lesion(
            id=tumour.id, label=tumour.label, series_uid=tumour.series_uid, levels=(tumour.level,), level=tumour.level,
            side="left", centre=tumour.centre, probability=0.93, **common,
            shares={kinds.TUMOUR: 0.71, kinds.ATYPICAL_HAEMANGIOMA: 0.18, kinds.RED_MARROW: 0.06, kinds.MODIC_1: 0.05},
        ),
        Lesion(
            id=fat.id, label=fat.label, series_uid=fat.series_uid, levels=(fat.level,), level=fat.level,
            side="midline", centre=fat.centre, probability=0.88, **common,
            shares={kinds.FAT: 0.86, kinds.HAEMANGIOMA: 0.12, kinds.TUMOUR: 0.02},
        ),
    )  # fmt: skip


LESION_VALUES = {
    "lesion-1": {
        "lesion_volume": 3732.0, "lesion_diameter": 22.0, "lesion_body_share_pct": 31.0,
        "lesion_posterior_share_pct": 6.0,
        "lesion_t1_to_marrow": 0.45, "lesion_t1_to_disc": 0.74, "lesion_t1_to_muscle": 1.02,
        "lesion_stir_to_marrow": 2.11, "lesion_stir_to_muscle": 3.48, "lesion_pedicle_left": 210.0,
        "lesion_pedicle_right": 0.0, "lesion_convex_posterior_border": 2.4, "lesion_expansion": 0.0,
        "lesion_epidural_volume": 140.0, "lesion_foraminal_volume": 0.0, "lesion_paraspinal_volume": 0.0,
        "lesion_prevertebral_volume": 0.0, "lesion_endplate_contact_pct": 4.0,
    },
    "lesion-2": {
        "lesion_volume": 1143.0, "lesion_diameter": 13.0, "lesion_body_share_pct": 5.0,
        "lesion_posterior_share_pct": 0.0,
        "lesion_t1_to_marrow": 1.84, "lesion_t1_to_disc": 3.04, "lesion_t1_to_muscle": 4.2,
        "lesion_stir_to_marrow": 0.32, "lesion_pedicle_left": 0.0, "lesion_pedicle_right": 0.0,
        "lesion_convex_posterior_border": 0.0, "lesion_expansion": 0.0, "lesion_epidural_volume": 0.0,
        "lesion_foraminal_volume": 0.0, "lesion_paraspinal_volume": 0.0, "lesion_prevertebral_volume": 0.0,
        "lesion_endplate_contact_pct": 0.0,
    },
}  # fmt: skip
_WHY = {
    "lesion_t2_to_marrow": "no T2w series shows it",
    "lesion_enhancement_pct": "no T1w-post series shows it",
    "lesion_opposed_phase_ratio": "no in-phase and opposed-phase pair shows it",
    "lesion_adc": "no ADC map shows it",
    "lesion_disc_signal_ratio": "it touches no disc",
    "lesion_stir_to_muscle": "too little muscle behind it to compare with",
}


def _lesion_measurements() -> Iterator[Measurement]:
    for spot in spots():
        values = LESION_VALUES[spot.id]
        common = {"kind": StructureKind.LESION, "level": spot.level, "series_uid": spot.series_uid}
        for measure in LESION_MEASURES:
            common |= {"id": f"{spot.id}.{measure.name}", "name": measure.name, "unit": measure.unit}
            if measure.name not in values:
                yield Measurement(**common, status=Status.NOT_ASSESSABLE, reason=_WHY[measure.name])
                continue
            half = spot.half[1] * places()[spot.level].posterior
            ends = tuple(tuple((np.asarray(spot.centre) + sign * half).tolist()) for sign in (-1, 1))
            flags = ("side:left",) if measure.name == "lesion_epidural_volume" and spot.label == 1 else ()
            points = ends if measure.name == "lesion_diameter" else ()
            yield Measurement(**common, value=values[measure.name], flags=flags, points=points)


def _marrow_measurements() -> Iterator[Measurement]:
    for level, measure in product(LEVELS, MARROW_MEASURES):
        common = {"id": f"{level}.{measure.name}", "name": measure.name, "kind": BODY_KIND, "level": level, "unit": "1"}
        if level == LEVELS[0]:
            yield Measurement(**common, status=Status.OUT_OF_FIELD, reason="the field of view cuts T11")
        else:
            yield Measurement(**common, value=1.6, series_uid="tok-t1")


TUMOUR_STATEMENT = (
    "L2: 22 mm marrow change on the left, 31 % of the body of L2, T1w 0.5 × marrow, STIR 2.1 × marrow, posterior "
    "border convex by 2 mm, pedicle or arch involved. Favours tumour-like (T1w dark, STIR bright); not distinguishable "
    "here or to be considered: atypical haemangioma, oedema of a benign fracture."
)
FAT_STATEMENT = "L4: 13 mm marrow change in the midline, T1w 1.8 × marrow, STIR 0.3 × marrow. Favours focal fat."
INVOLVEMENT_STATEMENT = (
    "1 of 7 vertebrae assessed hold tumour-like lesions (thoracic 0 of 1; lumbar 1 of 5: L2; sacral 0 of 1), on T1w "
    "and STIR."
)
DIFFUSE_STATEMENT = "No diffuse marrow change: T1w marrow is brighter than disc (ratio 1.60, 7 levels)."


def _marrow_findings() -> Iterator[Finding]:
    diffuse = tuple(f"{level}.marrow_t1_to_disc" for level in LEVELS[1:])
    yield Finding(
        id="diffuse_marrow", kind="diffuse_marrow", certainty=Certainty.ABSENT, statement=DIFFUSE_STATEMENT,
        evidence=diffuse,
    )  # fmt: skip
    yield Finding(
        id="marrow_involvement", kind="marrow_involvement", levels=(Level("L2"),), certainty=Certainty.PRESENT,
        statement=INVOLVEMENT_STATEMENT, evidence=("lesion-1.lesion_volume",), urgency=Urgency.CATEGORY_3,
    )  # fmt: skip
    told = (("left", MarrowChange.TUMOUR, TUMOUR_STATEMENT), ("midline", MarrowChange.FAT, FAT_STATEMENT))
    for spot, (side, cause, statement) in zip(spots(), told, strict=True):
        yield Finding(
            id=f"{spot.id}.marrow_lesion", kind="marrow_lesion", levels=(spot.level,), side=side, cause=cause.value,
            certainty=Certainty.PRESENT, statement=statement,
            evidence=tuple(f"{spot.id}.{measure.name}" for measure in LESION_MEASURES),
        )  # fmt: skip
