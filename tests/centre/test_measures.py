"""Indicators as Measures, and their figures as MeasureReports: the same numbers as the page, for the same people.

Sources: https://hl7.org/fhir/R4/measure.html, https://hl7.org/fhir/R4/measure-operation-evaluate-measure.html
"""

from __future__ import annotations

import csv
import io
import re
import time
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from tests.centre.test_nation import consultation, figure

from yersin.centre import measures, rules
from yersin.centre.indicators import INDICATORS
from yersin.centre.measures import SHAPES
from yersin.centre.rules import Period
from yersin.fhir import encode, parse
from yersin.fhir.dates import span
from yersin.guard import roles
from yersin.guard.writing import Update

OPERATION = "/fhir/Measure/{}/$evaluate-measure"
MASKED = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked"}]}


def today():
    return datetime.now(ZoneInfo("Asia/Ho_Chi_Minh")).date()


def last(days=30):
    """The page's period of the last days, as the operation's parameters."""
    return {"periodStart": (today() - timedelta(days=days - 1)).isoformat(), "periodEnd": today().isoformat()}


@pytest.fixture(scope="module")
def analyst(house):
    browser = house.signed_in("boyte")
    deadline = time.monotonic() + 120
    while re.search("Đang nạp|being filled", browser.get("/centre").text):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return browser


def evaluated(browser, indicator, **more):
    answer = browser.get(OPERATION.format(indicator), params={**last(), **more})
    assert answer.status_code == 200, answer.text
    assert parse(answer.content, expect="MeasureReport")
    return answer.json()


def counts(part):
    """Counts of a group or a line by population; what is hidden is None."""
    return {each["code"]["coding"][0]["code"]: each.get("count") for each in part["population"]}


def table(report, code):
    for each in report["group"][0]["stratifier"]:
        if each["code"][0]["coding"][0]["code"] == code:
            return each.get("stratum", [])
    raise AssertionError(f"no table by {code}")


def name_of(line):
    value = line["value"]
    return value["coding"][0]["code"] if "coding" in value else value["text"]


def csv_table(browser, name):
    text = browser.get(f"/centre/export.csv?table={name}").content.decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))[1:]


def refused(answer, status, code, place=None, *words):
    assert answer.status_code == status, answer.text
    (issue,) = answer.json()["issue"]
    assert issue["code"] == code
    assert issue.get("expression") == ([place] if place else None)
    for word in words:
        assert word in issue["diagnostics"], issue["diagnostics"]


# --- Measures ------------------------------------------------------------------------------------------------------


def test_every_indicator_is_a_stored_measure_in_both_languages(analyst):
    found = analyst.get("/fhir/Measure?_count=100&publisher:contains=Y%20tế").json()["entry"]
    by_id = {entry["resource"]["id"]: entry["resource"] for entry in found}
    assert by_id.keys() >= INDICATORS.keys()
    for code, indicator in INDICATORS.items():
        stored = analyst.get(f"/fhir/Measure/{code}")
        assert parse(stored.content, expect="Measure")
        made = stored.json()
        assert made["url"] == f"urn:yersin:measure:{code}"
        assert (made["language"], made["title"], made["status"]) == ("vi", indicator.name.vi, "active")
        assert indicator.numerator.vi in made["description"]
        english = {part["url"]: part for part in made["_title"]["extension"][0]["extension"]}
        assert english["content"]["valueString"] == indicator.name.en
        assert made["effectivePeriod"]["start"] == indicator.valid_from.isoformat()
        assert made["relatedArtifact"][0]["display"] == indicator.basis.vi
    assert by_id["median"]["improvementNotation"]["coding"][0]["code"] == "decrease"
    assert by_id["answered"]["improvementNotation"]["coding"][0]["code"] == "increase"


def test_a_measure_is_found_by_its_url_and_its_title(analyst):
    by_url = analyst.get("/fhir/Measure?url=urn:yersin:measure:answered").json()["entry"]
    by_title = analyst.get("/fhir/Measure", params={"title:contains": "phân vị"}).json()["entry"]
    assert [entry["resource"]["id"] for entry in by_url] == ["answered"]
    assert [entry["resource"]["id"] for entry in by_title] == ["slow"]


def test_storing_the_measures_again_writes_nothing_and_mends_what_was_changed(run, system):
    assert run(measures.put(system)) == len(INDICATORS)
    assert run(measures.put(system)) == 0
    changed = measures.measure(INDICATORS["asked"])
    changed.title = "Khác"
    run(system.write([Update(resource=changed)]))
    assert run(measures.put(system)) == 1
    version = run(system.read("Measure", "asked"))
    assert (version.ver, msgspec.json.decode(version.json())["title"]) == (3, INDICATORS["asked"].name.vi)


def test_every_indicator_has_a_shape_and_every_stratifier_words():
    assert SHAPES.keys() == INDICATORS.keys()
    for shape in SHAPES.values():
        assert {*shape.stratifiers, *shape.components} <= measures.STRATIFIERS.keys()
    for indicator in INDICATORS.values():
        assert parse(encode(measures.measure(indicator)), expect="Measure")
    median = msgspec.json.decode(encode(measures.measure(INDICATORS["median"])))
    counted = median["group"][0]["population"]
    told = {each["code"]["coding"][0]["code"]: each["criteria"]["description"] for each in counted}
    assert told["initial-population"] == INDICATORS["asked"].numerator.vi
    assert told["measure-population"] == INDICATORS["answered"].numerator.vi


# --- the numbers ---------------------------------------------------------------------------------------------------


def test_a_report_says_what_it_is_of_and_as_of_when(analyst):
    made = evaluated(analyst, "answered")
    period = last()
    assert (made["status"], made["type"]) == ("complete", "summary")
    assert made["measure"] == "urn:yersin:measure:answered|1"
    assert made["period"] == {"start": period["periodStart"], "end": period["periodEnd"]}
    assert made["reporter"]["display"] == INDICATORS["answered"].owner.vi
    age = datetime.now(ZoneInfo("UTC")) - span(made["date"], ZoneInfo("UTC")).lo
    assert timedelta(0) <= age < timedelta(minutes=1)


def test_reports_hold_the_numbers_of_the_page_before_and_after_a_conclusion(house, analyst):
    def by_page():
        return figure(analyst, "asked"), figure(analyst, "answered")

    def by_report():
        answered = counts(evaluated(analyst, "answered")["group"][0])
        assert answered["initial-population"] == answered["denominator"]
        return answered["denominator"], answered["numerator"]

    before = by_page()
    assert by_report() == before
    day = {name_of(line): counts(line) for line in table(evaluated(analyst, "answered"), "day")}[today().isoformat()]
    consultation(house)
    begun = time.monotonic()
    while by_report() != (before[0] + 1, before[1] + 1):
        assert time.monotonic() - begun < 5
        time.sleep(0.1)
    assert by_page() == by_report()
    assert counts(evaluated(analyst, "asked")["group"][0]) == {"initial-population": by_page()[0]}
    lines = {name_of(line): counts(line) for line in table(evaluated(analyst, "answered"), "day")}
    assert lines[today().isoformat()]["numerator"] == day["numerator"] + 1


COLUMNS = {
    "days": ("day", 1),
    "provinces": ("province", 2),
    "specialties": ("specialty", 2),
    "urgencies": ("urgency", 1),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_tables_of_a_report_are_those_of_the_csv(analyst, name):
    code, first = COLUMNS[name]
    rows = {row[0]: row[first : first + 4] for row in csv_table(analyst, name)}
    answered, median, slow = (table(evaluated(analyst, each), code) for each in ("answered", "median", "slow"))
    assert [name_of(line) for line in answered] == list(rows)
    for line, middle, most in zip(answered, median, slow, strict=True):
        asked, concluded, *times = rows[name_of(line)]
        assert counts(line) == {
            "initial-population": int(asked),
            "denominator": int(asked),
            "numerator": int(concluded),
        }
        assert counts(middle)["measure-population"] == int(concluded)
        for scored, text in zip((middle, most), times, strict=True):
            assert ("measureScore" in scored) is bool(text)
            if text:
                assert scored["measureScore"]["code"] == "min"
                assert scored["measureScore"]["value"] == pytest.approx(float(text), abs=0.006)
    assert any(int(asked) for asked, *_ in rows.values())


def test_facilities_of_a_report_are_those_of_the_csv_and_name_their_organization(analyst):
    rows = csv_table(analyst, "facilities")
    lines = table(evaluated(analyst, "asked"), "facility")
    assert [(line["value"]["text"], counts(line)["initial-population"]) for line in lines] == [
        (row[0], int(row[2])) for row in rows
    ]
    reference = lines[0]["extension"][0]["valueReference"]["reference"]
    assert analyst.get(f"/fhir/{reference}").json()["name"] == lines[0]["value"]["text"]
    narrowed = evaluated(analyst, "asked", subject=reference)
    assert counts(narrowed["group"][0]) == counts(lines[0])
    assert narrowed["extension"][0]["valueReference"]["reference"] == reference


def test_facilities_that_asked_stand_against_those_connected(analyst):
    group = evaluated(analyst, "facilities")["group"][0]
    page = analyst.get("/centre/numbers/facilities").text
    big = re.search(r'class="big-number">\s*([\d.]+)', page)
    assert big
    assert counts(group)["numerator"] == int(big[1].replace(".", ""))
    share = 100 * counts(group)["numerator"] / counts(group)["denominator"]
    assert group["measureScore"] == {
        "value": pytest.approx(share, abs=0.001),
        "unit": "%",
        "system": "http://unitsofmeasure.org",
        "code": "%",
    }
    assert re.sub(r"\D", "", f"{counts(group)['denominator']}") in page.replace(".", "")


def test_records_are_those_of_the_csv_hidden_counts_are_masked_and_populations_have_a_source(analyst):
    rows = {row[0]: row for row in csv_table(analyst, "records")}
    lines = table(evaluated(analyst, "records"), "residence")
    assert [name_of(line) for line in lines] == list(rows)
    for line in lines:
        code, _, held, registered, _, people, as_of, source, *_ = rows[name_of(line)]
        shown = [None if text == "<5" else int(text) for text in (registered, held, people)]
        assert [counts(line)[each] for each in ("initial-population", "numerator", "denominator")] == shown, code
        for part in line["population"]:
            assert ("_count" in part) is ("count" not in part)
            assert part.get("_count", MASKED) == MASKED
        (denominator,) = (part for part in line["population"] if "extension" in part)
        assert denominator["extension"][0]["valueString"] == f"{source}, {as_of}"


def test_small_counts_of_people_are_masked_as_on_the_page(analyst):
    made = evaluated(analyst, "people")
    (cut,) = made["group"][0]["stratifier"]
    assert [code["coding"][0]["code"] for code in cut["code"]] == ["age", "sex"]
    found = [counts(line)["initial-population"] for line in cut["stratum"]]
    assert None in found
    assert all(count is None or count >= rules.SMALLEST for count in found)
    page = analyst.get("/centre").text.partition("Người bệnh được hỏi ý kiến, theo tuổi và giới")[2]
    sexes = ("female", "male")
    lines = [line for line in cut["stratum"] if line["component"][1]["value"]["coding"][0]["code"] in sexes]
    shown = re.findall(r'<td class="number" data-label="(?:Nữ|Nam)">(.*?)</td>', page)
    assert sum("hidden-count" in cell for cell in shown) == sum("_count" in line["population"][0] for line in lines)


def test_a_report_is_narrowed_to_a_province(analyst):
    line = max(table(evaluated(analyst, "asked"), "province"), key=lambda each: counts(each)["initial-population"])
    subject = f"Location/vn-2025-{name_of(line)}"
    made = evaluated(analyst, "asked", subject=subject)
    assert counts(made["group"][0]) == counts(line)
    assert made["subject"] == {"reference": subject}
    records = evaluated(analyst, "records", subject=subject)["group"][0]
    assert counts(records)["denominator"] > 100_000


@pytest.mark.parametrize(
    "measure", ["asked", "Measure/asked", "urn:yersin:measure:asked", "urn:yersin:measure:asked|1"]
)
def test_the_type_is_asked_with_the_name_of_a_measure(analyst, measure):
    answer = analyst.get("/fhir/Measure/$evaluate-measure", params={**last(), "measure": measure})
    assert answer.json()["measure"] == "urn:yersin:measure:asked|1"


def test_a_program_asks_by_post_with_parameters(house):
    with house.machine("system/Measure.rs system/MeasureReport.r system/Organization.r") as machine:
        given = [{"name": name, "valueDate": value} for name, value in last().items()]
        body = {"resourceType": "Parameters", "parameter": [*given, {"name": "reportType", "valueCode": "summary"}]}
        answer = machine.post(OPERATION.format("asked"), json=body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["group"] == evaluated(machine, "asked", reportType="population")["group"]


# --- who and what is refused -----------------------------------------------------------------------------------------


def test_only_who_may_read_figures_gets_a_report(house):
    for login, member in house.cast.items():
        answer = house.signed_in(login).get(OPERATION.format("asked"), params=last())
        if roles.may(member.role, "figures.read"):
            assert answer.status_code == 200, f"{login}: {answer.text}"
        else:
            refused(answer, 403, "forbidden", None, "figures.read")
    assert roles.may("analyst", "figures.read")
    assert house.visitor().get(OPERATION.format("asked"), params=last()).status_code == 401
    refused(
        house.machine("system/Measure.rs").get(OPERATION.format("asked"), params=last()),
        403,
        "forbidden",
        None,
        "MeasureReport.r",
    )


def test_a_report_is_recorded_as_the_page_is(house, analyst):
    evaluated(analyst, "asked")
    row = house.machine().get("/fhir/AuditEvent?_count=1&entity=Measure/asked").json()["entry"][0]["resource"]
    assert row["outcome"] == "0"
    assert row["agent"][0]["role"] == [{"text": "analyst"}]


@pytest.mark.parametrize(
    ("indicator", "given", "answer"),
    [
        ("asked", {"periodStart": None}, (400, "required", "periodStart", "YYYY")),
        ("asked", {"periodEnd": None}, (400, "required", "periodEnd", "YYYY")),
        ("asked", {"periodStart": "x"}, (400, "value", "periodStart", "YYYY")),
        ("asked", {"periodStart": "2026-02-30"}, (400, "value", "periodStart", "real day")),
        ("asked", {"periodStart": "2025-03", "periodEnd": "2025-02"}, (400, "invalid", "periodEnd", "2025-03-01")),
        ("asked", {"periodStart": "2023-12-31"}, (400, "value", "periodStart", "2024-01-01")),
        ("asked", {"periodStart": "9999-01-01", "periodEnd": "9999"}, (400, "value", "periodStart", "not yet")),
        ("asked", {"periodEnd": "9999"}, (400, "value", "periodEnd", "beyond this year")),
        ("records", {"periodStart": "2025-08", "periodEnd": "2025-08"}, (400, "value", "periodEnd", "stand now")),
        ("people", {"periodStart": "2025-08-02", "periodEnd": "2025-08-31"}, (400, "business-rule", "periodStart", "whole months")),
        ("asked", {"practitioner": "Practitioner/1"}, (400, "not-supported", "practitioner", "periodStart")),
        ("asked", {"reportType": "subject-list"}, (400, "not-supported", "reportType", "summary")),
        ("asked", {"reportType": "x"}, (400, "value", "reportType", "population or summary")),
        ("asked", {"subject": "Patient/1"}, (400, "not-supported", "subject", "Location/vn-2025-01")),
        ("asked", {"subject": "Location/vn-2025-00"}, (400, "not-supported", "subject", "Location/vn-2025-01")),
        ("asked", {"subject": "Organization/nothing"}, (404, "not-found", "subject", "no facility")),
        ("records", {"subject": "Organization/nothing"}, (400, "not-supported", "subject", "a province")),
        ("asked", {"measure": "answered"}, (400, "invalid", "measure", "leave measure out")),
        ("nothing", {}, (404, "not-found", None, "asked, answered")),
    ],
)  # fmt: skip
def test_what_cannot_be_computed_is_refused_with_its_place_and_a_way(analyst, indicator, given, answer):
    asked = {name: value for name, value in {**last(), **given}.items() if value is not None}
    refused(analyst.get(OPERATION.format(indicator), params=asked), *answer)


def test_the_type_needs_the_name_of_a_measure_that_is_computed_here(analyst):
    asked = "/fhir/Measure/$evaluate-measure"
    refused(analyst.get(asked, params=last()), 400, "required", "measure", "urn:yersin:measure:asked")
    refused(
        analyst.get(asked, params={**last(), "measure": "http://else.example/m"}), 404, "not-found", "measure", "asked"
    )
    refused(analyst.get(asked, params={**last(), "measure": "urn:yersin:measure:asked|9"}), 404, "not-found", "measure")


def test_whole_months_and_years_mean_their_first_and_last_day(analyst):
    made = analyst.get(OPERATION.format("asked"), params={"periodStart": "2025-02", "periodEnd": "2026"}).json()
    assert made["period"] == {"start": "2025-02-01", "end": "2026-12-31"}
    days = [name_of(line) for line in table(made, "day")]
    assert (days[0], days[-1]) == ("2025-02-01", today().isoformat())


def test_the_server_says_that_measures_are_evaluated(house):
    resources = house.visitor().get("/fhir/metadata").json()["rest"][0]["resource"]
    (stated,) = (each for each in resources if each["type"] == "Measure")
    (operation,) = (each for each in stated["operation"] if each["name"] == "evaluate-measure")
    definition = house.visitor().get(f"/fhir/OperationDefinition/{operation['definition'].rpartition('/')[2]}").json()
    assert definition["url"] == operation["definition"]
    assert definition["base"] == "http://hl7.org/fhir/OperationDefinition/Measure-evaluate-measure"


TODAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("since", "until", "shown"),
    [
        (date(2026, 11, 17), TODAY, True),
        (date(2026, 11, 1), TODAY, True),
        (date(2026, 1, 1), TODAY, True),
        (date(2026, 10, 1), date(2026, 10, 31), True),
        (date(2024, 2, 1), date(2024, 2, 29), True),
        (date(2025, 1, 1), date(2025, 12, 31), True),
        (date(2026, 11, 18), TODAY, False),
        (date(2026, 10, 1), date(2026, 10, 30), False),
        (date(2024, 2, 1), date(2024, 2, 28), False),
        (date(2026, 9, 1), date(2026, 10, 31), False),
    ],
)
def test_counts_of_people_are_told_for_periods_that_the_page_shows(since, until, shown):
    assert rules.is_shown(Period(since=since, until=until), TODAY) is shown
