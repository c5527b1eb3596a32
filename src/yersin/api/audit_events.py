"""The audit served as AuditEvent, newest first, searched by what its rows keep. Source: https://hl7.org/fhir/R4/auditevent.html"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import tzinfo
from urllib.parse import quote
from uuid import UUID

from yersin.fhir import encode, r4
from yersin.fhir.dates import comparison
from yersin.fhir.problem import Problem, problem
from yersin.guard.audit import Recorded, Wanted
from yersin.search.page import COUNT, COUNT_LIMIT, at_most
from yersin.store.identity import row_id
from yersin.store.versions import instant

from .bundles import bundle, text
from .messages import Request, Response
from .read import read
from .talking import name_of

#: number that no row of the audit has yet
_LAST = 2**63 - 1
_REST = "http://terminology.hl7.org/CodeSystem/audit-event-type"
_BALP = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType"
_INTERACTION = "http://hl7.org/fhir/restful-interaction"
_ACTION = {"create": "C", "read": "R", "vread": "R", "history": "R", "search": "E", "update": "U", "delete": "D"}
INTERACTIONS = (
    *_ACTION,
    *(
        "transaction",
        "write",
        "rest",
        "page",
        "login",
        "logout",
        "audit",
        "find",
        "figures",
        "list",
        "verify",
        "revoke",
        "export",
        "export-views",
        "terms",
        "everything",
        "meta",
        "validate",
        "reindex",
    ),
)
_RESTFUL = {"read", "vread", "update", "delete", "create", "transaction", "search", "history"}


async def search_audit(request: Request) -> Response:
    """GET [base]/AuditEvent?patient=…&date=…"""
    wanted = _wanted(request)
    found = await request.access.recorded(wanted)
    links = [("self", f"{request.base}/AuditEvent")]
    if found and len(found) == wanted.limit:
        links.append(
            ("next", f"{request.base}/AuditEvent?_count={wanted.limit}&_before={found[-1].seq}{_same(request)}")
        )
    return Response(body=bundle("searchset", [_entry(request.base, r) for r in found], links=links))


async def read_audit(request: Request) -> Response:
    """GET [base]/AuditEvent/[number of the row]; other ids are AuditEvents that someone sent."""
    _, logical_id = request.path
    if not logical_id.isdecimal() or len(logical_id) > 18:
        return await read(request)
    found = await request.access.recorded(Wanted(before=int(logical_id) + 1, limit=1))
    if not found or found[0].seq != int(logical_id):
        raise problem("not-found", f"AuditEvent/{logical_id} is not here, or is not open to you.", status=404)
    return Response(body=encode(resource(found[0])))


def _same(request: Request) -> str:
    """Return the criteria of this search, for the link to the next page: ids, codes and dates only."""
    return "".join(f"&{name}={quote(value)}" for name, value in request.parameters() if name in READERS)


def _wanted(request: Request) -> Wanted:
    known: dict[str, object] = {"limit": COUNT}
    for name, value in request.parameters():
        if name == "date":
            known |= _dated(value, request.access.ground.zone)
        elif name in ("_count", "_before") and value.isdecimal():
            known |= {"limit": at_most(value, COUNT_LIMIT)} if name == "_count" else {"before": at_most(value, _LAST)}
        elif name in READERS and value:
            known |= READERS[name](value)
        else:
            can = ", ".join([*sorted(READERS), "_count"])
            raise problem("not-supported", f"AuditEvent is searched by {can}, not by {name}.", expression=name)
    return Wanted(**known)  # type: ignore[arg-type] # each name is set with its own type above


def _dated(value: str, zone: tzinfo) -> dict[str, object]:
    try:
        found = comparison(value, zone)
    except Problem as refusal:
        raise refusal.at("date") from refusal
    return _window(found.prefix, found.lo, found.hi)


def _window(prefix: str, lo: object, hi: object) -> dict[str, object]:
    if prefix in ("ge", "gt", "sa"):
        return {"since": lo if prefix == "ge" else hi}
    if prefix in ("le", "lt", "eb"):
        return {"until": hi if prefix == "le" else lo}
    if prefix == "eq":
        return {"since": lo, "until": hi}
    raise problem(
        "not-supported", f"date={prefix}…: the audit is searched by eq, ge, gt, sa, le, lt and eb.", expression="date"
    )


def _practitioner(value: str) -> dict[str, object]:
    type_name, _, logical_id = value.rpartition("/")
    return (
        {"practitioner": row_id("Practitioner", logical_id).id}
        if type_name in ("", "Practitioner")
        else {"interactions": ()}
    )


def _entity(value: str) -> dict[str, object]:
    type_name, _, logical_id = value.partition("/_history/")[0].rpartition("/")
    if type_name not in r4.TYPE_NUMBER:
        raise problem("invalid", f"entity={value}: write Type/id.", expression="entity")
    return {"type": type_name, "entity": row_id(type_name, logical_id).id}


def _account(value: str) -> dict[str, object]:
    try:
        return {"account": UUID(value)}
    except ValueError:
        return {"interactions": ()}


def _codes(value: str) -> list[str]:
    """Codes between commas, whatever their system."""
    return [part.rpartition("|")[2] for part in value.split(",")]


def _actions(value: str) -> dict[str, object]:
    codes = _codes(value)
    return {"interactions": [name for name in INTERACTIONS if _ACTION.get(name, "E") in codes]}


#: search parameters of AuditEvent: what each asks of the rows
READERS: Mapping[str, Callable[[str], dict[str, object]]] = {
    "action": _actions,
    "address": lambda value: {"address": value},
    "agent": _practitioner,
    "altid": _account,
    "date": lambda _: {},  # read with the zone
    "entity": _entity,
    "entity:identifier": lambda value: {"request": name_of(value.rpartition("|")[2])},
    "outcome": lambda value: {"outcomes": [int(code) for code in _codes(value) if code.isdecimal() and len(code) < 3]},
    "patient": lambda value: {"patient": row_id("Patient", value.removeprefix("Patient/")).id},
    "subtype": lambda value: {"interactions": [code for code in _codes(value) if code in _RESTFUL]},
    "type": lambda value: {} if "rest" in _codes(value) else {"interactions": ()},
}


def _entry(base: str, row: Recorded) -> bytes:
    return b'{"fullUrl":' + text(f"{base}/AuditEvent/{row.seq}") + b',"resource":' + encode(resource(row)) + b"}"


def resource(row: Recorded) -> r4.AuditEvent:
    """Make the AuditEvent of a row."""
    return r4.AuditEvent(
        id=str(row.seq),
        type=r4.Coding(system=_REST, code="rest", display="RESTful Operation"),
        subtype=[r4.Coding(system=_INTERACTION, code=row.interaction)] if row.interaction in _RESTFUL else None,
        action=_ACTION.get(row.interaction, "E"),
        recorded=instant(row.at),
        outcome=str(row.outcome),
        purposeOfEvent=[_purpose(row.purpose)] if row.purpose else None,
        agent=[_agent(row)],
        source=r4.AuditEventSource(observer=r4.Reference(display="Yersin")),
        entity=_entities(row),
    )


def _purpose(code: str) -> r4.CodeableConcept:
    return r4.CodeableConcept(
        coding=[r4.Coding(system="http://terminology.hl7.org/CodeSystem/v3-ActReason", code=code)]
    )


def _agent(row: Recorded) -> r4.AuditEventAgent:
    return r4.AuditEventAgent(
        requestor=True,
        name=row.display or None,
        altId=str(row.account) if row.account else None,
        role=[r4.CodeableConcept(text=row.role)],
        who=r4.Reference(reference=f"Practitioner/{row.practitioner}") if row.practitioner else None,
        network=r4.AuditEventAgentNetwork(address=row.address, type="2") if row.address else None,
    )


def _entities(row: Recorded) -> list[r4.AuditEventEntity]:
    entities = [r4.AuditEventEntity(what=r4.Reference(reference=f"Patient/{p}")) for p in row.patients]
    if row.type and row.entity and row.type != "Patient":
        version = f"/_history/{row.ver}" if row.ver else ""
        entities.append(r4.AuditEventEntity(what=r4.Reference(reference=f"{row.type}/{row.entity}{version}")))
    return [*entities, _request(row)]


def _request(row: Recorded) -> r4.AuditEventEntity:
    """Name the request that a row came with, as IHE BALP does."""
    return r4.AuditEventEntity(
        type=r4.Coding(system=_BALP, code="XrequestId"),
        what=r4.Reference(identifier=r4.Identifier(value=str(row.request))),
    )
