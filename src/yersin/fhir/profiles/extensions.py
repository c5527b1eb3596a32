"""Extensions: known ones against their definitions, where they may stand, and whether they are modifiers.

Source: https://hl7.org/fhir/R4/extensibility.html, https://hl7.org/fhir/R4/defining-extensions.html#context
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from yersin.fhir import r4
from yersin.fhir.path import CannotEvaluate, Node, NotFHIRPath, Scene, compiled
from yersin.fhir.path.operators import truth
from yersin.fhir.shapes import shape, struct_of

from .addresses import is_absolute
from .parts import JSON, Part
from .special import is_definition

if TYPE_CHECKING:
    from .judging import Judge

_OTHER_VERSION = re.compile(r"http://hl7\.org/fhir/(\d\.\d)/StructureDefinition/extension-(.+)\Z")
#: elements of earlier versions that turn the meaning around, and are not in R4
MODIFIERS = frozenset({
    "Communication.notDone", "FamilyMemberHistory.notDone", "Immunization.notGiven", "Immunization.wasNotGiven",
    "MedicationAdministration.notGiven", "MedicationAdministration.wasNotGiven", "MedicationStatement.notTaken",
    "MedicationStatement.wasNotTaken", "Patient.animal", "Procedure.notDone", "Procedure.notPerformed",
})  # fmt: skip


def of_other_version(url: str) -> bool:
    """Whether an extension carries an element of another version of FHIR."""
    return _OTHER_VERSION.match(url) is not None


def judge_extension(judge: Judge, parent: Node, node: Node, part: Part, place: str, scene: Scene) -> None:
    """Judge one extension. What is not known passes with a word."""
    url = node.value.get("url")
    if not isinstance(url, str):
        return
    if not is_absolute(url):
        if parent.kind.name != "Extension" or part.name == "modifierExtension":
            judge.found.add("invalid", place, f"The url of an extension is absolute; {url!r} is not")
        return
    _judge_other_version(judge, url, part, place)
    tree = judge.library.tree(url)
    if tree is None:
        severity = "warning" if part.name == "modifierExtension" else "information"
        judge.found.add("extension", place, f"The extension {url} is not known here, so it was not judged", severity)
        return
    if tree.type != "Extension":
        judge.found.add("structure", place, f"{url} is a profile of {tree.type}, no extension")
        return
    definition = judge.library.find(url) or {}
    is_modifier = bool(tree.part.own.get("isModifier"))
    if is_modifier != (part.name == "modifierExtension"):
        where = "modifierExtension" if is_modifier else "extension"
        judge.found.add("structure", place, f"The extension {url} belongs in {where}")
    _judge_context(judge, parent, definition, place, scene)
    judge.extended(node, tree.part, place, scene)
    _judge_parts(judge, node, tree.part, place)


def _judge_other_version(judge: Judge, url: str, part: Part, place: str) -> None:
    other = _OTHER_VERSION.match(url)
    if other and other[2] in MODIFIERS and part.name == "extension":
        judge.found.add(
            "structure",
            place,
            f"{other[2]} turns the meaning around in FHIR {other[1]}: it belongs in modifierExtension",
        )


def _judge_parts(judge: Judge, node: Node, part: Part, place: str) -> None:
    """Parts of an extension that its definition does not name."""
    child = (part.children or {}).get("extension")
    if child is None or not child.slices:
        return
    names = {name for name, cut in child.slices.items()} | {_url(cut) for cut in child.slices.values()}
    for number, each in enumerate(node.value.get("extension") or ()):
        url = each.get("url")
        if isinstance(url, str) and not is_absolute(url) and url not in names:
            judge.found.add("invalid", f"{place}.extension[{number}]", f"{node.value['url']} has no part {url!r}")


def _url(part: Part) -> Any:
    child = (part.children or {}).get("url")
    return child.fixed[0] if child and child.fixed else ""


def _judge_context(judge: Judge, parent: Node, definition: JSON, place: str, scene: Scene) -> None:
    contexts = definition.get("context", ())
    if contexts and not any(_is_here(each, parent, place, scene) for each in contexts):
        allowed = ", ".join(str(each.get("expression")) for each in contexts)
        judge.found.add(
            "structure",
            place,
            f"The extension {definition['url']} does not belong here; it belongs to {allowed}",
            _severity(scene, contexts),
        )
    for text in definition.get("contextInvariant", ()):
        try:
            met = truth(compiled(text).run([parent], scene))
        except (CannotEvaluate, NotFHIRPath):
            continue
        if met is False:
            judge.found.add(
                "structure",
                place,
                f"The extension {definition['url']} is meant to stand only where this is true: {text}",
                "warning",
            )


def _severity(scene: Scene, contexts: Sequence[JSON]) -> str:
    """Extensions of definitions have been allowed in more definitions since R4 was published."""
    owner = scene.root_resource()
    is_lenient = owner and is_definition(owner[0].kind.steps) and not all(map(_is_of_records, contexts))
    return "warning" if is_lenient else "error"


def _is_of_records(context: JSON) -> bool:
    """Whether an extension is made for a type of resource that defines nothing, such as Patient."""
    name = str(context.get("expression", "")).partition(".")[0]
    return name in r4.TYPE_NUMBER and name != "Resource" and not is_definition(shape(struct_of(name)))


def _is_here(context: JSON, parent: Node, place: str, scene: Scene) -> bool:
    expression = str(context.get("expression", ""))
    if context.get("type") == "fhirpath":
        try:
            return any(
                each is parent or (isinstance(each, Node) and each.value is parent.value)
                for each in compiled(expression).run(scene.resource(), scene)
            )
        except (CannotEvaluate, NotFHIRPath):
            return True
    if context.get("type") == "extension":
        return parent.kind.name == "Extension" and parent.value.get("url") == expression.partition("#")[0]
    if expression in parent.kind.ancestry or expression in ("Element", "Resource"):
        return expression != "Resource" or parent.kind.is_resource
    here = re.sub(r"\[\d+\]", "", place).rpartition(".")[0]
    names = here.split(".")
    wanted = expression.replace("[x]", "").split(".")
    owners = {*scene.resource()[0].kind.ancestry} if scene.resource() else set()
    if wanted[0] in owners or wanted[0] == names[0]:
        return names[-len(wanted) + 1 :] == wanted[1:] if len(wanted) > 1 else len(names) == 1
    return wanted[1:] == names[-len(wanted) + 1 :] and len(wanted) > 1
