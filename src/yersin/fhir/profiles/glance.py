"""Whether a resource surely has no error by R4, told in a small part of the time that judging it takes.

Every write is asked this. "No" only means that `Judge` must look, whose verdict counts: so what has no function here costs
time where it is present, and is never passed over. What is asked of elements comes from the same definitions as the
judge's: allowed targets of references, bindings, profiles of types, rules (`kept`), and what stands in words only (`special`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from yersin.fhir import kept, r4
from yersin.fhir.path.model import is_inside
from yersin.fhir.shapes import Element, shape
from yersin.fhir.structs import SIBLING, Struct, astuple

from .extensions import is_absolute, of_other_version
from .library import Library
from .parts import Binding, Part
from .published import BASE
from .questionnaires import Questionnaires
from .references import named_type, wanted
from .special import IN_WORDS, PUBLISHED, surely_special

Surely = Callable[[Any], bool]
_CODED: Mapping[str, Callable[[Any], Iterable[Any]]] = {
    "CodeableConcept": lambda concept: concept.coding or (),
    "Coding": lambda coding: (coding,),
}
#: what the profile of a type asks for beyond the type
_PROFILES: dict[str, Surely] = {f"{BASE}SimpleQuantity": lambda quantity: quantity.comparator is None}


class Terms(Protocol):
    """What is known of codes without asking a database."""

    def is_surely_code(self, system: str, code: str) -> bool:
        """Whether it is known that a code is not wrong in its system."""

    def is_surely_member(self, system: str, code: str, value_set: str) -> bool:
        """Whether it is known that a code is not outside a value set."""


class _Table(NamedTuple):
    rules: tuple[Surely, ...]
    #: for each attribute what is asked of its value; None: nothing
    steps: tuple[Surely | None, ...]
    is_element: bool


class Glance:
    """One a process. `library` is the one that the judge uses, and may be exchanged."""

    def __init__(self, library: Library, terms: Terms, questionnaires: Questionnaires | None = None) -> None:
        self._questionnaires = questionnaires
        self.library = library
        self._terms = terms
        self._own = Library()
        self._tables: dict[type[Struct], _Table] = {}
        self._parts: dict[type[Struct], Part] = {}

    def is_sure(self, struct: Any) -> bool:
        """Whether a parsed resource, or an element of one, surely has no error."""
        table = self._tables.get(struct.__class__) or self._made(struct.__class__)
        for rule in table.rules:
            if not rule(struct):
                return False
        present = 0
        for value, step in zip(astuple(struct), table.steps, strict=True):
            if value is not None:
                present += 1
                if step is not None and not step(value):
                    return False
        # an id alone is no content (ele-1)
        return not table.is_element or present > (struct.id is not None)

    # --- tables ------------------------------------------------------------------------------------------------

    def _made(self, struct: type[Struct]) -> _Table:
        part = self._parts[struct] if is_inside(struct) else self._own.type(struct.__name__)
        rules = [*kept.sure_of(struct), *self._in_words(struct)]
        by_attribute = {element.attribute: element for element in shape(struct).values()}
        steps = tuple(
            self._step(by_attribute[name], part) if name in by_attribute else None for name in struct.__struct_fields__
        )
        is_element = not issubclass(struct, r4.Resource)
        self._tables[struct] = _Table(tuple(dict.fromkeys(rules)), steps, is_element)
        return self._tables[struct]

    def _in_words(self, struct: type[Struct]) -> Iterator[Surely]:
        if struct is r4.Extension:
            yield self._extension
        if struct is r4.Coding:
            yield self._coding
        if struct is r4.QuestionnaireResponse:
            yield self._answers
        if struct.__name__ in IN_WORDS:
            yield _never
        if (special := surely_special(struct.__name__)) is not None:
            yield special

    def _step(self, element: Element, part: Part) -> Surely | None:
        """What is asked of an element: what its definition says, then what stands in it."""
        if element.type in ("Resource", "AnyResource"):
            return _never
        below: Surely | None = None
        if not element.primitive or element.attribute.endswith(SIBLING):
            below = self.is_sure
        asked: list[Surely] = []
        named = self._child(element, part)
        if named is not None and element.attribute.endswith(SIBLING):
            # where a code is required, an extension in its place is none
            asked = [_never] if named.binding and named.binding.strength == "required" else []
        elif named is not None:
            self._remember(element, named)
            asked = [*self._asked(element, named)]
        if element.type == "Extension" and part.name != "Extension":
            asked.append(lambda extension: is_absolute(extension.url))
        return _together([*asked, *([below] if below else [])], many=element.many)

    def _child(self, element: Element, part: Part) -> Part | None:
        children = part.children
        if children is None:
            opened = self._own.opened(part, part)
            children = opened.children if opened else None
        return (children or {}).get(element.path) or (children or {}).get(f"{element.path}[x]")

    def _remember(self, element: Element, part: Part) -> None:
        """Keep the definition of an element that has a class of its own."""
        struct = getattr(r4, element.type, None)
        if isinstance(struct, type) and issubclass(struct, Struct) and is_inside(struct):
            self._parts.setdefault(struct, part)

    def _asked(self, element: Element, part: Part) -> Iterator[Surely]:
        types = wanted(part, self._own) if element.type == "Reference" else []
        if types and not {"Resource", "DomainResource"} & set(types):
            yield _refers(frozenset(types))
        binding = part.binding
        if binding is not None and (binding.most or binding.strength == "required") and not element.codes:
            yield self._bound(element, binding)
        for each in part.types:
            if each.get("code") == element.type:
                yield from (_PROFILES.get(url, _never) for url in each.get("profile", ()))
        if part.fixed or part.pattern or part.longest or part.bounds != (None, None):
            yield _never

    def _bound(self, element: Element, binding: Binding) -> Surely:
        sets = [url for url in (binding.most, binding.value_set if binding.strength == "required" else "") if url]
        member = self._terms.is_surely_member
        if element.type in _CODED:
            codings = _CODED[element.type]

            def of_concept(value: Any) -> bool:
                codes = [(each.system or "", each.code) for each in codings(value) if each.code]
                return bool(codes) and all(any(member(*code, url) for code in codes) for url in sets)

            return of_concept
        if element.primitive:
            return lambda value: all(member("", value, url) for url in sets)
        return _never

    # --- what is asked of types ----------------------------------------------------------------------------------

    def _coding(self, coding: Any) -> bool:
        system, code = coding.system, coding.code
        if system is None or code is None or not system.startswith(PUBLISHED):
            return True
        return self._terms.is_surely_code(system, code)

    def _answers(self, response: Any) -> bool:
        """Whether answers are judged by no questionnaire."""
        url = response.questionnaire
        return url is None or (self._questionnaires is not None and self._questionnaires.is_surely_absent(url))

    def _extension(self, extension: Any) -> bool:
        """Whether an extension is unknown, and so judged by nobody; the names of its parts are then not judged either."""
        url = extension.url
        return url is not None and not of_other_version(url) and self.library.find(url) is None


def _never(_: Any) -> bool:
    return False


def _together(asked: list[Surely], *, many: bool) -> Surely | None:
    if not asked:
        return None
    one = asked[0] if len(asked) == 1 else lambda value: all(each(value) for each in asked)
    if not many:
        return one
    return lambda values: all(value is None or one(value) for value in values)


def _refers(types: frozenset[str]) -> Surely:
    def surely(value: Any) -> bool:
        reference = value.reference
        if reference is None:
            return True
        kind, _, rest = reference.partition("/")
        if kind in types and "/" not in rest:
            return True
        if reference[:1] == "#":
            return False
        actual = named_type(reference)
        return actual is None or actual in types

    return surely
