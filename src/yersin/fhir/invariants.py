"""The rules that R4's definitions state in FHIRPath, checked on a resource: `check(resource)`.

A rule that cannot be told (empty) is kept. ele-1 is checked without its expression, since it stands at every element.
Rules whose published expression no engine could run as meant are amended here, with the reason.
Source: https://hl7.org/fhir/R4/conformance-rules.html#constraints
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from yersin.fhir import r4
from yersin.fhir.path import CannotEvaluate, Environment, Expression, Node, Scene, compiled
from yersin.fhir.path.items import field, root
from yersin.fhir.path.model import Kind, Member, is_inside
from yersin.fhir.path.operators import truth
from yersin.fhir.path.tree import children_named
from yersin.fhir.problem import Issue
from yersin.fhir.shapes import shape, struct_of
from yersin.fhir.structs import Struct

#: rule to (what is written, what is meant, why)
AMENDED = {
    "dom-3": (".as(", ".ofType(", "as() takes one item; all descendants of a type are meant"),
    "que-12": ("count() > 2", "count() > 1", "its words say: if there are more than one enableWhen"),
    "que-7": ("is Boolean", "is boolean", "an answer is of FHIR's boolean, not of System's"),
}
_NATIVE = frozenset({"ele-1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One invariant, compiled."""

    key: str
    severity: str
    expression: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a type owes itself, and what it says of its elements."""

    own: tuple[Rule, ...]
    elements: dict[str, tuple[Rule, ...]]


def check(resource: Any) -> list[Issue]:
    """Every invariant that a resource breaks, with its place; warnings among them."""
    top = root(resource)
    found: list[Issue] = []
    _resource(top, top, top.kind.name, found)
    return found


def _resource(node: Node, container: Node, place: str, found: list[Issue]) -> None:
    environment = Environment(resource=node, root_resource=container)
    _element(node, Scene([node], environment), place, found)


def _element(node: Node, scene: Scene, place: str, found: list[Issue]) -> None:
    rules = _rules(node.kind)
    if not _has_content(node):
        found.append(_issue("error", place, "ele-1: an element has a value or children"))
    _judge(rules.own, node, scene, place, found)
    value = node.sibling if node.kind.primitive else node.value
    for name, members in node.kind.steps.items():
        if len(members) == 1 and not _is_there(value, members[0]):
            continue
        of_element = rules.elements.get(name, ())
        for number, child in enumerate(children_named([node], scene, name)):
            where = f"{place}.{name}[{number}]" if members[0].many else f"{place}.{name}"
            _judge(of_element, child, scene, where, found)
            if child.kind.is_resource:
                _resource(child, node if name == "contained" else child, where, found)
            elif not child.kind.primitive or child.sibling is not None:
                _element(child, scene, where, found)


def _is_there(value: Any, member: Member) -> bool:
    """Whether an element is written: most elements are not, and asking is cheap."""
    if value.__class__ is dict:
        return member.name in value or "_" + member.name in value
    if getattr(value, member.attribute, None) is not None:
        return True
    return member.kind.primitive and getattr(value, member.sibling, None) is not None


def _has_content(node: Node) -> bool:
    if node.kind.is_resource or (node.kind.primitive and node.value is not None):
        return True
    value = node.sibling if node.kind.primitive else node.value
    names = value if isinstance(value, dict) else value.__struct_fields__ if value is not None else ()
    return any(name != "id" and field(value, name) is not None for name in names)


def _judge(rules: tuple[Rule, ...], node: Node, scene: Scene, place: str, found: list[Issue]) -> None:
    for rule in rules:
        try:
            met = truth(rule.expression.run([node], scene))
        except CannotEvaluate as reason:
            found.append(_issue("warning", place, f"{rule.key} could not be told: {reason}"))
            continue
        if met is False:
            found.append(_issue(rule.severity, place, f"{rule.key}: {rule.expression.text}"))


def _issue(severity: str, place: str, words: str) -> Issue:
    return Issue(code="invariant", severity=severity, expression=place, diagnostics=words)


@cache
def _rules(kind: Kind) -> Rules:
    """Give the rules of a type with those of its bases."""
    table = _table()
    names = [base.__name__ for base in kind.struct.__mro__ if base.__name__ in table] if kind.struct else ["Element"]
    own = [rule for name in names for rule in table[name].get("", ())]
    elements: dict[str, list[Rule]] = {}
    for name in names:
        for element, rules in table[name].items():
            if element:
                elements.setdefault(element, []).extend(rules)
    return Rules(own=tuple(own), elements={name: tuple(rules) for name, rules in elements.items()})


def errors_of(struct: type[Struct]) -> tuple[list[str], dict[str, list[str]]]:
    """Keys of the rules of severity error of a type itself, and of its elements, those of its bases among them."""
    table = _table()
    own: list[str] = []
    elements: dict[str, list[str]] = {}
    for name in (base.__name__ for base in struct.__mro__ if base.__name__ in table):
        for element, rules in table[name].items():
            keys = [rule.key for rule in rules if rule.severity == "error"]
            if element:
                elements.setdefault(element, []).extend(keys)
            else:
                own += keys
    return own, elements


def published() -> bytes:
    """Give the generated table as JSON: path to rows of key, severity and expression."""
    return resources.files(r4).joinpath("invariants.json").read_bytes()


@cache
def _table() -> dict[str, dict[str, list[Rule]]]:
    """Struct to element ("" for itself) to rules, from the generated file."""
    found: dict[str, dict[str, list[Rule]]] = {}
    for path, rows in msgspec.json.decode(published()).items():
        owner, element = _owner(path)
        rules = [_rule(*row) for row in rows if row[0] not in _NATIVE]
        found.setdefault(owner, {}).setdefault(element, []).extend(rules)
    found.setdefault("Element", {})
    return found


def _rule(key: str, severity: str, text: str) -> Rule:
    return Rule(key=key, severity=severity, expression=compiled(amended(key, text)))


def amended(key: str, text: str) -> str:
    """Give the expression of a rule as it is meant."""
    written, meant, _ = AMENDED.get(key, ("", "", ""))
    return text.replace(written, meant) if written else text


def _owner(path: str) -> tuple[str, str]:
    """Find where a path's rules stand: at a struct of its own, or at an element of one."""
    first, *names = path.split(".")
    struct: type[Struct] = struct_of(first)
    for number, name in enumerate(names):
        kind = next(e.type for e in shape(struct).values() if e.path == name.removesuffix("[x]"))
        child = getattr(r4, kind)
        if not (isinstance(child, type) and issubclass(child, Struct) and is_inside(child)):
            assert number == len(names) - 1, path  # noqa: S101 - the generated table is ours
            return struct.__name__, name.removesuffix("[x]")
        struct = child
    return struct.__name__, ""
