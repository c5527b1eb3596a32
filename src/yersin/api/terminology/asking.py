"""The terminology service: what its operations share, and their list.

Everybody who is signed in may ask: code systems and value sets tell of nobody. What clients store as CodeSystem,
ValueSet and ConceptMap counts at the next question. Source: https://hl7.org/fhir/R4/terminology-service.html
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from yersin.api.messages import Response
from yersin.api.operations import Asked
from yersin.api.read import there
from yersin.fhir import encode, r4
from yersin.fhir.problem import problem
from yersin.guard import audit
from yersin.terminology import intake
from yersin.terminology.finding import Finder, Versions, split
from yersin.terminology.judging import Coding

_encode = msgspec.json.Encoder(decimal_format="number").encode
_decode = msgspec.json.Decoder().decode


@asynccontextmanager
async def finder(asked: Asked, versions: Versions | None = None) -> AsyncIterator[Finder]:
    """Lend a finder that knows all that was written until now; the question is recorded. Raises Problem for text that is none."""
    for name, values in asked.given.values.items():
        if any(isinstance(value, str) and "\0" in value for value in values):
            raise problem("value", f"{name} holds a character that no text of FHIR may hold.", expression=name)
    access = asked.request.access
    await intake.take_in(access.ground.database)
    await access.record(audit.Entry(interaction="terms", type=asked.type or None))
    async with access.ground.database.searching() as connection:
        yield Finder(connection, versions or Versions())


async def named(asked: Asked, at: Finder, kind: str, body: str) -> dict[str, Any]:
    """Find the definition that is asked about: the resource of the address, the one that was sent, or the one with a url."""
    if asked.id:
        version = there(await asked.request.access.read(kind, asked.id))
        return dict(_decode(version.json()))
    sent = asked.given.value(body)
    if sent is not None:
        return plain(sent)
    url = asked.given.text("url")
    if not url:
        text = f"Say which {kind}: give its url, send it as {body}, or ask /{kind}/[id]/${asked.request.path[-1][1:]}."
        raise problem("required", text, expression="url")
    address, version_wanted = split(url)
    found = await at.definition(
        kind, address, asked.given.text(f"{kind[0].lower()}{kind[1:]}Version") or version_wanted
    )
    if found is None:
        raise problem(
            "not-found", f"The {kind} {url} is not here. Store it, or send it as {body}.", expression="url", status=404
        )
    return dict(found)


def plain(resource: r4.Resource) -> dict[str, Any]:
    """A resource that was sent, as plain values."""
    return dict(_decode(encode(resource)))


def language(asked: Asked) -> str:
    """Language of displays: as asked for, or as the client reads."""
    said = asked.given.text("displayLanguage") or asked.request.header("accept-language").partition(",")[0]
    return said.partition(";")[0].strip().removesuffix("*")


def codings(asked: Asked, system: str, version: str) -> list[Coding]:
    """Codes that were given, in one of three ways. Raises Problem where there is none, or more than one way."""
    given = asked.given
    ways = [name for name in ("code", "coding", "codeableConcept") if given.values.get(name)]
    if len(ways) != 1:
        text = "Give one of code (with system), coding or codeableConcept" + (
            f", not {' and '.join(ways)}." if ways else "."
        )
        raise problem("required" if not ways else "invalid", text, expression=(ways or ["code"])[-1])
    if ways == ["code"]:
        return [Coding(code=given.text("code"), system=system, version=version, display=given.text("display"))]
    concept = given.value("codeableConcept")
    sent: Sequence[r4.Coding] = (concept.coding or []) if concept is not None else [given.value("coding")]
    made = [
        Coding(
            code=str(c.code or ""),
            system=str(c.system or ""),
            version=str(c.version or ""),
            display=str(c.display or ""),
        )
        for c in sent
    ]
    if not all(coding.code for coding in made):
        raise problem("required", f"A coding of {ways[0]} has no code.", expression=ways[0])
    return made


def flag(asked: Asked, name: str) -> bool:
    """Value of a boolean that is false where it was not given."""
    return asked.given.text(name) == "true"


def answered(resource: Mapping[str, Any]) -> Response:
    """Answer with a resource made of plain values."""
    return Response(body=_encode(resource))


def parameters(*parts: Mapping[str, Any]) -> Response:
    """Answer with Parameters; parts without a value are left out."""
    kept = [part for part in parts if len(part) > 1 and all(value not in ("", None) for value in part.values())]
    return answered({"resourceType": "Parameters", "parameter": kept})
