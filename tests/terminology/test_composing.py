"""Compositions compared with a slow oracle: random code systems, value sets made of each other, every filter.

Source: https://hl7.org/fhir/R4/valueset.html#compositions
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yersin.fhir.problem import Problem
from yersin.terminology import intake
from yersin.terminology.expanding import Wanted, expand
from yersin.terminology.finding import Finder
from yersin.terminology.judging import Coding, member

A, B = "urn:example:a", "urn:example:b"
COLOURS = ("red", "blue", "")
#: (code, parents, colour, abstract, inactive): `a3` has two parents, `a7` is alone
LISTED = {
    A: [
        ("a1", (), "red", True, False), ("a2", ("a1",), "", False, False), ("a3", ("a1", "a2"), "blue", False, False),
        ("a4", ("a3",), "red", False, True), ("a5", ("a2",), "", False, False), ("a6", ("a5",), "blue", False, False),
        ("a7", (), "red", False, False),
    ],
    B: [("b1", (), "", False, False), ("b2", ("b1",), "red", False, True), ("b3", ("b2",), "blue", False, False)],
}  # fmt: skip
NAMES = {A: [row[0] for row in LISTED[A]], B: [row[0] for row in LISTED[B]]}
STORED = ("urn:example:set:1", "urn:example:set:2", "urn:example:set:3")


def resource(url):
    concepts = []
    for code, parents, colour, abstract, inactive in LISTED[url]:
        properties: list[dict[str, Any]] = [{"code": "parent", "valueCode": parent} for parent in parents]
        properties += [{"code": "colour", "valueString": colour}] if colour else []
        properties += [{"code": "notSelectable", "valueBoolean": True}] if abstract else []
        properties += [{"code": "inactive", "valueBoolean": True}] if inactive else []
        concepts.append({"code": code, "display": f"Concept {code}", "property": properties})
    return {"resourceType": "CodeSystem", "url": url, "version": "1", "content": "complete", "concept": concepts}


# --- the oracle ------------------------------------------------------------------------------------------------------


def ancestors(url, code):
    above, waiting = set(), [code]
    rows = {row[0]: row for row in LISTED[url]}
    while waiting:
        for parent in rows[waiting.pop()][1]:
            if parent not in above:
                above.add(parent)
                waiting.append(parent)
    return above


def fits(url, row, one):
    code, parents, colour = row[0], row[1], row[2]
    op, name, value = one["op"], one["property"], one["value"]
    below = {"is-a": value == code or value in ancestors(url, code), "descendent-of": value in ancestors(url, code)}
    if op in below:
        return below[op]
    if op == "is-not-a":
        return not (value == code or value in ancestors(url, code))
    if op == "generalizes":
        return value in NAMES[url] and (code == value or code in ancestors(url, value))
    has = {"colour": [colour] if colour else [], "code": [code], "concept": [code], "parent": list(parents)}[name]
    if op == "exists":
        return bool(has) is (value == "true")
    if op == "regex":
        return any(re.fullmatch(value, each) for each in has)
    wanted = value.split(",") if op in ("in", "not-in") else [value]
    return any(each in wanted for each in has) is (op != "not-in")


def slow(part, sets):
    found = None
    if "system" in part:
        url = part["system"]
        chosen = {c["code"] for c in part["concept"]} if "concept" in part else None
        found = {
            (url, row[0])
            for row in LISTED[url]
            if (chosen is None or row[0] in chosen) and all(fits(url, row, one) for one in part.get("filter", ()))
        }
    for name in part.get("valueSet", ()):
        other = oracle(sets[name], sets)
        found = other if found is None else found & other
    return found


def oracle(compose, sets):
    taken = set().union(*(slow(part, sets) for part in compose["include"]))
    gone = set().union(*(slow(part, sets) for part in compose.get("exclude", ())))
    left = taken - gone
    return {each for each in left if not _is_inactive(*each)} if compose.get("inactive") is False else left


def _is_inactive(url, code):
    return next(row[4] for row in LISTED[url] if row[0] == code)


# --- what is made up -------------------------------------------------------------------------------------------------


@st.composite
def filters(draw, url):
    op = draw(
        st.sampled_from(["is-a", "descendent-of", "is-not-a", "generalizes", "=", "in", "not-in", "regex", "exists"])
    )
    code = st.sampled_from([*NAMES[url], "nothing"])
    if op in ("is-a", "descendent-of", "is-not-a", "generalizes"):
        return {"property": "concept", "op": op, "value": draw(code)}
    name = draw(st.sampled_from(["colour", "code", "parent"] if op != "regex" else ["colour", "code"]))
    values = st.sampled_from(COLOURS[:2]) if name == "colour" else code
    if op == "exists":
        return {"property": name, "op": op, "value": draw(st.sampled_from(["true", "false"]))}
    if op == "regex":
        return {
            "property": name,
            "op": op,
            "value": draw(st.sampled_from(["[ab][1-3]", "r.*", "blue|a4", ".", "[^5]+"])),
        }
    value = draw(values) if op == "=" else ",".join(draw(st.lists(values, min_size=1, max_size=3)))
    return {"property": name, "op": op, "value": value}


@st.composite
def parts(draw, names):
    url = draw(st.sampled_from([A, B]))
    kind = draw(st.sampled_from(["whole", "concept", "filter", *(["set", "both"] if names else [])]))
    others = (
        {"valueSet": draw(st.lists(st.sampled_from(names), min_size=1, max_size=2))} if kind in ("set", "both") else {}
    )
    if kind == "set":
        return others
    if kind == "concept":
        chosen = draw(st.lists(st.sampled_from(NAMES[url]), min_size=1, max_size=4))
        return {"system": url, "concept": [{"code": code} for code in chosen]}
    if kind == "filter":
        return {"system": url, "filter": draw(st.lists(filters(url), min_size=1, max_size=2))}
    return {"system": url, **others}


@st.composite
def composes(draw, names=()):
    made = {"include": draw(st.lists(parts(names), min_size=1, max_size=3))}
    if gone := draw(st.lists(parts(names), max_size=2)):
        made["exclude"] = gone
    if draw(st.booleans()):
        made["inactive"] = draw(st.booleans())
    return made


@st.composite
def worlds(draw):
    """Value sets that refer only to those made before them."""
    made: dict[str, Any] = {}
    for name in STORED:
        made[name] = draw(composes(tuple(made)))
    return made, draw(composes(tuple(made)))


@pytest.fixture(scope="module")
def connection(run, ground):
    async def work():
        async with ground.database.acquire() as connection:
            for url in (A, B):
                await intake.load(connection, f"file:{url}:1", resource(url), None)

    run(work())


@given(world=worlds())
@settings(max_examples=60)
def test_a_composition_expands_as_the_oracle_says(run, ground, connection, world):
    sets, compose = world
    del connection
    defined = {name: {"resourceType": "ValueSet", "url": name, "compose": made} for name, made in sets.items()}
    asked = {"resourceType": "ValueSet", "url": "urn:asked", "compose": compose}

    async def work():
        async with ground.database.searching() as lent:
            finder = Finder(lent)
            finder._sets.update({(name, ""): each for name, each in defined.items()})
            expansion = await expand(finder, asked, Wanted(flat=True))
            every = [(url, code) for url in (A, B) for code in NAMES[url]]
            members = {each for each in every if await member(finder, asked, Coding(system=each[0], code=each[1]))}
        return [(c["system"], c["code"]) for c in expansion.get("contains", ())], expansion["total"], members

    listed, total, members = run(work())
    wanted = oracle(compose, sets)
    assert len(listed) == len(set(listed)) == total
    assert set(listed) == wanted
    assert members == wanted


@pytest.mark.parametrize("pages", [1, 2, 3])
def test_pages_together_are_the_whole(run, ground, connection, pages):
    asked = {"resourceType": "ValueSet", "compose": {"include": [{"system": A}, {"system": B}]}}

    async def work():
        found = []
        async with ground.database.searching() as lent:
            for offset in range(0, 10, pages):
                page = await expand(Finder(lent), asked, Wanted(offset=offset, count=pages))
                found += [c["code"] for c in page.get("contains", ())]
                assert page["total"] == 10
        return found

    assert run(work()) == [*NAMES[A], *NAMES[B]]


def test_what_is_too_large_is_refused_whole_and_given_in_pages(run, ground):
    many = {"resourceType": "CodeSystem", "url": "urn:many", "version": "1", "content": "complete",
            "concept": [{"code": f"c{n}", "display": f"Word {n}"} for n in range(10_001)]}  # fmt: skip
    asked = {"resourceType": "ValueSet", "compose": {"include": [{"system": "urn:many"}]}}

    async def work():
        async with ground.database.acquire() as connection:
            await intake.load(connection, "file:many:1", many, None)
        async with ground.database.searching() as connection:
            with pytest.raises(Problem) as refusal:
                await expand(Finder(connection), asked, Wanted())
            assert refusal.value.issues[0].code == "too-costly"
            page = await expand(Finder(connection), asked, Wanted(count=5))
            typed = await expand(Finder(connection), asked, Wanted(typed="wor", count=5, offset=7000))
            exact = await expand(Finder(connection), asked, Wanted(typed="c77", count=2))
        assert (page["total"], len(page["contains"])) == (10_001, 5)
        assert ("total" in typed, typed["contains"][0]["code"]) == (False, "c7000")
        assert exact["contains"][0]["code"] == "c77"

    run(work())
