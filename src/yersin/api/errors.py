"""Problems become OperationOutcomes here, and nowhere else. Source: https://hl7.org/fhir/R4/operationoutcome.html"""

from __future__ import annotations

from collections.abc import Iterable

from yersin.db import DatabaseFailure
from yersin.fhir import encode, outcome
from yersin.fhir.problem import Issue, Problem, problem

from .messages import Response


class Refusal(Problem):
    """A Problem whose answer owes HTTP a header besides."""

    def __init__(self, refusal: Problem, name: bytes, value: str) -> None:
        super().__init__(refusal.issues, status=refusal.status)
        self.header = (name, value.encode("latin-1", "replace"))


def not_allowed(method: str, allowed: Iterable[str]) -> Refusal:
    """Refuse a method at an address that takes others (405), and name them (RFC 9110, 15.5.6)."""
    methods = [each for name in allowed for each in (("GET", "HEAD") if name == "GET" else (name,))]
    text = f"{method} is not possible here. Possible: {', '.join(methods)}."
    return Refusal(problem("not-supported", text, status=405), b"allow", ", ".join(methods))


def answer(refusal: Problem) -> Response:
    """Answer to a request that was refused."""
    headers = [(b"www-authenticate", b'Bearer realm="Yersin"')] if refusal.status == 401 else []
    if refusal.status == 413:  # what is still being sent is not read
        headers.append((b"connection", b"close"))
    if isinstance(refusal, Refusal):
        headers.append(refusal.header)
    return Response(status=refusal.status, headers=headers, body=encode(outcome(refusal.issues)))


def away(failure: DatabaseFailure) -> Response:
    """Answer when the database is away or refuses."""
    issue = Issue(code=failure.code, diagnostics=failure.diagnostics)
    headers = [(b"retry-after", str(failure.retry_after).encode())] if failure.retry_after else []
    return Response(status=failure.status, headers=headers, body=encode(outcome([issue])))
