"""`$viewdefinition-export`: kept views as files, all as they stand at one moment. Asked here, made by `flattening`.

Source: https://build.fhir.org/ig/FHIR/sql-on-fhir-v2/OperationDefinition-ViewDefinitionExport.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from uuid import UUID

from yersin.api.messages import Request, Response
from yersin.api.operations import Asked, Input, Operation
from yersin.fhir import encode, r4
from yersin.fhir.problem import Problem, problem
from yersin.guard import audit, exporting
from yersin.guard.access import Access
from yersin.store.identity import new_id
from yersin.views import kept, parquet
from yersin.views.exporting import PERMISSION
from yersin.views.tables import house_views

from . import jobs
from .jobs import Plan, Wish

#: kinds of files, each with its media type; the first is the usual one
KINDS = {
    "ndjson": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}").fullmatch


async def export(asked: Asked) -> Response:
    """POST [base]/$viewdefinition-export"""
    request, access = asked.request, asked.request.access
    if "respond-async" not in request.header("prefer"):
        text = "$viewdefinition-export answers by files later on: send the header Prefer: respond-async."
        raise problem("required", text)
    kind = asked.given.text("_format") or next(iter(KINDS))
    tracking = asked.given.text("clientTrackingId")
    address = f"{request.base}/{request.path[0]}"
    job = await begin(access, _wishes(asked), kind, request=address, tracking=tracking)
    place = f"{request.base}/bulkdata/{job}".encode()
    body = encode(r4.Parameters(parameter=told(request.base, job, "accepted", kind, tracking)))
    return Response(status=202, headers=[(b"content-location", place)], body=body)


async def begin(access: Access, wishes: Sequence[Wish], kind: str, *, request: str = "", tracking: str = "") -> UUID:
    """Put down a job for views. Raises Problem naming what cannot be exported, who may not, and what is missing here."""
    if kind not in KINDS:
        raise problem(
            "not-supported",
            f"_format={kind[:40]}: files are {', '.join(KINDS)}; write one of them.",
            expression="_format",
        )
    if kind == "parquet":
        parquet.writer()
    await _require(access, wishes)
    plan = Plan(request=request, types=types_of(wishes), views=tuple(wishes), kind=kind, tracking=tracking)
    job = new_id()
    async with access.ground.database.transaction() as connection:
        await kept.sources(connection, [wish.view for wish in wishes])
        await jobs.add(connection, job, access.who, plan, await exporting.moment(connection))
        names = ",".join(wish.view for wish in wishes)
        await audit.insert(connection, access.who, audit.Entry(interaction="export-views", query=f"{job} {names}"))
    return job


def types_of(wishes: Sequence[Wish]) -> tuple[str, ...]:
    """Types of resources that views are made of."""
    made = {view.name: view.definition.resource for view in house_views()}
    return tuple(dict.fromkeys(made[wish.view] for wish in wishes if wish.view in made))


async def _require(access: Access, wishes: Sequence[Wish]) -> None:
    try:
        require(access, types_of(wishes))
    except Problem:
        await access.record(audit.Entry(interaction="export-views", outcome=audit.REFUSED))
        raise


def require(access: Access, types: Sequence[str]) -> None:
    """Raise Problem (forbidden, 403) unless an asker may read views made of these types; a program's token says so by scopes."""
    access.require(PERMISSION)
    for type_name in types:
        access.who.require_grant(type_name, "r")
        access.who.require_grant(type_name, "s")


def told(base: str, job: UUID, status: str, kind: str, tracking: str) -> list[r4.ParametersParameter]:
    """What is told of a job, from when it was put down."""
    place = f"{base}/bulkdata/{job}"
    return [
        r4.ParametersParameter(name="exportId", valueString=str(job)),
        *([r4.ParametersParameter(name="clientTrackingId", valueString=tracking)] if tracking else ()),
        r4.ParametersParameter(name="status", valueCode=status),
        r4.ParametersParameter(name="location", valueUri=place),
        r4.ParametersParameter(name="cancelUrl", valueUri=place),
        r4.ParametersParameter(name="_format", valueCode=kind),
    ]


# --- which views ---------------------------------------------------------------------------------------------------


def _wishes(asked: Asked) -> list[Wish]:
    wishes = [_wish(asked.request, part) for part in asked.given.values["view"]]
    names = [wish.name for wish in wishes]
    if again := [name for n, name in enumerate(names) if name in names[:n]]:
        text = f"Two files would be called {again[0]}: give one of the views another name."
        raise problem("invalid", text, expression="view.name")
    return wishes


def _wish(request: Request, given: r4.ParametersParameter) -> Wish:
    parts = {part.name or "": part for part in given.part or ()}
    for name in parts:
        if name == "viewResource":
            text = "Views sent along are not run here: name one that is kept, as viewReference: ViewDefinition/person."
            raise problem("not-supported", text, expression="view.viewResource")
        if name not in ("name", "viewReference"):
            raise problem("not-supported", f"view takes name and viewReference, not {name}.", expression="view")
    view = _view(request, parts.get("viewReference"))
    name = (parts["name"].valueString or "") if "name" in parts else view
    if not _NAME(name):
        text = f"name={name[:40]!r}: files are called by it; write up to 64 letters, digits, dots, - and _."
        raise problem("value", text, expression="view.name")
    return Wish(name=name, view=view)


def _view(request: Request, part: r4.ParametersParameter | None) -> str:
    reference = (part.valueReference.reference or "") if part and part.valueReference else ""
    kind, _, name = reference.removeprefix(f"{request.base}/").rpartition("/")
    if kind != "ViewDefinition" or not name:
        text = 'Name a view as viewReference: {"reference": "ViewDefinition/person"}.'
        raise problem("required" if not reference else "value", text, expression="view.viewReference")
    return name


_VIEW = (
    Input(name="name"),
    Input(name="viewReference", type="Reference", required=True),
)
_OUTPUT = (Input(name="name", required=True), Input(name="location", type="uri", required=True, repeats=True))

OPERATIONS = (
    Operation(
        name="viewdefinition-export",
        definition="http://sql-on-fhir.org/OperationDefinition/$viewdefinition-export",
        work=export,
        levels=frozenset({"system"}),
        inputs=(
            Input(name="view", type="BackboneElement", required=True, repeats=True, parts=_VIEW),
            Input(name="_format", type="code"),
            Input(name="clientTrackingId"),
        ),
        outputs=(
            Input(name="exportId", required=True),
            Input(name="clientTrackingId"),
            Input(name="status", type="code", required=True),
            Input(name="location", type="uri", required=True),
            Input(name="cancelUrl", type="uri"),
            Input(name="_format", type="code"),
            Input(name="exportStartTime", type="instant"),
            Input(name="exportEndTime", type="instant"),
            Input(name="exportDuration", type="integer"),
            Input(name="output", repeats=True, parts=_OUTPUT),
        ),
        permission=PERMISSION,
        affects_state=True,
        narrower=True,
        answers_later=True,
        title="Files of flat views, for counting",
    ),
)
