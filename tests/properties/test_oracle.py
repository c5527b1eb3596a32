"""The SQL search agrees with the slow one in memory, for queries made up from the data themselves."""

from __future__ import annotations

import gzip
import itertools
import json
import random
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conformance.outcomes import Tally
from tests.properties import drawing, oracle
from tests.properties.drawing import criteria
from tests.properties.oracle import AMOUNT_PREFIXES, RULES

from yersin.app.demo.country import generate
from yersin.fhir import parse, r4
from yersin.fhir.parameters import learn, main_date
from yersin.guard import reindexing
from yersin.guard.access import Access
from yersin.guard.who import Grant, Who
from yersin.guard.writing import Update
from yersin.search import joins
from yersin.search.page import Query
from yersin.store.identity import row_id

DEMO = 60  # resources of each type from the invented country


#: examples that break R4's own rules, and are refused
LISTED = Path(__file__).parents[1] / "conformance/examples.toml"
NOT_R4 = {each["title"] for each in tomllib.loads(LISTED.read_text())["case"]}


@pytest.fixture(scope="module")
def stock(run: Any, system: Access, shared: Path) -> Iterator[dict[str, list[dict[str, Any]]]]:
    """The examples of HL7 and a piece of the invented country, in the database and in memory."""
    lines = gzip.decompress((shared / "fhir-r4/examples/r4-examples.ndjson.gz").read_bytes()).splitlines()
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in RULES}
    for resource in [json.loads(line) for line in lines]:
        if f"{resource['resourceType']}/{resource['id']}" in NOT_R4:
            continue
        found.get(resource["resourceType"], []).append(resource)
    missing = dict.fromkeys(RULES, DEMO)
    for resource in itertools.islice(itertools.chain.from_iterable(generate("small", 7, date(2026, 1, 1))), 40_000):
        kind = resource["resourceType"]
        if missing.get(kind, 0) > 0 and random.Random(resource["id"]).random() < 0.1:  # noqa: S311 - repeatable sample
            missing[kind] -= 1
            found[kind].append(json.loads(json.dumps(resource, default=str)))
    found["Location"] += [_somewhere(n) for n in range(40)]
    for resources in found.values():
        changes = [Update(resource=parse(json.dumps(r).encode())) for r in resources]
        run(system.write(changes[::2]))
    run(system.write([Update(resource=_definition(code)) for code in (*oracle.ADDED, MEASURED)]))
    for resources in found.values():
        run(system.write([Update(resource=parse(json.dumps(r).encode())) for r in resources[1::2]]))
    while run(reindexing.work(system.ground)):
        pass
    yield found
    learn({})


#: a composite that is added: codes and amounts of the Observation itself and of each of its components
MEASURED = "x-measured"
_PARTS = [
    {"definition": "http://hl7.org/fhir/SearchParameter/clinical-code", "expression": "code"},
    {
        "definition": "http://hl7.org/fhir/SearchParameter/Observation-value-quantity",
        "expression": "value.as(Quantity)",
    },
]


def _definition(code: str) -> r4.SearchParameter:
    base, kind, expression = oracle.ADDED.get(code, ("Observation", "composite", "Observation | Observation.component"))
    definition = {"resourceType": "SearchParameter", "id": code, "url": f"urn:test:{code}", "name": "Added",
                  "status": "active", "description": "Added", "code": code, "base": [base], "type": kind,
                  "expression": expression} | ({"component": _PARTS} if kind == "composite" else {})  # fmt: skip
    made = parse(json.dumps(definition).encode())
    assert isinstance(made, r4.SearchParameter)
    return made


def _somewhere(n: int) -> dict[str, Any]:
    """A place: in Vietnam, or where meridians meet."""
    chance = random.Random(n)  # noqa: S311 - repeatable
    centre = [(21.03, 105.85), (10.78, 106.7), (0.0, 179.99), (89.9, 0.0), (-0.01, -179.99)][n % 5]
    position = {"latitude": round(min(90, centre[0] + chance.uniform(-0.2, 0.2)), 5), "longitude": centre[1]}
    along = round(centre[1] + chance.uniform(-0.3, 0.3), 5)
    position["longitude"] = along - 360 if along > 180 else along + 360 if along < -180 else along
    return {
        "resourceType": "Location",
        "id": f"somewhere-{n}",
        "status": "active",
        "name": f"Nơi {n}",
        "position": position,
    }


@pytest.mark.timeout(280)
def test_the_sql_search_finds_what_the_slow_one_finds(run: Any, system: Access, stock: Any, tally: Tally) -> None:
    queries = 400

    @settings(max_examples=queries, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def check(data: st.DataObject) -> None:
        type_name = data.draw(st.sampled_from(sorted(RULES)))
        pairs = [data.draw(criteria(stock, type_name)) for _ in range(data.draw(st.integers(1, 2)))]
        sort = data.draw(st.sampled_from(["", "_id", "-_lastUpdated"]))
        asked = [*pairs, ("_count", "1000"), ("_total", "accurate"), *([("_sort", sort)] if sort else [])]
        found = run(system.search(Query.of(type_name, asked)))
        expected = {r["id"] for r in stock[type_name] if all(oracle.matches(r, n, v) for n, v in pairs)}
        got = [v.id for v in found.versions]
        assert set(got) == expected, (type_name, pairs, "extra", set(got) - expected, "lost", expected - set(got))
        assert len(got) == found.total == len(expected)
        if sort == "_id":
            assert got == sorted(got)

    check()
    tally(queries)


#: references of the types in stock, and where they lead
REFERENCES = [
    ("Observation", "subject", "Patient"),
    ("Observation", "patient", "Patient"),
    ("Observation", "encounter", "Encounter"),
    ("Observation", "performer", "Patient"),
    ("Encounter", "subject", "Patient"),
    ("Condition", "subject", "Patient"),
]


@st.composite
def joined(draw: Any, stock: dict[str, list[dict[str, Any]]], type_name: str, depth: int = 0) -> tuple[str, str]:
    """A criterion at the end of a chain, of `_has`, or of both."""
    ways = [(r, True) for r in REFERENCES if r[0] == type_name] + [(r, False) for r in REFERENCES if r[2] == type_name]
    if depth > 2 or not ways or (depth and draw(st.booleans())):
        plain: tuple[str, str] = draw(criteria(stock, type_name))
        return plain
    (source, code, target), forward = draw(st.sampled_from(ways))
    name, value = draw(joined(stock, target if forward else source, depth + 1))
    return f"{code}:{target}.{name}" if forward else f"_has:{source}:{code}:{name}", value


@pytest.mark.timeout(280)
def test_chains_and_has_find_what_the_slow_search_finds(
    run: Any, system: Access, stock: Any, monkeypatch: pytest.MonkeyPatch, tally: Tally
) -> None:
    queries = 200
    hits = 0

    @settings(max_examples=queries, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def check(data: st.DataObject) -> None:
        nonlocal hits
        type_name = data.draw(st.sampled_from(["Condition", "Encounter", "Observation", "Patient"]))
        pairs = [data.draw(joined(stock, type_name)) for _ in range(data.draw(st.integers(1, 2)))]
        count = data.draw(st.sampled_from(["3", "1000"]))
        # what is rare is looked up beforehand; what is not is joined
        monkeypatch.setattr(joins, "PLACES_LIMIT", data.draw(st.sampled_from([0, 5_000])))
        sort = data.draw(st.sampled_from(["", "_id", "-_lastUpdated"]))
        asked = [*pairs, ("_count", count), *([("_sort", sort)] if sort else [])]
        expected = {r["id"] for r in stock[type_name] if all(oracle.meets(r, n, v, stock) for n, v in pairs)}
        got = [v.id for v in _all_pages(run, system, Query.of(type_name, asked))]
        assert set(got) == expected, (type_name, pairs, "extra", set(got) - expected, "lost", expected - set(got))
        assert len(got) == len(expected)
        hits += bool(got)

    check()
    tally(queries)
    assert hits > 20


def _all_pages(run: Any, system: Access, query: Query) -> list[Any]:
    found = run(system.search(query))
    versions = list(found.versions)
    while found.after:
        found = run(system.search(replace(query, after=found.after, horizon=found.horizon)))
        versions += found.versions
    return versions


SORTS = [
    ("Patient", "birthdate", "birthDate"),
    ("Observation", "date", "effectiveDateTime"),
    ("Questionnaire", "date", "date"),
]


@pytest.mark.parametrize(("type_name", "code", "element"), SORTS)
def test_sorting_by_a_date_follows_its_beginning(
    run: Any, system: Access, stock: Any, type_name: str, code: str, element: str
) -> None:
    for sign in ("", "-"):
        found = run(
            system.search(
                Query.of(type_name, [("_sort", sign + code), ("_count", "1000"), (f"{code}:missing", "false")])
            )
        )
        begun = [
            next(
                (
                    oracle.covered(v, day=code == "birthdate")[0]
                    for v in RULES[type_name][code].values(json.loads(r.json()))
                ),
                None,
            )
            for r in found.versions
        ]
        known = [b for b in begun if b is not None]
        assert len(known) > 1
        assert known == sorted(known, reverse=bool(sign))


#: strings and dates, of which resources have one or several
VALUES = [
    ("Patient", "family"), ("Patient", "given"), ("Patient", "x-contact"), ("Patient", "name"),
    ("Patient", "birthdate"), ("Location", "name"),
    ("Observation", "date"), ("Observation", "x-issued"), ("Encounter", "date"), ("Condition", "recorded-date"),
    ("Condition", "onset-date"), ("Task", "authored-on"), ("Task", "period"),
]  # fmt: skip


@pytest.mark.parametrize(("type_name", "code"), VALUES)
@pytest.mark.parametrize("sign", ["", "-"])
def test_what_is_sorted_stands_by_its_values_on_every_page(
    run: Any, system: Access, stock: Any, type_name: str, code: str, sign: str
) -> None:
    asked = [("_sort", sign + code), ("_count", "17")]
    versions = _all_pages(run, system, Query.of(type_name, asked))
    assert sorted(v.id for v in versions) == sorted({r["id"] for r in stock[type_name]})
    resources = [json.loads(v.json()) for v in versions]
    places = [_place_of(type_name, code, resource, down=bool(sign)) for resource in resources]
    told = [place for place in places if place is not None]
    assert len(told) > 1
    wrong = [pair for pair in itertools.pairwise(told) if (pair[0] < pair[1] if sign else pair[0] > pair[1])]
    assert not wrong


def _place_of(type_name: str, code: str, resource: dict[str, Any], *, down: bool) -> Any:
    """What sorts a resource: its lowest text, or the beginning of its dates; from the last on, the highest, or their end."""
    rule = RULES[type_name][code]
    values = [v for v in rule.values(resource) if v not in ("", {})]
    if not values:
        return None
    if rule.kind == "string":
        keys = [key for value in values if (key := oracle.in_dictionary(str(value))) is not None]
        return (max if down else min)(keys) if len(keys) == len(values) else None
    spans = [oracle.covered(v, day=rule.kind == "day") for v in values]
    main = main_date(type_name)
    by_end = down and not (main and main.code == code)
    return max(high for _, high in spans) if by_end else min(low for low, _ in spans)


def test_includes_are_what_the_references_say(run: Any, system: Access, stock: Any) -> None:
    here = {f"{kind}/{r['id']}" for kind, resources in stock.items() for r in resources}
    found = run(
        system.search(
            Query.of(
                "Observation",
                [("_include", "Observation:subject"), ("_include", "Observation:encounter"), ("_count", "1000")],
            )
        )
    )
    pointed = {
        v["reference"]
        for r in stock["Observation"]
        for path in ("subject", "encounter")
        for v in oracle.at(path)(r)
        if "reference" in v
    }
    assert {f"{v.type}/{v.id}" for v in found.included} >= pointed & here
    assert {f"{v.type}/{v.id}" for v in found.included} <= pointed
    back = run(
        system.search(
            Query.of(
                "Patient",
                [("_revinclude", "Observation:subject"), ("_revinclude", "Condition:subject"), ("_count", "1000")],
            )
        )
    )
    patients = {f"Patient/{r['id']}" for r in stock["Patient"]}
    wanted = {
        f"{kind}/{r['id']}"
        for kind in ("Observation", "Condition")
        for r in stock[kind]
        if r.get("subject", {}).get("reference") in patients
    }
    assert {f"{v.type}/{v.id}" for v in back.included} == wanted


@pytest.mark.timeout(280)
def test_composites_find_what_the_slow_search_finds(run: Any, system: Access, stock: Any, tally: Tally) -> None:
    queries = 120
    standing = {
        composite: [(r["id"], e) for r in stock["Observation"] for e in _elements(composite, r)]
        for composite in ("code-value-quantity", MEASURED)
    }
    hits = dict.fromkeys(standing, 0)

    @settings(max_examples=queries, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def check(data: st.DataObject) -> None:
        composite = data.draw(st.sampled_from(sorted(standing)))
        elements = standing[composite]
        measured = [e for _, e in elements if "value" in e.get("valueQuantity", {}) and e["code"].get("coding")]
        one = data.draw(st.sampled_from(measured))
        other = data.draw(st.sampled_from([one, one, data.draw(st.sampled_from(measured))]))
        texts = [t for t in drawing.tokens(one["code"], "token") if not t.endswith("|")]
        code = data.draw(st.sampled_from(texts))
        prefix = data.draw(st.sampled_from(["", *AMOUNT_PREFIXES]))
        amount = prefix + drawing.measured(data.draw, other["valueQuantity"])
        if {"$", ",", "\\"} & set(code + amount):
            return
        found = run(system.search(Query.of("Observation", [(composite, f"{code}${amount}"), ("_count", "1000")])))
        expected = {
            id_
            for id_, e in elements
            if oracle.matches(e, "code", code) and oracle.matches(e, "value-quantity", amount)
        }
        assert {v.id for v in found.versions} == expected, (code, amount)
        hits[composite] += bool(expected)

    check()
    tally(queries)
    assert min(hits.values()) > 15


def _elements(composite: str, observation: dict[str, Any]) -> list[dict[str, Any]]:
    """What a composite stands at, as Observations of their own."""
    inner = observation.get("component", ()) if composite == MEASURED else ()
    return [observation, *({"resourceType": "Observation", **each} for each in inner)]


# --- other accesses -------------------------------------------------------------------------------------------------

#: chart types whose place is told by these references, the first that leads to a patient
PLACED = {
    "Patient": (),
    "Observation": ("subject", "performer"),
    "Encounter": ("subject",),
    "Condition": ("subject", "asserter"),
    "MedicationRequest": ("subject",),
    "RiskAssessment": ("subject",),
    "ChargeItem": ("subject",),
}
OPEN_TO_ALL = ("Questionnaire", "PlanDefinition")


def place_of(resource: dict[str, Any]) -> str:
    if resource["resourceType"] == "Patient":
        return str(resource["id"])
    for path in PLACED[resource["resourceType"]]:
        for value in oracle.at(path)(resource):
            kind, _, key = str(value.get("reference", "")).partition("/")
            if kind == "Patient":
                return key.partition("/")[0]
    return ""


@pytest.fixture(scope="module")
def charted(run: Any, system: Access, stock: Any) -> set[str]:
    """Patients who are kept by one facility; it is written into the stock, too."""
    busy = sorted({place_of(r) for r in stock["Observation"]} & {r["id"] for r in stock["Patient"]})
    chosen = {*busy[::2], *[r["id"] for r in stock["Patient"]][::5]}
    for patient in stock["Patient"]:
        if patient["id"] in chosen:
            patient["managingOrganization"] = {"reference": f"Organization/{FACILITY}"}
            run(system.write([Update(resource=parse(json.dumps(patient).encode()))]))
    return chosen


FACILITY = "oracle-facility"


@pytest.fixture(scope="module")
def askers(system: Access, stock: Any, charted: set[str]) -> dict[str, tuple[Access, set[str], bool]]:
    """Each asker with the patients whose charts are open, and whether the directory is."""
    facility = row_id("Organization", FACILITY).id
    own = min(charted & {place_of(r) for r in stock["Observation"]})
    doctor = Who(role="doctor", purpose="TREAT", organization=facility, organization_id=FACILITY)
    stranger = replace(doctor, organization=row_id("Organization", "elsewhere").id, organization_id="elsewhere")
    citizen = Who(role="citizen", purpose="PATRQT", patient=row_id("Patient", own).id, patient_id=own)
    narrowed = replace(doctor, scopes=(Grant("Patient", "rs"), Grant("Observation", "rs")))
    made = {
        "doctor": (doctor, charted, True),
        "stranger": (stranger, set(), True),
        "citizen": (citizen, {own}, True),
        "analyst": (Who(role="analyst", purpose="HOPERAT"), set(), True),
        "narrowed": (narrowed, charted, True),
        "nobody": (Who(role="nobody", purpose=""), set(), False),
    }
    return {name: (system.ground.access(who), charts, directory) for name, (who, charts, directory) in made.items()}


@pytest.mark.timeout(280)
def test_every_role_finds_what_the_slow_search_finds_among_what_is_open(
    run: Any, stock: Any, askers: dict[str, tuple[Access, set[str], bool]], tally: Tally
) -> None:
    queries = 150
    hits: dict[str, int] = dict.fromkeys(askers, 0)

    @settings(max_examples=queries, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def check(data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(["doctor", "doctor", *askers]))
        access, charts, directory = askers[name]
        type_name = data.draw(st.sampled_from([*PLACED, *OPEN_TO_ALL, "Patient", "Observation"]))
        if not access.who.is_granted(type_name, "s"):
            return
        opened = {
            kind: [r for r in resources if place_of(r) in charts] if kind in PLACED else resources if directory else []
            for kind, resources in stock.items()
            if (kind in PLACED or kind in OPEN_TO_ALL) and access.who.is_granted(kind, "s")
        }
        pairs = [data.draw(joined(stock, type_name)) for _ in range(data.draw(st.integers(0, 2)))]
        whole = {kind: opened.get(kind, []) for kind in stock}
        expected = {r["id"] for r in opened[type_name] if all(oracle.meets(r, n, v, whole) for n, v in pairs)}
        count = data.draw(st.sampled_from(["3", "1000"]))
        got = [v.id for v in _all_pages(run, access, Query.of(type_name, [*pairs, ("_count", count)]))]
        assert set(got) == expected, (name, type_name, pairs, "extra", set(got) - expected, "lost", expected - set(got))
        assert len(got) == len(expected)
        total = run(access.search(Query.of(type_name, [*pairs, ("_summary", "count")]))).total
        assert total == len(expected)
        hits[name] += bool(got)

    check()
    tally(queries)
    assert hits["doctor"] > 10
    assert hits["nobody"] == 0


@pytest.mark.parametrize(
    ("type_name", "sort"),
    [("Patient", "family,-birthdate"), ("Patient", "-gender,birthdate"), ("Observation", "status,-date")],
)
def test_sorting_by_several_is_the_same_page_by_page(
    run: Any, system: Access, stock: Any, type_name: str, sort: str
) -> None:
    whole, cut = (
        [v.id for v in _all_pages(run, system, Query.of(type_name, [("_sort", sort), ("_count", count)]))]
        for count in ("1000", "7")
    )
    assert whole == cut
    assert set(whole) == {r["id"] for r in stock[type_name]}
    first = sort.partition(",")[0]
    if first.lstrip("-") in ("gender", "status"):
        element = {r["id"]: r.get(first.lstrip("-"), "") for r in stock[type_name]}
        assert [element[key] for key in whole] == sorted((element[key] for key in whole), reverse=first.startswith("-"))
