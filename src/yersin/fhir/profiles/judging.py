"""Judges a resource by profiles: every element against all that is asked of it, and every finding with its place.

Errors are what FHIR calls so: structure, fixed values, patterns, required bindings, rules of severity error, slices.
What cannot be told here (a value set or profile that is not known) is a warning.
Source: https://hl7.org/fhir/R4/validation.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from yersin.fhir.path import CannotEvaluate, Environment, Node, Resolver, Scene, Terms
from yersin.fhir.path.items import field, plain, root
from yersin.fhir.path.operators import truth
from yersin.fhir.path.tree import children_named
from yersin.fhir.problem import Issue

from . import values
from .addresses import judge_canonical, judge_uri
from .bundles import Bundle
from .contained import judge_contained
from .extensions import judge_extension
from .findings import Findings
from .library import Library, Tree
from .parts import Part, Rule
from .published import BASE
from .questionnaires import Questionnaires, judge_response
from .references import judge_reference
from .slicing import Slicer
from .special import ELEMENTS, PUBLISHED, is_told, judge_special

_DEEPEST = 60
_NO_CONTENT = frozenset({"id"})
#: where R4's own examples and definitions write xml and json, the short forms of media types that its REST API knows
_SHORT_FORMS = frozenset({
    "CapabilityStatement.format", "CapabilityStatement.patchFormat",
    "TestScript.setup.action.operation.accept", "TestScript.setup.action.operation.contentType",
    "TestScript.setup.action.assert.contentType",
})  # fmt: skip
_URIS = frozenset({"uri", "url", "canonical"})
_CODED = frozenset({"code", "Coding", "CodeableConcept", "Quantity", "string", "uri"})


class Judge:
    """Judges one resource. `terms` knows value sets, `resolver` other resources; both may be missing."""

    def __init__(
        self,
        library: Library,
        *,
        terms: Terms | None = None,
        resolver: Resolver | None = None,
        questionnaires: Questionnaires | None = None,
    ) -> None:
        self.library = library
        self.terms = terms
        self._questionnaires = questionnaires
        self.resolver = resolver
        self.found = Findings()
        self._slicer = Slicer(library, self._meets, self._member, self._conforms)
        self._deep = 0

    def judge(self, resource: Mapping[str, Any], profiles: Iterable[str] = ()) -> list[Issue]:
        """Every finding in the JSON of a resource that parses, by its type, what it claims and `profiles`."""
        top = root(resource)
        for url in profiles:
            if self.library.find(url) is None:
                self.found.add(
                    "not-found",
                    top.kind.name,
                    f"The profile {url} is not known here: load its definition, or ask for another",
                )
        self._resource(top, top, top.kind.name, tuple(profiles), None)
        return self.found.issues

    def conforms(self, resource: Node, profile: str) -> bool | None:
        """Whether a resource or element meets a profile, as conformsTo() asks; None where it is not known."""
        tree = self.library.tree(profile)
        return None if tree is None else self._conforms(resource, profile)

    # --- resources ---------------------------------------------------------------------------------------------

    def _resource(self, node: Node, container: Node, place: str, asked: tuple[str, ...], bundle: Bundle | None) -> None:
        environment = Environment(
            resource=node, root_resource=container, terms=self.terms, resolver=self.resolver, profiles=self
        )
        scene = Scene([node], environment)
        bundle = Bundle(node) if node.kind.name == "Bundle" else bundle
        claimed = field(field(node.value, "meta") or {}, "profile") or ()
        trees = [
            tree
            for number, url in enumerate(claimed)
            if (tree := self._claimed(node, str(url), f"{place}.meta.profile[{number}]"))
        ]
        trees += [tree for url in asked if (tree := self._fitting(node, url, place))]
        trees = trees or [Tree(url=BASE + node.kind.name, type=node.kind.name, part=self.library.type(node.kind.name))]
        for tree in {tree.url: tree for tree in trees}.values():
            self._element(node, tree.part, place, scene, bundle)
        judge_special(node, place, self.found, self.library)
        judge_contained(node.value, place, self.found)
        if node.kind.name == "QuestionnaireResponse" and node.value.get("questionnaire"):
            self._answers(node, place)

    def _answers(self, node: Node, place: str) -> None:
        """Judge answers by their questionnaire, which may be contained."""
        url = str(node.value["questionnaire"])
        if url.startswith("#"):
            inside = (each for each in node.value.get("contained") or () if each.get("id") == url[1:])
            found = next(inside, None)
        else:
            found = self._questionnaires.find(url) if self._questionnaires else None
        if found is None:
            words = f"The questionnaire {url} is not here, so the answers were not judged by it"
            self.found.add("not-found", f"{place}.questionnaire", words, "warning")
        elif found.get("resourceType") == "Questionnaire":
            judge_response(node.value, found, place, self.found, self._told)

    def _told(self, system: str, code: str, value_set: str) -> bool | None:
        return self.terms.member_of(system, code, value_set) if self.terms else None

    def _claimed(self, node: Node, url: str, place: str) -> Tree | None:
        tree = self.library.tree(url)
        if tree is None:
            self.found.add("not-found", place, f"The profile {url} is not known here, so it was not judged", "warning")
            return None
        return self._fitting(node, url, place)

    def _fitting(self, node: Node, url: str, place: str) -> Tree | None:
        tree = self.library.tree(url)
        if tree is None:
            return None
        if tree.type not in node.kind.ancestry:
            self.found.add("structure", place, f"The profile {url} is for {tree.type}, and this is {node.kind.name}")
            return None
        if tree.missing:
            self.found.add(
                "incomplete",
                place,
                f"{url} is derived from {tree.missing}, which is not known here; R4's {tree.type} stood in for it",
                "warning",
            )
        for flaw in tree.flaws:
            self.found.add(
                "incomplete",
                place,
                f"{url} says something that means nothing, element {flaw.number}: {flaw.words}",
                "warning",
            )
        return tree

    # --- elements ----------------------------------------------------------------------------------------------

    def _element(self, node: Node, part: Part, place: str, scene: Scene, bundle: Bundle | None) -> None:
        if self._deep > _DEEPEST * 4:
            return
        self._deep += 1
        kind = node.kind
        if not (kind.primitive and part.is_plain):
            self._value(node, part, place, scene)
        if kind.name in _URIS:
            judge_uri(node.value, place, self.found)
        if kind.name == "canonical":
            judge_canonical(node.value, place, self.found)
        if not kind.primitive:
            if not kind.is_resource and node.value.keys() <= _NO_CONTENT:
                self.found.add("invariant", place, "ele-1: an element has a value or children")
            self._inherited(node, part, place, scene)
            self._typed(node, part, place, scene, bundle)
            self._children(node, part, place, scene, bundle)
        elif node.sibling is not None:
            if node.value is None and not node.sibling.get("extension"):
                self.found.add("invariant", place, "ele-1: an element has a value or children")
            self._children(node, self.library.type("Element"), place, scene, bundle)
        self._deep -= 1

    def _inherited(self, node: Node, part: Part, place: str, scene: Scene) -> None:
        """Judge by the rules of the type, and of the element that this one is like, as items in items are."""
        inside = self.library.type(node.kind.name)
        if inside is not part:
            self._rules(inside.rules, node, place, scene)
        refers = part.own.get("contentReference")
        like = self.library.referred(str(refers)) if refers else None
        if like is not None:
            self._rules(like.rules, node, place, scene)

    def _typed(self, node: Node, part: Part, place: str, scene: Scene, bundle: Bundle | None) -> None:
        """Judge what belongs to a type: profiles of the type, extensions, references."""
        trees = [tree for url in _profiles(part, node) if (tree := self.library.tree(url))]
        if len(trees) == 1:
            if not node.kind.is_resource:
                self._element(node, trees[0].part, place, scene, bundle)
        elif trees and not any(self._meets(node, tree.part) for tree in trees):
            self.found.add("structure", place, f"This meets none of {', '.join(tree.url for tree in trees)}")
        if node.kind.name in ELEMENTS:
            ELEMENTS[node.kind.name](node.value, place, self.found)
        if node.kind.name == "Coding":
            self._known(node.value, place)
        if node.kind.name == "Reference":
            judge_reference(self, node, part, place, scene, bundle)

    def _children(self, node: Node, part: Part, place: str, scene: Scene, bundle: Bundle | None) -> None:
        children = part.children
        if children is None:
            opened = (
                self.library.opened(part, part)
                if part.own.get("contentReference")
                else self.library.type(node.kind.name)
            )
            children = (opened.children if opened else None) or {}
        value = node.sibling if node.kind.primitive else node.value
        for child in children.values():
            name = child.name.removesuffix("[x]")
            members = node.kind.steps.get(name, ())
            there = any(member.name in value or "_" + member.name in value for member in members)
            nodes = children_named([node], scene, name) if there else []
            if nodes or child.least or child.slices:
                self._some(node, child, nodes, f"{place}.{name}", scene, bundle)

    def _some(
        self, parent: Node, part: Part, nodes: list[Node], place: str, scene: Scene, bundle: Bundle | None
    ) -> None:
        """Judge all elements of one name: their number, their types, their slices, then each."""
        if len(nodes) < part.least:
            words = f"{part.name} is needed {_times(part.least)}, and is there {_times(len(nodes))}"
            self.found.add("required", place, words)
        if len(nodes) > part.most:
            words = (
                f"{part.name} may be there {_times(part.most)}, and is there {_times(len(nodes))}"
                if part.most
                else f"{part.name} may not be used here"
            )
            self.found.add("structure", place, words)
        if part.name.endswith("[x]"):
            for node in nodes:
                if part.codes and not node.kind.ancestry & set(part.codes):
                    self.found.add(
                        "structure", place, f"This is {node.kind.name}; {part.name} may be {' or '.join(part.codes)}"
                    )
        members = parent.kind.steps.get(part.name.removesuffix("[x]"), ())
        many = bool(members) and members[0].many
        places = [f"{place}[{n}]" if many else place for n in range(len(nodes))]
        cuts = self._cuts(part, nodes, places, place, scene)
        for node, where, cut in zip(nodes, places, cuts, strict=True):
            self._one(parent, node, cut or part, where, scene, bundle)

    def _one(self, parent: Node, node: Node, part: Part, place: str, scene: Scene, bundle: Bundle | None) -> None:
        if node.kind.is_resource:
            container = parent if parent.kind.is_resource else node
            holder = container if part.name == "contained" else node
            self._resource(node, holder, place, _profiles(part, node), bundle)
            allowed = [code for code in part.codes if code not in ("Resource", "DomainResource")]
            if allowed and not node.kind.ancestry & set(allowed):
                self.found.add("structure", place, f"This is {node.kind.name}; {' or '.join(allowed)} belongs here")
            return
        if node.kind.name == "Extension":
            judge_extension(self, parent, node, part, place, scene)
        self._element(node, part, place, scene, bundle)

    def extended(self, node: Node, part: Part, place: str, scene: Scene) -> None:
        """Judge an extension by its definition."""
        self._element(node, part, place, scene, None)

    # --- slices ------------------------------------------------------------------------------------------------

    def _cuts(self, part: Part, nodes: list[Node], places: list[str], place: str, scene: Scene) -> list[Part | None]:
        """Slice of each element; None where it is in none."""
        if not part.slices:
            return [None] * len(nodes)
        names = list(part.slices)
        found = [
            next((name for name in names if self._slicer.is_in(node, part, part.slices[name], scene)), "")
            for node in nodes
        ]
        for name, cut in part.slices.items():
            count = found.count(name)
            if count < cut.least:
                self.found.add(
                    "structure", place, f"The slice {name} is needed {_times(cut.least)}, and is there {_times(count)}"
                )
            if count > cut.most:
                words = (
                    f"may be there {_times(cut.most)}, and is there {_times(count)}"
                    if cut.most
                    else "may not be used here"
                )
                self.found.add("structure", place, f"The slice {name} {words}")
        self._ruled(part, found, places)
        return [part.slices.get(name) for name in found]

    def _ruled(self, part: Part, found: list[str], places: list[str]) -> None:
        slicing = part.own.get("slicing", {})
        rules = slicing.get("rules", "open")
        for number, (name, place) in enumerate(zip(found, places, strict=True)):
            if name:
                continue
            if rules == "closed":
                self.found.add(
                    "structure",
                    place,
                    f"This is in none of the slices {', '.join(part.slices)}, and no other is allowed",
                )
            elif rules == "openAtEnd" and any(found[number:]):
                self.found.add(
                    "structure",
                    place,
                    f"This is in none of the slices {', '.join(part.slices)}, and must stand behind them",
                )
        order = [list(part.slices).index(name) for name in found if name]
        if slicing.get("ordered") and order != sorted(order):
            self.found.add("structure", places[0], f"The slices must stand in this order: {', '.join(part.slices)}")

    def _meets(self, node: Node, part: Part) -> bool:
        """Whether an element meets a part; what is found is forgotten."""
        alone = Judge(self.library, terms=self.terms, resolver=self.resolver)
        alone._deep = self._deep + 1
        if alone._deep > _DEEPEST:
            return True
        scene = Scene([node], Environment(resource=node, terms=self.terms, resolver=self.resolver, profiles=alone))
        alone._element(node, part, "", scene, None)
        return not alone.found.has_errors

    def _conforms(self, node: Node, url: str) -> bool:
        tree = self.library.tree(url)
        return tree is not None and tree.type in node.kind.ancestry and self._meets(node, tree.part)

    # --- values ------------------------------------------------------------------------------------------------

    def _value(self, node: Node, part: Part, place: str, scene: Scene) -> None:
        value = plain(node)
        if value is not None:
            self._fixed(value, part, place)
            low, high = part.bounds
            if low is not None and values.is_below(value, low):
                self.found.add("value", place, f"This is less than {_shown(low)}, the least that is allowed")
            if high is not None and values.is_above(value, high):
                self.found.add("value", place, f"This is more than {_shown(high)}, the most that is allowed")
            if part.longest is not None and isinstance(value, str) and len(value) > part.longest:
                self.found.add("too-long", place, f"The text has {len(value)} characters; {part.longest} are allowed")
        self._rules(part.rules, node, place, scene)
        if part.binding and node.kind.name in _CODED:
            self._bound(node, part, place)

    def _fixed(self, value: Any, part: Part, place: str) -> None:
        if part.fixed and not values.is_same(value, part.fixed[0]):
            self.found.add("value", place, f"This must be exactly {_shown(part.fixed[0])}")
        if part.pattern and not values.fits(value, part.pattern[0]):
            self.found.add("value", place, f"This must have what {_shown(part.pattern[0])} has")

    def _rules(self, rules: tuple[Rule, ...], node: Node, place: str, scene: Scene) -> None:
        for rule in rules:
            if rule.expression is None:
                if rule.flaw:
                    self.found.add("incomplete", place, f"{rule.key} could not be read: {rule.flaw}", "warning")
                continue
            try:
                met = truth(rule.expression.run([node], scene))
            except CannotEvaluate as reason:
                self.found.add("incomplete", place, f"{rule.key} could not be told: {reason}", "warning")
                continue
            if met is False and not (rule.key == "dom-3" and is_told(node.value)):
                self.found.add("invariant", place, f"{rule.key}: {rule.words or rule.expression.text}", rule.severity)

    # --- codes -------------------------------------------------------------------------------------------------

    def _bound(self, node: Node, part: Part, place: str) -> None:
        bound = part.binding
        if bound is None or self.terms is None:
            return
        if bound.most:
            self._in_set(node, bound.most, place, "error")
        if bound.strength == "required":
            severity = "warning" if part.own.get("id") in _SHORT_FORMS else "error"
            self._in_set(node, bound.value_set, place, severity)
        elif bound.strength == "extensible":
            self._in_set(node, bound.value_set, place, "warning")

    def _in_set(self, node: Node, url: str, place: str, severity: str) -> None:
        codes = _codes(node)
        if not codes:
            if severity == "error" and node.kind.name in ("Coding", "CodeableConcept", "code"):
                self.found.add("code-invalid", place, f"There is no code here; one of {url} is needed")
            return
        member = self._member(node, url)
        shown = ", ".join(f"{system}#{code}" if system else code for system, code in codes)
        if member is None:
            self.found.add("not-supported", place, f"Whether {shown} is in {url} cannot be told here", "warning")
        elif not member:
            needed = "one of it is needed" if severity == "error" else "use one of it unless none fits"
            self.found.add("code-invalid", place, f"{shown} is not in {url}: {needed}", severity)

    def _known(self, coding: Mapping[str, Any], place: str) -> None:
        """Judge whether a code is one of its system: an error where FHIR itself publishes the system."""
        system, code = coding.get("system"), coding.get("code")
        if self.terms is None or not isinstance(system, str) or not isinstance(code, str):
            return
        asked = getattr(self.terms, "is_code", None)
        if asked is not None and asked(system, code) is False:
            severity = "error" if system.startswith(PUBLISHED) else "warning"
            self.found.add("code-invalid", f"{place}.code", f"{code!r} is no code of {system}", severity)

    def _member(self, node: Node, url: str) -> bool | None:
        if self.terms is None:
            return None
        # a code without its system is none of a value set, but where the element is of the type code
        told = [
            (bool(system) or node.kind.primitive) and self.terms.member_of(system, code, url)
            for system, code in _codes(node)
        ]
        return True if True in told else None if None in told else False


def _codes(node: Node) -> list[tuple[str, str]]:
    value = node.value
    if isinstance(value, str):
        return [("", value)]
    if value is None:
        return []
    codings = value.get("coding", ()) if node.kind.name == "CodeableConcept" else [value]
    return [(each.get("system", ""), each["code"]) for each in codings if each.get("code")]


def _profiles(part: Part, node: Node) -> tuple[str, ...]:
    """Profiles that the type of an element names for what stands there."""
    fitting = [each for each in part.types if each.get("code") in node.kind.ancestry]
    return tuple(url for each in fitting for url in each.get("profile", ())) if len(fitting) == 1 else ()


def _times(number: int) -> str:
    return {0: "not at all", 1: "once"}.get(number, f"{number} times")


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) < 200 else text[:200] + "…"
