"""What stands together in one element, for composites that were added: tokens of it, or ranges keyed by it.

Each part is emitted by itself into a row of its own that is then put together, so it means what it means alone.
Source: https://hl7.org/fhir/R4/search.html#composite
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

from yersin.search import emit_ranges, emit_words, tokens
from yersin.search.build import Build, Range
from yersin.search.extract import Emitter, Part, Slot, emitting

ALONE: dict[tuple[str, str], Emitter] = {**emit_words.EMITTERS, **emit_ranges.EMITTERS}


def _together(b: Build, s: Slot, value: Any) -> None:
    words: list[Sequence[int]] = []
    ranges: list[Range] | None = None
    for n, (component, parts) in enumerate(zip(s.parameter.components, s.parts, strict=True)):
        inside = _alone(b, parts, value)
        if component.own is not None and component.own.rows:
            ranges = inside.ranges
        else:
            there = b.hashes((tokens.present(f"{s.code}${n}"),))
            words.append(sorted({*inside.tok, *b.hashes(inside.texts)} - set(there)))
    texts = [tokens.together(s.code, each) for each in product(*words)]
    if not texts or ranges == []:
        return
    b.texts.append(tokens.present(s.code))
    if ranges is None:
        b.texts += texts
    else:
        b.ranges += [each._replace(key=key) for key in b.hashes(texts) for each in ranges]


def _alone(b: Build, parts: Iterable[Part], value: Any) -> Build:
    inside = Build(b.key, b.zone, b.base, b.memory, 0)
    for part in parts:
        if emit := ALONE.get((part.kind, part.type)):
            for one in part.find(value):
                emit(inside, part.slot, one)
    return inside


EMITTERS = emitting("composite", "together", _together)
