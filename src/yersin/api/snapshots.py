"""`StructureDefinition/$snapshot`: a definition with all that holds for its elements, of its own and from its base.

Nothing is stored. Source: https://hl7.org/fhir/R4/structuredefinition-operation-snapshot.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from yersin.fhir import encode, parse
from yersin.fhir.problem import Issue, Problem, problem
from yersin.fhir.profiles import Library
from yersin.fhir.profiles.published import published, whole
from yersin.fhir.profiles.writing import snapshot
from yersin.guard import audit

from .messages import Response
from .operations import Asked, Input, Operation, returning
from .read import there

_TYPE = "StructureDefinition"
_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_write = msgspec.json.Encoder(decimal_format="number").encode


async def make(asked: Asked) -> Response:
    """GET or POST [base]/StructureDefinition/$snapshot and [base]/StructureDefinition/[id]/$snapshot"""
    access = asked.request.access
    await access.record(audit.Entry(interaction="validate", type=_TYPE))
    library = (await access.ground.profiling.library()).whole()
    definition = await _asked_for(asked, library)
    return Response(body=await asyncio.to_thread(filled, definition, library))


async def _asked_for(asked: Asked, library: Library) -> Mapping[str, Any]:
    """Find the definition: the one of the address, the one that was sent, or the one with a url."""
    if asked.id:
        return dict(_decode(there(await asked.request.access.read(_TYPE, asked.id)).json()))
    sent, url = asked.given.value("definition"), asked.given.text("url")
    if bool(url) is (sent is not None):
        text = f"Name a definition by its url, send it as definition, or ask /{_TYPE}/[id]/$snapshot: one of the three."
        raise problem("invalid" if url else "required", text, expression="url")
    if sent is not None:
        return dict(_decode(encode(sent)))
    found = library.find(url)
    if found is None:
        raise problem(
            "not-found", f"The definition {url} is not here. Store it, or send it.", expression="url", status=404
        )
    return whole(found["url"]) if published().get(found["url"]) is found else found


def filled(definition: Mapping[str, Any], library: Library) -> bytes:
    """Give a definition with its snapshot. Raises Problem (422) where its base is not here, or an element means nothing."""
    differential = definition.get("differential") or {}
    if not differential and not definition.get("snapshot"):
        text = "The definition says nothing of any element."
        raise problem("required", text, expression=f"{_TYPE}.differential", status=422)
    # a snapshot that came with a differential is made anew
    tree = library.made({**definition, "snapshot": {}} if differential else definition)
    if tree is None or tree.missing:
        missing = tree.missing if tree else definition.get("baseDefinition", "")
        text = f"The base {missing} is not here, so a snapshot cannot be made: store it first."
        raise problem("not-found", text, expression=f"{_TYPE}.baseDefinition", status=422)
    if tree.flaws:
        place = f"{_TYPE}.differential.element"
        raise Problem(
            [
                Issue(code="invalid", diagnostics=each.words, expression=f"{place}[{each.number}]")
                for each in tree.flaws
            ],
            status=422,
        )
    made = {**definition, "snapshot": {"element": snapshot(tree, library)}}
    return encode(parse(_write(made)))


OPERATIONS: Sequence[Operation] = (
    Operation(
        name="snapshot",
        definition="http://hl7.org/fhir/OperationDefinition/StructureDefinition-snapshot",
        work=make,
        levels=frozenset({"type", "instance"}),
        types=(_TYPE,),
        inputs=(Input(name="definition", type=_TYPE), Input(name="url")),
        title="A definition with all that holds for its elements",
        outputs=returning(_TYPE),
    ),
)
