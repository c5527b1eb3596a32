"""RFC 3161 time-stamp responses.

Source: RFC 3161 2.4, RFC 5816 (ESSCertIDv2), RFC 5652 (CMS).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from asn1crypto import algos, cms, core, tsp, x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from yersin.documents.certificates import Issuer

POLICY = "1.3.6.1.4.1.32473.1.1"  # the arc that RFC 5612 reserves for documentation and examples
_SIZES = {"sha256": 32, "sha384": 48, "sha512": 64}


class _Rejection(core.Sequence):  # type: ignore[misc]  # asn1crypto is untyped
    """A TimeStampResp without a token, which asn1crypto's own type insists on."""

    _fields = [("status", tsp.PKIStatusInfo)]  # noqa: RUF012 - asn1crypto reads it so


@dataclass(frozen=True, slots=True, kw_only=True)
class TimestampAuthority:
    """The time-stamper's certificate and key, the certificates above it, and its clock."""

    issuer: Issuer
    chain: tuple[bytes, ...]
    clock: Callable[[], datetime]
    serial: Callable[[], int]

    def respond(self, request: bytes) -> bytes:
        """Answer a request; what cannot be stamped is rejected with the reason RFC 3161 names."""
        try:
            wanted = tsp.TimeStampReq.load(request, strict=True)
            refusal = _refusal(wanted)
        except (ValueError, TypeError, KeyError):
            return _rejected("bad_data_format")
        return _rejected(refusal) if refusal else self._granted(wanted)

    def _granted(self, wanted: tsp.TimeStampReq) -> bytes:
        content = self._info(wanted).dump()
        token = cms.ContentInfo({"content_type": "signed_data", "content": self._signed(content, wanted)})
        return bytes(tsp.TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": token}).dump())

    def _info(self, wanted: tsp.TimeStampReq) -> tsp.TSTInfo:
        fields = {
            "version": "v1",
            "policy": POLICY,
            "message_imprint": wanted["message_imprint"],
            "serial_number": self.serial(),
            "gen_time": self.clock().replace(microsecond=0),
            "accuracy": {"seconds": 1},
        }
        if wanted["nonce"].native is not None:
            fields["nonce"] = wanted["nonce"]
        return tsp.TSTInfo(fields)

    def _signed(self, content: bytes, wanted: tsp.TimeStampReq) -> cms.SignedData:
        own = x509.Certificate.load(self.issuer.certificate.public_bytes(serialization.Encoding.DER))
        data = {
            "version": "v3",
            "digest_algorithms": [{"algorithm": "sha256"}],
            "encap_content_info": {"content_type": "tst_info", "content": core.ParsableOctetString(content)},
            "signer_infos": [self._signer_info(content, own)],
        }
        if wanted["cert_req"].native:
            data["certificates"] = [own, *(x509.Certificate.load(certificate) for certificate in self.chain)]
        return cms.SignedData(data)

    def _signer_info(self, content: bytes, own: x509.Certificate) -> cms.SignerInfo:
        attributes = cms.CMSAttributes(
            [
                cms.CMSAttribute({"type": "content_type", "values": ["tst_info"]}),
                cms.CMSAttribute({"type": "message_digest", "values": [hashlib.sha256(content).digest()]}),
                cms.CMSAttribute({"type": "signing_certificate_v2", "values": [_signing_certificate(own)]}),
            ]
        )
        return cms.SignerInfo(
            {
                "version": "v1",
                "sid": cms.SignerIdentifier(
                    "issuer_and_serial_number", {"issuer": own.issuer, "serial_number": own.serial_number}
                ),
                "digest_algorithm": algos.DigestAlgorithm({"algorithm": "sha256"}),
                "signature_algorithm": {"algorithm": "sha256_rsa"},
                "signed_attrs": attributes,
                "signature": self.issuer.key.sign(attributes.dump(), padding.PKCS1v15(), hashes.SHA256()),
            }
        )


def _refusal(wanted: tsp.TimeStampReq) -> str:
    imprint = wanted["message_imprint"]
    algorithm = imprint["hash_algorithm"]["algorithm"].native
    if algorithm not in _SIZES:
        return "bad_alg"
    if len(imprint["hashed_message"].native) != _SIZES[algorithm]:
        return "bad_data_format"
    if wanted["req_policy"].native not in {None, POLICY}:
        return "unaccepted_policy"
    return "unaccepted_extensions" if wanted["extensions"].native else ""


def _rejected(reason: str) -> bytes:
    return bytes(_Rejection({"status": {"status": "rejection", "fail_info": {reason}}}).dump())


def _signing_certificate(own: x509.Certificate) -> tsp.SigningCertificateV2:
    return tsp.SigningCertificateV2({"certs": [{"cert_hash": hashlib.sha256(own.dump()).digest()}]})
