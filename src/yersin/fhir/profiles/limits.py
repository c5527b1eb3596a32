"""Limits that R4's own extensions of a Questionnaire put on its answers: bounds, places, kinds of files, numbers of answers.

Source: https://hl7.org/fhir/R4/questionnaire-profiles.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from . import values
from .findings import Findings
from .published import BASE

JSON = Mapping[str, Any]
_EXCLUSIVE = f"{BASE}questionnaire-optionExclusive"


def judge_number(asked: JSON, answers: Sequence[JSON], place: str, found: Findings, *, is_done: bool) -> None:
    """Judge how many answers there are; too few only where the answering is done."""
    name, count = asked.get("linkId"), len(answers)
    for most in _counts(asked, "questionnaire-maxOccurs"):
        if count > most:
            found.add("structure", f"{place}.answer", f"{name!r} has {count} answers; at most {most} are right")
    for least in _counts(asked, "questionnaire-minOccurs"):
        if is_done and count < least:
            found.add("required", f"{place}.answer", f"{name!r} has {count} answers; at least {least} are needed")
    for option in asked.get("answerOption") or ():
        chosen = [each for each in answers if count > 1 and _is_exclusive(option) and _value(each) == _value(option)]
        if chosen:
            found.add(
                "business-rule", f"{place}.answer", f"An answer of {name!r} stands alone, and is not the only one"
            )


def judge_limits(asked: JSON, value: Any, place: str, found: Findings) -> None:
    """Judge the value of one answer."""
    for least in _said(asked, "minValue"):
        if values.is_below(value, least):
            found.add("value", place, f"The answer is less than {least}, the least that is allowed")
    for most in _said(asked, "maxValue"):
        if values.is_above(value, most):
            found.add("value", place, f"The answer is more than {most}, the most that is allowed")
    for most in _counts(asked, "maxDecimalPlaces"):
        if _places(value) > most:
            found.add("value", place, f"The answer has {_places(value)} decimal places; {most} are allowed")
    if isinstance(value, Mapping):
        _judge_kind(_said(asked, "mimeType"), value.get("contentType"), place, found)
        _judge_kind(_said(asked, "questionnaire-referenceResource"), _referred(value), place, found)


def _judge_kind(allowed: Sequence[Any], kind: Any, place: str, found: Findings) -> None:
    if allowed and kind and kind not in allowed:
        found.add("value", place, f"The answer is {kind}; {' or '.join(map(str, allowed))} may be answered")


def _referred(value: JSON) -> str:
    """Type of resource a reference names: by itself, or in a relative address; empty where neither tells."""
    address = str(value.get("reference", ""))
    if value.get("type") or ":" in address or address.startswith("#"):
        return str(value.get("type") or "")
    return address.partition("/")[0].partition("?")[0]


def _places(value: Any) -> int:
    """Decimal places of a number as it was written."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return 0
    return max(0, -int(Decimal(str(value)).as_tuple().exponent))


def _said(element: JSON, name: str) -> list[Any]:
    """Values of an element's extensions of this name."""
    return [_value(each) for each in element.get("extension") or () if each.get("url") == BASE + name]


def _counts(element: JSON, name: str) -> list[int]:
    """Numbers among them; what is none is a fault of the questionnaire."""
    return [each for each in _said(element, name) if isinstance(each, int)]


def _is_exclusive(option: JSON) -> bool:
    return any(each.get("url") == _EXCLUSIVE and _value(each) is True for each in option.get("extension") or ())


def _value(element: JSON) -> Any:
    """What an element holds; of a Coding, system and code alone, as displays differ by language."""
    held = next((value for name, value in element.items() if name.startswith("value")), None)
    return (held.get("system"), held["code"]) if isinstance(held, Mapping) and "code" in held else held
