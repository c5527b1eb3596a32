"""The certificates of the test authority: names, uses and lifetimes, each signed by its issuer.

Sources: RFC 5280 (profile; 4.2.1.13 and 4.2.2.1 for the addresses), RFC 6960 4.2.2.2 (OCSP responder), RFC 3161 2.3
(time-stamping), RFC 9336 (document signing).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")
AUTHORITY = "Yersin TEST Authority (no legal value)"
_LONGEST = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a certificate may be used for."""

    authority_of: int | None = None  # the path length allowed below it; None: not an authority
    uses: tuple[x509.ObjectIdentifier, ...] = ()
    usage: tuple[str, ...] = ("digital_signature",)
    unchecked: bool = False


ROOT = Profile(authority_of=1, usage=("key_cert_sign", "crl_sign"))
ISSUING = Profile(authority_of=0, usage=("key_cert_sign", "crl_sign"))
RESPONDER = Profile(uses=(ExtendedKeyUsageOID.OCSP_SIGNING,), unchecked=True)
TIMESTAMPER = Profile(uses=(ExtendedKeyUsageOID.TIME_STAMPING,))
PERSON = Profile(
    uses=(DOCUMENT_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION),  # poppler and NSS ask for the second
    usage=("digital_signature", "content_commitment"),
)

_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Where strangers find an issuer's certificate, revocation list and status service; empty: nowhere."""

    certificate: str = ""
    crl: str = ""
    ocsp: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """A certificate, the key that signs for it, and where its own papers are published."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey
    published: Published = Published()


def authority_name(common_name: str) -> x509.Name:
    """Return the subject of one of the authority's own certificates."""
    return _name({NameOID.COUNTRY_NAME: "VN", NameOID.ORGANIZATION_NAME: AUTHORITY, NameOID.COMMON_NAME: common_name})


def person_name(name: str, title: str, organisation: str, identifier: str) -> x509.Name:
    """Return the subject of a signer; `identifier` (licence or staff number) tells people of one name apart."""
    return _name(
        {
            NameOID.COUNTRY_NAME: "VN",
            NameOID.ORGANIZATION_NAME: organisation,
            NameOID.ORGANIZATIONAL_UNIT_NAME: AUTHORITY,
            NameOID.TITLE: title,
            NameOID.COMMON_NAME: name,
            NameOID.SERIAL_NUMBER: identifier,
        }
    )


def _name(parts: dict[x509.ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(kind, _short(text, kind)) for kind, text in parts.items() if text])


def _short(text: str, kind: x509.ObjectIdentifier) -> str:
    in_bytes = kind == NameOID.COMMON_NAME  # the library counts bytes there, RFC 5280 letters everywhere
    while (len(text.encode()) if in_bytes else len(text)) > _LONGEST:
        text = text.removesuffix("…")[:-1] + "…"
    return text


def certify(
    subject: x509.Name,
    key: rsa.RSAPublicKey,
    issuer: Issuer | rsa.RSAPrivateKey,
    profile: Profile,
    *,
    serial: int,
    validity: tuple[datetime, datetime],
) -> x509.Certificate:
    """Return a certificate; an issuer that is a bare key makes it self-signed."""
    signing = issuer.key if isinstance(issuer, Issuer) else issuer
    name = issuer.certificate.subject if isinstance(issuer, Issuer) else subject
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=name, public_key=key, serial_number=serial)
    builder = builder.not_valid_before(validity[0]).not_valid_after(validity[1])
    for extension, critical in _extensions(key, signing.public_key(), profile):
        builder = builder.add_extension(extension, critical)
    if isinstance(issuer, Issuer):
        for address in _addresses(issuer.published, profile):
            builder = builder.add_extension(address, critical=False)
    return builder.sign(signing, hashes.SHA256())


def _extensions(
    key: rsa.RSAPublicKey, issuer: rsa.RSAPublicKey, profile: Profile
) -> list[tuple[x509.ExtensionType, bool]]:
    authority = profile.authority_of is not None
    found: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=authority, path_length=profile.authority_of), True),
        (x509.KeyUsage(**{usage: usage in profile.usage for usage in _USAGES}), True),
        (x509.SubjectKeyIdentifier.from_public_key(key), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer), False),
    ]
    if profile.uses:  # RFC 3161 wants its one use critical
        found.append((x509.ExtendedKeyUsage(profile.uses), profile is TIMESTAMPER))
    if profile.unchecked:
        found.append((x509.OCSPNoCheck(), False))
    return found


def _addresses(published: Published, profile: Profile) -> list[x509.ExtensionType]:
    """Where to ask about a certificate; nobody asks about a responder that says it needs no check."""
    asked = "" if profile.unchecked else published.ocsp
    services = (
        (AuthorityInformationAccessOID.OCSP, asked),
        (AuthorityInformationAccessOID.CA_ISSUERS, published.certificate),
    )
    named = [x509.AccessDescription(kind, x509.UniformResourceIdentifier(url)) for kind, url in services if url]
    found: list[x509.ExtensionType] = [x509.AuthorityInformationAccess(named)] if named else []
    if published.crl and not profile.unchecked:
        place = [x509.UniformResourceIdentifier(published.crl)]
        found.append(x509.CRLDistributionPoints([x509.DistributionPoint(place, None, None, None)]))
    return found


def years(start: datetime, count: int) -> tuple[datetime, datetime]:
    """Return a validity that begins five minutes early, so that a clock slightly behind accepts it."""
    return start - timedelta(minutes=5), start + timedelta(days=365 * count)
