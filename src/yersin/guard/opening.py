"""Opening a chart is for those who have the patient in care themselves, never for whom they asked.

What a request opens to a hospital it may not widen, prolong or pass on. Sources: Law 15/2023/QH15 art. 10
(confidentiality), Law 91/2025/QH15 (personal data: only for the purpose it was given for); docs/adr/0006-access.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from yersin.fhir import r4
from yersin.fhir.problem import problem
from yersin.store import reading
from yersin.store.identity import RowId

from . import care
from .scope import in_chart

if TYPE_CHECKING:
    from .writing import Draft, Locks, Writing

_TASK = r4.TYPE_NUMBER["Task"]
#: counts charts opened to others, or for longer, by a facility ($4) that has the patient in care by requests alone
_PASSED_ON = """
WITH c AS MATERIALIZED (SELECT pat, org, type, until FROM care WHERE pat = ANY($1::uuid[]) AND until > now())
SELECT count(*) FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS o (pat, org, until)
WHERE NOT EXISTS (SELECT FROM c WHERE c.pat = o.pat AND c.org = $4 AND c.type <> $5)
  AND NOT EXISTS (SELECT FROM c WHERE c.pat = o.pat AND c.org = o.org AND (o.org <> $4 OR c.until >= o.until))"""


async def refuse_passing_on(writing: Writing, drafts: Sequence[Draft]) -> None:
    """Refuse opening a chart, to others or for longer, by a facility that may see it only because it was asked."""
    mine = writing.access.who.organization
    if mine is None:
        return
    new = {d.write.id for d in drafts if d.type == "Patient" and d.write.op == "C"}
    rows = [row for d in drafts if d.write.pat not in new for row in _opened(d, mine)]
    if not rows:
        return
    passed_on = await writing.connection.fetchval(_PASSED_ON, *map(list, zip(*rows, strict=True)), mine, _TASK)
    if passed_on:
        text = "Your facility sees this chart because it was asked for advice; only who has the patient in care may open it further."
        raise problem("forbidden", text, status=403)


def _opened(d: Draft, mine: UUID) -> Iterator[tuple[UUID, UUID, datetime]]:
    """Charts that a change opens: whose, to whom, until when. A visit that goes on here opens by itself."""
    if in_chart(d.type) and d.patients and not d.authored:
        for found in d.care:
            if not (d.visits and found.org == mine):
                yield d.write.pat, found.org, found.until


async def refuse_widening(writing: Writing, drafts: Sequence[Draft], locked: Locks) -> None:
    """Refuse opening more of a chart than the facility that asked shares: its request limits every later version."""
    access = writing.access
    who = access.who
    for d in drafts:
        before = locked.get(d.write.key)
        if d.type != "Task" or not d.care or before is None or who.role == "system" or before.owner == who.organization:
            continue
        version = await reading.read(writing.connection, "Task", RowId(d.write.id, d.write.name), access.scope)
        task = version.resource() if version and not version.deleted else None
        limit = set(care.shared_types(task)) if isinstance(task, r4.Task) else set()
        begun = care.fresh_since(task, access.ground.zone) if isinstance(task, r4.Task) else None
        if limit and any(_is_wider(c, limit, begun) for c in d.care):
            text = "The facility that asked shares a part of this chart; only that facility may open more of it."
            raise problem("forbidden", text, status=403)


def _is_wider(found: care.Care, limit: set[str], begun: datetime | None) -> bool:
    """Whether a relationship opens types beyond a limit, or records older than those open before."""
    if not found.shares or not set(found.shares) <= limit:
        return True
    return found.fresh is not None and (begun is None or found.fresh < begun)
