"""Pages of the registry: find a person, register one, say that a stranger to this facility has come."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from yersin.fhir.problem import problem
from yersin.guard.access import Access
from yersin.web import forms
from yersin.web.language import gettext as _
from yersin.web.shell import AnyRequest, fragment, page, redirect
from yersin.web.wording import zone

from . import citizen_card, persons, places, systems
from .peoples import PEOPLES
from .registration import Registration, faults, prefilled

_FIND = {"permission": "person.find"}
_REGISTER = {"permission": "person.register"}
STYLES = ["registry/people"]
_LONGEST = 300


def access_of(request: AnyRequest) -> Access:
    """Access of the person signed in."""
    access: Access = request.scope["state"]["access"]
    return access


def now() -> datetime:
    """The moment of this request, in the facility's zone."""
    return datetime.now(UTC).astimezone(zone.get())


async def _text(request: AnyRequest, name: str) -> str:
    return str((await request.form()).get(name, ""))[:_LONGEST].strip()


@get("/people", opt=_FIND)
async def show_people(request: AnyRequest) -> Response[bytes]:
    """Show the search, empty."""
    return _people(request, await _found(request, ""))


@post("/people/find", opt=_FIND, status_code=200)
async def find_people(request: AnyRequest) -> Response[bytes]:
    """Find people as someone types; without script, the whole page again."""
    found = await _found(request, await _text(request, "q"))
    if request.headers.get("hx-request") == "true":
        return fragment(request, "registry/found.html", "found", **found)
    return _people(request, found)


def _people(request: AnyRequest, found: Mapping[str, Any]) -> Response[bytes]:
    title = _("Find a patient")
    return page(request, "registry/people.html", title=title, styles=STYLES, modules=["registry/find"], **found)


async def _found(request: AnyRequest, text: str) -> dict[str, Any]:
    access = access_of(request)
    found = await persons.find(access, text) if len(text) > 1 else []
    own, others = [p for p in found if p.own], [p for p in found if not p.own]
    return {
        "q": text,
        "card": citizen_card.read(text),
        "own": own,
        "others": others,
        "is_cut": len(found) >= persons.SHOWN,
        "said": _said(text, len(own), len(others)),
        "may_register": access.may("person.register"),
        "may_declare": access.may("care.declare"),
        **words(),
    }


def _said(text: str, own: int, others: int) -> str:
    """Say what was found, for those who hear the page."""
    if len(text) < 2:
        return ""
    if not own and not others:
        return _("Nobody found")
    return _("Found: %(own)s in your care, %(others)s elsewhere", own=own, others=others)


def words() -> dict[str, Any]:
    """How numbers and birth dates are written."""
    return {"spaced": systems.spaced, "numbers": systems.SHORT_NAMES, "birth": written_birth}


def written_birth(born: str) -> str:
    """Write a birth date that may be a year only."""
    return "/".join(reversed(born.split("-")))


@post("/people/new", opt=_REGISTER, status_code=200)
async def begin_registration(request: AnyRequest) -> Response[bytes]:
    """Begin a registration with what was typed into the search."""
    return _form(request, prefilled(await _text(request, "q")))


@get("/people/new", opt=_REGISTER)
async def show_registration(request: AnyRequest) -> Response[bytes]:
    """Show an empty registration."""
    return _form(request, forms.filled(Registration, {"ethnicity": "01"}))


def _form(request: AnyRequest, bound: forms.Bound[Registration], **more: Any) -> Response[bytes]:
    place = places.commune(bound["commune"].text)
    context = {
        "bound": bound,
        "place": ", ".join(u.full_name for u in place) if place else "",
        "peoples": sorted(PEOPLES.items(), key=lambda item: item[0]),
        "lookalikes": (),
        "wanted": None,
        **words(),
        **more,
    }
    status = 422 if bound.errors or context["lookalikes"] else 200
    return page(
        request, "registry/registration.html", status=status, title=_("Register a patient"), styles=STYLES, **context
    )


@post("/people", opt=_REGISTER, status_code=200)
async def register(request: AnyRequest) -> Response[bytes] | Redirect:
    """Register a person, unless they seem to be here already and nobody has looked yet."""
    access = access_of(request)
    bound = await forms.read(request, Registration)
    if bound.value is None:
        return _form(request, bound)
    form = bound.value
    for name, words in faults(form, now().date()):
        bound = bound.with_error(name, words)
    if bound.errors:
        return _form(request, bound)
    found = await persons.lookalikes(access, form.description())
    answered = set(form.answered.split())
    if any(look.is_taken or look.person.id not in answered for look in found):
        return _form(request, bound, lookalikes=found, wanted=form.description())
    try:
        made = await persons.register(access, bound.key, form)
    except persons.TakenError:
        found = await persons.lookalikes(access, form.description())
        return _form(request, bound, lookalikes=found, wanted=form.description())
    return redirect(f"/records/{made}?registered={bound.key}")


@post("/people/places", opt=_REGISTER, status_code=200)
async def find_places(request: AnyRequest) -> Response[bytes]:
    """Offer communes."""
    found = places.find(await _text(request, "q"))
    options = [(p.code, p.label, _("formerly %(name)s", name=p.was) if p.was else "") for p in found]
    return fragment(request, "registry/places.html", "options", options=options)


@post("/people/{person:str}/here", opt={"permission": "care.declare"}, status_code=200)
async def declare_here(request: AnyRequest, person: FromPath[str]) -> Redirect:
    """The patient is here: open a visit, and with it the chart."""
    reason = await _text(request, "reason")
    if len(reason) < 3:
        raise problem("required", "Say why the patient has come.", status=400)
    await persons.open_visit(access_of(request), person, reason, now())
    return redirect(f"/records/{person}")


PAGES = (show_people, find_people, show_registration, begin_registration, register, find_places, declare_here)
