"""Dead letters: what could not be told. They are listed, and replayed once the endpoint answers again.

A program sees those of its own Subscriptions; an administrator and the operator's programs see all.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from yersin.api.bulk.jobs import owner_of
from yersin.api.messages import Response
from yersin.api.operations import Asked, Input, Level, Operation, answer
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


async def listed(asked: Asked) -> Response:
    """GET [base]/Subscription/$dead-letters, [base]/Subscription/[id]/$dead-letters"""
    after = int(asked.given.text("after") or 0)
    rows = await asked.request.access.ground.database.fetch(_LIST, *_whose(asked), after, MOST)
    await asked.request.access.record(audit.Entry(interaction="list", type="Subscription"))
    return answer(r4.Parameters(parameter=[_letter(row) for row in rows] or None))


def _letter(row: Any) -> r4.ParametersParameter:
    subscription = r4.Reference(reference=f"Subscription/{row['subscription']}")
    about = r4.Reference(reference=f"{r4.TYPE_NAME[row['type']]}/{row['name']}")
    parts = [
        r4.ParametersParameter(name="number", valueString=str(row["n"])),
        r4.ParametersParameter(name="subscription", valueReference=subscription),
        r4.ParametersParameter(name="about", valueReference=about),
        r4.ParametersParameter(name="changed", valueInstant=instant(row["at"])),
        r4.ParametersParameter(name="attempts", valueInteger=row["attempts"]),
        r4.ParametersParameter(name="failure", valueString=row["note"] or "?"),
    ]
    return r4.ParametersParameter(name="letter", part=parts)


async def replayed(asked: Asked) -> Response:
    """POST [base]/Subscription/$replay, [base]/Subscription/[id]/$replay: what is current is told again."""
    texts = asked.given.texts("number")
    if any(not text.isdecimal() or len(text) > 18 for text in texts):
        raise problem("value", "number: send numbers of letters as $dead-letters names them.", expression="number")
    numbers = [int(text) for text in texts] or None
    done = await asked.request.access.ground.database.execute(_REPLAY, *_whose(asked), numbers)
    await asked.request.access.record(audit.Entry(interaction="write", type="Subscription"))
    count = int(done.rpartition(" ")[2])
    return answer(r4.Parameters(parameter=[r4.ParametersParameter(name="replayed", valueInteger=count)]))


_LEVELS: frozenset[Level] = frozenset({"type", "instance"})
OPERATIONS = (
    Operation(
        name="dead-letters",
        definition=_DEFINITION + "subscription-dead-letters",
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
        work=replayed,
        levels=_LEVELS,
        types=("Subscription",),
        inputs=(Input(name="number", repeats=True),),
        permission="subscriptions.watch",
        grant=Grant("Subscription", "u"),
        affects_state=True,
    ),
)
