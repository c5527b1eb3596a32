"""Answers against their Questionnaire. Source: https://hl7.org/fhir/R4/questionnaireresponse.html#notes"""

from __future__ import annotations

from typing import Any

import pytest

from yersin.fhir.profiles.findings import Findings
from yersin.fhir.profiles.questionnaires import judge_response

COLOURS = "http://example.org/colours"
SMOKES = {"question": "smokes", "operator": "=", "answerBoolean": True}
FORM: Any = {
    "resourceType": "Questionnaire",
    "status": "active",
    "item": [
        {"linkId": "name", "type": "string", "required": True, "maxLength": 5},
        {"linkId": "smokes", "type": "boolean"},
        {"linkId": "cigarettes", "type": "integer", "required": True, "enableWhen": [SMOKES]},
        {"linkId": "mood", "type": "choice", "answerOption": [{"valueCoding": {"system": "urn:m", "code": "good"}},
                                                               {"valueCoding": {"system": "urn:m", "code": "bad"}}]},
        {"linkId": "other", "type": "open-choice", "answerOption": [{"valueCoding": {"code": "a"}}]},
        {"linkId": "colour", "type": "choice", "answerValueSet": COLOURS, "repeats": True,
         "item": [{"linkId": "why", "type": "text"}]},
        {"linkId": "number", "type": "choice", "answerOption": [{"valueInteger": 1}, {"valueInteger": 2}]},
        {"linkId": "told", "type": "display"},
        {"linkId": "pills", "type": "group", "repeats": True, "item": [{"linkId": "pill", "type": "string", "required": True}]},
        {"linkId": "once", "type": "group", "item": [{"linkId": "when", "type": "date"}]},
        {"linkId": "how often", "type": "choice", "answerValueSet": "#often"},
    ],
}  # fmt: skip
OFTEN: Any = {"resourceType": "ValueSet", "id": "often"}
LISTED: Any = {"system": "urn:o", "concept": [{"code": "never"}, {"code": "daily"}]}
EXPANDED: Any = {"contains": [{"abstract": True, "code": "x", "contains": [{"system": "urn:o", "code": "daily"}]}]}


def member(system: str, code: str, value_set: str) -> bool | None:
    if value_set != COLOURS:
        return None
    return system == "urn:c" and code in ("red", "blue")


def item(name: str, *answers: Any, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"linkId": name, **more}
    return {**made, "answer": list(answers)} if answers else made


NAME = item("name", {"valueString": "An"})


def judged(*items: Any, status: str = "completed") -> list[tuple[str, str]]:
    found = Findings()
    judge_response({"status": status, "item": list(items)}, FORM, "R", found, member)
    return [(issue.severity, issue.expression) for issue in found.issues]


def test_what_fits_has_no_findings() -> None:
    assert not judged(
        NAME, item("smokes", {"valueBoolean": True}), item("cigarettes", {"valueInteger": 5}),
        item("mood", {"valueCoding": {"system": "urn:m", "code": "bad", "display": "Buồn"}}),
        item("other", {"valueString": "free"}),
        item("colour", {"valueCoding": {"system": "urn:c", "code": "red"}, "item": [item("why", {"valueString": "x"})]},
             {"valueCoding": {"system": "urn:c", "code": "blue"}}),
        item("number", {"valueInteger": 2}), item("told"),
        item("pills", item=[item("pill", {"valueString": "a"})]), item("pills", item=[item("pill", {"valueString": "b"})]),
        item("once", item=[item("when", {"valueDate": "2026-01-01"})]),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("items", "place"),
    [
        ([NAME, item("nothing")], "R.item[1].linkId"),
        ([NAME, item("pill", {"valueString": "x"})], "R.item[1].linkId"),
        ([item("name", {"valueInteger": 1})], "R.item[0].answer[0]"),
        ([item("name", {"valueString": "too long"})], "R.item[0].answer[0]"),
        ([item("name", {"valueString": "a"}, {"valueString": "b"})], "R.item[0].answer"),
        ([NAME, NAME], "R.item[1]"),
        ([item("smokes", {"valueBoolean": False})], "R"),
        ([item("name")], "R.item[0]"),
        ([NAME, item("smokes", {"valueBoolean": True})], "R"),
        ([NAME, item("mood", {"valueCoding": {"system": "urn:m", "code": "none"}})], "R.item[1].answer[0]"),
        ([NAME, item("mood", {"valueString": "good"})], "R.item[1].answer[0]"),
        ([NAME, item("other", {"valueCoding": {"code": "b"}})], "R.item[1].answer[0]"),
        ([NAME, item("colour", {"valueCoding": {"system": "urn:c", "code": "green"}})], "R.item[1].answer[0]"),
        ([NAME, item("number", {"valueInteger": 3})], "R.item[1].answer[0]"),
        ([NAME, item("told", {"valueString": "x"})], "R.item[1].answer"),
        ([NAME, item("pills")], "R.item[1]"),
        ([NAME, item("pills", {"valueString": "x"}, item=[item("pill", {"valueString": "a"})])], "R.item[1].answer"),
        ([NAME, item("once"), item("once")], "R.item[2]"),
        ([NAME, item("colour", item=[item("why", {"valueString": "x"})])], "R.item[1].item"),
    ],
)
def test_what_does_not_fit_is_an_error_at_its_place(items: list[Any], place: str) -> None:
    assert judged(*items) == [("error", place)]


def test_what_is_required_may_be_missing_until_it_is_completed() -> None:
    assert not judged(status="in-progress")
    assert judged(status="amended") == [("error", "R")]


def test_what_was_not_to_be_asked_and_another_order_are_warnings() -> None:
    assert judged(NAME, item("cigarettes", {"valueInteger": 1})) == [("warning", "R.item[1]")]
    assert judged(item("smokes", {"valueBoolean": False}), NAME) == [("warning", "R")]


def often(code: str, system: str = "urn:o", *, asked: Any = None, given: Any = None) -> list[tuple[str, str]]:
    """Judge an answer out of a value set that is contained in the questionnaire or the response."""
    found = Findings()
    response = {
        "item": [item("how often", {"valueCoding": {"system": system, "code": code}})],
        "contained": [given or {}],
    }
    judge_response(response, {**FORM, "contained": [asked or {}]}, "R", found, member)
    return [(issue.severity, issue.expression) for issue in found.issues]


@pytest.mark.parametrize(
    "more", [{"compose": {"include": [LISTED]}}, {"expansion": EXPANDED}, {"expansion": {**EXPANDED, "total": 2}}]
)
def test_answers_are_out_of_a_contained_value_set_that_lists_its_codes(more: Any) -> None:
    inside = {**OFTEN, **more}
    places: tuple[dict[str, Any], ...] = ({"asked": inside}, {"given": inside})
    for place in places:
        assert often("daily", **place) == []
        assert often("daily", "urn:x", **place) == often("x", **place) == [("error", "R.item[0].answer[0]")]
        assert often("daily", "", **place) == [("warning", "R.item[0].answer[0]")]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"compose": {"include": [{"system": "urn:o"}]}},
        {"compose": {"include": [LISTED], "exclude": [LISTED]}},
        {"compose": {"include": [{**LISTED, "valueSet": ["urn:v"]}]}},
        {"expansion": {**EXPANDED, "total": 3}},
    ],
)
def test_a_contained_value_set_that_lists_not_all_is_told_of(more: Any) -> None:
    assert often("x", asked={**OFTEN, **more}) == [("warning", "R.item[0].answer[0]")]


def limited(kind: str, limits: Any, *answers: Any, **more: Any) -> list[tuple[str, str]]:
    """Judge answers to a question with limits, each an extension."""
    extensions = [{"url": f"http://hl7.org/fhir/StructureDefinition/{name}", **value} for name, value in limits]
    asked = {"linkId": "q", "type": kind, "repeats": True, "extension": extensions, **more}
    found = Findings()
    response = {"status": "completed", "item": [item("q", *answers)]}
    judge_response(response, {"item": [asked]}, "R", found, member)
    return [(issue.severity, issue.expression.removeprefix("R.item[0].")) for issue in found.issues]


A = {"valueCoding": {"system": "urn:o", "code": "a"}}
B = {"valueCoding": {"system": "urn:o", "code": "b"}}
ALONE = {
    **A,
    "extension": [
        {"url": "http://hl7.org/fhir/StructureDefinition/questionnaire-optionExclusive", "valueBoolean": True}
    ],
}


@pytest.mark.parametrize(
    ("kind", "name", "limit", "right", "wrong"),
    [
        ("integer", "minValue", {"valueInteger": 2}, {"valueInteger": 2}, {"valueInteger": 1}),
        ("decimal", "maxValue", {"valueDecimal": 2.5}, {"valueDecimal": 2.5}, {"valueDecimal": 2.51}),
        ("date", "maxValue", {"valueDate": "2026"}, {"valueDate": "2026-05-01"}, {"valueDate": "2027"}),
        ("decimal", "maxDecimalPlaces", {"valueInteger": 1}, {"valueDecimal": 20.5}, {"valueDecimal": 0.25}),
        ("attachment", "mimeType", {"valueCode": "image/png"}, {"valueAttachment": {"contentType": "image/png"}},
         {"valueAttachment": {"contentType": "image/gif"}}),
        ("reference", "questionnaire-referenceResource", {"valueCode": "Patient"}, {"valueReference": {"reference": "Patient/1"}},
         {"valueReference": {"reference": "Group/1"}}),
        ("reference", "questionnaire-referenceResource", {"valueCode": "Patient"},
         {"valueReference": {"reference": "http://x.org/Patient/1"}}, {"valueReference": {"type": "Group", "reference": "urn:x"}}),
    ],
)  # fmt: skip
def test_limits_of_a_question_hold_for_its_answers(kind: str, name: str, limit: Any, right: Any, wrong: Any) -> None:
    assert limited(kind, [(name, limit)], right) == []
    assert limited(kind, [(name, limit)], right, wrong) == [("error", "answer[1]")]


def test_the_number_of_answers_has_limits() -> None:
    limits = [("questionnaire-minOccurs", {"valueInteger": 2}), ("questionnaire-maxOccurs", {"valueInteger": 3})]
    for count, places in ((1, [("error", "answer")]), (2, []), (3, []), (4, [("error", "answer")])):
        assert limited("boolean", limits, *[{"valueBoolean": True}] * count) == places


def test_an_option_that_stands_alone_is_the_only_answer() -> None:
    assert limited("choice", [], A, answerOption=[ALONE, B]) == []
    assert limited("choice", [], A, B, answerOption=[ALONE, B]) == [("error", "answer")]
    assert limited("choice", [], A, B, answerOption=[A, B]) == []


def test_questions_of_other_types_list_their_answers_too() -> None:
    options = [{"valueDate": "2026-01-01"}, {"valueDate": "2026-01-02"}]
    assert limited("date", [], {"valueDate": "2026-01-02"}, answerOption=options) == []
    assert limited("date", [], {"valueDate": "2026-01-03"}, answerOption=options) == [("error", "answer[0]")]


@pytest.mark.parametrize(
    "name", ["minValue", "maxDecimalPlaces", "mimeType", "questionnaire-minOccurs", "questionnaire-maxOccurs"]
)
@pytest.mark.parametrize("limit", [{}, {"valueString": "x"}, {"valueCoding": {"display": "x"}}])
def test_a_limit_that_means_nothing_limits_nothing(name: str, limit: Any) -> None:
    assert limited("decimal", [(name, limit)], {"valueDecimal": 1.5}) == []
    assert limited("attachment", [("minValue", limit)], {"valueAttachment": {"title": "x"}}) == []


def test_a_required_group_is_not_empty_where_something_is_asked_in_it() -> None:
    text: Any = {"linkId": "a", "type": "string"}
    silent = ({**text, "type": "display"}, {**text, "enableWhen": [SMOKES]})
    for inside, status, more, count in (
        (text, "completed", {}, 1), (text, "in-progress", {}, 0), (text, "completed", {"item": [item("a")]}, 0),
        *((each, "completed", {}, 0) for each in silent),
    ):  # fmt: skip
        asked = {"item": [{"linkId": "q", "type": "group", "required": True, "item": [inside]}]}
        found = Findings()
        judge_response({"status": status, "item": [item("q", **more)]}, asked, "R", found, member)
        assert [issue.expression for issue in found.issues] == ["R.item[0]"] * count
