"""Whether a resource surely has no error by R4, told in a small part of the time that judging it takes.

Every write is asked this. "No" only means that `Judge` must look, whose verdict counts: so what has no function here costs
time where it is present, and is never passed over. What is asked of elements comes from the same definitions as the
judge's: allowed targets of references, bindings, profiles of types, rules (`kept`), and what stands in words only (`special`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

from yersin.fhir import kept, r4
from yersin.fhir.path.model import is_inside
from yersin.fhir.shapes import Element, shape
from yersin.fhir.structs import SIBLING, Struct, astuple

from .addresses import is_absolute, is_canonical, is_whole
from .extensions import of_other_version
from .library import Library, Tree
from .parts import Binding, Part
from .published import BASE
from .questionnaires import Questionnaires
from .references import is_formed, named_type, wanted
from .special import IN_WORDS, PUBLISHED, is_definition, surely_special

Surely = Callable[[Any], bool]
_CODED: Mapping[str, Callable[[Any], Iterable[Any]]] = {
    "CodeableConcept": lambda concept: concept.coding or (),
    "Coding": lambda coding: (coding,),
}
#: what the profile of a type asks for beyond the type
_PROFILES: dict[str, Surely] = {f"{BASE}SimpleQuantity": lambda quantity: quantity.comparator is None}


_IS_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}\Z").match
_URIS = frozenset({"Uri", "Url", "Canonical"})
#: elements of an extension, and the rule that all keep by `kept`
_IN_EXTENSIONS = frozenset({"id", "extension", "url", "value[x]"})
_OF_EXTENSIONS = frozenset({"ext-1"})


class Terms(Protocol):
    """What is known of codes without asking a database."""

    def is_surely_code(self, system: str, code: str) -> bool:
        """Whether it is known that a code is not wrong in its system."""

    def is_surely_member(self, system: str, code: str, value_set: str) -> bool:
        """Whether it is known that a code is not outside a value set."""


_Steps = tuple[tuple[int, Surely], ...]


class _Table(NamedTuple):
    rules: tuple[Surely, ...]
    #: places of attributes of which something is asked, and what
    steps: _Steps
    #: the same of what stands beside primitive values, mostly nothing; and what takes that out
    steps_beside: _Steps
    beside: Callable[[tuple[Any, ...]], tuple[Any, ...]] | None
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
        self._known: dict[str, Surely] = {}
        self._places: dict[str, frozenset[str] | None] = {}
        self._known_of = library
        #: types of what the resource that is looked at contains, by id
        self._contained: dict[str, str] = {}

    def is_sure(self, resource: Any) -> bool:
        """Whether a parsed resource surely has no error."""
        inside = getattr(resource, "contained", None)
        self._contained = {each.id: each.resourceType for each in inside} if inside else {}
        if inside and (len(self._contained) < len(inside) or None in self._contained):
            return False
        return self._is_sure(resource)

    def _is_sure(self, struct: Any) -> bool:
        table = self._tables.get(struct.__class__) or self._made(struct.__class__)
        for rule in table.rules:
            if not rule(struct):
                return False
        values = astuple(struct)
        for place, step in table.steps:
            value = values[place]
            if value is not None and not step(value):
                return False
        beside = table.beside
        if beside is not None and not _is_empty(beside(values)):
            for place, step in table.steps_beside:
                value = values[place]
                if value is not None and not step(value):
                    return False
        # an id alone is no content (ele-1)
        return not table.is_element or len(values) - values.count(None) > (struct.id is not None)

    # --- tables ------------------------------------------------------------------------------------------------

    def _made(self, struct: type[Struct]) -> _Table:
        part = self._parts[struct] if is_inside(struct) else self._own.type(struct.__name__)
        # ref-1 asks what `_refers` is asked, which knows the container
        rules = [*(each for each in kept.sure_of(struct) if each is not kept.RULES["ref-1"]), *self._in_words(struct)]
        by_attribute = {element.attribute: element for element in shape(struct).values()}
        steps: list[tuple[int, Surely]] = []
        beside: list[tuple[int, Surely]] = []
        for place, name in enumerate(struct.__struct_fields__):
            if name in by_attribute and (step := self._step(by_attribute[name], part)) is not None:
                (beside if name.endswith(SIBLING) else steps).append((place, step))
        # of one place alone, `itemgetter` would give no tuple
        taken = itemgetter(*(place for place, _ in beside), beside[0][0]) if beside else None
        is_element = not issubclass(struct, r4.Resource)
        self._tables[struct] = _Table(tuple(dict.fromkeys(rules)), tuple(steps), tuple(beside), taken, is_element)
        return self._tables[struct]

    def _in_words(self, struct: type[Struct]) -> Iterator[Surely]:
        if struct is r4.Extension:
            yield self._extension
        if struct is r4.Coding:
            yield self._coding
        if struct is r4.QuestionnaireResponse:
            yield self._answers
        if struct is r4.Reference:
            yield _is_of_type
        if is_definition(struct.__struct_fields__):
            yield lambda definition: definition.url is None or is_absolute(definition.url)
        if struct.__name__ in IN_WORDS:
            yield _never
        if (special := surely_special(struct.__name__)) is not None:
            yield special

    def _step(self, element: Element, part: Part) -> Surely | None:
        """What is asked of an element: what its definition says, then what stands in it."""
        if element.attribute == "contained":
            return _together([_claims_nothing, self._is_sure], many=True)
        if element.type in ("Resource", "AnyResource"):
            return _never
        below: Surely | None = None
        if not element.primitive or element.attribute.endswith(SIBLING):
            below = self._is_sure
        asked: list[Surely] = []
        named = self._child(element, part)
        if named is not None and element.attribute.endswith(SIBLING):
            # where a code is required, an extension in its place is none
            asked = [_never] if named.binding and named.binding.strength == "required" else []
        elif named is not None:
            self._remember(element, named)
            asked = [*self._asked(element, named)]
        elif element.type == "Reference":
            asked = [self._refers(frozenset(r4.TYPE_NUMBER), is_any=True)]
        if element.type in _URIS and not element.attribute.endswith(SIBLING):
            asked.append(is_canonical if element.type == "Canonical" else is_whole)
        if element.type == "Extension":
            asked.append(self._standing(part))
        if element.attribute == "modifierExtension":
            asked.append(self._is_unknown)
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
        if element.type == "Reference":
            is_any = not types or bool({"Resource", "DomainResource"} & set(types))
            yield self._refers(frozenset(r4.TYPE_NUMBER if is_any else types), is_any=is_any)
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
                return bool(codes) and all(any(code[0] and member(*code, url) for code in codes) for url in sets)

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
        if url is not None and url[:1] == "#":
            return False
        return url is None or (self._questionnaires is not None and self._questionnaires.is_surely_absent(url))

    def _extension(self, extension: Any) -> bool:
        """Whether an extension is unknown, and so judged by nobody, or has but the value that its definition asks for."""
        self._freshen()
        url = extension.url
        if url is None:
            return False
        known = self._known.get(url)
        if known is None:
            known = self._known[url] = self._defined(url)
        return known(extension)

    def _freshen(self) -> None:
        """Forget what was known of extensions when others have been defined."""
        if self._known_of is not self.library:
            self._known, self._places, self._known_of = {}, {}, self.library

    def _standing(self, part: Part) -> Surely:
        """What is asked of extensions for where they stand."""
        here = frozenset({"Element", part.name, str(part.own.get("path", part.name))})
        is_inside_another = part.name == "Extension"

        def surely(extension: Any) -> bool:
            url = extension.url
            if url is None or not is_absolute(url):
                return is_inside_another and url is not None
            self._freshen()
            if url not in self._places:
                self._places[url] = _places(self.library.find(url))
            places = self._places[url]
            return places is None or not places.isdisjoint(here)

        return surely

    def _refers(self, types: frozenset[str], *, is_any: bool) -> Surely:
        def surely(value: Any) -> bool:
            reference = value.reference
            if reference is None:
                return True
            kind, _, rest = reference.partition("/")
            if kind in types and _IS_ID(rest):
                return True
            if reference[:1] == "#":
                return self._contained.get(reference[1:]) in types
            actual = named_type(reference)
            return (is_any or actual is None or actual in types) and is_formed(reference)

        return surely

    def _defined(self, url: str) -> Surely:
        """What is asked of extensions of a url."""
        if of_other_version(url):
            return _never
        if self.library.find(url) is None:
            return _always
        tree = self.library.tree(url)
        return _simple(tree) if tree is not None and tree.url == url else _never

    def _is_unknown(self, extension: Any) -> bool:
        return self.library.find(extension.url) is None


def _simple(tree: Tree) -> Surely:
    """Tell extensions that hold one value of a type, or parts that do, of which nothing else is said."""
    if tree.type != "Extension" or tree.part.own.get("isModifier"):
        return _never
    return _holding(tree.part)


def _holding(part: Part) -> Surely:
    children = part.children or {}
    value, inside = children.get("value[x]"), children.get("extension")
    is_known = children.keys() <= _IN_EXTENSIONS and {rule.key for rule in part.rules} <= _OF_EXTENSIONS
    if not is_known or value is None or inside is None or (value.most and inside.slices):
        return _never
    if inside.slices:
        return _having_parts(inside)
    if not value.most or inside.least or not _is_plain(value):
        return _never
    allowed = frozenset(f"value{code[:1].upper()}{code[1:]}" for code in value.codes)
    fields = tuple(e.attribute for e in shape(r4.Extension).values() if e.attribute in allowed)
    return lambda extension: (
        extension.extension is None and any(getattr(extension, each) is not None for each in fields)
    )


def _having_parts(inside: Part) -> Surely:
    named: dict[str, tuple[Part, Surely]] = {}
    for cut in inside.slices.values():
        url = (cut.children or {}).get("url")
        if url is None or not url.fixed:
            return _never
        named[url.fixed[0]] = cut, _holding(cut)

    def surely(extension: Any) -> bool:
        parts = extension.extension
        if parts is None or any(each.url not in named or not named[each.url][1](each) for each in parts):
            return False
        urls = [each.url for each in parts]
        return all(cut.least <= urls.count(url) <= cut.most for url, (cut, _) in named.items())

    return surely


def _is_plain(value: Part) -> bool:
    bound = value.binding
    return not (
        value.slices
        or value.children
        or value.fixed
        or value.pattern
        or value.longest
        or value.bounds != (None, None)
        or {rule.key for rule in value.rules} - _OF_EXTENSIONS
        or any(each.get("profile") or each.get("targetProfile") for each in value.types)
        or (bound is not None and (bound.most or bound.strength == "required"))
    )


def _is_empty(values: tuple[Any, ...]) -> bool:
    return values.count(None) == len(values)


def _never(_: Any) -> bool:
    return False


def _always(_: Any) -> bool:
    return True


def _together(asked: list[Surely], *, many: bool) -> Surely | None:
    if not asked:
        return None
    one = asked[0] if len(asked) == 1 else _both(asked[0], _together(asked[1:], many=False) or _always)
    return _each(one) if many else one


def _both(first: Surely, second: Surely) -> Surely:
    return lambda value: first(value) and second(value)


def _each(one: Surely) -> Surely:
    def surely(values: Any) -> bool:
        for value in values:  # noqa: SIM110 - a generator would take longer than what it asks
            if value is not None and not one(value):
                return False
        return True

    return surely


def _places(definition: Mapping[str, Any] | None) -> frozenset[str] | None:
    """Elements that an extension may stand in, as far as they are named; None where nobody has defined it."""
    if definition is None:
        return None
    named = [each.get("expression", "") for each in definition.get("context", ()) if each.get("type") == "element"]
    return frozenset(named) if definition.get("context") else frozenset({"Element"})


def _is_of_type(reference: Any) -> bool:
    """Whether the type that a reference names is one, and that of what it refers to."""
    said, address = reference.type, reference.reference
    return said is None or (said in r4.TYPE_NUMBER and (address is None or address.startswith(f"{said}/")))


def _claims_nothing(contained: Any) -> bool:
    return contained.meta is None
