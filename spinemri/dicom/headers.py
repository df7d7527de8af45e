"""Reading headers: a DICOM file becomes ``Frame`` values, one for each image plane it holds.

A header is never trusted to be well formed: a value that cannot be read counts as absent. Patient ID and name are read
only to make a keyed hash that tells patients apart. Enhanced objects keep their facts in functional groups, shared or
per frame; a frame's groups are flattened over the top level so that one reading serves both kinds.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydicom.dataset import Dataset
from pydicom.uid import (
    EnhancedMRImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    MRImageStorage,
)

from spinemri.dicom.facts import Frame, PlaneFacts, SequenceFacts
from spinemri.dicom.files import read_dicom
from spinemri.dicom.plain import Plain, wanted
from spinemri.dicom.values import (
    PLACE,
    RESCALE,
    integer,
    items,
    lenient,
    number,
    numbers,
    senseless,
    text,
    value,
    words,
)
from spinemri.series import patient_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MULTI_FRAME_MR = frozenset({str(EnhancedMRImageStorage), str(LegacyConvertedEnhancedMRImageStorage)})
MR_IMAGES = MULTI_FRAME_MR | {str(MRImageStorage)}

_NO_AGENT = frozenset({"", "NO", "NONE", "N", "N/A", "NA", "NEIN", "KEINE", "KEIN", "WITHOUT", "0"})
_NAMES_READ = """
    SOPClassUID SOPInstanceUID Modality SpecificCharacterSet ImageType FrameType PatientID IssuerOfPatientID PatientName
    PatientBirthDate PatientAge PatientSex StudyInstanceUID StudyDate SeriesInstanceUID SeriesNumber InstanceNumber
    AcquisitionNumber AcquisitionDate AcquisitionTime AcquisitionDateTime FrameAcquisitionDateTime ContentDate
    ContentTime SeriesDate SeriesTime SeriesDescription ProtocolName BodyPartExamined ScanningSequence SequenceVariant
    ScanOptions SequenceName PulseSequenceName MRAcquisitionType EchoPulseSequence EchoPlanarPulseSequence
    InversionRecovery InversionTimes SpectrallySelectedSuppression SpectrallySelectedExcitation RepetitionTime EchoTime
    EffectiveEchoTime InversionTime EchoTrainLength RFEchoTrainLength FlipAngle MagneticFieldStrength DiffusionBValue
    AcquisitionContrast ComplexImageComponent VolumeBasedCalculationTechnique ContrastBolusAgent
    ContrastBolusAgentSequence AngioFlag TimeOfFlightContrast PhaseContrast BurnedInAnnotation LossyImageCompression
    AnatomicalOrientationType ImagePositionPatient ImageOrientationPatient PixelSpacing
    SliceThickness SpacingBetweenSlices FrameOfReferenceUID Rows Columns SamplesPerPixel PhotometricInterpretation
    NumberOfFrames BitsStored PixelRepresentation RescaleSlope RescaleIntercept PixelPaddingValue PixelPaddingRangeLimit
    StackID TemporalPositionIdentifier TemporalPositionIndex FrameAcquisitionNumber ConcatenationUID
    InConcatenationNumber InConcatenationTotalNumber SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence
"""
_GROUPS = frozenset(
    {
        "UnassignedSharedConvertedAttributesSequence",
        "UnassignedPerFrameConvertedAttributesSequence",
        "FrameContentSequence",
        "PlanePositionSequence",
        "PlaneOrientationSequence",
        "PixelMeasuresSequence",
        "PixelValueTransformationSequence",
        "TemporalPositionSequence",
        "MRImageFrameTypeSequence",
        "MREchoSequence",
        "MRModifierSequence",
        "MRImagingModifierSequence",
        "MRTimingAndRelatedParametersSequence",
        "MRDiffusionSequence",
    }
)
_NOT_FLAT = {"SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "PixelData", "FrameType"}
KEYWORDS = tuple(_NAMES_READ.split())
KEPT = wanted((*KEYWORDS, "BitsAllocated", "HighBit"))
_LOSSY_SYNTAXES = tuple(f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 81, 91, 93, 203))


def read_header(path: Path, *, force: bool = False) -> Dataset:
    """Dataset of a file without its pixels, only the attributes used here; raises one of ``READ_ERRORS``."""
    with lenient():
        return read_dicom(path, force=force, header=KEYWORDS)


def frames_of(dataset: Dataset | Plain, path: Path, *, whole: bool = True) -> list[Frame]:
    """Every image plane of a file, in stored order.

    Parameters
    ----------
    dataset : header or whole object of one MR file; of a ``Plain`` one ``UnusualError`` may be raised
    path : where it was read from
    whole : with everything that a frame says; otherwise only how it is stored and where it lies, which loading asks for
    """
    read = _frame if whole else _stored
    if isinstance(dataset, Plain):
        return [read(dataset, path, None)]
    with lenient():
        if text(dataset, "SOPClassUID") not in MULTI_FRAME_MR:
            return [read(dataset, path, None)]
        return [read(flat, path, index) for index, flat in enumerate(flattened(dataset))]


def flattened(dataset: Dataset) -> Iterator[Dataset]:
    """For each frame of an enhanced object, a flat dataset: top level, then shared groups, then the frame's own."""
    top = Dataset()
    top.update({element.tag: element for element in dataset if element.keyword not in _NOT_FLAT})
    meta = getattr(dataset, "file_meta", None)
    for group in items(dataset, "SharedFunctionalGroupsSequence"):
        _overlay(top, group)
    for group in items(dataset, "PerFrameFunctionalGroupsSequence"):
        flat = Dataset()
        flat.update(top)
        if meta is not None:
            flat.file_meta = meta
        _overlay(flat, group)
        yield flat


def _overlay(flat: Dataset, group: Dataset) -> None:
    """Copy the attributes of the standard groups; vendors' private groups hold contradicting copies of them."""
    for element in group:
        if element.keyword in _GROUPS and element.value:
            flat.update(element.value[0])


def patient_key_of(dataset: Dataset | Plain) -> str:
    """From ID and issuer; without an ID from the name; without both, each study, or else series, is its own patient."""
    if identity := text(dataset, "PatientID"):
        return patient_key(identity, text(dataset, "IssuerOfPatientID"))
    if name := text(dataset, "PatientName").strip("^ ").upper():
        return patient_key(f"{name}/{text(dataset, 'PatientBirthDate')}")
    return patient_key(text(dataset, "StudyInstanceUID") or text(dataset, "SeriesInstanceUID"))


def _stored(dataset: Dataset | Plain, path: Path, index: int | None) -> Frame:
    return Frame(
        path=path,
        index=index,
        transfer_syntax=_syntax(dataset),
        concatenation=_concatenation(dataset),
        sequence=SequenceFacts(image_type=_image_type(dataset)),
        plane=_plane(dataset),
    )


def _frame(dataset: Dataset | Plain, path: Path, index: int | None) -> Frame:
    return Frame(
        path=path,
        index=index,
        sop_class_uid=text(dataset, "SOPClassUID"),
        transfer_syntax=_syntax(dataset),
        patient_key=patient_key_of(dataset),
        born=patient_key("".join(filter(str.isdigit, text(dataset, "PatientBirthDate")))),
        study_uid=text(dataset, "StudyInstanceUID"),
        study_date=text(dataset, "StudyDate"),
        age_years=age_years(dataset),
        sex=text(dataset, "PatientSex").upper() if text(dataset, "PatientSex").upper() in {"M", "F", "O"} else "",
        series_uid=text(dataset, "SeriesInstanceUID"),
        number=integer(dataset, "SeriesNumber"),
        instance=integer(dataset, "InstanceNumber"),
        acquisition=integer(dataset, "FrameAcquisitionNumber", "AcquisitionNumber"),
        time=_time(dataset),
        stack_id=text(dataset, "StackID"),
        temporal=integer(dataset, "TemporalPositionIndex", "TemporalPositionIdentifier"),
        calculation=text(dataset, "VolumeBasedCalculationTechnique").upper(),
        burned_in=text(dataset, "BurnedInAnnotation").upper() == "YES",
        quadruped=text(dataset, "AnatomicalOrientationType").upper() == "QUADRUPED",
        lossy=text(dataset, "LossyImageCompression") == "01" or _syntax(dataset) in _LOSSY_SYNTAXES,
        concatenation=_concatenation(dataset),
        sequence=_sequence(dataset),
        plane=_plane(dataset),
    )


def _concatenation(dataset: Dataset | Plain) -> tuple[str, int | None, int | None] | None:
    uid = text(dataset, "ConcatenationUID")
    part, parts = integer(dataset, "InConcatenationNumber"), integer(dataset, "InConcatenationTotalNumber")
    return (uid, part, parts) if uid else None


def _image_type(dataset: Dataset | Plain) -> tuple[str, ...]:
    return words(dataset, "FrameType") or words(dataset, "ImageType")


def _syntax(dataset: Dataset | Plain) -> str:
    if isinstance(dataset, Plain):
        return dataset.syntax
    meta = getattr(dataset, "file_meta", None)
    return "" if meta is None else text(meta, "TransferSyntaxUID")


def _sequence(dataset: Dataset | Plain) -> SequenceFacts:
    kinds = set(words(dataset, "ScanningSequence"))
    options = set(words(dataset, "ScanOptions"))
    kinds |= {"SPIN": {"SE"}, "GRADIENT": {"GR"}, "BOTH": {"SE", "GR"}}.get(text(dataset, "EchoPulseSequence"), set())
    kinds |= {"EP"} if text(dataset, "EchoPlanarPulseSequence") == "YES" else set()
    kinds |= {"IR"} if text(dataset, "InversionRecovery") == "YES" else set()
    fat_free = text(dataset, "SpectrallySelectedSuppression").startswith("FAT")
    options |= {"FS"} if fat_free or text(dataset, "SpectrallySelectedExcitation") == "WATER" else set()
    agent = set(words(dataset, "ContrastBolusAgent")) - _NO_AGENT or value(dataset, "ContrastBolusAgentSequence")
    return SequenceFacts(
        image_type=_image_type(dataset),
        sequence=frozenset(kinds),
        variant=frozenset(words(dataset, "SequenceVariant")),
        options=frozenset(options),
        sequence_name=text(dataset, "SequenceName") or text(dataset, "PulseSequenceName"),
        repetition_time=number(dataset, "RepetitionTime") or None,  # some write 0 for "not known" or "none"
        echo_time=number(dataset, "EffectiveEchoTime", "EchoTime") or None,
        inversion_time=number(dataset, "InversionTimes", "InversionTime") or None,
        echo_train=number(dataset, "RFEchoTrainLength", "EchoTrainLength"),
        flip_angle=number(dataset, "FlipAngle"),
        field_strength=number(dataset, "MagneticFieldStrength"),
        b_value=number(dataset, "DiffusionBValue"),
        acquisition_contrast=text(dataset, "AcquisitionContrast").upper(),
        complex_component=text(dataset, "ComplexImageComponent").upper(),
        agent=bool(agent),
        name=" ".join(dict.fromkeys(filter(None, (text(dataset, "SeriesDescription"), text(dataset, "ProtocolName"))))),
        body_part=text(dataset, "BodyPartExamined").upper(),
        flow=any(
            text(dataset, k).upper() in {"Y", "YES"} for k in ("AngioFlag", "TimeOfFlightContrast", "PhaseContrast")
        ),
    )


def _plane(dataset: Dataset | Plain) -> PlaneFacts:
    position = numbers(dataset, "ImagePositionPatient")
    orientation = numbers(dataset, "ImageOrientationPatient")
    spacing = numbers(dataset, "PixelSpacing")
    slope = number(dataset, "RescaleSlope")
    return PlaneFacts(
        position=(position[0], position[1], position[2]) if len(position) == 3 else None,
        orientation=orientation if len(orientation) == 6 else None,
        pixel_spacing=(spacing[0], spacing[1]) if len(spacing) == 2 and min(spacing) > 0 else None,
        thickness=number(dataset, "SliceThickness"),
        between_slices=number(dataset, "SpacingBetweenSlices"),
        frame_of_reference_uid=text(dataset, "FrameOfReferenceUID") or None,
        rows=integer(dataset, "Rows") or 0,
        columns=integer(dataset, "Columns") or 0,
        samples=integer(dataset, "SamplesPerPixel") or 1,
        photometric=_photometric(dataset),
        slope=1.0 if slope is None else slope,
        intercept=number(dataset, "RescaleIntercept") or 0.0,
        padding=numbers(dataset, "PixelPaddingValue") + numbers(dataset, "PixelPaddingRangeLimit"),
        bits_stored=integer(dataset, "BitsStored") or 16,
        signed=integer(dataset, "PixelRepresentation") == 1,
        misplaced=senseless(dataset, PLACE),
        misscaled=senseless(dataset, RESCALE),
    )


def _photometric(dataset: Dataset | Plain) -> str:
    """What the pixels mean, as one word: messages show it, so text that is none of the standard's is not repeated."""
    stated = text(dataset, "PhotometricInterpretation").upper() or "MONOCHROME2"
    return stated if re.fullmatch(r"[A-Z0-9_ ]{1,16}", stated) else "unknown"


def _time(dataset: Dataset | Plain) -> str:
    """Acquisition date and time as digits that sort, from the frame, the image or the series."""
    for keyword in ("FrameAcquisitionDateTime", "AcquisitionDateTime"):
        if stamp := text(dataset, keyword):
            return stamp.split("+")[0].split("-")[0]
    for kind in ("Acquisition", "Content", "Series"):
        if clock := text(dataset, f"{kind}Time"):
            return (text(dataset, f"{kind}Date") or text(dataset, "StudyDate")) + clock
    return ""


def age_years(dataset: Dataset | Plain) -> float | None:
    """Age in years from Patient Age such as '048Y' or '006M'; from the birth date when that is absent."""
    stated = text(dataset, "PatientAge").upper()
    per_year = {"Y": 1.0, "M": 12.0, "W": 52.18, "D": 365.25}.get(stated[-1:])
    if per_year and stated[:-1].isdigit():
        return round(int(stated[:-1]) / per_year, 2)
    born, studied = text(dataset, "PatientBirthDate"), text(dataset, "StudyDate")
    if not (len(born) == len(studied) == 8 and born.isdigit() and studied.isdigit()):
        return None
    years = int(studied[:4]) - int(born[:4]) - (studied[4:] < born[4:])
    return float(years) if 0 <= years < 130 else None
