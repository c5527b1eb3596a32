"""The FHIR API as a plain ASGI application with a router of its own.

Every request has an asker before it has a handler; problems become OperationOutcomes in one place; query strings are
never logged. Source: https://hl7.org/fhir/R4/http.html
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from msgspec import structs

from yersin.db import DatabaseFailure
from yersin.fhir import r4, xml
from yersin.fhir.problem import Problem, problem
from yersin.guard.access import Access
from yersin.guard.rates import Rates

from . import (
    binary,
    bulk,
    capability,
    cors,
    definitions,
    errors,
    everything,
    formats,
    history,
    labels,
    lasting,
    lastn,
    openapi,
    parts,
    read,
    reindexing,
    search,
    snapshots,
    subscriptions,
    terminology,
    transaction,
    validating,
    write,
)
from .audit_events import read_audit, search_audit
from .messages import Handler, Request, Response
from .operations import OURS, Operation, Operations
from .talking import Talk, gathered

Asker = Callable[[str, Mapping[bytes, bytes], str], Awaitable[Access]]
log = logging.getLogger("yersin.api")
#: longer bodies are changed beside the loop that serves everybody
_ASIDE = 256 * 1024
#: what answers with other bodies than resources
_RAW = (["Binary"], ["bulkdata"])

#: bodies longer than this are refused before they are read
BODY_LIMIT = 64 * 2**20
#: operations of this floor; those of the rooms come beside them
OWN: Sequence[Operation] = (
    *bulk.OPERATIONS,
    *everything.OPERATIONS,
    *labels.OPERATIONS,
    *lastn.OPERATIONS,
    *reindexing.OPERATIONS,
    *snapshots.OPERATIONS,
    *subscriptions.OPERATIONS,
    *terminology.OPERATIONS,
    *validating.OPERATIONS,
)


class Api:
    """`asker` finds out who asks from method, headers and address; it raises Problem when the proof is bad.

    `operations` are those of the rooms; `known` tells whether an origin is registered, `rates` how often who may ask.
    """

    def __init__(
        self,
        asker: Asker,
        base: str,
        operations: Sequence[Operation] = (),
        *,
        known: cors.Known = cors.nobody,
        rates: Rates | None = None,
    ) -> None:
        self._asker = asker
        self._base = base
        self._operations = Operations((*OWN, *operations))
        self._known = known
        self._rates = rates

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await subscriptions.serve(self._asker, scope, receive, send)
            return
        if scope["type"] != "http":
            return
        talk = Talk(gathered(scope["headers"]), (scope.get("client") or ("",))[0])
        if cors.is_foreign(talk.headers):
            talk.headers.pop(b"cookie", None)
            talk.beside += await cors.headers(self._known, talk.headers)
        response = await self._respond(scope, receive, talk)
        marked = (b"x-request-id", talk.mark)
        if isinstance(response, binary.Raw):
            raw = structs.replace(response, headers=[*response.headers, marked, *talk.beside])
            await binary.send(raw, scope["method"], send)
            return
        body, headers = response.body, [(b"content-type", talk.form.media_type), marked]
        if talk.form is not formats.PLAIN:
            body = await asyncio.to_thread(talk.form.written, body) if len(body) > _ASIDE else talk.form.written(body)
        if formats.is_packed(talk.headers, body):
            body = await asyncio.to_thread(formats.packed, body) if len(body) > _ASIDE else formats.packed(body)
            headers += [(b"content-encoding", b"gzip"), (b"vary", b"accept-encoding")]
        if response.lasts:
            headers += [(b"vary", b"accept")]
        headers += [(b"content-length", str(len(body)).encode())]
        kept = b"public, no-cache" if response.lasts else b"no-store"
        headers += [(b"cache-control", kept), (b"x-content-type-options", b"nosniff"), *response.headers]
        headers += talk.beside
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _respond(self, scope: Any, receive: Any, talk: Talk) -> Response:
        path = [part for part in scope["path"].split("/") if part][1:]
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        headers = talk.headers
        try:
            if cors.is_preflight(method, headers):
                return cors.preflight(talk.beside)
            handler = route(method, path, self._operations)
            talk.form = formats.wanted(headers, scope["query_string"], other=path[:1] in _RAW)
            query = formats.without(scope["query_string"].decode("latin-1"))
            if handler in _OPEN and (told := await self._openly(talk, path, query)):
                return lasting.unless_known(told, headers.get(b"if-none-match", b""))
            access = talk.of(await self._asker(method, headers, talk.address))
            if self._rates is not None:
                talk.spend(self._rates.spend(access.who))
            body = await _body(headers, receive) if method in ("POST", "PUT", "PATCH") else b""
            if body:
                aside = len(body) > _ASIDE
                body = (
                    await asyncio.to_thread(_read, method, path, headers, body)
                    if aside
                    else _read(method, path, headers, body)
                )
            if b"_format" in scope["query_string"]:
                headers = {**headers, b"accept": formats.JSON}
            request = Request(
                method=method,
                path=path,
                query=query,
                headers=headers,
                body=body,
                access=access,
                base=self._base,
                operations=self._operations,
            )
            return await perform(request, handler)
        except Problem as refusal:
            return errors.answer(self._counted(refusal, talk))
        except DatabaseFailure as failure:
            return errors.away(failure)
        except Exception:  # whatever failed, the client gets an OperationOutcome and the log the trace
            mark = talk.mark.decode()
            log.exception("unexpected failure in %s %s (%s)", method, "/".join(path[:1]), mark)
            text = f"Something went wrong here; it has been noted as request {mark}."
            return errors.answer(problem("exception", text, status=500))

    def _counted(self, refusal: Problem, talk: Talk) -> Problem:
        """Count a request without proof of who asks at its address; too many are refused as such."""
        if refusal.status == 401 and self._rates is not None:
            try:
                talk.spend(self._rates.spend_at(talk.address))
            except Problem as throttled:
                return throttled
        return refusal

    async def _openly(self, talk: Talk, path: Sequence[str], query: str) -> Response | None:
        """Answer what everybody may know; None where it is told to those alone who have said who they are."""
        told: Response | None
        if path == ["openapi.json"]:
            talk.form = formats.OTHER
            told = await asyncio.to_thread(openapi.answer, self._base, self._operations, dict(parse_qsl(query)))
        else:
            told = self._stated(path, query)
        if told and self._rates is not None:
            talk.spend(self._rates.spend_at(talk.address))
        return told

    def _stated(self, path: Sequence[str], query: str) -> Response | None:
        part, rest = parts.of_query("OperationDefinition" if len(path) > 1 else "CapabilityStatement", query)
        if len(path) > 1:
            told = definitions.answer(self._base, self._operations, path[1])
        else:
            mode = dict(parse_qsl(rest, keep_blank_values=True)).get("mode", "full")
            told = None if mode == "terminology" else capability.public(self._base, self._operations, mode)
        return part.of(told) if part and told else told


def _read(method: str, path: Sequence[str], headers: Mapping[bytes, bytes], body: bytes) -> bytes:
    """Body as the handlers know it. Raises Problem (415) for what is no kind that is read here."""
    body = formats.unpacked(headers, body, BODY_LIMIT)
    kind = formats.kind_of(headers.get(b"content-type", b""))
    if kind != "form" and path and path[-1] == "_search":
        text = f"A search by POST sends its parameters as application/x-www-form-urlencoded, not as {kind}."
        raise problem("not-supported", text, status=415)
    if validating.is_asked(path) and kind in ("json", "xml"):
        return body
    if kind == "xml":
        return xml.read(body)
    if method == "PATCH" or kind == "json" or (path[:1] == ["Binary"] and path[-1][0] not in "$_"):
        return body
    if kind == "form" and path and path[-1][0] in "$_":
        return body
    raise formats.refuse(kind)


async def _body(headers: Mapping[bytes, bytes], receive: Any) -> bytes:
    announced = headers.get(b"content-length", b"0")
    too_long = problem(
        "too-long", f"The body is longer than {BODY_LIMIT >> 20} MiB. Send files as attachments.", status=413
    )
    if announced.isdigit() and (len(announced) > len(str(BODY_LIMIT)) or int(announced) > BODY_LIMIT):
        raise too_long
    message = await receive()
    if message["type"] == "http.disconnect":
        raise problem("incomplete", "The body did not arrive.")
    if not message.get("more_body"):
        body: bytes = message.get("body", b"")
        return body
    parts, size = [message["body"]], len(message["body"])
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise problem("incomplete", "The body did not arrive whole.")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > BODY_LIMIT:
            raise too_long
    return b"".join(parts)


_INSTANCE: Mapping[str, Handler] = {
    "GET": read.read,
    "PUT": write.update,
    "PATCH": write.patch,
    "DELETE": write.delete,
}
_OWN_INSTANCE: Mapping[str, Mapping[str, Handler]] = {
    "AuditEvent": {**_INSTANCE, "GET": read_audit},
    "Binary": {**_INSTANCE, "GET": binary.read},
    "OperationDefinition": {**_INSTANCE, "GET": definitions.read},
}
_TYPE: Mapping[str, Handler] = {
    "GET": search.search,
    "POST": write.create,
    "PUT": write.update_where,
    "PATCH": write.patch,
    "DELETE": write.delete_where,
}
_OWN_TYPE: Mapping[str, Mapping[str, Handler]] = {"AuditEvent": {"GET": search_audit, "POST": write.create}}
#: what tells of nobody, and is told to everybody
_OPEN = frozenset({capability.metadata, definitions.read, openapi.document})
_WHOLE: Mapping[str, Handler] = {"GET": search.search_all, "POST": transaction.process}


async def perform(request: Request, handler: Handler | None = None) -> Response:
    """Do one interaction, a request of its own or an entry of a batch, and answer with the parts that are wanted."""
    # an export takes `_elements` itself: its parts are those of the files
    part, request = (None, request) if list(request.path[-1:]) == ["$export"] else parts.taken(request)
    response = await (handler or route(request.method, request.path, request.operations))(request)
    return part.of(response) if part else response


def route(method: str, path: Sequence[str], operations: Operations) -> Handler:
    """Handler of an address. Raises Problem: not-found (404) or not-supported (405)."""
    if not path:
        return _of(_WHOLE, method)
    if "\0" in "".join(path):
        raise problem("not-found", "There is nothing at this address: it holds the character U+0000.", status=404)
    if path[-1][0] == "$" and (len(path) == 1 or path[0] in r4.TYPE_NUMBER):
        return operations.handler(method, path)
    if path[0] not in r4.TYPE_NUMBER:
        if list(path) == ["_history"]:
            return _of({"GET": history.history}, method)
        if list(path) == ["_search"]:
            return _of({"POST": search.search_all}, method)
        if list(path) == ["metadata"]:
            return _of({"GET": capability.metadata}, method)
        if list(path) == ["openapi.json"]:
            return _of({"GET": openapi.document}, method)
        if path[0] == "bulkdata":
            return bulk.route(method, path)
        text = f"{path[0]} is no resource type of FHIR R4. Look at /fhir/metadata for what is here."
        raise problem("not-found", text, status=404)
    return _of_resources(method, path)


def _of_resources(method: str, path: Sequence[str]) -> Handler:
    if path[0] == "AuditEvent" and (method == "DELETE" or _is_ours(path)) and method != "GET":
        raise problem("not-supported", "The audit is read and searched; nobody changes it.", status=405)
    if path[0] == "OperationDefinition" and method != "GET" and path[-1].startswith(OURS):
        raise problem("not-supported", "This server defines its own operations; choose another id.", status=405)
    match path[1:]:
        case ["_history"]:
            return _of({"GET": history.history}, method)
        case []:
            return _of(_OWN_TYPE.get(path[0], _TYPE), method)
        case ["_search"]:
            return _of({"POST": search_audit if path[0] == "AuditEvent" else search.search}, method)
        case [_]:
            return _of(_OWN_INSTANCE.get(path[0], _INSTANCE), method)
        case [_, "_history"]:
            return _of({"GET": history.history}, method)
        case [_, "_history", _]:
            return _of({"GET": read.vread}, method)
    if len(path) in (3, 4) and (path[2] == "*" or path[2] in r4.TYPE_NUMBER) and path[3:] in ([], ["_search"]):
        return _of({"POST" if path[3:] else "GET": search.search_compartment}, method)
    raise problem("not-found", f"There is nothing at /{'/'.join(path)}.", status=404)


def _is_ours(path: Sequence[str]) -> bool:
    """Whether an address names a row of our own audit; other AuditEvents were sent by the systems they tell of."""
    return len(path) > 1 and path[1].isdecimal()


def _of(handlers: Mapping[str, Handler], method: str) -> Handler:
    if method not in handlers:
        raise errors.not_allowed(method, handlers)
    return handlers[method]
