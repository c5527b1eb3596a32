"""The pen that signs with the built-in test authority: a certificate for each person, made when they first sign.

Its signatures prove who wrote what in this installation and have no legal value (docs/adr on signing); an outside signing
service takes its place by another `Pen`.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from yersin.documents.authority import TestAuthority
from yersin.documents.authority_store import FolderStore
from yersin.guard.access import Ground

from .signing import CONSULTED, Signatory

DDL = """
CREATE TABLE telehealth_signer (person uuid PRIMARY KEY, serial text NOT NULL, made timestamptz NOT NULL DEFAULT now());
COMMENT ON TABLE telehealth_signer IS 'Serial number of the certificate each person signs with.';
"""
_REASONS = {CONSULTED: "Kết luận hội chẩn từ xa"}


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
        find = "SELECT serial FROM telehealth_signer WHERE person = $1::text::uuid"
        found = await database.fetchval(find, signatory.person)
        if found is None:
            issued = await asyncio.to_thread(self._issue, authority, signatory)
            keep = "INSERT INTO telehealth_signer (person, serial) VALUES ($1::text::uuid, $2) ON CONFLICT DO NOTHING"
            await database.execute(keep, signatory.person, f"{issued:x}")
            found = await database.fetchval(find, signatory.person)
        return int(found, 16)

    @staticmethod
    def _issue(authority: TestAuthority, signatory: Signatory) -> int:
        issued = authority.issue(
            name=signatory.name,
            title=signatory.title,
            organisation=signatory.organization,
            identifier=signatory.licence,
        )
        return issued.serial
