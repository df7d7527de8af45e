"""Small studies made by hand for the oncologic rules: bodies with height losses, lesions with extents, slips, sacs."""

from __future__ import annotations

from spinemri.anatomy import Level, StructureKind
from spinemri.assess.evidence import Evidence
from spinemri.clinical import Clinical
from spinemri.lesion import Lesion, MarrowScreen
from spinemri.lesion import MarrowChange as Kind
from spinemri.measurement import Measurement
from spinemri.series import Contrast, Plane, Series
from spinemri.spine import LevelAssignment, LevelBasis, Spine, Vertebra

BODY, SAC = StructureKind.VERTEBRAL_BODY, StructureKind.THECAL_SAC
SPREAD = ("pedicle_left", "pedicle_right", "epidural_volume", "paraspinal_volume", "prevertebral_volume")
PAIR = ("T1w", "STIR")


def lesion(level="L3", number=1, kind=Kind.TUMOUR, *, levels=None, probability=0.93, seen_in=PAIR, z=0.0) -> Lesion:
    return Lesion(
        id=f"lesion-{number}", label=number, series_uid="1.2.3", seen_in=seen_in, probability=probability,
        levels=tuple(map(Level, levels or (level,))), level=Level(level), centre=(9.0, -20.0, z), shares={kind: 1.0},
    )  # fmt: skip


def of_lesion(number=1, level="L3", disc="", **values) -> list[Measurement]:
    """A lesion's measurements: nothing beyond the bone unless it is said; None leaves one out."""
    known = dict.fromkeys((*SPREAD, "convex_posterior_border", "endplate_contact_pct"), 0.0)
    known |= {"body_share_pct": 20.0, "stir_to_marrow": 2.5, "t1_to_marrow": 0.5, "diameter": 14.0, "volume": 900.0}
    flags = (f"disc:{disc}",) if disc else ()
    return [
        Measurement(
            id=f"lesion-{number}.lesion_{name}", name=f"lesion_{name}", kind=StructureKind.LESION, level=Level(level),
            value=value, unit="1", flags=flags if name == "disc_signal_ratio" else (),
        )
        for name, value in (known | values).items()
        if value is not None
    ]  # fmt: skip


def at(place: str, name: str, value: float, unit="%", *, kind=BODY, interval=None) -> Measurement:
    """A measurement at 'L3' or 'L3-L4'."""
    upper, _, lower = place.partition("-")
    return Measurement(
        id=f"{place}.{name}", name=name, kind=kind, level=Level(upper), lower=Level(lower) if lower else None,
        value=value, unit=unit, interval=interval,
    )  # fmt: skip


def loss(level: str, value: float) -> Measurement:
    return at(level, "height_loss_pct", value)


def slip(place: str, value: float) -> Measurement:
    return at(place, "slip_mm", value, "mm")


def screen(*levels: str, contrasts=PAIR) -> MarrowScreen:
    return MarrowScreen(assessed=tuple(map(Level, levels)), contrasts=contrasts)


def spine(*levels: str, basis=LevelBasis.FROM_C2) -> Spine:
    vertebrae = tuple(
        Vertebra(
            assignment=LevelAssignment(level=Level(name), basis=basis, confidence=1.0),
            centre=(0.0, 0.0, -30.0 * n), series_uid="1.2.3",
        )
        for n, name in enumerate(levels)
    )  # fmt: skip
    return Spine(vertebrae=vertebrae)


def series(contrast=Contrast.T1W, plane=Plane.SAGITTAL, agent="none", refusal=None) -> Series:
    uid = f"{contrast.value}-{plane.value}"
    return Series(series_uid=uid, contrast=contrast, plane=plane, contrast_agent=agent, refusal=refusal)


def study(*measurements: Measurement, lesions=(), clinical=None, **more) -> Evidence:
    """Evidence with every lumbar vertebra searched on T1w and STIR unless it is said otherwise."""
    more.setdefault("screen", screen("L1", "L2", "L3", "L4", "L5"))
    return Evidence(
        measurements={m.id: m for m in measurements}, lesions=tuple(lesions), clinical=Clinical(**(clinical or {})),
        **more,
    )  # fmt: skip
