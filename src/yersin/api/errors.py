"""Problems become OperationOutcomes here, and nowhere else. Source: https://hl7.org/fhir/R4/operationoutcome.html"""

from __future__ import annotations

from yersin.db import DatabaseFailure
from yersin.fhir import encode, outcome
from yersin.fhir.problem import Issue, Problem

from .messages import Response


def answer(refusal: Problem) -> Response:
    """Answer to a request that was refused."""
    headers = [(b"www-authenticate", b'Bearer realm="Yersin"')] if refusal.status == 401 else []
    if refusal.status == 413:  # what is still being sent is not read
        headers.append((b"connection", b"close"))
    return Response(status=refusal.status, headers=headers, body=encode(outcome(refusal.issues)))


def away(failure: DatabaseFailure) -> Response:
    """Answer when the database is away or refuses."""
    issue = Issue(code=failure.code, diagnostics=failure.diagnostics)
    headers = [(b"retry-after", str(failure.retry_after).encode())] if failure.retry_after else []
    return Response(status=failure.status, headers=headers, body=encode(outcome([issue])))
