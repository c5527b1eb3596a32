"""A search as it was asked, read from its parameters, and what it found. Source: https://hl7.org/fhir/R4/search.html"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol
from urllib.parse import urlencode

from yersin.db.sql import Sql
from yersin.fhir import r4
from yersin.fhir.parameters import Parameter, parameters
from yersin.fhir.problem import Problem, problem
from yersin.store.versions import Version

#: results on a page when the client does not say, and at most
COUNT, COUNT_LIMIT = 50, 1000
_DIGITS = 19
_SETTINGS = frozenset({"_count", "_sort", "_summary", "_total"})
_PLAIN = frozenset({"_format", "_pretty"})
_LATER = frozenset({"_filter", "_query", "_contained", "_containedType", "_elements", "_type"})
#: what is answered by the content of resources or of others, not by an index
_LOOKED_UP = frozenset({"_list", "_text", "_content"})
_TOKEN_LOOKED_UP = frozenset({"text", "in", "not-in", "above", "below"})
_REFERENCE_LOOKED_UP = frozenset({"above", "below"})
#: steps of a chain
DEPTH_LIMIT = 10
#: types that one step of a chain may lead to
TYPES_LIMIT = 20
_SORTED_TOGETHER = frozenset({"_id", "_lastUpdated"})
_SORTED_KINDS = frozenset({"date", "number", "quantity", "string", "token"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One parameter with its values; any of the values may match (OR)."""

    parameter: Parameter
    modifier: str
    values: tuple[str, ...]

    @property
    def place(self) -> str:
        """How the client wrote it, for messages."""
        return f"{self.parameter.code}:{self.modifier}" if self.modifier else self.parameter.code


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """A criterion that no index answers; `parameter` is None for what the specification defines beside the parameters."""

    place: str
    parameter: Parameter | None
    modifier: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One type that a join may lead to: the reference that leads there, and what is asked of the resources there."""

    parameter: Parameter
    query: Query


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """Other resources that a match must refer to (a chain), or that must refer to it (`_has`), by any of some ways."""

    place: str
    reverse: bool
    ways: tuple[Way, ...]


class Condition(Protocol):
    """What a join or a look-up became: a condition on rows `r` of the type searched."""

    def text(self, sql: Sql) -> str:
        """Write the condition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sort:
    """One rule of `_sort`."""

    parameter: Parameter
    descending: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Include:
    """One `_include` or `_revinclude`: references of `source` by `parameter`, narrowed to `target` when given.

    `iterate`: from what was included, too.
    """

    source: str
    parameter: Parameter
    target: str
    iterate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A search on one type. All criteria must match (AND)."""

    type: str
    criteria: tuple[Criterion, ...] = ()
    joins: tuple[Join, ...] = ()
    lookups: tuple[Lookup, ...] = ()
    #: what joins and look-ups became; each must hold
    settled: tuple[Condition, ...] = ()
    #: the compartment to stay in: its type and id
    within: tuple[str, str] | None = None
    #: the same asked of further types
    others: tuple[Query, ...] = ()
    #: parameters that were left out because they are unknown, and why
    ignored: tuple[tuple[str, str], ...] = ()
    sort: tuple[Sort, ...] = ()
    includes: tuple[Include, ...] = ()
    revincludes: tuple[Include, ...] = ()
    count: int = COUNT
    total: str = "none"
    summary: str = ""
    text: str = ""
    #: place of the last result of the page before, and the database's state when the first page was made
    after: tuple[str, ...] = ()
    horizon: str = ""
    known_total: int | None = None

    @staticmethod
    def of(type_name: str, pairs: Iterable[tuple[str, str]], *, lenient: bool = False) -> Query:
        """Read a search. Raises Problem naming the parameter that cannot be searched, and the ones that can.

        `lenient`: what is not known is left out, and named in `ignored`.
        """
        reader = _Reader(type_name)
        listed = list(pairs)
        for name, value in listed:
            reader.take(name, value, lenient=lenient)
        left_out = {name for name, _ in reader.ignored}
        return reader.query(urlencode([pair for pair in listed if pair[0] not in left_out]))

    @staticmethod
    def of_several(types: Sequence[str], pairs: Sequence[tuple[str, str]], *, lenient: bool = False) -> Query:
        """Read a search on several types, by parameters that all of them have."""
        first, *others = [Query.of(type_name, pairs, lenient=lenient) for type_name in types]
        if others and any(rule.parameter.code not in _SORTED_TOGETHER for rule in first.sort):
            text = f"Several types are sorted together by {' and '.join(sorted(_SORTED_TOGETHER))} only."
            raise problem("not-supported", text, expression="_sort")
        return replace(first, others=tuple(others))

    def inside(self, compartment: tuple[str, str] | None) -> Query:
        """The same within a compartment."""
        return replace(self, within=compartment, others=tuple(o.inside(compartment) for o in self.others))


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page of results. `next` is the place to go on from, `total` is None when nobody counted."""

    versions: Sequence[Version] = ()
    included: Sequence[Version] = ()
    total: int | None = None
    after: tuple[str, ...] = ()
    horizon: str = ""


def split(value: str) -> tuple[str, ...]:
    r"""Split at the commas that `\` does not protect, and take the protection away."""
    if "," not in value and "\\" not in value:
        return (value,)
    parts, current, escaped = [], [], False
    for char in value:
        if escaped:
            # `\|` and `\$` stay protected: the kinds read them
            current.append(char if char in ",\\" else f"\\{char}")
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == ",":
            parts.append("".join(current))
            current = []
        else:
            current.append(char)
    return (*parts, "".join(current))


def plain(value: str) -> str:
    r"""Take away what protects `|` and `$`, where a kind of parameter does not divide by them."""
    return value.replace("\\|", "|").replace("\\$", "$") if "\\" in value else value


class _Reader:
    """Gathers one search from its parameters."""

    def __init__(self, type_name: str) -> None:
        self.type = type_name
        self.known = parameters(type_name)
        self.criteria: list[Criterion] = []
        self.joins: list[Join] = []
        self.lookups: list[Lookup] = []
        self.ignored: list[tuple[str, str]] = []
        self.settings: dict[str, object] = {}

    def take(self, name: str, value: str, *, lenient: bool = False) -> None:
        """Read one parameter."""
        try:
            self._take(name, value)
        except Problem as refusal:
            if not lenient or refusal.issues[0].code != "not-supported":
                raise
            self.ignored.append((name, refusal.issues[0].diagnostics))

    def _take(self, name: str, value: str) -> None:
        if name in _SETTINGS:
            getattr(self, f"_take{name}")(value)
        elif name in _PLAIN:
            return
        elif name in ("_include", "_revinclude") or name.startswith(("_include:", "_revinclude:")):
            self._take_inclusion(name, value)
        else:
            self._criterion(name, value)

    def query(self, text: str) -> Query:
        return Query(
            type=self.type,
            criteria=tuple(self.criteria),
            joins=tuple(self.joins),
            lookups=tuple(self.lookups),
            ignored=tuple(self.ignored),
            text=text,
            **self.settings,  # type: ignore[arg-type] # one setter a field
        )

    def _criterion(self, name: str, value: str) -> None:
        if value == "":
            raise problem("invalid", f"{name} is empty; give it a value or leave it out.", expression=name)
        if name.startswith("_has:"):
            self.joins.append(self._reverse(name, value))
        elif "." in name:
            self.joins.append(self._chain(name, value))
        else:
            self._simple(name, value)

    def _simple(self, name: str, value: str) -> None:
        code, _, modifier = name.partition(":")
        if code in _LATER:
            raise problem("not-supported", f"{name}: this kind of search is not supported.", expression=name)
        if code in _LOOKED_UP and not modifier:
            self.lookups.append(Lookup(place=name, parameter=None, modifier=code, values=split(value)))
            return
        parameter = self._parameter(code, name)
        looked_up = parameter.kind == "token" and code != "_id" and modifier in _TOKEN_LOOKED_UP
        if looked_up or (parameter.kind == "reference" and modifier in _REFERENCE_LOOKED_UP):
            self.lookups.append(Lookup(place=name, parameter=parameter, modifier=modifier, values=split(value)))
        else:
            self.criteria.append(Criterion(parameter=parameter, modifier=modifier, values=split(value)))

    def _parameter(self, code: str, name: str) -> Parameter:
        parameter = self.known.get(code)
        if parameter is None:
            text = f"{self.type} has no search parameter {code}. It has: {', '.join(sorted(self.known))}."
            raise problem("not-supported", text, expression=name)
        return _whole(parameter, name)

    def _chain(self, name: str, value: str) -> Join:
        """Read `subject:Patient.name`: the reference, the type it leads to or any that fits, and what is asked there."""
        head, _, rest = name.partition(".")
        code, _, only = head.partition(":")
        parameter = _followed(self._parameter(code, name), name)
        targets = parameter.targets or tuple(r4.TYPE_NUMBER)
        if only and only not in targets:
            text = f"{name}: {code} of {self.type} does not refer to {only}; it may to {', '.join(targets)}."
            raise problem("invalid", text, expression=name)
        fitting = (only,) if only else tuple(t for t in targets if t != "AuditEvent" and _fits(t, rest))
        if len(fitting) > TYPES_LIMIT:
            text = f"{name}: {code} may refer to {len(fitting)} types that have {rest}; write {code}:Type.{rest}."
            raise problem("too-costly", text, expression=name)
        if not fitting:
            text = f"{name}: nothing that {code} of {self.type} refers to has a search parameter {rest}."
            raise problem("not-supported", text, expression=name)
        ways = tuple(Way(parameter=parameter, query=_asked_of(t, rest, value, name)) for t in fitting)
        return Join(place=name, reverse=False, ways=ways)

    def _reverse(self, name: str, value: str) -> Join:
        """Read `_has:Observation:patient:code`: the type that refers, by which reference, and what is asked of it."""
        _, source, code, rest = (*name.split(":", 3), "", "", "")[:4]
        parameter = parameters(source).get(code)
        if parameter is None or not rest:
            text = (
                f"{name}: write _has:Type:reference:parameter, where the reference is a search parameter of that type."
            )
            raise problem("not-supported", text, expression=name)
        parameter = _followed(_whole(parameter, name), name)
        if parameter.targets and self.type not in parameter.targets:
            text = f"{name}: {code} of {source} does not refer to {self.type}, but to {', '.join(parameter.targets)}."
            raise problem("invalid", text, expression=name)
        way = Way(parameter=parameter, query=_asked_of(source, rest, value, name))
        return Join(place=name, reverse=True, ways=(way,))

    def _take_count(self, value: str) -> None:
        if not value.isdecimal():
            raise problem("invalid", f"_count is {value}; it must be a whole number from 0.", expression="_count")
        count = at_most(value, COUNT_LIMIT)
        if count == 0:
            self.settings["summary"] = "count"
        else:
            self.settings["count"] = count

    def _take_total(self, value: str) -> None:
        self.settings["total"] = _one_of("_total", value, ("none", "estimate", "accurate"))

    def _take_summary(self, value: str) -> None:
        self.settings["summary"] = "" if value == "false" else _one_of("_summary", value, ("count",))

    def _take_sort(self, value: str) -> None:
        self.settings["sort"] = tuple(self._sort_rule(part) for part in value.split(","))

    def _sort_rule(self, part: str) -> Sort:
        code = part.removeprefix("-")
        parameter = self.known.get(code)
        if parameter is None or parameter.kind not in _SORTED_KINDS:
            can = sorted(c for c, p in self.known.items() if p.kind in _SORTED_KINDS)
            raise problem(
                "not-supported",
                f"{self.type} cannot be sorted by {code}. It can by: {', '.join(can)}.",
                expression="_sort",
            )
        return Sort(parameter=_whole(parameter, "_sort"), descending=part.startswith("-"))

    def _take_inclusion(self, name: str, value: str) -> None:
        kind, _, modifier = name.partition(":")
        if modifier not in ("", "iterate"):
            raise problem("not-supported", f"{name}: it takes no modifier but :iterate.", expression=name)
        source, code, target = (*value.split(":"), "", "")[:3]
        field = "includes" if kind == "_include" else "revincludes"
        before = self.settings.get(field, ())
        assert isinstance(before, tuple)  # noqa: S101 - for the type checker: only this method sets it
        rules = [
            Include(source=p.type, parameter=p, target=target, iterate=modifier == "iterate")
            for p in self._followed_by(source, code, f"{name}={value}", reverse=kind == "_revinclude")
        ]
        self.settings[field] = (*before, *rules)

    def _followed_by(self, source: str, code: str, place: str, *, reverse: bool) -> list[Parameter]:
        """Find the references that an inclusion follows; `*` means all."""
        if code == "*" or (source, code) == ("*", ""):
            types = [source] if source != "*" else [*r4.TYPE_NUMBER] if reverse else [self.type]
            every = [p for t in types for p in parameters(t).values() if p.kind == "reference" and not p.covers]
            every = [p for p in every if not p.waiting and (not reverse or self.type in p.targets or not p.targets)]
            if every:
                return every
        parameter = parameters(source).get(code)
        if parameter is None or parameter.kind != "reference":
            text = f"{place}: write Type:parameter, where the parameter is a reference of that type, or *."
            raise problem("invalid", text, expression=place.partition("=")[0])
        return [_whole(parameter, place.partition("=")[0])]


def _whole(parameter: Parameter, name: str) -> Parameter:
    """Refuse to search by what is not indexed whole yet."""
    if parameter.waiting:
        text = f"{parameter.code} of {parameter.type} is still being indexed ({parameter.waiting}). Search by it once that is done."
        raise problem("not-supported", text, expression=name)
    return parameter


def _fits(type_name: str, rest: str) -> bool:
    """Whether a type can be asked the rest of a chain."""
    if rest.startswith("_has:"):
        _, source, code, _ = (*rest.split(":", 3), "", "", "")[:4]
        parameter = parameters(source).get(code)
        return parameter is not None and (not parameter.targets or type_name in parameter.targets)
    head, dot, further = rest.partition(".")
    parameter = parameters(type_name).get(head.partition(":")[0])
    if parameter is None or parameter.waiting:
        return head in _LOOKED_UP
    if not dot:
        return True
    only = head.partition(":")[2]
    targets = (only,) if only else parameter.targets or tuple(r4.TYPE_NUMBER)
    return parameter.kind == "reference" and any(_fits(target, further) for target in targets)


def _followed(parameter: Parameter, name: str) -> Parameter:
    """Refuse to follow what is no reference by type and id."""
    known = parameters(parameter.type)
    if parameter.kind != "reference" or not any(
        path.type == "Reference" for code in parameter.covers or (parameter.code,) for path in known[code].paths
    ):
        text = f"{name}: {parameter.code} of {parameter.type} is not a reference that can be followed."
        raise problem("not-supported", text, expression=name)
    return parameter


def _asked_of(type_name: str, name: str, value: str, whole: str) -> Query:
    """Read what a join asks of the resources it leads to."""
    if whole.count(".") + whole.count("_has:") > DEPTH_LIMIT:
        raise problem("too-costly", f"{whole}: a chain has at most {DEPTH_LIMIT} steps.", expression=whole)
    if type_name == "AuditEvent":
        raise problem("not-supported", f"{whole}: the audit is searched by itself only.", expression=whole)
    reader = _Reader(type_name)
    if name in _SETTINGS or name in _PLAIN or name.startswith(("_include", "_revinclude")):
        raise problem("not-supported", f"{whole}: {name} says nothing about {type_name}.", expression=whole)
    reader.take(name, value)
    return reader.query("")


def at_most(digits: str, most: int) -> int:
    """Number of decimal digits, of which there may be thousands, or `most` where it is larger."""
    digits = digits.lstrip("0") or "0"
    return most if len(digits) > _DIGITS else min(int(digits), most)


def _one_of(name: str, value: str, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise problem(
            "not-supported", f"{name}={value} is not supported; it may be {' or '.join(allowed)}.", expression=name
        )
    return value
