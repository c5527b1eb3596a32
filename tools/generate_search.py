"""Write src/yersin/fhir/r4/search.json: every R4 search parameter resolved to paths over the structs.

Source: HL7's FHIR R4 4.0.1 definitions (CC0), kept outside the repository: SearchParameter, StructureDefinition,
ValueSet and CompartmentDefinition. The same input gives the same bytes; `--check` fails when the file differs.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path as File
from typing import Any

from yersin.fhir.expressions import Path, resolve
from yersin.fhir.indexable import is_calendar, leaves

ROOT = File(__file__).resolve().parent.parent
SHARED = File(os.environ.get("YERSIN_SHARED", ROOT.parent / "shared"))
TARGET = ROOT / "src/yersin/fhir/r4/search.json"

# The date a type is sorted and paged by. A type not named here takes the first of PREFERRED that it has once at most.
MAIN = {
    "Condition": "onset-date",
    "MedicationRequest": "authoredon",
    "Patient": "birthdate",
    "ServiceRequest": "authored",
    "Task": "authored-on",
}
PREFERRED = [
    "date",
    "started",
    "authored",
    "authored-on",
    "authoredon",
    "created",
    "effective-time",
    "effective",
    "whenhandedover",
    "occurrence",
    "sent",
    "recorded",
    "period",
    "issued",
    "identified",
    "datetime",
    "datewritten",
    "collected",
    "start",
    "birthdate",
    "timestamp",
    "start-date",
    "expiry",
]
SUBJECTS = ("patient", "subject")  # the first of these places a resource
ANY = 140  # a parameter naming this many target types names all of them


def records(name: str) -> Iterator[dict[str, Any]]:
    for file in sorted((SHARED / "data/fhir-r4/definitions").glob(f"{name}*.ndjson.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)


class Definitions:
    """Element names, types and cardinality; a Schema for the resolver."""

    def __init__(self) -> None:
        self.elements: dict[str, dict[str, Any]] = {}
        self.types: list[str] = []
        self.systems = dict(_systems())
        for one in records("StructureDefinition"):
            if one.get("derivation") == "constraint" or one["kind"] == "logical":
                continue
            if one["kind"] == "resource" and not one["abstract"]:
                self.types.append(one["type"])
            for element in one["snapshot"]["element"]:
                self.elements[element["path"]] = element

    def children(self, type_name: str, name: str) -> list[tuple[str, str, bool, str]]:
        place = f"{type_name}.{name}"
        element = self.elements.get(place) or self.elements.get(place + "[x]")
        if element is None:
            return []
        many = element["max"] not in {"0", "1"}
        if "contentReference" in element:
            return [(name, element["contentReference"][1:], many, "")]
        choice = element["path"].endswith("[x]")
        system = self.implied_system(element)
        return [
            (name + code[0].upper() + code[1:] if choice else name, self._named(code, place), many, system)
            for code in (t["code"] for t in element["type"])
        ]

    def _named(self, code: str, place: str) -> str:
        if code.startswith("http://hl7.org/fhirpath/"):
            return "string"
        return place if code in {"BackboneElement", "Element"} else code

    def implied_system(self, element: dict[str, Any]) -> str:
        binding = element.get("binding", {})
        if binding.get("strength") != "required" or [t["code"] for t in element["type"]] != ["code"]:
            return ""
        return self.systems.get(binding.get("valueSet", "").partition("|")[0], "")


def _systems() -> Iterator[tuple[str, str]]:
    for one in records("ValueSet"):
        named = {part.get("system") for part in one.get("compose", {}).get("include", ())}
        if len(named) == 1 and None not in named:
            yield one["url"], str(named.pop())


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A parameter of one type on its way to the table."""

    code: str
    definition: dict[str, Any]
    expression: str
    paths: tuple[Path, ...]
    components: tuple[tuple[str, str, tuple[Path, ...]], ...] = ()

    @property
    def kind(self) -> str:
        return str(self.definition["type"])

    @property
    def parts(self) -> list[tuple[str, tuple[Path, ...]]]:
        return [(kind, inner) for _, kind, inner in self.components]


def own_part(expression: str, type_name: str) -> str:
    """Keep the operands of a top-level union that speak of the type."""
    parts = [p.strip() for p in expression.split(" | ")]
    heads = (type_name + ".", f"({type_name}.", "Resource.", "DomainResource.")
    mine = [p for p in parts if p.startswith(heads) or p == type_name]
    return " | ".join(mine) if mine else expression


def make(definition: dict[str, Any], type_name: str, schema: Definitions, by_url: dict[str, Any]) -> Made:
    expression = own_part(definition["expression"], type_name)
    found = resolve(expression, type_name, schema)
    components = _components(definition, type_name, found, schema, by_url)
    paths = leaves(definition["type"], found, schema)
    return Made(
        code=definition["code"], definition=definition, expression=expression, paths=paths, components=tuple(components)
    )


def _components(
    definition: dict[str, Any], type_name: str, found: tuple[Path, ...], schema: Definitions, by_url: dict[str, Any]
) -> list[tuple[str, str, tuple[Path, ...]]]:
    """Read the parts of a composite; where R4 gives one part the expression of another, the one that fits is taken."""
    parts = definition.get("component", ())
    written = [part["expression"] for part in parts]
    components = []
    for part in parts:
        of = by_url[part["definition"].partition("|")[0]]
        inner: tuple[Path, ...] = ()
        for expression in dict.fromkeys([part["expression"], *written]):
            start = Path(type=found[0].type)
            inner = inner or leaves(of["type"], resolve(expression, type_name, schema, base=start), schema)
        components.append((of["code"], of["type"], inner))
    return components


def covered_by(one: Made, others: list[Made]) -> list[str]:
    """Name the parameters that together index exactly what this one would: it then stores nothing of its own."""
    mine, seen, names = set(one.paths), set[Path](), []
    for other in others:
        theirs = set(other.paths)
        smaller = theirs < mine or (theirs == mine and other.code < one.code)
        same = other.kind == one.kind and other.parts == one.parts
        if same and theirs and smaller and not theirs <= seen:
            names.append(other.code)
            seen |= theirs
    return names if seen == mine else []


def key_of(one: Made, composites: list[Made]) -> tuple[int, str] | None:
    """Find the code that a composite pairs with this range: how many steps down its parent is, and the code's path."""
    for composite in composites:
        if len(composite.components) != 2 or composite.components[0][1] != "token":
            continue
        _, kind, inner = composite.components[1]
        for base in composite.paths:
            whole = {replace(p, steps=(*base.steps, *p.steps)) for p in inner}
            if kind == one.kind and whole & set(one.paths):
                return len(base.steps), str(composite.components[0][2][0])
    return None


def form_of(one: Made) -> str:
    """Say how a composite is answered: `rows` by keyed ranges, `pair` by tokens of pairs, `and` by its parts."""
    kinds = [kind for _, kind, _ in one.components]
    if kinds[1:] and kinds[0] == "token" and kinds[1] in {"quantity", "number", "date"} and len(kinds) == 2:
        return "rows"
    nested = any(p.steps for p in one.paths)
    return "pair" if nested and set(kinds) <= {"token", "reference"} and len(kinds) == 2 else "and"


def main_date(type_name: str, own: list[Made]) -> str:
    single = {m.code for m in own if m.kind == "date" and m.paths and not any(s.many for p in m.paths for s in p.steps)}
    if type_name in MAIN:
        return MAIN[type_name]
    return next((code for code in PREFERRED if code in single), "")


def targets(one: Made) -> list[str]:
    """List the types a reference may name; none stands for any type."""
    named = sorted(one.definition.get("target", ()))
    return named if len(named) < ANY else []


def rows_for(type_name: str, own: list[Made]) -> list[dict[str, Any]]:
    composites = [m for m in own if m.kind == "composite"]
    main = main_date(type_name, own)
    first = 1 if type_name == "Resource" else 16  # numbers below 16 belong to Resource
    rows = []
    for number, one in enumerate(own, first):
        row: dict[str, Any] = {"code": one.code, "number": number, "kind": one.kind, "expression": one.expression}
        row["paths"] = [str(p) for p in one.paths]
        if one.kind == "reference":
            row["targets"] = targets(one)
        if is_calendar(one.kind, one.paths):
            row["calendar"] = True
        if one.code == main:
            row["main"] = True
        if covers := covered_by(one, [o for o in own if o is not one]):
            row["covers"] = covers
        elif one.kind in {"quantity", "number", "date"} and (key := key_of(one, composites)):
            row["key"] = list(key)
        if one.components:
            row["form"] = form_of(one)
            row["components"] = [[code, kind, [str(p) for p in inner]] for code, kind, inner in one.components]
        rows.append(row)
    return rows


def implied(schema: Definitions) -> dict[str, str]:
    """Name the code system of every element that is bound to one, by the struct that has it and its name."""
    found = {}
    for place, element in schema.elements.items():
        *above, name = place.split(".")
        system = schema.implied_system(element) if above and "type" in element else ""
        if system:
            found["".join(part[0].upper() + part[1:] for part in above) + "." + name] = system
    return dict(sorted(found.items()))


def compartments(types: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, list[str]]]:
    out: dict[str, dict[str, list[str]]] = {}
    for one in records("CompartmentDefinition"):
        if not one["url"].startswith("http://hl7.org/fhir/CompartmentDefinition/") or one["id"] == "example":
            continue
        members = {r["code"]: [p for p in r.get("param", ()) if p[0] != "{"] for r in one["resource"]}
        if one["code"] == "Patient":
            _widen(members, types)
        known = {t: {row["code"] for row in rows} for t, rows in types.items()}
        ordered = {
            t: sorted((p for p in named if p in known.get(t, ())), key=lambda p: p not in SUBJECTS)
            for t, named in sorted(members.items())
        }
        out[one["code"]] = {t: named for t, named in ordered.items() if named}
    return dict(sorted(out.items()))


def _widen(members: dict[str, list[str]], types: dict[str, list[dict[str, Any]]]) -> None:
    """Count a type R4 leaves out of the Patient compartment in by its `patient` parameter (Task, GuidanceResponse)."""
    for type_name, rows in types.items():
        for row in rows:
            if row["code"] == "patient" and "Patient" in row.get("targets", ()) and not members.get(type_name):
                members[type_name] = ["patient"]


def table() -> dict[str, Any]:
    schema = Definitions()
    definitions = sorted(records("SearchParameter"), key=lambda d: (d["code"], d["id"]))
    by_url = {d["url"]: d for d in definitions}
    usable = [d for d in definitions if d.get("expression") and d.get("base")]
    schema.elements |= {"Resource." + n: schema.elements["Patient." + n] for n in ("id", "meta", "implicitRules")}
    types: dict[str, list[dict[str, Any]]] = {}
    for type_name in ["Resource", *sorted(schema.types)]:
        own: dict[str, Made] = {}
        for one in usable:
            if type_name in one["base"]:
                own.setdefault(one["code"], make(one, type_name, schema, by_url))
        types[type_name] = rows_for(type_name, [made for made in own.values() if made.paths])
    return {"compartments": compartments(types), "systems": implied(schema), "types": types}


def written(content: dict[str, Any]) -> str:
    """Write one line for each parameter, so that a difference can be read."""

    def line(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    out = ['{"compartments":{']
    for last, (name, members) in _marked(content["compartments"]):
        out += [f"{line(name)}:{{"]
        out += [f"{line(t)}:{line(codes)}{'' if end else ','}" for end, (t, codes) in _marked(members)]
        out += ["}" if last else "},"]
    out += ['},"systems":{']
    out += [f"{line(place)}:{line(system)}{'' if end else ','}" for end, (place, system) in _marked(content["systems"])]
    out += ['},"types":{']
    for last, (name, rows) in _marked(content["types"]):
        out += [f"{line(name)}:["]
        out += [line(row) + ("," if i < len(rows) else "") for i, row in enumerate(rows, 1)]
        out += ["]" if last else "],"]
    return "\n".join([*out, "}}", ""])


def _marked(items: dict[str, Any]) -> Iterator[tuple[bool, tuple[str, Any]]]:
    for place, pair in enumerate(items.items(), 1):
        yield place == len(items), pair


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--check", action="store_true", help="fail when the committed file differs")
    text = written(table())
    if arguments.parse_args().check:
        same = TARGET.exists() and TARGET.read_text(encoding="utf-8") == text
        print(f"{TARGET.name}: {'as generated' if same else 'differs: run tools/generate_search.py'}")
        return 0 if same else 1
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(text, encoding="utf-8")
    print(f"{TARGET.name}: {len(text)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
