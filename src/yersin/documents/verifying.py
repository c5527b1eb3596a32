"""Verify the signatures of a PDF with what it carries: chains, OCSP answers, revocation lists and time-stamps.

Every signature is judged at the moment its time-stamp proves, so one stays good after its certificate expires or is revoked later.
Sources: ETSI EN 319 102-1 5.5 (validation with time), ETSI EN 319 142-1 (PAdES), ISO 32000-2 12.8.2 (permitted changes).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

from asn1crypto import cms, x509
from pyhanko.pdf_utils.misc import PdfReadError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.ades.report import AdESIndeterminate
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko.sign.validation.errors import NoDSSFoundError, SignatureValidationError
from pyhanko.sign.validation.generic_cms import extract_tst_data_iter
from pyhanko.sign.validation.pdf_embedded import (
    EmbeddedPdfSignature,
    async_validate_pdf_signature,
    async_validate_pdf_timestamp,
    collect_embedded_signatures,
)
from pyhanko.sign.validation.status import PdfSignatureStatus, SignatureCoverageLevel
from pyhanko_certvalidator.context import ValidationContext

from yersin.documents import certificate_status
from yersin.documents.certificate_status import Evidence
from yersin.documents.reports import Covers, SignatureReport
from yersin.fhir.problem import problem


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """What the document security store holds."""

    evidence: Evidence
    certificates: tuple[bytes, ...]


def verify(pdf: bytes, trust: Sequence[bytes]) -> list[SignatureReport]:
    """Report on every signature in the order they were made; `trust` holds root certificates, DER. Blocks."""
    with _reading():
        reader = PdfFileReader(BytesIO(pdf))
        found = collect_embedded_signatures(reader)
        return asyncio.run(_reports(found, _kept(reader), trust))  # damage may show only where it is read


async def _reports(found: list[EmbeddedPdfSignature], kept: _Kept, trust: Sequence[bytes]) -> list[SignatureReport]:
    archives = [one for one in found if one.sig_object_type == "/DocTimeStamp"]
    return [
        await _report(one, kept, trust, [later for later in archives if later.signed_revision > one.signed_revision])
        for one in found
        if one.sig_object_type == "/Sig"
    ]


async def _report(
    one: EmbeddedPdfSignature, kept: _Kept, trust: Sequence[bytes], archives: list[EmbeddedPdfSignature]
) -> SignatureReport:
    proven = _stamped_at(one)
    archived = [await _archive_holds(archive, kept, trust) for archive in archives]
    at = proven or one.self_reported_timestamp
    status, findings = await _judged(one, kept, trust, at)
    stamped = bool(
        status and status.timestamp_validity and status.timestamp_validity.valid and status.timestamp_validity.trusted
    )
    if not stamped:
        findings.append(
            "Thời điểm ký không được dấu thời gian tin cậy chứng minh. | No trusted time-stamp proves when it was signed."
        )
    if archived and not all(archived):
        findings.append("Dấu thời gian lưu trữ không đúng. | An archive time-stamp is broken.")
    return SignatureReport(
        field=one.field_name,
        **_subject(one.signer_cert),
        reason=str(one.sig_object.get("/Reason", "")),
        location=str(one.sig_object.get("/Location", "")),
        certificate_serial=one.signer_cert.serial_number,
        signed_at=proven if stamped else None,
        claimed_at=one.self_reported_timestamp,
        intact=bool(status and status.intact and status.valid),
        trusted=bool(status and status.trusted) and stamped and all(archived),
        covers=_covers(status),
        status_at_signing=_certificate_status(status),
        level=_level(one, kept, archived, stamped=stamped),
        findings=tuple(findings),
    )


def _subject(certificate: x509.Certificate) -> dict[str, str]:
    native = certificate.subject.native
    return {
        "signer": str(native.get("common_name", "")),
        "identifier": str(native.get("serial_number", "")),
        "title": str(native.get("title", "")),
        "organisation": str(native.get("organization_name", "")),
    }


async def _judged(
    one: EmbeddedPdfSignature, kept: _Kept, trust: Sequence[bytes], at: datetime | None
) -> tuple[PdfSignatureStatus | None, list[str]]:
    if at is None:
        return None, ["Chữ ký không có thời điểm. | The signature carries no time."]
    moment = _context(kept, trust, at)
    try:
        status = await async_validate_pdf_signature(one, moment, ts_validation_context=_context(kept, trust, at))
    except (SignatureValidationError, ValueError) as failure:
        return None, [f"Chữ ký hỏng. | The signature is damaged: {failure}"]
    return status, _findings(status)


def _findings(status: PdfSignatureStatus) -> list[str]:
    found = []
    if not (status.intact and status.valid):
        found.append("Nội dung đã bị sửa sau khi ký. | The content was changed after signing.")
    if not status.docmdp_ok:
        found.append(
            "Có thay đổi không được phép sau khi ký. | Changes were made after signing that it does not permit."
        )
    if status.trust_problem_indic is not None:
        found.append(
            f"Chứng thư không được tin cậy. | The certificate is not trusted: {status.trust_problem_indic.standard_name}"
        )
    return found


def _covers(status: PdfSignatureStatus | None) -> Covers:
    if status is None or not status.docmdp_ok or not status.intact or status.coverage is None:
        return Covers.ALTERED
    if status.coverage is SignatureCoverageLevel.ENTIRE_FILE:
        return Covers.WHOLE
    if status.coverage is not SignatureCoverageLevel.ENTIRE_REVISION or status.modification_level is None:
        return Covers.ALTERED
    if status.modification_level is ModificationLevel.OTHER:
        return Covers.ALTERED
    upkeep = status.modification_level <= ModificationLevel.LTA_UPDATES  # proofs and archive time-stamps only
    return Covers.WHOLE if upkeep else Covers.LATER_SIGNATURES


def _certificate_status(status: PdfSignatureStatus | None) -> str:
    if status is None:
        return "unknown"
    if status.revocation_details is not None:
        return "revoked"
    if status.trust_problem_indic is None:
        return "good"
    outside = {
        AdESIndeterminate.EXPIRED,
        AdESIndeterminate.OUT_OF_BOUNDS_NO_POE,
        AdESIndeterminate.OUT_OF_BOUNDS_NOT_REVOKED,
    }
    return "out-of-validity" if status.trust_problem_indic in outside else "unknown"


def _level(one: EmbeddedPdfSignature, kept: _Kept, archived: list[bool], *, stamped: bool) -> str:
    if not stamped:
        return "B-B"
    if not kept.evidence.ocsps or one.signer_cert.dump() not in kept.certificates:
        return "B-T"
    return "B-LTA" if archived and all(archived) else "B-LT"


def _stamped_at(one: EmbeddedPdfSignature) -> datetime | None:
    token = next(extract_tst_data_iter(one.signer_info, signed=False), None)
    return _time_of(token) if token is not None else None


def _time_of(token: cms.SignedData) -> datetime:
    told: datetime = token["encap_content_info"]["content"].parsed["gen_time"].native
    return told


async def _archive_holds(archive: EmbeddedPdfSignature, kept: _Kept, trust: Sequence[bytes]) -> bool:
    at = _time_of(archive.signed_data)
    try:
        status = await async_validate_pdf_timestamp(archive, _context(kept, trust, at), skip_diff=True)
    except (SignatureValidationError, ValueError):
        return False
    return bool(status.valid and status.intact and status.trusted)


def _context(kept: _Kept, trust: Sequence[bytes], at: datetime) -> ValidationContext:
    return certificate_status.context(trust, kept.evidence, kept.certificates, at)


def _kept(reader: PdfFileReader) -> _Kept:
    try:
        store = DocumentSecurityStore.read_dss(reader)
    except NoDSSFoundError:
        return _Kept(evidence=Evidence(ocsps=(), crls=()), certificates=())
    return _Kept(
        evidence=Evidence(
            ocsps=tuple(ref.get_object().data for ref in store.ocsps),
            crls=tuple(ref.get_object().data for ref in store.crls),
        ),
        certificates=tuple(certificate.dump() for certificate in store.load_certs()),
    )


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except (
        PdfReadError,
        SignatureValidationError,
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        AttributeError,
    ) as failure:
        # what the library raises on bytes that are no PDF is not one family
        raise problem(
            "structure", f"Tệp PDF hỏng, không kiểm tra được. | The PDF is damaged: {failure}", status=422
        ) from failure
