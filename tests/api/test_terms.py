"""The terminology service over HTTP: every operation with good and bad input, displays in both languages.

Source: https://hl7.org/fhir/R4/terminology-service.html
"""

from __future__ import annotations

from urllib.parse import quote

import pytest

GENDERS = "http://hl7.org/fhir/ValueSet/administrative-gender"
GENDER = "http://hl7.org/fhir/administrative-gender"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
OWN = "urn:example:anatomy"

ANATOMY = {
    "resourceType": "CodeSystem", "id": "anatomy", "url": OWN, "version": "1", "name": "Anatomy", "status": "active",
    "content": "complete", "hierarchyMeaning": "is-a", "caseSensitive": False, "language": "en",
    "property": [{"code": "side", "type": "string"}, {"code": "notSelectable", "type": "boolean"}],
    "concept": [
        {"code": "BODY", "display": "Body part", "property": [{"code": "notSelectable", "valueBoolean": True}],
         "designation": [{"language": "vi", "value": "Bộ phận cơ thể"}],
         "concept": [
             {"code": "LIMB", "display": "Limb", "designation": [{"language": "vi", "value": "Chi"}], "concept": [
                 {"code": "ARM", "display": "Arm", "designation": [{"language": "vi", "value": "Cánh tay"}],
                  "property": [{"code": "side", "valueString": "upper"}]},
                 {"code": "LEG", "display": "Leg", "designation": [{"language": "vi", "value": "Cẳng chân"}],
                  "property": [{"code": "side", "valueString": "lower"}]},
             ]},
             {"code": "HEAD", "display": "Head", "definition": "What is above the neck.",
              "designation": [{"language": "vi", "value": "Đầu"}]},
             {"code": "TAIL", "display": "Tail", "property": [{"code": "status", "valueCode": "retired"}]},
         ]},
    ],
}  # fmt: skip


def value_set(*includes, exclude=(), **more):
    compose = {"include": list(includes), **({"exclude": list(exclude)} if exclude else {})}
    return {"resourceType": "ValueSet", "status": "active", "compose": compose, **more}


def body(**parts):
    """Parameters: a resource, or a value whose type its name tells."""
    made = []
    for name, value in parts.items():
        if isinstance(value, dict) and "resourceType" in value:
            made.append({"name": name, "resource": value})
        elif isinstance(value, dict):
            made.append({"name": name, ("valueCodeableConcept" if "coding" in value else "valueCoding"): value})
        else:
            kind = "valueBoolean" if isinstance(value, bool) else TYPES.get(name, "valueString")
            made.append({"name": name, kind: value})
    return {"resourceType": "Parameters", "parameter": made}


TYPES = {"url": "valueUri", "system": "valueUri", "code": "valueCode", "count": "valueInteger", "offset": "valueInteger",
         "displayLanguage": "valueCode"}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def anatomy(client):
    answer = client.put("/CodeSystem/anatomy", json=ANATOMY)
    assert answer.status_code == 201, answer.text


def expansion(client, given, **more):
    answer = client.post("/ValueSet/$expand", json=body(valueSet=given, **more))
    assert answer.status_code == 200, answer.text
    return answer.json()["expansion"]


def codes(found):
    """Codes of an expansion, nested ones after those above them."""
    return [code for one in found.get("contains", ()) for code in (one["code"], *codes(one))]


def told(answer):
    """What Parameters say, by name."""
    assert answer.status_code == 200, answer.text
    return {
        p["name"]: next((v for k, v in p.items() if k.startswith("value")), p.get("part"))
        for p in answer.json()["parameter"]
    }


def refused(answer, status, code, *words):
    assert answer.status_code == status, answer.text
    (issue,) = answer.json()["issue"]
    assert issue["code"] == code, issue
    for word in words:
        assert word in issue["diagnostics"], issue
    return issue


# --- $expand ---------------------------------------------------------------------------------------------------------


def test_a_value_set_of_r4_expands_by_its_url(client):
    answer = client.get(f"/ValueSet/$expand?url={GENDERS}")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["resourceType"], found["url"], found["expansion"]["total"]) == ("ValueSet", GENDERS, 4)
    assert [(c["system"], c["code"], c["display"]) for c in found["expansion"]["contains"]][:2] == [
        (GENDER, "male", "Male"),
        (GENDER, "female", "Female"),
    ]
    assert {"name": "version", "valueUri": f"{GENDER}|4.0.1"} in found["expansion"]["parameter"]


def test_a_value_set_that_is_not_here_is_told(client):
    refused(client.get("/ValueSet/$expand?url=urn:nothing"), 404, "not-found", "urn:nothing")
    refused(client.get("/ValueSet/$expand"), 400, "required", "url")
    refused(client.get(f"/ValueSet/$expand?url={GENDERS}&colour=red"), 400, "not-supported", "colour")
    refused(client.get(f"/ValueSet/$expand?url={GENDERS}&count=-1"), 400, "value", "count")


def test_a_stored_code_system_and_value_set_count_at_once(client):
    made = value_set({"system": OWN}, id="parts", url="urn:example:parts")
    assert client.put("/ValueSet/parts", json=made).status_code == 201
    assert codes(client.get("/ValueSet/$expand?url=urn:example:parts").json()["expansion"]) == [
        "BODY", "LIMB", "ARM", "LEG", "HEAD", "TAIL",
    ]  # fmt: skip
    fewer = value_set({"system": OWN, "concept": [{"code": "ARM"}]}, id="parts", url="urn:example:parts")
    assert client.put("/ValueSet/parts", json=fewer).status_code == 200
    assert codes(client.get("/ValueSet/parts/$expand").json()["expansion"]) == ["ARM"]
    assert codes(client.get("/ValueSet/$expand?url=urn:example:parts").json()["expansion"]) == ["ARM"]
    assert client.delete("/ValueSet/parts").status_code in (200, 204)
    refused(client.get("/ValueSet/$expand?url=urn:example:parts"), 404, "not-found")


def test_concepts_nest_as_in_their_code_system_unless_they_are_paged_or_flat(client):
    whole = value_set({"system": OWN})
    (top,) = expansion(client, whole)["contains"]
    assert (top["code"], top["abstract"]) == ("BODY", True)
    assert [c["code"] for c in top["contains"]] == ["LIMB", "HEAD", "TAIL"]
    assert [c["code"] for c in top["contains"][0]["contains"]] == ["ARM", "LEG"]
    assert [c["code"] for c in expansion(client, whole, excludeNested=True)["contains"]] == [
        "BODY", "LIMB", "ARM", "LEG", "HEAD", "TAIL",
    ]  # fmt: skip
    page = expansion(client, whole, count=2, offset=1)
    assert ([c["code"] for c in page["contains"]], page["total"], page["offset"]) == (["LIMB", "ARM"], 6, 1)
    assert expansion(client, whole, count=0)["total"] == 6


@pytest.mark.parametrize(
    ("op", "prop", "value", "wanted"),
    [
        ("is-a", "concept", "limb", ["LIMB", "ARM", "LEG"]),
        ("descendent-of", "concept", "LIMB", ["ARM", "LEG"]),
        ("is-not-a", "concept", "LIMB", ["BODY", "HEAD", "TAIL"]),
        ("generalizes", "concept", "ARM", ["BODY", "LIMB", "ARM"]),
        ("=", "side", "upper", ["ARM"]),
        ("in", "side", "upper,lower", ["ARM", "LEG"]),
        ("not-in", "side", "upper", ["BODY", "LIMB", "LEG", "HEAD", "TAIL"]),
        ("in", "concept", "ARM,TAIL", ["ARM", "TAIL"]),
        ("regex", "code", "[AL].*", ["LIMB", "ARM", "LEG"]),
        ("regex", "display", "Le", []),
        ("exists", "side", "true", ["ARM", "LEG"]),
        ("exists", "side", "false", ["BODY", "LIMB", "HEAD", "TAIL"]),
        ("=", "parent", "LIMB", ["ARM", "LEG"]),
        ("=", "child", "ARM", ["LIMB"]),
    ],
)
def test_filters_choose(client, op, prop, value, wanted):
    given = value_set({"system": OWN, "filter": [{"property": prop, "op": op, "value": value}]})
    assert codes(expansion(client, given, excludeNested=True)) == wanted


@pytest.mark.parametrize("value", ["[", "(?<=a)b|*"])
def test_a_bad_regular_expression_is_the_askers_error(client, value):
    given = value_set({"system": OWN, "filter": [{"property": "code", "op": "regex", "value": value}]})
    refused(client.post("/ValueSet/$expand", json=body(valueSet=given)), 400, "invalid", "regular expression")


def test_inclusions_unite_and_exclusions_take_away(client):
    limb = {"system": OWN, "filter": [{"property": "concept", "op": "is-a", "value": "LIMB"}]}
    head = {"system": OWN, "concept": [{"code": "HEAD", "display": "The head"}]}
    given = value_set(head, limb, head, exclude=[{"system": OWN, "concept": [{"code": "arm"}]}])
    found = expansion(client, given, excludeNested=True)
    assert (codes(found), found["total"]) == (["HEAD", "LIMB", "LEG"], 3)
    assert found["contains"][0]["display"] == "The head"


def test_value_sets_within_an_inclusion_intersect(client):
    for name, chosen in (("one", ["ARM", "LEG"]), ("two", ["LEG", "HEAD"])):
        listed = {"system": OWN, "concept": [{"code": code} for code in chosen]}
        assert (
            client.put(f"/ValueSet/{name}", json=value_set(listed, id=name, url=f"urn:example:{name}")).status_code
            < 300
        )
    both = value_set({"valueSet": ["urn:example:one", "urn:example:two"]})
    assert codes(expansion(client, both)) == ["LEG"]
    either = value_set({"valueSet": ["urn:example:one"]}, {"valueSet": ["urn:example:two"]})
    assert sorted(codes(expansion(client, either))) == ["ARM", "HEAD", "LEG"]
    with_system = value_set({"system": OWN, "valueSet": ["urn:example:one"]})
    assert codes(expansion(client, with_system, excludeNested=True)) == ["ARM", "LEG"]


def test_a_value_set_that_refers_to_itself_is_refused(client):
    circle = value_set({"valueSet": ["urn:example:circle"]}, id="circle", url="urn:example:circle")
    assert client.put("/ValueSet/circle", json=circle).status_code == 201
    refused(client.get("/ValueSet/$expand?url=urn:example:circle"), 400, "processing", "itself")


def test_only_active_and_only_selectable_concepts(client):
    whole = value_set({"system": OWN})
    assert codes(expansion(client, whole, activeOnly=True)) == ["BODY", "LIMB", "ARM", "LEG", "HEAD"]
    assert "BODY" not in codes(expansion(client, whole, excludeNotForUI=True))
    inactive = next(c for c in expansion(client, whole, excludeNested=True)["contains"] if c["code"] == "TAIL")
    assert inactive["inactive"] is True


def test_displays_in_vietnamese_and_english(client):
    listed = value_set({"system": OWN, "concept": [{"code": "ARM"}, {"code": "TAIL"}]})
    shown = [c["display"] for c in expansion(client, listed, displayLanguage="vi")["contains"]]
    assert shown == ["Cánh tay", "Tail"]
    assert [c["display"] for c in expansion(client, listed, displayLanguage="en")["contains"]] == ["Arm", "Tail"]
    asked = client.post(
        "/ValueSet/$expand", json=body(valueSet=listed), headers={"accept-language": "vi-VN,vi;q=0.9,en;q=0.8"}
    )
    assert asked.json()["expansion"]["contains"][0]["display"] == "Cánh tay"
    named = expansion(client, listed, includeDesignations=True)["contains"][0]
    assert named["designation"] == [{"language": "vi", "value": "Cánh tay"}]


@pytest.mark.parametrize("typed", ["cánh tay", "canh", "TAY canh", "arm", "a", "ARM"])
def test_what_is_typed_finds_with_and_without_accents_in_any_order(client, typed):
    assert "ARM" in codes(expansion(client, value_set({"system": OWN}), filter=typed))
    listed = value_set({"system": OWN, "concept": [{"code": "ARM"}, {"code": "HEAD"}]})
    assert codes(expansion(client, listed, filter=typed)) == ["ARM"]


@pytest.mark.parametrize("typed", ["rm", "canh xyz", "?!"])
def test_what_fits_no_beginning_of_a_word_finds_nothing(client, typed):
    assert codes(expansion(client, value_set({"system": OWN}), filter=typed)) == []


def test_a_system_that_is_not_here_or_cannot_be_listed_is_told(client):
    unknown = value_set({"system": "urn:example:unknown"})
    refused(client.post("/ValueSet/$expand", json=unknown), 404, "not-found", "urn:example:unknown")
    units = value_set({"system": "http://unitsofmeasure.org"})
    refused(client.post("/ValueSet/$expand", json=units), 400, "too-costly", "no end")


def test_value_sets_within_value_sets_are_not_followed_for_ever(client):
    for n in range(40):
        inner = {"valueSet": [f"urn:example:deep:{n - 1}"]} if n else {"system": OWN}
        made = value_set(inner, id=f"deep{n}", url=f"urn:example:deep:{n}")
        assert client.put(f"/ValueSet/deep{n}", json=made).status_code == 201
    assert len(codes(client.get("/ValueSet/$expand?url=urn:example:deep:20").json()["expansion"])) == 6
    refused(client.get("/ValueSet/$expand?url=urn:example:deep:39"), 400, "too-costly", "deep")


def test_an_odd_code_system_stops_nobody(client):
    why = [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]
    odd = {"resourceType": "CodeSystem", "id": "odd", "url": "urn:example:odd", "status": "active", "content": "complete",
           "concept": [{"_code": {"extension": why}, "display": "No code"}, {"code": "a", "display": "A"},
                       {"code": "b", "property": [{"code": "parent", "valueCode": "c"}]},
                       {"code": "c", "property": [{"code": "parent", "valueCode": "b"}]}]}  # fmt: skip
    assert client.put("/CodeSystem/odd", json=odd).status_code == 201, "this is valid R4"
    twice = {**odd, "concept": [*odd["concept"], {"code": "a", "display": "The same again"}]}
    assert client.put("/CodeSystem/odd", json=twice).status_code == 422, "codes stand once (csd-1)"
    found = expansion(client, value_set({"system": "urn:example:odd"}))
    assert sorted(codes(found)) == ["a", "b", "c"]
    listed = {"system": OWN, "concept": [{"_code": {"extension": why}}, {"code": "ARM"}]}
    assert codes(expansion(client, value_set(listed))) == ["ARM"]


@pytest.mark.parametrize("given", ["%00", "a%00b", "%F0%9F%98%80", "'", "a:*", "%5C", "a%26b", "%25", "(", "x" * 3000])
def test_whatever_is_typed_is_answered(client, given):
    assert client.get(f"/ValueSet/$expand?url={GENDERS}&filter={given}").status_code in (200, 400)
    assert client.get(f"/ValueSet/$validate-code?url={GENDERS}&system={GENDER}&code={given}").status_code in (200, 400)
    assert client.get(f"/CodeSystem/$lookup?system={GENDER}&code={given}").status_code in (404, 400)
    regex = {"property": "code", "op": "regex", "value": given.replace("%00", "")}
    made = client.post("/ValueSet/$expand", json=body(valueSet=value_set({"system": OWN, "filter": [regex]})))
    assert made.status_code in (200, 400), made.text


# --- $validate-code --------------------------------------------------------------------------------------------------


def test_a_code_is_judged_against_a_value_set(client):
    right = told(client.get(f"/ValueSet/$validate-code?url={GENDERS}&system={GENDER}&code=male"))
    assert right == {"result": True, "display": "Male"}
    wrong = told(client.get(f"/ValueSet/$validate-code?url={GENDERS}&system={GENDER}&code=man"))
    assert wrong["result"] is False
    assert "no code of" in wrong["message"]
    assert told(client.get(f"/ValueSet/$validate-code?url={GENDERS}&code=male"))["result"] is True
    other = told(client.get(f"/ValueSet/$validate-code?url={GENDERS}&system={OWN}&code=ARM"))
    assert other["result"] is False


def test_a_wrong_display_is_told_with_the_right_one(client):
    found = told(client.get(f"/ValueSet/$validate-code?url={GENDERS}&system={GENDER}&code=male&display=Female"))
    assert (found["result"], found["display"]) == (False, "Male")
    assert "'Male'" in found["message"]
    fine = told(client.get(f"/ValueSet/$validate-code?url={GENDERS}&system={GENDER}&code=male&display=MALE"))
    assert fine["result"] is True


def test_displays_of_both_languages_are_right(client):
    path = f"/CodeSystem/$validate-code?url={OWN}&code=arm&display="
    assert told(client.get(path + quote("cánh tay")))["result"] is True
    assert told(client.get(path + "Arm")) == {"result": True, "display": "Arm"}
    assert told(client.get(path + "Arm&displayLanguage=vi"))["display"] == "Cánh tay"
    assert told(client.get(path + "Leg"))["result"] is False


def test_codings_and_concepts_are_judged(client):
    coding = {"system": GENDER, "code": "female"}
    assert told(client.post("/ValueSet/$validate-code", json=body(url=GENDERS, coding=coding)))["result"] is True
    concept = {"coding": [{"system": OWN, "code": "ARM"}, coding]}
    found = told(client.post("/ValueSet/$validate-code", json=body(url=GENDERS, codeableConcept=concept)))
    assert found["result"] is True
    assert OWN in found["message"]
    none = {"coding": [{"system": OWN, "code": "ARM"}]}
    assert (
        told(client.post("/ValueSet/$validate-code", json=body(url=GENDERS, codeableConcept=none)))["result"] is False
    )
    both = body(url=GENDERS, coding=coding, codeableConcept=concept)
    refused(client.post("/ValueSet/$validate-code", json=both), 400, "invalid", "one of")
    refused(client.post("/ValueSet/$validate-code", json=body(url=GENDERS)), 400, "required")


def test_an_abstract_concept_is_right_only_where_it_is_asked_for(client):
    given = value_set({"system": OWN})
    asked = {"valueSet": given, "system": OWN, "code": "BODY"}
    plain = told(client.post("/ValueSet/$validate-code", json=body(**asked)))
    assert plain["result"] is False
    assert "abstract" in plain["message"]
    assert told(client.post("/ValueSet/$validate-code", json=body(**asked, abstract=True)))["result"] is True


@pytest.mark.parametrize(
    ("url", "code", "result"),
    [
        ("http://unitsofmeasure.org", "mmol/L", True),
        ("http://unitsofmeasure.org", "quart!", False),
        ("urn:ietf:bcp:13", "application/pdf", True),
        ("urn:ietf:bcp:13", "pdf", False),
        ("urn:ietf:bcp:47", "vi-VN", True),
        ("urn:ietf:bcp:47", "Vietnamese", False),
        ("urn:iso:std:iso:3166", "VN", True),
        ("urn:iso:std:iso:4217", "VND", True),
        ("urn:iso:std:iso:4217", "vnd", False),
    ],
)
def test_codes_that_are_written_by_a_grammar_are_judged(client, url, code, result):
    answer = client.get(f"/CodeSystem/$validate-code?url={url}&code={quote(code, safe='')}")
    assert told(answer)["result"] is result
    given = body(valueSet=value_set({"system": url}), system=url, code=code)
    assert told(client.post("/ValueSet/$validate-code", json=given))["result"] is result


def test_what_cannot_be_judged_says_why(client):
    refused(
        client.get("/CodeSystem/$validate-code?url=urn:example:unknown&code=x"), 404, "not-found", "urn:example:unknown"
    )
    given = body(valueSet=value_set({"system": "urn:example:unknown"}), system="urn:example:unknown", code="x")
    found = told(client.post("/ValueSet/$validate-code", json=given))
    assert found["result"] is False
    assert "is not here" in found["message"]


# --- $lookup, $subsumes ----------------------------------------------------------------------------------------------


def properties(answer):
    assert answer.status_code == 200, answer.text
    return {
        part["part"][0]["valueCode"]: next(v for k, v in part["part"][1].items() if k.startswith("value"))
        for part in answer.json()["parameter"]
        if part["name"] == "property"
    }


def test_a_code_is_looked_up(client):
    answer = client.get(f"/CodeSystem/$lookup?system={OWN}&code=arm&displayLanguage=vi")
    found = told(answer)
    assert (found["name"], found["version"], found["display"]) == ("Anatomy", "1", "Cánh tay")
    assert {"name": "value", "valueString": "Cánh tay"} in found["designation"]
    assert properties(answer) == {"parent": "LIMB", "side": "upper"}
    head = properties(client.get(f"/CodeSystem/$lookup?system={OWN}&code=HEAD"))
    assert head == {"definition": "What is above the neck.", "parent": "BODY"}
    only = client.get(f"/CodeSystem/$lookup?system={OWN}&code=LIMB&property=child")
    assert properties(only) == {"child": "LEG"}  # the last of two
    assert "designation" not in told(only)


def test_a_code_that_is_not_here_is_not_found(client):
    refused(client.get(f"/CodeSystem/$lookup?system={OWN}&code=WING"), 404, "not-found", "WING")
    refused(client.get("/CodeSystem/$lookup?system=urn:nothing&code=x"), 404, "not-found", "urn:nothing")
    refused(client.get("/CodeSystem/$lookup?code=x"), 400, "required", "system")
    refused(client.get(f"/CodeSystem/$lookup?system={OWN}"), 400, "required", "code")


@pytest.mark.parametrize(
    ("a", "b", "outcome"),
    [
        ("BODY", "ARM", "subsumes"),
        ("arm", "BODY", "subsumed-by"),
        ("ARM", "arm", "equivalent"),
        ("ARM", "LEG", "not-subsumed"),
    ],
)
def test_codes_are_compared(client, a, b, outcome):
    assert told(client.get(f"/CodeSystem/$subsumes?system={OWN}&codeA={a}&codeB={b}")) == {"outcome": outcome}
    assert told(client.get(f"/CodeSystem/anatomy/$subsumes?codeA={a}&codeB={b}")) == {"outcome": outcome}
    sent = body(codingA={"system": OWN, "code": a}, codingB={"system": OWN, "code": b})
    assert told(client.post("/CodeSystem/$subsumes", json=sent)) == {"outcome": outcome}


def test_codes_that_cannot_be_compared_are_told(client):
    refused(client.get(f"/CodeSystem/$subsumes?system={OWN}&codeA=ARM&codeB=WING"), 404, "not-found", "WING")
    refused(client.get(f"/CodeSystem/$subsumes?system={OWN}&codeA=ARM"), 400, "required", "codeB")
    sent = body(codingA={"system": OWN, "code": "ARM"}, codingB={"system": GENDER, "code": "male"})
    refused(client.post("/CodeSystem/$subsumes", json=sent), 400, "invalid", "two systems")


# --- $translate ------------------------------------------------------------------------------------------------------

MAP = {
    "resourceType": "ConceptMap", "id": "sides", "url": "urn:example:sides", "status": "active",
    "sourceUri": "urn:example:from", "targetUri": "urn:example:to",
    "group": [{
        "source": OWN, "target": "urn:example:latin",
        "element": [
            {"code": "ARM", "target": [{"code": "brachium", "display": "Brachium", "equivalence": "wider"}]},
            {"code": "TAIL", "target": [{"equivalence": "unmatched"}]},
        ],
        "unmapped": {"mode": "fixed", "code": "corpus"},
    }],
}  # fmt: skip


def matches(answer):
    assert answer.status_code == 200, answer.text
    found = []
    for part in answer.json()["parameter"]:
        if part["name"] == "match":
            named = {p["name"]: next(v for k, v in p.items() if k.startswith("value")) for p in part["part"]}
            found.append((named["equivalence"], named.get("concept", {}).get("code"), named.get("source")))
    return told(answer)["result"], found


def test_codes_are_translated_by_a_stored_map(client):
    assert client.put("/ConceptMap/sides", json=MAP).status_code == 201
    source = "urn:example:sides"
    arm = (True, [("wider", "brachium", source)])
    assert matches(client.get(f"/ConceptMap/$translate?url={source}&system={OWN}&code=ARM")) == arm
    assert matches(client.get(f"/ConceptMap/sides/$translate?system={OWN}&code=ARM")) == arm
    asked = f"source=urn:example:from&target=urn:example:to&system={OWN}&code=ARM"
    assert matches(client.get(f"/ConceptMap/$translate?{asked}")) == arm
    back = client.get(f"/ConceptMap/$translate?url={source}&system=urn:example:latin&code=brachium&reverse=true")
    assert matches(back) == (True, [("narrower", "ARM", source)])
    assert matches(client.get(f"/ConceptMap/sides/$translate?system={OWN}&code=TAIL")) == (
        False,
        [("unmatched", None, source)],
    )
    assert matches(client.get(f"/ConceptMap/sides/$translate?system={OWN}&code=HEAD")) == (
        True,
        [("inexact", "corpus", source)],
    )
    none = client.get(f"/ConceptMap/sides/$translate?system={GENDER}&code=male")
    assert matches(none) == (False, [])
    assert "no translation" in told(none)["message"]


def test_codes_are_translated_by_a_map_of_r4(client):
    url = "http://hl7.org/fhir/ConceptMap/101"
    answer = client.get(f"/ConceptMap/$translate?url={url}&system=http://hl7.org/fhir/address-use&code=home")
    assert matches(answer) == (True, [("equivalent", "H", url)])


def test_a_map_must_be_named(client):
    refused(client.get("/ConceptMap/$translate?url=urn:nothing&code=x"), 404, "not-found", "urn:nothing")
    refused(client.get("/ConceptMap/$translate?code=x"), 400, "required", "url")


# --- what is there ---------------------------------------------------------------------------------------------------


def test_the_service_says_what_it_can_do(client):
    found = client.get("/metadata?mode=terminology").json()
    assert found["resourceType"] == "TerminologyCapabilities"
    assert {"uri": GENDER, "version": [{"code": "4.0.1"}]} in found["codeSystem"]
    assert {"name": "filter"} in found["expansion"]["parameter"]
    listed = client.get("/metadata").json()["rest"][0]["resource"]
    by_type = {r["type"]: [o["name"] for o in r.get("operation", ())] for r in listed}
    assert set(by_type["ValueSet"]) >= {"expand", "validate-code"}
    assert set(by_type["CodeSystem"]) >= {"lookup", "subsumes", "validate-code"}
    assert set(by_type["ConceptMap"]) >= {"translate"}


def test_questions_are_recorded(client):
    client.get(f"/CodeSystem/$lookup?system={ACT}&code=AMB")
    newest = client.get("/AuditEvent?_count=1").json()["entry"][0]["resource"]
    assert newest["action"] == "E"
