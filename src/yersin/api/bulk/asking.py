"""`$export` of the server, of all patients, and of a Group: what is asked is read, checked and put down as a job.

Source: https://hl7.org/fhir/uv/bulkdata/STU2/export.html#bulk-data-kick-off-request
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qsl, unquote

from yersin.api.messages import Request, Response, refuse_nul
from yersin.api.operations import Asked, Input, Level, Operation
from yersin.fhir import r4
from yersin.fhir.dates import span
from yersin.fhir.parameters import compartment
from yersin.fhir.primitives import TEXT
from yersin.fhir.problem import Problem, problem
from yersin.guard import audit, exporting
from yersin.guard.access import Access
from yersin.search.page import Query
from yersin.store.identity import new_id, row_id

from . import elements, jobs
from .jobs import Member, Plan

FORMATS = ("application/fhir+ndjson", "application/ndjson", "ndjson")
#: parts of a search that say how to answer, not what to find
_ANSWERING = frozenset({"_count", "_elements", "_include", "_revinclude", "_sort", "_summary", "_total"})
_DEFINITIONS = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/"


async def export(asked: Asked) -> Response:
    """GET or POST [base]/$export, [base]/Patient/$export, [base]/Group/[id]/$export"""
    request, access = asked.request, asked.request.access
    _require_asynchronous(request)
    _require_built(asked)
    members = await _members(asked)
    plan = _plan(asked, narrowed=members is not None)
    job = new_id()
    async with access.ground.database.transaction() as connection:
        at = await exporting.moment(connection)
        await jobs.add(connection, job, access.who, plan, at)
        await jobs.add_members(connection, job, members or [])
        entry = audit.Entry(interaction="export", type=asked.type or None, query=str(job))
        await audit.insert(connection, access.who, entry)
    return Response(status=202, headers=[(b"content-location", f"{request.base}/bulkdata/{job}".encode())])


def _require_asynchronous(request: Request) -> None:
    if "respond-async" not in request.header("prefer"):
        raise problem("required", "$export answers by files later on: send the header Prefer: respond-async.")


def _require_built(asked: Asked) -> None:
    if asked.given.texts("includeAssociatedData"):
        text = "includeAssociatedData is not built here. Leave it out; Provenance is a type like any other: name it in _type."
        raise problem("not-supported", text, expression="includeAssociatedData")
    wanted = asked.given.text("_outputFormat")
    if wanted and wanted not in FORMATS:
        text = f"_outputFormat={wanted[:60]}: files are {FORMATS[0]}; write one of {', '.join(FORMATS)}."
        raise problem("not-supported", text, expression="_outputFormat")


def _plan(asked: Asked, *, narrowed: bool) -> Plan:
    charts = bool(asked.type)
    types = _types(asked, charts=charts)
    request = asked.request
    query = f"?{request.query}" if request.query else ""
    return Plan(
        request=f"{request.base}/{'/'.join(request.path)}{query}",
        types=types,
        charts=charts,
        narrowed=narrowed,
        since=_since(asked),
        filters=_filters(asked, types),
        elements=elements.of_types(_listed(asked, "_elements"), types),
    )


def _listed(asked: Asked, name: str) -> list[str]:
    """Values of a parameter that may stand several times, each with commas in it."""
    return [part.strip() for text in asked.given.texts(name) for part in text.split(",") if part.strip()]


def _since(asked: Asked) -> datetime | None:
    text = asked.given.text("_since")
    return span(text, UTC).lo if text else None


# --- types -----------------------------------------------------------------------------------------------------------


def possible(*, charts: bool) -> list[str]:
    """Types that can be exported: those that are stored, or those of the patient compartment."""
    return [name for name in r4.TYPE_NUMBER if not charts or name == "Patient" or compartment("Patient", name)]


def _types(asked: Asked, *, charts: bool) -> tuple[str, ...]:
    """Return the types to export: those named, which must all be granted, or all that are granted."""
    can, access = possible(charts=charts), asked.request.access
    named = list(dict.fromkeys(_listed(asked, "_type")))
    for name in named:
        if name not in r4.TYPE_NUMBER:
            raise problem("value", f"_type={name[:60]}: that is no resource type of FHIR R4.", expression="_type")
        if name not in can:
            text = f"_type={name}: the export of patients holds what belongs to their charts. Ask $export of the server for {name}."
            raise problem("not-supported", text, expression="_type")
        access.who.require_grant(name, "r")
        access.who.require_grant(name, "s")
    found = named or [name for name in can if access.who.is_granted(name, "r") and access.who.is_granted(name, "s")]
    if not found:
        raise problem(
            "forbidden", "Your access token covers nothing of this: it needs scopes such as system/*.rs.", status=403
        )
    return tuple(sorted(found, key=lambda name: r4.TYPE_NUMBER[name]))


def _filters(asked: Asked, types: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the searches of `_typeFilter` by type, each read once to see that it can be done."""
    found: dict[str, tuple[str, ...]] = {}
    for text in asked.given.texts("_typeFilter"):
        for each in _separate(text):
            type_name, _, query = each.partition("?")
            if type_name not in types:
                said = f"_typeFilter={each[:60]}: write a search of a type that is exported, such as {types[0]}?_id=1."
                raise problem("value", said, expression="_typeFilter")
            _require_finding(type_name, query)
            found[type_name] = (*found.get(type_name, ()), query)
    return found


def _separate(text: str) -> Iterable[str]:
    """Take apart searches that commas join: a comma before `Type?` ends one."""
    current = ""
    for part in text.split(","):
        begins = unquote(part).strip().partition("?")
        if begins[1] and begins[0] in r4.TYPE_NUMBER:
            if current:
                yield current
            current = part.strip()
        else:
            current = f"{current},{part}" if current else part.strip()
    if current:
        yield current


def _require_finding(type_name: str, query: str) -> None:
    pairs = parse_qsl(query, keep_blank_values=True)
    for name, _ in pairs:
        if name.partition(":")[0] in _ANSWERING:
            said = f"_typeFilter: {name} says how a search is answered; a filter takes what finds resources only."
            raise problem("not-supported", said, expression="_typeFilter")
    if not pairs:
        said = f"_typeFilter={type_name}: it filters nothing. Write {type_name}?parameter=value, or use _type."
        raise problem("value", said, expression="_typeFilter")
    try:
        refuse_nul(query)
        Query.of(type_name, pairs)
    except Problem as refusal:
        issue = refusal.issues[0]
        raise problem(issue.code, f"_typeFilter: {issue.diagnostics}", expression="_typeFilter") from refusal


# --- patients --------------------------------------------------------------------------------------------------------


async def _members(asked: Asked) -> list[Member] | None:
    """Return the patients to whom the export is narrowed: of a Group, or named; None where it is not."""
    named = [_patient(reference, asked.request.base) for reference in asked.given.values.get("patient", ())]
    if asked.type != "Group":
        return [Member(row_id("Patient", each).id, each) for each in dict.fromkeys(named)] if named else None
    inside = await _group(asked.request.access, asked.id, asked.request.base)
    if not named:
        return list(inside.values())
    missing = [each for each in named if each not in inside]
    if missing:
        raise problem(
            "value", f"patient: {len(missing)} of those named are not in Group/{asked.id}.", expression="patient"
        )
    return [inside[each] for each in dict.fromkeys(named)]


async def _group(access: Access, logical_id: str, base: str) -> dict[str, Member]:
    version = await access.read("Group", logical_id)
    if version.deleted:
        raise problem("deleted", f"Group/{logical_id} was deleted.", status=410)
    group = version.resource()
    assert isinstance(group, r4.Group)  # noqa: S101 - its type is in the address
    if group.type not in ("person", None):
        text = f"Group/{logical_id} is a group of kind {group.type}; its members are no patients."
        raise problem("business-rule", text, status=422)
    references = [member.entity for member in group.member or () if not member.inactive]
    patients = [
        _patient(each, base)
        for each in references
        if (each.reference or "").removeprefix(f"{base}/").startswith("Patient/")
    ]
    return {each: Member(row_id("Patient", each).id, each) for each in patients}


def _patient(reference: r4.Reference, base: str) -> str:
    kind, _, logical_id = (reference.reference or "").removeprefix(f"{base}/").partition("/")
    logical_id = logical_id.partition("/_history/")[0]
    if kind != "Patient" or not TEXT["Id"].accepts(logical_id):
        raise problem("value", "patient: write a reference such as Patient/123.", expression="patient")
    return logical_id


_INPUTS = (
    Input(name="_outputFormat"),
    Input(name="_since", type="instant"),
    Input(name="_type", repeats=True),
    Input(name="_elements", repeats=True),
    Input(name="_typeFilter", repeats=True),
    Input(name="includeAssociatedData", repeats=True),
)


def _operation(definition: str, level: Level, *types: str) -> Operation:
    narrowing = (Input(name="patient", type="Reference", repeats=True),) if types else ()
    return Operation(
        name="export",
        definition=_DEFINITIONS + definition,
        work=export,
        levels=frozenset({level}),
        types=types,
        inputs=(*_INPUTS, *narrowing),
        permission="export",
        answers_later=True,
        title="Files of everything that is open to the asker",
        outputs=(),
    )


OPERATIONS = (
    _operation("export", "system"),
    _operation("patient-export", "type", "Patient"),
    _operation("group-export", "instance", "Group"),
)
