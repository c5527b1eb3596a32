"""A compiled expression: run it on a resource. Source: https://hl7.org/fhirpath/N1/"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .calling import Code, Function
from .compiling import Compiler
from .grammar import Dot, Name, Special, parse
from .items import Items, item, plain
from .operators import truth
from .refusal import impossible
from .scene import NOTHING, Environment, Scene


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """An expression, ready to run."""

    text: str
    code: Code
    strict: bool = False

    def __call__(self, focus: Any, environment: Environment = NOTHING) -> Items:
        """Run on a resource, an element or a value; None is the empty collection. Raises CannotEvaluate."""
        items = [] if focus is None else [item(focus)]
        return self.run(items, Scene(items, environment, strict=self.strict))

    def run(self, items: Items, scene: Scene) -> Items:
        """Run on items in a scene that several expressions share. Raises CannotEvaluate."""
        try:
            return self.code(items, scene)
        except RecursionError:
            raise impossible("The expression nests too deeply", code="too-costly") from None

    def values(self, focus: Any, environment: Environment = NOTHING) -> list[Any]:
        """Give what it finds as JSON has it. Raises CannotEvaluate."""
        return [plain(found) for found in self(focus, environment)]

    def holds(self, focus: Any, environment: Environment = NOTHING) -> bool:
        """Whether it is true, as an invariant asks. Raises CannotEvaluate."""
        return truth(self(focus, environment)) is True


def compiled(
    text: str,
    *,
    strict: bool = False,
    known: Collection[str] | None = None,
    functions: Mapping[str, Function] | None = None,
) -> Expression:
    """Compile an expression. Raises NotFHIRPath, or CannotEvaluate for functions, types and variables that are not there.

    `strict` refuses elements a type does not have; `known` are all variables there will be; `functions` adds some.
    """
    if known is None and not functions:
        return _cached(text, strict=strict)
    return _compiled(text, strict=strict, known=known, functions=functions or {})


@lru_cache(maxsize=1024)
def _cached(text: str, *, strict: bool) -> Expression:
    return _compiled(text, strict=strict, known=None, functions={})


def _compiled(
    text: str, *, strict: bool, known: Collection[str] | None, functions: Mapping[str, Function]
) -> Expression:
    compiler = Compiler(known=known, more=functions, ordered=strict)
    return Expression(text=text, code=compiler.code(parse(text)), strict=strict)


@lru_cache(maxsize=1024)
def last_step(text: str) -> tuple[Expression, str] | None:
    """Split an expression that ends with the name of an element: what comes before, and the name; None for others.

    It is strict. Raises NotFHIRPath, or CannotEvaluate for what is not there.
    """
    match parse(text):
        case Dot(left=before, right=Name(name=name)):
            pass
        case Name(name=name) if name[:1].islower():
            before = Special("$this")
        case _:
            return None
    code = Compiler(known=None, more={}, ordered=True).code(before)
    return Expression(text=text, code=code, strict=True), name
