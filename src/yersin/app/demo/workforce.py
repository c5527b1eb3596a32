"""Invented health workers: Practitioner and PractitionerRole, with licence numbers of a test range (99…/DEMO-GPHN)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from yersin.app.demo import names
from yersin.app.demo.cast import CAST, CastMember
from yersin.app.demo.chance import stream, uid
from yersin.app.demo.codes import JSON, LICENCE_NUMBER, SPECIALTIES, STAFF_ROLE, TERMS, coding, concept, ref, resource
from yersin.app.demo.facilities import Facility

TITLES = {
    "doctor": ("Bác sĩ", "Doctor"),
    "specialist": ("Bác sĩ chuyên khoa", "Specialist"),
    "health-worker": ("Y sĩ", "Commune health worker"),
    "midwife": ("Hộ sinh", "Midwife"),
    "nurse": ("Điều dưỡng", "Nurse"),
    "analyst": ("Chuyên viên phân tích", "Analyst"),
    "administrator": ("Quản trị hệ thống", "Administrator"),
    "facility-administrator": ("Quản trị cơ sở", "Facility administrator"),
}
#: whom a kind of facility employs: role, specialty, how many
POSTS: dict[str, tuple[tuple[str, str, int], ...]] = {
    "station": (("health-worker", "general", 1), ("doctor", "general", 1), ("midwife", "obstetrics", 1)),
    "health-centre": (("doctor", "internal", 2), ("doctor", "paediatrics", 1), ("doctor", "obstetrics", 1)),
    "ministry": (("analyst", "", 1), ("administrator", "", 1)),
    "insurer": (),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Somebody who works at a facility, as the histories need her."""

    id: str
    role_id: str
    role: str
    specialty: str
    name: str
    ref: JSON
    role_ref: JSON


Staff = dict[str, tuple[Worker, ...]]


def hire(seed: int, facilities: dict[str, Facility], staff: Staff) -> Iterator[list[JSON]]:
    """Yield the workers of each facility and note them in `staff` by facility key."""
    number = 0
    for facility in facilities.values():
        batch: list[JSON] = []
        workers = []
        for worker, made in _team(seed, facility, number):
            workers.append(worker)
            batch += made
        number += len(workers)
        staff[facility.key] = tuple(workers)
        if batch:
            yield batch
    yield [r for at, member in enumerate(_offices()) for r in _officer(seed, facilities, member, number + at)]


def _offices() -> list[CastMember]:
    """The cast in posts that no history needs; numbered last, so that everybody else keeps theirs."""
    return [member for member in CAST if member.role == "facility-administrator"]


def _officer(seed: int, facilities: dict[str, Facility], member: CastMember, number: int) -> list[JSON]:
    facility = facilities.get(member.facility)
    return _worker(seed, facility, (member.role, ""), number, member)[1] if facility else []


def _posts(facility: Facility) -> list[tuple[str, str]]:
    kind = facility.kind
    posts = POSTS.get(kind.code)
    if posts is None:
        posts = tuple(("specialist", key, 2 if kind.code == "central-hospital" else 1) for key in kind.specialties)
    return [(role, specialty) for role, specialty, count in posts for _ in range(count)]


def _team(seed: int, facility: Facility, first: int) -> Iterator[tuple[Worker, list[JSON]]]:
    waiting = [member for member in CAST if member.facility == facility.key]
    for number, (role, specialty) in enumerate(_posts(facility)):
        member = next((one for one in waiting if one.specialty == specialty and _fits(one, role)), None)
        if member:
            waiting.remove(member)
        yield _worker(seed, facility, (role, specialty), first + number, member)


def _fits(member: CastMember, role: str) -> bool:
    return member.role == role or (member.role == "doctor" and role == "specialist")


def _worker(
    seed: int, facility: Facility, post: tuple[str, str], number: int, member: CastMember | None
) -> tuple[Worker, list[JSON]]:
    role, specialty = post
    key = f"cast/{member.login}" if member else f"{facility.key}/{number}/{seed}"
    name, sex, year = _identity(seed, key, facility, role, member)
    worker = Worker(
        id=uid(f"practitioner/{key}"), role_id=uid(f"role/{key}"), role=role, specialty=specialty, name=name.text,
        ref=ref("Practitioner", uid(f"practitioner/{key}"), name.text), role_ref=ref("PractitionerRole", uid(f"role/{key}"), name.text),
    )  # fmt: skip
    return worker, [_practitioner(worker, name, sex, year, number), _role(worker, facility)]


def _identity(
    seed: int, key: str, facility: Facility, role: str, member: CastMember | None
) -> tuple[names.Name, str, int]:
    rng = stream(seed, "worker", key)
    year = rng.randint(1968, 1996)
    if member:
        return member.name, member.sex, year
    sex = "female" if role == "midwife" or rng.random() < 0.5 else "male"
    family = names.kinh_family(rng, south=facility.province.code >= "44")
    return names.kinh(rng, family, sex, year), sex, year


def _practitioner(worker: Worker, name: names.Name, sex: str, year: int, number: int) -> JSON:
    vi, en = TITLES[worker.role]
    licence = f"99{number:05d}/DEMO-GPHN"
    clinical = worker.role not in {"analyst", "administrator", "facility-administrator"}
    return resource(
        "Practitioner", worker.id,
        identifier=[{"system": LICENCE_NUMBER, "value": licence}] if clinical else None, active=True,
        name=[{"use": "official", "text": name.text, "family": name.family, "given": list(name.given), "prefix": [vi]}],
        telecom=[{"system": "phone", "value": f"+84 900 009 {number % 1000:03d}", "use": "work"}], gender=sex,
        birthDate=f"{year}-01-01",
        qualification=[{"identifier": [{"system": LICENCE_NUMBER, "value": licence}],
                        "code": concept(STAFF_ROLE, worker.role, en, vi)}] if clinical else None,
    )  # fmt: skip


def _role(worker: Worker, facility: Facility) -> JSON:
    vi, en = TITLES[worker.role]
    served = worker.specialty in facility.kind.specialties
    return resource(
        "PractitionerRole", worker.role_id,
        active=True, period={"start": "2025-07-01"}, practitioner=worker.ref,
        organization=ref("Organization", facility.id, facility.name),
        code=[{"coding": [coding(STAFF_ROLE, worker.role, en), *_hl7_role(worker.role)], "text": vi}],
        specialty=[SPECIALTIES[worker.specialty].concept] if worker.specialty else None,
        location=[ref("Location", facility.location_id)],
        healthcareService=[ref("HealthcareService", facility.service_id(worker.specialty))] if served else None,
    )  # fmt: skip


def _hl7_role(role: str) -> list[JSON]:
    code = {"doctor": "doctor", "specialist": "doctor", "nurse": "nurse"}.get(role)
    return [coding(TERMS + "practitioner-role", code)] if code else []
