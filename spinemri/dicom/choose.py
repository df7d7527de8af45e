"""Which study is read, and which of its series are measured.

Patients are never mixed. Of several studies of one patient the newest that shows a spine in sagittal slices is read.
Of several sagittal series of one contrast those are read that show different parts of the spine (``stations.py``), the
others are named with the reason; nothing is averaged. Axial T2w series show sac and cord in section and are read beside
sagittal ones, every stack of them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from spinemri.dicom.refusal import is_localizer
from spinemri.dicom.scan import no_dicom
from spinemri.dicom.stations import stations
from spinemri.errors import InputError
from spinemri.language import Phrases, of_count
from spinemri.series import Contrast, Plane, patient_key
from spinemri.terms import term

if TYPE_CHECKING:
    from spinemri.series import Inventory, Series, Study

phrases = Phrases("dicom.choose")

USABLE = frozenset(
    {
        Contrast.T1W,
        Contrast.T2W,
        Contrast.STIR,
        Contrast.T2W_FS,
        Contrast.PDW,
        Contrast.T1W_POST,
        Contrast.DIXON_WATER,
        Contrast.DIXON_IN,
        Contrast.DIXON_FAT,
    }
)
AXIAL = frozenset({Contrast.T2W})
"""Contrasts of which axial slices are read."""
_MIN_SLICES = 3
_SHOWN = 6

Refused = tuple["Series", str]


def choose(study: Study) -> tuple[tuple[Series, ...], tuple[Refused, ...]]:
    """Series to read, for each contrast one or its stations, axial T2w ones beside them, and why not the others.

    Parameters
    ----------
    study : from ``choose_study``

    Returns
    -------
    used, refused : in the order of the study
    """
    reasons = {id(series): _unusable(series) for series in study.series}
    usable = [series for series in study.series if reasons[id(series)] is None and series.plane is Plane.SAGITTAL]
    if not usable:
        reasons |= {id(series): reasons[id(series)] or phrases.ALONE for series in study.series}
    for contrast in dict.fromkeys(series.contrast for series in usable):
        _, repeats = stations([series for series in usable if series.contrast is contrast])
        reasons |= {id(series): reason for series, reason in repeats}
    used = tuple(series for series in study.series if reasons[id(series)] is None)
    refused = tuple((series, reason) for series in study.series if (reason := reasons[id(series)]) is not None)
    return used, refused


def choose_study(inventory: Inventory, patient: str | None = None) -> tuple[Study, tuple[str, ...]]:
    """The study to read, and warnings that name what else was there.

    Parameters
    ----------
    inventory : from ``scan``
    patient : Patient ID, or the number that the error message for several patients gives; needed only then

    Raises
    ------
    InputError
        No DICOM, no MR, several patients, an unknown patient, no sagittal series, localizers only.
    """
    if not inventory.studies:
        raise InputError(_nothing(inventory))
    studies = _of_one_patient(inventory, patient)
    newest_first = sorted(studies, key=lambda study: (study.study_date, study.study_uid), reverse=True)
    study = next((s for s in newest_first if choose(s)[0]), None)
    if study is None:
        raise InputError(_no_series(newest_first[0]))
    others = len(newest_first) - 1
    if not others:
        return study, ()
    which = phrases.NEWEST if study is newest_first[0] else phrases.NEWEST_WITH_SAGITTAL_SERIES_CAN
    listed = ", ".join(_distance(study, other) for other in newest_first if other is not study)
    return study, (phrases.STUDIES_THIS_PATIENT_READ_NOT.format(count=others + 1, which=which, listed=listed),)


def _unusable(series: Series) -> str | None:
    if series.refusal is not None:
        return series.refusal
    if series.plane is Plane.AXIAL:
        return (
            None
            if series.contrast in AXIAL
            else phrases.AXIAL_SERIES_ARE_NOT_MEASURED.format(contrast=series.contrast.value)
        )
    if series.plane is not Plane.SAGITTAL:
        return phrases.SERIES_ARE_NOT_MEASURED.format(plane=term(series.plane.value))
    if series.contrast not in USABLE:
        return phrases.CONTRAST_NOT_MEASURED.format(
            contrast=series.contrast.value, reason=series.contrast_reason or phrases.UNKNOWN
        )
    if series.shape is None or series.shape[0] < _MIN_SLICES:
        return phrases.FEWER_THAN_SLICES.format(count=_MIN_SLICES)
    return None


def _nothing(inventory: Inventory) -> str:
    looked = of_count(inventory.files_seen, phrases.ONE_FILE_LOOKED_AT, phrases.FILES_LOOKED_AT)
    looked = looked.format(count=inventory.files_seen)
    other = sorted({s.reason for s in inventory.skipped if s.reason not in no_dicom()})
    if not other:
        return phrases.NO_DICOM_FOUND_FILES_LOOKED.format(looked=looked)
    return phrases.NO_MR_IMAGE_FOUND_FILES.format(looked=looked, items="; ".join(other[:_SHOWN]))


def _of_one_patient(inventory: Inventory, patient: str | None) -> list[Study]:
    keys = list(dict.fromkeys(study.patient_key for study in inventory.studies))
    if patient is not None:
        wanted = [k for k in keys if k.split("-")[0] == patient_key(patient)]
        if not wanted and patient.isdigit() and 1 <= int(patient) <= len(keys):
            wanted = [keys[int(patient) - 1]]
        if not wanted:
            raise InputError(f"no such patient: expected a Patient ID of this folder or a number from 1 to {len(keys)}")
        keys = wanted
    if len(keys) > 1:
        listed = ", ".join(f"{n}: {_place(inventory, key)}" for n, key in enumerate(keys[:_SHOWN], 1))
        more = "" if len(keys) <= _SHOWN else ", …"
        alike = phrases.ONE_ID if len({key.split("-")[0] for key in keys}) < len(keys) else ""
        raise InputError(
            f"{len(keys)} patients in one folder ({listed}{more}); name one with --patient, they are never mixed{alike}"
        )
    return [study for study in inventory.studies if study.patient_key == keys[0]]


def _place(inventory: Inventory, key: str) -> str:
    """How many series a patient has and of which contrasts; not where, for folders are named after patients."""
    series = [one for study in inventory.studies if study.patient_key == key for one in study.series]
    return phrases.SERIES.format(
        count=len(series), items=", ".join(dict.fromkeys(one.contrast.value for one in series))
    )


def _no_series(study: Study) -> str:
    reasons = {series.label: reason for series, reason in choose(study)[1]}
    if all(is_localizer(reason) for reason in reasons.values()):
        return phrases.LOCALIZER_ONLY_NUMBERING_POSSIBLE_NO
    sagittal = [s for s in study.series if s.plane is Plane.SAGITTAL]
    found = phrases.NO_SAGITTAL_SERIES_CAN_MEASURED if sagittal else phrases.NO_SAGITTAL_SERIES
    listed = "; ".join(
        phrases.SERIES_REFUSED.format(label=label, reason=reason) for label, reason in list(reasons.items())[:_SHOWN]
    )
    return f"{found}: {listed}{'; …' if len(reasons) > _SHOWN else ''}"


def _distance(study: Study, other: Study) -> str:
    """How far another study lies from the one that is read, without naming a date."""
    count = phrases.SERIES_COUNT.format(count=len(other.series))
    try:
        here, there = (datetime.strptime(s.study_date, "%Y%m%d").replace(tzinfo=UTC) for s in (study, other))
    except ValueError:
        return phrases.ONE_UNKNOWN_DATE.format(count=count)
    days = (there - here).days
    return (
        phrases.ONE_SAME_DAY.format(count=count)
        if not days
        else (phrases.DAYS_LATER if days > 0 else phrases.DAYS_EARLIER).format(days=abs(days), count=count)
    )
