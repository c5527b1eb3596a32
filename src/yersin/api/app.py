"""The FHIR API as a plain ASGI application with a router of its own.

Every request has an asker before it has a handler; problems become OperationOutcomes in one place; query strings are
never logged. Source: https://hl7.org/fhir/R4/http.html
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import uuid4

from msgspec import structs

from yersin.db import DatabaseFailure
from yersin.fhir import r4, xml
from yersin.fhir.problem import Problem, problem
from yersin.guard.access import Access

from . import (
    binary,
    bulk,
    capability,
    errors,
    everything,
    formats,
    history,
    labels,
    lastn,
    parts,
    read,
    reindexing,
    search,
    subscriptions,
    terminology,
    transaction,
    validating,
    write,
)
from .audit_events import read_audit, search_audit
from .messages import Handler, Request, Response
from .operations import Operation, Operations

Asker = Callable[[str, Mapping[bytes, bytes], str], Awaitable[Access]]
log = logging.getLogger("yersin.api")
_MARK = re.compile(rb"[A-Za-z0-9._:+/=\-]{1,128}").fullmatch
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
    *subscriptions.OPERATIONS,
    *terminology.OPERATIONS,
    *validating.OPERATIONS,
)


class Api:
    """`asker` finds out who asks from method, headers and address; it raises Problem when the proof is bad.

    `operations` are those of the rooms.
    """

    def __init__(self, asker: Asker, base: str, operations: Sequence[Operation] = ()) -> None:
        self._asker = asker
        self._base = base
        self._operations = Operations((*OWN, *operations))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await subscriptions.serve(self._asker, scope, receive, send)
            return
        if scope["type"] != "http":
            return
        talk = _Talk(dict(scope["headers"]))
        response = await self._respond(scope, receive, talk)
        marked = (b"x-request-id", talk.mark)
        if isinstance(response, binary.Raw):
            raw = structs.replace(response, headers=[*response.headers, marked])
            await binary.send(raw, scope["method"], send)
            return
        body, headers = response.body, [(b"content-type", talk.form.media_type), marked]
        if talk.form is not formats.PLAIN:
            body = await asyncio.to_thread(talk.form.written, body) if len(body) > _ASIDE else talk.form.written(body)
        if formats.is_packed(talk.headers, body):
            body = await asyncio.to_thread(formats.packed, body) if len(body) > _ASIDE else formats.packed(body)
            headers += [(b"content-encoding", b"gzip"), (b"vary", b"accept-encoding")]
        headers += [(b"content-length", str(len(body)).encode())]
        headers += [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"), *response.headers]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _respond(self, scope: Any, receive: Any, talk: _Talk) -> Response:
        path = [part for part in scope["path"].split("/") if part][1:]
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        headers = talk.headers
        try:
            handler = route(method, path, self._operations)
            talk.form = formats.wanted(headers, scope["query_string"], other=path[:1] in _RAW)
            query = formats.without(scope["query_string"].decode("latin-1"))
            if handler is capability.metadata and not _asks_terminology(scope):
                part, _ = parts.of_query("CapabilityStatement", query)
                return (part or parts.WHOLE).of(capability.public(self._base, self._operations))
            client = scope.get("client") or ("", 0)
            access = await self._asker(method, headers, client[0])
            talk.access = access
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
            return errors.answer(refusal)
        except DatabaseFailure as failure:
            return errors.away(failure)
        except Exception:  # whatever failed, the client gets an OperationOutcome and the log the trace
            log.exception("unexpected failure in %s %s (%s)", method, "/".join(path[:1]), talk.mark.decode())
            return errors.answer(problem("exception", "Something went wrong here; it has been noted.", status=500))


class _Talk:
    """A request and its answer as they travel: headers, the form of the answer, and who asks once that is known."""

    __slots__ = ("access", "form", "headers")

    def __init__(self, headers: Mapping[bytes, bytes]) -> None:
        self.headers = headers
        self.form = formats.PLAIN
        self.access: Access | None = None

    @property
    def mark(self) -> bytes:
        """Name of the request: the one that the client gave, else the one in the audit."""
        given = self.headers.get(b"x-request-id")
        if given and _MARK(given):
            return given
        return str(self.access.who.request if self.access else uuid4()).encode()


def _read(method: str, path: Sequence[str], headers: Mapping[bytes, bytes], body: bytes) -> bytes:
    """Body as the handlers know it. Raises Problem (415) for what is no kind that is read here."""
    body = formats.unpacked(headers, body, BODY_LIMIT)
    kind = formats.kind_of(headers.get(b"content-type", b""))
    if validating.is_asked(path) and kind in ("json", "xml"):
        return body
    if kind == "xml":
        return xml.read(body)
    if method == "PATCH" or kind == "json" or (path[:1] == ["Binary"] and path[-1][0] not in "$_"):
        return body
    if kind == "form" and path and path[-1][0] in "$_":
        return body
    raise formats.refuse(kind)


def _asks_terminology(scope: Any) -> bool:
    """Whether the other statement is wanted, which is read from the database and therefore not open to everybody."""
    return b"mode=terminology" in scope["query_string"]


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
}
_TYPE: Mapping[str, Handler] = {
    "GET": search.search,
    "POST": write.create,
    "PUT": write.update_where,
    "PATCH": write.patch,
    "DELETE": write.delete_where,
}
_OWN_TYPE: Mapping[str, Mapping[str, Handler]] = {"AuditEvent": {"GET": search_audit, "POST": write.create}}
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
    if path[-1][0] == "$" and (len(path) == 1 or path[0] in r4.TYPE_NUMBER):
        return operations.handler(method, path)
    if path[0] not in r4.TYPE_NUMBER:
        if list(path) == ["_history"]:
            return _of({"GET": history.history}, method)
        if list(path) == ["_search"]:
            return _of({"POST": search.search_all}, method)
        if list(path) == ["metadata"]:
            return _of({"GET": capability.metadata}, method)
        if path[0] == "bulkdata":
            return bulk.route(method, path)
        text = f"{path[0]} is no resource type of FHIR R4. Look at /fhir/metadata for what is here."
        raise problem("not-found", text, status=404)
    return _of_resources(method, path)


def _of_resources(method: str, path: Sequence[str]) -> Handler:
    if path[0] == "AuditEvent" and (method == "DELETE" or _is_ours(path)) and method != "GET":
        raise problem("not-supported", "The audit is read and searched; nobody changes it.", status=405)
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
        raise problem("not-supported", f"{method} is not possible here; {' and '.join(handlers)} are.", status=405)
    return handlers[method]
