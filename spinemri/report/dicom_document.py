"""A DICOM Comprehensive 3D SR around content that is made elsewhere: UNVERIFIED and PRELIMINARY, by the program.

Only a named person verifies a report, so none that is made here ever is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import highdicom
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import (
    CodedConcept,
    DeviceObserverIdentifyingAttributes,
    LanguageOfContentItemAndDescendants,
    ObserverContext,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from spinemri.codes import PRIVATE_SCHEME
from spinemri.language import ENGLISH, Phrases
from spinemri.report.dicom_source import UTF8, all_items, dated, settled, uid_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spinemri.analysis import Provenance

_REFERRING = ("IMAGE", "COMPOSITE")


class Kind(NamedTuple):
    """What a report is: word and checksum of content that its UIDs follow from, and how its series is called."""

    word: str
    key: str
    description: str
    series_number: int


def report_of(
    content: Dataset, shown: Sequence[Dataset], kind: Kind, provenance: Provenance
) -> highdicom.sr.Comprehensive3DSR:
    """A report that is ready to be saved; call it within ``lenient``.

    Parameters
    ----------
    content : the root of the content tree
    shown : headers of everything that it rests on; patient and study are those of the first
    """
    items = list(all_items(content))
    for item in items:
        if "ContinuityOfContent" in item:
            item.ContinuityOfContent = "SEPARATE"  # entries of their own, no running text
    report = highdicom.sr.Comprehensive3DSR(
        evidence=shown,
        content=_references(content, items),
        series_instance_uid=uid_of(f"{kind.word} series", kind.key),
        series_number=kind.series_number,
        sop_instance_uid=uid_of(f"{kind.word} instance", kind.key),
        instance_number=1,
        manufacturer=provenance.software,
        manufacturer_model_name=provenance.software,
        software_versions=provenance.version,
        series_description=f"{provenance.software} {kind.description}",
        is_complete=True,
        is_final=False,
        is_verified=False,
        specific_character_set=UTF8,
        coding_schemes=[
            CodingSchemeIdentificationItem(
                PRIVATE_SCHEME, name=f"{provenance.software} codes, docs/dicom_codes.md", version=provenance.version
            )
        ],
    )
    report.ContentSequence = content.ContentSequence
    dated(report, provenance.created)
    settled(report)
    return report


def _references(content: Dataset, items: Sequence[Dataset]) -> Dataset:
    """The root of a report with nothing beneath it but what refers to images.

    This is all that the constructor of a report looks at, to see that its evidence is complete; it copies what it is
    given and walks it twice, which for a whole report takes longer than to make and to write it.
    """
    root = Dataset()
    root.update({element.tag: element for element in content if element.keyword != "ContentSequence"})
    root.ContentSequence = [item for item in items if item.get("ValueType") in _REFERRING]
    return root


def language_of(language: str) -> LanguageOfContentItemAndDescendants | None:
    """The language of the texts in it, by RFC 5646; None for English, which is highdicom's own choice."""
    if language == ENGLISH:
        return None
    return LanguageOfContentItemAndDescendants(CodedConcept(language, "RFC5646", Phrases("language").NAME))


def observer_of(provenance: Provenance) -> ObserverContext:
    """The program as the observer of what it reports."""
    device = DeviceObserverIdentifyingAttributes(
        uid=uid_of("device", provenance.software, provenance.version),
        name=provenance.software,
        manufacturer_name=provenance.software,
        model_name=f"{provenance.software} {provenance.version}",
    )
    return ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=device)
