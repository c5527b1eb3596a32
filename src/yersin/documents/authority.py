"""The built-in TEST certification authority: root, issuing authority, OCSP responder and time-stamp authority.

Its signatures prove integrity and origin inside one installation and have no legal value: every certificate says so.
Real authorities take its place behind `documents.signer`. Keys are made at first use and stored wrapped by the caller's key.
Certificates name the addresses of `documents.public_routes`; those made before they did, or under another address, stay valid.
Sources: RFC 5280, RFC 6960, RFC 3161.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

from yersin.documents import certificates
from yersin.documents.authority_store import AuthorityStore
from yersin.documents.certificates import Issuer, Published, certify, years
from yersin.documents.timestamps import TimestampAuthority
from yersin.fhir.problem import Problem, problem

AUTHORITY_BITS, PERSON_BITS = 3072, 2048
_DER = serialization.Encoding.DER
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
OCSP, TIMESTAMPS = "/pki/ocsp", "/pki/tsa"
ISSUING_CERTIFICATE, ISSUING_LIST = "/pki/issuing.cer", "/pki/issuing.crl"
ROOT_CERTIFICATE, ROOT_LIST = "/pki/root.cer", "/pki/root.crl"
REASONS = tuple(reason.value for reason in x509.ReasonFlags if reason.value != "removeFromCRL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A signer's new certificate (DER) and wrapped key (PKCS#8 under the caller's wrapping)."""

    serial: int
    certificate: bytes
    wrapped_key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How a certificate stands now: `good`, `revoked` or `unknown`."""

    state: str
    revoked_at: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Whom a certificate names, and how long it lasts."""

    name: str
    organisation: str
    identifier: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSigner:
    """A signer whose key the test authority holds. Implements `documents.signer.Signer`."""

    certificate: bytes
    chain: tuple[bytes, ...]
    trust: TestAuthority
    wrapped_key: bytes

    def sign_digest(self, digest: bytes, algorithm: str) -> bytes:
        key = self.trust.unwrapped(self.wrapped_key)
        return key.sign(digest, padding.PKCS1v15(), utils.Prehashed(_HASHES[algorithm]))


def _now() -> datetime:
    return datetime.now(UTC)


class TestAuthority:
    """The authority over a store. `wrap` and `unwrap` encrypt its keys at rest. Thread-safe; implements `TrustService`.

    `address` is where the public reaches this server; new certificates name their status services under it.
    """

    __test__ = False  # the word Test is not pytest's here

    def __init__(
        self,
        store: AuthorityStore,
        *,
        wrap: Callable[[bytes], bytes],
        unwrap: Callable[[bytes], bytes],
        clock: Callable[[], datetime] = _now,
        address: str = "",
    ) -> None:
        self._store, self._wrap, self._unwrap, self._clock = store, wrap, unwrap, clock
        at_root, at_issuing = _published(address)
        with store.exclusive():
            root = self._own("root", "Yersin TEST Root CA", None, certificates.ROOT)
            self._root = replace(root, published=at_root)
            issuing = self._own("issuing", "Yersin TEST Issuing CA", self._root, certificates.ISSUING)
            self._issuing = replace(issuing, published=at_issuing)
            self._responder = self._own("ocsp", "Yersin TEST OCSP Responder", self._issuing, certificates.RESPONDER)
            stamper = self._own("tsa", "Yersin TEST Time-Stamp Authority", self._issuing, certificates.TIMESTAMPER)
        self._stamper = TimestampAuthority(
            issuer=stamper, chain=self.chain(), clock=clock, serial=x509.random_serial_number
        )

    def trust_root(self) -> bytes:
        return self._root.certificate.public_bytes(_DER)

    def timestamper(self) -> bytes:
        """Return the time-stamp authority's certificate."""
        return self._stamper.issuer.certificate.public_bytes(_DER)

    def chain(self) -> tuple[bytes, ...]:
        """Return the issuing certificate, which every signer's chain consists of."""
        return (self._issuing.certificate.public_bytes(_DER),)

    def issue(
        self,
        *,
        name: str,
        title: str,
        organisation: str,
        identifier: str,
        validity: tuple[datetime, datetime] | None = None,
    ) -> Issued:
        """Make a key and certificate for a person; `identifier` is the licence or staff number. Three years if not said."""
        if not name.strip() or not identifier.strip():
            raise problem(
                "required", "Chứng thư cần họ tên và mã người ký. | A certificate needs a name and an identifier."
            )
        serial, key = self._store.allocate_serial(), _new_key(PERSON_BITS)
        certificate = certify(
            certificates.person_name(name, title, organisation, identifier),
            key.public_key(),
            self._issuing,
            certificates.PERSON,
            serial=serial,
            validity=validity or years(self._clock(), 3),
        )
        issued = Issued(serial=serial, certificate=certificate.public_bytes(_DER), wrapped_key=self._wrapped(key))
        self._store.put(f"key-{serial:x}", issued.wrapped_key)
        self._store.put(f"certificate-{serial:x}", issued.certificate)
        return issued

    def signer(self, serial: int) -> LocalSigner:
        """Return the signer of an issued certificate."""
        certificate, key = self._store.get(f"certificate-{serial:x}"), self._store.get(f"key-{serial:x}")
        if certificate is None or key is None:
            raise problem("not-found", f"Không có chứng thư số {serial:x}. | No certificate {serial:x}.", status=404)
        return LocalSigner(certificate=certificate, chain=self.chain(), trust=self, wrapped_key=key)

    def holder(self, serial: int) -> Holder:
        """Return whom an issued certificate names. Raises Problem (not-found)."""
        raw = self._store.get(f"certificate-{serial:x}")
        if raw is None:
            raise problem("not-found", f"Không có chứng thư số {serial:x}. | No certificate {serial:x}.", status=404)
        certificate = x509.load_der_x509_certificate(raw)
        named = {part.oid: str(part.value) for part in certificate.subject}
        return Holder(
            name=named.get(NameOID.COMMON_NAME, ""),
            organisation=named.get(NameOID.ORGANIZATION_NAME, ""),
            identifier=named.get(NameOID.SERIAL_NUMBER, ""),
            until=certificate.not_valid_after_utc,
        )

    def unwrapped(self, wrapped: bytes) -> rsa.RSAPrivateKey:
        """Return a private key in memory; a wrong wrapping key is refused in plain words."""
        with _opening():
            key = serialization.load_der_private_key(self._unwrap(wrapped), password=None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise _unopened()
        return key

    def revoke(self, serial: int, reason: str, at: datetime) -> None:
        """Revoke for good; the first revocation counts. `reason` is one of RFC 5280's, such as `keyCompromise`."""
        if reason not in REASONS:
            raise problem(
                "value", f"Lý do thu hồi phải là một trong: {', '.join(REASONS)}. | Unknown reason {reason!r}."
            )
        if self.status(serial, at).state == "unknown":
            raise problem("not-found", f"Không có chứng thư số {serial:x}. | No certificate {serial:x}.", status=404)
        record = json.dumps({"at": at.astimezone(UTC).isoformat(), "reason": reason})
        self._store.add(f"revoked-{serial:x}", record.encode())

    def status(self, serial: int, at: datetime | None = None) -> Status:
        """Return how a certificate stands, or stood at a moment."""
        record = self._store.get(f"revoked-{serial:x}")
        if record is not None:
            plain = json.loads(record)
            revoked = datetime.fromisoformat(plain["at"])
            if at is None or revoked <= at:
                return Status(state="revoked", revoked_at=revoked, reason=plain["reason"])
        return Status(state="good" if self._knows(serial) else "unknown")

    def ocsp_response(self, request: bytes) -> bytes:
        """Answer an OCSP request for one certificate of the issuing authority (RFC 6960)."""
        try:
            wanted = ocsp.load_der_ocsp_request(request)
            algorithm = wanted.hash_algorithm
        except (ValueError, NotImplementedError):
            return _refused(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
        if wanted.issuer_key_hash != _key_hash(self._issuing.certificate, algorithm):
            return _refused(ocsp.OCSPResponseStatus.UNAUTHORIZED)
        return self._answered(wanted).public_bytes(_DER)

    def timestamp_response(self, request: bytes) -> bytes:
        """Answer a time-stamp request (RFC 3161)."""
        return self._stamper.respond(request)

    def crl(self) -> bytes:
        """Return the issuing authority's revocation list."""
        return self._crl(
            self._issuing, [int(name.removeprefix("revoked-"), 16) for name in self._store.names("revoked-")]
        )

    def crls(self) -> tuple[bytes, ...]:
        """Return the issuing authority's list and the root's."""
        return self.crl(), self._crl(self._root, [])

    def _answered(self, wanted: ocsp.OCSPRequest) -> ocsp.OCSPResponse:
        now, status = self._clock().replace(microsecond=0), self.status(wanted.serial_number, self._clock())
        builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
            issuer_name_hash=wanted.issuer_name_hash,
            issuer_key_hash=wanted.issuer_key_hash,
            serial_number=wanted.serial_number,
            algorithm=wanted.hash_algorithm,
            cert_status=ocsp.OCSPCertStatus[status.state.upper()],
            this_update=now,
            next_update=now + timedelta(days=1),
            revocation_time=status.revoked_at,
            revocation_reason=x509.ReasonFlags(status.reason) if status.reason else None,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, self._responder.certificate)
        builder = builder.certificates([self._responder.certificate])
        for extension in wanted.extensions:
            if isinstance(extension.value, x509.OCSPNonce):
                builder = builder.add_extension(extension.value, critical=False)
        return builder.sign(self._responder.key, hashes.SHA256())

    def _crl(self, issuer: Issuer, serials: list[int]) -> bytes:
        now = self._clock().replace(microsecond=0)
        builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
        builder = builder.last_update(now).next_update(now + timedelta(days=7))
        builder = builder.add_extension(x509.CRLNumber(int(now.timestamp())), critical=False)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
        builder = builder.add_extension(identifier, critical=False)
        for serial in serials:
            status = self.status(serial, now)
            if status.revoked_at is not None:
                builder = builder.add_revoked_certificate(_entry(serial, status.revoked_at, status.reason))
        return builder.sign(issuer.key, hashes.SHA256()).public_bytes(_DER)

    def _knows(self, serial: int) -> bool:
        return self._store.get(f"certificate-{serial:x}") is not None

    def _own(self, name: str, title: str, issuer: Issuer | None, profile: certificates.Profile) -> Issuer:
        stored, key = self._store.get(f"{name}.certificate"), self._store.get(f"{name}.key")
        if stored is not None and key is not None:
            return Issuer(certificate=x509.load_der_x509_certificate(stored), key=self.unwrapped(key))
        return self._founded(name, title, issuer, profile)

    def _founded(self, name: str, title: str, issuer: Issuer | None, profile: certificates.Profile) -> Issuer:
        key, serial = (
            _new_key(AUTHORITY_BITS if profile.authority_of is not None else PERSON_BITS),
            self._store.allocate_serial(),
        )
        certificate = certify(
            certificates.authority_name(title),
            key.public_key(),
            issuer or key,
            profile,
            serial=serial,
            validity=years(self._clock(), 20 if issuer is None else 19),
        )
        der = certificate.public_bytes(_DER)
        self._store.put(f"certificate-{serial:x}", der)
        self._store.put(f"{name}.key", self._wrapped(key))
        self._store.put(f"{name}.certificate", der)
        return Issuer(certificate=certificate, key=key)

    def _wrapped(self, key: rsa.RSAPrivateKey) -> bytes:
        plain = key.private_bytes(_DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return self._wrap(plain)


def _published(address: str) -> tuple[Published, Published]:
    """Return where the root's and the issuing authority's papers are."""
    if not address:
        return Published(), Published()
    return (
        Published(certificate=address + ROOT_CERTIFICATE, crl=address + ROOT_LIST),
        Published(certificate=address + ISSUING_CERTIFICATE, crl=address + ISSUING_LIST, ocsp=address + OCSP),
    )


def _new_key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def _entry(serial: int, at: datetime, reason: str) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder(serial_number=serial, revocation_date=at)
    if reason != "unspecified":  # RFC 5280 5.3.1: leave it out instead
        builder = builder.add_extension(x509.CRLReason(x509.ReasonFlags(reason)), critical=False)
    return builder.build()


def _key_hash(certificate: x509.Certificate, algorithm: hashes.HashAlgorithm) -> bytes:
    identifier = certificate.public_key().public_bytes(_DER, serialization.PublicFormat.PKCS1)
    digest = hashes.Hash(algorithm)
    digest.update(identifier)
    return digest.finalize()


def _refused(status: ocsp.OCSPResponseStatus) -> bytes:
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(_DER)


@contextmanager
def _opening() -> Iterator[None]:
    try:
        yield
    except (InvalidTag, ValueError) as failure:
        raise _unopened() from failure


def _unopened() -> Problem:
    return problem(
        "security",
        "Không mở được khóa ký: khóa bảo vệ không đúng. | The signing key could not be opened: wrong wrapping key.",
        status=500,
    )
