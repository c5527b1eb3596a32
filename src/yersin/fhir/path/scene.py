"""What an expression may ask besides its focus: the environment, ports that upper floors fill, and what it may spend.

Source: https://hl7.org/fhirpath/N1/#environment-variables, https://hl7.org/fhir/R4/fhirpath.html#variables
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Any, Protocol

from . import temporal
from .items import Items, Node, item, root
from .refusal import impossible

#: items an expression may look at before it is stopped, and seconds it may take
STEPS, SECONDS = 1_000_000, 2.0
_BETWEEN = 20_000  # steps between two looks at the clock
LONGEST_TEXT = 1_000_000
_NAMED = {
    "sct": "http://snomed.info/sct",
    "loinc": "http://loinc.org",
    "ucum": "http://unitsofmeasure.org",
}
_FAMILIES = {"vs-": "http://hl7.org/fhir/ValueSet/", "ext-": "http://hl7.org/fhir/StructureDefinition/"}
BUILT_IN = frozenset({"resource", "rootResource", "context", "terminologies", "factory", "server", *_NAMED})


class Terms(Protocol):
    """Terminology, as memberOf() and subsumes() need it. None means not known."""

    def member_of(self, system: str, code: str, value_set: str) -> bool | None:
        """Whether a code is in a value set; `system` is empty where only the code is known."""
        ...

    def subsumes(self, system: str, parent: str, child: str) -> bool | None:
        """Whether a code is the other or one of its ancestors."""
        ...


class Resolver(Protocol):
    """Finds what a reference names, as resolve() needs it."""

    def resolve(self, reference: str) -> Any:
        """Give a resource (struct or JSON), or None."""
        ...


class Profiles(Protocol):
    """Profiles, as conformsTo() needs them."""

    def conforms(self, resource: Node, profile: str) -> bool | None:
        """Whether a resource or element meets a profile; None when the profile is not known."""
        ...


Trace = Callable[[str, Items], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What the caller gives. Without a port its functions say that they cannot be evaluated."""

    resource: Any = None
    root_resource: Any = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    terms: Terms | None = None
    resolver: Resolver | None = None
    profiles: Profiles | None = None
    #: the present, if it is to be another
    now: datetime | None = None
    #: told what trace() sees; nothing is ever printed
    trace: Trace | None = None
    steps: int = STEPS
    seconds: float = SECONDS


NOTHING = Environment()


class Scene:
    """State of one evaluation. What most evaluations never change stands in the class: scenes are made often."""

    index: int | None = None
    total: Items = []  # noqa: RUF012 - never changed in place
    variables: Mapping[str, Items] = {}
    left = 0
    strict = False
    _now: datetime | None = None
    _allowed: int | None = None
    _started = 0.0

    def __init__(self, context: Items, environment: Environment = NOTHING, *, strict: bool = False) -> None:
        self.context = context
        self.environment = environment
        if strict:
            self.strict = strict

    def spend(self, steps: int) -> None:
        """Count what was looked at. Raises CannotEvaluate when it is too much."""
        self.left -= steps
        if self.left < 0:
            self._more()

    def _more(self) -> None:
        clock = monotonic()
        if self._allowed is None:
            self._started, self._allowed = clock, self.environment.steps
        if self._allowed + self.left < 0 or clock - self._started > self.environment.seconds:
            raise impossible("The expression needs too many steps: make it simpler", code="too-costly")
        self._allowed += self.left
        self.left = min(self._allowed, _BETWEEN)
        self._allowed -= self.left

    def resource(self) -> Items:
        """Give %resource."""
        given = self.environment.resource
        return self.context if given is None else [root(given)]

    def root_resource(self) -> Items:
        """Give %rootResource: the container of a contained resource, else the resource."""
        given = self.environment.root_resource
        return self.resource() if given is None else [root(given)]

    def moment(self) -> temporal.Temporal:
        """Give now(): the same moment all through one evaluation."""
        if self._now is None:
            self._now = self.environment.now or temporal.now()
        return temporal.of_datetime(self._now)

    def variable(self, name: str) -> Items:
        """Give the value of %name. Raises CannotEvaluate when there is none."""
        if name in self.variables:
            return self.variables[name]
        if name in self.environment.variables:
            value = self.environment.variables[name]
            return [item(each) for each in (value if isinstance(value, list | tuple) else [value])]
        found = self._built_in(name)
        if found is None:
            raise impossible(f"There is no variable %{name}")
        return found

    def _built_in(self, name: str) -> Items | None:
        match name:
            case "context":
                return self.context
            case "resource":
                return self.resource()
            case "rootResource":
                return self.root_resource()
        if name in _NAMED:
            return [_NAMED[name]]
        for start, base in _FAMILIES.items():
            if name.startswith(start):
                return [base + name.removeprefix(start)]
        return None


def is_built_in(name: str) -> bool:
    """Whether a variable is there for every expression."""
    return name in BUILT_IN or name.startswith(tuple(_FAMILIES))
