"""The seam to certification authorities: whose key signs, and who vouches for it.

The built-in test authority implements both; a remote signing service or a PKCS#11 token implements the same two Protocols.
Sources: Decree 23/2025/ND-CP art. 15-17 (status of certificates), RFC 6960 (OCSP), RFC 3161 (time-stamps), RFC 5280 (CRL).
"""

from __future__ import annotations

from typing import Protocol


class TrustService(Protocol):
    """What a certification authority offers to those who sign and verify."""

    def trust_root(self) -> bytes:
        """Return the root certificate, DER."""
        ...

    def ocsp_response(self, request: bytes) -> bytes:
        """Answer an OCSP request (both DER)."""
        ...

    def timestamp_response(self, request: bytes) -> bytes:
        """Answer an RFC 3161 time-stamp request (both DER)."""
        ...

    def timestamper(self) -> bytes:
        """Return the time-stamp authority's certificate, DER."""
        ...

    def crls(self) -> tuple[bytes, ...]:
        """Return the current revocation lists, the root's among them, DER."""
        ...


class Signer(Protocol):
    """One person's signing key, wherever it lives."""

    @property
    def certificate(self) -> bytes:
        """The signer's certificate, DER."""
        ...

    @property
    def chain(self) -> tuple[bytes, ...]:
        """The certificates between the signer's and the root, root excluded, DER."""
        ...

    @property
    def trust(self) -> TrustService:
        """The authority that issued the certificate."""
        ...

    def sign_digest(self, digest: bytes, algorithm: str) -> bytes:
        """Sign a digest made with `algorithm` (`sha256`, `sha384`, `sha512`): RSA, PKCS#1 v1.5."""
        ...
