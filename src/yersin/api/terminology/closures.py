"""`$closure`: tables of what subsumes what, kept for clients by name. Source: https://hl7.org/fhir/R4/conceptmap-operation-closure.html"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from yersin.api.bulk.jobs import owner_of
from yersin.api.messages import Response
from yersin.api.operations import Asked, Input, Operation, returning
from yersin.db import Connection
from yersin.fhir.problem import problem
from yersin.guard import audit
from yersin.guard.who import Grant
from yersin.terminology import closing, intake
from yersin.terminology.closing import Closure, Subsumed
from yersin.terminology.finding import Finder
from yersin.terminology.judging import Coding

from .asking import answered

#: characters of a name
_NAME = 200


async def closure(asked: Asked) -> Response:
    """POST [base]/$closure: begin a table (name alone), add concepts, or tell again what came after a version."""
    name = asked.given.text("name")
    if len(name) > _NAME or "\0" in name:
        raise problem("value", f"A name has at most {_NAME} characters, and none of them is U+0000.", expression="name")
    codings, after = _codings(asked), _version(asked)
    if codings and after is not None:
        raise problem("invalid", "Give concept or version, not both.", expression="version")
    access = asked.request.access
    await intake.take_in(access.ground.database)
    await access.record(audit.Entry(interaction="terms", type="ConceptMap"))
    async with access.ground.database.transaction() as connection:
        kept, found = await _done(connection, owner_of(access.who), name, codings, after)
    return answered(_map(name, kept, found))


async def _done(
    connection: Connection, owner: str, name: str, codings: Sequence[Coding], after: int | None
) -> tuple[Closure, list[Subsumed]]:
    if not codings and after is None:
        return await closing.begin(connection, owner, name), []
    at, kept = Finder(connection), await closing.find(connection, owner, name)
    if after is not None:
        if after > kept.version:
            text = f"version={after}: the table {name!r} has come to {kept.version} only. Begin it anew."
            raise problem("value", text, expression="version")
        return kept, await closing.since(at, kept, after)
    grown = await closing.add(at, kept, codings)
    return grown, await closing.since(at, grown, kept.version)


def _codings(asked: Asked) -> list[Coding]:
    sent = asked.given.values.get("concept", ())
    if not all(coding.system and coding.code for coding in sent):
        raise problem("required", "A concept is a Coding with system and code.", expression="concept")
    return [Coding(system=str(coding.system), code=str(coding.code)) for coding in sent]


def _version(asked: Asked) -> int | None:
    text = asked.given.text("version")
    if text and not (text.isascii() and text.isdigit() and len(text) < 10):
        raise problem("value", f"version={text[:40]}: give a version that $closure has answered.", expression="version")
    return int(text) if text else None


def _map(name: str, kept: Closure, found: Sequence[Subsumed]) -> dict[str, Any]:
    """A ConceptMap: each concept with those that subsume it."""
    groups = [
        {"source": url, "target": url, "element": [_element(code, list(some)) for code, some in groupby(of, _below)]}
        for url, of in groupby(found, lambda each: each.url)
    ]
    made = datetime.now(UTC).isoformat(timespec="seconds")
    told = {"resourceType": "ConceptMap", "version": str(kept.version), "name": name, "status": "active", "date": made}
    return {**told, "group": groups} if groups else told


def _below(each: Subsumed) -> str:
    return each.below


def _element(code: str, found: Sequence[Subsumed]) -> dict[str, Any]:
    return {"code": code, "target": [{"code": each.above, "equivalence": "subsumes"} for each in found]}


OPERATIONS: Sequence[Operation] = (
    Operation(
        name="closure",
        definition="http://hl7.org/fhir/OperationDefinition/ConceptMap-closure",
        title="Which concepts of a table subsume which",
        outputs=returning("ConceptMap"),
        work=closure,
        levels=frozenset({"system"}),
        grant=Grant("ConceptMap", "r"),
        affects_state=True,
        inputs=(
            Input(name="name", required=True),
            Input(name="concept", type="Coding", repeats=True),
            Input(name="version"),
        ),
    ),
)
