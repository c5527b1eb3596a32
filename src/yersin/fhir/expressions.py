"""The FHIRPath subset of R4's SearchParameter expressions, compiled to plain Python over the structs.

An expression is parsed and resolved against a schema (element names, types, cardinality) into flat paths; a path is
kept as text such as `telecom[]{system=phone}:ContactPoint`; Python source is made from paths, never interpreted.
Source: https://hl7.org/fhir/R4/searchparameter.html and https://hl7.org/fhirpath/N1/
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Protocol

from yersin.fhir.problem import problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One element of a path. `test` is empty, an index, `name=value`, `is Type` or `extension url`."""

    name: str
    many: bool = False
    test: str = ""

    def __str__(self) -> str:
        return self.name + ("[]" if self.many else "") + (f"{{{self.test}}}" if self.test else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """Steps from the resource to elements of one FHIR type; `system` is the code system a bound code implies.

    `unless` is set for the one boolean form: true when any of the names `either` is present and is not that literal.
    """

    steps: tuple[Step, ...] = ()
    type: str = ""
    system: str = ""
    either: tuple[str, ...] = ()
    unless: str = ""

    def __str__(self) -> str:
        where = f"?{','.join(self.either)}!={self.unless}" if self.either else ".".join(map(str, self.steps))
        return f"{where}:{self.type}" + (f"|{self.system}" if self.system else "")


class Schema(Protocol):
    """What the resolver asks of the definitions."""

    def children(self, type_name: str, name: str) -> Sequence[tuple[str, str, bool, str]]:
        """Give (JSON name, type, repeats, implied system) of an element; a choice gives one for each of its types."""
        ...


_STEP = re.compile(r"(\w+)(\[\])?(?:\{([^}]*)\})?(?:\.|$)")
_BRACED = re.compile(r"\{[^}]*\}")


@cache
def path(text: str) -> Path:
    """Read a path back from its text."""
    blank = _BRACED.sub(lambda found: "_" * len(found.group()), text)
    cut = blank.index(":")
    where, kind = text[:cut], text[cut + 1 :]
    kind, _, system = kind.partition("|")
    if where.startswith("?"):
        names, _, literal = where[1:].partition("!=")
        return Path(type=kind, system=system, either=tuple(names.split(",")), unless=literal)
    steps = tuple(Step(name=n, many=bool(m), test=t) for n, m, t in _STEP.findall(where) if n)
    return Path(steps=steps, type=kind, system=system)


# --- parsing -----------------------------------------------------------------------------------------------------

_LEXEME = re.compile(r"\s*(?:('(?:[^'\\]|\\.)*')|(%?[A-Za-z_]\w*)|(\d+)|(!=|[().|\[\]=,]))")

# A node is ("name", n) ("root",) ("call", n, args) ("literal", text) ("dot", a, b) ("index", a, n) or (operator, a, b).
Node = tuple[Any, ...]


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.lexemes: list[str] = []
        at = 0
        while at < len(text.rstrip()):
            found = _LEXEME.match(text, at)
            if found is None:
                raise self.refuse(text[at:])
            self.lexemes.append(found.group().strip())
            at = found.end()
        self.at = 0

    def refuse(self, near: str) -> Exception:
        return problem("not-supported", f"The search expression cannot be read near «{near[:40]}»: {self.text[:200]}")

    def peek(self) -> str:
        return self.lexemes[self.at] if self.at < len(self.lexemes) else ""

    def take(self, *wanted: str) -> str:
        token = self.peek()
        if not token or (wanted and token not in wanted):
            raise self.refuse(token or "its end")
        self.at += 1
        return token

    def whole(self) -> Node:
        node = self.binary(0)
        if self.peek():
            raise self.refuse(self.peek())
        return node

    LEVELS = (("and",), ("=", "!="), ("|",), ("as", "is"))

    def binary(self, level: int) -> Node:
        if level == len(self.LEVELS):
            return self.postfix()
        left = self.binary(level + 1)
        while self.peek() in self.LEVELS[level]:
            operator = self.take()
            left = (operator, left, self.binary(level + 1))
        return left

    def postfix(self) -> Node:
        node = self.primary()
        while self.peek() in {".", "["}:
            if self.take() == ".":
                node = ("dot", node, self.invocation())
            else:
                node = ("index", node, self.take())
                self.take("]")
        return node

    def primary(self) -> Node:
        if self.peek() == "(":
            self.take()
            node = self.binary(0)
            self.take(")")
            return node
        if self.peek().startswith("'"):
            return ("literal", self.take()[1:-1])
        return self.invocation()

    def invocation(self) -> Node:
        name = self.take()
        if self.peek() != "(":
            return ("root",) if name == "%resource" else ("name", name)
        self.take()
        args: list[Node] = []
        while self.peek() != ")":
            args.append(self.binary(0))
            if self.peek() == ",":
                self.take()
        self.take(")")
        return ("call", name, tuple(args))


def parse(text: str) -> Node:
    """Parse an expression; what lies outside the subset is refused."""
    return _Parser(text).whole()


# --- resolving ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resolver:
    schema: Schema
    type_name: str
    text: str

    def refuse(self, what: str = "") -> Exception:
        why = f" ({what})" if what else ""
        return problem(
            "not-supported", f"The search expression uses what this server does not know{why}: {self.text[:200]}"
        )

    def paths(self, node: Node, focus: list[Path]) -> list[Path]:
        method = getattr(self, f"_on_{_METHODS.get(node[0], node[0])}", None)
        if method is None:
            raise self.refuse()
        found: list[Path] = method(node, focus)
        return found

    def _on_root(self, _node: Node, _focus: list[Path]) -> list[Path]:
        return [Path(type=self.type_name)]

    def _on_name(self, node: Node, focus: list[Path]) -> list[Path]:
        name = node[1]
        if name[0].isupper():
            known = name in {self.type_name, "Resource", "DomainResource"}
            return [Path(type=self.type_name)] if known else []
        return [child for parent in focus for child in self._children(parent, name)]

    def _children(self, parent: Path, name: str) -> list[Path]:
        found = self.schema.children(parent.type, name)
        if not found:
            raise self.refuse(f"{name} of {parent.type}")
        return [
            Path(steps=(*parent.steps, Step(name=attribute(n), many=many)), type=kind, system=system)
            for n, kind, many, system in found
        ]

    def _on_dot(self, node: Node, focus: list[Path]) -> list[Path]:
        return self.paths(node[2], self.paths(node[1], focus))

    def _on_union(self, node: Node, focus: list[Path]) -> list[Path]:
        return list(dict.fromkeys(self.paths(node[1], focus) + self.paths(node[2], focus)))

    def _on_as(self, node: Node, focus: list[Path]) -> list[Path]:
        return self._of_type(self.paths(node[1], focus), node[2])

    def _of_type(self, found: list[Path], kind: Node) -> list[Path]:
        if kind[0] != "name":
            raise self.refuse()
        return [p for p in found if p.type.casefold() == kind[1].casefold()]

    def _on_index(self, node: Node, focus: list[Path]) -> list[Path]:
        return [self._numbered(p, node[2]) for p in self.paths(node[1], focus)]

    def _numbered(self, found: Path, number: str) -> Path:
        if not number.isdecimal() or not found.steps or not found.steps[-1].many:
            raise self.refuse(f"[{number}]")
        return self._tested(found, str(int(number)))

    def _tested(self, found: Path, test: str) -> Path:
        """Put a condition on the last element of a path; there is room for one."""
        if not found.steps or found.steps[-1].test:
            raise self.refuse("a second condition" if found.steps else "a condition on the resource itself")
        return replace(found, steps=(*found.steps[:-1], replace(found.steps[-1], test=test)))

    def _on_and(self, node: Node, focus: list[Path]) -> list[Path]:
        match node:
            case ("and", ("dot", one, ("call", "exists", ())), ("!=", other, ("name", literal))) if one == other:
                found = self.paths(one, focus)
                if literal not in {"true", "false"} or any(len(p.steps) != 1 or p.steps[0].many for p in found):
                    raise self.refuse()
                names = tuple(p.steps[0].name for p in found)
                return [Path(type="boolean", either=names, unless=literal)] if names else []
        raise self.refuse()

    def _on_call(self, node: Node, focus: list[Path]) -> list[Path]:
        match node:
            case ("call", "as" | "ofType", (kind,)):
                return self._of_type(focus, kind)
            case ("call", "extension", (("literal", url),)):
                return [self._tested(c, f"extension {url}") for p in focus for c in self._children(p, "extension")]
            case ("call", "where", (criterion,)):
                return [self._tested(p, self._test(criterion, p)) for p in focus]
        raise self.refuse()

    def _test(self, criterion: Node, of: Path) -> str:
        match criterion:
            case ("=", ("name", name), ("literal", value)):
                if [n for n, _, many, _ in self.schema.children(of.type, name) if not many] != [name]:
                    raise self.refuse(f"{name} of {of.type}")
                return f"{attribute(name)}={value}"
            case ("is", ("call", "resolve", ()), ("name", kind)) if of.type == "Reference":
                return f"is {kind}"
            case ("call", "hasExtension", (("literal", url),)) if self.schema.children(of.type, "extension"):
                return f"has {url}"
        raise self.refuse()


_METHODS = {"|": "union"}


def attribute(name: str) -> str:
    """Name the struct's attribute for a JSON name: Python's own words get a trailing underscore."""
    return name + "_" if keyword.iskeyword(name) else name


def resolve(expression: str, type_name: str, schema: Schema, *, base: Path | None = None) -> tuple[Path, ...]:
    """Resolve an expression for one type, from the resource or from `base`; parts about other types give nothing."""
    resolver = _Resolver(schema=schema, type_name=type_name, text=expression)
    return tuple(resolver.paths(parse(expression), [base or Path(type=type_name)]))


# --- source ------------------------------------------------------------------------------------------------------

Leaf = Callable[[Sequence[str]], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """Run a statement at each element of a path; `leaf` is given the variables on the way, the element last."""

    path: Path
    leaf: Leaf


def is_reference_to(reference: Any, kind: str) -> bool:
    """Tell whether a Reference names a resource of that type, by its text alone: nothing is fetched."""
    text = reference.reference
    if text is None:
        return bool(reference.type == kind)
    return bool(text.startswith(kind + "/") or f"/{kind}/" in text)


def has_extension(element: Any, url: str) -> bool:
    """Tell whether an element carries an extension."""
    return any(e.url == url for e in element.extension or ())


def statements(visits: Iterable[Visit]) -> list[str]:
    """Make the lines that walk all paths at once, each shared step only once; the resource is `r`."""
    lines: list[str] = []
    _walk(list(visits), 0, ["r"], lines)
    return lines or ["pass"]


def _walk(visits: list[Visit], depth: int, names: list[str], lines: list[str]) -> None:
    branches: dict[str, list[Visit]] = {}
    for visit in visits:
        if len(visit.path.steps) > depth:
            branches.setdefault(visit.path.steps[depth].name, []).append(visit)
        else:
            lines += _leaf_lines(visit, names)
    for name, branch in branches.items():
        value = f"v{depth}"
        inner: list[str] = []
        _branch(branch, depth, names, inner)
        lines.append(f"{value} = {names[-1]}.{name}")
        lines.append(f"if {value} is not None:")
        lines += ["    " + line for line in inner]


def _branch(branch: list[Visit], depth: int, names: list[str], lines: list[str]) -> None:
    step = branch[0].path.steps[depth]
    item = f"e{depth}" if step.many else f"v{depth}"
    inner: list[str] = []
    by_test: dict[str, list[Visit]] = {}
    for visit in branch:
        by_test.setdefault(visit.path.steps[depth].test, []).append(visit)
    for test, some in by_test.items():
        nested: list[str] = []
        _walk(some, depth + 1, [*names, item], nested)
        inner += nested if not test else [f"if {_condition(test, item, depth)}:", *("    " + line for line in nested)]
    counted = any(test.isdigit() for test in by_test)
    head = f"for n{depth}, {item} in enumerate(v{depth}):" if counted else f"for {item} in v{depth}:"
    lines += [head, *("    " + line for line in inner)] if step.many else inner


def _condition(test: str, item: str, depth: int) -> str:
    if test.isdigit():
        return f"n{depth} == {test}"
    word, _, rest = test.partition(" ")
    if word == "is":
        return f"is_reference_to({item}, {rest!r})"
    if word == "has":
        return f"has_extension({item}, {rest!r})"
    if word == "extension":
        return f"{item}.url == {rest!r}"
    name, _, value = test.partition("=")
    return f"{item}.{name} == {value!r}"


def _leaf_lines(visit: Visit, names: list[str]) -> list[str]:
    if not visit.path.either:
        return [visit.leaf(names)]
    present = " or ".join(
        f"(r.{n} is not None and r.{n} is not {visit.path.unless.title()})" for n in visit.path.either
    )
    return [f"v0 = {present}", visit.leaf([*names, "v0"])]


def compiled(lines: Sequence[str], parameters: str, scope: dict[str, Any], name: str) -> Callable[..., Any]:
    """Compile a function body made by `statements`; its tests need the two functions added to the scope here."""
    source = "\n".join([f"def visit({parameters}):", *("    " + line for line in lines)])
    space = {**scope, "is_reference_to": is_reference_to, "has_extension": has_extension}
    exec(compile(source, f"<search {name}>", "exec"), space)  # noqa: S102 - source made here from HL7's definitions
    made: Callable[..., Any] = space["visit"]
    return made


def extractor(paths: Sequence[Path]) -> Callable[[Any], list[Any]]:
    """Compile paths into a function from a resource to its values."""
    visits = [Visit(path=p, leaf=lambda names: f"out.append({names[-1]})") for p in paths]
    run = compiled(statements(visits), "r, out", {}, " ".join(map(str, paths))[:80])

    def values(resource: Any) -> list[Any]:
        out: list[Any] = []
        run(resource, out)
        return out

    return values
