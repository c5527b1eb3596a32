"""What the database keeps of a resource so that it can be found: tokens, main date, texts, ranges, patients.

The emitters below say what one element means for a parameter of one kind. Contained resources give nothing.
Source: https://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from yersin.fhir import dates, ucum
from yersin.fhir.dates import Span
from yersin.fhir.parameters import sorted_strings
from yersin.search import tokens
from yersin.search.extract import Emitter, Slot, compile_type
from yersin.search.folding import fold, sort_key, words

CANONICAL = "="  # marks the unit of a row in base units: "=g.m-3"
CURRENCY = "urn:iso:std:iso:4217"
PEOPLE = {"Patient", "Practitioner", "RelatedPerson", "Person"}
_INFINITY = float("inf")
_REMEMBERED = 100_000


class Range(NamedTuple):
    """A number, quantity or time of a parameter. A point has lo = hi; times are [lo, hi) in seconds since the epoch."""

    param: int
    key: int
    lo: float
    hi: float
    unit: str | None


@dataclass(slots=True, kw_only=True)
class Row:
    """The index side of a resource."""

    tok: list[int]
    d_lo: datetime | None
    d_hi: datetime | None
    txt: str
    srt: list[str]
    ranges: list[Range]
    patients: list[str]


class Indexer:
    """Makes index rows under one database's token key and zone."""

    def __init__(self, key: bytes, zone: ZoneInfo, *, base: str = "") -> None:
        self.key = key
        self.zone = zone
        self.base = base
        self._types: dict[str, tuple[Callable[[Any, _Build], None], int]] = {}
        self._memory: dict[Any, Any] = {}

    def index(self, resource: Any) -> Row:
        """Make the row of a resource."""
        name = type(resource).__name__
        known = self._types.get(name)
        if known is None:
            known = self._types[name] = (compile_type(name, EMITTERS), len(sorted_strings(name)))
        if len(self._memory) > _REMEMBERED:
            self._memory.clear()
        build = _Build(self, known[1])
        if name == "Patient" and resource.id is not None:
            build.patients[resource.id] = -1
        known[0](resource, build)
        if name in PEOPLE:
            _person(build, resource)
        return build.row()

    def hashes(self, texts: Iterable[str]) -> tuple[int, ...]:
        """Hash token texts under this database's key: the query side asks with the same numbers."""
        return tokens.hashes(texts, self.key)


class _Build:
    """A row in the making."""

    __slots__ = (
        "base",
        "hashes",
        "hi",
        "key",
        "lines",
        "lo",
        "memory",
        "patients",
        "ranges",
        "srt",
        "texts",
        "tok",
        "zone",
    )

    def __init__(self, indexer: Indexer, strings: int) -> None:
        self.memory = indexer._memory  # noqa: SLF001 - one file, one machine
        self.hashes = indexer.hashes
        self.key = indexer.key
        self.zone = indexer.zone
        self.base = indexer.base
        self.tok: list[int] = []
        self.texts: list[str] = []  # of values seldom met again: hashed once, at the end
        self.lo: datetime | None = None
        self.hi: datetime | None = None
        self.lines: dict[str, list[int]] = {}
        self.srt = [""] * strings
        self.ranges: list[Range] = []
        self.patients: dict[str, int] = {}

    def remember(self, memory_key: Any, texts: Iterable[str]) -> None:
        """Add tokens, and keep their hashes for the next resource that has the same value."""
        made = self.memory[memory_key] = self.hashes(texts)
        self.tok += made

    def row(self) -> Row:
        patients = sorted(self.patients, key=self.patients.__getitem__)
        for patient in patients:
            member = self.memory.get(patient)
            if member is None:
                self.remember(patient, (tokens.member(patient),))
            else:
                self.tok += member
        txt = "\n".join([f"|{'|'.join(map(str, numbers))}={text}" for text, numbers in self.lines.items()])
        ranges = self.ranges
        self.tok += self.hashes(self.texts)
        return Row(
            tok=sorted(set(self.tok)),
            d_lo=self.lo,
            d_hi=self.hi,
            txt=txt,
            srt=self.srt,
            ranges=list(dict.fromkeys(ranges)) if len(ranges) > 2 else ranges,
            patients=patients,
        )


# --- tokens --------------------------------------------------------------------------------------------------------


def _coding(b: _Build, s: Slot, value: Any) -> None:
    key = (s, value.system, value.code)
    found = b.memory.get(key)
    if found is not None:
        b.tok += found
        return
    code = value.code.lower() if value.code is not None else None
    b.remember(key, [*tokens.coded(s.code, value.system, code), tokens.present(s.code)])


def _concept(b: _Build, s: Slot, value: Any) -> None:
    if value.coding:
        for coding in value.coding:
            _coding(b, s, coding)
    else:
        _present(b, s)


def _present(b: _Build, s: Slot) -> None:
    found = b.memory.get(s)
    if found is None:
        b.remember(s, (tokens.present(s.code),))
    else:
        b.tok += found


def _identifier(b: _Build, s: Slot, value: Any) -> None:
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


def _contact(b: _Build, s: Slot, value: Any) -> None:
    if value.value is None:
        return
    b.texts += tokens.plain(s.code, tokens.contact(value.value), value.system or "")
    _present(b, s)


def _code(b: _Build, s: Slot, value: Any) -> None:
    key = (s, value)
    found = b.memory.get(key)
    if found is not None:
        b.tok += found
    elif value is not None:
        text = tokens.BOOLEANS[value] if isinstance(value, bool) else value.lower() if s.fold else value
        b.remember(key, [*tokens.plain(s.code, text, s.system), tokens.present(s.code)])


# --- references and uris -------------------------------------------------------------------------------------------


def _reference(b: _Build, s: Slot, value: Any) -> None:
    text = value.reference
    if text is not None and not text.startswith("#"):
        _refer(b, s, tokens.reference_text(text, b.base))
    else:
        _present(b, s)
    if value.identifier is not None:
        code = s.code + ":identifier"
        b.texts += tokens.coded(code, value.identifier.system, value.identifier.value)
        _present(b, s)


def _refer(b: _Build, s: Slot, text: str) -> None:
    key = (s, text)
    found = b.memory.get(key)
    if found is None:
        b.remember(key, (f"{s.code}>{text}", tokens.present(s.code)))
    else:
        b.tok += found
    if s.rank >= 0 and text.startswith("Patient/"):
        b.patients.setdefault(text[8:], s.rank)
        b.patients[text[8:]] = min(b.patients[text[8:]], s.rank)


def _canonical(b: _Build, s: Slot, value: str | None) -> None:
    if value is not None:
        b.texts += [*tokens.canonical(s.code, value), tokens.present(s.code)]


def _resource(b: _Build, s: Slot, value: Any) -> None:
    if value.id is not None:
        _refer(b, s, f"{type(value).__name__}/{value.id}")


def _uri(b: _Build, s: Slot, value: str | None) -> None:
    key = (s, value)
    found = b.memory.get(key)
    if found is not None:
        b.tok += found
    elif value is not None:
        unversioned = value.partition("|")[0]
        versioned = [f"{s.code}={value}"] if value != unversioned else []
        b.remember(key, [*tokens.uri(s.code, unversioned), *versioned, tokens.present(s.code)])


# --- strings -------------------------------------------------------------------------------------------------------


def _string(b: _Build, s: Slot, value: str | None) -> None:
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
    if not b.srt[s.sort]:
        b.srt[s.sort] = sort_key(value)


def _name(b: _Build, s: Slot, value: Any) -> None:
    _string(b, s, value.family)
    for parts in (value.given, value.prefix, value.suffix):
        for part in parts or ():
            _string(b, s, part)
    _string(b, s, value.text)


def _address(b: _Build, s: Slot, value: Any) -> None:
    for line in value.line or ():
        _string(b, s, line)
    for part in (value.city, value.district, value.state, value.country, value.postalCode, value.text):
        _string(b, s, part)


# --- dates ---------------------------------------------------------------------------------------------------------


def _time(b: _Build, s: Slot, found: Span | None, parent: Any) -> None:
    if found is None:
        return
    if s.main:
        b.lo = found.lo if b.lo is None else min(b.lo, found.lo)
        b.hi = found.hi if b.hi is None else max(b.hi, found.hi)
        return
    lo, hi = dates.seconds(found.lo), dates.seconds(found.hi)
    b.ranges += [Range(s.number, key, lo, hi, None) for key in _keys(b, s, parent)]


def _date(b: _Build, s: Slot, value: str | None, parent: Any = None) -> None:
    if value is not None:
        _time(b, s, dates.day_span(value) if s.calendar else dates.span(value, b.zone), parent)


def _period(b: _Build, s: Slot, value: Any, parent: Any = None) -> None:
    _time(b, s, dates.period_span(value, b.zone), parent)


def _timing(b: _Build, s: Slot, value: Any, parent: Any = None) -> None:
    _time(b, s, dates.timing_span(value, b.zone), parent)


# --- numbers and quantities ----------------------------------------------------------------------------------------


def _keys(b: _Build, s: Slot, parent: Any) -> tuple[int, ...]:
    """Give the keys of a range: the codes beside it where a composite pairs them, else 0."""
    if parent is None or s.parameter.key is None:
        return (0,)
    value = getattr(parent, s.parameter.key[1].steps[0].name)
    codings = value.coding or () if hasattr(value, "coding") else (value,) if value is not None else ()
    codes = [c.code for c in codings if c.code is not None]
    return tuple(dict.fromkeys(_key(b, code) for code in codes)) or (0,)


def _key(b: _Build, code: str) -> int:
    found = b.memory.get(("$", code))
    if found is None:
        found = b.memory["$", code] = b.hashes((tokens.key_text(code),))[0]
    return int(found)


def _number(b: _Build, s: Slot, value: Any, parent: Any = None) -> None:
    if value is not None:
        b.ranges += [Range(s.number, key, float(value), float(value), None) for key in _keys(b, s, parent)]


def unit_text(quantity: Any) -> str | None:
    """Give a quantity's unit as its raw row names it: `system|code`, else `|unit` as written, else None."""
    if quantity.code is not None:
        return f"{quantity.system or ''}|{quantity.code}"
    return f"|{quantity.unit}" if quantity.unit is not None else None


def _amount(b: _Build, s: Slot, lo: Decimal | None, hi: Decimal | None, like: Any, parent: Any) -> None:
    """Add a raw row, and one in base units where the unit is UCUM's and known; None is an open end."""
    rows = [(_float(lo, -_INFINITY), _float(hi, _INFINITY), unit_text(like))]
    unit = ucum.unit(like.code) if like.system == ucum.SYSTEM and like.code is not None else None
    if unit is not None:
        low = _float(unit.canonical(lo) if lo is not None else None, -_INFINITY)
        high = _float(unit.canonical(hi) if hi is not None else None, _INFINITY)
        rows.append((low, high, CANONICAL + unit.base))
    b.ranges += [Range(s.number, key, *row) for key in _keys(b, s, parent) for row in rows]


def _float(value: Decimal | None, otherwise: float) -> float:
    return otherwise if value is None else float(value)


def _quantity(b: _Build, s: Slot, value: Any, parent: Any = None) -> None:
    amount = value.value
    if amount is None:
        return
    comparator = value.comparator
    below = comparator in {"<", "<="}
    above = comparator in {">", ">="}
    _amount(b, s, None if below else amount, None if above else amount, value, parent)


def _range(b: _Build, s: Slot, value: Any, parent: Any = None) -> None:
    low, high = value.low, value.high
    like = low if low is not None else high
    if like is not None:
        ends = (low.value if low is not None else None, high.value if high is not None else None)
        _amount(b, s, *ends, like, parent)


def _sampled(b: _Build, s: Slot, value: Any, parent: Any = None) -> None:
    """Keep the extent of a series of samples: from its lowest to its highest."""
    samples = [_decimal(word) for word in (value.data or "").split()]
    known = [x for x in samples if x is not None]
    if known and value.origin.value is not None:
        factor = value.factor if value.factor is not None else Decimal(1)
        ends = sorted((value.origin.value + min(known) * factor, value.origin.value + max(known) * factor))
        _amount(b, s, ends[0], ends[1], value.origin, parent)


def _decimal(word: str) -> Decimal | None:
    """Read a sample; E, U and L stand for errors and for below or above what the device can tell."""
    try:
        return Decimal(word)
    except InvalidOperation:
        return None


def _money(b: _Build, s: Slot, value: Any, parent: Any = None) -> None:
    if value.value is not None:
        unit = f"{CURRENCY}|{value.currency}" if value.currency is not None else None
        amount = float(value.value)
        b.ranges += [Range(s.number, key, amount, amount, unit) for key in _keys(b, s, parent)]


def _position(b: _Build, s: Slot, value: Any) -> None:
    """Keep a place for `near`: its latitude as lo and its longitude as hi."""
    b.ranges.append(Range(s.number, 0, float(value.latitude), float(value.longitude), None))


# --- composites ----------------------------------------------------------------------------------------------------


def _pair(b: _Build, s: Slot, value: Any) -> None:
    left, right = ([f for kind, find in part for v in find(value) for f in _forms(kind, v)] for part in s.parts)
    b.texts += [tokens.pair(s.code, one, two) for one in left for two in right]


def _forms(kind: str, value: Any) -> list[str]:
    """Give the forms of one side of a pair: `system|code` and `*|code`, or a reference's text."""
    if kind == "CodeableConcept":
        return [form for coding in value.coding or () for form in _forms("Coding", coding)]
    if kind == "Reference":
        return [tokens.reference_text(value.reference)] if value.reference is not None else []
    if kind == "Coding":
        return [f"*|{value.code.lower()}", f"{value.system or ''}|{value.code.lower()}"] if value.code else []
    text = tokens.BOOLEANS[value] if isinstance(value, bool) else str(value).lower()
    return [f"*|{text}", f"|{text}"]


# --- people: found as you type -------------------------------------------------------------------------------------


def _person(b: _Build, person: Any) -> None:
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


def _typed(b: _Build, text: str) -> None:
    for word in words(text):
        key = (tokens.WORD, word)
        found = b.memory.get(key)
        if found is None:
            b.remember(key, tokens.word_prefixes(word))
        else:
            b.tok += found


def _year(b: _Build, year: str) -> None:
    key = (tokens.YEAR, year)
    found = b.memory.get(key)
    if found is None:
        b.remember(key, (f"{tokens.YEAR}|{year}",))
    else:
        b.tok += found


def _for(kind: str, types: str, emitter: Emitter) -> dict[tuple[str, str], Emitter]:
    return {(kind, name): emitter for name in types.split()}


EMITTERS: dict[tuple[str, str], Emitter] = {
    **_for("token", "CodeableConcept", _concept),
    **_for("token", "Coding", _coding),
    **_for("token", "Identifier", _identifier),
    **_for("token", "ContactPoint", _contact),
    **_for("token", "code boolean string id uri canonical", _code),
    **_for("reference", "Reference", _reference),
    **_for("reference", "canonical uri", _canonical),
    **_for("reference", "Resource", _resource),
    **_for("uri", "uri url canonical oid uuid", _uri),
    **_for("string", "string markdown", _string),
    **_for("string", "HumanName", _name),
    **_for("string", "Address", _address),
    **_for("date", "date dateTime instant", _date),
    **_for("date", "Period", _period),
    **_for("date", "Timing", _timing),
    **_for("number", "integer decimal positiveInt unsignedInt", _number),
    **_for("number", "Range", _range),
    **_for("quantity", "Quantity SimpleQuantity Age Count Distance Duration", _quantity),
    **_for("quantity", "Range", _range),
    **_for("quantity", "SampledData", _sampled),
    **_for("quantity", "Money", _money),
    **_for("special", "Location.position BackboneElement", _position),
    **_for("composite", "pair", _pair),
}
