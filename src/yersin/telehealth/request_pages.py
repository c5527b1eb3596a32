"""One request, for both sides: what was asked, how it stands, what was written, and the moves that are open now."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Annotated, Any

from litestar import Response, get, post
from litestar.params import FromPath
from msgspec import Meta

from yersin.guard.access import Access
from yersin.web import forms
from yersin.web.forms import Bound
from yersin.web.language import N_
from yersin.web.language import gettext as _
from yersin.web.shell import AnyRequest, fragment, page, redirect

from . import answering, consultations, law, minutes, outcomes, people, rules, showing, staff
from .answering import Answering
from .codes import JSON, MESSAGE, code_of, id_of
from .consultations import Consultation
from .documents import addenda
from .reading import access_of, find, moment, now
from .rules import Refusal
from .staff import Post, post_of

ANSWER, ASK = "telehealth.answer", "telehealth.ask"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Something written to the other side."""

    text: Annotated[str, Meta(title=N_("Message"), min_length=1, max_length=4000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why."""

    reason: Annotated[str, Meta(title=N_("Reason"), min_length=3, max_length=1000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A time to meet."""

    day: Annotated[date, Meta(title=N_("Day"))]
    hour: Annotated[time, Meta(title=N_("Time"))]
    length: Annotated[int, Meta(title=N_("Length in minutes"), ge=5, le=240)] = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """To whom a request is handed over."""

    to: Annotated[str, Meta(title=N_("Colleague"))]
    note: Annotated[str, Meta(title=N_("Note for the colleague"), max_length=2000)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request as a page shows it."""

    it: Consultation
    post: Post
    side: rules.Side
    moves: frozenset[str]
    messages: list[JSON]
    appointment: JSON | None
    meeting: JSON | None
    papers: list[JSON]
    follow_up: JSON | None
    at: datetime


@get("/telehealth/requests/{task:str}", opt={"permission": ASK})
async def show(request: AnyRequest, task: FromPath[str]) -> Response[bytes]:
    """The request. A hub that opens it marks it as seen."""
    access = access_of(request)
    who = await post_of(access)
    await Answering(access, who).receive(await consultations.load(access, task))
    return await _page(request, task)


@get("/telehealth/requests/{task:str}/live", opt={"permission": ASK})
async def live(request: AnyRequest, task: FromPath[str]) -> Response[bytes]:
    """State and messages, asked for every ten seconds."""
    seen = await _seen(access_of(request), task)
    return fragment(
        request,
        "telehealth/request.html",
        "live",
        seen=seen,
        it=seen.it,
        state=showing.state(seen.it),
        **_words(seen.it),
    )


def _words(it: Consultation) -> dict[str, Any]:
    return {
        "within": showing.span(it.urgency.within),
        "kind_of": lambda m: code_of(m["category"][0], MESSAGE),
        "instant": moment,
        "law": law,
    }


async def _seen(access: Access, task: str) -> Seen:
    it = await consultations.load(access, task)
    who = await post_of(access)
    look = Answering(access, who).look(it)
    focus = f"ServiceRequest/{it.request['id']}"
    messages = await find(access, "Communication", ("based-on", focus), ("_sort", "sent"), ("_count", "200"))
    proposed = await answering.proposals(access, task)
    meeting = await answering.meeting_of(access, it)
    return Seen(
        it=it,
        post=who,
        side=look.side,
        moves=frozenset(rules.moves(look)),
        messages=messages,
        appointment=next((a for a in proposed if a["status"] in {"proposed", "booked"}), None),
        meeting=meeting,
        papers=await minutes.found(access, meeting),
        follow_up=await outcomes.follow_up(access, it),
        at=await now(access),
    )


async def _page(request: AnyRequest, task: str, *, status: int = 200, **more: Any) -> Response[bytes]:
    access = access_of(request)
    seen = await _seen(access, task)
    context: dict[str, Any] = {name: forms.blank(shape) for name, shape in _SHAPES.items()}
    context |= {
        "refusal": "",
        "addition": None,
        "done": None,
        "outcome_form": None,
        "person": await people.person(access, seen.it.patient, seen.at.date()),
    }
    colleagues = (
        [c for c in await staff.colleagues(access, seen.it.pool) if c["id"] != seen.post.role]
        if "hand-over" in seen.moves
        else []
    )
    return page(
        request,
        "telehealth/request.html",
        status=status,
        title=_("Request for consultation"),
        styles=["telehealth/room"],
        seen=seen,
        it=seen.it,
        state=showing.state(seen.it),
        colleagues=[(c["id"], c["practitioner"].get("display", "")) for c in colleagues],
        parts=[text for code, text in showing.words(showing.PARTS) if code in seen.it.shared],
        minutes_signed=any(d["status"] == "final" for d in seen.papers),
        outcome=outcomes.words(seen.follow_up),
        answers={o["type"].get("text", ""): o["valueString"] for o in seen.it.output("conclusion")},
        choices={"followed": showing.words(outcomes.FOLLOWED), "patient": showing.words(outcomes.PATIENT)},
        additions=await addenda.shown(access, seen.it, seen.papers, seen.side),
        **_words(seen.it),
        **(context | more),
    )


async def show_again(
    request: AnyRequest, task: str, refusal: str, *, status: int = 409, **bound: Any
) -> Response[bytes]:
    """The request as it stands, with why something was not done or the form that needs mending."""
    return await _page(request, task, status=status, refusal=refusal, **bound)


_SHAPES: dict[str, type] = {"words": Words, "reason": Reason, "proposal": Proposal, "hand": Hand}


async def _answered(request: AnyRequest, task: str, move: Awaitable[Consultation | Refusal]) -> Response[Any]:
    """Answer a move: the request as it stands now, or why it was not made and who has it."""
    answer = await move
    if isinstance(answer, Refusal):
        return await _page(request, task, status=409, refusal=showing.refusal(answer))
    return redirect(f"/telehealth/requests/{task}")


async def _mine(request: AnyRequest) -> Answering:
    access = access_of(request)
    return Answering(access, await post_of(access))


@post("/telehealth/requests/{task:str}/accept", opt={"permission": ANSWER}, status_code=200)
async def accept(request: AnyRequest, task: FromPath[str]) -> Response[Any]:
    """Accept; of two who do so at once one gets it, the other is told who has it."""
    return await _answered(request, task, (await _mine(request)).accept(task))


@post("/telehealth/requests/{task:str}/begin", opt={"permission": ANSWER}, status_code=200)
async def begin(request: AnyRequest, task: FromPath[str]) -> Response[Any]:
    """Begin the meeting and go to its waiting room."""
    mine = await _mine(request)
    answer = await mine.begin(task)
    if isinstance(answer, Refusal):
        return await _page(request, task, status=409, refusal=showing.refusal(answer))
    return redirect(f"/telehealth/calls/{meeting_id(answer)}")


def meeting_id(it: Consultation) -> str:
    """Id of the meeting, which is that of its call."""
    return next((id_of(o.get("valueReference"), "Encounter") for o in it.output("meeting")), "")


@post("/telehealth/requests/{task:str}/ask-back", opt={"permission": ANSWER}, status_code=200)
async def ask_back(request: AnyRequest, task: FromPath[str]) -> Response[Any]:
    """Ask the station something in writing."""
    return await _worded(request, task, "ask_back")


@post("/telehealth/requests/{task:str}/reply", opt={"permission": ASK}, status_code=200)
async def reply(request: AnyRequest, task: FromPath[str]) -> Response[Any]:
    """Answer what the hub asked."""
    return await _worded(request, task, "reply")


async def _worded(request: AnyRequest, task: str, move: str) -> Response[Any]:
    bound: Bound[Words] = await forms.read(request, Words)
    if bound.value is None:
        return await _page(request, task, status=422, words=bound)
    return await _answered(request, task, getattr(await _mine(request), move)(task, bound.value.text))


@post("/telehealth/requests/{task:str}/decline", opt={"permission": ANSWER}, status_code=200)
async def decline(request: AnyRequest, task: FromPath[str]) -> Response[Any]:
    """Decline with a reason. The request is no longer open to this hub afterwards."""
    bound: Bound[Reason] = await forms.read(request, Reason)
    if bound.value is None:
        return await _page(request, task, status=422, reason=bound)
    answer = await (await _mine(request)).decline(task, bound.value.reason)
    if isinstance(answer, Refusal):
        return await _page(request, task, status=409, refusal=showing.refusal(answer))
    return redirect("/telehealth/queue")


@post("/telehealth/requests/{task:str}/cancel", opt={"permission": ASK}, status_code=200)
async def cancel(request: AnyRequest, task: FromPath[str]) -> Response[Any]:
    """Withdraw the request."""
    bound: Bound[Reason] = await forms.read(request, Reason)
    if bound.value is None:
        return await _page(request, task, status=422, reason=bound)
    return await _answered(request, task, (await _mine(request)).cancel(task, bound.value.reason))


@post("/telehealth/requests/{task:str}/again", opt={"permission": ASK}, status_code=200)
async def again(request: AnyRequest, task: FromPath[str]) -> Response[Any]:
    """Ask once more after nobody took it."""
    return await _answered(request, task, (await _mine(request)).again(task))


@post("/telehealth/requests/{task:str}/propose", opt={"permission": ASK}, status_code=200)
async def propose(request: AnyRequest, task: FromPath[str]) -> Response[Any]:
    """Propose a time to the other side."""
    bound: Bound[Proposal] = await forms.read(request, Proposal)
    access = access_of(request)
    zone = access.ground.zone
    if bound.value is not None:
        start = datetime.combine(bound.value.day, bound.value.hour, zone)
        if start > await now(access):
            return await _answered(request, task, (await _mine(request)).propose(task, start, bound.value.length))
        bound = bound.with_error("hour", _("This time has passed"))
    return await _page(request, task, status=422, proposal=bound)


@post("/telehealth/requests/{task:str}/agree", opt={"permission": ASK}, status_code=200)
async def agree(request: AnyRequest, task: FromPath[str]) -> Response[Any]:
    """Agree to the time that the other side proposed."""
    mine = await _mine(request)
    proposed = await answering.proposals(mine.access, task)
    waiting = next((a for a in proposed if a["status"] == "proposed"), None)
    if waiting is None:
        return await _page(request, task, status=409, refusal=showing.refusal(Refusal(why="state")))
    return await _answered(request, task, mine.agree(task, waiting))


@post("/telehealth/requests/{task:str}/hand-over", opt={"permission": ANSWER}, status_code=200)
async def hand_over(request: AnyRequest, task: FromPath[str]) -> Response[Any]:
    """Hand over to a colleague of the same pool."""
    bound: Bound[Hand] = await forms.read(request, Hand)
    mine = await _mine(request)
    it = await consultations.load(mine.access, task)
    listed = await staff.colleagues(mine.access, it.pool)
    to = next((c for c in listed if bound.value and c["id"] == bound.value.to), None)
    if bound.value is None or to is None:
        refused = bound.with_error("to", _("Choose one of the answers offered")) if bound.value else bound
        return await _page(request, task, status=422, hand=refused)
    person = {"reference": f"PractitionerRole/{to['id']}", "display": to["practitioner"].get("display", "")}
    return await _answered(request, task, mine.hand_over(task, person, bound.value.note))


HANDLERS: list[Any] = [
    show, live, accept, begin, ask_back, reply, decline, cancel, again, propose, agree, hand_over,
]  # fmt: skip
