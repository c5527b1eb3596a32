"""Correcting who a person is, and what to do when somebody else has done so meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from yersin.fhir import r4
from yersin.fhir.problem import Problem
from yersin.store.versions import Version
from yersin.web import forms
from yersin.web.language import gettext as _
from yersin.web.shell import AnyRequest, page, redirect

from . import editing, persons, places
from .editing import Clash
from .pages import STYLES, access_of, now, words
from .peoples import PEOPLES
from .registration import Registration, faults

_REGISTER = {"permission": "person.register"}
_TRIES = 3


@get("/people/{person:str}/edit", opt=_REGISTER)
async def show_edit(request: AnyRequest, person: FromPath[str]) -> Response[bytes]:
    """Show what the record says of a person, to be corrected."""
    version = await access_of(request).read("Patient", person)
    return _form(request, version, forms.filled(Registration, _values(version)))


@post("/people/{person:str}/edit", opt=_REGISTER, status_code=200)
async def edit(request: AnyRequest, person: FromPath[str]) -> Response[bytes] | Redirect:
    """Write the corrections; what somebody else has changed meanwhile is kept, and asked about where both did."""
    bound = await forms.read(request, Registration)
    current = await access_of(request).read("Patient", person)
    if bound.value is None:
        return _form(request, current, bound, seen=await _seen(request, current))
    for name, said in faults(bound.value, now().date()):
        bound = bound.with_error(name, said)
    if bound.value is None:
        return _form(request, current, bound, seen=await _seen(request, current))
    for _again in range(_TRIES - 1):
        try:
            return await _save(request, current, bound.value)
        except Problem as refusal:
            if refusal.status not in (409, 412):
                raise
            current = await access_of(request).read("Patient", person)
    return await _save(request, current, bound.value)


async def _save(request: AnyRequest, current: Version, form: Registration) -> Response[bytes] | Redirect:
    access, was, theirs = access_of(request), await _before(request, current), _values(current)
    kept = {str(name) for name in (await request.form()).getall("take", [])}
    mine = {name: was[name] if name in kept else value for name, value in editing.shown(form).items()}
    found = editing.merged(was, theirs, mine)
    bound = forms.filled(Registration, found.values)
    if found.clashes:
        return _form(request, current, bound, clashes=found.clashes, taken=found.taken)
    if found.values != theirs:
        try:
            await persons.correct(access, current, Registration(**found.values))  # type: ignore[arg-type] # bound before
        except persons.TakenError:
            said = _("This personal number belongs to somebody else here.")
            return _form(request, current, bound.with_error("personal", said))
    return redirect(f"/records/{current.id}?corrected=yes")


async def _before(request: AnyRequest, current: Version) -> dict[str, str]:
    """What the record said when the form was opened."""
    seen = await _seen(request, current)
    if seen == current.ver:
        return _values(current)
    return _values(await access_of(request).vread("Patient", current.id, seen))


async def _seen(request: AnyRequest, current: Version) -> int:
    sent = str((await request.form()).get("version", ""))
    return int(sent) if sent.isdecimal() and 0 < int(sent) <= current.ver else current.ver


def _values(version: Version) -> dict[str, str]:
    person = version.resource()
    assert isinstance(person, r4.Patient)  # noqa: S101 - that is what was read
    return editing.values_of(person)


def _form(
    request: AnyRequest,
    version: Version,
    bound: forms.Bound[Registration],
    *,
    seen: int | None = None,
    clashes: Sequence[Clash] = (),
    taken: Sequence[str] = (),
) -> Response[bytes]:
    place = places.commune(bound["commune"].text)
    return page(
        request,
        "registry/edit.html",
        status=422 if bound.errors or clashes else 200,
        title=_("Correct personal details"),
        styles=STYLES,
        bound=bound,
        person=version.id,
        version=seen or version.ver,
        clashes=clashes,
        taken=[bound.label(name) for name in taken],
        said=_said,
        place=", ".join(u.full_name for u in place) if place else "",
        peoples=sorted(PEOPLES.items(), key=lambda item: item[0]),
        **words(),
    )


def _said(name: str, value: str) -> str:
    """Write a value as people read it."""
    spoken: Mapping[str, Mapping[str, str]] = {
        "sex": {"male": _("Male"), "female": _("Female"), "other": _("Other")},
        "relation": {
            "MTH": _("Mother"), "FTH": _("Father"), "GRPRN": _("Grandparent"), "GUARD": _("Other guardian"),
        },
        "ethnicity": PEOPLES,
    }  # fmt: skip
    found: Any = places.commune(value) if name == "commune" else None
    return ", ".join(u.full_name for u in found) if found else spoken.get(name, {}).get(value, value) or "—"


PAGES = (show_edit, edit)
