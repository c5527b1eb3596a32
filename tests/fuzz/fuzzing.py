"""Sends mutated requests to the API in this process and says what must never be: a 5xx, a refusal that is no
OperationOutcome, an answer that cannot be read, a 2xx for a body, or of a patch, in which `$validate` finds an error."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from tests.fuzz.requests import XML, Mutator, Sent

from yersin.api.app import OWN, Api
from yersin.app.rooms import ROOMS
from yersin.fhir import Issue, Problem, parse, xml
from yersin.guard.access import Access

_INSIDE = re.compile(r"Bundle\.entry\[\d+\]")
_OUTCOME = re.compile(
    rb'\A(<\?xml[^>]*>\s*<OperationOutcome xmlns="http://hl7.org/fhir">|\{\s*"resourceType":\s*"OperationOutcome",)'
)
_WRITTEN = frozenset({"POST", "PUT"})


@dataclass(slots=True)
class Answer:
    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""


async def ask(app: Any, sent: Sent) -> Answer:
    """Send one request, as a web server would."""
    path, _, query = sent.path.partition("?")
    headers = [(name.encode(), value.encode("latin-1")) for name, value in sent.headers.items()]
    scope = {"type": "http", "method": sent.method, "path": f"/fhir{path}", "query_string": query.encode(),
             "headers": headers, "client": ("127.0.0.1", 1)}  # fmt: skip
    answer = Answer()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": sent.content, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answer.status, answer.headers = message["status"], dict(message["headers"])
        else:
            answer.body += message.get("body", b"")

    await app(scope, receive, send)
    return answer


class Fuzzer:
    """Sends requests by their numbers; `wrong` says what each broken one was."""

    def __init__(self, access: Access, examples: list[bytes], seed: int) -> None:
        async def asker(*_facts: object) -> Access:
            return access

        rooms_own = [operation for room in ROOMS for operation in room.operations]
        self._app: Any = Api(asker, access.ground.indexer.base, rooms_own)
        self._access = access
        self._mutator = Mutator(examples, [*OWN, *rooms_own], seed)
        self._seed = seed
        self.statuses: Counter[int] = Counter()
        self.wrong: list[str] = []

    async def run(self, numbers: Sequence[int]) -> None:
        """Send the requests of these numbers."""
        for number in numbers:
            sent = self._mutator.make(number)
            answer = await ask(self._app, sent)
            self.statuses[answer.status] += 1
            words = await self._broken(sent, answer)
            if words:
                self.wrong.append(f"seed {self._seed}, request {number}: {words}\n  {sent.method} {sent.path} {sent.headers}"
                                  f"\n  {sent.content[:3000]!r}\n  {answer.status} {answer.body[:600]!r}")  # fmt: skip
            elif sent.method in _WRITTEN and answer.status == 201:
                self._remember(answer)

    def _remember(self, answer: Answer) -> None:
        kind, logical_id = answer.headers[b"location"].decode().partition("/_history")[0].split("/")[-2:]
        self._mutator.there[kind] = logical_id
        if answer.body[:1] == b"{" and not _OUTCOME.match(answer.body):
            self._mutator.stored[kind] = json.loads(answer.body)

    async def _broken(self, sent: Sent, answer: Answer) -> str:
        if answer.status >= 500:
            return "a failure of the server"
        if answer.status >= 400:
            is_told = sent.method == "HEAD" or _OUTCOME.match(answer.body)
            return "" if is_told else "refused without an OperationOutcome"
        if answer.status >= 300:
            return ""
        try:
            msgspec.json.decode(_read(answer) or b"{}")
        except (msgspec.DecodeError, Problem) as error:
            return f"answered with what cannot be read: {error}"
        if sent.method == "PATCH":
            errors = await self._errors(_read(answer)) if answer.body and not _OUTCOME.match(answer.body) else []
            return f"made by a patch, and $validate says: {errors[:3]}" if errors else ""
        if not sent.resource or _is_file(sent):
            return ""
        raw = xml.read(sent.resource) if sent.headers.get("content-type") == XML else sent.resource
        errors = await self._errors(raw) if sent.path else await self._errors_of_bundle(raw, answer)
        return f"taken, and $validate says: {errors[:3]}" if errors else ""

    async def _errors(self, raw: bytes) -> list[Issue]:
        try:
            parse(raw)
        except Problem as refusal:
            return list(refusal.issues)
        issues = await self._access.ground.profiling.judge(raw)
        return [issue for issue in issues if issue.severity in ("error", "fatal")]

    async def _errors_of_bundle(self, raw: bytes, answer: Answer) -> list[Issue]:
        """Errors of a transaction; of a batch those outside of its entries, and of entries that were done."""
        bundle = json.loads(raw)
        errors = await self._errors(raw)
        if bundle["type"] == "transaction":
            return errors
        found = [issue for issue in errors if not _INSIDE.match(issue.expression)]
        for number, one in enumerate(json.loads(answer.body).get("entry", ())):
            if one["response"]["status"].startswith("2"):
                found += [issue for issue in errors if issue.expression.startswith(f"Bundle.entry[{number}]")]
                resource = bundle["entry"][number].get("resource")
                found += await self._errors(json.dumps(resource).encode()) if resource else []
        return found


def _read(answer: Answer) -> bytes:
    """Body of an answer as JSON."""
    if answer.headers.get(b"content-encoding") == b"gzip":
        answer.body = gzip.decompress(answer.body)
    kind = answer.headers.get(b"content-type", b"")
    return xml.read(answer.body) if answer.body and b"xml" in kind else answer.body if b"json" in kind else b""


def _is_file(sent: Sent) -> bool:
    """Whether the content is taken as it is, of whatever kind."""
    return sent.path.startswith("/Binary") and "fhir" not in sent.headers.get("content-type", "")
