"""What a judgement of a consultation rests on besides the resources themselves. Values only: `gathering` reads them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from yersin.fhir.problem import Problem, problem
from yersin.telehealth import rules
from yersin.telehealth.codes import JSON, id_of
from yersin.telehealth.consultations import Consultation, standing
from yersin.telehealth.reading import moment
from yersin.telehealth.routing import Pool
from yersin.telehealth.rules import Standing

#: how far the clock of a program may be off
SKEW: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """What is against the rules: where, and how to do it right. `who`: right for somebody else."""

    place: str
    text: str
    who: bool = False

    @property
    def problem(self) -> Problem:
        """The refusal it becomes."""
        if self.who:
            return problem("forbidden", self.text, expression=self.place, status=403)
        return problem("business-rule", self.text, expression=self.place, status=409)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Who writes, and what only the database knows."""

    organization: str
    #: PractitionerRoles of the writer at the facility, the one they act in first
    roles: tuple[str, ...]
    permissions: frozenset[str]
    at: datetime
    #: pools of the request's specialty that its asker may ask, first ranks first
    pools: tuple[Pool, ...] = ()
    #: whether the PractitionerRole newly named belongs to the request's pool
    colleague: bool = False
    #: Compositions that this transaction makes final and signed
    minutes: frozenset[str] = frozenset()
    consent: bool = False
    #: what the focus of a new request is asked in already
    asked_in: str = ""

    @property
    def hubs(self) -> list[str]:
        """Hubs in the order in which they are asked, each once."""
        return list(dict.fromkeys(pool.hub for pool in self.pools))

    def services(self, hub: str) -> set[str]:
        """Pools of a hub, as references."""
        return {f"HealthcareService/{pool.service}" for pool in self.pools if pool.hub == hub}

    def is_now(self, text: str | None) -> bool:
        """Whether an instant is the present one, as far as clocks agree."""
        told = instant(text)
        return told is not None and told.tzinfo is not None and abs(told - self.at) <= SKEW


def instant(text: str | None) -> datetime | None:
    """Read an instant; None for a day without a time, and for a leap second, which no clock here has."""
    try:
        return moment(text)
    except ValueError:
        return None


def following(it: Consultation, facts: Facts) -> str | None:
    """The hub that is asked after the one asked now, in this round."""
    asked = [id_of(a["hub"], "Organization") for a in it.hubs_asked if a["round"] == it.round]
    return rules.next_hub(facts.hubs, asked)


def look(it: Consultation, facts: Facts) -> Standing:
    """How a request looks to the writer. Who holds several posts acts in the one that accepted."""
    accepted = id_of(it.accepted_by, "PractitionerRole")
    me = accepted if accepted in facts.roles else next(iter(facts.roles), "")
    left = bool(facts.pools) and following(it, facts) is not None
    return standing(it, organization=facts.organization, role=me, hubs_left=left)


def references(listed: list[JSON] | None) -> list[str]:
    """What references name, without their displays."""
    return [str(one.get("reference", "")) for one in listed or ()]
