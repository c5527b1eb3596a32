"""Questionnaires: which questions the conditions of an item ask.

Source: https://hl7.org/fhir/R4/questionnaire-definitions.html#Questionnaire.item.enableWhen.question
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .findings import Findings

JSON = Mapping[str, Any]


def judge_conditions(questionnaire: JSON, place: str, found: Findings) -> None:
    """Judge every `enableWhen`: it asks a question that is there, outside of the item itself."""
    items = list(_items(questionnaire, place))
    known = {item.get("linkId") for item, _ in items}
    for item, where in items:
        inside = {each.get("linkId") for each, _ in _items(item, where)}
        for number, each in enumerate(item.get("enableWhen") or ()):
            asked, at = each.get("question"), f"{where}.enableWhen[{number}].question"
            if asked not in known:
                found.add("not-found", at, f"No item has the linkId {asked}")
            elif asked == item.get("linkId"):
                found.add("business-rule", at, "An item cannot depend on its own answer")
            elif asked in inside:
                found.add("business-rule", at, f"An item cannot depend on {asked}, which is inside of it")


def _items(holder: JSON, place: str) -> Iterator[tuple[JSON, str]]:
    for number, item in enumerate(holder.get("item") or ()):
        where = f"{place}.item[{number}]"
        yield item, where
        yield from _items(item, where)
