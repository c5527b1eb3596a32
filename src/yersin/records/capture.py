"""Recording vital signs: the form, and the Observations it becomes, written once in one transaction.

Source: https://hl7.org/fhir/R4/observation-vitalsigns.html (codes, units and components of the profiles).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from yersin.db.migrate import Step
from yersin.fhir import r4
from yersin.guard.access import Access
from yersin.guard.writing import Create, Writing
from yersin.store.identity import new_id
from yersin.web.language import mark as N_  # noqa: N812 - gettext's customary name

from .reading import LOINC
from .vitals import SIGNS, Before, Level, Remark, Sign, bmi, judge, level

UCUM = "http://unitsofmeasure.org"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
PROFILES = "http://hl7.org/fhir/StructureDefinition/"
PROFILE = {
    "pulse": "heartrate", "temperature": "bodytemp", "respiration": "resprate", "saturation": "oxygensat",
    "weight": "bodyweight", "height": "bodyheight", "bmi": "bmi",
}  # fmt: skip
_MARKS = {Level.LOW: "L", Level.HIGH: "H", Level.CRITICAL_LOW: "LL", Level.CRITICAL_HIGH: "HH", Level.NORMAL: "N"}

TABLES = (
    Step(
        number=21,
        name="records_form",
        sql="""CREATE TABLE records_form (
  account uuid NOT NULL, key text NOT NULL, made uuid NOT NULL, at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (account, key));
COMMENT ON TABLE records_form IS 'Idempotency keys of forms of the chart that were done, and the first resource each made.';""",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VitalSigns:
    """The form. Limits of the possible are not here: their words name the sign, and they depend on one another."""

    systolic: Annotated[Decimal | None, Meta(title=N_("Systolic"))] = None
    diastolic: Annotated[Decimal | None, Meta(title=N_("Diastolic"))] = None
    pulse: Annotated[Decimal | None, Meta(title=N_("Pulse"))] = None
    temperature: Annotated[Decimal | None, Meta(title=N_("Temperature"))] = None
    respiration: Annotated[Decimal | None, Meta(title=N_("Breaths"))] = None
    saturation: Annotated[Decimal | None, Meta(title="SpO₂")] = None
    weight: Annotated[Decimal | None, Meta(title=N_("Weight"))] = None
    height: Annotated[Decimal | None, Meta(title=N_("Height"))] = None
    confirmed: tuple[str, ...] = ()

    @property
    def values(self) -> dict[str, Decimal]:
        """What was measured, by field."""
        found = {name: getattr(self, name) for name in SIGNS if name != "bmi"}
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the form came to: refusals and things to confirm that nobody has confirmed."""

    refused: tuple[Remark, ...]
    open: tuple[Remark, ...]


def asked(form: VitalSigns, age: float, before: Mapping[str, Before], now: datetime) -> Asked:
    """Judge a form. A confirmation holds for the value it was given for, not for another typed since."""
    remarks = judge(form.values, age, before, now.date())
    return Asked(
        refused=tuple(r for r in remarks if r.is_refusal),
        open=tuple(r for r in remarks if not r.is_refusal and token(r, form) not in form.confirmed),
    )


def token(remark: Remark, form: VitalSigns) -> str:
    """Name a remark together with the value it is about."""
    return f"{remark.field}:{remark.fault.value}:{form.values.get(remark.field)}"


async def record(access: Access, patient_id: str, key: str, form: VitalSigns, context: Context) -> bool:
    """Write what was measured, once; False when this very form was done before."""

    async def work(writing: Writing) -> bool:
        made = [Create(resource=o, id=new_id()) for o in observations(form, context)]
        first = made[0].id
        done = await writing.connection.fetchval(
            "INSERT INTO records_form (account, key, made) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING true",
            access.who.account,
            f"{patient_id}:{key}"[:200],
            first or UUID(int=0),
        )
        if done:
            await writing.write(made)
        return bool(done)

    return await access.atomically(work)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Whom the values are of, who measured, when, in which visit."""

    patient: str
    age: float
    now: datetime
    performer: r4.Reference | None = None
    encounter: str = ""


def observations(form: VitalSigns, context: Context) -> Iterator[r4.Observation]:
    """Write the Observations: blood pressure as one of two components, body mass index worked out."""
    values = form.values
    upper, lower = values.pop("systolic", None), values.pop("diastolic", None)
    if upper is not None and lower is not None:
        yield _pressure(upper, lower, context)
    index = bmi(values.get("weight"), values.get("height"))
    if index is not None:
        values["bmi"] = index
    for field, value in values.items():
        yield _single(SIGNS[field], value, context)


def _single(sign: Sign, value: Decimal, context: Context) -> r4.Observation:
    made = _observation(_code(sign), PROFILE[sign.field], context)
    made.valueQuantity = _quantity(sign, value)
    made.interpretation = [_mark(level(sign.field, value, context.age, context.now.date()))]
    return made


def _pressure(upper: Decimal, lower: Decimal, context: Context) -> r4.Observation:
    code = r4.Coding(system=LOINC, code="85354-9", display="Blood pressure panel with all children optional")
    made = _observation(r4.CodeableConcept(coding=[code], text="Huyết áp"), "bp", context)
    made.component = [
        r4.ObservationComponent(
            code=_code(SIGNS[field]),
            valueQuantity=_quantity(SIGNS[field], value),
            interpretation=[_mark(level(field, value, context.age, context.now.date()))],
        )
        for field, value in (("systolic", upper), ("diastolic", lower))
    ]
    return made


def _observation(code: r4.CodeableConcept, profile: str, context: Context) -> r4.Observation:
    category = r4.Coding(system=CATEGORY, code="vital-signs", display="Vital Signs")
    return r4.Observation(
        meta=r4.Meta(profile=[PROFILES + profile]),
        status="final",
        category=[r4.CodeableConcept(coding=[category])],
        code=code,
        subject=r4.Reference(reference=f"Patient/{context.patient}"),
        encounter=r4.Reference(reference=f"Encounter/{context.encounter}") if context.encounter else None,
        effectiveDateTime=context.now.isoformat(timespec="seconds"),
        performer=[context.performer] if context.performer else None,
    )


def _code(sign: Sign) -> r4.CodeableConcept:
    codings = [r4.Coding(system=LOINC, code=sign.code, display=sign.display)]
    if sign.field == "saturation":
        by_light = "Oxygen saturation in Arterial blood by Pulse oximetry"
        codings.insert(0, r4.Coding(system=LOINC, code="59408-5", display=by_light))
    return r4.CodeableConcept(coding=codings, text=sign.vi)


def _quantity(sign: Sign, value: Decimal) -> r4.Quantity:
    return r4.Quantity(value=value, unit=sign.unit, system=UCUM, code=sign.ucum)


def _mark(found: Level) -> r4.CodeableConcept:
    return r4.CodeableConcept(coding=[r4.Coding(system=INTERPRETATION, code=_MARKS[found])])
