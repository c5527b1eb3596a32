"""What the registry shows administrators on the first page: accounts and who is signed in, of their facility or of all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from yersin.guard.access import Access
from yersin.web.shell import AnyRequest

_SQL = """
WITH seen AS (
  SELECT a.id, a.name, a.disabled, s.role, s.organization_name, s.seen, s.ends > now() AND s.seen > now() - interval '2 hours' AS open
  FROM account a LEFT JOIN LATERAL (
    SELECT * FROM session WHERE account = a.id AND ($1::text IS NULL OR organization_id = $1) ORDER BY seen DESC LIMIT 1) s ON true
  WHERE $1::text IS NULL OR a.organization_id = $1 OR s.account IS NOT NULL)
SELECT count(*) AS accounts, count(*) FILTER (WHERE disabled) AS disabled, count(*) FILTER (WHERE open) AS signed_in,
  count(*) FILTER (WHERE seen IS NULL) AS never,
  (SELECT count(DISTINCT f.name) FROM login_failure f JOIN seen USING (name) WHERE f.at > now() - interval '1 day') AS failing
FROM seen
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """Accounts in numbers. `place` is empty where they are those of the whole system."""

    accounts: int
    disabled: int
    signed_in: int
    never: int
    failing: int
    place: str


async def accounts(_request: AnyRequest, access: Access) -> Accounts:
    """Count accounts: all for the administrator of the system, else those that have worked at one's own facility."""
    access.require("account.write")
    own: Any = None if access.who.role == "administrator" else access.who.organization_id or ""
    async with access.own_tables() as connection:
        row = await connection.fetchrow(_SQL, own)
    assert row is not None  # noqa: S101 - a count always gives a row
    return Accounts(**dict(row), place=access.facility_name if own is not None else "")
