"""What may happen to a request, by whom and from which state: values in, an answer out. No clock, no database.

The states are those of Task.status (https://hl7.org/fhir/R4/valueset-task-status.html). The asking side decides on using the
advice and reports back (Circular 49/2017/TT-BYT); whoever accepted is the one who answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

Side = Literal["asker", "hub", "clock", "stranger"]
Why = Literal["side", "state", "taken", "not-accepted", "signed", "unsigned"]

WAITING: Final = frozenset({"requested", "received"})
OPEN: Final = frozenset({"requested", "received", "accepted", "in-progress", "on-hold"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a request stands and who looks at it."""

    status: str
    side: Side
    accepted_by: str = ""  # PractitionerRole that accepted
    me: str = ""  # PractitionerRole that asks
    hubs_left: bool = False
    countersigned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Who may make a move and from where. `mine`: after an acceptance only by the one who accepted."""

    sides: frozenset[Side]
    start: frozenset[str]
    to: str = ""
    business: str = ""
    mine: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a move is not made; pages have words for each."""

    why: Why
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Where a request stands after a move."""

    status: str
    business: str = ""


def _rule(sides: str, start: frozenset[str], to: str = "", business: str = "", *, mine: bool = False) -> Rule:
    named: frozenset[Side] = frozenset(sides.split())  # type: ignore[arg-type] # the words below are all sides
    return Rule(sides=named, start=start, to=to, business=business, mine=mine)


_HELD = frozenset({"accepted", "in-progress", "on-hold"})
_TALKING = frozenset({"accepted", "in-progress"})
MOVES: Final[Mapping[str, Rule]] = {
    "receive": _rule("hub", frozenset({"requested"}), "received", "seen"),
    "accept": _rule("hub", WAITING, "accepted", "accepted"),
    "ask-back": _rule("hub", WAITING | _TALKING, "on-hold", "waiting-answer", mine=True),
    "reply": _rule("asker", frozenset({"on-hold"})),
    "propose": _rule("hub asker", frozenset({"accepted"}), "accepted", "proposed-time", mine=True),
    "agree": _rule("hub asker", frozenset({"accepted"}), "accepted", "agreed-time", mine=True),
    "decline": _rule("hub", WAITING | frozenset({"accepted", "on-hold"}), mine=True),
    "hand-over": _rule("hub", _HELD, "accepted", "handed-over", mine=True),
    "begin": _rule("hub", _TALKING, "in-progress", "meeting", mine=True),
    "conclude": _rule("hub", _TALKING, "completed", "signed-by-hub", mine=True),
    "countersign": _rule("asker", frozenset({"completed"}), "completed", "signed-by-both"),
    "cancel": _rule("asker", OPEN, "cancelled", "withdrawn"),
    "fall": _rule("clock", WAITING),
    "again": _rule("asker", frozenset({"rejected"}), "requested", "asked"),
}


def decide(move: str, standing: Standing) -> Moved | Refusal:
    """Answer what becomes of a request by a move, or why the move is not made."""
    rule = MOVES[move]
    if standing.side not in rule.sides:
        return Refusal(why="side")
    taken = bool(standing.accepted_by) and standing.accepted_by != standing.me
    if move == "accept" and standing.accepted_by and standing.status in _HELD:
        return Refusal(why="taken", by=standing.accepted_by)
    if standing.status not in rule.start:
        return Refusal(why="state")
    if rule.mine and standing.side == "hub" and taken:
        return Refusal(why="taken", by=standing.accepted_by)
    if move == "countersign" and standing.countersigned:
        return Refusal(why="signed")
    return _moved(move, rule, standing)


def _moved(move: str, rule: Rule, standing: Standing) -> Moved:
    if move in {"decline", "fall"}:
        gone = "declined" if move == "decline" else "no-answer"
        return (
            Moved(status="requested", business="asked")
            if standing.hubs_left
            else Moved(status="rejected", business=gone)
        )
    if move == "reply":
        return Moved(status="accepted" if standing.accepted_by else "received", business="answered")
    return Moved(status=rule.to, business=rule.business)


def moves(standing: Standing) -> list[str]:
    """The moves that are open now."""
    return [move for move in MOVES if isinstance(decide(move, standing), Moved)]


def next_hub(ranked: Sequence[str], asked: Sequence[str]) -> str | None:
    """The first hub in the order of rank that has not been asked in this round."""
    return next((hub for hub in ranked if hub not in asked), None)


def is_overdue(asked: datetime, within: timedelta, now: datetime) -> bool:
    """Whether nobody accepted in time."""
    return now >= asked + within


def access_ends(signed: datetime, days: int) -> datetime:
    """When the hub's access to the chart ends."""
    return signed + timedelta(days=days)
