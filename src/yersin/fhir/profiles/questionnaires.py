"""Answers against the Questionnaire they answer: items, their nesting and order, types of answers, options, repeats, what is required.

What is required is asked of a response that says it is completed or amended, and of items that are enabled.
Sources: https://hl7.org/fhir/R4/questionnaireresponse.html#notes, https://hl7.org/fhir/R4/questionnaire.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from . import values
from .findings import Findings
from .limits import judge_limits, judge_number
from .listed import listed

JSON = Mapping[str, Any]
#: whether a code is in a value set; None where that is not known
Member = Callable[[str, str, str], bool | None]


class Questionnaires(Protocol):
    """What is known of questionnaires without asking a database."""

    def find(self, canonical: str) -> Any | None:
        """Give a questionnaire; None where it is not here, or not known yet."""

    def is_surely_absent(self, canonical: str) -> bool:
        """Whether it is known that a questionnaire is not here."""


_DONE = frozenset({"completed", "amended"})
#: types of questions that may list what can be answered (que-5)
_OPTIONAL = frozenset({
    "choice", "open-choice", "decimal", "integer", "date", "dateTime", "time", "string", "quantity",
})  # fmt: skip
_TYPES = {
    "boolean": "Boolean", "decimal": "Decimal", "integer": "Integer", "date": "Date", "dateTime": "DateTime", "time": "Time",
    "string": "String", "text": "String", "url": "Uri", "attachment": "Attachment", "reference": "Reference",
    "quantity": "Quantity", "choice": "Coding", "open-choice": "Coding",
}  # fmt: skip


def judge_response(response: JSON, questionnaire: JSON, place: str, found: Findings, member: Member) -> None:
    """Judge a response by its questionnaire."""
    _Answers(response, questionnaire, found, member).items(questionnaire, response, place)


class _Answers:
    def __init__(self, response: JSON, questionnaire: JSON, found: Findings, member: Member) -> None:
        self._response = response
        #: contained in the questionnaire; in the response where the questionnaire is contained itself
        self._contained = [*(questionnaire.get("contained") or ()), *(response.get("contained") or ())]
        self._found = found
        self._member = member
        self._is_done = response.get("status") in _DONE

    def items(self, asked: JSON, given: JSON, place: str) -> None:
        """Judge the items that are given below an element by those that are asked there."""
        wanted = {str(each.get("linkId")): each for each in asked.get("item") or ()}
        here: dict[str, list[tuple[JSON, str]]] = {name: [] for name in wanted}
        order: list[int] = []
        for number, item in enumerate(given.get("item") or ()):
            where, name = f"{place}.item[{number}]", str(item.get("linkId"))
            if name not in wanted:
                self._found.add("not-found", f"{where}.linkId", f"The questionnaire has no item {name!r} here")
                continue
            here[name].append((item, where))
            order.append(list(wanted).index(name))
        if order != sorted(order):
            self._found.add("structure", place, "The items stand in another order than in the questionnaire", "warning")
        for name, item in wanted.items():
            self._item(item, here[name], place)

    def _item(self, asked: JSON, given: Sequence[tuple[JSON, str]], place: str) -> None:
        name, kind = asked.get("linkId"), asked.get("type")
        enabled = self._is_enabled(asked)
        if not given:
            if asked.get("required") and self._is_done and enabled and kind != "display":
                self._found.add("required", place, f"The item {name!r} is required and not answered")
            return
        if not enabled:
            self._found.add(
                "business-rule", given[0][1], f"The item {name!r} is answered, and is not enabled", "warning"
            )
        if len(given) > 1 and not (kind == "group" and asked.get("repeats")):
            self._found.add(
                "structure", given[1][1], f"The item {name!r} stands here {len(given)} times; once is right"
            )
        for item, where in given:
            if kind in ("group", "display"):
                self._without_answer(asked, item, where, enabled=enabled)
            else:
                self._question(asked, item, where, enabled=enabled)

    def _without_answer(self, asked: JSON, item: JSON, place: str, *, enabled: bool) -> None:
        if item.get("answer"):
            words = f"The item {asked.get('linkId')!r} is a {asked.get('type')} and has no answers"
            self._found.add("structure", f"{place}.answer", words)
        needed = asked.get("required") and self._is_done and enabled and not item.get("item")
        if needed and any(each.get("type") != "display" and self._is_enabled(each) for each in asked.get("item") or ()):
            self._found.add("required", place, f"The group {asked.get('linkId')!r} is required and empty")
        self.items(asked, item, place)

    def _question(self, asked: JSON, item: JSON, place: str, *, enabled: bool) -> None:
        answers = item.get("answer") or ()
        if item.get("item"):
            self._found.add("structure", f"{place}.item", "What is asked below a question stands inside of its answers")
        if not answers and asked.get("required") and self._is_done and enabled:
            self._found.add("required", place, f"The item {asked.get('linkId')!r} is required and not answered")
        if len(answers) > 1 and not asked.get("repeats"):
            self._found.add(
                "structure", f"{place}.answer", f"{asked.get('linkId')!r} has {len(answers)} answers; one is right"
            )
        judge_number(asked, answers, place, self._found, is_done=self._is_done and enabled)
        for number, answer in enumerate(answers):
            where = f"{place}.answer[{number}]"
            self._answer(asked, answer, where)
            self.items(asked, answer, where)

    def _answer(self, asked: JSON, answer: JSON, place: str) -> None:
        written = next(((name[5:], value) for name, value in answer.items() if name.startswith("value")), None)
        if written is None:
            return
        name, value = written
        kind = str(asked.get("type"))
        allowed = _allowed(asked)
        if allowed and name not in allowed:
            self._found.add("structure", place, f"This is a value{name}; {asked.get('linkId')!r} asks for {kind}")
            return
        longest = asked.get("maxLength")
        if isinstance(value, str) and isinstance(longest, int) and len(value) > longest:
            self._found.add("too-long", place, f"The answer has {len(value)} characters; {longest} are allowed")
        judge_limits(asked, value, place, self._found)
        if kind in _OPTIONAL and not (kind == "open-choice" and name == "String"):
            self._option(asked, name, value, place)

    def _option(self, asked: JSON, name: str, value: Any, place: str) -> None:
        options = [each.get(f"value{name}") for each in asked.get("answerOption") or ()]
        if asked.get("answerOption") and not any(_is_option(value, option) for option in options):
            self._found.add("code-invalid", place, f"{_shown(value)} is none of the options of {asked.get('linkId')!r}")
        url = asked.get("answerValueSet")
        if not isinstance(url, str) or name != "Coding" or not value.get("code"):
            return
        told = self._is_in(str(value.get("system", "")), str(value["code"]), url)
        if told is False:
            self._found.add("code-invalid", place, f"{_shown(value)} is not in {url}")
        elif told is None:
            self._found.add(
                "not-supported", place, f"Whether {_shown(value)} is in {url} cannot be told here", "warning"
            )

    def _is_in(self, system: str, code: str, url: str) -> bool | None:
        """Whether a code is in a value set, which may be contained; None where that is not known."""
        if not url.startswith("#"):
            return self._member(system, code, url)
        inside: JSON = next((each for each in self._contained if each.get("id") == url[1:]), {})
        codes = listed(inside) if inside.get("resourceType") == "ValueSet" else None
        if codes is None:
            return None
        if not system and any(code == each for _, each in codes):
            return None  # the code alone does not tell, and published answers leave its system out
        return (system, code) in codes

    # --- what is enabled ---------------------------------------------------------------------------------------

    def _is_enabled(self, asked: JSON) -> bool:
        conditions = asked.get("enableWhen") or ()
        if not conditions:
            return True
        met = [self._is_met(each) for each in conditions]
        return any(met) if asked.get("enableBehavior") == "any" else all(met)

    def _is_met(self, condition: JSON) -> bool:
        answers = [a for item in _all(self._response, condition.get("question")) for a in item.get("answer") or ()]
        found = [value for answer in answers for name, value in answer.items() if name.startswith("value")]
        wanted = next((value for name, value in condition.items() if name.startswith("answer")), None)
        operator = condition.get("operator")
        if operator == "exists":
            return bool(found) is wanted
        if operator == "!=":
            return bool(found) and not any(_is_option(value, wanted) for value in found)
        if operator == "=":
            return any(_is_option(value, wanted) for value in found)
        return any(_compares(value, str(operator), wanted) for value in found)


def _all(element: JSON, name: Any) -> Iterator[JSON]:
    """Every item of a name, however deep."""
    for item in element.get("item") or ():
        if item.get("linkId") == name:
            yield item
        yield from _all(item, name)
        for answer in item.get("answer") or ():
            yield from _all(answer, name)


def _allowed(asked: JSON) -> set[str]:
    """Types that an answer may be of; none where that is not known."""
    kind = str(asked.get("type"))
    options = {name[5:] for each in asked.get("answerOption") or () for name in each if name.startswith("value")}
    usual = {_TYPES[kind]} if kind in _TYPES else set()
    if kind in ("choice", "open-choice") and options:
        usual = options
    return usual | {"String"} if kind == "open-choice" else usual


def _is_option(value: Any, option: Any) -> bool:
    if isinstance(value, Mapping) and isinstance(option, Mapping):
        keys = ("system", "code") if "code" in option else ("reference",) if "reference" in option else tuple(option)
        return all(value.get(key) == option.get(key) for key in keys)
    return values.is_same(value, option)


def _compares(value: Any, operator: str, wanted: Any) -> bool:
    if isinstance(value, bool) or (type(value) is not type(wanted) and not _are_numbers(value, wanted)):
        return False
    below, above = values.is_below(value, wanted), values.is_above(value, wanted)
    return {"<": below, ">": above, "<=": not above, ">=": not below}.get(operator, False)


def _are_numbers(*each: Any) -> bool:
    return all(isinstance(one, int | float | Decimal) for one in each)


def _shown(value: Any) -> str:
    return str(value.get("code") or value.get("reference") or value) if isinstance(value, Mapping) else repr(value)
