"""Makes requests that are nearly right: an example of R4 with something spoilt, sent in one of the ways a client may send it.

Everything comes from one `random.Random`, so a seed names a request.
"""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from yersin.fhir import Problem, parse
from yersin.fhir.xml import write as to_xml

Way = tuple[Any, ...]
JSON = "application/fhir+json"
XML = "application/fhir+xml"
LONG = "x" * 70_000


class Sent(NamedTuple):
    """A request; `writes` where a 2xx says that its content was good."""

    method: str
    path: str
    headers: dict[str, str]
    content: bytes
    writes: bool


def places(value: Any, way: Way = ()) -> Iterator[Way]:
    """Every place below a value."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*way, key)
        yield from places(child, (*way, key))


WORDS = [
    "", " ", "x", " x", "a\u0000", "\ud83d", "\u202e", LONG, "2021-02-30", "2021-13", "2021-01-01T25:00:00Z", "0000",
    "Patient/none", "Nothing/1", "Patient/", "#", "#none", "urn:uuid:none", "Observation/1", "http://x/Patient/1/_history/2",
    "http://hl7.org/fhir/nowhere", "http://snomed.info/sct", "http://loinc.org", "12345", "-1", "1.0", "true", "final",
    '<div xmlns="http://www.w3.org/1999/xhtml"></div>', '<div xmlns="http://www.w3.org/1999/xhtml"><script/>x</div>',
    "http://terminology.hl7.org/CodeSystem/v3-ActCode", "$(id)", "' OR 1=1 --", "zz", "text/none", "%00", "..", "=",
]  # fmt: skip
VALUES: list[Any] = [
    None, {}, [], True, False, 0, -1, 1.5, 2**31, 2**63, 1e300, [None], [[1]], {"id": "x"}, {"extension": []},
    {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]},
    {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "none"}]}, {"text": "x"},
    {"coding": [{"system": "http://snomed.info/sct", "code": "123"}]}, {"reference": "Patient/none"},
    {"reference": "#none"}, {"reference": "Medication/x"}, {"system": "urn:ietf:rfc:3986", "value": "no uri"},
    {"contentType": "image/png", "data": "AAAA", "size": 9}, {"value": 1, "comparator": "<"}, {"url": "x"},
    {"status": "empty", "div": '<div xmlns="http://www.w3.org/1999/xhtml"> </div>'}, {"start": "2021", "end": "2020"},
]  # fmt: skip
NAMES = [
    "foo", "id", "extension", "modifierExtension", "_status", "valueString", "resourceType", "contained", "text", "code",
    "value", "_given", "meta", "language", "implicitRules", "subject", "status", "identifier", "category", "period",
]  # fmt: skip
EXTENSIONS: list[Any] = [
    {"url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueString": "wrong type"},
    {"url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueAddress": {"city": "Huế"}},
    {"url": "http://example.org/anything", "valueBoolean": True},
    {"url": "relative", "valueBoolean": True},
    {"url": "http://hl7.org/fhir/3.0/StructureDefinition/extension-Procedure.notDone", "valueBoolean": True},
]
CONTAINED: list[Any] = [
    {"resourceType": "Patient", "id": "inside"},
    {"resourceType": "Observation", "id": "inside"},
    {"resourceType": "Patient", "id": "inside", "contained": [{"resourceType": "Basic", "code": {"text": "x"}}]},
]


def spoil(resource: Any, chance: random.Random) -> None:
    """Change one place."""
    if chance.random() < 0.08:
        resource["extension"] = [copy.deepcopy(chance.choice(EXTENSIONS))]
        return
    if chance.random() < 0.05:
        resource["contained"] = [copy.deepcopy(chance.choice(CONTAINED))]
        return
    found = list(places(resource))
    if not found:
        return
    way = chance.choice(found)
    parent = resource
    for key in way[:-1]:
        parent = parent[key]
    chance.choice((_drop, _replace, _replace_alike, _member, _again, _bend))(parent, way[-1], chance)


def _drop(parent: Any, key: Any, chance: random.Random) -> None:
    del chance
    del parent[key]


def _replace(parent: Any, key: Any, chance: random.Random) -> None:
    parent[key] = copy.deepcopy(chance.choice(VALUES))


def _replace_alike(parent: Any, key: Any, chance: random.Random) -> None:
    """Put a text in the place of a text, an object in that of an object."""
    old = parent[key]
    if isinstance(old, str):
        parent[key] = chance.choice(WORDS)
    elif isinstance(old, dict):
        parent[key] = copy.deepcopy(chance.choice([v for v in VALUES if isinstance(v, dict)]))
    elif isinstance(old, list):
        parent[key] = chance.choice(([], old * 3, [*old, None], old[:1]))
    else:
        parent[key] = chance.choice((-1, 0, 10**9, 0.1, not old))


def _member(parent: Any, key: Any, chance: random.Random) -> None:
    target = parent[key] if isinstance(parent[key], dict) else parent
    if isinstance(target, dict):
        target[chance.choice(NAMES)] = copy.deepcopy(chance.choice([*VALUES, *WORDS]))


def _again(parent: Any, key: Any, chance: random.Random) -> None:
    if isinstance(parent, list):
        parent.append(copy.deepcopy(parent[key]))
    else:
        parent[chance.choice((f"_{key}", str(key).title(), f"{key}s"))] = copy.deepcopy(parent[key])


def _bend(parent: Any, key: Any, chance: random.Random) -> None:
    """Change one character of a text, as a slip of the hand does."""
    old = parent[key]
    if isinstance(old, str) and old:
        at = chance.randrange(len(old))
        parent[key] = old[:at] + chance.choice("0aZ-/# é|") + old[at + 1 :]


# --- bytes -------------------------------------------------------------------------------------------------------


def written(resource: Any, chance: random.Random) -> bytes:
    """JSON of a resource, sometimes spoilt as text."""
    raw = json.dumps(resource).encode()
    if chance.random() > 0.06 or len(raw) < 10:
        return raw
    at = chance.randrange(1, len(raw))
    return chance.choice(
        (
            raw[:at],
            raw[:at] + b"\xff\xfe" + raw[at:],
            raw[:at] + b"\x00" + raw[at:],
            raw + raw,
            b"\xef\xbb\xbf" + raw,
            raw[:-1] + b',"id":"x","id":"y"}',
            raw.replace(b":", b": 1e400,", 1),
            b"[" + raw + b"]",
            b"{" * 3000,
        )
    )


_TAGS = re.compile(rb"<(/?)(\w+)([^>]*)>")


def as_xml(raw: bytes, chance: random.Random) -> bytes | None:
    """The same as XML, sometimes spoilt; None where it is no resource."""
    try:
        parse(raw)
    except Problem:
        return None
    text = to_xml(raw)
    if chance.random() < 0.5:
        return text
    at = chance.randrange(len(text))
    tags = list(_TAGS.finditer(text))
    one = chance.choice(tags)
    return chance.choice(
        (
            text[:at],
            text[: one.start()] + text[one.end() :],
            text[: one.start()] + one[0] * 2 + text[one.end() :],
            text[: one.start()] + b'<foo value="x"/>' + text[one.start() :],
            text.replace(b'value="', b'value=" ', 1),
            text.replace(b'value="', b'vaule="', 1),
            text.replace(b"http://hl7.org/fhir", b"http://hl7.org/fhri", 1),
            b'<!DOCTYPE x [<!ENTITY a "b">]>' + text,
            text + b"<!-- -->",
            text[:at] + b"\xff" + text[at:],
            text.replace(b"<", b"<![CDATA[x]]><", 2),
        )
    )


# --- requests ----------------------------------------------------------------------------------------------------

QUERIES = [
    "_count=-1", "_count=x", "_sort=foo", "_include=*", "_include=Patient:", "foo=bar", "_id=", "_lastUpdated=zz2020",
    "identifier=a|b|c", "date=ge2020&date=lt", "_elements=id,,", "_summary=maybe", "_has:Observation:patient:code=x",
    "subject:Patient.name=x", "name:nonsense=x", "_total=some", "birthdate=2020-02-30", "value-quantity=lt5|x|y|z",
    "_format=xml", "_format=foo", "_pretty=true", "%ff=%fe", "a=%zz", "_page=x", "near=1|2|3", "_text=%22", "code:in=x",
    "_type=Foo", "_tag=%7C", "_revinclude=Foo:bar", "_filter=x", "_content=%00", "_since=x", "_at=zz", "_security=a,b\\,c",
]  # fmt: skip
HEADERS = [
    {"accept": "text/html"}, {"accept": "*/*;q=x"}, {"if-match": "x"}, {"if-match": 'W/"99999999999999999999"'},
    {"if-none-exist": "identifier=none-such"}, {"if-none-exist": "foo=bar"}, {"prefer": "return=nothing"},
    {"if-none-match": "*"}, {"if-modified-since": "yesterday"}, {"content-encoding": "gzip"}, {"content-type": "text/plain"},
    {"content-type": "application/json; charset=latin-1"}, {"content-type": ""}, {"prefer": "return=minimal"},
    {"x-request-id": "\x7f"}, {"accept-language": "x" * 500}, {"range": "bytes=9-1"}, {"prefer": "handling=strict"},
]  # fmt: skip
OPERATIONS = [
    "$validate",
    "$everything",
    "$meta",
    "$lastn",
    "$expand",
    "$lookup",
    "$nothing",
    "$meta-add",
    "_search",
    "_history",
]

NOWHERE = ["/x/y/z", "//", "/%00", "/Patient/" + "y" * 99, "/metadata", "/$", "/Patient/$"]


def _patch(chance: random.Random) -> dict[str, Any]:
    """One step of a JSON Patch."""
    step = chance.choice(("add", "remove", "replace", "move", "test", "x"))
    place = chance.choice(("/id", "/status", "/a/b", "", "x", "/name/0/~2"))
    return {"op": step, "path": place, "value": chance.choice([*VALUES, *WORDS])}


class Mutator:
    """Requests over some examples, each told by its number."""

    def __init__(self, examples: list[bytes], seed: int) -> None:
        self._examples = [json.loads(raw) for raw in examples]
        self._seed = seed
        #: ids of resources that are there, by type
        self.there: dict[str, str] = {}

    def make(self, number: int) -> Sent:
        """Make the request of a number."""
        chance = random.Random(f"{self._seed}/{number}")  # noqa: S311 - the same at every run
        resource = copy.deepcopy(chance.choice(self._examples))
        for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
            if isinstance(resource, dict):
                spoil(resource, chance)
        ways: tuple[Callable[[Any, random.Random], Sent], ...] = (self._create, self._update, self._bundle, self._other)
        return chance.choices(ways, (8, 4, 2, 3))[0](resource, chance)

    def _create(self, resource: Any, chance: random.Random) -> Sent:
        return self._plain("POST", f"/{self._type(resource, chance)}", resource, chance)

    def _update(self, resource: Any, chance: random.Random) -> Sent:
        kind = self._type(resource, chance)
        own = resource.get("id") if isinstance(resource, dict) else None
        path = f"/{kind}/{own}" if isinstance(own, str) and re.fullmatch(r"[A-Za-z0-9.\-]{1,64}", own) else f"/{kind}/x"
        return self._plain("PUT", path, resource, chance)

    def _type(self, resource: Any, chance: random.Random) -> str:
        kind = resource.get("resourceType") if isinstance(resource, dict) else None
        known = isinstance(kind, str) and kind.isalnum() and kind.isascii()
        return str(kind) if known and chance.random() < 0.97 else chance.choice(("Patient", "Foo", "Observation"))

    def _plain(self, method: str, path: str, resource: Any, chance: random.Random) -> Sent:
        content = written(resource, chance)
        headers = {"content-type": JSON}
        if chance.random() < 0.1 and (text := as_xml(content, chance)) is not None:
            content, headers = text, {"content-type": XML, "accept": chance.choice((XML, JSON))}
        if chance.random() < 0.06:
            headers |= chance.choice(HEADERS)
        if chance.random() < 0.03:
            path += "?" + chance.choice(QUERIES)
        return Sent(method, path, headers, content, writes=True)

    def _bundle(self, resource: Any, chance: random.Random) -> Sent:
        """A batch or transaction of an entry or two, spoilt itself as often as not."""
        entries = []
        for number in range(chance.choice((1, 1, 2))):
            kind = self._type(resource, chance)
            url = chance.choice(
                (kind, kind, f"{kind}/fuzzed-{number}", f"{kind}?identifier=none-such", "Foo", "", "$x", "a/b/c/d")
            )
            full = chance.choice(
                (f"urn:uuid:0000000{number}-1111-4222-8333-444444444444", "http://x/Patient/1", "rel", None)
            )
            request = {
                "method": chance.choice(("POST", "POST", "PUT", "GET", "DELETE", "PATCH", "HEAD", "x")),
                "url": url,
            }
            entry: Any = {"request": request, "resource": resource}
            entries.append({"fullUrl": full, **entry} if full else entry)
            if number == 0 and chance.random() < 0.6:
                entries[0] = {"fullUrl": "urn:uuid:00000009-1111-4222-8333-444444444444", "resource": resource,
                              "request": {"method": "POST", "url": kind}}  # fmt: skip
        bundle: Any = {"resourceType": "Bundle", "type": chance.choice(("transaction", "batch")), "entry": entries}
        if chance.random() < 0.3:
            spoil(bundle, chance)
        return Sent("POST", "", {"content-type": JSON}, written(bundle, chance), writes=True)

    def _other(self, resource: Any, chance: random.Random) -> Sent:
        """Reads, searches, operations, patches and addresses that mean nothing."""
        kind = self._type(resource, chance)
        own = self.there.get(kind, "none")
        query = "?" + "&".join(chance.choices(QUERIES, k=chance.choice((1, 1, 2))))
        headers = {"content-type": JSON, **(chance.choice(HEADERS) if chance.random() < 0.3 else {})}
        method, operation = chance.choice(("GET", "POST")), chance.choice(OPERATIONS)
        made: tuple[str, str, bytes] = {
            "search": ("GET", f"/{kind}{query}", b""),
            "all": ("GET", f"/{query}", b""),
            "read": ("GET", f"/{kind}/{own}{query}", b""),
            "vread": ("GET", f"/{kind}/{own}/_history/{chance.choice(('1', '0', 'x', '9' * 30))}", b""),
            "operation": (method, f"/{kind}/{operation}{query}", written(resource, chance)),
            "of one": (method, f"/{kind}/{own}/{operation}", written(resource, chance)),
            "patch": ("PATCH", f"/{kind}/{own}", json.dumps([_patch(chance)]).encode()),
            "delete": ("DELETE", f"/{kind}/{chance.choice((own, 'none', '..', 'a b'))}", b""),
            "nowhere": (chance.choice(("GET", "PUT", "POST", "OPTIONS", "TRACE")), chance.choice(NOWHERE), b""),
        }[chance.choice(("search", "all", "read", "vread", "operation", "of one", "patch", "delete", "nowhere"))]
        if made[0] == "PATCH":
            headers["content-type"] = "application/json-patch+json"
        return Sent(made[0], made[1], headers, made[2] if made[0] != "GET" else b"", writes=False)
