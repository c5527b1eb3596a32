"""What one element means for a parameter found by equality or by its beginning: tokens, references, uris, strings, pairs.

Contained resources give nothing. Source: https://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from typing import Any

from yersin.fhir.folding import fold, words
from yersin.search import tokens
from yersin.search.build import Build
from yersin.search.extract import Emitter, Slot, emitting
from yersin.search.folding import sort_key, widened

# --- tokens --------------------------------------------------------------------------------------------------------


def _coding(b: Build, s: Slot, value: Any) -> None:
    key = (s, value.system, value.code)
    found = b.memory.get(key)
    if found is not None:
        b.tok += found
        return
    code = value.code.lower() if value.code is not None else None
    b.remember(key, [*tokens.coded(s.code, value.system, code), tokens.present(s.code)])


def _concept(b: Build, s: Slot, value: Any) -> None:
    if value.coding:
        for coding in value.coding:
            _coding(b, s, coding)
    else:
        _present(b, s)


def _present(b: Build, s: Slot) -> None:
    found = b.memory.get(s)
    if found is None:
        b.remember(s, (tokens.present(s.code),))
    else:
        b.tok += found


def _identifier(b: Build, s: Slot, value: Any) -> None:
    system, number = value.system, value.value
    key = (s, system)
    found = b.memory.get(key)
    if found is None:
        b.remember(key, [*tokens.coded(s.code, system, None), tokens.present(s.code)])
    else:
        b.tok += found
    if number is None:
        return
    texts = tokens.plain(s.code, number, system or "")
    if value.type is not None and value.type.coding:
        texts += [tokens.of_type(s.code, coding, number) for coding in value.type.coding]
    b.texts += texts


def _contact(b: Build, s: Slot, value: Any) -> None:
    if value.value is None:
        return
    b.texts += tokens.plain(s.code, tokens.contact(value.value), value.system or "")
    _present(b, s)


def _code(b: Build, s: Slot, value: Any) -> None:
    key = (s, value)
    found = b.memory.get(key)
    if found is not None:
        b.tok += found
    elif value is not None:
        text = tokens.BOOLEANS[value] if isinstance(value, bool) else value.lower() if s.fold else value
        b.remember(key, [*tokens.plain(s.code, text, s.system), tokens.present(s.code)])


# --- references and uris -------------------------------------------------------------------------------------------


def _reference(b: Build, s: Slot, value: Any) -> None:
    text = value.reference
    if text is not None and not text.startswith("#"):
        _refer(b, s, tokens.reference_text(text, b.base))
    else:
        _present(b, s)
    if value.identifier is not None:
        code = s.code + ":identifier"
        b.texts += tokens.coded(code, value.identifier.system, value.identifier.value)
        _present(b, s)


def _refer(b: Build, s: Slot, text: str) -> None:
    key = (s, text)
    found = b.memory.get(key)
    if found is None:
        b.remember(key, (f"{s.code}>{text}", tokens.present(s.code)))
    else:
        b.tok += found
    if s.rank >= 0 and text.startswith("Patient/"):
        b.patients.setdefault(text[8:], s.rank)
        b.patients[text[8:]] = min(b.patients[text[8:]], s.rank)


def _canonical(b: Build, s: Slot, value: str | None) -> None:
    if value is not None:
        b.texts += [*tokens.canonical(s.code, value), tokens.present(s.code)]


def _resource(b: Build, s: Slot, value: Any) -> None:
    if value.id is not None:
        _refer(b, s, f"{type(value).__name__}/{value.id}")


def _uri(b: Build, s: Slot, value: str | None) -> None:
    key = (s, value)
    found = b.memory.get(key)
    if found is not None:
        b.tok += found
    elif value is not None:
        unversioned = value.partition("|")[0]
        versioned = [f"{s.code}={value}"] if value != unversioned else []
        b.remember(key, [*tokens.uri(s.code, unversioned), *versioned, tokens.present(s.code)])


# --- strings -------------------------------------------------------------------------------------------------------


def _string(b: Build, s: Slot, value: str | None) -> None:
    if not value:
        return
    key = (s, value)
    found = b.memory.get(key)
    if found is None:
        folded = fold(value)
        hashed = [
            *tokens.prefix_hashes(s.code, folded, b.key),
            *b.hashes((tokens.exact(s.code, value), tokens.present(s.code))),
        ]
        found = b.memory[key] = (hashed, folded)
    b.tok += found[0]
    numbers = b.lines.setdefault(found[1], [])
    if s.number not in numbers:
        numbers.append(s.number)
    b.srt[s.sort] = widened(b.srt[s.sort], sort_key(value))


def _name(b: Build, s: Slot, value: Any) -> None:
    _string(b, s, value.family)
    for parts in (value.given, value.prefix, value.suffix):
        for part in parts or ():
            _string(b, s, part)
    _string(b, s, value.text)


def _address(b: Build, s: Slot, value: Any) -> None:
    for line in value.line or ():
        _string(b, s, line)
    for part in (value.city, value.district, value.state, value.country, value.postalCode, value.text):
        _string(b, s, part)


# --- composites ----------------------------------------------------------------------------------------------------


def _pair(b: Build, s: Slot, value: Any) -> None:
    left, right = ([f for p in part for v in p.find(value) for f in _forms(p.type, v, b.base)] for part in s.parts)
    pairs = [tokens.pair(s.code, one, two) for one in left for two in right]
    if pairs:
        b.texts += [*pairs, tokens.present(s.code)]


def _forms(kind: str, value: Any, base: str) -> list[str]:
    """Give the forms of one side of a pair: `system|code` and `*|code`, or a reference's text."""
    if kind == "CodeableConcept":
        return [form for coding in value.coding or () for form in _forms("Coding", coding, base)]
    if kind == "Reference":
        return [tokens.reference_text(value.reference, base)] if value.reference is not None else []
    if kind == "Coding":
        return [f"*|{value.code.lower()}", f"{value.system or ''}|{value.code.lower()}"] if value.code else []
    text = tokens.BOOLEANS[value] if isinstance(value, bool) else str(value).lower()
    return [f"*|{text}", f"|{text}"]


# --- people: found as you type -------------------------------------------------------------------------------------


def person_found(b: Build, person: Any) -> None:
    """Add what someone is found by as it is typed."""
    for name in person.name or ():
        for text in (name.family, *(name.given or ()), name.text):
            if text is not None:
                _typed(b, text)
    for contact in person.telecom or ():
        digits = tokens.phone(contact.value) if contact.value is not None else ""
        if digits:
            b.texts.append(f"{tokens.PHONE}|{digits}")
    for identifier in person.identifier or ():
        if identifier.value is not None:
            b.texts.append(f"{tokens.IDENTIFIER}|{tokens.signs(identifier.value)}")
    if person.birthDate is not None:
        _year(b, person.birthDate[:4])


def _typed(b: Build, text: str) -> None:
    for word in words(text):
        key = (tokens.WORD, word)
        found = b.memory.get(key)
        if found is None:
            b.remember(key, tokens.word_prefixes(word))
        else:
            b.tok += found


def _year(b: Build, year: str) -> None:
    key = (tokens.YEAR, year)
    found = b.memory.get(key)
    if found is None:
        b.remember(key, (f"{tokens.YEAR}|{year}",))
    else:
        b.tok += found


EMITTERS: dict[tuple[str, str], Emitter] = {
    **emitting("token", "CodeableConcept", _concept),
    **emitting("token", "Coding", _coding),
    **emitting("token", "Identifier", _identifier),
    **emitting("token", "ContactPoint", _contact),
    **emitting("token", "code boolean string id uri canonical", _code),
    **emitting("reference", "Reference", _reference),
    **emitting("reference", "canonical uri", _canonical),
    **emitting("reference", "Resource", _resource),
    **emitting("uri", "uri url canonical oid uuid", _uri),
    **emitting("string", "string markdown", _string),
    **emitting("string", "HumanName", _name),
    **emitting("string", "Address", _address),
    **emitting("composite", "pair", _pair),
}
