"""Who looked at a record, out of the audit: rows of one person on one day are one line, one's own views are counted.

Source: Law 91/2025/QH15 (the right to know who handles one's data); ISO 27789 (audit trails for health records).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from yersin.guard.audit import REFUSED, Recorded
from yersin.web.language import mark as N_  # noqa: N812 - gettext's customary name

DEEDS: Mapping[str, str] = {
    "read": N_("opened the record"),
    "vread": N_("opened the record"),
    "history": N_("looked at earlier versions"),
    "search": N_("opened the record"),
    "find": N_("saw the name in a list"),
    "create": N_("added to the record"),
    "update": N_("changed the record"),
    "transaction": N_("added to the record"),
    "delete": N_("removed something"),
    "audit": N_("looked at who looked"),
}
PURPOSES: Mapping[str, str] = {
    "TREAT": N_("for treatment"),
    "PATRQT": N_("at your own request"),
    "HSYSADMIN": N_("running the system"),
    "HMARKT": N_("administration"),
    "HOPERAT": N_("administration"),
    "PUBHLTH": N_("public health"),
    "ETREAT": N_("in an emergency"),
}
REFUSAL = N_("tried to open the record and was refused")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one person did on one day."""

    first: datetime
    last: datetime
    display: str
    role: str
    organization: UUID | None
    purpose: str
    deeds: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """What others did, newest first, and how often one looked oneself."""

    others: Sequence[Look]
    own: int
    own_last: datetime | None


def folded(rows: Iterable[Recorded], account: UUID | None, zone: ZoneInfo) -> Looks:
    """Fold audit rows, newest first. What the system did by itself while records were loaded is left out."""
    groups: dict[tuple[object, ...], list[Recorded]] = {}
    own: list[Recorded] = []
    for row in rows:
        if account is not None and row.account == account:
            own.append(row)
        elif row.role != "system":
            key = (row.at.astimezone(zone).date(), row.account, row.display, row.organization, row.purpose)
            groups.setdefault(key, []).append(row)
    looks = [_look(group) for group in groups.values()]
    return Looks(
        others=sorted(looks, key=lambda k: k.last, reverse=True), own=len(own), own_last=own[0].at if own else None
    )


def _look(rows: Sequence[Recorded]) -> Look:
    first = rows[-1]
    deeds = dict.fromkeys(_deed(row) for row in reversed(rows))
    if len(deeds) > 1:
        deeds.pop(DEEDS["find"], None)  # who opened it saw the name too
    return Look(
        first=first.at,
        last=rows[0].at,
        display=first.display,
        role=first.role,
        organization=first.organization,
        purpose=first.purpose,
        deeds=tuple(deeds),
    )


def _deed(row: Recorded) -> str:
    return REFUSAL if row.outcome == REFUSED else DEEDS.get(row.interaction, N_("used the record"))
