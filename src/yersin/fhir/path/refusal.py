"""The two ways an expression is refused: what is not FHIRPath, and what cannot be evaluated. Both are a Problem."""

from __future__ import annotations

from yersin.fhir.problem import Issue, Problem

_SHOWN = 60


class NotFHIRPath(Problem):
    """The text cannot be read; the words name the place."""


class CannotEvaluate(Problem):
    """The expression was read, and means nothing for these values."""


def unreadable(text: str, at: int, words: str) -> NotFHIRPath:
    """Say what is wrong with the text at a place."""
    line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    near = text[at : at + 20].strip()
    where = f"line {line}, column {column}" + (f", near {near!r}" if near else ", at its end")
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    issue = Issue(code="invalid", diagnostics=f"{words} ({where} of the expression {shown!r})")
    return NotFHIRPath([issue], status=422)


def impossible(words: str, *, code: str = "invalid") -> CannotEvaluate:
    """Say why an expression cannot be evaluated."""
    return CannotEvaluate([Issue(code=code, diagnostics=words)], status=422)
