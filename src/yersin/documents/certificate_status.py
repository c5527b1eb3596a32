"""The status of a signer's certificate, asked of its authority before anything is signed.

Source: Decree 23/2025/ND-CP art. 15-17 (check before signing, keep the result with the signature), RFC 6960, RFC 5280.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from asn1crypto import crl as asn1_crl
from asn1crypto import ocsp as asn1_ocsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp
from pyhanko_certvalidator import CertificateValidator
from pyhanko_certvalidator.context import ValidationContext
from pyhanko_certvalidator.errors import PathBuildingError, PathValidationError, RevokedError

from yersin.documents.signer import Signer, TrustService
from yersin.fhir.problem import Problem, problem

TOLERANCE = timedelta(minutes=2)
_DER = serialization.Encoding.DER


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What proves the status of a chain at a moment: answers and lists, DER, to be kept inside the document."""

    ocsps: tuple[bytes, ...]
    crls: tuple[bytes, ...]


def check(signer: Signer, at: datetime) -> Evidence:
    """Refuse a certificate that may not sign at `at`; otherwise return the proof that it may."""
    certificate = x509.load_der_x509_certificate(signer.certificate)
    _in_time(certificate, at)
    evidence = _asked(certificate, signer, at)
    _chained(signer, evidence, at)
    return evidence


def context(trust: Sequence[bytes], evidence: Evidence, others: tuple[bytes, ...], at: datetime) -> ValidationContext:
    """Return a validation at a moment, on the given evidence alone: nothing is fetched."""
    return ValidationContext(
        trust_roots=[asn1_x509.Certificate.load(root) for root in trust],
        other_certs=[asn1_x509.Certificate.load(other) for other in others],
        ocsps=[asn1_ocsp.OCSPResponse.load(answer) for answer in evidence.ocsps],
        crls=[asn1_crl.CertificateList.load(one) for one in evidence.crls],
        moment=at,
        allow_fetching=False,
        revocation_mode="require",
        time_tolerance=TOLERANCE,
    )


def ask(trust: TrustService, certificate: x509.Certificate, issuer: x509.Certificate) -> bytes:
    """Return the authority's OCSP answer for a certificate."""
    request = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA256()).build()
    return trust.ocsp_response(request.public_bytes(_DER))


def _in_time(certificate: x509.Certificate, at: datetime) -> None:
    if at < certificate.not_valid_before_utc:
        raise _refusal("chưa có hiệu lực", "is not valid yet", "certificate-not-yet-valid")
    if at > certificate.not_valid_after_utc:
        raise _refusal("đã hết hạn", "has expired", "certificate-expired")


def _asked(certificate: x509.Certificate, signer: Signer, at: datetime) -> Evidence:
    issuer = x509.load_der_x509_certificate(signer.chain[0])
    stamper = x509.load_der_x509_certificate(signer.trust.timestamper())
    answers = [ask(signer.trust, one, issuer) for one in (certificate, stamper)]
    _good(ocsp.load_der_ocsp_response(answers[0]), certificate, at)
    return Evidence(ocsps=tuple(answers), crls=signer.trust.crls())


def _good(answer: ocsp.OCSPResponse, certificate: x509.Certificate, at: datetime) -> None:
    if answer.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        raise _refusal("không kiểm tra được trạng thái", "could not be checked", "certificate-unknown")
    if answer.serial_number != certificate.serial_number:
        raise _refusal("không kiểm tra được trạng thái", "could not be checked", "certificate-unknown")
    if abs(answer.this_update_utc - at) > TOLERANCE:
        raise clock_problem(answer.this_update_utc - at)
    if answer.certificate_status is ocsp.OCSPCertStatus.REVOKED:
        when = answer.revocation_time_utc
        raise _refusal(f"đã bị thu hồi từ {when:%d/%m/%Y}", f"was revoked on {when:%Y-%m-%d}", "certificate-revoked")
    if answer.certificate_status is ocsp.OCSPCertStatus.UNKNOWN:
        raise _refusal("không do cơ quan này cấp", "is unknown to its authority", "certificate-unknown")


def _chained(signer: Signer, evidence: Evidence, at: datetime) -> None:
    """Check the signatures of certificates, answers and lists up to the root, not only what they say."""
    own = asn1_x509.Certificate.load(signer.certificate)
    validator = CertificateValidator(
        own, validation_context=context([signer.trust.trust_root()], evidence, signer.chain, at)
    )
    try:
        asyncio.run(validator.async_validate_usage({"digital_signature"}))  # type: ignore[no-untyped-call]  # pyHanko leaves it untyped
    except RevokedError as refusal:
        raise _refusal(
            "đã bị thu hồi (hoặc cơ quan cấp bị thu hồi)", "or its issuer was revoked", "certificate-revoked"
        ) from refusal
    except (PathBuildingError, PathValidationError) as refusal:
        raise _refusal(
            "không nối được về gốc tin cậy", f"does not chain to the trusted root ({refusal})", "certificate-untrusted"
        ) from refusal


def clock_problem(skew: timedelta) -> Problem:
    """Refuse when our clock and the authority's disagree: the time of signing would be doubtful."""
    return problem(
        "conflict",
        f"Đồng hồ máy chủ lệch {abs(skew.total_seconds()):.0f} giây so với cơ quan chứng thực; hãy đồng bộ giờ (NTP) rồi ký lại. | "
        f"The server's clock differs from the authority's by {abs(skew.total_seconds()):.0f} seconds; synchronise it and sign again.",
        expression="clock-skew",
        status=503,
    )


def _refusal(vi: str, en: str, place: str) -> Problem:
    return problem(
        "security",
        f"Không ký được: chứng thư số {vi}. Hãy xin cấp chứng thư mới. | "
        f"Not signed: the certificate {en}. Ask for a new certificate.",
        expression=place,
        status=422,
    )
