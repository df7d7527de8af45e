"""Signal of every vertebra's marrow; size, place and signal of every lesion; with the reason where there is none.

Ratios, of references that are an own choice: T1w against discs (the 'bright disc' of diffuse disease, AJNR 1990;11:23),
muscle and unaffected marrow; STIR against marrow and muscle. They are medians within masks, so partial volume at edges
counts little; coil fall-off is left out of account because references lie at the same level.

Known failure: a median says nothing of a change that fills less than half of a body. Muscle that is replaced by fat
throughout, and discs that are calcified or hold fat, are bright on T1w and make marrow seem darker than it is. Where
every vertebra near a lesion is diseased too, its unaffected marrow is not normal marrow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinemri.anatomy import StructureKind
from spinemri.faults import attempt
from spinemri.language import Phrases
from spinemri.measure.bodies import upward_by_level
from spinemri.measure.catalogue import Gap, Place
from spinemri.measure.lesion_shape import COMPARTMENTS, lesion_shape
from spinemri.measure.signals import FLUID_SENSITIVE, MarrowCase, Surroundings, lean, level_of, surroundings
from spinemri.measurement import Measurement, Status
from spinemri.series import Contrast

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from spinemri.image import Image
    from spinemri.lesion import Lesion
    from spinemri.measure.lesion_shape import LesionShape
    from spinemri.spine import Vertebra

phrases = Phrases("measure.marrow")

__all__ = ["MarrowCase", "measure_marrow"]

_RATIO_SD = 0.05  # relative; signal of one tissue differs so much from place to place in a body
_ADC_UNIT = 1e-6  # mm2/s of a stored value of 1, as scanners write ADC maps
_NEEDS = {
    "lesion_t1_to_marrow": ((Contrast.T1W,), "marrow"),
    "lesion_t1_to_disc": ((Contrast.T1W,), "discs"),
    "lesion_t1_to_muscle": ((Contrast.T1W,), "muscle"),
    "lesion_stir_to_marrow": (FLUID_SENSITIVE, "marrow"),
    "lesion_stir_to_muscle": (FLUID_SENSITIVE, "muscle"),
    "lesion_t2_to_marrow": ((Contrast.T2W,), "marrow"),
}


def measure_marrow(case: MarrowCase) -> tuple[Measurement, ...]:
    """Marrow ratios of every vertebra, head to foot, then every lesion's measurements, in the order of the lesions."""
    found: list[Measurement] = []
    for vertebra in case.spine.vertebrae:
        found += attempt(phrases.MARROW_OF.format(level=vertebra.level), (), _marrow_ratios, case, vertebra)
    upward = upward_by_level(case.spine)
    for lesion in case.lesions:
        found += attempt(
            phrases.MEASUREMENTS_LESION.format(id=lesion.id), (), _lesion, case, lesion, upward[lesion.level]
        )
    return tuple(found)


def _marrow_ratios(case: MarrowCase, vertebra: Vertebra) -> tuple[Measurement, ...]:
    return tuple(_vertebra(case, vertebra))


def _lesion(case: MarrowCase, lesion: Lesion, upward: NDArray[np.float64]) -> tuple[Measurement, ...]:
    mask = next(m for m in case.masks if m.series_uid == lesion.series_uid)
    inside = np.asarray(mask.voxels == lesion.label)
    anatomy = case.segmentations[case.number(lesion.series_uid)]
    shape = lesion_shape(inside, anatomy, lesion.level, upward)
    return (*_shape_measures(lesion, shape), *_signal_measures(case, lesion, shape, inside))


def _vertebra(case: MarrowCase, vertebra: Vertebra) -> Iterator[Measurement]:
    """T1w of a body's marrow against the discs beside it and against muscle."""
    level = vertebra.level
    names = {"marrow_t1_to_disc": "discs", "marrow_t1_to_muscle": "muscle"}
    shown = [i for i in case.beside(vertebra.series_uid, Contrast.T1W) if _shows(case, i, vertebra)]
    if not shown or vertebra.cut:
        why = phrases.FIELD_VIEW_CUTS.format(level=level) if shown else phrases.NO_T1W_SERIES_SHOWS.format(level=level)
        gap = Gap(Status.OUT_OF_FIELD if shown else Status.NOT_ASSESSABLE, why)
        yield from (Place(StructureKind.VERTEBRAL_BODY, level).absent(name, gap) for name in names)
        return
    image = shown[0]
    uid = image.series.series_uid
    around = surroundings(case, uid, level)
    place = Place(StructureKind.VERTEBRAL_BODY, level, None, uid)
    for name, reference in names.items():
        values = None if around is None else np.asarray(image.voxels[around.box], dtype=np.float32)
        ratio = None if around is None or values is None else _ratio(values, around.body, around, reference, values)
        yield (
            place.absent(name, _nothing(reference)) if ratio is None else place.measured(name, ratio, _RATIO_SD * ratio)
        )


def _shows(case: MarrowCase, image: Image, vertebra: Vertebra) -> bool:
    return case.segmentations[case.number(image.series.series_uid)].body(vertebra.level) is not None


def _ratio(
    values: NDArray[np.floating],
    inside: NDArray[np.bool_],
    around: Surroundings,
    reference: str,
    t1: NDArray[np.floating] | None,
) -> float | None:
    """Median of a mask over that of a reference tissue, or None where either has too few voxels."""
    own, other = level_of(values, inside), level_of(values, _tissue(around, reference, t1))
    return own / other if own is not None and other is not None and other > 0 else None


def _tissue(around: Surroundings, name: str, t1: NDArray[np.floating] | None) -> NDArray[np.bool_]:
    if name == "muscle":
        return lean(around.muscle, t1)
    return around.marrow if name == "marrow" else around.discs


def _nothing(reference: str) -> Gap:
    tissue = {"marrow": phrases.UNAFFECTED_MARROW_NEAR, "discs": phrases.DISC_BESIDE, "muscle": phrases.MUSCLE_BEHIND}
    return Gap(Status.NOT_ASSESSABLE, phrases.TOO_LITTLE_COMPARE_WITH.format(tissue=tissue[reference]))


def _place(lesion: Lesion) -> Place:
    return Place(StructureKind.LESION, lesion.level, None, lesion.series_uid)


def _named(lesion: Lesion, measurement: Measurement, *flags: str) -> Measurement:
    """A measurement of a lesion has the lesion's id before its name."""
    named = {"id": f"{lesion.id}.{measurement.name}", "flags": (*measurement.flags, *flags)}
    return measurement.model_copy(update=named)


def _shape_measures(lesion: Lesion, shape: LesionShape) -> Iterator[Measurement]:
    place, pixel_sd = _place(lesion), 0.6
    lengths = {"lesion_convex_posterior_border": shape.bulge, "lesion_expansion": shape.expansion}
    volumes = {"lesion_pedicle_left": shape.pedicle_left, "lesion_pedicle_right": shape.pedicle_right}
    volumes |= {f"lesion_{name}_volume": shape.compartments[name] for name in COMPARTMENTS}
    shares = {
        "lesion_body_share_pct": shape.body_share,
        "lesion_posterior_share_pct": shape.posterior_share,
        "lesion_endplate_contact_pct": shape.endplate,
    }
    relative = shape.volume_sd / max(shape.volume, 1e-6)
    yield _named(lesion, place.measured("lesion_volume", shape.volume, shape.volume_sd))
    yield _named(lesion, place.measured("lesion_diameter", shape.diameter, pixel_sd, shape.ends))
    for name, share in shares.items():
        if share is None:
            yield _named(lesion, place.absent(name, Gap(Status.NOT_ASSESSABLE, phrases.ENDPLATES_OR_WHOLE_BODY_ARE)))
        else:
            yield _named(lesion, place.measured(name, share, relative * share))
    for name, length in lengths.items():
        yield _named(lesion, place.measured(name, length, pixel_sd))
    for name, volume in volumes.items():
        side = shape.sides.get(name.removeprefix("lesion_").removesuffix("_volume"))
        yield _named(lesion, place.measured(name, volume, relative * volume), *([f"side:{side}"] if side else []))


def _signal_measures(
    case: MarrowCase, lesion: Lesion, shape: LesionShape, mask: NDArray[np.bool_]
) -> Iterator[Measurement]:
    """Ratios of a lesion's signal, in the order of the catalogue."""
    place = _place(lesion)
    around = surroundings(case, lesion.series_uid, lesion.level)
    signals = _Signals(case, lesion, around, mask)
    for name, (contrasts, reference) in _NEEDS.items():
        found = signals.ratio(contrasts, reference)
        yield _named(lesion, _stated(place, name, found))
    yield _named(lesion, _stated(place, "lesion_enhancement_pct", signals.enhancement()))
    yield _named(lesion, _stated(place, "lesion_opposed_phase_ratio", signals.opposed()))
    yield _named(lesion, _stated(place, "lesion_adc", signals.diffusion()))
    touched = (f"disc:{shape.disc.place}",) if shape.disc is not None else ()
    yield _named(lesion, _stated(place, "lesion_disc_signal_ratio", signals.disc(shape)), *touched)


def _stated(place: Place, name: str, found: float | Gap) -> Measurement:
    if isinstance(found, Gap):
        return place.absent(name, found)
    return place.measured(name, found, _RATIO_SD * abs(found))


class _Signals:
    """What every sequence shows of one lesion and around it."""

    def __init__(self, case: MarrowCase, lesion: Lesion, around: Surroundings | None, mask: NDArray[np.bool_]) -> None:
        self.case, self.lesion, self.around = case, lesion, around
        self.inside = mask[around.box] if around is not None else None
        if around is not None and self.inside is not None:
            self._read = self.inside | around.marrow | around.discs | around.muscle
        self._values: dict[tuple[str, Contrast], NDArray[np.float32]] = {}

    def values(self, *contrasts: Contrast) -> NDArray[np.float32] | None:
        """The first sequence of the given contrasts that shows the lesion, in the box around its vertebra.

        That of the station that the lesion was outlined in comes first: where two stations overlap, a vertebra lies at
        the edge of one of them.
        """
        if self.around is None or self.inside is None or not self.inside.any():
            return None
        for image in self.case.beside(self.lesion.series_uid, *contrasts):
            stack = image.series.series_uid, image.series.contrast  # both Dixon phases may be one DICOM series
            if stack not in self._values:
                self._values[stack] = self.around.values(image, self._read)
            if np.isfinite(self._values[stack][self.inside]).mean() > 0.5:
                return self._values[stack]
        return None

    def ratio(self, contrasts: tuple[Contrast, ...], reference: str) -> float | Gap:
        values, names = self.values(*contrasts), phrases.OR.join(c.value for c in contrasts)
        if values is None or self.around is None or self.inside is None:
            return Gap(Status.NOT_ASSESSABLE, phrases.NO_SERIES_SHOWS.format(names=names))
        found = _ratio(values, self.inside, self.around, reference, self.values(Contrast.T1W))
        return _nothing(reference) if found is None else found

    def enhancement(self) -> float | Gap:
        """Rise after contrast agent, the scanner's gain taken from muscle, which enhances by a tenth."""
        before, after = self.ratio((Contrast.T1W,), "muscle"), self.ratio((Contrast.T1W_POST,), "muscle")
        if isinstance(before, Gap):
            return before
        return after if isinstance(after, Gap) else 100 * (after * 1.1 / before - 1)

    def opposed(self) -> float | Gap:
        first, second = self.values(Contrast.DIXON_IN), self.values(Contrast.DIXON_OPPOSED)
        if first is None or second is None or self.inside is None:
            return Gap(Status.NOT_ASSESSABLE, phrases.NO_PHASE_OPPOSED_PHASE_PAIR)
        inphase, opposed = level_of(first, self.inside), level_of(second, self.inside)
        if inphase is None or opposed is None or inphase <= 0:
            return Gap(Status.NOT_ASSESSABLE, phrases.TOO_FEW_VOXELS)
        return opposed / inphase

    def diffusion(self) -> float | Gap:
        values = self.values(Contrast.ADC)
        if values is None or self.inside is None:
            return Gap(Status.NOT_ASSESSABLE, phrases.NO_ADC_MAP_SHOWS)
        found = level_of(values, self.inside)
        return Gap(Status.NOT_ASSESSABLE, phrases.TOO_FEW_VOXELS) if found is None else found * _ADC_UNIT

    def disc(self, shape: LesionShape) -> float | Gap:
        """Signal of the disc that the lesion touches against the study's other discs, STIR or else T2w."""
        if shape.disc is None:
            return Gap(Status.NOT_ASSESSABLE, phrases.TOUCHES_NO_DISC)
        for image in self.case.beside(self.lesion.series_uid, *FLUID_SENSITIVE, Contrast.T2W):
            segmentation = self.case.segmentations[self.case.number(image.series.series_uid)]
            levels = {
                d: level_of(np.asarray(image.voxels), segmentation.mask(d))
                for d in segmentation.of_kind(StructureKind.DISC)
            }
            own = levels.pop(shape.disc, None)
            others = [v for v in levels.values() if v is not None]
            if own is not None and len(others) >= 2:
                return own / max(float(np.median(others)), 1e-6)
        return Gap(Status.NOT_ASSESSABLE, phrases.NO_STIR_OR_T2W_SERIES)
