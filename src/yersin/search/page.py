"""A search as it was asked, read from its parameters, and what it found. Source: https://hl7.org/fhir/R4/search.html"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from yersin.fhir.parameters import Parameter, parameters
from yersin.fhir.problem import problem
from yersin.store.versions import Version

#: results on a page when the client does not say, and at most
COUNT, COUNT_LIMIT = 50, 1000
_SETTINGS = frozenset({"_count", "_sort", "_summary", "_total"})
_PLAIN = frozenset({"_format", "_pretty"})
_LATER = frozenset(
    {"_filter", "_query", "_contained", "_containedType", "_has", "_list", "_text", "_content", "_elements", "_type"}
)
_SORTED_KINDS = frozenset({"date", "number", "quantity", "string"})


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
class Sort:
    """One rule of `_sort`."""

    parameter: Parameter
    descending: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Include:
    """One `_include` or `_revinclude`: references of `source` by `parameter`, narrowed to `target` when given."""

    source: str
    parameter: Parameter
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A search on one type. All criteria must match (AND)."""

    type: str
    criteria: tuple[Criterion, ...] = ()
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
    def of(type_name: str, pairs: Iterable[tuple[str, str]]) -> Query:
        """Read a search. Raises Problem naming the parameter that cannot be searched, and the ones that can."""
        reader = _Reader(type_name)
        listed = list(pairs)
        for name, value in listed:
            reader.take(name, value)
        return reader.query(urlencode(listed))


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


class _Reader:
    """Gathers one search from its parameters."""

    def __init__(self, type_name: str) -> None:
        self.type = type_name
        self.known = parameters(type_name)
        self.criteria: list[Criterion] = []
        self.settings: dict[str, object] = {}

    def take(self, name: str, value: str) -> None:
        """Read one parameter."""
        if name in _SETTINGS:
            getattr(self, f"_take{name}")(value)
        elif name in _PLAIN:
            return
        elif name in ("_include", "_revinclude") or name.startswith(("_include:", "_revinclude:")):
            self._take_inclusion(name, value)
        else:
            self._criterion(name, value)

    def query(self, text: str) -> Query:
        return Query(type=self.type, criteria=tuple(self.criteria), text=text, **self.settings)  # type: ignore[arg-type] # one setter a field

    def _criterion(self, name: str, value: str) -> None:
        code, _, modifier = name.partition(":")
        if "." in code or code in _LATER:
            raise problem("not-supported", f"{name}: this kind of search is not supported yet.", expression=name)
        parameter = self.known.get(code)
        if parameter is None:
            text = f"{self.type} has no search parameter {code}. It has: {', '.join(sorted(self.known))}."
            raise problem("not-supported", text, expression=name)
        values = split(value)
        if value == "":
            raise problem("invalid", f"{name} is empty; give it a value or leave it out.", expression=name)
        self.criteria.append(Criterion(parameter=parameter, modifier=modifier, values=values))

    def _take_count(self, value: str) -> None:
        if not value.isdecimal():
            raise problem("invalid", f"_count is {value}; it must be a whole number from 0.", expression="_count")
        count = min(int(value), COUNT_LIMIT)
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
        if parameter is None or not (parameter.kind in _SORTED_KINDS or code == "_id"):
            can = sorted(c for c, p in self.known.items() if p.kind in _SORTED_KINDS or c == "_id")
            raise problem(
                "not-supported",
                f"{self.type} cannot be sorted by {code}. It can by: {', '.join(can)}.",
                expression="_sort",
            )
        return Sort(parameter=parameter, descending=part.startswith("-"))

    def _take_inclusion(self, name: str, value: str) -> None:
        kind, _, modifier = name.partition(":")
        source, code, target = (*value.split(":"), "", "")[:3]
        if modifier or source == "*" or code == "*":
            raise problem(
                "not-supported", f"{name}={value}: `:iterate` and `*` are not supported yet.", expression=name
            )
        parameter = parameters(source).get(code)
        if parameter is None or parameter.kind != "reference":
            text = f"{name}={value}: write Type:parameter, where the parameter is a reference of that type."
            raise problem("invalid", text, expression=name)
        field = "includes" if kind == "_include" else "revincludes"
        before = self.settings.get(field, ())
        assert isinstance(before, tuple)  # noqa: S101 - for the type checker: only this method sets it
        self.settings[field] = (*before, Include(source=source, parameter=parameter, target=target))


def _one_of(name: str, value: str, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise problem(
            "not-supported", f"{name}={value} is not supported; it may be {' or '.join(allowed)}.", expression=name
        )
    return value
