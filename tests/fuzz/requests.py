"""Makes requests that are nearly right: an example of R4 with something spoilt, sent in one of the ways a client may send it.

Everything comes from one `random.Random`, so a seed names a request.
"""

from __future__ import annotations

import copy
import gzip
import json
import random
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from tests.fuzz import questions
from tests.fuzz.mutations import NAMES, VALUES, WORDS, as_xml, places, spoil, written

from yersin.api.operations import Operation

JSON = "application/fhir+json"
XML = "application/fhir+xml"
_FORM = "application/x-www-form-urlencoded"


class Sent(NamedTuple):
    """A request; `resource` is what a 2xx says was good, as it was before it was packed."""

    method: str
    path: str
    headers: dict[str, str]
    content: bytes
    resource: bytes = b""


HEADERS = [
    {"accept": "text/html"}, {"accept": "*/*;q=x"}, {"if-match": "x"}, {"if-match": 'W/"99999999999999999999"'},
    {"if-none-exist": "identifier=none-such"}, {"if-none-exist": "foo=bar"}, {"prefer": "return=nothing"},
    {"if-none-match": "*"}, {"if-modified-since": "yesterday"}, {"content-encoding": "gzip"}, {"content-type": "text/plain"},
    {"content-type": "application/json; charset=latin-1"}, {"content-type": ""}, {"prefer": "return=minimal"},
    {"x-request-id": "\x7f"}, {"accept-language": "x" * 500}, {"range": "bytes=9-1"}, {"prefer": "handling=strict"},
    {"accept": XML}, {"accept": "application/fhir+xml;q=0, */*;q=0.1"}, {"accept-encoding": "gzip;q=nan, *;q=0"},
    {"prefer": "respond-async"}, {"prefer": "handling=lenient"}, {"prefer": "return=OperationOutcome"}, {"if-match": "*"},
    {"content-type": "multipart/form-data; boundary=x"}, {"content-type": "application/fhir+json; fhirVersion=5.0"},
    {"if-none-match": 'W/"1", "x"'}, {"if-modified-since": "Thu, 01 Jan 1970 00:00:00 GMT"}, {"content-encoding": "br"},
    {"if-modified-since": "Fri, 31 Dec 9999 23:59:59 -2359"}, {"x-security-context": "Patient/x\xff"}, {"content-length": "x"},
    {"if-none-exist": "_id=%00"}, {"if-none-exist": "?name=\xc3\xa9"}, {"accept": "\xff"}, {"if-match": 'W/"\xb2"'},
    {"accept-language": "\xff;q=\xb2"}, {"content-type": "application/fhir+json; charset=\xff"}, {"origin": "http://x\xff"},
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
NOWHERE = [
    "/x/y/z", "//", "/%00", "/Patient/" + "y" * 99, "/metadata", "/$", "/Patient/$", "/openapi.json?_type=x", "/bulkdata/x",
    "/metadata?mode=x", "/OperationDefinition/yersin-", "/Patient/*/*", "/Patient/_history/x", "/Binary/\xff", "/_history",
]  # fmt: skip
_PATHS = [
    "/id",
    "/status",
    "/a/b",
    "",
    "x",
    "/name/0/~2",
    "/name/-",
    "/name/00",
    "/name/9" + "9" * 30,
    "/-",
    "/meta/versionId",
]
_EXPRESSIONS = [
    "{0}", "{0}.name", "{0}.identifier.first()", "{0}.extension('x')", "x", "{0}.where(true)", "{0}.descendants()", "1 + 1",
    "{0}.name.given[0]", "%resource", "{0}.id", "{0}.meta", "(", "{0}.children().repeat(children())", "'x'.matches('(a+)+b')",
    "{0}.contained[0]", "{0}.text.div", "{0}.name.first().given.first().length()", "{0}.resolve()", "2 'mg' / 0 'x'", "today()",
]  # fmt: skip


class Mutator:
    """Requests over some examples, each told by its number."""

    def __init__(self, examples: list[bytes], operations: Sequence[Operation], seed: int) -> None:
        self._examples = [json.loads(raw) for raw in examples]
        self._operations = operations
        self._seed = seed
        #: ids of resources that are there, by type, and what they hold
        self.there: dict[str, str] = {}
        self.stored: dict[str, Any] = {}

    def make(self, number: int) -> Sent:
        """Make the request of a number."""
        chance = random.Random(f"{self._seed}/{number}")  # noqa: S311 - the same at every run
        resource = copy.deepcopy(chance.choice(self._examples))
        for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
            if isinstance(resource, dict):
                spoil(resource, chance)
        ways: Sequence[Callable[[Any, random.Random], Sent]] = (
            self._create, self._update, self._bundle, self._patch, self._search, self._operation, self._other,
        )  # fmt: skip
        return chance.choices(ways, (7, 4, 2, 2, 2, 2, 1))[0](resource, chance)

    # --- writes ------------------------------------------------------------------------------------------------------

    def _create(self, resource: Any, chance: random.Random) -> Sent:
        return self._plain("POST", f"/{self._type(resource, chance)}", resource, chance)

    def _update(self, resource: Any, chance: random.Random) -> Sent:
        kind = self._type(resource, chance)
        own = resource.get("id") if isinstance(resource, dict) else None
        path = f"/{kind}/{own}" if isinstance(own, str) and re.fullmatch(r"[A-Za-z0-9.\-]{1,64}", own) else f"/{kind}/x"
        if chance.random() < 0.1:
            path = f"/{kind}?{questions.criteria(kind, resource, chance)}"
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
            path += ("&" if "?" in path else "?") + chance.choice(questions.ODD)
        if chance.random() < 0.02:
            packed = gzip.compress(content, 1)
            return Sent(
                method, path, headers | {"content-encoding": "gzip"}, packed + chance.choice((b"", b"", b"x")), content
            )
        return Sent(method, path, headers, content, content)

    def _bundle(self, resource: Any, chance: random.Random) -> Sent:
        """A batch or transaction of an entry or two, spoilt itself as often as not."""
        entries = [self._entry(number, resource, chance) for number in range(chance.choice((1, 1, 2)))]
        if chance.random() < 0.6:
            entries[0] = {"fullUrl": "urn:uuid:00000009-1111-4222-8333-444444444444", "resource": resource,
                          "request": {"method": "POST", "url": self._type(resource, chance)}}  # fmt: skip
        bundle: Any = {"resourceType": "Bundle", "type": chance.choice(("transaction", "batch")), "entry": entries}
        if chance.random() < 0.3:
            spoil(bundle, chance)
        content = written(bundle, chance)
        return Sent("POST", "", {"content-type": JSON}, content, content)

    def _entry(self, number: int, resource: Any, chance: random.Random) -> dict[str, Any]:
        kind = self._type(resource, chance)
        url = chance.choice(
            (kind, kind, f"{kind}/fuzzed-{number}", f"{kind}?identifier=none-such", "Foo", "", "$x", "a/b/c/d",
             f"{kind}?{questions.criteria(kind, resource, chance)}", f"{kind}/{self.there.get(kind, 'none')}")
        )  # fmt: skip
        method = chance.choice(("POST", "POST", "PUT", "GET", "DELETE", "PATCH", "HEAD", "x"))
        request = {"method": method, "url": url}
        if chance.random() < 0.15:
            name = chance.choice(("ifMatch", "ifNoneExist", "ifNoneMatch", "ifModifiedSince"))
            request[name] = chance.choice(('W/"1"', "*", "identifier=none-such", "2021-01-01T00:00:00Z", *WORDS))
        sent = resource
        if method == "PATCH":
            kinds, patch = self._steps(kind, resource, chance)
            data = {"resourceType": "Binary", "contentType": kinds, "data": "W10="}
            sent = patch if isinstance(patch, dict) and "parameter" in patch else data
        full = chance.choice(
            (f"urn:uuid:0000000{number}-1111-4222-8333-444444444444", "http://x/Patient/1", "rel", None)
        )
        entry = {"request": request, "resource": sent}
        return {"fullUrl": full, **entry} if full else entry

    def _patch(self, resource: Any, chance: random.Random) -> Sent:
        kind = self._type(resource, chance)
        if self.stored and chance.random() < 0.8:
            kind, resource = chance.choice(list(self.stored.items()))
        media, patch = self._steps(kind, resource, chance)
        path = f"/{kind}/{self.there.get(kind, 'none')}"
        if chance.random() < 0.1:
            path = f"/{kind}?{questions.criteria(kind, resource, chance)}"
        headers = {"content-type": media, **(chance.choice(HEADERS) if chance.random() < 0.05 else {})}
        return Sent("PATCH", path, headers, written(patch, chance))

    def _steps(self, kind: str, resource: Any, chance: random.Random) -> tuple[str, Any]:
        """A patch of one of the three kinds, and its media type."""
        way = chance.choice((_json_patch, _merge_patch, _fhirpath_patch))
        patch = way(kind, resource, chance)
        media = {_json_patch: "application/json-patch+json", _merge_patch: "application/merge-patch+json"}.get(
            way, JSON
        )
        if chance.random() < 0.3:
            spoil(patch[0] if isinstance(patch, list) else patch, chance)
        return media, patch

    # --- questions ---------------------------------------------------------------------------------------------------

    def _search(self, resource: Any, chance: random.Random) -> Sent:
        kind = self._type(resource, chance)
        query = questions.criteria(kind, resource, chance)
        headers = {"accept": XML} if chance.random() < 0.1 else chance.choice(HEADERS) if chance.random() < 0.1 else {}
        if chance.random() < 0.15:
            return Sent("POST", f"/{kind}/_search", {**headers, "content-type": _FORM}, query.encode())
        if chance.random() < 0.05:
            return Sent("DELETE", f"/{kind}?{query}", headers, b"")
        compartment = f"/Patient/{self.there.get('Patient', 'none')}/{chance.choice((kind, '*'))}"
        path = chance.choice(
            (f"/{kind}", f"/{kind}", f"/{kind}", f"/{kind}", "/", compartment, f"/{kind}/_history", "/_history")
        )
        if path.endswith("_history"):
            query = questions.of_history(chance)
        kinds = f"_type={kind},{chance.choice(('Patient', 'Observation'))}&" if path == "/" else ""
        return Sent(chance.choice(("GET", "GET", "HEAD")), f"{path}?{kinds}{query}", headers, b"")

    def _operation(self, resource: Any, chance: random.Random) -> Sent:
        operation = questions.one_of(self._operations, chance)
        path, method = questions.address(operation, self.there, chance), chance.choice(operation.methods)
        headers = chance.choice(HEADERS) if chance.random() < 0.05 else {}
        if operation.name == "export":
            headers = {"prefer": "respond-async"}
        if operation.takes_search:
            return Sent("GET", f"{path}?{questions.criteria('Observation', resource, chance)}", headers, b"")
        if method == "GET":
            return Sent("GET", f"{path}?{questions.simple(operation, chance)}", headers, b"")
        if chance.random() < 0.15:
            form = questions.simple(operation, chance).encode()
            return Sent("POST", path, {"content-type": _FORM, **headers}, form)
        content, media = written(questions.given(operation, self._examples, chance), chance), JSON
        if chance.random() < 0.1 and (text := as_xml(content, chance)) is not None:
            content, media = text, XML
        return Sent("POST", path, {"content-type": media, **headers}, content)

    def _other(self, resource: Any, chance: random.Random) -> Sent:
        """Reads, deletes, operations of other types and addresses that mean nothing."""
        kind = self._type(resource, chance)
        own = self.there.get(kind, "none")
        query = "?" + "&".join(chance.choices(questions.ODD, k=chance.choice((1, 1, 2))))
        headers = {"content-type": JSON, **(chance.choice(HEADERS) if chance.random() < 0.3 else {})}
        method, operation = chance.choice(("GET", "POST")), chance.choice(OPERATIONS)
        made: tuple[str, str, bytes] = {
            "all": ("GET", f"/{query}", b""),
            "read": (chance.choice(("GET", "HEAD")), f"/{kind}/{own}{query}", b""),
            "history": ("GET", f"/{kind}/{own}/_history{query}", b""),
            "vread": ("GET", f"/{kind}/{own}/_history/{chance.choice(('1', '0', 'x', '9' * 30))}", b""),
            "operation": (method, f"/{kind}/{operation}{query}", written(resource, chance)),
            "of one": (method, f"/{kind}/{own}/{operation}", written(resource, chance)),
            "delete": ("DELETE", f"/{kind}/{chance.choice((own, 'none', '..', 'a b', quote('ạ')))}", b""),
            "nowhere": (
                chance.choice(("GET", "PUT", "POST", "OPTIONS", "TRACE", "HEAD", "PATCH")),
                chance.choice(NOWHERE),
                b"",
            ),
        }[chance.choice(("all", "read", "history", "vread", "operation", "of one", "delete", "nowhere"))]
        return Sent(made[0], made[1], headers, made[2] if made[0] != "GET" else b"")


# --- patches ---------------------------------------------------------------------------------------------------------


def _pointer(resource: Any, chance: random.Random) -> str:
    found = list(places(resource))
    if not found or chance.random() < 0.2:
        return chance.choice(_PATHS)
    way = chance.choice(found)
    return "".join(f"/{key}" for key in way[: chance.choice((len(way), len(way), 1))]) + chance.choice(
        ("", "", "", "/-", "/x")
    )


def _json_patch(kind: str, resource: Any, chance: random.Random) -> Any:
    del kind
    steps = []
    for _ in range(chance.choice((1, 1, 2))):
        step = {
            "op": chance.choice(("add", "remove", "replace", "move", "copy", "test", "x")),
            "path": _pointer(resource, chance),
        }
        if step["op"] in ("move", "copy"):
            step["from"] = _pointer(resource, chance)
        steps.append({**step, "value": chance.choice([*VALUES, *WORDS])})
    return steps


def _merge_patch(kind: str, resource: Any, chance: random.Random) -> Any:
    del kind
    known = list(resource) if isinstance(resource, dict) else []
    keys = [chance.choice([*known, *NAMES]) for _ in range(chance.choice((1, 2)))]
    return {key: copy.deepcopy(chance.choice([None, *VALUES, *WORDS])) for key in keys}


def _fhirpath_patch(kind: str, resource: Any, chance: random.Random) -> Any:
    keys = [key for key in resource if key.isalpha()] if isinstance(resource, dict) else []
    path = chance.choice(
        [*_EXPRESSIONS, *(f"{{0}}.{key}" for key in keys), *(f"{{0}}.{key}[0]" for key in keys)]
    ).format(kind)
    parts: list[Any] = [
        {"name": "type", "valueCode": chance.choice(("add", "insert", "delete", "replace", "move", "x"))},
        {"name": "path", "valueString": path},
        {"name": "name", "valueString": chance.choice([*keys, *NAMES])},
        {"name": "index", "valueInteger": chance.choice((0, 1, -1, 2**31 - 1))},
        {"name": "source", "valueInteger": chance.choice((0, 1, -1, 99))},
        {"name": "destination", "valueInteger": chance.choice((0, 1, -1, 99))},
        chance.choice((
            {"name": "value", "valueString": chance.choice(WORDS)}, {"name": "value", "valueBoolean": True},
            {"name": "value", "valueHumanName": {"text": "x"}}, {"name": "value", "part": [{"name": "a", "valueCode": "b"}]},
            {"name": "value", "resource": {"resourceType": "Patient"}}, {"name": "value", "part": []}, {"name": "value"},
            {"name": "value", "part": [{"name": "a"}, {"name": "a", "part": [{"name": "url", "valueUri": "x"}]}]},
        )),
    ]  # fmt: skip
    kept = [part for part in parts if chance.random() < 0.9]
    return {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": kept}]}
