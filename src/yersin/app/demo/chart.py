"""Writes a person's clinical resources in order, each after those it refers to. Holds no medicine: only FHIR shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from yersin.app.demo.chance import uid
from yersin.app.demo.codes import ATC, ICD10, JSON, LOINC, META, TERMS, UCUM, coding, concept
from yersin.app.demo.facilities import Facility
from yersin.app.demo.people import Person
from yersin.app.demo.workforce import Worker

ZONE = "+07:00"
VITAL = [{"coding": [coding(TERMS + "observation-category", "vital-signs", "Vital Signs")]}]
LABORATORY = [{"coding": [coding(TERMS + "observation-category", "laboratory", "Laboratory")]}]
FLAGS = {
    code: [{"coding": [coding(TERMS + "v3-ObservationInterpretation", code, words)]}]
    for code, words in (
        ("N", "Normal"),
        ("L", "Low"),
        ("H", "High"),
        ("HH", "Critical high"),
        ("POS", "Positive"),
        ("NEG", "Negative"),
    )
}
CLASSES = {
    code: coding(TERMS + "v3-ActCode", code, words)
    for code, words in (("AMB", "ambulatory"), ("IMP", "inpatient encounter"), ("VR", "virtual"))
}
ACTIVE = {"coding": [coding(TERMS + "condition-clinical", "active", "Active")]}
RESOLVED = {"coding": [coding(TERMS + "condition-clinical", "resolved", "Resolved")]}
CONFIRMED = {"coding": [coding(TERMS + "condition-ver-status", "confirmed", "Confirmed")]}
PROBLEM = [{"coding": [coding(TERMS + "condition-category", "problem-list-item", "Problem List Item")]}]
DIAGNOSIS = [{"coding": [coding(TERMS + "condition-category", "encounter-diagnosis", "Encounter Diagnosis")]}]


class Measure:
    """A kind of observation: its code, unit and, for laboratory tests, normal limits by sex (female, male)."""

    __slots__ = ("code", "digits", "high", "low", "ucum", "unit", "vi")

    def __init__(
        self, loinc: str, en: str, vi: str, unit: str, limits: Sequence[float | None] = (None,) * 4, digits: int = 0
    ) -> None:
        self.code = concept(LOINC, loinc, en, vi)
        self.vi = vi
        self.unit, _, ucum = unit.partition("|")
        self.ucum = ucum or self.unit
        self.low, self.high = (limits[0], limits[2]), (limits[1], limits[3])
        self.digits = digits

    def quantity(self, value: float) -> JSON:
        """Write a value with its unit."""
        number = round(value, self.digits) if self.digits else round(value)
        return {"value": number, "unit": self.unit, "system": UCUM, "code": self.ucum}


class Diagnosis:
    """A disease: its ICD-10 code and words."""

    __slots__ = ("concept", "icd", "vi")

    def __init__(self, icd: str, vi: str) -> None:
        self.icd, self.vi = icd, vi
        self.concept = concept(ICD10, icd, vi)


ONE_A_DAY = (1, 1.0, "viên")


class Medicine:
    """A medicine as it is prescribed: ATC code, words, dose words, (times a day, how much, of what), days."""

    __slots__ = ("atc", "concept", "days", "dose", "name", "quantity")

    def __init__(
        self, atc: str, name: str, dose: str, rate: tuple[int, float, str] = ONE_A_DAY, days: int = 30
    ) -> None:
        times, each, unit = rate
        self.atc, self.name, self.days = atc, name, days
        self.concept = concept(ATC, atc, name)
        amount = {"value": each, "unit": unit}
        self.dose = [
            {
                "text": dose,
                "timing": {"repeat": {"frequency": times, "period": 1, "periodUnit": "d"}},
                "doseAndRate": [{"doseQuantity": amount}],
            }
        ]
        self.quantity = {"value": times * each * days, "unit": unit}


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """An encounter that happened, as the resources made in it need it."""

    day: date
    when: str
    site: Facility
    worker: Worker
    ref: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A visit whose problem a specialist could help with."""

    visit: Visit
    problem: JSON
    diagnosis: str
    specialty: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sites:
    """Where a person goes for care, with who works there."""

    station: Facility
    centre: Facility
    hospital: Facility
    hub: Facility
    staff: dict[str, tuple[Worker, ...]]

    def worker(self, site: Facility, rng: Random, specialty: str = "") -> Worker:
        """Choose somebody who works there, of the specialty if there is one."""
        team = self.staff[site.key]
        fit = [worker for worker in team if worker.specialty == specialty] if specialty else ()
        return rng.choice(fit or team)


class Chart:
    """One person's record while it is written."""

    __slots__ = (
        "_count",
        "instead",
        "last",
        "made",
        "person",
        "raised",
        "rng",
        "sites",
        "subject",
        "today",
        "troubles",
    )

    def __init__(self, person: Person, sites: Sites, rng: Random, today: date) -> None:
        self.person, self.sites, self.rng, self.today = person, sites, rng, today
        self.subject = {"reference": f"Patient/{uid(person.key)}"}
        self.made: list[JSON] = []
        #: the day after which nothing happens to this person any more
        self.last = min(person.died or today, today) - timedelta(days=1)
        self.troubles: list[Trouble] = []
        #: how much higher than usual for the age the blood pressure stands at present
        self.raised: float = 0
        #: what to give in place of medicines whose ATC code begins so
        self.instead: dict[str, Medicine] = {}
        self._count = 0

    def alive(self, day: date) -> bool:
        """Tell whether the day lies within this record."""
        return self.person.born <= day <= self.last

    def add(self, kind: str, elements: JSON) -> JSON:
        """Append a resource and return a reference to it."""
        self._count += 1
        key = uid(f"{self.person.key}/{self._count}")
        self.made.append({"resourceType": kind, "id": key, "meta": META, **elements})
        return {"reference": f"{kind}/{key}"}

    def trouble(self, visit: Visit, problem: JSON, diagnosis: Diagnosis, specialty: str) -> None:
        """Note that a specialist could help; only stations ask."""
        if visit.site is self.sites.station:
            self.troubles.append(Trouble(visit=visit, problem=problem, diagnosis=diagnosis.vi, specialty=specialty))

    def visit(
        self, day: date, site: Facility, reason: JSON, *, class_: str = "AMB", specialty: str = "", days: int = 0
    ) -> Visit:
        """Append a finished Encounter; `days` is the length of a stay."""
        rng = self.rng
        worker = self.sites.worker(site, rng, specialty)
        minute = rng.randrange(7 * 60, 16 * 60 + 30)
        when = stamp(day, minute)
        end = stamp(day + timedelta(days=days), 10 * 60 if days else minute + rng.randrange(10, 40))
        reference = self.add(
            "Encounter",
            {
                "status": "finished", "class": CLASSES[class_], "subject": self.subject,
                "participant": [{"individual": worker.ref}], "period": {"start": when, "end": end}, "reasonCode": [reason],
                "location": [{"location": {"reference": f"Location/{site.location_id}"}}],
                "serviceProvider": {"reference": f"Organization/{site.id}", "display": site.name},
            },
        )  # fmt: skip
        return Visit(day=day, when=when, site=site, worker=worker, ref=reference)

    def vital(self, visit: Visit, measure: Measure, value: float) -> JSON:
        """Append a vital sign."""
        return self.observe(visit, VITAL, {"code": measure.code, "valueQuantity": measure.quantity(value)})

    def panel(self, visit: Visit, code: JSON, parts: Sequence[tuple[Measure, float]]) -> JSON:
        """Append a vital sign of several components, such as blood pressure."""
        components = [{"code": measure.code, "valueQuantity": measure.quantity(value)} for measure, value in parts]
        return self.observe(visit, VITAL, {"code": code, "component": components})

    def test(self, visit: Visit, measure: Measure, value: float) -> JSON:
        """Append a laboratory result with its limits and flag."""
        male = self.person.sex == "male"
        low, high = measure.low[male], measure.high[male]
        limits: JSON = {}
        if low is not None:
            limits["low"] = measure.quantity(low)
        if high is not None:
            limits["high"] = measure.quantity(high)
        flag = "L" if low is not None and value < low else "H" if high is not None and value > high else "N"
        result = {"code": measure.code, "valueQuantity": measure.quantity(value), "interpretation": FLAGS[flag]}
        return self.observe(visit, LABORATORY, {**result, "referenceRange": [limits]} if limits else result)

    def finding(self, visit: Visit, measure: Measure, words: str, flag: str) -> JSON:
        """Append a laboratory result in words."""
        result = {"code": measure.code, "valueCodeableConcept": {"text": words}, "interpretation": FLAGS[flag]}
        return self.observe(visit, LABORATORY, result)

    def report(
        self, visit: Visit, code: JSON, category: tuple[str, str], results: list[JSON], conclusion: str = ""
    ) -> JSON:
        """Append a DiagnosticReport over results."""
        elements = {
            "status": "final", "category": [{"coding": [coding(TERMS + "v2-0074", category[0], category[1])]}],
            "code": code, "subject": self.subject, "encounter": visit.ref, "effectiveDateTime": visit.when,
            "issued": visit.when, "performer": [{"reference": f"Organization/{visit.site.id}", "display": visit.site.name}],
        }  # fmt: skip
        if results:
            elements["result"] = results
        if conclusion:
            elements["conclusion"] = conclusion
        return self.add("DiagnosticReport", elements)

    def condition(
        self,
        visit: Visit,
        diagnosis: Diagnosis,
        *,
        onset: date | None = None,
        until: date | None = None,
        lasting: bool = False,
    ) -> JSON:
        """Append a Condition: a diagnosis of the visit, or a lasting problem."""
        over = until is not None and until <= self.today
        elements = {
            "clinicalStatus": RESOLVED if over else ACTIVE, "verificationStatus": CONFIRMED,
            "category": PROBLEM if lasting else DIAGNOSIS, "code": diagnosis.concept, "subject": self.subject,
            "encounter": visit.ref, "onsetDateTime": (onset or visit.day).isoformat(), "recordedDate": visit.when,
            "recorder": visit.worker.ref,
        }  # fmt: skip
        if until is not None and over:
            elements["abatementDateTime"] = until.isoformat()
        return self.add("Condition", elements)

    def prescribe(self, visit: Visit, medicine: Medicine, reason: JSON | None = None) -> JSON:
        """Append a MedicationRequest: active while its days last."""
        medicine = next((other for atc, other in self.instead.items() if medicine.atc.startswith(atc)), medicine)
        elements = {
            "status": "active" if visit.day + timedelta(days=medicine.days) >= self.today else "completed",
            "intent": "order", "medicationCodeableConcept": medicine.concept, "subject": self.subject,
            "encounter": visit.ref, "authoredOn": visit.when, "requester": visit.worker.ref,
            "dosageInstruction": medicine.dose,
            "dispenseRequest": {
                "quantity": medicine.quantity,
                "expectedSupplyDuration": {"value": medicine.days, "unit": "ngày", "system": UCUM, "code": "d"},
            },
        }  # fmt: skip
        if reason:
            elements["reasonReference"] = [reason]
        return self.add("MedicationRequest", elements)

    def observe(self, visit: Visit, category: list[JSON], result: JSON) -> JSON:
        """Append an Observation."""
        return self.add(
            "Observation",
            {
                "status": "final", "category": category, "subject": self.subject, "encounter": visit.ref,
                "effectiveDateTime": visit.when, "performer": [visit.worker.ref], **result,
            },
        )  # fmt: skip


def stamp(day: date, minute: int) -> str:
    """Write an instant in Vietnam's zone."""
    return f"{day.isoformat()}T{minute // 60:02d}:{minute % 60:02d}:00{ZONE}"
