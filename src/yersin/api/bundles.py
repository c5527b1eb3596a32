"""Bundles made by joining stored bytes. Source: https://hl7.org/fhir/R4/bundle.html"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from yersin.store.versions import Version, instant


def text(value: str) -> bytes:
    """JSON string of a text."""
    return msgspec.json.encode(value)


def full_url(base: str, version: Version) -> bytes:
    """JSON member `fullUrl` of an entry."""
    return b'"fullUrl":' + text(f"{base}/{version.type}/{version.id}")


def bundle(
    kind: str, entries: Iterable[bytes], *, total: int | None = None, links: Sequence[tuple[str, str]] = ()
) -> bytes:
    """Join entries to a Bundle."""
    parts = [b'{"resourceType":"Bundle","type":' + text(kind)]
    if total is not None:
        parts.append(b'"total":%d' % total)
    if links:
        parts.append(b'"link":' + msgspec.json.encode([{"relation": relation, "url": url} for relation, url in links]))
    joined = b",".join(entries)
    if joined:
        parts.append(b'"entry":[' + joined + b"]")
    return b",".join(parts) + b"}"


def search_entry(base: str, version: Version, mode: bytes) -> bytes:
    """Entry of a searchset; `mode` is match, include or outcome."""
    return b"{" + full_url(base, version) + b',"resource":' + version.json() + b',"search":{"mode":"' + mode + b'"}}'


def outcome_entry(outcome: bytes) -> bytes:
    """Entry of a searchset that tells of the search itself."""
    return b'{"resource":' + outcome + b',"search":{"mode":"outcome"}}'


def history_bundle(
    base: str, versions: Sequence[Version], *, total: int | None, links: Sequence[tuple[str, str]]
) -> bytes:
    """Bundle of type history."""
    return bundle("history", (_history_entry(base, v) for v in versions), total=total, links=links)


def _history_entry(base: str, version: Version) -> bytes:
    method = "DELETE" if version.deleted else "POST" if version.ver == 1 else "PUT"
    url = version.type if method == "POST" else f"{version.type}/{version.id}"
    status = {"DELETE": "204 No Content", "POST": "201 Created", "PUT": "200 OK"}[method]
    response = {"status": status, "etag": version.etag, "lastModified": instant(version.upd)}
    entry = [full_url(base, version)]
    if not version.deleted:
        entry.append(b'"resource":' + version.json())
    entry.append(b'"request":' + msgspec.json.encode({"method": method, "url": url}))
    entry.append(b'"response":' + msgspec.json.encode(response))
    return b"{" + b",".join(entry) + b"}"
