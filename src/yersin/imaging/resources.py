"""FHIR resources of attached files: Media for a photograph, DocumentReference for a PDF, both and an ImagingStudy for DICOM.

`Attachment.url` is the Binary's address; the Binary names its blob in an extension on `data` when the content is too
large for a row, and holds it otherwise. Source: https://hl7.org/fhir/R4/binary.html, media.html, imagingstudy.html
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from yersin.blobs import Blob
from yersin.fhir import r4
from yersin.imaging.taking_in import Taken

if TYPE_CHECKING:
    from yersin.imaging.dicom_summary import DicomSummary

#: content up to this size lies in the resource itself
INLINE: Final = 64 << 10
BLOB: Final = "urn:yersin:extension:blob"
BLOB_SIZE: Final = "urn:yersin:extension:blob-size"
THUMBNAIL: Final = "urn:yersin:extension:thumbnail"
FACILITY: Final = "urn:yersin:extension:facility"
_DCM: Final = "http://dicom.nema.org/resources/ontology/DCM"
_LOINC: Final = "http://loinc.org"


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """Whose chart, who attaches, when (a FHIR instant), at which encounter and facility, with what title."""

    patient: str
    author: str
    now: str
    encounter: str | None = None
    title: str = ""
    #: where it is attached; known without a visit, too
    facility: r4.Reference | None = None


def resources(taken: Taken, at: Circumstances, new_id: Callable[[], str]) -> list[r4.Resource]:
    """Resources to create, ids given; the last one is what the chart lists."""
    binary = binary_of(taken.blob, taken.media_type, at, new_id())
    made: list[r4.Resource] = [binary]
    thumbnail = None
    if taken.thumbnail:
        thumbnail = inline_binary(taken.thumbnail, taken.thumbnail_type, at, new_id())
        made.append(thumbnail)
    attachment = _attachment(taken, at, str(binary.id), thumbnail)
    if taken.kind.is_photo:
        return [*made, _media(taken, at, attachment, new_id())]
    if taken.dicom is None:
        return [*made, _document(at, attachment, new_id())]
    study = imaging_study(taken.dicom, at, new_id())
    return [*made, _instance(taken.dicom, at, attachment, new_id()), study]


def binary_of(blob: Blob, media_type: str, at: Circumstances, new_id: str) -> r4.Binary:
    """Binary whose content is a blob. It is seen by whoever may see the patient."""
    data = r4.Element(
        extension=[
            r4.Extension(url=BLOB, valueUri=f"urn:sha256:{blob.address}"),
            r4.Extension(url=BLOB_SIZE, valueDecimal=Decimal(blob.size)),
        ]
    )
    binary = r4.Binary(contentType=media_type, data_ext=data, securityContext=r4.Reference(reference=at.patient))
    binary.id = new_id
    return binary


def inline_binary(content: bytes, media_type: str, at: Circumstances, new_id: str) -> r4.Binary:
    """Binary that holds its content."""
    data = base64.b64encode(content).decode()
    binary = r4.Binary(contentType=media_type, data=data, securityContext=r4.Reference(reference=at.patient))
    binary.id = new_id
    return binary


def blob_of(binary: r4.Binary) -> Blob | None:
    """The blob that a Binary names; None when it holds its content itself."""
    named = {one.url: one for one in (binary.data_ext.extension or [])} if binary.data_ext else {}
    address, size = named.get(BLOB), named.get(BLOB_SIZE)
    if address is None or size is None or not address.valueUri or size.valueDecimal is None:
        return None
    return Blob(address=address.valueUri.removeprefix("urn:sha256:"), size=int(size.valueDecimal))


def _attachment(taken: Taken, at: Circumstances, binary: str, thumbnail: r4.Binary | None) -> r4.Attachment:
    attachment = r4.Attachment(
        contentType=taken.media_type,
        url=f"/fhir/Binary/{binary}",
        size=taken.blob.size if taken.blob.size < 2**31 else None,
        title=at.title or taken.name,
        creation=at.now,
    )
    if thumbnail is not None:
        attachment.extension = [r4.Extension(url=THUMBNAIL, valueUrl=f"/fhir/Binary/{thumbnail.id}")]
    return attachment


def _media(taken: Taken, at: Circumstances, attachment: r4.Attachment, new_id: str) -> r4.Media:
    system = "http://terminology.hl7.org/CodeSystem/media-type"
    media = r4.Media(
        status="completed",
        type=r4.CodeableConcept(coding=[r4.Coding(system=system, code="image", display="Image")]),
        subject=r4.Reference(reference=at.patient),
        encounter=r4.Reference(reference=at.encounter) if at.encounter else None,
        createdDateTime=at.now,
        issued=at.now,
        operator=r4.Reference(reference=at.author),
        height=taken.height,
        width=taken.width,
        content=attachment,
        extension=_facility(at),
    )
    media.id = new_id
    return media


def _facility(at: Circumstances) -> list[r4.Extension] | None:
    """Media and ImagingStudy have no element for who keeps them."""
    return [r4.Extension(url=FACILITY, valueReference=at.facility)] if at.facility else None


def _document(at: Circumstances, attachment: r4.Attachment, new_id: str) -> r4.DocumentReference:
    document = r4.DocumentReference(
        status="current",
        subject=r4.Reference(reference=at.patient),
        date=at.now,
        author=[r4.Reference(reference=at.author)],
        custodian=at.facility,
        description=at.title or None,
        content=[r4.DocumentReferenceContent(attachment=attachment)],
    )
    if at.encounter:
        document.context = r4.DocumentReferenceContext(encounter=[r4.Reference(reference=at.encounter)])
    document.id = new_id
    return document


def _instance(dicom: DicomSummary, at: Circumstances, attachment: r4.Attachment, new_id: str) -> r4.DocumentReference:
    """The file of one instance: found by its SOP instance UID, as `identifier=urn:ietf:rfc:3986|urn:oid:…`."""
    document = _document(at, attachment, new_id)
    document.masterIdentifier = _oid("urn:ietf:rfc:3986", dicom.instance_uid)
    coding = r4.Coding(system=_LOINC, code="18748-4", display="Diagnostic imaging study")
    document.type = r4.CodeableConcept(coding=[coding])
    return document


def _oid(system: str, uid: str) -> r4.Identifier:
    return r4.Identifier(system=system, value=f"urn:oid:{uid}")


def imaging_study(dicom: DicomSummary, at: Circumstances, new_id: str) -> r4.ImagingStudy:
    """ImagingStudy of the first instance of a study; more are added by `joined`."""
    modality = r4.Coding(system=_DCM, code=dicom.modality)
    study = r4.ImagingStudy(
        identifier=[_oid("urn:dicom:uid", dicom.study_uid)],
        status="available",
        subject=r4.Reference(reference=at.patient),
        encounter=r4.Reference(reference=at.encounter) if at.encounter else None,
        started=dicom.started or None,
        modality=[modality],
        description=dicom.study_description or at.title or None,
        numberOfSeries=1,
        numberOfInstances=1,
        series=[_series(dicom, modality)],
        extension=_facility(at),
    )
    study.id = new_id
    return study


def _series(dicom: DicomSummary, modality: r4.Coding) -> r4.ImagingStudySeries:
    part = dicom.body_part
    return r4.ImagingStudySeries(
        uid=dicom.series_uid,
        number=dicom.series_number,
        modality=modality,
        description=dicom.series_description or None,
        bodySite=r4.Coding(display=part) if part else None,
        numberOfInstances=1,
        instance=[_study_instance(dicom)],
    )


def _study_instance(dicom: DicomSummary) -> r4.ImagingStudySeriesInstance:
    sop_class = r4.Coding(system="urn:ietf:rfc:3986", code=f"urn:oid:{dicom.sop_class or '1.2.840.10008.5.1.4.1.1.7'}")
    return r4.ImagingStudySeriesInstance(uid=dicom.instance_uid, sopClass=sop_class, number=dicom.instance_number)


def joined(study: r4.ImagingStudy, dicom: DicomSummary) -> bool:
    """Add an instance to its study in place; False when it is there already, so that a file sent twice changes nothing."""
    every = study.series = study.series or []
    series = next((one for one in every if one.uid == dicom.series_uid), None)
    if series is None:
        every.append(_series(dicom, r4.Coding(system=_DCM, code=dicom.modality)))
    else:
        instances = series.instance = series.instance or []
        if any(one.uid == dicom.instance_uid for one in instances):
            return False
        instances.append(_study_instance(dicom))
        series.numberOfInstances = len(instances)
    study.numberOfSeries = len(every)
    study.numberOfInstances = sum(len(one.instance or []) for one in every)
    if dicom.modality not in {coding.code for coding in study.modality or []}:
        study.modality = [*(study.modality or []), r4.Coding(system=_DCM, code=dicom.modality)]
    return True
