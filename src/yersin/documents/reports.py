"""What is told of a signature that was checked. `verifying` makes these; pages show them without loading its libraries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Covers(StrEnum):
    """How much of the file a signature answers for."""

    WHOLE = "whole-document"
    LATER_SIGNATURES = "later-signatures-only"
    ALTERED = "altered"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureReport:
    """One signature. `valid` means all of it: intact, trusted, certificate good when signed, nothing forbidden after."""

    field: str
    signer: str
    identifier: str
    title: str
    organisation: str
    reason: str
    location: str
    certificate_serial: int
    signed_at: datetime | None
    claimed_at: datetime | None
    intact: bool
    trusted: bool
    covers: Covers
    status_at_signing: str
    level: str
    findings: tuple[str, ...] = ()

    @property
    def valid(self) -> bool:
        return self.intact and self.trusted and self.covers is not Covers.ALTERED and self.status_at_signing == "good"
