"""The one family of errors: a FHIR issue code, plain words and, where it is known, the place.

Turned into an OperationOutcome by `api` and into a page by `web`, nowhere else.
Source: https://hl7.org/fhir/R4/valueset-issue-type.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One finding: what (`code`, an IssueType), where (`expression`, a FHIRPath), and what to do (`diagnostics`)."""

    code: str
    diagnostics: str
    expression: str = ""
    severity: str = "error"


class Problem(Exception):  # noqa: N818 - the house's word; it is a value as often as an exception
    """Something refused or failed. `status` is the HTTP status it becomes; `issues` is never empty."""

    status = 400

    def __init__(self, issues: Sequence[Issue], *, status: int | None = None) -> None:
        super().__init__(
            "; ".join(f"{i.expression}: {i.diagnostics}" if i.expression else i.diagnostics for i in issues)
        )
        self.issues = tuple(issues)
        if status is not None:
            self.status = status

    def at(self, expression: str) -> Problem:
        """The same, its place told where no place was known."""
        if all(issue.expression for issue in self.issues):
            return self
        return Problem(
            [i if i.expression else replace(i, expression=expression) for i in self.issues], status=self.status
        )


def problem(code: str, diagnostics: str, *, expression: str = "", status: int = 400) -> Problem:
    """Build a Problem with a single issue."""
    return Problem([Issue(code=code, diagnostics=diagnostics, expression=expression)], status=status)
