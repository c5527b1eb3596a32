"""The audit served as AuditEvent, newest first: `patient`, `date`, `_count`. Source: https://hl7.org/fhir/R4/auditevent.html"""

from __future__ import annotations

from yersin.fhir import encode, r4
from yersin.fhir.dates import comparison
from yersin.fhir.problem import problem
from yersin.guard.audit import Recorded, Wanted
from yersin.search.page import COUNT, COUNT_LIMIT
from yersin.store.identity import row_id
from yersin.store.versions import instant

from .bundles import bundle, text
from .messages import Request, Response
from .read import read

_REST = "http://terminology.hl7.org/CodeSystem/audit-event-type"
_INTERACTION = "http://hl7.org/fhir/restful-interaction"
_ACTION = {"create": "C", "read": "R", "vread": "R", "history": "R", "search": "E", "update": "U", "delete": "D"}
_RESTFUL = {"read", "vread", "update", "delete", "create", "transaction", "search", "history"}


async def search_audit(request: Request) -> Response:
    """GET [base]/AuditEvent?patient=…&date=…"""
    wanted = _wanted(request)
    found = await request.access.recorded(wanted)
    links = [("self", f"{request.base}/AuditEvent")]
    if len(found) == wanted.limit:
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
    """Return the criteria of this search, for the link to the next page: ids and dates only."""
    return "".join(f"&{name}={value}" for name, value in request.parameters() if name in ("patient", "date"))


def _wanted(request: Request) -> Wanted:
    known: dict[str, object] = {"limit": COUNT}
    for name, value in request.parameters():
        if name == "patient":
            known["patient"] = row_id("Patient", value.removeprefix("Patient/")).id
        elif name == "date":
            found = comparison(value, request.access.ground.zone)
            known |= _window(found.prefix, found.lo, found.hi)
        elif name in ("_count", "_before") and value.isdecimal():
            known["limit" if name == "_count" else "before"] = (
                min(int(value), COUNT_LIMIT) if name == "_count" else int(value)
            )
        else:
            raise problem(
                "not-supported", f"AuditEvent is searched by patient, date and _count, not by {name}.", expression=name
            )
    return Wanted(**known)  # type: ignore[arg-type] # each name is set with its own type above


def _window(prefix: str, lo: object, hi: object) -> dict[str, object]:
    if prefix in ("ge", "gt"):
        return {"since": lo if prefix == "ge" else hi}
    if prefix in ("le", "lt"):
        return {"until": hi if prefix == "le" else lo}
    return {"since": lo, "until": hi}


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


def _entities(row: Recorded) -> list[r4.AuditEventEntity] | None:
    entities = [r4.AuditEventEntity(what=r4.Reference(reference=f"Patient/{p}")) for p in row.patients]
    if row.type and row.entity and row.type != "Patient":
        version = f"/_history/{row.ver}" if row.ver else ""
        entities.append(r4.AuditEventEntity(what=r4.Reference(reference=f"{row.type}/{row.entity}{version}")))
    return entities or None
