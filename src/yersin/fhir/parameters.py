"""The search parameters of R4, one mapping for each resource type, and its compartments.

The table r4/search.json is generated (tools/generate_search.py).
Source: https://hl7.org/fhir/R4/searchparameter-registry.html and https://hl7.org/fhir/R4/compartmentdefinition.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import msgspec

from yersin.fhir.expressions import Path, path


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One part of a composite: the parameter whose rules it follows, and where it is, from the composite's paths."""

    code: str
    kind: str
    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A search parameter of one type.

    `covers`: nothing is stored for this one; it is the union of these parameters.
    `key`: its range rows carry the code at that path, counted from the parent that many steps down.
    `form` of a composite: `rows` (keyed range rows), `pair` (tokens of pairs), `and` (all its parts match).
    `rows`: the `param` numbers of the range rows to look at. `targets` empty: any type.
    """

    type: str
    code: str
    number: int
    kind: str
    expression: str
    paths: tuple[Path, ...]
    targets: tuple[str, ...] = ()
    calendar: bool = False
    main: bool = False
    covers: tuple[str, ...] = ()
    key: tuple[int, Path] | None = None
    form: str = ""
    components: tuple[Component, ...] = ()
    rows: tuple[int, ...] = ()

    @property
    def exact(self) -> bool:
        """Tell whether a token compares with its case: identifiers and ids do, codes do not."""
        return all(p.type in {"Identifier", "id"} for p in self.paths) or self.code == "_id"


@cache
def _table() -> dict[str, Any]:
    content: dict[str, Any] = msgspec.json.decode(files("yersin.fhir.r4").joinpath("search.json").read_bytes())
    return content


def _numbers(rows: Mapping[str, dict[str, Any]], code: str) -> tuple[int, ...]:
    """Find which rows answer a parameter: a composite's lie with its range part, a union's with what it covers."""
    row = rows[code]
    if row.get("form") == "rows":
        return _numbers(rows, row["components"][1][0])
    if covers := row.get("covers"):
        return tuple(number for other in covers for number in _numbers(rows, other))
    return (row["number"],) if row["kind"] in {"date", "number", "quantity"} else ()


def _parameter(type_name: str, row: dict[str, Any], rows: Mapping[str, dict[str, Any]]) -> Parameter:
    key = row.get("key")
    return Parameter(
        type=type_name,
        code=row["code"],
        number=row["number"],
        kind=row["kind"],
        expression=row["expression"],
        paths=tuple(map(path, row["paths"])),
        targets=tuple(row.get("targets", ())),
        calendar=row.get("calendar", False),
        main=row.get("main", False),
        covers=tuple(row.get("covers", ())),
        key=(key[0], path(key[1])) if key else None,
        form=row.get("form", ""),
        components=tuple(
            Component(code=c, kind=k, paths=tuple(map(path, inner))) for c, k, inner in row.get("components", ())
        ),
        rows=_numbers(rows, row["code"]),
    )


@cache
def parameters(type_name: str) -> Mapping[str, Parameter]:
    """Give every search parameter of a type by its code, those of Resource included; an unknown type has none."""
    types = _table()["types"]
    if type_name not in types:
        return MappingProxyType({})
    listed = [*types["Resource"], *(types[type_name] if type_name != "Resource" else ())]
    rows = {row["code"]: row for row in listed}
    return MappingProxyType({code: _parameter(type_name, row, rows) for code, row in rows.items()})


@cache
def resource_types() -> tuple[str, ...]:
    """List the concrete resource types."""
    return tuple(name for name in _table()["types"] if name != "Resource")


@cache
def compartment(name: str, type_name: str) -> tuple[str, ...]:
    """Name the parameters that put a resource of a type into a compartment, its subject first; () when none does."""
    return tuple(_table()["compartments"].get(name, {}).get(type_name, ()))


@cache
def sorted_strings(type_name: str) -> tuple[str, ...]:
    """List the string parameters that own an element of `srt`, in its order; a covered one sorts as what it covers."""
    return tuple(sorted(p.code for p in parameters(type_name).values() if p.kind == "string" and not p.covers))


@cache
def main_date(type_name: str) -> Parameter | None:
    """Give the date parameter kept in the row itself, by which the type is sorted and paged."""
    return next((p for p in parameters(type_name).values() if p.main), None)
