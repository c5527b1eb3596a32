"""Writing, signing and adding to the minutes; what the station did; how the patient is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any

from litestar import Response, get, post
from litestar.params import FromPath
from msgspec import Meta

from yersin.fhir.problem import problem
from yersin.guard.access import Access
from yersin.guard.writing import Update
from yersin.web import forms
from yersin.web.forms import Bound
from yersin.web.language import N_
from yersin.web.language import gettext as _
from yersin.web.shell import AnyRequest, fragment, page, redirect

from . import answering, consultations, minutes, outcomes, people, rules, showing
from .answering import Answering
from .ask_pages import diagnosis
from .codes import JSON
from .consultations import Consultation
from .documents.addenda import Addenda
from .minutes import Draft
from .reading import access_of, moment, now, typed
from .request_pages import show_again
from .rules import Refusal
from .signing import Pen, Signing, document_of, pdf_of
from .staff import post_of

ANSWER, ASK, SIGN = "telehealth.answer", "telehealth.ask", "telehealth.sign"
_LONG = 12_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Minutes:
    """The form; the conclusions are read beside it, one for each question."""

    findings: Annotated[str, Meta(title=N_("Findings and discussion"), max_length=_LONG)] = ""
    diagnosis: Annotated[
        str | None, Meta(title=N_("Diagnosis (ICD-10)"), description=N_("Type a few letters or a code."))
    ] = None
    diagnosis_text: Annotated[str, Meta(title=N_("Diagnosis in words"), max_length=300)] = ""
    plan: Annotated[str, Meta(title=N_("Treatment plan"), max_length=_LONG)] = ""
    care: Annotated[str, Meta(title=N_("Care and monitoring"), max_length=_LONG)] = ""
    transfer: Annotated[str, Meta(title=N_("Transfer"), max_length=2000)] = ""
    advice: Annotated[
        str,
        Meta(
            title=N_("Advice to the patient"), description=N_("In plain words: the patient reads it."), max_length=4000
        ),
    ] = ""
    follow_up: Annotated[date | None, Meta(title=N_("Next consultation on"))] = None
    participants: Annotated[
        str, Meta(title=N_("Others who took part"), description=N_("One a line: name, role."), max_length=2000)
    ] = ""
    day: Annotated[date, Meta(title=N_("Day"))]
    begun: Annotated[time, Meta(title=N_("From"))]
    ended: Annotated[time, Meta(title=N_("Until"))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """Something added to signed minutes."""

    addition: Annotated[str, Meta(title=N_("Addition"), min_length=3, max_length=_LONG)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What the station did."""

    done: Annotated[str, Meta(title=N_("What was done"), min_length=3, max_length=4000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How it went."""

    followed: Annotated[str, Meta(title=N_("Was the advice followed?"))]
    why: Annotated[str, Meta(title=N_("Why not, or why only in part?"), max_length=2000)] = ""
    patient: Annotated[str, Meta(title=N_("How is the patient?"))]


def pen_of(request: AnyRequest) -> Pen:
    """The pen of this installation. Raises Problem when it has none."""
    pen: Pen | None = getattr(request.app.state, "pen", None)
    if pen is None:
        raise problem(
            "not-supported", "Signing is not set up on this server: it has no certificate authority.", status=501
        )
    return pen


async def context_of(access: Access, task: str) -> tuple[Answering, Consultation, JSON, JSON | None]:
    """The request, its meeting and its minutes so far. Raises Problem while nobody has accepted."""
    mine = Answering(access, await post_of(access))
    it = await consultations.load(access, task)
    meeting = await answering.meeting_of(access, it)
    if meeting is None:
        raise problem("business-rule", "Minutes are written once the request is accepted.", status=409)
    return mine, it, meeting, minutes.minutes_among(await minutes.found(access, meeting))


@get("/telehealth/requests/{task:str}/minutes", opt={"permission": ANSWER})
async def show(request: AnyRequest, task: FromPath[str]) -> Response[bytes]:
    """The form, with what was saved before."""
    access = access_of(request)
    mine, it, meeting, before = await context_of(access, task)
    answer = rules.decide("conclude", mine.look(it))
    if isinstance(answer, Refusal):
        return await show_again(request, task, showing.refusal(answer))
    bound, conclusions = await _begun(access, it, meeting, before)
    return await _form(request, it, bound, conclusions)


async def _begun(
    access: Access, it: Consultation, meeting: JSON, before: JSON | None
) -> tuple[Bound[Minutes], list[str]]:
    zone, at = access.ground.zone, await now(access)
    draft = minutes.draft_of(before, it.questions) if before else Draft()
    start = (draft.started or moment(meeting.get("period", {}).get("start")) or at).astimezone(zone)
    end = (draft.ended or at).astimezone(zone)
    values = {name: getattr(draft, name) for name in (*minutes.SECTIONS, "follow_up")}
    if draft.diagnosis:
        shown = f"{draft.diagnosis.icd10} {draft.diagnosis.text}".strip()
        values |= {"diagnosis": draft.diagnosis.icd10, "diagnosis_text": shown}
    values |= {"day": start.date(), "begun": start.time(), "ended": end.time()}
    return forms.filled(Minutes, {k: v for k, v in values.items() if v}), list(draft.conclusions)


async def _form(
    request: AnyRequest,
    it: Consultation,
    bound: Bound[Minutes],
    conclusions: list[str],
    *,
    missing: frozenset[int] = frozenset(),
) -> Response[bytes]:
    access = access_of(request)
    at = await now(access)
    return page(
        request,
        "telehealth/minutes.html",
        status=422 if bound.errors or missing else 200,
        title=_("Minutes of the consultation"),
        styles=["telehealth/room"],
        it=it,
        bound=bound,
        answers=_answers(it, conclusions, missing),
        person=await people.person(access, it.patient, at.date()),
        saved="",
    )


def _answers(it: Consultation, conclusions: list[str], missing: frozenset[int]) -> list[tuple[str, str, bool]]:
    padded = [*conclusions, *[""] * len(it.questions)]
    return [(q, padded[n], n in missing) for n, q in enumerate(it.questions)]


@post("/telehealth/requests/{task:str}/minutes", opt={"permission": SIGN}, status_code=200)
async def write(request: AnyRequest, task: FromPath[str]) -> Response[Any]:
    """Save the draft, or sign (`step`). A draft may lack anything; what is signed answers every question."""
    access = access_of(request)
    mine, it, meeting, before = await context_of(access, task)
    form = await request.form()
    sign = form.get("step") == "sign"
    answer = rules.decide("conclude", mine.look(it))
    if isinstance(answer, Refusal):
        return await _refused(request, it, answer, asked=sign)
    bound = await forms.read(request, Minutes)
    conclusions = [str(c).strip()[:_LONG] for c in form.getall("conclusion", [])]
    missing = (
        frozenset(n for n in range(len(it.questions)) if not "".join(conclusions[n : n + 1])) if sign else frozenset()
    )
    script = bool(request.headers.get("hx-request"))
    if bound.value is None and script:
        words = "; ".join(f"{bound.label(name)}: {why}" for name, why in bound.errors.items())
        return fragment(request, "telehealth/minutes_form.html", "saved", saved="", refused=words)
    if bound.value is None or missing:
        return await _form(request, it, bound, conclusions, missing=missing)
    draft = await _draft(access, bound.value, conclusions[: len(it.questions)])
    if sign:
        signed = await Signing(mine, pen_of(request)).conclude(task, draft)
        return await _answered(request, task, signed)
    await _save(mine, it, draft, meeting, before)
    if script:
        return fragment(request, "telehealth/minutes_form.html", "saved", saved=await now(access), refused="")
    return redirect(f"/telehealth/requests/{task}/minutes")


async def _draft(access: Access, form: Minutes, conclusions: list[str]) -> Draft:
    zone = access.ground.zone
    start = datetime.combine(form.day, form.begun, zone)
    end = datetime.combine(form.day, form.ended, zone)
    return Draft(
        findings=form.findings,
        conclusions=tuple(conclusions),
        diagnosis=await diagnosis(access, form.diagnosis, form.diagnosis_text),
        plan=form.plan,
        care=form.care,
        transfer=form.transfer,
        advice=form.advice,
        participants=form.participants,
        follow_up=form.follow_up,
        started=start,
        ended=end if end >= start else end + timedelta(days=1),
    )


async def _save(mine: Answering, it: Consultation, draft: Draft, meeting: JSON, before: JSON | None) -> None:
    document = minutes.composition(it, draft, mine.post, meeting, await now(mine.access))
    key = before["id"] if before else minutes.id_for(meeting)
    await mine.access.write([Update(resource=typed({**document, "id": key}))])


async def _answered(request: AnyRequest, task: str, answer: answering.Answer) -> Response[Any]:
    """Go back to the request, or say why it was not signed."""
    if isinstance(answer, Refusal):
        return await _refused(request, await consultations.load(access_of(request), task), answer, asked=True)
    return redirect(f"/telehealth/requests/{task}")


async def _refused(request: AnyRequest, it: Consultation, refusal: Refusal, *, asked: bool) -> Response[Any]:
    """Say why. Who asked for a signature that is made already, by a second press, sees what is signed and no complaint."""
    if asked and it.status == "completed" and refusal.why in {"signed", "state"}:
        return redirect(f"/telehealth/requests/{it.id}")
    return await show_again(request, it.id, showing.refusal(refusal))


@post("/telehealth/requests/{task:str}/countersign", opt={"permission": SIGN}, status_code=200)
async def countersign(request: AnyRequest, task: FromPath[str]) -> Response[Any]:
    """Sign as the asking side."""
    access = access_of(request)
    mine = Answering(access, await post_of(access))
    return await _answered(request, task, await Signing(mine, pen_of(request)).countersign(task))


@get("/telehealth/requests/{task:str}/minutes.pdf", opt={"permission": "chart.read"})
async def pdf(request: AnyRequest, task: FromPath[str]) -> Response[bytes]:
    """The signed minutes, for both sides and the patient."""
    access = access_of(request)
    document = await document_of(access, await consultations.load(access, task))
    headers = {"content-disposition": 'inline; filename="minutes.pdf"', "cache-control": "no-store"}
    return Response(pdf_of(document), media_type="application/pdf", headers=headers)


@post("/telehealth/requests/{task:str}/additions", opt={"permission": SIGN}, status_code=200)
async def add(request: AnyRequest, task: FromPath[str]) -> Response[Any]:
    """Add to signed minutes."""
    bound = await forms.read(request, Addition)
    if bound.value is None:
        return await show_again(request, task, "", status=422, addition=bound)
    access = access_of(request)
    mine = Answering(access, await post_of(access))
    await Addenda(Signing(mine, pen_of(request))).add(task, bound.value.addition, bound.key)
    return redirect(f"/telehealth/requests/{task}")


@post("/telehealth/requests/{task:str}/done", opt={"permission": ASK}, status_code=200)
async def done(request: AnyRequest, task: FromPath[str]) -> Response[Any]:
    """Record what was done."""
    bound = await forms.read(request, Done)
    if bound.value is None:
        return await show_again(request, task, "", status=422, done=bound)
    access, loop = await _loop(request, task)
    await outcomes.record_done(access, loop, bound.value.done, await now(access))
    return redirect(f"/telehealth/requests/{task}")


@post("/telehealth/requests/{task:str}/outcome", opt={"permission": ASK}, status_code=200)
async def outcome(request: AnyRequest, task: FromPath[str]) -> Response[Any]:
    """Record whether the advice was followed and how the patient is."""
    bound = await forms.read(request, Outcome)
    value = bound.value
    if value and (value.followed not in dict(outcomes.FOLLOWED) or value.patient not in dict(outcomes.PATIENT)):
        bound = bound.with_error("followed", _("Choose one of the answers offered"))
    elif value and value.followed != "followed" and not value.why:
        bound = bound.with_error("why", _("This is needed"))
    if bound.value is None:
        return await show_again(request, task, "", status=422, outcome_form=bound)
    access, loop = await _loop(request, task)
    answer = {"followed": bound.value.followed, "why": bound.value.why, "patient": bound.value.patient}
    await outcomes.record_outcome(access, loop, answer, await now(access))
    return redirect(f"/telehealth/requests/{task}")


async def _loop(request: AnyRequest, task: str) -> tuple[Access, JSON]:
    access = access_of(request)
    it = await consultations.load(access, task)
    look = Answering(access, await post_of(access)).look(it)
    loop = await outcomes.follow_up(access, it)
    if loop is None or look.side != "asker" or loop["status"] == "completed":
        raise problem(
            "business-rule",
            "Only the asking facility reports the outcome, once, after the minutes are signed.",
            status=409,
        )
    return access, loop


async def beside_call(request: AnyRequest, it: Consultation, person: people.Person, side: str) -> tuple[str, str, bool]:
    """Banner and panel beside the video, and whether the panel is the minutes: only one writes them, others see the questions."""
    access = access_of(request)
    context: dict[str, Any] = {"it": it, "person": person, "side": side, "bound": None, "answers": []}
    mine = Answering(access, await post_of(access))
    if not isinstance(rules.decide("conclude", mine.look(it)), Refusal):
        _mine, it, meeting, before = await context_of(access, it.id)
        bound, conclusions = await _begun(access, it, meeting, before)
        context |= {"bound": bound, "answers": _answers(it, conclusions, frozenset())}
    banner, panel = (fragment(request, "telehealth/beside.html", block, **context) for block in ("banner", "panel"))
    return banner.content.decode(), panel.content.decode(), context["bound"] is not None


HANDLERS: list[Any] = [show, write, countersign, pdf, add, done, outcome]
