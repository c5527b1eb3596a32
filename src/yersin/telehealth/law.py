"""The law of remote consultation as dated data: activities, legal modes, clocks of urgency, conditions that may be treated.

Each entry says on what it rests and from when until when it holds, so that an old request reads by the rules of its day.
Sources: Circular 49/2017/TT-BYT; Law 15/2023/QH15 art. 62-64, 80; Decree 96/2023/ND-CP art. 87-88; Circular 30/2023/TT-BYT.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, TypeVar

from yersin.web.language import N_


@dataclass(frozen=True, slots=True, kw_only=True)
class Provision:
    """Something a document says, from one day until another."""

    code: str
    label: str
    legal_basis: str
    valid_from: date
    valid_to: date | None = None

    def holds(self, day: date) -> bool:
        """Whether it is in force on a day."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity(Provision):
    """A kind of remote activity. `clinical`: it concerns a patient, so it can be asked for from a chart."""

    meaning: str
    clinical: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode(Provision):
    """The legal mode of an encounter: who answers for it and who pays. `treats`: the remote side treats or prescribes."""

    meaning: str
    responsible: str
    money: str
    treats: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Urgency(Provision):
    """How soon somebody must accept before the next hub is asked."""

    within: timedelta
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatable(Provision):
    """A disease or condition that may be treated remotely: codes of ICD-10, or their first letters and digits."""

    icd10: tuple[str, ...]


P = TypeVar("P", bound=Provision)

_C49, _C49_FROM = "Thông tư 49/2017/TT-BYT, điều 1", date(2018, 2, 15)
_LAW_FROM = date(2024, 1, 1)

ACTIVITIES: Final = (
    Activity(code="CONSULT_CARE", label=N_("Consultation on examination and treatment"), legal_basis=_C49, valid_from=_C49_FROM,
             meaning=N_("A specialist helps with the diagnosis and the treatment of this patient.")),
    Activity(code="CONSULT_IMAGING", label=N_("Consultation on diagnostic imaging"), legal_basis=_C49, valid_from=_C49_FROM,
             meaning=N_("A specialist reads X-ray, ultrasound, CT or other images with you.")),
    Activity(code="CONSULT_PATHOLOGY", label=N_("Consultation on pathology"), legal_basis=_C49, valid_from=_C49_FROM,
             meaning=N_("A specialist reads slides or tissue samples.")),
    Activity(code="CONSULT_SURGERY", label=N_("Consultation during surgery"), legal_basis=_C49, valid_from=_C49_FROM,
             meaning=N_("A specialist stands by during an operation or a procedure.")),
    Activity(code="ADVICE", label=N_("Health advice"), legal_basis=_C49, valid_from=_C49_FROM,
             meaning=N_("Advice on health without examination or treatment.")),
    Activity(code="TRAINING", label=N_("Training and handing over of techniques"), legal_basis=_C49, valid_from=_C49_FROM,
             meaning=N_("Teaching; it concerns no single patient."), clinical=False),
)  # fmt: skip

MODES: Final = (
    Mode(code="INTER_FACILITY_SUPPORT", label=N_("Support between facilities"), valid_from=_LAW_FROM,
         legal_basis="Luật 15/2023/QH15, điều 80 khoản 2; Nghị định 96/2023/NĐ-CP, điều 88",
         meaning=N_("The specialist gives an opinion to you. It is advice, not an order."),
         responsible=N_("Your facility decides and is responsible for the treatment."),
         money=N_("Price of your facility; the fee to the hospital follows the contract. Insurance as for a visit at your facility.")),
    Mode(code="TELECONSULT_MDT", label=N_("Remote consultation of several specialists"), valid_from=_LAW_FROM,
         legal_basis="Luật 15/2023/QH15, điều 64",
         meaning=N_("Several practitioners consult together; the result is written down and kept in the record."),
         responsible=N_("Your facility decides and is responsible; the minutes bind nobody to an order."),
         money=N_("As for support between facilities.")),
    Mode(code="VIA_RECEIVING_FACILITY", label=N_("Examination by the hospital, patient received at your facility"),
         valid_from=_LAW_FROM, legal_basis="Nghị định 96/2023/NĐ-CP, điều 87 khoản 9", treats=True,
         meaning=N_("The remote practitioner examines and treats; your facility receives the patient and carries out services."),
         responsible=N_("The remote practitioner is responsible for diagnosis and treatment."),
         money=N_("Visit at the hospital's price, services at yours; you collect and pay the hospital. Insurance can pay.")),
    Mode(code="DIRECT_TO_PATIENT", label=N_("Examination directly with the patient"), valid_from=_LAW_FROM,
         legal_basis="Nghị định 96/2023/NĐ-CP, điều 87 khoản 10", treats=True,
         meaning=N_("The remote practitioner examines the patient and may prescribe within the listed conditions."),
         responsible=N_("The remote practitioner is responsible for diagnosis, treatment and prescription."),
         money=N_("Price as agreed with the patient. Health insurance does not pay.")),
)  # fmt: skip

_HOUSE, _HOUSE_FROM = (
    "Quy chế hoạt động của điểm điều khiển trung tâm (Thông tư 49/2017/TT-BYT, điều 4)",
    date(2018, 2, 15),
)
URGENCIES: Final = (
    Urgency(code="stat", label=N_("Emergency"), legal_basis=_HOUSE, valid_from=_HOUSE_FROM, within=timedelta(minutes=5),
            meaning=N_("Life in danger now. Also call the emergency line.")),
    Urgency(code="asap", label=N_("As soon as possible"), legal_basis=_HOUSE, valid_from=_HOUSE_FROM, within=timedelta(minutes=30),
            meaning=N_("The patient waits with you.")),
    Urgency(code="urgent", label=N_("Urgent"), legal_basis=_HOUSE, valid_from=_HOUSE_FROM, within=timedelta(hours=2),
            meaning=N_("Today, within working hours.")),
    Urgency(code="routine", label=N_("Routine"), legal_basis=_HOUSE, valid_from=_HOUSE_FROM, within=timedelta(hours=24),
            meaning=N_("The patient can go home and wait.")),
)  # fmt: skip

#: days the hub keeps access after the minutes are signed, and what may be agreed instead
ACCESS_DAYS, ACCESS_CHOICES = 7, (1, 3, 7, 14, 30)
#: days after the minutes when the station is asked how the patient is
OUTCOME_DAYS = 30


def _may_treat(*conditions: str) -> tuple[Treatable, ...]:
    return tuple(
        Treatable(code=c.split()[0], label="", icd10=tuple(c.split()), valid_from=_LAW_FROM,
                  legal_basis="Thông tư 30/2023/TT-BYT, phụ lục")
        for c in conditions
    )  # fmt: skip


#: a range is written A-B; a category covers the codes below it
TREATABLE: Final = _may_treat(
    "E66", "J00 J31.1", "K12.0 K14.1 K06.9", "M25.5", "M53.1", "M54.5", "M05.0", "M17", "M47", "M81", "Z09", "Z08", "I10",
    "I83 I87.2 I74.3", "E10.9-E14.9", "E78", "E00-E07", "N18.1", "J45", "J44", "F28.8", "F41.2", "L01 L02 L66", "B86 B35 B36.0",
    "B01 B02", "L20 L23 L28.2 L50", "G20", "F00 F01", "G43", "G44.2", "H81", "B24", "Z76.0 A15-A19", "A97.0", "J09-J11", "U07.1",
    "K29", "K59", "K21", "B16 B18.1", "H10", "H16", "H35.5", "Z50.1",
)  # fmt: skip


def in_force(provisions: Iterable[P], day: date) -> list[P]:
    """Those that hold on a day, in the order given."""
    return [p for p in provisions if p.holds(day)]


def named(provisions: Iterable[P], code: str) -> P | None:
    """The provision with a code."""
    return next((p for p in provisions if p.code == code), None)


def may_treat(icd10: str, day: date) -> bool:
    """Whether a condition is on the list of those that may be treated remotely on a day."""
    return any(_covers(one, icd10) for t in in_force(TREATABLE, day) for one in t.icd10)


def _covers(listed: str, code: str) -> bool:
    first, _, last = listed.partition("-")
    if not last:
        return code == first or code.startswith(first if "." in first else f"{first}.")
    return first[:3] <= code[:3] <= last[:3] and code[0] == first[0]
