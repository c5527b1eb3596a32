"""Operations: what is asked by `$name` of the server, of a type or of one resource. The api and the rooms fill one registry.

What an operation takes is read from the address or from a Parameters resource, and what it does not know is refused by
name. Source: https://hl7.org/fhir/R4/operations.html
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import msgspec

from yersin.fhir import choice, encode, parse, r4
from yersin.fhir.primitives import TEXT, WHOLE
from yersin.fhir.problem import Problem, problem
from yersin.guard import audit
from yersin.guard.who import Grant

from .errors import not_allowed
from .messages import Handler, Request, Response

Level = Literal["system", "type", "instance"]
#: what ids of our OperationDefinitions begin with; nobody stores others under such ids
OURS = "yersin-"
#: an operation of every type
EVERY = "*"
#: what may stand in any address and changes no result
_PLAIN = frozenset({"_format", "_pretty"})
_BOOLEANS = ("true", "false")
#: parts of the address of an operation on one resource; one on a version has two more
_INSTANCE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A parameter that an operation takes or answers. `type` is a primitive, a datatype, or `Resource` or a type of resource.

    It may consist of `parts` in place of a value; one that is asked with is handed on as it was sent.
    """

    name: str
    type: str = "string"
    required: bool = False
    repeats: bool = False
    parts: Sequence[Input] = ()

    @property
    def is_resource(self) -> bool:
        return self.type == "Resource" or self.type in r4.TYPE_NUMBER

    @property
    def is_primitive(self) -> bool:
        return self.type[:1].islower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What an asker gave, read and checked: primitives as FHIR writes them, datatypes and resources as structs."""

    values: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Value of a primitive, empty where it was not given."""
        return next(iter(self.texts(name)), "")

    def texts(self, name: str) -> list[str]:
        """All values of a primitive."""
        return [str(value) for value in self.values.get(name, ())]

    def value(self, name: str) -> Any:
        """Datatype or resource; None where it was not given."""
        return next(iter(self.values.get(name, ())), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One call: of which type and which resource (empty at the levels above), and with what."""

    request: Request
    type: str
    id: str
    given: Given


Work = Callable[[Asked], Awaitable[Response]]


def returning(type_name: str) -> tuple[Input, ...]:
    """Answer of one resource or datatype."""
    return (Input(name="return", type=type_name, required=True),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation. `types` are those it is asked of at the levels `type` and `instance`; EVERY stands for all.

    What changes something (`affects_state`) is asked by POST only. The asker needs `permission`, where it names one, and
    a program's token `grant` too. With `takes_any_body` the work reads the body itself, to judge what may be no FHIR;
    with `takes_search` it reads all itself, as its parameters are those of a search. `of_versions`: of versions, too.
    `definition` is where it is defined; `narrower` says that it takes less than stands there, and `refused` names what of
    it is not taken, each with the reason. `title` says what it does; with `answers_later` it may answer 202 and go on by itself.
    """

    name: str
    definition: str
    work: Work
    levels: frozenset[Level]
    types: Sequence[str] = ()
    inputs: Sequence[Input] = ()
    permission: str = ""
    grant: Grant | None = None
    affects_state: bool = False
    takes_any_body: bool = False
    takes_search: bool = False
    of_versions: bool = False
    narrower: bool = False
    refused: Mapping[str, str] = field(default_factory=dict)
    answers_later: bool = False
    title: str = ""
    outputs: Sequence[Input] = returning("Resource")

    @property
    def id(self) -> str:
        """Id of its OperationDefinition here: the end of the address where it is defined, behind a word of ours."""
        return OURS + re.split("[/:]", self.definition)[-1].lstrip("$")

    @property
    def is_own(self) -> bool:
        """Whether nobody else has defined it."""
        return self.definition.startswith("urn:yersin:")

    @property
    def methods(self) -> tuple[str, ...]:
        """HTTP methods it is asked by."""
        return ("POST",) if self.affects_state else ("GET", "POST")

    def places(self) -> Iterable[tuple[Level, str]]:
        """Levels, each with the type it is asked of; no type at the level of the system."""
        for level in sorted(self.levels):
            if level == "system":
                yield level, ""
            else:
                yield from ((level, type_name) for type_name in self.types)


class Operations:
    """The registry. Raises ValueError where two operations would answer to one address, or one stands at no address."""

    def __init__(self, operations: Iterable[Operation] = ()) -> None:
        self._at: dict[tuple[Level, str, str], Operation] = {}
        for operation in operations:
            places = list(operation.places())
            if not places:
                raise ValueError(f"${operation.name} names levels of types, and no types")
            for level, type_name in places:
                if self._at.setdefault((level, type_name, operation.name), operation) is not operation:
                    raise ValueError(f"two operations are ${operation.name} of {type_name or 'the server'} ({level})")

    def handler(self, method: str, path: Sequence[str]) -> Handler:
        """Handler of an address whose last part is `$name`. Raises Problem: not-found (404) or not-supported (405)."""
        name, type_name = path[-1][1:], path[0] if len(path) > 1 else ""
        level = _level(path)
        found = self._find(level, type_name, name)
        if found is None or (len(path) > _INSTANCE and not found.of_versions):
            level = level if len(path) <= _INSTANCE else None
            raise problem("not-found", self._missing(level, type_name, name), status=404)
        if method not in found.methods:
            raise not_allowed(method, found.methods)
        return partial(_answer, found)

    def all(self) -> dict[str, Operation]:
        """Every operation by its id."""
        return {operation.id: operation for operation in self._at.values()}

    def listed(self, type_name: str) -> list[Operation]:
        """Operations of a type and of its resources, or of the server where no type is named; by name."""
        at = ("", EVERY) if type_name else ("",)
        found = {
            operation.name: operation
            for (level, of, _), operation in self._at.items()
            if (level == "system") is not bool(type_name) and of in (type_name, *at)
        }
        return [found[name] for name in sorted(found)]

    def stated(self, type_name: str) -> list[Operation]:
        """Operations as `listed`, each that is defined by itself: one name may be asked of a type and of one resource."""
        levels: Sequence[Level] = ("type", "instance") if type_name else ("system",)
        found = (self._find(level, type_name, each.name) for each in self.listed(type_name) for level in levels)
        return list({operation.id: operation for operation in found if operation}.values())

    def _find(self, level: Level | None, type_name: str, name: str) -> Operation | None:
        if level is None:
            return None
        return self._at.get((level, type_name, name)) or self._at.get((level, EVERY, name))

    def _missing(self, level: Level | None, type_name: str, name: str) -> str:
        listed = self.listed(type_name)
        where = f"/{type_name}" if type_name else "the server itself"
        if level and any(operation.name == name for operation in listed):
            there = "one resource: write its id before it" if level == "type" else "the whole type: leave the id out"
            return f"${name} is asked of {there}."
        known = ", ".join(f"${operation.name}" for operation in listed)
        return f"There is no operation ${name} of {where}. " + (f"Here are: {known}." if known else "Here are none.")


def _level(path: Sequence[str]) -> Level | None:
    levels: Mapping[int, Level] = {1: "system", 2: "type", _INSTANCE: "instance"}
    if len(path) == _INSTANCE + 2 and path[2] == "_history":
        return "instance"
    return levels.get(len(path))


async def _answer(operation: Operation, request: Request) -> Response:
    """Do an operation for somebody who may; a refusal is recorded before it is answered."""
    try:
        if operation.permission:
            request.access.require(operation.permission)
        if operation.grant:
            request.access.who.require_grant(*operation.grant)
    except Problem:
        await request.access.record(audit.Entry(interaction="rest", outcome=audit.REFUSED, type=_type(request)))
        raise
    *above, _ = request.path
    type_name, logical_id = [*above, "", ""][:2]
    read = Given() if operation.takes_search else given(operation, request)
    return await operation.work(Asked(request=request, type=type_name, id=logical_id, given=read))


def _type(request: Request) -> str | None:
    return request.path[0] if len(request.path) > 1 else None


def answer(resource: r4.Resource) -> Response:
    """Answer with the resource that an operation returns."""
    return Response(body=encode(resource))


# --- what is given -------------------------------------------------------------------------------------------------


def given(operation: Operation, request: Request) -> Given:
    """Read what an operation was given: parameters of the address, then those of the body.

    The body is a Parameters resource, or the resource itself where the operation takes just one. Raises Problem naming
    the parameter that is unknown, missing, given too often or no value of its type.
    """
    known = {each.name: each for each in operation.inputs}
    found: dict[str, list[Any]] = {}
    for name, text in request.parameters():
        if name not in _PLAIN:
            found.setdefault(name, []).append(_of_text(_known(known, operation, name, name), text))
    if request.body and not operation.takes_any_body and not request.is_form:
        for name, value in _of_body(operation, known, parse(request.body)):
            found.setdefault(name, []).append(value)
    _require_number(operation, found)
    return Given(values=found)


def _known(known: Mapping[str, Input], operation: Operation, name: str, place: str) -> Input:
    if name in operation.refused:
        raise problem(
            "not-supported", f"${operation.name} does not take {name}: {operation.refused[name]}", expression=place
        )
    if name not in known:
        takes = ", ".join(known) or "nothing"
        raise problem("not-supported", f"${operation.name} takes {takes}; {name} is not among it.", expression=place)
    return known[name]


def _of_text(wanted: Input, text: str) -> str:
    """Read a parameter of the address."""
    if not wanted.is_primitive:
        cure = f"{wanted.name} is a {wanted.type}: send it by POST in a Parameters resource."
        raise problem("invalid", cure, expression=wanted.name)
    if cure := _wrong(wanted.type, text):
        raise problem("value", f"{wanted.name}={text[:40]}: {cure}.", expression=wanted.name)
    return text


def _wrong(kind: str, text: str) -> str:
    """Return the cure of a text that is no value of a primitive type, empty where it is one."""
    if not text:
        return "it is empty; give it a value or leave it out"
    if kind == "boolean":
        return "" if text in _BOOLEANS else "write true or false"
    rule = {**TEXT, **WHOLE}.get(kind[0].upper() + kind[1:])
    return rule.cure if rule and not rule.accepts(text) else ""


def _of_body(operation: Operation, known: Mapping[str, Input], body: r4.Resource) -> Iterable[tuple[str, Any]]:
    if not isinstance(body, r4.Parameters):
        alone = [each for each in operation.inputs if each.is_resource]
        if len(alone) != 1:
            text = f"${operation.name} takes a Parameters resource, not a {body.resourceType}."
            raise problem("invalid", text, expression=body.resourceType)
        yield alone[0].name, _fitting(alone[0], body, body.resourceType)
        return
    for n, part in enumerate(body.parameter or ()):
        place = f"Parameters.parameter[{n}]"
        name = part.name or ""
        wanted = _known(known, operation, name, place)
        yield name, _fitting(wanted, part.resource, place) if wanted.is_resource else _value(wanted, part, place)


def _fitting(wanted: Input, resource: r4.Resource | None, place: str) -> r4.Resource:
    if resource is None or wanted.type not in ("Resource", resource.resourceType):
        what = "any resource" if wanted.type == "Resource" else f"a {wanted.type}"
        raise problem("invalid", f"{wanted.name} is {what}: send it as `resource`.", expression=place)
    return resource


def _value(wanted: Input, part: r4.ParametersParameter, place: str) -> Any:
    if wanted.parts:
        return part
    attribute = f"value{wanted.type[0].upper()}{wanted.type[1:]}"
    value = getattr(part, attribute)
    if value is None:
        sent = "another type" if choice(part, "value") is not None else "no value"
        text = f"{wanted.name} was sent with {sent}: send {attribute}."
        raise problem("invalid", text, expression=place)
    if not wanted.is_primitive:
        return value
    return msgspec.json.encode(value).decode() if isinstance(value, bool) else str(value)


def _require_number(operation: Operation, found: Mapping[str, Sequence[Any]]) -> None:
    for each in operation.inputs:
        count = len(found.get(each.name, ()))
        if each.required and not count:
            raise problem("required", f"${operation.name} needs {each.name}: {_example(each)}.", expression=each.name)
        if count > 1 and not each.repeats:
            text = f"{each.name} was given {count} times; give it once."
            raise problem("invalid", text, expression=each.name)


def _example(wanted: Input) -> str:
    if wanted.is_resource:
        return f"send it as `resource` of a parameter named {wanted.name}"
    rule = {**TEXT, **WHOLE}.get(wanted.type[0].upper() + wanted.type[1:])
    return rule.cure if rule else f"it is a {wanted.type}"
