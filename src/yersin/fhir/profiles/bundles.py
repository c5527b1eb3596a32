"""Bundles: full addresses, what references between entries mean, and what each kind of Bundle owes.

Sources: https://hl7.org/fhir/R4/bundle.html#references, https://hl7.org/fhir/R4/bundle.html#searchset
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from yersin.fhir import r4
from yersin.fhir.path import Node

from .addresses import is_absolute
from .findings import Findings

_REST = re.compile(r"(https?://.+?/)?([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/([A-Za-z0-9\-.]+))?\Z")


#: kinds of Bundles whose resources are identified
_IDENTIFYING = frozenset({"document", "message", "collection", "searchset", "history"})


class Bundle:
    """A Bundle whose entries refer to each other."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.type = node.value.get("type", "")
        self.entries = [each for each in node.value.get("entry") or () if isinstance(each.get("resource"), dict)]

    def judge(self, reference: str, named: str | None, source: Node, place: str, found: Findings) -> str | None:
        """Type of what a reference means here; None where it is not here."""
        hits = self._hits(reference, source)
        if len(hits) > 1:
            found.add("invalid", place, f"{reference} means {len(hits)} entries of this Bundle: say which version")
        if hits:
            actual = hits[0]["resource"].get("resourceType")
            if named and actual != named:
                found.add("structure", place, f"{reference} says {named}; what it means here is {actual}")
            return str(actual)
        if self.type == "document" and source.kind.name == "Composition":
            found.add(
                "not-found", place, f"{reference} is not in this document: every reference of its Composition must be"
            )
        return None

    def _hits(self, reference: str, source: Node) -> list[Any]:
        whole, _, version = reference.partition("/_history/")
        wanted = {whole}
        rest = _REST.match(whole)
        if rest and not rest[1]:
            base = next((_base(e.get("fullUrl", "")) for e in self.entries if e["resource"] is source.value), "")
            wanted = {base + whole} if base else {whole, f"urn:uuid:{rest[3]}"}
        hits = [each for each in self.entries if each.get("fullUrl") in wanted]
        return [e for e in hits if (e["resource"].get("meta") or {}).get("versionId") == version] if version else hits


def _base(full: str) -> str:
    rest = _REST.match(full)
    return (rest[1] or "") if rest else ""


def judge_bundle(node: Node, place: str, found: Findings) -> None:
    """Judge what stands in no invariant."""
    kind = node.value.get("type")
    for number, entry in enumerate(node.value.get("entry") or ()):
        where = f"{place}.entry[{number}]"
        judge_full(entry, where, found)
        if kind in _IDENTIFYING:
            _judge_missing(entry, where, found)
        if kind == "searchset":
            _judge_result(node, entry, where, found)
    relations = [each.get("relation") for each in node.value.get("link") or ()]
    for relation in sorted({str(each) for each in relations if each and relations.count(each) > 1}):
        found.add("invalid", f"{place}.link", f"The relation {relation} stands here twice")
    if kind == "document":
        for number, relation in enumerate(relations):
            if relation in ("first", "previous", "next", "last"):
                found.add(
                    "invalid",
                    f"{place}.link[{number}].relation",
                    f"{relation} turns the pages of a search; a document has none",
                )


def judge_full(entry: Any, place: str, found: Findings) -> None:
    full, resource = entry.get("fullUrl"), entry.get("resource") or {}
    method = (entry.get("request") or {}).get("method")
    if not isinstance(full, str) or method == "PATCH":
        return
    if not is_absolute(full):
        found.add("invalid", f"{place}.fullUrl", f"A fullUrl is absolute; {full!r} is not")
        return
    rest = _REST.match(full)
    if rest and rest[1] and rest[2] in r4.TYPE_NUMBER and resource:
        own = resource.get("id")
        kind = resource.get("resourceType")
        if own is None and kind != rest[2]:
            found.add("invalid", place, f"The fullUrl {full} is not that of a {kind}")
        elif own is None and method != "POST":
            found.add("invalid", place, f"The fullUrl {full} names an id, and the resource has none")
        elif own is not None and (kind, own) != (rest[2], rest[3]):
            found.add("invalid", place, f"The fullUrl {full} is not that of {kind}/{own}")


def _judge_missing(entry: Any, place: str, found: Findings) -> None:
    """What has an identity is told by it; results of operations may have none."""
    resource = entry.get("resource") or {}
    if (
        "fullUrl" not in entry
        and "_fullUrl" not in entry
        and "id" in resource
        and resource["resourceType"] != "OperationOutcome"
    ):
        found.add(
            "required", f"{place}.fullUrl", "The fullUrl of an entry is needed: it is the address of the resource"
        )


def _judge_result(bundle: Node, entry: Any, place: str, found: Findings) -> None:
    resource = entry.get("resource") or {}
    kind, mode = resource.get("resourceType"), (entry.get("search") or {}).get("mode")
    if mode == "outcome" and kind != "OperationOutcome":
        found.add("invalid", f"{place}.resource", f"This is {kind}; an entry of mode outcome is an OperationOutcome")
    if resource and mode != "outcome" and "id" not in resource and not (kind == "OperationOutcome" and mode is None):
        found.add("invalid", f"{place}.resource", "What a search found has an id")
    types = _searched(bundle)
    if mode == "match" and types and kind not in types:
        found.add("invalid", f"{place}.resource", f"The search was for {' and '.join(sorted(types))}; this is {kind}")


def _searched(bundle: Node) -> set[str]:
    links = [each for each in bundle.value.get("link") or () if each.get("relation") == "self"]
    parts = urlsplit(str(links[0].get("url", ""))) if links else None
    if parts is None:
        return set()
    named = {t for text in parse_qs(parts.query).get("_type", ()) for t in text.split(",")}
    last = parts.path.rstrip("/").rpartition("/")[2]
    return named or ({last} if last in r4.TYPE_NUMBER else set())
