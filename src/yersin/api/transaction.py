"""Batch and transaction. Source: https://hl7.org/fhir/R4/http.html#transaction

A transaction is one write: deletes, then creates, then updates and patches; what it reads is read after. First all its
criteria are held and looked up, so that each entry knows which resource it means. Then references to entries of the
bundle (by `fullUrl`) become the ids these entries get.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from functools import partial
from http import HTTPStatus
from typing import NamedTuple
from uuid import UUID

import msgspec
from msgspec import structs

from yersin.fhir import encode, outcome, parse, r4
from yersin.fhir.problem import Issue, Problem, problem
from yersin.guard import holding
from yersin.guard.writing import Change, Create, Delete, Update, Writing, Written
from yersin.store.identity import new_id
from yersin.store.versions import Version, instant

from . import conditions, envelope, patching
from .bundles import bundle
from .messages import Request, Response, location, told, version_of
from .references import conditional, has_more, readdress, rewritten

#: entries of one transaction, so that no write holds its locks for long
ENTRY_LIMIT = 10_000
#: bytes of a bundle: a worker holds it several times over while it is taken apart
BUNDLE_LIMIT = 24 * 2**20
_ORDER = ("DELETE", "POST", "PUT", "PATCH")


class _Request(msgspec.Struct, rename="camel"):
    method: str
    url: str
    if_match: str = ""
    if_none_exist: str = ""
    if_none_match: str = ""
    if_modified_since: str = ""


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
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        parse(body, expect="Bundle")
        raise problem("structure", f"The body is not JSON: {error}.") from error


class Target(NamedTuple):
    """Where an entry is going: its type and, when it is known, its id."""

    type: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An entry that changes something. `criteria` are those of its address, or of its `ifNoneExist`."""

    place: int
    method: str
    url: str
    target: Target
    raw: bytes
    full_url: str
    criteria: str = ""
    reserved: UUID
    if_match: int | None = None

    @property
    def where(self) -> str:
        return f"Bundle.entry[{self.place}]"


@dataclass(slots=True)
class Plan:
    """What the criteria of a transaction mean, by the place of the entry."""

    #: conditional creates that find what they would make
    found: dict[int, Version] = field(default_factory=dict)
    #: conditional creates that find what an entry before them makes
    same: dict[int, int] = field(default_factory=dict)
    #: the resources each entry goes to
    targets: dict[int, list[Target]] = field(default_factory=dict)
    #: conditional updates that make something new
    new: set[int] = field(default_factory=set)
    #: addresses and conditional references, and the ids they become
    ids: dict[str, bytes] = field(default_factory=dict)
    #: conditional references that match nothing yet, and an entry that has them
    open: dict[str, Item] = field(default_factory=dict)

    def is_there(self, item: Item) -> bool:
        """Whether nothing is to be written for an entry."""
        return item.place in self.found or item.place in self.same


#: what was written, by type and id
Done = dict[tuple[str, str], Written]


async def process(request: Request) -> Response:
    """POST [base]"""
    if len(request.body) > BUNDLE_LIMIT:
        raise problem(
            "too-long", f"A bundle may have {BUNDLE_LIMIT >> 20} MiB; split it.", expression="Bundle", status=413
        )
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
    for refused in (await envelope.refused(request.access, request.body)).values():
        raise refused
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
    target, criteria = _target(place, asked)
    raw = bytes(entry.resource)
    if asked.method != "DELETE" and not raw:
        raise problem("required", "The entry has no resource.", expression=f"Bundle.entry[{place}].resource")
    return Item(
        place=place,
        method=asked.method,
        url=asked.url,
        target=target,
        raw=raw,
        full_url=entry.full_url,
        criteria=criteria or (asked.if_none_exist if asked.method == "POST" else ""),
        reserved=new_id(),
        if_match=version_of(asked.if_match),
    )


def _target(place: int, asked: _Request) -> tuple[Target, str]:
    where = f"Bundle.entry[{place}].request"
    if asked.method not in _ORDER:
        raise problem(
            "not-supported", f"{asked.method} is not possible in a transaction.", expression=f"{where}.method"
        )
    address, asks, criteria = asked.url.partition("?")
    type_name, _, logical_id = address.strip("/").partition("/")
    named = bool(logical_id) or bool(asks)
    if type_name not in r4.TYPE_NUMBER or named is (asked.method == "POST") or (logical_id and asks):
        raise problem("invalid", f"{asked.method} {asked.url} is no interaction.", expression=f"{where}.url")
    if type_name == "AuditEvent" and (asked.method == "DELETE" or asks or logical_id.isdecimal()):
        text = "The audit is read and searched; nobody changes it."
        raise problem("not-supported", text, expression=f"{where}.url", status=405)
    return Target(type_name, logical_id), criteria


def _refuse_twice(items: Sequence[Item]) -> None:
    """Each resource may be named once (https://hl7.org/fhir/R4/http.html#trules)."""
    seen: set[Target] = set()
    urls: set[str] = set()
    for item in items:
        if item.target in seen or (item.full_url in urls and item.full_url):
            raise _twice(item)
        if item.target.id:
            seen.add(item.target)
        urls.add(item.full_url)


def _twice(item: Item) -> Problem:
    text = f"{item.full_url or item.url} stands in the bundle twice; each resource may stand in it once."
    return problem("duplicate", text, expression=item.where)


async def _write(writing: Writing, items: Sequence[Item]) -> dict[int, Written]:
    plan = await _planned(writing, items)
    todo = sorted((i for i in items if not plan.is_there(i)), key=lambda i: _ORDER.index(i.method))
    await writing.access.require_good([_parsed(i, plan.ids) for i in items if plan.is_there(i)])
    written: Done = {}
    first = _to_be_found(todo, plan) if plan.open else set()
    if first:
        written = await _put(writing, [i for i in todo if i.place in first], plan)
    for reference, item in plan.open.items():
        plan.ids[reference] = await _matched(writing, reference, item)
    written |= await _put(writing, [i for i in todo if i.place not in first], plan)
    done = {
        i.place: one
        for i in todo
        for target in plan.targets[i.place][:1]
        if (one := written.get((target.type, target.id))) is not None
    }
    done |= {place: structs.replace(done[first], created=False) for place, first in plan.same.items()}
    return {**{place: Written(version=v, created=False) for place, v in plan.found.items()}, **done}


def _to_be_found(todo: Sequence[Item], plan: Plan) -> set[int]:
    """Places of entries to write before the others, since conditional references may mean them; deletes stay the first."""
    types = {reference.partition("?")[0] for reference in plan.open}
    return {
        item.place
        for item in todo
        if item.method == "DELETE" or (item.target.type in types and plan.open.keys().isdisjoint(conditional(item.raw)))
    }


async def _put(writing: Writing, items: Sequence[Item], plan: Plan) -> Done:
    """Write entries; what was deleted already is not written, and so not in the answer."""
    changes = [change for item in items for change in await _changes(writing, item, plan)]
    return {(w.version.type, w.version.id): w for w in await writing.write(changes)}


async def _planned(writing: Writing, items: Sequence[Item]) -> Plan:
    """Find out what every entry means. Raises Problem where criteria mean too much, or two entries mean the same."""
    wanted = {reference: item for item in items for reference in conditional(item.raw)}
    wanted = {reference: item for reference, item in wanted.items() if reference.partition("?")[0] in r4.TYPE_NUMBER}
    queries = [conditions.query_of(i.target.type, i.criteria) for i in items if i.criteria]
    queries += [conditions.query_of(reference.partition("?")[0], reference) for reference in wanted]
    await holding.hold(writing, queries)
    plan = Plan()
    for item in items:
        await _settle(writing, item, plan)
    _refuse_overlap(items, plan)
    if plan.found:
        await conditions.told(writing, next(iter(plan.found.values())).type, list(plan.found.values()), "")
    for item in items:
        if item.full_url and item.method != "DELETE":
            plan.ids |= dict.fromkeys(_names(item), _settled(item, plan))
    for reference, item in sorted(wanted.items(), key=lambda pair: pair[0]):
        found = await conditions.existing(writing, *_asked(reference))
        if found is None:
            plan.open[reference] = item
        else:
            plan.ids[reference] = f"{found.type}/{found.id}".encode()
    return plan


async def _settle(writing: Writing, item: Item, plan: Plan) -> None:
    """Note which resources one entry goes to."""
    type_name, logical_id = item.target
    targets = [Target(type_name, logical_id or str(item.reserved))]
    if item.criteria and item.method == "DELETE":
        found = await conditions.to_delete(writing, type_name, item.criteria)
        targets = [Target(type_name, version.id) for version in found]
    elif item.criteria and item.method == "PATCH":
        targets = [Target(type_name, (await conditions.the_one(writing, type_name, item.criteria)).id)]
    elif item.criteria:
        targets = [await _settled_by_criteria(writing, item, plan)]
    plan.targets[item.place] = targets


async def _settled_by_criteria(writing: Writing, item: Item, plan: Plan) -> Target:
    """Find where a conditional create or update goes."""
    type_name = item.target.type
    if item.method == "POST":
        found = await conditions.existing(writing, type_name, item.criteria)
        if found is not None:
            plan.found[item.place] = found
        return Target(type_name, found.id if found else str(item.reserved))
    resource = _parsed(item, {})
    change = await conditions.update_of(writing, resource, item.criteria, named=resource.id)
    if isinstance(change, Create):
        plan.new.add(item.place)
        return Target(type_name, str(item.reserved))
    return Target(type_name, resource.id or "")


def _refuse_overlap(items: Sequence[Item], plan: Plan) -> None:
    """Refuse two entries that mean one resource. Of two creates by the same criteria, the second finds the first's."""
    seen: set[Target] = set()
    first: dict[tuple[str, str], int] = {}
    for item in items:
        if item.place in plan.found:
            continue
        if item.method == "POST" and item.criteria:
            before = first.setdefault((item.target.type, item.criteria), item.place)
            if before != item.place:
                plan.same[item.place] = before
                plan.targets[item.place] = plan.targets[before]
                continue
        if seen.intersection(plan.targets[item.place]):
            raise _twice(item)
        seen.update(plan.targets[item.place])


async def _matched(writing: Writing, reference: str, item: Item) -> bytes:
    """Id that a conditional reference such as `Practitioner?identifier=…` means. Raises Problem unless it is one."""
    version = await conditions.existing(writing, *_asked(reference))
    if version is None:
        text = f"The reference {reference} matches nothing. Send the resource it means first, or in this bundle."
        raise problem("not-found", text, expression=f"{item.where}.resource")
    return f"{version.type}/{version.id}".encode()


def _asked(reference: str) -> tuple[str, str]:
    type_name, _, criteria = reference.partition("?")
    return type_name, criteria


def _names(item: Item) -> Sequence[str]:
    """Ways in which other entries may refer to this one: its address, and what that is relative to a server."""
    relative = "/".join(item.full_url.split("/")[-2:]) if item.full_url.startswith("http") else ""
    return (item.full_url, relative) if relative.startswith(f"{item.target.type}/") else (item.full_url,)


def _settled(item: Item, plan: Plan) -> bytes:
    target = plan.targets[item.place][0]
    return f"{target.type}/{target.id}".encode()


async def _changes(writing: Writing, item: Item, plan: Plan) -> list[Change]:
    """Make the changes of one entry; a conditional delete may be several."""
    targets = plan.targets[item.place]
    if item.method == "DELETE":
        return [Delete(type=target.type, id=target.id, expected=item.if_match) for target in targets]
    (target,) = targets
    if item.method == "PATCH":
        wanted = patching.of_entry(item.raw, f"{item.where}.resource")
        standing = await holding.standing(writing, target.type, target.id)
        return [writing.access.finding(partial(wanted.of, standing, item.if_match))]
    resource = _parsed(item, plan.ids)
    if item.method == "POST" or item.place in plan.new:
        return [Create(resource=resource, id=item.reserved)]
    if item.criteria:
        resource.id = target.id
    if resource.id != target.id:
        text = f"The address names {item.url}, the resource has the id {resource.id or '(none)'}."
        raise problem("invalid", text, expression=f"{item.where}.resource.id")
    return [Update(resource=resource, expected=item.if_match)]


def _parsed(item: Item, ids: Mapping[str, bytes]) -> r4.Resource:
    raw = rewritten(item.raw, ids.get)
    try:
        resource = parse(raw, expect=item.target.type)
    except Problem as refusal:
        raise Problem([_moved(i, item) for i in refusal.issues], status=refusal.status) from refusal
    if has_more(raw, ids):
        readdress(resource, ids)
    return resource


def _moved(issue: Issue, item: Item) -> Issue:
    """Name the place of a finding within the bundle."""
    inside = issue.expression.partition(".")[2]
    return replace(issue, expression=f"{item.where}.resource.{inside}" if inside else f"{item.where}.resource")


def _answer(request: Request, written: Written | None) -> bytes:
    if written is None or written.version.deleted:
        return b'{"response":{"status":"204 No Content"}}'
    version = written.version
    answer: dict[str, object] = {
        "status": "201 Created" if written.created else "200 OK",
        "location": location(request.base, version),
        "etag": version.etag,
        "lastModified": instant(version.upd),
    }
    shown = request.preferred in ("", "representation")
    if request.preferred == "OperationOutcome":
        answer["outcome"] = msgspec.Raw(told(f"{version.type}/{version.id} is at version {version.ver}."))
    body = b'"resource":' + version.json() + b"," if shown else b""
    return b"{" + body + b'"response":' + msgspec.json.encode(answer) + b"}"


# --- batch ---------------------------------------------------------------------------------------------------------


async def _batch(request: Request, entries: Sequence[Entry]) -> list[bytes]:
    refused = await envelope.refused(request.access, request.body)
    if (whole := refused.get(None)) is not None:
        raise whole
    return [_failed(refused[n]) if n in refused else await _alone(request, n, entry) for n, entry in enumerate(entries)]


async def _alone(request: Request, place: int, entry: Entry) -> bytes:
    """Do one entry as if it had come by itself; its failure is its own."""
    from .app import perform  # noqa: PLC0415 - the router knows this module, and this one asks it back

    try:
        _method(place, entry)
        response = await perform(_lone(request, place, entry))
        is_head = entry.request is not None and entry.request.method == "HEAD"
        return _wrapped(structs.replace(response, body=b"") if is_head else response)
    except Problem as refusal:
        return _failed(refusal)


def _failed(refusal: Problem) -> bytes:
    answer = {"status": _status(refusal.status), "outcome": msgspec.Raw(encode(outcome(refusal.issues)))}
    return b'{"response":' + msgspec.json.encode(answer) + b"}"


def _status(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}"


def _lone(request: Request, place: int, entry: Entry) -> Request:
    """Make of an entry the request it would be."""
    asked = entry.request
    assert asked is not None  # noqa: S101 - for the type checker: _method has looked
    path, _, query = asked.url.strip("/").partition("?")
    parts = [p for p in path.split("/") if p]
    if not parts:
        raise problem("not-supported", "A bundle cannot stand in a bundle.", expression=f"Bundle.entry[{place}]")
    headers = {
        b"if-match": asked.if_match.encode(),
        b"if-none-exist": asked.if_none_exist.encode(),
        b"if-none-match": asked.if_none_match.encode(),
        b"if-modified-since": asked.if_modified_since.encode(),
        b"prefer": request.headers.get(b"prefer", b""),
        b"accept": b"application/fhir+json",
        b"content-type": b"application/fhir+json",
    }
    body = bytes(entry.resource)
    if asked.method == "PATCH" and body:
        kind, body = patching.content_of(body, f"Bundle.entry[{place}].resource")
        headers[b"content-type"] = kind.encode()
    method = "GET" if asked.method == "HEAD" else asked.method
    return structs.replace(request, method=method, path=parts, query=query, headers=headers, body=body)


def _wrapped(response: Response) -> bytes:
    answer: dict[str, object] = {"status": _status(response.status)}
    headers = dict(response.headers)
    for name, key in ((b"location", "location"), (b"etag", "etag")):
        if headers.get(name):
            answer[key] = headers[name].decode()
    if b"last-modified" in headers:
        answer["lastModified"] = instant(parsedate_to_datetime(headers[b"last-modified"].decode()))
    is_outcome = response.body.startswith(b'{"resourceType":"OperationOutcome"') and response.status < 300
    if is_outcome and b"location" in headers:
        answer["outcome"] = msgspec.Raw(response.body)
    body = b'"resource":' + response.body + b"," if response.body and "outcome" not in answer else b""
    return b"{" + body + b'"response":' + msgspec.json.encode(answer) + b"}"
