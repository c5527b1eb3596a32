"""Asking from a chart: the form, its look before sending, and the request that comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Annotated, Any

from litestar import Response, get, post
from litestar.params import FromPath
from msgspec import Meta

from yersin.guard.access import Access
from yersin.terminology import icd10
from yersin.web import forms, language
from yersin.web.forms import Bound
from yersin.web.language import N_, ngettext
from yersin.web.language import gettext as _
from yersin.web.shell import AnyRequest, fragment, page, redirect

from . import asking, law, people, routing, showing
from .asking import Diagnosis, Wish
from .codes import SHARED_TYPES
from .reading import access_of, now
from .routing import Pool
from .staff import post_of

PERMISSION = "telehealth.ask"
_LONG, _QUESTION, _QUESTIONS = 8000, 500, 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """The form. `question` stands in the order asked."""

    activity: Annotated[str, Meta(title=N_("What do you need?"))]
    mode: Annotated[
        str, Meta(title=N_("In which legal form?"), description=N_("It decides who is responsible and who pays."))
    ]
    specialty: Annotated[str, Meta(title=N_("Specialty"))]
    urgency: Annotated[
        str,
        Meta(
            title=N_("How soon?"),
            description=N_("When nobody accepts within this time, the next hospital is asked by itself."),
        ),
    ]
    question: Annotated[tuple[str, ...], Meta(title=N_("Your questions"), max_length=_QUESTION)]
    history: Annotated[
        str,
        Meta(
            title=N_("History and findings"), description=N_("What the specialist should know first."), max_length=_LONG
        ),
    ] = ""
    diagnosis: Annotated[
        str | None, Meta(title=N_("Working diagnosis (ICD-10)"), description=N_("Type a few letters or a code."))
    ] = None
    diagnosis_text: Annotated[str, Meta(title=N_("Working diagnosis in words"), max_length=300)] = ""
    whole: Annotated[str, Meta(title=N_("What do you show?"))]
    share: Annotated[tuple[str, ...], Meta(title=N_("Parts of the chart"))] = ()
    days: Annotated[int, Meta(title=N_("The hospital keeps access after signing for"), ge=1, le=90)]
    told: Annotated[str, Meta(title=N_("How was the patient told?"))]
    informed: Annotated[
        bool,
        Meta(
            title=N_("The patient was told who will see the record, why and for how long"),
            extra={"must": True},
        ),
    ]
    consents: Annotated[bool, Meta(title=N_("The patient agrees to this consultation"), extra={"must": True})]
    recording: Annotated[
        str,
        Meta(
            title=N_("May the consultation be recorded?"),
            description=N_("Recordings are encrypted and kept for ten years."),
        ),
    ]


@get("/telehealth/ask/{patient:str}", opt={"permission": PERMISSION})
async def show(request: AnyRequest, patient: FromPath[str]) -> Response[bytes]:
    """The empty form."""
    start: dict[str, Any] = {
        "mode": "INTER_FACILITY_SUPPORT",
        "activity": "CONSULT_CARE",
        "urgency": "routine",
        "whole": "yes",
        "days": law.ACCESS_DAYS,
    }
    return await _form(request, patient, forms.filled(Ask, start))


@post("/telehealth/ask/{patient:str}/questions", opt={"permission": PERMISSION}, status_code=200)
async def questions(request: AnyRequest, patient: FromPath[str]) -> Response[bytes]:
    """Add, remove or move a question: the list alone for a script, the whole form without one."""
    form = await request.form()
    listed = changed([str(q) for q in form.getall("question", [])], str(form.get("change", "")))
    bound = replace(await forms.read(request, Ask), errors={})
    bound = replace(bound, typed={**bound.typed, "question": tuple(listed)})
    if request.headers.get("hx-request"):
        return fragment(request, "telehealth/ask.html", "questions", bound=bound, patient=patient, limit=_QUESTIONS)
    return await _form(request, patient, bound)


def changed(listed: Sequence[str], change: str) -> list[str]:
    """The questions after a change: `add`, `remove-2`, `up-2`, `down-2` (counted from 0). What makes no sense changes nothing."""
    made = list(listed) or [""]
    verb, _dash, number = change.partition("-")
    if verb == "add" and len(made) < _QUESTIONS:
        return [*made, ""]
    if not number.isdecimal() or int(number) >= len(made):
        return made
    place = int(number)
    if verb == "remove":
        return [q for n, q in enumerate(made) if n != place] or [""]
    other = place + {"up": -1, "down": 1}.get(verb, 0)
    if 0 <= other < len(made):
        made[place], made[other] = made[other], made[place]
    return made


@post("/telehealth/ask/{patient:str}", opt={"permission": PERMISSION}, status_code=200)
async def send(request: AnyRequest, patient: FromPath[str]) -> Response[Any]:
    """Look at it once more (step `look`), go back to it (`back`), or send it (`send`)."""
    access = access_of(request)
    bound = await forms.read(request, Ask)
    step = str((await request.form()).get("step", "look"))
    if step == "back":
        return await _form(request, patient, replace(bound, errors={}))
    who = await post_of(access)
    pools = await routing.pools(access, who.organization)
    bound = _refused(bound, pools)
    if bound.value is None:
        return await _form(request, patient, bound, status=422)
    today = await now(access)
    wish = await _wish(access, bound.value, pools, await people.person(access, patient, today.date()))
    if step != "send":
        return await _look(request, wish, bound, today)
    task = await asking.ask(access, who, wish, bound.key)
    return redirect(f"/telehealth/requests/{task}")


def _refused(bound: Bound[Ask], pools: list[Pool]) -> Bound[Ask]:
    """What a field alone cannot tell."""
    value = bound.value
    if value is None:
        return bound
    if not asking.is_known(value.activity, value.mode, value.urgency):
        return bound.with_error("activity", _("Choose one of the answers offered"))
    if asking.first_pool(pools, value.specialty) is None:
        return bound.with_error("specialty", _("None of your hospitals offers this specialty"))
    if value.told == "emergency" and value.urgency != "stat":
        return bound.with_error("told", _("Only an emergency may be asked for before the patient is told"))
    if value.whole == "no" and not value.share:
        return bound.with_error("share", _("Choose at least one"))
    if not set(value.share) <= set(SHARED_TYPES):
        return bound.with_error("share", _("Choose one of the answers offered"))
    return bound


async def _wish(access: Access, form: Ask, pools: list[Pool], person: people.Person) -> Wish:
    pool = asking.first_pool(pools, form.specialty)
    assert pool is not None  # noqa: S101 - refused before
    return Wish(
        patient=person.id,
        patient_name=person.name,
        activity=form.activity,
        mode=form.mode,
        urgency=form.urgency,
        pool=pool,
        questions=form.question,
        diagnosis=await diagnosis(access, form.diagnosis, form.diagnosis_text),
        history=form.history,
        shared=form.share if form.whole == "no" else (),
        days=form.days,
        told=form.told,
        recording=form.recording == "yes",
    )


async def diagnosis(access: Access, code: str | None, text: str) -> Diagnosis | None:
    """A diagnosis from what was chosen and typed; a typed code counts as chosen."""
    async with access.own_tables() as connection:
        entry = await icd10.find(connection, code or text)
    if entry is not None:
        return Diagnosis(text=entry.title("vi"), icd10=entry.code)
    return Diagnosis(text=text) if text else None


async def _form(request: AnyRequest, patient: str, bound: Bound[Ask], status: int = 200) -> Response[bytes]:
    access = access_of(request)
    who = await post_of(access)
    pools = await routing.pools(access, who.organization)
    today = (await now(access)).date()
    return page(
        request,
        "telehealth/ask.html",
        status=status,
        title=_("Ask for a consultation"),
        modules=["telehealth/questions"],
        styles=["telehealth/room"],
        bound=bound,
        patient=patient,
        person=await people.person(access, patient, today),
        options=_options(today, pools),
        modes=law.in_force(law.MODES, today),
        parts=showing.words(showing.PARTS),
        told=showing.words(showing.TOLD),
        limit=_QUESTIONS,
    )


def _options(today: date, pools: list[Pool]) -> dict[str, list[tuple[Any, ...]]]:
    """What may be chosen on this day, with what each choice means."""
    urgencies = law.in_force(law.URGENCIES, today)
    return {
        "activity": [(a.code, _(a.label), _(a.meaning)) for a in law.in_force(law.ACTIVITIES, today) if a.clinical],
        "mode": [
            (m.code, _(m.label), " ".join((_(m.meaning), _(m.responsible), _(m.money))))
            for m in law.in_force(law.MODES, today)
        ],
        "urgency": [(u.code, f"{_(u.label)} · {showing.span(u.within)}", _(u.meaning)) for u in urgencies],
        "specialty": [(p.specialty, f"{p.specialty_name} · {p.hub_name}") for p in routing.specialties(pools)],
        "days": [(d, ngettext("%(num)s day", "%(num)s days", d)) for d in law.ACCESS_CHOICES],
    }


async def _look(request: AnyRequest, wish: Wish, bound: Bound[Ask], today: datetime) -> Response[bytes]:
    mode, urgency = law.named(law.MODES, wish.mode), law.named(law.URGENCIES, wish.urgency) or law.URGENCIES[-1]
    treated = wish.diagnosis.icd10 if wish.diagnosis else ""
    outside = bool(mode and mode.treats and treated and not law.may_treat(treated, today.date()))
    return page(
        request,
        "telehealth/look.html",
        title=_("Look once more"),
        styles=["telehealth/room"],
        wish=wish,
        bound=bound,
        person=await people.person(access_of(request), wish.patient, today.date()),
        activity=law.named(law.ACTIVITIES, wish.activity),
        mode=mode,
        urgency=urgency,
        within=showing.span(urgency.within),
        outside=outside,
        shared=", ".join(text for code, text in showing.words(showing.PARTS) if code in wish.shared),
        told=dict(showing.words(showing.TOLD)),
    )


@post("/telehealth/diagnoses", opt={"permission": PERMISSION}, status_code=200)
async def diagnoses(request: AnyRequest) -> Response[bytes]:
    """Codes of ICD-10 for a combobox."""
    typed = str((await request.form()).get("q", ""))[:100]
    async with access_of(request).own_tables() as connection:
        found = await icd10.search(connection, typed)
    spoken = language.current()
    options = [(e.code, f"{e.code} {e.title(spoken)}", e.title_en if spoken == "vi" else e.title_vi) for e in found]
    return fragment(request, "telehealth/diagnoses.html", "options", options=options)


HANDLERS: list[Any] = [show, questions, send, diagnoses]
