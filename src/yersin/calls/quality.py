"""What the log of a call says of its quality: seconds on each rung of the ladder, for each seat. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

_ENDS = frozenset({"away", "left", "removed", "sent-back"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A line of the log, as far as it matters here; `rung` is set where `kind` is `rung`."""

    at: datetime
    kind: str
    seat: UUID | None = None
    rung: str = ""


def seconds_by_rung(events: Iterable[Event], until: datetime) -> dict[UUID, dict[str, float]]:
    """Add up how long each seat stood on each rung; time away counts on none, and coming back resumes the rung."""
    sums: defaultdict[UUID, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    last: dict[UUID, str] = {}
    since: dict[UUID, datetime] = {}
    for event in sorted(events, key=lambda each: each.at):
        for seat in list(since) if event.kind == "ended" else [event.seat]:
            if seat is None or event.kind not in {*_ENDS, "ended", "rung", "back"}:
                continue
            if seat in since:
                sums[seat][last[seat]] += (event.at - since.pop(seat)).total_seconds()
            last[seat] = event.rung or last.get(seat, "")
            if event.kind in {"rung", "back"} and last[seat]:
                since[seat] = event.at
    for seat, began in since.items():
        sums[seat][last[seat]] += max(0.0, (until - began).total_seconds())
    return {seat: dict(rungs) for seat, rungs in sums.items()}
