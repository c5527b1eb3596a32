"""What a batch or transaction owes as a Bundle: `$validate` judges it so, and so is it judged when it is sent.

A Bundle of the usual form is seen to be good without taking its resources apart, since they are judged as they are
written; any other is judged whole. What is wrong in an entry of a batch refuses that entry alone.
Source: https://hl7.org/fhir/R4/bundle.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Annotated, Any

import msgspec

from yersin.fhir import parse, r4
from yersin.fhir.parse import is_doubtful
from yersin.fhir.problem import Issue, Problem
from yersin.fhir.profiles.addresses import is_whole
from yersin.fhir.profiles.bundles import judge_full
from yersin.fhir.profiles.findings import Findings
from yersin.fhir.structs import astuple
from yersin.guard.access import Access


class _Entry(r4.BundleEntry, kw_only=True):
    resource: msgspec.Raw = msgspec.Raw()  # type: ignore[assignment]


class _Shell(r4.Bundle, kw_only=True, tag="Bundle"):
    entry: Annotated[list[_Entry], msgspec.Meta(min_length=1)] | None = None  # type: ignore[assignment]


class _Head(msgspec.Struct, rename="camel"):
    resource_type: str = ""
    id: str | None = None


_read = msgspec.json.Decoder(_Shell).decode
_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_head = msgspec.json.Decoder(_Head).decode
_write = msgspec.json.Encoder(decimal_format="number").encode
_WRITES = frozenset({"POST", "PUT", "PATCH"})
_IN_ENTRY = re.compile(r"Bundle\.entry\[(\d+)\]")


async def refused(access: Access, body: bytes) -> dict[int | None, Problem]:
    """What is wrong with a Bundle by the number of the entry where it stands; None is the Bundle itself."""
    if _is_sure(body):
        return {}
    try:
        parse(body, expect="Bundle")
    except Problem as refusal:
        found = _by_entry(refusal.issues, refusal.status)
        return found if None in found else {**await _others(access, body, found), **found}
    return _by_entry(await access.ground.profiling.judge(body), 422)


async def _others(access: Access, body: bytes, unread: Mapping[int | None, Problem]) -> dict[int | None, Problem]:
    """What is wrong with the entries that could be read, judged without those that could not."""
    bundle = _decode(body)
    left = [number for number in range(len(bundle["entry"])) if number not in unread]
    if not left:
        return {}
    rest = {**bundle, "entry": [bundle["entry"][number] for number in left]}
    found = _by_entry(await access.ground.profiling.judge(_write(rest)), 422)
    return {left[place]: problem for place, problem in found.items() if place is not None}


def _by_entry(issues: Iterable[Issue], status: int) -> dict[int | None, Problem]:
    places: dict[int | None, list[Issue]] = {}
    for issue in issues:
        if issue.severity in ("error", "fatal"):
            inside = _IN_ENTRY.match(issue.expression)
            places.setdefault(int(inside[1]) if inside else None, []).append(issue)
    return {place: Problem(told, status=status) for place, told in places.items()}


def _is_sure(body: bytes) -> bool:
    try:
        shell = _read(body if body.isascii() else body.decode())  # entries are passed over, not read as text
        again = _write(shell)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return False
    if is_doubtful(body, again) or not _has_only(shell, "id", "type", "timestamp", "entry"):
        return False
    entries: list[Any] = list(shell.entry or ())
    urls = [entry.fullUrl for entry in entries if entry.fullUrl is not None]
    return len(urls) == len(set(urls)) and all(_is_usual(entry) for entry in entries)


def _is_usual(entry: Any) -> bool:
    """Whether an entry asks for one thing, and has an address that fits what it holds."""
    asked, raw = entry.request, bytes(entry.resource)
    if asked is None or asked.method is None or asked.url is None or not _has_only(entry, *_ENTRY_FIELDS):
        return False
    if not _has_only(asked, *_REQUEST_FIELDS) or bool(raw) is not (asked.method in _WRITES):
        return False
    full = entry.fullUrl
    if not (is_whole(asked.url) and (full is None or is_whole(full))):
        return False
    if full is None or full.startswith("urn:uuid:"):
        return True
    found = Findings()
    try:
        head = _head(raw) if raw else _Head()
    except msgspec.DecodeError:
        return False
    own = {} if head.id is None else {"id": head.id}
    resource = {"resourceType": head.resource_type, **own} if raw else {}
    judge_full({"fullUrl": full, "resource": resource, "request": {"method": asked.method}}, "", found)
    return "/_history/" not in full and not found.has_errors


_ENTRY_FIELDS = ("fullUrl", "resource", "request")
_REQUEST_FIELDS = ("method", "url", "ifNoneMatch", "ifModifiedSince", "ifMatch", "ifNoneExist")


def _has_only(struct: Any, *names: str) -> bool:
    values = zip(struct.__struct_fields__, astuple(struct), strict=True)
    return all(name in names for name, value in values if value is not None)
