"""FHIRPath, the part that ViewDefinitions need: parsed once into functions over JSON, run on every resource.

Sources: https://hl7.org/fhirpath/N1/ and the shareable profile of https://sql-on-fhir.org (ViewDefinition).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any

from yersin.fhir import r4
from yersin.fhir.problem import Problem, problem
from yersin.fhir.structs import Struct

Items = list[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What an expression can ask about besides its focus. `key_of` makes the key of (type, logical id)."""

    key_of: Callable[[str, str], Any]
    constants: Mapping[str, Items] = field(default_factory=dict)
    row_index: int = 0


class Moment(str):
    """A dateTime or instant, where the expression says that it is one: in JSON it is a string like any other."""

    __slots__ = ()


Path = Callable[[Items, Scene], Items]
Function = Callable[[Items, Scene, list["Path"]], Items]

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>'(?:[^'\\]|\\.)*')|(?P<moment>@[0-9T][0-9T:.+Z-]*)|(?P<number>\d+(?:\.\d+)?)
    |(?P<constant>%[A-Za-z_][\w-]*)|(?P<name>`[^`]+`|\$?[A-Za-z_]\w*)|(?P<sign><=|>=|!=|!~|[-+*/&|=~<>().,\[\]{}]))""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f"}
#: binary operators, the loosest first
_LEVELS: tuple[frozenset[str], ...] = (
    frozenset({"implies"}), frozenset({"or", "xor"}), frozenset({"and"}), frozenset({"in", "contains"}),
    frozenset({"=", "!=", "~", "!~"}), frozenset({"<", ">", "<=", ">="}), frozenset({"|"}), frozenset({"is", "as"}),
    frozenset({"+", "-", "&"}), frozenset({"*", "/", "div", "mod"}),
)  # fmt: skip


def refusal(text: str) -> Problem:
    """Say why an expression cannot be run."""
    return problem("invalid", text, status=422)


def compiled(text: str, constants: Mapping[str, Items] | None = None) -> Path:
    """Compile an expression. Raises Problem where it is not FHIRPath, or of a part that is not supported."""
    parser = _Parser(text, constants)
    path = parser.expression(0)
    parser.end()
    return path


def truth(items: Items) -> bool | None:
    """Boolean of a collection; None when it is empty. Raises Problem for anything else."""
    if not items:
        return None
    if len(items) > 1 or not isinstance(items[0], bool):
        raise refusal("The expression must give true or false; it gives something else.")
    return items[0]


class _Parser:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, text: str, constants: Mapping[str, Items] | None) -> None:
        self.text = text
        self.known = constants
        self.tokens = _tokens(text)
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def take(self, wanted: str = "") -> str:
        if self.at >= len(self.tokens) or (wanted and self.peek() != wanted):
            raise refusal(f"{self.text!r} is not complete: {wanted or 'something'} is missing at part {self.at + 1}.")
        self.at += 1
        return self.tokens[self.at - 1][1]

    def end(self) -> None:
        if self.at < len(self.tokens):
            raise refusal(f"{self.text!r} cannot be read from {self.peek()!r} on.")

    def expression(self, level: int) -> Path:
        if level == len(_LEVELS):
            return self.unary()
        left = self.expression(level + 1)
        while self.peek() in _LEVELS[level] and self.tokens[self.at][0] != "string":
            sign = self.take()
            left = self.typed(left, sign) if sign in ("is", "as") else binary(sign, left, self.expression(level + 1))
        return left

    def typed(self, left: Path, sign: str) -> Path:
        name = self.type_name()
        return (lambda items, scene: [of_type(left(items, scene), name) != []]) if sign == "is" else (
            lambda items, scene: of_type(left(items, scene), name)
        )  # fmt: skip

    def unary(self) -> Path:
        if self.peek() not in ("-", "+"):
            return self.invocation()
        sign, operand = self.take(), self.unary()
        return operand if sign == "+" else lambda items, scene: [-value for value in operand(items, scene)]

    def invocation(self) -> Path:
        path = self.term()
        while self.peek() in (".", "["):
            if self.take() == "[":
                path = _indexed(path, self.expression(0))
                self.take("]")
            else:
                path = self.step(path)
        return path

    def term(self) -> Path:
        kind, text = self.tokens[self.at] if self.at < len(self.tokens) else ("", "")
        if kind in ("name", ""):
            return self.named()
        self.at += 1
        if kind == "constant":
            return self.constant(text[1:])
        if text == "(":
            inner = self.expression(0)
            self.take(")")
            return inner
        if text == "{":
            self.take("}")
            return lambda _items, _scene: []
        return _literal(kind, text, self.text)

    def named(self) -> Path:
        if self.peek() == "$this":
            self.at += 1
            return lambda items, _scene: items
        if self.peek() in ("true", "false"):
            value = self.take() == "true"
            return lambda _items, _scene: [value]
        return self.step(lambda items, _scene: items)

    def constant(self, name: str) -> Path:
        if name == "rowIndex":
            return lambda _items, scene: [scene.row_index]
        if self.known is not None and name not in self.known:
            raise refusal(f"{self.text!r} names %{name}, which is no constant of the view.")
        return lambda _items, scene: list(scene.constants[name])

    def step(self, before: Path) -> Path:
        name = self.take().strip("`")
        if self.peek() == "(":
            return self.call(before, name)
        if self.at + 2 < len(self.tokens) and [t for _, t in self.tokens[self.at : self.at + 3]] == [
            ".",
            "ofType",
            "(",
        ]:
            self.at += 3
            kind = self.type_name()
            self.take(")")
            return _chosen_as(before, name, kind)
        find = member if name in _stems() or name[:1].isupper() else _plain
        return lambda items, scene: find(before(items, scene), name)

    def call(self, before: Path, name: str) -> Path:
        from .functions import FUNCTIONS, TYPED  # noqa: PLC0415 - the functions are written with the names above

        self.take("(")
        if name in TYPED:
            kind = "" if self.peek() == ")" else self.type_name()
            self.take(")")
            typed = TYPED[name]
            return lambda items, scene: typed(before(items, scene), scene, kind)
        if name not in FUNCTIONS:
            raise refusal(f"{self.text!r} calls {name}(), which is not supported here.")
        function, arguments = FUNCTIONS[name], self.arguments()
        return lambda items, scene: function(before(items, scene), scene, arguments)

    def arguments(self) -> list[Path]:
        found: list[Path] = []
        while self.peek() != ")":
            found.append(self.expression(0))
            if self.peek() == ",":
                self.take()
        self.take(")")
        return found

    def type_name(self) -> str:
        name = self.take().strip("`")
        while self.peek() == ".":
            self.take()
            name = self.take().strip("`")
        return name


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    stripped = text.rstrip()
    while at < len(stripped):
        match = _TOKEN.match(stripped, at)
        if match is None or match.lastgroup is None:
            raise refusal(f"{text!r} cannot be read from {stripped[at:]!r} on.")
        found.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return found


def _literal(kind: str, text: str, whole: str) -> Path:
    value: Any
    if kind == "string":
        value = re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), text[1:-1])
    elif kind == "number":
        value = Decimal(text) if "." in text else int(text)
    elif kind == "moment":
        value = text[1:].removeprefix("T")
    else:
        raise refusal(f"{whole!r}: {text!r} cannot stand there.")
    return lambda _items, _scene: [value]


def _choice(name: str, kind: str) -> str:
    return name + kind[:1].upper() + kind[1:]


def member(items: Items, name: str) -> Items:
    """Children of a name; of a choice of types (`value`) the one that is there; a resource's own type name is itself."""
    found: Items = []
    for item in items:
        if not isinstance(item, dict):
            continue
        value = item.get(name)
        if value is None:
            value = _chosen(item, name)
        if isinstance(value, list):
            found += [each for each in value if each is not None]
        elif value is not None:
            found.append(value)
    return found


def _plain(items: Items, name: str) -> Items:
    """Children of a name that is neither a choice nor a type."""
    found: Items = []
    for item in items:
        value = item.get(name) if isinstance(item, dict) else None
        if isinstance(value, list):
            found += [each for each in value if each is not None]
        elif value is not None:
            found.append(value)
    return found


@cache
def _stems() -> frozenset[str]:
    """Names of elements that are a choice of types somewhere in R4 (https://hl7.org/fhir/R4/formats.html#choice)."""
    structs = [each for each in vars(r4).values() if isinstance(each, type) and issubclass(each, Struct)]
    return frozenset(stem for struct in structs for stem in struct.CHOICES)


def _chosen(item: dict[str, Any], name: str) -> Any:
    if item.get("resourceType") == name:
        return item
    size = len(name)
    return (
        next((v for k, v in item.items() if len(k) > size and k.startswith(name) and k[size].isupper()), None)
        if size
        else None
    )


_SIMPLE: Mapping[str, type | tuple[type, ...]] = {
    "boolean": bool, "string": str, "integer": int, "decimal": (int, Decimal, float), "String": str, "Boolean": bool,
    "Integer": int, "Decimal": (int, Decimal, float),
}  # fmt: skip


def _chosen_as(before: Path, name: str, kind: str) -> Path:
    """`value.ofType(Quantity)`: in JSON a choice names its type in its key (`valueQuantity`), a resource in `resourceType`."""
    key = _choice(name, kind)

    def run(items: Items, scene: Scene) -> Items:
        focus = before(items, scene)
        found = _plain(focus, key)
        if kind in ("dateTime", "instant"):
            return [Moment(item) for item in found]
        return found or [i for i in _plain(focus, name) if isinstance(i, dict) and i.get("resourceType") == kind]

    return run


def of_type(items: Items, kind: str) -> Items:
    """Items of a type, as far as JSON tells types apart."""
    if kind in _SIMPLE:
        return [
            i for i in items if isinstance(i, _SIMPLE[kind]) and (isinstance(i, bool) == (kind.lower() == "boolean"))
        ]
    return [item for item in items if isinstance(item, dict) and item.get("resourceType", kind) == kind]


def _indexed(path: Path, index: Path) -> Path:
    def run(items: Items, scene: Scene) -> Items:
        found, at = path(items, scene), index(items, scene)
        return found[at[0] : at[0] + 1] if at and at[0] >= 0 else []

    return run


def binary(sign: str, left: Path, right: Path) -> Path:
    """Operator of two operands."""
    from .operators import OPERATORS  # noqa: PLC0415 - as in `call`

    if sign not in OPERATORS:
        raise refusal(f"The operator {sign} is not supported here.")
    work = OPERATORS[sign]
    return lambda items, scene: work(left(items, scene), right(items, scene))
