"""What anybody may learn of a signed document: whether the file they hold is unchanged, who signed, when, and what came later.

The code printed on paper leads to less: that there is such a document, when and for whose side it was signed, nothing of the
patient. Sources: Law 20/2023/QH15 art. 22-24 (checking electronic signatures), Decree 23/2025/ND-CP art. 15-17.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from yersin.documents.authority import Status, TestAuthority
from yersin.documents.checking import Checked
from yersin.documents.reports import Covers, SignatureReport
from yersin.guard.access import Access
from yersin.telehealth.codes import JSON
from yersin.telehealth.documents.addenda import is_second
from yersin.telehealth.reading import find
from yersin.telehealth.signing import DOCUMENT_CODE, pdf_of

Verdict = Literal["unchanged", "changed", "revoked", "untrusted", "doubtful", "unsigned"]
_CODE = re.compile(r"[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}")
_MISREAD: Final = str.maketrans({"O": "0", "I": "1", "L": "1", " ": "-", "–": "-"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature and how its certificate stands now."""

    report: SignatureReport
    now: Status

    @property
    def revoked_before(self) -> bool:
        """Whether its certificate had lost its force when it was used."""
        at, revoked = self.report.signed_at or self.report.claimed_at, self.now.revoked_at
        return self.report.status_at_signing == "revoked" or bool(revoked and at and revoked <= at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A document of a code as it is kept here: its signed revisions, oldest first, and when something was added to it."""

    code: str
    addendum: bool
    revisions: tuple[bytes, ...]
    additions: tuple[datetime, ...] = ()


def readable_code(typed: str) -> str:
    """Return the code that somebody typed from paper, empty when it cannot be one. Letters easily misread are forgiven."""
    plain = typed.strip().upper().translate(_MISREAD)
    if re.fullmatch(r"[0-9A-Z]{16}", plain):
        plain = "-".join(plain[n : n + 4] for n in range(0, 16, 4))
    return plain if _CODE.fullmatch(plain) else ""


async def kept(access: Access, code: str) -> Kept | None:
    """The document of a code, read as the system; None when there is none."""
    if not code:
        return None
    found = await find(
        access, "DocumentReference", ("identifier", f"{DOCUMENT_CODE}|{code}"), ("_sort", "_lastUpdated")
    )
    if not found:
        return None
    relations = {one["code"] for one in found[0].get("relatesTo", ())}
    return Kept(
        code=code,
        addendum="appends" in relations,
        revisions=tuple(pdf_of(one) for one in found),
        additions=await _additions(access, found),
    )


async def _additions(access: Access, documents: Sequence[JSON]) -> tuple[datetime, ...]:
    names = ",".join(f"DocumentReference/{one['id']}" for one in documents)
    found = await find(access, "DocumentReference", ("relatesto", names), ("_sort", "_lastUpdated"), ("_count", "200"))
    first = [one for one in found if not is_second(one)]
    return tuple(datetime.fromisoformat(one["date"]) for one in first)


def with_status(checked: Checked, authority: TestAuthority) -> tuple[Signature, ...]:
    """Add to every signature how its certificate stands now."""
    return tuple(Signature(report=one, now=authority.status(one.certificate_serial)) for one in checked.signatures)


def verdict(signatures: Sequence[Signature]) -> Verdict:
    """Say in one word what the signatures are worth together: the worst of them decides."""
    reports = [one.report for one in signatures]
    if not reports:
        return "unsigned"
    if any(not one.intact or one.covers is Covers.ALTERED for one in reports):
        return "changed"
    if any(one.revoked_before for one in signatures):
        return "revoked"
    if any(one.now.state == "unknown" for one in signatures):
        return "untrusted"
    return "unchanged" if all(one.valid for one in reports) else "doubtful"


def place_among(pdf: bytes, document: Kept | None) -> Literal["unknown", "other", "earlier", "newest"]:
    """Say which of the revisions kept here a file is."""
    if document is None:
        return "unknown"
    if pdf not in document.revisions:
        return "other"
    return "newest" if pdf == document.revisions[-1] else "earlier"
