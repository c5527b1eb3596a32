"""Patient, Coverage and the household's Group. A household is a Group of kind person whose first member is its head.

Numbers are of test ranges no office issues: personal numbers begin with 999 (no such province), insurance cards name
province 99 and a social-insurance number beginning with 99, phones are 0900 00x xxx.
"""

from __future__ import annotations

from datetime import date

from yersin.app.demo import codes
from yersin.app.demo.chance import uid
from yersin.app.demo.codes import JSON, TERMS, coding, concept, ref, resource
from yersin.app.demo.facilities import Facility
from yersin.app.demo.people import Household, Person
from yersin.registry.units_fhir import address_extension

RELATIONS = {
    "head": ("ONESELF", "Chủ hộ"),
    "spouse": ("SPS", "Vợ/chồng"),
    "child": ("CHILD", "Con"),
    "parent": ("PRN", "Cha/mẹ"),
}
RELATION = "urn:yersin:extension:household-relation"
CARD = concept(TERMS + "v2-0203", "NIIP", "National Insurance Payor Identifier (Payor)", "Thẻ BHYT")
PERSONAL = concept(TERMS + "v2-0203", "NI", "National unique individual identifier", "Số định danh cá nhân")
CHART = concept(TERMS + "v2-0203", "MR", "Medical record number", "Mã người bệnh")


class Numbers:
    """Gives out identity numbers in the order people are made: unique, and looking unordered."""

    def __init__(self) -> None:
        self._of_year: dict[tuple[int, int], int] = {}
        self.given = 0

    def personal(self, person: Person) -> str:
        """999, century and sex, two digits of the year, six more."""
        century = (person.born.year - 1900) // 100 * 2 + (person.sex == "female")
        year = person.born.year % 100
        count = self._of_year.get((century, year), 0)
        self._of_year[century, year] = count + 1
        return f"999{century}{year:02d}{(count * 387_421 + 104_729) % 1_000_000:06d}"

    def next(self) -> int:
        """Count one person more."""
        self.given += 1
        return self.given


class Registrar:
    """Writes the administrative resources of households."""

    def __init__(self, facilities: dict[str, Facility], today: date) -> None:
        self._today = today
        self._numbers = Numbers()
        self._insurer = ref("Organization", facilities["insurer"].id, facilities["insurer"].name)
        self._addresses: dict[str, JSON] = {}

    def enrol(self, home: Household, station: Facility) -> list[list[JSON]]:
        """Write Patient and Coverage for each member, in the members' order."""
        return [self._enrol(home, person, station) for person in home.members]

    def group(self, home: Household) -> JSON:
        """Write the household."""
        head = home.members[0]
        return resource(
            "Group", uid(f"household/{home.key}"),
            identifier=[{"system": codes.HOUSEHOLD_NUMBER, "value": home.key.replace("/", "-")}],
            active=True, type="person", actual=True, code=concept("urn:yersin:code-system:group", "household", "Household", "Hộ gia đình"),
            name=f"Hộ {head.name.text}", quantity=len(home.members), member=[_member(person) for person in home.members],
        )  # fmt: skip

    def _enrol(self, home: Household, person: Person, station: Facility) -> list[JSON]:
        number = self._numbers.next()
        card = _card(person, number, self._today) if person.insured else ""
        patient = self._patient(home, person, station, number, card)
        return [patient, self._coverage(person, card)] if card else [patient]

    def _patient(self, home: Household, person: Person, station: Facility, number: int, card: str) -> JSON:
        here = ref("Organization", station.id, station.name)
        return resource(
            "Patient", uid(person.key),
            extension=[{"url": codes.ETHNICITY, "valueCodeableConcept": _people(person)}],
            identifier=self._identifiers(person, number, card), active=True,
            name=[{"use": "official", "text": person.name.text, "family": person.name.family, "given": list(person.name.given)}],
            telecom=self._telecom(person, number), gender=person.sex, birthDate=person.born.isoformat(),
            deceasedDateTime=person.died.isoformat() if person.died else None, address=[self._address(home)],
            contact=_contact(home, person, self._today), generalPractitioner=[here], managingOrganization=here,
        )  # fmt: skip

    def _identifiers(self, person: Person, number: int, card: str) -> list[JSON]:
        made = [
            {"use": "official", "type": PERSONAL, "system": codes.NATIONAL_ID, "value": self._numbers.personal(person)},
            {"use": "usual", "type": CHART, "system": codes.PATIENT_NUMBER, "value": f"YT{number:08d}"},
        ]
        return [*made, {"type": CARD, "system": codes.INSURANCE_NUMBER, "value": card}] if card else made

    def _telecom(self, person: Person, number: int) -> list[JSON] | None:
        if person.age(self._today) < 15:
            return None
        line = number * 37 % 10_000
        return [{"system": "phone", "value": f"+84 900 {line // 1000:03d} {line % 1000:03d}", "use": "mobile"}]

    def _address(self, home: Household) -> JSON:
        commune, province = home.place.commune, home.place.province
        base = self._addresses.get(commune.code)
        if base is None:
            base = self._addresses[commune.code] = {
                "extension": [address_extension(commune, province)],
                "use": "home", "district": commune.full_name, "state": province.full_name, "country": "VN",
            }  # fmt: skip
        line = f"{'Thôn' if home.place.rural else 'Tổ'} {home.hamlet}"
        return {**base, "line": [line], "text": f"{line}, {commune.full_name}, {province.full_name}"}

    def _coverage(self, person: Person, card: str) -> JSON:
        start = date(self._today.year, 1, 1)
        return resource(
            "Coverage", uid(f"{person.key}/coverage"), status="active" if person.died is None else "cancelled",
            type=concept(TERMS + "v3-ActCode", "PUBLICPOL", "public healthcare", "Bảo hiểm y tế"), subscriberId=card,
            beneficiary=ref("Patient", uid(person.key)), payor=[self._insurer],
            period={"start": max(start, person.born).isoformat(), "end": date(start.year, 12, 31).isoformat()},
            class_=[{"type": {"coding": [coding(TERMS + "coverage-class", "group")]}, "value": card[:2], "name": "Nhóm đối tượng"}],
        )  # fmt: skip


def _card(person: Person, number: int, today: date) -> str:
    age = person.age(today)
    group = "TE1" if age < 6 else "HS4" if age < 18 else "DT2" if person.people.code != "01" else _adult(number)
    return f"{group}9999{(number * 7_919 + 1_234_567) % 100_000_000:08d}"


def _adult(number: int) -> str:
    return ("GD4", "GD4", "DN4", "GD4", "CN3", "DN4", "HN2")[number % 7]


def _member(person: Person) -> JSON:
    code, text = RELATIONS[person.relation]
    relation = {"url": RELATION, "valueCodeableConcept": concept(TERMS + "v3-RoleCode", code, code, text)}
    return {"extension": [relation], "entity": ref("Patient", uid(person.key), person.name.text)}


def _contact(home: Household, person: Person, today: date) -> list[JSON] | None:
    if person.mother is None or person.age(today) >= 18:
        return None
    mother = home.members[person.mother]
    return [
        {
            "relationship": [concept(TERMS + "v3-RoleCode", "MTH", "mother", "Mẹ")],
            "name": {"text": mother.name.text},
            "gender": mother.sex,
        }
    ]


def _people(person: Person) -> JSON:
    return concept(codes.ETHNIC_GROUPS, person.people.code, person.people.name)
