"""A slow search over resources in memory, written from the specification alone: what the SQL search must agree with.

Elements are picked by hand, not by the definitions the product reads, so that an error there shows.
Source: https://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

import calendar
import re
import unicodedata
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
PAST, FUTURE = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb")
Resource = dict[str, Any]


class Rule(NamedTuple):
    """How a parameter is searched (its kind) and where its values are."""

    kind: str
    values: Callable[[Resource], Iterator[Any]]


def at(path: str) -> Callable[[Resource], Iterator[Any]]:
    """Values at a path such as `name.given`, through every list."""

    def walk(node: Any, names: list[str]) -> Iterator[Any]:
        if isinstance(node, list):
            for each in node:
                yield from walk(each, names)
        elif not names:
            if node is not None:
                yield node
        elif isinstance(node, dict) and names[0] in node:
            yield from walk(node[names[0]], names[1:])

    return lambda resource: walk(resource, path.split("."))


def any_of(*paths: str) -> Callable[[Resource], Iterator[Any]]:
    return lambda resource: (value for path in paths for value in at(path)(resource))


def only(type_name: str, path: str) -> Callable[[Resource], Iterator[Any]]:
    """References to one type."""
    return lambda resource: (v for v in at(path)(resource) if f"{type_name}/" in str(v.get("reference", "")))


_NAME = any_of("name.family", "name.given", "name.prefix", "name.suffix", "name.text")
RULES: dict[str, dict[str, Rule]] = {
    "Patient": {
        "name": Rule("string", _NAME),
        "family": Rule("string", at("name.family")),
        "given": Rule("string", at("name.given")),
        "address-city": Rule("string", at("address.city")),
        "gender": Rule("token", at("gender")),
        "active": Rule("token", at("active")),
        "identifier": Rule("identifier", at("identifier")),
        "birthdate": Rule("day", at("birthDate")),
        "organization": Rule("reference", at("managingOrganization")),
        "general-practitioner": Rule("reference", at("generalPractitioner")),
    },
    "Observation": {
        "code": Rule("token", at("code")),
        "category": Rule("token", at("category")),
        "status": Rule("token", at("status")),
        "identifier": Rule("identifier", at("identifier")),
        "subject": Rule("reference", at("subject")),
        "patient": Rule("reference", only("Patient", "subject")),
        "performer": Rule("reference", at("performer")),
        "encounter": Rule("reference", at("encounter")),
        "date": Rule("date", any_of("effectiveDateTime", "effectivePeriod", "effectiveInstant")),
        "value-quantity": Rule("quantity", at("valueQuantity")),
        "value-string": Rule("string", any_of("valueString", "valueCodeableConcept.text")),
        "component-code": Rule("token", at("component.code")),
    },
    "Encounter": {
        "status": Rule("token", at("status")),
        "class": Rule("token", at("class")),
        "type": Rule("token", at("type")),
        "date": Rule("date", at("period")),
        "subject": Rule("reference", at("subject")),
        "location": Rule("reference", at("location.location")),
        "length": Rule("quantity", at("length")),
        "service-provider": Rule("reference", at("serviceProvider")),
    },
    "Condition": {
        "code": Rule("token", at("code")),
        "clinical-status": Rule("token", at("clinicalStatus")),
        "recorded-date": Rule("date", at("recordedDate")),
        "subject": Rule("reference", at("subject")),
        "onset-date": Rule("date", any_of("onsetDateTime", "onsetPeriod")),
    },
    "MedicationRequest": {
        "authoredon": Rule("date", at("authoredOn")),
        "intent": Rule("token", at("intent")),
        "code": Rule("token", at("medicationCodeableConcept")),
        "requester": Rule("reference", at("requester")),
    },
    "RiskAssessment": {
        "date": Rule("date", any_of("occurrenceDateTime", "occurrencePeriod")),
        "probability": Rule("number", at("prediction.probabilityDecimal")),
    },
    "MolecularSequence": {
        "variant-start": Rule("number", at("variant.start")),
        "window-end": Rule("number", at("referenceSeq.windowEnd")),
        "type": Rule("token", at("type")),
    },
    "Questionnaire": {
        "url": Rule("uri", at("url")),
        "title": Rule("string", at("title")),
        "date": Rule("date", at("date")),
        "status": Rule("token", at("status")),
    },
    "PlanDefinition": {
        "url": Rule("uri", at("url")),
        "version": Rule("token", at("version")),
        "name": Rule("string", at("name")),
    },
    "Task": {
        "owner": Rule("reference", at("owner")),
        "status": Rule("token", at("status")),
        "authored-on": Rule("date", at("authoredOn")),
        "period": Rule("date", at("executionPeriod")),
        "group-identifier": Rule("identifier", at("groupIdentifier")),
    },
}


def matches(resource: Resource, name: str, value: str) -> bool:
    """Whether a resource meets one criterion such as `birthdate` = `ge1980`; commas mean or."""
    code, _, modifier = name.partition(":")
    rule = RULES[resource["resourceType"]][code]
    found = list(rule.values(resource))
    if modifier == "missing":
        return (not any(_tells(rule.kind, v) for v in found)) is (value == "true")
    if modifier == "not":
        return not any(_token(v, part, rule.kind) for part in value.split(",") for v in found)
    return any(_one(rule.kind, modifier, v, part) for part in value.split(",") for v in found)


def _tells(kind: str, value: Any) -> bool:
    if kind == "token" and isinstance(value, dict):
        return bool(value.get("coding", [True]))
    if kind == "quantity":
        return "value" in value
    return bool(value != "")


def _one(kind: str, modifier: str, value: Any, wanted: str) -> bool:
    if kind == "string":
        return _string(str(value), modifier, wanted)
    if kind in ("token", "identifier"):
        return _token(value, wanted, kind)
    if kind == "reference":
        return _reference(value, modifier, wanted)
    if kind in ("date", "day"):
        return _date(value, wanted, day=kind == "day")
    if kind == "number":
        return _number(Decimal(str(value)), wanted)
    if kind == "quantity":
        return _quantity(value, wanted)
    return bool(value == wanted)


# --- strings, tokens, references -----------------------------------------------------------------------------------


def folded(text: str) -> str:
    plain = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "d"))
    bare = "".join(c for c in plain if not unicodedata.combining(c))
    return " ".join(bare.casefold().split())


def _string(value: str, modifier: str, wanted: str) -> bool:
    if modifier == "exact":
        return value == wanted
    if modifier == "contains":
        return folded(wanted) in folded(value)
    return folded(value).startswith(folded(wanted))


def _token(value: Any, wanted: str, kind: str) -> bool:
    return any(_coded(system, code, wanted, kind) for system, code in _codings(value, kind))


def _codings(value: Any, kind: str) -> list[tuple[str | None, str]]:
    if isinstance(value, bool):
        return [(None, "true" if value else "false")]
    if isinstance(value, str):
        return [(None, value)]
    if kind == "identifier":
        return [(value.get("system"), value.get("value", ""))]
    codings = value.get("coding", []) if "coding" in value or "text" in value else [value]
    return [(c.get("system"), c.get("code", "")) for c in codings]


def _coded(system: str | None, code: str, wanted: str, kind: str) -> bool:
    asked_system, bar, asked = wanted.rpartition("|")
    same = code == asked if kind == "identifier" else code.lower() == asked.lower()
    if not bar:
        return same and code != ""
    if not asked:
        return bool(system == asked_system)
    return same and (system or "") == asked_system


def _reference(value: Resource, modifier: str, wanted: str) -> bool:
    text = str(value.get("reference", ""))
    text = re.sub(r"/_history/[^/]*$", "", text)
    if modifier:
        wanted = wanted if "/" in wanted else f"{modifier}/{wanted}"
    if "/" in wanted:
        return text == wanted
    return re.fullmatch(rf"[A-Z][A-Za-z]+/{re.escape(wanted)}", text) is not None


# --- dates ---------------------------------------------------------------------------------------------------------


def spanned(text: str, zone: Any) -> tuple[datetime, datetime]:
    """The time that a date of any precision covers."""
    if len(text) == 4:
        return datetime(int(text), 1, 1, tzinfo=zone), datetime(int(text) + 1, 1, 1, tzinfo=zone)
    if len(text) == 7:
        year, month = map(int, text.split("-"))
        last = calendar.monthrange(year, month)[1]
        return datetime(year, month, 1, tzinfo=zone), datetime(year, month, last, tzinfo=zone) + timedelta(days=1)
    if len(text) == 10:
        day = datetime.fromisoformat(text).replace(tzinfo=zone)
        return day, day + timedelta(days=1)
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    fraction = re.search(r":\d\d\.(\d+)", text)
    if fraction:
        return moment, moment + timedelta(seconds=1) / 10 ** len(fraction[1])
    return moment, moment + (timedelta(seconds=1) if re.search(r"T\d\d:\d\d:\d\d", text) else timedelta(minutes=1))


def covered(value: Any, *, day: bool) -> tuple[datetime, datetime]:
    """The time that a date, or a Period with its open ends, covers."""
    if isinstance(value, dict):
        low = spanned(value["start"], ZONE)[0] if "start" in value else PAST
        high = spanned(value["end"], ZONE)[1] if "end" in value else FUTURE
        return low, high
    return spanned(value[:10] if day else value, UTC if day else ZONE)


def _date(value: Any, wanted: str, *, day: bool) -> bool:
    prefix, text = (wanted[:2], wanted[2:]) if wanted[:2] in PREFIXES else ("eq", wanted)
    low, high = covered(value, day=day)
    start, end = spanned(text[:10] if day else text, UTC if day else ZONE)
    inside = start <= low and high <= end
    answers: dict[str, bool] = {
        "eq": inside,
        "ne": not inside,
        "gt": high > end,
        "lt": low < start,
        "ge": inside or high > end,
        "le": inside or low < start,
        "sa": low >= end,
        "eb": high <= start,
    }
    return answers[prefix]


# --- numbers -------------------------------------------------------------------------------------------------------


def _number(value: Decimal, wanted: str) -> bool:
    prefix, text = (wanted[:2], wanted[2:]) if wanted[:2] in PREFIXES else ("eq", wanted)
    asked = Decimal(text)
    half = Decimal(1).scaleb(int(asked.as_tuple().exponent)) / 2
    equal = asked - half <= value < asked + half
    return {
        "eq": equal,
        "ne": not equal,
        "gt": value > asked,
        "sa": value > asked,
        "lt": value < asked,
        "eb": value < asked,
        "ge": value >= asked,
        "le": value <= asked,
    }[prefix]


def _quantity(value: Resource, wanted: str) -> bool:
    if "value" not in value or "comparator" in value:
        return False
    number, _, unit = wanted.partition("|")
    if unit.strip("|"):
        system, _, code = unit.partition("|")
        if (value.get("system"), value.get("code")) != (system, code):
            return False
    return _number(Decimal(str(value["value"])), number)
