"""Whether a code is one of a code system or of a value set, and whether its display is right; with what is wrong in words.

Sources: https://hl7.org/fhir/R4/valueset-operation-validate-code.html, https://hl7.org/fhir/R4/codesystem-operation-validate-code.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from yersin.fhir.problem import Problem

from . import supplements
from .composing import Narrowing, pruned
from .concepts import JSON
from .expanding import composed
from .finding import Finder, System, shown, unknown_system
from .grammars import GRAMMARS


@dataclass(frozen=True, slots=True, kw_only=True)
class Coding:
    """A code that is judged."""

    code: str
    system: str = ""
    version: str = ""
    display: str = ""

    def __str__(self) -> str:
        return f"{self.system}#{self.code}" if self.system else self.code


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether it is right; in words where it is not; and the display as it should be."""

    result: bool
    message: str = ""
    display: str = ""
    coding: Coding | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """Whether an abstract concept will do, and the language of displays."""

    abstract: bool = False
    language: str = ""


async def in_set(finder: Finder, value_set: JSON, coding: Coding, circumstances: Circumstances) -> Verdict:
    """Judge a code against a value set. Raises Problem where the value set itself cannot be read."""
    name = value_set.get("url") or value_set.get("title") or "the value set that was sent"
    try:
        found = await member(finder, value_set, coding)
    except Problem as refusal:
        if refusal.status != 404:
            raise
        return Verdict(result=False, message=f"{coding} cannot be judged: {refusal}", coding=coding)
    if found is None:
        return Verdict(result=False, message=await _not_in(finder, str(name), coding), coding=coding)
    if found["abstract"] and not circumstances.abstract:
        text = f"{coding} is abstract: it groups others, and is not chosen itself."
        return Verdict(result=False, message=text, display=found["display"], coding=coding)
    known = await supplements.find(finder, supplements.named(value_set))
    added = await supplements.added(finder, known, [(found["url"], found["ver"], found["code"])])
    more = added.get((found["url"], found["code"]), {})
    return await _displayed(finder, coding, found, circumstances, more.get("designation", ()))


async def member(finder: Finder, value_set: JSON, coding: Coding) -> Any:
    """Find the row of a code in a value set; None where it is not in it. Raises Problem where that cannot be told."""
    narrowing = Narrowing(system=coding.system, code=coding.code)
    composer = composed(finder, value_set, narrowing)
    text, arguments = pruned(await composer.of_set(value_set), composer.sql.arguments)
    return await finder.connection.fetchrow(
        f"SELECT m.*, c.display AS own, c.more FROM ({text}) m LEFT JOIN terms.concept c ON c.id = m.id "
        "ORDER BY m.part, m.ord LIMIT 1",
        *arguments,
    )


async def _not_in(finder: Finder, name: str, coding: Coding) -> str:
    text = f"The code {coding} is not in {name}."
    system = await finder.system(coding.system, coding.version) if coding.system else None
    if system and system.is_whole and await finder.concept(system, coding.code) is None:
        return f"{text} It is no code of {coding.system} either."
    return text


async def _displayed(
    finder: Finder, coding: Coding, row: Any, circumstances: Circumstances, supplement: Sequence[JSON]
) -> Verdict:
    more: JSON = row["more"] or {}
    designations = [*(row["given"] or ()), *more.get("designation", ()), *supplement]
    system = await finder.system(row["url"], row["ver"])
    right = shown(row["display"], designations, circumstances.language, system.language if system else "en")
    known = [row["display"], row["own"] or "", *(str(d.get("value", "")) for d in designations)]
    return _judged(coding, right, known if row["id"] or row["display"] != row["code"] else [])


def _judged(coding: Coding, right: str, known: Sequence[str]) -> Verdict:
    """Compare displays without case and blanks; where none is known every display will do."""
    names = {_plain(name) for name in known if name}
    if coding.display and names and _plain(coding.display) not in names:
        text = f"The display {coding.display!r} is wrong for {coding}: it is {right!r}."
        return Verdict(result=False, message=text, display=right, coding=coding)
    return Verdict(result=True, display=right, coding=coding)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


async def in_system(finder: Finder, coding: Coding, circumstances: Circumstances) -> Verdict:
    """Judge a code against its code system. Raises Problem (not-found) for a system that is not here."""
    system = await finder.system(coding.system, coding.version)
    concept = await finder.concept(system, coding.code) if system else None
    if system and concept:
        if concept.abstract and not circumstances.abstract:
            text = f"{coding} is abstract: it groups others, and is not chosen itself."
            return Verdict(result=False, message=text, display=concept.display, coding=coding)
        right = shown(concept.display, concept.designations, circumstances.language, system.language)
        known = [concept.display, *(str(d.get("value", "")) for d in concept.designations)]
        return _judged(coding, right, known)
    if coding.system in GRAMMARS:
        if GRAMMARS[coding.system](coding.code):
            return Verdict(result=True, display=coding.code, coding=coding)
        return Verdict(result=False, message=f"{coding.code!r} is not written as {coding.system} says.", coding=coding)
    if system is None:
        raise unknown_system(coding.system, coding.version)
    return Verdict(result=False, message=_not_of(system, coding), coding=coding)


def _not_of(system: System, coding: Coding) -> str:
    text = f"The code {coding.code!r} is not in {system.url}" + (f" version {system.version}" if system.version else "")
    return f"{text}." if system.is_whole else f"{text}, of which only a part is here."


async def any_in_set(
    finder: Finder, value_set: JSON, codings: Sequence[Coding], circumstances: Circumstances
) -> Verdict:
    """Judge a concept with several codings: one that is in the value set is enough; what is wrong with others is told."""
    verdicts = [await in_set(finder, value_set, coding, circumstances) for coding in codings]
    return _best(verdicts)


async def any_in_system(finder: Finder, codings: Sequence[Coding], circumstances: Circumstances) -> Verdict:
    """Judge a concept with several codings against one code system."""
    return _best([await in_system(finder, coding, circumstances) for coding in codings])


def _best(verdicts: Sequence[Verdict]) -> Verdict:
    good = next((v for v in verdicts if v.result), None)
    wrong = " ".join(v.message for v in verdicts if v.message)
    if good is None:
        return Verdict(
            result=False, message=wrong or "There is no code to judge.", display=next((v.display for v in verdicts), "")
        )
    return Verdict(result=True, message=wrong, display=good.display, coding=good.coding)
