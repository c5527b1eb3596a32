"""PAdES signatures: B-LT while others still have to sign, B-LTA with the last one.

The first signature certifies the document and leaves only the other signature fields open; the last locks it.
Sources: ETSI EN 319 142-1 (PAdES), ISO 32000-2 12.8 (signatures, DocMDP, DSS), RFC 3161.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

from asn1crypto import algos, tsp, x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_der_x509_certificate
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.layout import AxisAlignment, InnerScaling, Margins, SimpleBoxLayoutRule
from pyhanko.pdf_utils.misc import PdfReadError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import signers
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter, enumerate_sig_fields
from pyhanko.sign.general import SigningError
from pyhanko.sign.timestamps import TimeStamper
from pyhanko.sign.validation.pdf_embedded import collect_embedded_signatures
from pyhanko.stamp import StaticStampStyle
from pyhanko_certvalidator.registry import SimpleCertificateStore

from yersin.documents import certificate_status
from yersin.documents.certificate_status import Evidence
from yersin.documents.reports import Covers
from yersin.documents.signer import Signer, TrustService
from yersin.documents.stamp import StampPage, stamp_pdf
from yersin.documents.verifying import verify
from yersin.fhir.problem import Problem, problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """What the signature says of itself: reason, place, and further lines of its visible block (`(label, text)`)."""

    reason: str
    location: str = ""
    lines: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    name: str
    width: float
    height: float
    locks: bool
    empty_left: int


def sign(pdf: bytes, signer: Signer, *, field: str, wording: Wording, at: datetime) -> bytes:
    """Return the PDF with one more signature, in the empty field named. Blocks: call it in a thread.

    Refused with a Problem: a certificate that may not sign, a field that is not there or is filled, the same person
    twice, a lock before its turn, a broken earlier signature, a clock that disagrees with the authority's.
    """
    certificate = x509.Certificate.load(signer.certificate)
    with _reading():
        place = _turn(PdfFileReader(BytesIO(pdf)), certificate, field)
    _unaltered(pdf, signer)
    evidence = certificate_status.check(signer, at)
    stamp = stamp_pdf(certificate, size=(place.width, place.height), at=at, reason=wording.reason, lines=wording.lines)
    with _reading():
        return _signed(_Work(pdf=pdf, signer=signer, place=place, evidence=evidence, at=at), wording, stamp)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    pdf: bytes
    signer: Signer
    place: _Field
    evidence: Evidence
    at: datetime

    @property
    def first(self) -> bool:
        return not collect_embedded_signatures(PdfFileReader(BytesIO(self.pdf)))

    @property
    def last(self) -> bool:
        return self.place.empty_left == 0


def _signed(work: _Work, wording: Wording, stamp: bytes) -> bytes:
    engine = signers.PdfSigner(
        _metadata(work, wording),
        signer=_Bridge(work.signer),
        timestamper=_Stamper(work.signer.trust, work.at),
        stamp_style=_style(stamp),
    )
    out = BytesIO()
    engine.sign_pdf(IncrementalPdfFileWriter(BytesIO(work.pdf)), existing_fields_only=True, output=out)
    return out.getvalue()


def _metadata(work: _Work, wording: Wording) -> signers.PdfSignatureMetadata:
    signer = work.signer
    return signers.PdfSignatureMetadata(
        field_name=work.place.name,
        md_algorithm="sha256",
        name=x509.Certificate.load(signer.certificate).subject.native.get("common_name"),
        reason=wording.reason,
        location=wording.location or None,
        subfilter=SigSeedSubFilter.PADES,
        certify=work.first,
        docmdp_permissions=MDPPerm.NO_CHANGES if work.place.locks else MDPPerm.FILL_FORMS,
        embed_validation_info=True,
        use_pades_lta=work.last,
        validation_context=certificate_status.context(
            [signer.trust.trust_root()], work.evidence, signer.chain, work.at
        ),
        signer_key_usage={"digital_signature", "non_repudiation"},
    )


def _style(stamp: bytes) -> StaticStampStyle:
    return StaticStampStyle(
        background=StampPage(stamp),
        border_width=0,
        background_layout=SimpleBoxLayoutRule(
            x_align=AxisAlignment.ALIGN_MID,
            y_align=AxisAlignment.ALIGN_MID,
            margins=Margins(0, 0, 0, 0),
            inner_content_scaling=InnerScaling.STRETCH_TO_FIT,
        ),
    )


def _turn(reader: PdfFileReader, certificate: x509.Certificate, field: str) -> _Field:
    """Return the field to fill, after everything about it and those who signed before is in order."""
    filled = collect_embedded_signatures(reader)
    if any(person(one.signer_cert) == person(certificate) for one in filled if one.sig_object_type == "/Sig"):
        raise _refused("Người này đã ký văn bản này.", "This person has already signed this document.", "signed-twice")
    empty = {name: ref.get_object() for name, _, ref in enumerate_sig_fields(reader, filled_status=False)}
    if field not in empty:
        raise _refused(
            f"Văn bản không có ô ký trống tên {field}.", f"The document has no empty signature field {field}.", "field"
        )
    locks = "/Lock" in empty[field]
    if locks and len(empty) > 1:
        others = ", ".join(sorted(set(empty) - {field}))
        raise _refused(f"Chưa đến lượt: {others} phải ký trước.", f"Not yet: {others} must sign first.", "order")
    left, bottom, right, top = (float(side) for side in empty[field]["/Rect"])
    return _Field(name=field, width=right - left, height=top - bottom, locks=locks, empty_left=len(empty) - 1)


def _unaltered(pdf: bytes, signer: Signer) -> None:
    """Nobody puts a name under what was changed after someone else signed it."""
    for report in verify(pdf, [signer.trust.trust_root()]):
        if not report.intact or report.covers is Covers.ALTERED:
            raise _refused(
                f"Văn bản đã bị sửa sau khi {report.signer} ký; không ký tiếp được.",
                f"The document was changed after {report.signer} signed it; it cannot be signed further.",
                "altered",
            )


def person(certificate: x509.Certificate) -> str:
    """Return what tells one signer from another across renewals: the identifier in the subject, else the key."""
    identifier = certificate.subject.native.get("serial_number")
    return str(identifier or hashlib.sha256(certificate.public_key.dump()).hexdigest())


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except PdfReadError as failure:
        raise _refused(
            "Tệp PDF hỏng, không ký được.", f"The PDF is damaged: {failure}", "pdf", code="structure"
        ) from failure
    except SigningError as failure:
        raise _refused("Không ký được văn bản.", f"The document could not be signed: {failure}", "pdf") from failure


def _refused(vi: str, en: str, place: str, *, code: str = "conflict") -> Problem:
    return problem(code, f"{vi} | {en}", expression=place, status=409 if code == "conflict" else 422)


class _Bridge(signers.Signer):
    """Our Signer as pyHanko's. The signature is checked against the certificate before it is used."""

    def __init__(self, signer: Signer) -> None:
        store = SimpleCertificateStore()  # type: ignore[no-untyped-call]  # pyHanko leaves it untyped
        store.register_multiple([x509.Certificate.load(one) for one in signer.chain])
        super().__init__(
            signing_cert=x509.Certificate.load(signer.certificate),
            cert_registry=store,
            signature_mechanism=algos.SignedDigestAlgorithm({"algorithm": "sha256_rsa"}),
        )
        self._signer = signer

    async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:  # noqa: FBT001, FBT002 - pyHanko's signature
        key = load_der_x509_certificate(self._signer.certificate).public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            raise _refused("Chỉ hỗ trợ khóa RSA.", "Only RSA keys are supported.", "key")
        if dry_run:
            return bytes(key.key_size // 8)
        digest = hashlib.new(digest_algorithm, data).digest()
        return _checked(key, self._signer.sign_digest(digest, digest_algorithm), digest)


def _checked(key: rsa.RSAPublicKey, signature: bytes, digest: bytes) -> bytes:
    try:
        key.verify(signature, digest, padding.PKCS1v15(), utils.Prehashed(SHA256()))
    except InvalidSignature:
        raise _refused(
            "Khóa ký không khớp với chứng thư.", "The key does not belong to the certificate.", "key", code="security"
        ) from None
    return signature


class _Stamper(TimeStamper):
    """The authority's time-stamps; a time far from ours is refused."""

    def __init__(self, trust: TrustService, at: datetime) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # pyHanko leaves it untyped
        self._trust, self._at = trust, at

    async def async_request_tsa_response(self, req: tsp.TimeStampReq) -> tsp.TimeStampResp:
        answer = self._trust.timestamp_response(req.dump())
        told = _told(answer)
        if abs(told - self._at) > certificate_status.TOLERANCE:
            raise certificate_status.clock_problem(told - self._at)
        return tsp.TimeStampResp.load(answer)  # afresh: an explored structure is encoded again, at great cost


def _told(answer: bytes) -> datetime:
    try:
        token = tsp.TimeStampResp.load(answer)["time_stamp_token"]["content"]
        told: datetime = token["encap_content_info"]["content"].parsed["gen_time"].native
    except (ValueError, KeyError, TypeError) as failure:  # a rejection carries no token
        raise problem(
            "transient",
            "Cơ quan cấp dấu thời gian từ chối; hãy thử lại. | The time-stamp authority refused; try again.",
            expression="timestamp",
            status=503,
        ) from failure
    return told
