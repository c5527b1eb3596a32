"""The pen that signs with the built-in test authority: a certificate for each person, made when they first sign.

Its signatures prove who wrote what in this installation and have no legal value (documents/README.md); an outside signing
service takes its place by another `Pen`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from yersin.documents.authority import Holder, TestAuthority
from yersin.documents.authority_store import FolderStore
from yersin.fhir.problem import problem
from yersin.guard.access import Ground

from .signing import CONSULTED, Signatory

DDL = """
CREATE TABLE telehealth_signer (
  serial text PRIMARY KEY, person uuid NOT NULL, made timestamptz NOT NULL DEFAULT now(), revoked timestamptz, reason text);
CREATE UNIQUE INDEX telehealth_signer_person ON telehealth_signer (person) WHERE revoked IS NULL;
COMMENT ON TABLE telehealth_signer IS 'Serial number of the certificate each person signs with, and of those that were revoked.';
"""
_REASONS = {CONSULTED: "Kết luận hội chẩn từ xa"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A certificate of somebody who signs here."""

    serial: str
    person: str
    made: datetime
    revoked: datetime | None
    reason: str | None
    holder: Holder


class AuthorityPen:
    """Signs for people of this installation. The authority is founded when it is first asked for anything."""

    def __init__(self, ground: Ground, folder: Path) -> None:
        self.ground = ground
        self._folder = folder
        self._founding = asyncio.Lock()
        self._authority: TestAuthority | None = None

    async def sign(self, pdf: bytes, field: str, signatory: Signatory, reason: str = "") -> bytes:
        """Sign a field, for the reason given or the customary one. Raises Problem: no certificate, field filled, not this side's turn."""
        from yersin.documents.signing import Wording, sign  # noqa: PLC0415 - the libraries of signing load with the first signature

        authority = await self.authority()
        serial = await self._serial(authority, signatory)
        words = reason or _REASONS.get(field, "Xác nhận của bên đề nghị")
        wording = Wording(reason=words, location=signatory.organization)
        signer = await asyncio.to_thread(authority.signer, serial)
        at = datetime.now(UTC)
        return await asyncio.to_thread(sign, pdf, signer, field=field, wording=wording, at=at)

    async def authority(self) -> TestAuthority:
        """Return the authority of this installation, founding it when there is none."""
        async with self._founding:
            if self._authority is None:
                self._authority = await asyncio.to_thread(self._found)
            return self._authority

    def _found(self) -> TestAuthority:
        keys = self.ground.keys
        return TestAuthority(
            FolderStore(self._folder),
            wrap=lambda plain: keys.seal("signers", plain),
            unwrap=lambda sealed: keys.open("signers", sealed),
            address=self.ground.indexer.base.removesuffix("/fhir"),
        )

    async def _serial(self, authority: TestAuthority, signatory: Signatory) -> int:
        database = self.ground.database
        find = "SELECT serial FROM telehealth_signer WHERE person = $1::text::uuid AND revoked IS NULL"
        found = await database.fetchval(find, signatory.person)
        if found is not None and authority.status(int(found, 16)).state == "revoked":
            await self._set_aside(authority, found)  # the server stopped between the authority's word and ours
            found = None
        if found is None:
            issued = await asyncio.to_thread(self._issue, authority, signatory)
            keep = "INSERT INTO telehealth_signer (person, serial) VALUES ($1::text::uuid, $2) ON CONFLICT DO NOTHING"
            await database.execute(keep, signatory.person, f"{issued:x}")
            found = await database.fetchval(find, signatory.person)
        return int(found, 16)

    async def held(self) -> list[Held]:
        """Certificates made for people of this installation, the newest first."""
        authority = await self.authority()
        rows = await self.ground.database.fetch("SELECT * FROM telehealth_signer ORDER BY made DESC, serial LIMIT 1000")
        return [
            Held(
                serial=row["serial"],
                person=str(row["person"]),
                made=row["made"],
                revoked=row["revoked"],
                reason=row["reason"],
                holder=authority.holder(int(row["serial"], 16)),
            )
            for row in rows
        ]

    async def revoke(self, serial: str, reason: str) -> None:
        """Revoke a certificate for good; what was signed before stays valid, and the next signature makes a new one.

        Raises Problem: not-found, value (no such reason).
        """
        authority = await self.authority()
        known = await self.ground.database.fetchval("SELECT true FROM telehealth_signer WHERE serial = $1", serial)
        if not known:
            raise problem("not-found", "There is no such certificate here.", status=404)
        await asyncio.to_thread(authority.revoke, int(serial, 16), reason, datetime.now(UTC))
        await self._set_aside(authority, serial)

    async def _set_aside(self, authority: TestAuthority, serial: str) -> None:
        standing = authority.status(int(serial, 16))
        await self.ground.database.execute(
            "UPDATE telehealth_signer SET revoked = $2, reason = $3 WHERE serial = $1",
            serial,
            standing.revoked_at,
            standing.reason,
        )

    @staticmethod
    def _issue(authority: TestAuthority, signatory: Signatory) -> int:
        issued = authority.issue(
            name=signatory.name,
            title=signatory.title,
            organisation=signatory.organization,
            identifier=signatory.licence,
        )
        return issued.serial
