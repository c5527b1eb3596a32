"""The page of search parameters: what was added to FHIR's own, by whom, how far it is indexed, and turning it off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from litestar import Response, get, post
from litestar.params import FromPath

from yersin.guard import audit, extending
from yersin.guard.access import Access
from yersin.guard.extending import Added
from yersin.guard.writing import Delete
from yersin.web.language import N_
from yersin.web.language import gettext as _
from yersin.web.shell import AnyRequest, page, redirect

PERMISSION: Final = extending.PERMISSION
PLACE: Final = "/administration/search-parameters"
#: types that a row names; of more it says how many
_NAMED = 4
_KINDS: Final = {
    "string": N_("Text"),
    "token": N_("Code or identifier"),
    "reference": N_("Reference"),
    "date": N_("Date"),
    "number": N_("Number"),
    "quantity": N_("Quantity"),
    "uri": N_("Address (URI)"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A parameter as the page shows it."""

    name: str
    code: str
    kind: str
    expression: str
    types: Sequence[str]
    more: int
    who: str
    made: datetime
    percent: int
    done: int
    total: int


@get(PLACE, opt={"permission": PERMISSION})
async def show(request: AnyRequest) -> Response[bytes]:
    """Every parameter in force, by code."""
    access = _access(request)
    async with access.own_tables() as connection:
        found = await extending.listed(connection)
    await access.record(audit.Entry(interaction="list", type=extending.TYPE))
    return page(request, "registry/parameters.html", title=_("Search parameters"), rows=_rows(found))


@post(PLACE + "/{name:str}/off", opt={"permission": PERMISSION}, status_code=200)
async def turn_off(request: AnyRequest, name: FromPath[str]) -> Response[Any]:
    """Delete one; nobody searches by it any more."""
    await _access(request).write([Delete(type=extending.TYPE, id=name)])
    return redirect(PLACE)


def _rows(found: Sequence[Added]) -> list[Row]:
    by_source = sorted(found, key=lambda each: (each.posted.code, each.name))
    return [_row(list(group)) for _name, group in groupby(by_source, key=lambda each: (each.posted.code, each.name))]


def _row(group: Sequence[Added]) -> Row:
    first = group[0]
    types = [each.posted.type for each in group]
    return Row(
        name=first.name,
        code=first.posted.code,
        kind=_(_KINDS[first.posted.kind]),
        expression=first.posted.expression,
        types=types[:_NAMED],
        more=len(types[_NAMED:]),
        who=first.who,
        made=min(each.made for each in group),
        percent=min(each.percent for each in group),
        done=sum(each.done for each in group),
        total=sum(each.total or 0 for each in group),
    )


def _access(request: AnyRequest) -> Access:
    access: Access = request.state.access
    return access


HANDLERS = (show, turn_off)
