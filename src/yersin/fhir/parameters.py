"""The search parameters of R4, one mapping for each resource type, those added at run time, and compartments.

What was added lies in the database; a process learns it as a whole (`learn`), and knows one database only.
The table r4/search.json is generated (tools/generate_search.py).
Source: https://hl7.org/fhir/R4/searchparameter-registry.html and https://hl7.org/fhir/R4/compartmentdefinition.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import msgspec

from yersin.fhir.expressions import Path, path


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One part of a composite: the parameter whose rules it follows, and where it is, from the composite's paths.

    Of a composite that was added: `own` is what it is indexed and asked as, `at` its paths from each type of element
    that the composite stands at.
    """

    code: str
    kind: str
    paths: tuple[Path, ...]
    own: Parameter | None = None
    at: tuple[tuple[str, tuple[Path, ...]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A search parameter of one type.

    `covers`: nothing is stored for this one; it is the union of these parameters.
    `key`: its range rows carry the code at that path, counted from the parent that many steps down.
    `form` of a composite: `rows` (keyed range rows), `pair` (tokens of pairs), `and` (all its parts match), and of one
    that was added `together` (tokens of what stands together, or range rows keyed by it).
    `rows`: the `param` numbers of the range rows to look at. `targets` empty: any type.
    Of one that was added: `url` names it, `place` is its element of `srt`, `waiting` says why it is not searched yet.
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
    url: str = ""
    place: int = -1
    waiting: str = ""

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
def built_in(type_name: str) -> Mapping[str, Parameter]:
    """Give R4's search parameters of a type by their codes, those of Resource included; an unknown type has none."""
    types = _table()["types"]
    if type_name not in types:
        return MappingProxyType({})
    listed = [*types["Resource"], *(types[type_name] if type_name != "Resource" else ())]
    rows = {row["code"]: row for row in listed}
    return MappingProxyType({code: _parameter(type_name, row, rows) for code, row in rows.items()})


@dataclass(frozen=True, slots=True)
class Learnt:
    """What was added to a type, by how many changes (`generation`)."""

    generation: int = 0
    added: tuple[Parameter, ...] = ()


class _Known:
    """What this process has learnt."""

    def __init__(self) -> None:
        self.learnt: Mapping[str, Learnt] = {}
        self.whole: Mapping[str, Mapping[str, Parameter]] = {}
        self.epoch = 0
        self.index_epoch = 0


_known = _Known()
_NOTHING = Learnt()


def parameters(type_name: str) -> Mapping[str, Parameter]:
    """Give every search parameter of a type by its code, those added at run time included."""
    return _known.whole.get(type_name) or built_in(type_name)


def learn(found: Mapping[str, Learnt]) -> bool:
    """Know from now on what was added to the types, and to no other; answers whether that is something new."""
    if found == _known.learnt:
        return False
    whole = {
        name: MappingProxyType({**built_in(name), **{p.code: p for p in learnt.added}})
        for name, learnt in found.items()
        if learnt.added
    }
    if _indexed(found) != _indexed(_known.learnt):
        _known.index_epoch += 1
    _known.learnt, _known.whole, _known.epoch = found, whole, _known.epoch + 1
    return True


def _indexed(found: Mapping[str, Learnt]) -> object:
    """What of it changes how resources are indexed."""
    return {name: (one.generation, [(p.number, p.paths) for p in one.added]) for name, one in found.items()}


def generation(type_name: str) -> int:
    """Number of changes to the parameters of a type that this process knows of."""
    return _known.learnt.get(type_name, _NOTHING).generation


def epoch() -> int:
    """Number that rises whenever this process learns something new: what is made from parameters is made anew."""
    return _known.epoch


def index_epoch() -> int:
    """Number that rises whenever what this process learns changes how resources are indexed."""
    return _known.index_epoch


def implied_system(struct: str, element: str) -> str:
    """Name the code system that an element of a struct is bound to; empty for any other."""
    return str(_table()["systems"].get(f"{struct}.{element}", ""))


@cache
def resource_types() -> tuple[str, ...]:
    """List the concrete resource types."""
    return tuple(name for name in _table()["types"] if name != "Resource")


@cache
def compartment(name: str, type_name: str) -> tuple[str, ...]:
    """Name the parameters that put a resource of a type into a compartment, its subject first; () when none does."""
    return tuple(_table()["compartments"].get(name, {}).get(type_name, ()))


@cache
def _built_in_strings(type_name: str) -> tuple[str, ...]:
    return tuple(sorted(p.code for p in built_in(type_name).values() if p.kind == "string" and not p.covers))


def sorted_strings(type_name: str) -> tuple[str, ...]:
    """List the string parameters that own an element of `srt`, in its order; a covered one sorts as what it covers.

    "" is an element that nobody owns any more.
    """
    own = _built_in_strings(type_name)
    added = {p.place: p.code for p in _known.learnt.get(type_name, _NOTHING).added if p.place >= 0}
    return (*own, *(added.get(place, "") for place in range(len(own), max(added, default=-1) + 1)))


def free_place(type_name: str, taken: Sequence[int]) -> int:
    """Give the first element of `srt` that no string parameter owns."""
    first = len(_built_in_strings(type_name))
    return next(place for place in range(first, first + len(taken) + 1) if place not in taken)


@cache
def main_date(type_name: str) -> Parameter | None:
    """Give the date parameter kept in the row itself, by which the type is sorted and paged."""
    return next((p for p in built_in(type_name).values() if p.main), None)
