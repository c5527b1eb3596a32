"""The CapabilityStatement, made from what is really there. Source: https://hl7.org/fhir/R4/capabilitystatement.html"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import version

import msgspec

from yersin.fhir import r4
from yersin.fhir.parameters import Parameter, epoch, parameters
from yersin.fhir.problem import problem
from yersin.search.compartment import NAMES
from yersin.search.composite import can_be_searched

from . import definitions, lasting, terminology
from .audit_events import READERS
from .messages import Request, Response
from .operations import Operations
from .release import RELEASED

_INTERACTIONS = (
    "read",
    "vread",
    "update",
    "patch",
    "delete",
    "history-instance",
    "history-type",
    "create",
    "search-type",
)
#: searched on every type, beside its own parameters
_BESIDE = {"_content": "string", "_has": "special", "_list": "special", "_text": "string", "_type": "special"}
#: types whose contents no later release changes (https://hl7.org/fhir/R4/versions.html#std-process)
_NORMATIVE = frozenset({
    "Binary", "Bundle", "CapabilityStatement", "CodeSystem", "Observation", "OperationDefinition", "OperationOutcome",
    "Parameters", "Patient", "StructureDefinition", "ValueSet",
})  # fmt: skip
_SECURITY = (
    "Bearer tokens; every access is recorded as an AuditEvent. Pages of other origins are answered where an administrator "
    "has registered them."
)
_WEBSOCKET = "http://hl7.org/fhir/StructureDefinition/capabilitystatement-websocket"
#: kept by the audit, which is searched in ways of its own
_AUDITED = frozenset({"AuditEvent"})


async def metadata(request: Request) -> Response:
    """GET [base]/metadata, and with mode=terminology what the terminology service can do."""
    if ("mode", "terminology") in request.parameters():
        return await terminology.capabilities(request)
    return public(request.base, request.operations, dict(request.parameters()).get("mode", "full"))


def public(base: str, operations: Operations, mode: str = "full") -> Response:
    """Answer to everybody: clients learn here how to sign in. Raises Problem for a mode that is none."""
    if mode not in ("full", "normative"):
        text = f"mode={mode[:40]}: it may be full, normative or terminology."
        raise problem("value", text, expression="mode")
    return lasting.answer(_statement(base, operations, mode, epoch()))


@lru_cache(maxsize=8)
def _statement(base: str, operations: Operations, mode: str, _epoch: int) -> bytes:
    rest = {
        "mode": "server",
        "extension": [{"url": _WEBSOCKET, "valueUri": base.replace("http", "ws", 1)}],
        "security": {"cors": True, "description": _SECURITY},
        "resource": [
            _resource(base, name, operations) for name in r4.TYPE_NUMBER if mode == "full" or name in _NORMATIVE
        ],
        "searchParam": [{"name": name, "type": kind} for name, kind in _BESIDE.items()],
        "compartment": [f"http://hl7.org/fhir/CompartmentDefinition/{name.lower()}" for name in NAMES],
        "interaction": [
            {"code": "transaction"},
            {"code": "batch"},
            {"code": "search-system"},
            {"code": "history-system"},
        ],
        "operation": _operations(base, "", operations),
    }
    statement = {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": RELEASED,
        "publisher": "Yersin",
        "kind": "instance",
        "instantiates": ["http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data"],
        "software": {"name": "Yersin", "version": version("yersin")},
        "implementation": {"description": f"Yersin FHIR R4 server; as OpenAPI 3.1: {base}/openapi.json", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "application/fhir+xml"],
        "patchFormat": [
            "application/json-patch+json",
            "application/merge-patch+json",
            "application/fhir+json",
            "application/fhir+xml",
        ],
        "rest": [_stated(rest)],
    }
    return msgspec.json.encode(statement)


def _stated(part: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in part.items() if value != []}


def _operations(base: str, name: str, operations: Operations) -> list[dict[str, str]]:
    stated = operations.stated(name)
    return [{"name": each.name, "definition": definitions.canonical(base, each)} for each in stated]


def _resource(base: str, name: str, operations: Operations) -> dict[str, object]:
    if name in _AUDITED:
        audited = {
            "type": name,
            "documentation": "Search finds this server's own audit; AuditEvents sent by other systems are read by id.",
            "interaction": [{"code": code} for code in _INTERACTIONS if code != "delete"],
            "searchParam": _parameters(name, set(READERS)),
            "operation": _operations(base, name, operations),
        }
        return _stated(audited)
    references = sorted(c for c, p in parameters(name).items() if p.kind == "reference" and not p.waiting)
    stored = {
        "type": name,
        "interaction": [{"code": code} for code in _INTERACTIONS],
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": True,
        "conditionalRead": "full-support",
        "conditionalUpdate": True,
        "conditionalDelete": "multiple",
        "searchInclude": [f"{name}:{code}" for code in references],
        "searchRevInclude": _referring(name),
        "searchParam": _parameters(name, None),
        "operation": _operations(base, name, operations),
    }
    return _stated(stored)


def _parameters(name: str, only: set[str] | None) -> list[dict[str, str]]:
    listed = sorted(parameters(name).items())
    return [_parameter(p) for c, p in listed if can_be_searched(p) and not p.waiting and (only is None or c in only)]


def _parameter(parameter: Parameter) -> dict[str, str]:
    defined = {"definition": parameter.url} if parameter.url else {}
    return {"name": parameter.code, **defined, "type": parameter.kind}


@lru_cache(maxsize=2)
def _reference_targets(_epoch: int) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for source in r4.TYPE_NUMBER:
        for code, parameter in parameters(source).items():
            for target in parameter.targets if parameter.kind == "reference" and not parameter.waiting else ():
                found.setdefault(target, []).append(f"{source}:{code}")
    return found


def _referring(name: str) -> list[str]:
    return sorted(_reference_targets(epoch()).get(name, []))
