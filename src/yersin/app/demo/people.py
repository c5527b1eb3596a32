"""Invented households: who lives together, born when, what they are called, and the traits their histories follow from."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from yersin.app.demo import peoples
from yersin.app.demo.cast import CAST
from yersin.app.demo.chance import Weighted, clamp, stream
from yersin.app.demo.names import Name, compose, kinh_family
from yersin.app.demo.places import HOME, Place

KINDS = Weighted({"family": 52.0, "three generations": 24.0, "couple": 8.0, "old": 10.0, "single": 6.0})
CHILDREN = Weighted({0: 8.0, 1: 26.0, 2: 44.0, 3: 18.0, 4: 4.0})
SOUTH_FROM = "44"  # Quảng Trị and every province after it


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody of the demo country. `z_*` are deviations from what is usual for sex and age, in standard deviations."""

    key: str
    sex: str
    born: date
    died: date | None
    name: Name
    people: peoples.People
    relation: str  # head | spouse | child | parent
    mother: int | None  # place in the household
    z_height: float
    z_weight: float
    z_pressure: float
    smoker: bool
    insured: bool

    def age(self, day: date) -> int:
        """Completed years of age on a day."""
        return day.year - self.born.year - ((day.month, day.day) < (self.born.month, self.born.day))


@dataclass(frozen=True, slots=True, kw_only=True)
class Household:
    """People under one roof."""

    key: str
    place: Place
    hamlet: int
    members: tuple[Person, ...]


@dataclass(slots=True)
class _Draft:
    """A member before she has a name."""

    sex: str
    born: date
    relation: str
    mother: int | None = None
    named: Name | None = field(default=None)


def household(seed: int, place: Place, number: int, today: date, room: int) -> tuple[Household, Random]:
    """Make one household of at most `room` people, and the stream its histories go on from."""
    key = f"{place.commune.code}/{number}"
    home = place.commune.code == HOME and number == 0
    rng = stream(0 if home else seed, key, today.year)
    people = peoples.PEOPLES["02"] if home else peoples.draw(rng, place.province.code, rural=place.rural)
    drafts = (_cast(today) if home else _draft(rng, today))[:room]
    members = _named(rng, place, people, drafts, key, today)
    return Household(key=key, place=place, hamlet=rng.randint(1, 12), members=tuple(members)), rng


def _cast(today: date) -> list[_Draft]:
    patient = next(member for member in CAST if member.role == "patient")
    return [
        _Draft("male", date(today.year - 58, 4, 12), "head", named=patient.name),
        _Draft("female", date(today.year - 55, 9, 3), "spouse", named=compose("Lương", "Thị", "Thu")),
        _Draft("male", date(today.year - 27, 1, 20), "child", 1, compose("Hoàng", "Minh", "Tuấn")),
    ]


def _draft(rng: Random, today: date) -> list[_Draft]:
    kind = KINDS.pick(rng)
    if kind == "single":
        return [_Draft(_sex(rng), _born(rng, today, rng.triangular(19, 62, 28)), "head")]
    if kind == "old":
        return _couple(rng, today, rng.triangular(56, 90, 62), together=0.62)
    head = rng.triangular(*((21, 38, 28) if kind == "couple" else (24, 62, 42)))
    made = _couple(rng, today, head, together=0.9)
    if kind != "couple":
        made += _children(rng, today, made)
    if kind == "three generations":
        made += _parents(rng, today, head)
    return made


def _couple(rng: Random, today: date, age: float, *, together: float) -> list[_Draft]:
    sex = "male" if rng.random() < 0.68 else "female"
    made = [_Draft(sex, _born(rng, today, age), "head")]
    if rng.random() < together:
        gap = rng.gauss(2.5, 2.5) * (1 if sex == "male" else -1)
        other = "female" if sex == "male" else "male"
        made.append(_Draft(other, _born(rng, today, max(19.0, age - gap)), "spouse"))
    return made


def _children(rng: Random, today: date, couple: list[_Draft]) -> list[_Draft]:
    place, mother = next(((n, one) for n, one in enumerate(couple) if one.sex == "female"), (None, couple[0]))
    age = rng.triangular(19, 33, 24)
    made = []
    for _ in range(CHILDREN.pick(rng)):
        born = mother.born + timedelta(days=int(age * 365.25))
        years = (today - born).days / 365.25
        if born > today or age > 44:
            break
        if years < 18 or rng.random() < 0.62:
            made.append(_Draft("male" if rng.random() < 0.525 else "female", born, "child", place))
        age += rng.triangular(1.4, 8, 3)
    return made


def _parents(rng: Random, today: date, head: float) -> list[_Draft]:
    old = clamp(head + rng.triangular(20, 36, 26), 45, 99)
    made = [_Draft("female", _born(rng, today, old), "parent")]
    if rng.random() < 0.55:
        made.append(_Draft("male", _born(rng, today, min(99.0, old + rng.gauss(2.5, 2))), "parent"))
    return made


def _named(
    rng: Random, place: Place, people: peoples.People, drafts: list[_Draft], key: str, today: date
) -> list[Person]:
    south = place.province.code >= SOUTH_FROM
    father = _family(rng, people, south=south)
    fathers = {"child"} | {draft.relation for draft in drafts if draft.sex == "male"}
    used: set[str] = set()
    made = []
    for number, draft in enumerate(drafts):
        own = draft.relation in fathers and (draft.sex == "male" or draft.relation == "child")
        family = father if own else _family(rng, people, south=south)
        name = draft.named or peoples.name(rng, people, family, draft.sex, draft.born.year)
        while name.given[-1] in used and draft.named is None:
            name = peoples.name(rng, people, family, draft.sex, draft.born.year)
        used.add(name.given[-1])
        made.append(_person(rng, draft, name, people, f"person/{key}/{number}", today))
    return made


def _person(rng: Random, draft: _Draft, name: Name, people: peoples.People, key: str, today: date) -> Person:
    years = (today - draft.born).days / 365.25
    weight = rng.gauss(0, 1)
    return Person(
        key=key, sex=draft.sex, born=draft.born, died=None if draft.named else _died(rng, draft.born, years, today),
        name=name, people=people, relation=draft.relation, mother=draft.mother, z_height=rng.gauss(0, 0.9),
        z_weight=1.1 if draft.named else weight, z_pressure=rng.gauss(0, 0.8) + 0.3 * weight,
        smoker=years > 18 and rng.random() < (0.42 if draft.sex == "male" else 0.012),
        insured=draft.named is not None or rng.random() < 0.93,
    )  # fmt: skip


def _died(rng: Random, born: date, years: float, today: date) -> date | None:
    """Some of the old died within the last three years; their records stay."""
    chance = clamp((years - 58) * 0.006, 0.0004, 0.3)
    died = today - timedelta(days=rng.randint(3, 1000))
    return died if rng.random() < chance and died > born + timedelta(days=400) else None


def _family(rng: Random, people: peoples.People, *, south: bool) -> str:
    return people.families.pick(rng) if people.families else kinh_family(rng, south=south)


def _sex(rng: Random) -> str:
    return "male" if rng.random() < 0.5 else "female"


def _born(rng: Random, today: date, age: float) -> date:
    return today - timedelta(days=int(age * 365.25) + rng.randrange(365))
