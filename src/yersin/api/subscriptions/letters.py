"""Dead letters: what could not be told. They are listed, and replayed once the endpoint answers again.

A program sees those of its own Subscriptions; an administrator and the operator's programs see all.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from yersin.api.bulk.jobs import owner_of
from yersin.api.messages import Response
from yersin.api.operations import Asked, Input, Level, Operation, answer, returning
from yersin.db import Database
from yersin.fhir import r4
from yersin.fhir.problem import problem
from yersin.guard import audit
from yersin.guard.who import Grant
from yersin.store.identity import row_id
from yersin.store.versions import instant

#: letters of one answer
MOST = 200
_DEFINITION = "urn:yersin:operation-definition:"
_LIST = """
SELECT d.n, s.name AS subscription, d.type, d.name, d.at, d.attempts, d.note FROM subscription_delivery d
JOIN subscription s ON s.id = d.subscription WHERE d.dead AND ($1::text IS NULL OR s.owner = $1)
AND ($2::uuid IS NULL OR s.id = $2) AND d.n > $3 ORDER BY d.n LIMIT $4
"""
_REPLAY = """
UPDATE subscription_delivery AS d SET dead = false, attempts = 0, due = now(), ver = NULL FROM subscription s
WHERE s.id = d.subscription AND d.dead AND ($1::text IS NULL OR s.owner = $1) AND ($2::uuid IS NULL OR s.id = $2)
AND ($3::bigint[] IS NULL OR d.n = ANY($3))
"""


def _whose(asked: Asked) -> tuple[str | None, UUID | None]:
    """Whose letters are meant (None: everybody's), and of which Subscription (None: of all)."""
    who = asked.request.access.who
    everybody = who.scopes is None or who.is_granted("*", "u")
    return None if everybody else owner_of(who), row_id("Subscription", asked.id).id if asked.id else None


class Letter(NamedTuple):
    """What could not be told: of which Subscription, about what, how often it was tried and how the last call failed."""

    n: int
    subscription: str
    type: str
    id: str
    at: datetime
    attempts: int
    note: str


async def dead(
    database: Database, owner: str | None = None, subscription: UUID | None = None, after: int = 0
) -> list[Letter]:
    """Dead letters in their order, from a number on; of one owner, of one Subscription."""
    rows = await database.fetch(_LIST, owner, subscription, after, MOST)
    return [
        Letter(r["n"], r["subscription"], r4.TYPE_NAME[r["type"]], r["name"], r["at"], r["attempts"], r["note"] or "?")
        for r in rows
    ]


async def revive(
    database: Database, owner: str | None = None, subscription: UUID | None = None, numbers: Sequence[int] | None = None
) -> int:
    """Let letters be told anew, as their resources then stand; returns how many."""
    done = await database.execute(_REPLAY, owner, subscription, numbers)
    return int(done.rpartition(" ")[2])


async def listed(asked: Asked) -> Response:
    """GET [base]/Subscription/$dead-letters, [base]/Subscription/[id]/$dead-letters"""
    access = asked.request.access
    letters = await dead(access.ground.database, *_whose(asked), int(asked.given.text("after") or 0))
    await access.record(audit.Entry(interaction="list", type="Subscription"))
    return answer(r4.Parameters(parameter=[_shown(letter) for letter in letters] or None))


def _shown(letter: Letter) -> r4.ParametersParameter:
    parts = [
        r4.ParametersParameter(name="number", valueString=str(letter.n)),
        r4.ParametersParameter(
            name="subscription", valueReference=r4.Reference(reference=f"Subscription/{letter.subscription}")
        ),
        r4.ParametersParameter(name="about", valueReference=r4.Reference(reference=f"{letter.type}/{letter.id}")),
        r4.ParametersParameter(name="changed", valueInstant=instant(letter.at)),
        r4.ParametersParameter(name="attempts", valueInteger=letter.attempts),
        r4.ParametersParameter(name="failure", valueString=letter.note),
    ]
    return r4.ParametersParameter(name="letter", part=parts)


async def replayed(asked: Asked) -> Response:
    """POST [base]/Subscription/$replay, [base]/Subscription/[id]/$replay: what is current is told again."""
    texts, access = asked.given.texts("number"), asked.request.access
    if any(not text.isdecimal() or len(text) > 18 for text in texts):
        raise problem("value", "number: send numbers of letters as $dead-letters names them.", expression="number")
    count = await revive(access.ground.database, *_whose(asked), [int(text) for text in texts] or None)
    await access.record(audit.Entry(interaction="write", type="Subscription"))
    return answer(r4.Parameters(parameter=[r4.ParametersParameter(name="replayed", valueInteger=count)]))


_LEVELS: frozenset[Level] = frozenset({"type", "instance"})
OPERATIONS = (
    Operation(
        name="dead-letters",
        definition=_DEFINITION + "subscription-dead-letters",
        title="What could not be told",
        outputs=returning("Parameters"),
        work=listed,
        levels=_LEVELS,
        types=("Subscription",),
        inputs=(Input(name="after", type="unsignedInt"),),
        permission="subscriptions.watch",
        grant=Grant("Subscription", "r"),
    ),
    Operation(
        name="replay",
        definition=_DEFINITION + "subscription-replay",
        title="Tell anew what could not be told",
        outputs=(Input(name="replayed", type="integer", required=True),),
        work=replayed,
        levels=_LEVELS,
        types=("Subscription",),
        inputs=(Input(name="number", repeats=True),),
        permission="subscriptions.watch",
        grant=Grant("Subscription", "u"),
        affects_state=True,
    ),
)
