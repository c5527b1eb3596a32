"""A record of 5,000 resources: the timeline holds each exactly once, the summary every kind, and a page stays quick."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest
from tests.cast import Cast

from yersin.fhir import parse
from yersin.guard.access import Access
from yersin.guard.writing import Create
from yersin.records import timeline
from yersin.records.chart import load, summary
from yersin.records.timeline import Entry
from yersin.search.page import Query

SIZE, VISITS = 5000, 420
BEGIN = datetime(1985, 1, 1, tzinfo=UTC)
_MARK = re.compile(r"\bM\d{5}\b")


def _at(n: int, size: int = SIZE) -> str:
    """Moments over forty years; many fall on one day."""
    return (BEGIN + timedelta(days=(14_600 * n // size), hours=n % 24)).isoformat()


def _text(n: int) -> dict[str, str]:
    return {"text": f"M{n:05d}"}


def _body(kind: str, n: int) -> dict[str, Any]:
    """One resource of a kind, with a mark that the timeline must show."""
    at, day, text = _at(n), _at(n)[:10], _text(n)
    match kind:
        case "Condition":
            return {
                "code": text,
                **[{"onsetDateTime": day}, {"recordedDate": day}, {}, {"onsetDateTime": day[:4]}][n % 4],
            }
        case "MedicationRequest":
            order = {"status": "active" if n > SIZE - 60 else "completed", "intent": "order"}
            return {**order, "medicationCodeableConcept": text, "authoredOn": at}
        case "Immunization":
            return {
                "status": "completed",
                "vaccineCode": text,
                **({"occurrenceDateTime": at} if n % 5 else {"occurrenceString": "?"}),
            }
        case "DiagnosticReport":
            return {"status": "final", "code": text, **([{"effectiveDateTime": at}, {"issued": at}, {}][n % 3])}
        case "DocumentReference":
            attachment = {"contentType": "text/plain", "data": "eA=="}
            return {
                "status": "current",
                "description": text["text"],
                "date": at,
                "content": [{"attachment": attachment}],
            }
        case "Procedure":
            return {"status": "completed", "code": text, "performedPeriod": {"start": at}}
        case "ImagingStudy":
            return {"status": "available", "description": text["text"], **({"started": at} if n % 2 else {})}
        case "Media":
            return {"status": "completed", "content": {"title": text["text"]}, "createdDateTime": at}
        case _:
            return {"status": "final", "code": text, "effectiveDateTime": at, "valueQuantity": {"value": n}}


KINDS = ("Condition", "MedicationRequest", "Immunization", "DiagnosticReport", "DocumentReference", "Procedure",
         "ImagingStudy", "Media", *["Observation"] * 6)  # fmt: skip
_PATIENT_IS = {"Immunization": "patient"}


def _resources(patient: str, org: str, rng: random.Random) -> Iterator[dict[str, Any]]:
    visits = [(f"00000000-0000-4000-8000-{n:012d}", n * SIZE // VISITS) for n in range(VISITS)]
    subject = {"reference": f"Patient/{patient}"}
    for visit, n in visits:
        yield {
            "resourceType": "Encounter", "id": visit, "status": "finished", "class": {"code": "AMB"}, "subject": subject,
            "period": {"start": _at(n), "end": _at(n)}, "reasonCode": [_text(n)],
            "serviceProvider": {"reference": f"Organization/{org}", "display": "Trạm Y tế Thử"},
        }  # fmt: skip
    taken = {n for _visit, n in visits}
    for n in (n for n in range(SIZE) if n not in taken):
        kind = rng.choice(KINDS)
        made = {"resourceType": kind, _PATIENT_IS.get(kind, "subject"): subject, **_body(kind, n)}
        if rng.random() < 0.6 and kind != "DocumentReference":
            near = visits[n * VISITS // SIZE][0] if rng.random() < 0.9 else rng.choice(visits)[0]
            made["encounter"] = {"reference": f"Encounter/{near}"}
        yield made


@pytest.fixture(scope="module")
def doctor_and_patient(run: Any, system: Access) -> tuple[Access, str]:
    cast = Cast(run, system)
    patient = cast.patient(managingOrganization={"reference": f"Organization/{cast.here}"}, birthDate="1961-04-12")
    made = list(_resources(patient, str(cast.here), random.Random(7)))  # noqa: S311 - repeatable
    assert len(made) == SIZE
    for at in range(0, SIZE, 500):
        run(system.write([Create(resource=parse(msgspec.json.encode(body))) for body in made[at : at + 500]]))
    return cast.doctor(cast.here), patient


def _words(entries: list[Entry]) -> str:
    return "\n".join(f"{e.title} {' '.join(f'{d.words} {d.more}' for d in e.details)}" for e in entries)


def _pages(run: Any, access: Access, patient: str, **filters: str) -> Iterator[timeline.Page]:
    before: date | None = None
    while True:
        page = run(timeline.paged(access, patient, before=before, **filters))
        yield page
        if page.earlier is None:
            return
        assert before is None or page.earlier < before
        before = page.earlier


def test_the_timeline_holds_every_resource_once(run: Any, doctor_and_patient: tuple[Access, str]) -> None:
    found: list[Entry] = []
    pages = 0
    for page in _pages(run, *doctor_and_patient):
        found += page.entries
        pages += 1
    counted = Counter(_MARK.findall(_words(found)))
    assert {mark: n for mark, n in counted.items() if n != 1} == {}
    assert len(counted) == SIZE
    assert pages > 10
    dated = [e.when for e in found if e.when is not None]
    assert dated == sorted(dated, reverse=True)
    assert any(e.when is None for e in found)


def test_a_filter_finds_all_of_its_kind_and_place(run: Any, doctor_and_patient: tuple[Access, str]) -> None:
    access, patient = doctor_and_patient
    medicines = [e for page in _pages(run, access, patient, kind="medicine") for e in page.entries]
    assert {e.kind for e in medicines} == {"medicine"}
    assert len(medicines) == _total(run, access, patient, "MedicationRequest")
    (place, name) = next(iter(next(_pages(run, access, patient)).places))
    assert name == "Trạm Y tế Thử"
    there = [e for page in _pages(run, access, patient, place=place) for e in page.entries]
    assert {e.place_id for e in there} == {place}
    assert sum(e.kind == "visit" for e in there) >= VISITS


def test_the_summary_holds_every_medicine_and_vaccine(run: Any, doctor_and_patient: tuple[Access, str]) -> None:
    access, patient = doctor_and_patient
    chart = run(load(access, patient, summary(datetime.now(UTC).date())))
    active = _total(run, access, patient, "MedicationRequest", ("status", "active"))
    assert len(chart.medicines) == active > 0
    given = _total(run, access, patient, "Immunization", ("status", "completed"))
    assert sum(len(doses) for _name, doses in chart.vaccines) == given


def _total(run: Any, access: Access, patient: str, type_name: str, *pairs: tuple[str, str]) -> int:
    query = Query.of(type_name, [("patient", f"Patient/{patient}"), *pairs, ("_summary", "count")])
    return int(run(access.search(query)).total)
