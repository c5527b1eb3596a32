"""Which of R4's invariants a struct surely keeps, in a small part of the time that judging them takes.

The commonest rules stand here as plain Python over the structs; what the parser has seen to already (ele-1 of empty
objects, ext-1) is taken as kept. "No" only means that the rules themselves must be run: so one that has no function here
costs time where its element is present, and is never passed over. `profiles.glance` asks this of every write.
Source: https://hl7.org/fhir/R4/conformance-rules.html#constraints
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec

from yersin.fhir import invariants, r4
from yersin.fhir.structs import SIBLING, Struct

Surely = Callable[[Any], bool]
_encode = msgspec.json.Encoder(decimal_format="number").encode
_UCUM = "http://unitsofmeasure.org"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"


@cache
def sure_of(struct: type[Struct]) -> tuple[Surely, ...]:
    """Give the functions of a type's rules; of one that has none, the function that is never sure."""
    own, elements = invariants.errors_of(struct)
    found = [RULES.get(key, _never) for key in own]
    for element, keys in elements.items():
        known = [AT_ELEMENT.get(key) for key in keys]
        found += [_absent(struct, element) if rule is None else rule for rule in known]
    return tuple(dict.fromkeys(rule for rule in found if rule is not _always))


def _has(struct: Any, *stems: str) -> bool:
    """Whether an element is there, with a value or with extensions in its place; a choice by its stem."""
    for stem in stems:
        for name in struct.CHOICES.get(stem, (stem,)):
            if getattr(struct, name) is not None or getattr(struct, f"{name}{SIBLING}", None) is not None:
                return True
    return False


def _always(_: Any) -> bool:
    return True


def _never(_: Any) -> bool:
    return False


def _absent(struct: type[Struct], element: str) -> Surely:
    """Return what is sure of a rule at an element: that it is kept where the element is not there."""
    names = [n for base in struct.__mro__ for n in base.__dict__.get("CHOICES", {}).get(element, ())] or [element]
    attributes = [n for name in names for n in (name, f"{name}_", f"{name}{SIBLING}") if n in struct.__struct_fields__]
    return lambda value: all(getattr(value, name) is None for name in attributes)


def _needs(first: str, *others: str) -> Surely:
    """Where the first is there, one of the others is."""
    return lambda s: not _has(s, first) or _has(s, *others)


def _one_of(*names: str) -> Surely:
    return lambda s: _has(s, *names)


def _not_both(one: str, other: str) -> Surely:
    return lambda s: not (_has(s, one) and _has(s, other))


def _in_order(first: str, last: str) -> Surely:
    """Two moments written alike compare as texts; nothing is sure of others."""

    def surely(s: Any) -> bool:
        one, two = getattr(s, first), getattr(s, last)
        if one is None or two is None:
            return True
        return len(one) == len(two) and one[19:] == two[19:] and one <= two

    return surely


def _range(s: Any) -> bool:
    low, high = s.low, s.high
    if low is None or high is None:
        return True
    alike = (low.system, low.code, low.unit) == (high.system, high.code, high.unit)
    return alike and low.value is not None and high.value is not None and low.value <= high.value


def _not_negative(name: str) -> Surely:
    def surely(s: Any) -> bool:
        value = getattr(s, name)
        return value >= 0 if value is not None else not _has(s, name)

    return surely


def _is_over(status: Any) -> bool:
    """Whether a clinical status says that a condition has ended."""
    codings = (status and status.coding) or ()
    return any(each.system == _CLINICAL and each.code in ("resolved", "remission", "inactive") for each in codings)


def _is_error(concept: Any) -> bool:
    """Whether a verification status may say that something was entered in error."""
    return concept is not None and any(c.code == "entered-in-error" for c in concept.coding or ())


def _is_referred_to(s: Any) -> bool:
    """Whether something in a resource refers to each that it contains."""
    written = _encode(s)
    return all(each.id is not None and f'"reference":"#{each.id}"'.encode() in written for each in s.contained)


def _not_at_home(name: str) -> Surely:
    return lambda s: all(each.use != "home" for each in getattr(s, name) or ())


#: rules of a type itself
RULES: dict[str, Surely] = {
    "ele-1": _always, "ext-1": _always, "txt-1": _always, "txt-2": _always,
    "qty-3": _needs("code", "system"),
    "att-1": _needs("data", "contentType"),
    "cpt-2": _needs("value", "system"),
    "exp-1": _one_of("expression", "reference"),
    "per-1": _in_order("start", "end"),
    "rng-2": _range,
    "rat-1": lambda s: _has(s, "numerator") and _has(s, "denominator"),
    "ref-1": lambda s: s.reference is None or s.reference[:1] != "#",
    "dom-2": lambda s: s.contained is None or all(getattr(each, "contained", None) is None for each in s.contained),
    "dom-3": lambda s: s.contained is None or _is_referred_to(s),
    "dom-4": lambda s: s.contained is None or all(each.meta is None for each in s.contained),
    "dom-5": lambda s: s.contained is None or all(each.meta is None for each in s.contained),
    "age-1": lambda s: s.code is not None and s.system == _UCUM and s.value is not None and s.value > 0,
    "drt-1": lambda s: not _has(s, "code") or (s.system == _UCUM and s.value is not None),
    "tim-1": _needs("duration", "durationUnit"),
    "tim-2": _needs("period", "periodUnit"),
    "tim-4": _not_negative("duration"),
    "tim-5": _not_negative("period"),
    "tim-6": _needs("periodMax", "period"),
    "tim-7": _needs("durationMax", "duration"),
    "tim-8": _needs("countMax", "count"),
    "tim-9": lambda s: not _has(s, "offset"),
    "tim-10": _not_both("timeOfDay", "when"),
    "ait-1": lambda s: _has(s, "clinicalStatus"),
    "ait-2": lambda s: not _is_error(s.verificationStatus),
    "app-1": _one_of("type", "actor"),
    "app-2": lambda s: _has(s, "start") == _has(s, "end"),
    "app-3": lambda s: _has(s, "start") and _has(s, "end"),
    "app-4": lambda s: not _has(s, "cancelationReason"),
    "sev-1": _not_both("name", "query"),
    "cpl-3": _not_both("detail", "reference"),
    "ctm-1": lambda s: not _has(s, "onBehalfOf"),
    "cmp-1": _one_of("text", "entry", "section"),
    "cmp-2": _not_both("emptyReason", "entry"),
    "con-1": _one_of("summary", "assessment"),
    "con-2": _one_of("code", "detail"),
    "con-4": lambda s: not _has(s, "abatement") or _is_over(s.clinicalStatus),
    "con-5": lambda s: not _is_error(s.verificationStatus),
    "ppc-1": _one_of("policy", "policyRule"),
    "ppc-2": _one_of("patient"), "ppc-3": _one_of("patient"), "ppc-4": _one_of("patient"), "ppc-5": _one_of("patient"),
    "gol-1": _one_of("measure"),
    "grp-1": lambda s: s.member is None or s.actual is True,
    "lst-1": _not_both("emptyReason", "entry"),
    "lst-2": lambda s: s.entry is None,
    "lst-3": lambda s: s.entry is None,
    "mad-1": _one_of("dose", "rate"),
    "mdd-1": lambda s: not (_has(s, "whenHandedOver") and _has(s, "whenPrepared")),
    "obs-3": _one_of("low", "high", "text"),
    "obs-6": _not_both("dataAbsentReason", "value"),
    "obs-7": _not_both("value", "component"),
    "org-1": _one_of("identifier", "name"),
    "pat-1": _one_of("name", "telecom", "address", "organization"),
    "qrs-1": _not_both("answer", "item"),
    "prr-1": _needs("orderDetail", "code"),
    # the key stands for another rule elsewhere
    "inv-1": lambda s: isinstance(s, r4.Task) and _in_order("authoredOn", "lastModified")(s),
}  # fmt: skip
#: rules at an element of a type
AT_ELEMENT: dict[str, Surely] = {
    "ele-1": _always, "ext-1": _always, "txt-1": _always, "txt-2": _always,
    "org-2": _not_at_home("address"),
    "org-3": _not_at_home("telecom"),
}  # fmt: skip
