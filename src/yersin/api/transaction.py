"""Batch and transaction. Source: https://hl7.org/fhir/R4/http.html#transaction

A transaction is one write: deletes, then creates, then updates; what it reads is read after. References to entries of
the bundle (by `fullUrl`) become the ids these entries get.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple
from uuid import UUID

import msgspec
from msgspec import structs

from yersin.fhir import encode, outcome, parse, r4
from yersin.fhir.problem import Issue, Problem, problem
from yersin.guard.writing import Change, Create, Delete, Update, Writing, Written
from yersin.store.identity import new_id
from yersin.store.versions import instant

from .bundles import bundle
from .conditions import existing
from .messages import Request, Response, location

#: entries of one transaction, so that no write holds its locks for long
ENTRY_LIMIT = 10_000
#: a reference or an address in JSON; a quoted name inside a string would be escaped, so it cannot be taken for one
REFERENCE = re.compile(rb'("(?:reference|url|uri|valueUri|valueUrl)"\s*:\s*")([^"\\]+)(")')


class _Request(msgspec.Struct, rename="camel"):
    method: str
    url: str
    if_match: str = ""
    if_none_exist: str = ""
    if_none_match: str = ""


class Entry(msgspec.Struct, rename="camel"):
    request: _Request | None = None
    resource: msgspec.Raw = msgspec.Raw()
    full_url: str = ""


class Envelope(msgspec.Struct, rename="camel"):
    resource_type: str
    type: str = ""
    entry: list[Entry] = []


_read = msgspec.json.Decoder(Envelope).decode


def read_bundle(body: bytes) -> Envelope:
    """Take a bundle apart without looking into its resources. Raises Problem when it is none."""
    try:
        return _read(body)
    except msgspec.ValidationError as error:
        raise problem("structure", f"The bundle cannot be read: {error}.", expression="Bundle") from error
    except msgspec.DecodeError as error:
        parse(body, expect="Bundle")
        raise problem("structure", f"The body is not JSON: {error}.") from error


class Target(NamedTuple):
    """Where an entry is going: its type and, when it is known, its id."""

    type: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An entry that changes something."""

    place: int
    method: str
    url: str
    target: Target
    raw: bytes
    full_url: str
    reserved: UUID | None = None
    if_match: int | None = None
    if_none_exist: str = ""


async def process(request: Request) -> Response:
    """POST [base]"""
    whole = read_bundle(request.body)
    if whole.resource_type != "Bundle" or whole.type not in ("batch", "transaction"):
        raise problem("invalid", "Send a Bundle whose type is batch or transaction.", expression="Bundle.type")
    if len(whole.entry) > ENTRY_LIMIT:
        raise problem(
            "too-long", f"A bundle may hold {ENTRY_LIMIT} entries; split it.", expression="Bundle.entry", status=413
        )
    run = _transaction if whole.type == "transaction" else _batch
    return Response(body=bundle(f"{whole.type}-response", await run(request, whole.entry)))


# --- transaction ---------------------------------------------------------------------------------------------------


async def _transaction(request: Request, entries: Sequence[Entry]) -> list[bytes]:
    items = [_item(n, e) for n, e in enumerate(entries) if _method(n, e) not in ("GET", "HEAD")]
    _refuse_twice(items)
    written = await request.access.atomically(lambda writing: _write(writing, items))
    answers = {i.place: _answer(request, written.get(i.place)) for i in items}
    for n, entry in enumerate(entries):
        if n not in answers:
            answers[n] = await _alone(request, n, entry)
    return [answers[n] for n in range(len(entries))]


def _method(place: int, entry: Entry) -> str:
    if entry.request is None:
        raise problem("required", "The entry says nothing of what to do.", expression=f"Bundle.entry[{place}].request")
    return entry.request.method


def _item(place: int, entry: Entry) -> Item:
    assert entry.request is not None  # noqa: S101 - for the type checker: _method has looked
    asked = entry.request
    target = _target(place, asked)
    raw = bytes(entry.resource)
    if asked.method in ("POST", "PUT") and not raw:
        raise problem("required", "The entry has no resource.", expression=f"Bundle.entry[{place}].resource")
    tag = asked.if_match.removeprefix("W/").strip('"')
    return Item(
        place=place,
        method=asked.method,
        url=asked.url,
        target=target,
        raw=raw,
        full_url=entry.full_url,
        reserved=new_id() if asked.method == "POST" else None,
        if_match=int(tag) if tag.isdecimal() else None,
        if_none_exist=asked.if_none_exist,
    )


def _target(place: int, asked: _Request) -> Target:
    where = f"Bundle.entry[{place}].request"
    if asked.method not in ("POST", "PUT", "DELETE"):
        raise problem(
            "not-supported", f"{asked.method} is not possible in a transaction.", expression=f"{where}.method"
        )
    if "?" in asked.url:
        text = f"{asked.url}: conditional update and delete are not supported yet; use ifNoneExist or an id."
        raise problem("not-supported", text, expression=f"{where}.url")
    type_name, _, logical_id = asked.url.strip("/").partition("/")
    if type_name not in r4.TYPE_NUMBER or bool(logical_id) is (asked.method == "POST"):
        raise problem("invalid", f"{asked.method} {asked.url} is no interaction.", expression=f"{where}.url")
    return Target(type_name, logical_id)


def _refuse_twice(items: Sequence[Item]) -> None:
    """Each resource may be named once (https://hl7.org/fhir/R4/http.html#trules)."""
    seen: set[Target] = set()
    urls: set[str] = set()
    for item in items:
        if item.target in seen or (item.full_url in urls and item.full_url):
            text = f"{item.full_url or item.url} stands in the bundle twice; each resource may stand in it once."
            raise problem("duplicate", text, expression=f"Bundle.entry[{item.place}]")
        if item.target.id:
            seen.add(item.target)
        urls.add(item.full_url)


async def _write(writing: Writing, items: Sequence[Item]) -> dict[int, Written]:
    found = await _found(writing, [i for i in items if i.if_none_exist])
    ids = {
        name: _settled(i, found.get(i.place))
        for i in items
        if i.full_url and i.method != "DELETE"
        for name in _names(i)
    }
    ids |= await _matched(writing, items)
    todo = sorted((i for i in items if i.place not in found), key=lambda i: ("DELETE", "POST", "PUT").index(i.method))
    written = {
        (w.version.type, w.version.id): w for w in await writing.write([_change(i, ids) for i in todo])
    }  # what was deleted already is not written, and so not here
    places = {i.place: written.get((i.target.type, i.target.id or str(i.reserved))) for i in todo}
    return {**found, **{place: one for place, one in places.items() if one is not None}}


async def _found(writing: Writing, items: Sequence[Item]) -> dict[int, Written]:
    """Resources that meet the conditions of conditional creates, by the place of the entry."""
    found: dict[int, Written] = {}
    for item in sorted(items, key=lambda i: (i.target.type, i.if_none_exist)):
        version = await existing(writing, item.target.type, item.if_none_exist)
        if version is not None:
            found[item.place] = Written(version=version, created=False)
    return found


async def _matched(writing: Writing, items: Sequence[Item]) -> dict[str, bytes]:
    """Resources that conditional references such as `Practitioner?identifier=…` mean. Raises Problem unless each is one."""
    wanted = {m[2].decode(): i.place for i in items for m in REFERENCE.finditer(i.raw) if b"?" in m[2]}
    found: dict[str, bytes] = {}
    for reference, place in sorted(wanted.items()):
        type_name, _, criteria = reference.partition("?")
        if type_name not in r4.TYPE_NUMBER:
            continue
        version = await existing(writing, type_name, criteria)
        if version is None:
            text = f"The reference {reference} matches nothing. Send the resource it means first, or in this bundle."
            raise problem("not-found", text, expression=f"Bundle.entry[{place}].resource")
        found[reference] = f"{type_name}/{version.id}".encode()
    return found


def _names(item: Item) -> Sequence[str]:
    """Ways in which other entries may refer to this one: its address, and what that is relative to a server."""
    relative = "/".join(item.full_url.split("/")[-2:]) if item.full_url.startswith("http") else ""
    return (item.full_url, relative) if relative.startswith(f"{item.target.type}/") else (item.full_url,)


def _settled(item: Item, found: Written | None) -> bytes:
    logical_id = found.version.id if found else item.target.id or str(item.reserved)
    return f"{item.target.type}/{logical_id}".encode()


def _change(item: Item, ids: Mapping[str, bytes]) -> Change:
    if item.method == "DELETE":
        return Delete(type=item.target.type, id=item.target.id, expected=item.if_match)
    resource = _parsed(item, ids)
    if item.method == "POST":
        return Create(resource=resource, id=item.reserved)
    if resource.id != item.target.id:
        text = f"The address names {item.url}, the resource has the id {resource.id or '(none)'}."
        raise problem("invalid", text, expression=f"Bundle.entry[{item.place}].resource.id")
    return Update(resource=resource, expected=item.if_match)


def _parsed(item: Item, ids: Mapping[str, bytes]) -> r4.Resource:
    try:
        return parse(rewritten(item.raw, ids), expect=item.target.type)
    except Problem as refusal:
        raise Problem([_moved(i, item) for i in refusal.issues], status=refusal.status) from refusal


def rewritten(raw: bytes, ids: Mapping[str, bytes]) -> bytes:
    """Put the ids that entries get in the place of their `fullUrl`; addresses that are no references only where these are URNs."""

    def new(match: re.Match[bytes]) -> bytes:
        old = match[2].decode()
        settled = ids.get(old) if match[1].startswith(b'"reference"') or old.startswith("urn:") else None
        return match[1] + settled + match[3] if settled else match[0]

    return REFERENCE.sub(new, raw)


def _moved(issue: Issue, item: Item) -> Issue:
    """Name the place of a finding within the bundle."""
    inside = issue.expression.partition(".")[2]
    where = f"Bundle.entry[{item.place}].resource"
    return replace(issue, expression=f"{where}.{inside}" if inside else where)


def _answer(request: Request, written: Written | None) -> bytes:
    if written is None or written.version.deleted:
        return b'{"response":{"status":"204 No Content"}}'
    version = written.version
    answer = {
        "status": "201 Created" if written.created else "200 OK",
        "location": location(request.base, version),
        "etag": version.etag,
        "lastModified": instant(version.upd),
    }
    body = b"" if request.minimal else b'"resource":' + version.json() + b","
    return b"{" + body + b'"response":' + msgspec.json.encode(answer) + b"}"


# --- batch ---------------------------------------------------------------------------------------------------------


async def _batch(request: Request, entries: Sequence[Entry]) -> list[bytes]:
    return [await _alone(request, n, entry) for n, entry in enumerate(entries)]


async def _alone(request: Request, place: int, entry: Entry) -> bytes:
    """Do one entry as if it had come by itself; its failure is its own."""
    from .app import route  # noqa: PLC0415 - the router knows this module, and this one asks it back

    try:
        asked = entry.request
        _method(place, entry)
        assert asked is not None  # noqa: S101 - for the type checker: _method has looked
        path, _, query = asked.url.strip("/").partition("?")
        headers = {
            b"if-match": asked.if_match.encode(),
            b"if-none-exist": asked.if_none_exist.encode(),
            b"if-none-match": asked.if_none_match.encode(),
        }
        parts = [p for p in path.split("/") if p]
        if not parts:
            raise problem("not-supported", "A bundle cannot stand in a bundle.", expression=f"Bundle.entry[{place}]")
        alone = structs.replace(
            request, method=asked.method, path=parts, query=query, headers=headers, body=bytes(entry.resource)
        )
        return _wrapped(await route(asked.method, parts, request.operations)(alone))
    except Problem as refusal:
        answer = b'{"status":"%d"}' % refusal.status
        detail = encode(outcome(refusal.issues))
        return b'{"response":' + answer[:-1] + b',"outcome":' + detail + b"}}"


def _wrapped(response: Response) -> bytes:
    answer = {"status": str(response.status)}
    for name, key in ((b"location", "location"), (b"etag", "etag")):
        value = dict(response.headers).get(name)
        if value:
            answer[key] = value.decode()
    body = b'"resource":' + response.body + b"," if response.body else b""
    return b"{" + body + b'"response":' + msgspec.json.encode(answer) + b"}"
