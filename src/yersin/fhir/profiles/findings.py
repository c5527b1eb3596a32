"""What judging a resource has found: each finding once, with its place."""

from __future__ import annotations

from yersin.fhir.problem import Issue

MOST = 1000  # findings; a list of more helps nobody


class Findings:
    """Issues in the order they were found; the same words at the same place count once."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str, str], Issue] = {}

    def add(self, code: str, place: str, words: str, severity: str = "error") -> None:
        """Note a finding."""
        if len(self._seen) < MOST:
            issue = Issue(code=code, severity=severity, expression=place, diagnostics=words)
            self._seen.setdefault((severity, place, words), issue)

    @property
    def issues(self) -> list[Issue]:
        return list(self._seen.values())

    @property
    def has_errors(self) -> bool:
        return any(issue.severity in ("error", "fatal") for issue in self._seen.values())
