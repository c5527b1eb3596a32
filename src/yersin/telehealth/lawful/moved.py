"""A request that changes: by a move that `rules` allow, and no more of it than the move is about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from yersin.telehealth import rules
from yersin.telehealth.codes import EXT_ASKED, JSON, code_of, extension, id_of
from yersin.telehealth.consultations import EXT_OUTPUT, Consultation
from yersin.telehealth.rules import MOVES, Moved, Refusal, Standing

from .facts import SKEW, Breach, Facts, following, instant, look, references

#: nothing of the request's state changes
STAY: Final = ""
#: what each move takes, as the pages ask it
_NEEDS: Final = {
    **dict.fromkeys(("accept", "ask-back", "decline", "hand-over", "begin"), "telehealth.answer"),
    **dict.fromkeys(("conclude", "countersign"), "telehealth.sign"),
}
_PASSING: Final = frozenset({"decline", "again"})
#: parts that tell nothing of a request's course
FREE: Final = frozenset(
    {"id", "meta", "implicitRules", "language", "text", "identifier", "lastModified", "note", "relevantHistory"}
)
#: parts judged by themselves, below
_JUDGED: Final = frozenset({"status", "businessStatus", "owner", "restriction", "extension", "output"})
_ALSO: Final[Mapping[str, frozenset[str]]] = {
    **{move: frozenset({"statusReason"}) for move in MOVES},
    "begin": frozenset({"statusReason", "executionPeriod"}),
    "conclude": frozenset({"statusReason", "executionPeriod"}),
    STAY: frozenset(),
}
_OUTPUTS: Final = {"accept": {"meeting"}, "begin": {"meeting"}, "countersign": {"document"}}
_REQUEST_STATUS: Final = {"cancel": "revoked", "conclude": "completed"}


def judge(before: Consultation, after: Consultation, facts: Facts) -> Breach | None:
    """Say what is against the rules in a change, or nothing when some move explains all of it."""
    seen = look(before, facts)
    if seen.side == "stranger" or not facts.roles:
        return Breach(place="Task", text="Only staff of the two sides of a consultation change it.", who=True)
    moves = moves_between(before, after, seen)
    if not moves:
        return _no_move(before, after, seen)
    allowed = [move for move in moves if _NEEDS.get(move, "telehealth.ask") in facts.permissions]
    if not allowed:
        text = f"Your role does not allow this ({_NEEDS.get(moves[0], 'telehealth.ask')})."
        return Breach(place="Task.status", text=text, who=True)
    breach = _least(before, after, facts, allowed)
    return _taken(breach.place, seen.accepted_by) if breach and allowed == [STAY] and _is_taken(seen) else breach


def _least(before: Consultation, after: Consultation, facts: Facts, moves: list[str]) -> Breach | None:
    """Nothing when one of the moves explains all of the change; else what the move that explains most of it does not."""
    left = [list(_beyond(before, after, move, facts)) for move in moves]
    nearest = min(left, key=len)
    return nearest[0] if nearest else None


def moves_between(before: Consultation, after: Consultation, seen: Standing) -> list[str]:
    """Moves that lead from one state to the other, the likeliest first. A finer state left as it was counts as left out."""
    if "businessStatus" in after.task and not after.business:
        return []
    exact, left_out = [], []
    for move in rules.moves(seen):
        made = rules.decide(move, seen)
        if not isinstance(made, Moved) or made.status != after.status:
            continue
        if made.business == after.business:
            exact.append(move)
        elif after.status != before.status and after.business in {"", before.business}:
            left_out.append(move)
    same = (after.status, after.business) == (before.status, before.business)
    return [*([STAY] if same else ()), *exact, *left_out]


def _no_move(before: Consultation, after: Consultation, seen: Standing) -> Breach:
    """Why no move leads there: a colleague has it, it is the other side's, or the state is wrong."""
    told = [
        answer for move, rule in MOVES.items()
        if before.status in rule.start and after.status in _ends(move) and isinstance(answer := rules.decide(move, seen), Refusal)
    ]  # fmt: skip
    taken = next((refusal for refusal in told if refusal.why == "taken"), None)
    if taken:
        return _taken("Task.status", taken.by)
    if any(refusal.why == "side" for refusal in told):
        text = f"That a request becomes {after.status} is for the other side to say."
        return Breach(place="Task.status", text=text, who=True)
    ways = ", ".join(dict.fromkeys(_way(move, seen) for move in rules.moves(seen))) or "nothing more"
    text = f"A request that is {before.status} cannot become {after.status} {after.business}".rstrip()
    return Breach(place="Task.status", text=f"{text}. From here you can make it: {ways}.")


def _taken(place: str, by: str) -> Breach:
    text = f"PractitionerRole/{by} has accepted this request, and only they go on with it."
    return Breach(place=place, text=text)


def _is_taken(seen: Standing) -> bool:
    """Whether a colleague has accepted, so that nothing but who has it needs saying."""
    return seen.side == "hub" and seen.accepted_by not in {"", seen.me} and seen.status in rules.OPEN


def _ends(move: str) -> set[str]:
    """States that a move may lead to."""
    if move in {"decline", "fall"}:
        return {"requested", "rejected"}
    return {"accepted", "received"} if move == "reply" else {MOVES[move].to}


def _way(move: str, seen: Standing) -> str:
    made = rules.decide(move, seen)
    return f"{made.status} ({made.business})" if isinstance(made, Moved) else ""


# --- no more than the move is about ---------------------------------------------------------------------------------


def _beyond(before: Consultation, after: Consultation, move: str, facts: Facts) -> Iterator[Breach]:
    yield from _fixed("Task", before.task, after.task, FREE | _JUDGED | _ALSO[move])
    yield from _fixed("ServiceRequest", before.request, after.request, FREE - {"note"} | {"status", "performer"})
    for part in (_owner, _period, _hubs_noted, _outputs, _in_step, _performer):
        yield from part(before, after, move, facts)
    if move == "conclude":
        yield from _concluded(after, facts)


def _fixed(kind: str, before: JSON, after: JSON, free: frozenset[str]) -> Iterator[Breach]:
    for name in sorted({*before, *after} - free):
        if before.get(name) != after.get(name):
            yield _stays(f"{kind}.{name}")


def _stays(place: str) -> Breach:
    return Breach(place=place, text=f"{place} stays as it was; write it as you read it.")


def _to(before: Consultation, move: str, facts: Facts) -> str | None:
    """The hub that a request goes to by a move."""
    if move == "again":
        return next(iter(facts.hubs), None)
    return following(before, facts) if move == "decline" else None


def _owner(before: Consultation, after: Consultation, move: str, facts: Facts) -> Iterator[Breach]:
    hub = _to(before, move, facts)
    if hub is None and before.task.get("owner") != after.task.get("owner"):
        yield _stays("Task.owner")
    if hub is not None and id_of(after.hub, "Organization") != hub:
        text = f"The request goes to the next hub in rank, Organization/{hub}, and to no other."
        yield Breach(place="Task.owner", text=text)


def _period(before: Consultation, after: Consultation, move: str, facts: Facts) -> Iterator[Breach]:
    old, new = _parted(before.task), _parted(after.task)
    sent = _to(before, move, facts) is not None
    if old["rest"] != new["rest"] and not sent:
        yield _stays("Task.restriction")
    if (sent or old["start"] != new["start"]) and not (
        facts.is_now(new["start"]) and (sent or move in {"reply", "decline"})
    ):
        text = "restriction.period.start says since when a hub is asked: it becomes the present moment when one is asked, or answered."
        yield Breach(place="Task.restriction.period.start", text=text)
    if not _is_end(old["end"], new["end"], move, after.days, facts, asker=look(before, facts).side == "asker"):
        text = f"Access ends at most {after.days} days after the conclusion, as agreed; afterwards only the asker ends it, and sooner."
        yield Breach(place="Task.restriction.period.end", text=text)


def _parted(task: JSON) -> dict[str, Any]:
    restriction = dict(task.get("restriction", {}))
    period = dict(restriction.pop("period", {}))
    start, end = period.pop("start", None), period.pop("end", None)
    return {"start": start, "end": end, "rest": (restriction, period)}


def _is_end(old: str | None, new: str | None, move: str, days: int, facts: Facts, *, asker: bool) -> bool:
    if old == new:
        return move != "conclude" or old is not None
    end = instant(new)
    if end is None or end.tzinfo is None:
        return False
    if move == "conclude":
        return end <= rules.access_ends(facts.at, days) + SKEW
    limit = instant(old)
    return asker and move == STAY and limit is not None and end <= limit


def _hubs_noted(before: Consultation, after: Consultation, move: str, facts: Facts) -> Iterator[Breach]:
    """Every hub asked stays on the Task, with why it ended; one more is noted when one more is asked."""
    old, new = extension(before.task, EXT_ASKED), extension(after.task, EXT_ASKED)
    rest = [[e for e in it.task.get("extension", ()) if e["url"] != EXT_ASKED] for it in (before, after)]
    if rest[0] != rest[1]:
        yield _stays("Task.extension")
    hub = _to(before, move, facts)
    kept, closing = new[: len(old)], move in _PASSING
    same = kept[:-1] == old[:-1] and (_named(kept) == _named(old) if closing else kept == old)
    if not same or len(new) != len(old) + (hub is not None):
        text = f"The hubs asked ({EXT_ASKED}) stay noted; add one for each hub that is asked next, and why the last one ended."
        yield Breach(place="Task.extension", text=text)
    elif hub is not None and not _is_noted(new[-1], hub, before.round + (move == "again")):
        text = f"Note the next hub: Organization/{hub}, when it is asked, and the round."
        yield Breach(place="Task.extension", text=text)


def _named(noted: list[JSON]) -> list[JSON]:
    """The last note without why it ended."""
    return [e for e in noted[-1].get("extension", ()) if e["url"] in {"hub", "asked", "round"}] if noted else []


def _is_noted(one: JSON, hub: str, round_: int) -> bool:
    parts = {e["url"]: e for e in one.get("extension", ())}
    named = id_of(parts.get("hub", {}).get("valueReference"), "Organization") == hub
    asked = instant(parts.get("asked", {}).get("valueDateTime"))
    return named and asked is not None and parts.get("round", {}).get("valuePositiveInt") == round_


def _outputs(before: Consultation, after: Consultation, move: str, _facts: Facts) -> Iterator[Breach]:
    old, new = before.task.get("output", []), after.task.get("output", [])
    if move == "conclude":
        old, more = before.output("meeting"), None
    else:
        more = _OUTPUTS.get(move, set())
    added = [o for o in new if o not in old]
    if any(o not in new for o in old) or (more is not None and any(_kind(o) not in more for o in added)):
        yield Breach(place="Task.output", text="Outputs stay as they are; answers are written with the conclusion.")


def _kind(output: JSON) -> str:
    return code_of(output.get("type"), EXT_OUTPUT)


def _in_step(before: Consultation, after: Consultation, move: str, _facts: Facts) -> Iterator[Breach]:
    status = _REQUEST_STATUS.get(move, before.request.get("status"))
    if after.request.get("status") != status:
        text = f"The ServiceRequest keeps step with its Task: write it with status {status} in the same transaction."
        yield Breach(place="ServiceRequest.status", text=text)


def _performer(before: Consultation, after: Consultation, move: str, facts: Facts) -> Iterator[Breach]:
    old, new = references(before.request.get("performer")), references(after.request.get("performer"))
    pools = [one for one in old if id_of({"reference": one}, "HealthcareService")]
    people = [one for one in new if one not in pools]
    hub = _to(before, move, facts)
    if hub is not None:
        right = len(new) == 1 and new[0] in facts.services(hub)
    elif move in {"accept", "hand-over", "decline"}:
        right = [one for one in new if one in pools] == pools and _is_named(people, move, facts)
    else:
        right = new == old
    if not right:
        yield Breach(place="ServiceRequest.performer", text=_PERFORMERS.get(move, _PERFORMERS[STAY]))


def _is_named(people: list[str], move: str, facts: Facts) -> bool:
    """Whether the people of a request are those a move puts there."""
    if move == "decline":
        return not people
    mine = [one for one in people if id_of({"reference": one}, "PractitionerRole") in facts.roles]
    return len(people) == 1 and (mine == people if move == "accept" else facts.colleague)


_PERFORMERS: Final = {
    "accept": "Who accepts names themselves: add your PractitionerRole to ServiceRequest.performer in the same transaction.",
    "hand-over": "Name one colleague of the pool in ServiceRequest.performer, in the place of who accepted.",
    "decline": "ServiceRequest.performer becomes the HealthcareService asked next, without who had accepted.",
    "again": "ServiceRequest.performer becomes the HealthcareService that is asked first.",
    STAY: "ServiceRequest.performer changes when somebody accepts, hands over or passes the request on, and then alone.",
}


def _concluded(after: Consultation, facts: Facts) -> Iterator[Breach]:
    answers = Counter(o["type"].get("text", "") for o in after.output("conclusion") if o.get("valueString", "").strip())
    missing = Counter(after.questions) - answers
    if missing:
        numbers = ", ".join(str(n) for n, question in enumerate(after.questions, 1) if question in missing)
        text = f"Every question needs a conclusion (output conclusion, type.text the question); missing for {numbers}."
        yield Breach(place="Task.output", text=text)
    written = {id_of(o.get("valueReference"), "Composition") for o in after.output("minutes")}
    if not written or not written <= facts.minutes:
        text = "The conclusion is written with its minutes: a Composition, final and tagged signed, named in output minutes."
        yield Breach(place="Task.output", text=text)
