"""Findings as a FHIR OperationOutcome, and the one value of a choice.

Source: https://hl7.org/fhir/R4/operationoutcome.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from yersin.fhir import r4
from yersin.fhir.problem import Issue
from yersin.fhir.structs import Struct

_UNSAYABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")


def outcome(issues: Sequence[Issue]) -> r4.OperationOutcome:
    """Make the resource that tells a client what was found."""
    return r4.OperationOutcome(issue=[_issue(issue) for issue in issues])


def _issue(issue: Issue) -> r4.OperationOutcomeIssue:
    return r4.OperationOutcomeIssue(
        severity=issue.severity,
        code=issue.code,
        diagnostics=_sayable(issue.diagnostics) or None,
        expression=[_sayable(issue.expression)] if issue.expression else None,
    )


def _sayable(text: str) -> str:
    """Findings repeat what was sent, which may hold halves of characters and what no text of FHIR holds."""
    return _UNSAYABLE.sub("\ufffd", text)


def choice(struct: Struct, stem: str) -> Any:
    """Answer the one value of a choice that is set: `choice(observation, "value")`; None when there is none."""
    for base in type(struct).__mro__:
        names = base.__dict__.get("CHOICES", {}).get(stem)
        if names:
            return next((v for n in names if (v := getattr(struct, n)) is not None), None)
    raise AttributeError(f"{type(struct).__name__} has no {stem}[x]")
