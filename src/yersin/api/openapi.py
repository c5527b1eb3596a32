"""The OpenAPI document of the FHIR API, made from what is there: types, search parameters, operations, definitions of R4.

`openapi.json` describes everything, `openapi.json?_type=Patient,Observation` a part that generators of clients can swallow.
Source: https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib.metadata import version
from typing import Any

import msgspec

from yersin.fhir import r4
from yersin.fhir.parameters import Parameter, epoch, parameters
from yersin.fhir.problem import problem
from yersin.search.compartment import NAMES
from yersin.search.composite import can_be_searched

from . import lasting, schemas
from .audit_events import READERS
from .messages import Request, Response
from .operations import EVERY, Input, Operation, Operations
from .search import TYPES_LIMIT

JSON = Mapping[str, Any]
_FHIR = ("application/fhir+json", "application/fhir+xml")
#: what may go wrong with any request, and when
_WRONG = {
    "400": "The request says something that cannot be done; the OperationOutcome says what and where.",
    "401": "No access token, or one that has ended.",
    "403": "The access token does not cover this.",
    "404": "There is nothing at this address.",
    "405": "This cannot be done here.",
    "406": "None of the wanted forms is spoken here.",
    "429": "Too many requests: wait as long as Retry-After says.",
    "503": "The database is away: come again after Retry-After.",
}
_WRITING = {
    "409": "Somebody else has changed this meanwhile.",
    "412": "The condition does not hold, or more than one resource matches.",
    "413": "The body is longer than 64 MiB.",
    "415": "A body of this type is not read here.",
    "422": "What would be stored breaks a rule.",
}
#: what is answered whatever the types
_ALWAYS = ("Bundle", "CapabilityStatement", "OperationOutcome", "Parameters", "Resource")
_ID = {"$ref": "#/components/parameters/id"}
_ANSWERING = [{"$ref": f"#/components/parameters/{name}"} for name in ("_format", "_pretty", "_summary", "_elements")]
_PAGING = [
    {"$ref": f"#/components/parameters/{name}"} for name in ("_count", "_sort", "_total", "_include", "_revinclude")
]
_WRITTEN = {"$ref": "#/components/parameters/Prefer"}


async def document(request: Request) -> Response:
    """GET [base]/openapi.json"""
    return answer(request.base, request.operations, dict(request.parameters()))


def answer(base: str, operations: Operations, asked: Mapping[str, str]) -> Response:
    """Answer with the document, or with the part that is about some types. Raises Problem for a type that is none."""
    named = tuple(dict.fromkeys(filter(None, asked.get("_type", "").split(","))))
    if len(named) > TYPES_LIMIT:
        raise problem("too-costly", f"_type names more than {TYPES_LIMIT} types.", expression="_type")
    for name in named:
        if name not in r4.TYPE_NUMBER:
            raise problem("value", f"_type={name[:60]}: that is no resource type of FHIR R4.", expression="_type")
    return lasting.answer(_encoded(base, operations, named, epoch()))


@lru_cache(maxsize=8)
def _encoded(base: str, operations: Operations, types: Sequence[str], _epoch: int) -> bytes:
    return msgspec.json.encode(made(base, operations, types))


def made(base: str, operations: Operations, types: Sequence[str] = ()) -> dict[str, Any]:
    """Make the document of some types; of all where none is named."""
    wanted = types or tuple(r4.TYPE_NUMBER)
    paths = _of_server(operations, wanted)
    for name in wanted:
        paths |= _of_type(name, operations)
    returned = (each.outputs[0].type for each in operations.all().values() if each.outputs)
    answered = dict.fromkeys([*wanted, *_ALWAYS, *(name for name in returned if name in r4.TYPE_NUMBER)])
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Yersin FHIR R4",
            "version": version("yersin"),
            "summary": "Health records as FHIR R4 (4.0.1).",
            "description": f"What this server does, made from what is there. The same as FHIR: {base}/metadata",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "externalDocs": {"url": "https://hl7.org/fhir/R4/http.html"},
        "servers": [{"url": base}],
        "security": [{"bearer": []}],
        "tags": [{"name": "server"}, *({"name": name} for name in wanted)],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "parameters": {**_SHARED, **_search_parameters(wanted)},
            "headers": _HEADERS,
            "responses": _responses(answered),
            "schemas": schemas.of(answered),
        },
    }


# --- addresses -------------------------------------------------------------------------------------------------------


def _of_server(operations: Operations, types: Sequence[str]) -> dict[str, Any]:
    bundle = _body("Bundle")
    searching = [{"$ref": "#/components/parameters/_type"}, *_PAGING]
    open_to_all: JSON = {"security": []}
    paths = {
        "/metadata": {
            "get": {
                **_asked("metadata", "server", "What this server can do", ok="CapabilityStatement", takes=_ANSWERING),
                **open_to_all,
            }
        },
        "/": {
            "get": _asked("search", "server", "Search several types", ok="Bundle", takes=[*searching, *_ANSWERING]),
            "post": _asked("transaction", "server", "Do a batch or a transaction", ok="Bundle", body=bundle),
        },
        "/_history": {"get": _asked("history", "server", "What changed", ok="Bundle", takes=_HISTORY)},
    }
    return {**paths, **_operations("", operations.stated("")), **_of_compartments(types)}


_HISTORY = [{"$ref": f"#/components/parameters/{name}"} for name in ("_since", "_at", "_count", "_format", "_pretty")]


def _of_compartments(types: Sequence[str]) -> dict[str, Any]:
    return {
        f"/{name}/{{id}}/{{type}}": {
            "parameters": [_ID, {"$ref": "#/components/parameters/type"}],
            "get": _asked("compartment", name, f"Search what belongs to a {name}", ok="Bundle", takes=_PAGING),
        }
        for name in NAMES
        if name in types
    }


def _of_type(name: str, operations: Operations) -> dict[str, Any]:
    audit = name == "AuditEvent"
    body = _body(name, other=name == "Binary")
    listed = [{"$ref": f"#/components/parameters/{name}.{code}"} for code in _codes(name)]
    searched = [*listed, *([{"$ref": "#/components/parameters/_count"}] if audit else [*_PAGING, *_ANSWERING])]
    condition = [{"$ref": "#/components/parameters/If-Match"}, _WRITTEN]
    paths: dict[str, Any] = {
        f"/{name}": {
            "get": _asked("search", name, f"Search {name}", ok="Bundle", takes=searched),
            "post": _asked(
                "create", name, f"Store a new {name}", ok=name, made=True, body=body,
                takes=[{"$ref": "#/components/parameters/If-None-Exist"}, _WRITTEN],
            ),
        },
        f"/{name}/{{id}}": {
            "parameters": [_ID],
            "get": _asked("read", name, f"Read a {name}", ok=name, takes=[*_KNOWN, *_ANSWERING], gone=True),
            "put": _asked("update", name, f"Store a {name} under an id", ok=name, made=True, body=body, takes=condition),
            "patch": _asked("patch", name, f"Change parts of a {name}", ok=name, body=_PATCH, takes=condition, gone=True),
        },
        f"/{name}/{{id}}/_history": {
            "parameters": [_ID],
            "get": _asked("history-instance", name, f"Versions of a {name}", ok="Bundle", takes=_HISTORY),
        },
        f"/{name}/{{id}}/_history/{{version}}": {
            "parameters": [_ID, {"$ref": "#/components/parameters/version"}],
            "get": _asked("vread", name, f"Read a version of a {name}", ok=name, takes=_ANSWERING, gone=True),
        },
        f"/{name}/_history": {"get": _asked("history-type", name, f"What changed of {name}", ok="Bundle", takes=_HISTORY)},
    }  # fmt: skip
    if not audit:
        takes = [{"$ref": "#/components/parameters/If-Match"}]
        paths[f"/{name}/{{id}}"]["delete"] = _asked("delete", name, f"Delete a {name}", ok="", takes=takes)
        paths[f"/{name}"]["delete"] = _asked("delete-where", name, "Delete what matches", ok="", takes=listed)
        where: dict[str, Any] = {"ok": name, "takes": [*listed, _WRITTEN]}
        paths[f"/{name}"]["put"] = _asked("update-where", name, "Change what matches", made=True, body=body, **where)
        paths[f"/{name}"]["patch"] = _asked("patch-where", name, "Change parts of what matches", body=_PATCH, **where)
    return {**paths, **_operations(name, operations.stated(name))}


# --- operations ------------------------------------------------------------------------------------------------------


def _operations(name: str, listed: Iterable[Operation]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for operation in listed:
        for level, of in operation.places():
            if level == "system" and not name:
                paths[f"/${operation.name}"] = _operation(operation, "server", [])
            elif name and of in (name, EVERY) and level == "type":
                paths[f"/{name}/${operation.name}"] = _operation(operation, name, [])
            elif name and of in (name, EVERY) and level == "instance":
                paths[f"/{name}/{{id}}/${operation.name}"] = _operation(operation, name, [_ID])
    return paths


def _operation(operation: Operation, tag: str, placed: Sequence[JSON]) -> dict[str, Any]:
    ok = operation.outputs[0].type if [each.name for each in operation.outputs] == ["return"] else "Parameters"
    ok = "Resource" if ok not in r4.TYPE_NUMBER else ok
    about = f"{operation.id.removeprefix('yersin-')}-{'instance' if placed else 'whole'}"
    plain = [_of_input(each) for each in operation.inputs if each.is_primitive]
    shared: dict[str, Any] = {"ok": ok, "later": operation.answers_later, "gone": bool(placed)}
    methods: dict[str, Any] = {"parameters": placed} if placed else {}
    if "GET" in operation.methods:
        own = {each.name for each in operation.inputs}
        takes = [*plain, *(each for each in _ANSWERING if each["$ref"].rpartition("/")[2] not in own)]
        methods["get"] = _asked(about, tag, operation.title, takes=takes, **shared)
    body = _body("Resource" if operation.takes_any_body else "Parameters", needed=False)
    methods["post"] = _asked(f"{about}-post", tag, operation.title, body=body, **shared)
    return methods


def _of_input(wanted: Input) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{wanted.type}"}
    if wanted.repeats:
        return {"name": wanted.name, "in": "query", "schema": {"type": "array", "items": schema}, "explode": True}
    return {"name": wanted.name, "in": "query", "required": wanted.required, "schema": schema}


# --- requests and answers --------------------------------------------------------------------------------------------


def _asked(  # noqa: PLR0913 - named one by one where an interaction is described
    about: str,
    tag: str,
    summary: str,
    *,
    ok: str,
    made: bool = False,
    gone: bool = False,
    later: bool = False,
    body: JSON | None = None,
    takes: Sequence[JSON] = (),
) -> dict[str, Any]:
    """Describe one request; `ok` is the resource in the answer, none where it is empty."""
    wrong = {**_WRONG, **(_WRITING if body or not ok else {})}
    responses = {status: {"$ref": f"#/components/responses/{status}"} for status in wrong}
    if gone:
        responses["410"] = {"$ref": "#/components/responses/410"}
    if ok:
        responses["200"] = {"$ref": f"#/components/responses/{ok}"}
        responses["304"] = {"$ref": "#/components/responses/304"}
    if made:
        responses["201"] = {"$ref": f"#/components/responses/{ok}"}
    if not ok:
        responses["204"] = {"description": "Done."}
    if later:
        responses["202"] = {"description": "Under way: Content-Location says where to look."}
    found: dict[str, Any] = {"operationId": f"{tag}.{about}", "tags": [tag], "summary": summary, "responses": responses}
    if takes:
        found["parameters"] = list(takes)
    return {**found, "requestBody": body} if body else found


def _answer(what: str, name: str) -> dict[str, Any]:
    headers = {each: {"$ref": f"#/components/headers/{each}"} for each in _HEADERS}
    content = {each: {"schema": _schema(name, each)} for each in _FHIR}
    content |= {"*/*": {}} if name == "Binary" else {}
    return {"description": what, "headers": headers, "content": content}


def _schema(name: str, form: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"} if form.endswith("json") else {"type": "string"}


def _body(name: str, *, other: bool = False, needed: bool = True) -> dict[str, Any]:
    content = {"application/fhir+json": {"schema": _schema(name, "json")}}
    return {"required": needed, "content": {**content, **({"*/*": {}} if other else {})}}


_PATCH: JSON = {
    "required": True,
    "content": {
        "application/json-patch+json": {"schema": {"$ref": "#/components/schemas/JsonPatch"}},
        "application/merge-patch+json": {"schema": {"type": "object"}},
        "application/fhir+json": {"schema": {"$ref": "#/components/schemas/Parameters"}},
    },
}


def _responses(names: Iterable[str]) -> dict[str, Any]:
    every = {**_WRONG, **_WRITING, "410": "It was deleted; its history is still there."}
    wrong = {status: _answer(text, "OperationOutcome") for status, text in sorted(every.items())}
    done = {name: _answer("Done. What is new stands at Location.", name) for name in names}
    return {**wrong, "304": {"description": "You have it already."}, **done}


_HEADERS = {
    "ETag": {"description": "Version of the resource.", "schema": {"type": "string"}},
    "Last-Modified": {"description": "When it was written.", "schema": {"type": "string"}},
    "Location": {"description": "Where what was stored is.", "schema": {"type": "string"}},
    "X-Request-Id": {"description": "Name of the request.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}},
}


def _header(name: str, text: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}


def _query(name: str, text: str, schema: JSON | None = None) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": text, "schema": schema or {"type": "string"}}


_MATCHING = [
    _header("If-None-Match", "ETag of the version you have."),
    _header("If-Modified-Since", "When you read it."),
]
_KNOWN = [{"$ref": f"#/components/parameters/{each['name']}"} for each in _MATCHING]
_SHARED: JSON = {
    "id": {"name": "id", "in": "path", "required": True, "schema": {"$ref": "#/components/schemas/id"}},
    "version": {"name": "version", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[1-9][0-9]{0,8}$"}},
    "type": {
        "name": "type", "in": "path", "required": True, "description": "A type, or * for all.",
        "schema": {"type": "string", "enum": ["*", *r4.TYPE_NUMBER]},
    },
    **{
        each["name"]: each
        for each in (
            *_MATCHING,
            _header("If-Match", 'Version you expect to change, such as W/"3".'),
            _header("If-None-Exist", "Criteria: store only where nothing matches."),
            _header("Prefer", "return=minimal, return=representation or return=OperationOutcome; handling=lenient."),
            _query("_type", "Types to search, with commas."),
            _query("_format", "json or xml; goes before Accept.", {"type": "string", "enum": ["json", "xml"]}),
            _query("_pretty", "Break lines.", {"type": "boolean"}),
            _query("_summary", "A part of each resource.", {"type": "string", "enum": ["true", "text", "data", "count", "false"]}),
            _query("_elements", "Elements wanted, with commas."),
            _query("_count", "Entries on a page.", {"type": "integer", "minimum": 0, "maximum": 1000}),
            _query("_sort", "Search parameters to sort by, with commas; - turns the order."),
            _query("_total", "How the matches are counted.", {"type": "string", "enum": ["accurate", "estimate", "none"]}),
            _query("_include", "What the matches refer to, such as Observation:subject."),
            _query("_revinclude", "What refers to the matches, such as Observation:subject."),
            _query("_since", "What was written from this moment on.", {"$ref": "#/components/schemas/instant"}),
            _query("_at", "What was current at this moment, or in this period."),
        )
    },
}  # fmt: skip


def _codes(name: str) -> list[str]:
    known = sorted(code for code, each in parameters(name).items() if can_be_searched(each) and not each.waiting)
    return [code for code in known if name != "AuditEvent" or code in READERS]


def _search_parameters(types: Sequence[str]) -> dict[str, Any]:
    return {f"{name}.{code}": _searched(parameters(name)[code]) for name in types for code in _codes(name)}


def _searched(parameter: Parameter) -> dict[str, Any]:
    return _query(parameter.code, f"{parameter.kind}: {parameter.expression}"[:300])
