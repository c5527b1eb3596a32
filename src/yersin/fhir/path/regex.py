"""Regular expressions of matches() and its like, written by strangers: Python's own engine where that is safe.

A repetition inside a repetition can make a backtracking engine take years. Such a pattern is run by walking all its
states at once, in time that grows with pattern times text; what cannot be walked so (look-around, back references) is
refused. Source: https://hl7.org/fhirpath/N1/#matchesregex--string--boolean
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any, TypeAlias

from .refusal import impossible

#: names the parts of a pattern, and takes one apart; not told in the library's types
marks: Any = import_module("re._constants")
reader: Any = import_module("re._parser")

LONGEST_PATTERN, LONGEST_TEXT, MOST_STATES = 2000, 200_000, 20_000
_REPEATS = (marks.MAX_REPEAT, marks.MIN_REPEAT, marks.POSSESSIVE_REPEAT)
_WORK = 30_000_000
#: the parts of a pattern as Python's parser gives them
Parts: TypeAlias = Any


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> tuple[re.Pattern[str], bool]:
    """Give the compiled pattern and whether it is safe. Raises CannotEvaluate for what is no pattern."""
    if len(pattern) > LONGEST_PATTERN:
        raise impossible(f"A regular expression may have {LONGEST_PATTERN} characters", code="too-costly")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parsed = reader.parse(pattern, re.DOTALL)
            return re.compile(pattern, re.DOTALL), _is_safe(parsed)
    except (re.error, OverflowError, RecursionError) as reason:
        raise impossible(f"This is no regular expression: {reason}") from None


def _is_safe(parts: Parts) -> bool:
    """Whether the time taken cannot explode: no repetition in a repetition, and few loose ones side by side."""
    return not _nested(parts, within=False) and _count(parts) <= 3


def _nested(parts: Parts, *, within: bool) -> bool:
    for mark, value in parts:
        if mark in _REPEATS:
            loose = value[1] > 1 and value[0] != value[1]
            if (loose and within) or _nested(value[2], within=within or value[1] > 1):
                return True
        elif mark in (marks.GROUPREF, marks.GROUPREF_EXISTS) or any(
            _nested(inner, within=within) for inner in _inner(mark, value)
        ):
            return True
    return False


def _count(parts: Parts) -> int:
    """Repetitions of variable length over more than one kind of character, anywhere in the pattern."""
    found = 0
    for mark, value in parts:
        if mark in _REPEATS:
            found += (value[1] > 20 and value[0] != value[1]) + _count(value[2])
        else:
            found += sum(_count(inner) for inner in _inner(mark, value))
    return found


def _inner(mark: Any, value: Any) -> list[Parts]:
    if mark is marks.SUBPATTERN:
        return [value[3]]
    if mark is marks.BRANCH:
        return list(value[1])
    if mark in (marks.ASSERT, marks.ASSERT_NOT):
        return [value[1]]
    return [value] if mark is marks.ATOMIC_GROUP else []


def _checked(text: str, pattern: str) -> tuple[re.Pattern[str], bool]:
    if len(text) > LONGEST_TEXT:
        raise impossible(f"A regular expression is tried on {LONGEST_TEXT} characters at most", code="too-costly")
    compiled, safe = _compiled(pattern)
    # a pattern that is safe may still take the square of the text, or the cube
    return compiled, safe and len(text) ** max(1, min(3, pattern.count("*") + pattern.count("+"))) < _WORK * 10


def is_found(text: str, pattern: str) -> bool:
    """Whether the pattern is found anywhere in the text."""
    compiled, safe = _checked(text, pattern)
    return compiled.search(text) is not None if safe else _walked(pattern, text, whole=False)


def is_whole(text: str, pattern: str) -> bool:
    """Whether the pattern covers the whole text."""
    compiled, safe = _checked(text, pattern)
    return compiled.fullmatch(text) is not None if safe else _walked(pattern, text, whole=True)


_GROUP = re.compile(r"\\(.)|\$(\d+|\{\w+\})", re.DOTALL)


def replaced(text: str, pattern: str, substitution: str) -> str:
    """Replace what the pattern finds; $1 or ${name} is what a group found."""
    if not pattern:
        return text
    compiled, safe = _checked(text, pattern)
    if not safe:
        raise impossible("This regular expression repeats a repetition: make it simpler", code="too-costly")

    def filled(match: re.Match[str]) -> str:
        def part(mark: re.Match[str]) -> str:
            if mark[1]:
                return str(mark[1])
            name = mark[2].strip("{}")
            try:
                return match[int(name) if name.isdigit() else name] or ""
            except IndexError:
                raise impossible(f"The regular expression has no group {name}") from None

        return _GROUP.sub(part, substitution)

    return compiled.sub(filled, text)


# --- walking all states at once ----------------------------------------------------------------------------------


class _Automaton:
    """States with edges: `edges[s]` are (test, target); a test of None is free, a text marks a place in the text."""

    def __init__(self, pattern: str) -> None:
        self.edges: list[list[tuple[Any, int]]] = [[], []]
        self.add(reader.parse(pattern, re.DOTALL), 0, 1)

    def state(self) -> int:
        if len(self.edges) > MOST_STATES:
            raise impossible("This regular expression is too large", code="too-costly")
        self.edges.append([])
        return len(self.edges) - 1

    def edge(self, start: int, test: Any, end: int) -> None:
        self.edges[start].append((test, end))

    def add(self, parts: Parts, start: int, end: int) -> None:
        for mark, value in parts:
            after = self.state()
            self.part(mark, value, start, after)
            start = after
        self.edge(start, None, end)

    def part(self, mark: Any, value: Any, start: int, end: int) -> None:
        if mark in (marks.MAX_REPEAT, marks.MIN_REPEAT):
            self.repeat(value, start, end)
        elif mark is marks.SUBPATTERN:
            self.add(value[3], start, end)
        elif mark is marks.BRANCH:
            for branch in value[1]:
                self.add(branch, start, end)
        elif mark is marks.AT:
            self.edge(start, str(value), end)
        else:
            self.edge(start, _test(mark, value), end)

    def repeat(self, value: Any, start: int, end: int) -> None:
        least, most, parts = value
        for _ in range(least):
            after = self.state()
            self.add(parts, start, after)
            start = after
        if most is marks.MAXREPEAT:
            loop = self.state()
            self.edge(start, None, loop)
            self.add(parts, loop, loop)
            self.edge(loop, None, end)
            return
        for _ in range(most - least):
            self.edge(start, None, end)
            after = self.state()
            self.add(parts, start, after)
            start = after
        self.edge(start, None, end)


def _test(mark: Any, value: Any) -> re.Pattern[str]:
    """Make the pattern of one character."""
    if mark is marks.ANY:
        return re.compile(".", re.DOTALL)
    if mark is marks.LITERAL:
        return re.compile(re.escape(chr(value)))
    if mark is marks.NOT_LITERAL:
        return re.compile(f"[^{re.escape(chr(value))}]")
    if mark is marks.IN:
        return re.compile(_class(value))
    raise impossible("This regular expression repeats a repetition around what cannot be walked", code="too-costly")


_CATEGORIES = {
    marks.CATEGORY_DIGIT: r"\d", marks.CATEGORY_NOT_DIGIT: r"\D", marks.CATEGORY_SPACE: r"\s",
    marks.CATEGORY_NOT_SPACE: r"\S", marks.CATEGORY_WORD: r"\w", marks.CATEGORY_NOT_WORD: r"\W",
}  # fmt: skip


def _class(parts: Parts) -> str:
    text = ""
    negated = False
    for mark, value in parts:
        if mark is marks.NEGATE:
            negated = True
        elif mark is marks.LITERAL:
            text += re.escape(chr(value))
        elif mark is marks.RANGE:
            text += f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}"
        else:
            text += _CATEGORIES[value]
    return f"[{'^' if negated else ''}{text}]"


_PLACES: Mapping[str, Callable[[int, int], bool]] = {
    "AT_BEGINNING": lambda at, _size: at == 0,
    "AT_BEGINNING_STRING": lambda at, _size: at == 0,
    "AT_END": lambda at, size: at == size,
    "AT_END_STRING": lambda at, size: at == size,
}


def _closed(automaton: _Automaton, states: set[int], at: int, size: int) -> frozenset[int]:
    """Give the states reached without reading a character."""
    found, waiting = set(states), list(states)
    while waiting:
        for test, target in automaton.edges[waiting.pop()]:
            if target in found or not (test is None or isinstance(test, str)):
                continue
            if test is not None and not _holds(test, at, size):
                continue
            found.add(target)
            waiting.append(target)
    return frozenset(found)


def _holds(place: str, at: int, size: int) -> bool:
    if place not in _PLACES:
        raise impossible("This regular expression repeats a repetition around what cannot be walked", code="too-costly")
    return _PLACES[place](at, size)


@lru_cache(maxsize=64)
def _automaton(pattern: str) -> _Automaton:
    return _Automaton(pattern)


def _walked(pattern: str, text: str, *, whole: bool) -> bool:
    automaton, size = _automaton(pattern), len(text)
    states = _closed(automaton, {0}, 0, size)
    left = _WORK // 10
    for at, character in enumerate(text):
        if 1 in states and not whole:
            return True
        left -= len(states) + 1
        if left < 0:
            raise impossible("This regular expression takes too long: make it simpler", code="too-costly")
        reached = {
            target
            for state in states
            for test, target in automaton.edges[state]
            if isinstance(test, re.Pattern) and test.match(character)
        }
        if not whole:
            reached.add(0)
        states = _closed(automaton, reached, at + 1, size)
    return 1 in states
