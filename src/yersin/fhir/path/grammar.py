"""Expressions as a small tree. Source: https://hl7.org/fhirpath/N1/grammar.html"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeAlias

from . import temporal
from .lexer import Token, tokens
from .model import TypeName
from .quantities import CALENDAR_WORDS, Quantity, made
from .refusal import NotFHIRPath, unreadable

#: how deep the tree of an expression may grow
DEEPEST = 150
#: binary operators, the tighter the higher
_TIGHTNESS = {
    "implies": 1, "or": 2, "xor": 2, "and": 3, "in": 4, "contains": 4, "=": 5, "~": 5, "!=": 5, "!~": 5, "<": 6,
    ">": 6, "<=": 6, ">=": 6, "|": 7, "is": 8, "as": 8, "+": 9, "-": 9, "&": 9, "*": 10, "/": 10, "div": 10, "mod": 10,
}  # fmt: skip
#: words of the grammar that may also name an element
_ALSO_NAMES = frozenset({"as", "contains", "in", "is"})
_RESERVED = frozenset({"and", "or", "xor", "implies", "div", "mod", "true", "false"})


@dataclass(frozen=True, slots=True)
class Literal:
    """A value."""

    value: Any


@dataclass(frozen=True, slots=True)
class Nothing:
    """The empty collection, {}."""


@dataclass(frozen=True, slots=True)
class Name:
    """An element, or a type where one may stand. `first` when nothing stands before it."""

    name: str
    first: bool
    at: int


@dataclass(frozen=True, slots=True)
class Special:
    """$this, $index or $total."""

    name: str


@dataclass(frozen=True, slots=True)
class Constant:
    """A variable of the environment."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the focus."""

    name: str
    arguments: tuple[Tree, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Dot:
    """What stands on the right, asked of what stands on the left."""

    left: Tree
    right: Name | Call | Special


@dataclass(frozen=True, slots=True)
class At:
    """An item by its number."""

    left: Tree
    index: Tree


@dataclass(frozen=True, slots=True)
class Sign:
    """A plus or minus before an operand."""

    sign: str
    operand: Tree


@dataclass(frozen=True, slots=True)
class Binary:
    """An operator of two operands."""

    sign: str
    left: Tree
    right: Tree


@dataclass(frozen=True, slots=True)
class Typed:
    """`is` or `as` with a type."""

    sign: str
    left: Tree
    type: TypeName


Tree: TypeAlias = Literal | Nothing | Name | Special | Constant | Call | Dot | At | Sign | Binary | Typed


@lru_cache(maxsize=512)
def parse(text: str) -> Tree:
    """Read an expression. Raises NotFHIRPath with the place of what is wrong."""
    reader = _Reader(text)
    try:
        tree = reader.expression(0)
    except RecursionError:
        raise unreadable(text, 0, "The expression nests too deeply") from None
    if reader.now.kind != "end":
        raise reader.refuse("An operator or the end is missing before this")
    return tree


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokens(text)
        self.at = 0
        self.depth = 0

    @property
    def now(self) -> Token:
        return self.tokens[self.at]

    def refuse(self, words: str) -> NotFHIRPath:
        return unreadable(self.text, self.now.at, words)

    def take(self) -> Token:
        self.at += 1
        return self.tokens[self.at - 1]

    def expect(self, sign: str) -> None:
        if not self.is_sign(sign):
            raise self.refuse(f"«{sign}» is missing")
        self.at += 1

    def is_sign(self, sign: str) -> bool:
        return self.now.kind == "sign" and self.now.text == sign

    def expression(self, least: int) -> Tree:
        self.deeper(1)
        left = self.signed()
        grown = 0
        while (tightness := self.operator()) > least:
            sign = self.take().text
            left = self.grown(left, sign, tightness)
            grown += 1
            self.deeper(1)
        self.depth -= 1 + grown
        return left

    def grown(self, left: Tree, sign: str, tightness: int) -> Tree:
        if sign in ("is", "as"):
            return Typed(sign, left, self.type_name())
        return Binary(sign, left, self.expression(tightness))

    def deeper(self, levels: int) -> None:
        self.depth += levels
        if self.depth > DEEPEST:
            raise self.refuse(f"The expression nests deeper than {DEEPEST} levels")

    def operator(self) -> int:
        return _TIGHTNESS.get(self.now.text, 0) if self.now.kind in ("sign", "word") else 0

    def signed(self) -> Tree:
        if self.is_sign("+") or self.is_sign("-"):
            self.deeper(1)
            sign = self.take().text
            made_ = Sign(sign, self.signed())
            self.depth -= 1
            return made_
        return self.invocations()

    def invocations(self) -> Tree:
        tree = self.term()
        grown = 0
        while self.is_sign(".") or self.is_sign("["):
            if self.take().text == "[":
                tree = At(tree, self.expression(0))
                self.expect("]")
            else:
                tree = Dot(tree, self.invocation(first=False))
            grown += 1
            self.deeper(1)
        self.depth -= grown
        return tree

    def term(self) -> Tree:
        token = self.now
        match token.kind:
            case "string":
                self.at += 1
                return Literal(token.text)
            case "number":
                return self.number()
            case "date" | "moment" | "time":
                return self.temporal()
            case "constant":
                self.at += 1
                return Constant(token.text, token.at)
            case "word" if token.text in ("true", "false"):
                self.at += 1
                return Literal(token.text == "true")
            case "sign":
                return self.bracketed()
        return self.invocation(first=True)

    def number(self) -> Tree:
        text = self.take().text
        unit = self.now
        if unit.kind == "string":
            self.at += 1
            return Literal(Quantity(Decimal(text), unit.text))
        if unit.kind == "word" and unit.text in CALENDAR_WORDS:
            self.at += 1
            return Literal(made(Decimal(text), unit.text))
        return Literal(Decimal(text) if "." in text or len(text) > 10 else int(text))

    def temporal(self) -> Tree:
        token = self.now
        read = {"date": temporal.date, "moment": temporal.moment, "time": temporal.time}[token.kind]
        value = read(token.text)
        if value is None:
            raise self.refuse("There is no such day or time")
        self.at += 1
        return Literal(value)

    def bracketed(self) -> Tree:
        if self.is_sign("{"):
            self.at += 1
            self.expect("}")
            return Nothing()
        if not self.is_sign("("):
            raise self.refuse("A value, a name or a bracket is missing before this")
        self.at += 1
        inner = self.expression(0)
        self.expect(")")
        return inner

    def invocation(self, *, first: bool) -> Name | Call | Special:
        token = self.now
        if token.kind == "special":
            self.at += 1
            return Special(token.text)
        name = self.identifier(first=first)
        if self.is_sign("(") and token.kind == "word":
            return Call(name, self.arguments(), token.at)
        return Name(name, first, token.at)

    def identifier(self, *, first: bool) -> str:
        token = self.now
        if token.kind not in ("word", "delimited"):
            raise self.refuse("The expression is not complete" if token.kind == "end" else "A name is missing here")
        if token.kind == "word" and first and token.text in _RESERVED - _ALSO_NAMES:
            raise self.refuse(f"«{token.text}» needs something before it")
        self.at += 1
        return token.text

    def arguments(self) -> tuple[Tree, ...]:
        self.expect("(")
        found: list[Tree] = []
        while not self.is_sign(")"):
            if found and not self.is_sign(","):
                raise self.refuse("«)» is missing")
            self.at += bool(found)
            found.append(self.expression(0))
        self.at += 1
        return tuple(found)

    def type_name(self) -> TypeName:
        at = self.at
        names = [self.identifier(first=True)]
        while self.is_sign("."):
            self.at += 1
            names.append(self.identifier(first=False))
        found = type_name(names)
        if found is None or not found.exists:
            self.at = at
            raise self.refuse(f"There is no type {'.'.join(names)}")
        return found


def type_name(names: list[str]) -> TypeName | None:
    """Make the name of a type of its one or two parts."""
    if len(names) > 2:
        return None
    return TypeName(namespace=names[0] if len(names) == 2 else "", name=names[-1])


def type_argument(tree: Tree) -> TypeName | None:
    """Read an argument that names a type; None when it is something else."""
    match tree:
        case Name(name=name):
            return type_name([name])
        case Dot(left=Name(name=space), right=Name(name=name)):
            return type_name([space, name])
    return None
