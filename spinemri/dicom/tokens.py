"""Identifiers of a study become salted tokens as soon as it is read, so that nothing after it can leak them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from spinemri.analysis import token
from spinemri.dicom.identity import patient_id

if TYPE_CHECKING:
    from spinemri.dicom.study import LoadedStudy
    from spinemri.image import Image
    from spinemri.series import Series


def with_identifiers(loaded: LoadedStudy) -> LoadedStudy:
    """The same study with the Patient ID of its files."""
    return replace(loaded, patient=patient_id(loaded.images[0].series))


def with_tokens(loaded: LoadedStudy, key: bytes) -> LoadedStudy:
    """The same study with every identifier replaced, consistently, by a salted token.

    Names of skipped files count as identifiers: they hold patients' names and UIDs as often as not.

    Parameters
    ----------
    key : salt of the tokens; the same key gives the same tokens
    """

    def stand_in(text: str | None) -> str | None:
        return token(text, key) if text else text

    def anonymous(series: Series) -> Series:
        uids = ("series_uid", "study_uid", "frame_of_reference_uid")
        hidden = {name: stand_in(getattr(series, name)) for name in uids}
        return series.model_copy(update={**hidden, "description": ""})

    def anonymous_image(image: Image) -> Image:
        frame = stand_in(image.geometry.frame_of_reference_uid)
        return replace(
            image, series=anonymous(image.series), geometry=replace(image.geometry, frame_of_reference_uid=frame)
        )

    study = loaded.study
    return replace(
        loaded,
        patient=token(study.patient_key or study.study_uid, key),
        study=study.model_copy(update={"study_uid": token(study.study_uid, key), "patient_key": "", "series": ()}),
        images=tuple(anonymous_image(image) for image in loaded.images),
        axial=tuple(anonymous_image(image) for image in loaded.axial),
        refused=tuple((anonymous(series), reason) for series, reason in loaded.refused),
        skipped=tuple(s.model_copy(update={"path": token(s.path, key)}) for s in loaded.skipped),
    )
