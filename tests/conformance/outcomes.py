"""What the suites say of themselves: how many cases they ran, and which are excluded, each with its kind and reason.

`outcomes.json` is what `make conformance` saw; docs/conformance.md is written from it and from the files of exclusions.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest

HERE = Path(__file__).parent
OUTCOMES = HERE / "outcomes.json"
KINDS = {"feature", "bug", "wontfix"}
Exclusion = Mapping[str, str]


class Tally(Protocol):
    """The fixture `tally`: a test says how many cases it ran."""

    def __call__(self, cases: int) -> None: ...


def exclusions(name: str) -> dict[str, Exclusion]:
    """Exclusions of a suite by title. Fails for one without kind or reason, and for a title that stands twice."""
    listed = tomllib.loads((HERE / f"{name}.toml").read_text())["case"]
    assert all(each["kind"] in KINDS and each["reason"] and each["title"] for each in listed), name
    assert len({each["title"] for each in listed}) == len(listed), name
    return {each["title"]: each for each in listed}


def excluded(request: pytest.FixtureRequest, exclusion: Exclusion | None) -> None:
    """Run an excluded case all the same: one that is met by now is no exclusion any more, and fails."""
    if exclusion is not None:
        request.applymarker(pytest.mark.xfail(reason=f"{exclusion['kind']}: {exclusion['reason']}", strict=True))


def is_told(page: int, ran: int) -> bool:
    """Whether the page tells of what ran: never of more, and not of less than nine tenths, as suites grow every day."""
    return 0.9 * ran <= page <= ran


def outcomes() -> dict[str, Any]:
    """What `make conformance` saw last."""
    seen: dict[str, Any] = json.loads(OUTCOMES.read_text())
    return seen
